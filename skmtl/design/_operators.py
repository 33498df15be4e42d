"""The linear map from coefficients to predictors, for each layout, with its weights.

A design is centred: each task's weighted mean is taken from its features, so that the intercept
decouples from W for the squared loss and a step for one is no step for the other. Dense data are
centred once, in a copy; sparse data never, their means enter the products instead.

Every solver, loss and certificate works through the eight methods of :class:`Design`; sparsity,
layout and precision are known nowhere else. Products take place in the precision of the
coefficients: float32 data with float64 coefficients give float64 results.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skmtl import _kernels, _linalg

Array = NDArray[Any]


class Design:
    """A linear map W (n_features, n_columns) -> predictors Z, labels' shape, and its weights.

    Attributes
    ----------
    weights : ndarray
        The weight omega of each label in the objective; 0 where there is no label.
    n_features, n_columns, n_intercepts : int
        Shapes of W and b. ``n_intercepts`` is 0 without intercepts.
    dtype : numpy dtype
        Precision of the data.
    products, gram_products : int
        Multiplications in one ``forward``, and in one ``centred_gram`` of the weights.
    n_grams : int
        How many matrices that gives.
    """

    weights: Array
    n_features: int
    n_columns: int
    n_intercepts: int
    dtype: Any
    products: int
    gram_products: int
    n_grams: int

    def forward(self, W: Array) -> Array:
        """The predictors of centred features, without intercepts."""
        raise NotImplementedError

    def adjoint(self, U: Array) -> Array:
        """The transpose of ``forward``: (n_features, n_columns)."""
        raise NotImplementedError

    def spread(self, b: Array) -> Array:
        """Intercepts b as an array that broadcasts against the labels."""
        raise NotImplementedError

    def gather(self, U: Array) -> Array:
        """The transpose of ``spread``: sums over the labels of each intercept."""
        raise NotImplementedError

    def forward_common(self, w: Array) -> Array:
        """``forward`` with the same column w (n_features,) for every task."""
        return self.forward(np.repeat(w[:, None], self.n_columns, axis=1))

    def adjoint_common(self, U: Array) -> Array:
        """The transpose of ``forward_common``: (n_features,)."""
        return self.adjoint(U).sum(axis=1)

    def centred_gram(self, H: Array) -> Array:
        """Per task the features' Gram matrix with label weights H, around their H-mean.

        Shape (n_columns, n_features, n_features), or (1, ...) where all tasks share it. Without
        intercepts nothing is centred. It is the Hessian in W after b has been minimised out.
        """
        raise NotImplementedError

    def pooled_gram(self, H: Array) -> Array:
        """The sum of the tasks' ``centred_gram``, (n_features, n_features)."""
        grams = self.centred_gram(H)
        return np.asarray(grams.sum(axis=0) * (self.n_columns // len(grams)))

    def feature_curvature(self) -> Array:
        """The diagonals (n_columns, n_features) of the weighted, centred Gram matrices."""
        raise NotImplementedError

    def squared_norm(self, scale: Array) -> float:
        """Largest eigenvalue of the weighted Gram operator, or an estimate from below.

        Of the features multiplied by ``scale`` (n_features,).
        """
        raise NotImplementedError

    def uncentre(self, W: Array, b: Array) -> Array:
        """The intercepts (n_tasks,) for the original features that go with W and b."""
        raise NotImplementedError

    def recentre(self, W: Array, intercepts: Array) -> Array:
        """The inverse of ``uncentre``: b (n_intercepts,) for W and original intercepts."""
        raise NotImplementedError


class SharedDesign(Design):
    """One X for all tasks; labels (n_samples, n_tasks).

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
        # Weights that are a row factor times a task factor need one mean and one Gram matrix.
        self._proportional = np.allclose(weights / totals, weights[:, :1] / totals[0], rtol=1e-12)
        self._shift = np.zeros(self.n_features)
        self._offset: Array | None = None
        if centre is not None:
            X = _linalg.without_constant_columns(X) if sp.issparse(X) else X
            rows = weights.sum(axis=1)
            mean = _linalg.multiply_transposed(X, rows) / rows.sum()
            if sp.issparse(X):
                self._offset = mean[None, :]
            else:
                X = _subtract(X, mean)
                self._shift = mean
            if centre == "task" and not self._proportional:
                self._offset = (_linalg.multiply_transposed(X, weights) / totals).T
        self.X = X
        self.n_grams = 1 if self._proportional else self.n_columns
        self.products = _stored(X) * self.n_columns
        self.gram_products = _stored(X) * self.n_features * self.n_grams

    def forward(self, W: Array) -> Array:
        Z = _linalg.multiply(self.X, W)
        if self._offset is not None:
            Z -= self._offsets_times(W).astype(W.dtype)
        return Z

    def adjoint(self, U: Array) -> Array:
        G = _linalg.multiply_transposed(self.X, U)
        if self._offset is not None:
            G -= (self._offset.T * U.sum(axis=0)).astype(U.dtype)
        return G

    def forward_common(self, w: Array) -> Array:
        z = _linalg.multiply(self.X, w)[:, None]
        if self._offset is not None:
            z = z - (self._offset @ w).astype(w.dtype)
        return np.array(np.broadcast_to(z, self.weights.shape))

    def adjoint_common(self, U: Array) -> Array:
        g = _linalg.multiply_transposed(self.X, U.sum(axis=1))
        if self._offset is not None:
            offsets = np.broadcast_to(self._offset, (self.n_columns, self.n_features))
            g -= (U.sum(axis=0) @ offsets).astype(U.dtype)
        return g

    def spread(self, b: Array) -> Array:
        return b[None, :]

    def gather(self, U: Array) -> Array:
        return U.sum(axis=0)

    def centred_gram(self, H: Array) -> Array:
        gram = _linalg.centred_gram if self.n_intercepts else _linalg.weighted_gram
        shared = self._proportional and (H == H[:, :1]).all()
        columns = H[:, :1] if shared else H
        return np.stack([gram(self.X, column) for column in columns.T])

    def feature_curvature(self) -> Array:
        totals = self.weights.sum(axis=0)
        weights = self.weights[:, :1] if self._proportional else self.weights
        squares = _linalg.weighted_squares(self.X, weights).T
        if self._offset is not None:
            squares = _difference(
                squares, weights.sum(axis=0)[:, None] * self._offset**2, len(weights)
            )
        return squares * (totals / totals[0])[:, None] if self._proportional else squares

    def squared_norm(self, scale: Array) -> float:
        if self._proportional:
            offset = None if self._offset is None else self._offset[0]
            heaviest = self.weights[:, np.argmax(self.weights.sum(axis=0))]
            return _linalg.squared_norm(self.X, heaviest, offset, scale)
        return operator_squared_norm(self, scale)

    def uncentre(self, W: Array, b: Array) -> Array:
        return np.asarray(b - self._shift @ W - self._offsets_times(W))

    def recentre(self, W: Array, intercepts: Array) -> Array:
        return np.asarray(intercepts + self._shift @ W + self._offsets_times(W))

    def _offsets_times(self, W: Array) -> Array:
        """offset_t . w_t for every task (n_tasks,)."""
        if self._offset is None:
            return np.zeros(W.shape[1])
        return np.einsum("td,dt->t", np.broadcast_to(self._offset, W.T.shape), W)


class StackedDesign(Design):
    """Each task has its own rows, one task under the other; labels (n_samples,).

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
            X = _linalg.without_constant_columns(X)
        self.weights, self.dtype = weights, X.dtype
        self.starts, self.counts = starts, np.diff(starts)
        self.products, self.n_grams = _stored(X), self.n_columns
        self.gram_products = self.products * self.n_features
        self._blocks = _block_diagonal(X, self.counts) if sp.issparse(X) else None
        self.X = X if sp.issparse(X) else np.ascontiguousarray(X)
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
                centred = np.empty_like(self.X)
                for rows, mean in zip(self._rows(), self._means, strict=True):
                    centred[rows] = _subtract(self.X[rows], mean)
                self.X = centred

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

    def spread(self, b: Array) -> Array:
        return np.repeat(b, self.counts)

    def gather(self, U: Array) -> Array:
        return np.add.reduceat(U, self.starts[:-1])

    def centred_gram(self, H: Array) -> Array:
        gram = _linalg.centred_gram if self.n_intercepts else _linalg.weighted_gram
        return np.stack([gram(self.X[rows], H[rows]) for rows in self._rows()])

    def feature_curvature(self) -> Array:
        squares = np.stack(
            [_linalg.weighted_squares(self.X[rows], self.weights[rows]) for rows in self._rows()]
        )
        if not self._implicit:
            return squares
        # sum w (x - m)^2 = sum w x^2 - m (2 sum w x - m sum w); m may be a mean of all tasks.
        sums, totals = self._products_transposed(self.weights), self.gather(self.weights)
        moved = self._means * (2 * sums - self._means * totals[:, None])
        return _difference(squares, moved, self.counts.max())

    def squared_norm(self, scale: Array) -> float:
        if self.n_features > _linalg.EXACT_SIDE and self.counts.max() > _linalg.EXACT_SIDE:
            return operator_squared_norm(self, scale)
        offsets = self._means if self._implicit else [None] * self.n_columns
        return max(
            _linalg.squared_norm(self.X[rows], self.weights[rows], offset, scale)
            for rows, offset in zip(self._rows(), offsets, strict=True)
        )

    def uncentre(self, W: Array, b: Array) -> Array:
        return np.asarray(b - np.einsum("td,dt->t", self._means, W))

    def recentre(self, W: Array, intercepts: Array) -> Array:
        return np.asarray(intercepts + np.einsum("td,dt->t", self._means, W))

    def _rows(self) -> Iterator[slice]:
        return map(slice, self.starts[:-1], self.starts[1:])

    def _products(self, columns: Array) -> Array:
        """X_t w_t for the rows w_t of columns (n_tasks, n_features), without centring."""
        if self._blocks is not None:
            return np.asarray(self._blocks @ columns.ravel())
        out = np.empty(self.X.shape[0], dtype=columns.dtype)
        if columns.dtype == self.dtype:
            _kernels.multiply_tasks(self.X, self.starts, columns, out)
        else:
            for rows, column in zip(self._rows(), columns, strict=True):
                out[rows] = _linalg.multiply(self.X[rows], column)
        return out

    def _products_transposed(self, u: Array) -> Array:
        """X_t' u_t as rows (n_tasks, n_features), without centring."""
        if self._blocks is not None:
            return np.asarray(self._blocks.T @ u).reshape(self.n_columns, self.n_features)
        out = np.empty((self.n_columns, self.n_features), dtype=u.dtype)
        if u.dtype == self.dtype:
            _kernels.multiply_tasks_transposed(self.X, self.starts, np.ascontiguousarray(u), out)
        else:
            for t, rows in enumerate(self._rows()):
                out[t] = _linalg.multiply_transposed(self.X[rows], u[rows])
        return out


def _difference(raw: Array, moved: Array, n: int) -> Array:
    """raw - moved, 0 where that is nothing but the rounding of sums over n rows."""
    left = raw - moved
    return np.where(left <= n * np.finfo(np.float64).eps * raw, 0.0, left)


def _stored(X: Any) -> int:
    """Number of stored entries."""
    return int(X.nnz) if sp.issparse(X) else int(X.size)


def _subtract(X: Array, mean: Array) -> Array:
    """X - mean in X's precision, without a converted copy of X."""
    out = np.empty_like(X)
    for rows in _linalg.row_batches(X):
        out[rows] = X[rows] - mean
    # A constant feature would be left with rounding noise, which is no feature.
    near = np.abs(X[0] - mean) <= 1e-12 * np.abs(mean)
    out[:, near & (X.max(axis=0) == X.min(axis=0))] = 0.0
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


def operator_squared_norm(design: Design, scale: Array) -> float:
    """``Design.squared_norm`` by Lanczos on the whole operator."""
    shape = (design.n_features, design.n_columns)

    def apply(v: Array) -> Array:
        Z = design.forward(v.reshape(shape) * scale[:, None])
        return np.asarray(scale[:, None] * design.adjoint(design.weights * Z)).ravel()

    return _linalg.lanczos(apply, shape[0] * shape[1])
