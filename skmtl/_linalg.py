"""Products with mixed precision, centred Gram matrices, largest eigenvalues."""

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh
from sklearn.utils.sparsefuncs import min_max_axis

Array = NDArray[Any]

# Below this side length an exact eigenvalue costs less than the iterations a poor one wastes.
EXACT_SIDE = 2000
# The same for the eigenvalues of many matrices.
SMALL_SIDE = 64
_BATCH_BYTES = 2**24


def multiply(X: Any, W: Array) -> Array:
    """X @ W in W's precision, X (n, d) dense or sparse, without a converted copy of X."""
    if sp.issparse(X) or X.dtype == W.dtype:
        return np.asarray(X @ W)
    out = np.empty((X.shape[0], *W.shape[1:]), dtype=W.dtype)
    for rows in row_batches(X):
        out[rows] = X[rows].astype(W.dtype) @ W
    return out


def multiply_transposed(X: Any, U: Array) -> Array:
    """X' @ U in U's precision, X (n, d) dense or sparse, without a converted copy of X."""
    if sp.issparse(X) or X.dtype == U.dtype:
        return np.asarray(X.T @ U)
    out = np.zeros((X.shape[1], *U.shape[1:]), dtype=U.dtype)
    for rows in row_batches(X):
        out += X[rows].astype(U.dtype).T @ U[rows]
    return out


