"""Laplacians of graphs of tasks, which are not made dense if there are many tasks."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator

from skmtl._graphs import (
    LARGEST_DENSE,
    is_sparse_graph,
    laplacian_of,
    read_graph,
    read_laplacian,
    read_sparse_laplacian,
)
from skmtl._numerics import Coupling, diagonal_array
from skmtl.design import TaskData
from skmtl.estimators._order import sparse_task_graph, task_graph

Array = NDArray[Any]

# Up to this many tasks the eigendecomposition of a dense matrix is fast.
_FEW = 50


class CompleteLaplacian(LinearOperator):
    """The Laplacian I - 11'/T of the complete graph, as an operator that takes O(T) memory.

    Parameters
    ----------
    n_tasks : int
    """

    def __init__(self, n_tasks: int) -> None:
        super().__init__(np.dtype(np.float64), (n_tasks, n_tasks))

    def _matmat(self, X: Array) -> Array:
        return np.asarray(X - X.mean(axis=0))

    def _adjoint(self) -> "CompleteLaplacian":
        return self

    def toarray(self) -> Array:
        """The dense matrix (n_tasks, n_tasks)."""
        n_tasks = self.shape[0]
        return np.asarray(np.eye(n_tasks) - 1 / n_tasks)


def graph_laplacian(graph: Any, data: TaskData, positions: Array) -> Array | Coupling:
    """L of the tasks at some positions, without edges to other tasks."""
    tasks, chosen = data.all_tasks, np.ix_(positions, positions)
    many = len(tasks) > min(_FEW, LARGEST_DENSE)
    if isinstance(graph, str) and graph == "complete":
        if many:
            return Coupling.complete(len(positions), 1 / len(positions))
        return laplacian_of(read_graph("complete", tasks[positions]))
    if many and is_sparse_graph(graph):
        weights = sparse_task_graph(graph, data)[positions][:, positions]
        return Coupling(weights, np.zeros(len(positions)))
    return laplacian_of(task_graph(graph, data)[chosen])


def given_laplacian(laplacian: Any, data: TaskData, positions: Array) -> Array | Coupling:
    """The rows and columns of a given L of the tasks at some positions."""
    tasks = data.all_tasks
    if len(tasks) > LARGEST_DENSE and sp.issparse(laplacian):
        found = read_sparse_laplacian(laplacian, tasks)
        if isinstance(found, Coupling):
            return found.of_tasks(positions)
        return np.asarray(found[np.ix_(positions, positions)])
    return np.asarray(read_laplacian(laplacian, tasks)[np.ix_(positions, positions)])


def as_matrix(laplacian: Array | Coupling) -> Any:
    """L as users see it: an ndarray, a CSR array or an operator."""
    if not isinstance(laplacian, Coupling):
        return laplacian
    few = laplacian.n_tasks <= LARGEST_DENSE
    if laplacian.is_complete:
        operator = CompleteLaplacian(laplacian.n_tasks)
        return operator.toarray() if few else operator
    matrix = sp.csr_array(diagonal_array(laplacian.diagonal) - laplacian.weights)
    return matrix.toarray() if few else matrix


def neighbours_of(laplacian: Any, learned: Array, task: int) -> tuple[Array, Array, float]:
    """The neighbours of a learned task, the weights of its edges to them, and its diagonal entry.

    Positions are those among the learned tasks.
    """
    kept = np.flatnonzero(learned)
    own = kept[task]
    if sp.issparse(laplacian):
        row = laplacian[[own]].tocoo()
        others, entries = row.col, row.data
    elif isinstance(laplacian, CompleteLaplacian):
        n_tasks = len(learned)
        others, entries = np.arange(n_tasks), np.full(n_tasks, -1 / n_tasks)
        entries[own] += 1.0
    else:
        others, entries = np.arange(len(learned)), laplacian[own]
    total = float(entries[others == own].sum())
    used = learned[others] & (others != own) & (entries != 0)
    places = np.cumsum(learned) - 1
    return places[others[used]], -entries[used], total
