"""Tree-guided sparsity: tasks of one branch use the same features."""

from dataclasses import dataclass
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions

from skmtl._warnings import gather_warnings
from skmtl.design import TaskData
from skmtl.estimators._by_feature import ConstrainedFeatures
from skmtl.estimators._independent import IndependentTaskClassifier, IndependentTaskRegressor
from skmtl.estimators._linkage import ward_linkage
from skmtl.estimators._tree import tree_groups
from skmtl.estimators.base import (
    Fit,
    Report,
    TaskClassifier,
    TaskEstimator,
    TaskRegressor,
    completed,
    estimator,
    parameter,
    strength,
)
from skmtl.objective import BaseObjective
from skmtl.penalties import Penalty, TreeGroup

Array = NDArray[Any]

# The ridge of the single-task fits, relative to the mean eigenvalue of the task's Gram matrix. It
# recovered simulated trees best; values from a third to three times as large did nearly as well.
_RIDGE = 0.3


class _LearnedTree(TreeGroup):
    """The norm of a learned tree, with its linkage matrix as ``tree``."""

    def __init__(self, alpha: float, groups: Any, weights: Any, tree: Array) -> None:
        super().__init__(alpha, groups, weights)
        self.tree = tree


@dataclass(frozen=True)
class _TreeFit(Fit):
    """A fit, with the learned tree of its penalty, if any."""

    tree: Array | None = None


@estimator
class _TreeGuided(ConstrainedFeatures):
    r"""Norms of nested groups of tasks.

    The sum is over features j and over the nodes v of the tree: :math:`G_v` contains the tasks
    below v, for a leaf its one task. A feature is dropped for all tasks of a branch together. With
    the height :math:`h_v` in [0, 1] of v, zero at a leaf, and its ancestors A(v),

    .. math:: \omega_v = (1 - h_v) \prod_{m \in A(v)} h_m ,

    so that the weights of the groups of each task sum to 1. Tasks that the tree joins at a low
    height select features together; those that it joins high up select them separately.

    Attributes
    ----------
    tree_ : ndarray of shape (n_tasks - 1, 4) or nested lists
        The tree used: ``tree``, or with "auto" the linkage matrix, without the tasks that were
        left out of the objective.

    Notes
    -----
    Convex. The prox shrinks the groups of a row from the leaves to the root, which is exact. The
    root of a linkage has weight 0, so that a linkage of only two tasks does not couple them.

    References
    ----------
    S. Kim and E. Xing, "Tree-guided group lasso for multi-response regression with structured
    sparsity, with an application to eQTL mapping", Ann. Appl. Stat. 6(3), 2012,
    https://doi.org/10.1214/12-AOAS549

    R. Jenatton, J. Mairal, G. Obozinski and F. Bach, "Proximal methods for hierarchical sparse
    coding", JMLR 12, 2011, https://jmlr.org/papers/v12/jenatton11a.html
    """

    alpha: float = strength(
        1.0,
        [Interval(Real, 0, None, closed="left")],
        "float",
        """
        Strength of the penalty, >= 0. :func:`skmtl.model_selection.alpha_max` is the smallest at
        which every coefficient is zero.
        """,
    )
    tree: Any = parameter(
        "auto",
        [StrOptions({"auto"}), "array-like"],
        '"auto", ndarray of shape (n_tasks - 1, 4) or nested lists',
        """
        A linkage matrix of :mod:`scipy.cluster.hierarchy` over the tasks in the order of
        ``tasks_``, with heights relative to the root's; or nested lists that name every task once,
        ``[["a", "b"], ["c", ["d", "e"]]]``, where a node whose longest path down to a task has s
        steps is at height (s - 1) / D, D being that number for the root. "auto": Ward's linkage of
        the coefficients of single-task fits, with a ridge of 0.3 times the mean eigenvalue of each
        task's Gram matrix. With more than 5000 tasks, Ward's linkage within groups of about 500
        tasks with similar coefficients, found by k-means, and of these groups.
        """,
    )

    # The estimator of the single-task fits.
    _single_task: ClassVar[type[TaskEstimator]]

    @property
    def _penalty_reads_labels(self) -> bool:  # type: ignore[override]
        return isinstance(self.tree, str)

    def _get_penalty(self, data: TaskData) -> Penalty | None:
        return self._constrained(self._tree_penalty(data), data.X.shape[1])

    def _tree_penalty(self, data: TaskData) -> Penalty | None:
        """The penalty without weights and signs of the features."""
        if isinstance(self.tree, str):
            return None if self.alpha == 0 else self._learned_penalty(data)
        groups, weights = tree_groups(self.tree, data.all_tasks.tolist())
        if self.alpha == 0:
            return None
        present = np.isin(np.arange(len(data.all_tasks)), data.positions)
        return TreeGroup(self.alpha, groups, weights).for_tasks(present)

    def _learned_penalty(self, data: TaskData) -> Penalty:
        # Tasks left out of the objective have no coefficients, and are not in the tree.
        tree = self._single_task_tree(data)
        return _LearnedTree(self.alpha, *tree_groups(tree, data.tasks.tolist()), tree)

    def _targets_compete(self, data: TaskData) -> bool:
        # For any tree, so that it need not be learned.
        return self.alpha > 0

    def _single_task_tree(self, data: TaskData) -> Array:
        """Ward's linkage of the coefficients of single-task ridge fits."""
        if data.n_tasks == 1:
            return np.zeros((0, 4))
        factors = self._task_factors(data)
        design = data.design(factors, fit_intercept=self.fit_intercept, pooling=None)
        curvatures = design.feature_curvature().mean(axis=1)
        ridges = np.ones(len(data.all_tasks))
        ridges[data.positions] = np.where(curvatures > 0, _RIDGE * curvatures, 1.0)
        kept = ("loss", "huber_delta", "quantile", "tweedie_power", "fit_intercept", "task_weight")
        params = {name: getattr(self, name) for name in kept if hasattr(self, name)}
        single = self._single_task(alpha=ridges, **params)
        single._beside = self._beside
        with gather_warnings():
            # The tree needs no precise fits, so that a warning of slow convergence is dropped.
            coef = single._fit_data(data).coef
        return ward_linkage(coef.astype(np.float64))

    def _minimise(
        self, objective: BaseObjective, start: Fit | None, dtype: Any, report: Report | None = None
    ) -> Fit:
        def with_tree(fit: Fit) -> Fit:
            return _TreeFit(**vars(fit), tree=_tree_in(objective.penalty))

        report = completed(report, with_tree)
        return with_tree(super()._minimise(objective, start, dtype, report))

    def _set_fit(self, data: TaskData, fit: Fit) -> Self:
        self.tree_ = self._tree_of(data, fit) if isinstance(self.tree, str) else self.tree
        return super()._set_fit(data, fit)

    def _tree_of(self, data: TaskData, fit: Fit) -> Array:
        """The tree of the tasks in the objective, also for a fit without penalty."""
        if not fit.learned.any():
            return np.zeros((0, 4))
        if isinstance(fit, _TreeFit) and fit.tree is not None:
            return fit.tree
        return self._single_task_tree(data.select(fit.learned))


