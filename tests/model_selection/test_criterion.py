"""Degrees of freedom against divergences of refits, and the information criteria."""

import numpy as np
import pytest
from scipy.special import comb
from sklearn.base import clone
from sklearn.linear_model import LassoLarsIC, Ridge

import skmtl.objective._freedom as freedom_module
from skmtl import (
    BlockSparseClassifier,
    BlockSparseRegressor,
    CappedBlockSparseRegressor,
    ClusteredTaskRegressor,
    DirtyModelRegressor,
    FusedTaskRegressor,
    GraphRegularizedRegressor,
    IndependentTaskRegressor,
    LowRankRegressor,
    MultiTaskRegressor,
    PooledTaskRegressor,
    RobustTaskRegressor,
    SparseLowRankRegressor,
    TaskRelationRegressor,
    TreeGuidedRegressor,
)
from skmtl.model_selection import alpha_max, block_sparse_path, path
from skmtl.penalties import L1, L21, L1Inf, Penalty, TaskGroup, TraceNorm

TIGHT = {"tol": 1e-12, "max_iter": 20_000}
FAMILIES = {
    "block": (BlockSparseRegressor(), 0.3),
    "block-ridge": (BlockSparseRegressor(l1_ratio=0.6), 0.3),
    "block-sparse": (BlockSparseRegressor(sparsity=0.4), 0.3),
    "block-linf": (BlockSparseRegressor(norm="linf"), 0.3),
    "block-positive": (BlockSparseRegressor(positive=True), 0.1),
    "block-weighted": (BlockSparseRegressor(feature_weight=[0, 0.5, 1, 1, 2]), 0.3),
    "tree": (TreeGuidedRegressor(tree=[[0, 1], 2]), 0.2),
    "fused": (FusedTaskRegressor(), 0.1),
    "graph-block": (GraphRegularizedRegressor(ridge=0.1, block=0.3), 0.3),
    "graph": (GraphRegularizedRegressor(), 0.3),
    "independent": (IndependentTaskRegressor(), 0.4),
    "independent-free": (IndependentTaskRegressor(), 0.0),
    "pooled": (PooledTaskRegressor(), 0.4),
    "pooled-all": (PooledTaskRegressor(task_intercepts=False), 0.4),
    "trace-norm": (LowRankRegressor(), 0.5),
    "squared-trace-norm": (LowRankRegressor(power=2), 0.1),
    "relation": (TaskRelationRegressor(), 0.1),
    "clusters": (ClusteredTaskRegressor(n_clusters=2), 0.1),
    "relaxed-clusters": (ClusteredTaskRegressor(n_clusters=2, form="relaxed"), 0.1),
    "dirty": (DirtyModelRegressor(), 0.2),
    "robust": (RobustTaskRegressor(), 0.2),
    "sparse-low-rank": (SparseLowRankRegressor(), 0.2),
    "tasks": (MultiTaskRegressor(penalty=TaskGroup()), 0.4),
}
# One family for each way in which the trace is computed.
WAYS = ("block", "block-ridge", "graph", "graph-block", "independent", "pooled-all", "trace-norm")


