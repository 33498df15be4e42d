"""Quadratic forms of the coefficients: diagonal in the tasks, coupled, and their sums."""

from functools import cached_property
from typing import Any, Self

import numpy as np

from skmtl._numerics import Coupling
from skmtl.penalties._base import Array, Quadratic
from skmtl.penalties._graph_form import GraphForm

# Eigenvalues below this fraction of the largest are rounding error.
_ROUNDING = 1e-12


class DiagonalForm(Quadratic):
    r"""The form :math:`\tfrac12 \sum_t \alpha_t \lVert w_t \rVert_2^2`.

    Parameters
    ----------
    alpha : float or ndarray of shape (n_tasks,)
    """

    alpha: float | Array

    def __init__(self, alpha: float | Array) -> None:
        self.alpha = alpha

    @property
    def ignores_task_rotations(self) -> bool:
        return np.ndim(self.alpha) == 0

    def value(self, W: Array) -> float:
        return float((self.alpha * np.einsum("jt,jt->t", W, W)).sum() / 2)

    def gradient(self, W: Array) -> Array:
        return np.asarray(W * np.asarray(self.alpha, dtype=W.dtype))

    def prox(self, V: Array, step: float | Array) -> Array:
        return np.asarray(V / np.asarray(1 + step * np.asarray(self.alpha), dtype=V.dtype))

    def lipschitz(self) -> float:
        return float(np.max(self.alpha))

    def task_curvature(self, n_tasks: int) -> Array:
        return np.broadcast_to(np.asarray(self.alpha, dtype=np.float64), (n_tasks,))

    def for_tasks(self, chosen: Array) -> Self:
        return self if np.ndim(self.alpha) == 0 else type(self)(np.asarray(self.alpha)[chosen])

    def conjugate(self, G: Array) -> float:
        squares = np.einsum("jt,jt->t", G, G)
        alpha = self.task_curvature(G.shape[1])
        if (squares[alpha == 0] > 0).any():
            return np.inf
        positive = alpha > 0
        return float((squares[positive] / alpha[positive]).sum() / 2)

    def dual_scale(self, G: Array) -> float:
        return 1.0 if np.isfinite(self.conjugate(G)) else 0.0

    def to_cvxpy(self, W: Any) -> Any:
        import cvxpy as cp

        return cp.sum(cp.multiply(self.alpha, cp.sum(cp.square(W), axis=0))) / 2


class TaskForm(Quadratic):
    """tr(W M W') / 2, computed from the eigenvectors of M, which are found once.

    The form is then exactly zero on the null space of M. Products with M itself would leave
    rounding error there in proportion to M, larger than the loss if the coupling is strong.

    Parameters
    ----------
    matrix : ndarray of shape (n_tasks, n_tasks)
        M, symmetric and positive semidefinite.
    """

    couples_tasks = True

    def __init__(self, matrix: Array) -> None:
        self.matrix = matrix

    @cached_property
    def _eigen(self) -> tuple[Array, Array]:
        """The positive eigenvalues and their eigenvectors."""
        eigenvalues, basis = np.linalg.eigh(self.matrix)
        positive = eigenvalues > _ROUNDING * max(eigenvalues[-1], 0.0)
        return eigenvalues[positive], basis[:, positive]

    def hessian(self, n_tasks: int) -> Array:
        return self.matrix

    def value(self, W: Array) -> float:
        eigenvalues, basis = self._eigen
        rotated = W @ basis
        return float(np.einsum("jt,jt,t->", rotated, rotated, eigenvalues) / 2)

    def gradient(self, W: Array) -> Array:
        eigenvalues, basis = self._eigen
        return np.asarray((W @ basis * eigenvalues) @ basis.T, dtype=W.dtype)

    def lipschitz(self) -> float:
        return float(self._eigen[0].max(initial=0.0))

    def prox(self, V: Array, step: float | Array) -> Array:
        eigenvalues, basis = self._eigen
        rotated = V @ basis
        # The component in the null space of M stays, the others shrink.
        return np.asarray(V - rotated * (1 - 1 / (1 + step * eigenvalues)) @ basis.T, dtype=V.dtype)

    def scaled(self, factor: float) -> Self:
        return type(self)(factor * self.matrix)

    def for_tasks(self, chosen: Array) -> Self:
        return type(self)(self.matrix[np.ix_(chosen, chosen)])

    def to_cvxpy(self, W: Any) -> Any:
        return squares_in_cvxpy(self.matrix, W) / 2

    def conjugate(self, G: Array) -> float:
        eigenvalues, basis = self._eigen
        rotated = G @ basis
        free = G - rotated @ basis.T
        # Even gradients of this form have rounding errors in the null space.
        if np.square(free).sum() > 1e-24 * np.square(G).sum():
            return np.inf
        return float((rotated**2 / eigenvalues).sum() / 2)

    def dual_scale(self, G: Array) -> float:
        return 1.0 if np.isfinite(self.conjugate(G)) else 0.0


