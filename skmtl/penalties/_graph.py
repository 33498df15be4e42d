"""Total variation over a graph of tasks."""

from typing import Any

import numpy as np
import scipy.sparse as sp

from skmtl._graphs import read_graph
from skmtl.penalties._base import Array, Penalty
from skmtl.penalties._thresholds import RowThresholds


class GraphTotalVariation(Penalty):
    r"""The total variation :math:`\alpha \sum_j \sum_{(s,t)} a_{st} |W_{js} - W_{jt}|` over edges.

    Its dual norm at G is the smallest norm of a flow on the edges with divergence G; every such
    flow gives an upper bound.

    Parameters
    ----------
    adjacency : array or sparse matrix of shape (n_tasks, n_tasks)
        The weights a of the edges, symmetric and non-negative; the diagonal is ignored.
    alpha : float, default=1.0
        Strength, positive.

    References
    ----------
    R. Tibshirani and J. Taylor, "The solution path of the generalized lasso", Ann. Statist.
    39(3), 2011, https://doi.org/10.1214/11-AOS878

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.penalties import GraphTotalVariation
    >>> W = np.array([[3.0, 4.0], [0.0, 0.0]])
    >>> GraphTotalVariation(np.array([[0.0, 1.0], [1.0, 0.0]]), 0.5).value(W)
    0.5
    """

    has_prox = False
    leaves_mean_free = True

    def __init__(self, adjacency: Any, alpha: float = 1.0) -> None:
        self.adjacency = adjacency
        self.alpha = alpha

    def check(self, n_features: int, n_tasks: int) -> None:
        super().check(n_features, n_tasks)
        given = self.adjacency
        weights = given if sp.issparse(given) else np.asarray(given, dtype=object)
        read_graph(weights, np.arange(n_tasks), "adjacency")

    @property
    def on_combinations(self) -> Penalty:
        # The L1 norm of the weighted differences.
        return RowThresholds(self.alpha, 0.0)

    def combinations(self, n_tasks: int) -> Any:
        upper = sp.triu(sp.coo_matrix(self.adjacency), k=1).tocoo()
        edges = np.arange(upper.nnz)
        rows, columns = np.concatenate([upper.row, upper.col]), np.concatenate([edges, edges])
        values = np.concatenate([upper.data, -upper.data]).astype(np.float64)
        return sp.csr_matrix((values, (rows, columns)), shape=(n_tasks, upper.nnz))

    def value(self, W: Array) -> float:
        return self.on_combinations.value(np.asarray(W @ self.combinations(W.shape[1])))

    def for_tasks(self, chosen: Array) -> "GraphTotalVariation":
        kept = np.flatnonzero(chosen)
        return type(self)(sp.csr_matrix(self.adjacency)[kept][:, kept], self.alpha)

    def to_cvxpy(self, W: Any) -> Any:
        weights = sp.coo_matrix(self.adjacency)
        import cvxpy as cp

        edges = [
            (s, t, a)
            for s, t, a in zip(weights.row, weights.col, weights.data, strict=True)
            if s < t
        ]
        return self.alpha * sum(a * cp.norm1(W[:, s] - W[:, t]) for s, t, a in edges)
