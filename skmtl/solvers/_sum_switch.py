"""The splitting method first, then ADMM with exact steps if convergence is slow."""

from typing import Any

from numpy.typing import NDArray

from skmtl.solvers._consensus import ConsensusADMM
from skmtl.solvers._contract import ExactSteps, SpectralSum, Terms
from skmtl.solvers._driver import Algorithm
from skmtl.solvers._pace import Pace
from skmtl.solvers._point import Point
from skmtl.solvers._splitting import Splitting

Array = NDArray[Any]

# The fewest steps before a switch. Further steps justify it if they exceed the second number, plus
# one for so many squared unknowns: the cost of an exact step, and of factors, in other steps.
_LEAST, _PATIENCE, _SQUARES = 100, 150, 2000


class SumSwitch:
    """The steps of :class:`Splitting`, until those of :class:`ConsensusADMM` seem cheaper.

    With well-scaled features and strong penalties a few dozen cheap steps are enough. With weak
    penalties and more features than rows thousands may be needed; then it pays to factor the matrix
    of all unknowns, which makes the steps exact in the loss.
    """

    n_sweeps = 0

    def __init__(self, objective: SpectralSum, start: Point) -> None:
        self.objective = objective
        self.current: Splitting | ConsensusADMM = Splitting(objective, start)
        self.iterations_per_certificate = self.current.iterations_per_certificate
        self.pace = Pace(self.iterations_per_certificate, self.iterations_per_certificate)
        self.n_steps = 0
        self.patience = _PATIENCE + start.W.size**2 / _SQUARES

    @property
    def duals(self) -> tuple[Array, ...]:
        """The dual variables, which split the gradient between the terms."""
        return self.current.duals

    def bounds(self, point: Point) -> tuple[float, float]:
        return self.current.bounds(point)

    def step(self, gap: float, enough: float) -> Point:
        certified = self.n_steps % self.iterations_per_certificate == 0
        if certified and isinstance(self.current, Splitting):
            self._look_ahead(self.current, gap, enough)
        self.n_steps += 1
        return self.current.step(gap, enough)

    def _look_ahead(self, splitting: Splitting, gap: float, enough: float) -> None:
        """Switch if too many steps remain."""
        self.pace.add(self.n_steps, gap)
        if self.n_steps >= _LEAST and self.pace.remaining(enough) > self.patience:
            known = splitting.dual_steps, splitting.duals
            self.current = ConsensusADMM(self.objective, splitting.point, known)
            self.iterations_per_certificate = self.current.iterations_per_certificate


def fastest_for_terms(objective: ExactSteps, terms: Terms) -> Algorithm[Any]:
    """The algorithm for a quadratic loss, or the quadratic model of another, and a sum of terms."""
    if objective.has_spectrum and terms.takes_copies:
        return ConsensusADMM
    if not objective.has_coupled_spectrum:
        return Splitting
    return ConsensusADMM if objective.has_common_hessian else SumSwitch
