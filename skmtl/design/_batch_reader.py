"""From batches to training data whose tasks are those of all batches."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skmtl.design._batch import ClassCoding, read_rows
from skmtl.design._data import TaskData
from skmtl.design._named_sums import COLUMNS
from skmtl.design._names import describe_names
from skmtl.design._passes import Passes
from skmtl.design._summary import FeatureSums, LabelSums, TaskSummary
from skmtl.design._tasks import UNKNOWN, chain_of, look_up_tasks

Array = NDArray[Any]
Prepare = Callable[[Any, TaskData], TaskData]


@dataclass
class BatchCounts:
    """What the first pass finds out of some batches; the counts of others can be added.

    Attributes
    ----------
    attributes : dict of str to object
        What reading sets: the columns of X, and what the estimator derives from those of y.
    layout : str or None
        None before the first batch.
    names : ndarray
        The tasks of the first batch.
    categories : list or None
        The order of the task ids or of the classes, if all batches have the same.
    labels : LabelSums
    features : FeatureSums
    coding : ClassCoding or None
        None for numeric labels.
    table : dict
        The number and the weight of the labels of each task and class.
    """

    coding: ClassCoding | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    layout: str | None = None
    names: Array = field(default_factory=lambda: np.zeros(0))
    categories: list[Any] | None = None
    labels: LabelSums = field(default_factory=LabelSums)
    features: FeatureSums = field(default_factory=FeatureSums)
    table: dict[Any, dict[Any, Array]] = field(default_factory=dict)

    def check(self, layout: str, names: Array) -> None:
        """Raise unless further labels have the same layout and, with a matrix y, columns."""
        if layout != self.layout:
            raise ValueError(
                f"The labels are in the {layout} layout, those before in the {self.layout} "
                f"layout. Pass a matrix y always, or a 1-D y always."
            )
        if layout == "stacked" or names.tolist() == self.names.tolist():
            return
        own, given = self.names.tolist(), names.tolist()
        missing = [name for name in own if name not in given]
        extra = [name for name in given if name not in own]
        raise ValueError(
            f"The columns of y must be {own[:20]}, as before: y "
            f"{describe_names(missing, extra) or 'has them in another order'}."
        )

    def __add__(self, other: Self) -> Self:
        if other.layout is None:
            return self
        if self.layout is None:
            return other
        self.check(other.layout, other.names)
        for name in COLUMNS:
            own, given = (np.array(one.attributes.get(name)).tolist() for one in (self, other))
            if own != given:
                raise ValueError(
                    f"The columns of X differ: {name} is {own} and {given}. Pass the same columns."
                )
        table = {task: dict(cells) for task, cells in self.table.items()}
        for task, cells in other.table.items():
            add_cells(table.setdefault(task, {}), cells)
        return replace(
            self,
            coding=None if self.coding is None else self.coding.joined(other.coding),
            categories=self.categories if self.categories == other.categories else None,
            labels=self.labels + other.labels,
            features=self.features + other.features,
            table=table,
        )


def add_cells(row: dict[Any, Array], cells: dict[Any, Array]) -> None:
    """Add the numbers and weights of a task's classes."""
    for label, cell in cells.items():
        row[label] = row[label] + cell if label in row else cell


class BatchReader:
    """Reads numeric labels.

    Parameters
    ----------
    estimator : estimator
        ``count`` sets its ``n_features_in_`` and ``feature_names_in_``.
    prepare : callable
        Checks and recodes the labels of a batch, given an estimator with these attributes.

    Attributes
    ----------
    summary : TaskSummary
        Set by ``count``.
    origin : ndarray of shape (n_features,)
        The means of the features, set by ``count``.
    """

    summary: TaskSummary
    origin: Array
    # That of the first pass, without which numbers and names of classes cannot be read.
    counts: BatchCounts

    def __init__(self, estimator: Any, prepare: Prepare) -> None:
        self.estimator, self.prepare = estimator, prepare

    def count(self, passes: Passes) -> TaskSummary:
        """The first pass: the tasks, their labels, and the means of the features.

        Raises
        ------
        ValueError
            If a batch is not valid, does not match those before it, or there is no label.
        """
        counts = passes.total(self)
        if counts.layout is None or not counts.labels.has_labels:
            raise ValueError(
                "The batches hold no label with a positive weight: there is nothing to fit."
            )
        for name in COLUMNS:
            vars(self.estimator).pop(name, None)
        vars(self.estimator).update(counts.attributes)
        self.origin = counts.features.origin
        self.summary = self._summarise(counts, counts.layout)
        self.counts = BatchCounts(counts.coding, layout=counts.layout, names=counts.names)
        return self.summary

    def read(self, X: Any, y: Any, sample_weight: Any, origin: Array) -> TaskData:
        """A batch of a further pass, with all tasks, and features less an origin."""
        counts = self.counts
        data, _ = read_rows(self.estimator, X, y, sample_weight, first=False, coding=counts.coding)
        counts.check(data.layout, data.tasks)
        data = self._with_all_tasks(self.prepare(self.estimator, data))
        return replace(data, X=_dense(data.X) - origin)

    # The first pass

    def start(self) -> BatchCounts:
        return BatchCounts()

    def add(self, counts: BatchCounts, X: Any, y: Any, sample_weight: Any) -> None:
        """Count the labels of a batch."""
        # The estimator is also that of other threads.
        estimator, before = copy.copy(self.estimator), vars(self.estimator)
        for name in COLUMNS:
            vars(estimator).pop(name, None)
        vars(estimator).update(counts.attributes)
        first = counts.layout is None
        data, categories = read_rows(
            estimator, X, y, sample_weight, first=first, coding=counts.coding
        )
        if first:
            counts.layout, counts.names, counts.categories = data.layout, data.tasks, categories
        counts.check(data.layout, data.tasks)
        counts.categories = categories if categories == counts.categories else None
        data = self.prepare(estimator, data)
        counts.attributes = {
            name: value
            for name, value in vars(estimator).items()
            if name in COLUMNS or value is not before.get(name)
        }
        if len(data.y):
            self._add(counts, data)

    def _add(self, counts: BatchCounts, data: TaskData) -> None:
        counts.labels.add(data)
        weights = data.weights if data.weights.ndim == 1 else data.weights.sum(axis=1)
        counts.features.add(_dense(data.X), weights)

    def _summarise(self, counts: BatchCounts, layout: str) -> TaskSummary:
        tasks = counts.labels.tasks(by_id=layout == "stacked")
        chain = chain_of(counts.categories, tasks)
        return counts.labels.summary(layout, len(self.origin), tasks, chain)

    # Further passes

    def _with_all_tasks(self, data: TaskData) -> TaskData:
        """The data with the tasks of all batches."""
        if data.layout != "stacked":
            return data
        assert data.codes is not None
        tasks = self.summary.tasks
        places = look_up_tasks(tasks, data.tasks)
        if (places == UNKNOWN).any():
            raise ValueError(
                f"X holds the tasks {data.tasks[places == UNKNOWN].tolist()[:10]}, which were not "
                f"in the first pass. Pass the same batches in each pass."
            )
        return replace(
            data,
            codes=places[data.codes],
            tasks=tasks,
            all_tasks=tasks,
            positions=np.arange(len(tasks)),
        )


def _dense(X: Any) -> Array:
    return np.asarray(X.toarray() if sp.issparse(X) else X)
