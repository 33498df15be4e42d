"""Concave penalties on the norms of rows, and their convex majorisers."""

from dataclasses import dataclass

import numpy as np

from skmtl.penalties._base import Array, Penalty
from skmtl.penalties._shrinkage import row_norms, shrink_entries

# The radius of a majoriser's ball, as a multiple of the row's size.
_GROWTH = 2.0


@dataclass(frozen=True)
class RowConcave:
    """sum_j h(||w_j||) with h concave and increasing; l1 norms ("capped") or l2 ("mcp")."""

    penalty: str
    alpha: float
    threshold: float
    gamma: float

    def norms(self, W: Array) -> Array:
        return np.abs(W).sum(axis=1) if self.penalty == "capped" else row_norms(W)

    def value(self, W: Array) -> float:
        norms = self.norms(W).astype(np.float64)
        if self.penalty == "capped":
            return float(self.alpha * np.minimum(norms, self.threshold).sum())
        short = np.minimum(norms, self.gamma * self.alpha)
        return float((self.alpha * short - short**2 / (2 * self.gamma)).sum())

    def slopes(self, W: Array) -> Array:
        """h' at the rows' norms (n_features,); at a kink the right derivative, the smaller."""
        norms = self.norms(W).astype(np.float64)
        if self.penalty == "capped":
            return np.where(norms < self.threshold, self.alpha, 0.0)
        return np.maximum(self.alpha - norms / self.gamma, 0.0)

    def majoriser(self, W: Array) -> "RowMajoriser":
        """The convex penalty that majorises this one, up to a constant, and touches it at W.

        Its balls let each row grow to twice its size.
        """
        sizes = np.abs(W).max(axis=1) if self.penalty == "capped" else row_norms(W)
        # Zero rows have the full slope, and need no ball for a finite conjugate.
        radii = np.where(sizes > 0, _GROWTH * sizes, np.inf)
        return RowMajoriser(self.slopes(W), radii, self.penalty == "capped")


class RowMajoriser(Penalty):
    r"""A weighted sum of the norms of rows, each restricted to a ball around zero.

    .. math:: \sum_j a_j \lVert W_{j\cdot} \rVert \quad \text{with} \quad
              \lVert W_{j\cdot} \rVert_* \le r_j

    where both norms are Euclidean, or the first is l1 and the second the largest absolute entry.
    Finite radii make the conjugate finite, so that rows of slope zero have a certificate too.

    Parameters
    ----------
    slopes : ndarray of shape (n_features,)
    radii : ndarray of shape (n_features,)
        Positive or infinite.
    entries : bool
        Whether the first norm is l1.
    """

    separates_over_rows = True
    is_norm = False

    def __init__(self, slopes: Array, radii: Array, entries: bool) -> None:
        self.slopes, self.radii, self.entries = slopes, radii, entries

    def value(self, W: Array) -> float:
        norms = np.abs(W).sum(axis=1) if self.entries else row_norms(W)
        return float((self.slopes * norms).sum())

    def prox(self, V: Array, step: float | Array) -> Array:
        threshold = (step * self.slopes[:, None]).astype(V.dtype)
        radii = self.radii[:, None].astype(V.dtype)
        if self.entries:
            return np.asarray(np.clip(shrink_entries(V, threshold), -radii, radii))
        norms = row_norms(V)[:, None]
        kept = np.minimum(np.maximum(norms - threshold, 0), radii)
        return np.asarray(V * np.divide(kept, norms, out=np.zeros_like(norms), where=norms > 0))

    def _excess(self, G: Array) -> Array:
        """The excess of the rows' norms, or of the absolute entries, over the slopes."""
        sizes = np.abs(G) if self.entries else row_norms(G)[:, None]
        return np.asarray(np.maximum(sizes - self.slopes[:, None], 0.0))

    def conjugate(self, G: Array) -> float:
        excess, bounded = self._excess(G), np.isfinite(self.radii)
        if (excess[~bounded] > 0).any():
            return np.inf
        return float((self.radii[bounded, None] * excess[bounded]).sum())

    def dual_scale(self, G: Array) -> float:
        free = ~np.isfinite(self.radii)
        sizes = np.abs(G[free]).max(axis=1) if self.entries else row_norms(G[free])
        ratio = float((sizes / self.slopes[free]).max(initial=0.0))
        return 1.0 if ratio <= 1.0 else (1.0 - 1e-14) / ratio
