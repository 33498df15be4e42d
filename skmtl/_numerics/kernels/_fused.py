"""The prox of the total variation of each row, then of its L1 and L2 norms."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl._numerics.kernels._compile import kernel

Array = NDArray[Any]


@kernel
def shrink_chains(W: Array, variation: Array, entry: Array, group: Array) -> None:
    """Replace each row w of W by the minimiser over x of

        |x - w|^2 / 2 + variation sum_k |x_{k+1} - x_k| + entry |x|_1 + group |x|_2.

    The thresholds are (n_rows,) each.
    """
    n_tasks = W.shape[1]
    row = np.empty(n_tasks)
    ends, signs = np.empty(n_tasks, dtype=np.intp), np.empty(n_tasks)
    for j in range(len(W)):
        for t in range(n_tasks):
            row[t] = W[j, t]
        _smooth(row, variation[j], ends, signs)
        size = _threshold(row, entry[j])
        ratio = 1.0 - group[j] / size if size > group[j] else 0.0
        for t in range(n_tasks):
            W[j, t] = ratio * row[t]


@kernel
def exceed_chains(
    G: Array, nu: float, variation: float, entry: float, group: float, out: Array
) -> None:
    """Set out (n_rows,) to the excess of each row of G over nu times the given thresholds.

    The excess decreases in nu, and is at most 0 if the prox of the row is zero. At least one of
    entry and group is positive.
    """
    n_tasks = G.shape[1]
    row = np.empty(n_tasks)
    ends, signs = np.empty(n_tasks, dtype=np.intp), np.empty(n_tasks)
    for j in range(len(G)):
        for t in range(n_tasks):
            row[t] = G[j, t]
        _smooth(row, nu * variation, ends, signs)
        if group > 0.0:
            out[j] = _threshold(row, nu * entry) - nu * group
        else:
            # The excess of the largest entry; it may be negative, as secant steps require.
            largest = 0.0
            for t in range(n_tasks):
                largest = max(largest, abs(row[t]))
            out[j] = largest - nu * entry


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


@kernel
def _smooth(row: Array, level: float, ends: Array, signs: Array) -> None:
    """The prox of level times the total variation, in place. ends and signs are buffers."""
    n = len(row)
    if n < 2 or not level > 0.0:
        return
    n_jumps = _find_jumps(row, level, ends, signs)
    first, before = 0, 0.0
    for k in range(n_jumps + 1):
        end = ends[k] if k < n_jumps else n - 1
        after = signs[k] if k < n_jumps else 0.0
        # Computed from the entries of the piece, so that no error accumulates along the row.
        total = 0.0
        for t in range(first, end + 1):
            total += row[t]
        height = (total + level * (after - before)) / (end - first + 1)
        for t in range(first, end + 1):
            row[t] = height
        first, before = end + 1, after


@kernel
def _find_jumps(y: Array, level: float, ends: Array, signs: Array) -> int:
    """Find the jumps of the prox of the total variation: after ends[k], with the sign signs[k].

    Condat's direct algorithm. A piece that starts at ``first`` can have any height from low to
    high that keeps the dual variable, the running sum of y minus the height, within
    [-level, level]; spare and excess are that sum for the two heights. If even low is too high,
    the piece ends where low was last updated, and likewise for high. Returns the number of jumps.
    """
    n, n_jumps = len(y), 0
    first, k, low_end, high_end = 0, 0, 0, 0
    low, high = y[0] - level, y[0] + level
    spare, excess = level, -level
    while True:
        if k == n - 1:
            # The sum must be zero at the end.
            if spare < 0.0:
                low_end = max(low_end, first)
                ends[n_jumps], signs[n_jumps] = low_end, -1.0
                first = k = low_end = low_end + 1
                low, spare = y[k], level
                excess = y[k] + level - high
            elif excess > 0.0:
                high_end = max(high_end, first)
                ends[n_jumps], signs[n_jumps] = high_end, 1.0
                first = k = high_end = high_end + 1
                high, excess = y[k], -level
                spare = y[k] - level - low
            else:
                return n_jumps
            n_jumps += 1
            continue
        spare += y[k + 1] - low
        excess += y[k + 1] - high
        if spare < -level:
            ends[n_jumps], signs[n_jumps] = low_end, -1.0
            n_jumps += 1
            first = k = low_end = high_end = low_end + 1
            low, high = y[k], y[k] + 2.0 * level
            spare, excess = level, -level
        elif excess > level:
            ends[n_jumps], signs[n_jumps] = high_end, 1.0
            n_jumps += 1
            first = k = low_end = high_end = high_end + 1
            low, high = y[k] - 2.0 * level, y[k]
            spare, excess = level, -level
        else:
            k += 1
            if spare >= level:
                low += (spare - level) / (k - first + 1)
                spare, low_end = level, k
            if excess <= -level:
                high += (excess + level) / (k - first + 1)
                excess, high_end = -level, k
