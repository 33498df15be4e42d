"""Designs, the objective, the driver loop and its solvers: laws and hard cases."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression

from skmtl import (
    BlockSparseClassifier,
    BlockSparseRegressor,
    IndependentTaskClassifier,
    IndependentTaskRegressor,
    PooledTaskClassifier,
    PooledTaskRegressor,
)
from skmtl.design import PooledDesign, SharedDesign, StackedDesign
from skmtl.losses import LogisticLoss, SquaredLoss
from skmtl.model_selection import alpha_max
from skmtl.objective import Objective
from skmtl.penalties import L1, L21, Ridge
from skmtl.solvers import FISTA, SOLVERS, Newton, choose_solver, solve

N_TASKS, N_FEATURES = 3, 5

DESIGNS = [
    (layout, centre, pooled, sparse, weighted)
    for layout, weighted in [("shared", "rows"), ("shared", "labels"), ("stacked", "labels")]
    for centre in ("task", "common", None)
    for pooled in (False, True)
    for sparse in (False, True)
    # One mean for all tasks goes with one intercept for all.
    if pooled or centre != "common"
]


class Case:
    """A design, and the same as dense matrices by plain NumPy."""

    def __init__(self, layout, centre, pooled, sparse, weighted, *, dtype=np.float64, seed=0):
        rng = np.random.default_rng(seed)
        self.rng, self.centre, self.pooled = rng, centre, pooled
        n = 40
        X = rng.standard_normal((n, N_FEATURES)) * [1, 3, 0.2, 1, 1] + [0, 2, 0, 5, 0]
        if sparse:
            X[rng.random(X.shape) < 0.4] = 0
        X = X.astype(dtype)
        container = sp.csr_array(X) if sparse else X
        if layout == "shared":
            omega = rng.uniform(0.1, 2, (n, N_TASKS)) * (rng.random((n, N_TASKS)) > 0.2)
            if weighted == "rows":
                omega = rng.uniform(0.1, 2, (n, 1)) * [1.0, 0.5, 4.0]
            design = SharedDesign(container, omega, centre=centre)
            rows = [np.arange(n)] * N_TASKS
            omegas = list(omega.T)
        else:
            starts = np.array([0, 1, 23, 40])
            omega = rng.uniform(0.1, 2, n)
            design = StackedDesign(container, starts, omega, centre=centre)
            rows = [np.arange(a, b) for a, b in zip(starts[:-1], starts[1:], strict=True)]
            omegas = [omega[r] for r in rows]
        self.omega, self.layout = omega, layout
        self.design = (
            PooledDesign(design, common_intercept=centre == "common") if pooled else design
        )
        X = X.astype(np.float64)
        self.raw, self.omegas = [X[r] for r in rows], omegas
        overall = sum(w @ X for w, X in zip(omegas, self.raw, strict=True)) / sum(
            map(np.sum, omegas)
        )
        self.means = [np.zeros(N_FEATURES)] * N_TASKS
        if centre == "common":
            self.means = [overall] * N_TASKS
        elif centre == "task":
            self.means = [w @ X / w.sum() for w, X in zip(omegas, self.raw, strict=True)]
        self.centred = [X - m for X, m in zip(self.raw, self.means, strict=True)]

    def random_W(self):
        return self.rng.standard_normal((N_FEATURES, 1 if self.pooled else N_TASKS))

    def columns(self, W):
        return [W[:, 0 if self.pooled else t] for t in range(N_TASKS)]

    def labels(self, by_task):
        """Per-task vectors in the labels' shape."""
        return np.stack(by_task, axis=1) if self.layout == "shared" else np.concatenate(by_task)

    def by_task(self, U):
        if self.layout == "shared":
            return list(U.T)
        return np.split(U, [1, 23])

    def grams(self, U):
        """Per task the Gram matrix with weights U around its U-mean (or none)."""
        out = []
        for X, u in zip(self.raw, self.by_task(U), strict=True):
            if self.centre is not None and u.sum() > 0:
                X = X - u @ X / u.sum()
            out.append(X.T @ (u[:, None] * X))
        return out


