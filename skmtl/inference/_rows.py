"""The rows that inference divides or resamples, and the tasks of their labels."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils import _safe_indexing

from skmtl.design import (
    encode_tasks,
    from_arrow,
    read_ids,
    read_weights,
    split_task_column,
    task_names,
)
from skmtl.model_selection import StratifiedTaskKFold

Array = NDArray[Any]
Indices = NDArray[np.intp]
Split = tuple[Indices, Indices]


@dataclass(frozen=True)
class Rows:
    """Features, labels, weights and groups as the user passed them, and what was read from them.

    Attributes
    ----------
    X, y : array-like, sparse matrix or data frame
        For the estimator's fit.
    labels : float array of shape (n_rows,) or (n_rows, n_tasks)
        NaN where missing.
    codes : int array of the shape of labels
        The task of each.
    sample_weight : array of shape (n_rows,) or (n_rows, n_tasks), or None
    groups : array of shape (n_rows,) or None
    task_column : int, str or None
        The column of X that holds the task, in the stacked layout.
    """

    X: Any
    y: Any
    labels: Array
    codes: Indices
    sample_weight: Array | None
    groups: Array | None
    task_column: Any

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: Indices) -> "Rows":
        """Some of the rows."""
        weights, groups = self.sample_weight, self.groups
        return Rows(
            _safe_indexing(self.X, rows),
            _safe_indexing(self.y, rows),
            self.labels[rows],
            self.codes[rows],
            None if weights is None else weights[rows],
            None if groups is None else groups[rows],
            self.task_column,
        )

    def fit(self, estimator: Any) -> Any:
        """A clone of the estimator, fitted to the rows."""
        weights = {} if self.sample_weight is None else {"sample_weight": self.sample_weight}
        return clone(estimator).fit(self.X, self.y, **weights)

    def counted(self) -> NDArray[np.bool_]:
        """Which labels are observed and have a positive weight."""
        observed: NDArray[np.bool_] = ~np.isnan(self.labels)
        if self.sample_weight is None:
            return observed
        positive = self.sample_weight > 0
        if positive.ndim < self.labels.ndim:
            positive = positive[:, None]
        return observed & positive

    def counted_rows(self) -> Indices:
        """The rows with a label that is observed and has a positive weight."""
        return np.flatnonzero(self.counted().reshape(len(self), -1).any(axis=1))

    def folds(self, n_folds: int, random_state: Any, what: str) -> list[Split]:
        """Folds stratified by task; ``what`` is the parameter that needs them.

        Raises
        ------
        ValueError
            If the rows or groups are too few.
        """
        splitter = StratifiedTaskKFold(
            n_folds, task_column=self.task_column, random_state=random_state
        )
        target = None
        if self.task_column is None:
            # By which labels count: the labels themselves must not decide who calibrates.
            target = np.where(self.counted(), 0.5, np.nan).reshape(len(self), -1)
        try:
            return list(splitter.split(self.X, target, self.groups))
        except ValueError as error:
            kind = "rows" if self.groups is None else "groups"
            raise ValueError(
                f"{what} needs {n_folds} folds of the {kind}, which are not possible: {error}"
            ) from error


def tasks_of_labels(X: Any, y: Any, labels: Array, task_column: Any) -> tuple[Array, Indices]:
    """The tasks, and the task of each label in the labels' shape.

    Parameters
    ----------
    X, y : as passed by the user
    labels : array of shape (n_rows,) or (n_rows, n_tasks)
    task_column : int, str or None
    """
    if task_column is not None:
        return encode_tasks(read_ids(split_task_column(X, task_column)[1], warn=False))
    if labels.ndim == 1:
        return np.arange(1), np.zeros(len(labels), dtype=np.intp)
    n_tasks = labels.shape[1]
    return task_names(y, n_tasks), np.tile(np.arange(n_tasks), (len(labels), 1))


def indexable(data: Any) -> Any:
    """Data whose rows can be selected."""
    if sp.issparse(data):
        return data.tocsr()
    data = from_arrow(data)
    return data if hasattr(data, "shape") else np.asarray(data)


def weights_of_fit(sample_weight: Any, y: Any, labels: Array) -> Array | None:
    """The weights to pass to the estimator's fit, by row if all labels of each row weigh the same.

    Pipelines and searches take no matrix.
    """
    if sample_weight is None:
        return None
    names = task_names(y, labels.shape[1]) if labels.ndim == 2 else None
    weights = read_weights(sample_weight, labels.shape, names)
    by_row = weights.ndim == 2 and (weights == weights[:, :1]).all()
    return weights[:, 0] if by_row else weights
