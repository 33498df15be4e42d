"""Robust multi-task learning: tasks that share a structure, and outliers that do not."""

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skmtl.estimators._superposed import TwoPartTasks
from skmtl.estimators.base import TaskClassifier, TaskRegressor, estimator, parameter, strength
from skmtl.penalties import L21, TaskGroup, TraceNorm


@estimator
class _Robust(TwoPartTasks):
    r"""A norm on the shared part P, and the Euclidean norms of the columns of Q.

    :math:`\rho` is ``outlier``. Penalising the sum of P's singular values,
    :math:`\lVert P \rVert_*`, makes the tasks share few directions. With ``structure="block"`` it
    is replaced by the sum of the Euclidean norms of P's rows, :math:`\lVert P \rVert_{2,1}`, which
    makes them share few features. A column :math:`q_t` of Q is zero except for tasks that do not
    fit the shared structure.

    Attributes
    ----------
    outlier_tasks_ : ndarray of shape (n_tasks,)
        True for tasks with a non-zero row in ``task_coef_``; their names are
        ``tasks_[outlier_tasks_]``.

    Notes
    -----
    Convex. If ``outlier`` is at least its upper bound, the penalty is only the shared norm.

    References
    ----------
    J. Chen, J. Zhou and J. Ye, "Integrating low-rank and group-sparse structures for robust
    multi-task learning", KDD 2011, https://doi.org/10.1145/2020408.2020423

    P. Gong, J. Ye and C. Zhang, "Robust multi-task feature learning", KDD 2012,
    https://doi.org/10.1145/2339530.2339672
    """

    outlier: float | None = parameter(
        None,
        [Interval(Real, 0, None, closed="neither"), None],
        "float or None",
        """
        Strength of the outliers' part relative to the shared one, > 0. With T tasks and d
        features, both parts can be non-zero only between 1 / sqrt(T) and 1 (sqrt(d) with
        ``structure="block"``); outside these bounds one of them is zero for any data, and a
        warning says so. None: (sqrt(d) + sqrt(2 log T)) / (sqrt(d) + sqrt(T)), for which pure
        noise enters both parts at the same ``alpha``; with "block" the geometric mean of the
        bounds, (d / T) ** (1 / 4), which is close to the value with this property.
        """,
    )
    structure: str = parameter(
        "low_rank",
        [StrOptions({"low_rank", "block"})],
        '{"low_rank", "block"}',
        """
        What ordinary tasks share: few directions (the trace norm of P), or few features (its L2,1
        norm).
        """,
    )

    _strength, _part_names = "outlier", ("shared part", "outliers")

    def _norms(self) -> tuple[Any, Any]:
        return (TraceNorm if self.structure == "low_rank" else L21), TaskGroup

    def _limits(self, n_tasks: int, n_features: int) -> tuple[float, float]:
        # The tasks' norms sum to at most sqrt(T) times either shared norm, attained by one row of
        # equal entries. The trace norm of a single column is its Euclidean norm, and its L2,1 norm
        # is at most sqrt(d) times that.
        high = 1.0 if self.structure == "low_rank" else float(np.sqrt(n_features))
        return float(1 / np.sqrt(n_tasks)), high

    def _default_strength(self, n_tasks: int, n_features: int) -> float:
        if self.structure == "block" or n_tasks == 1:
            return super()._default_strength(n_tasks, n_features)
        # About the ratio of a noise matrix's dual norms: it enters both parts at the same alpha.
        longest = np.sqrt(n_features) + np.sqrt(2 * np.log(n_tasks))
        return float(longest / (np.sqrt(n_features) + np.sqrt(n_tasks)))

    @property
    def outlier_tasks_(self) -> NDArray[np.bool_]:
        """Tasks (n_tasks,) with a non-zero coefficient in ``task_coef_``."""
        check_is_fitted(self)
        return np.asarray(np.atleast_2d(self.task_coef_).any(axis=1))


@estimator
class RobustTaskRegressor(_Robust, TaskRegressor):
    r"""Regression tasks that share a structure, except for outliers (robust).

    .. math::

        \min_{P, Q, b} \; F(P + Q, b) + \alpha \,
        \Bigl[ \lVert P \rVert_* + \rho \sum_t \lVert q_t \rVert_2 \Bigr] ,
        \qquad W = P + Q ,

        F(W, b) = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    See Also
    --------
    BlockSparseRegressor : Shared features, no outliers.
    SparseLowRankRegressor : Single coefficients, not whole tasks, depart from what is shared.

    Examples
    --------
    >>> from skmtl import RobustTaskRegressor
    >>> from skmtl.datasets import make_outlier_tasks
    >>> dataset = make_outlier_tasks(n_features=20, n_informative=3, random_state=0)
    >>> model = RobustTaskRegressor(0.7, structure="block").fit(dataset.data, dataset.target)
    >>> bool((model.outlier_tasks_ == dataset.outliers).all())
    True
    """


@estimator
class RobustTaskClassifier(_Robust, TaskClassifier):
    r"""Classification tasks that share a structure, except for outliers (robust).

    .. math::

        \min_{P, Q, b} \; F(P + Q, b) + \alpha \,
        \Bigl[ \lVert P \rVert_* + \rho \sum_t \lVert q_t \rVert_2 \Bigr] ,
        \qquad W = P + Q ,

        F(W, b) = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    See Also
    --------
    BlockSparseClassifier : Shared features, no outliers.
    SparseLowRankClassifier : Single coefficients, not whole tasks, depart from what is shared.

    Examples
    --------
    >>> from skmtl import RobustTaskClassifier
    >>> from skmtl.datasets import make_outlier_tasks
    >>> dataset = make_outlier_tasks(
    ...     500, 10, structure="center", noise=0.1, classification=True, random_state=0
    ... )
    >>> model = RobustTaskClassifier(0.1).fit(dataset.data, dataset.target)
    >>> bool((model.outlier_tasks_ == dataset.outliers).all())
    True
    """

    alpha: float = strength(0.01)