@pytest.fixture(params=DESIGNS, ids=lambda p: "-".join(map(str, p)))
def case(request):
    return Case(*request.param)


class TestDesign:
    def test_forward_and_adjoint_are_the_centred_matrices(self, case):
        W = case.random_W()
        expected = case.labels([X @ w for X, w in zip(case.centred, case.columns(W), strict=True)])
        np.testing.assert_allclose(case.design.forward(W), expected, atol=1e-12)
        U = case.rng.standard_normal(case.omega.shape)
        G = np.stack([X.T @ u for X, u in zip(case.centred, case.by_task(U), strict=True)], axis=1)
        G = G.sum(axis=1, keepdims=True) if case.pooled else G
        np.testing.assert_allclose(case.design.adjoint(U), G, atol=1e-12)
        inner = np.vdot(case.design.forward(W), U)
        assert inner == pytest.approx(np.vdot(W, case.design.adjoint(U)), rel=1e-10, abs=1e-10)

    def test_common_maps_are_the_same_column_for_all(self, case):
        design = getattr(case.design, "tasks", case.design)
        w = case.rng.standard_normal(N_FEATURES)
        Z = design.forward_common(w)
        assert Z.shape == case.omega.shape
        np.testing.assert_allclose(Z, design.forward(np.tile(w[:, None], N_TASKS)), atol=1e-12)
        U = case.rng.standard_normal(case.omega.shape)
        np.testing.assert_allclose(
            design.adjoint_common(U), design.adjoint(U).sum(axis=1), atol=1e-12
        )

    def test_gather_is_the_transpose_of_spread(self, case):
        design = case.design
        count = {None: 0, "task": N_TASKS, "common": 1}[case.centre]
        assert design.n_intercepts == count
        if count == 0:
            return
        b, U = case.rng.standard_normal(count), case.rng.standard_normal(case.omega.shape)
        spread = np.broadcast_to(design.spread(b), case.omega.shape)
        each = b if count > 1 else np.repeat(b, N_TASKS)
        expected = case.labels(
            [np.full(len(X), value) for X, value in zip(case.raw, each, strict=True)]
        )
        np.testing.assert_array_equal(spread, expected)
        assert np.vdot(spread, U) == pytest.approx(b @ design.gather(U), rel=1e-10)

    def test_weighted_centred_features_sum_to_zero(self, case):
        if case.centre is None:
            return
        G = case.design.adjoint(case.omega)
        if case.centre == "common" or not case.pooled:
            np.testing.assert_allclose(G, 0, atol=1e-10)
        if case.centre == "task" and not case.pooled:
            # Then intercepts and coefficients decouple.
            W = case.random_W()
            np.testing.assert_allclose(
                case.design.gather(case.omega * case.design.forward(W)), 0, atol=1e-10
            )

    def test_uncentre_gives_the_same_predictors_from_raw_features(self, case):
        if case.centre is None:
            return
        W, b = case.random_W(), case.rng.standard_normal(case.design.n_intercepts)
        Z = case.design.forward(W) + case.design.spread(b)
        intercepts = case.design.uncentre(W, b)
        assert intercepts.shape == (N_TASKS,)
        by_hand = case.labels(
            [
                X @ w + value
                for X, w, value in zip(case.raw, case.columns(W), intercepts, strict=True)
            ]
        )
        np.testing.assert_allclose(by_hand, Z, atol=1e-11)
        np.testing.assert_allclose(case.design.recentre(W, intercepts), b, atol=1e-12)

    def test_centred_gram(self, case):
        for H in (case.omega, case.omega * case.rng.uniform(0, 1, case.omega.shape)):
            grams = case.design.centred_gram(H)
            if not case.pooled:
                expected = np.stack(case.grams(H))
                np.testing.assert_allclose(
                    np.broadcast_to(grams, expected.shape), expected, atol=1e-9
                )
                continue
            if case.centre == "common":
                X, u = np.vstack(case.raw), np.concatenate(case.by_task(H))
                X = X - u @ X / u.sum()
                expected = X.T @ (u[:, None] * X)
            else:
                expected = sum(case.grams(H))
            assert grams.shape == (1, N_FEATURES, N_FEATURES)
            np.testing.assert_allclose(grams[0], expected, atol=1e-9)

    def test_feature_curvature_and_squared_norm(self, case):
        grams = [
            X.T @ (u[:, None] * X)
            for X, u in zip(case.centred, case.by_task(case.omega), strict=True)
        ]
        grams = [sum(grams)] if case.pooled else grams
        curvature = case.design.feature_curvature()
        np.testing.assert_allclose(curvature, [np.diag(g) for g in grams], rtol=1e-8, atol=1e-8)
        for scale in (np.ones(N_FEATURES), np.array([0.1, 1, 30, 2, 0.5])):
            exact = max(np.linalg.eigvalsh(g * np.outer(scale, scale)).max() for g in grams)
            norm = case.design.squared_norm(scale)
            # Estimates from below are allowed, within Lanczos' tolerance.
            assert 0.97 * exact <= norm <= exact * (1 + 1e-9)

    @pytest.mark.parametrize("layout", ["shared", "stacked"])
    @pytest.mark.parametrize("sparse", [False, True])
    def test_single_precision_data_with_double_precision_coefficients(self, layout, sparse):
        case = Case(layout, "task", False, sparse, "labels", dtype=np.float32)
        W = case.random_W()
        expected = case.labels([X @ w for X, w in zip(case.centred, W.T, strict=True)])
        double = case.design.forward(W)
        assert double.dtype == np.float64
        single = case.design.forward(W.astype(np.float32))
        assert single.dtype == np.float32
        # Centring in single precision rounds the features, not the mean.
        np.testing.assert_allclose(double, expected, atol=2e-5)
        np.testing.assert_allclose(single, expected, atol=2e-5)
        U = case.omega * case.rng.standard_normal(case.omega.shape)
        assert case.design.adjoint(U).dtype == np.float64
        assert case.design.adjoint(U.astype(np.float32)).dtype == np.float32
        inner = np.vdot(double, U)
        assert inner == pytest.approx(np.vdot(W, case.design.adjoint(U)), rel=1e-10)


