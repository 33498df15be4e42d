"""Quadratic models of the multinomial loss in some rows of W."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import dsyrk, ssyrk

from skmtl._numerics import kernels
from skmtl.solvers import Thresholds

Array = NDArray[Any]

# The largest side of a model's matrix: 256 MiB in single precision.
LARGEST_SIDE = 2**13
# Up to this many multiplications are done in double precision.
_EXACT_PRODUCTS = 2**30
_CHUNK_SIZE = 2**22
# Relative curvature added to cover single precision, and sampling error.
_ROUNDING = 1e-5
_SAMPLING = 1e-3


@dataclass(frozen=True)
class ClassModel:
    """The model as one matrix over all entries of some rows of W.

    Attributes
    ----------
    gram : ndarray of shape (s * n_classes, s * n_classes)
        A'A, with the classes of a feature next to each other.
    bends : ndarray of shape (s,)
        The largest eigenvalues of the features' blocks.
    slope : ndarray of shape (s, n_classes)
        A'r: minus the loss gradient.
    residual : float
        An upper bound on the squared length of r.
    bend : ndarray of shape (n_samples, n_classes)
        The curvature of each label for which ``residual`` was computed.
    """

    gram: Array
    bends: Array
    slope: Array
    residual: float
    bend: Array

    def minimise(self, W: Array, penalty: Thresholds, tol: float, max_sweeps: int) -> int:
        """Minimise over W (s, n_classes) in place up to a duality gap; return the sweeps."""
        return int(
            kernels.minimise_classes(
                self.gram,
                self.bends,
                penalty.strengths(len(W)),
                W,
                self.slope.copy(),
                self.residual,
                tol,
                max_sweeps,
            )
        )


def class_gram(
    dense_rows: Callable[[slice], Array],
    scale: Array,
    P: Array,
    weights: Array,
    *,
    centre: bool,
    least: Array | None,
) -> tuple[Array, Array]:
    r"""The Hessian :math:`\sum_i w_i a_i a_i^\top \otimes (\mathrm{diag}(p_i) - p_i p_i^\top)`.

    With ``centre`` the intercepts are minimised out.

    Parameters
    ----------
    dense_rows : callable
        The rows a_i (m, s) of a slice.
    scale : ndarray of shape (s,)
        The features' sizes, divided out before the cast to single precision.
    P : ndarray of shape (m, n_classes)
        Probabilities.
    weights : ndarray of shape (m,)
    centre : bool
    least : ndarray of shape (s, n_classes) or None
        Lower bounds on the diagonal if the rows are a sample: the diagonal over all rows, in the
        features' own units.

    Returns
    -------
    gram : ndarray of shape (s * n_classes, s * n_classes)
        In single precision if it takes many products.
    bends : ndarray of shape (s,)
        The largest eigenvalues of the features' blocks.
    """
    s, (m, n_classes) = len(scale), P.shape
    side, classes = s * n_classes, np.arange(n_classes)
    sampled = least is not None
    exact = not sampled and m * side**2 <= _EXACT_PRODUCTS
    dtype: Any = np.float64 if exact else np.float32
    syrk = dsyrk if exact else ssyrk
    gram = np.zeros((side, side), dtype=dtype, order="F")
    own = np.zeros((n_classes, s, s), dtype=dtype)
    cross = np.zeros((s, n_classes, n_classes))
    size = max(1, _CHUNK_SIZE // side)
    for start in range(0, m, size):
        chunk = slice(start, start + size)
        a = (dense_rows(chunk) / scale).astype(dtype, copy=False)
        p, w = P[chunk].astype(dtype), weights[chunk].astype(dtype)
        rooted = p * np.sqrt(w)[:, None]
        products = (a[:, :, None] * rooted[:, None, :]).reshape(len(a), side)
        # Updates the upper triangle in place.
        gram = syrk(-1.0, products.T, beta=1.0, c=gram, overwrite_c=1)
        for k in classes:
            block = a * np.sqrt(p[:, k] * w)[:, None]
            own[k] += block.T @ block
        if centre:
            cross -= (products.T @ rooted).reshape(cross.shape)
            cross[:, classes, classes] += a.T @ (p * w[:, None])
    _mirror(gram)
    if centre:
        # Singular along equal intercepts, to which the gradient is orthogonal.
        total = np.diag(weights @ P) - (P.T * weights) @ P
        inverse = np.linalg.pinv(total, rcond=1e-10, hermitian=True)
        flat = cross.reshape(side, n_classes)
        gram -= ((flat @ inverse) @ flat.T).astype(dtype)
    blocks = gram.T.reshape(s, n_classes, s, n_classes)
    for k in classes:
        blocks[:, k, :, k] += own[k]
    blocks *= scale[:, None, None, None].astype(dtype)
    blocks *= scale[None, None, :, None].astype(dtype)
    if least is not None:
        # A sample may miss the rows in which a rare feature occurs.
        np.maximum(np.einsum("jkjk->jk", blocks), least, out=np.einsum("jkjk->jk", blocks))
    diagonal = np.einsum("jkjl->jkl", blocks).astype(np.float64)
    bends = np.maximum(np.linalg.eigvalsh(diagonal)[:, -1], 0.0)
    added = bends * (1e-12 if exact else _SAMPLING if sampled else _ROUNDING)
    np.einsum("jkjk->jk", blocks)[...] += added[:, None]
    return gram.T, (bends + added) * (1 + 1e-6)


def _mirror(gram: Array) -> None:
    """Copy the upper triangle to the lower one, block by block."""
    side, step = len(gram), 512
    for i in range(0, side, step):
        for j in range(i, side, step):
            block = gram[i : i + step, j : j + step]
            if i == j:
                block += np.triu(block, 1).T - np.tril(block, -1)
            else:
                gram[j : j + step, i : i + step] = block.T
