"""Designs in which each task has its own rows of X."""

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skmtl._numerics import kernels, linalg
from skmtl.design._base import Design, difference, operator_squared_norm, stored

Array = NDArray[Any]

# The entries of the rows of some tasks that stay in the cache through several operations.
_BATCH_ENTRIES = 2**16


def task_batches(starts: Array, n_features: int) -> Iterator[tuple[slice, slice]]:
    """Slices of tasks and of their rows, which have about 2^16 entries, and at least one task.

    Task t has the rows starts[t] to starts[t + 1].
    """
    most, t = max(1, _BATCH_ENTRIES // max(1, n_features)), 0
    while t < len(starts) - 1:
        end = max(int(np.searchsorted(starts, starts[t] + most, side="right")) - 1, t + 1)
        yield slice(t, end), slice(int(starts[t]), int(starts[end]))
        t = end


class StackedDesign(Design):
    """Each task has its own rows, sorted by task; labels (n_samples,).

    Parameters
    ----------
    X : dense or CSR matrix of shape (n_samples, n_features), rows sorted by task
    starts : ndarray of shape (n_tasks + 1,)
        Task t has the rows starts[t] to starts[t + 1], at least one.
    weights : ndarray of shape (n_samples,)
    centre : {"task", "common", None}
    """

    def __init__(self, X: Any, starts: Array, weights: Array, *, centre: str | None) -> None:
        self.n_features, self.n_columns = X.shape[1], len(starts) - 1
        self.n_intercepts = 0 if centre is None else self.n_columns
        if centre is not None and sp.issparse(X):
            X = linalg.without_constant_columns(X)
        self.weights, self.dtype = weights, X.dtype
        self.starts, self.counts = starts, np.diff(starts)
        self.products, self.n_grams = stored(X), self.n_columns
        self.gram_products = self.products * self.n_features
        self._blocks = _block_diagonal(X, self.counts) if sp.issparse(X) else None
        self.X = X if sp.issparse(X) or centre is not None else np.ascontiguousarray(X)
        self._means = np.zeros((self.n_columns, self.n_features))
        self._implicit = False
        if centre is not None:
            sums, totals = self._products_transposed(weights), self.gather(weights)
            if centre == "common":
                self._means[:] = sums.sum(axis=0) / totals.sum()
            else:
                self._means = sums / totals[:, None]
            if sp.issparse(X):
                self._implicit = True
            else:
                self.X = self._centred()

    def forward(self, W: Array) -> Array:
        columns = np.ascontiguousarray(W.T)
        z = self._products(columns)
        if self._implicit:
            z -= self.spread(np.einsum("td,td->t", self._means, columns).astype(W.dtype))
        return z

    def adjoint(self, U: Array) -> Array:
        G = self._products_transposed(U)
        if self._implicit:
            G -= (self._means * self.gather(U)[:, None]).astype(U.dtype)
        return np.ascontiguousarray(G.T)

    def forward_common(self, w: Array) -> Array:
        z = linalg.multiply(self.X, w)
        if self._implicit:
            z -= self.spread((self._means @ w).astype(w.dtype))
        return z

    def adjoint_common(self, U: Array) -> Array:
        g = linalg.multiply_transposed(self.X, U)
        if self._implicit:
            g -= (self.gather(U) @ self._means).astype(U.dtype)
        return g

    def spread(self, b: Array) -> Array:
        return np.repeat(b, self.counts)

    def gather(self, U: Array) -> Array:
        return np.add.reduceat(U, self.starts[:-1])

    def centred_gram(self, H: Array) -> Array:
        gram = linalg.centred_gram if self.n_intercepts else linalg.weighted_gram
        return np.stack([gram(self.X[rows], H[rows]) for rows in self._rows()])

    def pooled_gram(self, H: Array) -> Array:
        if sp.issparse(self.X):
            return super().pooled_gram(H)
        total = np.zeros((self.n_features, self.n_features))
        if self.n_intercepts:
            sums, weights = self._products_transposed(H), self.gather(H)
            means = np.divide(sums, weights[:, None], out=sums, where=weights[:, None] > 0)
        for tasks, rows in task_batches(self.starts, self.n_features):
            block = self.X[rows]
            if self.n_intercepts:
                block = block - np.repeat(means[tasks], self.counts[tasks], axis=0)
            block = block * np.sqrt(H[rows])[:, None]
            total += block.T @ block
        return total

    def columns(self, features: Array) -> "StackedDesign":
        part = copy.copy(self)
        X = self.X[:, features]
        part.X = X if sp.issparse(X) else np.ascontiguousarray(X)
        part.n_features, part._means = len(features), self._means[:, features]
        part.products = stored(part.X)
        part.gram_products = part.products * part.n_features
        if self._blocks is not None:
            part._blocks = _block_diagonal(part.X, self.counts)
        return part

    def feature_curvature(self) -> Array:
        squares = np.stack(
            [linalg.weighted_squares(self.X[rows], self.weights[rows]) for rows in self._rows()]
        )
        if not self._implicit:
            return squares
        # sum w (x - m)^2 = sum w x^2 - m (2 sum w x - m sum w); m may be a common mean.
        sums, totals = self._products_transposed(self.weights), self.gather(self.weights)
        moved = self._means * (2 * sums - self._means * totals[:, None])
        return difference(squares, moved, self.counts.max())

    def squared_norm(self, scale: Array) -> float:
        if self.n_features > linalg.EXACT_SIDE and self.counts.max() > linalg.EXACT_SIDE:
            return operator_squared_norm(self, scale)
        offsets = self._means if self._implicit else [None] * self.n_columns
        return max(
            linalg.squared_norm(self.X[rows], self.weights[rows], offset, scale)
            for rows, offset in zip(self._rows(), offsets, strict=True)
        )

    def uncentre(self, W: Array, b: Array) -> Array:
        return np.asarray(b - np.einsum("td,dt->t", self._means, W))

    def recentre(self, W: Array, intercepts: Array) -> Array:
        return np.asarray(intercepts + np.einsum("td,dt->t", self._means, W))

    def _centred(self) -> Array:
        """X minus the tasks' means, in its precision."""
        out = np.empty(self.X.shape, dtype=self.dtype)
        for tasks, rows in task_batches(self.starts, self.n_features):
            means = np.repeat(self._means[tasks], self.counts[tasks], axis=0)
            np.subtract(self.X[rows], means, out=out[rows], casting="same_kind")
        # Remove the rounding error that would remain of features that are constant within a task.
        first = self.X[self.starts[:-1]]
        near = np.abs(first - self._means) <= 1e-12 * np.abs(self._means)
        for j in np.flatnonzero(near.any(axis=0)):
            same = self.X[:, j] == self.spread(first[:, j])
            near[:, j] &= np.logical_and.reduceat(same, self.starts[:-1])
            out[self.spread(near[:, j]), j] = 0.0
        return out

    def _rows(self) -> Iterator[slice]:
        return map(slice, self.starts[:-1], self.starts[1:])

    def _products(self, columns: Array) -> Array:
        """X_t w_t for the rows w_t of columns (n_tasks, n_features), without centring."""
        if self._blocks is not None:
            return np.asarray(self._blocks @ columns.ravel())
        out = np.empty(self.X.shape[0], dtype=columns.dtype)
        if columns.dtype == self.dtype:
            kernels.multiply_tasks(self.X, self.starts, columns, out)
        else:
            for rows, column in zip(self._rows(), columns, strict=True):
                out[rows] = linalg.multiply(self.X[rows], column)
        return out

    def _products_transposed(self, u: Array) -> Array:
        """X_t' u_t as rows (n_tasks, n_features), without centring."""
        if self._blocks is not None:
            return np.asarray(self._blocks.T @ u).reshape(self.n_columns, self.n_features)
        out = np.empty((self.n_columns, self.n_features), dtype=u.dtype)
        if u.dtype == self.dtype:
            for tasks, rows in task_batches(self.starts, self.n_features):
                starts = self.starts[tasks.start : tasks.stop + 1] - rows.start
                part, own = np.ascontiguousarray(self.X[rows]), np.ascontiguousarray(u[rows])
                kernels.multiply_tasks_transposed(part, starts, own, out[tasks])
        else:
            for t, rows in enumerate(self._rows()):
                out[t] = linalg.multiply_transposed(self.X[rows], u[rows])
        return out


def _block_diagonal(X: Any, counts: Array) -> Any:
    """The tasks' CSR blocks along a diagonal, sharing their values with X."""
    X = X.tocsr()
    n, d = X.shape
    width = d * len(counts)
    row_task = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    indices = X.indices + d * np.repeat(row_task, np.diff(X.indptr))
    if width < np.iinfo(np.int32).max:
        indices = indices.astype(np.int32)
    return sp.csr_array((X.data, indices, X.indptr), shape=(n, width))
