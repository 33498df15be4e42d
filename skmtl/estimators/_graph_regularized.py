"""A graph of tasks: neighbours have similar coefficients."""

from numbers import Real
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions

from skmtl._numerics import Coupling
from skmtl._warnings import warn
from skmtl.design import TaskData, as_floats, entries_by_name
from skmtl.estimators._by_feature import ConstrainedFeatures
from skmtl.estimators._feature_weight import read_feature_weight
from skmtl.estimators._laplacians import (
    as_matrix,
    given_laplacian,
    graph_laplacian,
    neighbours_of,
)
from skmtl.estimators._order import warn_of_alphabet
from skmtl.estimators._priors import row_precisions
from skmtl.estimators._row_norms import BLOCK, SPARSE
from skmtl.estimators._signs import read_signs
from skmtl.estimators.base import (
    Fit,
    KnownTasks,
    NewTaskRegressor,
    NewTasks,
    Prior,
    Report,
    TaskClassifier,
    estimator,
    parameter,
    strength,
)
from skmtl.objective import BaseObjective
from skmtl.penalties import L1, L21, FusedTasks, Penalty, TaskQuadratic


@estimator
class _GraphRegularized(ConstrainedFeatures, NewTasks):
    r"""A penalty on the squared differences between neighbouring tasks.

    L is the Laplacian of a graph of tasks with weights :math:`a_{st}`,
    :math:`\operatorname{tr}(W L W') = \sum_{s < t} a_{st} \lVert w_s - w_t \rVert^2`;
    :math:`\rho` is ``ridge``, :math:`\mu` is ``sparse`` and :math:`\beta` is ``block``. The
    complete graph gives mean regularisation, :math:`\sum_t \lVert w_t - \bar w \rVert^2` with the
    mean task :math:`\bar w`.

    Attributes
    ----------
    laplacian_ : ndarray, sparse array or LinearOperator of shape (n_tasks, n_tasks)
        L. With more than 1000 tasks it is a SciPy CSR array if the graph is a chain, a list of
        edges or a sparse matrix, and for the complete graph a SciPy LinearOperator, which
        multiplies vectors and matrices (``laplacian_ @ coef_``) and has ``toarray()``. Otherwise it
        is an ndarray.

    Raises
    ------
    ValueError
        In ``fit``, if ``graph`` is not symmetric, has negative weights or does not match the tasks,
        if ``laplacian`` is not symmetric positive semidefinite or does not match the tasks, or if
        both are given.

    Notes
    -----
    Convex. Without ``sparse`` and ``block`` each Newton step solves one linear system for all
    tasks. Its time is linear in the number of tasks if the graph is complete or has no cycles; with
    more than 1000 tasks and another graph it is that of a few hundred products with the sparse
    Laplacian. Only a dense matrix of weights is kept dense. With ``ridge=0``, more than 2000
    features and neither norm, the fit cannot be certified, and warns. The prior for a new task with
    edges :math:`a_s` to the tasks s is that of the penalty, :math:`\tfrac{\alpha}{2} \bigl[ \sum_s
    a_s \lVert w - w_s \rVert^2 + \rho \lVert w \rVert^2 \bigr]`; ``sparse`` and ``block`` add
    :math:`\alpha \mu` divided by the mean absolute value and :math:`\alpha \beta` divided by the
    norm of the row of W to the precision of each feature. Tasks that are left out of the objective
    are removed from the graph with their edges.

    References
    ----------
    T. Evgeniou and M. Pontil, "Regularized multi-task learning", KDD 2004,
    https://doi.org/10.1145/1014052.1014067

    J. Zhou, L. Yuan, J. Liu and J. Ye, "A multi-task learning formulation for predicting disease
    progression", KDD 2011, https://doi.org/10.1145/2020408.2020549
    """

    alpha: float = strength(
        1.0,
        [Interval(Real, 0, None, closed="left")],
        "float",
        "Strength of the whole penalty, >= 0.",
    )
    graph: Any = parameter(
        "complete",
        [StrOptions({"complete", "chain"}), "array-like", "sparse matrix"],
        '"complete", "chain", array, sparse matrix, data frame or list',
        """
        "complete": all pairs of tasks are neighbours, L = I - 11'/T. "chain": each task and the
        next are, in the order of the categories if the task column is an ordered categorical,
        otherwise in that of ``tasks_`` (with a warning if these are sorted strings). A matrix
        (n_tasks, n_tasks): the weights of the edges, symmetric, >= 0; the rows and columns of a
        data frame are matched to the tasks by name. A list: edges by task name, pairs of weight 1
        or triples ``("ash", "elm", 0.5)``.
        """,
    )
    laplacian: Any = parameter(
        None,
        ["array-like", "sparse matrix", None],
        "array, sparse matrix or data frame of shape (n_tasks, n_tasks)",
        "L itself, any positive semidefinite matrix, instead of a graph.",
    )
    ridge: float = parameter(
        0.0,
        [Interval(Real, 0, None, closed="left")],
        "float",
        """
        Strength of the squared norm of W relative to ``alpha``, >= 0. With 0 and without norms, the
        mean of the tasks that the graph connects is not shrunk.
        """,
    )
    sparse: float = parameter(0.0, *SPARSE)
    block: float = parameter(0.0, *BLOCK)
    feature_weight: Any = parameter(
        None,
        text=r"""
        A factor :math:`f_j > 0` for each feature (without the task column) that multiplies the
        norms of its row, not the squares; it needs ``sparse > 0`` or ``block > 0``. A dict or a
        pandas Series gives factors by column name of a data frame; other columns have 1.
        """,
    )
    positive: Any = parameter(
        False,
        text="""
        True: restrict the coefficients to W >= 0. A sign per feature (without the task column)
        restricts its coefficients in all tasks: +1 to be >= 0, -1 to be <= 0; 0 leaves them free. A
        dict or a pandas Series gives signs by column name of a data frame; other columns have 0.
        Needs ``alpha > 0``, and ``sparse > 0`` or ``block > 0``.
        """,
    )

    def _get_penalty(self, data: TaskData) -> Penalty | None:
        L = self._laplacian(data, data.positions)
        norm = _norm(self.alpha * self.sparse, self.alpha * self.block)
        norm = self._constrained(norm, data.X.shape[1])
        if norm is None and self.alpha > 0 and self.feature_weight is not None:
            raise ValueError(
                f"feature_weight in {type(self).__name__} multiplies the norms of the rows, and "
                f"there are none. Use sparse > 0 or block > 0, or scale the features."
            )
        if self.alpha == 0:
            return None
        kept = isinstance(L, Coupling)
        ridge = np.full(len(data.positions), self.ridge)
        quadratic = TaskQuadratic(L + (ridge if kept else np.diag(ridge)), self.alpha)
        return quadratic if norm is None else norm + quadratic

    _norm_remedy = "Use alpha > 0, and sparse > 0 or block > 0."

    def fit_new_task(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        name: Any = None,
        neighbors: Any = None,
    ) -> Self:
        """Fit further tasks under the prior that the fit has learned, all others fixed.

        Parameters
        ----------
        X, y, sample_weight, name : as in the other estimators with this method
            Rows of the new tasks, of which there may be none; their labels, in the shared layout
            with a column for each new task; weights relative to those of the fit; and names, in the
            stacked layout of tasks without rows.
        neighbors : dict, Series or list, optional
            The tasks of the fit to which the new ones have edges: their weights by name, or a list
            of names, for weights of 1. By default all, each with weight 1 / n_tasks, as in the
            complete graph.

        Returns
        -------
        estimator
            A copy to which the new tasks have been added; the estimator itself stays the same. Its
            ``tasks_``, ``coef_`` and ``intercept_`` end with the new tasks, which ``predict``
            knows; ``laplacian_`` stays that of the tasks of the fit.

        Raises
        ------
        ValueError
            If a task is known already, if X does not match the data of the fit, if neighbours are
            unknown or all weights are zero, or if there are no tasks like the new one (a 1-D y
            without a task column) or no penalty.
        """
        return self._with_new_tasks(X, y, sample_weight, name, neighbors)

    def _prior(self, known: KnownTasks, near: Any = None) -> Prior:
        return self._prior_near(known.coef, _read_neighbors(near, known))

    def _own_prior(self, prior: Prior, known: KnownTasks, task: int) -> Prior:
        near, weights, total = neighbours_of(self.laplacian_, known.learned, task)
        return self._prior_near(known.coef, weights, total, near)

    def _prior_near(
        self,
        W: NDArray[Any],
        weights: NDArray[Any],
        total: float | None = None,
        near: Any = slice(None),
    ) -> Prior:
        """The prior of a task with edges of these weights to the tasks at positions ``near``.

        ``total`` is the diagonal entry of the Laplacian, by default the sum of the weights.
        """
        if read_signs(self, len(W)) is not None:
            raise ValueError(
                f"New tasks in {type(self).__name__} need positive=False: a Gaussian prior allows "
                f"coefficients of both signs. Fit again without positive."
            )
        total = float(weights.sum()) if total is None else total
        pulled = total + self.ridge
        mean = W[:, near] @ weights / pulled if pulled > 0 else np.zeros(len(W))
        precisions = np.full(len(W), self.alpha * pulled)
        entries, rows = self.alpha * self.sparse, self.alpha * self.block
        if entries > 0 or rows > 0:
            factors, each = read_feature_weight(self, len(W)), row_precisions(W, entries, rows)
            precisions += each if factors is None else factors * each
        return Prior.of_precisions(mean, precisions)

    def _laplacian(self, data: TaskData, positions: NDArray[Any]) -> NDArray[Any] | Coupling:
        """L of the tasks at some positions, without edges to other tasks."""
        if self.laplacian is not None:
            if not (isinstance(self.graph, str) and self.graph == "complete"):
                raise ValueError(
                    "Both 'graph' and 'laplacian' are given, and each determines how tasks are "
                    "related. Pass only one of them."
                )
            return given_laplacian(self.laplacian, data, positions)
        return graph_laplacian(self.graph, data, positions)

    def _minimise(
        self, objective: BaseObjective, start: Fit | None, dtype: Any, report: Report | None = None
    ) -> Fit:
        if self.alpha > 0 and not objective.has_dual:
            warn(
                f"With ridge=0 the mean of the tasks that the graph connects is not penalised, and "
                f"with {objective.n_features} features no duality gap can be computed. Set "
                f"ridge > 0."
            )
        return super()._minimise(objective, start, dtype, report)

    def _set_fit(self, data: TaskData, fit: Fit) -> Self:
        super()._set_fit(data, fit)
        self.laplacian_ = as_matrix(self._laplacian(data, np.arange(data.n_tasks)))
        if self.laplacian is None:
            warn_of_alphabet(data, self.graph)
        return self


