"""Differences between all entries of each sorted row, then thresholds of its entries and of it."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl._numerics.kernels._compile import kernel

Array = NDArray[Any]


@kernel
def shrink_pairs(W: Array, fusion: Array, entry: Array, group: Array) -> None:
    """Replace each row w of W, sorted from its smallest entry, by the minimiser over x of

        |x - w|^2 / 2 + fusion sum_{s<t} |x_s - x_t| + entry |x|_1 + group |x|_2.

    The thresholds are (n_rows,) each. What remains is sorted as well.
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
    """By how much each sorted row of G survives thresholds of nu times the given: out (n_rows,).

    Decreasing in nu; at most 0 where the row becomes zero. entry or group is positive.
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
            # Of the entries alone, the largest first or last: below 0 too, as a secant needs.
            out[j] = max(abs(row[0]), abs(row[n_tasks - 1])) - nu * entry


@kernel
def _fuse(row: Array, level: float, firsts: Array, sums: Array, heights: Array) -> None:
    """The prox of level times the sum of all differences, in place; the others are buffers.

    The minimiser has the order of the row, in which the differences are linear: the k-th of n
    entries is pushed by level * (2k - n - 1) towards the others. Then pool adjacent violators.
    """
    n = len(row)
    if n < 2 or not level > 0.0:
        return
    n_pieces = 0
    for t in range(n):
        first, total, height = t, row[t], row[t] - level * (2 * t + 1 - n)
        # Equal heights too: pieces differ.
        while n_pieces > 0 and heights[n_pieces - 1] >= height:
            n_pieces -= 1
            first, total = firsts[n_pieces], sums[n_pieces] + total
            # From the piece's own entries; the pushes of its first and last have the mean of all.
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
    """Soft-threshold the entries in place; returns the Euclidean norm of what is left."""
    largest = 0.0
    for t in range(len(row)):
        size = abs(row[t]) - level
        row[t] = math.copysign(size, row[t]) if size > 0.0 else 0.0
        largest = max(largest, abs(row[t]))
    if largest == 0.0:
        return 0.0
    # Relative to the largest, whose square might be infinite or zero.
    total = 0.0
    for t in range(len(row)):
        total += (row[t] / largest) ** 2
    return largest * math.sqrt(total)
