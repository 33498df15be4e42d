"""Elimination of the tasks of a graph without cycles, from its leaves to its roots."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl._numerics.kernels._compile import FAST, kernel

Array = NDArray[Any]


@kernel(fastmath=FAST)
def _factorise(matrix: Array, shift: float) -> None:
    """Overwrite the lower triangle by the factor of matrix + shift I, with reciprocal diagonals.

    A pivot that is only rounding error is raised to 1e-13 of its diagonal entry.
    """
    for i in range(len(matrix)):
        row = matrix[i]
        for j in range(i):
            other, total = matrix[j], 0.0
            for k in range(j):
                total += row[k] * other[k]
            row[j] = (row[j] - total) * other[j]
        whole, total = row[i] + shift, 0.0
        for k in range(i):
            total += row[k] * row[k]
        row[i] = 1.0 / math.sqrt(max(whole - total, 1e-13 * whole))


@kernel(fastmath=FAST)
def _solve(factor: Array, w: Array) -> None:
    """Overwrite w by the solution for a factor with reciprocal diagonals."""
    d = len(w)
    for j in range(d):
        row, total = factor[j], 0.0
        for k in range(j):
            total += row[k] * w[k]
        w[j] = (w[j] - total) * row[j]
    for j in range(d - 1, -1, -1):
        row = factor[j]
        weight = w[j] * row[j]
        w[j] = weight
        for k in range(j):
            w[k] -= row[k] * weight


@kernel(fastmath=FAST)
def eliminate_tasks(order: Array, parents: Array, weights: Array, matrices: Array) -> None:
    """Overwrite the matrices K_t (T, d, d) by the factors of K_t + a_t I; roots keep theirs.

    Tasks are eliminated in reverse ``order``. Task t, joined to its parent by an edge of weight
    a_t = weights[t], adds a_t (K_t + a_t I)^-1 K_t to the matrix of its parent.
    """
    d = matrices.shape[1]
    passed = np.empty((d, d))
    for place in range(len(order) - 1, -1, -1):
        t = order[place]
        if parents[t] < 0:
            continue
        weight, above = weights[t], matrices[parents[t]]
        passed[:] = matrices[t]
        _factorise(matrices[t], weight)
        for j in range(d):
            _solve(matrices[t], passed[j])
        for j in range(d):
            for k in range(d):
                above[j, k] += weight * (passed[j, k] + passed[k, j]) / 2


@kernel(fastmath=FAST)
def pass_to_roots(
    order: Array, parents: Array, weights: Array, factors: Array, rows: Array
) -> None:
    """Add to the right-hand sides (T, d) what the eliminated tasks leave at their parents."""
    for place in range(len(order) - 1, -1, -1):
        t = order[place]
        if parents[t] >= 0:
            solved = rows[t].copy()
            _solve(factors[t], solved)
            above = rows[parents[t]]
            for j in range(len(solved)):
                above[j] += weights[t] * solved[j]


@kernel(fastmath=FAST)
def pass_to_leaves(
    order: Array, parents: Array, weights: Array, factors: Array, rows: Array
) -> None:
    """Overwrite the right-hand sides (T, d) by the solutions, given those of the roots."""
    for t in order:
        if parents[t] >= 0:
            above = rows[parents[t]]
            for j in range(len(above)):
                rows[t, j] += weights[t] * above[j]
            _solve(factors[t], rows[t])
