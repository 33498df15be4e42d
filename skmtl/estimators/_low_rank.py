"""Low rank: all tasks depend on the same few directions of the features."""

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from skmtl.design import TaskData, read_features
from skmtl.estimators._docs import document
from skmtl.estimators.base import TaskClassifier, TaskEstimator, TaskRegressor
from skmtl.penalties import Penalty, SquaredTraceNorm, TraceNorm

Array = NDArray[Any]

_CONSTRAINTS = {"power": [Interval(Integral, 1, 2, closed="both")]}


class _LowRank(ClassNamePrefixFeaturesOutMixin, TransformerMixin, TaskEstimator):
    def _get_penalty(self, data: TaskData) -> Penalty | None:
        if self.alpha == 0:
            return None
        return TraceNorm(self.alpha) if self.power == 1 else SquaredTraceNorm(self.alpha)

    def _factors(self) -> tuple[Array, Array]:
        """The singular values (r,) of the penalised W and their directions (r, n_features)."""
        check_is_fitted(self)
        fitted = np.atleast_2d(self._fit_coef if self._fit_coef is not None else self.coef_)
        coef = np.asarray(fitted[self._learned], dtype=np.float64)
        _, sigma, directions = np.linalg.svd(coef, full_matrices=False)
        # The solvers' steps make exact zeros, but for the rounding of the last product.
        rounding = max(coef.shape) * np.finfo(fitted.dtype).eps
        rank = int((sigma > rounding * sigma.max(initial=0.0)).sum())
        sigma, directions = sigma[:rank], directions[:rank]
        # A direction has no sign of its own: its largest entry is positive.
        largest = np.abs(directions).argmax(axis=1)
        signs = np.sign(directions[np.arange(rank), largest])
        return sigma, (signs[:, None] * directions).astype(fitted.dtype)

    @property
    def rank_(self) -> int:
        """Number of directions that the tasks depend on."""
        return len(self.singular_values_)

    @property
    def singular_values_(self) -> Array:
        """The singular values of W (rank,) that are not zero, in descending order."""
        return self._factors()[0]

    @property
    def components_(self) -> Array:
        """Orthonormal directions (rank, n_features) that span all tasks' coefficients."""
        return self._factors()[1]

    @property
    def feature_covariance_(self) -> Array:
        """The learned covariance between features (n_features, n_features), of trace 1."""
        sigma, directions = self._factors()
        if not len(sigma):
            return np.eye(directions.shape[1]) / directions.shape[1]
        return np.asarray((directions.T * (sigma / sigma.sum())) @ directions)

    def transform(self, X: Any) -> Array:
        """Return the representation of rows that all tasks share.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame
            As in fit, with the task column in the stacked layout; whose rows they are does not
            matter, and tasks that fit did not see are allowed.

        Returns
        -------
        ndarray of shape (n_samples, rank)
            The features times ``components_.T``, without the task column.
        """
        check_is_fitted(self)
        features, _ = read_features(self, X, reset=False)
        return np.asarray(features @ self.components_.T)

    @property
    def _n_features_out(self) -> int:
        return self.rank_

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


