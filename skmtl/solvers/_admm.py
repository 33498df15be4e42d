"""ADMM for the squared loss, exact in the loss and so insensitive to badly scaled tasks."""

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl._numerics import Quadratics
from skmtl.solvers._balance import ADAPT_EVERY, ADAPT_UNTIL, RELAXATION, balancing
from skmtl.solvers._contract import Spectral
from skmtl.solvers._pace import Pace, Paced
from skmtl.solvers._point import LaterPoint, Point

Array = NDArray[Any]

# Iterations until the first certificate, and the range of those between later ones.
_FIRST, _LEAST, _MOST = 6, 2, 10


class ADMM(Paced):
    """Alternating direction method of multipliers on W = V, the penalty on V.

    The loss is minimised exactly for any step size, with the Cholesky factors of each task's
    Hessian, or in an eigenbasis that all tasks share. Unlike gradient steps, ADMM is therefore not
    slowed down by tasks of very different curvature. A good step size depends on the penalty, and
    is found by residual balancing; after that it is fixed, which guarantees convergence. If all
    tasks share one eigenbasis and the penalty is invariant to rotations of the features, the
    iterations take place in that basis and need no matrix products.

    References
    ----------
    S. Boyd, N. Parikh, E. Chu, B. Peleato and J. Eckstein, "Distributed optimization and
    statistical learning via the alternating direction method of multipliers", Found. Trends
    Mach. Learn. 3(1), 2011, https://doi.org/10.1561/2200000016

    B. Wohlberg, "ADMM penalty parameter selection by residual balancing", 2017,
    https://arxiv.org/abs/1704.06209
    """

    n_sweeps = 0

    def __init__(self, objective: Spectral, start: Point) -> None:
        self.objective, self.b = objective, start.b
        self.iterations_per_certificate = _FIRST
        self.pace, self.is_certified = Pace(_LEAST, _MOST), False
        self.V = start.W.astype(np.float64)
        self.n_steps = 0
        # The next W, if a certificate has computed it.
        self.ahead: Array | None = None
        self.scaled_dual: Array
        self.spectrum: Quadratics
        self.basis: Array | None

    def bounds(self, point: Point) -> tuple[float, float]:
        self.is_certified = True
        if self.n_steps == 0:
            return self.objective.bounds(point)
        # The gradient at W is close to the multipliers, which are a dual point. The gradient at V
        # is not: the Hessian amplifies the error of V.
        self.ahead = self._solve()
        bound = self.objective.lower_bound_at(self._made(self.ahead))
        return self.objective.exact_value(_made_now(point)), bound

    def step(self, gap: float, enough: float) -> Point:
        if self.n_steps == 0:
            self._prepare()
        if self.is_certified:
            self._look_ahead(gap, enough)
        V, W = self.V, self._solve() if self.ahead is None else self.ahead
        self.ahead = None
        relaxed = RELAXATION * W + (1 - RELAXATION) * V
        self.scaled_dual += relaxed
        self.V = self._prox(self.scaled_dual)
        # Not in place: without a penalty V is the same array.
        self.scaled_dual = self.scaled_dual - self.V
        self.n_steps += 1
        if self.n_steps % ADAPT_EVERY == 0 and self.n_steps <= ADAPT_UNTIL:
            self._balance(W, V)
        return LaterPoint(partial(self._made, self.V))

    def _solve(self) -> Array:
        """W, the minimiser of the loss near V."""
        return self.spectrum.solve(self.V - self.scaled_dual, self.rho)

    def _made(self, V: Array) -> Point:
        W = V if self.basis is None else self.basis @ V
        W = W if self.scale is None else self.scale * W
        return self.objective.best_point(W.astype(self.objective.dtype, copy=False), self.b)

    def _prepare(self) -> None:
        self.spectrum, self.basis = self.objective.spectrum.rotated()
        self.scale = self.spectrum.scale
        if self.basis is not None:
            self.V = self.basis.T @ self.V
        if self.scale is not None:
            self.V = self.V / self.scale
        # The step size found in the last fit of the same loss is a good start.
        smallest = np.finfo(np.float64).tiny
        self.rho = max(self.spectrum.memory.get("rho", self.spectrum.mean_eigenvalue), smallest)
        # At a solution this is the multiplier, so that the first step does not leave it.
        self.scaled_dual = self.spectrum.residual(self.V) / self.rho
        if self.spectrum.mean_free:
            self.scaled_dual -= self.scaled_dual.mean(axis=1, keepdims=True)

    def _prox(self, V: Array) -> Array:
        if self.scale is None:
            return self.objective.prox(V, 1 / self.rho)
        # With scaled features the step size differs between rows.
        return self.objective.prox(self.scale * V, self.scale**2 / self.rho) / self.scale

    def _balance(self, W: Array, old: Array) -> None:
        """Adapt rho so that the relative primal and dual residuals become equal."""
        ratio = balancing(W, self.V, old, self.scaled_dual)
        if ratio != 1.0:
            self.rho *= ratio
            self.scaled_dual /= ratio
            self.spectrum.memory["rho"] = self.rho


def _made_now(point: Point) -> Point:
    return point.made if isinstance(point, LaterPoint) else point
