"""One coefficient vector for all tasks: the pooled baseline."""

from numbers import Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval, StrOptions

from skmtl.design import TaskData
from skmtl.estimators._ridge import RidgeTasks
from skmtl.estimators.base import TaskClassifier, TaskRegressor, estimator, parameter, strength
from skmtl.penalties import Penalty


@estimator
class _PooledTask(RidgeTasks):
    """A ridge on the coefficients that all tasks share.

    Attributes
    ----------
    alpha_ : float
        The strength used.
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

    _selects: ClassVar[dict[str, str]] = {"cv": "one"}

    def _get_penalty(self, data: TaskData) -> Penalty | None:
        return self._ridge(data, self.alpha, data.n_tasks if self._pooling(data) is None else 1)

    def _pooling(self, data: TaskData) -> str | None:
        if data.layout == "classes":
            return None
        return "coefficients" if self.task_intercepts else "all"

    def _given_alpha(self, data: TaskData) -> float:
        return float(self.alpha)


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
