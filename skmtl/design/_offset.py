"""Offsets: columns of X that are added to the linear predictor."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.design._aside import locate_columns, values_of, without_columns
from skmtl.design._containers import refuse_mask
from skmtl.design._labels import as_floats
from skmtl.design._tasks import MASKED_FEATURES, locate_task_column

Array = NDArray[Any]

_WHAT = "offset_column"


def listed_offsets(estimator: Any) -> list[Any]:
    """``offset_column`` as a list, empty without one."""
    given = getattr(estimator, _WHAT, None)
    if given is None:
        return []
    return list(given) if isinstance(given, (list, tuple)) else [given]


def split_offset(X: Any, given: list[Any], task_column: Any) -> tuple[Any, Array, int | None]:
    """Split X into all other columns and the offsets.

    Parameters
    ----------
    X : data frame, array or sparse matrix of shape (n_samples, n_columns)
    given : list of str or int
        The offsets' columns by name (data frames) or position.
    task_column : str, int or None

    Returns
    -------
    rest : same container as X
    offset : float64 array of shape (n_samples, n_offsets)
    position : int or None
        That of the task column in ``rest``.

    Raises
    ------
    ValueError
        If X lacks a column, or an offset is missing or infinite.
    """
    refuse_mask(X, "X", MASKED_FEATURES)
    if len(X.shape) != 2:
        raise ValueError(
            f"Expected 2D array, got an array of shape {X.shape} instead. Reshape your data: X has "
            f"the features and the offset side by side."
        )
    columns = locate_columns(X, given, task_column, _WHAT)
    values = []
    for position, name in zip(columns.positions, columns.names, strict=True):
        column = as_floats(
            values_of(X, position),
            f"The {_WHAT} {name!r}",
            "An offset is a number that is added to the linear predictor.",
        )
        if not np.isfinite(column).all():
            raise ValueError(
                f"The {_WHAT} {name!r} contains missing or infinite values. Fill them in, or leave "
                f"their rows out; the logarithm of an exposure needs an exposure > 0."
            )
        values.append(column)
    rest = without_columns(X, columns)
    if task_column is None:
        return rest, np.column_stack(values), None
    position = columns.others().index(locate_task_column(X, task_column))
    return rest, np.column_stack(values), position


def spread_offset(offset: Array, tasks: Array) -> Array:
    """Offsets (n_samples, 1) or (n_samples, n_tasks) of the tasks in columns, as the latter.

    Raises
    ------
    ValueError
        If there are neither one nor ``len(tasks)`` of them.
    """
    n_tasks = len(tasks)
    if offset.shape[1] not in (1, n_tasks):
        raise ValueError(
            f"{_WHAT} names {offset.shape[1]} columns, and y holds {n_tasks} tasks. Name one "
            f"column for all tasks, or one for each in the order {tasks.tolist()[:20]}."
        )
    return np.broadcast_to(offset, (len(offset), n_tasks))


def stacked_offset(offset: Array) -> Array:
    """The offsets (n_samples,) of stacked rows.

    Raises
    ------
    ValueError
        If there are several columns.
    """
    if offset.shape[1] != 1:
        raise ValueError(
            f"{_WHAT} must name one column in the stacked layout, where each row has one label, "
            f"got {offset.shape[1]}. Put the offset of each row's own task into one column."
        )
    return offset[:, 0]


def feature_positions(estimator: Any, n_columns: int) -> list[int]:
    """The positions of the features among the columns of X.

    Parameters
    ----------
    estimator : estimator
        It has read X. If it has a task column or offsets, these are no features.
    n_columns : int
        The number of columns of X.
    """
    names = getattr(estimator, "feature_names_in_", None)
    task_column = getattr(estimator, "task_column", None)
    aside = listed_offsets(estimator) + ([] if task_column is None else [task_column])
    known = [] if names is None else [str(name) for name in names]
    unknown = [column for column in aside if isinstance(column, str) and column not in known]
    if unknown:
        raise ValueError(
            f"{unknown} are not among the columns that {type(estimator).__name__} was fitted on: "
            f"{known or 'they have no names'}. Give their positions instead."
        )
    positions = {
        known.index(column) if isinstance(column, str) else column % n_columns for column in aside
    }
    return [j for j in range(n_columns) if j not in positions]


def feature_names(estimator: Any, n_features: int) -> list[Any]:
    """The names of the features, without other columns; their positions if X has no names."""
    columns = getattr(estimator, "feature_names_in_", None)
    if columns is None:
        return list(range(n_features))
    names: list[Any] = columns[feature_positions(estimator, len(columns))].tolist()
    return names
