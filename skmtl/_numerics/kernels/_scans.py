"""Passes over the rows of W, which NumPy's reductions along a short axis slow down."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl._numerics.kernels._compile import FAST, kernel

Array = NDArray[Any]


@kernel(fastmath=FAST)
def measure_rows(W: Array) -> Array:
    """The Euclidean norm of each row of W (d, T), as float64 (d,)."""
    d, n_tasks = W.shape
    norms = np.empty(d)
    for j in range(d):
        square = 0.0
        for t in range(n_tasks):
            square += W[j, t] * W[j, t]
        norms[j] = math.sqrt(square)
    return norms


@kernel
def find_rows(W: Array) -> Array:
    """Whether each row of W (d, T) has a non-zero entry (d,)."""
    d, n_tasks = W.shape
    found = np.empty(d, dtype=np.bool_)
    for j in range(d):
        count = 0  # most rows are zero, and a loop without an exit is vectorised
        for t in range(n_tasks):
            count += W[j, t] != 0.0
        found[j] = count > 0
    return found
