"""The objective that an estimator minimises on some data."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.design import Design, Moments, TaskData, TaskRotation, select_observed
from skmtl.losses import Loss, with_offset
from skmtl.objective import (
    BaseObjective,
    CoupledObjective,
    GramObjective,
    Objective,
    Quadratics,
    ShrunkObjective,
)
from skmtl.penalties import Penalty, split

Array = NDArray[Any]


def _with_offset(loss: Loss, design: Design, y: Array, offset: Array) -> tuple[Loss, Array]:
    """The loss with an offset, and what the offset adds to the intercepts.

    An intercept absorbs the mean offset of its labels. Without that mean the predictors stay near
    the labels, however far away the offsets are.
    """
    means = np.zeros(design.n_intercepts)
    if design.n_intercepts:
        means = design.gather(design.weights * offset) / design.gather(design.weights)
        offset = offset - design.spread(means)
    return with_offset(loss, y, offset), -means


class Objectives:
    """The objective on data, from the loss, the penalty and the parameters of an estimator."""

    fit_intercept: bool
    intercept: str | float
    _get_loss: Any
    _get_penalty: Any
    _pooling: Any
    _task_factors: Any

    def _objective(self, data: TaskData) -> BaseObjective:
        """The objective on data whose tasks all have a minimiser."""
        rotation = self._rotation(data)
        if rotation is None:
            return self._objective_in_tasks(data)
        objective = self._objective_in_tasks(rotation.rotated(data))
        objective.rotation = rotation
        return objective

    def _rotation(self, data: TaskData) -> TaskRotation | None:
        """Coordinates in which the fit needs fewer tasks, or None."""
        if not TaskRotation.may_pay(data):
            return None
        if self._task_factors(data) is not None or self._pooling(data) is not None:
            return None
        if not self._get_loss().constant_curvature or self._shrinks_intercepts(data):
            return None
        penalty = self._get_penalty(data)
        if penalty is None or penalty.n_superposed > 1 or not penalty.ignores_task_rotations:
            return None
        return TaskRotation.of(data, centre=self.fit_intercept)

    def _objective_in_tasks(self, data: TaskData) -> BaseObjective:
        """The objective whose columns are the tasks of the data."""
        if self._takes_moments(data):
            return self._objective_of(Moments.of(data, centre=self.fit_intercept), data)
        return self._objective_on_rows(data, self._get_penalty(data), self._pooling(data))

    def _objective_on_rows(
        self, data: TaskData, penalty: Penalty | None, pooling: str | None
    ) -> Objective:
        """The objective on rows of data, with the given penalty and pooling."""
        loss = self._get_loss().columns(data.positions)
        y, offsets = data.y, [] if data.offset is None else [data.offset]
        factors = self._task_factors(data)
        shrunk = self._shrinks_intercepts(data) and data.n_tasks > 1 and pooling != "all"
        design = data.design(
            factors, fit_intercept=self.fit_intercept, pooling=pooling, common_centre=shrunk
        )
        selects = pooling is None and loss.compares_tasks and not loss.constant_curvature
        if selects and not shrunk and not loss.couples_tasks:
            design, y, *offsets = select_observed(design, y, *offsets)
        shift = None
        if offsets:
            loss, shift = _with_offset(loss, design, y, *offsets)
        objective: Objective
        if shrunk:
            pulls = np.full(data.n_tasks, self._pull * data.n_tasks / data.weights.sum())
            pulls *= 1.0 if factors is None else factors
            objective = ShrunkObjective(design, y, loss, penalty, pulls)
        elif loss.couples_tasks:
            objective = CoupledObjective(design, y, loss, penalty)
        else:
            objective = Objective(design, y, loss, penalty)
        return objective if shift is None else objective.with_shift(shift)

    @property
    def _pull(self) -> float:
        """The number m of labels that the mean intercept counts for in each task."""
        if isinstance(self.intercept, str):
            return float(self.intercept == "shrunk")
        # Beyond these bounds only rounding error changes.
        return min(float(self.intercept), 1e10) if self.intercept >= 1e-10 else 0.0

    def _shrinks_intercepts(self, data: TaskData) -> bool:
        """Whether the intercepts are shrunk towards their mean."""
        if isinstance(self.intercept, (bool, np.bool_)):
            raise ValueError(
                f"intercept must be 'free', 'shrunk' or a number of labels, got {self.intercept}. "
                f"Pass fit_intercept={self.intercept} for a fit with or without intercepts."
            )
        if not self.fit_intercept or self._pull == 0:
            return False
        loss = self._get_loss().columns(data.positions)
        if not loss.has_gradient:
            raise ValueError(
                f"intercept must be 'free' with loss='quantile', got {self.intercept!r}: shrinkage "
                f"counts labels of the squared loss, which estimates means. Use intercept='free'."
            )
        if not loss.compares_tasks:
            what = "the multinomial loss" if loss.couples_tasks else "different losses by task"
            raise ValueError(
                f"intercept must be 'free' with {what}, got {self.intercept!r}: the intercepts "
                f"are not comparable between tasks. Use intercept='free'."
            )
        return True

    def _takes_moments(self, data: TaskData) -> bool:
        """Whether Gram matrices of all features cost less than iterating over the rows."""
        return (
            self._get_loss().constant_curvature
            and self._pooling(data) is None
            and not self._shrinks_intercepts(data)
            and Moments.pay(data)
        )

    def _objective_of(self, moments: Moments, data: TaskData) -> GramObjective:
        """The objective from moments; only the tasks and weights of ``data`` are used."""
        scales = np.full(data.n_tasks, data.n_tasks / data.weights.sum())
        factors = self._task_factors(data)
        if factors is not None:
            scales = scales * factors
        penalty = self._get_penalty(data)
        quadratics = Quadratics.of_moments(moments, scales, fit_intercept=self.fit_intercept)
        return GramObjective(quadratics, *((None, None) if penalty is None else split(penalty)))
