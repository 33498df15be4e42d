"""Behaviour of all estimators: warnings of unequal units, predictions, scores."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import accuracy_score as sklearn_accuracy_score

from skmtl import (
    BlockSparseClassifier,
    BlockSparseRegressor,
    BlockSparseRegressorCV,
    IndependentTaskRegressor,
    LowRankRegressor,
    PooledTaskRegressor,
)
from skmtl.datasets import make_block_sparse
from skmtl.metrics import subset_accuracy_score


class TestUnlikeUnits:
    @staticmethod
    def data(scales):
        rng = np.random.default_rng(0)
        X = rng.standard_normal((60, 5))
        Y = X @ rng.standard_normal((5, 3)) + rng.standard_normal((60, 3))
        return X, Y / Y.std(axis=0) * scales

    @pytest.mark.parametrize(
        "model", [BlockSparseRegressor(0.1), LowRankRegressor(0.1), BlockSparseRegressorCV(cv=3)]
    )
    def test_warns_once_and_names_tasks_and_remedy(self, model):
        X, Y = self.data([1.0, 0.001, 50.0])
        with pytest.warns(UserWarning) as caught:
            model.fit(X, Y)
        messages = [str(w.message) for w in caught if "standard deviations" in str(w.message)]
        (message,) = messages
        assert "from 0.001 (task 1) to 50 (task 2)" in message and "scale_tasks=True" in message

    @pytest.mark.parametrize(
        ("model", "scales"),
        [
            (BlockSparseRegressor(0.1), [1.0, 2.0, 90.0]),
            (BlockSparseRegressor(0.1), [1.0, 0.0, 2.0]),  # constant labels have no scale
            (BlockSparseRegressor(0.1, scale_tasks=True), [1.0, 0.001, 50.0]),
            (IndependentTaskRegressor(0.1), [1.0, 0.001, 50.0]),
            (BlockSparseRegressor(0.0), [1.0, 0.001, 50.0]),
        ],
    )
    def test_silent_otherwise(self, model, scales):
        X, Y = self.data(scales)
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message=".*standard deviations")
            model.fit(X, Y)

    def test_counts_have_no_unit(self):
        X, _ = self.data(1.0)
        Y = np.random.default_rng(0).poisson([1.0, 1e6], (60, 2)).astype(float)
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message=".*standard deviations")
            LowRankRegressor(1.0, loss="poisson", max_iter=3).fit(X, Y)


def test_constant_and_tiny_tasks_do_not_disturb_others():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    y = X @ [1.3, -0.4, 0.9, -0.5] + 0.1 * rng.normal(size=60)
    alone = BlockSparseRegressor(1e-3, scale_tasks=True).fit(X, y[:, None])
    beside = BlockSparseRegressor(1e-3, scale_tasks=True).fit(X, np.c_[y, np.full(60, 0.1)])
    np.testing.assert_allclose(beside.coef_[0], alone.coef_[0], atol=0.01)
    assert not beside.coef_[1].any()
    units = IndependentTaskRegressor(1e-6).fit(X, np.c_[1e9 * y, 1e-7 * y])
    np.testing.assert_allclose(units.coef_[1] * 1e16, units.coef_[0], rtol=1e-6)
    counts = np.c_[rng.poisson(np.exp(0.3 * y)), np.full(60, 3.0)]
    model = BlockSparseRegressor(0.1, loss="poisson").fit(X, counts)
    assert model.n_iter_ < 1000 and np.abs(model.coef_[1]).max() < 1e-12


@pytest.fixture(scope="module")
def dataset():
    return make_block_sparse(25, 6, 4, n_informative=3, layout="stacked", random_state=1)


def test_probabilities_that_are_all_zero_become_uniform():
    X = np.array([[-1e4], [0.0], [1e4], [-1e4], [0.0], [1e4]])
    model = BlockSparseClassifier(0.1).fit(X, [0, 1, 2, 0, 1, 2])
    model.coef_[:], model.intercept_[:] = 0, -1e4
    np.testing.assert_allclose(model.predict_proba(X), 1 / 3)


def test_scores(dataset):
    shared = make_block_sparse(40, 5, 3, n_informative=2, random_state=0)
    model = BlockSparseRegressor(0.1).fit(shared.data, shared.target)
    Z, Y = model.predict(shared.data), shared.target
    per_task = 1 - ((Y - Z) ** 2).sum(0) / ((Y - Y.mean(0)) ** 2).sum(0)
    assert model.score(shared.data, Y) == pytest.approx(per_task.mean())
    few = Y.copy()
    few[1:, 0] = np.nan
    assert model.score(shared.data, few) == pytest.approx(per_task[1:].mean())
    stacked = PooledTaskRegressor(0.1, task_column=-1).fit(dataset.data, dataset.target)
    residual = dataset.target - stacked.predict(dataset.data)
    expected = 1 - (residual**2).sum() / ((dataset.target - dataset.target.mean()) ** 2).sum()
    assert stacked.score(dataset.data, dataset.target) == pytest.approx(expected)


@pytest.fixture(scope="module")
def classified():
    """A fitted classifier of three tasks, its data, and which labels are predicted correctly."""
    dataset = make_block_sparse(40, 5, 3, n_informative=2, classification=True, random_state=0)
    labels = dataset.target.astype(float)
    labels[::7, 2] = 1 - labels[::7, 2]  # so that some are wrong
    model = BlockSparseClassifier().fit(dataset.data, labels)
    return model, dataset.data, labels, model.predict(dataset.data) == labels


def test_accuracy_counts_rows_with_all_observed_labels_right(classified):
    model, X, Y, right = classified
    assert 0.1 < right.all(axis=1).mean() < right.mean()
    assert model.score(X, Y) == sklearn_accuracy_score(Y, model.predict(X))
    # Removing the wrong label makes a row correct; removing a correct one has no effect.
    wrong, fine = np.argwhere(~right)[0], np.argwhere(right & (right.sum(1) > 1)[:, None])[0]
    for where, gain in ((fine, 0), (wrong, right[wrong[0]].sum() == 2)):
        fewer = Y.copy()
        fewer[tuple(where)] = np.nan
        assert model.score(X, fewer) == pytest.approx(model.score(X, Y) + gain / 40)
    missing = Y.copy()
    missing[::3, 1] = np.nan
    missing[5] = np.nan  # does not count
    kept = [
        all(r for r, label in zip(row, labels, strict=True) if label == label)
        for row, labels in zip(right, missing, strict=True)
    ]
    assert model.score(X, missing) == pytest.approx(np.mean(kept[:5] + kept[6:]))


def test_accuracy_weighs_rows(classified):
    model, X, Y, right = classified
    weight = np.random.default_rng(0).uniform(0, 2, 40)
    expected = sklearn_accuracy_score(Y, model.predict(X), sample_weight=weight)
    assert model.score(X, Y, weight) == pytest.approx(expected, rel=1e-12)
    assert model.score(X, Y, np.tile(weight[:, None], 3)) == pytest.approx(expected, rel=1e-12)
    missing = Y.copy()
    missing[:10] = np.nan
    assert model.score(X, missing, weight) == pytest.approx(
        np.average(right.all(axis=1)[10:], weights=weight[10:])
    )
    weight[:20] = 0
    assert model.score(X, Y, weight) == pytest.approx(model.score(X[20:], Y[20:], weight[20:]))


def test_accuracy_leaves_out_labels_of_zero_weight_without_a_jump(classified):
    model, X, Y, right = classified
    weight = np.random.default_rng(0).uniform(0.5, 2, Y.shape)
    hidden = np.random.default_rng(1).random(Y.shape) < 0.4
    left_out = model.score(X, np.where(hidden, np.nan, Y), weight)
    assert model.score(X, Y, np.where(hidden, 0, weight)) == pytest.approx(left_out, rel=1e-12)
    assert model.score(X, Y, np.where(hidden, 1e-9, weight)) == pytest.approx(left_out, abs=1e-8)
    # By hand: the rows weigh 3, 2 and 1; the first loses 2 of its 3, the last all.
    y_pred, y_true = [[1, 1], [1, 0], [0, 1]], [[1, 0], [1, 0], [1, np.nan]]
    weight = [[3, 2], [1, 2], [1, 9]]
    assert subset_accuracy_score(y_true, y_pred, sample_weight=weight) == pytest.approx(3 / 6)
    with pytest.warns(UndefinedMetricWarning, match="no label to score"):
        assert np.isnan(model.score(X, np.full(Y.shape, np.nan)))
    with pytest.raises(ValueError, match=r"shape \(40,\) or \(40, 3\), got \(3,\)"):
        model.score(X, Y, np.ones(3))


@pytest.mark.parametrize("make", [sp.csr_matrix, sp.csc_array])
def test_scores_take_the_sparse_labels_that_fit_takes(make, dataset, classified):
    model, X, Y, _ = classified
    refitted = BlockSparseClassifier().fit(X, make(Y))
    assert refitted.score(X, make(Y)) == model.score(X, Y)
    regressor = BlockSparseRegressor(0.1).fit(X, make(Y))
    assert regressor.score(X, make(Y)) == pytest.approx(regressor.score(X, Y))
    for cls, y in (
        (PooledTaskRegressor, dataset.target),
        (BlockSparseClassifier, dataset.target > 0),
    ):
        stacked = cls(0.1, task_column=-1).fit(dataset.data, y)
        column = make(np.asarray(y, dtype=float)[:, None])
        assert stacked.score(dataset.data, column) == pytest.approx(stacked.score(dataset.data, y))
