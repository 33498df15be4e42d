"""Task relations as a graph: a sparse precision matrix between the tasks, learned with them."""

from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from skmtl.design import TaskData
from skmtl.estimators._nonconvex import (
    INNER,
    NonConvexEstimator,
    StagedFit,
    Stages,
    descend,
    document_stages,
    start_of,
)
from skmtl.estimators._precision import MatrixNormal
from skmtl.estimators.base import Fit, TaskClassifier, TaskRegressor
from skmtl.objective import BaseObjective
from skmtl.penalties import Penalty, Ridge, TaskQuadratic
from skmtl.solvers import Point, choose_solver

Array = NDArray[Any]

_CONSTRAINTS: dict[str, list[Any]] = {
    **NonConvexEstimator._parameter_constraints,
    "sparsity": [Interval(Real, 0, None, closed="neither")],
}

# A stage that went farther than its minimum in W and fell lets the next go farther still.
_LONGER = 1.5
# It is worth its while where more than this share of what there was to gain is left.
_SLOW = 0.5


class _SparseTaskRelation(NonConvexEstimator):
    def _get_penalty(self, data: TaskData) -> Penalty | None:
        return Ridge(self.alpha) if self.alpha > 0 else None

    def _penalty_value(self, W: Array, learned_parts: dict[str, Array]) -> float:
        if self.alpha == 0:
            return 0.0
        return MatrixNormal(self.alpha, self.sparsity, W).value(learned_parts["precision"])

    def _stages(self, objective: BaseObjective, warm: Fit | None) -> Stages:
        scale, tol = objective.null_value, self._tolerance(objective)
        enough = INNER * tol * scale
        origin, n_iter, gap = start_of(objective, warm), 0, 0.0
        if warm is None or self.alpha == 0:
            origin, gap, n_iter = self._step(objective, origin, enough, self.max_iter)
        prior = self._prior(origin, None, enough)
        value = objective.loss_value(origin) + prior.value(prior.P)
        stages = Stages(origin, [value], n_iter, learned_parts={"precision": prior.P})
        if self.alpha == 0:
            stages.measure(gap, scale)
            stages.is_separated = objective.is_separated(origin)
            return stages
        stretch, before = 1.0, np.inf
        while True:
            stage = objective.with_penalty(TaskQuadratic(prior.P, self.alpha))
            upper, bound = stage.bounds(stages.point)
            gain = max(upper - max(bound, 0.0), 0.0) + prior.gap
            worthwhile = stages.measure(gain, scale)
            ended = stages.stationarity <= tol or len(stages.objectives) > self.max_stages
            left = self.max_iter - stages.n_iter
            if ended or not worthwhile or left <= 0:
                return stages
            target = max(enough, INNER * gain)
            stretch = _LONGER * stretch if gain > _SLOW * before else 1.0
            before = gain
            point, _, n_iter = self._step(stage, stages.point, target, left)
            found = point
            if stretch > 1:
                found = _beyond(objective, stages.point, point, stretch)
            last = self._prior(found, prior, target)
            value = objective.loss_value(found) + last.value(last.P)
            if found is not point and not value < stages.objectives[-1]:
                found, stretch = point, 1.0
                last = self._prior(found, prior, target)
                value = objective.loss_value(found) + last.value(last.P)
            if not stages.add(found, value, n_iter):
                return stages
            prior = last
            stages.learned_parts["precision"] = prior.P

    def _step(
        self, objective: BaseObjective, start: Point, enough: float, max_iter: int
    ) -> tuple[Point, float, int]:
        solver = choose_solver(self.solver, objective)
        return descend(objective, solver, start, enough, max_iter)

    def _prior(self, point: Point, old: MatrixNormal | None, enough: float) -> MatrixNormal:
        return MatrixNormal(self.alpha, self.sparsity, point.W).minimise(old, enough)

    def _set_fit(self, data: TaskData, fit: Fit) -> Self:
        super()._set_fit(data, fit)
        self.task_precision_ = np.full((data.n_tasks, data.n_tasks), np.nan)
        if isinstance(fit, StagedFit):
            learned = np.ix_(fit.learned, fit.learned)
            self.task_precision_[learned] = fit.learned_parts["precision"]
        return self

    @property
    def task_graph_(self) -> NDArray[np.bool_]:
        """Pairs of tasks (n_tasks, n_tasks) that depend on each other given all others."""
        check_is_fitted(self)
        joined = (self.task_precision_ != 0) & ~np.isnan(self.task_precision_)
        np.fill_diagonal(joined, False)
        return joined


