"""Folds of blocks: balanced within tasks, and reproducible."""

import numpy as np
import pytest

from skmtl.dask._folds import NO_FOLD, assign_folds
from tests.statistics_cases import every_layout, make_case


def folds_of(case, number=0, n_folds=5, rows=slice(None)):
    return assign_folds(number, *case.part(rows), case.params.get("task_column"), n_folds)


@every_layout
def test_folds_of_a_block_are_balanced_within_tasks(layout):
    case = make_case(layout)
    folds, tasks = folds_of(case), np.zeros(120)
    if layout == "stacked":
        tasks = case.X[:, -1]
    for task in np.unique(tasks):
        sizes = np.bincount(folds[(tasks == task) & (folds != NO_FOLD)], minlength=5)
        assert sizes.max() - sizes.min() <= 1


def test_rows_without_labels_have_no_fold_and_change_nothing():
    case = make_case("stacked")
    before = folds_of(case, rows=np.arange(120) % 3 > 0)
    case.weights[::3] = 0
    folds = folds_of(case)
    assert (folds[::3] == NO_FOLD).all()
    np.testing.assert_array_equal(folds[np.arange(120) % 3 > 0], before)
    case = make_case("missing")
    case.y[5] = np.nan
    unlabelled = np.isnan(case.y).all(axis=1)
    np.testing.assert_array_equal(folds_of(case) == NO_FOLD, unlabelled)


def test_they_are_the_same_in_every_release():
    case = make_case("stacked", n=8)
    folds = [folds_of(case, number, 3).tolist() for number in range(2)]
    assert folds == [[1, 1, 0, 2, 2, 2, 1, 0], [1, 1, 1, 2, 2, 2, 2, 0]]


@pytest.mark.parametrize("layout", ["single", "stacked"])
def test_blocks_of_one_row_are_spread_over_all_folds(layout):
    case = make_case(layout)
    folds = [folds_of(case, k, rows=slice(k, k + 1))[0] for k in range(120)]
    sizes = np.bincount(folds, minlength=5)
    assert sizes.min() >= 12
