"""FISTA with adaptive restart, for every convex objective with a prox."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.solvers._contract import Smooth
from skmtl.solvers._point import Point

Array = NDArray[Any]

_GROWTH = 1.5
_MAX_GROWTHS = 200


class FISTA:
    """Accelerated proximal gradient steps, restarted whenever the momentum points uphill.

    The step size starts from the objective's curvature and is reduced until the quadratic model
    of the smooth part is an upper bound, so that an underestimate of the curvature is harmless.
    Where the penalty allows, each feature has its own step size, and so have the intercepts. Each
    iteration takes one product with X and one with its transpose.

    References
    ----------
    A. Beck and M. Teboulle, "A fast iterative shrinkage-thresholding algorithm for linear
    inverse problems", SIAM J. Imaging Sci. 2(1), 2009, https://doi.org/10.1137/080716542

    B. O'Donoghue and E. Candes, "Adaptive restart for accelerated gradient schemes",
    Found. Comput. Math. 15, 2015, https://doi.org/10.1007/s10208-013-9150-3
    """

    # A certificate costs about half an iteration.
    iterations_per_certificate, n_sweeps = 10, 0

    def __init__(self, objective: Smooth, start: Point) -> None:
        self.objective = objective
        self.old = self.momentum_point = start
        self.momentum = 1.0
        self.curvature: float | None = None

    def bounds(self, point: Point) -> tuple[float, float]:
        return self.objective.bounds(point)

    def step(self, gap: float, enough: float) -> Point:
        objective, base = self.objective, self.momentum_point
        if self.curvature is None:
            # Only now: a fit that starts at its solution does not need the eigenvalue.
            self.curvature, metric, self.intercept_metric = objective.curvature
            self.feature_metric = metric.astype(base.W.dtype)
            if (metric == metric[0]).all():
                self.feature_metric = self.feature_metric[:1]
            # Guards against unbounded curvature estimates caused by rounding error.
            self.limit = objective.curvature_limit
        gradient = objective.gradient(base)
        for _ in range(_MAX_GROWTHS):
            new = self._proximal_step(base, gradient)
            step = new.W - base.W, new.b - base.b
            allowed = self.curvature * self._inner(step, step)
            if objective.excess_curvature(base, new) <= allowed * (1 + 1e-9):
                break
            if self.curvature >= self.limit:
                break
            self.curvature *= _GROWTH
        if self._inner(step, (new.W - self.old.W, new.b - self.old.b)) < 0:
            self.momentum = 1.0
            self.momentum_point = new
        else:
            momentum = (1 + np.sqrt(1 + 4 * self.momentum**2)) / 2
            factor = (self.momentum - 1) / momentum
            self.momentum, self.momentum_point = momentum, new.extrapolate(self.old, factor)
        self.old = new
        return new

    def _proximal_step(self, base: Point, gradient: tuple[Array, Array]) -> Point:
        step: float | Array = 1 / (base.W.dtype.type(self.curvature) * self.feature_metric)
        if isinstance(step, np.ndarray) and step.size == 1:
            step = float(step[0, 0])
        W = self.objective.prox(base.W - step * gradient[0], step)
        metric = self.curvature * self.intercept_metric
        b = base.b - self.objective.intercept_step(gradient[1], metric).astype(base.b.dtype)
        return self.objective.point(W, b)

    def _inner(self, one: tuple[Array, Array], other: tuple[Array, Array]) -> float:
        """The inner product of two steps (W, b) in the metric of features and intercepts."""
        metric = self.feature_metric
        if len(metric) == 1:
            product = float(np.vdot(one[0], other[0])) * float(metric[0, 0])
        else:
            product = float(np.vdot(one[0], other[0] * metric))
        if len(self.intercept_metric):
            product += self.objective.intercept_product(one[1], other[1], self.intercept_metric)
        return product
