"""ADMM for sums of penalties whose prox is known only term by term."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.solvers._balance import ADAPT_EVERY, ADAPT_UNTIL, RELAXATION, balancing
from skmtl.solvers._contract import SpectralSum, terms_of
from skmtl.solvers._point import Point

Array = NDArray[Any]

_TINY = np.finfo(np.float64).tiny


class ConsensusADMM:
    """Alternating direction method of multipliers on W = V_1 = ... = V_K, a penalty on each.

    As in :class:`ADMM`, the squared loss is minimised exactly for any step size. Each penalty has
    its own copy of W. The multipliers lie in the domains of the penalties' conjugates, and split
    the gradient between the terms for the certificate.

    References
    ----------
    S. Boyd, N. Parikh, E. Chu, B. Peleato and J. Eckstein, "Distributed optimization and
    statistical learning via the alternating direction method of multipliers", Found. Trends
    Mach. Learn. 3(1), 2011, https://doi.org/10.1561/2200000016
    """

    iterations_per_certificate, n_sweeps = 5, 0

    def __init__(self, objective: SpectralSum, start: Point) -> None:
        self.objective, self.point = objective, start.astype(np.float64)
        self.terms = terms_of(objective)
        self.copies = np.stack(self.terms.images(self.point.W))
        self.scaled_duals = np.zeros_like(self.copies)
        self.rho, self.n_steps = 1.0, 0

    @property
    def duals(self) -> tuple[Array, ...]:
        """The multipliers, which split the gradient between the terms."""
        return tuple(self.rho * self.scaled_duals)

    def bounds(self, point: Point) -> tuple[float, float]:
        return self.objective.split_bounds(self.point, self.duals)

    def step(self, gap: float, enough: float) -> Point:
        if self.n_steps == 0:
            self._prepare()
        old, count = self.copies, len(self.copies)
        W = self.spectrum.solve((old - self.scaled_duals).mean(axis=0), count * self.rho)
        tried = self.scaled_duals + RELAXATION * W + (1 - RELAXATION) * old
        self.copies = np.stack(self.terms.proxes(tuple(tried), 1 / self.rho))
        # The part that the prox removes is the multiplier.
        self.scaled_duals = tried - self.copies
        self.n_steps += 1
        if self.n_steps % ADAPT_EVERY == 0 and self.n_steps <= ADAPT_UNTIL:
            self._balance(W, old)
        # Each copy has the zeros that its penalty produces.
        self.point = self.objective.best_point(self.copies[self.terms.sparsest], self.point.b)
        return self.point

    def _prepare(self) -> None:
        self.spectrum = self.objective.spectrum
        mean = self.spectrum.mean_eigenvalue / len(self.copies)
        self.rho = max(self.spectrum.memory.get("consensus", mean), _TINY)
        self.scaled_duals[:] = self.spectrum.residual(self.copies[0]) / len(self.copies) / self.rho

    def _balance(self, W: Array, old: Array) -> None:
        """Adapt rho so that the relative primal and dual residuals become equal."""
        ratio = balancing(W, self.copies, old, self.scaled_duals, copies=len(old))
        if ratio != 1.0:
            self.rho *= ratio
            self.scaled_duals /= ratio
            self.spectrum.memory["consensus"] = self.rho