def _read_neighbors(given: Any, known: KnownTasks) -> NDArray[Any]:
    """The weights (n_learned,) of the edges from a new task to those in the objective."""
    names = known.names[known.learned].tolist()
    if given is None:
        return np.full(len(names), 1 / len(names))
    named = entries_by_name(given, names, "neighbors")
    if named is None:
        one = isinstance(given, str) or not hasattr(given, "__iter__")
        named = dict.fromkeys([given] if one else given, 1.0)
    weights = as_floats([named.get(name, 0.0) for name in names], "neighbors")
    unknown = [name for name in named if name not in set(names)]
    if unknown:
        raise ValueError(
            f"neighbors must be tasks of the fit, but {unknown[:10]} are not. Choose some of "
            f"{names[:20]}{', ...' if len(names) > 20 else ''}."
        )
    if not np.isfinite(weights).all() or (weights < 0).any() or not weights.any():
        raise ValueError(
            f"neighbors must have finite weights >= 0 that are not all zero, got {given!r:.200}. "
            f"Pass a list of tasks, or a dict with their weights."
        )
    return weights


def _norm(sparse: float, block: float) -> Penalty | None:
    """The L1 norm, the L2,1 norm, or both with a single prox; None if neither is used."""
    if sparse > 0 and block > 0:
        return FusedTasks(1.0, 0.0, sparse, block)
    if sparse > 0:
        return L1(sparse)
    return L21(block) if block > 0 else None


