"""Fused tasks: neighbours share coefficients exactly, except for a few jumps."""

from numbers import Real
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions

from skmtl._graphs import read_graph
from skmtl.design import TaskData
from skmtl.estimators._order import path_order, read_order, task_graph, warn_of_alphabet
from skmtl.estimators._row_norms import BLOCK, SPARSE
from skmtl.estimators.base import (
    Fit,
    TaskClassifier,
    TaskEstimator,
    TaskRegressor,
    estimator,
    parameter,
    strength,
)
from skmtl.penalties import (
    L1,
    L21,
    FusedTasks,
    GraphTotalVariation,
    PairwiseFusion,
    Penalty,
)

# Without an exact prox, differences up to this fraction of the largest coefficient count as zero.
_JUMP = 1e-3


@estimator
class _FusedTask(TaskEstimator):
    r"""A penalty on the absolute differences between neighbouring tasks.

    :math:`\phi` is ``fused``, :math:`\mu` is ``sparse`` and :math:`\beta` is ``block``. Along an
    order, the coefficients of each feature are constant except for a few jumps.

    Attributes
    ----------
    edges_ : ndarray of shape (n_edges, 2)
        Names of neighbouring tasks, along the order. Tasks that are left out of the objective have
        no edges.
    jumps_ : ndarray of shape (n_edges, n_features)
        The second neighbour's coefficients minus the first's.
    change_points_ : ndarray of shape (n_edges, n_features)
        Whether neighbours differ; if the prox is not exact, by more than a thousandth of the
        largest coefficient.

    Raises
    ------
    ValueError
        In ``fit``, if ``order`` does not name every task once, if ``graph`` is not symmetric, has
        negative weights or does not match the tasks, or if both are given.

    Notes
    -----
    Convex. Along an order, and if all pairs of tasks are neighbours with equal weights, the prox is
    exact: that of the total variation of each row, then soft-thresholding of its entries, then of
    the row. Other graphs have no exact prox. They are solved with a dual variable for each edge, by
    a primal-dual splitting method or, if all tasks have the same rows and weights or many steps
    seem to be needed, by ADMM, whose steps are exact in the squared loss (within proximal Newton
    steps for another loss with at most 300 features). Shared coefficients are equal up to ``tol``.

    With ``sparse=block=0`` the coefficients that all tasks have in common are not penalised: there
    is no finite minimiser if they separate the labels, and a graph with several components is
    certified only close to the solution. If a task is left out of the objective, its neighbours
    along an order become neighbours; a graph loses the task and its edges.

    References
    ----------
    J. Zhou, J. Liu, V. Narayan and J. Ye, "Modeling disease progression via fused sparse group
    lasso", KDD 2012, https://doi.org/10.1145/2339530.2339702

    F. Dondelinger and S. Mukherjee, "The joint lasso: high-dimensional regression for group
    structured data", Biostatistics 21(2), 2020, https://doi.org/10.1093/biostatistics/kxy035
    """

    alpha: float = strength(
        1.0,
        [Interval(Real, 0, None, closed="left")],
        "float",
        "Strength of the whole penalty, >= 0.",
    )
    fused: float = parameter(
        1.0,
        [Interval(Real, 0, None, closed="left")],
        "float",
        "Strength of the differences relative to ``alpha``, >= 0.",
    )
    sparse: float = parameter(0.0, *SPARSE)
    block: float = parameter(0.0, *BLOCK)
    order: Any = parameter(
        None,
        ["array-like", None],
        "array-like of shape (n_tasks,), dict or Series",
        """
        The names of the tasks along a chain, each once, or by name each task's place on the chain
        (dict, Series). None: the order of the categories if the task column is an ordered
        categorical, otherwise that of ``tasks_``: the columns of a matrix y, or the sorted ids
        (with a warning if they are strings).
        """,
    )
    graph: Any = parameter(
        None,
        [StrOptions({"complete", "chain"}), "array-like", "sparse matrix", None],
        '"complete", "chain", array, sparse matrix, data frame or list',
        """
        Neighbours by a graph instead of an order. "complete": all pairs of tasks, with a = 1 / T.
        "chain": each task and the next, in the order that ``order=None`` gives. A matrix (n_tasks,
        n_tasks): symmetric weights >= 0; the rows and columns of a data frame are matched to the
        tasks by name. A list: edges by task name, pairs of weight 1 or triples
        ``("ash", "elm", 0.5)``.
        """,
    )

    def _get_penalty(self, data: TaskData) -> Penalty | None:
        return self._on_links(*self._links(data, data.positions), data.n_tasks)

    def _on_links(
        self, links: NDArray[np.intp], weights: NDArray[Any], n_tasks: int
    ) -> Penalty | None:
        """The penalty on ``n_tasks`` tasks, with edges (n_edges, 2) of the given weights."""
        # A single task has no neighbours.
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
            # Prefer an exact prox to splitting.
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

        In a chain, the neighbours of a task that is left out become neighbours.
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
                "Both 'order' and 'graph' are given, and each determines which tasks are "
                "neighbours. Pass only one of them."
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
        # With an exact prox, shared coefficients are exactly equal.
        exact = penalty is None or penalty.has_prox
        negligible = 0.0 if exact else _JUMP * np.abs(fit.coef).max(initial=0.0)
        links = kept[links]
        self.edges_ = data.tasks[links]
        # In the units of the fit, because shared coefficients differ in those of y.
        self.jumps_ = fit.coef[links[:, 1]] - fit.coef[links[:, 0]]
        self.change_points_ = np.abs(self.jumps_) > negligible
        return self


@estimator
class FusedTaskRegressor(_FusedTask, TaskRegressor):
    r"""Regression tasks that share coefficients with their neighbours (fused lasso).

    .. math::

        \min_{W, b} \; F(W, b) + \alpha \Bigl[ \phi \sum_j \sum_{(s, t)} a_{st} |W_{js} - W_{jt}|
        + \mu \sum_{jt} |W_{jt}| + \beta \sum_j \lVert W_{j\cdot} \rVert_2 \Bigr] ,
        \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    where (s, t) are pairs of neighbouring tasks with weights :math:`a_{st}`, which are all 1 along
    an order of the tasks.

    Attributes
    ----------
    jumps_ : ndarray of shape (n_edges, n_features)
        The second neighbour's coefficients minus the first's; with ``scale_tasks`` in the units of
        the fit.

    See Also
    --------
    GraphRegularizedRegressor : Neighbours have similar, but not equal, coefficients.

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


@estimator
class FusedTaskClassifier(_FusedTask, TaskClassifier):
    r"""Classification tasks that share coefficients with their neighbours (fused lasso).

    .. math::

        \min_{W, b} \; F(W, b) + \alpha \Bigl[ \phi \sum_j \sum_{(s, t)} a_{st} |W_{js} - W_{jt}|
        + \mu \sum_{jt} |W_{jt}| + \beta \sum_j \lVert W_{j\cdot} \rVert_2 \Bigr] ,
        \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    where (s, t) are pairs of neighbouring tasks with weights :math:`a_{st}`, which are all 1 along
    an order of the tasks.

    See Also
    --------
    GraphRegularizedClassifier : Neighbours have similar, but not equal, coefficients.

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

    alpha: float = strength(0.01)
