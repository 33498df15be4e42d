"""The prox of the differences between all entries of each row, then of its L1 and L2 norms."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl._numerics.kernels._compile import kernel

Array = NDArray[Any]


@kernel
def shrink_pairs(W: Array, fusion: Array, entry: Array, group: Array) -> None:
    """Replace each row w of W, sorted in ascending order, by the minimiser over x of

        |x - w|^2 / 2 + fusion sum_{s<t} |x_s - x_t| + entry |x|_1 + group |x|_2.

    The thresholds are (n_rows,) each. The result is sorted as well.
    """
    n_tasks = W.shape[1]
    row = np.empty(n_tasks)
    firsts, sums = np.empty(n_tasks, dtype=np.intp), np.empty(n_tasks)
    heights = np.empty(n_tasks)
    for j in range(len(W)):
        for t in range(n_tasks):
            row[t] = W[j, t]
        _fuse(row, fusion[j], firsts, sums, heights)
        size = _threshold(row, entry[j])
        ratio = 1.0 - group[j] / size if size > group[j] else 0.0
        for t in range(n_tasks):
            W[j, t] = ratio * row[t]


@kernel
def exceed_pairs(
    G: Array, nu: float, fusion: float, entry: float, group: float, out: Array
) -> None:
    """Set out (n_rows,) to the excess of each sorted row of G over nu times the given thresholds.

    The excess decreases in nu, and is at most 0 if the prox of the row is zero. At least one of
    entry and group is positive.
    """
    n_tasks = G.shape[1]
    row = np.empty(n_tasks)
    firsts, sums = np.empty(n_tasks, dtype=np.intp), np.empty(n_tasks)
    heights = np.empty(n_tasks)
    for j in range(len(G)):
        for t in range(n_tasks):
            row[t] = G[j, t]
        _fuse(row, nu * fusion, firsts, sums, heights)
        if group > 0.0:
            out[j] = _threshold(row, nu * entry) - nu * group
        else:
            # The largest absolute entry is the first or the last; its excess may be negative, as
            # secant steps require.
            out[j] = max(abs(row[0]), abs(row[n_tasks - 1])) - nu * entry


@kernel
def _fuse(row: Array, level: float, firsts: Array, sums: Array, heights: Array) -> None:
    """The prox of level times the sum of all absolute differences, in place; with buffers.

    The minimiser is in the order of the row, in which the differences are linear and shift the
    k-th of n entries by -level * (2k - n - 1). Adjacent violators of the order are then pooled.
    """
    n = len(row)
    if n < 2 or not level > 0.0:
        return
    n_pieces = 0
    for t in range(n):
        first, total, height = t, row[t], row[t] - level * (2 * t + 1 - n)
        # Pool equal heights too, so that the pieces have different heights.
        while n_pieces > 0 and heights[n_pieces - 1] >= height:
            n_pieces -= 1
            first, total = firsts[n_pieces], sums[n_pieces] + total
            # The mean of the piece's entries; the mean shift is that of its first and last entry.
            height = total / (t - first + 1) - level * (first + t + 1 - n)
        firsts[n_pieces], sums[n_pieces], heights[n_pieces] = first, total, height
        n_pieces += 1
    end = n
    for k in range(n_pieces - 1, -1, -1):
        for t in range(firsts[k], end):
            row[t] = heights[k]
        end = firsts[k]


@kernel
def _threshold(row: Array, level: float) -> float:
    """Soft-threshold the entries in place; return the Euclidean norm of the result."""
    largest = 0.0
    for t in range(len(row)):
        size = abs(row[t]) - level
        row[t] = math.copysign(size, row[t]) if size > 0.0 else 0.0
        largest = max(largest, abs(row[t]))
    if largest == 0.0:
        return 0.0
    # Divide by the largest entry, whose square might overflow or underflow.
    total = 0.0
    for t in range(len(row)):
        total += (row[t] / largest) ** 2
    return largest * math.sqrt(total)
