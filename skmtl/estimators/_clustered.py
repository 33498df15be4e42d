"""Task clusters: tasks near their cluster's centre, clusters apart."""

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.utils._param_validation import Interval

from skmtl._warnings import warn
from skmtl.base import TaskClassifier, TaskEstimator, TaskRegressor
from skmtl.design import TaskData
from skmtl.estimators._covariance import TaskCovariance
from skmtl.estimators._docs import document
from skmtl.penalties import ClusterNorm, Penalty

_CONSTRAINTS = {
    "n_clusters": [Interval(Integral, 1, None, closed="left"), None],
    "between": [Interval(Real, 0, 1, closed="right")],
    "mean": [Interval(Real, 0, None, closed="left")],
}
# A step of theta smaller than this share of its range separates no clusters.
_SEPARATION = 0.1


class _ClusteredTask(TaskCovariance, TaskEstimator):
    def _get_penalty(self, data: TaskData) -> Penalty | None:
        # One task is a ridge whatever the number of clusters.
        if self.n_clusters is not None and self.n_clusters > len(data.all_tasks) > 1:
            raise ValueError(
                f"n_clusters={self.n_clusters} is more than the {len(data.all_tasks)} tasks. Use "
                f"at most one cluster per task, or n_clusters=None."
            )
        return self._cluster_norm(data.n_tasks) if self.alpha > 0 else None

    def _cluster_norm(self, n_tasks: int) -> ClusterNorm:
        r = self.n_clusters
        if r is None:
            r = max(2, round(np.sqrt(n_tasks / 2)))
        return ClusterNorm(self.alpha, min(r, n_tasks), self.between, self.mean)

    def _covariance(self, W: NDArray[Any]) -> NDArray[Any]:
        return self._cluster_norm(W.shape[1]).covariance(W)

    @property
    def labels_(self) -> NDArray[np.intp]:
        """Each task's cluster (n_tasks,)."""
        W = self._learned_coefficients()
        labels = np.full(len(self._learned), -1, dtype=np.intp)
        if self._learned.any():
            labels[self._learned] = _cluster(self._cluster_norm(W.shape[1]), W)
        return labels

    @property
    def cluster_centers_(self) -> NDArray[Any]:
        """Mean coefficients (n_clusters, n_features) of each cluster's tasks."""
        W = self._learned_coefficients()
        labels = self.labels_[self._learned]
        centres = np.full((self._cluster_norm(W.shape[1]).n_clusters, W.shape[0]), np.nan)
        for k in np.unique(labels):
            centres[k] = W[:, labels == k].mean(axis=1)
        return centres


def _cluster(norm: ClusterNorm, W: NDArray[Any]) -> NDArray[np.intp]:
    """k-means on the first r - 1 directions between the tasks, the columns of W."""
    n_tasks, r = W.shape[1], norm.n_clusters
    if r == 1:
        return np.zeros(n_tasks, dtype=np.intp)
    if r == n_tasks:
        return np.arange(n_tasks)
    theta, directions = norm.weights(W)
    low, high, _ = norm.box(n_tasks)
    step = theta[r - 2] - theta[r - 1]
    if step <= _SEPARATION * (high - low):
        warn(
            f"The tasks do not separate into {r} clusters: the weights of the directions between "
            f"them fall from {theta[r - 2]:.3g} to {theta[r - 1]:.3g} after the first {r - 1}. "
            f"labels_ is arbitrary; try another n_clusters, or a smaller alpha."
        )
    embedding = directions[:, : r - 1]
    return np.asarray(KMeans(r, n_init=10, random_state=0).fit(embedding).labels_, dtype=np.intp)


