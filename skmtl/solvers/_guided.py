"""Proximal Newton steps with the curvature of a similar objective, for paths of related fits."""

import numpy as np

from skmtl.solvers._block import Block
from skmtl.solvers._contract import ExpandedRowModels, thresholds_of
from skmtl.solvers._point import Point

# Guided steps before the solver falls back to its own curvature.
_MAX_STEPS = 3
# Corrections of the gradient in one step, and the fraction of the allowed gap at which they end.
_MAX_CORRECTIONS = 8
_LAST = 0.2
# Sweeps before each correction. They do not count as iterations, being few.
_MAX_SWEEPS = 200
_ROUNDING = 1e-13


class Guided(Block):
    """Minimise as :class:`Block`, from a good starting point, without computing the curvature.

    Each step minimises the second-order expansion of the loss, approximately: its gradient is
    exact, but its curvature is that of a similar objective, such as the same loss on other rows of
    data. The gradient is corrected and the model minimised again, until the duality gap of the
    expansion is small. The loss gradients at its minimiser then are a dual point whose distance
    from the optimum is of second order in the step. If such steps do not suffice, the solver
    continues as Block.
    """

    def __init__(self, objective: ExpandedRowModels, start: Point) -> None:
        super().__init__(objective, start)
        # None once the solver continues as Block.
        self.guide: ExpandedRowModels | None = objective
        self.n_left, self.lower = _MAX_STEPS, -np.inf

    def bounds(self, point: Point) -> tuple[float, float]:
        if self.guide is None:
            return super().bounds(point)
        # Before the first step no bound is needed.
        return self.guide.value(self.point), self.lower

    def step(self, gap: float, enough: float) -> Point | None:
        guide = self.guide
        if guide is None:
            return super().step(gap, enough)
        if self.n_left and self._step_guided(guide, enough):
            self.n_left -= 1
            return self.point
        self.guide, self.point = None, guide.settled(self.point)
        value, bound = super().bounds(self.point)
        return super().step(min(gap, value - bound), enough)

    def _step_guided(self, guide: ExpandedRowModels, enough: float) -> bool:
        """Minimise the expansion at the point; whether that decreased the objective."""
        expansion, value = guide.expanded(self.point), guide.value(self.point)
        features, start = expansion.features, expansion.point
        rows = start.W[features]
        if np.count_nonzero(rows) < np.count_nonzero(start.W):
            return False
        thresholds = thresholds_of(guide).of(features)
        for _ in range(_MAX_CORRECTIONS):
            swept = expansion.model().minimise(rows, thresholds, _LAST * enough, _MAX_SWEEPS)
            if not swept or not np.isfinite(rows).all():
                break
            expansion.move(rows)
        reached = expansion.reached(rows)
        if not guide.value(reached) <= value * (1 + _ROUNDING):
            return False
        if not expansion.covers():
            self.n_left = 1
        self.point, self.lower = reached, max(self.lower, expansion.bound(reached.W))
        return True
