"""Dirty models: features that all tasks use, and some that single tasks use."""

from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from skmtl.design import TaskData
from skmtl.estimators._by_feature import ConstrainedFeatures
from skmtl.estimators._superposed import ROUNDING, TwoPartTasks
from skmtl.estimators.base import TaskClassifier, TaskRegressor, estimator, parameter, strength
from skmtl.penalties import L1, L21, L1Inf, Penalty

# The default strength of the private part if both parts can then be non-zero.
_USUAL = 0.5


@estimator
class _Dirty(ConstrainedFeatures, TwoPartTasks):
    r"""A norm on the rows of P and the L1 norm of Q.

    :math:`\rho` is ``private``. The non-zero rows of P are the features that all tasks use. They
    are penalised by the sum of their largest absolute entries, :math:`\lVert P \rVert_{1,\infty}`,
    or with ``norm="l2"`` by that of their Euclidean norms, :math:`\lVert P \rVert_{2,1}`. The
    entries of Q, penalised by the sum of their absolute values, are what single tasks add.

    Notes
    -----
    Convex. With ``private >= 1`` the penalty is the norm of the rows alone; at or below the lower
    bound it is a lasso.

    References
    ----------
    A. Jalali, S. Sanghavi, C. Ruan and P. Ravikumar, "A dirty model for multi-task learning",
    NeurIPS 2010,
    https://papers.nips.cc/paper/2010/hash/00e26af6ac3b1c1c49d7c3d79c60d000-Abstract.html

    A. Jalali, P. Ravikumar and S. Sanghavi, "A dirty model for multiple sparse regression", IEEE
    Trans. Inf. Theory 59(12), 2013, https://doi.org/10.1109/TIT.2013.2280272
    """

    private: float | None = parameter(
        None,
        [Interval(Real, 0, None, closed="neither"), None],
        "float or None",
        """
        Strength of the private part relative to the shared one, > 0. With T tasks, both parts can
        be non-zero only between 1 / T and 1 for ``norm="linf"``, and between 1 / sqrt(T) and 1 for
        ``norm="l2"``; outside these bounds one of them is zero for any data, and a warning
        says so. None: 0.5 if that lies between the bounds, and otherwise (two tasks with
        "linf", up to four with "l2") their geometric mean.
        """,
    )
    norm: str = parameter(
        "linf",
        [StrOptions({"linf", "l2"})],
        '{"linf", "l2"}',
        """
        The norm of a row of P: its largest absolute entry (for tasks of similar size), or its
        Euclidean norm.
        """,
    )

    _strength, _part_names = "private", ("shared part", "private part")

    def _get_penalty(self, data: TaskData) -> Penalty | None:
        return self._constrained(super()._get_penalty(data), data.X.shape[1])

    def _norms(self) -> tuple[Any, Any]:
        return (L21 if self.norm == "l2" else L1Inf), L1

    def _limits(self, n_tasks: int, n_features: int) -> tuple[float, float]:
        # The L1 norm of a row is at least its other norm, and at most T or sqrt(T) times as large.
        return 1 / (np.sqrt(n_tasks) if self.norm == "l2" else n_tasks), 1.0

    def _default_strength(self, n_tasks: int, n_features: int) -> float:
        low, _ = self._limits(n_tasks, n_features)
        if low < _USUAL * (1 - ROUNDING):
            return _USUAL
        return super()._default_strength(n_tasks, n_features)


@estimator
class DirtyModelRegressor(_Dirty, TaskRegressor):
    r"""Regression tasks with shared and private features (dirty model).

    .. math::

        \min_{P, Q, b} \; F(P + Q, b) + \alpha \,
        \bigl[ \lVert P \rVert_{1,\infty} + \rho \lVert Q \rVert_1 \bigr] ,
        \qquad W = P + Q ,

        F(W, b) = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

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


@estimator
class DirtyModelClassifier(_Dirty, TaskClassifier):
    r"""Classification tasks with shared and private features (dirty model).

    .. math::

        \min_{P, Q, b} \; F(P + Q, b) + \alpha \,
        \bigl[ \lVert P \rVert_{1,\infty} + \rho \lVert Q \rVert_1 \bigr] ,
        \qquad W = P + Q ,

        F(W, b) = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

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

    alpha: float = strength(0.01)
