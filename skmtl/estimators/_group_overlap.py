"""Tasks in groups that overlap: each combines few of the same latent tasks."""

from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval

from skmtl.design import TaskData
from skmtl.estimators._factors import Factors, split
from skmtl.estimators._nonconvex import (
    INNER,
    NonConvexEstimator,
    StagedFit,
    Stages,
    descend,
    document_stages,
    start_of,
)
from skmtl.estimators.base import Fit, TaskClassifier, TaskRegressor
from skmtl.objective import BaseObjective
from skmtl.penalties import Penalty, Ridge
from skmtl.solvers import FISTA, choose_solver

Array = NDArray[Any]

_CONSTRAINTS: dict[str, list[Any]] = {
    **NonConvexEstimator._parameter_constraints,
    "n_latent": [Interval(Integral, 1, None, closed="left")],
    "ridge": [Interval(Real, 0, None, closed="neither")],
    "n_init": [Interval(Integral, 1, None, closed="left")],
    "random_state": ["random_state"],
}
# Iterations of one step: the factors change again before they would be needed exactly.
_STEP_ITERATIONS = 200
# Without a penalty latent tasks are told apart by one that does not count.
_NO_ALPHA = 1e-9


class _GroupOverlap(NonConvexEstimator):
    def _get_penalty(self, data: TaskData) -> Penalty | None:
        return Ridge(self.alpha) if self.alpha > 0 else None

    def _penalty_value(self, W: Array, learned_parts: dict[str, Array]) -> float:
        parts = learned_parts["latent"], learned_parts["assignments"]
        return Factors(*parts, self.alpha, self.ridge).value()

    def _stages(self, objective: BaseObjective, warm: Fit | None) -> Stages:
        enough = INNER * self._tolerance(objective) * objective.null_value
        alpha = self.alpha
        if alpha == 0:
            alpha = _NO_ALPHA * max(objective.null_value, np.finfo(np.float64).tiny)
        if warm is not None and hasattr(self, "latent_tasks_"):
            origin, latent = start_of(objective, warm), self.latent_tasks_.T.astype(np.float64)
            S = np.linalg.lstsq(latent, np.asarray(origin.W, dtype=np.float64), rcond=None)[0]
            start = Factors(latent, S, alpha, self.ridge)
            return self._alternate(objective, start, origin.b, self.max_iter)
        rng = check_random_state(self.random_state)
        solver = choose_solver(self.solver, objective)
        relaxed, _, n_iter = descend(objective, solver, objective.start(), enough, self.max_iter)
        n_first = n_iter
        L, S = split(np.asarray(relaxed.W, dtype=np.float64), self.n_latent, rng)
        best = None
        for k in range(self.n_init):
            turn = np.eye(len(S))
            if k > 0:
                turn = np.linalg.qr(rng.standard_normal(turn.shape))[0]
            start = Factors(L @ turn, turn.T @ S, alpha, self.ridge)
            found = self._alternate(objective, start, relaxed.b, self.max_iter - n_first)
            n_iter += found.n_iter
            if best is None or found.objectives[-1] < best.objectives[-1]:
                best = found
        assert best is not None
        best.n_iter = n_iter
        return best

    def _alternate(
        self, objective: BaseObjective, factors: Factors, b: Array, max_iter: int
    ) -> Stages:
        """Minimise over the assignments and the latent tasks in turn."""
        scale, tol = objective.null_value, self._tolerance(objective)
        enough, dtype = INNER * tol * scale, objective.dtype
        factors = factors.mixed()
        point = objective.point((factors.L @ factors.S).astype(dtype), b.astype(dtype))
        stages = Stages(point, [objective.loss_value(point) + factors.value()])
        while True:
            stages.learned_parts = {"latent": factors.L, "assignments": factors.S}
            gains = self._gains(objective, factors, stages.point.b)
            worthwhile = stages.measure(sum(gains), scale)
            ended = stages.stationarity <= tol or len(stages.objectives) > self.max_stages
            steps = min(max_iter - stages.n_iter, _STEP_ITERATIONS)
            stages.is_separated = self.alpha == 0 and objective.is_separated(stages.point)
            hopeless = stages.is_separated or steps <= 0 or not factors.S.any()
            if ended or hopeless or not (worthwhile or self.alpha == 0):
                return stages
            target = max(enough / 2, INNER * sum(gains))
            part = factors.in_assignments(objective)
            start = part.point(factors.S.astype(dtype), stages.point.b)
            point, _, n_first = descend(part, FISTA, start, target, steps)
            S, b = point.W.astype(np.float64), point.b
            new = Factors(factors.L, S, factors.alpha, factors.ridge).balanced()
            n_second = 0
            left = min(max_iter - stages.n_iter - n_first, _STEP_ITERATIONS)
            if new.S.any() and left > 0:
                new, b, n_second = self._latent_step(objective, new, b, target, left)
            new = new.mixed()
            point = objective.point((new.L @ new.S).astype(dtype), b)
            value = objective.loss_value(point) + new.value()
            if not stages.add(point, value, n_first + n_second):
                return stages
            factors = new

    def _latent_step(
        self, objective: BaseObjective, factors: Factors, b: Array, enough: float, steps: int
    ) -> tuple[Factors, Array, int]:
        part, turned = factors.in_latent(objective)
        V = factors.L @ np.linalg.pinv(turned)
        start = part.point(V.astype(objective.dtype), b)
        point, _, n_iter = descend(part, FISTA, start, enough, steps)
        L = point.W.astype(np.float64) @ turned
        return Factors(L, factors.S, factors.alpha, factors.ridge), point.b, n_iter

    def _gains(self, objective: BaseObjective, factors: Factors, b: Array) -> tuple[float, float]:
        """What the steps over S and over L could gain at most, by their duality gaps."""
        dtype, part = objective.dtype, factors.in_assignments(objective)
        parts = [(part, part.point(factors.S.astype(dtype), b))]
        if factors.S.any():
            part, turned = factors.in_latent(objective)
            V = factors.L @ np.linalg.pinv(turned)
            parts.append((part, part.point(V.astype(dtype), b)))
        bounds = [part.bounds(point) for part, point in parts]
        gaps = [max(value - max(bound, 0.0), 0.0) for value, bound in bounds]
        return gaps[0], gaps[-1] if len(gaps) > 1 else 0.0

    def _previous_fit(self, data: TaskData) -> Fit | None:
        previous = super()._previous_fit(data)
        if previous is None or self.latent_tasks_.shape[0] != self.n_latent:
            return None
        # Latent tasks that are zero would remain so.
        return previous if self.latent_tasks_.any(axis=1).all() else None

    def _set_fit(self, data: TaskData, fit: Fit) -> Self:
        super()._set_fit(data, fit)
        dtype, K = fit.coef.dtype, self.n_latent
        self.latent_tasks_ = np.zeros((K, fit.coef.shape[1]), dtype=dtype)
        self.assignments_ = np.zeros((data.n_tasks, K), dtype=dtype)
        if isinstance(fit, StagedFit):
            self.latent_tasks_[:] = fit.learned_parts["latent"].T
            S = np.zeros((data.n_tasks, K))
            S[fit.learned] = fit.learned_parts["assignments"].T
            if data.scales is not None:
                S = self._get_loss().rescale(S, np.zeros(len(S)), data.scales)[0]
            self.assignments_[:] = S
        return self


