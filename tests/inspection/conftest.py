"""What tests share: matplotlib without a screen, and the transfer gain of a plot and a table."""

from collections.abc import Iterator
from typing import Any

import pytest
from transfer_problems import ALONE, quick, related

from skmtl import PooledTaskRegressor
from skmtl.inspection import TransferGain


@pytest.fixture(scope="module")
def result() -> TransferGain:
    X, y = related([40, 40, 30, 30, 20, 12, 8], n_unrelated=1)
    return quick(PooledTaskRegressor(0.1, task_column=-1), X, y, baselines=ALONE, n_repeats=3)


@pytest.fixture
def figures() -> Iterator[Any]:
    """``matplotlib.pyplot``; figures are closed after the test."""
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    yield plt
    plt.close("all")