def objective_of(loss, penalty, *, centre="task", pooled=False, seed=0):
    """An objective whose labels no coefficients separate."""
    case = Case("shared", centre, pooled, False, "labels", seed=seed)
    z = case.design.forward(case.random_W())
    z = z / z.std() + 2 * case.rng.standard_normal(case.omega.shape)
    y = np.where(z > 0.3, 1.0, -1.0) if isinstance(loss, LogisticLoss) else z
    return Objective(case.design, y, loss, penalty)


LOSSES = {"squared": SquaredLoss(), "logistic": LogisticLoss()}
PENALTIES = {
    "l21": L21(2.0),
    "l21-ridge": L21(1.0) + Ridge(0.5),
    "l1": L1(1.5),
    "ridge": Ridge(0.7),
}
SMOOTH = {"ridge": Ridge(0.7), "ridge-each": Ridge(np.array([0.1, 1.0, 5.0])), "none": None}


class TestObjective:
    @pytest.mark.parametrize("loss", LOSSES)
    @pytest.mark.parametrize("centre", ["task", None])
    def test_gradient_by_finite_differences(self, loss, centre):
        objective = objective_of(LOSSES[loss], L21(1.0) + Ridge(0.5), centre=centre)
        rng = np.random.default_rng(3)
        W, D = rng.standard_normal((2, N_FEATURES, N_TASKS))
        b, e = rng.standard_normal((2, objective.design.n_intercepts))
        h = 1e-5
        up = objective.smooth_value(objective.point(W + h * D, b + h * e))
        down = objective.smooth_value(objective.point(W - h * D, b - h * e))
        G, g = objective.gradient(objective.point(W, b))
        assert (up - down) / (2 * h) == pytest.approx(np.vdot(G, D) + g @ e, rel=1e-7)

    @pytest.mark.parametrize("loss", LOSSES)
    @pytest.mark.parametrize("pooled", [False, True])
    def test_null_is_the_best_without_coefficients(self, loss, pooled):
        objective = objective_of(LOSSES[loss], L21(1.0), pooled=pooled)
        null = objective.null
        assert not null.W.any()
        _, slope = objective.gradient(null)
        np.testing.assert_allclose(slope, 0, atol=1e-8)
        rng = np.random.default_rng(0)
        for scale in (1e-3, 1e-1, 1.0):
            b = null.b + scale * rng.standard_normal(null.b.shape)
            assert objective.value(objective.point(null.W, b)) >= objective.null_value

    @given(seed=st.integers(0, 10**6), size=st.floats(0, 10))
    @settings(max_examples=15)
    def test_every_bound_lies_below_every_value(self, seed, size):
        # Weak duality between unrelated points, for all losses and penalties.
        rng = np.random.default_rng(seed)
        for loss in LOSSES.values():
            for penalty in (*PENALTIES.values(), *SMOOTH.values()):
                objective = objective_of(loss, penalty)
                W = size * rng.standard_normal((N_FEATURES, N_TASKS))
                point = objective.point(W, size * rng.standard_normal(N_TASKS))
                value, bound = objective.bounds(point)
                assert np.isfinite(value) and not np.isnan(bound)
                null, null_bound = objective.bounds(objective.null)
                slack = 1e-9 * (1 + value)
                assert bound <= min(value, null) + slack
                assert null_bound <= value + slack

    @pytest.mark.parametrize("loss", LOSSES)
    @pytest.mark.parametrize("penalty", SMOOTH)
    def test_newton_step_of_a_quadratic_model_ends_it(self, loss, penalty):
        objective = objective_of(LOSSES[loss], SMOOTH[penalty])
        point = objective.null
        gradient = objective.gradient(point)
        W, b = objective.newton_step(point, gradient)
        # The model's gradient at the step, by differences of gradients along it.
        h = 1e-5
        ahead = objective.gradient(objective.point(point.W + h * W, point.b + h * b))
        back = objective.gradient(objective.point(point.W - h * W, point.b - h * b))
        for g, up, down in zip(gradient, ahead, back, strict=True):
            model = g + (up - down) / (2 * h)
            np.testing.assert_allclose(model, 0, atol=1e-5 * np.abs(gradient[0]).max())


