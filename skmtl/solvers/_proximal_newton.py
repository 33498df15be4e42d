"""Proximal Newton steps, for losses of varying curvature and any penalty."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.solvers._admm import ADMM
from skmtl.solvers._contract import Model, QuadraticModels
from skmtl.solvers._driver import SWEEPS_PER_ITERATION, Algorithm, certified, duals_of
from skmtl.solvers._fista import FISTA
from skmtl.solvers._point import Point
from skmtl.solvers._sum_switch import fastest_for_terms

Array = NDArray[Any]

# Each model is minimised to a share of the gap. Whenever the gap has not halved, the share is
# reduced by the second factor, down to the third: far from the optimum the bounds are loose.
_INNER, _FINER, _FINEST = 0.02, 0.2, 1e-6
_MAX_INNER = 2000
_MAX_HALVINGS = 30


class ProximalNewton:
    """Minimise a quadratic model of the loss plus the penalty, followed by a line search.

    The model uses the curvature of the loss at each label, so that neither badly scaled features
    nor well-fitted labels slow the method down. It is minimised by ADMM, which is exact in the
    model given an eigendecomposition of each task's Gram matrix. Where the decomposition is too
    expensive, FISTA is used instead, or the splitting method for sums of penalties.

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
        # The dual variables of the terms, for a sum of penalties.
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
        """Minimise the model up to a duality gap of tol, or for a limited number of iterations."""
        inner = _inner_solver(model)(model, start)
        # The minimum of a model may be negative.
        *_, found = certified(inner, start, max_iter=_MAX_INNER, enough=tol, lower=-np.inf)
        self.n_sweeps += SWEEPS_PER_ITERATION * found.n_iter
        self.duals = duals_of(inner)
        return found.point

    def _searched(self, D: Array, decrease: float) -> Point:
        """The point after a line search along D; the same point if no decrease is found."""
        value, size = self.objective.value(self.point), 1.0
        for _ in range(_MAX_HALVINGS):
            W = self.point.W + size * D
            new = self.objective.settled(self.objective.point(W, self.point.b))
            allowed = value + 1e-3 * size * decrease + 1e-15 * abs(value)
            if self.objective.value(new) <= allowed:
                # If the full step failed, the next model is an upper bound on the loss.
                self.majorises = size < 1.0 and not self.majorises
                return new
            size /= 2
        return self.point


def _inner_solver(model: Model) -> Algorithm[Model]:
    if model.terms is not None:
        return fastest_for_terms(model, model.terms)
    return ADMM if model.has_spectrum else FISTA
