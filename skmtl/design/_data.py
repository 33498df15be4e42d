"""Validated training data of either layout."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from skmtl.design._base import Design
from skmtl.design._labels import as_floats
from skmtl.design._names import in_task_order
from skmtl.design._pooled import PooledDesign
from skmtl.design._rounding import deviations_of
from skmtl.design._shared import SharedDesign
from skmtl.design._stacked import StackedDesign

Array = NDArray[Any]

_TINY = np.finfo(np.float64).tiny


@dataclass(frozen=True)
class Condensed:
    """What the rows of the data stand for, if they replace others with the same sums.

    Attributes
    ----------
    parts : int array of shape (n_samples,)
        The part of the data that each row comes from.
    labels : float64 array of shape (n_samples,)
        The number of labels that each row stands for, in each of its tasks.
    continues : bool
        Whether the fit starts from the previous one.
    """

    parts: Array
    labels: Array
    continues: bool = False

    def take(self, rows: Array) -> "Condensed":
        """For some of the rows."""
        return replace(self, parts=self.parts[rows], labels=self.labels[rows])


@dataclass(frozen=True)
class TaskData:
    """Features, labels and weights of all tasks.

    Attributes
    ----------
    layout : {"shared", "stacked", "single", "classes"}
        "single" is one 1-D regression target, "classes" 1-D classes, each against the rest;
        both become shared designs.
    X : dense, CSR or CSC matrix of shape (n_samples, n_features), without a task column
        CSC only in shared layouts.
    y : float64 array, (n_samples, n_tasks), in the stacked layout (n_samples,)
        Class labels are -1 and +1. Arbitrary finite numbers where the weight is 0.
    weights : float64 array, y's shape
        0 where a label is missing.
    tasks : array of shape (n_tasks,)
        The names of the tasks.
    codes : int array of shape (n_samples,) or None
        In the stacked layout each row's task; sorted.
    all_tasks : array
        The names of all tasks of the fit; ``tasks`` may be a subset.
    positions : int array of shape (n_tasks,)
        The positions of these tasks among all tasks of the fit.
    scales : array of shape (n_tasks,) or None
        The numbers by which the labels of each task were divided.
    chain : int array or None
        Positions in ``all_tasks`` in the order of categorical ids; None if they are not ordered.
    offset : float64 array, y's shape, or None
        Known numbers that are added to the linear predictors; zero where a label is missing.
    prior : float64 array of shape (n_tasks, n_features) or None
        What the fitted coefficients are the deviations from. Its predictors are part of the
        offset, or have been subtracted from the labels.
    condensed : Condensed or None
        Set if the rows stand for others, see ``condense``.
    """

    # Whether the rows are in memory; see TaskSummary.
    has_rows: ClassVar[bool] = True

    layout: str
    X: Any
    y: Array
    weights: Array
    tasks: Array
    codes: Array | None
    all_tasks: Array
    positions: Array
    scales: Array | None = None
    chain: Array | None = None
    offset: Array | None = None
    prior: Array | None = None
    condensed: Condensed | None = None

    @property
    def n_tasks(self) -> int:
        return len(self.tasks)

    @cached_property
    def starts(self) -> Array:
        """Stacked layout: each task's first row, and the number of rows (n_tasks + 1,)."""
        assert self.codes is not None
        return np.searchsorted(self.codes, np.arange(self.n_tasks + 1))

    def per_task(self, values: Array) -> Array:
        """Sum values in the labels' shape over each task (n_tasks,)."""
        return self._reduce(np.add, values, 0.0)

    def _reduce(self, ufunc: np.ufunc, values: Array, empty: float) -> Array:
        """Reduce by a ufunc over each task's labels (n_tasks,)."""
        if self.codes is None:
            return np.asarray(ufunc.reduce(values, axis=0, initial=empty))
        reduced, starts = np.full(self.n_tasks, empty), self.starts
        filled = starts[:-1] < starts[1:]
        if filled.any():
            # reduceat gives tasks without rows the first value of the next task.
            reduced[filled] = ufunc.reduceat(values, starts[:-1][filled])
        return reduced

    def spread(self, values: Array) -> Array:
        """Values per task (n_tasks,), broadcast to the labels' shape."""
        return values[self.codes] if self.codes is not None else values[None, :]

    @cached_property
    def has_unit_weights(self) -> bool:
        """Whether all weights are 1: no label is missing, and sums need no weights."""
        return bool((self.weights == 1.0).all())

    @property
    def _row_counts(self) -> Array:
        """The number of rows of each task (n_tasks,)."""
        return np.full(self.n_tasks, len(self.y)) if self.codes is None else np.diff(self.starts)

    @cached_property
    def totals(self) -> Array:
        """Sum of the weights of each task (n_tasks,)."""
        if self.has_unit_weights:
            return self._row_counts.astype(np.float64)
        return self.per_task(self.weights)

    @cached_property
    def label_counts(self) -> Array:
        """Number of labels of each task (n_tasks,)."""
        if self.condensed is not None:
            labels = self.condensed.labels
            counts = (self.weights > 0) * (labels if self.codes is not None else labels[:, None])
            return np.rint(self.per_task(counts)).astype(np.intp)
        if self.has_unit_weights:
            return self._row_counts
        if self.codes is None:
            return np.asarray(np.count_nonzero(self.weights, axis=0))
        return self.per_task((self.weights > 0).astype(np.float64)).astype(np.intp)

    @cached_property
    def label_means(self) -> Array:
        """Weighted mean of the labels of each task (n_tasks,), zero without labels."""
        y = self.y if self.has_unit_weights else self.weights * self.y
        return self.per_task(y) / np.maximum(self.totals, _TINY)

    @cached_property
    def has_row_weights(self) -> bool:
        """Whether each row has the same weight in all tasks; never in the stacked layout."""
        if self.codes is not None:
            return False
        return self.has_unit_weights or bool((self.weights == self.weights[:, :1]).all())

    @cached_property
    def constant_labels(self) -> Array:
        """Each task's label (n_tasks,) if all its labels are equal, otherwise NaN."""
        low = high = self.y
        if not self.has_unit_weights:
            seen = self.weights > 0
            low, high = np.where(seen, low, np.inf), np.where(seen, high, -np.inf)
        lowest = self._reduce(np.minimum, low, np.inf)
        highest = self._reduce(np.maximum, high, -np.inf)
        return np.where(lowest == highest, lowest, np.nan)

    def standardised(self) -> "TaskData":
        """Divide each task's labels by their standard deviation, stored in ``scales``."""
        scales = self.standard_deviations()
        scales[scales == 0] = 1.0
        return replace(self, y=self.y / self.spread(scales), scales=scales)

    def standard_deviations(self) -> Array:
        """The standard deviation of each task's labels (n_tasks,), zero if constant."""
        totals = np.maximum(self.totals, _TINY)
        means = self.label_means
        squares = (self.y - self.spread(means)) ** 2
        if not self.has_unit_weights:
            squares *= self.weights
        variances = self.per_task(squares) / totals
        return deviations_of(variances, means)

    def around(self, prior: Array | None, known: Array, translates: Array) -> "TaskData":
        """The data of the deviations from a prior, whose predictors and the offsets are known.

        Parameters
        ----------
        prior : ndarray of shape (n_tasks, n_features) or None
        known : ndarray in the labels' shape
            The offsets and the predictors of the prior.
        translates : bool array of shape (n_tasks,)
            Where the loss depends on y - z: there they are subtracted from the labels.
        """
        known = np.where(self.weights > 0, known, 0.0)
        less = self.spread(translates)
        offset = None if translates.all() else np.where(less, 0.0, known)
        return replace(self, y=np.where(less, self.y - known, self.y), offset=offset, prior=prior)

    def labelled(self) -> "TaskData":
        """Shared layout: the data without the rows that have no label."""
        used = np.asarray((self.weights > 0).any(axis=1))
        return self if used.all() else self.take(used)

    def take(self, rows: Array) -> "TaskData":
        """The data of some rows, ascending or as a mask, with all tasks, labelled or not."""
        return replace(
            self,
            X=self.X[rows],
            y=self.y[rows],
            weights=self.weights[rows],
            codes=None if self.codes is None else self.codes[rows],
            offset=None if self.offset is None else self.offset[rows],
            condensed=None if self.condensed is None else self.condensed.take(rows),
        )

    def select(self, chosen: Array) -> "TaskData":
        """The data of the tasks where ``chosen`` (n_tasks,) is true."""
        if chosen.all():
            return self
        kept: dict[str, Any] = {"tasks": self.tasks[chosen], "positions": self.positions[chosen]}
        if self.scales is not None:
            kept["scales"] = self.scales[chosen]
        if self.prior is not None:
            kept["prior"] = self.prior[chosen]
        if self.codes is None:
            if self.offset is not None:
                kept["offset"] = self.offset[:, chosen]
            return replace(self, y=self.y[:, chosen], weights=self.weights[:, chosen], **kept)
        rows = np.flatnonzero(chosen[self.codes])
        renumbered = np.cumsum(chosen) - 1
        part = self.take(rows)
        return replace(part, codes=renumbered[part.codes], **kept)

    def labels_of(self, task: int) -> tuple[Any, Array, Array]:
        """Rows of X, labels and weights of one task's labels of positive weight."""
        if self.codes is None:
            rows = np.flatnonzero(self.weights[:, task] > 0)
            return self.X[rows], self.y[rows, task], self.weights[rows, task]
        block = slice(*self.starts[task : task + 2])
        X, y, weights = self.X[block], self.y[block], self.weights[block]
        used = weights > 0
        return (X, y, weights) if used.all() else (X[used], y[used], weights[used])

    def offset_of(self, task: int) -> Array | float:
        """The offsets of the labels that ``labels_of`` returns; 0 without."""
        if self.offset is None:
            return 0.0
        if self.codes is None:
            return np.asarray(self.offset[self.weights[:, task] > 0, task])
        block = slice(*self.starts[task : task + 2])
        return np.asarray(self.offset[block][self.weights[block] > 0])

    def design(
        self,
        task_factors: Array | None,
        *,
        fit_intercept: bool,
        pooling: str | None,
        common_centre: bool = False,
    ) -> Design:
        """The design with weights omega = (T / S) c_t s_i; every task must have a label.

        Parameters
        ----------
        task_factors : array of shape (n_tasks,) or None
            The c_t; None: all 1.
        fit_intercept : bool
        pooling : None, "coefficients" or "all"
            What the tasks share; "all" includes the intercept.
        common_centre : bool
            Centre the features around one mean for all tasks, so that intercepts are comparable.
        """
        omega = self.weights * (self.n_tasks / self.weights.sum())
        if task_factors is not None:
            omega = omega * self.spread(task_factors)
        common = pooling == "all"
        centre = None if not fit_intercept else "common" if common or common_centre else "task"
        tasks: Design
        if self.codes is None:
            tasks = SharedDesign(self.X, omega, centre=centre)
        else:
            tasks = StackedDesign(self.X, self.starts, omega, centre=centre)
        return tasks if pooling is None else PooledDesign(tasks, common_intercept=common)