class TestCertificates:
    @pytest.mark.parametrize("loss", LOSSES)
    @pytest.mark.parametrize("penalty", PENALTIES)
    @pytest.mark.parametrize("centre", ["task", None])
    @pytest.mark.parametrize("solver", [FISTA, Newton])
    def test_reached_over_tolerances_and_true_at_every_stage(self, loss, penalty, centre, solver):
        objective = objective_of(LOSSES[loss], PENALTIES[penalty], centre=centre)
        if solver is Newton and not objective.has_newton:
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
        iterations, values, gaps = (np.array(column) for column in zip(*best.history, strict=True))
        assert iterations[0] == 0 and (np.diff(iterations) > 0).all()
        assert (np.diff(values) <= 0).all()
        assert (gaps >= values - best.objective - 1e-11 * scale).all()
        # It starts from a gap worth closing.
        assert gaps[0] > 1e-3 * scale

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


ESTIMATORS = [
    BlockSparseRegressor(0.1),
    BlockSparseRegressor(0.1, l1_ratio=0.5),
    IndependentTaskRegressor(0.1),
    PooledTaskRegressor(0.1),
    PooledTaskRegressor(0.1, task_intercepts=False),
    BlockSparseClassifier(0.02),
    BlockSparseClassifier(0.02, l1_ratio=0.5),
    IndependentTaskClassifier(0.02),
    PooledTaskClassifier(0.02),
    PooledTaskClassifier(0.02, task_intercepts=False),
]


@pytest.fixture(params=ESTIMATORS, ids=lambda e: repr(e).replace(", ", "-"))
def model(request):
    return clone(request.param)


def classifies(model):
    return "Classifier" in type(model).__name__


