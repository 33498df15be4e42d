"""Laplacians of graphs between tasks."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Array = NDArray[Any]

# Asymmetry and negative eigenvalues up to this share of the largest entry are rounding.
_ROUNDING = 1e-8


def complete_laplacian(n_tasks: int) -> Array:
    """Return I - 11' / n_tasks: the sum of squared distances to the mean task."""
    return np.eye(n_tasks) - 1.0 / n_tasks


def chain_laplacian(n_tasks: int) -> Array:
    """Return the Laplacian of the path 0 - 1 - 2 - ...: squared differences of neighbours."""
    steps = np.diff(np.eye(n_tasks), axis=0)
    return np.asarray(steps.T @ steps)


def adjacency_laplacian(graph: Any) -> Array:
    """Return D - G for the weights G (n_tasks, n_tasks) of the edges, D their row sums."""
    G = _symmetric(graph, "graph")
    if (G < 0).any():
        raise ValueError(
            f"The 'graph' of tasks must have weights >= 0, got {G.min():.3g}. Pass a positive "
            f"semidefinite matrix as 'laplacian' where tasks repel one another."
        )
    return np.diag(G.sum(axis=1)) - G


def checked_laplacian(laplacian: Any) -> Array:
    """Return a positive semidefinite matrix (n_tasks, n_tasks) as a float array."""
    L = _symmetric(laplacian, "laplacian")
    lowest = np.linalg.eigvalsh(L)[0]
    if lowest < -_ROUNDING * np.abs(L).max():
        raise ValueError(
            f"The 'laplacian' of tasks must be positive semidefinite, but its smallest eigenvalue "
            f"is {lowest:.3g}. Pass the weights of a graph as 'graph'."
        )
    return L


def _symmetric(matrix: Any, name: str) -> Array:
    M = np.asarray(matrix.toarray() if sp.issparse(matrix) else matrix, dtype=np.float64)
    if M.ndim != 2 or M.shape[0] != M.shape[1] or len(M) == 0 or not np.isfinite(M).all():
        raise ValueError(
            f"The '{name}' of tasks must be a finite matrix of shape (n_tasks, n_tasks), got the "
            f"shape {M.shape}."
        )
    gap = np.abs(M - M.T).max()
    if gap > _ROUNDING * np.abs(M).max():
        raise ValueError(
            f"The '{name}' of tasks must be symmetric, but entries differ by {gap:.3g}. Use "
            f"(M + M.T) / 2."
        )
    return np.asarray((M + M.T) / 2)
