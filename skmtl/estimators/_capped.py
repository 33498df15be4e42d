"""Non-convex row sparsity: large rows are selected without being shrunk."""

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skmtl.design import TaskData
from skmtl.estimators._nonconvex import (
    INNER,
    NonConvexEstimator,
    Stages,
    descend,
    document_stages,
    separates,
    start_of,
)
from skmtl.estimators.base import Fit, TaskClassifier, TaskRegressor
from skmtl.objective import BaseObjective
from skmtl.penalties import L1, L21, Penalty, RowConcave
from skmtl.solvers import FISTA, Point, choose_solver

Array = NDArray[Any]

_CONSTRAINTS: dict[str, list[Any]] = {
    **NonConvexEstimator._parameter_constraints,
    "penalty": [StrOptions({"capped", "mcp"})],
    "threshold": [Interval(Real, 0, None, closed="neither")],
    "gamma": [Interval(Real, 0, None, closed="neither")],
}


class _CappedBlockSparse(NonConvexEstimator):
    _separation_remedy = "Increase alpha, threshold (penalty='capped') or gamma (penalty='mcp')"

    def _get_penalty(self, data: TaskData) -> Penalty | None:
        if self.alpha == 0:
            return None
        return L1(self.alpha) if self.penalty == "capped" else L21(self.alpha)

    @property
    def _concave(self) -> RowConcave:
        return RowConcave(self.penalty, self.alpha, self.threshold, self.gamma)

    def _penalty_value(self, W: Array, learned_parts: dict[str, Array]) -> float:
        return self._concave.value(W)

    def _stages(self, objective: BaseObjective, warm: Fit | None) -> Stages:
        concave = self._concave
        scale, tol = objective.null_value, self._tolerance(objective)
        enough = INNER * tol * scale
        origin, n_iter, gap = start_of(objective, warm), 0, 0.0
        if warm is None:
            solver = choose_solver(self.solver, objective)
            origin, gap, n_iter = descend(objective, solver, origin, enough, self.max_iter)
        value = objective.loss_value(origin) + concave.value(origin.W)
        stages = Stages(origin, [value], n_iter)
        if self.alpha == 0:
            stages.stationarity = gap / scale if scale > 0 else 0.0
            stages.is_separated = objective.is_separated(origin)
            return stages
        while True:
            majoriser = concave.majoriser(stages.point.W)
            free = majoriser.slopes == 0

            def separated(point: Point, free: Array = free) -> bool:
                # Scaling the free rows up would lower the objective without end.
                return bool(free.any()) and separates(objective, point.W * free[:, None], point.b)

            stages.is_separated = separated(stages.point)
            stage = objective.with_penalty(majoriser)
            upper, bound = stage.bounds(stages.point)
            gain = max(upper - max(bound, 0.0), 0.0)
            worthwhile = stages.measure(gain, scale)
            ended = stages.stationarity <= tol or len(stages.objectives) > self.max_stages
            left = self.max_iter - stages.n_iter
            if ended or not worthwhile or stages.is_separated or left <= 0:
                break
            target = max(enough, INNER * gain)
            point, _, n_iter = descend(stage, FISTA, stages.point, target, left, separated)
            value = objective.loss_value(point) + concave.value(point.W)
            if not stages.add(point, value, n_iter):
                break
        return stages

    @property
    def support_(self) -> NDArray[np.bool_]:
        """Features (n_features,) with a non-zero coefficient in some task."""
        check_is_fitted(self)
        return np.asarray(np.atleast_2d(self.coef_).any(axis=0))


