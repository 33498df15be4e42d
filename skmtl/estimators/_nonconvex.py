"""The base of the non-convex estimators, which solve a sequence of convex problems."""

from collections.abc import Callable
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval

from skmtl._warnings import warn
from skmtl.design import TaskData
from skmtl.estimators.base import Fit, Report, TaskEstimator, estimator, parameter
from skmtl.objective import BaseObjective
from skmtl.solvers import Algorithm, Point, Progress, certified

Array = NDArray[Any]

# The gap at which a convex problem is solved, as a fraction of the fit's tolerance.
INNER = 0.1
# Relative decreases of the objective below this are rounding error.
_ROUNDING = 1e-13
# The stationarity has clearly decreased if it is at most this fraction of the previous one.
_NEARER = 0.7


@dataclass(frozen=True)
class StagedFit(Fit):
    """A stationary point, the values of the objective on the way to it, and other learned parts."""

    objectives: tuple[float, ...] = (0.0,)
    stationarity: float = 0.0
    learned_parts: dict[str, Array] = field(default_factory=dict)


@dataclass
class Stages:
    """The stages of a fit so far.

    Attributes
    ----------
    point : Point
        The current point, of the objective as a function of W.
    objectives : list of float
        At the start and after each stage.
    n_iter : int
    stationarity : float
        Relative, at the point.
    learned_parts : dict of str to ndarray
        What is learned besides W, by name.
    is_separated : bool
        Whether unpenalised coefficients separate the labels of some task.
    report : callable, optional
        Called with the stages so far, before each stage; the fit ends if it returns True.
    stopped : bool
        Whether the report has ended the fit.
    """

    point: Point
    objectives: list[float]
    n_iter: int = 0
    stationarity: float = np.inf
    learned_parts: dict[str, Array] = field(default_factory=dict)
    is_separated: bool = False
    report: "StageReport | None" = None
    verbose: int = 0
    stopped: bool = False

    def measure(self, gain: float, scale: float) -> bool:
        """Set the stationarity, and return whether another stage is worthwhile.

        It is not if the last stage neither lowered the objective by more than rounding error nor
        clearly lowered the stationarity, or if the report ends the fit.
        """
        stationarity = gain / scale if scale > 0 else 0.0
        nearer = stationarity <= _NEARER * self.stationarity
        falling = len(self.objectives) < 2 or is_lower(*reversed(self.objectives[-2:]))
        self.stationarity = stationarity
        if self.verbose:
            print(
                f"stage {len(self.objectives) - 1}: objective {self.objectives[-1]:.10g}, "
                f"stationarity {stationarity:.3g}"
            )
        self.stopped = self.report is not None and self.report(self)
        return (nearer or falling) and not self.stopped

    def add(self, point: Point, value: float, n_iter: int) -> bool:
        """Move to a point, unless the objective increases by more than rounding error.

        Returns whether the point was accepted.
        """
        self.n_iter += n_iter
        last = self.objectives[-1]
        if is_lower(last, value):
            return False
        self.point = point
        self.objectives.append(min(value, last))
        return True


StageReport = Callable[[Stages], bool]


def is_lower(value: float, other: float) -> bool:
    """Whether a value is below another by more than rounding error."""
    return value < other - _ROUNDING * abs(other)


