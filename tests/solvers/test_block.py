"""Block coordinate descent: its models and kernels, the working sets, the screening."""

import warnings

import cvxpy as cp
import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import Lasso, MultiTaskElasticNet, MultiTaskLasso

from skmtl import BlockSparseClassifier, BlockSparseRegressor
from skmtl.design import SharedDesign, StackedDesign
from skmtl.losses import HuberLoss, LogisticLoss, PoissonLoss, SquaredHingeLoss, SquaredLoss
from skmtl.objective import Objective
from skmtl.objective._models import NO_GRAMS, DenseModel, GramModel, SparseModel, Thresholds
from skmtl.penalties import L1, L21, Ridge, TraceNorm
from skmtl.solvers import FISTA, Block, choose_solver, solve

STRENGTHS = [(0.0, 3.0), (2.0, 0.0), (1.0, 2.0)]


def small_problem(n=12, s=9, n_tasks=5, seed=0):
    """Columns (n, s), a residual (n, T), factors and ridges."""
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(n, s)) * (rng.random((n, s)) < 0.7)
    R = A[:, :3] @ rng.normal(size=(3, n_tasks)) + 0.5 * rng.normal(size=(n, n_tasks))
    return A, R, rng.uniform(0.5, 2, n_tasks), rng.uniform(0, 1, n_tasks)


def stated_minimum(A, R, factors, ridges, entry, group):
    """The models' problem as cvxpy states it: the minimum and the minimiser."""
    W = cp.Variable((A.shape[1], R.shape[1]))
    loss = sum(
        f * cp.sum_squares(R[:, t] - A @ W[:, t]) + ridges[t] * cp.sum_squares(W[:, t])
        for t, f in enumerate(factors)
    )
    penalty = entry * cp.sum(cp.abs(W)) + group * cp.sum(cp.norm(W, 2, axis=1))
    problem = cp.Problem(cp.Minimize(loss / 2 + penalty))
    problem.solve(solver="CLARABEL")
    return problem.value, W.value


def models_of(A, R, factors):
    """The same quadratic in all forms."""
    slope = (A.T @ R) * factors
    square = float((R**2 * factors).sum())
    gram = A.T @ A
    grams = np.ascontiguousarray(gram[:, :, None] * factors)
    ones = np.ones(len(factors))
    columns = sp.csc_array(A)
    yield GramModel(gram, factors, NO_GRAMS, slope.copy(), square)
    yield GramModel(np.zeros((0, 0)), ones, grams, slope.copy(), square)
    yield DenseModel(np.ascontiguousarray(A.T), factors, np.ascontiguousarray(R.T))
    yield SparseModel(columns, np.zeros(A.shape[1]), np.ones(len(R)), factors, R.copy())


class TestModels:
    @pytest.mark.parametrize(("entry", "group"), STRENGTHS)
    def test_every_form_reaches_the_minimum_that_cvxpy_finds(self, entry, group):
        A, R, factors, ridges = small_problem()
        best, expected = stated_minimum(A, R, factors, ridges, entry, group)
        for model in models_of(A, R, factors):
            W = np.zeros((A.shape[1], R.shape[1]))
            model.minimise(W, Thresholds(entry, group, ridges), 1e-12 * best, 100_000)
            np.testing.assert_allclose(W, expected, atol=2e-5)
            np.testing.assert_array_equal(np.abs(W) > 0, np.abs(expected) > 1e-5)

    @pytest.mark.parametrize(("entry", "group"), STRENGTHS)
    @pytest.mark.parametrize("tol", [1.0, 1e-3])
    def test_the_gap_asked_for_bounds_what_is_left_to_gain(self, entry, group, tol):
        A, R, factors, ridges = small_problem(seed=1)
        best, _ = stated_minimum(A, R, factors, ridges, entry, group)
        for model in models_of(A, R, factors):
            W = np.zeros((A.shape[1], R.shape[1]))
            model.minimise(W, Thresholds(entry, group, ridges), tol, 100_000)
            lengths = np.linalg.norm(W, axis=1).sum()
            reached = ((R - A @ W) ** 2 * factors).sum() / 2 + (ridges * W**2).sum() / 2
            reached += entry * np.abs(W).sum() + group * lengths
            assert best - 1e-6 <= reached <= best + tol + 1e-6

    def test_sparse_columns_minus_their_means_are_centred_columns(self):
        A, R, factors, ridges = small_problem(n=30)
        rng = np.random.default_rng(3)
        weights = rng.uniform(0.2, 2, len(A))
        means = weights @ A / weights.sum()
        R = R - weights @ R / weights.sum()
        root = np.sqrt(weights)[:, None]
        penalty = Thresholds(0.0, 2.0, ridges)
        dense = np.zeros((A.shape[1], R.shape[1]))
        columns = np.ascontiguousarray(((A - means) * root).T)
        DenseModel(columns, factors, np.ascontiguousarray((R * root).T)).minimise(
            dense, penalty, 1e-11, 100_000
        )
        sparse = np.zeros_like(dense)
        SparseModel(sp.csc_array(A), means, weights, factors, R.copy()).minimise(
            sparse, penalty, 1e-11, 100_000
        )
        assert dense.any()
        np.testing.assert_allclose(sparse, dense, atol=1e-6)


