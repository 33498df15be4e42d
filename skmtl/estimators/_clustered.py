"""Task clusters: tasks are close to the centres of their clusters."""

from numbers import Integral, Real
from typing import Any

from sklearn.utils._param_validation import Interval, StrOptions

from skmtl.estimators._clusters import TaskClusters
from skmtl.estimators.base import (
    NewTaskRegressor,
    TaskClassifier,
    estimator,
    parameter,
    strength,
)


@estimator
class _ClusteredTask(TaskClusters):
    r"""The cluster norm, the relaxation of k-means, or the quadratic of known clusters.

    :math:`\Pi = I - 1 1' / T` removes the mean task :math:`\bar w`; r is ``n_clusters``,
    :math:`\epsilon_B` is ``between`` and :math:`\epsilon_M` is ``mean``. The penalty is a convex
    relaxation, over all partitions of the tasks into r clusters, of a weighted sum of squared
    distances: of the tasks to their cluster's centre (weight 1), of the centres to the mean
    (:math:`\epsilon_B`), and of the mean to zero (:math:`\epsilon_M`). With ``form="relaxed"`` the
    penalty is instead

    .. math::

        \tfrac{\alpha}{2} \eta (1 + \eta) \min_M \operatorname{tr}(W (\eta I + M)^{-1} W') ,
        \qquad 0 \preceq M \preceq I , \; \operatorname{tr} M = r ,

    which relaxes the squared distances of the tasks to their cluster's centre (weight 1), the
    cost of k-means, plus :math:`\eta \lVert W \rVert_F^2`. It is also convex alternating structure
    optimisation (cASO): a matrix M between features instead of tasks gives the same W if there are
    at least r features. If ``clusters`` are known, the penalty is the quadratic of which the given
    form is a relaxation.

    Attributes
    ----------
    task_covariance_ : ndarray of shape (n_tasks, n_tasks)
        The minimising :math:`\Sigma`, plus :math:`1 1' / (T \epsilon_M)` if the mean is penalised;
        in the relaxed form :math:`(\eta I + M) / (\eta (1 + \eta))`. NaN for tasks that were left
        out of the objective.
    labels_ : ndarray of shape (n_tasks,)
        Each task's cluster, from k-means with a fixed seed on the r - 1 leading directions between
        tasks of the centred coefficients (relaxed form: the r leading directions, not centred).
        Accessing it warns if these directions do not stand out. -1 for tasks that were left out of
        the objective. Known clusters are returned as given.
    cluster_centers_ : ndarray of shape (n_clusters, n_features)
        Mean coefficients of each cluster's tasks, known clusters in ascending order.
    feature_subspace_ : ndarray of shape (min(n_clusters, n_features), n_features)
        Only in the relaxed form with unknown clusters: orthonormal rows that span the directions
        of the features that the tasks share, the leading left singular vectors of W.

    Notes
    -----
    Convex. The prior for a new task has the mean task as its mean. If the clusters are unknown, its
    covariance is :math:`C = M / \alpha`, where M minimises the same penalty, between the features
    instead of the tasks: a new task may differ from the mean most in the directions in which the
    clusters differ. If they are known, a new task with labels joins the cluster k in which its
    objective is lowest, with the prior :math:`\tfrac{\alpha}{2} \lVert w - \bar w_k \rVert^2`
    around the mean of its tasks (relaxed form: plus :math:`\tfrac{\alpha}{2} \eta \lVert w
    \rVert^2`); without labels the prior is that of a cluster of its own, :math:`C = I / (\alpha
    \epsilon_B)` (relaxed form: :math:`I / (\alpha \eta)`).

    In the centred form, a single task has a ridge penalty of strength ``alpha * mean``,
    and one cluster a ridge penalty on the tasks' distances to their mean; the relaxed form with as
    many clusters as tasks is a ridge of strength ``alpha * eta``. With unknown clusters each
    iteration also takes an eigendecomposition of W'W or WW', whichever is smaller.

    References
    ----------
    L. Jacob, F. Bach and J.-P. Vert, "Clustered multi-task learning: a convex formulation",
    NeurIPS 2008, https://arxiv.org/abs/0809.2085; https://doi.org/10.48550/arXiv.0809.2085

    J. Zhou, J. Chen and J. Ye, "Clustered multi-task learning via alternating structure
    optimization", NeurIPS 2011 (the relaxed form),
    https://papers.nips.cc/paper/4292-clustered-multi-task-learning-via-alternating-structure-optimization

    J. Chen, L. Tang, J. Liu and J. Ye, "A convex formulation for learning shared structures from
    multiple tasks", ICML 2009 (cASO), https://doi.org/10.1145/1553374.1553392
    """

    alpha: float = strength(
        1.0,
        [Interval(Real, 0, None, closed="left")],
        "float",
        "Strength of the whole penalty, >= 0.",
    )
    n_clusters: int | None = parameter(
        None,
        [Interval(Integral, 1, None, closed="left"), None],
        "int or None",
        """
        Number of clusters, at most the number of tasks. None: the square root of half the number
        of tasks, rounded, but at least 2 and at most the number of tasks.
        """,
    )
    clusters: Any = parameter(
        None,
        ["array-like", dict, None],
        "array-like of shape (n_tasks,), dict, Series, list of lists or None",
        """
        Known clusters: each task's cluster in the order of ``tasks_``, or by task in a dict or a
        pandas Series; or one list of task names per cluster.
        """,
    )
    form: str = parameter(
        "centered",
        [StrOptions({"centered", "relaxed"})],
        '{"centered", "relaxed"}',
        "The first penalty above, or the second, which is the relaxation of k-means.",
    )
    between: float = parameter(
        0.3,
        [Interval(Real, 0, 1, closed="right")],
        "float",
        """
        Weight of the distances between clusters, in (0, 1]; at 1 the clusters have no effect. Only
        with ``form="centered"``.
        """,
    )
    mean: float = parameter(
        0.01,
        [Interval(Real, 0, None, closed="left")],
        "float",
        """
        Weight of the mean task, >= 0; at 0 it is not penalised. Only with ``form="centered"``.
        """,
    )
    eta: float = parameter(
        0.1,
        [Interval(Real, 0, None, closed="neither")],
        "float",
        r"""
        Weight of the tasks' squared norms, :math:`\lVert W \rVert_F^2`, > 0. Only with
        ``form="relaxed"``.
        """,
    )