@document
class ClusteredTaskRegressor(_ClusteredTask, TaskRegressor):
    r"""Regression tasks that lie in clusters (cluster norm).

    .. math::

        \min_{W, b} \; F(W, b) + \tfrac{\alpha}{2} \Bigl[ \epsilon_M T \lVert \bar w \rVert^2
        + \min_{\Sigma} \operatorname{tr}(W \Pi \, \Sigma^{-1} \, \Pi W') \Bigr] ,
        \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    over :math:`I \preceq \Sigma \preceq I / \epsilon_B` with trace
    :math:`T - r + (r - 1) / \epsilon_B` on the T - 1 directions between tasks. {symbols}
    :math:`\Pi = I - 1 1' / T` takes the mean task :math:`\bar w` away; r is ``n_clusters``,
    :math:`\epsilon_B` is ``between`` and :math:`\epsilon_M` is ``mean``. The penalty relaxes, over
    all ways to form r clusters, the sum of squared distances of the tasks to their cluster's
    centre (weight 1), of the centres to the mean (:math:`\epsilon_B`), and of the mean to zero
    (:math:`\epsilon_M`).

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the whole penalty, >= 0.
    n_clusters : int or None, default=None
        The number of clusters, at most the number of tasks. None: the square root of half the
        number of tasks, rounded, at least 2 and at most all.
    between : float, default=0.3
        Weight of the distances between clusters, in (0, 1]; at 1 clusters make no difference.
    mean : float, default=0.01
        Weight of the mean task, >= 0; at 0 it is not penalised.
    {regression_loss}
    {common}
    {scale_tasks}

    Attributes
    ----------
    {attributes}
    labels_ : ndarray of shape (n_tasks,)
        Each task's cluster: k-means, with a fixed seed, on the r - 1 main directions of the
        centred coefficients. Warns when accessed if these do not stand out. -1 for tasks that
        left the objective.
    cluster_centers_ : ndarray of shape (n_clusters, n_features)
        Mean coefficients of each cluster's tasks; with ``scale_tasks`` those of the scaled
        labels, since the tasks' units differ.
    task_covariance_ : ndarray of shape (n_tasks, n_tasks)
        The minimising :math:`\Sigma`, plus :math:`1 1' / (T \epsilon_M)` for a penalised mean;
        NaN for tasks that left the objective.
    task_correlation_ : ndarray of shape (n_tasks, n_tasks)
        The same scaled to a unit diagonal.

    Notes
    -----
    Convex. One task alone is a ridge of strength ``alpha * mean``, one cluster a ridge on the
    tasks' distances to their mean. Each iteration also takes an eigendecomposition of the smaller
    side of W. {notes}

    References
    ----------
    L. Jacob, F. Bach and J.-P. Vert, "Clustered multi-task learning: a convex formulation",
    NeurIPS 2008, https://arxiv.org/abs/0809.2085; https://doi.org/10.48550/arXiv.0809.2085

    See Also
    --------
    TaskRelationRegressor : Learns a covariance without clusters.
    IndependentTaskRegressor : The same without ties, for ``between=1`` and ``mean=1``.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl import ClusteredTaskRegressor
    >>> rng = np.random.default_rng(0)
    >>> W = np.repeat(rng.normal(size=(5, 2)), 3, axis=1)
    >>> X = rng.normal(size=(100, 5))
    >>> Y = X @ W + 0.1 * rng.normal(size=(100, 6))
    >>> model = ClusteredTaskRegressor(alpha=0.1, n_clusters=2).fit(X, Y)
    >>> labels = model.labels_
    >>> bool(len(set(labels[:3])) == len(set(labels[3:])) == 1 and labels[0] != labels[3])
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
        n_clusters: int | None = None,
        between: float = 0.3,
        mean: float = 0.01,
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
        self.n_clusters = n_clusters
        self.between = between
        self.mean = mean
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
class ClusteredTaskClassifier(_ClusteredTask, TaskClassifier):
    r"""Classification tasks that lie in clusters (cluster norm).

    .. math::

        \min_{W, b} \; F(W, b) + \tfrac{\alpha}{2} \Bigl[ \epsilon_M T \lVert \bar w \rVert^2
        + \min_{\Sigma} \operatorname{tr}(W \Pi \, \Sigma^{-1} \, \Pi W') \Bigr] ,
        \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    over :math:`I \preceq \Sigma \preceq I / \epsilon_B` with trace
    :math:`T - r + (r - 1) / \epsilon_B` on the T - 1 directions between tasks. {symbols}
    Labels count as :math:`y_i = \pm 1`.
    :math:`\Pi = I - 1 1' / T` takes the mean task :math:`\bar w` away; r is ``n_clusters``,
    :math:`\epsilon_B` is ``between`` and :math:`\epsilon_M` is ``mean``. The penalty relaxes, over
    all ways to form r clusters, the sum of squared distances of the tasks to their cluster's
    centre (weight 1), of the centres to the mean (:math:`\epsilon_B`), and of the mean to zero
    (:math:`\epsilon_M`).

    Parameters
    ----------
    alpha : float, default=0.01
        Strength of the whole penalty, >= 0.
    n_clusters : int or None, default=None
        The number of clusters, at most the number of tasks. None: the square root of half the
        number of tasks, rounded, at least 2 and at most all.
    between : float, default=0.3
        Weight of the distances between clusters, in (0, 1]; at 1 clusters make no difference.
    mean : float, default=0.01
        Weight of the mean task, >= 0; at 0 it is not penalised.
    {classification_loss}
    {common}
    {class_weight}

    Attributes
    ----------
    {attributes}
    {classes}
    labels_ : ndarray of shape (n_tasks,)
        Each task's cluster: k-means, with a fixed seed, on the r - 1 main directions of the
        centred coefficients. Warns when accessed if these do not stand out. -1 for tasks that
        left the objective.
    cluster_centers_ : ndarray of shape (n_clusters, n_features)
        Mean coefficients of each cluster's tasks.
    task_covariance_ : ndarray of shape (n_tasks, n_tasks)
        The minimising :math:`\Sigma`, plus :math:`1 1' / (T \epsilon_M)` for a penalised mean;
        NaN for tasks that left the objective.
    task_correlation_ : ndarray of shape (n_tasks, n_tasks)
        The same scaled to a unit diagonal.

    Notes
    -----
    Convex. One task alone is a ridge of strength ``alpha * mean``, one cluster a ridge on the
    tasks' distances to their mean. Each iteration also takes an eigendecomposition of the smaller
    side of W. {notes}

    {one_class}

    References
    ----------
    L. Jacob, F. Bach and J.-P. Vert, "Clustered multi-task learning: a convex formulation",
    NeurIPS 2008, https://arxiv.org/abs/0809.2085; https://doi.org/10.48550/arXiv.0809.2085

    See Also
    --------
    TaskRelationClassifier : Learns a covariance without clusters.
    IndependentTaskClassifier : The same without ties, for ``between=1`` and ``mean=1``.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl import ClusteredTaskClassifier
    >>> rng = np.random.default_rng(0)
    >>> W = np.repeat(rng.normal(size=(5, 2)), 3, axis=1)
    >>> X = rng.normal(size=(100, 5))
    >>> Y = X @ W > 0
    >>> model = ClusteredTaskClassifier(alpha=0.01, n_clusters=2).fit(X, Y)
    >>> labels = model.labels_
    >>> bool(len(set(labels[:3])) == len(set(labels[3:])) == 1 and labels[0] != labels[3])
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
        n_clusters: int | None = None,
        between: float = 0.3,
        mean: float = 0.01,
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
        self.n_clusters = n_clusters
        self.between = between
        self.mean = mean
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
