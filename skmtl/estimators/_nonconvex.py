"""What the non-convex estimators share: convex problems one after another, none higher."""

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
from skmtl.estimators._docs import _ATTRIBUTES, _COMMON, Class, document
from skmtl.estimators.base import Fit, TaskEstimator
from skmtl.objective import BaseObjective
from skmtl.solvers import Algorithm, Point, certified

Array = NDArray[Any]

# Each convex problem is solved to this share of what ends the fit.
INNER = 0.1
# A stage that gains less than this share of the objective is rounding.
_ROUNDING = 1e-13
# It is worth its while all the same where it leaves no more than this of what was to gain.
_NEARER = 0.7

_STAGES_COMMON = """
max_stages : int, default={max_stages}
    Largest number of stages; beyond it a ConvergenceWarning states the stationarity reached.
max_iter : int, default=10000
    Largest number of iterations of the solvers in all stages together{of_each}; beyond it a
    ConvergenceWarning states the stationarity reached.
tol : float, default=1e-4
    The fit stops when ``stationarity_`` is at most ``tol``.
warm_start : bool, default=False
    Start from the previous fit where the tasks and features are as many. Another start may lead
    to another stationary point.
"""

_STAGES_ATTRIBUTES = """
dual_gap_ : float
    NaN: how far a non-convex objective is above its minimum is not known.
stationarity_ : float
    What the next stage's convex problems could gain at most, by their duality gaps at the
    solution, relative to the objective with zero coefficients and the best intercepts; zero at a
    stationary point.
objectives_ : ndarray of shape (`n_stages_` + 1,)
    The objective at the start and after each stage, never rising.
n_stages_ : int
n_iter_ : int
    Iterations of the solvers in all stages.
"""


def document_stages(max_stages: int, of_each: str = "") -> Callable[[Class], Class]:
    """As ``document``, for estimators that solve convex problems in stages."""
    common = _COMMON[: _COMMON.index("max_iter :")] + _STAGES_COMMON.strip("\n").replace(
        "{max_stages}", str(max_stages)
    ).replace("{of_each}", of_each)
    head, rest = _ATTRIBUTES.split("dual_gap_ :")
    tail = rest[rest.index("n_features_in_ :") :]
    attributes = head + _STAGES_ATTRIBUTES.strip("\n") + "\n" + tail

    def fill(cls: Class) -> Class:
        if cls.__doc__ is not None:
            for name, part in (("stages_common", common), ("stages_attributes", attributes)):
                # All lines of a class's docstring are four columns in.
                text = part.strip("\n").replace("\n", "\n    ")
                cls.__doc__ = cls.__doc__.replace("{" + name + "}", text)
        return document(cls)

    return fill


@dataclass(frozen=True)
class StagedFit(Fit):
    """A stationary point, how it was reached, and what else it consists of."""

    objectives: tuple[float, ...] = (0.0,)
    stationarity: float = 0.0
    learned_parts: dict[str, Array] = field(default_factory=dict)


@dataclass
class Stages:
    """A sequence of points as it grows.

    Attributes
    ----------
    point : Point
        Of the objective on W.
    objectives : list of float
    n_iter : int
    stationarity : float
        Relative, at the point.
    learned_parts : dict of str to ndarray
    is_separated : bool
        Whether unpenalised coefficients separate the labels of some task.
    """

    point: Point
    objectives: list[float]
    n_iter: int = 0
    stationarity: float = np.inf
    learned_parts: dict[str, Array] = field(default_factory=dict)
    is_separated: bool = False

    def measure(self, gain: float, scale: float) -> bool:
        """Set the stationarity; whether it is worth another stage.

        It is not where the last stage gained nothing but rounding and came no nearer.
        """
        stationarity = gain / scale if scale > 0 else 0.0
        nearer = stationarity <= _NEARER * self.stationarity
        falling = len(self.objectives) < 2 or is_lower(*reversed(self.objectives[-2:]))
        self.stationarity = stationarity
        return nearer or falling

    def add(self, point: Point, value: float, n_iter: int) -> bool:
        """Take the next point unless it is higher by more than rounding; whether it was taken."""
        self.n_iter += n_iter
        last = self.objectives[-1]
        if is_lower(last, value):
            return False
        self.point = point
        self.objectives.append(min(value, last))
        return True


