"""Smooth quadratic penalties that couple the tasks."""

from typing import Any, Self

import numpy as np
import scipy.sparse as sp

from skmtl._graphs import read_laplacian, read_sparse_laplacian
from skmtl._numerics import Coupling
from skmtl.penalties._base import Array, Quadratic
from skmtl.penalties._forms import TaskForm
from skmtl.penalties._graph_form import GraphForm


class TaskQuadratic(Quadratic):
    r"""The quadratic form :math:`\tfrac{\alpha}{2} \operatorname{tr}(W M W')` between tasks.

    If M is the Laplacian of a graph of tasks, this is the sum of
    :math:`\tfrac{\alpha}{2} a_{st} \lVert w_s - w_t \rVert_2^2` over the edges of the graph.

    Parameters
    ----------
    matrix : array or sparse matrix of shape (n_tasks, n_tasks)
        M, symmetric and positive semidefinite. A sparse Laplacian of a graph, to which a
        non-negative diagonal may have been added, is never made dense, so that there may be many
        thousands of tasks.
    alpha : float, default=1.0
        Strength, non-negative.

    References
    ----------
    T. Evgeniou, C. Micchelli and M. Pontil, "Learning multiple tasks with kernel methods", JMLR
    6, 2005, https://jmlr.org/papers/v6/evgeniou05a.html

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.penalties import TaskQuadratic
    >>> W = np.array([[3.0, 4.0], [0.0, 0.0]])
    >>> M = np.array([[1.0, -1.0], [-1.0, 1.0]])
    >>> round(TaskQuadratic(M, 0.5).value(W), 6)  # 0.25 * (3 - 4) ** 2
    0.25
    """

    couples_tasks = True

    def __init__(self, matrix: Any, alpha: float = 1.0) -> None:
        self.matrix = matrix
        self.alpha = alpha

    def check(self, n_features: int, n_tasks: int) -> None:
        super().check(n_features, n_tasks)
        if isinstance(self.matrix, Coupling):
            return
        if sp.issparse(self.matrix):
            read_sparse_laplacian(self.matrix, np.arange(n_tasks), "matrix")
        else:
            read_laplacian(np.asarray(self.matrix), np.arange(n_tasks), "matrix")

    def hessian(self, n_tasks: int) -> Array:
        return self._form.hessian(n_tasks)

    def coupling_of(self, n_tasks: int) -> Array | Coupling:
        return self._form.coupling_of(n_tasks)

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
        if isinstance(self.matrix, Coupling):
            return type(self)(self.matrix.of_tasks(chosen), self.alpha)
        if sp.issparse(self.matrix):
            kept = np.flatnonzero(chosen)
            return type(self)(sp.csr_array(self.matrix)[kept][:, kept], self.alpha)
        return type(self)(np.asarray(self.matrix)[np.ix_(chosen, chosen)], self.alpha)

    @property
    def quadratic_form(self) -> TaskForm | GraphForm:
        return self._form

    @property
    def _form(self) -> TaskForm | GraphForm:
        matrix = self.matrix
        if sp.issparse(matrix):
            coupling = Coupling.of_matrix(matrix)
            matrix = matrix.toarray() if coupling is None else coupling
        if isinstance(matrix, Coupling):
            return GraphForm(matrix.scaled(self.alpha))
        return TaskForm(np.asarray(self.alpha * np.asarray(matrix, dtype=np.float64)))

    def to_cvxpy(self, W: Any) -> Any:
        return self._form.to_cvxpy(W)
