"""Products with the Laplacian of a sparse graph of tasks, by differences of neighbours."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl._numerics.kernels._compile import kernel

Array = NDArray[Any]


@kernel
def multiply_laplacian(starts: Array, others: Array, weights: Array, W: Array, out: Array) -> None:
    """Add L W to out for a Laplacian L of tasks; W and out (T, d).

    The neighbours of task t are others[starts[t]:starts[t + 1]], with the weights of their edges.
    Where neighbours have equal rows the product is exactly zero.
    """
    n_tasks, d = W.shape
    for t in range(n_tasks):
        for k in range(starts[t], starts[t + 1]):
            s, weight = others[k], weights[k]
            for j in range(d):
                out[t, j] += weight * (W[t, j] - W[s, j])


@kernel
def measure_edges(starts: Array, others: Array, weights: Array, W: Array) -> float:
    """tr(W' L W): the weighted sum of squared differences over the edges; W (T, d)."""
    n_tasks, d = W.shape
    total = 0.0
    for t in range(n_tasks):
        for k in range(starts[t], starts[t + 1]):
            s = others[k]
            if s < t:
                square = 0.0
                for j in range(d):
                    square += (W[t, j] - W[s, j]) ** 2
                total += weights[k] * square
    return np.float64(total)
