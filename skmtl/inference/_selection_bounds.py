"""Bounds of Shah and Samworth (2013) on the number of falsely selected features.

The base procedure selects q of p features on half of the rows. With B complementary pairs of
halves, a feature is selected if its frequency over the 2 B halves reaches a threshold. The bounds
are on the expected number of selected features of low selection probability: those that the base
procedure selects with probability at most theta = q / p.
"""

from bisect import bisect_left
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize_scalar

Array = NDArray[Any]

# From the weakest assumption to the strongest, each of which implies those before it.
ASSUMPTIONS = ("none", "unimodal", "r-concave")

# Concavity of the numbers of pairs in which both halves, and of halves which, select a feature.
_R_BOTH, _R_EITHER = -1 / 2, -1 / 4
# Rounds frequencies such as 0.6 up to multiples of 1 / (2 B) in spite of rounding error.
_ROUNDING = 1e-9
_N_SHIFTS = 9


def bound_false(
    n_selected: float, n_features: int, threshold: float, n_pairs: int, assumption: str
) -> float:
    """Upper bound on the expected number of selected features of low selection probability.

    Parameters
    ----------
    n_selected : float
        q, the expected number of features that the base procedure selects, or an upper bound on it.
    n_features : int
        p.
    threshold : float
        The least frequency of a selected feature, in (1/2, 1].
    n_pairs : int
        B.
    assumption : {"none", "unimodal", "r-concave"}
        On the distribution of the frequencies of these features. A stronger assumption implies the
        weaker ones, so that the bound is the least of theirs.
    """
    theta = n_selected / n_features
    if theta >= 1:
        return float(n_features)
    halves = int(np.ceil(2 * n_pairs * threshold - _ROUNDING))
    level = halves / (2 * n_pairs)
    bounds = [float(n_features), n_selected * theta / (2 * level - 1)]
    if assumption != "none":
        bounds.append(n_selected * theta * _unimodal_factor(theta, level, n_pairs))
    if assumption == "r-concave":
        both = tail(theta**2, halves - n_pairs, n_pairs, _R_BOTH)
        either = tail(theta, halves, 2 * n_pairs, _R_EITHER)
        bounds.append(n_features * min(both, either))
    return min(bounds)


def _unimodal_factor(theta: float, level: float, n_pairs: int) -> float:
    """C(threshold, B) of Theorem 2, infinite where the theorem does not apply."""
    lowest = 0.5 + min(theta**2, 1 / (2 * n_pairs) + 0.75 * theta**2)
    if theta > 1 / np.sqrt(3) or level <= lowest:
        return np.inf
    if level <= 0.75:
        return 1 / (2 * (2 * level - 1 - 1 / (2 * n_pairs)))
    return 4 * (1 - level + 1 / (2 * n_pairs)) / (1 + 1 / n_pairs)


def least_threshold(
    n_selected: float, n_features: int, max_false: float, n_pairs: int, assumption: str
) -> float | None:
    """The least threshold above 1/2 with a bound of at most ``max_false``; None if there is none.

    Thresholds are multiples of 1 / (2 B), as the frequencies are.
    """
    levels = np.arange(n_pairs + 1, 2 * n_pairs + 1) / (2 * n_pairs)

    def low_enough(level: float) -> bool:
        return bound_false(n_selected, n_features, level, n_pairs, assumption) <= max_false

    place = bisect_left(levels, True, key=low_enough)
    return float(levels[place]) if place < len(levels) else None


def largest_selection(
    n_features: int, threshold: float, max_false: float, n_pairs: int, assumption: str
) -> int:
    """The largest q, below p, with a bound of at most ``max_false``; 0 if there is none."""

    def too_high(q: int) -> bool:
        return bound_false(q, n_features, threshold, n_pairs, assumption) > max_false

    return bisect_left(range(1, n_features), True, key=too_high)


def tail(mean: float, count: int, size: int, r: float) -> float:
    """D(mean, count / size, size, r): the largest P(X >= count / size) of an r-concave X.

    X has values in {0, 1 / size, ..., 1} and at most the given mean, and r < 0: the probabilities
    to the power r are convex. By appendix A.4 of the paper the maximum is attained by a probability
    proportional to (a + i)^(1/r) at i = 0, ..., k, and at most that at k + 1, such that the mean
    is attained; it is found by a search over k and a.

    Parameters
    ----------
    mean : float
    count, size : int
    r : float

    Returns
    -------
    float
        1 if ``count`` is at most ``ceil(2 mean size)``, as in the paper.
    """
    first = int(np.ceil(2 * mean * size - _ROUNDING)) + 1
    if count < first or first > size:
        return 1.0
    if count > size:
        return 0.0
    shifts = _shifts(mean * size, first, size, 1 / r)
    last = shifts[size]  # no room for a part of the probability at size + 1
    best = _tail_at(last, count, size, mean * size, 1 / r)
    for k in range(max(first, count - 1), size):
        low, high = shifts[k + 1], shifts[k]
        grid = np.linspace(low, high, _N_SHIFTS)
        values = [_tail_at(a, count, k, mean * size, 1 / r) for a in grid]
        top = int(np.argmax(values))
        ends = grid[max(top - 1, 0)], grid[min(top + 1, len(grid) - 1)]
        found = minimize_scalar(
            lambda a, k=k: -_tail_at(a, count, k, mean * size, 1 / r), bounds=ends, method="bounded"
        )
        best = max(best, values[top], -found.fun)
    return float(min(max(best, 0.0), 1.0))


def _powers(shift: float, top: int, power: float) -> Array:
    """((a + i) / a)^power for i = 0, ..., top."""
    return np.asarray((1 + np.arange(top + 1) / shift) ** power)


def _tail_at(shift: float, count: int, k: int, mean: float, power: float) -> float:
    """P(X >= count), where the rest of the probability is at k + 1, so that X has the mean."""
    weights = _powers(shift, k, power)
    below = weights[:count].sum() * (k + 1 - mean)
    return float(1 - below / (weights @ (k + 1 - np.arange(k + 1))))


@lru_cache(maxsize=64)
def _shifts(mean: float, first: int, size: int, power: float) -> dict[int, float]:
    """For each k the shift a at which (a + i)^power on 0, ..., k has the mean."""

    def excess(log_shift: float, k: int) -> float:
        weights = _powers(np.exp(log_shift), k, power)
        return float(weights @ np.arange(k + 1) / weights.sum() - mean)

    found = {}
    for k in range(first, size + 1):
        # As a grows, the mean rises from 0 to k / 2, which is above it by at least 1 / 2.
        high = np.log(10 * abs(power) * (k + 1) ** 2)
        low = -5.0
        while excess(low, k) > 0:
            low *= 2
        found[k] = float(np.exp(brentq(excess, low, high, args=(k,), xtol=1e-13, rtol=1e-13)))
    return found