class TestDriver:
    def test_beyond_max_iter_it_warns_with_gap_tolerance_and_remedy(self, model):
        X, Y = data(classifies(model))
        model.set_params(max_iter=1, tol=1e-12, solver="fista")
        with pytest.warns(ConvergenceWarning) as caught:
            model.fit(X, Y)
        assert len(caught) == 1
        message = str(caught[0].message)
        assert "after 1 iteration" in message and f"{model.dual_gap_:.3g}" in message
        assert "tolerance is" in message and "Increase max_iter" in message
        assert model.n_iter_ == 1 and np.isfinite(model.coef_).all()
        assert 0 < model.dual_gap_ < np.inf
        # The warning points at the caller's line.
        assert caught[0].filename == __file__

    def test_no_warning_within_max_iter(self, model):
        X, Y = data(classifies(model))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for tol in (1e-1, 1e-4, 1e-8, 0.0):
                model.set_params(tol=tol).fit(X, Y)

    def test_verbose_prints_and_is_silent_by_default(self, model, capsys):
        X, Y = data(classifies(model))
        model.fit(X, Y)
        assert capsys.readouterr().out == ""
        model.set_params(verbose=1, solver="fista").fit(X, Y)
        lines = capsys.readouterr().out.strip().splitlines()
        assert len(lines) >= 2
        assert all("objective" in line and "dual gap" in line for line in lines)
        assert lines[0].startswith("iteration 0")

    @pytest.mark.parametrize("cls", [BlockSparseRegressor, BlockSparseClassifier])
    @pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
    def test_newton_does_not_fit_a_norm(self, cls, l1_ratio):
        X, Y = data(True)
        with pytest.raises(ValueError, match="solver='auto' or solver='fista'"):
            cls(0.01, l1_ratio=l1_ratio, solver="newton").fit(X, Y)
        cls(0.01, l1_ratio=0, solver="newton").fit(X, Y)
        cls(0.0, solver="newton").fit(X, Y)

    def test_newton_does_not_fit_thousands_of_features(self):
        X, Y = data(n=10, d=2001)
        with pytest.raises(ValueError, match="2000 features"):
            IndependentTaskRegressor(solver="newton").fit(X, Y)
        assert IndependentTaskRegressor().fit(X, Y).dual_gap_ < 1e-2

    def test_choose_solver(self):
        smooth, rough = objective_of(SquaredLoss(), Ridge()), objective_of(SquaredLoss(), L1())
        assert choose_solver("auto", smooth) is Newton
        assert choose_solver("auto", rough) is not Newton
        for objective in (smooth, rough):
            assert choose_solver("fista", objective) is FISTA
        assert set(SOLVERS) >= {"fista", "newton"}
        X, Y = data()
        with pytest.raises(ValueError, match="'solver' parameter of BlockSparseRegressor"):
            BlockSparseRegressor(solver="sgd").fit(X, Y)


class TestWithoutPenalty:
    @pytest.mark.parametrize("solver", ["newton", "fista"])
    @pytest.mark.parametrize("n", [60, 6])
    def test_least_squares(self, n, solver):
        X, Y = data(n=n)
        with warnings.catch_warnings():
            warnings.simplefilter("error", ConvergenceWarning)
            for cls in (IndependentTaskRegressor, BlockSparseRegressor):
                model = cls(alpha=0, tol=1e-8, solver=solver).fit(X, Y)
                exact = LinearRegression().fit(X, Y)
                error = ((Y - exact.predict(X)) ** 2).sum() / (2 * n)
                assert model.objective_ == pytest.approx(error, rel=1e-6, abs=1e-6)
                np.testing.assert_allclose(model.predict(X), exact.predict(X), atol=1e-2)
            PooledTaskRegressor(alpha=0, tol=1e-8, solver=solver).fit(X, Y)

    @pytest.mark.parametrize("solver", ["newton", "fista"])
    def test_logistic_that_is_not_separable(self, solver):
        X, Y = data(classify=True, n=200, d=3)
        model = IndependentTaskClassifier(alpha=0, tol=1e-9, solver=solver)
        with warnings.catch_warnings():
            warnings.simplefilter("error", ConvergenceWarning)
            model.fit(X, Y)
        # Stationary: residuals are orthogonal to features and sum to zero.
        residual = Y - model.predict_proba(X)
        np.testing.assert_allclose(X.T @ residual / 200, 0, atol=1e-4)
        np.testing.assert_allclose(residual.mean(axis=0), 0, atol=1e-4)

    @pytest.mark.parametrize("solver", ["newton", "fista"])
    @pytest.mark.parametrize("cls", [IndependentTaskClassifier, PooledTaskClassifier])
    def test_separable_warns_and_stays_finite(self, cls, solver):
        X, _ = data(n=30)
        Y = (X[:, :2] > 0).astype(int)
        Y[:, 1] = Y[:, 0]
        model = cls(alpha=0, tol=1e-8, max_iter=200, solver=solver)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model.fit(X, Y)
        # It is told as such, or as a fit that did not converge; no arithmetic fails.
        assert {w.category for w in caught} <= {ConvergenceWarning, UserWarning}
        # Either it says so, or its loss is within the tolerance of the infimum, zero.
        assert caught or model.objective_ <= 1e-8 * 2 * np.log(2)
        assert np.isfinite(model.coef_).all() and np.isfinite(model.intercept_).all()
        assert np.isfinite(model.predict_proba(X)).all()
        assert (model.predict(X) == Y).all()
        assert model.dual_gap_ >= model.objective_ * (1 - 1e-6)

    def test_more_features_than_rows_in_a_classifier(self):
        X, Y = data(classify=True, n=10, d=40)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = IndependentTaskClassifier(alpha=0, max_iter=100).fit(X, Y)
        assert np.isfinite(model.coef_).all() and (model.predict(X) == Y).all()