@estimator
class GraphRegularizedRegressor(_GraphRegularized, NewTaskRegressor):
    r"""Regression tasks on a graph, with similar coefficients for neighbours.

    .. math::

        \min_{W, b} \; F(W, b) + \tfrac{\alpha}{2} \bigl[ \operatorname{tr}(W L W')
        + \rho \lVert W \rVert_F^2 \bigr]
        + \alpha \bigl[ \mu \sum_{jt} |W_{jt}| + \beta \sum_j \lVert W_{j\cdot} \rVert_2
        \bigr] ,
        \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    See Also
    --------
    FusedTaskRegressor : Neighbours share coefficients exactly.
    ClusteredTaskRegressor : Learns which tasks are similar.

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


@estimator
class GraphRegularizedClassifier(_GraphRegularized, TaskClassifier):
    r"""Classification tasks on a graph, with similar coefficients for neighbours.

    .. math::

        \min_{W, b} \; F(W, b) + \tfrac{\alpha}{2} \bigl[ \operatorname{tr}(W L W')
        + \rho \lVert W \rVert_F^2 \bigr]
        + \alpha \bigl[ \mu \sum_{jt} |W_{jt}| + \beta \sum_j \lVert W_{j\cdot} \rVert_2
        \bigr] ,
        \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    See Also
    --------
    FusedTaskClassifier : Neighbours share coefficients exactly.
    ClusteredTaskClassifier : Learns which tasks are similar.

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

    alpha: float = strength(0.01)
