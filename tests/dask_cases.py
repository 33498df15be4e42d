"""Data in blocks of dask, and functions that run on workers."""

import os
import signal
import uuid
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from skmtl import BlockSparseRegressor
from tests.statistics_cases import make_case

pd = pytest.importorskip("pandas")

# Unequal, with a single row and with none.
SIZES = (37, 1, 0, 50, 32)
FEATURES = [f"x{j}" for j in range(5)]


def in_blocks(da, case, sizes=SIZES, unknown=False):
    """The rows of a case as dask arrays; None for weights that it does not have."""
    arrays = []
    for data in (case.X, case.y, case.weights):
        if data is None:
            arrays.append(None)
            continue
        wide = () if data.ndim == 1 else (-1,)
        lazy = da.from_array(data, chunks=(sizes, *wide))
        # dask does not know how many rows a mask keeps.
        arrays.append(lazy[da.ones(sum(sizes), chunks=(sizes,)) > 0] if unknown else lazy)
    return arrays


def assert_same_statistics(found, expected, tol=1e-12):
    """Equal up to rounding error, in any order of summation."""
    assert found.tasks_.tolist() == expected.tasks_.tolist()
    assert found.label_counts_.tolist() == expected.label_counts_.tolist()
    for name in ("weight_sums_", "x_means_", "y_means_"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=tol)
    for task in found.tasks_.tolist():
        for one, other in zip(found.scatter(task), expected.scatter(task), strict=True):
            scale = np.abs(other).max()
            np.testing.assert_allclose(one, other, rtol=tol, atol=tol * scale)


def stacked_frame(n=150, seed=0, ids="string"):
    """Rows of schools, with an index of their own."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(n, 5)) + 3, columns=FEATURES)
    frame["school"] = rng.choice(["north", "south", "west"], n)
    if ids == "category":
        kind = pd.CategoricalDtype(["west", "south", "north"], ordered=True)
        frame["school"] = frame["school"].astype(kind)
    frame["y"] = frame[FEATURES] @ np.arange(5.0) + rng.normal(size=n)
    frame["weight"] = rng.uniform(0.5, 2, n)
    frame.index = pd.Index(np.arange(n) * 10 + 7, name="pupil")
    return frame


def fitted_on(model, frame, columns):
    """The model fitted to rows in memory."""
    return model.fit(frame[columns], frame["y"], frame["weight"])


def die_once(block, marker):
    """The block; the first process that is asked for it dies instead."""
    if not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return block


@dataclass
class Dying:
    """The work of a pass; the first process that does some of it dies instead."""

    work: object
    marker: str

    def start(self):
        return self.work.start()

    def add(self, sums, *batch):
        self.work.add(sums, *die_once(batch, self.marker))


def noted(block, folder):
    """The block, after a note that it was read."""
    (Path(folder) / uuid.uuid4().hex).touch()
    return block


def small_model(**params):
    """A fit that is accurate enough to be compared."""
    return BlockSparseRegressor(0.05, tol=1e-10, **params)


def labelled(loss, Y, seed=0):
    """Labels for a loss, from numbers that increase with its predictor; NaN where these are."""
    rng = np.random.default_rng(seed)
    Z = (Y - np.nanmean(Y)) / np.nanstd(Y)
    if loss in ("logistic", "squared_hinge"):
        return np.where(np.isnan(Z), np.nan, rng.random(Z.shape) < 1 / (1 + np.exp(-2 * Z)))
    if loss == "huber":
        return Z + 0.1 * rng.standard_t(2, Z.shape)
    means = np.exp(0.5 * np.nan_to_num(Z))
    drawn = rng.gamma(2, means / 2) if loss == "gamma" else rng.poisson(means).astype(float)
    return np.where(np.isnan(Z), np.nan, drawn)


def loss_case(loss, layout):
    """The rows of a layout, with labels for a loss."""
    case = make_case(layout)
    case.y = labelled(loss, case.y)
    return case