class QuadraticSum(Quadratic):
    """A sum of quadratic penalties."""

    def __init__(self, parts: tuple[Quadratic, ...]) -> None:
        self.parts = parts
        self._form: TaskForm | GraphForm | None = None

    @property
    def couples_tasks(self) -> bool:
        return any(part.couples_tasks for part in self.parts)

    def hessian(self, n_tasks: int) -> Array:
        return np.asarray(np.sum([part.hessian(n_tasks) for part in self.parts], axis=0))

    def coupling_of(self, n_tasks: int) -> Array | Coupling:
        forms = [part.coupling_of(n_tasks) for part in self.parts if part.couples_tasks]
        if not forms or not all(isinstance(form, Coupling) for form in forms):
            return self.hessian(n_tasks)
        alone = [part.task_curvature(n_tasks) for part in self.parts if not part.couples_tasks]
        return sum([*forms[1:], *alone], start=forms[0])

    def free_combinations(self, n_tasks: int) -> Any:
        return self._whole(n_tasks).free_combinations(n_tasks)

    def on_range(self, G: Array, near: Array | None) -> tuple[float, Array, Array]:
        return self._whole(G.shape[1]).on_range(G, near)

    def conjugate_near(self, G: Array, W: Array | None) -> float:
        return self._whole(G.shape[1]).conjugate_near(G, W)

    def pull(self, n_tasks: int) -> Array:
        return self._whole(n_tasks).pull(n_tasks)

    def task_curvature(self, n_tasks: int) -> Array:
        return np.asarray(np.sum([part.task_curvature(n_tasks) for part in self.parts], axis=0))

    def scaled(self, factor: float) -> Self:
        return type(self)(tuple(part.scaled(factor) for part in self.parts))

    def value(self, W: Array) -> float:
        return self._whole(W.shape[1]).value(W)

    def gradient(self, W: Array) -> Array:
        return self._whole(W.shape[1]).gradient(W)

    def conjugate(self, G: Array) -> float:
        return self._whole(G.shape[1]).conjugate(G)

    def dual_scale(self, G: Array) -> float:
        return self._whole(G.shape[1]).dual_scale(G)

    def lipschitz(self) -> float:
        sizes = [part.coupling_of(0).shape[0] for part in self.parts if part.couples_tasks]
        if not sizes:
            return sum(part.lipschitz() for part in self.parts)
        return self._whole(sizes[0]).lipschitz()

    def to_cvxpy(self, W: Any) -> Any:
        return sum(part.to_cvxpy(W) for part in self.parts)

    def _whole(self, n_tasks: int) -> Quadratic:
        """The sum as one quadratic form."""
        if not self.couples_tasks:
            return DiagonalForm(self.task_curvature(n_tasks))
        if self._form is None:
            coupling = self.coupling_of(n_tasks)
            if isinstance(coupling, Coupling):
                self._form = GraphForm(coupling)
            else:
                self._form = TaskForm(coupling)
        return self._form


def squares_in_cvxpy(matrix: Array, W: Any) -> Any:
    """tr(W M W') as a cvxpy expression."""
    import cvxpy as cp

    # The squared norm of W times a square root of M.
    eigenvalues, basis = np.linalg.eigh(np.asarray(matrix, dtype=np.float64))
    return cp.sum_squares(W @ (basis * np.sqrt(np.maximum(eigenvalues, 0.0))))
