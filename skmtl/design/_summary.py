"""What estimators need to know of the labels of batches, in the place of their rows."""

import copy
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from skmtl.design._data import TaskData
from skmtl.design._rounding import deviations_of
from skmtl.design._tasks import check_kind, join_ids

Array = NDArray[Any]


@dataclass(frozen=True)
class TaskSummary(TaskData):
    """The data of tasks whose rows are not in memory.

    It has a single row: X is zero, y and the offset are the weighted means of each task's labels
    and offsets, and the weights are the sums of weights.

    Attributes
    ----------
    counts : int array of shape (n_tasks,)
        Numbers of labels.
    constants, deviations : arrays of shape (n_tasks,)
        See :attr:`constant_labels` and :meth:`standard_deviations`.
    """

    has_rows: ClassVar[bool] = False

    counts: Any = None
    constants: Any = None
    deviations: Any = None

    @property
    def label_counts(self) -> Array:
        counts: Array = self.counts
        return counts

    @property
    def constant_labels(self) -> Array:
        constants: Array = self.constants
        return constants

    def standard_deviations(self) -> Array:
        return np.array(self.deviations)

    def select(self, chosen: Array) -> "TaskSummary":
        part = super().select(chosen)
        assert isinstance(part, TaskSummary)
        if part is self:
            return part
        names = ("counts", "constants", "deviations")
        return replace(part, **{name: getattr(self, name)[chosen] for name in names})


class LabelSums:
    """Statistics of the labels of each task, collected over batches."""

    def __init__(self) -> None:
        # Number, weight, mean, sum of squares around it, smallest, largest, mean offset.
        self._sums: dict[Any, Array] = {}
        self._names: list[Array] = []
        self.has_offset = False

    @property
    def has_labels(self) -> bool:
        return any(sums[0] for sums in self._sums.values())

    def add(self, data: TaskData) -> None:
        """Add the labels of a batch."""
        means, totals = data.label_means, data.totals
        squares = data.per_task(data.weights * (data.y - data.spread(means)) ** 2)
        seen = data.weights > 0
        low = data._reduce(np.minimum, np.where(seen, data.y, np.inf), np.inf)
        high = data._reduce(np.maximum, np.where(seen, data.y, -np.inf), -np.inf)
        offsets = np.zeros(len(means))
        if data.offset is not None:
            self.has_offset = True
            offsets = data.per_task(data.weights * data.offset) / np.where(totals > 0, totals, 1.0)
        columns = (data.label_counts, totals, means, squares, low, high, offsets)
        self._merge(data.tasks, np.column_stack(columns))

    def __add__(self, other: Self) -> Self:
        new = copy.copy(self)
        new._sums, new._names = dict(self._sums), list(self._names)
        new.has_offset = self.has_offset or other.has_offset
        for names in other._names:
            new._merge(names, np.array([other._sums[name] for name in names.tolist()]))
        return new

    def _merge(self, tasks: Array, parts: Array) -> None:
        """Add the statistics (n_tasks, 7) of some tasks."""
        check_kind(self._names, tasks)
        new = np.array([name not in self._sums for name in tasks.tolist()], dtype=bool)
        if new.any():
            self._names.append(tasks[new])
        for name, part in zip(tasks.tolist(), parts, strict=True):
            before = self._sums.get(name)
            self._sums[name] = part if before is None else _merged(before, part)

    def tasks(self, *, by_id: bool) -> Array:
        """The names of the tasks, sorted if they are ids."""
        names = join_ids(self._names)
        return np.unique(names) if by_id else names

    def summary(self, layout: str, n_features: int, tasks: Array, chain: Any) -> TaskSummary:
        """The summary of the tasks.

        Raises
        ------
        ValueError
            If a task has no label.
        """
        sums = np.array([self._sums[name] for name in tasks.tolist()]).T
        counts, totals, means, squares, low, high, offsets = sums
        if (counts == 0).any():
            raise ValueError(
                f"These tasks have no label: {tasks[counts == 0].tolist()}. Leave them out, or "
                f"give them at least one label with a positive weight."
            )
        variances = squares / totals
        return TaskSummary(
            layout,
            np.zeros((1, n_features)),
            means[None],
            totals[None],
            tasks,
            None,
            tasks,
            np.arange(len(tasks)),
            chain=chain,
            offset=offsets[None] if self.has_offset else None,
            counts=counts.astype(np.intp),
            constants=np.where(low == high, low, np.nan),
            deviations=deviations_of(variances, means),
        )


def _merged(one: Array, other: Array) -> Array:
    """The statistics of a task's labels in two parts of the data."""
    total = one[1] + other[1]
    share = other[1] / total if total > 0 else 0.0
    shift = other[2] - one[2]
    mean, offset = one[2] + share * shift, one[6] + share * (other[6] - one[6])
    squares = one[3] + other[3] + one[1] * share * shift**2
    low, high = min(one[4], other[4]), max(one[5], other[5])
    return np.array([one[0] + other[0], total, mean, squares, low, high, offset])


class FeatureSums:
    """Weighted means of the features, around which all sums are taken."""

    def __init__(self) -> None:
        self._total, self._sums = 0.0, np.zeros(0)
        self._low, self._high = np.zeros(0), np.zeros(0)

    def add(self, X: Array, weights: Array) -> None:
        """Add dense rows, with a weight each."""
        if not len(X):
            return
        if not self._total:
            self._sums = np.zeros(X.shape[1])
            self._low, self._high = np.full((2, X.shape[1]), [[np.inf], [-np.inf]])
        self._total += float(weights.sum())
        self._sums += weights @ X
        self._low = np.minimum(self._low, X.min(axis=0))
        self._high = np.maximum(self._high, X.max(axis=0))

    def __add__(self, other: Self) -> Self:
        if not other._total:
            return self
        if not self._total:
            return other
        new = copy.copy(self)
        new._total, new._sums = self._total + other._total, self._sums + other._sums
        new._low = np.minimum(self._low, other._low)
        new._high = np.maximum(self._high, other._high)
        return new

    @property
    def origin(self) -> Array:
        """The means; of constant features exactly their value."""
        return np.where(self._low == self._high, self._low, self._sums / self._total)
