"""The method of multipliers, for losses without a gradient."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.solvers._contract import Kinked
from skmtl.solvers._driver import SWEEPS_PER_ITERATION, Algorithm, Solver, certified, duals_of
from skmtl.solvers._point import Point

Array = NDArray[Any]

# Smooth objectives are minimised to this share of the gap at first.
_SHARE, _FINER, _FINEST = 0.1, 0.3, 1e-3
# If more than this fraction of the gap is left, the width of the kink is divided.
_LEFT, _NARROWER = 0.3, 2.0
# Kinks narrower than this fraction of the first are lost in the rounding error of the predictors.
_NARROWEST = 1e-9
# Iterations for one smooth objective.
_MOST = 1000


class Multipliers:
    """Split the predictors from the loss: minimise loss(v) + penalty(W) subject to v = XW + b.

    The augmented Lagrangian is minimised over v in closed form, by the prox of the loss. What is
    left is a smooth objective in (W, b): the Moreau envelope of the loss, shifted by a multiplier
    for each label. It is minimised by the fastest solver that applies, more and more accurately,
    and its loss gradients are the next multipliers. The limit is exact for any width of the
    envelope; for piecewise linear objectives it is reached in a finite number of steps. The
    multipliers are dual points, and certify the original objective at each step.

    References
    ----------
    R. T. Rockafellar, "Augmented Lagrangians and applications of the proximal point algorithm in
    convex programming", Math. Oper. Res. 1(2), 1976, https://doi.org/10.1287/moor.1.2.97
    """

    iterations_per_certificate = 1

    def __init__(
        self,
        objective: Kinked,
        start: Point,
        choose: Callable[[Any], Algorithm[Any]],
    ) -> None:
        self.objective, self.choose = objective, choose
        # The best intercepts of the smooth objectives differ from those of the original one.
        self.point = self.smooth_point = start.astype(np.float64)
        self.n_sweeps, self.share, self.last_gap = 0, _SHARE, np.inf
        self.bound: float | None = None
        self.multipliers: Array | None = None
        self.width = self.narrowest = 0.0

    def bounds(self, point: Point) -> tuple[float, float]:
        if self.bound is None:
            return self.objective.bounds(self.point)
        return self.objective.value(self.point), self.bound

    def step(self, gap: float, enough: float) -> Point | None:
        objective = self.objective
        if self.multipliers is None:
            self.multipliers = objective.multipliers(self.point)
            self.width = objective.loss_width(self.point)
            self.narrowest = _NARROWEST * self.width
        elif gap > _LEFT * self.last_gap:
            if self.width < self.narrowest:
                return None
            self.width /= _NARROWER
            self.share = max(_FINER * self.share, _FINEST)
        self.last_gap = gap
        smooth = objective.augmented(self.multipliers, self.width)
        solver: Solver = self.choose(smooth)(smooth, self.smooth_point)
        *_, found = certified(
            solver, self.smooth_point, max_iter=_MOST, enough=max(self.share * gap, enough / 10)
        )
        self.n_sweeps += max(SWEEPS_PER_ITERATION * found.n_iter, solver.n_sweeps)
        self.smooth_point = found.last.astype(np.float64)
        duals = duals_of(solver)
        self.multipliers = smooth.multipliers(self.smooth_point)
        self.bound = objective.lower_bound(self.multipliers, self.smooth_point, duals)
        self.point = objective.settled(self.smooth_point)
        return self.point
