"""Robust multi-task learning: tasks that share a structure, and outliers that do not."""

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skmtl.estimators._docs import document
from skmtl.estimators._superposed import TwoPartTasks
from skmtl.estimators.base import TaskClassifier, TaskRegressor
from skmtl.penalties import L21, TaskGroup, TraceNorm

_CONSTRAINTS = {
    "outlier": [Interval(Real, 0, None, closed="neither"), None],
    "structure": [StrOptions({"low_rank", "block"})],
}


class _Robust(TwoPartTasks):
    _strength, _part_names = "outlier", ("shared part", "outliers")

    def _norms(self) -> tuple[Any, Any]:
        return (TraceNorm if self.structure == "low_rank" else L21), TaskGroup

    def _limits(self, n_tasks: int, n_features: int) -> tuple[float, float]:
        # The tasks' norms sum to at most sqrt(T) times either norm: equal columns. One task alone
        # has its norm as trace norm, and as L2,1 norm up to sqrt(d) times that.
        high = 1.0 if self.structure == "low_rank" else float(np.sqrt(n_features))
        return float(1 / np.sqrt(n_tasks)), high

    def _default_strength(self, n_tasks: int, n_features: int) -> float:
        if self.structure == "block" or n_tasks == 1:
            return super()._default_strength(n_tasks, n_features)
        # A matrix of noise has about these dual norms: it enters both parts alike.
        longest = np.sqrt(n_features) + np.sqrt(2 * np.log(n_tasks))
        return float(longest / (np.sqrt(n_features) + np.sqrt(n_tasks)))

    @property
    def outlier_tasks_(self) -> NDArray[np.bool_]:
        """Tasks (n_tasks,) with a non-zero coefficient of their own."""
        check_is_fitted(self)
        return np.asarray(np.atleast_2d(self.task_coef_).any(axis=1))