def is_lower(value: float, other: float) -> bool:
    """Whether a value is below another by more than rounding."""
    return value < other - _ROUNDING * abs(other)


class NonConvexEstimator(TaskEstimator):
    """An estimator whose ``_get_penalty`` is a convex relaxation, where its stages begin.

    Hooks: ``_stages`` and ``_penalty_value``.
    """

    _is_convex: ClassVar[bool] = False
    # What to do where unpenalised coefficients separate the labels.
    _separation_remedy: ClassVar[str] = "Increase alpha"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "max_stages": [Interval(Integral, 1, None, closed="left")],
    }

    _not_stated = (
        "its objective is not convex, and cvxpy solves convex problems only. Pass one of "
        "the convex estimators, or judge the fit by its stationarity_ and by fits from other starts"
    )

    def _stages(self, objective: BaseObjective, warm: Fit | None) -> Stages:
        """Stages from the relaxation's objective, or from a previous fit."""
        raise NotImplementedError

    def _penalty_value(self, W: Array, learned_parts: dict[str, Array]) -> float:
        """The non-convex penalty, of coefficients and what was learned with them."""
        raise NotImplementedError

    def _minimise(self, objective: BaseObjective, start: Fit | None, dtype: Any) -> Fit:
        stages = self._stages(objective, start)
        if stages.is_separated:
            warn(
                "Coefficients that are not penalised separate the labels of some task: there is "
                f"no finite minimiser, and the coefficients depend on when the solver stopped. "
                f"{self._separation_remedy}."
            )
        elif stages.stationarity > self._tolerance(objective):
            warn(
                f"Stopped after {len(stages.objectives) - 1} stages, where the next could still "
                f"gain {stages.stationarity:.3g} of the objective without coefficients; the "
                f"tolerance is {self.tol:.3g}. Increase max_stages, max_iter, alpha or tol, or "
                f"scale the features (StandardScaler).",
                ConvergenceWarning,
            )
        point = stages.point
        if point.W.dtype != dtype:
            point = objective.point(point.W.astype(dtype), point.b)
        # At what is returned: stages add small penalties of their own, in float64.
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
        # The relaxation may be a ridge on each task, but the penalty couples them.
        return self.alpha > 0

    def _tolerance(self, objective: BaseObjective) -> float:
        """The relative tolerance, no finer than the arithmetic."""
        return max(self.tol, 1e-12 if objective.dtype == np.float64 else 1e-6)

    def _set_fit(self, data: TaskData, fit: Fit) -> Self:
        super()._set_fit(data, fit)
        staged = fit if isinstance(fit, StagedFit) else StagedFit(**vars(fit))
        self.dual_gap_, self.stationarity_ = np.nan, staged.stationarity
        self.objectives_ = np.array(staged.objectives)
        self.n_stages_ = len(staged.objectives) - 1
        return self


def start_of(objective: BaseObjective, warm: Fit | None) -> Point:
    """The point of a previous fit, or the null point."""
    if warm is None:
        return objective.start()
    return objective.start(warm.coef.T, warm.intercept)


def separates(objective: BaseObjective, W: Array, b: Array) -> bool:
    """Whether these coefficients and intercepts, unpenalised, separate the labels of some task."""
    free = objective.with_penalty(None)
    return free.is_separated(free.point(W, b))


def descend(
    objective: BaseObjective,
    solver: Algorithm[BaseObjective],
    start: Point,
    enough: float,
    max_iter: int,
    hopeless: Callable[[Point], bool] | None = None,
) -> tuple[Point, float, int]:
    """A convex problem solved to a gap, without a warning where it is not reached.

    It is given up at a point for which ``hopeless`` is true.

    Returns
    -------
    point : Point
        No higher than the start.
    gap : float
        Its duality gap.
    n_iter : int
    """
    progress = certified(
        solver(objective, start),
        start,
        max_iter=max_iter,
        enough=enough,
        # Of points that rounding alone tells apart the last is nearest to stationary.
        is_better=lambda value, best: not is_lower(best, value),
    )
    for found in progress:
        if hopeless is not None and hopeless(found.last):
            break
    # A solver that left rows out has no image of the whole.
    point = found.point.astype(objective.dtype)
    return objective.point(point.W, point.b), found.gap, found.n_iter
