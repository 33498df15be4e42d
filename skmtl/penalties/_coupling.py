"""Smooth quadratic penalties that couple the tasks."""

from typing import Any, Self

import numpy as np

from skmtl._graphs import read_laplacian
from skmtl.penalties._base import Array, Quadratic

# Eigenvalues below this share of the largest are rounding.
_ROUNDING = 1e-12


class TaskQuadratic(Quadratic):
    r"""The quadratic form :math:`\tfrac{\alpha}{2} \operatorname{tr}(W M W')` between tasks.

    With the Laplacian of a graph of tasks for M it is the sum over the graph's edges of
    :math:`\tfrac{\alpha}{2} a_{st} \lVert w_s - w_t \rVert_2^2`.

    Parameters
    ----------
    matrix : array of shape (n_tasks, n_tasks)
        M, symmetric and positive semidefinite.
    alpha : float, default=1.0
        Strength, not negative.

    References
    ----------
    T. Evgeniou, C. Micchelli and M. Pontil, "Learning multiple tasks with kernel methods", JMLR
    6, 2005, https://jmlr.org/papers/v6/evgeniou05a.html
    """

    couples_tasks = True

    def __init__(self, matrix: Array, alpha: float = 1.0) -> None:
        self.matrix = matrix
        self.alpha = alpha

    def check(self, n_features: int, n_tasks: int) -> None:
        super().check(n_features, n_tasks)
        read_laplacian(np.asarray(self.matrix), np.arange(n_tasks), "matrix")

    def hessian(self, n_tasks: int) -> Array:
        return self.alpha * np.asarray(self.matrix, dtype=np.float64)

    def value(self, W: Array) -> float:
        return float(np.vdot(W, W @ self.hessian(0)) / 2)

    def gradient(self, W: Array) -> Array:
        return W @ self.hessian(0).astype(W.dtype, copy=False)

    def lipschitz(self) -> float:
        return max(float(np.linalg.eigvalsh(self.hessian(0))[-1]), 0.0)

    def prox(self, V: Array, step: float | Array) -> Array:
        eigenvalues, basis = np.linalg.eigh(self.hessian(0))
        shrunk = (V @ basis) / (1 + step * np.maximum(eigenvalues, 0.0))
        return np.asarray(shrunk @ basis.T, dtype=V.dtype)

    def conjugate(self, G: Array) -> float:
        return conjugate_quadratic(self.hessian(0), G)

    def dual_scale(self, G: Array) -> float:
        return 1.0 if np.isfinite(self.conjugate(G)) else 0.0

    def for_tasks(self, chosen: Array) -> Self:
        return type(self)(np.asarray(self.matrix)[np.ix_(chosen, chosen)], self.alpha)

    def to_cvxpy(self, W: Any) -> Any:
        import cvxpy as cp

        # The square of W times a root of M.
        eigenvalues, basis = np.linalg.eigh(np.asarray(self.matrix, dtype=np.float64))
        root = basis * np.sqrt(np.maximum(eigenvalues, 0.0))
        return self.alpha / 2 * cp.sum_squares(W @ root)


class QuadraticSum(Quadratic):
    """A sum of quadratic penalties."""

    def __init__(self, parts: tuple[Quadratic, ...]) -> None:
        self.parts = parts

    @property
    def couples_tasks(self) -> bool:  # type: ignore[override]
        return any(part.couples_tasks for part in self.parts)

    def hessian(self, n_tasks: int) -> Array:
        return np.sum([part.hessian(n_tasks) for part in self.parts], axis=0)

    def task_curvature(self, n_tasks: int) -> Array:
        return np.sum([part.task_curvature(n_tasks) for part in self.parts], axis=0)

    def value(self, W: Array) -> float:
        return sum(part.value(W) for part in self.parts)

    def gradient(self, W: Array) -> Array:
        return np.sum([part.gradient(W) for part in self.parts], axis=0, dtype=W.dtype)

    def scaled(self, factor: float) -> Self:
        return type(self)(tuple(part.scaled(factor) for part in self.parts))

    def lipschitz(self) -> float:
        return sum(part.lipschitz() for part in self.parts)

    def conjugate(self, G: Array) -> float:
        return conjugate_quadratic(self.hessian(G.shape[1]), G)

    def dual_scale(self, G: Array) -> float:
        return 1.0 if np.isfinite(self.conjugate(G)) else 0.0

    def to_cvxpy(self, W: Any) -> Any:
        return sum(part.to_cvxpy(W) for part in self.parts)


def conjugate_quadratic(M: Array, G: Array) -> float:
    """sup over W of <G, W> - tr(W M W') / 2; infinite where G leaves the range of M."""
    eigenvalues, basis = np.linalg.eigh(M)
    turned = np.einsum("jt,jt->t", *2 * [G @ basis])
    free = eigenvalues <= _ROUNDING * max(eigenvalues[-1], 0.0)
    # Its own gradient leaves rounding there.
    if (turned[free] > 1e-24 * turned.sum()).any():
        return np.inf
    return float((turned[~free] / eigenvalues[~free]).sum() / 2)
