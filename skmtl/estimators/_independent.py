"""Each task on its own: the single-task baseline."""

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils._param_validation import Interval, StrOptions

from skmtl.design import TaskData, as_floats, in_task_order
from skmtl.estimators._docs import document
from skmtl.estimators._ridge_cv import choose_ridge
from skmtl.estimators.base import Fit, TaskClassifier, TaskEstimator, TaskRegressor
from skmtl.objective import BaseObjective
from skmtl.penalties import Penalty, Ridge

_CONSTRAINTS = {
    "alpha": [Interval(Real, 0, None, closed="left"), "array-like", dict, StrOptions({"cv"})]
}


class _IndependentTask(TaskEstimator):
    def _get_penalty(self, data: TaskData) -> Penalty | None:
        alpha = self._strengths(data)
        if alpha.ndim:
            alpha = alpha[data.positions]
        return Ridge(alpha) if (alpha > 0).any() else None

    def _targets_compete(self, data: TaskData) -> bool:
        return False

    def _strengths(self, data: TaskData) -> NDArray[Any]:
        """``alpha`` as an array, those of a dict or a Series in the tasks' order."""
        return as_floats(in_task_order(self.alpha, data.all_tasks.tolist(), "alpha"), "alpha")

    def _fit_data(
        self, data: TaskData, start: Fit | None = None, prepared: BaseObjective | None = None
    ) -> Fit:
        if isinstance(self.alpha, str):
            self.alpha_, self.alphas_, self.cv_losses_ = choose_ridge(self, data, per_task=True)
            return clone(self).set_params(alpha=self.alpha_)._fit_data(data, start)
        alpha = self._strengths(data)
        if alpha.ndim and alpha.shape != data.all_tasks.shape:
            raise ValueError(
                f"alpha has shape {alpha.shape}; there are {len(data.all_tasks)} tasks. Pass one "
                f"number, one per task in the order {data.all_tasks.tolist()}, or a dict by task."
            )
        if not (np.isfinite(alpha).all() and (alpha >= 0).all()):
            raise ValueError(f"alpha must be finite and >= 0, got {alpha.tolist()}.")
        self.alpha_ = np.array(np.broadcast_to(alpha, data.all_tasks.shape))
        return super()._fit_data(data, start, prepared)


@document
class IndependentTaskRegressor(_IndependentTask, TaskRegressor):
    r"""Regression tasks fitted each on its own (ridge): what sharing has to beat.

    .. math::

        \min_{W, b} \; F(W, b) + \tfrac12 \sum_t \alpha_t \lVert w_t \rVert_2^2 ,
        \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    {symbols}

    Parameters
    ----------
    alpha : float, array-like of shape (n_tasks,), dict, Series or "cv", default=1.0
        Strength of the ridge, >= 0, one for all tasks or one each, by task in a dict or a pandas
        Series. "cv": chosen for each task by five-fold cross-validation of the loss over 13
        values; tasks with fewer labels than folds take the value that is best for all.
    {regression_loss}
    {common}
    {scale_tasks}

    Attributes
    ----------
    {attributes}
    alpha_ : ndarray of shape (n_tasks,)
        The strengths used.
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
    PooledTaskRegressor : The other extreme, one coefficient vector for all tasks.

    Examples
    --------
    >>> from skmtl import IndependentTaskRegressor
    >>> from skmtl.datasets import make_block_sparse
    >>> made = make_block_sparse(n_tasks=3, random_state=0)
    >>> model = IndependentTaskRegressor(alpha="cv").fit(made.data, made.target)
    >>> model.alpha_.shape
    (3,)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **TaskRegressor._parameter_constraints,
        **_CONSTRAINTS,
    }

    def __init__(
        self,
        alpha: Any = 1.0,
        *,
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
class IndependentTaskClassifier(_IndependentTask, TaskClassifier):
    r"""Classification tasks fitted each on its own (ridge): what sharing has to beat.

    .. math::

        \min_{W, b} \; F(W, b) + \tfrac12 \sum_t \alpha_t \lVert w_t \rVert_2^2 ,
        \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    {symbols} Labels count as :math:`y_i = \pm 1`.

    Parameters
    ----------
    alpha : float, array-like of shape (n_tasks,), dict, Series or "cv", default=0.01
        Strength of the ridge, >= 0, one for all tasks or one each, by task in a dict or a pandas
        Series. "cv": chosen for each task by five-fold cross-validation of the loss over 13
        values; tasks with fewer labels than folds take the value that is best for all.
    {classification_loss}
    {common}
    {class_weight}

    Attributes
    ----------
    {attributes}
    {classes}
    alpha_ : ndarray of shape (n_tasks,)
        The strengths used.
    alphas_, cv_losses_ : ndarrays of shape (n_alphas,) and (n_alphas, n_tasks)
        With ``alpha="cv"``: the grid, and the mean loss of the held-out labels.

    Notes
    -----
    Convex; strictly so for alpha > 0. {notes}

    {one_class}

    References
    ----------
    A. E. Hoerl and R. W. Kennard, "Ridge regression: biased estimation for nonorthogonal
    problems", Technometrics 12(1), 1970, https://doi.org/10.1080/00401706.1970.10488634

    See Also
    --------
    PooledTaskClassifier : The other extreme, one coefficient vector for all tasks.

    Examples
    --------
    >>> from skmtl import IndependentTaskClassifier
    >>> from skmtl.datasets import make_block_sparse
    >>> made = make_block_sparse(n_tasks=3, classification=True, random_state=0)
    >>> model = IndependentTaskClassifier(alpha="cv").fit(made.data, made.target)
    >>> model.alpha_.shape
    (3,)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **TaskClassifier._parameter_constraints,
        **_CONSTRAINTS,
    }

    def __init__(
        self,
        alpha: Any = 0.01,
        *,
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