@document_stages(max_stages=1000, of_each=", for each of the ``n_init`` starts")
class GroupOverlapRegressor(_GroupOverlap, TaskRegressor):
    r"""Regression tasks that each combine few of the same latent tasks (GO-MTL).

    .. math::

        \min_{L, S, b} \; F(L S, b) + \alpha \bigl[ \lVert S \rVert_1
        + \tfrac{\rho}{2} \lVert L \rVert_F^2 \bigr] ,
        \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    over latent tasks L (n_features, n_latent) and the assignments S (n_latent, n_tasks), with
    W = L S. {symbols}
    :math:`\rho` is ``ridge`` and :math:`\lVert S \rVert_1` sums all absolute entries. Tasks that
    use the same latent tasks form a group; groups overlap.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the whole penalty, >= 0. W = 0 is a stationary point for every ``alpha`` > 0.
    n_latent : int, default=5
        Number of latent tasks, >= 1. Some may become zero.
    ridge : float, default=1.0
        Strength of the ridge on L relative to ``alpha``, > 0.
    n_init : int, default=1
        Number of starts: the singular vectors of a ridge fit of each task, and random rotations of
        them. The lowest objective counts.
    random_state : int, RandomState instance or None, default=None
        Of the rotations, and of latent tasks in excess of the ridge fit's rank.
    {regression_loss}
    {stages_common}
    solver : {"auto", "fista", "newton"}, default="auto"
        Of the ridge fit. All else is solved by FISTA.
    verbose : int, default=0
        Not used.
    {scale_tasks}

    Attributes
    ----------
    {stages_attributes}
    latent_tasks_ : ndarray of shape (n_latent, n_features)
        L transposed.
    assignments_ : ndarray of shape (n_tasks, n_latent)
        S transposed: ``coef_`` is ``assignments_ @ latent_tasks_``.

    Notes
    -----
    Convex in L and in S, not in both. A stage minimises over S, a lasso of each task on the latent
    features X L, and over L, a ridge; then, W as it is, over multiples of latent tasks that are
    added to others, and over their scales. Of ``alpha`` and ``ridge`` the fit of W
    depends on their product :math:`\alpha^3 \rho` alone. None of the starts needs to lead to the
    minimum; more of them (``n_init``) come nearer.

    References
    ----------
    A. Kumar and H. Daume III, "Learning task grouping and overlap in multi-task learning", ICML
    2012, https://doi.org/10.48550/arXiv.1206.6417

    See Also
    --------
    TaskRelationRegressor : A low rank by a convex penalty.

    Examples
    --------
    >>> from skmtl import GroupOverlapRegressor
    >>> from skmtl.datasets import make_overlapping_tasks
    >>> made = make_overlapping_tasks(random_state=0)
    >>> model = GroupOverlapRegressor(0.1, n_latent=4, n_init=3, random_state=0)
    >>> model = model.fit(made.data, made.target)
    >>> model.latent_tasks_.shape, model.assignments_.shape
    ((4, 20), (15, 4))
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **TaskRegressor._parameter_constraints,
        **_CONSTRAINTS,
    }

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        n_latent: int = 5,
        ridge: float = 1.0,
        n_init: int = 1,
        random_state: Any = None,
        loss: str = "squared",
        huber_delta: float = 1.35,
        fit_intercept: bool = True,
        intercept: str | float = "free",
        task_column: str | int | None = None,
        unknown_task: str = "error",
        task_weight: Any = None,
        scale_tasks: bool = False,
        max_stages: int = 1000,
        max_iter: int = 10_000,
        tol: float = 1e-4,
        warm_start: bool = False,
        solver: str = "auto",
        verbose: int = 0,
    ) -> None:
        self.alpha = alpha
        self.n_latent = n_latent
        self.ridge = ridge
        self.n_init = n_init
        self.random_state = random_state
        self.loss = loss
        self.huber_delta = huber_delta
        self.fit_intercept = fit_intercept
        self.intercept = intercept
        self.task_column = task_column
        self.unknown_task = unknown_task
        self.task_weight = task_weight
        self.scale_tasks = scale_tasks
        self.max_stages = max_stages
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.solver = solver
        self.verbose = verbose


@document_stages(max_stages=1000, of_each=", for each of the ``n_init`` starts")
class GroupOverlapClassifier(_GroupOverlap, TaskClassifier):
    r"""Classification tasks that each combine few of the same latent tasks (GO-MTL).

    .. math::

        \min_{L, S, b} \; F(L S, b) + \alpha \bigl[ \lVert S \rVert_1
        + \tfrac{\rho}{2} \lVert L \rVert_F^2 \bigr] ,
        \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    over latent tasks L (n_features, n_latent) and the assignments S (n_latent, n_tasks), with
    W = L S. {symbols}
    Labels count as :math:`y_i = \pm 1`; :math:`\rho` is ``ridge`` and
    :math:`\lVert S \rVert_1` sums all absolute entries. Tasks that use the same latent tasks form a
    group; groups overlap.

    Parameters
    ----------
    alpha : float, default=0.01
        Strength of the whole penalty, >= 0. W = 0 is a stationary point for every ``alpha`` > 0.
    n_latent : int, default=5
        Number of latent tasks, >= 1. Some may become zero.
    ridge : float, default=1.0
        Strength of the ridge on L relative to ``alpha``, > 0.
    n_init : int, default=1
        Number of starts: the singular vectors of a ridge fit of each task, and random rotations of
        them. The lowest objective counts.
    random_state : int, RandomState instance or None, default=None
        Of the rotations, and of latent tasks in excess of the ridge fit's rank.
    {classification_loss}
    {stages_common}
    solver : {"auto", "fista", "newton"}, default="auto"
        Of the ridge fit. All else is solved by FISTA.
    verbose : int, default=0
        Not used.
    {class_weight}

    Attributes
    ----------
    {stages_attributes}
    {classes}
    latent_tasks_ : ndarray of shape (n_latent, n_features)
        L transposed.
    assignments_ : ndarray of shape (n_tasks, n_latent)
        S transposed: ``coef_`` is ``assignments_ @ latent_tasks_``.

    Notes
    -----
    Not convex; solved in stages as :class:`GroupOverlapRegressor` is. W depends on ``alpha`` and
    ``ridge`` by :math:`\alpha^3 \rho` alone.

    {one_class}

    References
    ----------
    A. Kumar and H. Daume III, "Learning task grouping and overlap in multi-task learning", ICML
    2012, https://doi.org/10.48550/arXiv.1206.6417

    See Also
    --------
    TaskRelationClassifier : A low rank by a convex penalty.

    Examples
    --------
    >>> from skmtl import GroupOverlapClassifier
    >>> from skmtl.datasets import make_overlapping_tasks
    >>> made = make_overlapping_tasks(300, classification=True, random_state=0)
    >>> model = GroupOverlapClassifier(n_latent=4, n_init=3, random_state=0)
    >>> model = model.fit(made.data, made.target)
    >>> model.latent_tasks_.shape, model.assignments_.shape
    ((4, 20), (15, 4))
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **TaskClassifier._parameter_constraints,
        **_CONSTRAINTS,
    }

    def __init__(
        self,
        alpha: float = 0.01,
        *,
        n_latent: int = 5,
        ridge: float = 1.0,
        n_init: int = 1,
        random_state: Any = None,
        loss: str = "logistic",
        fit_intercept: bool = True,
        intercept: str | float = "free",
        task_column: str | int | None = None,
        unknown_task: str = "error",
        task_weight: Any = None,
        class_weight: Any = None,
        max_stages: int = 1000,
        max_iter: int = 10_000,
        tol: float = 1e-4,
        warm_start: bool = False,
        solver: str = "auto",
        verbose: int = 0,
    ) -> None:
        self.alpha = alpha
        self.n_latent = n_latent
        self.ridge = ridge
        self.n_init = n_init
        self.random_state = random_state
        self.loss = loss
        self.fit_intercept = fit_intercept
        self.intercept = intercept
        self.task_column = task_column
        self.unknown_task = unknown_task
        self.task_weight = task_weight
        self.class_weight = class_weight
        self.max_stages = max_stages
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.solver = solver
        self.verbose = verbose
