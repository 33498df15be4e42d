"""Task relations: a covariance between the tasks, learned with them."""

from numbers import Real
from typing import Any, ClassVar

from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval

from skmtl.design import TaskData
from skmtl.estimators._covariance import TaskCovariance
from skmtl.estimators._docs import document
from skmtl.estimators.base import TaskClassifier, TaskEstimator, TaskRegressor
from skmtl.penalties import Penalty, Ridge, SquaredTraceNorm

_CONSTRAINTS = {"ridge": [Interval(Real, 0, None, closed="left")]}


class _TaskRelation(TaskCovariance, TaskEstimator):
    def _get_penalty(self, data: TaskData) -> Penalty | None:
        if self.alpha == 0:
            return None
        relation = SquaredTraceNorm(self.alpha)
        return relation + Ridge(self.alpha * self.ridge) if self.ridge > 0 else relation

    def _covariance(self, W: NDArray[Any]) -> NDArray[Any]:
        return SquaredTraceNorm(1.0).covariance(W)


@document
class TaskRelationRegressor(_TaskRelation, TaskRegressor):
    r"""Regression tasks with a learned covariance between them.

    .. math::

        \min_{W, b, \Omega} \; F(W, b) + \tfrac{\alpha}{2} \bigl[
        \operatorname{tr}(W \Omega^{-1} W') + \rho \lVert W \rVert_F^2 \bigr] ,
        \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    over :math:`\Omega \succeq 0` (n_tasks, n_tasks) of trace 1. {symbols}
    :math:`\rho` is ``ridge``. The minimum over :math:`\Omega` is the squared trace norm of W, so
    that the problem is solved exactly, without alternating.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the whole penalty, >= 0.
    ridge : float, default=0.0
        Strength of the ridge relative to ``alpha``, >= 0.
    {regression_loss}
    {common}
    {scale_tasks}

    Attributes
    ----------
    {attributes}
    task_covariance_ : ndarray of shape (n_tasks, n_tasks)
        The minimising :math:`\Omega`; I / n_tasks at W = 0; NaN for tasks that left the
        objective.
    task_correlation_ : ndarray of shape (n_tasks, n_tasks)
        The same scaled to a unit diagonal; 0 beside tasks without variance.

    Notes
    -----
    Convex. Each iteration also takes an eigendecomposition of the smaller side of W. {notes}

    References
    ----------
    Y. Zhang and D.-Y. Yeung, "A convex formulation for learning task relationships in multi-task
    learning", UAI 2010, https://doi.org/10.48550/arXiv.1203.3536

    A. Argyriou, T. Evgeniou and M. Pontil, "Convex multi-task feature learning", Machine Learning
    73, 2008, https://doi.org/10.1007/s10994-007-5040-8

    See Also
    --------
    ClusteredTaskRegressor : Tasks in clusters.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl import TaskRelationRegressor
    >>> rng = np.random.default_rng(0)
    >>> w = rng.normal(size=(5, 1))
    >>> X = rng.normal(size=(100, 5))
    >>> Y = X @ (w * [1, 1, -1]) + 0.1 * rng.normal(size=(100, 3))
    >>> model = TaskRelationRegressor(alpha=0.1).fit(X, Y)
    >>> np.sign(model.task_correlation_).astype(int)
    array([[ 1,  1, -1],
           [ 1,  1, -1],
           [-1, -1,  1]])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **TaskRegressor._parameter_constraints,
        **_CONSTRAINTS,
    }

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        ridge: float = 0.0,
        loss: str = "squared",
        huber_delta: float = 1.35,
        fit_intercept: bool = True,
        intercept: str | float = "free",
        task_column: str | int | None = None,
        unknown_task: str = "error",
        task_weight: Any = None,
        scale_tasks: bool = False,
        max_iter: int = 10_000,
        tol: float = 1e-4,
        warm_start: bool = False,
        solver: str = "auto",
        verbose: int = 0,
    ) -> None:
        self.alpha = alpha
        self.ridge = ridge
        self.loss = loss
        self.huber_delta = huber_delta
        self.fit_intercept = fit_intercept
        self.intercept = intercept
        self.task_column = task_column
        self.unknown_task = unknown_task
        self.task_weight = task_weight
        self.scale_tasks = scale_tasks
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.solver = solver
        self.verbose = verbose


@document
class TaskRelationClassifier(_TaskRelation, TaskClassifier):
    r"""Classification tasks with a learned covariance between them.

    .. math::

        \min_{W, b, \Omega} \; F(W, b) + \tfrac{\alpha}{2} \bigl[
        \operatorname{tr}(W \Omega^{-1} W') + \rho \lVert W \rVert_F^2 \bigr] ,
        \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    over :math:`\Omega \succeq 0` (n_tasks, n_tasks) of trace 1. {symbols}
    Labels count as :math:`y_i = \pm 1`.
    :math:`\rho` is ``ridge``. The minimum over :math:`\Omega` is the squared trace norm of W, so
    that the problem is solved exactly, without alternating.

    Parameters
    ----------
    alpha : float, default=0.01
        Strength of the whole penalty, >= 0.
    ridge : float, default=0.0
        Strength of the ridge relative to ``alpha``, >= 0.
    {classification_loss}
    {common}
    {class_weight}

    Attributes
    ----------
    {attributes}
    {classes}
    task_covariance_ : ndarray of shape (n_tasks, n_tasks)
        The minimising :math:`\Omega`; I / n_tasks at W = 0; NaN for tasks that left the
        objective.
    task_correlation_ : ndarray of shape (n_tasks, n_tasks)
        The same scaled to a unit diagonal; 0 beside tasks without variance.

    Notes
    -----
    Convex. Each iteration also takes an eigendecomposition of the smaller side of W. {notes}

    {one_class}

    References
    ----------
    Y. Zhang and D.-Y. Yeung, "A convex formulation for learning task relationships in multi-task
    learning", UAI 2010, https://doi.org/10.48550/arXiv.1203.3536

    A. Argyriou, T. Evgeniou and M. Pontil, "Convex multi-task feature learning", Machine Learning
    73, 2008, https://doi.org/10.1007/s10994-007-5040-8

    See Also
    --------
    ClusteredTaskClassifier : Tasks in clusters.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl import TaskRelationClassifier
    >>> rng = np.random.default_rng(0)
    >>> w = rng.normal(size=(5, 1))
    >>> X = rng.normal(size=(100, 5))
    >>> Y = X @ (w * [1, 1, -1]) > 0
    >>> model = TaskRelationClassifier(alpha=0.01).fit(X, Y)
    >>> np.sign(model.task_correlation_).astype(int)
    array([[ 1,  1, -1],
           [ 1,  1, -1],
           [-1, -1,  1]])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **TaskClassifier._parameter_constraints,
        **_CONSTRAINTS,
    }

    def __init__(
        self,
        alpha: float = 0.01,
        *,
        ridge: float = 0.0,
        loss: str = "logistic",
        fit_intercept: bool = True,
        intercept: str | float = "free",
        task_column: str | int | None = None,
        unknown_task: str = "error",
        task_weight: Any = None,
        class_weight: Any = None,
        max_iter: int = 10_000,
        tol: float = 1e-4,
        warm_start: bool = False,
        solver: str = "auto",
        verbose: int = 0,
    ) -> None:
        self.alpha = alpha
        self.ridge = ridge
        self.loss = loss
        self.fit_intercept = fit_intercept
        self.intercept = intercept
        self.task_column = task_column
        self.unknown_task = unknown_task
        self.task_weight = task_weight
        self.class_weight = class_weight
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.solver = solver
        self.verbose = verbose
