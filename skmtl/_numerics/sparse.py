"""Sparse arrays in forms that SciPy 1.11, too, makes and accepts."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray


def diagonal_array(values: NDArray[Any]) -> sp.csr_array:
    """The diagonal array of some values (n,)."""
    return sp.csr_array(sp.diags(values))


def joined_blocks(blocks: list[list[Any]]) -> sp.csr_array:
    """The array that is made of blocks, where None is zero."""
    return sp.csr_array(sp.bmat(blocks, format="csr"))


def as_graph(weights: Any) -> sp.csr_array:
    """The same array with the indices of 32 bits that ``scipy.sparse.csgraph`` requires."""
    graph = sp.csr_array(weights, copy=False)
    indices, starts = (part.astype(np.int32) for part in (graph.indices, graph.indptr))
    return sp.csr_array((graph.data, indices, starts), shape=graph.shape)
