"""Validation of users' graphs of tasks, and their Laplacians."""

from skmtl._graphs._matrices import labels_of, laplacian_of, names_of, read_graph, read_laplacian
from skmtl._graphs._sparse import (
    LARGEST_DENSE,
    is_sparse_graph,
    read_sparse_graph,
    read_sparse_laplacian,
    symmetric_edges,
)

__all__ = [
    "LARGEST_DENSE",
    "is_sparse_graph",
    "labels_of",
    "laplacian_of",
    "names_of",
    "read_graph",
    "read_laplacian",
    "read_sparse_graph",
    "read_sparse_laplacian",
    "symmetric_edges",
]