def row_batches(X: Any) -> list[slice]:
    """Slices of rows whose float64 copies take about 16 MiB."""
    n, size = X.shape[0], max(1, _BATCH_BYTES // (8 * max(1, X.shape[1])))
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def without_constant_columns(X: Any) -> Any:
    """A CSR matrix whose constant, non-zero columns are zero: centring would leave rounding."""
    low, high = min_max_axis(X, axis=0)
    constant = (low == high) & (low != 0)
    if not constant.any():
        return X
    X = X.copy()
    X.data[constant[X.indices]] = 0
    return X


def weighted_gram(X: Any, weights: Array) -> Array:
    """X' diag(weights) X as a dense float64 (d, d) matrix; weights (n,) not negative."""
    if sp.issparse(X):
        weighted = X.multiply(weights[:, None]).tocsr()
        return np.asarray((X.T @ weighted).toarray(), dtype=np.float64)
    gram = np.zeros((X.shape[1], X.shape[1]))
    for rows in row_batches(X):
        block = X[rows] * np.sqrt(weights[rows])[:, None]
        gram += block.T @ block
    return gram


def centred_gram(X: Any, weights: Array) -> Array:
    """The weighted Gram matrix of X around its weighted mean."""
    total = weights.sum()
    gram = weighted_gram(X, weights)
    if total <= 0:
        return gram
    raw = np.diag(gram).copy()
    sums = multiply_transposed(X, weights)
    gram -= np.outer(sums, sums / total)
    left = np.diag(gram) / np.where(raw > 0, raw, 1.0)
    # A constant feature leaves rounding noise, which is no feature.
    constant = left <= X.shape[0] * np.finfo(np.float64).eps
    if sp.issparse(X) and ((left < 1e-6) & ~constant).any():
        # Far from zero: the difference has lost its digits, and the feature is not sparse.
        gram = _shifted_gram(X, weights, sums / total)
    gram[constant] = 0.0
    gram[:, constant] = 0.0
    return gram


def _shifted_gram(X: Any, weights: Array, mean: Array) -> Array:
    """sum_i weights_i (x_i - mean)(x_i - mean)' over dense batches of rows."""
    gram = np.zeros((X.shape[1], X.shape[1]))
    for rows in row_batches(X):
        block = (X[rows].toarray() - mean) * np.sqrt(weights[rows])[:, None]
        gram += block.T @ block
    return gram


def weighted_squares(X: Any, weights: Array) -> Array:
    """Column sums of squares sum_i weights_it x_ij^2, (d, T) for weights (n, T)."""
    if sp.issparse(X):
        return np.asarray(X.multiply(X).T @ weights, dtype=np.float64)
    out = np.zeros((X.shape[1], *weights.shape[1:]))
    if weights.size == len(weights) and X.dtype == np.float64:
        return np.einsum("ij,ij,i->j", X, X, weights.ravel()).reshape(out.shape)
    for rows in row_batches(X):
        out += np.square(X[rows], dtype=np.float64).T @ weights[rows]
    return out


def squared_norm(X: Any, weights: Array, offset: Array | None, scale: Array) -> float:
    """Largest eigenvalue of B'B, B = sqrt(weights) (X - offset) scale, or nearly.

    Exact where the smaller side of X is at most ``EXACT_SIDE``, otherwise by Lanczos, which
    approaches it from below: the solver that uses it as a step must check its steps.
    """
    n, d = X.shape
    if min(n, d) > EXACT_SIDE:
        return _lanczos_squared_norm(X, weights, offset, scale)
    if d <= n:
        gram = weighted_gram(X, weights)
        if offset is not None:
            cross = np.outer(multiply_transposed(X, weights), offset)
            gram += weights.sum() * np.outer(offset, offset) - cross - cross.T
        return largest_eigenvalue(gram * np.outer(scale, scale))
    root = np.sqrt(weights)
    scaled = X * scale if not sp.issparse(X) else X.multiply(scale[None, :]).tocsr()
    gram = scaled @ scaled.T
    gram = np.asarray(gram.toarray() if sp.issparse(gram) else gram, dtype=np.float64)
    if offset is not None:
        offset = offset * scale
        cross = multiply(scaled, offset)
        gram += offset @ offset - cross[:, None] - cross[None, :]
    return largest_eigenvalue(gram * np.outer(root, root))


def largest_eigenvalue(gram: Array) -> float:
    """Largest eigenvalue of a symmetric positive semidefinite matrix, never negative."""
    last = gram.shape[0] - 1
    top = scipy.linalg.eigh(gram, eigvals_only=True, subset_by_index=[last, last])
    return max(float(top[0]), 0.0)


def _lanczos_squared_norm(X: Any, weights: Array, offset: Array | None, scale: Array) -> float:
    def apply(v: Array) -> Array:
        v = v.ravel() * scale
        u = weights * (multiply(X, v) - (0.0 if offset is None else offset @ v))
        g = multiply_transposed(X, u)
        return scale * (g if offset is None else g - offset * u.sum())

    return lanczos(apply, X.shape[1])


def lanczos(apply: Callable[[Array], Array], size: int) -> float:
    """A lower bound, usually tight, of the largest eigenvalue of a semidefinite operator."""
    start = np.random.default_rng(0).standard_normal(size)
    if size < 3:
        start /= np.linalg.norm(start)
        matrix = np.column_stack([apply(column) for column in np.eye(size)])
        return largest_eigenvalue((matrix + matrix.T) / 2)
    operator = LinearOperator((size, size), matvec=apply, dtype=np.float64)
    try:
        top = eigsh(operator, k=1, which="LA", tol=1e-2, v0=start, return_eigenvectors=False)
    except ArpackNoConvergence as partial:
        top = partial.eigenvalues if len(partial.eigenvalues) else [start @ apply(start)]
    return max(float(np.max(top)), 0.0)


def singular_values(W: Array) -> Array:
    """All min(W.shape) singular values, in descending order."""
    return np.asarray(scipy.linalg.svdvals(W)) if W.size else np.zeros(0)


def rescale_singular_values(V: Array, factors: Callable[[Array], Array]) -> Array:
    """V with each singular value multiplied by its factor, by way of the smaller side.

    ``factors`` takes all min(V.shape) singular values in descending order.
    """
    wide = V.shape[0] <= V.shape[1]
    M = V.astype(np.float64, copy=False)
    squares, directions = scipy.linalg.eigh(M @ M.T if wide else M.T @ M)
    sigma = np.sqrt(np.maximum(squares[::-1], 0))
    # What the squares cannot resolve is zero.
    sigma[sigma <= np.sqrt(len(sigma) * np.finfo(np.float64).eps) * sigma[:1]] = 0.0
    directions = directions[:, ::-1]
    projector = (directions * factors(sigma)) @ directions.T
    return np.asarray(projector @ M if wide else M @ projector, dtype=V.dtype)


def solve_semidefinite(matrices: Array, ridges: Array, G: Array) -> Array:
    """Column t solves (matrices[t] + ridges[t] I) w = G[:, t]; one matrix may serve all.

    The smallest solution where a matrix is singular. Scaled to a unit diagonal first, so that
    features in unequal units do not look like a deficient rank.
    """
    out = np.empty_like(G)
    single = len(matrices) == 1 and (ridges == ridges[0]).all()
    groups = [slice(None)] if single else [slice(t, t + 1) for t in range(G.shape[1])]
    for t, columns in enumerate(groups):
        matrix = matrices[0 if len(matrices) == 1 else t].copy()
        matrix[np.diag_indices_from(matrix)] += ridges[t]
        scale = np.sqrt(np.diag(matrix).clip(min=0.0))
        scale[scale == 0] = 1.0
        matrix /= np.outer(scale, scale)
        right = G[:, columns] / scale[:, None]
        try:
            factor = scipy.linalg.cho_factor(matrix, lower=True)
            diagonal = np.diag(factor[0])
            if diagonal.min() < 1e-7 * diagonal.max():
                raise np.linalg.LinAlgError("numerically singular")
            solution = scipy.linalg.cho_solve(factor, right)
        except np.linalg.LinAlgError:
            solution = np.linalg.pinv(matrix, rcond=1e-12, hermitian=True) @ right
        out[:, columns] = solution / scale[:, None]
    return out
