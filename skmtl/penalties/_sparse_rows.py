"""The dual norm of a sum of the L1 norm and a row norm, which has no closed form."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.penalties._shrinkage import row_norms

Array = NDArray[Any]

_MAX_STEPS = 60


def sparse_dual_norm(G: Array, entry: float, group: float, norm: str = "l2") -> float:
    """The dual norm of ``entry`` times the L1 norm plus ``group`` times a norm of each row.

    It is the largest over rows of the number nu at which the entries of the row of G, thresholded
    at nu * entry, have the dual norm nu * group.

    Parameters
    ----------
    G : ndarray of shape (n_features, n_tasks)
    entry, group : float
        At least one of them positive.
    norm : {"l2", "linf"}, default="l2"
        The norm of a row.
    """
    if not G.size:
        return 0.0
    sizes, total = np.abs(G).astype(np.float64, copy=False), entry + group
    lengths, slopes = _NORMS[norm]
    # nu times the total lies between a row's largest absolute entry and its dual length; drop the
    # rows that cannot attain the maximum.
    least = sizes.max(axis=1) / total
    sizes = sizes[lengths(sizes) / total >= 0.999 * least.max()]
    # The excess of the thresholded entries' length over its bound is convex in nu and decreases at
    # a rate of at least entry + group: Newton's method from below stays below, and the remaining
    # excess divided by that rate leads to an upper bound.
    nu = sizes.max(axis=1) / total
    excess = np.zeros_like(nu)
    for _ in range(_MAX_STEPS):
        left = np.maximum(sizes - nu[:, None] * entry, 0.0)
        reached = lengths(left)
        excess = np.maximum(reached - nu * group, 0.0)
        if (excess <= 1e-15 * reached).all():
            break
        nu = nu + excess / (group + entry * slopes(left, reached))
    ratios = (nu + excess / total) * (1 + 8 * np.finfo(np.float64).eps)
    return float(ratios.max(initial=0.0))


def _l1_norms(sizes: Array) -> Array:
    return np.asarray(sizes.sum(axis=1))


def _l2_slopes(left: Array, lengths: Array) -> Array:
    """The rate at which the Euclidean norm of a row decreases with the threshold."""
    ones = np.ones_like(lengths)
    return np.asarray(np.divide(left.sum(axis=1), lengths, out=ones, where=lengths > 0))


def _l1_slopes(left: Array, lengths: Array) -> Array:
    return np.asarray(np.maximum(np.count_nonzero(left, axis=1), 1))


_Measure = Callable[[Array], Array]
# For each norm of a row: its dual norm, and the rate at which that decreases with the threshold.
_NORMS: dict[str, tuple[_Measure, Callable[[Array, Array], Array]]] = {
    "l2": (row_norms, _l2_slopes),
    "linf": (_l1_norms, _l1_slopes),
}