def _beyond(objective: BaseObjective, old: Point, new: Point, stretch: float) -> Point:
    """The point so many times as far from the old one as the new one is."""
    W = old.W + old.W.dtype.type(stretch) * (new.W - old.W)
    return objective.point(W, old.b + old.b.dtype.type(stretch) * (new.b - old.b))


@document_stages(max_stages=100)
class SparseTaskRelationRegressor(_SparseTaskRelation, TaskRegressor):
    r"""Regression tasks with a learned graph between them.

    .. math::

        \min_{W, b, P} \; F(W, b) + \tfrac{\alpha}{2} \bigl[ \operatorname{tr}(W P W')
        + d \, (\lambda \lVert P \rVert_1 - \log\det P) \bigr] ,
        \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    over :math:`P \succ 0` (n_tasks, n_tasks). {symbols}
    :math:`\lambda` is ``sparsity``, d the number of features, and :math:`\lVert P \rVert_1` sums
    all absolute entries. The rows of W count as draws from a normal distribution with the
    precision P: two tasks without an edge, :math:`P_{st} = 0`, are independent given all others.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the whole penalty, >= 0.
    sparsity : float, default=0.1
        Strength of the norm of P, > 0, in the units of squared coefficients: it is added to the
        diagonal of :math:`W' W / d`, and covariances between tasks smaller than it make no edge.
        As it grows with ``alpha``, their ratio fixed, the fit becomes a ridge for each task with
        the strength ``alpha / sparsity``.
    {regression_loss}
    {stages_common}
    solver : {"auto", "fista", "newton"}, default="auto"
        Of the problems in W.
    verbose : int, default=0
        Not used.
    {scale_tasks}

    Attributes
    ----------
    {stages_attributes}
    task_precision_ : ndarray of shape (n_tasks, n_tasks)
        P, in the units of the fit; NaN for tasks that left the objective.
    task_graph_ : ndarray of bool of shape (n_tasks, n_tasks)
        True where an entry of P off the diagonal is not zero.

    Notes
    -----
    Convex in W and in P, not in both. A stage minimises over W, a quadratic penalty between the
    tasks, and then over P, a graphical lasso; the first W are ridge fits of each task. Since P
    grows as W falls, small W are shrunk ever more: where ``alpha / sparsity`` is a strong ridge,
    W = 0 is a stationary point too. The diagonal of P is penalised with the rest: otherwise the
    objective would fall without end where a task's coefficients vanish. Deterministic.

    References
    ----------
    Y. Zhang and J. Schneider, "Learning multiple tasks with a sparse matrix-normal penalty",
    NeurIPS 2010, https://papers.nips.cc/paper/2010/hash/51d92be1c60d1db1d2e5e7a07da55b26-Abstract.html

    J. Friedman, T. Hastie and R. Tibshirani, "Sparse inverse covariance estimation with the
    graphical lasso", Biostatistics 9(3), 2008, https://doi.org/10.1093/biostatistics/kxm045

    See Also
    --------
    TaskRelationRegressor : A dense covariance between tasks, by a convex problem.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl import SparseTaskRelationRegressor
    >>> rng = np.random.default_rng(0)
    >>> W = rng.normal(size=(20, 2)) @ [[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    >>> X = rng.normal(size=(100, 20))
    >>> Y = X @ W + 0.1 * rng.normal(size=(100, 3))
    >>> model = SparseTaskRelationRegressor(alpha=0.01, sparsity=0.3).fit(X, Y)
    >>> model.task_graph_.astype(int)
    array([[0, 1, 0],
           [1, 0, 0],
           [0, 0, 0]])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **TaskRegressor._parameter_constraints,
        **_CONSTRAINTS,
    }

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        sparsity: float = 0.1,
        loss: str = "squared",
        huber_delta: float = 1.35,
        fit_intercept: bool = True,
        intercept: str | float = "free",
        task_column: str | int | None = None,
        unknown_task: str = "error",
        task_weight: Any = None,
        scale_tasks: bool = False,
        max_stages: int = 100,
        max_iter: int = 10_000,
        tol: float = 1e-4,
        warm_start: bool = False,
        solver: str = "auto",
        verbose: int = 0,
    ) -> None:
        self.alpha = alpha
        self.sparsity = sparsity
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


@document_stages(max_stages=100)
class SparseTaskRelationClassifier(_SparseTaskRelation, TaskClassifier):
    r"""Classification tasks with a learned graph between them.

    .. math::

        \min_{W, b, P} \; F(W, b) + \tfrac{\alpha}{2} \bigl[ \operatorname{tr}(W P W')
        + d \, (\lambda \lVert P \rVert_1 - \log\det P) \bigr] ,
        \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    over :math:`P \succ 0` (n_tasks, n_tasks). {symbols} Labels count as :math:`y_i = \pm 1`;
    :math:`\lambda` is ``sparsity``, d the number of features, and :math:`\lVert P \rVert_1` sums
    all absolute entries. The rows of W count as draws from a normal distribution with the
    precision P: two tasks without an edge, :math:`P_{st} = 0`, are independent given all others.

    Parameters
    ----------
    alpha : float, default=0.01
        Strength of the whole penalty, >= 0.
    sparsity : float, default=0.1
        Strength of the norm of P, > 0, in the units of squared coefficients: it is added to the
        diagonal of :math:`W' W / d`, and covariances between tasks smaller than it make no edge.
        As it grows with ``alpha``, their ratio fixed, the fit becomes a ridge for each task with
        the strength ``alpha / sparsity``.
    {classification_loss}
    {stages_common}
    solver : {"auto", "fista", "newton"}, default="auto"
        Of the problems in W.
    verbose : int, default=0
        Not used.
    {class_weight}

    Attributes
    ----------
    {stages_attributes}
    {classes}
    task_precision_ : ndarray of shape (n_tasks, n_tasks)
        P, in the units of the fit; NaN for tasks that left the objective.
    task_graph_ : ndarray of bool of shape (n_tasks, n_tasks)
        True where an entry of P off the diagonal is not zero.

    Notes
    -----
    Convex in W and in P, not in both. A stage minimises over W, a quadratic penalty between the
    tasks, and then over P, a graphical lasso; the first W are ridge fits of each task. Since P
    grows as W falls, small W are shrunk ever more: where ``alpha / sparsity`` is a strong ridge,
    W = 0 is a stationary point too. The diagonal of P is penalised with the rest: otherwise the
    objective would fall without end where a task's coefficients vanish. Deterministic.

    {one_class}

    References
    ----------
    Y. Zhang and J. Schneider, "Learning multiple tasks with a sparse matrix-normal penalty",
    NeurIPS 2010, https://papers.nips.cc/paper/2010/hash/51d92be1c60d1db1d2e5e7a07da55b26-Abstract.html

    J. Friedman, T. Hastie and R. Tibshirani, "Sparse inverse covariance estimation with the
    graphical lasso", Biostatistics 9(3), 2008, https://doi.org/10.1093/biostatistics/kxm045

    See Also
    --------
    TaskRelationClassifier : A dense covariance between tasks, by a convex problem.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl import SparseTaskRelationClassifier
    >>> rng = np.random.default_rng(0)
    >>> W = rng.normal(size=(20, 2)) @ [[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    >>> X = rng.normal(size=(300, 20))
    >>> Y = X @ W > 0
    >>> model = SparseTaskRelationClassifier(alpha=0.01, sparsity=1.0).fit(X, Y)
    >>> model.task_graph_.astype(int)
    array([[0, 1, 0],
           [1, 0, 0],
           [0, 0, 0]])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **TaskClassifier._parameter_constraints,
        **_CONSTRAINTS,
    }

    def __init__(
        self,
        alpha: float = 0.01,
        *,
        sparsity: float = 0.1,
        loss: str = "logistic",
        fit_intercept: bool = True,
        intercept: str | float = "free",
        task_column: str | int | None = None,
        unknown_task: str = "error",
        task_weight: Any = None,
        class_weight: Any = None,
        max_stages: int = 100,
        max_iter: int = 10_000,
        tol: float = 1e-4,
        warm_start: bool = False,
        solver: str = "auto",
        verbose: int = 0,
    ) -> None:
        self.alpha = alpha
        self.sparsity = sparsity
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
