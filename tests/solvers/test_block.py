"""Block coordinate descent: working sets, screening, and when it is selected."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import Lasso, MultiTaskElasticNet, MultiTaskLasso

from skmtl import BlockSparseClassifier, BlockSparseRegressor
from skmtl.design import SharedDesign, StackedDesign
from skmtl.losses import HuberLoss, LogisticLoss, PoissonLoss, SquaredHingeLoss, SquaredLoss
from skmtl.model_selection import alpha_max
from skmtl.objective import Objective
from skmtl.penalties import L1, L21, Ridge, TraceNorm
from skmtl.solvers import FISTA, Block, choose_solver, solve


def many_features(n=40, d=300, n_tasks=4, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    X[:, 1::2] = 0.8 * X[:, ::2] + 0.2 * X[:, 1::2]
    W = np.zeros((d, n_tasks))
    W[:6] = rng.normal(size=(6, n_tasks))
    return X, X @ W + rng.normal(size=(n, n_tasks))


class TestAgainstScikitLearn:
    @pytest.mark.turns(2)
    @pytest.mark.parametrize("intercept", [True, False])
    @pytest.mark.parametrize("divisor", [2, 20, 100])
    def test_multi_task_lasso(self, divisor, intercept):
        """At the smallest strength the support exceeds the number of rows: the residual form."""
        X, Y = many_features()
        top = np.linalg.norm((X - X.mean(0)).T @ (Y - Y.mean(0)), axis=1).max() / len(X)
        parameters = {"alpha": top / divisor, "fit_intercept": intercept}
        ours = BlockSparseRegressor(**parameters, tol=1e-12, solver="block").fit(X, Y)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = MultiTaskLasso(**parameters, tol=1e-10, max_iter=100_000).fit(X, Y)
        np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=2e-5)
        np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-5)

    @pytest.mark.parametrize("intercept", [True, False])
    @pytest.mark.parametrize("form", ["csr", "csc"])
    def test_sparse_features(self, form, intercept):
        """Also with entries that are stored in eight parts; the user's matrix stays as it is."""
        rng = np.random.default_rng(0)
        _, Y = many_features()
        dense = np.where(rng.random((40, 300)) < 0.2, rng.normal(size=(40, 300)), 0.0)
        whole = sp.csr_matrix(dense) if form == "csr" else sp.csc_matrix(dense)
        parts = np.repeat(whole.data / 8, 8), np.repeat(whole.indices, 8), 8 * whole.indptr
        split = type(whole)(parts, shape=whole.shape)
        parameters = {"alpha": 0.2, "fit_intercept": intercept}
        theirs = MultiTaskLasso(**parameters, tol=1e-10, max_iter=100_000).fit(dense, Y)
        for X in (whole, split):
            ours = BlockSparseRegressor(**parameters, tol=1e-12, solver="block").fit(X, Y)
            np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=2e-5)
            np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-5)
            np.testing.assert_allclose(ours.predict(X), dense @ ours.coef_.T + ours.intercept_)
        assert split.nnz == 8 * whole.nnz

    def test_elastic_net(self):
        X, Y = many_features()
        parameters = {"alpha": 0.5, "l1_ratio": 0.6}
        ours = BlockSparseRegressor(**parameters, tol=1e-12, solver="block").fit(X, Y)
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


@pytest.mark.turns(3)
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
def test_with_a_ridge(loss):
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
    def test_auto_selects_it_for_row_norms_only(self):
        objective = objective_of(SquaredLoss(), "shared", np.asarray)
        assert choose_solver("auto", objective) is Block
        assert choose_solver("auto", objective.with_penalty(TraceNorm(1.0))) is not Block

    def test_where_it_does_not_apply_the_error_names_a_remedy(self):
        X, Y = many_features()
        with pytest.raises(ValueError, match="solver='auto'"):
            BlockSparseRegressor(1.0, norm="linf", solver="block").fit(X, Y)

    def test_few_rounds_on_a_large_problem(self):
        X, Y = many_features(n=200, d=3000, n_tasks=10)
        model = BlockSparseRegressor(0.5, tol=1e-6).fit(X, Y)
        assert model.n_iter_ <= 8
        assert model.dual_gap_ <= 1e-6 * np.var(Y, axis=0).sum() / 2

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_single_precision_is_kept(self, dtype):
        X, Y = many_features()
        model = BlockSparseRegressor(0.5, tol=1e-5).fit(X.astype(dtype), Y)
        assert model.coef_.dtype == dtype
        expected = BlockSparseRegressor(0.5, tol=1e-10).fit(X, Y).coef_
        np.testing.assert_allclose(model.coef_, expected, atol=2e-2)

    def test_warm_start_at_the_solution_needs_one_certificate(self):
        X, Y = many_features()
        model = BlockSparseClassifier(0.05, warm_start=True, tol=1e-6).fit(X, Y > 0)
        coef = model.coef_.copy()
        model.fit(X, Y > 0)
        assert model.n_iter_ == 1
        np.testing.assert_array_equal(model.coef_, coef)


def test_gradient_steps_take_over_where_the_curvature_of_the_huber_loss_fails():
    rng = np.random.default_rng(0)
    W = np.repeat(rng.normal(size=(10, 1)), 8, axis=1)
    W[:, 6:] = rng.normal(size=(10, 2))
    X = rng.normal(size=(40, 10))
    Y = (X @ W + 0.5 + 3 * rng.normal(size=(40, 8)))[:27, :4]
    params = {"alpha": 0.001 * alpha_max(BlockSparseRegressor(loss="huber"), X[:27], Y)}
    model = BlockSparseRegressor(loss="huber", solver="block", max_iter=30, **params)
    model.fit(X[:27], Y)
    other = BlockSparseRegressor(loss="huber", solver="fista", tol=1e-6, **params).fit(X[:27], Y)
    assert model.n_iter_ < 30
    assert model.objective_ == pytest.approx(other.objective_, rel=1e-4)


@pytest.mark.parametrize("sparse", [False, True])
def test_warm_start_from_other_labels(sparse):
    # The intercepts of the start are not the best for the new labels.
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 5))
    Y = X @ rng.normal(size=(5, 2)) + rng.normal(size=(400, 2))
    weights = rng.uniform(0.5, 1, size=Y.shape)
    X = sp.csr_matrix(X) if sparse else X
    model = BlockSparseRegressor(0.1, tol=1e-10, solver="block", warm_start=True, max_iter=50)
    model.fit(X, Y, sample_weight=weights).fit(X, Y + [0.05, 0.02], sample_weight=weights**2)
    again = BlockSparseRegressor(0.1, tol=1e-10).fit(X, Y + [0.05, 0.02], sample_weight=weights**2)
    assert model.n_iter_ < 50
    np.testing.assert_allclose(model.coef_, again.coef_, atol=1e-5)
