"""Laws of solvers: tolerances are reached, and certificates are valid at every stage."""

import warnings

import numpy as np
import pytest
from objectives import LOSSES, PENALTIES, SMOOTH, objective_of
from sklearn.exceptions import ConvergenceWarning

from skmtl import IndependentTaskClassifier, IndependentTaskRegressor
from skmtl.losses import LogisticLoss, SquaredLoss
from skmtl.penalties import L21, Ridge
from skmtl.solvers import ADMM, FISTA, Newton, solve


class TestCertificates:
    @pytest.mark.turns(2)
    @pytest.mark.parametrize("loss", LOSSES)
    @pytest.mark.parametrize("penalty", PENALTIES)
    @pytest.mark.parametrize("centre", ["task", None])
    @pytest.mark.parametrize("solver", [ADMM, FISTA, Newton])
    def test_reached_over_tolerances_and_true_at_every_stage(self, loss, penalty, centre, solver):
        objective = objective_of(LOSSES[loss], PENALTIES[penalty], centre=centre)
        if solver is Newton and not objective.has_newton:
            return
        if solver is ADMM and (objective.penalty is None or not objective.has_spectrum):
            return
        scale = objective.null_value
        kept = {"max_iter": 100_000}
        with warnings.catch_warnings():
            warnings.simplefilter("error", ConvergenceWarning)
            best = solve(objective, solver, objective.start(), tol=1e-12, **kept)
            for tol in (1e-3, 1e-6, 1e-8, 1e-10):
                found = solve(objective, solver, objective.start(), tol=tol, **kept)
                assert 0 <= found.dual_gap <= tol * scale
                assert found.objective - best.objective <= found.dual_gap + 1e-12 * scale
                assert found.objective == pytest.approx(objective.value(found.point), rel=1e-14)
        columns = (np.array(column) for column in zip(*best.history, strict=True))
        iterations, values, gaps, seconds = columns
        assert iterations[0] == 0 and (np.diff(iterations) > 0).all()
        assert (np.diff(values) <= 0).all() and (np.diff(seconds) >= 0).all()
        assert (gaps >= values - best.objective - 1e-11 * scale).all()
        # The initial gap is far from zero.
        assert gaps[0] > 1e-3 * scale

    @pytest.mark.turns(2)
    @pytest.mark.parametrize("loss", LOSSES)
    @pytest.mark.parametrize("penalty", SMOOTH)
    @pytest.mark.parametrize("pooled", [False, True])
    @pytest.mark.parametrize("centre", ["task", "common", None])
    def test_fista_and_newton_agree_on_smooth_problems(self, loss, penalty, pooled, centre):
        if (centre == "common" and not pooled) or (pooled and penalty == "ridge-each"):
            return
        objective = objective_of(LOSSES[loss], SMOOTH[penalty], centre=centre, pooled=pooled)
        found = [
            solve(objective, solver, objective.start(), max_iter=50_000, tol=1e-11)
            for solver in (FISTA, Newton)
        ]
        np.testing.assert_allclose(found[0].point.W, found[1].point.W, atol=1e-3)
        np.testing.assert_allclose(found[0].point.b, found[1].point.b, atol=1e-3)
        difference = abs(found[0].objective - found[1].objective)
        assert difference <= 1e-10 * objective.null_value
        assert found[1].n_iter < 30

    def test_newton_needs_one_step_for_least_squares(self):
        objective = objective_of(SquaredLoss(), Ridge(0.7))
        found = solve(objective, Newton, objective.start(), max_iter=10, tol=1e-10)
        assert found.n_iter == 1

    @pytest.mark.parametrize("solver", ["fista", "newton"])
    @pytest.mark.parametrize("cls", [IndependentTaskRegressor, IndependentTaskClassifier])
    def test_a_bad_start_is_overcome(self, cls, solver):
        X, Y = data(classify=cls is IndependentTaskClassifier)
        best = cls(alpha=0.1, tol=1e-9).fit(X, Y)
        model = cls(alpha=0.1, tol=1e-9, warm_start=True, solver=solver, max_iter=5000).fit(X, Y)
        for size in (30.0, 1e4):
            model.coef_, model.intercept_ = np.full((3, 8), size), np.full(3, -30 * size)
            with warnings.catch_warnings():
                warnings.simplefilter("error", ConvergenceWarning)
                model.fit(X, Y)
            assert model.objective_ == pytest.approx(best.objective_, rel=1e-7)

    def test_the_best_point_is_returned_even_when_stopped_early(self):
        objective = objective_of(LogisticLoss(), L21(0.01))
        for max_iter in (1, 2, 3, 11, 25):
            with pytest.warns(ConvergenceWarning):
                found = solve(objective, FISTA, objective.start(), max_iter=max_iter, tol=1e-12)
            assert found.n_iter == max_iter == found.history[-1][0]
            assert found.objective == objective.value(found.point)
            assert found.objective <= objective.null_value

    @pytest.mark.parametrize("near", [1e-5, 1e-7])
    def test_nearly_equal_features_without_a_penalty(self, near):
        # y depends on the tiny difference of two features: a rank cut off is not a certificate.
        rng = np.random.default_rng(0)
        z, y = rng.standard_normal((2, 100))
        X = np.column_stack([z, z + near * y])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = IndependentTaskRegressor(alpha=0, tol=1e-6).fit(X, y)
        # The exact solution has no residual.
        assert model.objective_ <= model.dual_gap_ + 1e-6 * y.var() / 2


def data(classify=False, n=60, d=8, n_tasks=3, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    Y = X[:, : min(3, d)] @ rng.standard_normal((min(3, d), n_tasks))
    Y += rng.standard_normal((n, n_tasks)) + 1.0
    return X, (Y > np.median(Y, axis=0)).astype(int) if classify else Y