@dataclass(frozen=True)
class GroupStrengths:
    """Factors c_t that make F a sum over groups of tasks: strength times the group's own F.

    The own F of a group is F of its tasks alone, so that its scale does not depend on the others.

    Attributes
    ----------
    groups : int array of shape (n_all_tasks,)
        The group of each task of the fit.
    strengths : array of shape (n_groups,)
        Positive.
    """

    groups: Array
    strengths: Array

    def factors(self, data: TaskData) -> Array:
        """The factors c_t for the tasks of ``data`` (n_tasks,)."""
        groups, n_groups = self.groups[data.positions], len(self.strengths)
        if data.codes is None and data.has_unit_weights:
            return np.asarray(self.strengths[groups])  # as many labels in each task
        sizes = np.bincount(groups, minlength=n_groups)
        totals = np.bincount(groups, data.totals, minlength=n_groups)
        scales = self.strengths * sizes / np.maximum(totals, _TINY)
        return np.asarray(scales[groups] * data.totals.sum() / data.n_tasks)


def task_factors(task_weight: Any, data: TaskData) -> Array | None:
    """The factors c_t of ``task_weight`` for the tasks of ``data`` (n_tasks,).

    Parameters
    ----------
    task_weight : None, "balanced", array-like, dict or Series
        With an entry for every task of the fit.
    data : TaskData

    Raises
    ------
    ValueError
        If an array has the wrong length, a task is missing or unknown, or a factor is not
        positive and finite.
    """
    if task_weight is None:
        return None
    if isinstance(task_weight, str):
        totals = data.per_task(data.weights)
        return np.asarray(totals.sum() / (data.n_tasks * totals))
    names = data.all_tasks.tolist()
    task_weight = in_task_order(task_weight, names, "task_weight")
    factors = as_floats(task_weight, "task_weight")
    if factors.shape != (len(names),):
        raise ValueError(
            f"task_weight has shape {factors.shape}; there are {len(names)} tasks. Pass one "
            f"number per task, in the order {names}, or a dict or Series by task."
        )
    if not (np.isfinite(factors).all() and (factors > 0).all()):
        raise ValueError(f"task_weight must be positive and finite, got {factors.tolist()}.")
    return np.asarray(factors[data.positions])
