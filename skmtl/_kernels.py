"""Every numba kernel: arrays in, arrays out.

Lazily compiled and cached on disk. Kernels take C-contiguous arrays of one dtype owned by the
design or a solver, so that each has one specialisation per dtype.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]


@njit(cache=True)
def multiply_tasks(X: Array, starts: Array, weights: Array, out: Array) -> None:
    """Set out[i] = X[i] . weights[t] for the rows i of each task t.

    X (n, d) holds the tasks' rows one under the other, task t from starts[t] to starts[t + 1];
    weights (T, d); out (n,).
    """
    for t in range(starts.size - 1):
        first, last = starts[t], starts[t + 1]
        out[first:last] = np.dot(X[first:last], weights[t])


@njit(cache=True)
def multiply_tasks_transposed(X: Array, starts: Array, u: Array, out: Array) -> None:
    """Set out[t] = X_t' u_t for each task t: u (n,), out (T, d)."""
    for t in range(starts.size - 1):
        first, last = starts[t], starts[t + 1]
        out[t] = np.dot(u[first:last], X[first:last])
