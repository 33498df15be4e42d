"""One coefficient vector for all tasks: the other baseline."""

from numbers import Real
from typing import Any, ClassVar

from sklearn.base import clone
from sklearn.utils._param_validation import Interval, StrOptions

from skmtl.design import TaskData
from skmtl.estimators._docs import document
from skmtl.estimators._ridge_cv import choose_ridge
from skmtl.estimators.base import Fit, TaskClassifier, TaskEstimator, TaskRegressor
from skmtl.objective import BaseObjective
from skmtl.penalties import Penalty, Ridge

_CONSTRAINTS = {
    "alpha": [Interval(Real, 0, None, closed="left"), StrOptions({"cv"})],
    "task_intercepts": ["boolean"],
}


class _PooledTask(TaskEstimator):
    def _get_penalty(self, data: TaskData) -> Penalty | None:
        return Ridge(self.alpha) if self.alpha > 0 else None

    def _pooling(self, data: TaskData) -> str | None:
        if data.layout == "classes":
            return None
        return "coefficients" if self.task_intercepts else "all"

    def _fit_data(
        self, data: TaskData, start: Fit | None = None, prepared: BaseObjective | None = None
    ) -> Fit:
        if isinstance(self.alpha, str):
            chosen, self.alphas_, self.cv_losses_ = choose_ridge(self, data, per_task=False)
            self.alpha_ = float(chosen[0])
            return clone(self).set_params(alpha=self.alpha_)._fit_data(data, start)
        self.alpha_ = float(self.alpha)
        return super()._fit_data(data, start, prepared)


@document
class PooledTaskRegressor(_PooledTask, TaskRegressor):
    r"""Regression with one coefficient vector for all tasks (ridge).

    .. math::

        \min_{w, b} \; F(w, b) + \tfrac{\alpha}{2} \lVert w \rVert_2^2 ,
        \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w + b_t)

    with one intercept :math:`b_t = b` unless ``task_intercepts``. {symbols}

    Parameters
    ----------
    alpha : float or "cv", default=1.0
        Strength of the ridge, >= 0. "cv": chosen by five-fold cross-validation of the loss over
        13 values.
    task_intercepts : bool, default=True
        An intercept for each task, or one in common.
    {regression_loss}
    {common}
    {scale_tasks}

    Attributes
    ----------
    {attributes}
    alpha_ : float
        The strength used.
    alphas_, cv_losses_ : ndarrays of shape (n_alphas,) and (n_alphas, n_tasks)
        With ``alpha="cv"``: the grid, and the mean loss of the held-out labels.

    Notes
    -----
    Convex; strictly so for alpha > 0. {notes}

    References
    ----------
    A. E. Hoerl and R. W. Kennard, "Ridge regression: biased estimation for nonorthogonal
    problems", Technometrics 12(1), 1970, https://doi.org/10.1080/00401706.1970.10488634

    See Also
    --------
    IndependentTaskRegressor : The other extreme, a coefficient vector for each task.

    Examples
    --------
    >>> from skmtl import PooledTaskRegressor
    >>> from skmtl.datasets import make_block_sparse
    >>> made = make_block_sparse(layout="stacked", random_state=0)
    >>> model = PooledTaskRegressor(alpha=0.1, task_column=-1).fit(made.data, made.target)
    >>> bool((model.coef_ == model.coef_[0]).all())
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **TaskRegressor._parameter_constraints,
        **_CONSTRAINTS,
    }

    def __init__(
        self,
        alpha: Any = 1.0,
        *,
        task_intercepts: bool = True,
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
        self.task_intercepts = task_intercepts
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
class PooledTaskClassifier(_PooledTask, TaskClassifier):
    r"""Classification with one coefficient vector for all tasks (ridge).

    .. math::

        \min_{w, b} \; F(w, b) + \tfrac{\alpha}{2} \lVert w \rVert_2^2 ,
        \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w + b_t)

    with one intercept :math:`b_t = b` unless ``task_intercepts``. {symbols}
    Labels count as :math:`y_i = \pm 1`. A 1-D y of more than two classes gives ordinary
    one-against-rest logistic regression: classes are not pooled.

    Parameters
    ----------
    alpha : float or "cv", default=0.01
        Strength of the ridge, >= 0. "cv": chosen by five-fold cross-validation of the loss over
        13 values.
    task_intercepts : bool, default=True
        An intercept for each task, or one in common.
    {classification_loss}
    {common}
    {class_weight}

    Attributes
    ----------
    {attributes}
    {classes}
    alpha_ : float
        The strength used.
    alphas_, cv_losses_ : ndarrays of shape (n_alphas,) and (n_alphas, n_tasks)
        With ``alpha="cv"``: the grid, and the mean loss of the held-out labels.

    Notes
    -----
    Convex; strictly so for alpha > 0. {notes}

    {one_class} One common intercept
    has no such tasks.

    References
    ----------
    A. E. Hoerl and R. W. Kennard, "Ridge regression: biased estimation for nonorthogonal
    problems", Technometrics 12(1), 1970, https://doi.org/10.1080/00401706.1970.10488634

    See Also
    --------
    IndependentTaskClassifier : The other extreme, a coefficient vector for each task.

    Examples
    --------
    >>> from skmtl import PooledTaskClassifier
    >>> from skmtl.datasets import make_block_sparse
    >>> made = make_block_sparse(layout="stacked", classification=True, random_state=0)
    >>> model = PooledTaskClassifier(alpha=0.1, task_column=-1).fit(made.data, made.target)
    >>> bool((model.coef_ == model.coef_[0]).all())
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **TaskClassifier._parameter_constraints,
        **_CONSTRAINTS,
    }

    def __init__(
        self,
        alpha: Any = 0.01,
        *,
        task_intercepts: bool = True,
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
        self.task_intercepts = task_intercepts
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