@document_stages(max_stages=100)
class CappedBlockSparseRegressor(_CappedBlockSparse, TaskRegressor):
    r"""Regression tasks that share few features, whose coefficients are not shrunk.

    .. math::

        \min_{W, b} \; F(W, b) + \Omega(W) ,
        \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    over W and b, with one of two penalties that are concave in the rows' norms,

    .. math::

        \Omega(W) = \alpha \sum_j \min(\lVert W_{j\cdot} \rVert_1, \theta)
        \qquad \text{or} \qquad
        \Omega(W) = \sum_j \begin{cases}
        \alpha r_j - r_j^2 / (2 \gamma) & r_j \le \gamma \alpha \\
        \gamma \alpha^2 / 2 & r_j > \gamma \alpha \end{cases} ,
        \quad r_j = \lVert W_{j\cdot} \rVert_2 .

    {symbols} :math:`\theta` is ``threshold``. Rows of W beyond :math:`\theta`, or
    :math:`\gamma \alpha`, are as large as without a penalty.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the penalty, >= 0: its slope at zero.
    penalty : {"capped", "mcp"}, default="capped"
        The capped l1 norm of rows, which also sets single entries of small rows to zero, or the
        minimax concave penalty of their Euclidean norms.
    threshold : float, default=1.0
        Where the capped norm turns constant, > 0, in the units of coefficients. As it grows, the
        fit becomes a lasso with penalty :math:`\alpha \sum_{jt} |W_{jt}|`.
    gamma : float, default=3.0
        The minimax concave penalty's range over ``alpha``, > 0. As it grows, the fit becomes
        :class:`BlockSparseRegressor`'s.
    {regression_loss}
    {stages_common}
    solver : {"auto", "admm", "block", "fista", "newton"}, default="auto"
        Of the first stage, the convex relaxation. All others are solved by FISTA.
    verbose : int, default=0
        Not used.
    {scale_tasks}

    Attributes
    ----------
    {stages_attributes}
    support_ : ndarray of shape (n_features,)
        True where a feature has a non-zero coefficient in some task.

    Notes
    -----
    Not convex. Each stage replaces the penalty by its tangents at the rows' present norms, which
    lie above it: a weighted lasso, or group lasso, in which large rows are free. The first is the
    unweighted one, from which the others start; each lowers the objective. In a stage rows grow
    to twice their size at most, which makes it a problem with a certificate. Deterministic.

    References
    ----------
    P. Gong, J. Ye and C. Zhang, "Multi-stage multi-task feature learning", JMLR 14, 2013,
    https://jmlr.org/papers/v14/gong13a.html

    T. Zhang, "Analysis of multi-stage convex relaxation for sparse regularization", JMLR 11,
    2010, https://jmlr.org/papers/v11/zhang10a.html

    C.-H. Zhang, "Nearly unbiased variable selection under minimax concave penalty", Ann. Statist.
    38(2), 2010, https://doi.org/10.1214/09-AOS729

    See Also
    --------
    BlockSparseRegressor : The convex penalty.

    Examples
    --------
    >>> from skmtl import CappedBlockSparseRegressor
    >>> from skmtl.datasets import make_block_sparse
    >>> made = make_block_sparse(n_features=20, n_informative=3, random_state=0)
    >>> model = CappedBlockSparseRegressor(alpha=0.5, penalty="mcp")
    >>> model = model.fit(made.data, made.target)
    >>> bool((model.support_ == made.support).all())
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **TaskRegressor._parameter_constraints,
        **_CONSTRAINTS,
    }

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        penalty: str = "capped",
        threshold: float = 1.0,
        gamma: float = 3.0,
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
        self.penalty = penalty
        self.threshold = threshold
        self.gamma = gamma
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
class CappedBlockSparseClassifier(_CappedBlockSparse, TaskClassifier):
    r"""Classification tasks that share few features, whose coefficients are not shrunk.

    .. math::

        \min_{W, b} \; F(W, b) + \Omega(W) ,
        \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    over W and b, with one of two penalties that are concave in the rows' norms,

    .. math::

        \Omega(W) = \alpha \sum_j \min(\lVert W_{j\cdot} \rVert_1, \theta)
        \qquad \text{or} \qquad
        \Omega(W) = \sum_j \begin{cases}
        \alpha r_j - r_j^2 / (2 \gamma) & r_j \le \gamma \alpha \\
        \gamma \alpha^2 / 2 & r_j > \gamma \alpha \end{cases} ,
        \quad r_j = \lVert W_{j\cdot} \rVert_2 .

    {symbols} Labels count as :math:`y_i = \pm 1`; :math:`\theta` is ``threshold``. Rows of W
    beyond :math:`\theta`, or :math:`\gamma \alpha`, are as large as without a penalty.

    Parameters
    ----------
    alpha : float, default=0.01
        Strength of the penalty, >= 0: its slope at zero.
    penalty : {"capped", "mcp"}, default="capped"
        The capped l1 norm of rows, which also sets single entries of small rows to zero, or the
        minimax concave penalty of their Euclidean norms.
    threshold : float, default=10.0
        Where the capped norm turns constant, > 0, in the units of coefficients. As it grows, the
        fit becomes a lasso with penalty :math:`\alpha \sum_{jt} |W_{jt}|`.
    gamma : float, default=3.0
        The minimax concave penalty's range over ``alpha``, > 0. As it grows, the fit becomes
        :class:`BlockSparseClassifier`'s. Small ``alpha`` need a large one: the logistic loss has
        a curvature of 1/4 at most.
    {classification_loss}
    {stages_common}
    solver : {"auto", "block", "fista", "newton"}, default="auto"
        Of the first stage, the convex relaxation. All others are solved by FISTA.
    verbose : int, default=0
        Not used.
    {class_weight}

    Attributes
    ----------
    {stages_attributes}
    {classes}
    support_ : ndarray of shape (n_features,)
        True where a feature has a non-zero coefficient in some task.

    Notes
    -----
    Not convex. Each stage replaces the penalty by its tangents at the rows' present norms, which
    lie above it: a weighted lasso, or group lasso, in which large rows are free. The first is the
    unweighted one, from which the others start; each lowers the objective. In a stage rows grow
    to twice their size at most, which makes it a problem with a certificate. Deterministic.

    Where the features in use separate a task's labels, free rows grow without end: the fit stops
    with a warning. Increase ``threshold`` or ``gamma``.

    {one_class}

    References
    ----------
    P. Gong, J. Ye and C. Zhang, "Multi-stage multi-task feature learning", JMLR 14, 2013,
    https://jmlr.org/papers/v14/gong13a.html

    T. Zhang, "Analysis of multi-stage convex relaxation for sparse regularization", JMLR 11,
    2010, https://jmlr.org/papers/v11/zhang10a.html

    C.-H. Zhang, "Nearly unbiased variable selection under minimax concave penalty", Ann. Statist.
    38(2), 2010, https://doi.org/10.1214/09-AOS729

    See Also
    --------
    BlockSparseClassifier : The convex penalty.

    Examples
    --------
    >>> from skmtl import CappedBlockSparseClassifier
    >>> from skmtl.datasets import make_block_sparse
    >>> made = make_block_sparse(300, 20, n_informative=3, classification=True, random_state=0)
    >>> model = CappedBlockSparseClassifier(alpha=0.1, threshold=1.0).fit(made.data, made.target)
    >>> bool((model.support_ == made.support).all())
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **TaskClassifier._parameter_constraints,
        **_CONSTRAINTS,
    }

    def __init__(
        self,
        alpha: float = 0.01,
        *,
        penalty: str = "capped",
        threshold: float = 10.0,
        gamma: float = 3.0,
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
        self.penalty = penalty
        self.threshold = threshold
        self.gamma = gamma
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
