"""The rules for matrices between tasks, with the errors of those that break them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

# Asymmetry and negative eigenvalues up to this fraction of the largest entry are rounding error.
ROUNDING = 1e-8


def rule(n_tasks: int) -> str:
    """What a matrix between the tasks must be."""
    return (
        f"it must be a matrix of shape ({n_tasks}, {n_tasks}), a row and a column for each of the "
        f"{n_tasks} tasks"
    )


def check_shape(shape: tuple[int, ...], name: str, n_tasks: int) -> None:
    """Raise unless the matrix has a row and a column for each task."""
    if shape != (n_tasks, n_tasks):
        raise ValueError(
            f"The '{name}' has shape {shape}; {rule(n_tasks)} in the order of tasks_, or a data "
            f"frame whose rows and columns have their names."
        )


def check_finite(entries: Array, name: str) -> None:
    """Raise unless all entries are finite."""
    if not np.isfinite(entries).all():
        raise ValueError(f"The '{name}' must be finite, got NaN or infinity. Use 0 instead.")


def check_weights(entries: Array, name: str) -> None:
    """Raise if an edge has a negative weight."""
    if (entries < 0).any():
        raise ValueError(
            f"The weights of '{name}' must be >= 0, got {entries.min():.4g}. To represent negative "
            f"relations, pass a positive semidefinite 'laplacian' if the estimator accepts one."
        )


def asymmetric(name: str, tasks: tuple[Any, Any], entries: tuple[float, float]) -> ValueError:
    """The error for entries (s, t) and (t, s) that differ most."""
    return ValueError(
        f"The '{name}' must be symmetric; entries (s, t) and (t, s) differ by up to "
        f"{abs(entries[0] - entries[1]):.4g}: the entry from task {tasks[0]!r} to {tasks[1]!r} is "
        f"{entries[0]:.4g}, the reverse is {entries[1]:.4g}. Use (A + A.T) / 2."
    )
