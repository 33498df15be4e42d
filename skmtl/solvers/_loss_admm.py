"""ADMM for losses that have a prox instead of a gradient."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.solvers._balance import ADAPT_EVERY, ADAPT_UNTIL, RELAXATION, balancing
from skmtl.solvers._contract import LossSplitting
from skmtl.solvers._pace import Pace, Paced
from skmtl.solvers._point import LaterPoint, Point

Array = NDArray[Any]

_FIRST, _LEAST, _MOST = 10, 5, 40
# Step sizes of a previous fit need fewer steps of adaptation, after which restarts begin.
_ADAPT_UNTIL_IF_KNOWN = 50
# The penalty's share of the curvature at the start.
_SHARE = 0.1
# Restart once the gap has fallen to the first fraction of that at the last restart, or to the
# second and no longer falls.
_SUFFICIENT, _NECESSARY = 0.2, 0.8


@dataclass(frozen=True)
class _State:
    """The predictors and their scaled multipliers; the copies of W and theirs."""

    v: Array
    u: Array
    copies: Array
    duals: Array

    def mean_with(self, sums: "_State | None", count: int) -> "_State":
        """The mean of this state, the last of ``count``, and those whose mean is ``sums``."""
        if sums is None:
            return self
        parts = zip(vars(self).values(), vars(sums).values(), strict=True)
        return _State(*(old + (new - old) / count for new, old in parts))


@dataclass(frozen=True)
class _Memory:
    """The state at a certificate, and its step sizes."""

    state: _State
    loss_rho: float
    rho: float


class LossADMM(Paced):
    """Alternating direction method of multipliers on v = XW + b and V = W.

    The loss acts on v and the penalty on V (one copy of W for each term of a sum), both by their
    prox. What is left is a least-squares problem in (W, b), solved exactly in the eigenbasis of the
    Gram matrix of each task. The multipliers of v lie in the domain of the loss's conjugate, those
    of V split the gradient between the terms of the penalty; both give the certificate. Iterates of
    piecewise linear objectives circle around the solution; the method is then restarted from their
    mean.

    References
    ----------
    S. Boyd, N. Parikh, E. Chu, B. Peleato and J. Eckstein, "Distributed optimization and
    statistical learning via the alternating direction method of multipliers", Found. Trends
    Mach. Learn. 3(1), 2011, https://doi.org/10.1561/2200000016

    D. Applegate, O. Hinder, H. Lu and M. Lubin, "Faster first-order primal-dual methods for linear
    programming using restarts and sharpness", Math. Program. 201, 2023,
    https://doi.org/10.1007/s10107-022-01901-9
    """

    n_sweeps = 0

    def __init__(self, objective: LossSplitting, start: Point) -> None:
        self.objective, self.n_steps, self.b = objective, 0, start.b.astype(np.float64)
        self.iterations_per_certificate = _FIRST
        self.pace, self.is_certified = Pace(_LEAST, _MOST), False
        self.start, self.adapt_until = start.astype(np.float64), ADAPT_UNTIL
        # The mean of the states since the last restart, and their number.
        self.mean: _State | None = None
        self.n_averaged = 0
        self.restart_gap = self.candidate_gap = np.inf

    def bounds(self, point: Point) -> tuple[float, float]:
        self.is_certified = True
        if self.n_steps == 0:
            return self.objective.bounds(point)
        middle, other = np.inf, -np.inf
        if self.mean is not None:
            middle, other = self._bounds_at(self.mean, self._point(self.mean))
        # Last, so that it is this state that is remembered.
        value, bound = self._bounds_at(self.state, point)
        self._consider_restart(value - bound, middle - other)
        return value, max(bound, other)

    def _bounds_at(self, state: _State, point: Point) -> tuple[float, float]:
        if isinstance(point, LaterPoint):
            point = point.made
        duals = None if self.objective.terms is None else tuple(self.rho * state.duals)
        bound = self.objective.lower_bound(self.loss_rho * state.u, point, duals)
        self.objective.memory["loss-admm"] = _Memory(state, self.loss_rho, self.rho)
        return self.objective.value(point.astype(np.float64)), bound

    def _consider_restart(self, gap: float, mean_gap: float) -> None:
        """Restart from the current state or from the mean, whichever has the smaller gap."""
        last, best = self.candidate_gap, min(gap, mean_gap)
        self.candidate_gap = best
        enough = best <= _SUFFICIENT * self.restart_gap
        if enough or (best <= _NECESSARY * self.restart_gap and best > last):
            if mean_gap < gap and self.mean is not None:
                self.state = self.mean
            self._forget_mean(best)

    def _forget_mean(self, gap: float) -> None:
        self.mean, self.n_averaged = None, 0
        self.restart_gap, self.candidate_gap = gap, np.inf

    def step(self, gap: float, enough: float) -> Point:
        if self.n_steps == 0:
            self._prepare()
            self.restart_gap = gap
        if self.is_certified:
            self._look_ahead(gap, enough)
        old, objective = self.state, self.objective
        linear, self.b = objective.fitted(old.v - old.u)
        self.spectrum.linear = self.loss_rho * linear
        centre, count = (old.copies - old.duals).mean(axis=0), len(old.copies)
        W = self.spectrum.solve(centre, count * self.rho)
        Z = objective.point(W, self.b).Z
        u = old.u + RELAXATION * Z + (1 - RELAXATION) * old.v
        v = objective.loss_prox(u, 1 / self.loss_rho)
        duals = old.duals + RELAXATION * W + (1 - RELAXATION) * old.copies
        copies = self._proxes(duals)
        self.state = _State(v, u - v, copies, duals - copies)
        self.n_steps += 1
        if self.n_steps % ADAPT_EVERY == 0 and self.n_steps <= self.adapt_until:
            self._balance(W, Z, old)
        elif self.n_steps > self.adapt_until:
            self.n_averaged += 1
            self.mean = self.state.mean_with(self.mean, self.n_averaged)
        return self._point(self.state)

    def _point(self, state: _State) -> Point:
        terms = self.objective.terms
        W = state.copies[0 if terms is None else terms.sparsest]
        return LaterPoint(partial(self._made, W, self.b))

    def _made(self, W: Array, b: Array) -> Point:
        return self.objective.best_point(W.astype(self.objective.dtype, copy=False), b)

    def _prepare(self) -> None:
        objective, start, terms = self.objective, self.start, self.objective.terms
        copies = np.stack((start.W,) if terms is None else terms.images(start.W))
        known: _Memory | None = objective.memory.get("loss-admm")
        if known is not None and known.state.copies.shape == copies.shape:
            # A fit of the same labels with another penalty; a path continues where it ended.
            self.loss_rho, self.rho, self.state = known.loss_rho, known.rho, known.state
            self.spectrum = objective.squares(self.loss_rho)
            self.adapt_until = _ADAPT_UNTIL_IF_KNOWN
            return
        self.loss_rho = 1 / objective.loss_width(start)
        self.spectrum = objective.squares(self.loss_rho)
        mean = self.spectrum.mean_eigenvalue or self.loss_rho
        self.rho = _SHARE * mean / len(copies)
        u = objective.multipliers(start) / self.loss_rho
        self.state = _State(start.Z.copy(), u, copies, np.zeros_like(copies))

    def _proxes(self, V: Array) -> Array:
        if self.objective.terms is None:
            return np.stack([self.objective.prox(V[0], 1 / self.rho)])
        return np.stack(self.objective.terms.proxes(tuple(V), 1 / self.rho))

    def _balance(self, W: Array, Z: Array, old: _State) -> None:
        """Adapt the step sizes so that the relative primal and dual residuals become equal."""
        new = self.state
        ratio = balancing(W, new.copies, old.copies, new.duals)
        loss_ratio = balancing(Z, new.v, old.v, new.u)
        self.rho *= ratio
        if loss_ratio != 1.0:
            self.loss_rho *= loss_ratio
            self.spectrum = self.objective.squares(self.loss_rho)
        self.state = _State(new.v, new.u / loss_ratio, new.copies, new.duals / ratio)
