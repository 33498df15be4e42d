"""Task relations with a strength chosen by cross-validation."""

from typing import Any, ClassVar

from skmtl.estimators import TaskRelationClassifier, TaskRelationRegressor
from skmtl.model_selection._cv import TaskCV, constraints_without_alpha
from skmtl.model_selection._cv_docs import document_cv


@document_cv
class TaskRelationRegressorCV(TaskCV, TaskRelationRegressor):
    r"""Regression tasks with a learned covariance; alpha by cross-validation.

    .. math::

        \min_{W, b, \Omega} \; F(W, b) + \tfrac{\alpha}{2} \bigl[
        \operatorname{tr}(W \Omega^{-1} W') + \rho \lVert W \rVert_F^2 \bigr] ,
        \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    over :math:`\Omega \succeq 0` (n_tasks, n_tasks) of trace 1. {symbols}
    :math:`\rho` is ``ridge``.
    Alpha is chosen from a grid by the scores of held-out rows; see :class:`TaskRelationRegressor`.

    Parameters
    ----------
    alphas : int or array-like of shape (n_alphas,), default=30
        The number of strengths of a geometric grid, or the strengths themselves, finite and
        >= 0. The grid begins where at most 1% of the loss without coefficients can be gained.
    eps : float, default=1e-5
        The smallest strength of the grid over the largest, in (0, 1).
    ridge : float, default=0.0
        Strength of the ridge relative to alpha, >= 0.
    {cv}
    {regression_loss}
    {common}
    {scale_tasks}

    Attributes
    ----------
    alpha_ : float
        The chosen strength.
    {chosen}
    {attributes}
    task_covariance_ : ndarray of shape (n_tasks, n_tasks)
        The minimising :math:`\Omega`; I / n_tasks at W = 0; NaN for tasks that left the
        objective.
    task_correlation_ : ndarray of shape (n_tasks, n_tasks)
        The same scaled to a unit diagonal; 0 beside tasks without variance.

    Notes
    -----
    {cv_notes}

    {notes}

    References
    ----------
    Y. Zhang and D.-Y. Yeung, "A convex formulation for learning task relationships in multi-task
    learning", UAI 2010, https://doi.org/10.48550/arXiv.1203.3536

    {cv_references}

    See Also
    --------
    TaskRelationRegressor : The same for a given alpha.
    skmtl.model_selection.path : The fits over a grid, without cross-validation.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl import TaskRelationRegressorCV
    >>> rng = np.random.default_rng(0)
    >>> w = rng.normal(size=(5, 1))
    >>> X = rng.normal(size=(50, 5))
    >>> Y = X @ (w * [1, 1, -1]) + rng.normal(size=(50, 3))
    >>> model = TaskRelationRegressorCV().fit(X, Y)
    >>> np.sign(model.task_correlation_).astype(int)
    array([[ 1,  1, -1],
           [ 1,  1, -1],
           [-1, -1,  1]])
    """

    _plain = TaskRelationRegressor
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = constraints_without_alpha(
        TaskRelationRegressor
    )

    def __init__(
        self,
        alphas: Any = 30,
        *,
        eps: float = 1e-5,
        ridge: float = 0.0,
        cv: Any = None,
        scoring: Any = None,
        rule: str = "best",
        n_jobs: int | None = None,
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
        self.alphas = alphas
        self.eps = eps
        self.ridge = ridge
        self.cv = cv
        self.scoring = scoring
        self.rule = rule
        self.n_jobs = n_jobs
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


@document_cv
class TaskRelationClassifierCV(TaskCV, TaskRelationClassifier):
    r"""Classification tasks with a learned covariance; alpha by cross-validation.

    .. math::

        \min_{W, b, \Omega} \; F(W, b) + \tfrac{\alpha}{2} \bigl[
        \operatorname{tr}(W \Omega^{-1} W') + \rho \lVert W \rVert_F^2 \bigr] ,
        \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    over :math:`\Omega \succeq 0` (n_tasks, n_tasks) of trace 1. {symbols}
    :math:`\rho` is ``ridge``.
    Labels count as :math:`y_i = \pm 1`.
    Alpha is chosen from a grid by the scores of held-out rows; see :class:`TaskRelationClassifier`.

    Parameters
    ----------
    alphas : int or array-like of shape (n_alphas,), default=30
        The number of strengths of a geometric grid, or the strengths themselves, finite and
        >= 0. The grid begins where at most 1% of the loss without coefficients can be gained.
    eps : float, default=1e-5
        The smallest strength of the grid over the largest, in (0, 1).
    ridge : float, default=0.0
        Strength of the ridge relative to alpha, >= 0.
    {cv}
    {classification_loss}
    {common}
    {class_weight}

    Attributes
    ----------
    alpha_ : float
        The chosen strength.
    {chosen}
    {attributes}
    {classes}
    task_covariance_ : ndarray of shape (n_tasks, n_tasks)
        The minimising :math:`\Omega`; I / n_tasks at W = 0; NaN for tasks that left the
        objective.
    task_correlation_ : ndarray of shape (n_tasks, n_tasks)
        The same scaled to a unit diagonal; 0 beside tasks without variance.

    Notes
    -----
    {cv_notes}

    {notes}

    {one_class}

    References
    ----------
    Y. Zhang and D.-Y. Yeung, "A convex formulation for learning task relationships in multi-task
    learning", UAI 2010, https://doi.org/10.48550/arXiv.1203.3536

    {cv_references}

    See Also
    --------
    TaskRelationClassifier : The same for a given alpha.
    skmtl.model_selection.path : The fits over a grid, without cross-validation.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl import TaskRelationClassifierCV
    >>> rng = np.random.default_rng(0)
    >>> w = rng.normal(size=(5, 1))
    >>> X = rng.normal(size=(100, 5))
    >>> Y = X @ (w * [1, 1, -1]) + rng.normal(size=(100, 3)) > 0
    >>> model = TaskRelationClassifierCV(alphas=20).fit(X, Y)
    >>> np.sign(model.task_correlation_).astype(int)
    array([[ 1,  1, -1],
           [ 1,  1, -1],
           [-1, -1,  1]])
    """

    _plain = TaskRelationClassifier
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = constraints_without_alpha(
        TaskRelationClassifier
    )

    def __init__(
        self,
        alphas: Any = 30,
        *,
        eps: float = 1e-5,
        ridge: float = 0.0,
        cv: Any = None,
        scoring: Any = None,
        rule: str = "best",
        n_jobs: int | None = None,
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
        self.alphas = alphas
        self.eps = eps
        self.ridge = ridge
        self.cv = cv
        self.scoring = scoring
        self.rule = rule
        self.n_jobs = n_jobs
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