@document
class RobustTaskRegressor(_Robust, TaskRegressor):
    r"""Regression tasks that share a structure, but for outliers (robust).

    .. math::

        \min_{P, Q, b} \; F(P + Q, b) + \alpha \,
        \Bigl[ \lVert P \rVert_* + \rho \sum_t \lVert q_t \rVert_2 \Bigr] ,
        \qquad W = P + Q ,

        F(W, b) = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    {symbols}
    :math:`\rho` is ``outlier`` and
    :math:`\lVert P \rVert_*` the sum of P's singular values, which makes tasks share few
    directions (with ``structure="block"`` :math:`\lVert P \rVert_{2,1}`, the sum of its rows'
    norms: few features). A column :math:`q_t` of Q is zero but for tasks that do not fit in.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the whole penalty, >= 0. :func:`skmtl.model_selection.alpha_max` is the
        smallest at which every coefficient is zero.
    outlier : float or None, default=None
        Strength of the outliers' part relative to the shared one, > 0. Both parts may be other
        than zero between 1 / sqrt(T) and 1, with ``structure="block"`` sqrt(d), for T tasks and d
        features; outside one of them is zero whatever the data are, with a warning. None:
        (sqrt(d) + sqrt(2 log T)) / (sqrt(d) + sqrt(T)), with which pure noise enters both parts
        alike; with "block", where that is near it, the bounds' geometric mean (d / T) ** (1 / 4).
    structure : {"low_rank", "block"}, default="low_rank"
        What ordinary tasks share: few directions (the trace norm of P), or few features (its
        L2,1 norm).
    {regression_loss}
    {common}
    {scale_tasks}

    Attributes
    ----------
    {attributes}
    shared_coef_, task_coef_ : ndarray of shape (n_tasks, n_features), or (n_features,)
        P' and Q', whose sum ``coef_`` is. Without a penalty all of it is in ``shared_coef_``.
    outlier_tasks_ : ndarray of shape (n_tasks,)
        True for tasks with a non-zero row in ``task_coef_``; ``tasks_[outlier_tasks_]`` are their
        names.

    Notes
    -----
    Convex. From the upper bound of ``outlier`` on this is the shared norm alone.
    {notes}
    ADMM's steps are exact in both parts together.

    References
    ----------
    J. Chen, J. Zhou and J. Ye, "Integrating low-rank and group-sparse structures for robust
    multi-task learning", KDD 2011, https://doi.org/10.1145/2020408.2020423

    P. Gong, J. Ye and C. Zhang, "Robust multi-task feature learning", KDD 2012,
    https://doi.org/10.1145/2339530.2339672

    See Also
    --------
    BlockSparseRegressor : Shared features, no outliers.
    SparseLowRankRegressor : Single coefficients, not whole tasks, depart from what is shared.

    Examples
    --------
    >>> from skmtl import RobustTaskRegressor
    >>> from skmtl.datasets import make_outlier_tasks
    >>> made = make_outlier_tasks(n_features=20, n_informative=3, random_state=0)
    >>> model = RobustTaskRegressor(0.7, structure="block").fit(made.data, made.target)
    >>> bool((model.outlier_tasks_ == made.outliers).all())
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
        outlier: float | None = None,
        structure: str = "low_rank",
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
        self.outlier = outlier
        self.structure = structure
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
class RobustTaskClassifier(_Robust, TaskClassifier):
    r"""Classification tasks that share a structure, but for outliers (robust).

    .. math::

        \min_{P, Q, b} \; F(P + Q, b) + \alpha \,
        \Bigl[ \lVert P \rVert_* + \rho \sum_t \lVert q_t \rVert_2 \Bigr] ,
        \qquad W = P + Q ,

        F(W, b) = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    {symbols}
    Labels count as :math:`y_i = \pm 1`. :math:`\rho` is ``outlier`` and
    :math:`\lVert P \rVert_*` the sum of P's singular values, which makes tasks share few
    directions (with ``structure="block"`` :math:`\lVert P \rVert_{2,1}`, the sum of its rows'
    norms: few features). A column :math:`q_t` of Q is zero but for tasks that do not fit in.

    Parameters
    ----------
    alpha : float, default=0.01
        Strength of the whole penalty, >= 0. :func:`skmtl.model_selection.alpha_max` is the
        smallest at which every coefficient is zero.
    outlier : float or None, default=None
        Strength of the outliers' part relative to the shared one, > 0. Both parts may be other
        than zero between 1 / sqrt(T) and 1, with ``structure="block"`` sqrt(d), for T tasks and d
        features; outside one of them is zero whatever the data are, with a warning. None:
        (sqrt(d) + sqrt(2 log T)) / (sqrt(d) + sqrt(T)), with which pure noise enters both parts
        alike; with "block", where that is near it, the bounds' geometric mean (d / T) ** (1 / 4).
    structure : {"low_rank", "block"}, default="low_rank"
        What ordinary tasks share: few directions (the trace norm of P), or few features (its
        L2,1 norm).
    {classification_loss}
    {common}
    {class_weight}

    Attributes
    ----------
    {attributes}
    {classes}
    shared_coef_, task_coef_ : ndarray of shape (n_tasks, n_features), or (n_features,)
        P' and Q', whose sum ``coef_`` is. Without a penalty all of it is in ``shared_coef_``.
    outlier_tasks_ : ndarray of shape (n_tasks,)
        True for tasks with a non-zero row in ``task_coef_``; ``tasks_[outlier_tasks_]`` are their
        names.

    Notes
    -----
    Convex. From the upper bound of ``outlier`` on this is the shared norm alone.
    {notes}
    ADMM's steps are exact in both parts together.

    {one_class}

    References
    ----------
    J. Chen, J. Zhou and J. Ye, "Integrating low-rank and group-sparse structures for robust
    multi-task learning", KDD 2011, https://doi.org/10.1145/2020408.2020423

    P. Gong, J. Ye and C. Zhang, "Robust multi-task feature learning", KDD 2012,
    https://doi.org/10.1145/2339530.2339672

    See Also
    --------
    BlockSparseClassifier : Shared features, no outliers.
    SparseLowRankClassifier : Single coefficients, not whole tasks, depart from what is shared.

    Examples
    --------
    >>> from skmtl import RobustTaskClassifier
    >>> from skmtl.datasets import make_outlier_tasks
    >>> made = make_outlier_tasks(
    ...     500, 10, structure="center", noise=0.1, classification=True, random_state=0
    ... )
    >>> model = RobustTaskClassifier(0.1).fit(made.data, made.target)
    >>> bool((model.outlier_tasks_ == made.outliers).all())
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
        outlier: float | None = None,
        structure: str = "low_rank",
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
        self.outlier = outlier
        self.structure = structure
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
