"""The best intercepts at given coefficients."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.objective._point import Point

Array = NDArray[Any]

_MAX_STEPS = 50
_MAX_HALVINGS = 40


def minimise_intercepts(objective: Any, point: Point) -> Point:
    """Damped Newton steps on b, W fixed."""
    point = Point(point.W, point.b.astype(np.float64), point.Z.astype(np.float64))
    values = objective.intercept_values(point)
    for _ in range(_MAX_STEPS):
        U = objective.loss.gradient(objective.y, point.Z)
        step = -objective.intercept_newton(point, U)
        tried, reached = point, values
        for _ in range(_MAX_HALVINGS):
            tried = objective.shifted(point, step)
            reached = objective.intercept_values(tried)
            # Ignore increases within rounding error.
            worse = reached > values * (1 + 1e-13)
            if not worse.any():
                break
            step = np.where(worse, step / 2, step)
        small = np.abs(step) <= 1e-10 * (1 + np.abs(point.b))
        point, values = tried, reached
        if small.all():
            break
    return point


def dual_rounding(y: Array, U: Array) -> Array:
    """How much of each loss gradient may be rounding."""
    return np.asarray(1e-11 * np.abs(U) + 1e-15 * (1 + np.abs(y)))
