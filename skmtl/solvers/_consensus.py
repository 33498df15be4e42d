"""ADMM for sums of penalties whose prox is known only term by term."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl._numerics import CoupledSpectrum, Quadratics
from skmtl.solvers._balance import ADAPT_EVERY, ADAPT_UNTIL, RELAXATION, balancing
from skmtl.solvers._contract import SpectralSum, terms_of
from skmtl.solvers._point import Point

Array = NDArray[Any]

_TINY = np.finfo(np.float64).tiny


class ConsensusADMM:
    """Alternating direction method of multipliers on W K_k = V_k, a penalty on each V_k.

    As in :class:`ADMM`, the squared loss is minimised exactly for any step size. Each penalty has
    its own copy of W, or of the combinations of tasks that it acts on. The multipliers lie in the
    domains of the penalties' conjugates, and split the gradient between the terms for the
    certificate.

    References
    ----------
    S. Boyd, N. Parikh, E. Chu, B. Peleato and J. Eckstein, "Distributed optimization and
    statistical learning via the alternating direction method of multipliers", Found. Trends
    Mach. Learn. 3(1), 2011, https://doi.org/10.1561/2200000016
    """

    iterations_per_certificate, n_sweeps = 5, 0

    def __init__(
        self,
        objective: SpectralSum,
        start: Point,
        known: tuple[Array, tuple[Array, ...]] | None = None,
    ) -> None:
        self.objective, self.point = objective, start.astype(np.float64)
        self.terms, self.n_steps = terms_of(objective), 0
        self.copies = self.terms.images(self.point.W)
        # Steps for the rows of W, and multipliers, if known from another method.
        self.known = known
        self.rho, self.scale, self.scaled_duals = 1.0, np.ones((1, 1)), self._known_duals()

    def _known_duals(self) -> tuple[Array, ...]:
        if self.known is not None:
            return self.known[1]
        return tuple(np.zeros_like(copy) for copy in self.copies)

    @property
    def duals(self) -> tuple[Array, ...]:
        """The multipliers, which split the gradient between the terms."""
        return tuple(self.rho / self.scale * dual for dual in self.scaled_duals)

    def bounds(self, point: Point) -> tuple[float, float]:
        return self.objective.split_bounds(self.point, self.duals)

    def step(self, gap: float, enough: float) -> Point:
        if self.n_steps == 0:
            self._prepare()
        old, terms = self.copies, self.terms
        total = terms.adjoint(_differences(old, self.scaled_duals), self.n_tasks)
        W = self.spectrum.solve(total / self.weight, self.weight * self.rho)
        images = terms.images(W)
        tried = tuple(
            dual + RELAXATION * image + (1 - RELAXATION) * copy
            for dual, image, copy in zip(self.scaled_duals, images, old, strict=True)
        )
        self.copies = self._proxes(tried)
        # The part that the prox removes is the multiplier.
        self.scaled_duals = _differences(tried, self.copies)
        self.n_steps += 1
        if self.n_steps % ADAPT_EVERY == 0 and self.n_steps <= ADAPT_UNTIL:
            self._balance(images, old)
        # Each copy has the zeros that its penalty produces.
        kept = W if terms.sparsest is None else self.copies[terms.sparsest]
        self.point = self.objective.best_point(self.scale * kept, self.point.b)
        return self.point

    @property
    def n_tasks(self) -> int:
        return int(self.point.W.shape[1])

    def _prepare(self) -> None:
        """Choose rho, and change to the variables of the spectrum, W / scale."""
        objective, terms, count = self.objective, self.terms, len(self.copies)
        self.spectrum: Quadratics | CoupledSpectrum
        if terms.takes_copies:
            self.spectrum, self.weight = objective.spectrum, count
        else:
            scaled, metric = terms.separates_over_rows, terms.metric(self.n_tasks)
            self.spectrum, self.weight = objective.coupled_spectrum(metric, scaled=scaled), 1
            if self.spectrum.scale is not None:
                self.scale = self.spectrum.scale
        self.memory, mean = self.spectrum.memory, self.spectrum.mean_eigenvalue
        self.copies = tuple(copy / self.scale for copy in self.copies)
        if self.known is not None:
            self.rho = float((self.known[0] * np.square(self.scale)).mean())
            duals = tuple(self.scale * dual for dual in self.scaled_duals)
        else:
            self.rho = max(self.memory.get("consensus", mean / count), _TINY)
            duals = terms.least_duals(self.spectrum.residual(self.point.W / self.scale))
        self.scaled_duals = tuple(dual / self.rho for dual in duals)

    def _proxes(self, tried: tuple[Array, ...]) -> tuple[Array, ...]:
        if self.spectrum.scale is None:
            return self.terms.proxes(tried, 1 / self.rho)
        # With scaled features the step size differs between rows.
        moved = self.terms.proxes(
            tuple(self.scale * image for image in tried), self.scale**2 / self.rho
        )
        return tuple(image / self.scale for image in moved)

    def _balance(self, images: tuple[Array, ...], old: tuple[Array, ...]) -> None:
        """Adapt rho so that the relative primal and dual residuals become equal."""
        parts = (_flat(each) for each in (images, self.copies, old, self.scaled_duals))
        ratio = balancing(*parts)
        if ratio != 1.0:
            self.rho *= ratio
            self.scaled_duals = tuple(dual / ratio for dual in self.scaled_duals)
            self.memory["consensus"] = self.rho


def _differences(ones: tuple[Array, ...], others: tuple[Array, ...]) -> tuple[Array, ...]:
    return tuple(one - other for one, other in zip(ones, others, strict=True))


def _flat(parts: tuple[Array, ...]) -> Array:
    return np.concatenate([part.ravel() for part in parts])
