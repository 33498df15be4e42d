"""The sum of L1 and row norms, whose prox thresholds the entries and the rows of W."""

from typing import Any

import numpy as np

from skmtl.penalties._base import Array, Penalty
from skmtl.penalties._derivatives import (
    Derivative,
    composed,
    of_shrunk_entries,
    of_shrunk_rows,
)
from skmtl.penalties._shrinkage import row_norms, shrink_entries, shrink_rows
from skmtl.penalties._sparse_rows import sparse_dual_norm


class RowThresholds(Penalty):
    r"""The norm :math:`a \lVert W \rVert_1 + b \sum_j \lVert W_{j\cdot} \rVert_2`.

    Parameters
    ----------
    entries, rows : float
        The strengths a and b, non-negative.
    """

    separates_over_rows = True
    is_absolute = True

    def __init__(self, entries: float, rows: float) -> None:
        self.entries = entries
        self.rows = rows

    @property
    def is_zero(self) -> bool:
        return self.entries == 0 and self.rows == 0

    @property
    def row_thresholds(self) -> tuple[float, float]:
        return self.entries, self.rows

    def scaled(self, factor: float) -> "RowThresholds":
        return RowThresholds(self.entries * factor, self.rows * factor)

    def value(self, W: Array) -> float:
        value = float(self.entries * np.abs(W).sum()) if self.entries else 0.0
        return value + float(self.rows * row_norms(W).sum()) if self.rows else value

    def prox(self, V: Array, step: float | Array) -> Array:
        if self.entries:
            V = shrink_entries(V, step * self.entries)
        return shrink_rows(V, step * self.rows) if self.rows else V

    def prox_derivative(self, V: Array, step: float | Array) -> Derivative:
        entry, group = step * self.entries, step * self.rows
        return composed(
            of_shrunk_entries(V, entry), of_shrunk_rows(shrink_entries(V, entry), group)
        )

    def dual_norm(self, G: Array) -> float:
        if not self.rows:
            return float(np.abs(G).max(initial=0.0) / self.entries)
        if not self.entries:
            return float(row_norms(G).max(initial=0.0) / self.rows)
        return sparse_dual_norm(G, self.entries, self.rows)

    def to_cvxpy(self, W: Any) -> Any:
        import cvxpy as cp

        return self.entries * cp.sum(cp.abs(W)) + self.rows * cp.sum(cp.norm(W, 2, axis=1))
