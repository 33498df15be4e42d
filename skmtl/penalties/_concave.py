"""Concave penalties on the norms of rows or groups of rows, and their convex majorisers."""

from dataclasses import dataclass

import numpy as np

from skmtl.penalties._base import Array, Penalty
from skmtl.penalties._shrinkage import row_norms, shrink_entries

# The radius of a majoriser's ball, as a multiple of the size of the row or group.
_GROWTH = 2.0


@dataclass(frozen=True, kw_only=True)
class RowConcave:
    """sum_g h_g(||W_g||), h_g concave and increasing.

    The groups g are single rows unless ``groups`` (n_features,) numbers them from 0. ``weights``
    (n_features,), equal within each group, multiply alpha.
    """

    alpha: float
    groups: Array | None = None
    weights: Array | None = None

    def norms(self, W: Array) -> Array:
        """The norm of the row, or of its group, for every row of W (n_features,)."""
        raise NotImplementedError

    def slopes(self, W: Array) -> Array:
        """h' at the norms (n_features,); at a kink the right derivative, the smaller."""
        raise NotImplementedError

    def majoriser(self, W: Array) -> "RowMajoriser":
        """The convex penalty that majorises this one, up to a constant, and touches it at W.

        Its balls let each row or group grow to twice its size.
        """
        raise NotImplementedError

    def _values(self, norms: Array) -> Array:
        """h at the norms (n_features,)."""
        raise NotImplementedError

    def _alphas(self, n_features: int) -> Array:
        """alpha for every row of W."""
        alphas = np.full(n_features, float(self.alpha))
        return alphas if self.weights is None else alphas * self.weights

    def _sizes(self, n_features: int) -> Array:
        """The size of its group for every row of W."""
        if self.groups is None:
            return np.ones(n_features)
        return np.asarray(np.bincount(self.groups).astype(np.float64)[self.groups])

    def value(self, W: Array) -> float:
        values = self._values(self.norms(W))
        # Each group has been counted once for each of its rows.
        return float((values if self.groups is None else values / self._sizes(len(W))).sum())


@dataclass(frozen=True, kw_only=True)
class CappedRows(RowConcave):
    """The capped l1 norm alpha min(||W_g||_1, threshold), p times as large for p features."""

    threshold: float

    def norms(self, W: Array) -> Array:
        return group_norms(np.abs(W).sum(axis=1).astype(np.float64), self.groups, add=True)

    def slopes(self, W: Array) -> Array:
        short = self.norms(W) < self._sizes(len(W)) * self.threshold
        return np.where(short, self._alphas(len(W)), 0.0)

    def majoriser(self, W: Array) -> "RowMajoriser":
        sizes = np.abs(W).max(axis=1)
        if self.groups is not None:
            largest = np.zeros(self.groups.max() + 1, dtype=sizes.dtype)
            np.maximum.at(largest, self.groups, sizes)
            sizes = largest[self.groups]
        return EntryMajoriser(self.slopes(W), _radii(sizes))

    def _values(self, norms: Array) -> Array:
        alphas, sizes = self._alphas(len(norms)), self._sizes(len(norms))
        return np.asarray(alphas * np.minimum(norms, sizes * self.threshold))


@dataclass(frozen=True, kw_only=True)
class MinimaxRows(RowConcave):
    """The minimax concave penalty of Frobenius norms, with alpha times sqrt(p) for p features."""

    gamma: float

    def norms(self, W: Array) -> Array:
        return group_norms(row_norms(W).astype(np.float64), self.groups)

    def slopes(self, W: Array) -> Array:
        return np.maximum(self._alphas(len(W)) - self.norms(W) / self.gamma, 0.0)

    def majoriser(self, W: Array) -> "RowMajoriser":
        return NormMajoriser(self.slopes(W), _radii(self.norms(W)), self.groups)

    def _values(self, norms: Array) -> Array:
        alphas = self._alphas(len(norms))
        short = np.minimum(norms, self.gamma * alphas)
        return np.asarray(alphas * short - short**2 / (2 * self.gamma))

    def _alphas(self, n_features: int) -> Array:
        return super()._alphas(n_features) * np.sqrt(self._sizes(n_features))


def _radii(sizes: Array) -> Array:
    """The radii of the balls; zero rows have the full slope, and need none."""
    return np.where(sizes > 0, _GROWTH * sizes, np.inf)


