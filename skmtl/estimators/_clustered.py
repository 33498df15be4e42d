"""Task clusters: tasks near their cluster's centre, clusters apart."""

from numbers import Integral, Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval, StrOptions

from skmtl.estimators._clusters import TaskClusters
from skmtl.estimators._docs import document
from skmtl.estimators.base import TaskClassifier, TaskRegressor

_CONSTRAINTS = {
    "n_clusters": [Interval(Integral, 1, None, closed="left"), None],
    "clusters": ["array-like", dict, None],
    "form": [StrOptions({"centered", "relaxed"})],
    "between": [Interval(Real, 0, 1, closed="right")],
    "mean": [Interval(Real, 0, None, closed="left")],
    "eta": [Interval(Real, 0, None, closed="neither")],
}


@document
class ClusteredTaskRegressor(TaskClusters, TaskRegressor):
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
    (:math:`\epsilon_M`). ``form="relaxed"`` has in its place

    .. math::

        \tfrac{\alpha}{2} \eta (1 + \eta) \min_M \operatorname{tr}(W (\eta I + M)^{-1} W') ,
        \qquad 0 \preceq M \preceq I , \; \operatorname{tr} M = r ,

    which relaxes the squared distances of the tasks to their cluster's centre (weight 1), the
    cost of k-means, plus :math:`\eta \lVert W \rVert_F^2`. It is also convex alternating structure
    optimisation (cASO): an M between features, where these are at least r, would give the same W.
    Where ``clusters`` are known, either form is the quadratic that it relaxes.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the whole penalty, >= 0.
    n_clusters : int or None, default=None
        The number of clusters, at most the number of tasks. None: the square root of half the
        number of tasks, rounded, at least 2 and at most all.
    clusters : array-like of shape (n_tasks,), dict, Series, list of lists or None, default=None
        Each task's cluster where it is known, in the order of ``tasks_`` or, in a dict or a pandas
        Series, by task. Or a list of the names of each cluster's tasks.
    form : {"centered", "relaxed"}, default="centered"
        The first penalty above, or the second, the relaxation of k-means.
    between : float, default=0.3
        Weight of the distances between clusters, in (0, 1]; at 1 clusters make no difference.
        With ``form="centered"`` only.
    mean : float, default=0.01
        Weight of the mean task, >= 0; at 0 it is not penalised. With ``form="centered"`` only.
    eta : float, default=0.1
        Weight of the tasks' own squares, > 0. Relaxed form only.
    {regression_loss}
    {common}
    {scale_tasks}

    Attributes
    ----------
    {attributes}
    labels_ : ndarray of shape (n_tasks,)
        Each task's cluster: k-means, with a fixed seed, on the r - 1 main directions of the
        centred coefficients (relaxed form: r, not centred). Warns when accessed if these do not
        stand out. -1 for tasks that left the objective. Known clusters are as given.
    cluster_centers_ : ndarray of shape (n_clusters, n_features)
        Mean coefficients of each cluster's tasks, known clusters in ascending order; with
        ``scale_tasks`` those of the scaled labels, since the tasks' units differ.
    task_covariance_ : ndarray of shape (n_tasks, n_tasks)
        The minimising :math:`\Sigma`, plus :math:`1 1' / (T \epsilon_M)` for a penalised mean;
        in the relaxed form :math:`(\eta I + M) / (\eta (1 + \eta))`. NaN for tasks that left the
        objective.
    task_correlation_ : ndarray of shape (n_tasks, n_tasks)
        The same scaled to a unit diagonal.
    feature_subspace_ : ndarray of shape (min(n_clusters, n_features), n_features)
        Relaxed form, unknown clusters: orthonormal rows that span what the tasks share, the main
        directions of the coefficients between features.

    Notes
    -----
    Convex. One task alone is a ridge of strength ``alpha * mean``, one cluster a ridge on the
    tasks' distances to their mean; the relaxed form with as many clusters as tasks is a ridge of
    strength ``alpha * eta``. With unknown clusters each iteration also takes an
    eigendecomposition of the smaller side of W. {notes}

    References
    ----------
    L. Jacob, F. Bach and J.-P. Vert, "Clustered multi-task learning: a convex formulation",
    NeurIPS 2008, https://arxiv.org/abs/0809.2085; https://doi.org/10.48550/arXiv.0809.2085

    J. Zhou, J. Chen and J. Ye, "Clustered multi-task learning via alternating structure
    optimization", NeurIPS 2011 (the relaxed form),
    https://papers.nips.cc/paper/4292-clustered-multi-task-learning-via-alternating-structure-optimization

    J. Chen, L. Tang, J. Liu and J. Ye, "A convex formulation for learning shared structures from
    multiple tasks", ICML 2009 (cASO), https://doi.org/10.1145/1553374.1553392

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
        clusters: Any = None,
        form: str = "centered",
        between: float = 0.3,
        mean: float = 0.01,
        eta: float = 0.1,
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
        self.n_clusters = n_clusters
        self.clusters = clusters
        self.form = form
        self.between = between
        self.mean = mean
        self.eta = eta
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
class ClusteredTaskClassifier(TaskClusters, TaskClassifier):
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
    (:math:`\epsilon_M`). ``form="relaxed"`` has in its place

    .. math::

        \tfrac{\alpha}{2} \eta (1 + \eta) \min_M \operatorname{tr}(W (\eta I + M)^{-1} W') ,
        \qquad 0 \preceq M \preceq I , \; \operatorname{tr} M = r ,

    which relaxes the squared distances of the tasks to their cluster's centre (weight 1), the
    cost of k-means, plus :math:`\eta \lVert W \rVert_F^2`. It is also convex alternating structure
    optimisation (cASO): an M between features, where these are at least r, would give the same W.
    Where ``clusters`` are known, either form is the quadratic that it relaxes.

    Parameters
    ----------
    alpha : float, default=0.01
        Strength of the whole penalty, >= 0.
    n_clusters : int or None, default=None
        The number of clusters, at most the number of tasks. None: the square root of half the
        number of tasks, rounded, at least 2 and at most all.
    clusters : array-like of shape (n_tasks,), dict, Series, list of lists or None, default=None
        Each task's cluster where it is known, in the order of ``tasks_`` or, in a dict or a pandas
        Series, by task. Or a list of the names of each cluster's tasks.
    form : {"centered", "relaxed"}, default="centered"
        The first penalty above, or the second, the relaxation of k-means.
    between : float, default=0.3
        Weight of the distances between clusters, in (0, 1]; at 1 clusters make no difference.
        With ``form="centered"`` only.
    mean : float, default=0.01
        Weight of the mean task, >= 0; at 0 it is not penalised. With ``form="centered"`` only.
    eta : float, default=0.1
        Weight of the tasks' own squares, > 0. Relaxed form only.
    {classification_loss}
    {common}
    {class_weight}

    Attributes
    ----------
    {attributes}
    {classes}
    labels_ : ndarray of shape (n_tasks,)
        Each task's cluster: k-means, with a fixed seed, on the r - 1 main directions of the
        centred coefficients (relaxed form: r, not centred). Warns when accessed if these do not
        stand out. -1 for tasks that left the objective. Known clusters are as given.
    cluster_centers_ : ndarray of shape (n_clusters, n_features)
        Mean coefficients of each cluster's tasks, known clusters in ascending order.
    task_covariance_ : ndarray of shape (n_tasks, n_tasks)
        The minimising :math:`\Sigma`, plus :math:`1 1' / (T \epsilon_M)` for a penalised mean;
        in the relaxed form :math:`(\eta I + M) / (\eta (1 + \eta))`. NaN for tasks that left the
        objective.
    task_correlation_ : ndarray of shape (n_tasks, n_tasks)
        The same scaled to a unit diagonal.
    feature_subspace_ : ndarray of shape (min(n_clusters, n_features), n_features)
        Relaxed form, unknown clusters: orthonormal rows that span what the tasks share, the main
        directions of the coefficients between features.

    Notes
    -----
    Convex. One task alone is a ridge of strength ``alpha * mean``, one cluster a ridge on the
    tasks' distances to their mean; the relaxed form with as many clusters as tasks is a ridge of
    strength ``alpha * eta``. With unknown clusters each iteration also takes an
    eigendecomposition of the smaller side of W. {notes}

    {one_class}

    References
    ----------
    L. Jacob, F. Bach and J.-P. Vert, "Clustered multi-task learning: a convex formulation",
    NeurIPS 2008, https://arxiv.org/abs/0809.2085; https://doi.org/10.48550/arXiv.0809.2085

    J. Zhou, J. Chen and J. Ye, "Clustered multi-task learning via alternating structure
    optimization", NeurIPS 2011 (the relaxed form),
    https://papers.nips.cc/paper/4292-clustered-multi-task-learning-via-alternating-structure-optimization

    J. Chen, L. Tang, J. Liu and J. Ye, "A convex formulation for learning shared structures from
    multiple tasks", ICML 2009 (cASO), https://doi.org/10.1145/1553374.1553392

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
        clusters: Any = None,
        form: str = "centered",
        between: float = 0.3,
        mean: float = 0.01,
        eta: float = 0.1,
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
        self.n_clusters = n_clusters
        self.clusters = clusters
        self.form = form
        self.between = between
        self.mean = mean
        self.eta = eta
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
