"""Graphs of tasks as users write them, and their Laplacians."""

from numbers import Real
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Array = NDArray[Any]

# Asymmetry and negative eigenvalues up to this share of the largest entry are rounding.
_ROUNDING = 1e-8


def read_graph(graph: Any, tasks: Array, name: str = "graph") -> Array:
    r"""The weights of a graph's edges (n_tasks, n_tasks), symmetric with a zero diagonal.

    Parameters
    ----------
    graph : "complete", "chain", array or sparse matrix of shape (n_tasks, n_tasks), or list
        "complete": every two tasks, weight 1 / n_tasks. "chain": each task and the next, weight 1.
        A matrix: the weights, whose diagonal does not count. A list: edges by task name, pairs of
        weight 1 or triples with their weight.
    tasks : array of shape (n_tasks,)
        The tasks' names.

    Raises
    ------
    ValueError
        If a matrix is not square of n_tasks, finite, symmetric and non-negative; if an edge is
        not a pair or a triple, names no task, joins a task to itself or is there twice, or if its
        weight is negative.
    """
    n_tasks = len(tasks)
    if isinstance(graph, str):
        if graph == "complete":
            return (1 - np.eye(n_tasks)) / n_tasks
        return np.eye(n_tasks, k=1) + np.eye(n_tasks, k=-1)
    if isinstance(graph, (list, tuple)):
        return _from_edges(graph, tasks.tolist())
    weights = _symmetric(graph, name, n_tasks)
    if (weights < 0).any():
        raise ValueError(
            f"The weights of '{name}' must be >= 0, got {weights.min():.4g}. Where tasks repel one "
            f"another, a positive semidefinite 'laplacian' says so, where one is accepted."
        )
    np.fill_diagonal(weights, 0.0)
    return weights


def laplacian_of(weights: Array) -> Array:
    """D - A for the weights A of a graph's edges and their row sums D (n_tasks, n_tasks)."""
    return np.asarray(np.diag(weights.sum(axis=1)) - weights)


def read_laplacian(laplacian: Any, tasks: Array, name: str = "laplacian") -> Array:
    """A positive semidefinite matrix (n_tasks, n_tasks), ``name`` in error messages.

    Raises
    ------
    ValueError
        If it is not square of n_tasks, finite, symmetric and positive semidefinite.
    """
    matrix = _symmetric(laplacian, name, len(tasks))
    lowest = float(np.linalg.eigvalsh(matrix)[0])
    if lowest < -_ROUNDING * np.abs(matrix).max():
        raise ValueError(
            f"The '{name}' must be positive semidefinite, its smallest eigenvalue is "
            f"{lowest:.4g}. Add a multiple of the identity, or take the Laplacian of a graph with "
            f"weights >= 0."
        )
    if lowest < 0:
        values, basis = np.linalg.eigh(matrix)
        matrix = np.asarray((basis * np.maximum(values, 0.0)) @ basis.T)
    return matrix


def _symmetric(given: Any, name: str, n_tasks: int) -> Array:
    """A copy of a matrix of all tasks, exactly symmetric."""
    matrix = np.array(given.toarray() if sp.issparse(given) else given, dtype=np.float64)
    if matrix.shape != (n_tasks, n_tasks):
        raise ValueError(
            f"The '{name}' has shape {matrix.shape}; it must be a matrix of shape ({n_tasks}, "
            f"{n_tasks}), a row and a column for each of the {n_tasks} tasks in the order of "
            f"tasks_."
        )
    if not np.isfinite(matrix).all():
        raise ValueError(f"The '{name}' must be finite; it holds NaN or infinity. Use 0 instead.")
    gap = np.abs(matrix - matrix.T).max()
    if gap > _ROUNDING * np.abs(matrix).max():
        raise ValueError(
            f"The '{name}' must be symmetric; entries (s, t) and (t, s) differ by up to {gap:.4g}. "
            f"Use (A + A.T) / 2."
        )
    return np.asarray((matrix + matrix.T) / 2)


def _from_edges(edges: Any, names: list[Any]) -> Array:
    positions = {name: k for k, name in enumerate(names)}
    weights = np.full((len(names), len(names)), np.nan)
    for edge in edges:
        if not isinstance(edge, (list, tuple)) or len(edge) not in (2, 3):
            raise ValueError(
                f"An edge of 'graph' must be a pair of task names or a triple with a weight, got "
                f"{edge!r}. Pass a matrix of weights as an array."
            )
        for name in edge[:2]:
            try:
                known = name in positions
            except TypeError:  # unhashable
                known = False
            if not known:
                raise ValueError(
                    f"The 'graph' names {name!r}, which is no task; the tasks are {names}."
                )
        s, t = positions[edge[0]], positions[edge[1]]
        weight = edge[2] if len(edge) == 3 else 1.0
        if not isinstance(weight, Real) or not 0 <= float(weight) < np.inf:
            raise ValueError(
                f"The weight of an edge of 'graph' must be a finite number >= 0, got {edge!r}. "
                f"Leave the edge out where tasks have nothing in common."
            )
        if s == t or not np.isnan(weights[s, t]):
            wrong = "joins a task to itself" if s == t else "is there twice"
            raise ValueError(
                f"The edge {edge!r} of 'graph' {wrong}. Name each pair of different tasks once."
            )
        weights[s, t] = weights[t, s] = weight
    return np.nan_to_num(weights)
