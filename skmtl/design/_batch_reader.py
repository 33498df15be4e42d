"""From batches to training data whose tasks are those of all batches."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skmtl.design._batch import read_rows
from skmtl.design._data import TaskData
from skmtl.design._names import describe_names
from skmtl.design._passes import BatchPasses
from skmtl.design._summary import FeatureSums, LabelSums, TaskSummary
from skmtl.design._tasks import UNKNOWN, chain_of, look_up_tasks

Array = NDArray[Any]
Prepare = Callable[[TaskData], TaskData]


class BatchReader:
    """Reads numeric labels.

    Parameters
    ----------
    estimator : estimator
        Reading sets its ``n_features_in_`` and ``feature_names_in_``.
    passes : BatchPasses
    prepare : callable
        Checks and recodes the labels of a batch.

    Attributes
    ----------
    summary : TaskSummary
        Set by ``count``.
    """

    summary: TaskSummary
    coding: Any = None

    def __init__(self, estimator: Any, passes: BatchPasses, prepare: Prepare) -> None:
        self.estimator, self.passes, self.prepare = estimator, passes, prepare
        self.labels, self.features = LabelSums(), FeatureSums()
        self._layout: str | None = None
        self._names = np.zeros(0)
        self._categories: Any = None

    def count(self) -> TaskSummary:
        """The first pass: the tasks, their labels, and the means of the features.

        Raises
        ------
        ValueError
            If a batch is not valid, does not match those before it, or there is no label.
        """
        for _ in self.passes.read(self._count):
            pass
        if self._layout is None or not self.labels.has_labels:
            raise ValueError(
                "The batches hold no label with a positive weight: there is nothing to fit."
            )
        self.summary = self._summarise(self._layout)
        return self.summary

    @property
    def origin(self) -> Array:
        """The means of the features (n_features,)."""
        return self.features.origin

    def rows(self, origin: Array) -> Iterator[TaskData]:
        """A further pass: the data of each batch, with all tasks and features less an origin."""

        def convert(X: Any, y: Any, sample_weight: Any) -> TaskData:
            data, _ = read_rows(
                self.estimator, X, y, sample_weight, first=False, coding=self.coding
            )
            self._check_layout(data)
            data = self._with_all_tasks(self.prepare(data))
            return replace(data, X=_dense(data.X) - origin)

        return self.passes.read(convert)

    # The first pass

    def _count(self, X: Any, y: Any, sample_weight: Any) -> None:
        first = self._layout is None
        data, categories = read_rows(
            self.estimator, X, y, sample_weight, first=first, coding=self.coding
        )
        if first:
            self._layout, self._names, self._categories = data.layout, data.tasks, categories
        self._check_layout(data)
        self._categories = categories if categories == self._categories else None
        data = self.prepare(data)
        if len(data.y):
            self._add(data)

    def _add(self, data: TaskData) -> None:
        self.labels.add(data)
        weights = data.weights if data.weights.ndim == 1 else data.weights.sum(axis=1)
        self.features.add(_dense(data.X), weights)

    def _check_layout(self, data: TaskData) -> None:
        if data.layout != self._layout:
            raise ValueError(
                f"The labels are in the {data.layout} layout, those before in the {self._layout} "
                f"layout. Pass a matrix y always, or a 1-D y always."
            )
        if data.layout == "stacked" or data.tasks.tolist() == self._names.tolist():
            return
        own, given = self._names.tolist(), data.tasks.tolist()
        missing = [name for name in own if name not in given]
        extra = [name for name in given if name not in own]
        raise ValueError(
            f"The columns of y must be {own[:20]}, as before: y "
            f"{describe_names(missing, extra) or 'has them in another order'}."
        )

    def _summarise(self, layout: str) -> TaskSummary:
        tasks = self.labels.tasks(by_id=layout == "stacked")
        chain = chain_of(self._categories, tasks)
        return self.labels.summary(layout, len(self.origin), tasks, chain)

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
