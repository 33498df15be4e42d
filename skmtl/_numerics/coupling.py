r"""Quadratic forms between many tasks, kept as a graph instead of a matrix."""

from functools import cached_property
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree
from scipy.sparse.linalg import splu

from skmtl._numerics import kernels
from skmtl._numerics.conjugate_gradients import conjugate_gradients
from skmtl._numerics.sparse import as_graph, diagonal_array

Array = NDArray[Any]

# Own strengths up to this fraction of a task's diagonal entry are rounding error.
_ROUNDING = 1e-12
_ENOUGH = 1e-12


class Coupling:
    r"""The matrix M = L(A) + diag(own) + every (T I - 1 1') between T tasks, positive semidefinite.

    L(A) is the Laplacian of a sparse graph, and the last term that of the complete graph with the
    weight ``every`` on each edge, which is never formed.

    Parameters
    ----------
    weights : sparse array of shape (n_tasks, n_tasks)
        A, symmetric, non-negative, with an empty diagonal.
    own : ndarray of shape (n_tasks,)
        Non-negative.
    every : float
        Non-negative.
    """

    ndim = 2

    def __init__(self, weights: Any, own: Array, every: float = 0.0) -> None:
        weights = sp.csr_array(weights, dtype=np.float64)
        weights.sum_duplicates()
        weights.eliminate_zeros()
        self.weights, self.every = weights, float(every)
        self.own = np.asarray(own, dtype=np.float64)

    def __repr__(self) -> str:
        n_edges = self.weights.nnz // 2
        return f"Coupling(n_tasks={self.n_tasks}, n_edges={n_edges}, every={self.every:.4g})"

    @classmethod
    def complete(cls, n_tasks: int, every: float, own: float = 0.0) -> Self:
        """That of the complete graph with equal weights, plus a multiple of the identity."""
        return cls(sp.csr_array((n_tasks, n_tasks)), np.full(n_tasks, own), every)

    @classmethod
    def of_matrix(cls, matrix: Any) -> "Self | None":
        """From a symmetric sparse matrix; None unless it is a Laplacian plus a diagonal >= 0."""
        matrix = sp.csr_array(matrix, dtype=np.float64)
        diagonal = matrix.diagonal()
        weights = sp.csr_array(diagonal_array(diagonal) - matrix)
        weights.eliminate_zeros()
        own = diagonal - weights.sum(axis=1)
        largest = np.abs(matrix.data).max(initial=0.0)
        if (weights.data < 0).any() or own.min(initial=0.0) < -1e-8 * largest:
            return None
        own[own <= _ROUNDING * diagonal] = 0.0
        return cls(weights, own)

    @property
    def n_tasks(self) -> int:
        return len(self.own)

    @property
    def shape(self) -> tuple[int, int]:
        return self.n_tasks, self.n_tasks

    @cached_property
    def diagonal(self) -> Array:
        """The diagonal of M (n_tasks,)."""
        return np.asarray(self.weights.sum(axis=1) + self.own + self.every * (self.n_tasks - 1))

    def __add__(self, other: "Coupling | Array") -> "Coupling":
        """The sum with another coupling, or with a diagonal (n_tasks,)."""
        if not isinstance(other, Coupling):
            return Coupling(self.weights, self.own + other, self.every)
        own, every = self.own + other.own, self.every + other.every
        return Coupling(self.weights + other.weights, own, every)

    def scaled(self, factor: float) -> "Coupling":
        return Coupling(factor * self.weights, factor * self.own, factor * self.every)

    def of_tasks(self, chosen: Array) -> "Coupling":
        """The rows and columns of some tasks: edges to the others remain on the diagonal."""
        kept = np.flatnonzero(chosen) if np.asarray(chosen).dtype == bool else np.asarray(chosen)
        weights = self.weights[kept][:, kept]
        lost = self.weights.sum(axis=1)[kept] - weights.sum(axis=1)
        lost[lost <= _ROUNDING * self.diagonal[kept]] = 0.0
        own = self.own[kept] + lost + self.every * (self.n_tasks - len(kept))
        return Coupling(weights, own, self.every)

    def between(self, members: Any) -> "Coupling":
        """The form between groups of tasks, for their indicators (n_tasks, n_groups), sparse.

        The complete graph is replaced by a diagonal that is at least as large.
        """
        weights = sp.csr_array(members.T @ self.weights @ members)
        weights = weights - diagonal_array(weights.diagonal())
        sizes = members.sum(axis=0)
        return Coupling(weights, members.T @ self.own + self.every * sizes * (self.n_tasks - sizes))

    def toarray(self) -> Array:
        """M as a dense matrix."""
        M = np.diag(self.diagonal) - self.weights.toarray()
        M[~np.eye(self.n_tasks, dtype=bool)] -= self.every
        return np.asarray(M)

    @property
    def is_complete(self) -> bool:
        """Whether the complete graph is the only one."""
        return self.weights.nnz == 0 and self.every > 0

    @cached_property
    def is_forest(self) -> bool:
        """Whether the graph is sparse without cycles."""
        count = self.n_tasks - self.components[0]
        return self.every == 0 and self.weights.nnz == 2 * count

    @cached_property
    def components(self) -> tuple[int, Array]:
        """The number of connected components of the sparse graph, and that of each task."""
        count, labels = connected_components(as_graph(self.weights), directed=False)
        return int(count), labels

    # Products

    @property
    def _edges(self) -> tuple[Array, Array, Array]:
        return self.weights.indptr, self.weights.indices, self.weights.data

    def times(self, W: Array) -> Array:
        """W M for W (..., n_tasks), without rounding error along unpenalised directions."""
        product = self.times_rows(_by_task(W.reshape(-1, self.n_tasks))).T
        return np.ascontiguousarray(product, dtype=W.dtype).reshape(W.shape)

    def times_rows(self, rows: Array) -> Array:
        """M W' for float64 rows W' (n_tasks, n_features)."""
        product = self.own[:, None] * rows
        if self.weights.nnz:
            kernels.multiply_laplacian(*self._edges, rows, product)
        if self.every > 0:
            product += self.every * self.n_tasks * _centred(rows)
        return product

    def value(self, W: Array) -> float:
        """tr(W M W')."""
        rows = _by_task(W)
        total = float(self.own @ np.einsum("tj,tj->t", rows, rows))
        if self.weights.nnz:
            total += float(kernels.measure_edges(*self._edges, rows))
        if self.every > 0:
            total += self.every * self.n_tasks * float(np.square(_centred(rows)).sum())
        return total

    def largest(self) -> float:
        """An upper bound on the largest eigenvalue, exact for the complete graph."""
        reach = 2 * self.weights.sum(axis=1) + self.own + self.every * self.n_tasks
        return float(reach.max(initial=0.0))

    # The null space

    @cached_property
    def free(self) -> Any:
        """An orthonormal basis (n_tasks, n), sparse, of the null space of M.

        These are the tasks of each component of the graph in which none has a strength of its own.
        """
        count, labels = self.components
        if self.every > 0:
            count, labels = 1, np.zeros(self.n_tasks, dtype=np.intp)
        held = np.bincount(labels, weights=self.own, minlength=count) > 0
        number = np.where(held, -1, np.cumsum(~held) - 1)[labels]
        tasks = np.flatnonzero(number >= 0)
        sizes = np.bincount(number[tasks], minlength=int((~held).sum()))
        values = 1 / np.sqrt(sizes[number[tasks]])
        shape = self.n_tasks, len(sizes)
        return sp.csr_array((values, (tasks, number[tasks])), shape=shape)

    @property
    def is_singular(self) -> bool:
        return bool(self.free.shape[1] > 0)

    def split(self, G: Array) -> tuple[Array, Array]:
        """The projections of G (n_features, n_tasks) onto the range of M and its null space."""
        if not self.is_singular:
            return G, np.zeros_like(G)
        rest = np.asarray((G @ self.free) @ self.free.T)
        return G - rest, rest

    # The conjugate

    def conjugate(self, G: Array, near: Array | None = None) -> float:
        r"""An upper bound on tr(G M^+ G') / 2 for G (n_features, n_tasks) in the range of M.

        For any W with :math:`E = G - W M` it is :math:`q(W) + \langle W, E \rangle + q^*(E)`, where
        q of fewer edges has a larger conjugate: those of a spanning tree, with linear systems that
        take linear time. The bound is exact for a forest and for the complete graph, and exact up
        to the square of E for a W close to the maximiser, which is reached from ``near``.
        """
        G = np.asarray(G, dtype=np.float64)
        if near is None:
            W, E = np.zeros_like(G), G
        else:
            W = np.asarray(near, dtype=np.float64)
            E = self.split(G - self.times(W))[0]
        if not (self.is_forest or self.weights.nnz == 0):
            W = W + self._approximate(E, _ENOUGH * float(np.linalg.norm(G)))
            E = self.split(G - self.times(W))[0]
        rest = float(np.vdot(E, self._solve_fewer(E))) / 2
        return self.value(W) / 2 + float(np.vdot(W, E)) + rest

    def _approximate(self, G: Array, enough: float) -> Array:
        """An approximate solution of W M = G, by conjugate gradients."""
        scale = np.where(self.diagonal > 0, self.diagonal, 1.0)
        return conjugate_gradients(self.times, G, lambda R: R / scale, enough)

    def _solve_fewer(self, G: Array) -> Array:
        """W with W M' = G for the M' of fewer edges, M' <= M with the same null space."""
        if self.every > 0:
            return _solve_complete(self.own, self.every, G)
        return np.ascontiguousarray(self._tree_factor.solve(np.ascontiguousarray(G.T)).T)

    @cached_property
    def _tree_factor(self) -> Any:
        """The factors of M' for a spanning forest; a free component is held at one task."""
        # The heaviest edges come first.
        inverse = self.weights.copy()
        inverse.data = 1 / inverse.data
        tree = sp.coo_array(minimum_spanning_tree(as_graph(inverse)))
        values, pairs = 1 / tree.data, (tree.row, tree.col)
        upper = sp.coo_array((values, pairs), shape=self.shape)
        kept = sp.csr_array(upper + upper.T)
        own = self.own.copy()
        first = np.asarray(self.free.tocsc().indices)[self.free.tocsc().indptr[:-1]]
        own[first] = np.where(kept.sum(axis=1)[first] > 0, kept.sum(axis=1)[first], 1.0)
        matrix = diagonal_array(kept.sum(axis=1) + own) - kept
        options = {"SymmetricMode": True}
        return splu(
            sp.csc_array(matrix),
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.0,
            options=options,
        )


def _solve_complete(own: Array, every: float, G: Array) -> Array:
    """W with W (diag(own) + every (T I - 1 1')) = G, the sum of which must be 0 if own is."""
    n_tasks = len(own)
    strengths = own + every * n_tasks
    W = G / strengths
    if own.any():
        mean = W.sum(axis=1, keepdims=True) / float((own / strengths).mean())
        W += every * mean / strengths
    return np.asarray(W)


def _by_task(W: Array) -> Array:
    """The rows W' (n_tasks, n_features), contiguous and in double precision."""
    return np.ascontiguousarray(W.T, dtype=np.float64)


def _centred(rows: Array) -> Array:
    """The rows minus their mean, to full precision."""
    rows = rows - rows.mean(axis=0)
    return np.asarray(rows - rows.mean(axis=0))
