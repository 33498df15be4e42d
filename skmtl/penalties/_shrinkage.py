"""The proximal operators of entrywise and row norms, from which others are composed."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl._numerics import linalg

Array = NDArray[Any]


def row_norms(W: Array) -> Array:
    """Euclidean norms of the rows of W."""
    return linalg.row_norms(W)


def shrink_entries(V: Array, threshold: float | Array) -> Array:
    """Soft-threshold the entries of V by a number, or by one threshold per row (n, 1)."""
    threshold = np.asarray(threshold, dtype=V.dtype)
    return np.asarray(V - np.clip(V, -threshold, threshold))


def clip_signs(V: Array, signs: Array | None) -> Array:
    """Set entries of the wrong sign to zero: +1, -1 or 0 (no restriction) per row; None: all +1."""
    if signs is None:
        return np.asarray(np.maximum(V, 0))
    column = np.asarray(signs, dtype=V.dtype)[:, None]
    return np.where(column * V >= 0, V, V.dtype.type(0))


def shrink_rows(V: Array, threshold: float | Array) -> Array:
    """Reduce the Euclidean norm of each row of V by the threshold."""
    norms = row_norms(V)[:, None]
    threshold = np.broadcast_to(threshold, norms.shape)
    ratio = np.divide(threshold, norms, out=np.ones_like(norms), where=norms > threshold)
    return np.asarray(V * (1 - ratio))


def clip_rows(V: Array, radius: float | Array) -> Array:
    """V minus the projection of each row onto the l1 ball of the given radius."""
    level = clip_levels(V, radius)
    return np.asarray(np.clip(V, -level, level))


def clip_levels(V: Array, radius: float | Array) -> Array:
    """The largest absolute value (n_features, 1) of each row of ``clip_rows``."""
    radius = np.broadcast_to(radius, (len(V), 1))
    sizes = np.abs(V)
    # The projection soft-thresholds the row at the level where the remaining absolute values sum
    # to the radius; the row minus its projection is the row clipped at that level.
    ordered = -np.sort(-sizes, axis=1)
    levels = (np.cumsum(ordered, axis=1) - radius) / np.arange(1, V.shape[1] + 1)
    above = np.count_nonzero(ordered > levels, axis=1)
    level = np.take_along_axis(levels, np.maximum(above, 1)[:, None] - 1, axis=1)
    return np.asarray(np.maximum(level, 0).astype(V.dtype))