def _tree_in(penalty: Any) -> Array | None:
    """The tree that was learned for a penalty, which weights or signs may wrap."""
    while hasattr(penalty, "penalty"):
        penalty = penalty.penalty
    return getattr(penalty, "tree", None)


@estimator
class TreeGuidedRegressor(_TreeGuided, TaskRegressor):
    r"""Regression tasks in a tree: those of one branch use the same features.

    .. math::

        \min_{W, b} \; F(W, b) + \alpha \sum_j \sum_v \omega_v \lVert W_{j, G_v} \rVert_2 ,
        \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    See Also
    --------
    BlockSparseRegressor : All tasks use the same features, as with a flat list of them.
    ClusteredTaskRegressor : Clusters of tasks with similar coefficients.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl import TreeGuidedRegressor
    >>> rng = np.random.default_rng(0)
    >>> W = np.zeros((6, 4))
    >>> W[0, :2], W[1, 2:] = [2.0, 3.0], [2.0, -1.0]
    >>> X = rng.normal(size=(100, 6))
    >>> Y = X @ W + 0.1 * rng.normal(size=(100, 4))
    >>> model = TreeGuidedRegressor(alpha=0.3, tree=[[0, 1], [2, 3]]).fit(X, Y)
    >>> (model.coef_ != 0).astype(int)
    array([[1, 0, 0, 0, 0, 0],
           [1, 0, 0, 0, 0, 0],
           [0, 1, 0, 0, 0, 0],
           [0, 1, 0, 0, 0, 0]])
    """

    _single_task = IndependentTaskRegressor


@estimator
class TreeGuidedClassifier(_TreeGuided, TaskClassifier):
    r"""Classification tasks in a tree: those of one branch use the same features.

    .. math::

        \min_{W, b} \; F(W, b) + \alpha \sum_j \sum_v \omega_v \lVert W_{j, G_v} \rVert_2 ,
        \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    See Also
    --------
    BlockSparseClassifier : All tasks use the same features, as with a flat list of them.
    ClusteredTaskClassifier : Clusters of tasks with similar coefficients.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl import TreeGuidedClassifier
    >>> rng = np.random.default_rng(0)
    >>> W = np.zeros((6, 4))
    >>> W[0, :2], W[1, 2:] = [2.0, 3.0], [2.0, -1.0]
    >>> X = rng.normal(size=(100, 6))
    >>> model = TreeGuidedClassifier(alpha=0.08, tree=[[0, 1], [2, 3]]).fit(X, X @ W > 0)
    >>> (model.coef_ != 0).astype(int)
    array([[1, 0, 0, 0, 0, 0],
           [1, 0, 0, 0, 0, 0],
           [0, 1, 0, 0, 0, 0],
           [0, 1, 0, 0, 0, 0]])
    """

    alpha: float = strength(0.01)

    _single_task = IndependentTaskClassifier
