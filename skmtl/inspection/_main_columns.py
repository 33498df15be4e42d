"""The columns of X that concern the main tasks, for models without auxiliary ones."""

from numbers import Integral
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import _safe_indexing

from skmtl.design import from_arrow, locate_columns, locate_task_column


class MainColumns(TransformerMixin, BaseEstimator):
    """Removes the auxiliary columns, and moves the task column to the end.

    Parameters
    ----------
    auxiliary : list of str or int
    task_column : str, int or None
    """

    def __init__(self, auxiliary: Any, task_column: str | int | None) -> None:
        self.auxiliary = auxiliary
        self.task_column = task_column

    def fit(self, X: Any, y: Any = None) -> Self:
        """Locate the columns."""
        X = _with_columns(X)
        task_column = self.task_column
        kept = locate_columns(X, list(self.auxiliary), task_column, "auxiliary").others()
        if task_column is not None:
            position = locate_task_column(X, task_column)
            kept = [j for j in kept if j != position] + [position]
        self.kept_ = kept
        return self

    def transform(self, X: Any) -> Any:
        """X without the auxiliary columns, in the same container."""
        return _safe_indexing(_with_columns(X), self.kept_, axis=1)


def _with_columns(X: Any) -> Any:
    """X as a matrix or data frame."""
    X = from_arrow(X)
    return X if hasattr(X, "shape") else np.asarray(X)


def main_model(wrapper: Any) -> Any:
    """The estimator of AuxiliaryTaskRegressor or its classifier, for what MainColumns returns."""
    model = wrapper._clone_estimator()
    # A name remains valid; a position is that of the end.
    if isinstance(model.task_column, Integral):
        model.task_column = -1
    return model
