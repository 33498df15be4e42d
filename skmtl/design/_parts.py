"""Statistics in the place of X: the data of an estimator that they condense to."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.design._condensed import condense
from skmtl.design._data import Condensed, TaskData
from skmtl.design._statistics import TaskStatistics
from skmtl.design._sums import Sums
from skmtl.design._tasks import chain_of, join_ids

Array = NDArray[Any]


class Parts:
    """One or several statistics, which are fitted as if their rows were one data set.

    Parameters
    ----------
    statistics : TaskStatistics or sequence of TaskStatistics
    continues : bool
        Whether a fit starts from the estimator's previous one.

    Raises
    ------
    TypeError
        If they are something else.
    ValueError
        If one of them holds no labels, or they do not match.
    """

    def __init__(self, statistics: Any, *, continues: bool = False) -> None:
        given = [statistics] if isinstance(statistics, TaskStatistics) else statistics
        wrong = not isinstance(given, Sequence) or not given
        if wrong or not all(isinstance(one, TaskStatistics) for one in given):
            raise TypeError(
                f"Expected TaskStatistics or a list of them, got {statistics!r:.200}. Collect them "
                f"by TaskStatistics.from_batches."
            )
        self.given, self.continues = list(given), continues
        for one in self.given:
            one._check_not_empty()
            if not one._sums.counts.any():
                raise ValueError(
                    "All labels of the statistics have been subtracted. Leave them out, or add "
                    "labels by update(X, y)."
                )
        for one in self.given[1:]:
            self.given[0]._check_columns(one)

    def __len__(self) -> int:
        return len(self.given)

    def data_of(self, estimator: Any) -> TaskData:
        """The data that have the same sums; sets the columns that the estimator knows.

        Raises
        ------
        ValueError
            If the task column or the offsets are not those of the estimator, or a task has no
            label.
        """
        first = self.given[0]
        check_statistics(estimator, first)
        estimator.n_features_in_ = first.n_features_in_
        vars(estimator).pop("feature_names_in_", None)
        if hasattr(first, "feature_names_in_"):
            estimator.feature_names_in_ = first.feature_names_in_
        tasks, sums = self._aligned()
        counts = np.sum([one.counts for one in sums], axis=0)
        if (counts == 0).any():
            raise ValueError(
                f"These tasks have no label: {tasks[counts == 0].tolist()}. Leave them out, or "
                f"give them at least one label with a positive weight."
            )
        rows, places = condense(sums), np.arange(len(tasks))
        categories = [one._categories for one in self.given]
        agree = all(listed == categories[0] for listed in categories)
        return TaskData(
            first._layout,
            rows.X,
            rows.y,
            rows.weights,
            tasks,
            rows.codes,
            tasks,
            places,
            chain=chain_of(categories[0], tasks) if agree else None,
            condensed=Condensed(rows.parts, rows.labels, self.continues),
        )

    def _aligned(self) -> tuple[Array, list[Sums]]:
        """All tasks, and the sums of each part with all of them."""
        first, found = self.given[0], [one._sorted for one in self.given]
        for one, (names, _) in zip(self.given, found, strict=True):
            first._places(one._layout, names)  # raises if they do not match
        if first._layout != "stacked":
            return found[0][0], [sums for _, sums in found]
        tasks = np.unique(join_ids([names for names, _ in found]))
        places = [np.searchsorted(tasks, names.astype(tasks.dtype)) for names, _ in found]
        return tasks, [_spread(sums, own, len(tasks))
                       for own, (_, sums) in zip(places, found, strict=True)]  # fmt: skip


def check_statistics(estimator: Any, statistics: TaskStatistics) -> None:
    """Raise unless the estimator has the task column and the offsets of the statistics."""
    for name in ("task_column", "offset_column"):
        own, theirs = getattr(estimator, name), getattr(statistics, name)
        if own != theirs:
            raise ValueError(
                f"The statistics were collected with {name}={theirs!r}, but "
                f"{type(estimator).__name__} has {name}={own!r}. Set it to the same."
            )


def as_parts(estimator: Any, X: Any, y: Any, sample_weight: Any) -> Any:
    """X itself, or parts if it holds statistics.

    Raises
    ------
    TypeError
        If y or weights are given beside statistics, or the estimator has another loss than the
        squared.
    """
    several = isinstance(X, (list, tuple)) and len(X) and isinstance(X[0], TaskStatistics)
    if not (several or isinstance(X, TaskStatistics)):
        return X
    if y is not None:
        raise TypeError("Statistics contain the labels already: leave y out.")
    if sample_weight is not None:
        raise TypeError(
            "Statistics contain the weights already: pass sample_weight to update instead."
        )
    if not hasattr(estimator, "fit_statistics"):
        raise TypeError(
            f"{type(estimator).__name__} cannot be fitted from statistics, which determine only "
            f"fits with loss='squared'. Pass the rows X and y."
        )
    return Parts(X)


def _spread(sums: Sums, places: Array, n_tasks: int) -> Sums:
    """The sums at some positions among more tasks."""
    if sums.n_tasks == n_tasks:
        return sums
    every = Sums.empty(n_tasks, sums.n_features, n_tasks)
    for field in fields(sums):
        getattr(every, field.name)[places] = getattr(sums, field.name)
    return every