def many_features(n=40, d=300, n_tasks=4, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    X[:, 1::2] = 0.8 * X[:, ::2] + 0.2 * X[:, 1::2]
    W = np.zeros((d, n_tasks))
    W[:6] = rng.normal(size=(6, n_tasks))
    return X, X @ W + rng.normal(size=(n, n_tasks))


class TestAgainstScikitLearn:
    @pytest.mark.parametrize("intercept", [True, False])
    @pytest.mark.parametrize("divisor", [2, 20, 100])
    def test_multi_task_lasso(self, divisor, intercept):
        """At the smallest strength the support passes the rows: the residual form."""
        X, Y = many_features()
        top = np.linalg.norm((X - X.mean(0)).T @ (Y - Y.mean(0)), axis=1).max() / len(X)
        parameters = {"alpha": top / divisor, "fit_intercept": intercept}
        ours = BlockSparseRegressor(**parameters, tol=1e-11, solver="block").fit(X, Y)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = MultiTaskLasso(**parameters, tol=1e-10, max_iter=100_000).fit(X, Y)
        np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=2e-5)
        np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-5)

    def test_elastic_net(self):
        X, Y = many_features()
        parameters = {"alpha": 0.5, "l1_ratio": 0.6}
        ours = BlockSparseRegressor(**parameters, tol=1e-11, solver="block").fit(X, Y)
        theirs = MultiTaskElasticNet(**parameters, tol=1e-10, max_iter=100_000).fit(X, Y)
        np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=2e-5)

    def test_entrywise_norm_is_one_lasso_per_task(self):
        X, Y = many_features()
        X, Y = X - X.mean(0), Y - Y.mean(0)
        design = SharedDesign(X, np.full(Y.shape, 1 / len(X)), centre=None)
        objective = Objective(design, Y, SquaredLoss(), L1(0.3))
        reached = solve(objective, Block, objective.start(), max_iter=100, tol=1e-11)
        for t in range(Y.shape[1]):
            lasso = Lasso(0.3, fit_intercept=False, tol=1e-12, max_iter=100_000).fit(X, Y[:, t])
            np.testing.assert_allclose(reached.point.W[:, t], lasso.coef_, atol=1e-5)


LOSSES = [SquaredLoss(), HuberLoss(1.0), PoissonLoss(), LogisticLoss(), SquaredHingeLoss()]


