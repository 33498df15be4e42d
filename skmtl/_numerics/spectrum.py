"""A quadratic per task in the eigenbasis of its Hessian: exact solutions for any step."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Spectrum:
    """The quadratics w_t' U_t diag(lam_t) U_t' w_t / 2 - linear_t' w_t of all tasks.

    Parameters
    ----------
    eigenvalues : ndarray of shape (n_tasks, n_features)
    bases : ndarray of shape (n_tasks or 1, n_features, n_features) or None
        Eigenvectors in columns; one basis may serve all tasks. None: the unit vectors.
    linear : ndarray of shape (n_features, n_tasks)
    mean_free : bool
        Whether the penalty leaves the mean of W's columns free.
    rotates : bool
        Whether the penalty is the same for W and for U W, whatever rotation U is.
    memory : dict or None
        What a solver keeps for the next fit of the same quadratics.
    """

    # The rows of W are these multiples (n_features, 1) of what the quadratics are in.
    scale: Array | None = None

    def __init__(
        self,
        eigenvalues: Array,
        bases: Array | None,
        linear: Array,
        *,
        mean_free: bool,
        rotates: bool = False,
        memory: dict[str, Any] | None = None,
    ) -> None:
        self.eigenvalues, self.bases, self.linear = eigenvalues, bases, linear
        self.mean_free, self.rotates = mean_free, rotates
        self.memory: dict[str, Any] = {} if memory is None else memory
        self._factors: tuple[float, Array] | None = None
        self._mean_map: tuple[float, Array] | None = None

    @property
    def mean_eigenvalue(self) -> float:
        return float(self.eigenvalues.mean())

    def rotated(self) -> "tuple[Spectrum, Array | None]":
        """The same in the coordinates U' W of one basis U, where that is all the same to the
        penalty, and U: nothing is left to multiply by. Otherwise itself, and None."""
        if not self.rotates or self.bases is None or len(self.bases) > 1:
            return self, None
        if "rotated" not in self.memory or self.memory["rotated"][0] is not self.linear:
            self.memory["rotated"] = self.linear, self.bases[0].T @ self.linear
        options: dict[str, Any] = {"mean_free": self.mean_free, "memory": self.memory}
        return Spectrum(self.eigenvalues, None, self.memory["rotated"][1], **options), self.bases[0]

    def rescaled(self, scale: Array) -> "Spectrum":
        """The same for W / scale, scale (n_features, 1), where each task has its own basis."""
        assert self.bases is not None and len(self.bases) > 1
        scaled = scale * self.bases
        matrices = (scaled * self.eigenvalues[:, None, :]) @ scaled.transpose(0, 2, 1)
        eigenvalues, bases = np.linalg.eigh(matrices)
        other = Spectrum(np.maximum(eigenvalues, 0), bases, scale * self.linear, mean_free=False)
        other.scale = scale
        return other

    def residual(self, W: Array) -> Array:
        """The columns linear_t - Hessian_t w_t: minus the gradient."""
        return self.linear - self._scale(W, np.ascontiguousarray(self.eigenvalues.T))

    def solve(self, A: Array, rho: float) -> Array:
        """The minimiser of the quadratics + rho ||W - A||_F^2 / 2, in O(d^2) per task.

        With a free mean only the distance of the centred columns counts, so that the mean task
        follows the data at once.
        """
        if self._factors is None or self._factors[0] != rho:
            self._factors = rho, np.ascontiguousarray(1 / (self.eigenvalues.T + rho))
        factors = self._factors[1]
        if not self.mean_free:
            return self._scale(self.linear + rho * A, factors)
        W = self._scale(self.linear + rho * (A - A.mean(axis=1, keepdims=True)), factors)
        mean = self._free_mean_map(rho, factors) @ W.mean(axis=1)
        return W + self._scale(np.repeat(rho * mean[:, None], W.shape[1], axis=1), factors)

    def _free_mean_map(self, rho: float, factors: Array) -> Array:
        """(I - rho mean_t (Hessian_t + rho I)^-1)^+, from the last call where rho is the same."""
        if self._mean_map is None or self._mean_map[0] != rho:
            n_tasks, d = self.eigenvalues.shape
            if self.bases is None:
                wide = np.diag(np.sqrt(factors.mean(axis=1)))
            elif len(self.bases) == 1:
                wide = self.bases[0] * np.sqrt(factors.mean(axis=1))
            else:
                scaled = self.bases * np.sqrt(factors.T / n_tasks)[:, None, :]
                wide = scaled.transpose(1, 0, 2).reshape(d, n_tasks * d)
            system = np.eye(d) - rho * (wide @ wide.T)
            self._mean_map = rho, np.linalg.pinv(system, rcond=1e-12, hermitian=True)
        return self._mean_map[1]

    def _scale(self, G: Array, factors: Array) -> Array:
        """The columns U_t diag(factors_t) U_t' g_t, for factors (n_features, n_tasks)."""
        if self.bases is None:
            return factors * G
        if len(self.bases) == 1:
            basis = self.bases[0]
            return np.asarray(basis @ (factors * (basis.T @ G)))
        rotated = np.matmul(self.bases.transpose(0, 2, 1), G.T[:, :, None])[:, :, 0]
        rotated *= factors.T
        return np.ascontiguousarray(np.matmul(self.bases, rotated[:, :, None])[:, :, 0].T)


