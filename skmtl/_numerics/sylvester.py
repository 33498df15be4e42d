"""Linear systems of all tasks together: a matrix for each, and one between them."""

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from skmtl._numerics import linalg

Array = NDArray[np.float64]

# Up to so many unknowns are solved for at once, and this many where iterating fails.
_DIRECT = 600
_LAST_RESORT = 2000
_COARSE = 600
_MAX_ITERATIONS = 500
_EXACT = 1e-15
_ENOUGH = 1e-11
# Iterations without a smaller residual after which rounding holds it.
_PATIENCE = 20
_REFINEMENTS = 3
# Eigenvalues up to this share of the largest are rounding.
_ROUNDING = 1e-12
# Weaker coupling than this share of a matrix's largest eigenvalue drowns in that one's rounding.
_WEAK = 1e-6


def solve_coupled(matrices: Array, coupling: Array, G: Array) -> Array:
    """The W (n_features, n_tasks) with matrices[t] W[:, t] + (W coupling)[:, t] = G[:, t].

    One matrix that serves all tasks makes it a Sylvester equation, which the coupling's
    eigenvectors take apart. Otherwise tasks that nothing couples are solved alone; of the others,
    few unknowns at once, many by conjugate gradients.

    Parameters
    ----------
    matrices : ndarray of shape (n_tasks or 1, n_features, n_features)
        Positive semidefinite.
    coupling : ndarray of shape (n_tasks, n_tasks)
        Positive semidefinite.
    G : ndarray of shape (n_features, n_tasks)
        In the range of the whole.

    References
    ----------
    R. Nicolaides, "Deflation of conjugate gradients with applications to boundary value
    problems", SIAM J. Numer. Anal. 24(2), 1987, https://doi.org/10.1137/0724027
    """
    G = np.asarray(G, dtype=np.float64)
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
        return _solve_at_once(matrices, coupling, G)
    near, best, size = _TwoLevel(matrices, coupling), np.zeros_like(G), float(np.linalg.norm(G))
    values, vectors = _eigen(coupling)
    # Products with the root have no rounding error in directions that are not coupled.
    root = vectors * np.sqrt(values)
    left, least = G, size
    for _ in range(_REFINEMENTS):
        W = best + _conjugate_gradients(matrices, root, left, near)
        # The true residual: the one that conjugate gradients carry along drifts.
        left = G - _apply(matrices, root, W)
        norm = float(np.linalg.norm(left))
        if not norm < least:
            break
        best, least = W, norm
        if norm <= _EXACT * size:
            break
    if least > _ENOUGH * size and G.size <= _LAST_RESORT:
        return best + _solve_at_once(matrices, coupling, G - _apply(matrices, root, best))
    return best


def _apply(matrices: Array, root: Array, W: Array) -> Array:
    """The image of W, with the coupling as root root'."""
    return np.asarray(np.matmul(matrices, W.T[:, :, None])[:, :, 0].T + (W @ root) @ root.T)


def _solve_sylvester(A: Array, B: Array, G: Array) -> Array:
    """The smallest solution of A W + W B = G."""
    a, left = np.linalg.eigh(A)
    b, right = _eigen(B)
    a = np.maximum(a, 0.0)
    # There features in unequal units look like a deficient rank, unless they are scaled.
    weak = b <= _WEAK * a[-1]
    sums = a[:, None] + b[None, :]
    sums[sums <= _ROUNDING * a[-1]] = np.inf
    # In the coupling's eigenbasis a strong direction leaves no rounding error in a weak one.
    turned = G @ right
    W = np.zeros_like(G)
    for _ in range(2):  # the second time removes the eigenvectors' rounding error
        rest = turned - A @ W - W * b
        solved = left @ (left.T @ rest / sums)
        if weak.any():
            solved[:, weak] = linalg.solve_semidefinite(A[None], b[weak], rest[:, weak])
        W = W + solved
    return np.asarray(W @ right.T)


def _eigen(coupling: Array) -> tuple[Array, Array]:
    """The eigenvalues, rounding error set to 0, and the eigenvectors of a coupling."""
    values, vectors = np.linalg.eigh(coupling)
    values[values <= _ROUNDING * max(values[-1], 0.0)] = 0.0
    return values, vectors


