"""Gradient steps first, then a method with exact steps if convergence is slow."""

import numpy as np

from skmtl.solvers._admm import ADMM
from skmtl.solvers._contract import Switchable
from skmtl.solvers._driver import SWEEPS_PER_ITERATION, Solver
from skmtl.solvers._fista import FISTA
from skmtl.solvers._point import Point
from skmtl.solvers._proximal_newton import ProximalNewton

_TRIED = 30
_PATIENCE = 100
# The range of iterations between certificates.
_LEAST, _MOST = 4, 20


class Switch:
    """FISTA first, then a method with exact steps if many more iterations seem to be needed.

    Gradient steps are cheap, and well-scaled data need a few dozen of them. If the tasks'
    curvatures differ widely, thousands may be needed, and it pays to compute the eigenbases of
    all tasks. They make the steps of ADMM exact for the squared loss, and those of proximal Newton
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
        self._take_gradient_steps(start, _TRIED, FISTA.iterations_per_certificate)

    def _take_gradient_steps(self, start: Point, least: int, upcoming: int) -> None:
        self.point = start.astype(self.objective.dtype)
        self.current = self.fista = FISTA(self.objective, self.point)
        self.n_steps, self.least = 0, least
        # Iterations until the next certificate, and from there until the one after it.
        self.iterations_per_certificate = self.upcoming = upcoming
        # The number of steps at each certificate, and the gap.
        self.gaps: list[tuple[int, float]] = []

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
        self.point = self.point if moved is None else moved
        return moved

    def _look_ahead(self, gap: float, enough: float) -> None:
        """Switch if too many iterations remain; certify more often when few remain."""
        self.gaps.append((self.n_steps, gap))
        if len(self.gaps) == 1:
            return
        left = self._remaining(enough)
        if self.n_steps >= self.least and left > max(_PATIENCE, self.least):
            exact = ADMM if self.objective.has_spectrum else ProximalNewton
            self.current, self.allowed = exact(self.objective, self.fista.old), left
            self.iterations_per_certificate = self.current.iterations_per_certificate
        else:
            self.upcoming = int(np.clip(left, _LEAST, _MOST))

    def _look_back(self) -> None:
        """Return to gradient steps once the exact method has used up its budget."""
        # ADMM has no inner iterations, and no budget.
        cost = self.current.n_sweeps // SWEEPS_PER_ITERATION
        if cost > self.allowed:
            self.spent += cost
            self._take_gradient_steps(self.point, cost, _MOST)

    def _remaining(self, enough: float) -> float:
        """The expected number of further iterations, at the rate of the second half so far."""
        (first, before), (last, gap) = self.gaps[(len(self.gaps) - 1) // 2], self.gaps[-1]
        fallen = np.log(before / gap)
        if not fallen > 0:
            return np.inf
        return float(np.log(gap / max(enough, 1e-300)) * (last - first) / fallen)
