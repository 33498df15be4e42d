"""One coefficient vector for all tasks: the pooled baseline."""

from numbers import Real
from typing import Any

from sklearn.base import clone
from sklearn.utils._param_validation import Interval, StrOptions

from skmtl.design import TaskData
from skmtl.estimators._ridge_cv import select_ridge
from skmtl.estimators.base import (
    Fit,
    TaskClassifier,
    TaskEstimator,
    TaskRegressor,
    estimator,
    parameter,
    strength,
)
from skmtl.objective import BaseObjective
from skmtl.penalties import Penalty, Ridge


@estimator
class _PooledTask(TaskEstimator):
    """A ridge on the coefficients that all tasks share.

    Attributes
    ----------
    alpha_ : float
        The strength used.
    alphas_, cv_losses_ : ndarrays of shape (n_alphas,) and (n_alphas, n_tasks)
        Only with ``alpha="cv"``: the grid, and the mean loss of each task's held-out labels.

    Notes
    -----
    Convex; strictly so for alpha > 0.

    References
    ----------
    A. E. Hoerl and R. W. Kennard, "Ridge regression: biased estimation for nonorthogonal
    problems", Technometrics 12(1), 1970, https://doi.org/10.1080/00401706.1970.10488634
    """

    alpha: Any = strength(
        1.0,
        [Interval(Real, 0, None, closed="left"), StrOptions({"cv"})],
        'float or "cv"',
        """
        Strength of the ridge, >= 0. "cv": selected from 13 values by five-fold cross-validation of
        the loss.
        """,
    )
    task_intercepts: bool = parameter(
        True,
        ["boolean"],
        "bool",
        "Whether each task has its own intercept or all share one.",
    )

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
            alphas, self.alphas_, self.cv_losses_ = select_ridge(self, data, per_task=False)
            self.alpha_ = float(alphas[0])
            fit: Fit = clone(self).set_params(alpha=self.alpha_)._fit_data(data, start)
            return fit
        self.alpha_ = float(self.alpha)
        return super()._fit_data(data, start, prepared)


@estimator
class PooledTaskRegressor(_PooledTask, TaskRegressor):
    r"""Regression with one coefficient vector for all tasks (ridge).

    .. math::

        \min_{w, b} \; F(w, b) + \tfrac{\alpha}{2} \lVert w \rVert_2^2 ,
        \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w + b_t)

    with one intercept :math:`b_t = b` if ``task_intercepts=False``.

    See Also
    --------
    IndependentTaskRegressor : The opposite extreme, a coefficient vector for each task.

    Examples
    --------
    >>> from skmtl import PooledTaskRegressor
    >>> from skmtl.datasets import make_block_sparse
    >>> dataset = make_block_sparse(layout="stacked", random_state=0)
    >>> model = PooledTaskRegressor(alpha=0.1, task_column=-1).fit(dataset.data, dataset.target)
    >>> bool((model.coef_ == model.coef_[0]).all())
    True
    """


@estimator
class PooledTaskClassifier(_PooledTask, TaskClassifier):
    r"""Classification with one coefficient vector for all tasks (ridge).

    .. math::

        \min_{w, b} \; F(w, b) + \tfrac{\alpha}{2} \lVert w \rVert_2^2 ,
        \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w + b_t)

    with one intercept :math:`b_t = b` if ``task_intercepts=False``. A 1-D y with more than two
    classes gives ordinary one-against-rest logistic regression: classes are not pooled.

    Notes
    -----
    With one common intercept, tasks whose labels are all of one class stay in the objective.

    See Also
    --------
    IndependentTaskClassifier : The opposite extreme, a coefficient vector for each task.

    Examples
    --------
    >>> from skmtl import PooledTaskClassifier
    >>> from skmtl.datasets import make_block_sparse
    >>> dataset = make_block_sparse(layout="stacked", classification=True, random_state=0)
    >>> model = PooledTaskClassifier(alpha=0.1, task_column=-1).fit(dataset.data, dataset.target)
    >>> bool((model.coef_ == model.coef_[0]).all())
    True
    """

    alpha: Any = strength(0.01)
