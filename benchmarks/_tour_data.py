"""The data of benchmarks.tour: the data sets, their scaling, and small training parts."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks._tuning import Array
from skmtl.datasets import load_npz
from skmtl.model_selection import StratifiedTaskKFold


@dataclass(frozen=True)
class Source:
    """A data file, and how it is split.

    Parameters
    ----------
    file : str
    n_splits : int
    parts : int
        Stacked tasks: the number of parts, at least ``n_splits``, into which each task's rows are
        divided. One part is for training, the others for testing. 0 if the tasks share their rows.
    n_train : int
        Tasks with common rows: the number of training rows.
    ordered : bool
        Whether the order of the tasks is meaningful, so that consecutive tasks are neighbours.
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
    """Features and labels of all tasks.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), or (n_samples, n_features + 1)
        Stacked tasks are numbered from 0 in the last column.
    y : ndarray of shape (n_samples,), or (n_samples, n_tasks) if the tasks share X
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
        """The mean of y of each task in the given rows."""
        if not self.stacked:
            return self.y[rows].mean(axis=0)
        task = self.X[rows, -1].astype(np.intp)
        return np.bincount(task, self.y[rows]) / np.bincount(task)

    def units(self, rows: Array) -> Array:
        """The standard deviation of y in the given rows, used as its unit.

        Stacked tasks measure the same quantity and share one unit; otherwise each task has its own.
        """
        return self.y[rows].std(axis=0)

    def scaled(self, rows: Array) -> "Data":
        """The data standardised by the given rows.

        Features have mean 0 and standard deviation 1 in these rows, missing values are set to 0,
        and y is divided by its units.
        """
        known = self.features[rows]
        deviation = np.nanstd(known, axis=0)
        features = (self.features - np.nanmean(known, axis=0)) / np.where(
            deviation > 0, deviation, 1.0
        )
        features = np.nan_to_num(features)
        X = np.column_stack([features, self.X[:, -1]]) if self.stacked else features
        return Data(X, self.y / self.units(rows))


def read(source: Source, folder: Path) -> Data:
    """Read a data set; stacked tasks are numbered from 0."""
    stacked = source.parts > 0
    bunch = load_npz(folder / source.file, stack=stacked)
    if stacked:
        bunch.data[:, -1] = np.unique(bunch.data[:, -1], return_inverse=True)[1]
    return Data(bunch.data, bunch.target)


def splits(source: Source, data: Data) -> list[tuple[Array, Array]]:
    """Training and test rows of each split. The training parts do not overlap."""
    if data.stacked:
        cv = StratifiedTaskKFold(source.parts, task_column=-1, random_state=0)
        return [(train, test) for test, train in cv.split(data.X)][: source.n_splits]
    rows = np.random.default_rng(0).permutation(len(data.X))
    n_used = source.n_splits * source.n_train
    return [
        (train, rows[n_used:]) for train in rows[:n_used].reshape(source.n_splits, source.n_train)
    ]
