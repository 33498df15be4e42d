"""Block sparsity: all tasks use the same few features."""

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skmtl.base import TaskClassifier, TaskEstimator, TaskRegressor
from skmtl.design import TaskData
from skmtl.estimators._docs import document
from skmtl.penalties import L21, L1Inf, Penalty, Ridge

_CONSTRAINTS = {
    "l1_ratio": [Interval(Real, 0, 1, closed="both")],
    "norm": [StrOptions({"l2", "linf"})],
}


class _BlockSparse(TaskEstimator):
    def _get_penalty(self, data: TaskData) -> Penalty | None:
        rows = L21 if self.norm == "l2" else L1Inf
        block = rows(self.alpha * self.l1_ratio)
        ridge = Ridge(self.alpha * (1 - self.l1_ratio))
        if ridge.alpha == 0:
            return block if block.alpha > 0 else None
        return block + ridge if block.alpha > 0 else ridge

    @property
    def support_(self) -> NDArray[np.bool_]:
        """Features (n_features,) with a non-zero coefficient in some task."""
        check_is_fitted(self)
        return np.asarray(np.atleast_2d(self.coef_).any(axis=0))


@document
class BlockSparseRegressor(_BlockSparse, TaskRegressor):
    r"""Regression tasks that share their few relevant features (L2,1 norm).

    .. math::

        \min_{W, b} \; F(W, b) + \alpha \rho \lVert W \rVert_{2,1}
        + \tfrac{\alpha (1 - \rho)}{2} \lVert W \rVert_F^2 ,
        \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    {symbols} :math:`\rho` is ``l1_ratio`` and :math:`\lVert W \rVert_{2,1}` sums the Euclidean
    norms of W's rows, so that a feature enters for all tasks or for none. With a complete matrix y
    this is scikit-learn's MultiTaskLasso / MultiTaskElasticNet for the same ``alpha`` and
    ``l1_ratio``; one task alone is Lasso / ElasticNet.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the whole penalty, >= 0. :func:`skmtl.model_selection.alpha_max` is the
        smallest at which every coefficient is zero.
    l1_ratio : float, default=1.0
        Share of the block norm in the penalty, in [0, 1]; the rest is a ridge.
    norm : {"l2", "linf"}, default="l2"
        What the block norm sums over features: the Euclidean norm of a row of W, or its largest
        absolute entry (:math:`\lVert W \rVert_{1,\infty}`, for tasks of similar size).
    {regression_loss}
    {common}
    {scale_tasks}

    Attributes
    ----------
    {attributes}
    support_ : ndarray of shape (n_features,)
        True where a feature has a non-zero coefficient in some task.

    Notes
    -----
    Convex. {notes}

    References
    ----------
    G. Obozinski, B. Taskar and M. Jordan, "Joint covariate selection and joint subspace
    selection for multiple classification problems", Stat. Comput. 20, 2010,
    https://doi.org/10.1007/s11222-008-9111-x

    See Also
    --------
    sklearn.linear_model.MultiTaskElasticNet : The same estimator for complete dense data.
    IndependentTaskRegressor : A ridge for each task alone (``l1_ratio=0``).

    Examples
    --------
    >>> from skmtl import BlockSparseRegressor
    >>> from skmtl.datasets import make_block_sparse
    >>> made = make_block_sparse(n_features=20, n_informative=3, random_state=0)
    >>> model = BlockSparseRegressor(alpha=0.5).fit(made.data, made.target)
    >>> bool((model.support_ == made.support).all())
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
        l1_ratio: float = 1.0,
        norm: str = "l2",
        loss: str = "squared",
        huber_delta: float = 1.35,
        fit_intercept: bool = True,
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
        self.l1_ratio = l1_ratio
        self.norm = norm
        self.loss = loss
        self.huber_delta = huber_delta
        self.fit_intercept = fit_intercept
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
class BlockSparseClassifier(_BlockSparse, TaskClassifier):
    r"""Classification tasks that share their few relevant features (L2,1 norm).

    .. math::

        \min_{W, b} \; F(W, b) + \alpha \rho \lVert W \rVert_{2,1}
        + \tfrac{\alpha (1 - \rho)}{2} \lVert W \rVert_F^2 ,
        \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    {symbols} Labels count as :math:`y_i = \pm 1`; :math:`\rho` is ``l1_ratio`` and
    :math:`\lVert W \rVert_{2,1}` sums the Euclidean norms of W's rows, so that a feature enters
    for all tasks or for none. A 1-D y with more than two classes gives one task per class
    against the rest, or, with ``loss="multinomial"``, all of them together:

    .. math::

        F = \tfrac{1}{S} \sum_i s_i \Bigl[ \log \sum_{k=1}^K \exp(x_i w_k + b_k)
        - (x_i w_{y_i} + b_{y_i}) \Bigr] , \qquad \sum_k b_k = 0 ,

    with a column :math:`w_k` of W (n_features, n_classes) for each of the K classes, and
    :math:`y_i` the class of row i.

    Parameters
    ----------
    alpha : float, default=0.01
        Strength of the whole penalty, >= 0. :func:`skmtl.model_selection.alpha_max` is the
        smallest at which every coefficient is zero.
    l1_ratio : float, default=1.0
        Share of the block norm in the penalty, in [0, 1]; the rest is a ridge.
    norm : {"l2", "linf"}, default="l2"
        What the block norm sums over features: the Euclidean norm of a row of W, or its largest
        absolute entry (:math:`\lVert W \rVert_{1,\infty}`, for tasks of similar size).
    {multiclass_loss}
    {common}
    {class_weight}

    Attributes
    ----------
    {attributes}
    {classes}
    support_ : ndarray of shape (n_features,)
        True where a feature has a non-zero coefficient in some task.

    Notes
    -----
    Convex. {notes}

    {one_class}

    References
    ----------
    G. Obozinski, B. Taskar and M. Jordan, "Joint covariate selection and joint subspace
    selection for multiple classification problems", Stat. Comput. 20, 2010,
    https://doi.org/10.1007/s11222-008-9111-x

    N. Simon, J. Friedman and T. Hastie, "A blockwise descent algorithm for group-penalized
    multiresponse and multinomial regression", 2013, https://doi.org/10.48550/arXiv.1311.6529

    See Also
    --------
    sklearn.linear_model.LogisticRegression : ``loss="multinomial", l1_ratio=0``, with
        C = 1 / (n_samples * alpha).
    IndependentTaskClassifier : A ridge for each task alone (``l1_ratio=0``).

    Examples
    --------
    >>> from skmtl import BlockSparseClassifier
    >>> from skmtl.datasets import load_digits_tasks
    >>> digits = load_digits_tasks()
    >>> model = BlockSparseClassifier(alpha=0.05).fit(digits.data, digits.target)
    >>> model.coef_.shape
    (10, 64)
    >>> bool(model.support_.sum() < 40)
    True
    >>> model = BlockSparseClassifier(alpha=0.05, loss="multinomial")
    >>> model = model.fit(digits.data, digits.target)
    >>> model.predict_proba(digits.data[:5]).shape
    (5, 10)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **TaskClassifier._parameter_constraints,
        **_CONSTRAINTS,
        "loss": [StrOptions({"logistic", "squared_hinge", "multinomial"})],
    }

    def __init__(
        self,
        alpha: float = 0.01,
        *,
        l1_ratio: float = 1.0,
        norm: str = "l2",
        loss: str = "logistic",
        fit_intercept: bool = True,
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
        self.l1_ratio = l1_ratio
        self.norm = norm
        self.loss = loss
        self.fit_intercept = fit_intercept
        self.task_column = task_column
        self.unknown_task = unknown_task
        self.task_weight = task_weight
        self.class_weight = class_weight
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.solver = solver
        self.verbose = verbose