@estimator
class ClusteredTaskRegressor(_ClusteredTask, NewTaskRegressor):
    r"""Regression tasks that lie in clusters (cluster norm).

    .. math::

        \min_{W, b} \; F(W, b) + \tfrac{\alpha}{2} \Bigl[ \epsilon_M T \lVert \bar w \rVert^2
        + \min_{\Sigma} \operatorname{tr}(W \Pi \, \Sigma^{-1} \, \Pi W') \Bigr] ,
        \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    over :math:`I \preceq \Sigma \preceq I / \epsilon_B` with trace
    :math:`T - r + (r - 1) / \epsilon_B` on the T - 1 directions between tasks.

    Attributes
    ----------
    cluster_centers_ : ndarray of shape (n_clusters, n_features)
        Mean coefficients of each cluster's tasks, known clusters in ascending order; with
        ``scale_tasks`` those for the scaled labels, because the tasks' units differ.

    See Also
    --------
    TaskRelationRegressor : Learns a covariance without clusters.
    IndependentTaskRegressor : A separate ridge for each task (``between=1, mean=1``).

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


@estimator
class ClusteredTaskClassifier(_ClusteredTask, TaskClassifier):
    r"""Classification tasks that lie in clusters (cluster norm).

    .. math::

        \min_{W, b} \; F(W, b) + \tfrac{\alpha}{2} \Bigl[ \epsilon_M T \lVert \bar w \rVert^2
        + \min_{\Sigma} \operatorname{tr}(W \Pi \, \Sigma^{-1} \, \Pi W') \Bigr] ,
        \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    over :math:`I \preceq \Sigma \preceq I / \epsilon_B` with trace
    :math:`T - r + (r - 1) / \epsilon_B` on the T - 1 directions between tasks.

    See Also
    --------
    TaskRelationClassifier : Learns a covariance without clusters.
    IndependentTaskClassifier : A separate ridge for each task (``between=1, mean=1``).

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

    alpha: float = strength(0.01)
