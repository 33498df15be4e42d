"""A primal-dual method for sums of penalties whose prox is known only term by term."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.solvers._contract import Sum, terms_of
from skmtl.solvers._point import Point

Array = NDArray[Any]
# A dual variable for each term.
Duals = tuple[Array, ...]

# The initial ratio of dual to primal step sizes, and a lower bound on its maximum over rows.
_RATIO, _LEAST_RATIO = 0.1, 1e-3
_FIRST_BALANCE = 20
_GROWTH = 1.5
_MAX_GROWTHS = 200
# The squared ratio of a row may differ from the overall one by at most this factor.
_SPREAD = 1e6
# Curvatures of entries below this share of their row's are raised to it.
_LEAST = 1e-4
_TINY = np.finfo(np.float64).tiny
# Number of differences of iterates in an extrapolation.
_DEPTH = 9


class Splitting:
    """Gradient steps in the loss, and a dual variable for each term of the penalty.

    Each dual variable is projected onto the domain of its term's conjugate, and their sum enters
    the gradient step of the coefficients. The certificate splits the gradient in the same way.
    Anderson extrapolation of primal and dual variables, accepted if it shortens the next step,
    replaces momentum. The ratio of dual and primal step sizes is balanced by the distances that the
    variables have moved, separately for each row of W if the terms separate over rows, since
    features in different units need different ratios.

    References
    ----------
    L. Condat, "A primal-dual splitting method for convex optimization involving Lipschitzian,
    proximable and linear composite terms", J. Optim. Theory Appl. 158, 2013,
    https://doi.org/10.1007/s10957-012-0245-9

    H. Walker and P. Ni, "Anderson acceleration for fixed-point iterations", SIAM J. Numer. Anal.
    49(4), 2011, https://doi.org/10.1137/10078356X
    """

    iterations_per_certificate, n_sweeps = 10, 0

    def __init__(self, objective: Sum, start: Point) -> None:
        self.objective, self.point = objective, start.astype(np.float64)
        self.terms, self.n_tasks = terms_of(objective), start.W.shape[1]
        self.duals = tuple(np.zeros_like(image) for image in self.terms.images(self.point.W))
        self.ratio, self.n_steps, self.next_balance = np.full((1, 1), _RATIO), 0, _FIRST_BALANCE
        self.origin = self.point, self.duals
        self.iterates: list[Array] = []
        self.curvature = 0.0

    def bounds(self, point: Point) -> tuple[float, float]:
        return self.objective.split_bounds(self.point, self.duals)

    def step(self, gap: float, enough: float) -> Point:
        if self.n_steps == 0:
            self._prepare()
        before = self.point, self.duals
        self.point, self.duals = self._moved(*before)
        self.n_steps += 1
        if not self.iterates:
            self.iterates.append(self._flat(*before))
        self.iterates.append(self._flat(self.point, self.duals))
        if self.n_steps >= self.next_balance:
            self._balance()
        elif len(self.iterates) > _DEPTH + 1:
            self._extrapolate()
        return self.point

    @property
    def dual_steps(self) -> Array:
        """The dual step sizes of the rows of W."""
        return np.asarray(self.ratio * self.curvature * self.row_metric)

    def _prepare(self) -> None:
        objective = self.objective
        self.curvature, self.row_metric, self.intercept_metric = objective.curvature
        self.metric = self.row_metric
        own = objective.entry_curvature
        if own is not None and self.terms.separates_over_rows:
            # A step size per task, or tasks with few or similar rows would hardly move.
            self.metric = np.maximum(own, _LEAST * self.row_metric)
            self.row_metric = self.metric.mean(axis=1, keepdims=True)
        # The metric scales the diagonal to one, so that the curvature is at most n_features.
        self.limit = max(objective.curvature_limit, objective.n_features)
        self.square = self.terms.squared_norm(self.n_tasks)

    def _moved(self, point: Point, duals: Duals) -> tuple[Point, Duals]:
        """One step from a point and its dual variables."""
        objective, gradient = self.objective, self.objective.gradient(point)
        slope = gradient[0] + self.terms.adjoint(duals, self.n_tasks)
        for _ in range(_MAX_GROWTHS):
            # Dual steps are a share of the curvature, primal steps the largest that still converge.
            curvature = self.curvature * self.metric
            dual_step: float | Array = self.ratio * (self.curvature * self.row_metric)
            step = 1 / (curvature / 2 + dual_step * self.square)
            b = point.b - gradient[1] / (self.curvature * self.intercept_metric)
            new = objective.point(point.W - step * slope, b)
            allowed = self.curvature * (
                float((self.metric * (new.W - point.W) ** 2).sum())
                + float((self.intercept_metric * (new.b - point.b) ** 2).sum())
            )
            bent = objective.excess_curvature(point, new)
            if bent <= allowed * (1 + 1e-9) or self.curvature >= self.limit:
                break
            self.curvature *= _GROWTH
        if not self.terms.separates_over_rows:
            dual_step = float(np.asarray(dual_step)[0, 0])  # one step size for all rows
        pairs = zip(duals, self.terms.images(2 * new.W - point.W), strict=True)
        tried = tuple(dual + dual_step * image for dual, image in pairs)
        return new, self.terms.dual_prox(tried, dual_step)

    def _flat(self, point: Point, duals: Duals) -> Array:
        """All variables as one vector, in the metric of the steps."""
        root = np.sqrt(self.curvature * self.metric)
        parts = [point.W * root, point.b * np.sqrt(self.curvature * self.intercept_metric)]
        scale = np.sqrt(self.ratio * self.curvature * self.row_metric)
        return np.concatenate([part.ravel() for part in (*parts, *(y / scale for y in duals))])

    def _extrapolate(self) -> None:
        """Accept the Anderson extrapolation of the last iterates if it shortens the next step."""
        iterates, self.iterates = np.stack(self.iterates), []
        steps = np.diff(iterates, axis=0)
        gram = steps @ steps.T
        size = float(np.trace(gram))
        if not _TINY < size < np.inf:
            return
        # Normalise first, so that the ridge does not underflow.
        gram /= size
        gram[np.diag_indices_from(gram)] += 1e-10
        weights = np.linalg.solve(gram, np.ones(len(gram)))
        if not np.isfinite(weights).all() or weights.sum() == 0:
            return
        mixed = (weights / weights.sum()) @ iterates[1:]
        point, duals = self._unflat(mixed)
        curvature = self.curvature
        moved = self._moved(point, duals)
        if np.linalg.norm(self._flat(*moved) - mixed) < np.linalg.norm(steps[-1]):
            self.point, self.duals = moved
        else:
            # The rejected point may have raised the curvature estimate; undo that.
            self.curvature = curvature

    def _unflat(self, flat: Array) -> tuple[Point, Duals]:
        root = np.sqrt(self.curvature * self.metric)
        sizes = [self.point.W.size, self.point.b.size, *(dual.size for dual in self.duals)]
        W, b, *duals = np.split(flat, np.cumsum(sizes)[:-1])
        scale = np.sqrt(self.ratio * self.curvature * self.row_metric)
        b = b / np.sqrt(self.curvature * self.intercept_metric)
        point = self.objective.point(W.reshape(self.point.W.shape) / root, b)
        pairs = zip(duals, self.duals, strict=True)
        return point, tuple(dual.reshape(old.shape) * scale for dual, old in pairs)

    def _balance(self) -> None:
        """Set the ratio of step sizes by the distances moved since the last time, in each row.

        The intervals double, so that the ratio is eventually constant, which convergence needs.
        """
        point, duals = self.origin
        primal = (self.metric * (self.point.W - point.W) ** 2).sum(axis=1, keepdims=True)
        pairs = zip(self.duals, duals, strict=True)
        ways = [((new - old) ** 2).sum(axis=1, keepdims=True) for new, old in pairs]
        dual = sum(ways) / self.row_metric
        if primal.any() and dual.any():
            # The ratio at which step sizes are proportional to these distances.
            square = np.full_like(dual, dual.sum() / (primal.sum() * self.curvature**2))
            if self.terms.separates_over_rows:
                own = dual / np.maximum(primal, _TINY) / self.curvature**2
                # Rows that hardly moved are uninformative.
                square = np.clip(own, square / _SPREAD, square * _SPREAD)
            wanted = 2 * square / (np.sqrt(0.25 + 4 * self.square * square) + 0.5)
            self.ratio = np.sqrt(self.ratio * wanted)
            # While W is far from the solution, dual variables stay on the boundary of their
            # domains. Reducing their steps for that reason would make them too short later.
            self.ratio *= max(1.0, _LEAST_RATIO / float(self.ratio.max()))
        self.origin, self.iterates = (self.point, self.duals), []
        self.next_balance *= 2
