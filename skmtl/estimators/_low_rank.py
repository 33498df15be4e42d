"""Low rank: all tasks depend on the same few directions of the features."""

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from skmtl.design import TaskData, read_features
from skmtl.estimators._priors import spectral_prior
from skmtl.estimators.base import (
    KnownTasks,
    NewTaskRegressor,
    NewTasks,
    Prior,
    TaskClassifier,
    estimator,
    parameter,
    strength,
)
from skmtl.penalties import Penalty, SquaredTraceNorm, TraceNorm

Array = NDArray[Any]


@estimator
class _LowRank(ClassNamePrefixFeaturesOutMixin, TransformerMixin, NewTasks):
    r"""The trace norm of W, or half its square.

    The trace norm :math:`\lVert W \rVert_*` is the sum of the singular values of W. As a penalty it
    sets many of them to zero, so that W = C'A with few rows in C, the directions. Half its square
    (``power=2``) is the minimum of :math:`\tfrac12 \operatorname{tr}(W' D^{-1} W)` over covariances
    between features :math:`D \succeq 0` (n_features, n_features) of trace 1.

    Attributes
    ----------
    rank_ : int
        Number of non-zero singular values of W: those above the largest times the machine epsilon
        times the larger dimension of W.
    singular_values_ : ndarray of shape (rank,)
        The non-zero singular values of W, in descending order.
    components_ : ndarray of shape (rank, n_features)
        Their directions in the space of the features, orthonormal. The entry of each that is
        largest in absolute value is positive.
    feature_covariance_ : ndarray of shape (n_features, n_features)
        :math:`D = (W W')^{1/2} / \operatorname{tr} (W W')^{1/2}`; I / n_features at W = 0.
        Computed from the directions on access.

    Notes
    -----
    Convex. The prior for a new task has the mean task as its mean and the covariance
    :math:`C = D / \alpha`, with :math:`D = (W W')^{1/2}` for the trace norm, which is half the
    minimum of :math:`\operatorname{tr}(W' D^{-1} W + D)`, and with D = ``feature_covariance_`` for
    half its square: a new task depends on the directions of the others. The penalty itself would
    shrink it to zero, which predicts tasks with few labels worse than shrinkage to the mean task
    does.

    ``transform`` returns the coordinates of rows along the directions, for other
    estimators in a pipeline. Each iteration also takes an eigendecomposition of W'W or WW',
    whichever is smaller.

    References
    ----------
    A. Argyriou, T. Evgeniou and M. Pontil, "Convex multi-task feature learning", Machine Learning
    73, 2008, https://doi.org/10.1007/s10994-007-5040-8

    S. Ji and J. Ye, "An accelerated gradient method for trace norm minimization", ICML 2009,
    https://doi.org/10.1145/1553374.1553434
    """

    alpha: float = strength(
        1.0,
        [Interval(Real, 0, None, closed="left")],
        "float",
        """
        Strength of the penalty, >= 0. With ``power=1``, :func:`skmtl.model_selection.alpha_max` is
        the smallest at which every coefficient is zero.
        """,
    )
    power: int = parameter(
        1,
        [Interval(Integral, 1, 2, closed="both")],
        "{1, 2}",
        r"""
        The trace norm, or half its square. Both have the same solutions, at different ``alpha``:
        the solution W for ``power=2`` is that for ``power=1`` at ``alpha`` times
        :math:`\lVert W \rVert_*`.
        """,
    )

    def _get_penalty(self, data: TaskData) -> Penalty | None:
        if self.alpha == 0:
            return None
        return TraceNorm(self.alpha) if self.power == 1 else SquaredTraceNorm(self.alpha)

    def _prior(self, known: KnownTasks, near: Any = None) -> Prior:
        norm = TraceNorm(1.0) if self.power == 1 else SquaredTraceNorm(1.0)
        return spectral_prior(norm.feature_weights(known.coef), known, self.alpha)

    def _factors(self) -> tuple[Array, Array]:
        """The singular values (r,) of the penalised W and their directions (r, n_features)."""
        check_is_fitted(self)
        fitted = np.atleast_2d(self._fit_coef if self._fit_coef is not None else self.coef_)
        coef = np.asarray(fitted[self._learned], dtype=np.float64)
        _, sigma, directions = np.linalg.svd(coef, full_matrices=False)
        # The solvers set singular values to exactly zero, up to the rounding of the last product.
        rounding = max(coef.shape) * np.finfo(fitted.dtype).eps
        rank = int((sigma > rounding * sigma.max(initial=0.0)).sum())
        sigma, directions = sigma[:rank], directions[:rank]
        # The sign of a direction is arbitrary: make its largest entry positive.
        largest = np.abs(directions).argmax(axis=1)
        signs = np.sign(directions[np.arange(rank), largest])
        return sigma, (signs[:, None] * directions).astype(fitted.dtype)

    @property
    def rank_(self) -> int:
        """Number of directions on which the tasks depend."""
        return len(self.singular_values_)

    @property
    def singular_values_(self) -> Array:
        """The non-zero singular values of W (rank,), in descending order."""
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
            return np.asarray(np.eye(directions.shape[1]) / directions.shape[1])
        return np.asarray((directions.T * (sigma / sigma.sum())) @ directions)

    def transform(self, X: Any) -> Array:
        """Project rows onto the directions that all tasks share.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame
            As in fit, with the task column in the stacked layout. The result does not depend on
            the task of a row, and tasks that fit did not see are allowed.

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


@estimator
class LowRankRegressor(_LowRank, NewTaskRegressor):
    r"""Regression tasks that depend on the same few directions of the features.

    .. math::

        \min_{W, b} \; F(W, b) + \Omega(W) , \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t) ,
        \qquad
        \Omega = \alpha \lVert W \rVert_* \quad \text{or} \quad
        \tfrac{\alpha}{2} \lVert W \rVert_*^2

    Attributes
    ----------
    singular_values_ : ndarray of shape (rank,)
        The non-zero singular values of W, in descending order; with ``scale_tasks`` in the units
        of the fit.

    See Also
    --------
    TaskRelationRegressor : The same coefficients as ``power=2``, with a covariance between tasks.
    BlockSparseRegressor : Few features instead of few directions.

    Examples
    --------
    >>> from skmtl import LowRankRegressor
    >>> from skmtl.datasets import make_low_rank_tasks
    >>> dataset = make_low_rank_tasks(200, 20, 10, rank=2, random_state=0)
    >>> model = LowRankRegressor(alpha=0.5).fit(dataset.data, dataset.target)
    >>> model.rank_, model.components_.shape, model.transform(dataset.data).shape
    (2, (2, 20), (200, 2))
    """


@estimator
class LowRankClassifier(_LowRank, TaskClassifier):
    r"""Classification tasks that depend on the same few directions of the features.

    .. math::

        \min_{W, b} \; F(W, b) + \Omega(W) , \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t) ,
        \qquad
        \Omega = \alpha \lVert W \rVert_* \quad \text{or} \quad
        \tfrac{\alpha}{2} \lVert W \rVert_*^2

    See Also
    --------
    TaskRelationClassifier : The same coefficients as ``power=2``, with a covariance between tasks.
    BlockSparseClassifier : Few features instead of few directions.

    Examples
    --------
    >>> from skmtl import LowRankClassifier
    >>> from skmtl.datasets import make_low_rank_tasks
    >>> dataset = make_low_rank_tasks(300, 10, 8, rank=2, classification=True, random_state=0)
    >>> model = LowRankClassifier(alpha=0.2).fit(dataset.data, dataset.target)
    >>> model.rank_, model.components_.shape, model.transform(dataset.data).shape
    (2, (2, 10), (300, 2))
    """

    alpha: float = strength(0.01)
