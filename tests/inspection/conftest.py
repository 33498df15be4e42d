"""The transfer gain shared by the tests of its plot and its table."""

import pytest
from transfer_problems import ALONE, quick, related

from skmtl import PooledTaskRegressor
from skmtl.inspection import TransferGain


@pytest.fixture(scope="module")
def result() -> TransferGain:
    X, y = related([40, 40, 30, 30, 20, 12, 8], n_unrelated=1)
    return quick(PooledTaskRegressor(0.1, task_column=-1), X, y, baselines=ALONE, n_repeats=3)
