"""Data in every layout, for fits from sufficient statistics."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from skmtl.design import TaskStatistics

LAYOUTS = ("single", "shared", "weighted", "missing", "stacked")


@dataclass
class Case:
    """Rows, and what their estimators need."""

    X: np.ndarray
    y: np.ndarray
    weights: np.ndarray | None = None
    params: dict = field(default_factory=dict)

    def part(self, rows):
        """The arguments of ``update`` for some rows."""
        weights = None if self.weights is None else self.weights[rows]
        return self.X[rows], self.y[rows], weights

    def parts(self, numbers):
        """The statistics of the rows with each number."""
        return [
            TaskStatistics(**self.params).update(*self.part(numbers == k))
            for k in np.unique(numbers)
        ]

    def statistics(self, n_batches=3):
        """The statistics of all rows, in batches."""
        rows = np.array_split(np.arange(len(self.X)), n_batches)
        return TaskStatistics.from_batches(map(self.part, rows), **self.params)


def make_case(layout, n=120, n_features=5, n_tasks=4, offset=3.0, seed=0):
    """Rows of a layout; the features' means are ``offset``."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, n_features)) + offset
    W = rng.normal(size=(n_features, n_tasks)) + 1
    Y = (X - offset) @ W + rng.normal(size=(n, n_tasks)) + 2
    if layout == "single":
        return Case(X, Y[:, 0])
    if layout == "stacked":
        codes = rng.permutation(np.arange(n) % n_tasks)
        ids = np.column_stack([X, 10 * codes])
        return Case(ids, Y[np.arange(n), codes], rng.uniform(0.2, 2, n), {"task_column": -1})
    if layout == "missing":
        Y[rng.random(Y.shape) < 0.3] = np.nan
        return Case(X, Y, rng.uniform(0.2, 2, n))
    return Case(X, Y, rng.uniform(0.2, 2, n) if layout == "weighted" else None)


every_layout = pytest.mark.parametrize("layout", LAYOUTS)
