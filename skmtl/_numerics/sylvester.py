"""Linear systems that couple the tasks: one matrix per task, and one between tasks."""

import numpy as np
from numpy.typing import NDArray

from skmtl._numerics import linalg
from skmtl._numerics.conjugate_gradients import solve_iteratively
from skmtl._numerics.coupled_system import CoupledSystem
from skmtl._numerics.coupling import Coupling
from skmtl._numerics.semidefinite import Semidefinite, eigen

Array = NDArray[np.float64]

# The largest numbers of unknowns of a direct solution, of one after iterations have failed, and of
# the coarse system of the preconditioner.
_DIRECT = 600
_LAST_RESORT = 2000
_COARSE = 600
_ENOUGH = 1e-11
# Eigenvalues up to this fraction of the largest are rounding error.
_ROUNDING = 1e-12
# Coupling below this fraction of a matrix's largest eigenvalue is lost in its rounding error.
_WEAK = 1e-6


def solve_coupled(matrices: Array, coupling: Array | Coupling, G: Array) -> Array:
    """Solve matrices[t] W[:, t] + (W coupling)[:, t] = G[:, t] for W (n_features, n_tasks).

    If all tasks share one matrix, this is a Sylvester equation, which is diagonalised by the
    eigenvectors of the coupling. Otherwise tasks without coupling are solved separately, and the
    others jointly: directly if there are few unknowns, by conjugate gradients if there are many.

    Parameters
    ----------
    matrices : ndarray of shape (n_tasks or 1, n_features, n_features)
        Positive semidefinite.
    coupling : ndarray of shape (n_tasks, n_tasks), or Coupling
        Positive semidefinite.
    G : ndarray of shape (n_features, n_tasks)
        In the range of the system.

    References
    ----------
    R. Nicolaides, "Deflation of conjugate gradients with applications to boundary value
    problems", SIAM J. Numer. Anal. 24(2), 1987, https://doi.org/10.1137/0724027
    """
    G = np.asarray(G, dtype=np.float64)
    if isinstance(coupling, Coupling):
        return CoupledSystem(matrices, np.ones(len(matrices)), coupling).solve(G)
    if len(matrices) == 1:
        return _solve_sylvester(matrices[0], coupling, G)
    own = np.diag(coupling)
    coupled = np.abs(coupling - np.diag(own)).max(axis=1, initial=0.0) > 0
    if not coupled.all():
        W = np.empty_like(G)
        alone = ~coupled
        W[:, alone] = linalg.solve_semidefinite(matrices[alone], own[alone], G[:, alone])
        if coupled.any():
            between = coupling[np.ix_(coupled, coupled)]
            W[:, coupled] = solve_coupled(matrices[coupled], between, G[:, coupled])
        return W
    if G.size <= _DIRECT:
        return _solve_directly(matrices, coupling, G)
    preconditioner = _TwoLevel(matrices, coupling)
    values, vectors = eigen(coupling)
    # Products with the square root have no rounding error in uncoupled directions.
    root = vectors * np.sqrt(values)
    best, least = solve_iteratively(lambda W: _apply(matrices, root, W), G, preconditioner.solve)
    size = float(np.linalg.norm(G))
    if least > _ENOUGH * size and G.size <= _LAST_RESORT:
        return best + _solve_directly(matrices, coupling, G - _apply(matrices, root, best))
    return best


def solve_shifted(matrices: Array, shift: Array | Coupling, G: Array) -> Array:
    """As :func:`solve_coupled`, for a ridge of each task (n_tasks,) or a coupling."""
    if isinstance(shift, Coupling) or shift.ndim == 2:
        return solve_coupled(matrices, shift, G)
    return linalg.solve_semidefinite(matrices, shift, G)


def _apply(matrices: Array, root: Array, W: Array) -> Array:
    """The left-hand side at W, for the coupling root root'."""
    return np.asarray(np.matmul(matrices, W.T[:, :, None])[:, :, 0].T + (W @ root) @ root.T)


def _solve_sylvester(A: Array, B: Array, G: Array) -> Array:
    """The solution of A W + W B = G with the least norm."""
    a, left = np.linalg.eigh(A)
    b, right = eigen(B)
    a = np.maximum(a, 0.0)
    # With weak coupling, features in different units appear rank deficient unless scaled.
    weak = b <= _WEAK * a[-1]
    sums = a[:, None] + b[None, :]
    sums[sums <= _ROUNDING * a[-1]] = np.inf
    # In the eigenbasis of the coupling strong directions cause no rounding error in weak ones.
    rotated = G @ right
    W = np.zeros_like(G)
    for _ in range(2):  # the second pass removes the rounding error of the eigenvectors
        rest = rotated - A @ W - W * b
        solved = left @ (left.T @ rest / sums)
        if weak.any():
            solved[:, weak] = linalg.solve_semidefinite(A[None], b[weak], rest[:, weak])
        W = W + solved
    return np.asarray(W @ right.T)


def _solve_directly(matrices: Array, coupling: Array, G: Array) -> Array:
    """Solve for all unknowns at once, in the eigenbasis of the coupling.

    There strong and weak directions are scaled separately, so that strong coupling does no harm.
    """
    (d, n_tasks), (values, vectors) = G.shape, eigen(coupling)
    pairs = (vectors[:, :, None] * vectors[:, None, :]).reshape(n_tasks, -1)
    blocks = (pairs.T @ matrices.reshape(n_tasks, -1)).reshape(n_tasks, n_tasks, d, d)
    tasks = np.arange(n_tasks)
    blocks[tasks, tasks] += values[:, None, None] * np.eye(d)
    whole = blocks.transpose(2, 0, 3, 1).reshape(d * n_tasks, d * n_tasks)
    factor, rotated = Semidefinite(whole), (G @ vectors).ravel()
    W = factor.solve(rotated)
    W = W + factor.solve(rotated - whole @ W)
    return np.asarray(W.reshape(G.shape) @ vectors.T)


class _TwoLevel:
    """A two-level preconditioner: each task alone, plus a coarse system of combinations of tasks.

    The combinations are the eigenvectors of the coupling with the smallest eigenvalues. They
    include all with eigenvalue zero, and so every direction in which the system is singular.
    """

    def __init__(self, matrices: Array, coupling: Array) -> None:
        n_tasks, d = matrices.shape[:2]
        ridges = np.diag(coupling)[:, None]
        alone = matrices + ridges[:, :, None] * np.eye(d)
        scale = np.sqrt(np.einsum("tjj->tj", alone))
        alone /= scale[:, :, None] * scale[:, None, :]
        self.inverses = np.linalg.inv(alone + _ROUNDING * np.eye(d))
        self.inverses /= scale[:, :, None] * scale[:, None, :]
        values, vectors = eigen(coupling)
        free = int((values == 0).sum())
        count = min(n_tasks, max(free, _COARSE // d, 1))
        self.low = vectors[:, :count]
        pairs = (self.low[:, :, None] * self.low[:, None, :]).reshape(n_tasks, -1)
        coarse = (pairs.T @ matrices.reshape(n_tasks, -1)).reshape(count, count, d, d)
        chosen = np.arange(count)
        coarse[chosen, chosen] += values[:count, None, None] * np.eye(d)
        self.coarse = Semidefinite(coarse.transpose(2, 0, 3, 1).reshape(d * count, d * count))

    def solve(self, G: Array) -> Array:
        fine = np.matmul(self.inverses, G.T[:, :, None])[:, :, 0].T
        shared = G @ self.low
        return np.asarray(
            fine + self.coarse.solve(shared.ravel()).reshape(shared.shape) @ self.low.T
        )
