"""Differences between all pairs of tasks: groups of tasks share coefficients."""

import numpy as np

from skmtl._numerics import kernels
from skmtl.penalties._base import Array
from skmtl.penalties._fusion import Fusion, Strengths


class PairwiseFusion(Fusion):
    r"""Differences between all pairs of tasks, with optional L1 and row norms.

    .. math:: \alpha \sum_j \Bigl( \text{fused} \sum_{s < t} |W_{js} - W_{jt}|
              + \text{sparse} \, \lVert W_{j\cdot} \rVert_1
              + \text{block} \, \lVert W_{j\cdot} \rVert_2 \Bigr)

    This is total variation on the complete graph of tasks with equal edge weights. Its prox is
    exact: each row is sorted, step * alpha * fused * (2k - T - 1) is subtracted from the k-th
    smallest of its T entries, and isotonic regression of the result is followed by
    soft-thresholding of the entries and then of the row. If the differences are the only term, the
    dual norm is

    .. math:: \max_{j,\, k < T} \;
              \frac{\text{the sum of the $k$ largest entries of } G_{j\cdot}}
              {\alpha \; \text{fused} \; k \, (T - k)} ,

    for rows of G that sum to zero (their mean is subtracted). Otherwise it is the smallest strength
    at which the prox vanishes, found by root finding and rounded up.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength, positive.
    fused : float, default=1.0
        Relative strength of the differences, non-negative.
    sparse : float, default=0.0
        Relative strength of the L1 norm, non-negative.
    block : float, default=0.0
        Relative strength of the rows' Euclidean norms, non-negative.

    References
    ----------
    Y. She, "Sparse regression with exact clustering", Electron. J. Stat. 4, 2010,
    https://doi.org/10.1214/10-EJS578

    T. D. Hocking, A. Joulin, F. Bach and J.-P. Vert, "Clusterpath: an algorithm for clustering
    using convex fusion penalties", ICML 2011

    M. J. Best and N. Chakravarti, "Active set algorithms for isotonic regression; a unifying
    framework", Math. Program. 47, 1990, https://doi.org/10.1007/BF01580873

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.penalties import PairwiseFusion
    >>> W = np.array([[3.0, 4.0], [0.0, 0.0]])
    >>> round(PairwiseFusion(0.5, fused=1.0, sparse=0.1).value(W), 6)  # 0.5 * (1 + 0.1 * 7)
    0.85
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
        # Sum the gaps of the sorted row, each times the number of pairs across it: no cancellation.
        return np.asarray((np.diff(rows, axis=1) * _cuts(rows)).sum(axis=1))

    def _largest_sum(self, rows: Array) -> float:
        # The entries below a cut sum to minus the sum of those above it.
        sums = np.cumsum(rows, axis=1)[:, :-1]
        return float((np.abs(sums) / _cuts(rows)).max(initial=0.0))

    def _exceed(self, rows: Array, nu: float, strengths: Strengths, out: Array) -> None:
        kernels.exceed_pairs(rows, nu, *strengths, out)


def _cuts(W: Array) -> Array:
    """The number of pairs with one task among the first k, for k = 1 to n_tasks - 1."""
    k = np.arange(1, W.shape[1], dtype=W.dtype)
    return np.asarray(k * (W.shape[1] - k))
