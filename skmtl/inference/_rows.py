"""The rows that a conformal fit divides."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils import _safe_indexing

from skmtl.design import from_arrow
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
        """Which labels have a positive weight."""
        if self.sample_weight is None:
            return np.ones(self.labels.shape, dtype=bool)
        positive: NDArray[np.bool_] = self.sample_weight > 0
        if positive.ndim < self.labels.ndim:
            positive = positive[:, None]
        return np.broadcast_to(positive, self.labels.shape)

    def folds(self, n_folds: int, random_state: Any) -> Iterator[Split]:
        """Folds stratified by task."""
        splitter = StratifiedTaskKFold(
            n_folds, task_column=self.task_column, random_state=random_state
        )
        target = None
        if self.task_column is None:
            # By which labels are observed: the labels themselves must not decide who calibrates.
            target = np.where(np.isnan(self.labels), np.nan, 0.5).reshape(len(self), -1)
        split: Iterator[Split] = splitter.split(self.X, target, self.groups)
        return split


def indexable(data: Any) -> Any:
    """Data whose rows can be selected."""
    if sp.issparse(data):
        return data.tocsr()
    data = from_arrow(data)
    return data if hasattr(data, "shape") else np.asarray(data)
