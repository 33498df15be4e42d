"""Concave penalties on the norms of rows or groups of rows, and their convex majorisers."""

from dataclasses import dataclass

import numpy as np

from skmtl.penalties._base import Array, Penalty
from skmtl.penalties._shrinkage import row_norms, shrink_entries

# The radius of a majoriser's ball, as a multiple of the size of the row or group.
_GROWTH = 2.0


@dataclass(frozen=True)
class RowConcave:
    """sum_g h_g(||W_g||), h_g concave and increasing; l1 norms ("capped") or Frobenius ("mcp").

    The groups g are single rows unless ``groups`` (n_features,) numbers them from 0. ``weights``
    (n_features,), equal within each group, multiply alpha. In a group of p features the capped
    norm may be p times as large, and alpha of the minimax concave penalty is multiplied by sqrt(p).
    """

    penalty: str
    alpha: float
    threshold: float
    gamma: float
    groups: Array | None = None
    weights: Array | None = None

    def _strengths(self, n_features: int) -> tuple[Array, Array]:
        """alpha and the sizes of the groups, each for every row of W."""
        alphas, sizes = np.full(n_features, float(self.alpha)), np.ones(n_features)
        if self.weights is not None:
            alphas = alphas * self.weights
        if self.groups is not None:
            sizes = np.bincount(self.groups).astype(np.float64)[self.groups]
        return (alphas if self.penalty == "capped" else alphas * np.sqrt(sizes)), sizes

    def norms(self, W: Array) -> Array:
        """The norm of the row, or of its group, for every row of W (n_features,)."""
        norms = np.abs(W).sum(axis=1) if self.penalty == "capped" else row_norms(W)
        return group_norms(norms.astype(np.float64), self.groups, self.penalty == "capped")

    def value(self, W: Array) -> float:
        norms, (alphas, sizes) = self.norms(W), self._strengths(len(W))
        if self.penalty == "capped":
            values = alphas * np.minimum(norms, sizes * self.threshold)
        else:
            short = np.minimum(norms, self.gamma * alphas)
            values = alphas * short - short**2 / (2 * self.gamma)
        # Each group has been counted once for each of its rows.
        return float(values.sum() if self.groups is None else (values / sizes).sum())

    def slopes(self, W: Array) -> Array:
        """h' at the norms (n_features,); at a kink the right derivative, the smaller."""
        norms, (alphas, sizes) = self.norms(W), self._strengths(len(W))
        if self.penalty == "capped":
            return np.where(norms < sizes * self.threshold, alphas, 0.0)
        return np.maximum(alphas - norms / self.gamma, 0.0)

    def majoriser(self, W: Array) -> "RowMajoriser":
        """The convex penalty that majorises this one, up to a constant, and touches it at W.

        Its balls let each row or group grow to twice its size.
        """
        entries = self.penalty == "capped"
        sizes = np.abs(W).max(axis=1) if entries else self.norms(W)
        if entries and self.groups is not None:
            largest = np.zeros(self.groups.max() + 1, dtype=sizes.dtype)
            np.maximum.at(largest, self.groups, sizes)
            sizes = largest[self.groups]
        # Zero rows have the full slope, and need no ball for a finite conjugate.
        radii = np.where(sizes > 0, _GROWTH * sizes, np.inf)
        return RowMajoriser(self.slopes(W), radii, entries, None if entries else self.groups)


class RowMajoriser(Penalty):
    r"""A weighted sum of the norms of rows, each restricted to a ball around zero.

    .. math:: \sum_j a_j \lVert W_{j\cdot} \rVert \quad \text{with} \quad
              \lVert W_{j\cdot} \rVert_* \le r_j

    where both norms are Euclidean, or the first is l1 and the second the largest absolute entry.
    Euclidean norms may be those of groups of rows. Finite radii make the conjugate finite, so that
    rows of slope zero have a certificate too.

    Parameters
    ----------
    slopes : ndarray of shape (n_features,)
    radii : ndarray of shape (n_features,)
        Positive or infinite.
    entries : bool
        Whether the first norm is l1.
    groups : int array of shape (n_features,), optional
        The group of each row, from 0, within which slopes and radii are equal.
    """

    is_norm = False
    is_absolute = True

    def __init__(
        self, slopes: Array, radii: Array, entries: bool, groups: Array | None = None
    ) -> None:
        self.slopes, self.radii, self.entries, self.groups = slopes, radii, entries, groups

    @property
    def separates_over_rows(self) -> bool:
        return self.groups is None

    @property
    def row_groups(self) -> Array | None:
        return self.groups

    def value(self, W: Array) -> float:
        if self.entries:
            return float((self.slopes * np.abs(W).sum(axis=1)).sum())
        return float((self.slopes * self._norms(W))[self._firsts].sum())

    def prox(self, V: Array, step: float | Array) -> Array:
        threshold = (step * self.slopes[:, None]).astype(V.dtype)
        radii = self.radii[:, None].astype(V.dtype)
        if self.entries:
            return np.asarray(np.clip(shrink_entries(V, threshold), -radii, radii))
        norms = self._norms(V)[:, None]
        kept = np.minimum(np.maximum(norms - threshold, 0), radii)
        return np.asarray(V * np.divide(kept, norms, out=np.zeros_like(norms), where=norms > 0))

    def conjugate(self, G: Array) -> float:
        excess, bounded = self._excess(G), np.isfinite(self.radii)
        if (excess[~bounded] > 0).any():
            return np.inf
        if not self.entries:
            bounded &= self._firsts
        return float((self.radii[bounded, None] * excess[bounded]).sum())

    def dual_scale(self, G: Array) -> float:
        free = ~np.isfinite(self.radii)
        sizes = np.abs(G).max(axis=1) if self.entries else self._norms(G)
        ratio = float((sizes[free] / self.slopes[free]).max(initial=0.0))
        return 1.0 if ratio <= 1.0 else (1.0 - 1e-14) / ratio

    def _norms(self, W: Array) -> Array:
        """The Euclidean norms of the rows, or of their groups (n_features,)."""
        return group_norms(row_norms(W), self.groups)

    @property
    def _firsts(self) -> Array:
        """A mask of one row of each group."""
        if self.groups is None:
            return np.ones(len(self.slopes), dtype=bool)
        mask = np.zeros(len(self.groups), dtype=bool)
        mask[np.unique(self.groups, return_index=True)[1]] = True
        return mask

    def _excess(self, G: Array) -> Array:
        """The excess of the rows' norms, or of the absolute entries, over the slopes."""
        sizes = np.abs(G) if self.entries else self._norms(G)[:, None]
        return np.asarray(np.maximum(sizes - self.slopes[:, None], 0.0))


def group_norms(norms: Array, groups: Array | None, add: bool = False) -> Array:
    """The norms of groups of rows, for each row, from those of the rows (n_features,).

    Euclidean norms, or with ``add`` norms that add up.
    """
    if groups is None:
        return norms
    if add:
        return np.asarray(np.bincount(groups, norms)[groups])
    # Divided by the largest, so that squares do not overflow.
    largest = norms.max(initial=0.0)
    if largest == 0:
        return norms
    total = np.sqrt(np.bincount(groups, (norms / largest) ** 2)) * largest
    return np.asarray(total[groups].astype(norms.dtype))
