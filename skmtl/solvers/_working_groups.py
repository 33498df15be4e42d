"""Gradient steps on working sets, for penalties on groups of rows of W."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.solvers._contract import GroupedRows
from skmtl.solvers._driver import SWEEPS_PER_ITERATION, certified
from skmtl.solvers._fista import FISTA
from skmtl.solvers._point import Point
from skmtl.solvers._switch import Switch

Array = NDArray[Any]

# At least as many rows as this are in a working set, and at most this share of all rows.
_FEWEST, _MOST = 40, 0.5
# A working set grows to at most this many times the active rows.
_GROWTH = 2
# Groups this close to entering are wanted.
_NEAR = 0.95
# The gap on a working set at the end of a round, as fractions of that over all rows and of the gap
# at which the fit stops.
_INNER, _LAST = 0.1, 0.5
_MAX_ITER = 2000


class WorkingGroups:
    """Minimise over a growing set of groups of rows of W, each round by gradient steps.

    Each round takes one product with the transpose of X, which gives the certificate and the
    working set: the active groups, and those whose gradients are closest to their thresholds. Once
    half of the rows are needed, the solver continues with gradient steps in all rows.
    """

    iterations_per_certificate = 1

    def __init__(self, objective: GroupedRows, start: Point) -> None:
        self.objective, self.point, self.n_sweeps = objective, start, 0
        self.descent: FISTA | None = None
        groups = objective.row_groups
        assert groups is not None
        _, self.groups, self.sizes = np.unique(groups, return_inverse=True, return_counts=True)

    def bounds(self, point: Point) -> tuple[float, float]:
        return self.objective.bounds(point)

    def step(self, gap: float, enough: float) -> Point | None:
        features = None if self.descent is not None else self._working_set()
        if features is None:
            return self._gradient_step(gap, enough)
        part, start = self.objective.restricted(features, self.point)
        solver = (Switch if part.has_quadratic_models else FISTA)(part, start)
        target = max(_INNER * gap, _LAST * enough)
        for progress in certified(solver, start, max_iter=_MAX_ITER, enough=target):
            found = progress
        self.n_sweeps += SWEEPS_PER_ITERATION * max(found.n_iter, 1)
        W = np.zeros_like(self.point.W)
        W[features] = found.point.W
        moved = self.objective.point(W, found.point.b.astype(self.point.b.dtype))
        if self.objective.value(moved) >= self.objective.value(self.point):
            # Only rounding error separates the gap on the working set from that over all rows.
            return self._gradient_step(gap, enough)
        self.point = moved
        return moved

    def _gradient_step(self, gap: float, enough: float) -> Point | None:
        """A gradient step in all rows, from now on."""
        if self.descent is None:
            self.descent = FISTA(self.objective, self.point)
            self.iterations_per_certificate = FISTA.iterations_per_certificate
        return self.descent.step(gap, enough)

    def _working_set(self) -> Array | None:
        """The rows of active groups and of those that are closest to entering; None if too many."""
        objective, point = self.objective, self.point
        scores = objective.nearness(-objective.gradient(point)[0])
        used = np.bincount(self.groups, point.W.any(axis=1)) > 0
        near = np.zeros(len(self.sizes))
        near[self.groups] = scores  # equal within each group
        near[used] = np.inf
        order = np.argsort(-near, kind="stable")
        n_rows = np.cumsum(self.sizes[order])
        n_used = int(self.sizes[used].sum())
        wanted = int(self.sizes[near >= _NEAR].sum())
        size = max(min(wanted, n_used + max(_GROWTH * n_used, _FEWEST)), _FEWEST)
        size = max(size, int(self.sizes[order[0]]))
        if size > _MOST * len(scores) or n_used > _MOST * len(scores):
            return None
        chosen = np.zeros(len(self.sizes), dtype=bool)
        chosen[order[: np.searchsorted(n_rows, size, side="right")]] = True
        chosen[used] = True
        return np.flatnonzero(chosen[self.groups])
