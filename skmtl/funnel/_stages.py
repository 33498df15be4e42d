"""Descend a smooth function of the linear predictors plus a penalty by weighted least squares."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.design import TaskData
from skmtl.estimators import INNER, Beside, Stages, descend, is_lower, linear_predictor
from skmtl.funnel._likelihood import Likelihood
from skmtl.losses import SquaredLoss
from skmtl.objective import BaseObjective
from skmtl.penalties import Penalty
from skmtl.solvers import Point, choose_solver

Array = NDArray[Any]

# A step must achieve this fraction of the decrease that its slope promises.
_SUFFICIENT = 1e-4
_SHORTEST = 2.0**-10
# Quadratic models are not solved to a smaller fraction of what they promise.
_LEAST_EFFORT = 1e-4
# An extrapolation combines at most this many steps.
_MEMORY = 5
# With log-odds beyond this the function is taken to fall without bound.
_FARTHEST = 500.0
# Below this fraction of the largest curvature of a stage, a row's curvature is raised to it.
_LEAST_CURVATURE = 1e-9


@dataclass(frozen=True)
class FixedScale:
    """Factors that make F the weighted sum of the losses divided by a given number."""

    total: float

    def factors(self, data: TaskData) -> Array:
        """The same factor for all tasks (n_tasks,)."""
        return np.full(data.n_tasks, data.weights.sum() / (data.n_tasks * self.total))


@dataclass(frozen=True)
class _Steps:
    """The last steps of a descent, for Anderson's extrapolation."""

    ends: list[Point]
    moves: list[Array]

    def add(self, start: Point, end: Point) -> None:
        move = np.concatenate([(end.W - start.W).ravel(), end.b - start.b])
        self.ends.append(end)
        self.moves.append(move)
        del self.ends[:-_MEMORY], self.moves[:-_MEMORY]

    def limit(self) -> Point | None:
        """The combination of the ends whose combined move is the shortest; the weights add to 1.

        Rows of W that are zero in all of them stay zero.
        """
        last = self.moves[-1]
        rises = np.stack(self.moves[:-1] + [last]) - last
        gram = rises[:-1] @ rises[:-1].T
        if not len(gram) or not np.trace(gram) > 0:
            return None
        gram[np.diag_indices_from(gram)] += 1e-10 * np.trace(gram)
        weights = np.linalg.solve(gram, -(rises[:-1] @ last))
        weights = np.append(weights, 1 - weights.sum())
        W, b, Z = (
            np.einsum("k,k...->...", weights, [getattr(end, name) for end in self.ends])
            for name in ("W", "b", "Z")
        )
        return Point(W, b, Z)


