"""Task relations: a covariance between the tasks, learned with them."""

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval

from skmtl.design import TaskData
from skmtl.estimators._covariance import TaskCovariance
from skmtl.estimators._priors import spectral_prior
from skmtl.estimators.base import (
    KnownTasks,
    NewTaskRegressor,
    Prior,
    TaskClassifier,
    estimator,
    parameter,
    strength,
)
from skmtl.penalties import Penalty, Ridge, SquaredTraceNorm


@estimator
class _TaskRelation(TaskCovariance):
    r"""A covariance between tasks of trace 1, which amounts to a squared trace norm.

    :math:`\rho` is ``ridge``. The minimum of :math:`\operatorname{tr}(W \Omega^{-1} W')` over
    :math:`\Omega` is the squared trace norm of W. The problem is therefore solved exactly, without
    alternating between W and :math:`\Omega`.

    Attributes
    ----------
    task_covariance_ : ndarray of shape (n_tasks, n_tasks)
        The minimising :math:`\Omega`; I / n_tasks at W = 0. NaN for tasks that were left out of
        the objective.

    Notes
    -----
    Convex. The prior for a new task has the mean task as its mean and the covariance
    :math:`C = (D^{-1} + \rho I)^{-1} / \alpha`. Here D, :math:`(W W')^{1/2}` divided by its trace,
    minimises :math:`\operatorname{tr}(W' D^{-1} W)`, which is the same penalty, with a covariance
    between features: a new task lies in the span of the others. The penalty itself would shrink it
    to zero, which predicts tasks with few labels worse than shrinkage to the mean task does.

    Each iteration also takes an eigendecomposition of W'W or WW', whichever is smaller.

    References
    ----------
    Y. Zhang and D.-Y. Yeung, "A convex formulation for learning task relationships in multi-task
    learning", UAI 2010, https://doi.org/10.48550/arXiv.1203.3536

    A. Argyriou, T. Evgeniou and M. Pontil, "Convex multi-task feature learning", Machine Learning
    73, 2008, https://doi.org/10.1007/s10994-007-5040-8
    """

    alpha: float = strength(
        1.0,
        [Interval(Real, 0, None, closed="left")],
        "float",
        "Strength of the whole penalty, >= 0.",
    )
    ridge: float = parameter(
        0.0,
        [Interval(Real, 0, None, closed="left")],
        "float",
        "Strength of the ridge relative to ``alpha``, >= 0.",
    )

    _has_form_given_covariance: ClassVar[bool] = True

    def _get_penalty(self, data: TaskData) -> Penalty | None:
        if self.alpha == 0:
            return None
        relation = SquaredTraceNorm(self.alpha)
        return relation + Ridge(self.alpha * self.ridge) if self.ridge > 0 else relation

    def _prior(self, known: KnownTasks, near: Any = None) -> Prior:
        weights = SquaredTraceNorm(1.0).feature_weights(known.coef)
        return spectral_prior(weights, known, self.alpha, self.ridge)

    def _covariance(self, W: NDArray[Any]) -> NDArray[Any]:
        return SquaredTraceNorm(1.0).covariance(W)

    def _form_covariance(self, W: NDArray[Any]) -> NDArray[Any]:
        covariance = super()._form_covariance(W)
        if self.ridge == 0:
            return covariance
        with_ridge = np.eye(len(covariance)) + self.alpha * self.ridge * covariance
        covariance = np.linalg.solve(with_ridge, covariance)
        return (covariance + covariance.T) / 2


@estimator
class TaskRelationRegressor(_TaskRelation, NewTaskRegressor):
    r"""Regression tasks with a learned covariance between them.

    .. math::

        \min_{W, b, \Omega} \; F(W, b) + \tfrac{\alpha}{2} \bigl[
        \operatorname{tr}(W \Omega^{-1} W') + \rho \lVert W \rVert_F^2 \bigr] ,
        \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    over :math:`\Omega \succeq 0` (n_tasks, n_tasks) of trace 1.

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


@estimator
class TaskRelationClassifier(_TaskRelation, TaskClassifier):
    r"""Classification tasks with a learned covariance between them.

    .. math::

        \min_{W, b, \Omega} \; F(W, b) + \tfrac{\alpha}{2} \bigl[
        \operatorname{tr}(W \Omega^{-1} W') + \rho \lVert W \rVert_F^2 \bigr] ,
        \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    over :math:`\Omega \succeq 0` (n_tasks, n_tasks) of trace 1.

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

    alpha: float = strength(0.01)
