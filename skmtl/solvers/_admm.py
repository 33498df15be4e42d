"""ADMM for the squared loss: exact in the loss, so that badly scaled tasks cost nothing."""

from typing import Any

import numpy as np

_RELAXATION = 1.6
_ADAPT_EVERY = 10
_ADAPT_UNTIL = 200


class ADMM:
    """Alternating direction method of multipliers on W = V, the penalty on V.

    The loss is minimised exactly for any step, in the eigenbasis of each task's Gram matrix
    (computed once). Unlike a gradient step this does not care how unequal the tasks' curvatures
    are; it wants a step near the penalty's curvature, which residual balancing finds. Afterwards
    the step is fixed, and convergence guaranteed.

    References
    ----------
    S. Boyd, N. Parikh, E. Chu, B. Peleato and J. Eckstein, "Distributed optimization and
    statistical learning via the alternating direction method of multipliers", Found. Trends
    Mach. Learn. 3(1), 2011, https://doi.org/10.1561/2200000016

    B. Wohlberg, "ADMM penalty parameter selection by residual balancing", 2017,
    https://arxiv.org/abs/1704.06209
    """

    iterations_per_certificate = 5

    def __init__(self, objective: Any, start: Any) -> None:
        self.objective, self.b = objective, start.b
        self.V = start.W.astype(np.float64)
        self.n_steps = 0

    def bounds(self, point: Any) -> tuple[float, float]:
        bounds: tuple[float, float] = self.objective.bounds(point)
        return bounds

    def step(self, gap: float) -> Any:
        objective, V = self.objective, self.V
        if self.n_steps == 0:
            self.spectrum = objective.spectrum
            self.rho = max(self.spectrum.mean_eigenvalue, np.finfo(np.float64).tiny)
            # At a solution this is the multiplier, and the first step stays there.
            self.scaled_dual = self.spectrum.residual(V) / self.rho
            if self.spectrum.mean_free:
                self.scaled_dual -= self.scaled_dual.mean(axis=1, keepdims=True)
        W = self.spectrum.solve(V - self.scaled_dual, self.rho)
        relaxed = _RELAXATION * W + (1 - _RELAXATION) * V
        self.V = objective.prox(relaxed + self.scaled_dual, 1 / self.rho)
        self.scaled_dual += relaxed - self.V
        self.n_steps += 1
        if self.n_steps % _ADAPT_EVERY == 0 and self.n_steps <= _ADAPT_UNTIL:
            self._balance(W, V)
        return objective.point(self.V.astype(objective.dtype), self.b)

    def _balance(self, W: Any, old: Any) -> None:
        """Bring the relative primal and dual residuals to the same size."""
        tiny = np.finfo(np.float64).tiny
        primal = np.linalg.norm(W - self.V) / max(np.linalg.norm(W), np.linalg.norm(self.V), tiny)
        dual = np.linalg.norm(self.V - old) / max(np.linalg.norm(self.scaled_dual), tiny)
        if primal > 0 and dual > 0:
            ratio = float(np.clip(np.sqrt(primal / dual), 0.2, 5.0))
            if not 0.5 < ratio < 2:
                self.rho *= ratio
                self.scaled_dual /= ratio
