"""Columns of X that are not features: they are used in fit, and may be absent in predict."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing

from skmtl.design._containers import fill_missing, from_arrow, has_bounded_squares, is_frame
from skmtl.design._labels import as_floats
from skmtl.design._names import check_columns
from skmtl.design._tasks import locate_task_column

Array = NDArray[Any]

# Features of up to so many entries are copied.
_SMALL = 2**16


@dataclass(frozen=True)
class ColumnsAside:
    """Where the columns that are not features are in X.

    Attributes
    ----------
    what : str
        The parameter that names them.
    positions : list of int
        In the order in which they were given.
    names : list
        The names of the columns; "x3" for the fourth of an array.
    width : int
        The number of columns of X, these included.
    """

    what: str
    positions: list[int]
    names: list[Any]
    width: int

    def others(self) -> list[int]:
        """The positions of all other columns."""
        kept = list(range(self.width))
        for position in sorted(self.positions, reverse=True):
            del kept[position]
        return kept

    def pick(self, positions: list[int]) -> "ColumnsAside":
        """Some of these columns."""
        names = [self.names[self.positions.index(position)] for position in positions]
        return replace(self, positions=positions, names=names)

    def numbers(self, X: Any) -> Array:
        """The values of these columns (n_samples, n_columns), NaN where they are missing."""
        if type(X) is np.ndarray and X.dtype == np.float64:
            numbers = X.take(self.positions, axis=1)
        else:
            named = zip(self.positions, self.names, strict=True)
            remedy = "Encode it as numbers, two classes as 0 and 1."
            columns = [
                as_floats(values_of(X, position), f"The {self.what} column {name!r}", remedy)
                for position, name in named
            ]
            numbers = np.column_stack(columns) if columns else np.empty((X.shape[0], 0))
        if has_bounded_squares(numbers):
            return numbers
        infinite = np.isinf(numbers)
        if infinite.any():
            names = [name for k, name in enumerate(self.names) if infinite[:, k].any()]
            raise ValueError(
                f"The {self.what} columns {names} contain infinity. Replace those values by NaN, "
                f"or leave the rows out."
            )
        return numbers


def values_of(X: Any, position: int) -> Array:
    """The values of a column (n_samples,); missing values of any frame library become NaN."""
    if sp.issparse(X):
        return np.asarray(X.tocsc()[:, [position]].toarray().ravel(), dtype=np.float64)
    if not is_frame(X):
        values = X[:, position]
    else:
        values = np.asarray(_safe_indexing(X, position, axis=1).to_numpy())
    return fill_missing(values) if values.dtype.kind == "O" else values


def locate_columns(X: Any, given: Sequence[Any], task_column: Any, what: str) -> ColumnsAside:
    """Find columns in X that are given by name or position in the parameter ``what``.

    Raises
    ------
    ValueError
        If X lacks a column, one is given twice, or one is the task column.
    """
    names = list(X.columns) if is_frame(X) else None
    width, least = X.shape[1], 1 + (task_column is not None) + (len(given) > 0)
    if width < least:
        raise ValueError(
            f"Found array with {width} feature(s) (shape={X.shape}) while a minimum of {least} is "
            f"required: the columns of {what!r} and at least one feature."
        )
    positions = [_position(column, names, width, what) for column in given]
    if len(set(positions)) < len(positions):
        raise ValueError(
            f"{what} must name each column once, got {list(given)}. Remove the duplicates."
        )
    if task_column is not None and locate_task_column(X, task_column) in positions:
        raise ValueError(
            f"The task column {task_column!r} cannot be one of {what!r}, got {list(given)}. "
            f"Remove it from {what!r}."
        )
    if len(positions) + (task_column is not None) >= width:
        raise ValueError(
            f"X has {width} columns, and {what!r} and the task column name all of them: no "
            f"feature is left. Name fewer columns."
        )
    found = [f"x{j}" if names is None else names[j] for j in positions]
    return ColumnsAside(what, positions, found, width)


def _position(column: Any, names: list[Any] | None, width: int, what: str) -> int:
    """The position (>= 0) of a column that is given by name or by position."""
    if isinstance(column, str):
        if names is None:
            raise ValueError(
                f"{what} names the column {column!r}, but X has no column names. Pass a data "
                f"frame, or the column's position."
            )
        if column not in names:
            raise ValueError(
                f"X has no column {column!r} for {what!r}; its columns are {names[:20]}. Set "
                f"{what!r} to some of them."
            )
        return names.index(column)
    if isinstance(column, (bool, np.bool_)) or not isinstance(column, Integral):
        raise ValueError(
            f"{what} must list columns of X by name (str) or position (int), got {column!r}."
        )
    if not -width <= int(column) < width:
        raise ValueError(
            f"{what} has the position {column}, but X has {width} columns. Positions go from "
            f"{-width} to {width - 1}."
        )
    return int(column) % width


def select_features(estimator: Any, X: Any, columns: ColumnsAside) -> Any:
    """X without the columns that are not features, as passed to a fitted estimator.

    A data frame may lack those columns. An array must have all columns of ``fit``; what those hold
    does not matter.
    """
    X = from_arrow(X)
    if is_frame(X) and hasattr(estimator, "feature_names_in_"):
        aside = set(columns.names)
        kept = [j for j, name in enumerate(X.columns) if name not in aside]
        rest = _select(X, kept)
        expected = [estimator.feature_names_in_[j] for j in columns.others()]
        if list(rest.columns) != expected:
            raise ValueError(
                f"The feature names should match those that were passed during fit: expected "
                f"{expected[:20]}, got {list(rest.columns)[:20]}. Select the columns in that order."
            )
        return rest
    X = X if hasattr(X, "shape") else np.asarray(X)
    if len(X.shape) != 2:
        return X  # refused by the validation of features
    if X.shape[1] == columns.width - len(columns.positions) != columns.width:
        raise ValueError(
            f"X has {X.shape[1]} features, but {type(estimator).__name__} is expecting "
            f"{columns.width} features as input: without column names those of {columns.what!r} "
            f"must be present too, where they may be NaN. Insert them at the positions "
            f"{columns.positions}, or use data frames whose column names are strings."
        )
    check_columns(estimator, X, reset=False)
    return without_columns(X, columns)


def without_columns(X: Any, columns: ColumnsAside) -> Any:
    """X without the columns that are not features."""
    return _select(X, columns.others()) if columns.positions else X


def _select(X: Any, kept: list[int]) -> Any:
    """The columns at ascending positions."""
    if sp.issparse(X):
        return X.tocsc()[:, kept].tocsr()
    if is_frame(X):
        return _safe_indexing(X, kept, axis=1)
    if kept[-1] - kept[0] == len(kept) - 1:
        view = X[:, kept[0] : kept[-1] + 1]
        # What follows reads contiguous memory faster, by more than a small copy costs.
        is_small = type(view) is np.ndarray and view.size <= _SMALL
        return np.ascontiguousarray(view) if is_small else view
    return X.take(kept, axis=1)  # several times faster than indexing with a list
