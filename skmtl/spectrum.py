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
    bases : ndarray of shape (n_tasks or 1, n_features, n_features)
        Eigenvectors in columns; one basis may serve all tasks.
    linear : ndarray of shape (n_features, n_tasks)
    mean_free : bool
        Whether the penalty leaves the mean of W's columns free.
    """

    def __init__(self, eigenvalues: Array, bases: Array, linear: Array, *, mean_free: bool) -> None:
        self.eigenvalues, self.bases, self.linear = eigenvalues, bases, linear
        self.mean_free = mean_free
        self._mean_map: tuple[float, Array] | None = None

    @property
    def mean_eigenvalue(self) -> float:
        return float(self.eigenvalues.mean())

    def residual(self, W: Array) -> Array:
        """The columns linear_t - Hessian_t w_t: minus the gradient."""
        return self.linear - self._scale(W, self.eigenvalues)

    def solve(self, A: Array, rho: float) -> Array:
        """The minimiser of the quadratics + rho ||W - A||_F^2 / 2, in O(d^2) per task.

        With a free mean only the distance of the centred columns counts, so that the mean task
        follows the data at once.
        """
        factors = 1 / (self.eigenvalues + rho)
        if not self.mean_free:
            return self._scale(self.linear + rho * A, factors)
        W = self._scale(self.linear + rho * (A - A.mean(axis=1, keepdims=True)), factors)
        mean = self._free_mean_map(rho, factors) @ W.mean(axis=1)
        return W + self._scale(np.repeat(rho * mean[:, None], W.shape[1], axis=1), factors)

    def _free_mean_map(self, rho: float, factors: Array) -> Array:
        """(I - rho mean_t (Hessian_t + rho I)^-1)^+, from the last call where rho is the same."""
        if self._mean_map is None or self._mean_map[0] != rho:
            n_tasks, d = self.eigenvalues.shape
            if len(self.bases) == 1:
                wide = self.bases[0] * np.sqrt(factors.mean(axis=0))
            else:
                scaled = self.bases * np.sqrt(factors / n_tasks)[:, None, :]
                wide = scaled.transpose(1, 0, 2).reshape(d, n_tasks * d)
            system = np.eye(d) - rho * (wide @ wide.T)
            self._mean_map = rho, np.linalg.pinv(system, rcond=1e-12, hermitian=True)
        return self._mean_map[1]

    def _scale(self, G: Array, factors: Array) -> Array:
        """The columns U_t diag(factors_t) U_t' g_t."""
        if len(self.bases) == 1:
            basis = self.bases[0]
            return np.asarray(basis @ (factors.T * (basis.T @ G)))
        rotated = np.matmul(self.bases.transpose(0, 2, 1), G.T[:, :, None])[:, :, 0]
        rotated *= factors
        return np.ascontiguousarray(np.matmul(self.bases, rotated[:, :, None])[:, :, 0].T)
