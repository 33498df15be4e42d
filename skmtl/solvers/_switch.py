"""Gradient steps first, then a method with exact steps if convergence is slow."""

import numpy as np

from skmtl.solvers._admm import ADMM
from skmtl.solvers._contract import Switchable
from skmtl.solvers._driver import SWEEPS_PER_ITERATION, Solver
from skmtl.solvers._fista import FISTA
from skmtl.solvers._pace import Pace
from skmtl.solvers._point import Point
from skmtl.solvers._proximal_newton import ProximalNewton

# Gradient steps until the first certificate, the least number before a switch, and the number of
# further ones that justifies it. Cholesky factors cost about as much as ten gradient steps.
_WITH_EIGENBASES = FISTA.iterations_per_certificate, 30, 100
_WITH_FACTORS = 6, 12, 30
# The range of iterations between later certificates.
_LEAST, _MOST = 4, 20


class Switch:
    """FISTA first, then a method with exact steps if many more iterations seem to be needed.

    Gradient steps are cheap, and well-scaled data need a few dozen of them. If the tasks'
    curvatures differ widely, thousands may be needed, and it pays to factorise the Hessians of all
    tasks. This makes the steps of ADMM exact for the squared loss, and those of proximal Newton
    exact in the quadratic model of another loss.

    Proximal Newton steps can be short for losses with a kinked gradient, such as the squared hinge,
    for which quadratic models are valid only locally. Once they have cost as much as gradient
    steps were expected to, the solver returns to gradient steps, for at least as many iterations.
    """

    iterations_per_certificate: int

    def __init__(self, objective: Switchable, start: Point) -> None:
        self.objective, self.is_certified = objective, False
        self.current: Solver
        # Iterations of the exact method so far, and its budget.
        self.spent, self.allowed = 0, np.inf
        cheap = objective.has_spectrum and objective.has_cheap_factors
        first, least, self.patience = _WITH_FACTORS if cheap else _WITH_EIGENBASES
        self._take_gradient_steps(start, least, first)

    def _take_gradient_steps(self, start: Point, least: int, upcoming: int) -> None:
        self.point = start.astype(self.objective.dtype)
        self.current = self.fista = FISTA(self.objective, self.point)
        self.n_steps, self.least = 0, least
        # Iterations until the next certificate, and from there until the one after it.
        self.iterations_per_certificate = self.upcoming = upcoming
        self.pace = Pace(_LEAST, _MOST)

    @property
    def n_sweeps(self) -> int:
        return SWEEPS_PER_ITERATION * self.spent + self.current.n_sweeps

    def bounds(self, point: Point) -> tuple[float, float]:
        self.is_certified = True
        if self.current is self.fista:
            self.iterations_per_certificate = self.upcoming
        return self.current.bounds(point)

    def step(self, gap: float, enough: float) -> Point | None:
        if self.is_certified and self.current is self.fista:
            self._look_ahead(gap, enough)
        elif self.current is not self.fista:
            self._look_back()
        self.n_steps, self.is_certified = self.n_steps + 1, False
        moved = self.current.step(gap, enough)
        if self.current is not self.fista:
            self.iterations_per_certificate = self.current.iterations_per_certificate
        self.point = self.point if moved is None else moved
        return moved

    def _look_ahead(self, gap: float, enough: float) -> None:
        """Switch if too many iterations remain; certify more often when few remain."""
        self.pace.add(self.n_steps, gap)
        if len(self.pace.gaps) == 1:
            return
        left = self.pace.remaining(enough)
        if self.n_steps >= self.least and left > max(self.patience, self.least):
            exact = ADMM if self.objective.has_spectrum else ProximalNewton
            self.current, self.allowed = exact(self.objective, self.fista.old), left
        else:
            self.upcoming = self.pace.until_next(enough)
            if self.n_steps < self.least <= _WITH_FACTORS[1]:
                # The first certificate comes early, so that a few more iterations may suffice.
                self.iterations_per_certificate = min(self.upcoming, self.least - self.n_steps)

    def _look_back(self) -> None:
        """Return to gradient steps once the exact method has used up its budget."""
        # ADMM has no inner iterations, and no budget.
        cost = self.current.n_sweeps // SWEEPS_PER_ITERATION
        if cost > self.allowed:
            self.spent += cost
            self._take_gradient_steps(self.point, cost, _MOST)
