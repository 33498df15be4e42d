"""The assignment of rows to folds: guarantees for all data."""

import time

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from skmtl._folds import (
    ALWAYS_TRAIN,
    _repair,
    assign_groups,
    assign_shared,
    assign_stacked,
    label_strata,
)


def spread(numbers):
    """Largest minus smallest, per column."""
    return np.ptp(np.asarray(numbers), axis=0)


def rngs():
    return st.one_of(
        st.none(),
        st.integers(0, 99).map(np.random.RandomState),
        st.integers(0, 99).map(np.random.default_rng),
    )


@st.composite
def stacked_data(draw):
    n = draw(st.integers(1, 60))
    codes = draw(st.lists(st.integers(0, 8), min_size=n, max_size=n))
    classes = draw(st.none() | st.lists(st.integers(0, 3), min_size=n, max_size=n))
    return np.array(codes), None if classes is None else np.array(classes)


@st.composite
def label_matrices(draw):
    """Sparse matrices of 0, 1, NaN (by class) or reals (not), many with few labels per task."""
    n, n_tasks = draw(st.integers(1, 25)), draw(st.integers(1, 6))
    by_class = draw(st.booleans())
    values = [np.nan, np.nan, 0.0, 1.0] if by_class else [np.nan, np.nan, 0.5, 2.0]
    flat = draw(st.lists(st.sampled_from(values), min_size=n * n_tasks, max_size=n * n_tasks))
    return np.array(flat).reshape(n, n_tasks), by_class


@given(stacked_data(), st.integers(2, 6), rngs())
def test_stacked_is_even_by_task_class_and_size(data, n_splits, rng):
    codes, classes = data
    folds = assign_stacked(codes, classes, n_splits, rng)
    single = np.isin(codes, np.flatnonzero(np.bincount(codes) == 1))
    np.testing.assert_array_equal(folds == ALWAYS_TRAIN, single)
    assert folds.max() < n_splits
    groups = [~single] + [(codes == t) & ~single for t in np.unique(codes)]
    if classes is not None:
        groups += [group & (classes == c) for group in groups[1:] for c in np.unique(classes)]
    for group in groups:
        assert spread(np.bincount(folds[group], minlength=n_splits)) <= 1


def test_stacked_by_hand():
    codes = np.array([5, 5, 5, 2, 2, 9])
    np.testing.assert_array_equal(assign_stacked(codes, None, 2, None), [0, 1, 0, 0, 1, -1])
    classes = np.array(["b", "a", "b", "a", "a", "a"])
    np.testing.assert_array_equal(assign_stacked(codes, classes, 2, None), [1, 0, 0, 0, 1, -1])


def test_shuffling_depends_on_the_rng_alone():
    codes = np.repeat(np.arange(4), 30)
    folds = [assign_stacked(codes, None, 3, np.random.RandomState(s)) for s in (0, 0, 1)]
    np.testing.assert_array_equal(folds[0], folds[1])
    assert (folds[0] != folds[2]).any()


@settings(max_examples=300)
@given(label_matrices(), st.integers(2, 5), rngs())
def test_shared_guarantees(data, n_splits, rng):
    Y, by_class = data
    folds = assign_shared(*label_strata(Y, by_class), n_splits, rng)
    labelled = ~np.isnan(Y)
    assert folds.min() >= ALWAYS_TRAIN and folds.max() < n_splits

    only = labelled.sum(axis=0) == 1
    holds_only_label = labelled[:, only].any(axis=1)
    assert (folds[holds_only_label] == ALWAYS_TRAIN).all()

    for k in range(n_splits):
        in_training = labelled[folds != k].any(axis=0)
        assert in_training[labelled.any(axis=0)].all()

    if (~holds_only_label).sum() >= n_splits:
        assert np.bincount(folds[folds >= 0], minlength=n_splits).all()


def test_two_labels_each_are_kept_apart_without_sacrifice():
    """A chain of tasks with two labels each: only the alternating assignment is valid."""
    n = 12
    Y = np.full((n, n - 1), np.nan)
    for t in range(n - 1):
        Y[t : t + 2, t] = 0.5
    for seed in range(20):
        folds = assign_shared(*label_strata(Y, False), 3, np.random.RandomState(seed))
        assert (folds[1:] != folds[:-1]).all()
        assert (folds >= 0).all()


def test_a_triangle_of_tasks_in_two_folds_sacrifices_one_row():
    Y = np.full((3, 3), np.nan)
    for t, rows in enumerate([(0, 1), (1, 2), (2, 0)]):
        Y[list(rows), t] = 1.5
    folds = assign_shared(*label_strata(Y, False), 2, None)
    assert sorted(folds) == [ALWAYS_TRAIN, 0, 1]
    assert sorted(assign_shared(*label_strata(Y, False), 3, None)) == [0, 1, 2]


def test_repair_moves_a_row_where_that_breaks_no_other_task():
    """Task 0 is stuck in fold 0. Row 0 may not join row 2 (task 1), row 1 may."""
    labelled = np.array([[1, 1], [1, 0], [0, 1]], dtype=bool)
    folds = np.array([0, 0, 1])
    _repair(folds, labelled, 2)
    np.testing.assert_array_equal(folds, [0, 1, 1])
    folds = np.array([0, 0, 1])
    _repair(folds, labelled, 3)  # the empty third fold would be possible for either
    np.testing.assert_array_equal(folds, [2, 0, 1])