def objective_of(loss, layout, container, *, centre="task", penalty=None, seed=0):
    rng = np.random.default_rng(seed)
    n, d, n_tasks = 90, 30, 3
    X = rng.normal(size=(n, d)) + 0.5
    if container is not np.asarray:
        X[rng.random(X.shape) < 0.6] = 0
    W = np.zeros((d, n_tasks))
    W[:4] = rng.normal(size=(4, n_tasks)) / 2
    task = np.repeat(np.arange(n_tasks), n // n_tasks)
    Z = X @ W if layout == "shared" else np.einsum("ij,ji->i", X, W[:, task])
    y = Z + rng.normal(size=Z.shape)
    if isinstance(loss, PoissonLoss):
        y = rng.poisson(np.exp(np.clip(Z, -2, 2))).astype(float)
    if isinstance(loss, LogisticLoss | SquaredHingeLoss):
        y = np.where(y > 0, 1.0, -1.0)
    omega = rng.uniform(0.5, 1.5, y.shape) * (rng.random(y.shape) > 0.1) / n
    if layout == "shared":
        design = SharedDesign(container(X), omega, centre=centre)
    else:
        starts = np.arange(0, n + 1, n // n_tasks)
        design = StackedDesign(container(X), starts, omega, centre=centre)
    objective = Objective(design, y, loss, None)
    top = np.linalg.norm(objective.gradient(objective.null)[0], axis=1).max()
    return objective.with_penalty(L21(top / 5) if penalty is None else penalty(top))


@pytest.mark.parametrize("centre", ["task", None])
@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("layout", ["shared", "stacked"])
@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
def test_agrees_with_fista(loss, layout, container, centre):
    objective = objective_of(loss, layout, container, centre=centre)
    block = solve(objective, Block, objective.start(), max_iter=200, tol=1e-9)
    fista = solve(objective, FISTA, objective.start(), max_iter=20_000, tol=1e-9)
    assert block.dual_gap <= 1e-9 * objective.null_value
    assert block.point.W.any()
    assert not block.point.W.all()
    np.testing.assert_allclose(block.objective, fista.objective, rtol=3e-9)
    np.testing.assert_allclose(block.point.W, fista.point.W, atol=1e-3)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
def test_a_ridge_besides(loss):
    penalty = lambda top: L21(top / 5) + Ridge(top / 5)  # noqa: E731
    objective = objective_of(loss, "shared", np.asarray, penalty=penalty)
    block = solve(objective, Block, objective.start(), max_iter=200, tol=1e-9)
    fista = solve(objective, FISTA, objective.start(), max_iter=20_000, tol=1e-9)
    np.testing.assert_allclose(block.objective, fista.objective, rtol=3e-9)


class TestScreening:
    @pytest.mark.parametrize("loss", [SquaredLoss(), LogisticLoss()], ids=["squared", "logistic"])
    @pytest.mark.parametrize("layout", ["shared", "stacked"])
    @pytest.mark.parametrize("ridge", [False, True])
    def test_never_rules_out_a_row_in_use(self, loss, layout, ridge):
        def penalty(top):
            return L21(top / 5) + Ridge(top / 3) if ridge else L21(top / 5)

        objective = objective_of(loss, layout, np.asarray, penalty=penalty)
        best = solve(objective, FISTA, objective.start(), max_iter=20_000, tol=1e-11)
        used = np.linalg.norm(best.point.W, axis=1) > 1e-6
        for n_iter in (1, 5, 20, 100):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                rough = solve(objective, FISTA, objective.start(), max_iter=n_iter, tol=0)
            assert not (used & ~objective.usable_rows(rough.point)).any()
        assert not objective.usable_rows(best.point).all()

    def test_none_without_thresholds_or_a_curvature_bound(self):
        poisson = objective_of(PoissonLoss(), "shared", np.asarray)
        assert poisson.usable_rows(poisson.start()) is None
        trace = objective_of(SquaredLoss(), "shared", np.asarray, penalty=TraceNorm)
        assert trace.usable_rows(trace.start()) is None

    @pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
    @pytest.mark.parametrize("layout", ["shared", "stacked"])
    def test_a_restricted_objective_is_the_same_in_its_rows(self, layout, container):
        objective = objective_of(LogisticLoss(), layout, container)
        rows = np.array([0, 2, 3, 7, 29])
        W = np.zeros((30, 3))
        W[rows] = np.random.default_rng(0).normal(size=(5, 3))
        point = objective.minimise_intercepts(objective.point(W, np.zeros(3)))
        part, same = objective.restricted(rows, point)
        np.testing.assert_allclose(part.value(same), objective.value(point))
        np.testing.assert_allclose(part.gradient(same)[0], objective.gradient(point)[0][rows])
        again = part.point(same.W, same.b)
        np.testing.assert_allclose(again.Z, point.Z, atol=1e-12)


class TestChoice:
    def test_auto_takes_it_for_row_norms_alone(self):
        objective = objective_of(SquaredLoss(), "shared", np.asarray)
        assert choose_solver("auto", objective) is Block
        assert choose_solver("auto", objective.with_penalty(TraceNorm(1.0))) is not Block

    def test_asked_for_in_vain_names_the_remedy(self):
        X, Y = many_features()
        with pytest.raises(ValueError, match="solver='auto'"):
            BlockSparseRegressor(1.0, norm="linf", solver="block").fit(X, Y)

    def test_few_rounds_on_a_large_problem(self):
        X, Y = many_features(n=200, d=3000, n_tasks=10)
        model = BlockSparseRegressor(0.5, tol=1e-6).fit(X, Y)
        assert model.n_iter_ <= 8
        assert model.dual_gap_ <= 1e-6 * np.var(Y, axis=0).sum() / 2

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_single_precision_goes_through(self, dtype):
        X, Y = many_features()
        model = BlockSparseRegressor(0.5, tol=1e-5).fit(X.astype(dtype), Y)
        assert model.coef_.dtype == dtype
        expected = BlockSparseRegressor(0.5, tol=1e-10).fit(X, Y).coef_
        np.testing.assert_allclose(model.coef_, expected, atol=2e-2)

    def test_warm_start_at_the_solution_takes_one_look(self):
        X, Y = many_features()
        model = BlockSparseClassifier(0.05, warm_start=True, tol=1e-6).fit(X, Y > 0)
        coef = model.coef_.copy()
        model.fit(X, Y > 0)
        assert model.n_iter_ == 1
        np.testing.assert_array_equal(model.coef_, coef)
