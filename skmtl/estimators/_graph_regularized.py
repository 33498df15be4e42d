"""A graph of tasks: neighbours have nearby coefficients."""

from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions

from skmtl._graphs import laplacian_of, read_graph, read_laplacian
from skmtl._warnings import warn
from skmtl.design import TaskData
from skmtl.estimators._docs import document
from skmtl.estimators._order import task_graph, warn_of_alphabet
from skmtl.estimators.base import Fit, TaskClassifier, TaskEstimator, TaskRegressor
from skmtl.objective import BaseObjective
from skmtl.penalties import L1, L21, FusedTasks, Penalty, TaskQuadratic

_CONSTRAINTS: dict[str, list[Any]] = {
    "graph": [StrOptions({"complete", "chain"}), "array-like", "sparse matrix"],
    "laplacian": ["array-like", "sparse matrix", None],
    "ridge": [Interval(Real, 0, None, closed="left")],
    "sparse": [Interval(Real, 0, None, closed="left")],
    "block": [Interval(Real, 0, None, closed="left")],
}


class _GraphRegularized(TaskEstimator):
    def _get_penalty(self, data: TaskData) -> Penalty | None:
        L = self._laplacian(data, data.positions)
        if self.alpha == 0:
            return None
        quadratic = TaskQuadratic(L + self.ridge * np.eye(len(L)), self.alpha)
        norm = _norm(self.alpha * self.sparse, self.alpha * self.block)
        return quadratic if norm is None else norm + quadratic

    def _laplacian(self, data: TaskData, positions: NDArray[Any]) -> NDArray[Any]:
        """L between the tasks at some positions, as if there were no others."""
        tasks, chosen = data.all_tasks, np.ix_(positions, positions)
        if self.laplacian is not None:
            if not (isinstance(self.graph, str) and self.graph == "complete"):
                raise ValueError(
                    "Both 'graph' and 'laplacian' are given, and each states how tasks are "
                    "related. Leave one of them out."
                )
            return read_laplacian(self.laplacian, tasks)[chosen]
        if isinstance(self.graph, str) and self.graph == "complete":
            return laplacian_of(read_graph("complete", tasks[positions]))
        return laplacian_of(task_graph(self.graph, data)[chosen])

    def _minimise(self, objective: BaseObjective, start: Fit | None, dtype: Any) -> Fit:
        if self.alpha > 0 and not objective.has_dual:
            warn(
                f"With ridge=0 nothing holds the mean of the tasks that the graph joins, and with "
                f"{objective.n_features} features no duality gap can be given. Set ridge > 0."
            )
        return super()._minimise(objective, start, dtype)

    def _set_fit(self, data: TaskData, fit: Fit) -> Self:
        super()._set_fit(data, fit)
        self.laplacian_ = self._laplacian(data, np.arange(data.n_tasks))
        if self.laplacian is None:
            warn_of_alphabet(data, self.graph)
        return self


def _norm(sparse: float, block: float) -> Penalty | None:
    """The L1 and the L2,1 norm, whichever there is, with one prox."""
    if sparse > 0 and block > 0:
        return FusedTasks(1.0, 0.0, sparse, block)
    if sparse > 0:
        return L1(sparse)
    return L21(block) if block > 0 else None