@document
class LowRankRegressor(_LowRank, TaskRegressor):
    r"""Regression tasks that depend on the same few directions of the features.

    .. math::

        \min_{W, b} \; F(W, b) + \Omega(W) , \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t) ,
        \qquad
        \Omega = \alpha \lVert W \rVert_* \quad \text{or} \quad
        \tfrac{\alpha}{2} \lVert W \rVert_*^2

    {symbols}
    :math:`\lVert W \rVert_*`, the trace norm, sums the singular values of W, so that few are not
    zero: W = C'A with few rows in C, the directions. Half its square (``power=2``) is the least
    :math:`\tfrac12 \operatorname{tr}(W' D^{-1} W)` over covariances between features
    :math:`D \succeq 0` (n_features, n_features) of trace 1.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the penalty, >= 0. With ``power=1``, :func:`skmtl.model_selection.alpha_max` is
        the smallest at which every coefficient is zero.
    power : {1, 2}, default=1
        The trace norm, or half its square. Both find the same solutions, at other ``alpha``: the
        one at ``power=2`` is that of ``power=1`` at alpha times its trace norm.
    {regression_loss}
    {common}
    {scale_tasks}

    Attributes
    ----------
    {attributes}
    rank_ : int
        Number of singular values that are not zero: above the largest times the machine epsilon
        times the larger side of W.
    singular_values_ : ndarray of shape (rank,)
        They, in descending order, in the fit's units with ``scale_tasks``.
    components_ : ndarray of shape (rank, n_features)
        Their directions among the features, orthonormal; the largest entry of each is positive.
    feature_covariance_ : ndarray of shape (n_features, n_features)
        :math:`D = (W W')^{1/2} / \operatorname{tr} (W W')^{1/2}`; I / n_features at W = 0.
        Made from the directions when asked for.

    Notes
    -----
    Convex. ``transform`` returns the features in the directions, for other estimators in a
    pipeline. Each iteration also takes an eigendecomposition of the smaller side of W. {notes}

    References
    ----------
    A. Argyriou, T. Evgeniou and M. Pontil, "Convex multi-task feature learning", Machine Learning
    73, 2008, https://doi.org/10.1007/s10994-007-5040-8

    S. Ji and J. Ye, "An accelerated gradient method for trace norm minimization", ICML 2009,
    https://doi.org/10.1145/1553374.1553434

    See Also
    --------
    TaskRelationRegressor : The same coefficients as ``power=2``, with a covariance between tasks.
    BlockSparseRegressor : Few features instead of few directions.

    Examples
    --------
    >>> from skmtl import LowRankRegressor
    >>> from skmtl.datasets import make_low_rank_tasks
    >>> made = make_low_rank_tasks(200, 20, 10, rank=2, random_state=0)
    >>> model = LowRankRegressor(alpha=0.5).fit(made.data, made.target)
    >>> model.rank_, model.components_.shape, model.transform(made.data).shape
    (2, (2, 20), (200, 2))
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **TaskRegressor._parameter_constraints,
        **_CONSTRAINTS,
    }

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        power: int = 1,
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
        self.power = power
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
class LowRankClassifier(_LowRank, TaskClassifier):
    r"""Classification tasks that depend on the same few directions of the features.

    .. math::

        \min_{W, b} \; F(W, b) + \Omega(W) , \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t) ,
        \qquad
        \Omega = \alpha \lVert W \rVert_* \quad \text{or} \quad
        \tfrac{\alpha}{2} \lVert W \rVert_*^2

    {symbols} Labels count as :math:`y_i = \pm 1`.
    :math:`\lVert W \rVert_*`, the trace norm, sums the singular values of W, so that few are not
    zero: W = C'A with few rows in C, the directions. Half its square (``power=2``) is the least
    :math:`\tfrac12 \operatorname{tr}(W' D^{-1} W)` over covariances between features
    :math:`D \succeq 0` (n_features, n_features) of trace 1.

    Parameters
    ----------
    alpha : float, default=0.01
        Strength of the penalty, >= 0. With ``power=1``, :func:`skmtl.model_selection.alpha_max` is
        the smallest at which every coefficient is zero.
    power : {1, 2}, default=1
        The trace norm, or half its square. Both find the same solutions, at other ``alpha``: the
        one at ``power=2`` is that of ``power=1`` at alpha times its trace norm.
    {classification_loss}
    {common}
    {class_weight}

    Attributes
    ----------
    {attributes}
    {classes}
    rank_ : int
        Number of singular values that are not zero: above the largest times the machine epsilon
        times the larger side of W.
    singular_values_ : ndarray of shape (rank,)
        They, in descending order.
    components_ : ndarray of shape (rank, n_features)
        Their directions among the features, orthonormal; the largest entry of each is positive.
    feature_covariance_ : ndarray of shape (n_features, n_features)
        :math:`D = (W W')^{1/2} / \operatorname{tr} (W W')^{1/2}`; I / n_features at W = 0.
        Made from the directions when asked for.

    Notes
    -----
    Convex. ``transform`` returns the features in the directions, for other estimators in a
    pipeline. Each iteration also takes an eigendecomposition of the smaller side of W. {notes}

    {one_class}

    References
    ----------
    A. Argyriou, T. Evgeniou and M. Pontil, "Convex multi-task feature learning", Machine Learning
    73, 2008, https://doi.org/10.1007/s10994-007-5040-8

    S. Ji and J. Ye, "An accelerated gradient method for trace norm minimization", ICML 2009,
    https://doi.org/10.1145/1553374.1553434

    See Also
    --------
    TaskRelationClassifier : The same coefficients as ``power=2``, with a covariance between tasks.
    BlockSparseClassifier : Few features instead of few directions.

    Examples
    --------
    >>> from skmtl import LowRankClassifier
    >>> from skmtl.datasets import make_low_rank_tasks
    >>> made = make_low_rank_tasks(300, 10, 8, rank=2, classification=True, random_state=0)
    >>> model = LowRankClassifier(alpha=0.2).fit(made.data, made.target)
    >>> model.rank_, model.components_.shape, model.transform(made.data).shape
    (2, (2, 10), (300, 2))
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **TaskClassifier._parameter_constraints,
        **_CONSTRAINTS,
    }

    def __init__(
        self,
        alpha: float = 0.01,
        *,
        power: int = 1,
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
        self.power = power
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
