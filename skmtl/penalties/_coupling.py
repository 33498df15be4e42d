"""Smooth quadratic penalties that couple the tasks."""

from typing import Any, Self

import numpy as np

from skmtl._graphs import read_laplacian
from skmtl.penalties._base import Array, Quadratic
from skmtl.penalties._forms import TaskForm, squares_in_cvxpy


class TaskQuadratic(Quadratic):
    r"""The quadratic form :math:`\tfrac{\alpha}{2} \operatorname{tr}(W M W')` between tasks.

    If M is the Laplacian of a graph of tasks, this is the sum of
    :math:`\tfrac{\alpha}{2} a_{st} \lVert w_s - w_t \rVert_2^2` over the edges of the graph.

    Parameters
    ----------
    matrix : array of shape (n_tasks, n_tasks)
        M, symmetric and positive semidefinite.
    alpha : float, default=1.0
        Strength, non-negative.

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
        return np.asarray(self.alpha * np.asarray(self.matrix, dtype=np.float64))

    def value(self, W: Array) -> float:
        return self._form.value(W)

    def gradient(self, W: Array) -> Array:
        return self._form.gradient(W)

    def lipschitz(self) -> float:
        return self._form.lipschitz()

    def prox(self, V: Array, step: float | Array) -> Array:
        return self._form.prox(V, step)

    def conjugate(self, G: Array) -> float:
        return self._form.conjugate(G)

    def dual_scale(self, G: Array) -> float:
        return self._form.dual_scale(G)

    def for_tasks(self, chosen: Array) -> Self:
        return type(self)(np.asarray(self.matrix)[np.ix_(chosen, chosen)], self.alpha)

    @property
    def quadratic_form(self) -> TaskForm:
        return self._form

    @property
    def _form(self) -> TaskForm:
        return TaskForm(self.hessian(0))

    def to_cvxpy(self, W: Any) -> Any:
        return self.alpha / 2 * squares_in_cvxpy(self.matrix, W)
