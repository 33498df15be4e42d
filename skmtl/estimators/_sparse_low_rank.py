"""Sparse plus low rank: few common directions, and single coefficients that depart from them."""

from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval

from skmtl.estimators._superposed import TwoPartTasks
from skmtl.estimators.base import TaskClassifier, TaskRegressor, estimator, parameter, strength
from skmtl.penalties import L1, TraceNorm


@estimator
class _SparseLowRank(TwoPartTasks):
    r"""The trace norm of P and the L1 norm of Q.

    :math:`\rho` is ``sparse``. Penalising the sum of P's singular values,
    :math:`\lVert P \rVert_*`, makes the tasks share few directions. Q, penalised by the sum of its
    absolute entries, :math:`\lVert Q \rVert_1`, holds the coefficients in which single tasks depart
    from these directions.

    Notes
    -----
    Convex. With ``sparse >= 1`` the penalty is the trace norm alone; at or below the lower bound it
    is a lasso.

    References
    ----------
    J. Chen, J. Liu and J. Ye, "Learning incoherent sparse and low-rank patterns from multiple
    tasks", KDD 2010, https://doi.org/10.1145/1835804.1835952
    """

    sparse: float | None = parameter(
        None,
        [Interval(Real, 0, None, closed="neither"), None],
        "float or None",
        """
        Strength of the sparse part relative to the low-rank one, > 0. With T tasks and d features,
        both parts can be non-zero only between 1 / sqrt(d T) and 1; outside these bounds one of
        them is zero for any data, and a warning says so. None: the geometric mean of the
        bounds, (d T) ** (-1 / 4).
        """,
    )

    _strength, _part_names = "sparse", ("low-rank part", "sparse part")

    def _norms(self) -> tuple[Any, Any]:
        return TraceNorm, L1

    def _limits(self, n_tasks: int, n_features: int) -> tuple[float, float]:
        # The L1 norm is at least the trace norm, with equality for a single entry, and at most
        # sqrt(d T) times it, with equality if all entries are equal.
        return float(1 / np.sqrt(n_features * n_tasks)), 1.0


@estimator
class SparseLowRankRegressor(_SparseLowRank, TaskRegressor):
    r"""Regression tasks of low rank, with sparse departures from it.

    .. math::

        \min_{P, Q, b} \; F(P + Q, b) + \alpha \,
        \bigl[ \lVert P \rVert_* + \rho \lVert Q \rVert_1 \bigr] ,
        \qquad W = P + Q ,

        F(W, b) = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

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


@estimator
class SparseLowRankClassifier(_SparseLowRank, TaskClassifier):
    r"""Classification tasks of low rank, with sparse departures from it.

    .. math::

        \min_{P, Q, b} \; F(P + Q, b) + \alpha \,
        \bigl[ \lVert P \rVert_* + \rho \lVert Q \rVert_1 \bigr] ,
        \qquad W = P + Q ,

        F(W, b) = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

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

    alpha: float = strength(0.01)
