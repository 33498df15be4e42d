"""Refits of an estimator to resampled rows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier
from sklearn.utils import _safe_indexing, check_random_state, indexable

from skmtl._parallel import run_parallel
from skmtl._warnings import Message, gather_warnings, warn
from skmtl.design import as_label_array, encode_tasks
from skmtl.inference._rows import tasks_of_labels, weights_of_fit
from skmtl.inspection import FittedTasks, check_task_column, find_task_column

Array = NDArray[Any]

# Smaller strata of rows with the same tasks are resampled together.
_LEAST = 10
# Draws without a label of some task are repeated up to this many times.
_TRIES = 100


def resample_fits(
    estimator: Any,
    X: Any,
    y: Any,
    sample_weight: Any,
    groups: Any,
    n_bootstrap: int,
    n_jobs: int | None,
    random_state: Any,
) -> tuple[FittedTasks, Array]:
    """The fit to all rows, and the coefficients (n_bootstrap, n_tasks, n_features) of refits.

    Rows, or groups of rows, are drawn with replacement within tasks.

    Raises
    ------
    ValueError
        If all labels of a task are in one group, if draws keep missing some labels, or if a
        pipeline moves the task column.
    """
    X, y, groups = indexable(X, y, None if groups is None else np.asarray(groups))
    labels = as_label_array(y, "coefficient_intervals")
    sample_weight = weights_of_fit(sample_weight, y, labels)
    model = _fit(estimator, X, y, sample_weight, None)
    fitted = FittedTasks.read(model, "coefficient_intervals")
    column, classifier = find_task_column(estimator), is_classifier(estimator)
    check_task_column(model, X, column)
    counted = np.unique(_observed(X, labels, column, sample_weight)[0])
    if len(counted) < len(labels):
        # Rows that do not count must not be drawn.
        X, y, labels = (_safe_indexing(each, counted) for each in (X, y, labels))
        sample_weight = None if sample_weight is None else sample_weight[counted]
        groups = None if groups is None else groups[counted]
    rows = _Units.read(X, labels, column, sample_weight, groups, classifier)
    rng = check_random_state(random_state)
    draws = [rows.draw(rng) for _ in range(n_bootstrap)]
    jobs = ((estimator, X, y, sample_weight, draw) for draw in draws)
    fits = run_parallel(_coefficients, jobs, n_jobs, prefer="threads")
    warned = [own[0] for _, own in fits if own]
    if warned:
        text, category = warned[0]
        warn(f"{len(warned)} of {n_bootstrap} fits to bootstrap samples warned: {text}", category)
    return fitted, np.stack([coef for coef, _ in fits])


def _fit(estimator: Any, X: Any, y: Any, sample_weight: Any, rows: Array | None) -> Any:
    """A clone fitted to some rows, or to all."""
    if rows is not None:
        X, y = _safe_indexing(X, rows), _safe_indexing(y, rows)
        sample_weight = None if sample_weight is None else sample_weight[rows]
    weights = {} if sample_weight is None else {"sample_weight": sample_weight}
    return clone(estimator).fit(X, y, **weights)


def _coefficients(
    estimator: Any, X: Any, y: Any, sample_weight: Any, rows: Array
) -> tuple[Array, list[Message]]:
    """The coefficients of a fit to some rows, and its warnings."""
    with gather_warnings() as own:
        model = _fit(estimator, X, y, sample_weight, rows)
    return FittedTasks.read(model, "coefficient_intervals").coef, own


@dataclass(frozen=True)
class _Units:
    """The units that are drawn, and what a draw must contain.

    Attributes
    ----------
    members : list of int arrays
        The rows of each unit.
    strata : list of int arrays
        The units of each stratum.
    needed : sparse matrix of shape (n_needed, n_samples)
        The rows that have a label of each task, or a label of each class of each task.
    """

    members: list[Array]
    strata: list[Array]
    needed: Any

    @classmethod
    def read(
        cls,
        X: Any,
        labels: Array,
        task_column: str | int | None,
        sample_weight: Array | None,
        groups: Array | None,
        classifier: bool,
    ) -> "_Units":
        """Read the tasks of all rows.

        Raises
        ------
        ValueError
            If all labels of a task are in one unit.
        """
        row, task, label = _observed(X, labels, task_column, sample_weight)
        n = len(labels)
        units = np.arange(n) if groups is None else encode_tasks(groups)[1]
        n_units, n_tasks = int(units.max()) + 1, int(task.max()) + 1
        own = _indicator(units[row], task, (n_units, n_tasks))
        single = np.flatnonzero(own.sum(axis=0) == 1)
        if len(single):
            raise ValueError(
                f"{len(single)} tasks have all their labels in a single "
                f"{'row' if groups is None else 'group'}, so that the variability of their "
                f"coefficients cannot be estimated. Leave these tasks out."
            )
        needs = task
        if classifier:
            classes = np.unique(label, return_inverse=True)[1]
            needs = np.unique(task * (classes.max() + 1) + classes, return_inverse=True)[1]
        order = np.argsort(units, kind="stable")
        members = np.split(order, np.cumsum(np.bincount(units))[:-1])
        needed = _indicator(needs, row, (int(needs.max()) + 1, n))
        return cls(members, _strata(own), needed)

    def draw(self, rng: np.random.RandomState) -> Array:
        """The rows of a bootstrap sample."""
        for _ in range(_TRIES):
            chosen = [rng.choice(stratum, len(stratum)) for stratum in self.strata]
            rows = np.concatenate([self.members[unit] for unit in np.concatenate(chosen)])
            counts = np.bincount(rows, minlength=self.needed.shape[1])
            if (self.needed @ counts > 0).all():
                return rows
        raise ValueError(
            f"{_TRIES} bootstrap samples in a row lacked all labels, or all labels of a class, of "
            f"some task. Leave out tasks with few labels, or with few labels of one class."
        )


def _observed(
    X: Any, labels: Array, task_column: str | int | None, sample_weight: Array | None
) -> tuple[Array, Array, Array]:
    """The row, the task and the label of each label of positive weight."""
    codes = tasks_of_labels(X, labels, labels, task_column)[1].reshape(len(labels), -1)
    target = labels.reshape(codes.shape)
    seen = target == target  # not NaN
    if sample_weight is not None:
        seen &= sample_weight.reshape(len(labels), -1) > 0
    row, column = np.nonzero(seen)
    task = np.unique(codes[row, column], return_inverse=True)[1].reshape(-1)
    return row, task, target[row, column]


def _indicator(rows: Array, columns: Array, shape: tuple[int, int]) -> Any:
    """A sparse matrix of ones at the given places."""
    found = sp.csr_array((np.ones(len(rows)), (rows, columns)), shape=shape)
    found.data[:] = 1.0
    return found


def _strata(own: Any) -> list[Array]:
    """Units with labels of the same tasks.

    Small strata are merged, unless their tasks have no other labels.
    """
    own = own.toarray() > 0
    sets, codes = np.unique(own, axis=0, return_inverse=True)
    codes = codes.reshape(-1)
    shared = sets.sum(axis=0) > 1
    small = (np.bincount(codes) < _LEAST) & (sets & shared).any(axis=1)
    codes = np.where(small[codes], -1, codes)
    return [np.flatnonzero(codes == code) for code in np.unique(codes)]
