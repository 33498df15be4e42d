"""Derivatives of proximal operators: linear maps, as functions of directions.

A derivative of a prox at V (n_features, n_tasks) maps directions (..., n_features, n_tasks) to
directions of the same shape. It is symmetric, and its eigenvalues are in [0, 1], because the prox
is the gradient of a convex function and does not expand distances.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.penalties._shrinkage import clip_levels, row_norms

Array = NDArray[Any]
Derivative = Callable[[Array], Array]

# Singular values whose difference is below this fraction of the largest count as equal.
_EQUAL = 1e-9


def composed(*derivatives: Derivative) -> Derivative:
    """The derivative of a composition, whose first function is given first."""

    def apply(D: Array) -> Array:
        for derivative in derivatives:
            D = derivative(D)
        return D

    return apply


def of_kept(kept: Array) -> Derivative:
    """The projection on the entries of a mask."""
    return lambda D: np.where(kept, D, 0.0)


def of_shrunk_entries(V: Array, threshold: float | Array) -> Derivative:
    """The derivative of ``shrink_entries`` at V."""
    return of_kept(np.abs(V) > threshold)


def of_shrunk_rows(V: Array, threshold: float | Array) -> Derivative:
    """The derivative of ``shrink_rows`` at V."""
    norms = row_norms(V)[:, None]
    threshold = np.broadcast_to(threshold, norms.shape)
    kept = norms > threshold
    ratio = np.divide(threshold, norms, out=np.ones_like(norms), where=kept)
    units = np.divide(V, norms, out=np.zeros_like(V), where=kept)

    def apply(D: Array) -> Array:
        # The norm of a row shrinks by a constant; its direction turns less than before.
        along = (D * units).sum(axis=-1, keepdims=True)
        return np.asarray((1 - ratio) * D + ratio * along * units)

    return apply


def of_clipped_rows(V: Array, radius: float | Array) -> Derivative:
    """The derivative of ``clip_rows`` at V."""
    levels = clip_levels(V, radius)
    clipped = (np.abs(V) > levels) & (levels > 0)
    left = (np.abs(V) <= levels) & (levels > 0)
    signs = np.where(clipped, np.sign(V), 0.0)
    shares = signs / np.maximum(np.count_nonzero(clipped, axis=1, keepdims=True), 1)

    def apply(D: Array) -> Array:
        # The clipped entries of a row have one absolute value, which moves with their mean.
        level = (D * shares).sum(axis=-1, keepdims=True)
        return np.asarray(np.where(left, D, 0.0) + level * signs)

    return apply


def of_merged(labels: Array) -> Derivative:
    """The mean, within each row, of the entries with the same label (n_features, n_tasks)."""
    same = (labels[:, :, None] == labels[:, None, :]).astype(np.float64)
    same /= same.sum(axis=2, keepdims=True)
    return lambda D: np.asarray(np.einsum("jts,...js->...jt", same, D))


def of_singular_values(V: Array, values: Array, jacobian: Array) -> Derivative:
    r"""The derivative of :math:`P \operatorname{diag}(f(\sigma)) R'` at V = P diag(sigma) R'.

    Parameters
    ----------
    V : ndarray of shape (n_features, n_tasks)
    values : ndarray of shape (K,)
        f at the K = min(V.shape) singular values, in descending order.
    jacobian : ndarray of shape (K, K)
        The derivative of f, symmetric. Its diagonal is the limit of f(sigma) / sigma at zero.

    References
    ----------
    C. Deledalle, S. Vaiter, G. Peyre, J. Fadili and C. Dossal, "Risk estimation for matrix recovery
    with spectral regularization", 2012, https://arxiv.org/abs/1205.1482
    """
    P, sigma, R = np.linalg.svd(V, full_matrices=False)
    R = R.T
    slopes, tiny = np.diag(jacobian), _EQUAL * max(float(sigma[:1].sum()), np.finfo(float).tiny)
    total, change = sigma[:, None] + sigma, sigma[:, None] - sigma
    # The limits at equal singular values, and at zeros.
    together = 0.5 * (slopes[:, None] + slopes) - np.where(np.eye(len(sigma)) > 0, 0.0, jacobian)
    apart = np.abs(change) > tiny
    minus = np.divide(values[:, None] - values, change, out=together, where=apart)
    limits = np.maximum(slopes[:, None], slopes)
    plus = np.divide(values[:, None] + values, total, out=limits, where=total > tiny)
    outer = np.divide(values, sigma, out=slopes.copy(), where=sigma > tiny)
    np.fill_diagonal(minus, 0.0)

    def apply(D: Array) -> Array:
        left, right = np.swapaxes(P, 0, 1) @ D, D @ R
        core = left @ R
        mirrored = np.swapaxes(core, -1, -2)
        inner = (minus * (core + mirrored) + plus * (core - mirrored)) / 2
        places = np.arange(len(sigma))
        diagonal = core[..., places, places] @ jacobian
        inner[..., places, places] += diagonal
        beside_rows = outer[:, None] * (left - core @ R.T)
        beside_columns = (right - P @ core) * outer
        return np.asarray(P @ inner @ R.T + beside_columns @ R.T + P @ beside_rows)

    return apply