def data(n=10, d=5, n_tasks=3, stacked=False, seed=0):
    rng = np.random.default_rng(seed)
    W = rng.normal(size=(d, n_tasks))
    W[d // 2 :] = 0
    if not stacked:
        X = rng.normal(size=(n, d))
        return X, X @ W + rng.normal(size=(n, n_tasks)) + 3
    tasks = rng.permutation(np.repeat(np.arange(n_tasks), n))
    X = rng.normal(size=(len(tasks), d)) + tasks[:, None]
    y = np.einsum("ij,ji->i", X, W[:, tasks]) + rng.normal(size=len(tasks))
    return np.column_stack([X, tasks]), y


def divergence(model, X, y, sample_weight=None, h=1e-3):
    """The sum over labels of the change of a label's prediction with the label, by refits."""
    model, total = clone(model).set_params(warm_start=True), 0.0
    used = ~np.isnan(y)
    if sample_weight is not None:
        used &= np.broadcast_to(np.asarray(sample_weight).T, y.T.shape).T > 0
    for place in zip(*np.nonzero(used), strict=True):
        predicted = []
        for shift in (h, -h):
            moved = y.copy()
            moved[place] += shift
            predicted.append(model.fit(X, moved, sample_weight).predict(X)[place])
        total += (predicted[0] - predicted[1]) / (2 * h)
    return total


def freedom(model, X, y, alpha, sample_weight=None):
    """The degrees of freedom and their standard error."""
    *_, criteria = path(
        model, X, y, alphas=[alpha], sample_weight=sample_weight, criterion="bic", noise_variance=1
    )
    return criteria.degrees_of_freedom[0], criteria.errors[0]


def assert_is_divergence(model, X, y, alpha, sample_weight=None):
    model = clone(model).set_params(**TIGHT)
    value, error = freedom(model, X, y, alpha, sample_weight)
    expected = divergence(model.set_params(alpha=alpha), X, y, sample_weight)
    assert error == 0
    assert value == pytest.approx(expected, abs=2e-3)
    # Not merely the intercepts, nor a saturated fit.
    assert value > 3


class TestDegreesOfFreedom:
    @pytest.mark.parametrize("name", FAMILIES)
    def test_are_the_divergence(self, name):
        model, alpha = FAMILIES[name]
        assert_is_divergence(model, *data(), alpha)

    @pytest.mark.parametrize("name", WAYS)
    def test_of_stacked_rows(self, name):
        model, alpha = FAMILIES[name]
        X, y = data(n=8, stacked=True)
        assert_is_divergence(clone(model).set_params(task_column=-1), X, y, alpha)

    @pytest.mark.parametrize("name", WAYS)
    def test_with_missing_labels_and_weights(self, name):
        model, alpha = FAMILIES[name]
        X, Y = data(n=12)
        Y[0, 0] = Y[3, 1] = Y[5, 1] = np.nan
        weights = np.random.default_rng(1).uniform(0.2, 3, Y.shape)
        weights[2, 2] = 0
        model = clone(model).set_params(task_weight=[1.0, 2.0, 0.5])
        assert_is_divergence(model, X, Y, alpha, weights)

    @pytest.mark.parametrize("name", WAYS)
    def test_without_intercepts(self, name):
        model, alpha = FAMILIES[name]
        assert_is_divergence(clone(model).set_params(fit_intercept=False), *data(), alpha)

    def test_of_weights_of_rows(self):
        X, Y = data()
        weights = np.random.default_rng(2).uniform(0.5, 2, len(X))
        assert_is_divergence(BlockSparseRegressor(), X, Y, 0.3, weights)

    def test_with_more_features_than_rows(self):
        X, Y = data(n=6, d=9, n_tasks=4, seed=3)
        for name in ("block", "trace-norm", "independent", "graph"):
            model, alpha = FAMILIES[name]
            assert_is_divergence(model, X, Y, alpha / 4)

    def test_of_the_lasso_are_the_support(self):
        """Zou, Hastie and Tibshirani 2007: also if features are collinear."""
        X, Y = data(n=20)
        model = MultiTaskRegressor(penalty=L1(), **TIGHT)
        coef = clone(model).set_params(alpha=0.2).fit(X, Y).coef_
        assert freedom(model, X, Y, 0.2)[0] == pytest.approx(3 + np.count_nonzero(coef))

    def test_of_the_ridge_are_the_trace_of_the_hat_matrix(self):
        X, Y = data(n=20)
        hat = Ridge(0.5 * len(X)).fit(X, np.eye(len(X))).predict(X)
        value, _ = freedom(IndependentTaskRegressor(), X, Y, 0.5)
        assert value == pytest.approx(3 * np.trace(hat), rel=1e-10)

    def test_of_block_lasso_with_orthogonal_features(self):
        """Yuan and Lin 2006: 1 + (T - 1) (1 - shrinkage) for each selected row."""
        X = np.linalg.qr(np.random.default_rng(0).normal(size=(16, 5)))[0] * 4
        Y = X @ np.random.default_rng(1).normal(size=(5, 4))
        model = BlockSparseRegressor(fit_intercept=False, **TIGHT)
        lengths = np.linalg.norm(X.T @ Y / 16, axis=1)
        alpha = np.median(lengths)
        expected = sum(1 + 3 * (1 - alpha / length) for length in lengths if length > alpha)
        assert freedom(model, X, Y, alpha)[0] == pytest.approx(expected)

    def test_of_simple_cases(self):
        X, Y = data()
        top = alpha_max(BlockSparseRegressor(), X, Y)
        assert freedom(BlockSparseRegressor(), X, Y, 1.01 * top) == (3, 0)
        one = X[:, :1]
        assert freedom(BlockSparseRegressor(), one, Y[:, 0], 0.01)[0] == pytest.approx(2)
        constant = np.column_stack([X, np.ones(len(X))])
        expected = freedom(IndependentTaskRegressor(), X, Y, 0.1)[0]
        assert freedom(IndependentTaskRegressor(), constant, Y, 0.1)[0] == pytest.approx(expected)
        assert freedom(IndependentTaskRegressor(), np.ones((10, 2)), Y, 0.0)[0] == 3

    @pytest.mark.parametrize("stacked", [False, True])
    @pytest.mark.parametrize("name", [*WAYS, "sparse-low-rank", "clusters"])
    def test_are_estimated_if_the_system_is_large(self, name, stacked, monkeypatch):
        model, alpha = FAMILIES[name]
        X, y = data(n=60, d=12, n_tasks=5, stacked=stacked)
        model = clone(model).set_params(task_column=-1 if stacked else None, tol=1e-9)
        exact, none = freedom(model, X, y, alpha)
        monkeypatch.setattr(freedom_module, "_LARGEST_BY_ROW", 0)
        monkeypatch.setattr(freedom_module, "_LARGEST_DENSE", 0)
        monkeypatch.setattr(freedom_module, "_MOST_BYTES", 0)
        value, error = freedom(model, X, y, alpha)
        assert none == 0
        assert 0 < error <= 1.5 * np.sqrt(2 * exact / 64)
        assert abs(value - exact) < 4 * error

    def test_the_probes_solve_their_systems(self, monkeypatch):
        """With the labels' unit vectors as probes the estimate is the trace itself."""

        class Units:
            def __init__(self, n):
                self.n, self.place = n, 0

            def choice(self, _, shape):
                unit = np.zeros(shape)
                unit.ravel()[self.place] = np.sqrt(self.n)
                self.place += 1
                return unit

        monkeypatch.setattr(freedom_module, "_N_PROBES", 36)
        monkeypatch.setattr(freedom_module.np.random, "default_rng", lambda seed: Units(36))
        for name in ("trace-norm", "clusters", "sparse-low-rank", "graph-block", "fused"):
            model, alpha = FAMILIES[name]
            model = clone(model).set_params(tol=1e-9)
            X, Y = DATA_36
            exact = freedom(model, X, Y, alpha)[0]
            with monkeypatch.context() as small:
                small.setattr(freedom_module, "_LARGEST_BY_ROW", 0)
                small.setattr(freedom_module, "_LARGEST_DENSE", 0)
                assert freedom(model, X, Y, alpha)[0] == pytest.approx(exact, rel=1e-6)


DATA_36 = data(n=12)


class TestCriterion:
    def test_is_that_of_lasso_lars_ic(self):
        rng = np.random.default_rng(0)
        X = rng.normal(size=(50, 8))
        X -= X.mean(axis=0)
        y = X[:, 0] - 0.7 * X[:, 1] + rng.normal(size=50) + 2
        for kind in ("aic", "bic"):
            theirs = LassoLarsIC(kind).fit(X, y)
            *_, ours = path(
                BlockSparseRegressor(tol=1e-12),
                X,
                y,
                alphas=theirs.alphas_[1:],
                criterion=kind,
                noise_variance=theirs.noise_variance_,
            )
            # At their alphas features enter, so that only the likelihoods are comparable.
            charge = 2 if kind == "aic" else np.log(50)
            np.testing.assert_allclose(
                ours.values - charge * ours.degrees_of_freedom,
                theirs.criterion_[1:] - charge * _their_sizes(X, y, theirs.alphas_[1:]),
                rtol=1e-8,
            )
            assert ours.kind == kind

    def test_of_the_profile_likelihood(self):
        X, Y = data(n=30)
        alphas, coefs, _, intercepts, aic = path(
            BlockSparseRegressor(), X, Y, alphas=6, return_intercepts=True, criterion="aic"
        )
        residuals = Y[:, :, None] - np.einsum("ij,tjk->itk", X, coefs) - intercepts
        squares = (residuals**2).sum(axis=(0, 1))
        freedoms = aic.degrees_of_freedom
        deviance = 90 * (np.log(2 * np.pi * squares / 90) + 1)
        np.testing.assert_allclose(aic.values, deviance + 2 * freedoms)
        np.testing.assert_allclose(aic.mean_squares, squares / 90)
        bic = path(BlockSparseRegressor(), X, Y, alphas=alphas, criterion="bic")[-1]
        np.testing.assert_allclose(bic.values, deviance + np.log(90) * freedoms)
        ebic = path(BlockSparseRegressor(), X, Y, alphas=alphas, criterion="ebic", ebic_gamma=0.5)
        supports = np.log(comb(5, coefs.any(axis=0).sum(axis=0)))
        np.testing.assert_allclose(ebic[-1].log_supports, supports, atol=1e-12)
        np.testing.assert_allclose(ebic[-1].values, bic.values + supports)
        assert bic.n_labels == 90
        assert bic.best == np.argmin(bic.values)
        assert bic.alpha == alphas[bic.best]

    def test_supports_of_entries(self):
        X, Y = data(n=30)
        model = BlockSparseRegressor(sparsity=0.6, feature_weight=[0, 1, 1, 1, 1])
        _, coefs, _, criteria = path(model, X, Y, alphas=8, criterion="ebic")
        penalised = coefs[:, 1:] != 0
        for k, value in enumerate(criteria.log_supports):
            sizes = penalised[:, :, k].sum(axis=0)
            counts = [comb(4, np.count_nonzero(sizes)), *comb(3, sizes)]
            assert value == pytest.approx(np.log(counts).sum(), abs=1e-12)
        none = path(LowRankRegressor(), X, Y, alphas=[0.1], criterion="ebic")[-1]
        assert none.log_supports[0] == pytest.approx(0, abs=1e-12)

    def test_does_not_depend_on_the_scale_of_weights_nor_on_the_layout(self):
        X, Y = data(n=25)
        rng = np.random.default_rng(5)
        weights = rng.uniform(0.5, 2, Y.shape)
        Y[rng.random(Y.shape) < 0.2] = np.nan
        model, alphas = BlockSparseRegressor(tol=1e-10), [0.5, 0.2, 0.1]
        first = path(model, X, Y, alphas=alphas, sample_weight=weights, criterion="ebic")[-1]
        second = path(model, X, Y, alphas=alphas, sample_weight=7 * weights, criterion="ebic")[-1]
        np.testing.assert_allclose(first.values, second.values, rtol=1e-9)
        rows, tasks = np.nonzero(~np.isnan(Y))
        third = path(
            clone(model).set_params(task_column=-1),
            np.column_stack([X[rows], tasks]),
            Y[rows, tasks],
            alphas=alphas,
            sample_weight=weights[rows, tasks],
            criterion="ebic",
        )[-1]
        np.testing.assert_allclose(first.values, third.values, rtol=1e-6)
        assert first.n_labels == third.n_labels == len(rows)

    def test_saturated_fits_are_not_selected(self):
        X, Y = data(n=10, d=30)
        criteria = path(BlockSparseRegressor(), X, Y, alphas=30, eps=1e-4, criterion="aic")[-1]
        large = criteria.degrees_of_freedom > 15
        assert large.any()
        np.testing.assert_array_equal(np.isnan(criteria.values), large)
        assert not large[criteria.best]
        known = path(
            BlockSparseRegressor(), X, Y, alphas=30, eps=1e-4, criterion="aic", noise_variance=1.0
        )[-1]
        assert np.isfinite(known.values).all()

    def test_constant_labels(self):
        X, Y = data()
        criteria = path(BlockSparseRegressor(), X, np.ones_like(Y), alphas=3, criterion="bic")[-1]
        assert criteria.best == 0
        assert np.isfinite(criteria.values).all()

    def test_block_sparse_path_takes_a_criterion(self):
        X, Y = data()
        first = block_sparse_path(X, Y, alphas=5, criterion="ebic", ebic_gamma=0.5)[-1]
        second = path(BlockSparseRegressor(), X, Y, alphas=5, criterion="ebic", ebic_gamma=0.5)[-1]
        np.testing.assert_array_equal(first.values, second.values)


def _their_sizes(X, y, alphas):
    """The sizes of supports that LassoLarsIC counts: of its path's coefficients."""
    from sklearn.linear_model import lars_path

    found, _, coefs = lars_path(X, y - y.mean(), method="lasso", alpha_min=0.0)
    np.testing.assert_allclose(found[1:], alphas)
    return np.count_nonzero(np.abs(coefs) > np.finfo(float).eps, axis=0)[1:]


class MeanFree(Penalty):
    """A norm of which no derivative is declared."""

    def __init__(self, alpha=1.0):
        self.alpha = alpha

    def value(self, W):
        return L1Inf(self.alpha).value(W)

    def prox(self, V, step):
        return L1Inf(self.alpha).prox(V, step)

    def dual_norm(self, G):
        return L1Inf(self.alpha).dual_norm(G)


class TestErrors:
    @pytest.mark.parametrize(
        ("model", "message"),
        [
            (BlockSparseRegressor(loss="huber"), "loss other than the squared"),
            (CappedBlockSparseRegressor(), "not convex"),
            (BlockSparseRegressor(refit_support=True), "refits the selected"),
            (TreeGuidedRegressor(), "learned from the labels"),
            (PooledTaskRegressor(intercept="shrunk"), "shrinks the intercepts"),
            (MultiTaskRegressor(penalty=L21() + TraceNorm()), "not known.*no prox"),
            (MultiTaskRegressor(penalty=MeanFree()), "MeanFree has no prox_derivative"),
        ],
        ids=repr,
    )
    def test_name_the_reason_and_the_remedy(self, model, message):
        with pytest.raises(ValueError, match=rf"(?s){message}.*cross-validation.*AlphaSearchCV"):
            path(model, *data(), alphas=[0.1], criterion="aic")

    def test_of_classifiers(self):
        X, Y = data()
        with pytest.raises(ValueError, match=r"loss other than the squared.*AlphaSearchCV"):
            path(BlockSparseClassifier(), X, Y > Y.mean(), alphas=[0.1], criterion="aic")

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"criterion": "cp"}, "criterion must be one of aic, bic, ebic; got 'cp'"),
            ({"ebic_gamma": 2}, "ebic_gamma must be in"),
            ({"noise_variance": 0}, "noise_variance must be a positive number"),
        ],
    )
    def test_of_settings(self, settings, message):
        with pytest.raises(ValueError, match=message):
            path(BlockSparseRegressor(), *data(), alphas=2, **{"criterion": "bic", **settings})

    def test_if_every_fit_is_saturated(self):
        X, Y = data(n=3)
        criteria = path(IndependentTaskRegressor(), X, Y, alphas=[1e-6], criterion="bic")[-1]
        with pytest.raises(ValueError, match=r"half of the 9 labels.*noise_variance"):
            _ = criteria.best
