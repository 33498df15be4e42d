"""Solutions of systems between many tasks: for the complete graph, for forests, and approximate."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import breadth_first_order

from skmtl._numerics import kernels
from skmtl._numerics.blocks import Blocks
from skmtl._numerics.coupling import Coupling
from skmtl._numerics.semidefinite import Semidefinite, joint_matrix
from skmtl._numerics.sparse import as_graph, joined_blocks

Array = NDArray[Any]

# The numbers of unknowns up to which a system is factored, and those if it cannot be coarsened.
_COARSE, _LARGEST_FACTORED = 600, 2000


class CompleteSolver:
    r"""The exact solution for the complete graph, by eliminating the sum of the tasks.

    With :math:`A_t = H_t + (o_t + c T) I` the system is :math:`A_t w_t - c \sum_s w_s = g_t`.
    """

    def __init__(self, blocks: Blocks, coupling: Coupling) -> None:
        self.every = coupling.every
        self.inverse = blocks.inverse(coupling.own + self.every * coupling.n_tasks)
        d = blocks.n_features
        system = np.zeros((d, d))
        for j in range(d):
            unit = np.zeros((coupling.n_tasks, d))
            unit[:, j] = 1.0
            column = self.inverse(unit)
            # I - c sum_t A_t^-1, without cancellation.
            left = blocks.times(column) + coupling.own[:, None] * column
            system[j] = left.mean(axis=0)
        self.system = Semidefinite((system + system.T) / 2)

    def solve(self, rows: Array) -> Array:
        alone = self.inverse(rows)
        total = self.every * self.system.solve(alone.sum(axis=0))
        return np.asarray(alone + self.inverse(np.tile(total, (len(rows), 1))))


class ForestSolver:
    """The exact solution for a graph without cycles, from the leaves to the roots and back.

    A task that is eliminated leaves at its neighbour, joined by an edge of weight a, its matrix in
    series with a I. All tasks but the roots have a positive definite system.
    """

    def __init__(self, blocks: Blocks, coupling: Coupling) -> None:
        self.order, self.parents, self.weights = _rooted(coupling)
        left = blocks.copy()
        np.einsum("tjj->tj" if left.ndim == 3 else "tj->tj", left)[:] += coupling.own[:, None]
        self.factors: list[Any] = [None] * coupling.n_tasks
        for t in self.order[::-1]:
            parent = self.parents[t]
            if parent < 0:
                self.factors[t] = blocks.root(left[t])
                continue
            self.factors[t], passed = blocks.parallel(left[t], self.weights[t])
            left[parent] += passed

    def solve(self, rows: Array) -> Array:
        left, W = rows.copy(), np.empty_like(rows)
        for t in self.order[::-1]:
            parent = self.parents[t]
            if parent >= 0:
                left[parent] += self.weights[t] * self.factors[t].solve(left[t])
        for t in self.order:
            parent = self.parents[t]
            right = left[t] if parent < 0 else left[t] + self.weights[t] * W[parent]
            W[t] = self.factors[t].solve(right)
        return W


class SmallForestSolver:
    """As :class:`ForestSolver`, in kernels, for small full matrices."""

    def __init__(self, blocks: Blocks, coupling: Coupling) -> None:
        order, parents, weights = (np.array(each) for each in _rooted(coupling))
        self.tree: tuple[Array, Array, Array] = order, parents, weights
        self.factors = blocks.copy()
        np.einsum("tjj->tj", self.factors)[:] += coupling.own[:, None]
        kernels.eliminate_tasks(*self.tree, self.factors)
        roots = np.flatnonzero(self.tree[1] < 0).tolist()
        self.roots = {t: Semidefinite(self.factors[t]) for t in roots}

    def solve(self, rows: Array) -> Array:
        W = rows.copy()
        kernels.pass_to_roots(*self.tree, self.factors, W)
        for t, root in self.roots.items():
            W[t] = root.solve(W[t])
        kernels.pass_to_leaves(*self.tree, self.factors, W)
        return W


def _rooted(coupling: Coupling) -> tuple[Any, Any, Any]:
    """The tasks of a forest from its roots on, their parents, and the weights of the edges to them.

    Roots have the parent -1. Lists, since they are read one by one.
    """
    n_tasks, (count, labels) = coupling.n_tasks, coupling.components
    # One more node joins the first tasks of all components.
    first = np.unique(labels, return_index=True)[1]
    down = sp.csr_array((np.ones(count), (np.zeros(count, dtype=int), first)), (1, n_tasks))
    joined = joined_blocks([[coupling.weights, down.T], [down, None]])
    order, parents = breadth_first_order(as_graph(joined), n_tasks, directed=False)
    order, parents = order[1:], parents[:n_tasks].copy()
    parents[parents == n_tasks] = -1
    weights = np.zeros(n_tasks)
    upper = coupling.weights.tocoo()
    towards = parents[upper.row] == upper.col
    weights[upper.row[towards]] = upper.data[towards]
    return order.tolist(), parents.tolist(), weights.tolist()


class MultilevelSolver:
    """An approximate solution: each task alone, plus the same for groups of neighbours.

    The groups are tasks of a smaller system of the same form, which is solved likewise until it is
    small enough to be factored.

    References
    ----------
    J. H. Bramble, J. E. Pasciak and J. Xu, "Parallel multilevel preconditioners", Math. Comp. 55,
    1990, https://doi.org/10.1090/S0025-5718-1990-1023042-6
    """

    def __init__(self, blocks: Blocks, coupling: Coupling) -> None:
        self.whole: Semidefinite | None = None
        n_tasks, d = coupling.n_tasks, blocks.n_features
        groups = _groups(coupling)
        n_groups = int(groups.max()) + 1
        if n_tasks * d <= _COARSE or n_groups == n_tasks:
            if n_tasks * d <= _LARGEST_FACTORED:
                self.whole = Semidefinite(joint_matrix(blocks.matrices(), coupling.toarray()))
                return
        self.inverse = blocks.inverse(coupling.diagonal)
        places = np.arange(n_tasks), groups
        self.members = sp.csr_array((np.ones(n_tasks), places), shape=(n_tasks, n_groups))
        self.coarse: MultilevelSolver | None = None
        if n_groups < n_tasks:
            summed = blocks.summed(groups, n_groups)
            self.coarse = MultilevelSolver(summed, coupling.between(self.members))

    def solve(self, rows: Array) -> Array:
        if self.whole is not None:
            return self.whole.solve(rows.ravel()).reshape(rows.shape)
        alone = self.inverse(rows)
        if self.coarse is None:
            return alone
        return np.asarray(alone + self.members @ self.coarse.solve(self.members.T @ rows))


def _groups(coupling: Coupling) -> Array:
    """The group (n_tasks,) of each task: a task and its neighbours that are in no group yet."""
    starts, others = coupling.weights.indptr.tolist(), coupling.weights.indices.tolist()
    groups, count = [-1] * coupling.n_tasks, 0
    for whole in (True, False):
        for t, (first, last) in enumerate(zip(starts[:-1], starts[1:], strict=True)):
            if groups[t] >= 0:
                continue
            near = [s for s in others[first:last] if groups[s] < 0]
            if whole and len(near) < last - first:
                continue  # at first only groups of all neighbours of a task
            if not near and last > first:
                groups[t] = groups[others[first]]
                continue
            for s in (t, *near):
                groups[s] = count
            count += 1
    return np.array(groups, dtype=np.intp)
