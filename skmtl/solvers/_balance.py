"""Relaxation and step sizes of the alternating direction methods of multipliers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

RELAXATION = 1.6
ADAPT_EVERY = 10
ADAPT_UNTIL = 200
_TINY = np.finfo(np.float64).tiny


def balancing(solved: Array, split: Array, before: Array, scaled: Array) -> float:
    """The factor for rho that makes the relative residuals equal; 1 if they nearly are.

    Parameters
    ----------
    solved, split : arrays
        What the constraint equates, the latter after a prox.
    before : array
        ``split`` one step before.
    scaled : array
        The scaled multipliers.
    """
    size = max(np.linalg.norm(solved), np.linalg.norm(split), _TINY)
    primal = np.linalg.norm(solved - split) / size
    dual = np.linalg.norm(split - before) / max(np.linalg.norm(scaled), _TINY)
    if not (primal > 0 and dual > 0):
        return 1.0
    ratio = float(np.clip(np.sqrt(primal / dual), 0.2, 5.0))
    return 1.0 if 0.5 < ratio < 2 else ratio
