"""The fit of an estimator: its objective minimised over the tasks that have a minimiser."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl._numerics import one_blas_thread
from skmtl._warnings import warn
from skmtl.design import TaskData
from skmtl.estimators.base._fit import Fit, Report, completed
from skmtl.objective import BaseObjective, SuperposedObjective
from skmtl.solvers import Point, Progress, choose_solver, solve

Array = NDArray[Any]

# Multiplications that take one thread about a millisecond; extra threads cost more than they save.
_SMALL_PRODUCTS = 20_000_000


def _is_small(data: TaskData) -> bool:
    """Whether products with X are too small for several BLAS threads."""
    columns = data.n_tasks if data.codes is None else 1
    return bool(data.X.shape[0] * data.X.shape[1] * columns <= _SMALL_PRODUCTS)


class Minimisation:
    """Minimise an estimator's objective, and state the result as a fit of all tasks."""

    solver: str
    max_iter: int
    tol: float
    verbose: int
    _objective: Any
    _get_penalty: Any
    _learnable: Any
    _left_out_intercepts: Any
    get_params: Any

    def _fit_data(
        self,
        data: TaskData,
        start: Fit | None = None,
        prepared: BaseObjective | None = None,
        report: Report | None = None,
    ) -> Fit:
        """Minimise the objective over the learnable tasks of ``data``.

        ``prepared`` is the objective of a model that differs only in its penalty.
        """
        learned = self._learnable(data)
        if not learned.any():
            coef = np.zeros((data.n_tasks, data.X.shape[1]), dtype=data.X.dtype)
            return Fit(coef, self._left_out_intercepts(data), 0.0, 0.0, 1, learned)
        part = data.select(learned)
        if start is not None:
            start = replace(
                start,
                coef=start.coef[learned],
                intercept=start.intercept[learned],
                parts=None if start.parts is None else start.parts[:, learned],
            )
        few = _is_small(part)
        with one_blas_thread() if few else nullcontext():
            objective = self._prepared_objective(part, prepared)
            also = objective.has_small_matrices and not few
            with one_blas_thread() if also else nullcontext():
                found = self._minimise_in_basis(
                    objective,
                    start,
                    data.X.dtype,
                    completed(report, lambda fit: self._with_all_tasks(fit, data, learned)),
                )
        return self._with_all_tasks(found, data, learned)

    def _with_all_tasks(self, found: Fit, data: TaskData, learned: Array) -> Fit:
        """The fit of the learnable tasks, with the tasks that did not enter the objective."""
        coef = np.zeros((data.n_tasks, data.X.shape[1]), dtype=data.X.dtype)
        intercept = np.zeros(data.n_tasks)
        if not learned.all():
            intercept = np.where(learned, 0.0, self._left_out_intercepts(data))
        intercept[learned] = found.intercept
        if found.coef.shape == coef.shape:
            coef = np.array(found.coef, coef.dtype, order="C")  # much faster than with a mask
        else:
            coef[learned] = found.coef
        parts = None
        if found.parts is not None:
            parts = np.zeros((len(found.parts), *coef.shape), dtype=coef.dtype)
            parts[:, learned] = found.parts
        # A subclass of Fit keeps what else it holds.
        return replace(found, coef=coef, intercept=intercept, learned=learned, parts=parts)

    def _prepared_objective(self, data: TaskData, prepared: BaseObjective | None) -> BaseObjective:
        """The objective for the solver on learnable tasks, from a prepared one if given."""
        objective: BaseObjective
        if prepared is None:
            objective = self._objective(data)
        else:
            objective = prepared.with_penalty(self._get_penalty(data))
        if objective.penalty is not None and objective.penalty.n_superposed > 1:
            return SuperposedObjective(objective)
        return objective

    def _minimise_in_basis(
        self, objective: BaseObjective, start: Fit | None, dtype: Any, report: Report | None
    ) -> Fit:
        """The fit of the tasks, if need be by way of the coordinates of the objective."""
        rotation = objective.rotation
        if rotation is None:
            return self._minimise(objective, start, dtype, report)

        def restore(fit: Fit) -> Fit:
            coef, intercept = rotation.restore(fit.coef, fit.intercept)
            return replace(fit, coef=coef, intercept=intercept)

        if start is not None:
            coef, intercept = rotation.rotate(start.coef, start.intercept)
            start = replace(start, coef=coef, intercept=intercept)
        report = completed(report, restore)
        return restore(self._minimise(objective, start, np.dtype(np.float64), report))

    def _minimise(
        self, objective: BaseObjective, start: Fit | None, dtype: Any, report: Report | None = None
    ) -> Fit:
        """The fit of the tasks in the objective, in the data's precision."""
        origin = objective.start()
        if start is not None:
            W = start.coef.T[:, : objective.n_columns]
            if start.parts is not None and len(start.parts) * len(W) == objective.n_features:
                # Another penalty may have another number of parts, or none.
                W = np.concatenate(start.parts.transpose(0, 2, 1))
            warm = objective.start(W, start.intercept)
            if objective.value(warm) < objective.null_value:
                origin = warm
        solution = solve(
            objective,
            choose_solver(self.solver, objective),
            origin,
            max_iter=self.max_iter,
            tol=self.tol,
            verbose=self.verbose,
            report=None if report is None else self._reported(report, objective, dtype),
        )
        if objective.is_separated(solution.point):
            self._warn_of_separation(objective)
        state = solution.point, solution.objective, solution.dual_gap, solution.n_iter
        return self._fit_at(objective, *state, dtype)

    def _warn_of_separation(self, objective: BaseObjective) -> None:
        """Warn that unpenalised coefficients separate the labels."""
        what = "Without a penalty the labels of some task are separable"
        remedy = "Increase alpha"
        if objective.penalty is not None or objective.quadratic is not None:
            name, params = type(self).__name__, self.get_params(deep=False)
            what = f"What tasks have in common is not penalised in {name}, and separates the labels"
            if objective.n_tasks == 1:
                what = f"The coefficients of a single task are not penalised in {name}, and "
                what += "separate its labels"
            strengths = [each for each in ("mean", "ridge", "sparse", "block") if each in params]
            how = f"{' or '.join(strengths)} > 0" if strengths else "add Ridge() to the penalty"
            remedy = f"Penalise it too ({how})"
        warn(
            f"{what}: there is no finite minimiser, and the coefficients depend on when the solver "
            f"stopped. {remedy}."
        )

    def _reported(
        self, report: Report, objective: BaseObjective, dtype: Any
    ) -> Callable[[Progress], bool]:
        """A report for the solver, which knows of no fit."""

        def reported(now: Progress) -> bool:
            state = now.point, now.objective, now.gap, max(now.n_iter, 1)
            return report(now, lambda: self._fit_at(objective, *state, dtype))

        return reported

    def _fit_at(
        self,
        objective: BaseObjective,
        point: Point,
        value: float,
        gap: float,
        n_iter: int,
        dtype: Any,
    ) -> Fit:
        """The fit at a point, in the data's precision."""
        if point.W.dtype != dtype:
            # The certificate must hold for the coefficients after rounding to the data's precision.
            point = objective.point(point.W.astype(dtype), point.b)
            rounded = objective.value(point)
            value, gap = rounded, max(gap + rounded - value, 0.0)
        learned = np.ones(objective.n_tasks, dtype=bool)
        coef, intercept = objective.coefficients(point).T, objective.intercepts(point)
        parts = objective.parts(point)
        if parts is not None:
            parts = parts.transpose(0, 2, 1)
        return Fit(coef, intercept, value, gap, n_iter, learned, parts)
