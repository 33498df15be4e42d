"""Complementary halves: disjoint, of equal size in each task, with every task."""

import numpy as np
import pytest

from skmtl import BlockSparseClassifier, BlockSparseRegressor
from skmtl.inference._complementary import LabelledRows


def halves_of(estimator, X, y, weights=None, groups=None, seed=0):
    rows = LabelledRows.read(estimator, X, y, weights, groups)
    first, second = rows.draw(np.random.RandomState(seed))
    assert not set(first) & set(second)
    return first, second


@pytest.mark.parametrize("n", [10, 11])
def test_shared_halves_are_random_sets_of_equal_size(n):
    X, y = np.zeros((n, 2)), np.arange(2.0 * n).reshape(n, 2)
    together = np.zeros((n, n))
    for seed in range(400):
        first, second = halves_of(BlockSparseRegressor(), X, y, seed=seed)
        assert len(first) == len(second) == n // 2
        together[np.ix_(first, first)] += 1
    # Any two rows are in the first half equally often.
    m = n // 2
    expected = 400 * m * (m - 1) / (n * (n - 1))
    pairs = together[~np.eye(n, dtype=bool)]
    assert np.abs(pairs - expected).max() < 4.5 * np.sqrt(expected)


def test_stacked_halves_have_half_of_each_task():
    codes = np.repeat(["a", "b", "c"], [2, 7, 12])
    X = np.column_stack([np.arange(21.0), np.unique(codes, return_inverse=True)[1]])
    for seed in range(20):
        order = np.random.default_rng(seed).permutation(21)
        for half in halves_of(
            BlockSparseRegressor(task_column=-1), X[order], np.arange(21.0), seed=seed
        ):
            assert np.bincount(X[order][half, 1].astype(int)).tolist() == [1, 3, 6]


def test_classes_are_spread():
    y = np.repeat(["no", "yes"], [30, 10])
    for half in halves_of(BlockSparseClassifier(), np.zeros((40, 2)), y):
        assert (y[half] == "yes").sum() == 5
    indicators = (y == "yes").astype(int)[:, None] * [1, 1]
    for half in halves_of(BlockSparseClassifier(), np.zeros((40, 2)), indicators):
        assert indicators[half, 0].sum() == 5


def test_labels_of_a_regressor_have_no_influence():
    """Integer labels must not be mistaken for classes."""
    X = np.zeros((20, 2))
    for y in (np.arange(20) % 2, np.repeat([0, 1], 10), np.linspace(0, 1, 20)):
        first, _ = halves_of(BlockSparseRegressor(), X, y)
        assert first.tolist() == halves_of(BlockSparseRegressor(), X, 0.5 + y)[0].tolist()


def test_missing_labels_and_zero_weights():
    rng = np.random.default_rng(0)
    y = np.where(rng.random((30, 4)) < 0.7, np.nan, 1.5)
    y[:3] = np.nan
    y[3:5, 0] = 1.0
    weights = np.ones(30)
    weights[5:7] = 0
    for seed in range(30):
        first, second = halves_of(BlockSparseRegressor(), np.zeros((30, 2)), y, weights, seed=seed)
        assert not set(range(3)) & set(first) and not {5, 6} & {*first, *second}
        for half in (first, second):
            assert (~np.isnan(y[half])).any(axis=0).all()


def test_groups_stay_together():
    groups = np.repeat(np.arange(15), 4)
    codes = np.tile([0, 1], 30)
    X = np.column_stack([np.zeros(60), codes])
    first, second = halves_of(
        BlockSparseRegressor(task_column=-1), X, np.arange(60.0), groups=groups
    )
    assert not set(groups[first]) & set(groups[second])
    assert abs(len(first) - len(second)) <= 4


def test_too_few_labels():
    X = np.column_stack([np.zeros(5), [0, 0, 1, 2, 2]])
    model = BlockSparseRegressor(task_column=-1)
    with pytest.raises(ValueError, match="1 tasks, such as 1, have labels in fewer than two rows"):
        LabelledRows.read(model, X, np.arange(5.0), None, None)
    with pytest.raises(ValueError, match="such as 0, have labels in fewer than two groups"):
        LabelledRows.read(model, X[[0, 1, 3, 4]], np.arange(4.0), None, [1, 1, 2, 3])
    y = np.array([[1.0, np.nan], [2.0, 3.0], [4.0, np.nan]])
    with pytest.raises(ValueError, match="such as 1, have labels in fewer than two rows"):
        LabelledRows.read(BlockSparseRegressor(), np.zeros((3, 1)), y, None, None)
