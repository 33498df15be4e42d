"""Total variation along an order of the tasks: neighbours share their coefficients."""

from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.utils._param_validation import Interval

from skmtl import _kernels
from skmtl.penalties._base import Array, Penalty
from skmtl.penalties._roots import RowRootNorm
from skmtl.penalties._rows import row_norms


class FusedTasks(RowRootNorm):
    r"""Differences between neighbouring tasks, with the L1 and the row norm at will.

    .. math:: \alpha \sum_j \Bigl( \text{fused} \sum_{k=1}^{T-1}
              |W_{j, o(k+1)} - W_{j, o(k)}| + \text{sparse} \, \lVert W_{j\cdot} \rVert_1
              + \text{block} \, \lVert W_{j\cdot} \rVert_2 \Bigr)

    Its prox is that of the total variation of each row, exact, then a soft threshold of the
    entries, then of the row; no other order is right. Its dual norm is the largest sum of G along
    the order over alpha * fused where the differences stand alone, in which case the rows of G
    have to sum to zero (what they sum to is left out); otherwise the smallest strength for which
    the prox vanishes, by root finding, from above.

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
    order : array-like of shape (n_tasks,) or None, default=None
        The columns of W along the chain, each once; None: as they are.

    Raises
    ------
    ValueError
        On use, where ``order`` is not a permutation of the columns.

    References
    ----------
    R. Tibshirani, M. Saunders, S. Rosset, J. Zhu and K. Knight, "Sparsity and smoothness via the
    fused lasso", JRSS B 67(1), 2005, https://doi.org/10.1111/j.1467-9868.2005.00490.x

    J. Zhou, J. Liu, V. Narayan and J. Ye, "Modeling disease progression via fused sparse group
    lasso", KDD 2012, https://doi.org/10.1145/2339530.2339702

    L. Condat, "A direct algorithm for 1-D total variation denoising", IEEE Signal Process. Lett.
    20(11), 2013, https://doi.org/10.1109/LSP.2013.2278339
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **Penalty._parameter_constraints,
        **{name: [Interval(Real, 0, None, closed="left")] for name in ("fused", "sparse", "block")},
    }

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

    @property
    def leaves_mean_free(self) -> bool:  # type: ignore[override]
        return self.sparse == 0 and self.block == 0

    @property
    def row_thresholds(self) -> tuple[float, float] | None:
        if self.fused != 0:
            return None
        return float(self.alpha * self.sparse), float(self.alpha * self.block)

    def value(self, W: Array) -> float:
        return float(self._row_values(self._ordered(W)).sum())

    def prox(self, V: Array, step: float | Array) -> Array:
        chains = self._ordered(V)
        step = np.broadcast_to(np.asarray(step, dtype=np.float64) * self.alpha, (len(V), 1))[:, 0]
        _kernels.shrink_chains(chains, step * self.fused, step * self.sparse, step * self.block)
        if self.order is None:
            return chains
        W = np.empty_like(chains)
        W[:, np.asarray(self.order)] = chains
        return W

    def dual_norm(self, G: Array) -> float:
        return self._chain_norm(G) if self.leaves_mean_free else super().dual_norm(G)

    def conjugate(self, G: Array) -> float:
        if self.leaves_mean_free:
            return 0.0 if self._chain_norm(G) <= 1.0 else np.inf
        return super().conjugate(G)

    def for_tasks(self, chosen: Array) -> Self:
        # The neighbours of a task that is left out become neighbours.
        if self.order is None:
            return self
        order = np.asarray(self.order)
        places = np.cumsum(chosen) - 1
        kept = places[order[np.asarray(chosen)[order]]]
        return type(self)(self.alpha, self.fused, self.sparse, self.block, kept)

    def to_cvxpy(self, W: Any) -> Any:
        import cvxpy as cp

        order = np.arange(W.shape[1]) if self.order is None else np.asarray(self.order)
        value = self.sparse * cp.sum(cp.abs(W)) + self.block * cp.sum(cp.norm(W, 2, axis=1))
        if len(order) > 1:
            value += self.fused * cp.sum(cp.abs(W[:, order[1:]] - W[:, order[:-1]]))
        return self.alpha * value

    def check(self, n_features: int, n_tasks: int) -> None:
        super().check(n_features, n_tasks)
        self._ordered(np.zeros((1, n_tasks)))

    def _ordered(self, W: Array) -> Array:
        """A C-contiguous copy of W with its columns along the chain."""
        if self.order is None:
            return np.array(W, order="C")
        order = np.asarray(self.order)
        whole = order.ndim == 1 and order.dtype.kind in "iu"
        if not whole or not np.array_equal(np.sort(order), np.arange(W.shape[1])):
            raise ValueError(
                f"The 'order' parameter of FusedTasks must hold each of the columns 0 to "
                f"{W.shape[1] - 1} once, got {self.order!r}."
            )
        return np.ascontiguousarray(W[:, order])

    def _row_values(self, chains: Array) -> Array:
        """The penalty of each row, its columns along the chain."""
        values = self.fused * np.abs(np.diff(chains, axis=1)).sum(axis=1)
        values = values + self.sparse * np.abs(chains).sum(axis=1)
        return self.alpha * (values + self.block * row_norms(chains))

    def _chain_norm(self, G: Array) -> float:
        """The dual norm of the differences alone, for rows that sum to zero up to rounding."""
        chains = self._ordered(np.asarray(G, dtype=np.float64))
        chains -= chains.mean(axis=1, keepdims=True)
        largest = float(np.abs(np.cumsum(chains, axis=1)[:, :-1]).max(initial=0.0))
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
        values = self._row_values(self._ordered(G))
        return np.divide(sizes**2, values, out=np.zeros_like(sizes), where=values > 0), upper

    def _excess(self, G: Array, nu: float) -> Array:
        out = np.empty(len(G))
        strengths = [float(self.alpha * part) for part in (self.fused, self.sparse, self.block)]
        _kernels.exceed_chains(self._ordered(G), nu, *strengths, out)
        return out
