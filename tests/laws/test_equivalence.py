"""Estimators that must agree with each other, with scikit-learn's, or between layouts."""

import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LinearRegression,
    LogisticRegression,
    MultiTaskElasticNet,
    MultiTaskLasso,
    Ridge,
)
from sklearn.multiclass import OneVsRestClassifier

from skmtl import (
    BlockSparseClassifier,
    BlockSparseRegressor,
    IndependentTaskClassifier,
    IndependentTaskRegressor,
    PooledTaskClassifier,
    PooledTaskRegressor,
)
from skmtl.model_selection import alpha_max

TIGHT = {"tol": 1e-11, "max_iter": 100_000}
CLOSE = {"rtol": 0, "atol": 1e-5}

MODELS = {
    "block": BlockSparseRegressor(0.2, **TIGHT),
    "block-ridge": BlockSparseRegressor(0.2, l1_ratio=0.5, **TIGHT),
    "independent": IndependentTaskRegressor(0.2, **TIGHT),
    "pooled": PooledTaskRegressor(0.2, **TIGHT),
    "pooled-common": PooledTaskRegressor(0.2, task_intercepts=False, **TIGHT),
    "block-classifier": BlockSparseClassifier(0.03, **TIGHT),
    "independent-classifier": IndependentTaskClassifier(0.03, **TIGHT),
    "pooled-classifier": PooledTaskClassifier(0.03, **TIGHT),
    "pooled-common-classifier": PooledTaskClassifier(0.03, task_intercepts=False, **TIGHT),
}
SPARSE = ["block", "block-ridge", "block-classifier"]


@pytest.fixture(params=MODELS)
def model(request):
    return clone(MODELS[request.param])


@pytest.fixture(params=SPARSE)
def sparse_model(request):
    return clone(MODELS[request.param])


def classifies(model):
    return type(model).__name__.endswith("Classifier")


