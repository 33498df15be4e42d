"""Mixed-precision products, centred Gram matrices, eigenvalues and singular values."""

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.linalg import lapack
from scipy.sparse.linalg import ArpackError, ArpackNoConvergence, LinearOperator, eigsh
from sklearn.utils.sparsefuncs import min_max_axis

from skmtl._numerics import kernels
from skmtl._numerics.semidefinite import SMALL_PIVOT, Semidefinite
from skmtl._numerics.threads import one_blas_thread

Array = NDArray[Any]

# Up to this side length an exact largest eigenvalue costs less than the solver iterations that an
# inexact one would add.
EXACT_SIDE = 2000
# Up to this side length full decompositions cost less than partial ones.
SMALL_SIDE = 64
# Up to this side length a second thread does not speed up decompositions, and slows them down if
# other processes use the processor.
ONE_THREAD_SIDE = 512
_EPS = np.finfo(np.float64).eps
_BATCH_BYTES = 2**24
# From this number of small systems on, they are solved in a kernel.
_MANY = 256
# The size of the blocks of rows that are weighted and multiplied while in the cache.
_BLOCK_BYTES = 2**20
# The same for Gram matrices in double precision, in blocks of at least this many rows per feature:
# with fewer, adding the products would cost as much as computing them.
_GRAM_BYTES, _ROWS_PER_FEATURE = 2**19, 4
# The same for squares of rows, and the fewest rows.
_SQUARE_BYTES, _FEWEST_SQUARES = 2**18, 64
# Relative increases of a diagonal for single-precision rounding, and for rows left out.
_ROUNDING, _SAMPLING = 4e-6, 1e-3
# Features with norms outside this value and its inverse are rescaled for single precision.
_EXTREME = 1e-12


def multiply(X: Any, W: Array) -> Array:
    """X @ W in the precision of W, for dense or sparse X (n, d), without converting all of X."""
    if sp.issparse(X) or X.dtype == W.dtype:
        return np.asarray(X @ W)
    out = np.empty((X.shape[0], *W.shape[1:]), dtype=W.dtype)
    for rows in row_batches(X):
        out[rows] = X[rows].astype(W.dtype) @ W
    return out


def multiply_transposed(X: Any, U: Array) -> Array:
    """X' @ U in the precision of U, for dense or sparse X (n, d), without converting all of X."""
    if sp.issparse(X) or U.ndim == 1:
        if sp.issparse(X) or X.dtype == U.dtype:
            return np.asarray(X.T @ U)
    elif X.dtype == U.dtype:
        # If U has few columns, BLAS takes nearly twice as long for X' U.
        return np.ascontiguousarray((U.T @ X).T)
    out = np.zeros((X.shape[1], *U.shape[1:]), dtype=U.dtype)
    for rows in row_batches(X):
        out += X[rows].astype(U.dtype).T @ U[rows]
    return out