def assert_sound(model, X, Y):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message="Every task has a single row")
        model.fit(X, Y)
    for value in (model.coef_, model.intercept_, model.objective_, model.dual_gap_):
        assert np.isfinite(value).all()
    prediction = model.predict_proba(X) if classifies(model) else model.predict(X)
    assert np.isfinite(prediction).all()
    return model


class TestHardCases:
    @pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
    @pytest.mark.parametrize("constant", [0.0, 0.1, 12345.678, -1e8])
    def test_constant_features(self, model, container, constant):
        X, Y = data(classifies(model))
        with_constant = np.insert(X, 2, constant, axis=1)
        assert_sound(model, container(with_constant), Y)
        without = clone(model).fit(X, Y)
        np.testing.assert_allclose(np.delete(model.coef_, 2, axis=1), without.coef_, atol=2e-2)
        # Whatever the constant's coefficient, it has no say.
        shown = "decision_function" if classifies(model) else "predict"
        with_it = getattr(model, shown)(with_constant)
        np.testing.assert_allclose(with_it, getattr(without, shown)(X), atol=0.1)

    @pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
    @pytest.mark.parametrize("constant", [0.1, 12345.678])
    @pytest.mark.parametrize(
        "cls", [IndependentTaskRegressor, IndependentTaskClassifier, PooledTaskClassifier]
    )
    def test_constant_features_without_a_penalty(self, cls, container, constant):
        X, Y = data("Classifier" in cls.__name__, n=200, d=3)
        with_constant = np.insert(X, 1, constant, axis=1)
        model = assert_sound(cls(alpha=0, tol=1e-8), container(with_constant), Y)
        without = cls(alpha=0, tol=1e-8).fit(X, Y)
        np.testing.assert_allclose(np.delete(model.coef_, 1, axis=1), without.coef_, atol=1e-3)
        shown = "decision_function" if hasattr(model, "classes_") else "predict"
        with_it = getattr(model, shown)(with_constant)
        np.testing.assert_allclose(with_it, getattr(without, shown)(X), atol=1e-2)

    @pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
    def test_features_constant_within_some_tasks(self, model, container):
        rng = np.random.default_rng(0)
        X, Y = data(classifies(model))
        # 0.1 wherever task 1 has a label; and in the stacked rows of task 1.
        seen = rng.random(60) > 0.5
        X[seen, 0] = 0.1
        Y = Y.astype(float)
        Y[~seen, 1] = np.nan
        shared = assert_sound(clone(model), container(X), Y)
        rows, tasks = np.nonzero(~np.isnan(Y))
        stacked = clone(model).set_params(task_column=-1)
        assert_sound(stacked, container(np.column_stack([X[rows], tasks])), Y[rows, tasks])
        np.testing.assert_allclose(stacked.coef_, shared.coef_, atol=0.05)

    def test_duplicated_rows_and_features(self, model):
        X, Y = data(classifies(model))
        once = clone(model).set_params(tol=1e-9).fit(X, Y)
        rows = clone(model).set_params(tol=1e-9).fit(np.repeat(X, 3, axis=0), np.repeat(Y, 3, 0))
        np.testing.assert_allclose(rows.coef_, once.coef_, atol=1e-3)
        twice = assert_sound(model, np.hstack([X, X, X[:, :1]]), Y)
        assert twice.dual_gap_ <= 1e-3 * twice.objective_ + 1e-3

    def test_all_rows_the_same(self):
        Y = np.arange(12.0).reshape(6, 2)
        for cls in (BlockSparseRegressor, IndependentTaskRegressor, PooledTaskRegressor):
            for alpha in (0.1, 0.0):
                model = assert_sound(cls(alpha=alpha), np.full((6, 3), 0.7), Y)
                np.testing.assert_allclose(model.predict([[0.7] * 3]), [Y.mean(axis=0)])

    def test_constant_labels(self):
        X, Y = data()
        for constant in (0.0, 0.1, -1e6, 1e-6):
            for cls in (BlockSparseRegressor, IndependentTaskRegressor, PooledTaskRegressor):
                model = assert_sound(cls(alpha=0.1), X, np.full_like(Y, constant))
                assert not model.coef_.any()
                np.testing.assert_allclose(model.intercept_, constant, rtol=1e-12)
                assert model.objective_ <= 1e-20 * (1 + constant**2)

    def test_tasks_of_one_row(self, model):
        X, Y = data(classifies(model))
        column = np.minimum(np.arange(60) % 7, 2)[:, None].astype(float)
        column[0], column[59] = 7, 8
        y = Y[:, 0]
        model.set_params(task_column=-1)
        with warnings.catch_warnings():
            # A task of one row has labels of one class.
            warnings.filterwarnings("ignore", message="All labels are the same")
            model.fit(np.hstack([X, column]), y)
        assert model.tasks_.tolist() == [0, 1, 2, 7, 8]
        assert np.isfinite(model.coef_).all() and np.isfinite(model.intercept_).all()
        predicted = model.predict(np.hstack([X, column]))
        assert np.isfinite(predicted).all()
        if classifies(model) and getattr(model, "task_intercepts", True):
            assert (predicted[[0, 59]] == y[[0, 59]]).all()

    @pytest.mark.parametrize(
        "cls", [BlockSparseRegressor, IndependentTaskRegressor, PooledTaskRegressor]
    )
    @pytest.mark.parametrize("alpha", [0.1, 0.0])
    def test_every_task_of_one_row(self, cls, alpha):
        X, Y = data(n=12)
        X = np.hstack([X, np.arange(12.0)[:, None]])
        with pytest.warns(UserWarning, match="Is task_column the column that holds the tasks"):
            model = cls(alpha=alpha, task_column=-1).fit(X, Y[:, 0])
        np.testing.assert_allclose(model.predict(X), Y[:, 0], atol=1e-9)
        assert not model.coef_.any()

    @pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
    @pytest.mark.parametrize("stacked", [False, True])
    def test_many_more_features_than_rows(self, container, stacked):
        X, Y = data(n=20, d=3000)
        X[:, 3:] *= np.random.default_rng(1).random(X[:, 3:].shape) < 0.1
        ids = np.arange(20) % 3
        for classify in (False, True):
            y = (Y > np.median(Y, axis=0)).astype(int) if classify else Y
            block = BlockSparseClassifier if classify else BlockSparseRegressor
            ridge = IndependentTaskClassifier if classify else IndependentTaskRegressor
            models = [block(), ridge(alpha=0.5)]
            Z, target = X, y
            if stacked:
                Z, target = np.column_stack([X, ids]), y[np.arange(20), ids]
                for model in models:
                    model.set_params(task_column=-1)
            Z = container(Z)
            top = alpha_max(models[0], Z, target)
            models[0].set_params(alpha=0.2 * top)
            for model in models:
                assert_sound(model, Z, target)
                assert model.coef_.shape == (3, 3000)
            assert 0 < models[0].support_.sum() < 200

    def test_five_hundred_tasks(self, model):
        if classifies(model):
            rng = np.random.default_rng(0)
            X = rng.standard_normal((60, 6))
            Y = (X[:, :1] + 2 * rng.standard_normal((60, 500)) > 0).astype(int)
        else:
            X, Y = data(n=40, d=6, n_tasks=500)
        assert_sound(model, X, Y)
        assert model.coef_.shape == (500, 6)
        ids = np.repeat(np.arange(500.0), 6)
        rows = np.random.default_rng(1).integers(0, len(X), 3000)
        stacked = clone(model).set_params(task_column=-1)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="All labels are the same")
            stacked.fit(np.column_stack([X[rows], ids]), Y[rows, ids.astype(int)])
        assert stacked.coef_.shape == (500, 6) and np.isfinite(stacked.coef_).all()

    def test_one_feature_one_row(self):
        for cls in (BlockSparseRegressor, IndependentTaskRegressor, PooledTaskRegressor):
            model = assert_sound(cls(), np.array([[2.0]]), np.array([[3.0, 4.0]]))
            assert model.predict([[2.0]]).tolist() == [[3.0, 4.0]]
            single = cls().fit(np.array([[2.0]]), np.array([3.0]))
            assert single.predict([[2.0]]).tolist() == [3.0]

    @pytest.mark.parametrize("scale", [1e-30, 1e-8, 1e8, 1e30])
    def test_units_of_labels_do_not_matter(self, scale):
        X, Y = data()
        plain = BlockSparseRegressor(0.1, tol=1e-8).fit(X, Y)
        scaled = BlockSparseRegressor(0.1 * scale, tol=1e-8).fit(X, scale * Y)
        np.testing.assert_allclose(scaled.coef_ / scale, plain.coef_, rtol=1e-5, atol=1e-7)
        ridge = IndependentTaskRegressor(0.1).fit(X, scale * Y)
        np.testing.assert_allclose(
            ridge.coef_ / scale, IndependentTaskRegressor(0.1).fit(X, Y).coef_, rtol=1e-6
        )

    def test_unequal_weights_of_many_magnitudes(self, model):
        X, Y = data(classifies(model))
        s = 10.0 ** np.random.default_rng(0).uniform(-12, 3, Y.shape)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model.fit(X, Y, sample_weight=s)
        assert np.isfinite(model.coef_).all() and np.isfinite(model.intercept_).all()


