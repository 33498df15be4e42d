"""Validation of users' graphs of tasks, and their Laplacians."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skmtl._graphs._edges import read_edges
from skmtl._graphs._rules import (
    ROUNDING,
    asymmetric,
    check_finite,
    check_shape,
    check_weights,
    rule,
)

Array = NDArray[Any]


def read_graph(graph: Any, tasks: Array, name: str = "graph") -> Array:
    r"""The edge weights (n_tasks, n_tasks) of a graph, symmetric with a zero diagonal.

    Parameters
    ----------
    graph : "complete", "chain", array, sparse matrix or data frame (n_tasks, n_tasks), or list
        "complete": all pairs of tasks, with weight 1 / n_tasks. "chain": each task and the next,
        with weight 1. A matrix: the weights; its diagonal is ignored. A data frame: likewise, with
        rows and columns in any order if they have the tasks' names. A list: edges by task name, as
        pairs (weight 1) or triples with a weight.
    tasks : array of shape (n_tasks,)
        The tasks' names.

    Raises
    ------
    ValueError
        If a matrix is not square of n_tasks, finite, symmetric and non-negative; if a data frame
        lacks a task or names an unknown one; if an edge is not a pair or a triple, names an
        unknown task, joins a task to itself or is repeated, or if its weight is negative.
    """
    n_tasks = len(tasks)
    if isinstance(graph, str):
        if graph == "complete":
            return (1 - np.eye(n_tasks)) / n_tasks
        return np.eye(n_tasks, k=1) + np.eye(n_tasks, k=-1)
    if isinstance(graph, (list, tuple)):
        weights = np.zeros((n_tasks, n_tasks))
        s, t, given = read_edges(graph, tasks.tolist())
        weights[s, t] = weights[t, s] = given
        return weights
    weights = _symmetric(graph, name, tasks)
    check_weights(weights, name)
    np.fill_diagonal(weights, 0.0)
    return weights


def laplacian_of(weights: Array) -> Array:
    """The Laplacian D - A (n_tasks, n_tasks) for edge weights A and their row sums D."""
    return np.asarray(np.diag(weights.sum(axis=1)) - weights)


def read_laplacian(laplacian: Any, tasks: Array, name: str = "laplacian") -> Array:
    """A positive semidefinite matrix (n_tasks, n_tasks), called ``name`` in error messages.

    The rows and columns of a data frame may be in any order if they have the tasks' names.

    Raises
    ------
    ValueError
        If it is not square of n_tasks, finite, symmetric and positive semidefinite, or a data
        frame lacks a task or names an unknown one.
    """
    matrix = _symmetric(laplacian, name, tasks)
    lowest = float(np.linalg.eigvalsh(matrix)[0])
    if lowest < -ROUNDING * np.abs(matrix).max():
        raise ValueError(
            f"The '{name}' must be positive semidefinite, its smallest eigenvalue is "
            f"{lowest:.4g}. Add a multiple of the identity, or use the Laplacian of a graph with "
            f"weights >= 0."
        )
    if lowest < 0:
        values, basis = np.linalg.eigh(matrix)
        matrix = np.asarray((basis * np.maximum(values, 0.0)) @ basis.T)
    return matrix


def labels_of(matrix: Any) -> tuple[list[Any], list[Any] | None] | None:
    """The labels of a data frame's columns and, if it has any, of its rows."""
    return _labels(matrix) if _is_frame(matrix) else None


def names_of(matrix: Any) -> list[Any] | None:
    """The names of a data frame's columns or rows; None if it has no names."""
    if not _is_frame(matrix):
        return None
    columns, rows = _labels(matrix)
    return rows if _are_positions(columns) else columns


def _is_frame(given: Any) -> bool:
    return hasattr(given, "columns") and hasattr(given, "dtypes") and not sp.issparse(given)


def _labels(frame: Any) -> tuple[list[Any], list[Any] | None]:
    """The labels of the columns and, if they are names, of the rows."""
    columns, rows = frame.columns, getattr(frame, "index", None)
    columns = columns.tolist() if hasattr(columns, "tolist") else list(columns)
    if rows is None or _are_positions(rows.tolist()):
        return columns, None
    return columns, rows.tolist()


def _are_positions(labels: list[Any]) -> bool:
    """Whether labels are the defaults that pandas or Polars assign in place of names."""
    n = len(labels)
    return labels == list(range(n)) or labels == [f"column_{k}" for k in range(n)]


def _symmetric(given: Any, name: str, tasks: Array) -> Array:
    """Validate a matrix between the tasks; return an exactly symmetric copy."""
    n_tasks, names = len(tasks), tasks.tolist()
    if np.ma.isMaskedArray(given) and np.ma.getmaskarray(given).any():
        raise ValueError(f"The '{name}' must not have masked entries. Fill them: .filled(0).")
    order = _order(given, name, names) if _is_frame(given) else None
    try:
        matrix = np.array(given.toarray() if sp.issparse(given) else given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        remedy = " Pass edges as a list of pairs of tasks." if name == "graph" else ""
        raise ValueError(
            f"The '{name}' cannot be read as numbers ({error}); {rule(n_tasks)}. Got "
            f"{type(given).__name__}: {given!r:.200}.{remedy}"
        ) from error
    check_shape(matrix.shape, name, n_tasks)
    if order is not None:
        matrix = matrix[np.ix_(*order)]
    check_finite(matrix, name)
    gaps = np.abs(matrix - matrix.T)
    if gaps.max() > ROUNDING * np.abs(matrix).max():
        s, t = np.unravel_index(np.argmax(gaps), gaps.shape)
        raise asymmetric(name, (names[s], names[t]), (matrix[s, t], matrix[t, s]))
    return np.asarray((matrix + matrix.T) / 2)


def _order(frame: Any, name: str, tasks: list[Any]) -> tuple[Array, Array] | None:
    """The row and column of each task in a data frame; None if it has no names.

    Rows without names, as always in Polars, are in the order of the columns, and columns without
    names in that of the rows.
    """
    columns, rows = _labels(frame)
    if _are_positions(columns) and set(columns) != set(tasks):
        if rows is None:
            return None
        columns = rows
    along = _positions(columns, f"columns of '{name}'", tasks)
    return along if rows is None else _positions(rows, f"rows of '{name}'", tasks), along


def _positions(labels: list[Any], what: str, tasks: list[Any]) -> NDArray[np.intp]:
    """The position of each task among the labels; numbers may be written as strings."""
    known, words = set(tasks), {str(task): task for task in tasks}
    named = [label if label in known else words.get(str(label), label) for label in labels]
    places = {label: k for k, label in enumerate(named)}
    wrong = {
        "miss": [task for task in tasks if task not in places],
        "name unknown": [label for label in places if label not in known],
        "repeat": [label for k, label in enumerate(named) if places[label] > k],
    }
    if any(wrong.values()):
        listed = " and ".join(f"{verb} {found[:10]}" for verb, found in wrong.items() if found)
        raise ValueError(
            f"The {what}, a data frame, {listed}; they must be the tasks {tasks[:10]}"
            f"{', ...' if len(tasks) > 10 else ''}, in any order. Rename them, pass an array in "
            f"the order of tasks_, or pass the rows of a frame of edges as a list."
        )
    return np.array([places[task] for task in tasks], dtype=np.intp)
