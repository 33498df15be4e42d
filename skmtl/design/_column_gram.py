"""The Gram matrix of a design's columns, computed for the columns of working sets only."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl._numerics import kernels

Array = NDArray[Any]


class ColumnGram:
    """Centred, weighted products between columns of a shared design, each computed once.

    Parameters
    ----------
    design : Design with ``has_common_columns``
        Row i has the weight ``design.row_weights[i]``.
    """

    def __init__(self, design: Any) -> None:
        self.design = design
        self._position = np.full(design.n_features, -1)
        self._n_known = 0
        self._gram = np.zeros((0, 0))
        # The columns used so far, weighted and centred, stored as rows for fast products.
        self._rows = np.zeros((0, design.weights.shape[0]))

    def of(self, features: Array) -> Array:
        """The Gram matrix (s, s) of some features, float64."""
        self._add(features[self._position[features] < 0])
        taken: Array = np.empty((1, len(features), len(features)))
        # Faster than fancy indexing.
        kernels.take_grams(self._gram[None], self._position[features], taken)
        return np.asarray(taken[0])

    def rows(self, features: Array) -> Array:
        """The columns (s, n_samples), centred and multiplied by root weights."""
        self._add(features[self._position[features] < 0])
        return self._rows[self._position[features]]

    def _add(self, new: Array) -> None:
        if not len(new):
            return
        old, total = self._n_known, self._n_known + len(new)
        if total > len(self._gram):
            self._grow(min(max(2 * total, 64), self.design.n_features))
        self._rows[old:total] = self.design.weighted_columns(new)
        fresh = self._rows[old:total]
        self._gram[old:total, :total] = fresh @ self._rows[:total].T
        self._gram[:old, old:total] = self._gram[old:total, :old].T
        self._position[new] = np.arange(old, total)
        self._n_known = total

    def _grow(self, capacity: int) -> None:
        known = self._n_known
        gram = np.empty((capacity, capacity))
        gram[:known, :known] = self._gram[:known, :known]
        rows = np.empty((capacity, self._rows.shape[1]))
        rows[:known] = self._rows[:known]
        self._gram, self._rows = gram, rows

    def restricted(self, features: Array) -> "RestrictedGram":
        """A view of the columns ``features``, renumbered from 0."""
        return RestrictedGram(self, features)


class RestrictedGram:
    """A renumbered view of some columns of a :class:`ColumnGram`, which shares its cache."""

    def __init__(self, whole: ColumnGram, features: Array) -> None:
        self.whole, self.features = whole, features

    def of(self, features: Array) -> Array:
        return self.whole.of(self.features[features])

    def rows(self, features: Array) -> Array:
        return self.whole.rows(self.features[features])

    def restricted(self, features: Array) -> "RestrictedGram":
        return RestrictedGram(self.whole, self.features[features])
