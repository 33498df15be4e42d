"""Products with the rows of each task, one task under the other."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]


@njit(cache=True, nogil=True)
def multiply_tasks(X: Array, starts: Array, weights: Array, out: Array) -> None:
    """Set out[i] = X[i] . weights[t] for the rows i of each task t.

    X (n, d) holds the tasks' rows one under the other, task t from starts[t] to starts[t + 1];
    weights (T, d); out (n,).
    """
    for t in range(starts.size - 1):
        first, last = starts[t], starts[t + 1]
        out[first:last] = np.dot(X[first:last], weights[t])


@njit(cache=True, nogil=True)
def multiply_tasks_transposed(X: Array, starts: Array, u: Array, out: Array) -> None:
    """Set out[t] = X_t' u_t for each task t: u (n,), out (T, d)."""
    for t in range(starts.size - 1):
        first, last = starts[t], starts[t + 1]
        out[t] = np.dot(u[first:last], X[first:last])


@njit(cache=True, nogil=True)
def sum_products(
    X: Array,
    weights: Array,
    wy: Array,
    starts: Array,
    origin: Array,
    x: Array,
    xx: Array,
    xy: Array,
) -> None:
    """Set the weighted sums of each task's rows around its origin, and of their products.

    X (n, d) holds the tasks' rows one under the other, task t from starts[t] to starts[t + 1];
    weights and weighted labels wy (n,); origin and x (T, d), xx (T, d, d), xy (T, d).
    """
    d = X.shape[1]
    for t in range(starts.size - 1):
        first, last = starts[t], starts[t + 1]
        block = X[first:last] - origin[t]
        x[t] = np.dot(weights[first:last], block)
        xy[t] = np.dot(wy[first:last], block)
        for i in range(last - first):
            root = np.sqrt(weights[first + i])
            for j in range(d):
                block[i, j] *= root
        xx[t] = np.dot(block.T, block)