class TestSchool:
    def test_fits_with_a_certificate(self, data_file):
        school = np.load(data_file("school.npz"))
        X = np.column_stack([school["X"], school["task"]])
        model = BlockSparseRegressor(task_column=-1, tol=1e-5)
        top = alpha_max(model, X, school["y"])
        with warnings.catch_warnings():
            warnings.simplefilter("error", ConvergenceWarning)
            model.set_params(alpha=0.1 * top).fit(X, school["y"])
        assert model.coef_.shape == (139, 27)
        features, y, tasks = school["X"], school["y"], school["task"]
        losses, nulls = 0.0, 0.0
        for name, w, b in zip(model.tasks_, model.coef_, model.intercept_, strict=True):
            rows = tasks == name
            losses += ((y[rows] - features[rows] @ w - b) ** 2).sum() / 2
            nulls += ((y[rows] - y[rows].mean()) ** 2).sum() / 2
        factor = 139 / len(y)
        value = factor * losses + 0.1 * top * np.linalg.norm(model.coef_, axis=0).sum()
        assert model.objective_ == pytest.approx(value, rel=1e-9)
        assert model.dual_gap_ <= 1e-5 * factor * nulls * (1 + 1e-9)
        assert 0 < model.support_.sum() < 27
        # A tighter fit is within the gap.
        tight = clone(model).set_params(tol=1e-9).fit(X, y)
        assert model.objective_ - tight.objective_ <= model.dual_gap_
        assert model.score(X, y) > 0.2