@estimator
class NonConvexEstimator(TaskEstimator):
    """An estimator that starts from a convex relaxation, whose penalty ``_get_penalty`` returns.

    Attributes
    ----------
    dual_gap_ : float
        NaN: the objective is not convex, and no bound on its suboptimality is known.
    n_iter_ : int
        Number of iterations of the solvers, over all stages.
    stationarity_ : float
        Upper bound, from duality gaps, on how much the convex problems of another stage could
        lower the objective, relative to the objective with zero coefficients and the best
        intercepts. It is zero at a stationary point.
    objectives_ : ndarray of shape (`n_stages_` + 1,)
        The objective at the start and after each stage; it never increases.
    n_stages_ : int
        Number of stages.
    """

    max_stages: int = parameter(
        100,
        [Interval(Integral, 1, None, closed="left")],
        "int",
        """
        Maximum number of stages; beyond it a ConvergenceWarning reports the stationarity reached.
        """,
        group="stages",
    )
    max_iter: int = parameter(
        10_000,
        text="""
        Maximum number of iterations of the solvers, over all stages; beyond it a
        ConvergenceWarning reports the stationarity reached.
        """,
    )
    tol: float = parameter(1e-4, text="The fit stops when ``stationarity_`` is at most ``tol``.")
    warm_start: bool = parameter(
        False,
        text="""
        Start from the previous fit if the numbers of tasks and features agree. The fit may then
        reach another stationary point.
        """,
    )
    verbose: int = parameter(
        0, text="Print the objective and the stationarity at the start and after each stage."
    )

    _is_convex: ClassVar[bool] = False
    # The notes on how convex problems are solved do not apply.
    _replaces_notes: ClassVar[bool] = True
    # What to do if unpenalised coefficients separate the labels.
    _separation_remedy: ClassVar[str] = "Increase alpha"

    _not_stated = (
        "its objective is not convex, and cvxpy solves convex problems only. Pass one of "
        "the convex estimators, or judge the fit by its stationarity_ and by fits from other starts"
    )

    def _stages(
        self, objective: BaseObjective, warm: Fit | None, report: StageReport | None
    ) -> Stages:
        """All stages, from the convex relaxation or from a previous fit."""
        raise NotImplementedError

    def _penalty_value(self, W: Array, learned_parts: dict[str, Array]) -> float:
        """The non-convex penalty at W and the other learned parts."""
        raise NotImplementedError

    def _minimise(
        self, objective: BaseObjective, start: Fit | None, dtype: Any, report: Report | None = None
    ) -> Fit:
        if not objective.has_gradient:
            raise ValueError(
                f"{type(self).__name__} needs a loss with a gradient, because the "
                f"stationarity residual, by which non-convex fits stop, requires one; "
                f"loss='quantile' has none. Use loss='huber', or an estimator with a convex "
                f"penalty."
            )
        stages = self._stages(
            objective,
            start,
            None if report is None else self._reported_stages(report, objective, dtype),
        )
        if stages.is_separated:
            warn(
                f"Unpenalised coefficients separate the labels of some task: there is no finite "
                f"minimiser, and the coefficients depend on when the solver stopped. "
                f"{self._separation_remedy}."
            )
        elif stages.stationarity > self._tolerance(objective) and not stages.stopped:
            warn(
                f"Stopped after {len(stages.objectives) - 1} stages with stationarity "
                f"{stages.stationarity:.3g}; the tolerance is {self.tol:.3g}. Relative to the "
                f"objective with zero coefficients, this is an upper bound on the decrease that "
                f"another stage could achieve. Increase max_stages, max_iter, alpha or tol, or "
                f"scale the features (StandardScaler).",
                ConvergenceWarning,
            )
        return self._fit_after(objective, stages, dtype)

    def _reported_stages(self, report: Report, objective: BaseObjective, dtype: Any) -> StageReport:
        """A report of the stages, of whose objective no lower bound is known."""

        def reported(stages: Stages) -> bool:
            point, value, n_iter = stages.point, stages.objectives[-1], stages.n_iter
            tol, spent = self._tolerance(objective), n_iter >= self.max_iter
            ended, enough = stages.stationarity <= tol, tol * objective.null_value
            now = Progress(point, value, np.nan, point, n_iter, spent, ended, enough)
            return report(now, lambda: self._fit_after(objective, stages, dtype))

        return reported

    def _fit_after(self, objective: BaseObjective, stages: Stages, dtype: Any) -> Fit:
        """The fit after some stages, in the data's precision."""
        point = stages.point
        if point.W.dtype != dtype:
            point = objective.point(point.W.astype(dtype), point.b)
        # The objective at the coefficients that are returned: the stages may have used another
        # precision, and a tiny penalty if alpha is 0.
        exact = objective.exact(point)
        W = objective.coefficients(exact)
        value = objective.loss_value(exact) + self._penalty_value(W, stages.learned_parts)
        objectives = [max(before, value) for before in stages.objectives[:-1]] + [value]
        return StagedFit(
            coef=objective.coefficients(point).T,
            intercept=objective.intercepts(point),
            objective=value,
            dual_gap=np.nan,
            n_iter=max(stages.n_iter, 1),
            learned=np.ones(objective.n_tasks, dtype=bool),
            objectives=tuple(objectives),
            stationarity=stages.stationarity,
            learned_parts=stages.learned_parts,
        )

    def _targets_compete(self, data: TaskData) -> bool:
        # The relaxation may separate over the tasks, but the penalty couples them.
        return bool(self.alpha > 0)

    def _tolerance(self, objective: BaseObjective) -> float:
        """The relative tolerance, at least the precision of the arithmetic."""
        return max(self.tol, 1e-12 if objective.dtype == np.float64 else 1e-6)

    def _set_fit(self, data: TaskData, fit: Fit) -> Self:
        super()._set_fit(data, fit)
        staged = fit if isinstance(fit, StagedFit) else StagedFit(**vars(fit))
        self.dual_gap_, self.stationarity_ = np.nan, staged.stationarity
        self.objectives_ = np.array(staged.objectives)
        self.n_stages_ = len(staged.objectives) - 1
        return self


def start_of(objective: BaseObjective, warm: Fit | None) -> Point:
    """The point of a previous fit; without one, zero coefficients and the best intercepts."""
    if warm is None:
        return objective.start()
    return objective.start(warm.coef.T, warm.intercept)


def separates(objective: BaseObjective, W: Array, b: Array) -> bool:
    """Whether these coefficients and intercepts separate the labels of some task."""
    free = objective.with_penalty(None)
    return free.is_separated(free.point(W, b))


def descend(
    objective: BaseObjective,
    solver: Algorithm[BaseObjective],
    start: Point,
    enough: float,
    max_iter: int,
    gives_up: Callable[[Point], bool] | None = None,
) -> tuple[Point, float, int]:
    """Minimise a convex objective to a duality gap, without a warning if it is not reached.

    Stops early at a point where ``gives_up`` returns true.

    Returns
    -------
    point : Point
        Its objective is at most that of the start.
    gap : float
        Its duality gap.
    n_iter : int
    """
    progress = certified(
        solver(objective, start),
        start,
        max_iter=max_iter,
        enough=enough,
        # Of points that differ by rounding error only, the last is closest to stationary.
        is_better=lambda value, best: not is_lower(best, value),
    )
    for found in progress:
        if gives_up is not None and gives_up(found.last):
            break
    # A solver that works on some rows of W keeps only part of Z.
    point = found.point.astype(objective.dtype)
    return objective.point(point.W, point.b), found.gap, found.n_iter
