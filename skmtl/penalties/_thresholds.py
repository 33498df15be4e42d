"""The sum of L1 and row norms, whose prox thresholds the entries and the rows of W."""

from typing import Any

import numpy as np

from skmtl.penalties._base import Array, Penalty
from skmtl.penalties._derivatives import (
    Derivative,
    composed,
    of_clipped_rows,
    of_shrunk_entries,
    of_shrunk_rows,
)
from skmtl.penalties._shrinkage import clip_rows, row_norms, shrink_entries, shrink_rows
from skmtl.penalties._sparse_rows import sparse_dual_norm


class RowThresholds(Penalty):
    r"""The norm :math:`a \lVert W \rVert_1 + b \sum_j \lVert W_{j\cdot} \rVert`.

    Parameters
    ----------
    entries, rows : float
        The strengths a and b, non-negative.
    norm : {"l2", "linf"}, default="l2"
        The norm of a row: Euclidean, or its largest absolute entry.
    """

    separates_over_rows = True
    is_absolute = True

    def __init__(self, entries: float, rows: float, norm: str = "l2") -> None:
        self.entries = entries
        self.rows = rows
        self.norm = norm

    @property
    def is_zero(self) -> bool:
        return self.entries == 0 and self.rows == 0

    @property
    def row_thresholds(self) -> tuple[float, float] | None:
        return (self.entries, self.rows) if self.norm == "l2" or not self.rows else None

    def scaled(self, factor: float) -> "RowThresholds":
        return RowThresholds(self.entries * factor, self.rows * factor, self.norm)

    def value(self, W: Array) -> float:
        value = float(self.entries * np.abs(W).sum()) if self.entries else 0.0
        if not self.rows:
            return value
        norms = row_norms(W) if self.norm == "l2" else np.abs(W).max(axis=1, initial=0.0)
        return value + float(self.rows * norms.sum())

    def prox(self, V: Array, step: float | Array) -> Array:
        if self.entries:
            V = shrink_entries(V, step * self.entries)
        shrink = shrink_rows if self.norm == "l2" else clip_rows
        return shrink(V, step * self.rows) if self.rows else V

    def prox_derivative(self, V: Array, step: float | Array) -> Derivative:
        of_rows = of_shrunk_rows if self.norm == "l2" else of_clipped_rows
        entry, group = step * self.entries, step * self.rows
        entries = of_shrunk_entries(V, entry)
        if not self.rows:
            return entries
        return composed(entries, of_rows(shrink_entries(V, entry), group))

    def dual_norm(self, G: Array) -> float:
        if not self.rows:
            return float(np.abs(G).max(initial=0.0) / self.entries)
        if not self.entries:
            return float(self.dual_lengths(G).max(initial=0.0) / self.rows)
        return sparse_dual_norm(G, self.entries, self.rows, self.norm)

    def dual_lengths(self, G: Array) -> Array:
        """The dual norms (n_features,) of the rows of G to the norm of rows alone."""
        return row_norms(G) if self.norm == "l2" else np.asarray(np.abs(G).sum(axis=1))

    def to_cvxpy(self, W: Any) -> Any:
        import cvxpy as cp

        rows = cp.norm(W, 2, axis=1) if self.norm == "l2" else cp.max(cp.abs(W), axis=1)
        return self.entries * cp.sum(cp.abs(W)) + self.rows * cp.sum(rows)
