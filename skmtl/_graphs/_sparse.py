"""Sparse graphs of many tasks, which are never made dense."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skmtl._graphs._edges import read_edges
from skmtl._graphs._matrices import read_laplacian
from skmtl._graphs._rules import ROUNDING, asymmetric, check_finite, check_shape, check_weights
from skmtl._numerics import Coupling, diagonal_array

Array = NDArray[Any]

# With more tasks than this, graphs that are given in a sparse form stay sparse.
LARGEST_DENSE = 1000
# The largest number of tasks for which a matrix that is no Laplacian is made dense.
_LARGEST_FACTORED = 5000


def is_sparse_graph(graph: Any) -> bool:
    """Whether a graph is a name, a list of edges or a sparse matrix, rather than a dense matrix."""
    return isinstance(graph, (str, list, tuple)) or sp.issparse(graph)


def read_sparse_graph(graph: Any, tasks: Array, name: str = "graph") -> Any:
    """The edge weights (n_tasks, n_tasks) of a graph as a CSR array with an empty diagonal.

    The graph is "chain", a list of edges or a sparse matrix; the rules and errors are those of
    :func:`read_graph`.
    """
    n_tasks = len(tasks)
    if isinstance(graph, str):
        s = np.arange(n_tasks - 1)
        return symmetric_edges(s, s + 1, np.ones(n_tasks - 1), n_tasks)
    if isinstance(graph, (list, tuple)):
        return symmetric_edges(*read_edges(graph, tasks.tolist()), n_tasks)
    weights = _read_symmetric(graph, name, tasks)
    weights = sp.csr_array(weights - diagonal_array(weights.diagonal()))
    weights.eliminate_zeros()
    check_weights(weights.data, name)
    return weights


def symmetric_edges(s: Array, t: Array, weights: Array, n_tasks: int) -> Any:
    """The CSR array with these weights at (s, t) and (t, s)."""
    places = np.append(s, t), np.append(t, s)
    return sp.csr_array((np.append(weights, weights), places), shape=(n_tasks, n_tasks))


def read_sparse_laplacian(
    laplacian: Any, tasks: Array, name: str = "laplacian"
) -> Coupling | Array:
    """A positive semidefinite sparse matrix (n_tasks, n_tasks), as a graph if it is a Laplacian.

    A non-negative diagonal may have been added to the Laplacian. Other matrices are made dense.

    Raises
    ------
    ValueError
        As :func:`read_laplacian`, or if a matrix of another kind is too large to be made dense.
    """
    matrix = _read_symmetric(laplacian, name, tasks)
    coupling = Coupling.of_matrix(matrix)
    if coupling is not None:
        return coupling
    if len(tasks) > _LARGEST_FACTORED:
        raise ValueError(
            f"The '{name}' of {len(tasks)} tasks must be the Laplacian of a graph with weights >= "
            f"0, to which a non-negative diagonal may be added: other matrices are made dense, for "
            f"at most {_LARGEST_FACTORED} tasks. Pass such a matrix, or the edges as a graph."
        )
    return read_laplacian(matrix.toarray(), tasks, name)


def _read_symmetric(given: Any, name: str, tasks: Array) -> Any:
    """Validate a sparse matrix between the tasks; return an exactly symmetric copy."""
    check_shape(given.shape, name, len(tasks))
    matrix = sp.csr_array(given, dtype=np.float64)
    check_finite(matrix.data, name)
    gaps = sp.coo_array(matrix - matrix.T)
    if np.abs(gaps.data).max(initial=0.0) > ROUNDING * np.abs(matrix.data).max(initial=0.0):
        worst = int(np.argmax(np.abs(gaps.data)))
        s, t = int(gaps.row[worst]), int(gaps.col[worst])
        raise asymmetric(name, (tasks.tolist()[s], tasks.tolist()[t]), (matrix[s, t], matrix[t, s]))
    return sp.csr_array((matrix + matrix.T) / 2)
