"""Task clusters with a strength chosen by cross-validation."""

from typing import Any, ClassVar

from skmtl.estimators import ClusteredTaskClassifier, ClusteredTaskRegressor
from skmtl.model_selection._cv import TaskCV, constraints_without_alpha
from skmtl.model_selection._cv_docs import document_cv
from skmtl.penalties import ClusterNorm, RelaxedClusterNorm


class _ClusteredTaskCV(TaskCV):
    _varied: ClassVar[str | None] = "n_clusters"

    def _cluster_norm(self, n_tasks: int) -> ClusterNorm | RelaxedClusterNorm:
        norm: ClusterNorm | RelaxedClusterNorm = self._chosen()._cluster_norm(n_tasks)
        return norm


@document_cv
class ClusteredTaskRegressorCV(_ClusteredTaskCV, ClusteredTaskRegressor):
    r"""Regression tasks that lie in clusters; alpha by cross-validation.

    .. math::

        \min_{W, b} \; F(W, b) + \tfrac{\alpha}{2} \Bigl[ \epsilon_M T \lVert \bar w \rVert^2
        + \min_{\Sigma} \operatorname{tr}(W \Pi \, \Sigma^{-1} \, \Pi W') \Bigr] ,
        \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    over :math:`I \preceq \Sigma \preceq I / \epsilon_B` with trace
    :math:`T - r + (r - 1) / \epsilon_B` on the T - 1 directions between tasks. {symbols}
    :math:`\Pi = I - 1 1' / T` takes the mean task :math:`\bar w` away; r is ``n_clusters``,
    :math:`\epsilon_B` is ``between`` and :math:`\epsilon_M` is ``mean``.
    Alpha is chosen from a grid by the scores of held-out rows; see :class:`ClusteredTaskRegressor`.

    Parameters
    ----------
    alphas : int or array-like of shape (n_alphas,), default=30
        The number of strengths of a geometric grid, or the strengths themselves, finite and
        >= 0. The grid begins where at most 1% of the loss without coefficients (``mean=0``: with
        the same coefficients for all tasks) can be gained.
    eps : float, default=1e-6
        The smallest strength of the grid over the largest, in (0, 1).
    n_clusters : int, list of int or None, default=None
        The number of clusters, at most the number of tasks. None: the square root of half the
        number of tasks, rounded, at least 2 and at most all. The best of a list is chosen.
    clusters : array-like of shape (n_tasks,), dict, Series, list of lists or None, default=None
        Each task's cluster where it is known, in the order of ``tasks_`` or by task.
    form : {"centered", "relaxed"}, default="centered"
        The penalty above, or the relaxation of k-means, as in the plain estimator.
    between : float, default=0.3
        Weight of the distances between clusters, in (0, 1]; at 1 clusters make no difference.
        With ``form="centered"`` only.
    mean : float, default=0.01
        Weight of the mean task, >= 0; at 0 it is not penalised. With ``form="centered"`` only.
    eta : float, default=0.1
        Weight of the tasks' own squares, > 0. Relaxed form only.
    {cv}
    {regression_loss}
    {common}
    {scale_tasks}

    Attributes
    ----------
    alpha_ : float
        The chosen strength.
    n_clusters_ : int or None
        The chosen number of clusters; None where that is the parameter.
    {chosen}
    {attributes}
    labels_ : ndarray of shape (n_tasks,)
        Each task's cluster: k-means, with a fixed seed, on the r - 1 main directions of the
        centred coefficients (relaxed form: r, not centred). -1 for tasks that left the objective.
        Known clusters are as given.
    cluster_centers_ : ndarray of shape (n_clusters, n_features)
        Mean coefficients of each cluster's tasks.
    task_covariance_ : ndarray of shape (n_tasks, n_tasks)
        The minimising :math:`\Sigma`, plus :math:`1 1' / (T \epsilon_M)` for a penalised mean;
        in the relaxed form :math:`(\eta I + M) / (\eta (1 + \eta))`.
    task_correlation_ : ndarray of shape (n_tasks, n_tasks)
        The same scaled to a unit diagonal.
    feature_subspace_ : ndarray of shape (min(n_clusters, n_features), n_features)
        Relaxed form, unknown clusters: orthonormal rows that span what the tasks share.

    Notes
    -----
    {cv_notes}

    {notes}

    References
    ----------
    L. Jacob, F. Bach and J.-P. Vert, "Clustered multi-task learning: a convex formulation",
    NeurIPS 2008, https://doi.org/10.48550/arXiv.0809.2085

    {cv_references}

    See Also
    --------
    ClusteredTaskRegressor : The same for a given alpha.
    skmtl.model_selection.path : The fits over a grid, without cross-validation.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl import ClusteredTaskRegressorCV
    >>> rng = np.random.default_rng(0)
    >>> W = np.repeat(rng.normal(size=(5, 2)), 3, axis=1)
    >>> X = rng.normal(size=(60, 5))
    >>> Y = X @ W + rng.normal(size=(60, 6))
    >>> model = ClusteredTaskRegressorCV(n_clusters=[1, 2]).fit(X, Y)
    >>> model.n_clusters_
    2
    >>> labels = model.labels_
    >>> bool(len(set(labels[:3])) == len(set(labels[3:])) == 1 and labels[0] != labels[3])
    True
    """

    _plain = ClusteredTaskRegressor
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **constraints_without_alpha(ClusteredTaskRegressor),
        "n_clusters": [*ClusteredTaskRegressor._parameter_constraints["n_clusters"], "array-like"],
    }

    def __init__(
        self,
        alphas: Any = 30,
        *,
        eps: float = 1e-6,
        n_clusters: Any = None,
        clusters: Any = None,
        form: str = "centered",
        between: float = 0.3,
        mean: float = 0.01,
        eta: float = 0.1,
        cv: Any = None,
        scoring: Any = None,
        rule: str = "best",
        n_jobs: int | None = None,
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
        self.alphas = alphas
        self.eps = eps
        self.n_clusters = n_clusters
        self.clusters = clusters
        self.form = form
        self.between = between
        self.mean = mean
        self.eta = eta
        self.cv = cv
        self.scoring = scoring
        self.rule = rule
        self.n_jobs = n_jobs
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


@document_cv
class ClusteredTaskClassifierCV(_ClusteredTaskCV, ClusteredTaskClassifier):
    r"""Classification tasks that lie in clusters; alpha by cross-validation.

    .. math::

        \min_{W, b} \; F(W, b) + \tfrac{\alpha}{2} \Bigl[ \epsilon_M T \lVert \bar w \rVert^2
        + \min_{\Sigma} \operatorname{tr}(W \Pi \, \Sigma^{-1} \, \Pi W') \Bigr] ,
        \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    over :math:`I \preceq \Sigma \preceq I / \epsilon_B` with trace
    :math:`T - r + (r - 1) / \epsilon_B` on the T - 1 directions between tasks. {symbols}
    :math:`\Pi = I - 1 1' / T` takes the mean task :math:`\bar w` away; r is ``n_clusters``,
    :math:`\epsilon_B` is ``between`` and :math:`\epsilon_M` is ``mean``.
    Labels count as :math:`y_i = \pm 1`.
    Alpha is chosen from a grid by the scores of held-out rows; see
    :class:`ClusteredTaskClassifier`.

    Parameters
    ----------
    alphas : int or array-like of shape (n_alphas,), default=30
        The number of strengths of a geometric grid, or the strengths themselves, finite and
        >= 0. The grid begins where at most 1% of the loss without coefficients (``mean=0``: with
        the same coefficients for all tasks) can be gained.
    eps : float, default=1e-6
        The smallest strength of the grid over the largest, in (0, 1).
    n_clusters : int, list of int or None, default=None
        The number of clusters, at most the number of tasks. None: the square root of half the
        number of tasks, rounded, at least 2 and at most all. The best of a list is chosen.
    clusters : array-like of shape (n_tasks,), dict, Series, list of lists or None, default=None
        Each task's cluster where it is known, in the order of ``tasks_`` or by task.
    form : {"centered", "relaxed"}, default="centered"
        The penalty above, or the relaxation of k-means, as in the plain estimator.
    between : float, default=0.3
        Weight of the distances between clusters, in (0, 1]; at 1 clusters make no difference.
        With ``form="centered"`` only.
    mean : float, default=0.01
        Weight of the mean task, >= 0; at 0 it is not penalised. With ``form="centered"`` only.
    eta : float, default=0.1
        Weight of the tasks' own squares, > 0. Relaxed form only.
    {cv}
    {classification_loss}
    {common}
    {class_weight}

    Attributes
    ----------
    alpha_ : float
        The chosen strength.
    n_clusters_ : int or None
        The chosen number of clusters; None where that is the parameter.
    {chosen}
    {attributes}
    {classes}
    labels_ : ndarray of shape (n_tasks,)
        Each task's cluster: k-means, with a fixed seed, on the r - 1 main directions of the
        centred coefficients (relaxed form: r, not centred). -1 for tasks that left the objective.
        Known clusters are as given.
    cluster_centers_ : ndarray of shape (n_clusters, n_features)
        Mean coefficients of each cluster's tasks.
    task_covariance_ : ndarray of shape (n_tasks, n_tasks)
        The minimising :math:`\Sigma`, plus :math:`1 1' / (T \epsilon_M)` for a penalised mean;
        in the relaxed form :math:`(\eta I + M) / (\eta (1 + \eta))`.
    task_correlation_ : ndarray of shape (n_tasks, n_tasks)
        The same scaled to a unit diagonal.
    feature_subspace_ : ndarray of shape (min(n_clusters, n_features), n_features)
        Relaxed form, unknown clusters: orthonormal rows that span what the tasks share.

    Notes
    -----
    {cv_notes}

    {notes}

    {one_class}

    References
    ----------
    L. Jacob, F. Bach and J.-P. Vert, "Clustered multi-task learning: a convex formulation",
    NeurIPS 2008, https://doi.org/10.48550/arXiv.0809.2085

    {cv_references}

    See Also
    --------
    ClusteredTaskClassifier : The same for a given alpha.
    skmtl.model_selection.path : The fits over a grid, without cross-validation.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl import ClusteredTaskClassifierCV
    >>> rng = np.random.default_rng(0)
    >>> W = np.repeat(rng.normal(size=(5, 2)), 3, axis=1)
    >>> X = rng.normal(size=(100, 5))
    >>> Y = X @ W + rng.normal(size=(100, 6)) > 0
    >>> model = ClusteredTaskClassifierCV(alphas=20, n_clusters=2).fit(X, Y)
    >>> labels = model.labels_
    >>> bool(len(set(labels[:3])) == len(set(labels[3:])) == 1 and labels[0] != labels[3])
    True
    """

    _plain = ClusteredTaskClassifier
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **constraints_without_alpha(ClusteredTaskClassifier),
        "n_clusters": [*ClusteredTaskClassifier._parameter_constraints["n_clusters"], "array-like"],
    }

    def __init__(
        self,
        alphas: Any = 30,
        *,
        eps: float = 1e-6,
        n_clusters: Any = None,
        clusters: Any = None,
        form: str = "centered",
        between: float = 0.3,
        mean: float = 0.01,
        eta: float = 0.1,
        cv: Any = None,
        scoring: Any = None,
        rule: str = "best",
        n_jobs: int | None = None,
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
        self.alphas = alphas
        self.eps = eps
        self.n_clusters = n_clusters
        self.clusters = clusters
        self.form = form
        self.between = between
        self.mean = mean
        self.eta = eta
        self.cv = cv
        self.scoring = scoring
        self.rule = rule
        self.n_jobs = n_jobs
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
