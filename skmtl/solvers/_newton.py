"""Damped Newton steps, for smooth objectives with few features."""

import numpy as np

from skmtl.solvers._contract import NewtonSteps
from skmtl.solvers._point import Point

_MAX_HALVINGS = 40


class Newton:
    """Exact Newton steps on (W, b) with a backtracking line search.

    Each step computes one Gram matrix per task; the squared loss needs a single step.
    """

    iterations_per_certificate, n_sweeps = 1, 0

    def __init__(self, objective: NewtonSteps, start: Point) -> None:
        self.objective = objective
        self.old = start

    def bounds(self, point: Point) -> tuple[float, float]:
        return self.objective.bounds(point)

    def step(self, gap: float, enough: float) -> Point | None:
        objective, old = self.objective, self.old
        gradient = objective.gradient(old)
        W, b = objective.newton_step(old, gradient)
        decrease = float(np.vdot(gradient[0], W) + np.vdot(gradient[1], b))
        value = objective.smooth_value(old)
        # Ignore increases within the rounding error of the objective.
        slack = 4 * np.finfo(old.W.dtype).eps * abs(value)
        size = 1.0
        for _ in range(_MAX_HALVINGS):
            scale = old.W.dtype.type(size)
            new = objective.point(old.W + scale * W, old.b + scale * b)
            reached = objective.smooth_value(new)
            if reached <= value + 1e-4 * size * decrease + slack:
                if reached >= value and abs(decrease) <= slack:
                    return None  # the possible decrease is below rounding error
                self.old = new
                return new
            size /= 2
        return None