@dataclass(frozen=True)
class Descent:
    """A sequence of penalised least-squares problems whose solutions lower a function.

    Attributes
    ----------
    model : estimator
        It chooses how the squared loss is minimised, and has the solver's parameters.
    data : TaskData
        The features; its labels and offsets are not used, as the likelihood has them.
    likelihood : Likelihood
    penalty : Penalty or None
    """

    model: Any
    data: TaskData
    likelihood: Likelihood
    penalty: Penalty | None

    def run(
        self,
        coef: Array,
        intercept: Array,
        scale: float,
        tol: float,
        report: Callable[[Stages], bool] | None = None,
    ) -> Stages:
        """Descend from a start (n_stages, n_features) until another step gains too little.

        Parameters
        ----------
        coef, intercept : arrays
        scale : float
            The unit of the tolerance.
        tol : float
        report : callable, optional
            Called with the stages so far; the descent ends if it returns True.
        """
        W, b = coef.T.astype(np.float64), intercept.astype(np.float64)
        Z = linear_predictor(self.data.X, None, W.T, b).astype(np.float64)
        stages = Stages(
            Point(W, b, Z), [self._value(W, Z)], report=report, verbose=self.model.verbose
        )
        effort, cautious, steps = INNER, False, _Steps([], [])
        while True:
            likelihood, point = self.likelihood, stages.point
            gradient, curvature = (likelihood.majorant if cautious else likelihood.model)(point.Z)
            objective = self._quadratic(point.Z, gradient, curvature)
            left = self.model.max_iter - stages.n_iter
            best, gain, n_iter = self._solve(objective, point, tol * scale, effort, max(left, 1))
            worthwhile = stages.measure(gain, scale)
            if stages.stationarity <= tol or len(stages.objectives) > self.model.max_stages:
                return stages
            if left <= 0 or stages.stopped or (not worthwhile and effort < _LEAST_EFFORT):
                return stages
            effort = effort if worthwhile else effort * INNER
            target = objective.coefficients(best).astype(np.float64), objective.intercepts(best)
            new, value = self._search(point, stages.objectives[-1], gradient, *target)
            if new is None and cautious:
                return stages
            cautious = new is None
            if new is None:
                continue
            new, value = self._extrapolate(steps, point, new, value)
            if not stages.add(new, value, n_iter):
                return stages
            if np.abs(new.Z).max() > _FARTHEST:
                stages.is_separated = True
                return stages

    def _solve(
        self, objective: BaseObjective, point: Point, enough: float, effort: float, max_iter: int
    ) -> tuple[Point, float, int]:
        """Minimise a quadratic model, and bound how much its minimum is below its value here.

        It is solved to a fraction, ``effort``, of a first bound, but no better than ``enough``.
        """
        here = objective.start(point.W.astype(objective.dtype), point.b)
        upper, lower = objective.bounds(here)
        first = max(upper - max(lower, 0.0), 0.0)
        if first <= enough:
            return here, first, 0
        solver = choose_solver(self.model.solver, objective)
        target = max(INNER * enough, effort * first)
        best, gap, n_iter = descend(objective, solver, here, target, max_iter)
        # Close to a minimum the first bound is much larger than this one.
        return best, max(upper - (objective.value(best) - gap), 0.0), n_iter

    def _extrapolate(
        self, steps: "_Steps", start: Point, end: Point, value: float
    ) -> tuple[Point, float]:
        """The point to which the last steps seem to lead, if it is lower than the last one's end.

        The steps alone converge slowly where the model neglects how the stages interact.
        """
        steps.add(start, end)
        if (far := steps.limit()) is not None:
            reached = self._value(far.W, far.Z)
            if is_lower(reached, value):
                return far, reached
        return end, value

    def _value(self, W: Array, Z: Array) -> float:
        rough = 0.0 if self.penalty is None else self.penalty.value(W)
        return self.likelihood.value(Z) + rough

    def _quadratic(self, Z: Array, gradient: Array, curvature: Array) -> BaseObjective:
        """The second-order model of the smooth part at Z, with the penalty."""
        floor = _LEAST_CURVATURE * curvature.max(axis=0)
        used = curvature > 0
        curvature = np.where(used, np.maximum(curvature, floor), 0.0)
        y = Z - np.divide(gradient, curvature, out=np.zeros_like(Z), where=used)
        model = self.model
        # Weights of 1 in total, so that F is the weighted sum of the squared losses.
        model._beside = Beside(SquaredLoss(), FixedScale(1.0))
        objective: BaseObjective = model._objective(
            replace(self.data, y=y, weights=curvature, offset=None)
        )
        return objective

    def _search(
        self, point: Point, value: float, gradient: Array, W: Array, b: Array
    ) -> tuple[Point | None, float]:
        """The longest step towards (W, b) of length 1, 1/2, ... that lowers the function enough."""
        Z = linear_predictor(self.data.X, None, W.T, b).astype(np.float64)
        slope = float((gradient * (Z - point.Z)).sum())
        if self.penalty is not None:
            slope += self.penalty.value(W) - self.penalty.value(point.W)
        step = 1.0
        while step >= _SHORTEST:
            moved = [
                start + step * (end - start)
                for start, end in ((point.W, W), (point.b, b), (point.Z, Z))
            ]
            if step == 1.0:
                moved = [W, b, Z]  # exact zeros
            new = self._value(moved[0], moved[2])
            if new <= value + _SUFFICIENT * step * slope or (
                slope >= -1e-12 * abs(value) and not is_lower(value, new)
            ):
                return Point(*moved), new
            step /= 2
        return None, value
