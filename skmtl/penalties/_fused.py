"""Total variation along a chain of tasks: neighbours share coefficients."""

from typing import Any, Self

import numpy as np

from skmtl._numerics import kernels
from skmtl.penalties._base import Array
from skmtl.penalties._fusion import Fusion, Strengths


class FusedTasks(Fusion):
    r"""Differences between neighbouring tasks, with optional L1 and row norms.

    .. math:: \alpha \sum_j \Bigl( \text{fused} \sum_{k=1}^{T-1}
              |W_{j, o(k+1)} - W_{j, o(k)}| + \text{sparse} \, \lVert W_{j\cdot} \rVert_1
              + \text{block} \, \lVert W_{j\cdot} \rVert_2 \Bigr)

    Its prox is the exact prox of the total variation of each row, followed by soft-thresholding of
    the entries and then of the row; no other order is correct. If the differences are the only
    term, the dual norm is the largest absolute partial sum of G along the order, divided by
    alpha * fused; the rows of G must then sum to zero, and their mean is subtracted. Otherwise the
    dual norm is the smallest strength at which the prox vanishes, found by root finding and
    rounded up.

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
    order : array-like of shape (n_tasks,) or None, default=None
        The columns of W along the chain, each once; None for the order of the columns.

    Raises
    ------
    ValueError
        On use, if ``order`` is not a permutation of the columns.

    References
    ----------
    R. Tibshirani, M. Saunders, S. Rosset, J. Zhu and K. Knight, "Sparsity and smoothness via the
    fused lasso", JRSS B 67(1), 2005, https://doi.org/10.1111/j.1467-9868.2005.00490.x

    J. Zhou, J. Liu, V. Narayan and J. Ye, "Modeling disease progression via fused sparse group
    lasso", KDD 2012, https://doi.org/10.1145/2339530.2339702

    L. Condat, "A direct algorithm for 1-D total variation denoising", IEEE Signal Process. Lett.
    20(11), 2013, https://doi.org/10.1109/LSP.2013.2278339

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.penalties import FusedTasks
    >>> W = np.array([[3.0, 4.0], [0.0, 0.0]])
    >>> round(FusedTasks(0.5, fused=1.0, sparse=0.1).value(W), 6)  # 0.5 * (1 + 0.1 * 7)
    0.85
    """

    def __init__(
        self,
        alpha: float = 1.0,
        fused: float = 1.0,
        sparse: float = 0.0,
        block: float = 0.0,
        order: Any = None,
    ) -> None:
        self.alpha = alpha
        self.fused = fused
        self.sparse = sparse
        self.block = block
        self.order = order

    def prox(self, V: Array, step: float | Array) -> Array:
        chains = self._arranged(V)
        kernels.shrink_chains(chains, *self._thresholds(len(V), step))
        if self.order is None:
            return chains
        W = np.empty_like(chains)
        W[:, np.asarray(self.order)] = chains
        return W

    def for_tasks(self, chosen: Array) -> Self:
        # The neighbours of a task that is left out become neighbours of each other.
        if self.order is None:
            return self
        order = np.asarray(self.order)
        places = np.cumsum(chosen) - 1
        kept = places[order[np.asarray(chosen)[order]]]
        return type(self)(self.alpha, self.fused, self.sparse, self.block, kept)

    def check(self, n_features: int, n_tasks: int) -> None:
        super().check(n_features, n_tasks)
        self._arranged(np.zeros((1, n_tasks)))

    def _arranged(self, W: Array) -> Array:
        if self.order is None:
            return np.array(W, order="C")
        order = np.asarray(self.order)
        whole = order.ndim == 1 and order.dtype.kind in "iu"
        if not whole or not np.array_equal(np.sort(order), np.arange(W.shape[1])):
            raise ValueError(
                f"The 'order' parameter of FusedTasks must contain each of the columns 0 to "
                f"{W.shape[1] - 1} once, got {self.order!r}."
            )
        return np.ascontiguousarray(W[:, order])

    def _merges(self, W: Array) -> Array:
        # Only neighbours are made equal: equal values further apart are a coincidence.
        chains = self._arranged(W)
        labels = np.zeros(W.shape, dtype=np.intp)
        steps = np.cumsum(chains[:, 1:] != chains[:, :-1], axis=1)
        order = np.arange(W.shape[1]) if self.order is None else np.asarray(self.order)
        labels[:, order[1:]] = steps
        return labels

    def _pairs(self, n_tasks: int) -> tuple[Array, Array]:
        order = np.arange(n_tasks) if self.order is None else np.asarray(self.order)
        return order[1:], order[:-1]

    def _differences(self, rows: Array) -> Array:
        return np.asarray(np.abs(np.diff(rows, axis=1)).sum(axis=1))

    def _largest_sum(self, rows: Array) -> float:
        return float(np.abs(np.cumsum(rows, axis=1)[:, :-1]).max(initial=0.0))

    def _exceed(self, rows: Array, nu: float, strengths: Strengths, out: Array) -> None:
        kernels.exceed_chains(rows, nu, *strengths, out)
