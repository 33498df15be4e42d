"""The data of benchmarks.tour: tables of tasks, their units, and small training parts."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks._tuning import Array
from skmtl.datasets import load_npz
from skmtl.model_selection import StratifiedTaskKFold


@dataclass(frozen=True)
class Source:
    """A file, and how it is split.

    Parameters
    ----------
    file : str
    n_splits : int
    parts : int
        Stacked tasks: each task's rows fall into so many parts, at least ``n_splits``, one of
        which trains while the others test.
    n_train : int
        Tasks of the same rows: how many train.
    ordered : bool
        Whether each task has neighbours in the order of the tasks.
    """

    file: str
    n_splits: int
    parts: int = 0
    n_train: int = 0
    ordered: bool = False


SCHOOL, SARCOS, RIVER, SURVEY = "School", "SARCOS", "river flow", "computer survey"
SOURCES = {
    SCHOOL: Source("school.npz", 4, parts=4),
    SARCOS: Source("sarcos_test4449.npz", 5, n_train=50, ordered=True),
    RIVER: Source("mtr_rf1.npz", 5, n_train=100),
    SURVEY: Source("computer_survey.npz", 2, parts=2),
}


@dataclass(frozen=True, eq=False)
class Data:
    """Rows of all tasks.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), or (n_samples, n_features + 1)
        Stacked tasks: numbered from 0 in the last column.
    y : ndarray of shape (n_samples,), or (n_samples, n_tasks) where the tasks share X
    """

    X: Array
    y: Array

    @property
    def stacked(self) -> bool:
        """Whether each task has rows of its own."""
        return self.y.ndim == 1

    @property
    def features(self) -> Array:
        """X without the task column."""
        return self.X[:, :-1] if self.stacked else self.X

    @property
    def n_tasks(self) -> int:
        """The number of tasks."""
        return len(np.unique(self.X[:, -1])) if self.stacked else self.y.shape[1]

    def task_means(self, rows: Array) -> Array:
        """The mean of y in some of the rows, task by task."""
        if not self.stacked:
            return self.y[rows].mean(axis=0)
        task = self.X[rows, -1].astype(np.intp)
        return np.bincount(task, self.y[rows]) / np.bincount(task)

    def units(self, rows: Array) -> Array:
        """What some of the rows say a unit of y is: the standard deviation.

        Stacked tasks measure the same and have one unit, otherwise each task its own.
        """
        return self.y[rows].std(axis=0)

    def scaled(self, rows: Array) -> "Data":
        """Features of mean 0 and deviation 1 in some of the rows, missing values 0, y in units."""
        known = self.features[rows]
        deviation = np.nanstd(known, axis=0)
        features = (self.features - np.nanmean(known, axis=0)) / np.where(
            deviation > 0, deviation, 1.0
        )
        features = np.nan_to_num(features)
        X = np.column_stack([features, self.X[:, -1]]) if self.stacked else features
        return Data(X, self.y / self.units(rows))


def read(source: Source, folder: Path) -> Data:
    """Read a file; the tasks of a stacked one are numbered from 0."""
    stacked = source.parts > 0
    bunch = load_npz(folder / source.file, stack=stacked)
    if stacked:
        bunch.data[:, -1] = np.unique(bunch.data[:, -1], return_inverse=True)[1]
    return Data(bunch.data, bunch.target)


def splits(source: Source, data: Data) -> list[tuple[Array, Array]]:
    """Training and test rows. No row trains twice."""
    if data.stacked:
        cv = StratifiedTaskKFold(source.parts, task_column=-1, random_state=0)
        return [(train, test) for test, train in cv.split(data.X)][: source.n_splits]
    rows = np.random.default_rng(0).permutation(len(data.X))
    n_used = source.n_splits * source.n_train
    return [
        (train, rows[n_used:]) for train in rows[:n_used].reshape(source.n_splits, source.n_train)
    ]
