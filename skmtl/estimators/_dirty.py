"""Dirty models: features that all tasks use, and some that single tasks use."""

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from skmtl.estimators._docs import document
from skmtl.estimators._superposed import ROUNDING, TwoPartTasks
from skmtl.estimators.base import TaskClassifier, TaskRegressor
from skmtl.penalties import L1, L21, L1Inf

# The default strength of the private part where both parts may then be non-zero.
_USUAL = 0.5

_CONSTRAINTS = {
    "private": [Interval(Real, 0, None, closed="neither"), None],
    "norm": [StrOptions({"linf", "l2"})],
}


class _Dirty(TwoPartTasks):
    _strength, _part_names = "private", ("shared part", "private part")

    def _norms(self) -> tuple[Any, Any]:
        return (L21 if self.norm == "l2" else L1Inf), L1

    def _limits(self, n_tasks: int, n_features: int) -> tuple[float, float]:
        # The l1 norm of a row is at least its other norm, at most this many times as large.
        return 1 / (np.sqrt(n_tasks) if self.norm == "l2" else n_tasks), 1.0

    def _default_strength(self, n_tasks: int, n_features: int) -> float:
        low, _ = self._limits(n_tasks, n_features)
        if low < _USUAL * (1 - ROUNDING):
            return _USUAL
        return super()._default_strength(n_tasks, n_features)


@document
class DirtyModelRegressor(_Dirty, TaskRegressor):
    r"""Regression tasks with shared and private features (dirty model).

    .. math::

        \min_{P, Q, b} \; F(P + Q, b) + \alpha \,
        \bigl[ \lVert P \rVert_{1,\infty} + \rho \lVert Q \rVert_1 \bigr] ,
        \qquad W = P + Q ,

        F(W, b) = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    {symbols}
    :math:`\rho` is ``private``.
    The rows of P are features that all tasks use,
    :math:`\lVert P \rVert_{1,\infty}` the sum of their largest absolute entries (with ``norm="l2"``
    :math:`\lVert P \rVert_{2,1}`, of their Euclidean norms); the entries of Q are what single
    tasks add.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the whole penalty, >= 0. :func:`skmtl.model_selection.alpha_max` is the
        smallest at which every coefficient is zero.
    private : float or None, default=None
        Strength of the private part relative to the shared one, > 0. With T tasks both parts may
        be other than zero between 1 / T and 1 with ``norm="linf"``, 1 / sqrt(T) and 1 with
        ``norm="l2"``; outside these bounds one part is zero whatever the data are, with a
        warning. None: 0.5 where that lies between the bounds, and otherwise (two tasks with
        "linf", up to four with "l2") their geometric mean.
    norm : {"linf", "l2"}, default="linf"
        The norm of a row of P: its largest absolute entry (for tasks of similar size), or its
        Euclidean norm.
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
    Convex. With ``private >= 1`` this is the block norm alone, at the lower bound a lasso.
    {notes}
    ADMM's steps are exact in both parts together.

    References
    ----------
    A. Jalali, S. Sanghavi, C. Ruan and P. Ravikumar, "A dirty model for multi-task learning",
    NeurIPS 2010,
    https://papers.nips.cc/paper/2010/hash/00e26af6ac3b1c1c49d7c3d79c60d000-Abstract.html

    A. Jalali, P. Ravikumar and S. Sanghavi, "A dirty model for multiple sparse regression", IEEE
    Trans. Inf. Theory 59(12), 2013, https://doi.org/10.1109/TIT.2013.2280272

    See Also
    --------
    BlockSparseRegressor : No private features (``private=1``).
    SparseLowRankRegressor : A shared part of low rank.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl import DirtyModelRegressor
    >>> rng = np.random.default_rng(0)
    >>> X, W = rng.normal(size=(80, 6)), np.zeros((6, 4))
    >>> W[0], W[3, 1] = 2.0, 3.0
    >>> model = DirtyModelRegressor(0.5).fit(X, X @ W + 0.1 * rng.normal(size=(80, 4)))
    >>> np.flatnonzero(model.shared_coef_.any(axis=0)).tolist()
    [0]
    >>> np.argwhere(model.task_coef_).tolist()
    [[1, 3]]
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **TaskRegressor._parameter_constraints,
        **_CONSTRAINTS,
    }

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        private: float | None = None,
        norm: str = "linf",
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
        self.private = private
        self.norm = norm
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
class DirtyModelClassifier(_Dirty, TaskClassifier):
    r"""Classification tasks with shared and private features (dirty model).

    .. math::

        \min_{P, Q, b} \; F(P + Q, b) + \alpha \,
        \bigl[ \lVert P \rVert_{1,\infty} + \rho \lVert Q \rVert_1 \bigr] ,
        \qquad W = P + Q ,

        F(W, b) = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    {symbols}
    Labels count as :math:`y_i = \pm 1`. :math:`\rho` is ``private``.
    The rows of P are features that all tasks use,
    :math:`\lVert P \rVert_{1,\infty}` the sum of their largest absolute entries (with ``norm="l2"``
    :math:`\lVert P \rVert_{2,1}`, of their Euclidean norms); the entries of Q are what single
    tasks add.

    Parameters
    ----------
    alpha : float, default=0.01
        Strength of the whole penalty, >= 0. :func:`skmtl.model_selection.alpha_max` is the
        smallest at which every coefficient is zero.
    private : float or None, default=None
        Strength of the private part relative to the shared one, > 0. With T tasks both parts may
        be other than zero between 1 / T and 1 with ``norm="linf"``, 1 / sqrt(T) and 1 with
        ``norm="l2"``; outside these bounds one part is zero whatever the data are, with a
        warning. None: 0.5 where that lies between the bounds, and otherwise (two tasks with
        "linf", up to four with "l2") their geometric mean.
    norm : {"linf", "l2"}, default="linf"
        The norm of a row of P: its largest absolute entry (for tasks of similar size), or its
        Euclidean norm.
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
    Convex. With ``private >= 1`` this is the block norm alone, at the lower bound a lasso.
    {notes}
    ADMM's steps are exact in both parts together.

    {one_class}

    References
    ----------
    A. Jalali, S. Sanghavi, C. Ruan and P. Ravikumar, "A dirty model for multi-task learning",
    NeurIPS 2010,
    https://papers.nips.cc/paper/2010/hash/00e26af6ac3b1c1c49d7c3d79c60d000-Abstract.html

    A. Jalali, P. Ravikumar and S. Sanghavi, "A dirty model for multiple sparse regression", IEEE
    Trans. Inf. Theory 59(12), 2013, https://doi.org/10.1109/TIT.2013.2280272

    See Also
    --------
    BlockSparseClassifier : No private features (``private=1``).
    SparseLowRankClassifier : A shared part of low rank.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl import DirtyModelClassifier
    >>> rng = np.random.default_rng(0)
    >>> X, W = rng.normal(size=(200, 6)), np.zeros((6, 4))
    >>> W[0], W[3, 1] = 2.0, 3.0
    >>> model = DirtyModelClassifier(0.2).fit(X, X @ W > 0)
    >>> np.flatnonzero(model.shared_coef_.any(axis=0)).tolist()
    [0]
    >>> np.argwhere(model.task_coef_).tolist()
    [[1, 3]]
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **TaskClassifier._parameter_constraints,
        **_CONSTRAINTS,
    }

    def __init__(
        self,
        alpha: float = 0.01,
        *,
        private: float | None = None,
        norm: str = "linf",
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
        self.private = private
        self.norm = norm
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
