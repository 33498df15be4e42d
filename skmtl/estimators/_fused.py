"""Fused tasks: neighbours share coefficients exactly, but for a few jumps."""

from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions

from skmtl._graphs import read_graph
from skmtl.design import TaskData
from skmtl.estimators._docs import document
from skmtl.estimators._order import path_order, read_order, task_graph, warn_of_alphabet
from skmtl.estimators.base import Fit, TaskClassifier, TaskEstimator, TaskRegressor
from skmtl.penalties import (
    L1,
    L21,
    FusedTasks,
    GraphTotalVariation,
    PairwiseFusion,
    Penalty,
)

_CONSTRAINTS: dict[str, list[Any]] = {
    "fused": [Interval(Real, 0, None, closed="left")],
    "sparse": [Interval(Real, 0, None, closed="left")],
    "block": [Interval(Real, 0, None, closed="left")],
    "order": ["array-like", None],
    "graph": [StrOptions({"complete", "chain"}), "array-like", "sparse matrix", None],
}
# Smaller differences on a graph, relative to the largest coefficient, are the solver's rounding.
_JUMP = 1e-3


class _FusedTask(TaskEstimator):
    def _get_penalty(self, data: TaskData) -> Penalty | None:
        return self._on_links(*self._links(data, data.positions), data.n_tasks)

    def _on_links(
        self, links: NDArray[np.intp], weights: NDArray[Any], n_tasks: int
    ) -> Penalty | None:
        """The penalty on n_tasks tasks, its edges (n_edges, 2) of the given weights."""
        # One task alone has nobody to share with.
        fused = float(self.fused) if len(links) else 0.0
        if self.alpha == 0 or fused == self.sparse == self.block == 0:
            return None
        if self.graph is None:
            order = np.append(links[:, 0], links[-1:, 1]) if len(links) else None
            return FusedTasks(self.alpha, fused, self.sparse, self.block, order)
        adjacency = np.zeros((n_tasks, n_tasks))
        adjacency[links[:, 0], links[:, 1]] = adjacency[links[:, 1], links[:, 0]] = weights
        if fused == 0:
            return FusedTasks(self.alpha, 0.0, self.sparse, self.block)
        if (weights == weights[0]).all():
            # An exact prox beats splitting.
            each, along = fused * float(weights[0]), path_order(adjacency)
            if along is not None:
                return FusedTasks(self.alpha, each, self.sparse, self.block, along)
            if 2 * len(links) == n_tasks * (n_tasks - 1):
                return PairwiseFusion(self.alpha, each, self.sparse, self.block)
        total: Penalty = GraphTotalVariation(adjacency, self.alpha * fused)
        if self.sparse > 0:
            total = total + L1(self.alpha * self.sparse)
        if self.block > 0:
            total = total + L21(self.alpha * self.block)
        return total

    def _links(
        self, data: TaskData, positions: NDArray[Any]
    ) -> tuple[NDArray[np.intp], NDArray[Any]]:
        """The edges (n_edges, 2) between the tasks at some positions, and their weights.

        The neighbours of a task that is left out of a chain become neighbours.
        """
        tasks = data.all_tasks
        if self.graph is None:
            places = np.full(len(tasks), -1, dtype=np.intp)
            places[positions] = np.arange(len(positions))
            chain = places[read_order(self.order, data)]
            chain = chain[chain >= 0]
            return np.column_stack([chain[:-1], chain[1:]]), np.ones(len(chain) - 1)
        if self.order is not None:
            raise ValueError(
                "Both 'order' and 'graph' are given, and each states which tasks are neighbours. "
                "Leave one of them out."
            )
        if isinstance(self.graph, str) and self.graph == "complete":
            adjacency = read_graph("complete", tasks[positions])
        else:
            adjacency = task_graph(self.graph, data)[np.ix_(positions, positions)]
        links = np.argwhere(np.triu(adjacency, k=1) > 0)
        return links, adjacency[links[:, 0], links[:, 1]]

    def _set_fit(self, data: TaskData, fit: Fit) -> Self:
        super()._set_fit(data, fit)
        if self.order is None and self.fused > 0:
            warn_of_alphabet(data, self.graph)
        kept = np.flatnonzero(fit.learned)
        links, weights = np.empty((0, 2), dtype=np.intp), np.empty(0)
        if len(kept):
            links, weights = self._links(data, kept)
        penalty = self._on_links(links, weights, len(kept))
        # An exact prox makes equal what is shared.
        exact = penalty is None or penalty.has_prox
        rounding = 0.0 if exact else _JUMP * np.abs(fit.coef).max(initial=0.0)
        links = kept[links]
        self.edges_ = data.tasks[links]
        # In the units of the fit: in those of y what is shared would differ.
        self.jumps_ = fit.coef[links[:, 1]] - fit.coef[links[:, 0]]
        self.change_points_ = np.abs(self.jumps_) > rounding
        return self


