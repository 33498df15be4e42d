"""Where only rounding error is left of a difference of sums."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

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
