"""Penalties that threshold rows of W and their entries."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from skmtl._numerics import linalg

Array = NDArray[Any]


@dataclass(frozen=True)
class Thresholds:
    """The penalty sum_j (entry_j |W_j|_1 + group_j |W_j|_2) + sum_t ridges_t |w_t|^2 / 2.

    Restricted to W >= 0 if ``positive``. At least one of ``entry`` and ``group`` is positive.

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
        """The thresholds of some rows of W."""
        if not (_differs(self.entry) or _differs(self.group)):
            return self
        entry, group = _taken(self.entry, features), _taken(self.group, features)
        return replace(self, entry=entry, group=group)

    def strengths(self, n_rows: int) -> tuple[Array, Array, Array, bool]:
        """The arguments of the kernels."""
        entry = np.full(n_rows, self.entry, dtype=np.float64)
        group = np.full(n_rows, self.group, dtype=np.float64)
        return self.ridges, entry, group, self.positive

    @cached_property
    def _has_entries(self) -> bool:
        """Whether some row's entries have a threshold."""
        return bool(np.any(self.entry) if _differs(self.entry) else self.entry)

    @cached_property
    def _has_groups(self) -> bool:
        """Whether every row has a threshold of its own."""
        return bool(np.all(self.group) if _differs(self.group) else self.group)

    def _rest(self, G: Array) -> Array:
        """The absolute values of G (d, n_tasks), soft-thresholded at the entries' threshold."""
        if self.positive:
            G = np.maximum(G, 0.0)
        if self._has_entries:
            return np.asarray(np.maximum(np.abs(G) - np.reshape(self.entry, (-1, 1)), 0.0))
        return G

    def nearness(self, G: Array, factor: float = 1.0) -> Array:
        """How close each row (d,) is to becoming active, which it is at 1.

        The gradient is -factor G.
        """
        if self._has_groups and not (self.positive or self._has_entries):
            return np.asarray(linalg.row_norms(G) * (abs(factor) / self.group))
        if factor != 1.0:
            G = factor * G
        if self._has_groups:
            return np.asarray(linalg.row_norms(self._rest(G)) / self.group)
        sizes = np.maximum(G, 0.0) if self.positive else np.abs(G)
        return np.asarray(sizes.max(axis=1) / self.entry)

    def reached(self, G: Array, reach: Array, factor: float = 1.0) -> Array:
        """Whether some gradient within ``reach`` (d,) of -factor G could make each row active."""
        # Soft-thresholding is non-expansive.
        threshold = self.group if self._has_groups else self.entry
        return np.asarray(self.nearness(G, factor) + reach / threshold >= 1)


def _differs(values: float | Array) -> TypeGuard[Array]:
    """Whether there is a value for each row, and not the same one for all."""
    return isinstance(values, np.ndarray) and values.ndim > 0


def _taken(values: float | Array, features: Array) -> float | Array:
    """The values of some rows, or the same one for all."""
    return values[features] if _differs(values) else values
