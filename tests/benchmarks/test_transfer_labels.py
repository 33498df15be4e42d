"""The calibration of transfer_gain computes what transfer_gain computes."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from benchmarks._transfer_labels import CASES, cross_validated, run, true_gain
from skmtl.inspection import transfer_gain
from skmtl.model_selection import RepeatedStratifiedTaskKFold


@pytest.mark.turns(2)
@pytest.mark.parametrize("case", CASES[1:], ids=lambda case: case.name)
def test_losses_without_checks_are_those_of_transfer_gain(case):
    world = replace(case.world, n_rows=10)
    rng = np.random.default_rng(0)
    X, y = world.rows(world.tasks(rng), rng)
    cv = RepeatedStratifiedTaskKFold(5, n_repeats=2, task_column=-1, random_state=0)
    folds = list(cv.split(X, y))
    fast = cross_validated(case.estimator, case.baseline, X, y, folds)
    slow = transfer_gain(
        case.estimator, X, y, baselines=[("baseline", case.baseline)], tune=False, cv=folds
    )["baseline"]
    assert_allclose(fast.fold_gains, slow.fold_gains)
    assert_allclose(fast.model.low, slow.model.low)
    assert_array_equal(fast.verdict, slow.verdict)


def test_the_true_gain_of_unrelated_tasks_is_negative():
    case = CASES[3]
    rng = np.random.default_rng(0)
    world = replace(case.world, n_rows=60)
    gain = true_gain(case, world, world.tasks(rng), rng)
    assert gain[:10].mean() < -0.5 < gain[10:].mean()


def test_a_row_of_the_table():
    row = run(CASES[0], 10, 2)
    assert row["wrong"] == 0 and row["labelled"] == 0 and row["covered"] == 1
