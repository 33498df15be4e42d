"""Sparse graphs of tasks are read as dense ones, with the same errors."""

import numpy as np
import pytest
import scipy.sparse as sp

from skmtl._graphs import (
    is_sparse_graph,
    read_graph,
    read_laplacian,
    read_sparse_graph,
    read_sparse_laplacian,
)
from skmtl._numerics import Coupling

TASKS = np.array(["ash", "elm", "fir", "oak"], dtype=object)
WEIGHTS = np.array([[9, 2.0, 0, 0], [2, 0, 0.5, 0], [0, 0.5, 0, 0], [0, 0, 0, 1]])


@pytest.mark.parametrize(
    "graph",
    [
        "chain",
        [],
        [("oak", "ash"), ("elm", "ash", 0.5)],
        sp.csr_array(WEIGHTS),
        sp.coo_matrix(WEIGHTS),
        sp.csr_matrix((4, 4)),
    ],
)
def test_weights_are_those_of_the_dense_matrix(graph):
    assert is_sparse_graph(graph)
    found = read_sparse_graph(graph, TASKS)
    np.testing.assert_array_equal(found.toarray(), read_graph(graph, TASKS))
    assert not found.diagonal().any()


@pytest.mark.parametrize(
    "graph, message",
    [
        (sp.eye(3), r"shape \(3, 3\); it must be .* \(4, 4\)"),
        (sp.csr_array(np.triu(WEIGHTS)), r"must be symmetric.* up to 2: .*'ash' to 'elm' is 2"),
        (sp.csr_array(-WEIGHTS), "must be >= 0, got -[29]"),
        (sp.csr_array(WEIGHTS * np.inf), "must be finite"),
        ([("ash", "yew")], "names 'yew', which is not a task"),
        ([("ash", "elm"), ("elm", "ash")], "is repeated"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_errors_are_those_of_the_dense_matrix(graph, message):
    for read in (read_graph, read_sparse_graph):
        with pytest.raises(ValueError, match=message):
            read(graph, TASKS)


def test_a_long_list_of_tasks_is_shortened():
    with pytest.raises(ValueError, match=r"the tasks are \[0, 1, .*19, \.\.\.\]|19\], \.\.\."):
        read_sparse_graph([(0, 99)], np.arange(50))


def test_laplacians():
    L = np.diag(WEIGHTS.sum(axis=1)) - WEIGHTS + np.diag([0, 1.0, 0, 0])
    found = read_sparse_laplacian(sp.csr_array(L), TASKS)
    assert isinstance(found, Coupling)
    np.testing.assert_allclose(found.toarray(), L, atol=1e-15)
    # No Laplacian, but positive semidefinite.
    signed = np.eye(4) + 0.1
    dense = read_sparse_laplacian(sp.csr_array(signed), TASKS)
    np.testing.assert_array_equal(dense, read_laplacian(signed, TASKS))
    with pytest.raises(ValueError, match="must be positive semidefinite, its smallest .* -1.2"):
        read_sparse_laplacian(sp.csr_array(np.eye(4)[::-1] * 1.2), TASKS)


def test_a_matrix_that_is_too_large_to_be_dense():
    n_tasks = 6000
    signed = sp.diags([0.1, 1.0, 0.1], [-1, 0, 1], shape=(n_tasks, n_tasks))
    with pytest.raises(ValueError, match="of 6000 tasks must be the Laplacian of a graph"):
        read_sparse_laplacian(signed, np.arange(n_tasks))
