"""Proximal Newton steps, for losses whose curvature varies and penalties of any kind."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.solvers._admm import ADMM
from skmtl.solvers._consensus import ConsensusADMM
from skmtl.solvers._contract import Model, QuadraticModels
from skmtl.solvers._driver import SWEEPS_PER_ITERATION, Algorithm, certified
from skmtl.solvers._fista import FISTA
from skmtl.solvers._point import Point
from skmtl.solvers._splitting import Splitting

Array = NDArray[Any]

# A model is minimised to the first share of the gap. Each time the gap has not halved, the share
# is multiplied by the second number, down to the third: far from the optimum bounds lag behind.
_INNER, _FINER, _FINEST = 0.02, 0.2, 1e-6
_MAX_INNER = 2000
_MAX_HALVINGS = 30


class ProximalNewton:
    """Minimise the loss's quadratic model plus the penalty, then search along the line to there.

    The model has each label's own curvature, so that badly scaled features and well-fitted labels
    do not slow it down. It is minimised by ADMM, whose steps are exact in the model, from an
    eigendecomposition of each task's Gram matrix; by FISTA, or for sums of penalties by splitting,
    where that costs too much.

    References
    ----------
    J. D. Lee, Y. Sun and M. A. Saunders, "Proximal Newton-type methods for minimizing composite
    functions", SIAM J. Optim. 24(3), 2014, https://doi.org/10.1137/130921428
    """

    iterations_per_certificate = 1

    def __init__(self, objective: QuadraticModels, start: Point) -> None:
        self.objective, self.n_sweeps = objective, 0
        self.point = objective.settled(start.astype(np.float64))
        self.share, self.last_gap, self.majorises = _INNER, np.inf, False
        # How the slopes are split between the terms of a penalty without a prox.
        self.duals: tuple[Array, ...] | None = None

    def bounds(self, point: Point) -> tuple[float, float]:
        if self.duals is None:
            return self.objective.bounds(self.point)
        return self.objective.split_bounds(self.point, self.duals)

    def step(self, gap: float, enough: float) -> Point | None:
        if gap > self.last_gap / 2:
            self.share = max(_FINER * self.share, _FINEST)
        self.last_gap = gap
        model = self.objective.quadratic_model(self.point, majorise=self.majorises)
        start = model.point(self.point.W, np.zeros(0))
        found = self._minimise(model, start, self.share * gap)
        decrease = model.value(found) - model.value(start)
        self.point, before = self._searched(found.W - start.W, decrease), self.point
        return None if self.point is before else self.point

    def _minimise(self, model: Model, start: Point, tol: float) -> Point:
        """The model's point at a duality gap of tol, or after many iterations."""
        inner = _inner_solver(model)(model, start)
        # Nothing is known of a model's minimum.
        *_, found = certified(inner, start, max_iter=_MAX_INNER, enough=tol, lower=-np.inf)
        self.n_sweeps += SWEEPS_PER_ITERATION * found.n_iter
        if isinstance(inner, ConsensusADMM | Splitting):
            self.duals = inner.duals
        return found.point

    def _searched(self, D: Array, decrease: float) -> Point:
        """The point along D where the objective has fallen; the same point if there is none."""
        value, size = self.objective.value(self.point), 1.0
        for _ in range(_MAX_HALVINGS):
            W = self.point.W + size * D
            new = self.objective.settled(self.objective.point(W, self.point.b))
            allowed = value + 1e-3 * size * decrease + 1e-15 * abs(value)
            if self.objective.value(new) <= allowed:
                # Where the full step failed, the next model lies above the loss.
                self.majorises = size < 1.0 and not self.majorises
                return new
            size /= 2
        return self.point


def _inner_solver(model: Model) -> Algorithm[Model]:
    if model.terms is not None:
        exact = model.has_spectrum and model.terms.takes_copies
        return ConsensusADMM if exact else Splitting
    return ADMM if model.has_spectrum else FISTA