def test_label_strata():
    Y = np.array([[0.0, np.nan], [1.0, 1.0]])
    members, tasks = label_strata(Y, True)
    np.testing.assert_array_equal(tasks, [0, 1, 0, 1])
    np.testing.assert_array_equal(members, [[1, 0, 0, 0], [0, 0, 1, 1]])
    members, tasks = label_strata(Y, False)
    np.testing.assert_array_equal(tasks, [0, 1])
    np.testing.assert_array_equal(members, [[1, 0], [1, 1]])


def random_labels(n, n_tasks, observed, positive, seed=0):
    rng = np.random.RandomState(seed)
    Y = (rng.rand(n, n_tasks) < positive).astype(float)
    Y[rng.rand(n, n_tasks) > observed] = np.nan
    return Y


@pytest.mark.parametrize("observed", [0.05, 0.5, 1.0])
def test_shared_is_nearly_even_by_task_and_class(observed):
    Y = random_labels(3000, 6, observed, 0.1)
    members, tasks = label_strata(Y, True)
    folds = assign_shared(members, tasks, 5, np.random.RandomState(0))
    numbers = np.array([members[folds == k].sum(axis=0) for k in range(5)])
    assert (spread(numbers) <= np.maximum(2, 0.05 * numbers.mean(axis=0))).all()
    assert spread(np.bincount(folds)) <= 0.02 * len(Y)


def test_rows_without_any_label_even_out_the_sizes():
    Y = np.full((100, 2), np.nan)
    Y[:10] = 1.0
    folds = assign_shared(*label_strata(Y, True), 4, np.random.RandomState(0))
    np.testing.assert_array_equal(np.bincount(folds), [25, 25, 25, 25])


def test_shared_is_fast_enough_for_many_rows():
    members, tasks = label_strata(random_labels(60_000, 10, 0.5, 0.1), True)
    start = time.perf_counter()
    assign_shared(members, tasks, 5, np.random.RandomState(0))
    # About 0.7 s on an idle machine; a cost quadratic in the rows would take minutes.
    assert time.perf_counter() - start < 60


# Groups of rows that stay together


@st.composite
def grouped_data(draw):
    """Tasks of rows, or of a label matrix, and groups of either many rows or few."""
    n, n_groups = draw(st.integers(2, 40)), draw(st.integers(1, 12))
    groups = draw(st.lists(st.integers(0, n_groups), min_size=n, max_size=n))
    groups = np.unique(groups, return_inverse=True)[1].reshape(-1)
    if draw(st.booleans()):
        codes = np.array(draw(st.lists(st.integers(0, 5), min_size=n, max_size=n)))
        return groups, codes[:, None] == np.arange(6)
    flat = draw(st.lists(st.booleans(), min_size=4 * n, max_size=4 * n))
    return groups, np.array(flat).reshape(n, 4)


@given(grouped_data(), st.integers(2, 5), rngs())
def test_groups_stay_together_and_every_task_trains(data, n_splits, rng):
    groups, labelled = data
    as_sparse = sp.csr_array(labelled, dtype=float)
    folds = assign_groups(groups, as_sparse, as_sparse, n_splits, rng)
    for group in np.unique(groups):
        assert len(np.unique(folds[groups == group])) == 1
    for fold in range(n_splits):
        assert labelled[folds != fold].any(axis=0)[labelled.any(axis=0)].all()
    alone = [len(np.unique(groups[task])) == 1 for task in labelled.T]
    must_train = np.isin(groups, groups[labelled[:, alone].any(axis=1)])
    assert (folds[must_train] == ALWAYS_TRAIN).all()
    if len(np.unique(groups[~must_train])) >= n_splits:
        assert set(range(n_splits)) <= set(folds)
    if labelled.sum(axis=1).max() <= 1:  # stacked: no other rows must be in every training set
        assert (folds[~must_train] >= 0).all()


@given(stacked_data(), st.integers(2, 6), rngs())
def test_groups_of_single_rows_are_even(data, n_splits, rng):
    codes, _ = data
    labelled = sp.csr_array(codes[:, None] == np.arange(9), dtype=float)
    folds = assign_groups(np.arange(len(codes)), labelled, labelled, n_splits, rng)
    for task in np.unique(codes):
        testable = folds[(codes == task) & (folds >= 0)]
        assert spread(np.bincount(testable, minlength=n_splits)) <= 1


def test_groups_by_hand():
    # Two tasks, each with a group of four rows, one of two rows, and two of one row.
    groups = np.repeat(np.arange(8), [4, 2, 1, 1] * 2)
    labelled = sp.csr_array(np.repeat(np.eye(2), 8, axis=0))
    folds = assign_groups(groups, labelled, labelled, 2, None)
    for task in (slice(8), slice(8, 16)):
        assert np.bincount(folds[task]).tolist() == [4, 4]