def row_batches(X: Any) -> list[slice]:
    """Slices of rows whose float64 copies take about 16 MiB."""
    n, size = X.shape[0], max(1, _BATCH_BYTES // (8 * max(1, X.shape[1])))
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def take_columns(X: Array, columns: Array) -> Array:
    """The columns X[:, columns] of a dense matrix, in its order, without a copy of all of X."""
    if X.flags.f_contiguous:
        return np.take(X.T, columns, axis=0).T
    # Takes a quarter of the time of X[:, columns].
    return np.take(X, columns, axis=1)


def without_constant_columns(X: Any) -> Any:
    """Set constant, non-zero columns of a CSR or CSC matrix to 0.

    Centring would leave rounding error in them.
    """
    low, high = min_max_axis(X, axis=0)
    constant = (low == high) & (low != 0)
    if not constant.any():
        return X
    X = X.copy()
    by_row = X.format == "csr"
    columns = X.indices if by_row else np.repeat(np.arange(X.shape[1]), np.diff(X.indptr))
    X.data[constant[columns]] = 0
    return X


def weighted_gram(X: Any, weights: Array, rows: Array | None = None) -> Array:
    """X' diag(weights) X as a dense float64 (d, d) matrix; weights (n,) non-negative.

    With ``rows`` (n,) for these rows of X.
    """
    if sp.issparse(X):
        X = X if rows is None else X[rows]
        weighted = X.multiply(weights[:, None]).tocsr()
        return np.asarray((X.T @ weighted).toarray(), dtype=np.float64)
    return _dense_gram(X, weights, rows, None)


def centred_gram(X: Any, weights: Array, rows: Array | None = None) -> Array:
    """The weighted Gram matrix of X, centred at the weighted mean; as ``weighted_gram``."""
    total, sums = weights.sum(), np.zeros(X.shape[1])
    if sp.issparse(X):
        X, rows = X if rows is None else X[rows], None
        gram = weighted_gram(X, weights)
        sums += multiply_transposed(X, weights)
    else:
        gram = _dense_gram(X, weights, rows, sums)
    if total <= 0:
        return gram
    raw = np.diag(gram).copy()
    gram -= np.outer(sums, sums / total)
    left = np.diag(gram) / np.where(raw > 0, raw, 1.0)
    # Remove the rounding error that remains of constant features.
    constant = left <= len(weights) * np.finfo(np.float64).eps
    if sp.issparse(X) and ((left < 1e-6) & ~constant).any():
        # The mean is far from zero: the difference is inaccurate, and the feature is not sparse.
        gram = _shifted_gram(X, weights, sums / total)
    gram[constant] = 0.0
    gram[:, constant] = 0.0
    return gram


def _dense_gram(X: Array, weights: Array, rows: Array | None, sums: Array | None) -> Array:
    """As ``weighted_gram``; adds the weighted sums of the columns to ``sums`` (d,), if given."""
    d, n, roots = X.shape[1], len(weights), np.sqrt(weights)
    row_bytes = 8 * max(1, d)
    fewest, most = _ROWS_PER_FEATURE * d, max(1, _BATCH_BYTES // row_bytes)
    size = min(max(_GRAM_BYTES // row_bytes, fewest), most)
    gram, buffer = np.zeros((d, d)), np.empty((min(size, n), d), np.result_type(X, roots))
    for start in range(0, n, size):
        part = slice(start, start + size)
        taken = X[part] if rows is None else X.take(rows[part], axis=0)
        block = np.multiply(taken, roots[part, None], out=buffer[: len(taken)])
        if sums is not None:
            sums += roots[part] @ block
        gram += block.T @ block
    return gram


def _shifted_gram(X: Any, weights: Array, mean: Array) -> Array:
    """sum_i weights_i (x_i - mean)(x_i - mean)' over dense batches of rows."""
    gram = np.zeros((X.shape[1], X.shape[1]))
    for rows in row_batches(X):
        block = (X[rows].toarray() - mean) * np.sqrt(weights[rows])[:, None]
        gram += block.T @ block
    return gram


def sample(shares: Array, count: int) -> tuple[Any, Array]:
    """Draw about ``count`` indices in proportion to shares (n,); return them with weights.

    A weight is the number of indices that the drawn one represents. All indices are returned, as a
    slice, if ``count`` is at least half of n. The draw is deterministic.
    """
    n, total = len(shares), shares.sum()
    if 2 * count >= n or not total > 0:
        return slice(None), np.ones(n)
    # Uniform probabilities are mixed in, so that every index can be drawn.
    chances = 0.9 * shares / total + 0.1 / n
    # Stratified: one draw from each of ``count`` equal parts of the cumulative probabilities.
    parts = (np.arange(count) + np.random.default_rng(0).random(count)) / count
    drawn = np.searchsorted(np.cumsum(chances), parts).clip(max=n - 1)
    rows, times = np.unique(drawn, return_counts=True)
    return rows, times / (count * chances[rows])


def sampled_grams(X: Array, weights: Array, count: int, *, centre: bool) -> Array:
    """Gram matrices (T, d, d) for weights (n, T), each from about ``count`` rows of X (n, d).

    They are centred at the weighted means if ``centre``. Products are computed in single
    precision, sums in double; the diagonals are raised to allow for rounding, and for rows that
    are left out.
    """
    d = X.shape[1]
    # A rare feature may be missing from the sample: diagonals are at least those of all rows.
    least = weighted_squares(X, weights)
    largest = np.sqrt(least.max(axis=1))
    # Rescale features in extreme units, whose products would overflow.
    scale = np.where((largest > _EXTREME) & (largest < 1 / _EXTREME), 1.0, largest)
    scale[scale == 0] = 1.0
    scaled = (scale != 1.0).any()
    grams = np.zeros((weights.shape[1], d, d))
    size = max(1, _BLOCK_BYTES // (4 * max(1, d)))
    buffer = np.empty((min(size, len(X)), d), dtype=np.float32)
    for t, (gram, column) in enumerate(zip(grams, weights.T, strict=True)):
        rows, factors = sample(column, count)
        sampled = not isinstance(rows, slice)
        w = column[rows] * factors
        roots, sums, total = np.sqrt(w), np.zeros(d), w.sum()
        for start in range(0, len(w), size):
            part = slice(start, start + size)
            drawn, root = X[rows[part]] if sampled else X[part], roots[part]
            drawn = drawn / scale if scaled else drawn
            block = np.multiply(drawn, root[:, None], out=buffer[: len(root)], casting="same_kind")
            gram += block.T @ block
            if centre:
                sums += root.astype(np.float32) @ block
        gram *= scale[:, None] * scale
        sums *= scale
        diagonal = np.einsum("jj->j", gram)
        np.maximum(diagonal, least[:, t], out=diagonal)
        raised = (_SAMPLING if sampled else _ROUNDING) * diagonal
        if total > 0:
            gram -= np.outer(sums, sums / total)
        diagonal += raised
    return grams


def row_norms(W: Array) -> Array:
    """Euclidean norms of the rows of W."""
    if _suits_kernels(W):
        return kernels.measure_rows(W)
    return np.asarray(np.sqrt(np.einsum("jt,jt->j", W, W)))


def nonzero_rows(W: Array) -> Array:
    """Whether each row of W has a non-zero entry."""
    return kernels.find_rows(W) if _suits_kernels(W) else np.asarray(W.any(axis=1))


def _suits_kernels(W: Array) -> bool:
    """Whether W has the type for which kernels are compiled, which are faster at all sizes."""
    return W.dtype == np.float64 and W.flags.carray


def weighted_squares(X: Any, weights: Array) -> Array:
    """Column sums of squares sum_i weights_it x_ij^2, (d, T) for weights (n, T)."""
    if sp.issparse(X):
        if X.has_canonical_format:
            X = type(X)((np.square(X.data, dtype=np.float64), X.indices, X.indptr), shape=X.shape)
            return np.asarray(X.T @ weights)
        return np.asarray(X.multiply(X).T @ weights, dtype=np.float64)
    if weights.size == len(weights) and X.dtype == np.float64:
        squares = np.einsum("ij,ij,i->j", X, X, weights.ravel())
        return np.asarray(squares.reshape(-1, *weights.shape[1:]))
    out = np.zeros((*weights.shape[1:], X.shape[1]))
    size = max(_FEWEST_SQUARES, _SQUARE_BYTES // (8 * max(1, X.shape[1])))
    for rows in (slice(start, start + size) for start in range(0, X.shape[0], size)):
        out += weights[rows].T @ np.square(X[rows], dtype=np.float64)
    return np.ascontiguousarray(out.T)


def squared_norm(X: Any, weights: Array, offset: Array | None, scale: Array) -> float:
    """Largest eigenvalue of B'B for B = sqrt(weights) (X - offset) scale, possibly underestimated.

    It is exact if the smaller side of X is at most ``EXACT_SIDE``. Otherwise it is a lower bound by
    Lanczos, and a solver that derives its step from it must check its steps.
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
    if last < SMALL_SIDE:
        return max(float(np.linalg.eigvalsh(gram)[-1]), 0.0)
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
        matrix = np.column_stack([apply(column) for column in np.eye(size)])
        return largest_eigenvalue((matrix + matrix.T) / 2)
    start /= np.linalg.norm(start)
    quotient = max(float(start @ apply(start)), 0.0)
    if quotient == 0.0:
        # ARPACK cannot start with the zero operator.
        return 0.0
    operator = LinearOperator((size, size), matvec=apply, dtype=np.float64)
    try:
        top = eigsh(operator, k=1, which="LA", tol=1e-2, v0=start, return_eigenvectors=False)
    except ArpackNoConvergence as partial:
        top = partial.eigenvalues
    except ArpackError:
        # The operator is so small that its products with unit vectors underflow.
        top = np.zeros(0)
    return max(float(np.max(top, initial=0.0)), quotient)


def singular_values(W: Array) -> Array:
    """All min(W.shape) singular values, in descending order."""
    with _limit_threads(W):
        return np.linalg.svd(W, compute_uv=False) if W.size else np.zeros(0)


def rough_singular_values(W: Array) -> Array:
    """All min(W.shape) singular values, in descending order, from the smaller side's Gram matrix.

    Much faster than :func:`singular_values`. Their squares, but not they themselves, are exact up
    to the rounding error of the largest.
    """
    if not W.size:
        return np.zeros(0)
    M = W.astype(np.float64, copy=False)
    with _limit_threads(W):
        squares = np.linalg.eigvalsh(M @ M.T if M.shape[0] <= M.shape[1] else M.T @ M)[::-1]
    return _roots(squares)


def _roots(squares: Array) -> Array:
    """Singular values from descending squares; zero below the rounding error of the squares."""
    sigma: Array = np.sqrt(np.maximum(squares, 0))
    sigma[sigma <= math.sqrt(len(sigma) * _EPS) * sigma[:1]] = 0.0
    return sigma


def largest_singular_value(W: Array) -> float:
    """The largest singular value, from the Gram matrix of the smaller side."""
    size = float(np.abs(W).max(initial=0.0))
    if not 0 < size < np.inf:
        return size
    M = W.astype(np.float64) / size  # so that squares neither overflow nor underflow
    with _limit_threads(W):
        gram = M @ M.T if M.shape[0] <= M.shape[1] else M.T @ M
        return size * math.sqrt(largest_eigenvalue(gram))


def rescale_singular_values(V: Array, factors: Callable[[Array], Array]) -> Array:
    """Multiply the singular values of V by factors, using the Gram matrix of the smaller side.

    ``factors`` maps all min(V.shape) singular values, in descending order, to their factors.
    Singular vectors are computed only up to the last factor that differs from the final one.
    """
    with _limit_threads(V):
        return _rescaled(V, factors)


def _limit_threads(W: Array) -> AbstractContextManager[None]:
    """Limit BLAS to one thread for decompositions of a small matrix."""
    return one_blas_thread() if min(W.shape) <= ONE_THREAD_SIDE else nullcontext()


def _rescaled(V: Array, factors: Callable[[Array], Array]) -> Array:
    wide = V.shape[0] <= V.shape[1]
    M = V.astype(np.float64, copy=False)
    # numpy computes only half of a product of a matrix with its own transpose.
    tridiagonal = _Tridiagonal(M @ M.T if wide else M.T @ M)
    sigma = _roots(tridiagonal.eigenvalues[::-1])
    scales = factors(sigma)
    rest = float(scales[-1])
    others = (scales != rest).nonzero()[0]
    if not len(others):
        return np.asarray(rest * M, dtype=V.dtype)
    count = int(others[-1]) + 1
    directions = tridiagonal.top_eigenvectors(count)
    changed = directions * (scales[:count] - rest)
    left = changed @ (directions.T @ M) if wide else (M @ directions) @ changed.T
    if rest:
        left += rest * M
    return np.asarray(left, dtype=V.dtype)


class _Tridiagonal:
    """A symmetric matrix with all its eigenvalues, and some eigenvectors on request."""

    def __init__(self, matrix: Array) -> None:
        self.n, self.matrix = len(matrix), matrix
        if self.n <= SMALL_SIDE:
            self.eigenvalues, self.vectors = np.linalg.eigh(matrix)
            return
        work = int(lapack.dsytrd_lwork(self.n, lower=1)[0])
        self.reflectors, self.d, self.e, self.tau, info = lapack.dsytrd(matrix, lower=1, lwork=work)
        self.eigenvalues, more = lapack.dsterf(self.d, self.e)
        if info or more:
            raise np.linalg.LinAlgError("eigenvalues did not converge")

    def top_eigenvectors(self, count: int) -> Array:
        """The eigenvectors (n, count) of the largest eigenvalues, in descending order."""
        n = self.n
        if n > SMALL_SIDE and 4 * count > n:
            # For so many eigenvectors the full decomposition is faster.
            self.vectors = np.linalg.eigh(self.matrix)[1]
        if n <= SMALL_SIDE or 4 * count > n:
            top: Array = self.vectors[:, : -count - 1 : -1]
            return top
        e = np.append(self.e, 0.0)
        _, _, vectors, info = lapack.dstemr(self.d, e, 2, 0.0, 1.0, n - count + 1, n)
        if info:
            raise np.linalg.LinAlgError("eigenvectors did not converge")
        vectors = np.asfortranarray(vectors[:, :count])
        reflectors, below = np.asfortranarray(self.reflectors[1:, :-1]), vectors[1:]
        _, work, _ = lapack.dormqr("L", "N", reflectors, self.tau, below, -1)
        vectors[1:], _, _ = lapack.dormqr("L", "N", reflectors, self.tau, below, int(work[0]))
        return vectors[:, ::-1]


def factorise(grams: Array, scales: Array, shifts: Array) -> Array | None:
    """The factors of scales[t] grams[t] + shifts[t] I that the kernel ``solve_factored`` expects.

    None if some matrix is not numerically positive definite.
    """
    factors = np.empty_like(grams)
    if grams.shape[1] <= SMALL_SIDE:
        return factors if kernels.factorise_grams(grams, scales, shifts, factors) else None
    for gram, scale, shift, factor in zip(grams, scales, shifts, factors, strict=True):
        np.multiply(gram, scale, out=factor)
        diagonal = np.einsum("jj->j", factor)
        diagonal += shift
        # LAPACK stores columns: the upper triangle of the transpose is the lower triangle.
        _, info = lapack.dpotrf(factor.T, lower=0, clean=0, overwrite_a=1)
        if info:
            return None
        np.divide(1.0, diagonal, out=diagonal)
    return factors


def solve_semidefinite(matrices: Array, ridges: Array, G: Array) -> Array:
    """Solve (matrices[t] + ridges[t] I) w = G[:, t] for each column t; tasks may share a matrix.

    Matrices are scaled to a unit diagonal first, so that features in different units do not appear
    rank deficient. If one is singular, the solution of least norm (after scaling) is returned.
    """
    if len(matrices) >= _MANY and G.shape[0] <= SMALL_SIDE and matrices.dtype == G.dtype:
        return _solve_many(matrices, ridges, G)
    out = np.empty_like(G)
    single = len(matrices) == 1 and (ridges == ridges[0]).all()
    groups = [slice(None)] if single else [slice(t, t + 1) for t in range(G.shape[1])]
    for t, columns in enumerate(groups):
        matrix = matrices[0 if len(matrices) == 1 else t].copy()
        matrix[np.diag_indices_from(matrix)] += ridges[t]
        out[:, columns] = Semidefinite(matrix).solve(G[:, columns])
    return out


def _solve_many(matrices: Array, ridges: Array, G: Array) -> Array:
    """As ``solve_semidefinite``, for many small matrices, by blocks of tasks."""
    d, out = G.shape[0], np.empty_like(G)
    size, alone = max(1, _BLOCK_BYTES // (8 * d * d)), []
    for start in range(0, len(matrices), size):
        tasks = np.arange(start, min(start + size, len(matrices)))
        scaled = matrices[tasks]
        np.einsum("tjj->tj", scaled)[:] += ridges[tasks, None]
        scale = np.sqrt(np.einsum("tjj->tj", scaled).clip(min=0.0))
        scale[scale == 0] = 1.0
        scaled /= scale[:, :, None] * scale[:, None, :]
        factors = np.empty_like(scaled)
        ones, zeros = np.ones(len(tasks)), np.zeros(len(tasks))
        if not kernels.factorise_grams(scaled, ones, zeros, factors):
            alone.append(tasks)
            continue
        # The diagonals hold reciprocals.
        diagonals = np.einsum("tjj->tj", factors)
        singular = diagonals.min(axis=1) < SMALL_PIVOT * diagonals.max(axis=1)
        rows = np.ascontiguousarray(G[:, tasks].T) / scale
        kernels.solve_factored(factors, rows)
        out[:, tasks] = (rows / scale).T
        alone.append(tasks[singular])
    for task in np.concatenate(alone).tolist() if alone else []:
        column = slice(task, task + 1)
        out[:, column] = solve_semidefinite(matrices[column], ridges[column], G[:, column])
    return out
