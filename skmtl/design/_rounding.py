"""What is left of sums and of constants when only rounding error is left."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

# Relative to the squared mean: the rounding error of the variance of a constant.
CONSTANT = (64 * np.finfo(np.float64).eps) ** 2
# If a difference of sums is smaller than this fraction of them, rounding error dominates it.
_CANCELLED = 1e-10
# The same for the total weight of a task's labels.
_FEW_LEFT = 1e-3


def has_cancelled(left: Array, whole: Array) -> Array:
    """Where rounding error dominates what is left of sums of squares."""
    return np.asarray(left < _CANCELLED * whole)


def tasks_cancelled(left: Array, whole: Array, totals_left: Array, totals: Array) -> Array:
    """The tasks (n_tasks,) of which too little is left.

    Parameters
    ----------
    left, whole : arrays of shape (n_grams, n_features)
        Sums of squares of features around their means, some of the rows and of all.
    totals_left, totals : arrays of shape (n_tasks,)
        The weights of the same labels.
    """
    small = (has_cancelled(left, whole) & (whole > 0)).any(axis=1)
    return np.asarray(small | (totals_left < _FEW_LEFT * totals))


def deviations_of(variances: Array, means: Array) -> Array:
    """Standard deviations of labels, zero for those that are constant up to rounding error."""
    rounding = variances <= 1e-24 * (variances + means**2)
    return np.where(rounding, 0.0, np.sqrt(variances))