@document
class FusedTaskRegressor(_FusedTask, TaskRegressor):
    r"""Regression tasks that share coefficients with their neighbours (fused lasso).

    .. math::

        \min_{W, b} \; F(W, b) + \alpha \Bigl[ \phi \sum_j \sum_{(s, t)} a_{st} |W_{js} - W_{jt}|
        + \mu \sum_{jt} |W_{jt}| + \beta \sum_j \lVert W_{j\cdot} \rVert_2 \Bigr] ,
        \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    over pairs of neighbours (s, t), all weights :math:`a_{st} = 1` along an order of the tasks.
    {symbols} :math:`\phi` is ``fused``, :math:`\mu` is ``sparse`` and :math:`\beta` is
    ``block``: each feature's coefficients are constant along the order, but for a few jumps.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the whole penalty, >= 0.
    fused : float, default=1.0
        Strength of the differences relative to alpha, >= 0.
    sparse : float, default=0.0
        Strength of the L1 norm relative to alpha, >= 0.
    block : float, default=0.0
        Strength of the L2,1 norm relative to alpha, >= 0: it selects features for all tasks.
    order : array-like of shape (n_tasks,), dict or Series, default=None
        The task names along the chain, each once, or by name each task's place on it. None: the
        order of the categories where the task column is an ordered categorical, otherwise that of
        ``tasks_``: the columns of a matrix y, or the sorted ids (a warning says so of strings).
    graph : "complete", "chain", array, sparse matrix, data frame or list, default=None
        Neighbours in place of an order. "complete": every two tasks, a = 1 / T. A matrix
        (n_tasks, n_tasks): the weights, symmetric, >= 0; a data frame's rows and columns are
        matched to the tasks by name. A list: edges by task name, pairs of weight 1 or triples
        ``("ash", "elm", 0.5)``.
    {regression_loss}
    {common}
    {scale_tasks}

    Attributes
    ----------
    {attributes}
    edges_ : ndarray of shape (n_edges, 2)
        Names of neighbouring tasks, along the order; tasks that left the objective have none.
    jumps_ : ndarray of shape (n_edges, n_features)
        The second neighbour's coefficients minus the first's, in the units of the fit where tasks
        were scaled.
    change_points_ : ndarray of shape (n_edges, n_features)
        Whether neighbours differ; where the prox is not exact, by more than a thousandth of the
        largest coefficient.

    Raises
    ------
    ValueError
        In ``fit``, if ``order`` does not name every task once, if ``graph`` is not symmetric, not
        non-negative or not of the tasks, or if both are given.

    Notes
    -----
    Convex. Along an order, and where every two tasks are neighbours by the same weight, the prox is
    exact: the total variation of each row, then a soft threshold of its entries, then of the row.
    For other graphs there is none: a primal-dual splitting method takes a dual variable for each
    edge, within proximal Newton steps where the loss is not the squared one and there are at most
    300 features, and shared coefficients are equal up to ``tol``.
    With ``sparse=block=0`` what all tasks share is not penalised: labels that it separates have no
    finite minimiser, and a graph of several components is certified near the solution only. A task
    that leaves the objective makes its neighbours along the order neighbours, and leaves a graph
    with its edges. {notes}

    References
    ----------
    J. Zhou, J. Liu, V. Narayan and J. Ye, "Modeling disease progression via fused sparse group
    lasso", KDD 2012, https://doi.org/10.1145/2339530.2339702

    F. Dondelinger and S. Mukherjee, "The joint lasso: high-dimensional regression for group
    structured data", Biostatistics 21(2), 2020, https://doi.org/10.1093/biostatistics/kxy035

    See Also
    --------
    GraphRegularizedRegressor : Neighbours have nearby coefficients, all of them different.

    Examples
    --------
    Years in a row; one coefficient changes after the third:

    >>> import numpy as np
    >>> from skmtl import FusedTaskRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 2))
    >>> W = np.array([[1.0, 1, 1, 3, 3], [2.0, 2, 2, 2, 2]])
    >>> Y = X @ W + 0.1 * rng.normal(size=(100, 5))
    >>> model = FusedTaskRegressor(0.1, block=0.1).fit(X, Y)
    >>> model.change_points_[:, 0]
    array([False, False,  True, False])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **TaskRegressor._parameter_constraints,
        **_CONSTRAINTS,
    }

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        fused: float = 1.0,
        sparse: float = 0.0,
        block: float = 0.0,
        order: Any = None,
        graph: Any = None,
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
        self.fused = fused
        self.sparse = sparse
        self.block = block
        self.order = order
        self.graph = graph
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
class FusedTaskClassifier(_FusedTask, TaskClassifier):
    r"""Classification tasks that share coefficients with their neighbours (fused lasso).

    .. math::

        \min_{W, b} \; F(W, b) + \alpha \Bigl[ \phi \sum_j \sum_{(s, t)} a_{st} |W_{js} - W_{jt}|
        + \mu \sum_{jt} |W_{jt}| + \beta \sum_j \lVert W_{j\cdot} \rVert_2 \Bigr] ,
        \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    over pairs of neighbours (s, t), all weights :math:`a_{st} = 1` along an order of the tasks.
    {symbols} Labels count as :math:`y_i = \pm 1`.
    :math:`\phi` is ``fused``, :math:`\mu` is ``sparse`` and :math:`\beta` is
    ``block``: each feature's coefficients are constant along the order, but for a few jumps.

    Parameters
    ----------
    alpha : float, default=0.01
        Strength of the whole penalty, >= 0.
    fused : float, default=1.0
        Strength of the differences relative to alpha, >= 0.
    sparse : float, default=0.0
        Strength of the L1 norm relative to alpha, >= 0.
    block : float, default=0.0
        Strength of the L2,1 norm relative to alpha, >= 0: it selects features for all tasks.
    order : array-like of shape (n_tasks,), dict or Series, default=None
        The task names along the chain, each once, or by name each task's place on it. None: the
        order of the categories where the task column is an ordered categorical, otherwise that of
        ``tasks_``: the columns of a matrix y, or the sorted ids (a warning says so of strings).
    graph : "complete", "chain", array, sparse matrix, data frame or list, default=None
        Neighbours in place of an order. "complete": every two tasks, a = 1 / T. A matrix
        (n_tasks, n_tasks): the weights, symmetric, >= 0; a data frame's rows and columns are
        matched to the tasks by name. A list: edges by task name, pairs of weight 1 or triples
        ``("ash", "elm", 0.5)``.
    {classification_loss}
    {common}
    {class_weight}

    Attributes
    ----------
    {attributes}
    {classes}
    edges_ : ndarray of shape (n_edges, 2)
        Names of neighbouring tasks, along the order; tasks that left the objective have none.
    jumps_ : ndarray of shape (n_edges, n_features)
        The second neighbour's coefficients minus the first's, in the units of the fit where tasks
        were scaled.
    change_points_ : ndarray of shape (n_edges, n_features)
        Whether neighbours differ; where the prox is not exact, by more than a thousandth of the
        largest coefficient.

    Raises
    ------
    ValueError
        In ``fit``, if ``order`` does not name every task once, if ``graph`` is not symmetric, not
        non-negative or not of the tasks, or if both are given.

    Notes
    -----
    Convex. Along an order, and where every two tasks are neighbours by the same weight, the prox is
    exact: the total variation of each row, then a soft threshold of its entries, then of the row.
    For other graphs there is none: a primal-dual splitting method takes a dual variable for each
    edge, within proximal Newton steps where the loss is not the squared one and there are at most
    300 features, and shared coefficients are equal up to ``tol``.
    With ``sparse=block=0`` what all tasks share is not penalised: labels that it separates have no
    finite minimiser, and a graph of several components is certified near the solution only. A task
    that leaves the objective makes its neighbours along the order neighbours, and leaves a graph
    with its edges. {notes}

    {one_class}

    References
    ----------
    J. Zhou, J. Liu, V. Narayan and J. Ye, "Modeling disease progression via fused sparse group
    lasso", KDD 2012, https://doi.org/10.1145/2339530.2339702

    F. Dondelinger and S. Mukherjee, "The joint lasso: high-dimensional regression for group
    structured data", Biostatistics 21(2), 2020, https://doi.org/10.1093/biostatistics/kxy035

    See Also
    --------
    GraphRegularizedClassifier : Neighbours have nearby coefficients, all of them different.

    Examples
    --------
    Years in a row; one coefficient changes after the third:

    >>> import numpy as np
    >>> from skmtl import FusedTaskClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 2))
    >>> W = np.array([[1.0, 1, 1, -1, -1], [2.0, 2, 2, 2, 2]])
    >>> Y = X @ W > 0
    >>> model = FusedTaskClassifier(0.05, block=0.1).fit(X, Y)
    >>> model.change_points_[:, 0]
    array([False, False,  True, False])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **TaskClassifier._parameter_constraints,
        **_CONSTRAINTS,
    }

    def __init__(
        self,
        alpha: float = 0.01,
        *,
        fused: float = 1.0,
        sparse: float = 0.0,
        block: float = 0.0,
        order: Any = None,
        graph: Any = None,
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
        self.fused = fused
        self.sparse = sparse
        self.block = block
        self.order = order
        self.graph = graph
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
