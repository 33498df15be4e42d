"""A sparse graph between tasks: their precision matrix, learned together with W."""

from numbers import Real
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from skmtl.design import TaskData
from skmtl.estimators._nonconvex import (
    INNER,
    NonConvexEstimator,
    StagedFit,
    StageReport,
    Stages,
    descend,
    start_of,
)
from skmtl.estimators._precision import MatrixNormal
from skmtl.estimators.base import (
    Fit,
    TaskClassifier,
    TaskRegressor,
    estimator,
    parameter,
    strength,
)
from skmtl.objective import BaseObjective
from skmtl.penalties import Penalty, Ridge, TaskQuadratic
from skmtl.solvers import Point, choose_solver

Array = NDArray[Any]

# While progress is slow, the steps in W are extrapolated, by this factor more in each stage.
_STRETCH = 1.5
# Progress is slow if more than this fraction of the possible decrease remains after a stage.
_SLOW = 0.5


@estimator
class _SparseTaskRelation(NonConvexEstimator):
    r"""A normal prior on the rows of W, with a sparse precision matrix P.

    :math:`\lambda` is ``sparsity``, d the number of features and :math:`\lVert P \rVert_1` the sum
    of the absolute entries of P. The rows of W are modelled as draws from a normal distribution
    with precision P. Two tasks without an edge, :math:`P_{st} = 0`, are independent given all
    others.

    Attributes
    ----------
    task_precision_ : ndarray of shape (n_tasks, n_tasks)
        P, in the units of the fit; NaN for tasks that are left out of the objective.
    task_graph_ : ndarray of bool of shape (n_tasks, n_tasks)
        True where an off-diagonal entry of P is not zero.

    Notes
    -----
    Convex in W and in P separately, but not jointly. The stages start from a separate ridge fit of
    each task. A stage minimises over W (with a quadratic penalty that couples the tasks) and then
    over P (a graphical lasso). P grows as W shrinks, so that small W are shrunk more and more: if
    ``alpha / sparsity`` is a strong ridge, W = 0 is a stationary point too. The diagonal of P is
    penalised as well; otherwise the objective would be unbounded below as the coefficients of a
    task vanish. The fit is deterministic.

    References
    ----------
    Y. Zhang and J. Schneider, "Learning multiple tasks with a sparse matrix-normal penalty",
    NeurIPS 2010, https://papers.nips.cc/paper/2010/hash/51d92be1c60d1db1d2e5e7a07da55b26-Abstract.html

    J. Friedman, T. Hastie and R. Tibshirani, "Sparse inverse covariance estimation with the
    graphical lasso", Biostatistics 9(3), 2008, https://doi.org/10.1093/biostatistics/kxm045
    """

    alpha: float = strength(
        1.0,
        [Interval(Real, 0, None, closed="left")],
        "float",
        "Strength of the whole penalty, >= 0.",
    )
    sparsity: float = parameter(
        0.1,
        [Interval(Real, 0, None, closed="neither")],
        "float",
        """
        Strength of the norm of P, > 0, in the units of squared coefficients: it is added to the
        diagonal of :math:`W' W / d`. If all covariances between two groups of tasks are at most
        ``sparsity`` in absolute value, no edge joins the groups (within a group a smaller
        covariance may still give an edge). As ``sparsity`` and ``alpha`` grow in a fixed ratio, the
        fit approaches a separate ridge for each task with strength ``alpha / sparsity``.
        """,
    )
    solver: str = parameter(
        "auto", kind='{"auto", "fista", "newton"}', text="For the problems in W."
    )

    def _get_penalty(self, data: TaskData) -> Penalty | None:
        return Ridge(self.alpha) if self.alpha > 0 else None

    def _penalty_value(self, W: Array, learned_parts: dict[str, Array]) -> float:
        if self.alpha == 0:
            return 0.0
        return MatrixNormal(self.alpha, self.sparsity, W).value(learned_parts["precision"])

    def _stages(
        self, objective: BaseObjective, warm: Fit | None, report: StageReport | None
    ) -> Stages:
        scale, tol = objective.null_value, self._tolerance(objective)
        enough = INNER * tol * scale
        origin, n_iter, gap = start_of(objective, warm), 0, 0.0
        if warm is None or self.alpha == 0:
            origin, gap, n_iter = self._step(objective, origin, enough, self.max_iter)
        prior = self._prior(origin, None, enough)
        value = objective.loss_value(origin) + prior.value(prior.P)
        stages = Stages(origin, [value], n_iter, report=report, verbose=self.verbose)
        stages.learned_parts = {"precision": prior.P}
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
            stretch = _STRETCH * stretch if gain > _SLOW * before else 1.0
            before = gain
            point, _, n_iter = self._step(stage, stages.point, target, left)
            found = point
            if stretch > 1:
                found = _extrapolated(objective, stages.point, point, stretch)
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
        """Minimise over W and the intercepts."""
        solver = choose_solver(self.solver, objective)
        return descend(objective, solver, start, enough, max_iter)

    def _prior(self, point: Point, old: MatrixNormal | None, enough: float) -> MatrixNormal:
        """The prior given W, with the P that minimises it up to a duality gap."""
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
        edges = np.asarray((self.task_precision_ != 0) & ~np.isnan(self.task_precision_))
        np.fill_diagonal(edges, False)
        return edges


def _extrapolated(objective: BaseObjective, old: Point, new: Point, stretch: float) -> Point:
    """The point at ``stretch`` times the distance from the old to the new one."""
    W = old.W + old.W.dtype.type(stretch) * (new.W - old.W)
    return objective.point(W, old.b + old.b.dtype.type(stretch) * (new.b - old.b))


@estimator
class SparseTaskRelationRegressor(_SparseTaskRelation, TaskRegressor):
    r"""Regression tasks with a learned graph between them.

    .. math::

        \min_{W, b, P} \; F(W, b) + \tfrac{\alpha}{2} \bigl[ \operatorname{tr}(W P W')
        + d \, (\lambda \lVert P \rVert_1 - \log\det P) \bigr] ,
        \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    over :math:`P \succ 0` (n_tasks, n_tasks).

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


@estimator
class SparseTaskRelationClassifier(_SparseTaskRelation, TaskClassifier):
    r"""Classification tasks with a learned graph between them.

    .. math::

        \min_{W, b, P} \; F(W, b) + \tfrac{\alpha}{2} \bigl[ \operatorname{tr}(W P W')
        + d \, (\lambda \lVert P \rVert_1 - \log\det P) \bigr] ,
        \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    over :math:`P \succ 0` (n_tasks, n_tasks).

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

    alpha: float = strength(0.01)
