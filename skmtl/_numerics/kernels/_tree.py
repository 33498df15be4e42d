"""The prox and value of norms of nested groups of the entries of each row.

A tree lists its groups children first: parents (n_groups,), -1 for a root, and owners (n_tasks,),
the smallest group of each entry. Shrinking a group multiplies its entries by a number, so that
norms are passed up the tree and factors down it, and each entry is updated only once.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl._numerics.kernels._compile import kernel

Array = NDArray[Any]


@kernel
def shrink_trees(W: Array, steps: Array, parents: Array, owners: Array, weights: Array) -> None:
    """Replace each row w of W by the minimiser of |x - w|^2 / 2 + step sum_g weights_g |x_g|_2."""
    n_tasks = W.shape[1]
    row, left = np.empty(n_tasks), np.empty(len(parents))
    for j in range(len(W)):
        for t in range(n_tasks):
            row[t] = W[j, t]
        scale = _group_factors(row, steps[j], parents, owners, weights, left)
        if scale == 0.0:
            continue
        for g in range(len(parents) - 1, -1, -1):
            if parents[g] >= 0:
                left[g] *= left[parents[g]]
        for t in range(n_tasks):
            W[j, t] = left[owners[t]] * row[t]


@kernel
def measure_trees(
    W: Array, parents: Array, owners: Array, weights: Array, values: Array, bounds: Array
) -> None:
    """Set values and bounds (n_rows,) for each row x of W.

    The value is sum_g weights_g |x_g|_2, the bound the largest |x_g|_2 / weights_g of a root g.
    """
    squares = np.empty(len(parents))
    for j in range(len(W)):
        squares[:] = 0.0
        for t in range(W.shape[1]):
            squares[owners[t]] += np.float64(W[j, t]) ** 2
        values[j] = bounds[j] = 0.0
        for g in range(len(parents)):
            size = math.sqrt(squares[g])
            values[j] += weights[g] * size
            if parents[g] < 0:
                bounds[j] = max(bounds[j], size / weights[g])
            else:
                squares[parents[g]] += squares[g]


@kernel
def exceed_trees(
    G: Array, nu: float, parents: Array, owners: Array, weights: Array, out: Array
) -> None:
    """Set out (n_rows,) to the excess of each row of G over shrinkage by nu times the weights.

    The excess decreases in nu, and is at most 0 if the prox of the row is zero.
    """
    n_groups, n_tasks = len(parents), G.shape[1]
    squares = np.empty(n_groups)
    for j in range(len(G)):
        squares[:] = 0.0
        for t in range(n_tasks):
            squares[owners[t]] += G[j, t] * G[j, t]
        out[j] = -np.inf
        for g in range(n_groups):
            size = math.sqrt(squares[g]) - nu * weights[g]
            if parents[g] < 0:
                out[j] = max(out[j], size)
            elif size > 0.0:
                squares[parents[g]] += size * size


@kernel
def _group_factors(
    row: Array, step: float, parents: Array, owners: Array, weights: Array, left: Array
) -> float:
    """Set left (n_groups,) to each group's own factor; return the largest absolute entry."""
    scale = 0.0
    for t in range(len(row)):
        scale = max(scale, abs(row[t]))
    if scale == 0.0:
        return scale
    # Divide by the largest entry, whose square might overflow or underflow.
    left[:] = 0.0
    for t in range(len(row)):
        left[owners[t]] += (row[t] / scale) ** 2
    for g in range(len(parents)):
        size, threshold = math.sqrt(left[g]), step * weights[g] / scale
        if size > threshold:
            if parents[g] >= 0:
                left[parents[g]] += (size - threshold) ** 2
            left[g] = 1.0 - threshold / size
        else:
            left[g] = 0.0
    return scale
