"""Designs with one X for all tasks and missing labels, for costs in proportion to the labels."""

import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl._numerics import linalg
from skmtl.design._base import Design
from skmtl.design._shared import EXACT_PRODUCTS, SharedDesign

Array = NDArray[Any]

# If fewer labels than this share are missing, selecting the others costs more than it saves.
_LEAST_MISSING = 0.1


def select_observed(design: Design, *labels: Array) -> tuple[Any, ...]:
    """A design for the observed labels only, and these, if enough labels are missing.

    Otherwise the design and the labels themselves. ``labels`` are arrays in the labels' shape.
    """
    if not isinstance(design, SharedDesign) or design.has_common_columns:
        return design, *labels
    if np.count_nonzero(design.weights) > (1 - _LEAST_MISSING) * design.weights.size:
        return design, *labels
    observed = ObservedDesign(design)
    return observed, *map(observed.select, labels)


class ObservedDesign(Design):
    """The observed labels (n_labels,) of a shared design, one task after the other.

    Products with X are those for all labels, which BLAS computes faster than the products for
    some rows of each task. Gram matrices and losses are computed from the observed labels.

    Parameters
    ----------
    shared : SharedDesign
        With at least one label of each task; labels of weight 0 are missing.
    """

    def __init__(self, shared: SharedDesign) -> None:
        self.shared, n_tasks = shared, shared.n_columns
        tasks, rows = np.nonzero(shared.weights.T)
        self._places, self._rows = rows * n_tasks + tasks, rows
        self.counts = np.bincount(tasks, minlength=n_tasks)
        self.starts = np.concatenate([[0], np.cumsum(self.counts)])
        self.weights, self.dtype = self.select(shared.weights), shared.dtype
        self.n_features, self.n_columns = shared.n_features, n_tasks
        self.n_intercepts, self.n_grams = shared.n_intercepts, n_tasks
        self.products = shared.products
        self._set_gram_products()

    def _set_gram_products(self) -> None:
        share = len(self._places) / self.shared.weights.size
        per_task = self.shared.gram_products // self.shared.n_grams
        self.gram_products = int(share * per_task * self.n_columns)

    def select(self, labels: Array) -> Array:
        """The observed ones of all labels (n_samples, n_tasks)."""
        return np.take(labels, self._places)

    def _scattered(self, U: Array) -> Array:
        """Values of the observed labels among all labels, with 0 for the others."""
        scattered = np.zeros(self.shared.weights.shape, dtype=U.dtype)
        scattered.reshape(-1)[self._places] = U
        return scattered

    def forward(self, W: Array) -> Array:
        return self.select(self.shared.forward(W))

    def adjoint(self, U: Array) -> Array:
        return self.shared.adjoint(self._scattered(U))

    def spread(self, b: Array) -> Array:
        return np.repeat(b, self.counts)

    def gather(self, U: Array) -> Array:
        return np.add.reduceat(U, self.starts[:-1])

    def centred_gram(self, H: Array) -> Array:
        gram = linalg.centred_gram if self.n_intercepts else linalg.weighted_gram
        parts = map(slice, self.starts[:-1], self.starts[1:])
        return np.stack([gram(self.shared.X, H[part], self._rows[part]) for part in parts])

    def rough_grams(self, H: Array, count: int, *, fast: bool = False) -> Array:
        small = H.size * self.n_features**2 <= EXACT_PRODUCTS
        if self.is_sparse or (small and not fast):
            return self.centred_gram(H)
        centre = bool(self.n_intercepts)
        return np.concatenate(
            [linalg.sampled_grams(X, h[:, None], count, centre=centre) for X, h in self._tasks(H)]
        )

    def _tasks(self, H: Array) -> Any:
        """The rows of X and the values of H for the labels of each task."""
        for part in map(slice, self.starts[:-1], self.starts[1:]):
            rows, X = self._rows[part], self.shared.X
            yield (X[rows] if self.is_sparse else np.take(X, rows, axis=0)), H[part]

    def columns(self, features: Array) -> "ObservedDesign":
        part = copy.copy(self)
        part.shared = self.shared.columns(features)
        part.n_features, part.products = part.shared.n_features, part.shared.products
        part._set_gram_products()
        return part

    @property
    def is_sparse(self) -> bool:
        return self.shared.is_sparse

    def feature_curvature(self) -> Array:
        return self.shared.feature_curvature()

    def squared_norm(self, scale: Array) -> float:
        return self.shared.squared_norm(scale)

    def uncentre(self, W: Array, b: Array) -> Array:
        return self.shared.uncentre(W, b)

    def recentre(self, W: Array, intercepts: Array) -> Array:
        return self.shared.recentre(W, intercepts)