def make(classify=False, n=50, d=7, n_tasks=3, seed=0):
    """Shared data with different intercepts of tasks, and means and scales of features."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d)) * rng.uniform(0.5, 2, d) + rng.standard_normal(d)
    truth = rng.standard_normal((d, n_tasks)) * (np.arange(d) < 4)[:, None]
    Y = X @ truth + rng.standard_normal(n_tasks) + rng.standard_normal((n, n_tasks))
    return X, (Y > np.median(Y, axis=0) + 0.3).astype(float) if classify else Y


def make_stacked(classify=False, seed=0):
    """X with ids 2, 5, 9 in its last column; tasks of different sizes, rows in random order."""
    rng = np.random.default_rng(seed)
    codes = rng.permutation(np.repeat([0, 1, 2], [20, 35, 27]))
    X, Y = make(classify, n=82, seed=seed)
    ids = np.array([2.0, 5.0, 9.0])[codes]
    return np.column_stack([X, ids]), Y[np.arange(82), codes]


def assert_same(a, b, atol=1e-5):
    np.testing.assert_allclose(a.coef_, b.coef_, rtol=0, atol=atol)
    np.testing.assert_allclose(a.intercept_, b.intercept_, rtol=0, atol=atol)


class TestScikitLearn:
    @pytest.mark.parametrize("fit_intercept", [True, False])
    @pytest.mark.parametrize("l1_ratio", [1.0, 0.7, 0.1])
    def test_multi_task_elastic_net(self, l1_ratio, fit_intercept):
        X, Y = make()
        theirs = MultiTaskElasticNet(
            alpha=0.3, l1_ratio=l1_ratio, fit_intercept=fit_intercept, **TIGHT
        ).fit(X, Y)
        ours = BlockSparseRegressor(
            alpha=0.3, l1_ratio=l1_ratio, fit_intercept=fit_intercept, **TIGHT
        ).fit(X, Y)
        assert_same(ours, theirs)
        np.testing.assert_allclose(ours.predict(X), theirs.predict(X), **CLOSE)

    @pytest.mark.parametrize("alpha", [0.01, 0.1, 1.0])
    def test_multi_task_lasso_with_the_same_support(self, alpha):
        X, Y = make(n=40, d=60, n_tasks=4)
        theirs = MultiTaskLasso(alpha=alpha, **TIGHT).fit(X, Y)
        ours = BlockSparseRegressor(alpha=alpha, **TIGHT).fit(X, Y)
        assert_same(ours, theirs)
        strong = np.abs(theirs.coef_).max(axis=0) > 1e-4
        assert ours.support_[strong].all() and 0 < strong.sum() < 60
        assert np.abs(ours.coef_[:, ~theirs.coef_.any(axis=0)]).max(initial=0) < 1e-5

    def test_default_alpha_is_theirs(self):
        X, Y = make()
        assert_same(
            BlockSparseRegressor(tol=1e-10).fit(X, 3 * Y), MultiTaskLasso(tol=1e-10).fit(X, 3 * Y)
        )

    @pytest.mark.parametrize("l1_ratio", [1.0, 0.6])
    def test_integer_weights_repeat_rows_of_multi_task_elastic_net(self, l1_ratio):
        X, Y = make()
        s = np.random.default_rng(1).integers(0, 4, 50)
        repeated = np.repeat(np.arange(50), s)
        theirs = MultiTaskElasticNet(alpha=0.3, l1_ratio=l1_ratio, **TIGHT)
        theirs.fit(X[repeated], Y[repeated])
        ours = BlockSparseRegressor(alpha=0.3, l1_ratio=l1_ratio, **TIGHT)
        assert_same(ours.fit(X, Y, sample_weight=s), theirs)

    @pytest.mark.parametrize("l1_ratio", [1.0, 0.6])
    def test_weights_scale_centred_rows_of_multi_task_elastic_net(self, l1_ratio):
        X, Y = make()
        s = np.random.default_rng(1).uniform(0.1, 3, 50)
        root = np.sqrt(s / s.mean())[:, None]
        x_mean, y_mean = np.average(X, axis=0, weights=s), np.average(Y, axis=0, weights=s)
        theirs = MultiTaskElasticNet(alpha=0.3, l1_ratio=l1_ratio, fit_intercept=False, **TIGHT)
        theirs.fit((X - x_mean) * root, (Y - y_mean) * root)
        ours = BlockSparseRegressor(alpha=0.3, l1_ratio=l1_ratio, **TIGHT)
        ours.fit(X, Y, sample_weight=s)
        np.testing.assert_allclose(ours.coef_, theirs.coef_, **CLOSE)
        np.testing.assert_allclose(ours.intercept_, y_mean - theirs.coef_ @ x_mean, **CLOSE)

    @pytest.mark.parametrize("weighted", [True, False])
    @pytest.mark.parametrize("container", [np.asarray, sp.csc_array])
    def test_one_task_is_lasso_and_elastic_net(self, weighted, container):
        X, Y = make()
        y = Y[:, 0]
        s = np.random.default_rng(2).uniform(0.1, 3, 50) if weighted else None
        theirs = Lasso(alpha=0.2, **TIGHT).fit(X, y, sample_weight=s)
        ours = BlockSparseRegressor(alpha=0.2, **TIGHT).fit(container(X), y, sample_weight=s)
        assert ours.coef_.shape == (7,) and np.ndim(ours.intercept_) == 0
        assert_same(ours, theirs)
        theirs = ElasticNet(alpha=0.2, l1_ratio=0.4, **TIGHT).fit(X, y, sample_weight=s)
        ours = BlockSparseRegressor(alpha=0.2, l1_ratio=0.4, **TIGHT)
        assert_same(ours.fit(container(X), y, sample_weight=s), theirs)
        column = BlockSparseRegressor(alpha=0.2, l1_ratio=0.4, **TIGHT)
        column.fit(container(X), y[:, None], sample_weight=s)
        assert column.coef_.shape == (1, 7)
        np.testing.assert_allclose(column.coef_[0], theirs.coef_, **CLOSE)

    @pytest.mark.parametrize("fit_intercept", [True, False])
    def test_independent_regression_is_ridge(self, fit_intercept):
        X, Y = make()
        s = np.random.default_rng(3).uniform(0.1, 3, 50)
        alpha = np.array([0.01, 0.5, 4.0])
        ours = IndependentTaskRegressor(alpha, fit_intercept=fit_intercept, **TIGHT)
        ours.fit(X, Y, sample_weight=s)
        # 1/(2 S) sum s r^2 + alpha/2 w^2, and sum s r^2 + (alpha S) w^2.
        theirs = Ridge(alpha * s.sum(), fit_intercept=fit_intercept).fit(X, Y, sample_weight=s)
        assert_same(ours, theirs, atol=1e-8)
        single = IndependentTaskRegressor(0.5, fit_intercept=fit_intercept, **TIGHT)
        theirs = Ridge(0.5 * 50, fit_intercept=fit_intercept).fit(X, Y[:, 1])
        assert_same(single.fit(X, Y[:, 1]), theirs, atol=1e-8)

    @pytest.mark.parametrize("n", [50, 5])
    def test_no_penalty_is_least_squares(self, n):
        X, Y = make(n=n)
        ours = IndependentTaskRegressor(alpha=0, tol=1e-10).fit(X, Y)
        # With more features than rows, the solution of least norm.
        theirs = LinearRegression().fit(X, Y)
        np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=0, atol=1e-6)
        if n == 50:
            assert_same(ours, theirs, atol=1e-7)

    def test_independent_stacked_tasks_are_ridges_of_their_rows(self):
        X, y = make_stacked()
        ours = IndependentTaskRegressor(0.3, task_column=-1, task_weight="balanced").fit(X, y)
        for k, name in enumerate(ours.tasks_):
            rows = X[:, -1] == name
            # Balanced: 1/n_t for each task.
            theirs = Ridge(0.3 * rows.sum()).fit(X[rows, :-1], y[rows])
            np.testing.assert_allclose(ours.coef_[k], theirs.coef_, atol=1e-8)
            assert ours.intercept_[k] == pytest.approx(theirs.intercept_, abs=1e-8)

    @pytest.mark.parametrize("fit_intercept", [True, False])
    def test_independent_classification_is_logistic_regression(self, fit_intercept):
        X, Y = make(classify=True)
        s = np.random.default_rng(4).uniform(0.1, 3, 50)
        ours = IndependentTaskClassifier(0.05, fit_intercept=fit_intercept, **TIGHT)
        ours.fit(X, Y, sample_weight=s)
        theirs = LogisticRegression(
            C=1 / (0.05 * s.sum()), fit_intercept=fit_intercept, tol=1e-10, max_iter=10_000
        )
        for t in range(3):
            theirs.fit(X, Y[:, t], sample_weight=s)
            np.testing.assert_allclose(ours.coef_[t], theirs.coef_[0], **CLOSE)
            np.testing.assert_allclose(ours.intercept_[t], theirs.intercept_, **CLOSE)
            proba = theirs.predict_proba(X)[:, 1]
            np.testing.assert_allclose(ours.predict_proba(X)[:, t], proba, **CLOSE)

    @pytest.mark.parametrize("cls", [IndependentTaskClassifier, PooledTaskClassifier])
    def test_classes_are_one_vs_rest_logistic_regression(self, cls):
        rng = np.random.default_rng(5)
        X = rng.standard_normal((90, 5))
        y = np.array(["a", "b", "c"])[np.argmax(X[:, :3] + rng.gumbel(size=(90, 3)), axis=1)]
        ours = cls(0.02, **TIGHT).fit(X, y)
        theirs = OneVsRestClassifier(
            LogisticRegression(C=1 / (0.02 * 90), tol=1e-10, max_iter=10_000)
        ).fit(X, y)
        coef = np.vstack([one.coef_ for one in theirs.estimators_])
        np.testing.assert_allclose(ours.coef_, coef, **CLOSE)
        assert ours.classes_.tolist() == ["a", "b", "c"]
        np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), **CLOSE)
        assert (ours.predict(X) == theirs.predict(X)).all()
        # Two classes: one task.
        two = y != "c"
        binary = cls(0.02, **TIGHT).fit(X[two], y[two])
        theirs = LogisticRegression(C=1 / (0.02 * two.sum()), tol=1e-10, max_iter=10_000)
        theirs.fit(X[two], y[two])
        assert binary.coef_.shape == (1, 5)
        np.testing.assert_allclose(binary.coef_, theirs.coef_, **CLOSE)
        z = theirs.decision_function(X)
        np.testing.assert_allclose(binary.decision_function(X), z, rtol=0, atol=1e-4)

    @pytest.mark.parametrize("weighted", [True, False])
    def test_pooled_common_is_one_model_of_the_stacked_rows(self, weighted):
        rng = np.random.default_rng(6)
        s = rng.uniform(0.1, 3, 82) if weighted else np.ones(82)
        X, y = make_stacked()
        ours = PooledTaskRegressor(0.1, task_intercepts=False, task_column=-1, **TIGHT)
        ours.fit(X, y, sample_weight=s)
        # Three tasks: 3/(2 S) sum s r^2 + 0.1/2 w^2.
        theirs = Ridge(0.1 * s.sum() / 3).fit(X[:, :-1], y, sample_weight=s)
        for t in range(3):
            np.testing.assert_allclose(ours.coef_[t], theirs.coef_, atol=1e-8)
            assert ours.intercept_[t] == pytest.approx(theirs.intercept_, abs=1e-8)
        X, y = make_stacked(classify=True)
        ours = PooledTaskClassifier(0.05, task_intercepts=False, task_column=-1, **TIGHT)
        ours.fit(X, y, sample_weight=s)
        theirs = LogisticRegression(C=3 / (0.05 * s.sum()), tol=1e-10, max_iter=10_000)
        theirs.fit(X[:, :-1], y, sample_weight=s)
        for t in range(3):
            np.testing.assert_allclose(ours.coef_[t], theirs.coef_[0], **CLOSE)
            np.testing.assert_allclose(ours.intercept_[t], theirs.intercept_[0], **CLOSE)

    def test_pooled_with_intercepts_is_a_ridge_with_dummies(self):
        X, y = make_stacked()
        ours = PooledTaskRegressor(0.1, task_column=-1, **TIGHT).fit(X, y)
        centred, target = X[:, :-1].copy(), y.copy()
        for name in (2, 5, 9):
            rows = X[:, -1] == name
            centred[rows] -= centred[rows].mean(axis=0)
            target[rows] -= target[rows].mean()
        theirs = Ridge(0.1 * 82 / 3, fit_intercept=False).fit(centred, target)
        np.testing.assert_allclose(ours.coef_, np.tile(theirs.coef_, (3, 1)), atol=1e-8)

    def test_class_weights_are_scikit_learns(self):
        X, Y = make(classify=True)
        y = Y[:, 0]
        for class_weight in ("balanced", {0: 0.5, 1: 4.0}):
            theirs = LogisticRegression(
                C=1.0, class_weight=class_weight, solver="newton-cholesky", tol=1e-12
            )
            theirs.fit(X, y)
            total = 50.0
            if class_weight != "balanced":
                total = 0.5 * (y == 0).sum() + 4 * (y == 1).sum()
            ours = IndependentTaskClassifier(1 / total, class_weight=class_weight, tol=1e-12)
            np.testing.assert_allclose(ours.fit(X, y).coef_, theirs.coef_, **CLOSE)


class TestLayouts:
    def test_shared_stacked_and_masked_agree(self, model):
        X, Y = make(classifies(model))
        seen = np.random.default_rng(8).random(Y.shape) > 0.3
        masked = clone(model).fit(X, np.where(seen, Y, np.nan))
        by_weight = clone(model).fit(X, Y, sample_weight=seen)
        assert_same(by_weight, masked, atol=1e-7)
        rows, tasks = np.nonzero(seen)
        # Rows in random order, the task column first.
        order = np.random.default_rng(9).permutation(len(rows))
        stacked_X = np.column_stack([tasks + 10, X[rows]])[order]
        stacked = clone(model).set_params(task_column=0).fit(stacked_X, Y[seen][order])
        assert stacked.tasks_.tolist() == [10, 11, 12]
        assert_same(stacked, masked, atol=1e-6)
        assert stacked.objective_ == pytest.approx(masked.objective_, rel=1e-9)
        # Every entry of the block matrix: all tasks share all rows.
        predicted = masked.predict(X)
        for t in range(3):
            one = stacked.predict(np.column_stack([np.full(len(X), 10 + t), X]))
            np.testing.assert_allclose(one, predicted[:, t], rtol=0, atol=1e-5)

    def test_complete_labels_agree(self, model):
        X, Y = make(classifies(model))
        shared = clone(model).fit(X, Y)
        column = np.repeat([0.0, 1.0, 2.0], len(X))[:, None]
        stacked = clone(model).set_params(task_column=-1)
        stacked.fit(np.hstack([np.vstack([X] * 3), column]), Y.T.ravel())
        assert_same(stacked, shared, atol=1e-6)

    @pytest.mark.turns(2)
    @pytest.mark.parametrize("container", [sp.csr_array, sp.csc_array, sp.csr_matrix])
    def test_sparse_shared_and_stacked_agree_with_dense(self, model, container):
        X, Y = make(classifies(model))
        X[np.abs(X) < 0.7] = 0.0
        labels = np.where(np.random.default_rng(8).random(Y.shape) > 0.3, Y, np.nan)
        dense = clone(model).fit(X, labels)
        sparse = clone(model).fit(container(X), labels)
        assert_same(sparse, dense, atol=5e-6)
        np.testing.assert_allclose(sparse.predict(container(X)), dense.predict(X), atol=1e-5)
        X, y = make_stacked(classifies(model))
        X[np.abs(X) < 0.7] = 0.0
        stacked = clone(model).set_params(task_column=-1)
        dense, sparse = clone(stacked).fit(X, y), clone(stacked).fit(container(X), y)
        assert_same(sparse, dense, atol=5e-6)
        np.testing.assert_allclose(sparse.predict(container(X)), dense.predict(X), atol=1e-5)

    def test_frames_agree_with_arrays(self, model):
        X, y = make_stacked(classifies(model))
        plain = clone(model).set_params(task_column=-1).fit(X, y)
        frame = pd.DataFrame(X[:, :-1], columns=list("abcdefg"))
        names = pd.Series(X[:, -1]).map({2.0: "x", 5.0: "y", 9.0: "z"})
        frame.insert(2, "school", names.astype("category"))
        named = clone(model).set_params(task_column="school").fit(frame, pd.Series(y))
        assert named.tasks_.tolist() == ["x", "y", "z"]
        assert_same(named, plain, atol=1e-12)

    def test_one_column_of_labels_is_one_task(self, model):
        X, Y = make(classifies(model))
        one = clone(model).fit(X, Y[:, 0])
        column = clone(model).fit(X, Y[:, :1])
        np.testing.assert_allclose(np.ravel(one.coef_), column.coef_[0], rtol=0, atol=1e-9)


class TestInvariances:
    def test_permuting_tasks_permutes_the_result(self, model):
        X, Y = make(classifies(model))
        Y[::3, 1] = np.nan
        order = [2, 0, 1]
        factors = np.array([0.5, 1.0, 3.0])
        first = clone(model).set_params(task_weight=factors).fit(X, Y)
        second = clone(model).set_params(task_weight=factors[order]).fit(X, Y[:, order])
        np.testing.assert_allclose(second.coef_, first.coef_[order], rtol=0, atol=1e-6)
        np.testing.assert_allclose(second.intercept_, first.intercept_[order], rtol=0, atol=1e-6)
        X, y = make_stacked(classifies(model))
        renamed = X.copy()
        renamed[:, -1] = np.select([X[:, -1] == 2, X[:, -1] == 5], [9, 2], 5)
        model.set_params(task_column=-1)
        first, second = clone(model).fit(X, y), clone(model).fit(renamed, y)
        np.testing.assert_allclose(second.coef_, first.coef_[[1, 2, 0]], rtol=0, atol=1e-6)

    def test_permuting_rows_and_features(self, model):
        X, Y = make(classifies(model))
        rng = np.random.default_rng(0)
        rows, columns = rng.permutation(len(X)), rng.permutation(X.shape[1])
        first = clone(model).fit(X, Y)
        second = clone(model).fit(X[rows][:, columns], Y[rows])
        np.testing.assert_allclose(second.coef_, first.coef_[:, columns], rtol=0, atol=1e-6)

    @pytest.mark.turns(2)
    @pytest.mark.parametrize("factor", [1e-100, 7.3, 1e100])
    def test_scaling_all_weights_changes_nothing(self, model, factor):
        X, Y = make(classifies(model))
        s = np.random.default_rng(1).uniform(0, 2, Y.shape)
        first = clone(model).fit(X, Y, sample_weight=s)
        second = clone(model).fit(X, Y, sample_weight=factor * s)
        assert_same(second, first, atol=1e-7)
        assert second.objective_ == pytest.approx(first.objective_, rel=1e-9)
        X, y = make_stacked(classifies(model))
        model.set_params(task_column=-1, task_weight="balanced")
        first = clone(model).fit(X, y, sample_weight=s.ravel()[:82])
        second = clone(model).fit(X, y, sample_weight=factor * s.ravel()[:82])
        assert_same(second, first, atol=1e-7)

    def test_unit_weights_are_no_weights(self, model):
        X, Y = make(classifies(model))
        assert_same(
            clone(model).fit(X, Y, sample_weight=np.ones(50)), clone(model).fit(X, Y), atol=1e-12
        )

    @pytest.mark.parametrize("task_weight", [None, "balanced"])
    def test_zero_weight_leaves_out(self, model, task_weight):
        model.set_params(task_weight=task_weight)
        X, Y = make(classifies(model))
        kept = np.random.default_rng(1).random(50) > 0.3
        assert_same(
            clone(model).fit(X, Y, sample_weight=kept), clone(model).fit(X[kept], Y[kept]), 1e-7
        )
        X, y = make_stacked(classifies(model))
        kept = np.random.default_rng(1).random(82) > 0.3
        # A whole task of weight zero is left out.
        kept &= X[:, -1] != 5
        model.set_params(task_column=-1)
        without = clone(model).fit(X[kept], y[kept])
        zeroed = clone(model).fit(X, y, sample_weight=kept.astype(float))
        assert zeroed.tasks_.tolist() == [2, 9]
        assert_same(zeroed, without, atol=1e-9)

    @pytest.mark.parametrize("filler", [-999.0, 1e20, 1e200])
    @pytest.mark.parametrize("name", ["block", "independent", "pooled"])
    def test_a_label_of_zero_weight_may_be_any_number(self, name, filler):
        X, Y = make()
        seen = np.random.default_rng(1).random(Y.shape) > 0.3
        missing = clone(MODELS[name]).fit(X, np.where(seen, Y, np.nan))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            zero = clone(MODELS[name]).set_params(max_iter=1000)
            zero.fit(X, np.where(seen, Y, filler), sample_weight=seen.astype(float))
        assert_same(zero, missing, atol=1e-7)

    def test_integer_weights_repeat(self, model):
        X, Y = make(classifies(model))
        s = np.random.default_rng(1).integers(0, 4, 50)
        again = np.repeat(np.arange(50), s)
        assert_same(
            clone(model).fit(X, Y, sample_weight=s), clone(model).fit(X[again], Y[again]), 1e-7
        )
        X, y = make_stacked(classifies(model))
        s = np.random.default_rng(2).integers(0, 4, 82)
        again = np.repeat(np.arange(82), s)
        model.set_params(task_column=-1, task_weight="balanced")
        if classifies(model):
            model.set_params(class_weight="balanced")
        assert_same(
            clone(model).fit(X, y, sample_weight=s), clone(model).fit(X[again], y[again]), 1e-7
        )

    def test_balanced_equals_the_factors_it_states(self, model):
        X, y = make_stacked(classifies(model))
        s = np.random.default_rng(2).uniform(0.1, 3, 82)
        totals = np.array([s[X[:, -1] == name].sum() for name in (2, 5, 9)])
        factors = s.sum() / (3 * totals)
        fits = [
            clone(model).set_params(task_column=-1, task_weight=c).fit(X, y, sample_weight=s)
            for c in ("balanced", factors, dict(zip((2, 5, 9), factors, strict=True)))
        ]
        # The factors are equivalent to weights.
        codes = np.searchsorted([2, 5, 9], X[:, -1])
        fits.append(
            clone(model).set_params(task_column=-1).fit(X, y, sample_weight=s * factors[codes])
        )
        for other in fits[1:]:
            assert_same(other, fits[0], atol=1e-7)

    def test_units_of_features_without_a_penalty(self):
        X, Y = make()
        units = 10.0 ** np.array([-4, -3, -1, 0, 1, 3, 4])
        plain = IndependentTaskRegressor(alpha=0, tol=1e-10).fit(X, Y)
        scaled = IndependentTaskRegressor(alpha=0, tol=1e-10).fit(X * units, Y)
        np.testing.assert_allclose(scaled.coef_ * units, plain.coef_, rtol=1e-6)

    def test_input_is_not_modified(self, model):
        X, Y = make(classifies(model))
        Y[3, 1] = np.nan
        s = np.ones(Y.shape)
        kept = [array.copy() for array in (X, Y, s)]
        for array in (X, Y, s):
            array.flags.writeable = False
        clone(model).fit(X, Y, sample_weight=s)
        sparse = sp.csr_array(X)
        clone(model).fit(sparse, Y, sample_weight=s)
        np.testing.assert_array_equal(sparse.toarray(), kept[0])
        for array, copy in zip((X, Y, s), kept, strict=True):
            np.testing.assert_array_equal(array, copy)


class TestAlphaMax:
    @pytest.mark.parametrize("stacked", [True, False])
    @pytest.mark.parametrize("sparse", [True, False])
    def test_exactly_zero_at_and_above_not_below(self, sparse_model, stacked, sparse):
        model = sparse_model.set_params(tol=1e-8, task_weight="balanced")
        if stacked:
            X, y = make_stacked(classifies(model))
            model.set_params(task_column=-1)
        else:
            X, y = make(classifies(model))
            y[::4, 0] = np.nan
        s = np.random.default_rng(0).uniform(0.5, 2, len(X))
        X = sp.csr_array(X) if sparse else X
        top = alpha_max(model, X, y, s)
        for factor in (1.0, 1.0 + 1e-12, 1.01, 1e3):
            fitted = clone(model).set_params(alpha=top * factor).fit(X, y, sample_weight=s)
            assert not fitted.coef_.any() and not fitted.support_.any()
            assert np.isfinite(fitted.intercept_).all() and fitted.n_iter_ >= 1
        below = clone(model).set_params(alpha=top * 0.999).fit(X, y, sample_weight=s)
        assert below.coef_.any()

    def test_is_lassos(self):
        X, Y = make()
        y = Y[:, 0]
        expected = np.abs((X - X.mean(axis=0)).T @ (y - y.mean())).max() / 50
        assert alpha_max(BlockSparseRegressor(), X, y) == pytest.approx(expected)
        assert alpha_max(BlockSparseRegressor(l1_ratio=0.25), X, y) == pytest.approx(4 * expected)
        # For any alpha of the estimator.
        assert alpha_max(BlockSparseRegressor(7.0), X, y) == pytest.approx(expected)
        raw = np.abs(X.T @ y).max() / 50
        assert alpha_max(BlockSparseRegressor(fit_intercept=False), X, y) == pytest.approx(raw)

    @pytest.mark.parametrize(
        "estimator",
        [
            BlockSparseRegressor(l1_ratio=0.0),
            BlockSparseClassifier(l1_ratio=0.0),
            IndependentTaskRegressor(),
            IndependentTaskClassifier(),
            PooledTaskRegressor(),
            PooledTaskClassifier(),
        ],
    )
    def test_error_where_there_is_none(self, estimator):
        X, Y = make(classify=True)
        with pytest.raises(ValueError, match="No finite alpha makes the coefficients"):
            alpha_max(estimator, X, Y)

    @pytest.mark.parametrize("alpha", ["cv", [0.1, 0.2, 0.3]])
    def test_error_whatever_alpha_an_independent_estimator_has(self, alpha):
        X, Y = make()
        with pytest.raises(ValueError, match="No finite alpha makes the coefficients"):
            alpha_max(IndependentTaskRegressor(alpha=alpha), X, Y)

    def test_constant_labels(self):
        X, Y = make()
        assert alpha_max(BlockSparseRegressor(), X, np.full_like(Y, 3.7)) == pytest.approx(0)


class TestPrecision:
    @pytest.mark.turns(2)
    @pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
    @pytest.mark.parametrize("stacked", [True, False])
    def test_float32_in_float32_out_with_a_true_gap(self, model, stacked, container):
        model.set_params(tol=1e-5)
        if stacked:
            X, y = make_stacked(classifies(model))
            model.set_params(task_column=-1)
        else:
            X, y = make(classifies(model))
            y[::5, 1] = np.nan
        X = X.astype(np.float32)
        single = clone(model).fit(container(X), y)
        assert single.coef_.dtype == np.float32
        assert np.asarray(single.intercept_).dtype == np.float32
        double = clone(model).set_params(tol=1e-12).fit(X.astype(np.float64), y)
        assert double.coef_.dtype == np.float64
        # The objective of the single-precision coefficients, evaluated in double precision.
        warm = clone(model).set_params(warm_start=True, max_iter=1, tol=1e9)
        warm.fit(X.astype(np.float64), y)
        warm.coef_ = single.coef_.astype(np.float64)
        warm.intercept_ = single.intercept_.astype(np.float64)
        reached = warm.fit(X.astype(np.float64), y).objective_
        assert reached == pytest.approx(single.objective_, rel=1e-6)
        slack = 1e-7 * abs(double.objective_)
        assert single.dual_gap_ >= reached - double.objective_ - slack
        scale = np.abs(double.coef_).max()
        np.testing.assert_allclose(single.coef_, double.coef_, rtol=0, atol=0.05 * scale)
        if not classifies(model):
            assert single.predict(container(X)).dtype == np.float32

    def test_float32_reaches_its_default_tolerance_and_stops_for_any_other(self):
        X, Y = make(n=200, d=30)
        for model in (BlockSparseRegressor(0.05), BlockSparseClassifier(0.01)):
            y = (Y > 0).astype(int) if classifies(model) else Y
            with warnings.catch_warnings():
                warnings.simplefilter("error", ConvergenceWarning)
                model.fit(X.astype(np.float32), y)
            # With a tolerance below single precision the fit stops once the gap stagnates.
            loose = model.dual_gap_
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                model.set_params(tol=0).fit(X.astype(np.float32), y)
            assert all("float32" in str(warning.message) for warning in caught)
            assert model.n_iter_ < 3000 and model.dual_gap_ <= loose

    @pytest.mark.parametrize("layout", ["shared", "stacked", "sparse"])
    def test_an_offset_of_a_million_does_not_spoil_the_fit(self, model, layout):
        if layout == "stacked":
            X, y = make_stacked(classifies(model))
            model.set_params(task_column=-1)
            moved = X.copy()
            moved[:, :-1] += 1e6
            tolerance = 1e-5
        else:
            X, y = make(classifies(model))
            y[::4, 1] = np.nan
            moved, tolerance = X + 1e6, 1e-5
            if layout == "sparse":
                # Implicit centring subtracts products of the size 1e6, which leaves six digits.
                moved, tolerance = sp.csr_array(moved), 1e-3
        labels = y if classifies(model) else y + 1e6
        model.set_params(tol=1e-8, max_iter=10_000)
        plain = clone(model).fit(X, y)
        with warnings.catch_warnings():
            warnings.simplefilter("error", ConvergenceWarning)
            offset = clone(model).fit(moved, labels)
        scale = np.abs(plain.coef_).max()
        np.testing.assert_allclose(offset.coef_, plain.coef_, rtol=0, atol=tolerance * scale)
        if not classifies(model):
            residual = offset.predict(moved) - 1e6 - plain.predict(X)
            assert np.nanmax(np.abs(residual)) < 10 * tolerance

    @pytest.mark.parametrize("alpha_share", [0.3, 0.01])
    def test_features_in_different_units_converge(self, model, alpha_share):
        X, Y = make(classifies(model), n=120, d=9)
        X = (X - X.mean(axis=0)) * 10.0 ** np.arange(-4, 5)
        defaults = type(model)().get_params()
        model.set_params(tol=1e-4, max_iter=defaults["max_iter"])
        if hasattr(model, "support_") or "l1_ratio" in model.get_params():
            model.set_params(alpha=alpha_share * alpha_max(model, X, Y))
        else:
            model.set_params(alpha=alpha_share)
        with warnings.catch_warnings():
            warnings.simplefilter("error", ConvergenceWarning)
            model.fit(X, Y)
            model.set_params(solver="fista", alpha=model.alpha).fit(X, Y)
        assert np.isfinite(model.coef_).all()


class TestWarmStart:
    def test_starts_from_the_last_fit_and_ends_at_the_same_solution(self, model):
        X, Y = make(classifies(model))
        cold = clone(model).fit(X, Y)
        model.set_params(warm_start=True, solver="fista").fit(X, Y)
        first = model.n_iter_
        model.fit(X, Y)
        # Lower bounds from earlier iterations are not stored, so that one or two rounds are needed.
        assert model.n_iter_ <= min(40, first)
        assert_same(model, cold, atol=1e-4)
        model.set_params(alpha=model.alpha * 0.7).fit(X, Y)
        other = clone(model).set_params(warm_start=False).fit(X, Y)
        assert_same(model, other, atol=1e-4)

    def test_saves_iterations_along_a_path(self):
        X, Y = make(n=60, d=100)
        top = alpha_max(BlockSparseRegressor(), X, Y)
        counts = {}
        for warm in (True, False):
            model = BlockSparseRegressor(warm_start=warm, tol=1e-6)
            counts[warm] = 0
            for factor in np.geomspace(0.5, 0.05, 20):
                counts[warm] += model.set_params(alpha=factor * top).fit(X, Y).n_iter_
        assert counts[True] < 0.9 * counts[False]

    def test_other_data_are_fitted_as_if_new(self, model):
        X, Y = make(classifies(model))
        model.set_params(warm_start=True).fit(X, Y)
        for other in (make(classifies(model), d=4), make(classifies(model), n_tasks=2, seed=1)):
            model.fit(*other)
            assert_same(model, clone(model).fit(*other), atol=1e-6)
        X, y = make_stacked(classifies(model))
        model.set_params(task_column=-1).fit(X, y)
        assert_same(model, clone(model).fit(X, y), atol=1e-6)

    def test_from_one_target_and_back(self):
        X, Y = make()
        model = BlockSparseRegressor(0.1, warm_start=True, **TIGHT).fit(X, Y[:, 0])
        assert model.coef_.shape == (7,)
        assert model.fit(X, Y[:, 0]).n_iter_ <= 10 and model.coef_.shape == (7,)
        assert model.fit(X, Y).coef_.shape == (3, 7)

    def test_too_strong_a_penalty_gives_zero_from_a_warm_start_too(self, sparse_model):
        X, Y = make(classifies(sparse_model))
        top = alpha_max(sparse_model, X, Y)
        sparse_model.set_params(warm_start=True, alpha=0.1 * top, tol=1e-8).fit(X, Y)
        assert sparse_model.support_.any()
        assert not sparse_model.set_params(alpha=1.5 * top).fit(X, Y).support_.any()
