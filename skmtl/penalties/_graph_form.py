"""A quadratic form between many tasks along a graph, without a matrix of all pairs of tasks."""

from functools import cached_property
from typing import Any, Self

import numpy as np
import scipy.sparse as sp

from skmtl._numerics import CoupledSystem, Coupling, diagonal_array
from skmtl.penalties._base import Array, Quadratic

# Gradients of this form have such squared rounding errors in its null space, relative to theirs.
_ROUNDING = 1e-24


class GraphForm(Quadratic):
    """tr(W M W') / 2, for M given as a :class:`skmtl._numerics.Coupling`.

    Parameters
    ----------
    coupling : Coupling
    """

    couples_tasks = True

    def __init__(self, coupling: Coupling) -> None:
        self.coupling = coupling

    def hessian(self, n_tasks: int) -> Array:
        return self.coupling.toarray()

    def coupling_of(self, n_tasks: int) -> Coupling:
        return self.coupling

    def value(self, W: Array) -> float:
        return self.coupling.value(W) / 2

    def gradient(self, W: Array) -> Array:
        return self.coupling.times(W)

    def lipschitz(self) -> float:
        return self._largest

    @cached_property
    def _largest(self) -> float:
        return self.coupling.largest()

    def on_range(self, G: Array, near: Array | None) -> tuple[float, Array, Array]:
        seen, rest = self.coupling.split(G)
        return self.coupling.conjugate(seen, near), seen, rest

    def pull(self, n_tasks: int) -> Array:
        return self.coupling.own

    def free_combinations(self, n_tasks: int) -> Any:
        return self.coupling.free

    def prox(self, V: Array, step: float | Array) -> Array:
        # (I / step + M) w = v / step for each row, and w = v where the step is zero.
        W, steps = V.reshape(-1, V.shape[-1]).copy(), np.broadcast_to(step, (*V.shape[:-1], 1))
        moved = steps.ravel() > 0
        if moved.any():
            shifts = 1 / steps.ravel()[moved]
            system = CoupledSystem(np.diag(shifts)[None], np.ones(1), self.coupling)
            W[moved] = system.solve(W[moved] * shifts[:, None])
        return W.reshape(V.shape)

    def scaled(self, factor: float) -> Self:
        return type(self)(self.coupling.scaled(factor))

    def for_tasks(self, chosen: Array) -> Self:
        return type(self)(self.coupling.of_tasks(chosen))

    def to_cvxpy(self, W: Any) -> Any:
        import cvxpy as cp

        coupling, n_tasks = self.coupling, self.coupling.n_tasks
        upper = sp.triu(coupling.weights, format="coo")
        values = np.sqrt(upper.data)
        edges = np.arange(upper.nnz)
        rows, columns = np.append(upper.row, upper.col), np.append(edges, edges)
        signed = sp.csr_array((np.append(values, -values), (rows, columns)), (n_tasks, len(edges)))
        form = cp.sum_squares(W @ diagonal_array(np.sqrt(coupling.own)))
        if len(edges):
            form += cp.sum_squares(W @ signed)
        if coupling.every > 0:
            mean = cp.sum(W, axis=1, keepdims=True) / n_tasks
            form += coupling.every * n_tasks * cp.sum_squares(W - mean @ np.ones((1, n_tasks)))
        return form / 2

    def conjugate(self, G: Array) -> float:
        return self.conjugate_near(G, None)

    def conjugate_near(self, G: Array, W: Array | None) -> float:
        seen, rest = self.coupling.split(G)
        if np.square(rest).sum() > _ROUNDING * np.square(G).sum():
            return np.inf
        return self.coupling.conjugate(seen, W)

    def dual_scale(self, G: Array) -> float:
        rest = self.coupling.split(G)[1]
        return 1.0 if np.square(rest).sum() <= _ROUNDING * np.square(G).sum() else 0.0
