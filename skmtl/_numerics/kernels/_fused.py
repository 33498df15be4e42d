"""Total variation along each row, then thresholds of its entries and of the whole row."""

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
    """By how much each row of G survives thresholds of nu times the given: out (n_rows,).

    Decreasing in nu; at most 0 where the row becomes zero. entry or group is positive.
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
            # Of the entries alone: below 0 too, as a secant needs.
            largest = 0.0
            for t in range(n_tasks):
                largest = max(largest, abs(row[t]))
            out[j] = largest - nu * entry


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
        # From the piece's own entries: nothing drifts along the row.
        total = 0.0
        for t in range(first, end + 1):
            total += row[t]
        height = (total + level * (after - before)) / (end - first + 1)
        for t in range(first, end + 1):
            row[t] = height
        first, before = end + 1, after


@kernel
def _find_jumps(y: Array, level: float, ends: Array, signs: Array) -> int:
    """Where the prox of the total variation jumps after ends[k], up or down by signs[k].

    Condat's direct algorithm. A piece that starts at ``first`` may have any height from low to
    high that keeps the dual variable, the running sum of y minus the height, within
    [-level, level]; spare and excess are that sum for the two heights. Where even low is too
    high, the piece ended where low was last touched, and the same for high. Returns the number
    of jumps.
    """
    n, n_jumps = len(y), 0
    first, k, low_end, high_end = 0, 0, 0, 0
    low, high = y[0] - level, y[0] + level
    spare, excess = level, -level
    while True:
        if k == n - 1:
            # The sum has to end at zero.
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
