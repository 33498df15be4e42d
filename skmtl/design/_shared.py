"""Designs with one X for all tasks."""

import copy
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skmtl._numerics import linalg
from skmtl.design._base import Design, difference, operator_squared_norm, stored, subtract

Array = NDArray[Any]

# Gathering a column costs this many times as much as its product.
_GATHER = 4
# Up to this many multiplications rough Gram matrices use double precision and all rows.
EXACT_PRODUCTS = 2**30


class SharedDesign(Design):
    """One X for all tasks; labels (n_samples, n_tasks).

    Sparse features are stored by columns (CSC): working sets take columns, and the transpose is
    multiplied several times as fast as by rows.

    Parameters
    ----------
    X : dense or sparse matrix of shape (n_samples, n_features)
    weights : ndarray of shape (n_samples, n_tasks)
    centre : {"task", "common", None}
        Centre each task, all tasks around one mean, or not at all (no intercepts).
    """

    def __init__(self, X: Any, weights: Array, *, centre: str | None) -> None:
        self.n_features, self.n_columns = X.shape[1], weights.shape[1]
        self.n_intercepts = 0 if centre is None else self.n_columns
        self.weights, self.dtype = weights, X.dtype
        totals = weights.sum(axis=0)
        # If the weights are a row factor times a task factor, one mean and one Gram matrix suffice.
        self._proportional = np.allclose(weights / totals, weights[:, :1] / totals[0], rtol=1e-12)
        self._shift = np.zeros(self.n_features)
        self._offset: Array | None = None
        if sp.issparse(X):
            X = _by_column(X)
        if centre is not None:
            X = linalg.without_constant_columns(X) if sp.issparse(X) else X
            rows = weights.sum(axis=1)
            mean = linalg.multiply_transposed(X, rows) / rows.sum()
            if sp.issparse(X):
                self._offset = mean[None, :]
            else:
                X = subtract(X, mean)
                self._shift = mean
            if centre == "task" and not self._proportional:
                self._offset = (linalg.multiply_transposed(X, weights) / totals).T
        self.X = X
        self.n_grams = 1 if self._proportional else self.n_columns
        self.has_common_columns = self._proportional
        self.products = stored(X) * self.n_columns
        self.gram_products = stored(X) * self.n_features * self.n_grams

    def forward(self, W: Array) -> Array:
        used = np.flatnonzero(linalg.nonzero_rows(W))
        if _GATHER * len(used) < len(W):
            X = self.X[:, used] if self.is_sparse else linalg.take_columns(self.X, used)
            Z = linalg.multiply(X, W[used])
        else:
            Z = linalg.multiply(self.X, W)
        if self._offset is not None:
            Z -= self._offsets_times(W).astype(W.dtype)
        return Z

    def adjoint(self, U: Array) -> Array:
        G = linalg.multiply_transposed(self.X, U)
        if self._offset is not None:
            G -= (self._offset.T * U.sum(axis=0)).astype(U.dtype)
        return G

    def forward_common(self, w: Array) -> Array:
        z = linalg.multiply(self.X, w)[:, None]
        if self._offset is not None:
            z = z - (self._offset @ w).astype(w.dtype)
        return np.array(np.broadcast_to(z, self.weights.shape))

    def adjoint_common(self, U: Array) -> Array:
        g = linalg.multiply_transposed(self.X, U.sum(axis=1))
        if self._offset is not None:
            offsets = np.broadcast_to(self._offset, (self.n_columns, self.n_features))
            g -= (U.sum(axis=0) @ offsets).astype(U.dtype)
        return g

    def spread(self, b: Array) -> Array:
        return b[None, :]

    def gather(self, U: Array) -> Array:
        return np.asarray(U.sum(axis=0))

    def centred_gram(self, H: Array) -> Array:
        gram = linalg.centred_gram if self.n_intercepts else linalg.weighted_gram
        shared = self._proportional and (H == H[:, :1]).all()
        columns = H[:, :1] if shared else H
        return np.stack([gram(self.X, column) for column in columns.T])

    def rough_grams(self, H: Array, count: int, *, fast: bool = False) -> Array:
        small = H.size * self.n_features**2 <= EXACT_PRODUCTS
        if self.is_sparse or (small and not fast):
            return self.centred_gram(H)
        shared = self._proportional and (H == H[:, :1]).all()
        H = H[:, :1] if shared else H
        return linalg.sampled_grams(self.X, H, count, centre=bool(self.n_intercepts))

    def columns(self, features: Array) -> "SharedDesign":
        part = copy.copy(self)
        if sp.issparse(self.X):
            part.X = self.X[:, features]
        else:
            part.X = linalg.take_columns(self.X, features)
        part.__dict__.pop("_by_row", None)
        part.n_features, part._shift = len(features), self._shift[features]
        part._offset = None if self._offset is None else self._offset[:, features]
        part.products = stored(part.X) * part.n_columns
        part.gram_products = stored(part.X) * part.n_features * part.n_grams
        return part

    @property
    def is_sparse(self) -> bool:
        return bool(sp.issparse(self.X))

    @cached_property
    def _by_row(self) -> Any:
        """Sparse features in CSR."""
        return self.X.tocsr()

    @property
    def task_factors(self) -> Array:
        totals = self.weights.sum(axis=0)
        return np.asarray(totals / totals[0])

    @property
    def row_weights(self) -> Array:
        return self.weights[:, 0]

    def sparse_columns(self, features: Array) -> tuple[Any, Array]:
        columns = self.X[:, features].astype(np.float64, copy=False)
        offset = np.zeros(len(features)) if self._offset is None else self._offset[0, features]
        return columns, offset

    def weighted_columns(self, features: Array) -> Array:
        if sp.issparse(self.X):
            columns = np.asarray(self.X[:, features].toarray().T, dtype=np.float64)
        else:
            columns = np.ascontiguousarray(self.X[:, features].T, dtype=np.float64)
        if self._offset is not None:
            columns -= self._offset[0, features][:, None]
        columns *= np.sqrt(self.row_weights)
        return columns

    def squares_by(self, weights: Array) -> Array:
        squares = linalg.weighted_squares(self.X, weights)
        if not self.n_intercepts:
            return squares
        sums, totals = linalg.multiply_transposed(self.X, weights), weights.sum(axis=0)
        means = np.divide(sums, totals, out=np.zeros_like(sums), where=totals > 0)
        left: Array = np.maximum(squares - sums * means, 0.0)
        return left

    def dense_rows(self, rows: Any) -> Array:
        if not self.is_sparse:
            return np.asarray(self.X[rows])
        dense = np.asarray(self._by_row[rows].toarray())
        return dense if self._offset is None else dense - self._offset[0]

    def feature_curvature(self) -> Array:
        totals = self.weights.sum(axis=0)
        weights = self.weights[:, :1] if self._proportional else self.weights
        squares = linalg.weighted_squares(self.X, weights).T
        if self._offset is not None:
            # sum w (x - m)^2 = sum w x^2 - m (2 sum w x - m sum w); m may be a common mean.
            sizes = weights.sum(axis=0)[:, None]
            if len(self._offset) > 1:
                sums = self._offset * sizes  # each task has its own mean
            else:
                sums = linalg.multiply_transposed(self.X, weights).T
            moved = self._offset * (2 * sums - self._offset * sizes)
            squares = difference(squares, moved, len(weights))
        return squares * (totals / totals[0])[:, None] if self._proportional else squares

    def squared_norm(self, scale: Array) -> float:
        if self._proportional:
            offset = None if self._offset is None else self._offset[0]
            heaviest = self.weights[:, np.argmax(self.weights.sum(axis=0))]
            return linalg.squared_norm(self.X, heaviest, offset, scale)
        return operator_squared_norm(self, scale)

    def uncentre(self, W: Array, b: Array) -> Array:
        return np.asarray(b - self._shift @ W - self._offsets_times(W))

    def recentre(self, W: Array, intercepts: Array) -> Array:
        return np.asarray(intercepts + self._shift @ W + self._offsets_times(W))

    def _offsets_times(self, W: Array) -> Array:
        """offset_t . w_t for every task (n_tasks,)."""
        if self._offset is None:
            return np.zeros(W.shape[1])
        return np.asarray(np.einsum("td,dt->t", np.broadcast_to(self._offset, W.T.shape), W))


def _by_column(X: Any) -> Any:
    """A sparse matrix in CSC, in which no entry is stored in several parts."""
    X = X.tocsc()
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    return X
