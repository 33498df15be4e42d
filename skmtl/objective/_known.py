"""Gram matrices that one objective computes for similar ones."""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class KnownGrams:
    """Gram matrices of some features, with the curvature at the minimiser of a similar objective.

    Attributes
    ----------
    features : ndarray of shape (s,), ascending
    grams : ndarray of shape (s, s, n_tasks)
    """

    features: Array
    grams: Array