def _solve_at_once(matrices: Array, coupling: Array, G: Array) -> Array:
    """All unknowns together, in the coupling's eigenbasis.

    There strong and weak directions are scaled separately, however strong the coupling.
    """
    (d, n_tasks), (values, vectors) = G.shape, _eigen(coupling)
    pairs = (vectors[:, :, None] * vectors[:, None, :]).reshape(n_tasks, -1)
    blocks = (pairs.T @ matrices.reshape(n_tasks, -1)).reshape(n_tasks, n_tasks, d, d)
    tasks = np.arange(n_tasks)
    blocks[tasks, tasks] += values[:, None, None] * np.eye(d)
    whole = blocks.transpose(2, 0, 3, 1).reshape(d * n_tasks, d * n_tasks)
    factor, turned = _Semidefinite(whole), (G @ vectors).ravel()
    W = factor.solve(turned)
    W = W + factor.solve(turned - whole @ W)
    return np.asarray(W.reshape(G.shape) @ vectors.T)


class _Semidefinite:
    """A positive semidefinite matrix, factored after scaling it to a unit diagonal."""

    def __init__(self, matrix: Array) -> None:
        scale = np.sqrt(np.diag(matrix).clip(min=0.0))
        scale[scale == 0] = 1.0
        self.scale, self.inverse = scale, None
        matrix = matrix / scale[:, None] / scale
        try:
            self.factor = scipy.linalg.cho_factor(matrix, lower=True)
            diagonal = np.diag(self.factor[0])
            if diagonal.min() < 1e-7 * diagonal.max():
                raise np.linalg.LinAlgError("numerically singular")
        except np.linalg.LinAlgError:
            self.inverse = np.linalg.pinv(matrix, rcond=_ROUNDING, hermitian=True)

    def solve(self, g: Array) -> Array:
        g = g / self.scale
        if self.inverse is None:
            return np.asarray(scipy.linalg.cho_solve(self.factor, g) / self.scale)
        return np.asarray(self.inverse @ g / self.scale)


class _TwoLevel:
    """Nearly the inverse: each task alone, plus what the least coupled combinations share.

    The combinations are eigenvectors of the coupling with its smallest eigenvalues; with all that
    are zero among them, so is every direction in which the whole is singular.
    """

    def __init__(self, matrices: Array, coupling: Array) -> None:
        n_tasks, d = matrices.shape[:2]
        ridges = np.diag(coupling)[:, None]
        alone = matrices + ridges[:, :, None] * np.eye(d)
        scale = np.sqrt(np.einsum("tjj->tj", alone))
        alone /= scale[:, :, None] * scale[:, None, :]
        self.inverses = np.linalg.inv(alone + _ROUNDING * np.eye(d))
        self.inverses /= scale[:, :, None] * scale[:, None, :]
        values, vectors = _eigen(coupling)
        free = int((values == 0).sum())
        count = min(n_tasks, max(free, _COARSE // d, 1))
        self.low = vectors[:, :count]
        pairs = (self.low[:, :, None] * self.low[:, None, :]).reshape(n_tasks, -1)
        coarse = (pairs.T @ matrices.reshape(n_tasks, -1)).reshape(count, count, d, d)
        chosen = np.arange(count)
        coarse[chosen, chosen] += values[:count, None, None] * np.eye(d)
        self.coarse = _Semidefinite(coarse.transpose(2, 0, 3, 1).reshape(d * count, d * count))

    def solve(self, G: Array) -> Array:
        fine = np.matmul(self.inverses, G.T[:, :, None])[:, :, 0].T
        shared = G @ self.low
        return np.asarray(
            fine + self.coarse.solve(shared.ravel()).reshape(shared.shape) @ self.low.T
        )


def _conjugate_gradients(matrices: Array, root: Array, G: Array, near: _TwoLevel) -> Array:
    W, left = np.zeros_like(G), G.copy()
    solved = near.solve(left)
    direction, slope = solved, float(np.vdot(left, solved))
    best, least, waited = W, np.inf, 0
    enough = _EXACT * float(np.linalg.norm(G))
    for _ in range(_MAX_ITERATIONS):
        image = _apply(matrices, root, direction)
        bend = float(np.vdot(direction, image))
        if slope <= 0 or bend <= 0:
            break
        size = slope / bend
        W = W + size * direction
        left = left - size * image
        norm = float(np.linalg.norm(left))
        best, waited = (W, 0) if norm < least else (best, waited + 1)
        least = min(norm, least)
        if norm <= enough or waited >= _PATIENCE:
            break
        solved = near.solve(left)
        before, slope = slope, float(np.vdot(left, solved))
        direction = solved + slope / before * direction
    return best
