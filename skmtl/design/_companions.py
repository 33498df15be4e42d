"""Tasks beside those of y: other labels of the same rows."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skmtl.design._data import TaskData

Array = NDArray[Any]


@dataclass(frozen=True)
class Companions:
    """Labels that rows have besides those of y.

    Attributes
    ----------
    y : float64 array of shape (n_samples, n_columns)
        Arbitrary finite numbers where the weight is 0.
    weights : float64 array of the same shape
        0 where a label is missing.
    names : list
        One for each column.
    """

    y: Array
    weights: Array
    names: list[Any]

    def take(self, rows: Array) -> "Companions":
        """The labels of some rows."""
        return replace(self, y=self.y[rows], weights=self.weights[rows])


@dataclass(frozen=True)
class JoinedTasks:
    """The main tasks and their companions in one.

    Attributes
    ----------
    data : TaskData
        The main tasks come first.
    source : int array of shape (n_samples,)
        The row of the main data that each row is or repeats; -1: it has no main label.
    columns : int array of shape (n_tasks,)
        0 for a main task, k for a companion in the k-th column.
    """

    data: TaskData
    source: Array
    columns: Array


def join_columns(main: TaskData, X: Any, rows: Array, others: Companions) -> JoinedTasks:
    """Join companions to tasks in columns of y.

    Parameters
    ----------
    main : TaskData
        Not stacked.
    X : matrix of shape (n_samples, n_features)
        All rows, also those without a main label.
    rows : int array
        The rows of X that are those of ``main``.
    others : Companions
        The labels of all rows of X.
    """
    n_rows, n_main, n_others = X.shape[0], main.n_tasks, len(others.names)
    if len(rows) == n_rows:
        y = np.concatenate([main.y, others.y], axis=1)
        weights, source = np.concatenate([main.weights, others.weights], axis=1), rows
    else:
        y, weights = np.empty((2, n_rows, n_main + n_others))
        y[:, n_main:], weights[:, n_main:] = others.y, others.weights
        y[:, :n_main], weights[:, :n_main], source = 1.0, 0.0, np.full(n_rows, -1)
        y[rows, :n_main], weights[rows, :n_main] = main.y, main.weights
        source[rows] = np.arange(len(rows))
        used = weights.any(axis=1)
        X, y, weights, source = X[used], y[used], weights[used], source[used]
    tasks = _objects(_main_names(main) + others.names)
    places = np.arange(len(tasks))
    chain = None if main.chain is None else np.concatenate([main.chain, places[n_main:]])
    data = TaskData("shared", X, y, weights, tasks, None, tasks, places, chain=chain)
    columns = np.array([0] * n_main + [*range(1, 1 + n_others)])
    return JoinedTasks(data, source, columns)


def join_rows(main: TaskData, others: Companions) -> JoinedTasks:
    """Join companions to stacked tasks: each row is repeated for each of its other labels.

    A task gets a companion for each column of ``others``, which has the rows of ``main``.
    """
    assert main.codes is not None
    n_columns, n_main = len(others.names), main.n_tasks
    parts = [np.flatnonzero(others.weights[:, k] > 0) for k in range(n_columns)]
    source = np.concatenate([np.arange(len(main.codes)), *parts])
    codes = [main.codes, *((1 + k) * n_main + main.codes[part] for k, part in enumerate(parts))]
    y = [main.y, *(others.y[part, k] for k, part in enumerate(parts))]
    weights = [main.weights, *(others.weights[part, k] for k, part in enumerate(parts))]
    tasks, columns = _stacked_tasks(main, others)
    data = TaskData(
        "stacked",
        _take_rows(main.X, source),
        np.concatenate(y),
        np.concatenate(weights),
        tasks,
        np.concatenate(codes),
        tasks,
        np.arange(len(tasks)),
        chain=_stacked_chain(main, n_columns),
    )
    return JoinedTasks(data, source, columns)


def join_rows_in_columns(main: TaskData, others: Companions) -> JoinedTasks:
    """The same as :func:`join_rows` with a column of labels for each task, most of them missing.

    For losses that differ between tasks.
    """
    assert main.codes is not None
    n_rows, n_main = len(main.codes), main.n_tasks
    tasks, columns = _stacked_tasks(main, others)
    y = np.ones((n_rows, len(tasks)))
    weights, places = np.zeros_like(y), np.arange(n_rows)
    y[places, main.codes], weights[places, main.codes] = main.y, main.weights
    for k in range(len(others.names)):
        own = (1 + k) * n_main + main.codes
        y[places, own], weights[places, own] = others.y[:, k], others.weights[:, k]
    chain = _stacked_chain(main, len(others.names))
    data = TaskData(
        "shared", main.X, y, weights, tasks, None, tasks, np.arange(len(tasks)), chain=chain
    )
    return JoinedTasks(data, places, columns)


def _stacked_tasks(main: TaskData, others: Companions) -> tuple[Array, Array]:
    """The names of the tasks and their companions, and their columns."""
    ids = main.tasks.tolist()
    names = ids + [(task, name) for name in others.names for task in ids]
    return _objects(names), np.repeat(np.arange(1 + len(others.names)), len(ids))


def _stacked_chain(main: TaskData, n_columns: int) -> Array | None:
    """The order of the tasks, then of the companions in each column; None if there is no order."""
    if main.chain is None:
        return None
    starts = main.n_tasks * np.arange(1 + n_columns)
    return np.asarray((starts[:, None] + main.chain).ravel())


def _main_names(main: TaskData) -> list[Any]:
    """The names of tasks in columns; a single target has none of its own."""
    names: list[Any] = main.tasks.tolist()
    return ["main"] if len(names) == 1 and main.layout in ("single", "classes") else names


def _objects(names: list[Any]) -> Array:
    """An array of names of any kinds."""
    array = np.empty(len(names), dtype=object)
    array[:] = names
    return array


def _take_rows(X: Any, rows: Array) -> Any:
    return X.tocsr()[rows] if sp.issparse(X) else X[rows]
