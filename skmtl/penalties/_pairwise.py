"""Differences between every two tasks: some of them share their coefficients."""

import numpy as np

from skmtl._numerics import kernels
from skmtl.penalties._base import Array
from skmtl.penalties._fusion import Fusion


class PairwiseFusion(Fusion):
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

    def __init__(
        self, alpha: float = 1.0, fused: float = 1.0, sparse: float = 0.0, block: float = 0.0
    ) -> None:
        self.alpha = alpha
        self.fused = fused
        self.sparse = sparse
        self.block = block

    def prox(self, V: Array, step: float | Array) -> Array:
        places = np.argsort(V, axis=1)
        rows = np.take_along_axis(V, places, axis=1)
        kernels.shrink_pairs(rows, *self._thresholds(len(V), step))
        W = np.empty_like(rows)
        np.put_along_axis(W, places, rows, axis=1)
        return W

    def _arranged(self, W: Array) -> Array:
        return np.sort(W, axis=1)

    def _pairs(self, n_tasks: int) -> tuple[Array, Array]:
        return np.triu_indices(n_tasks, k=1)

    def _differences(self, rows: Array) -> Array:
        # As gaps of the sorted row, each of which all pairs across it have: nothing cancels.
        return np.asarray((np.diff(rows, axis=1) * _cuts(rows)).sum(axis=1))

    def _largest_sum(self, rows: Array) -> float:
        # Those below a cut sum to minus what those above it do.
        sums = np.cumsum(rows, axis=1)[:, :-1]
        return float((np.abs(sums) / _cuts(rows)).max(initial=0.0))

    def _exceed(self, rows: Array, nu: float, strengths: list[float], out: Array) -> None:
        kernels.exceed_pairs(rows, nu, *strengths, out)


def _cuts(W: Array) -> Array:
    """How many pairs of tasks are on two sides: of the k first, for k = 1 to n_tasks - 1."""
    k = np.arange(1, W.shape[1], dtype=W.dtype)
    return np.asarray(k * (W.shape[1] - k))