class RowMajoriser(Penalty):
    r"""A weighted sum of the norms of rows, each restricted to a ball around zero.

    .. math:: \sum_j a_j \lVert W_{j\cdot} \rVert \quad \text{with} \quad
              \lVert W_{j\cdot} \rVert_* \le r_j

    where the slopes :math:`a_j` are >= 0, and the radii :math:`r_j` positive or infinite. Finite
    radii make the conjugate finite, so that rows of slope zero have a certificate too.
    """

    is_norm = False
    is_absolute = True
    slopes: Array
    radii: Array

    def _dual_sizes(self, G: Array) -> Array:
        """The dual norms of the rows (n_features,)."""
        raise NotImplementedError

    def dual_scale(self, G: Array) -> float:
        free = ~np.isfinite(self.radii)
        ratio = float((self._dual_sizes(G)[free] / self.slopes[free]).max(initial=0.0))
        return 1.0 if ratio <= 1.0 else (1.0 - 1e-14) / ratio


class EntryMajoriser(RowMajoriser):
    """With l1 norms, in balls of the largest absolute entry.

    Parameters
    ----------
    slopes : ndarray of shape (n_features,)
    radii : ndarray of shape (n_features,)
    """

    separates_over_rows = True

    def __init__(self, slopes: Array, radii: Array) -> None:
        self.slopes, self.radii = slopes, radii

    def value(self, W: Array) -> float:
        return float((self.slopes * np.abs(W).sum(axis=1)).sum())

    def prox(self, V: Array, step: float | Array) -> Array:
        threshold = (step * self.slopes[:, None]).astype(V.dtype)
        radii = self.radii[:, None].astype(V.dtype)
        return np.asarray(np.clip(shrink_entries(V, threshold), -radii, radii))

    def conjugate(self, G: Array) -> float:
        excess = np.maximum(np.abs(G) - self.slopes[:, None], 0.0)
        bounded = np.isfinite(self.radii)
        if (excess[~bounded] > 0).any():
            return np.inf
        return float((self.radii[bounded, None] * excess[bounded]).sum())

    def _dual_sizes(self, G: Array) -> Array:
        return np.asarray(np.abs(G).max(axis=1))


class NormMajoriser(RowMajoriser):
    """With Euclidean norms of rows or groups of rows, in Euclidean balls.

    Parameters
    ----------
    slopes : ndarray of shape (n_features,)
    radii : ndarray of shape (n_features,)
    groups : int array of shape (n_features,), optional
        The group of each row, from 0, within which slopes and radii are equal.
    """

    def __init__(self, slopes: Array, radii: Array, groups: Array | None = None) -> None:
        self.slopes, self.radii, self.groups = slopes, radii, groups

    @property
    def separates_over_rows(self) -> bool:
        return self.groups is None

    @property
    def row_groups(self) -> Array | None:
        return self.groups

    def value(self, W: Array) -> float:
        return float((self.slopes * self._dual_sizes(W))[self._firsts].sum())

    def prox(self, V: Array, step: float | Array) -> Array:
        threshold = (step * self.slopes[:, None]).astype(V.dtype)
        radii, norms = self.radii[:, None].astype(V.dtype), self._dual_sizes(V)[:, None]
        kept = np.minimum(np.maximum(norms - threshold, 0), radii)
        return np.asarray(V * np.divide(kept, norms, out=np.zeros_like(norms), where=norms > 0))

    def conjugate(self, G: Array) -> float:
        excess = np.maximum(self._dual_sizes(G) - self.slopes, 0.0)
        bounded = np.isfinite(self.radii)
        if (excess[~bounded] > 0).any():
            return np.inf
        bounded &= self._firsts
        return float((self.radii[bounded] * excess[bounded]).sum())

    def _dual_sizes(self, G: Array) -> Array:
        # The Euclidean norm is its own dual.
        return group_norms(row_norms(G), self.groups)

    @property
    def _firsts(self) -> Array:
        """A mask of one row of each group."""
        if self.groups is None:
            return np.ones(len(self.slopes), dtype=bool)
        mask = np.zeros(len(self.groups), dtype=bool)
        mask[np.unique(self.groups, return_index=True)[1]] = True
        return mask


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
