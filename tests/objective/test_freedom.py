"""Degrees of freedom against the divergence of refits, and closed forms."""

import numpy as np
import pytest
import scipy.sparse as sp
from criterion_problems import made
from sklearn.base import clone
from sklearn.linear_model import Ridge

import skmtl.objective._freedom as freedom_module
from skmtl import (
    BlockSparseRegressor,
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
from skmtl.model_selection import alpha_max, path
from skmtl.penalties import L1, TaskGroup

TIGHT = {"tol": 1e-12, "max_iter": 20_000}
FAMILIES = {
    "block": (BlockSparseRegressor(), 0.3),
    "block-ridge": (BlockSparseRegressor(l1_ratio=0.6), 0.3),
    "block-sparse": (BlockSparseRegressor(sparsity=0.4), 0.3),
    "block-linf": (BlockSparseRegressor(norm="linf"), 0.3),
    "groups-linf": (BlockSparseRegressor(norm="linf", feature_groups=[0, 0, 1, 1, 1]), 0.2),
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
SLOW = ("robust", "sparse-low-rank")
# One family for each way in which the trace is computed.
WAYS = ("block", "block-ridge", "graph", "graph-block", "independent", "pooled-all", "trace-norm")


def divergence(model, X, y, sample_weight=None, h=1e-2):
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
    @pytest.mark.turns(3)
    @pytest.mark.parametrize(
        "name",
        [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in FAMILIES],
    )
    def test_are_the_divergence(self, name):
        model, alpha = FAMILIES[name]
        assert_is_divergence(model, *made(), alpha)

    @pytest.mark.turns(2)
    @pytest.mark.parametrize("name", WAYS)
    def test_of_stacked_rows(self, name):
        model, alpha = FAMILIES[name]
        X, y = made(n=8, stacked=True)
        assert_is_divergence(clone(model).set_params(task_column=-1), X, y, alpha)

    @pytest.mark.turns(2)
    @pytest.mark.parametrize("name", WAYS)
    def test_with_missing_labels_and_weights(self, name):
        model, alpha = FAMILIES[name]
        X, Y = made(n=12)
        Y[0, 0] = Y[3, 1] = Y[5, 1] = np.nan
        weights = np.random.default_rng(1).uniform(0.2, 3, Y.shape)
        weights[2, 2] = 0
        model = clone(model).set_params(task_weight=[1.0, 2.0, 0.5])
        assert_is_divergence(model, X, Y, alpha, weights)

    @pytest.mark.turns(2)
    @pytest.mark.parametrize("name", WAYS)
    def test_without_intercepts(self, name):
        model, alpha = FAMILIES[name]
        assert_is_divergence(clone(model).set_params(fit_intercept=False), *made(), alpha)

    def test_of_weights_of_rows(self):
        X, Y = made()
        weights = np.random.default_rng(2).uniform(0.5, 2, len(X))
        assert_is_divergence(BlockSparseRegressor(), X, Y, 0.3, weights)

    @pytest.mark.parametrize("name", WAYS)
    def test_of_sparse_and_of_single_precision_features(self, name):
        model, alpha = FAMILIES[name]
        X, Y = made(n=30)
        X[np.abs(X) < 0.5] = 0
        Y[4, 1] = np.nan
        model = clone(model).set_params(tol=1e-8)
        expected = freedom(model, X, Y, alpha)[0]
        assert freedom(model, sp.csr_matrix(X), Y, alpha)[0] == pytest.approx(expected, rel=1e-4)
        single = freedom(model, X.astype(np.float32), Y, alpha)[0]
        assert single == pytest.approx(expected, rel=1e-3)

    def test_with_more_features_than_rows(self):
        X, Y = made(n=6, d=9, n_tasks=4, seed=3)
        for name in ("block", "trace-norm", "independent", "graph"):
            model, alpha = FAMILIES[name]
            assert_is_divergence(model, X, Y, alpha / 4)

    def test_of_the_lasso_are_the_support(self):
        """Zou, Hastie and Tibshirani 2007: also if features are collinear."""
        X, Y = made(n=20)
        model = MultiTaskRegressor(penalty=L1(), **TIGHT)
        coef = clone(model).set_params(alpha=0.2).fit(X, Y).coef_
        assert freedom(model, X, Y, 0.2)[0] == pytest.approx(3 + np.count_nonzero(coef))

    def test_of_the_ridge_are_the_trace_of_the_hat_matrix(self):
        X, Y = made(n=20)
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

    def test_of_more_selected_rows_than_labels(self):
        """The lasso of one task, where equal features make the system singular."""
        X, Y = made(n=12, d=3)
        model = BlockSparseRegressor(tol=1e-13)
        for labels in (Y[:, 0], Y):
            expected = freedom(model, X, labels, 0.1)[0]
            doubled = freedom(model, np.hstack([X, X]), labels, 0.1)[0]
            assert doubled == pytest.approx(expected, abs=1e-3)

    def test_of_lengths_are_those_of_rows(self, monkeypatch):
        """The smaller system of the block norm, and the one in all coefficients."""
        X, Y = made(n=40, d=12, n_tasks=6)
        for ratio, alpha in ((1.0, 0.3), (1.0, 0.02), (0.5, 0.2)):
            model = BlockSparseRegressor(l1_ratio=ratio, tol=1e-8)
            small = freedom(model, X, Y, alpha)[0]
            with monkeypatch.context() as patched:
                patched.setattr(freedom_module, "_is_radial", lambda *arguments: False)
                assert freedom(model, X, Y, alpha)[0] == pytest.approx(small, rel=1e-9)

    def test_of_simple_cases(self):
        X, Y = made()
        top = alpha_max(BlockSparseRegressor(), X, Y)
        assert freedom(BlockSparseRegressor(), X, Y, 1.01 * top) == (3, 0)
        for model in (BlockSparseRegressor(), LowRankRegressor(), SparseLowRankRegressor()):
            assert freedom(model, X, Y, alpha_max(model, X, Y)) == (3, 0)
        one = X[:, :1]
        assert freedom(BlockSparseRegressor(), one, Y[:, 0], 0.01)[0] == pytest.approx(2)
        constant = np.column_stack([X, np.ones(len(X))])
        expected = freedom(IndependentTaskRegressor(), X, Y, 0.1)[0]
        assert freedom(IndependentTaskRegressor(), constant, Y, 0.1)[0] == pytest.approx(expected)
        assert freedom(IndependentTaskRegressor(), np.ones((10, 2)), Y, 0.0)[0] == 3

    @pytest.mark.turns(2)
    @pytest.mark.parametrize("stacked", [False, True])
    @pytest.mark.parametrize("name", [*WAYS, "sparse-low-rank", "clusters"])
    def test_are_estimated_if_the_system_is_large(self, name, stacked, monkeypatch):
        model, alpha = FAMILIES[name]
        X, y = made(n=60, d=12, n_tasks=5, stacked=stacked)
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
        for name in (
            "trace-norm",
            "clusters",
            "sparse-low-rank",
            "graph-block",
            "fused",
            "block-sparse",
        ):
            model, alpha = FAMILIES[name]
            model = clone(model).set_params(tol=1e-9)
            X, Y = DATA_36
            exact = freedom(model, X, Y, alpha)[0]
            with monkeypatch.context() as small:
                small.setattr(freedom_module, "_LARGEST_BY_ROW", 0)
                small.setattr(freedom_module, "_LARGEST_DENSE", 0)
                assert freedom(model, X, Y, alpha)[0] == pytest.approx(exact, rel=1e-6)


DATA_36 = made(n=12)