class LinkedSpectrum(Spectrum):
    """Quadratics of all tasks less :math:`\\langle V, W \\rangle^2 / (2 \\sigma)`.

    One unknown that all tasks share, when it is eliminated, links them so.

    Parameters
    ----------
    eigenvalues, bases, linear : as in :class:`Spectrum`
    link : ndarray of shape (n_features, n_tasks)
        V; the whole stays positive semidefinite.
    sigma : float
        Positive.
    """

    def __init__(
        self, eigenvalues: Array, bases: Array, linear: Array, link: Array, sigma: float
    ) -> None:
        super().__init__(eigenvalues, bases, linear, mean_free=False)
        self.link, self.sigma = link, sigma
        self._solved: tuple[float, Array] | None = None

    def residual(self, W: Array) -> Array:
        return super().residual(W) + self.link * (float(np.vdot(self.link, W)) / self.sigma)

    def solve(self, A: Array, rho: float) -> Array:
        W = super().solve(A, rho)
        assert self._factors is not None
        if self._solved is None or self._solved[0] != rho:
            self._solved = rho, self._scale(self.link, self._factors[1])
        along = self._solved[1]
        left = self.sigma - float(np.vdot(self.link, along))
        return W + along * (float(np.vdot(self.link, W)) / left)


class PartsSpectrum:
    """The same quadratics of the sum of parts, for the parts one below the other.

    Parts that step together share one solution: their sum is that of a step as many times
    longer, and what it is away from where they were is divided equally.

    Parameters
    ----------
    total : Spectrum
        Of the sum. Its mean is not free.
    n_parts : int
    """

    mean_free = False

    def __init__(self, total: Spectrum, n_parts: int) -> None:
        self.total, self.n_parts = total, n_parts
        self.scale = None if total.scale is None else np.concatenate([total.scale] * n_parts)
        # Not the memory itself: the best step for parts is another than for the whole.
        self.memory: dict[str, Any] = total.memory.setdefault(f"parts-{n_parts}", {})

    @property
    def mean_eigenvalue(self) -> float:
        return self.total.mean_eigenvalue

    def rotated(self) -> "tuple[PartsSpectrum, None]":
        """Itself, and no basis."""
        return self, None

    def residual(self, W: Array) -> Array:
        """Minus the gradient, the same in each part (n_parts * n_features, n_tasks)."""
        summed = W.reshape(self.n_parts, -1, W.shape[1]).sum(axis=0)
        return np.concatenate([self.total.residual(summed)] * self.n_parts)

    def solve(self, A: Array, rho: float) -> Array:
        """The parts that minimise the quadratics of their sum + rho ||W - A||_F^2 / 2."""
        parts = A.reshape(self.n_parts, -1, A.shape[1])
        summed = parts.sum(axis=0)
        moved = (self.total.solve(summed, rho / self.n_parts) - summed) / self.n_parts
        return (parts + moved).reshape(A.shape)
