"""From batches to binary tasks, whose classes are known after the first pass."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.design._batch import ClassCoding
from skmtl.design._batch_reader import BatchCounts, BatchReader, add_cells
from skmtl.design._data import TaskData
from skmtl.design._summary import TaskSummary
from skmtl.design._tasks import chain_of
from skmtl.design._validation import class_factors

Array = NDArray[Any]


class ClassReader(BatchReader):
    """Reads classes, and applies the estimator's ``class_weight``.

    Attributes
    ----------
    classes : ndarray
        Set by ``count``; as the estimators' ``classes_``.
    """

    classes: Array

    def __init__(self, estimator: Any) -> None:
        super().__init__(estimator, _unchanged)
        # Factors of the labels -1 and +1 of each task, or of the rows of each class.
        self._factors = np.ones((2, 1))
        self._row_factors: Array | None = None

    def start(self) -> BatchCounts:
        return BatchCounts(ClassCoding())

    def _add(self, counts: BatchCounts, data: TaskData) -> None:
        super()._add(counts, data)
        if data.layout == "shared":
            return
        weights, y = data.weights.reshape(-1), data.y.reshape(-1).astype(np.intp)
        codes = np.zeros(len(y), dtype=np.intp) if data.codes is None else data.codes
        assert counts.coding is not None
        labels = counts.coding.labels
        n_classes = len(labels)
        cells, size = codes * n_classes + y, data.n_tasks * n_classes
        both = np.stack([np.bincount(cells, minlength=size), np.bincount(cells, weights, size)])
        for cell in np.flatnonzero(both[0]).tolist():
            task, code = divmod(cell, n_classes)
            row = counts.table.setdefault(data.tasks.tolist()[task], {})
            add_cells(row, {labels[code]: both[:, cell]})

    def _summarise(self, counts: BatchCounts, layout: str) -> TaskSummary:
        if layout == "shared":
            summary = super()._summarise(counts, layout)
            self.classes = np.arange(summary.n_tasks)
            high = summary.totals * (1 + summary.label_means) / 2
            return self._weighted(summary, np.stack([summary.totals - high, high]))
        assert counts.coding is not None
        self.classes = counts.coding.close()
        self._check_classes(layout)
        if layout == "stacked":
            summary = super()._summarise(counts, layout)
            rows = [counts.table[name] for name in summary.tasks.tolist()]
        else:
            tasks = self.classes[1:] if len(self.classes) == 2 else self.classes
            summary = self._one_against_rest(counts, tasks)
            rows = [counts.table[0]] * len(tasks)
        cells = np.zeros((len(rows), len(self.classes), 2))
        for row, found in zip(cells, rows, strict=True):
            for label, cell in found.items():
                row[self.classes.tolist().index(label)] = cell
        if layout == "classes" and len(self.classes) > 2:
            own = cells[np.arange(len(rows)), np.arange(len(rows))]
            cells = np.stack([cells.sum(axis=1) - own, own], axis=1)
        # Tasks, classes -1 and +1, number and weight.
        one = cells[:, :, 0] == 0
        constants = np.where(one[:, 0], 1.0, np.where(one[:, 1], -1.0, np.nan))
        return self._weighted(replace(summary, constants=constants), cells[:, :, 1].T)

    def _check_classes(self, layout: str) -> None:
        name, classes = type(self.estimator).__name__, self.classes.tolist()
        if len(classes) < 2:
            raise ValueError(
                f"{name} needs labels of at least 2 classes, but the batches contain only one "
                f"class: {classes[0]!r}."
            )
        if layout == "stacked" and len(classes) > 2:
            raise ValueError(
                f"Only binary classification is supported. In the stacked layout all tasks share "
                f"one pair of labels, but the batches hold {len(classes)} classes: "
                f"{classes[:10]}. Recode each task's labels to the same pair, e.g. 0 and 1."
            )

    def _one_against_rest(self, counts: BatchCounts, tasks: Array) -> TaskSummary:
        """The summary of the classes of a 1-D y, so far without their labels."""
        n_tasks = len(tasks)
        summary = counts.labels.summary("classes", len(self.origin), np.arange(1), None)
        offset = summary.offset
        return replace(
            summary,
            y=np.zeros((1, n_tasks)),
            weights=np.repeat(summary.weights, n_tasks, axis=1),
            tasks=tasks,
            all_tasks=tasks,
            positions=np.arange(n_tasks),
            chain=chain_of(counts.categories, tasks),
            offset=None if offset is None else np.repeat(offset, n_tasks, axis=1),
            counts=np.repeat(summary.counts, n_tasks),
            deviations=np.zeros(n_tasks),
        )

    def _weighted(self, summary: TaskSummary, sums: Array) -> TaskSummary:
        """The summary with class weights, from the weights (2, n_tasks) of the labels -1 and +1."""
        given, total = self.estimator.class_weight, sums.sum(axis=0)
        binary = np.array([0, 1]) if summary.layout == "shared" else self.classes
        if isinstance(given, dict) and len(binary) > 2:
            self._row_factors = class_factors(given, binary)
            own = sums[1] * self._row_factors
            sums = np.stack([own.sum() - own, own])
        elif given is not None:
            self._factors = np.ones((2, summary.n_tasks))
            if isinstance(given, dict):
                self._factors *= class_factors(given, binary)[:, None]
            else:
                both = (sums > 0).all(axis=0)
                np.divide(total, 2 * sums, out=self._factors, where=both)
            sums = sums * self._factors
        totals = sums.sum(axis=0)
        means = (sums[1] - sums[0]) / totals
        spreads = np.sqrt(np.maximum(1 - means**2, 0.0))
        return replace(summary, y=means[None], weights=totals[None], deviations=spreads)

    def _with_all_tasks(self, data: TaskData) -> TaskData:
        if data.layout == "classes":
            data = self._indicators(data)
        elif data.layout == "stacked":
            data = super()._with_all_tasks(replace(data, y=2 * data.y - 1))
        low, high = (data.spread(np.broadcast_to(f, data.n_tasks)) for f in self._factors)
        return replace(data, weights=data.weights * np.where(data.y > 0, high, low))

    def _indicators(self, data: TaskData) -> TaskData:
        """One column for each class of a 1-D y."""
        tasks, codes, weights = self.summary.tasks, data.y[:, 0].astype(np.intp), data.weights
        if self._row_factors is not None:
            weights = weights * self._row_factors[codes][:, None]
        own = self.classes[codes][:, None] == tasks[None, :]
        offset = data.offset
        return replace(
            data,
            y=np.where(own, 1.0, -1.0),
            weights=np.repeat(weights, len(tasks), axis=1),
            tasks=tasks,
            all_tasks=tasks,
            positions=np.arange(len(tasks)),
            offset=None if offset is None else np.repeat(offset, len(tasks), axis=1),
        )


def _unchanged(estimator: Any, data: TaskData) -> TaskData:
    return data
