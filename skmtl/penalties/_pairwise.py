"""Differences between every two tasks: some of them share their coefficients."""

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skmtl import _kernels
from skmtl.penalties._base import Array, Penalty
from skmtl.penalties._roots import RowRootNorm
from skmtl.penalties._rows import row_norms


class PairwiseFusion(RowRootNorm):
    r"""Differences between every two tasks, with the L1 and the row norm at will.

    .. math:: \alpha \sum_j \Bigl( \text{fused} \sum_{s < t} |W_{js} - W_{jt}|
              + \text{sparse} \, \lVert W_{j\cdot} \rVert_1
              + \text{block} \, \lVert W_{j\cdot} \rVert_2 \Bigr)

    Total variation on the complete graph of tasks, all edges of one weight. Its prox is exact:
    isotonic regression of each row, sorted, from which the k-th smallest of T entries has lost
    step * alpha * fused * (2k - T - 1); then a soft threshold of the entries, then of the row. Its
    dual norm where the differences stand alone is

    .. math:: \max_{j,\, k < T} \;
              \frac{\text{the sum of the $k$ largest entries of } G_{j\cdot}}
              {\alpha \; \text{fused} \; k \, (T - k)} ,

    for rows of G that sum to zero (what they sum to is left out); otherwise the smallest strength
    for which the prox vanishes, by root finding, from above.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength, positive.
    fused : float, default=1.0
        Relative strength of the differences, not negative.
    sparse : float, default=0.0
        Relative strength of the L1 norm, not negative.
    block : float, default=0.0
        Relative strength of the rows' Euclidean norms, not negative.

    References
    ----------
    Y. She, "Sparse regression with exact clustering", Electron. J. Stat. 4, 2010,
    https://doi.org/10.1214/10-EJS578

    T. D. Hocking, A. Joulin, F. Bach and J.-P. Vert, "Clusterpath: an algorithm for clustering
    using convex fusion penalties", ICML 2011

    M. J. Best and N. Chakravarti, "Active set algorithms for isotonic regression; a unifying
    framework", Math. Program. 47, 1990, https://doi.org/10.1007/BF01580873
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **Penalty._parameter_constraints,
        **{name: [Interval(Real, 0, None, closed="left")] for name in ("fused", "sparse", "block")},
    }

    def __init__(
        self, alpha: float = 1.0, fused: float = 1.0, sparse: float = 0.0, block: float = 0.0
    ) -> None:
        self.alpha = alpha
        self.fused = fused
        self.sparse = sparse
        self.block = block

    @property
    def leaves_mean_free(self) -> bool:  # type: ignore[override]
        return self.sparse == 0 and self.block == 0

    @property
    def row_thresholds(self) -> tuple[float, float] | None:
        if self.fused != 0:
            return None
        return float(self.alpha * self.sparse), float(self.alpha * self.block)

    def value(self, W: Array) -> float:
        return float(self._row_values(W).sum())

    def prox(self, V: Array, step: float | Array) -> Array:
        places = np.argsort(V, axis=1)
        rows = np.take_along_axis(V, places, axis=1)
        step = np.broadcast_to(np.asarray(step, dtype=np.float64) * self.alpha, (len(V), 1))[:, 0]
        _kernels.shrink_pairs(rows, step * self.fused, step * self.sparse, step * self.block)
        W = np.empty_like(rows)
        np.put_along_axis(W, places, rows, axis=1)
        return W

    def dual_norm(self, G: Array) -> float:
        return self._pairs_norm(G) if self.leaves_mean_free else super().dual_norm(G)

    def conjugate(self, G: Array) -> float:
        if self.leaves_mean_free:
            return 0.0 if self._pairs_norm(G) <= 1.0 else np.inf
        return super().conjugate(G)

    def to_cvxpy(self, W: Any) -> Any:
        import cvxpy as cp

        first, second = np.triu_indices(W.shape[1], k=1)
        value = self.sparse * cp.sum(cp.abs(W)) + self.block * cp.sum(cp.norm(W, 2, axis=1))
        if len(first):
            value += self.fused * cp.sum(cp.abs(W[:, first] - W[:, second]))
        return self.alpha * value

    def _row_values(self, W: Array) -> Array:
        """The penalty of each row."""
        # As gaps of the sorted row, each of which all pairs across it have: nothing cancels.
        values = self.fused * (np.diff(np.sort(W, axis=1), axis=1) * _cuts(W)).sum(axis=1)
        values = values + self.sparse * np.abs(W).sum(axis=1)
        return np.asarray(self.alpha * (values + self.block * row_norms(W)))

    def _pairs_norm(self, G: Array) -> float:
        """The dual norm of the differences alone, for rows that sum to zero up to rounding."""
        rows = np.array(G, dtype=np.float64)
        rows -= rows.mean(axis=1, keepdims=True)
        # Those below a cut sum to minus what those above it do.
        sums = np.cumsum(np.sort(rows, axis=1), axis=1)[:, :-1]
        largest = float((np.abs(sums) / _cuts(rows)).max(initial=0.0))
        strength = self.alpha * self.fused
        if largest == 0.0:
            return 0.0
        return largest / strength if strength > 0 else np.inf

    def _bounds(self, G: Array) -> tuple[Array, Array]:
        sizes, upper = row_norms(G), np.full(len(G), np.inf)
        # One part of the penalty alone would ask for more.
        if self.sparse > 0:
            upper = np.abs(G).max(axis=1, initial=0.0) / (self.alpha * self.sparse)
        if self.block > 0:
            upper = np.minimum(upper, sizes / (self.alpha * self.block))
        # From below by the product with G itself, over its value.
        values = self._row_values(G)
        return np.divide(sizes**2, values, out=np.zeros_like(sizes), where=values > 0), upper

    def _excess(self, G: Array, nu: float) -> Array:
        out = np.empty(len(G))
        strengths = [float(self.alpha * part) for part in (self.fused, self.sparse, self.block)]
        _kernels.exceed_pairs(np.sort(G, axis=1), nu, *strengths, out)
        return out


def _cuts(W: Array) -> Array:
    """How many pairs of tasks are on two sides: of the k first, for k = 1 to n_tasks - 1."""
    k = np.arange(1, W.shape[1], dtype=W.dtype)
    return np.asarray(k * (W.shape[1] - k))
