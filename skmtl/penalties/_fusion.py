"""The base of penalties on differences between tasks: their other terms and dual norm."""

from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.utils._param_validation import Interval

from skmtl.penalties._base import Array, Penalty
from skmtl.penalties._derivatives import (
    Derivative,
    composed,
    of_merged,
    of_shrunk_entries,
    of_shrunk_rows,
)
from skmtl.penalties._roots import RowRootNorm
from skmtl.penalties._shrinkage import row_norms, shrink_entries

# The absolute strengths of the differences, the L1 norm and the row norms.
Strengths = tuple[float, float, float]


class Fusion(RowRootNorm):
    r"""Differences within each row of W, with optional L1 and row norms.

    .. math:: \alpha \sum_j \bigl( \text{fused} \, D(W_{j\cdot})
              + \text{sparse} \, \lVert W_{j\cdot} \rVert_1
              + \text{block} \, \lVert W_{j\cdot} \rVert_2 \bigr)

    The prox is that of D, followed by soft-thresholding of the entries and then of the row; no
    other order is correct.

    Hooks: ``_arranged``, ``_differences``, ``_largest_sum``, ``_exceed``, ``_pairs`` and ``prox``.
    """

    alpha: float
    fused: float
    sparse: float
    block: float

    adds_row_norms = True

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **Penalty._parameter_constraints,
        **{name: [Interval(Real, 0, None, closed="left")] for name in ("fused", "sparse", "block")},
    }

    def _arranged(self, W: Array) -> Array:
        """A C-contiguous copy of W, with each row in the order of the differences."""
        raise NotImplementedError

    def _differences(self, rows: Array) -> Array:
        """D of each arranged row (n_features,)."""
        raise NotImplementedError

    def _largest_sum(self, rows: Array) -> float:
        """The dual norm of D alone at arranged rows that sum to zero."""
        raise NotImplementedError

    def _exceed(self, rows: Array, nu: float, strengths: Strengths, out: Array) -> None:
        """Set ``out`` (n_features,) to the excess of arranged rows over nu times the strengths.

        The excess is at most 0 if the prox with these strengths makes the row zero.
        """
        raise NotImplementedError

    def _pairs(self, n_tasks: int) -> tuple[Array, Array]:
        """The pairs of tasks whose absolute differences D sums."""
        raise NotImplementedError

    def _merges(self, W: Array) -> Array:
        """For W, a result of the prox of D alone, labels of the tasks that it has made equal."""
        return np.unique(W, return_inverse=True)[1].reshape(W.shape)

    def prox_derivative(self, V: Array, step: float | Array) -> Derivative:
        _, entries, rows = (part[:, None] for part in self._thresholds(len(V), step))
        first, W = [], V
        if self.fused > 0:
            alone = type(self)(**{**self.get_params(deep=False), "sparse": 0.0, "block": 0.0})
            W = alone.prox(V, step)
            first = [of_merged(self._merges(W))]
        shrunk = shrink_entries(W, entries)
        return composed(*first, of_shrunk_entries(W, entries), of_shrunk_rows(shrunk, rows))

    @property
    def leaves_mean_free(self) -> bool:
        return self.sparse == 0 and self.block == 0

    @property
    def row_thresholds(self) -> tuple[float, float] | None:
        if self.fused != 0:
            return None
        return float(self.alpha * self.sparse), float(self.alpha * self.block)

    @property
    def is_absolute(self) -> bool:
        return self.fused == 0

    @property
    def is_zero(self) -> bool:
        return super().is_zero or not (self.fused or self.sparse or self.block)

    def plus_row_norms(self, entries: float, rows: float) -> Self:
        fused, sparse, block = self._strengths
        strengths = {"fused": fused, "sparse": sparse + entries, "block": block + rows}
        return type(self)(**{**self.get_params(deep=False), "alpha": 1.0, **strengths})

    def value(self, W: Array) -> float:
        return float(self._row_values(self._arranged(W)).sum())

    def dual_norm(self, G: Array) -> float:
        return self._norm_alone(G) if self.leaves_mean_free else super().dual_norm(G)

    def conjugate(self, G: Array) -> float:
        if self.leaves_mean_free:
            return 0.0 if self._norm_alone(G) <= 1.0 else np.inf
        return super().conjugate(G)

    def to_cvxpy(self, W: Any) -> Any:
        import cvxpy as cp

        first, second = self._pairs(W.shape[1])
        value = self.sparse * cp.sum(cp.abs(W)) + self.block * cp.sum(cp.norm(W, 2, axis=1))
        if len(first):
            value += self.fused * cp.sum(cp.abs(W[:, first] - W[:, second]))
        return self.alpha * value

    @property
    def _strengths(self) -> Strengths:
        alpha = self.alpha
        return float(alpha * self.fused), float(alpha * self.sparse), float(alpha * self.block)

    def _thresholds(self, n_rows: int, step: float | Array) -> tuple[Array, Array, Array]:
        """The thresholds (n_rows,) of a prox step for differences, entries and row norms."""
        scaled = np.asarray(step, dtype=np.float64) * self.alpha
        steps = np.broadcast_to(scaled, (n_rows, 1))[:, 0]
        return steps * self.fused, steps * self.sparse, steps * self.block

    def _row_values(self, rows: Array) -> Array:
        """The penalty of each arranged row."""
        values = self.fused * self._differences(rows) + self.sparse * np.abs(rows).sum(axis=1)
        return np.asarray(self.alpha * (values + self.block * row_norms(rows)))

    def _norm_alone(self, G: Array) -> float:
        """The dual norm of the differences alone, at rows that sum to zero up to rounding."""
        rows = self._arranged(np.asarray(G, dtype=np.float64))
        rows -= rows.mean(axis=1, keepdims=True)
        largest, strength = self._largest_sum(rows), self.alpha * self.fused
        if largest == 0.0:
            return 0.0
        return largest / strength if strength > 0 else np.inf

    def _bounds(self, G: Array) -> tuple[Array, Array]:
        sizes, upper = row_norms(G), np.full(len(G), np.inf)
        # The dual norm of one term alone is an upper bound.
        if self.sparse > 0:
            upper = np.abs(G).max(axis=1, initial=0.0) / (self.alpha * self.sparse)
        if self.block > 0:
            upper = np.minimum(upper, sizes / (self.alpha * self.block))
        # The lower bound is <G, G> / value(G).
        values = self._row_values(self._arranged(G))
        return np.divide(sizes**2, values, out=np.zeros_like(sizes), where=values > 0), upper

    def _excess(self, G: Array, nu: float) -> Array:
        out = np.empty(len(G))
        self._exceed(self._arranged(G), nu, self._strengths, out)
        return out
