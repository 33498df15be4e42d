"""Sparse plus low rank: few common directions, and single coefficients that depart from them."""

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skmtl.estimators._docs import document
from skmtl.estimators._superposed import TwoPartTasks
from skmtl.estimators.base import TaskClassifier, TaskRegressor
from skmtl.penalties import L1, TraceNorm

_CONSTRAINTS: dict[str, list[Any]] = {
    "sparse": [Interval(Real, 0, None, closed="neither"), None],
}


class _SparseLowRank(TwoPartTasks):
    _strength, _part_names = "sparse", ("low-rank part", "sparse part")

    def _norms(self) -> tuple[Any, Any]:
        return TraceNorm, L1

    def _limits(self, n_tasks: int, n_features: int) -> tuple[float, float]:
        # A single entry has one trace and one l1 norm; of equal entries the l1 norm is largest.
        return float(1 / np.sqrt(n_features * n_tasks)), 1.0


@document
class SparseLowRankRegressor(_SparseLowRank, TaskRegressor):
    r"""Regression tasks of low rank, with sparse departures from it.

    .. math::

        \min_{P, Q, b} \; F(P + Q, b) + \alpha \,
        \bigl[ \lVert P \rVert_* + \rho \lVert Q \rVert_1 \bigr] ,
        \qquad W = P + Q ,

        F(W, b) = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    {symbols}
    :math:`\rho` is ``sparse``,
    :math:`\lVert P \rVert_*` the sum of P's singular values, which makes tasks share few
    directions, and :math:`\lVert Q \rVert_1` the sum of absolute entries of Q, the coefficients
    in which single tasks depart from them.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the whole penalty, >= 0. :func:`skmtl.model_selection.alpha_max` is the
        smallest at which every coefficient is zero.
    sparse : float or None, default=None
        Strength of the sparse part relative to the low-rank one, > 0. Both parts may be other than
        zero between 1 / sqrt(d T) and 1, for T tasks and d features; outside one of them is zero
        whatever the data are, with a warning. None: the bounds' geometric mean,
        (d T) ** (-1 / 4).
    {regression_loss}
    {common}
    {scale_tasks}

    Attributes
    ----------
    {attributes}
    shared_coef_, task_coef_ : ndarray of shape (n_tasks, n_features), or (n_features,)
        P' and Q', whose sum ``coef_`` is. Without a penalty all of it is in ``shared_coef_``.

    Notes
    -----
    Convex. With ``sparse >= 1`` this is the trace norm alone, at the lower bound a lasso.
    {notes}
    ADMM's steps are exact in both parts together.

    References
    ----------
    J. Chen, J. Liu and J. Ye, "Learning incoherent sparse and low-rank patterns from multiple
    tasks", KDD 2010, https://doi.org/10.1145/1835804.1835952

    See Also
    --------
    RobustTaskRegressor : Whole tasks, not single coefficients, depart from what is shared.
    DirtyModelRegressor : A shared part of few features.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl import SparseLowRankRegressor
    >>> rng = np.random.default_rng(0)
    >>> W = np.outer(rng.normal(size=10), rng.normal(size=8))
    >>> W[2, 5] += 8.0
    >>> X = rng.normal(size=(100, 10))
    >>> model = SparseLowRankRegressor(0.6).fit(X, X @ W + 0.1 * rng.normal(size=(100, 8)))
    >>> int(np.linalg.matrix_rank(model.shared_coef_))
    1
    >>> np.argwhere(np.abs(model.task_coef_) > 1).tolist()
    [[5, 2]]
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **TaskRegressor._parameter_constraints,
        **_CONSTRAINTS,
    }

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        sparse: float | None = None,
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
        self.sparse = sparse
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
class SparseLowRankClassifier(_SparseLowRank, TaskClassifier):
    r"""Classification tasks of low rank, with sparse departures from it.

    .. math::

        \min_{P, Q, b} \; F(P + Q, b) + \alpha \,
        \bigl[ \lVert P \rVert_* + \rho \lVert Q \rVert_1 \bigr] ,
        \qquad W = P + Q ,

        F(W, b) = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    {symbols}
    Labels count as :math:`y_i = \pm 1`. :math:`\rho` is ``sparse``,
    :math:`\lVert P \rVert_*` the sum of P's singular values, which makes tasks share few
    directions, and :math:`\lVert Q \rVert_1` the sum of absolute entries of Q, the coefficients
    in which single tasks depart from them.

    Parameters
    ----------
    alpha : float, default=0.01
        Strength of the whole penalty, >= 0. :func:`skmtl.model_selection.alpha_max` is the
        smallest at which every coefficient is zero.
    sparse : float or None, default=None
        Strength of the sparse part relative to the low-rank one, > 0. Both parts may be other than
        zero between 1 / sqrt(d T) and 1, for T tasks and d features; outside one of them is zero
        whatever the data are, with a warning. None: the bounds' geometric mean,
        (d T) ** (-1 / 4).
    {classification_loss}
    {common}
    {class_weight}

    Attributes
    ----------
    {attributes}
    {classes}
    shared_coef_, task_coef_ : ndarray of shape (n_tasks, n_features), or (n_features,)
        P' and Q', whose sum ``coef_`` is. Without a penalty all of it is in ``shared_coef_``.

    Notes
    -----
    Convex. With ``sparse >= 1`` this is the trace norm alone, at the lower bound a lasso.
    {notes}
    ADMM's steps are exact in both parts together.

    {one_class}

    References
    ----------
    J. Chen, J. Liu and J. Ye, "Learning incoherent sparse and low-rank patterns from multiple
    tasks", KDD 2010, https://doi.org/10.1145/1835804.1835952

    See Also
    --------
    RobustTaskClassifier : Whole tasks, not single coefficients, depart from what is shared.
    DirtyModelClassifier : A shared part of few features.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl import SparseLowRankClassifier
    >>> rng = np.random.default_rng(0)
    >>> W = np.outer(rng.normal(size=10), rng.normal(size=8))
    >>> W[2, 5] += 8.0
    >>> X = rng.normal(size=(400, 10))
    >>> model = SparseLowRankClassifier(0.1).fit(X, X @ W > 0)
    >>> int(np.linalg.matrix_rank(model.shared_coef_))
    1
    >>> np.argwhere(np.abs(model.task_coef_) > 0.1).tolist()
    [[5, 2]]
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **TaskClassifier._parameter_constraints,
        **_CONSTRAINTS,
    }

    def __init__(
        self,
        alpha: float = 0.01,
        *,
        sparse: float | None = None,
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
        self.sparse = sparse
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
