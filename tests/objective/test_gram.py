"""Objectives from moments equal objectives on rows, and moments equal plain sums."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from moment_cases import CASES, N_FEATURES, N_TASKS, make
from sklearn.base import clone

from skmtl import (
    BlockSparseRegressor,
    ClusteredTaskRegressor,
    IndependentTaskRegressor,
    LowRankRegressor,
    TaskRelationRegressor,
)
from skmtl._numerics import FactoredSpectrum
from skmtl.design import Moments
from skmtl.model_selection import alpha_max
from skmtl.objective import GramObjective, Objective
from skmtl.penalties import L1, L21, ClusterNorm, Ridge, SquaredTraceNorm, TraceNorm
from skmtl.solvers import ADMM, FISTA, Point, Switch, choose_solver, solve

PENALTIES = [
    L21(0.3),
    L21(0.2) + Ridge(0.1),
    L1(0.1),
    TraceNorm(0.3),
    SquaredTraceNorm(0.2),
    ClusterNorm(0.2, n_clusters=2),
    ClusterNorm(0.2, n_clusters=2, mean=0.0),
    Ridge(0.3),
]


def objectives(case, penalty, *, fit_intercept=True, task_weight=None):
    """The objective from moments and the one on rows."""
    X, y, weights, column = make(*case)

    class Model(BlockSparseRegressor):
        def _get_penalty(self, data):
            return penalty

    model = Model(task_column=column, fit_intercept=fit_intercept, task_weight=task_weight)
    data = model._read(X, y, weights)
    assert Moments.pay(data)
    return model._objective(data), _on_rows(model, data)


def _on_rows(model, data):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Moments, "pay", classmethod(lambda cls, data: False))
        return model._objective(data)


@pytest.fixture
def by_rows():
    """Fits that take rows where they would take moments."""

    def fit(model, *args):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Moments, "pay", classmethod(lambda cls, data: False))
            return clone(model).fit(*args)

    return fit


def tolerance(case):
    """The expected rounding error, of sums over rows or of labels and features far from zero."""
    return 1e-4 if case[3] == np.float32 else 1e-7 if case[2] else 1e-10


@pytest.mark.parametrize("penalty", PENALTIES, ids=repr)
@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c[0]}-{c[1]}-{c[2]:g}-{c[3].__name__}")
@pytest.mark.parametrize("fit_intercept", [True, False])
class TestAgainstRows:
    @pytest.mark.turns(2)
    def test_values_gradients_bounds_and_intercepts(self, case, penalty, fit_intercept):
        if case[2] and not fit_intercept:
            pytest.skip("without an intercept an offset is part of the fit")
        gram, rows = objectives(case, penalty, fit_intercept=fit_intercept, task_weight="balanced")
        assert isinstance(gram, GramObjective) and isinstance(rows, Objective)
        tol = tolerance(case)
        assert gram.null_value == pytest.approx(rows.null_value, rel=tol)
        rng = np.random.default_rng(1)
        W = rng.standard_normal((N_FEATURES, N_TASKS)) * (rng.random((N_FEATURES, 1)) < 0.6)
        mine = gram.start(W, np.zeros(N_TASKS))
        theirs = rows.minimise_intercepts(rows.start(W, np.zeros(N_TASKS)).astype(np.float64))
        assert gram.value(mine) == pytest.approx(rows.value(theirs), rel=tol)
        G, expected = gram.gradient(mine)[0], rows.gradient(theirs)[0]
        np.testing.assert_allclose(G, expected, atol=tol * np.abs(expected).max())
        np.testing.assert_allclose(
            gram.intercepts(mine), rows.intercepts(theirs), rtol=tol, atol=10 * tol
        )
        (value, bound), (other_value, other_bound) = gram.bounds(mine), rows.bounds(theirs)
        assert value == pytest.approx(other_value, rel=tol)
        assert bound <= value
        scale = rows.null_value
        if np.isfinite(other_bound):
            assert bound == pytest.approx(other_bound, rel=10 * tol, abs=10 * tol * scale)

    @pytest.mark.turns(2)
    def test_products_models_and_curvature(self, case, penalty, fit_intercept):
        gram, _ = objectives(case, penalty, fit_intercept=fit_intercept)
        H = gram.grams * gram.scales[: len(gram.grams), None, None]
        if len(H) == 1:
            H = gram.grams * gram.scales[:, None, None]
        rng = np.random.default_rng(2)
        for keep in (1.0, 0.3):
            W = rng.standard_normal((N_FEATURES, N_TASKS)) * (rng.random((N_FEATURES, 1)) < keep)
            expected = np.einsum("tij,jt->it", H, W)
            np.testing.assert_allclose(gram.point(W, np.zeros(0)).Z, expected, rtol=1e-9, atol=1e-9)
        bound, metric, _ = gram.curvature
        ridge = 0.0 if gram.quadratic is None else gram.quadratic.lipschitz()
        scale = 1 / np.sqrt(metric[:, 0])
        tops = np.linalg.eigvalsh(H * np.outer(scale, scale) + ridge * np.diag(scale**2))[:, -1]
        # The initial curvature may be too small, since steps are backtracked up to the limit.
        assert bound <= tops.max() * (1 + ridge) * (1 + 1e-9) + ridge / metric.min()
        assert gram.curvature_limit >= tops.max() * (1 - 1e-9)
        assert gram.squared_norm() == pytest.approx(np.linalg.eigvalsh(H)[:, -1].max(), rel=1e-9)


ESTIMATORS = [
    BlockSparseRegressor(),
    BlockSparseRegressor(l1_ratio=0.5),
    TaskRelationRegressor(),
    TaskRelationRegressor(ridge=0.5),
    ClusteredTaskRegressor(n_clusters=2),
    ClusteredTaskRegressor(n_clusters=2, mean=0.0),
    IndependentTaskRegressor(),
]


class TestFits:
    @pytest.mark.turns(3)
    @pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
    @pytest.mark.parametrize("case", [c for c in CASES if c[3] == np.float64], ids=str)
    @pytest.mark.parametrize("strength", [0.3, 1e-3])
    def test_equal_those_on_rows(self, estimator, case, strength, by_rows):
        X, y, weights, column = make(*case)
        model = clone(estimator).set_params(alpha=strength, task_column=column, tol=1e-10)
        expected = by_rows(model.set_params(max_iter=100_000), X, y, weights)
        model = clone(model).fit(X, y, weights)
        null = np.nanvar(y) * N_TASKS
        size = max(expected.objective_, 1e-12 * case[2] ** 2)
        assert model.objective_ == pytest.approx(expected.objective_, abs=1e-8 * (size + null))
        np.testing.assert_allclose(model.coef_, expected.coef_, atol=2e-4)

    @pytest.mark.turns(3)
    @pytest.mark.parametrize("penalty", PENALTIES[:-1], ids=repr)
    @pytest.mark.parametrize("layout", ["shared", "masked", "stacked"])
    def test_bounds_hold_at_the_optimum_of_every_solver(self, penalty, layout):
        gram, rows = objectives((layout, True, 0.0, np.float64), penalty)
        best = solve(rows, FISTA, rows.start(), max_iter=50_000, tol=1e-11)
        names = ["auto", "fista"] + ["admm"] * gram.has_spectrum + ["block"] * gram.has_row_models
        for name in names:
            solver = choose_solver(name, gram)
            for tol in (1e-2, 1e-4, 1e-9):
                found = solve(gram, solver, gram.start(), max_iter=50_000, tol=tol)
                slack = 1e-11 * gram.null_value
                true = rows.value(rows.minimise_intercepts(rows.start(found.point.W, np.zeros(4))))
                assert true - best.objective <= found.dual_gap + best.dual_gap + slack
                assert found.dual_gap <= tol * gram.null_value

    def test_rotated_steps_reach_the_same_solution(self):
        gram, _ = objectives(("shared", True, 0.0, np.float64), SquaredTraceNorm(0.1))
        assert gram.spectrum.rotates and gram.spectrum.rotated()[1] is not None
        found = solve(gram, ADMM, gram.start(), max_iter=1000, tol=1e-11)
        other = solve(gram, FISTA, gram.start(), max_iter=50_000, tol=1e-11)
        np.testing.assert_allclose(found.point.W, other.point.W, atol=1e-4)
        np.testing.assert_allclose(found.point.Z, gram.point(found.point.W, np.zeros(0)).Z)
        # A copy starts with the last accepted step.
        copied = gram.with_penalty(SquaredTraceNorm(0.09))
        assert copied.spectrum.memory.get("rho") == gram.spectrum.memory.get("rho")

    def test_slow_convergence_switches_to_exact_steps(self):
        rng = np.random.default_rng(0)
        X = rng.standard_normal((300, 8)) * np.geomspace(0.01, 10, 8)
        task = np.repeat(np.arange(5), 60)
        y = (X * rng.standard_normal((5, 8))[task] / np.geomspace(0.01, 10, 8)).sum(axis=1)
        y += 0.1 * rng.standard_normal(300)

        class Model(BlockSparseRegressor):
            def _get_penalty(self, data):
                return TraceNorm(self.alpha)

        model = Model(task_column=-1, tol=1e-8)
        X = np.column_stack([X, task])
        model.alpha = alpha_max(model, X, y) / 1000
        data = model._read(X, y, None)
        gram = model._objective(data)
        # With so few features the exact steps are taken from the start.
        assert choose_solver("auto", gram) is ADMM
        iterate = Switch(gram, gram.start())
        lower, best = 0.0, np.inf
        point = gram.start()
        for _ in range(60):
            value, bound = iterate.bounds(point)
            lower, best = max(lower, bound), min(best, value)
            point = iterate.step(best - lower, 1e-8 * gram.null_value)
        assert isinstance(iterate.current, ADMM)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            few = clone(model).fit(X, y)
        assert few.n_iter_ < 1000

    def test_many_features_start_with_gradient_steps(self):
        rng = np.random.default_rng(0)
        X = np.column_stack([rng.standard_normal((700, 70)), np.repeat([0, 1], 350)])
        model = LowRankRegressor(task_column=-1)
        gram = model._objective(model._read(X, X[:, 0] + rng.standard_normal(700), None))
        assert gram.has_spectrum and choose_solver("auto", gram) is Switch

    @pytest.mark.parametrize("d", [1, 5, 70])
    def test_factors_solve_like_eigenbases(self, d):
        rng = np.random.default_rng(d)
        rows = rng.standard_normal((3, 40, d))
        grams, scales, ridges = rows.transpose(0, 2, 1) @ rows, rng.random(3) + 0.5, rng.random(3)
        linear, A = rng.standard_normal((2, d, 3))
        found = FactoredSpectrum(grams, scales, ridges, linear, {})
        hessians = grams * scales[:, None, None] + ridges[:, None, None] * np.eye(d)
        assert found.mean_eigenvalue == pytest.approx(np.linalg.eigvalsh(hessians).mean())
        for rho in (0.1, 3.0, 3.0):
            right = linear + rho * A
            expected = np.linalg.solve(hessians + rho * np.eye(d), right.T[:, :, None])[:, :, 0].T
            np.testing.assert_allclose(found.solve(A, rho), expected, rtol=1e-9, atol=1e-12)
        product = np.einsum("tjk,kt->jt", hessians, A)
        np.testing.assert_allclose(found.residual(A), linear - product, atol=1e-9)
        scale = rng.random((d, 1)) + 0.5
        scaled = found.rescaled(scale)
        np.testing.assert_allclose(
            scaled.residual(A), scale * (linear - np.einsum("tjk,kt->jt", hessians, scale * A))
        )

    def test_a_step_too_long_for_factors_uses_eigenbases(self):
        # Rank one, and a step that is lost to rounding error beside it.
        grams, linear = np.full((2, 3, 3), 1e8), np.zeros((3, 2))
        found = FactoredSpectrum(grams, np.ones(2), np.zeros(2), linear, {})
        W = found.solve(np.ones((3, 2)), 1e-9)
        assert found.memory["factors"][2] is None
        np.testing.assert_allclose(W, 0, atol=1e-7)

    def test_many_alphas_share_what_does_not_depend_on_them(self):
        gram, _ = objectives(("shared", False, 0.0, np.float64), TraceNorm(0.1))
        first = gram.spectrum
        other = gram.with_penalty(TraceNorm(0.2))
        assert other.spectrum is not first and other.spectrum.bases is first.bases

    def test_cached_values_depend_on_the_penalty(self):
        gram, _ = objectives(("shared", False, 0.0, np.float64), TraceNorm(0.1))
        point = gram.point(np.ones((N_FEATURES, N_TASKS)), np.zeros(0))
        twice = gram.with_penalty(TraceNorm(0.2))
        rough = gram.value(point) - gram.smooth_value(point)
        assert twice.value(point) - gram.smooth_value(point) == pytest.approx(2 * rough)
        moved = replace(point, W=2 * point.W, Z=2 * point.Z)
        assert gram.value(moved) != gram.value(point)
        assert isinstance(moved, Point)
