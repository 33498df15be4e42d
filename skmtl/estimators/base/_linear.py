"""Linear predictors of rows, each with the coefficients of its own task."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Array = NDArray[Any]

# Gather the coefficients of at most this many entries at a time.
_CHUNK = 2**18


def linear_predictor(
    X: Any, codes: Array | None, coef: Array, intercept: Array, offset: Array | None = None
) -> Array:
    """X @ coef.T + intercept, of shape (n, T); with codes (n,), for the task of each row, (n,).

    With codes, the time does not depend on the number of tasks. An offset, which broadcasts to the
    result, is added.
    """
    z = _product(X, codes, coef, intercept)
    return z if offset is None else (z + offset).astype(z.dtype, copy=False)


def _product(X: Any, codes: Array | None, coef: Array, intercept: Array) -> Array:
    """The predictors without an offset."""
    if codes is None:
        return np.asarray(X @ coef.T) + intercept
    dtype = np.result_type(X.dtype, coef.dtype)
    if len(codes) and (codes == codes[0]).all():
        same: Array = np.asarray(X @ coef[codes[0]]) + intercept[codes[0]]
        return same.astype(dtype, copy=False)
    z = np.empty(X.shape[0], dtype=dtype)
    if sp.issparse(X):
        X = X.tocsr()
    for rows in _chunks(X):
        own = codes[rows]
        if sp.issparse(X):
            z[rows] = _sparse_products(X, rows, own, coef)
        else:
            z[rows] = np.einsum("ij,ij->i", X[rows], coef[own])
        z[rows] += intercept[own]
    return z


def _chunks(X: Any) -> list[slice]:
    """Consecutive rows with about as many entries each."""
    n_rows = X.shape[0]
    entries = X.nnz if sp.issparse(X) else n_rows * X.shape[1]
    size = max(1, int(n_rows * _CHUNK / max(entries, 1)))
    return [slice(start, min(start + size, n_rows)) for start in range(0, n_rows, size)]


def _sparse_products(X: Any, rows: slice, codes: Array, coef: Array) -> Array:
    """The products of some rows of a CSR matrix with the coefficients of their tasks."""
    ends = X.indptr[rows.start : rows.stop + 1]
    part = slice(ends[0], ends[-1])
    row = np.repeat(np.arange(len(codes)), np.diff(ends))
    terms = X.data[part] * coef[codes[row], X.indices[part]]
    return np.bincount(row, weights=terms, minlength=len(codes))
