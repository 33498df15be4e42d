"""Complementary halves of the rows, drawn within tasks."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.utils import check_consistent_length, column_or_1d

from skmtl.design import as_floats, as_label_array, read_weights
from skmtl.inference._rows import tasks_of_labels
from skmtl.inspection import find_task_column
from skmtl.model_selection import StratifiedTaskKFold

Array = NDArray[Any]
Indices = NDArray[np.intp]

# Attempts to draw halves that both have a label of every task.
_N_ATTEMPTS = 20


@dataclass(frozen=True, eq=False)
class LabelledRows:
    """The rows that have a label of positive weight, and what halves of them depend on.

    Attributes
    ----------
    rows : int ndarray of shape (n_rows,)
        Their positions in X.
    tasks : ndarray of shape (n_tasks,)
    codes : int ndarray of shape (n_rows,) or None
        The task of each row in the stacked layout.
    observed : bool ndarray of shape (n_rows, n_tasks) or None
        In the shared layout, whether there is a label.
    strata : ndarray
        The y that StratifiedTaskKFold stratifies by.
    groups : ndarray of shape (n_rows,) or None
    """

    rows: Indices
    tasks: Array
    codes: Indices | None
    observed: NDArray[np.bool_] | None
    strata: Array
    groups: Array | None

    @classmethod
    def read(cls, estimator: Any, X: Any, y: Any, sample_weight: Any, groups: Any) -> Self:
        """Read which rows have labels of which tasks.

        Raises
        ------
        ValueError
            If a task has labels in fewer than two rows or groups.
        """
        labels = as_label_array(y, "stability_selection")
        column, by_class = find_task_column(estimator), is_classifier(estimator)
        check_consistent_length(X, labels, groups)
        if column is not None:
            labels = column_or_1d(labels)
        names, tasks = tasks_of_labels(X, y, labels, column)
        codes, observed = None if column is None else tasks, None
        if labels.ndim == 2:
            labels = as_floats(labels, "y")
            observed = ~np.isnan(labels)
        weights = read_weights(sample_weight, labels.shape, names if labels.ndim == 2 else None)
        if observed is None:
            rows = np.flatnonzero(weights > 0)
        else:
            observed &= weights > 0
            rows = np.flatnonzero(observed.any(axis=1))
            observed = observed[rows]
        strata = labels[rows]
        if not by_class:
            # Only whether there is a label: the halves must not depend on its value.
            strata = np.full(strata.shape, 0.5)
        if observed is not None:
            strata = np.where(observed, strata, np.nan)
        if codes is not None:
            codes = codes[rows]
            kept, codes = np.unique(codes, return_inverse=True)
            names = names[kept]
        groups = None if groups is None else column_or_1d(np.asarray(groups))[rows]
        read = cls(rows, names, codes, observed, strata, groups)
        read._check_counts()
        return read

    def _check_counts(self) -> None:
        units = np.arange(len(self.rows))
        if self.groups is not None:
            units = np.unique(self.groups, return_inverse=True)[1]
        codes, positions = self._label_tasks()
        pairs = np.unique(np.column_stack([codes, units[positions]]), axis=0)
        counts = np.bincount(pairs[:, 0], minlength=len(self.tasks))
        if (counts < 2).any():
            few = self.tasks[counts < 2]
            what = "rows" if self.groups is None else "groups"
            raise ValueError(
                f"Each half of the rows needs a label of every task, but {len(few)} tasks, such as "
                f"{few[0]!s}, have labels in fewer than two {what}. Leave these tasks out."
            )

    def _label_tasks(self) -> tuple[Indices, Indices]:
        """The task and the row of each label."""
        if self.observed is not None:
            positions, codes = np.nonzero(self.observed)
            return codes, positions
        positions = np.arange(len(self.rows))
        return np.zeros_like(positions) if self.codes is None else self.codes, positions

    def draw(self, rng: np.random.RandomState) -> tuple[Indices, Indices]:
        """Two disjoint halves, as ascending positions in X.

        In the stacked layout, and if no label is missing, both have the same number of rows of each
        task.

        Raises
        ------
        ValueError
            If no halves are found that both have a label of every task.
        """
        for _ in range(_N_ATTEMPTS):
            halves = self._split(rng)
            if all(self._has_all_tasks(half) for half in halves):
                first, second = (self.rows[np.sort(half)] for half in halves)
                return first, second
        raise ValueError(
            f"In {_N_ATTEMPTS} attempts no two halves of the rows both had a label of every task. "
            f"Leave out tasks with few labels."
        )

    def _split(self, rng: np.random.RandomState) -> list[Indices]:
        n_rows = len(self.rows)
        stacked = self.codes is not None
        features = np.zeros((n_rows, 1)) if self.codes is None else self.codes[:, None]
        splitter = StratifiedTaskKFold(
            2, task_column=0 if stacked else None, random_state=rng.randint(2**31 - 1)
        )
        halves = [test for _, test in splitter.split(features, self.strata, self.groups)]
        complete = self.observed is None or self.observed.all()
        if self.groups is not None or not complete:
            return halves
        codes = np.zeros(n_rows, dtype=np.intp) if self.codes is None else self.codes
        return _trim(halves, codes, rng)

    def _has_all_tasks(self, half: Indices) -> bool:
        if self.observed is not None:
            return bool(self.observed[half].any(axis=0).all())
        return self.codes is None or len(np.unique(self.codes[half])) == len(self.tasks)


def _trim(halves: list[Indices], codes: Indices, rng: np.random.RandomState) -> list[Indices]:
    """Leave out rows at random where one half has more rows of a task than the other."""
    counts = [np.bincount(codes[half], minlength=codes.max() + 1) for half in halves]
    least = np.minimum(*counts)
    trimmed = []
    for half in halves:
        half = rng.permutation(half)
        half = half[np.argsort(codes[half], kind="stable")]
        starts = np.searchsorted(codes[half], codes[half])  # of each row's task
        trimmed.append(half[np.arange(len(half)) - starts < least[codes[half]]])
    return trimmed
