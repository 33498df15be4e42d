"""Linear systems that couple many tasks along a graph: one matrix per task, a form between them."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from skmtl._numerics.block_solvers import (
    CompleteSolver,
    ForestSolver,
    MultilevelSolver,
    SmallForestSolver,
)
from skmtl._numerics.blocks import Blocks, DiagonalBlocks, FullBlocks
from skmtl._numerics.conjugate_gradients import solve_iteratively
from skmtl._numerics.coupling import Coupling
from skmtl._numerics.linalg import SMALL_SIDE

Array = NDArray[Any]

# Norms of residuals relative to those of the right-hand side.
_EXACT = 3e-16


class _Solver(Protocol):
    def solve(self, rows: Array) -> Array:
        """The solution, or an approximation of it, for rows (n_tasks, n_features)."""


class CoupledSystem:
    """The system scales[t] matrices[t] W[:, t] + (W coupling)[:, t] = G[:, t] for many tasks.

    Nothing of the size of all pairs of tasks is formed. The complete graph is solved by eliminating
    the sum of the tasks, a graph without cycles by eliminating the tasks from the leaves to the
    root, both in time linear in the number of tasks, and another graph by preconditioned conjugate
    gradients. If the tasks share one matrix, the system is solved in its eigenvectors, where the
    features are separate.

    Parameters
    ----------
    matrices : ndarray of shape (n_tasks or 1, n_features, n_features)
        Positive semidefinite.
    scales : ndarray of shape (n_tasks or 1,)
    coupling : Coupling
    """

    def __init__(self, matrices: Array, scales: Array, coupling: Coupling) -> None:
        self.coupling = coupling
        self.basis: Array | None = None
        scales = np.broadcast_to(scales, coupling.n_tasks)
        if len(matrices) == 1:
            values, self.basis = np.linalg.eigh(matrices[0])
            values[values <= 1e-14 * values[-1]] = 0.0
            self.blocks: Blocks = DiagonalBlocks(np.multiply.outer(scales, values))
        else:
            self.blocks = FullBlocks(matrices, np.ascontiguousarray(scales))
        self._solver = self._choose()

    def _choose(self) -> _Solver:
        if self.coupling.is_complete:
            return CompleteSolver(self.blocks, self.coupling)
        if self.coupling.is_forest:
            small = self.basis is None and self.blocks.n_features <= SMALL_SIDE
            solver = SmallForestSolver if small else ForestSolver
            return solver(self.blocks, self.coupling)
        return MultilevelSolver(self.blocks, self.coupling)

    def solve(self, G: Array, size: float = 0.0) -> Array:
        """W for G (n_features, n_tasks), which must be in the range of the system.

        Residuals that are rounding error of numbers of norm ``size`` are small enough.
        """
        G = np.asarray(G, dtype=np.float64)
        rows = np.ascontiguousarray((G if self.basis is None else self.basis.T @ G).T)
        enough = _EXACT * max(float(np.linalg.norm(G)), size)
        patience = 20 if isinstance(self._solver, MultilevelSolver) else 2
        W = solve_iteratively(self._apply, rows, self._solver.solve, enough, patience)[0].T
        return np.ascontiguousarray(W if self.basis is None else self.basis @ W)

    def _apply(self, rows: Array) -> Array:
        return self.blocks.times(rows) + self.coupling.times_rows(rows)