@document
class GraphRegularizedRegressor(_GraphRegularized, TaskRegressor):
    r"""Regression tasks on a graph, whose neighbours have nearby coefficients.

    .. math::

        \min_{W, b} \; F(W, b) + \tfrac{\alpha}{2} \bigl[ \operatorname{tr}(W L W')
        + \rho \lVert W \rVert_F^2 \bigr]
        + \alpha \bigl[ \mu \sum_{jt} |W_{jt}| + \beta \sum_j \lVert W_{j\cdot} \rVert_2
        \bigr] ,
        \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    {symbols} L is the Laplacian of a graph of tasks with weights :math:`a_{st}`,
    :math:`\operatorname{tr}(W L W') = \sum_{s < t} a_{st} \lVert w_s - w_t \rVert^2`;
    :math:`\rho` is ``ridge``, :math:`\mu` is ``sparse`` and :math:`\beta` is ``block``. The
    complete graph is mean regularisation, :math:`\sum_t \lVert w_t - \bar w \rVert^2` with the
    mean task :math:`\bar w`.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the whole penalty, >= 0.
    graph : "complete", "chain", array, sparse matrix, data frame or list, default="complete"
        "complete": all tasks are alike, L = I - 11'/T. "chain": each is like the next in the order
        of the categories where the task column is an ordered categorical, otherwise of ``tasks_``
        (a warning says so of sorted strings). A matrix (n_tasks, n_tasks): the weights of the
        edges, symmetric, >= 0; the rows and columns of a data frame are matched to the tasks by
        name. A list: edges by task name, pairs of weight 1 or triples ``("ash", "elm", 0.5)``.
    laplacian : array, sparse matrix or data frame of shape (n_tasks, n_tasks), default=None
        L itself, any positive semidefinite matrix, in place of a graph.
    ridge : float, default=0.0
        Strength of the squared norm of W relative to alpha, >= 0. At 0 nothing shrinks what the
        tasks that the graph joins have in common.
    sparse : float, default=0.0
        Strength of the L1 norm relative to alpha, >= 0.
    block : float, default=0.0
        Strength of the L2,1 norm relative to alpha, >= 0: it selects features for all tasks.
    {regression_loss}
    {common}
    {scale_tasks}

    Attributes
    ----------
    {attributes}
    laplacian_ : ndarray of shape (n_tasks, n_tasks)
        L.

    Raises
    ------
    ValueError
        In ``fit``, if ``graph`` is not symmetric, not non-negative or not of the tasks, names a
        task that there is not or lacks one, or if ``laplacian`` is not positive semidefinite.

    Notes
    -----
    Convex. Without ``sparse`` and ``block`` each Newton step solves one linear system of all
    tasks. With ``ridge=0``, more than 2000 features and no norm the fit cannot be certified, and
    warns. Tasks that leave the objective leave the graph with their edges. {notes}

    References
    ----------
    T. Evgeniou and M. Pontil, "Regularized multi-task learning", KDD 2004,
    https://doi.org/10.1145/1014052.1014067

    J. Zhou, L. Yuan, J. Liu and J. Ye, "A multi-task learning formulation for predicting disease
    progression", KDD 2011, https://doi.org/10.1145/2020408.2020549

    See Also
    --------
    FusedTaskRegressor : Neighbours share coefficients exactly.
    ClusteredTaskRegressor : Learns which tasks are alike.

    Examples
    --------
    Four months, each like the ones before and after it:

    >>> import numpy as np
    >>> from skmtl import GraphRegularizedRegressor
    >>> rng = np.random.default_rng(0)
    >>> X, w = rng.normal(size=(50, 5)), rng.normal(size=5)
    >>> Y = np.outer(X @ w, [1.0, 1.1, 1.2, 1.3]) + rng.normal(size=(50, 4))
    >>> model = GraphRegularizedRegressor(0.5, graph="chain", ridge=0.01).fit(X, Y)
    >>> model.laplacian_[0]
    array([ 1., -1.,  0.,  0.])
    >>> edges = [(0, 1), (1, 2), (2, 3, 0.5)]
    >>> float(GraphRegularizedRegressor(0.5, graph=edges).fit(X, Y).laplacian_[3, 2])
    -0.5
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **TaskRegressor._parameter_constraints,
        **_CONSTRAINTS,
    }

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        graph: Any = "complete",
        laplacian: Any = None,
        ridge: float = 0.0,
        sparse: float = 0.0,
        block: float = 0.0,
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
        self.graph = graph
        self.laplacian = laplacian
        self.ridge = ridge
        self.sparse = sparse
        self.block = block
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
class GraphRegularizedClassifier(_GraphRegularized, TaskClassifier):
    r"""Classification tasks on a graph, whose neighbours have nearby coefficients.

    .. math::

        \min_{W, b} \; F(W, b) + \tfrac{\alpha}{2} \bigl[ \operatorname{tr}(W L W')
        + \rho \lVert W \rVert_F^2 \bigr]
        + \alpha \bigl[ \mu \sum_{jt} |W_{jt}| + \beta \sum_j \lVert W_{j\cdot} \rVert_2
        \bigr] ,
        \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    {symbols} Labels count as :math:`y_i = \pm 1`.
    L is the Laplacian of a graph of tasks with weights :math:`a_{st}`,
    :math:`\operatorname{tr}(W L W') = \sum_{s < t} a_{st} \lVert w_s - w_t \rVert^2`;
    :math:`\rho` is ``ridge``, :math:`\mu` is ``sparse`` and :math:`\beta` is ``block``. The
    complete graph is mean regularisation, :math:`\sum_t \lVert w_t - \bar w \rVert^2` with the
    mean task :math:`\bar w`.

    Parameters
    ----------
    alpha : float, default=0.01
        Strength of the whole penalty, >= 0.
    graph : "complete", "chain", array, sparse matrix, data frame or list, default="complete"
        "complete": all tasks are alike, L = I - 11'/T. "chain": each is like the next in the order
        of the categories where the task column is an ordered categorical, otherwise of ``tasks_``
        (a warning says so of sorted strings). A matrix (n_tasks, n_tasks): the weights of the
        edges, symmetric, >= 0; the rows and columns of a data frame are matched to the tasks by
        name. A list: edges by task name, pairs of weight 1 or triples ``("ash", "elm", 0.5)``.
    laplacian : array, sparse matrix or data frame of shape (n_tasks, n_tasks), default=None
        L itself, any positive semidefinite matrix, in place of a graph.
    ridge : float, default=0.0
        Strength of the squared norm of W relative to alpha, >= 0. At 0 nothing shrinks what the
        tasks that the graph joins have in common.
    sparse : float, default=0.0
        Strength of the L1 norm relative to alpha, >= 0.
    block : float, default=0.0
        Strength of the L2,1 norm relative to alpha, >= 0: it selects features for all tasks.
    {classification_loss}
    {common}
    {class_weight}

    Attributes
    ----------
    {attributes}
    {classes}
    laplacian_ : ndarray of shape (n_tasks, n_tasks)
        L.

    Raises
    ------
    ValueError
        In ``fit``, if ``graph`` is not symmetric, not non-negative or not of the tasks, names a
        task that there is not or lacks one, or if ``laplacian`` is not positive semidefinite.

    Notes
    -----
    Convex. Without ``sparse`` and ``block`` each Newton step solves one linear system of all
    tasks. With ``ridge=0``, more than 2000 features and no norm the fit cannot be certified, and
    warns. Tasks that leave the objective leave the graph with their edges. {notes}

    {one_class}

    References
    ----------
    T. Evgeniou and M. Pontil, "Regularized multi-task learning", KDD 2004,
    https://doi.org/10.1145/1014052.1014067

    J. Zhou, L. Yuan, J. Liu and J. Ye, "A multi-task learning formulation for predicting disease
    progression", KDD 2011, https://doi.org/10.1145/2020408.2020549

    See Also
    --------
    FusedTaskClassifier : Neighbours share coefficients exactly.
    ClusteredTaskClassifier : Learns which tasks are alike.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl import GraphRegularizedClassifier
    >>> rng = np.random.default_rng(0)
    >>> X, w = rng.normal(size=(50, 5)), rng.normal(size=5)
    >>> Y = np.outer(X @ w, [1.0, 1.1, 1.2]) + rng.normal(size=(50, 3)) > 0
    >>> model = GraphRegularizedClassifier(0.05, graph=[(0, 1), (1, 2)], ridge=0.1).fit(X, Y)
    >>> model.laplacian_[0]
    array([ 1., -1.,  0.])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **TaskClassifier._parameter_constraints,
        **_CONSTRAINTS,
    }

    def __init__(
        self,
        alpha: float = 0.01,
        *,
        graph: Any = "complete",
        laplacian: Any = None,
        ridge: float = 0.0,
        sparse: float = 0.0,
        block: float = 0.0,
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
        self.graph = graph
        self.laplacian = laplacian
        self.ridge = ridge
        self.sparse = sparse
        self.block = block
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
