"""Helpers of the losses with a log link."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_SHORT = 0.05


def log_labels(y: Array) -> Array:
    """log(y); finite for y = 0, as the label of a row without one may be."""
    logs: Array = np.log(np.maximum(y, np.finfo(y.dtype).tiny))
    return logs


def second_order(step: Array) -> Array:
    """e^step - 1 - step, for short steps by its series."""
    return np.where(is_short(step), short_second_order(step), np.expm1(step) - step)


def is_short(step: Array) -> Array:
    """Where the difference e^step - 1 - step would lose digits."""
    return np.abs(step) < _SHORT


def short_second_order(step: Array) -> Array:
    """The series of e^step - 1 - step, with relative errors below 2e-10 for short steps."""
    return step * step * (1 / 2 + step * (1 / 6 + step * (1 / 24 + step * (1 / 120 + step / 720))))
