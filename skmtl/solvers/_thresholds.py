"""A penalty as thresholds on rows of W and on their entries."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Thresholds:
    """The penalty sum_j (entry_j |W_j|_1 + group_j |W_j|_2) + sum_t ridges_t |w_t|^2 / 2.

    Of W, or of W >= 0. One of ``entry`` and ``group`` is positive.

    Attributes
    ----------
    entry, group : float or ndarray of shape (d,)
    ridges : ndarray of shape (n_tasks,)
    positive : bool
    """

    entry: float | Array
    group: float | Array
    ridges: Array
    positive: bool = False

    def of(self, features: Array) -> "Thresholds":
        """Those of some rows of W."""
        entry, group = (x if np.ndim(x) == 0 else x[features] for x in (self.entry, self.group))  # type: ignore[index]
        return replace(self, entry=entry, group=group)

    def strengths(self, n_rows: int) -> tuple[Array, Array, Array, bool]:
        """What kernels take."""
        entry, group = (
            np.array(np.broadcast_to(x, n_rows), dtype=np.float64) for x in (self.entry, self.group)
        )
        return self.ridges, entry, group, self.positive

    def _rest(self, G: Array) -> Array:
        """What slopes G (d, n_tasks) exceed the entries' threshold by, without sign."""
        if self.positive:
            G = np.maximum(G, 0.0)
        if np.any(self.entry):
            return np.asarray(np.maximum(np.abs(G) - np.reshape(self.entry, (-1, 1)), 0.0))
        return G

    def nearness(self, G: Array) -> Array:
        """How near slopes G (d, n_tasks) come to bringing each row into use (d,), at 1."""
        if np.all(self.group):
            rest = self._rest(G)
            return np.asarray(np.sqrt(np.einsum("jt,jt->j", rest, rest)) / self.group)
        sizes = np.maximum(G, 0.0) if self.positive else np.abs(G)
        return np.asarray(sizes.max(axis=1) / self.entry)

    def reached(self, G: Array, reach: Array) -> Array:
        """Whether slopes within ``reach`` (d,) of G may exceed the thresholds of each row (d,)."""
        if np.all(self.group):
            # Thresholding the entries moves no two points apart.
            return np.asarray(self.nearness(G) + reach / self.group >= 1)
        return np.asarray(self.nearness(G) + reach / self.entry >= 1)
