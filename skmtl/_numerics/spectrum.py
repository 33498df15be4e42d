"""One quadratic per task in the eigenbasis of its Hessian, with exact solutions for any step."""

from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from skmtl._numerics import kernels
from skmtl._numerics.linalg import factorise

Array = NDArray[Any]


class Quadratics(Protocol):
    """One quadratic per task, with exact solutions of proximal steps.

    Attributes
    ----------
    linear : ndarray of shape (n_features, n_tasks)
    mean_free : bool
        Whether the penalty leaves the mean of W's columns unpenalised.
    memory : dict
        State that a solver stores for the next fit of the same quadratics.
    scale : ndarray of shape (n_features, 1) or None
        W is this factor times the variable of the quadratics; None: W itself.
    """

    linear: Array
    mean_free: bool
    memory: dict[str, Any]
    scale: Array | None

    @property
    def mean_eigenvalue(self) -> float:
        """The mean of all eigenvalues of the Hessians."""

    def rotated(self) -> "tuple[Quadratics, Array | None]":
        """The quadratics in the coordinates of a common eigenbasis, and this basis.

        Itself and None, if the tasks have none or the penalty is not invariant.
        """

    def residual(self, W: Array) -> Array:
        """Minus the gradient: the columns linear_t - Hessian_t w_t."""

    def solve(self, A: Array, rho: float) -> Array:
        """The minimiser of the quadratics + rho ||W - A||_F^2 / 2."""


class Spectrum:
    """The quadratics w_t' U_t diag(lam_t) U_t' w_t / 2 - linear_t' w_t of all tasks.

    Parameters
    ----------
    eigenvalues : ndarray of shape (n_tasks, n_features)
    bases : ndarray of shape (n_tasks or 1, n_features, n_features) or None
        Eigenvectors in columns; all tasks may share one basis. None for the unit vectors.
    linear : ndarray of shape (n_features, n_tasks)
    mean_free : bool
        Whether the penalty leaves the mean of W's columns unpenalised.
    rotates : bool
        Whether the penalty is invariant under W -> U W for all orthogonal U.
    memory : dict or None
        State that a solver stores for the next fit of the same quadratics.
    """

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
        """The quadratics in the coordinates U' W of a common basis U, and U.

        Their Hessians are then diagonal. If the penalty is not invariant under rotations, or the
        tasks have no common basis: itself, and None.
        """
        if not self.rotates or self.bases is None or len(self.bases) > 1:
            return self, None
        if "rotated" not in self.memory or self.memory["rotated"][0] is not self.linear:
            self.memory["rotated"] = self.linear, self.bases[0].T @ self.linear
        options: dict[str, Any] = {"mean_free": self.mean_free, "memory": self.memory}
        return Spectrum(self.eigenvalues, None, self.memory["rotated"][1], **options), self.bases[0]

    def rescaled(self, scale: Array) -> "Spectrum":
        """The quadratics in W / scale, for scale (n_features, 1) and a separate basis per task."""
        assert self.bases is not None and len(self.bases) > 1
        scaled = scale * self.bases
        matrices = (scaled * self.eigenvalues[:, None, :]) @ scaled.transpose(0, 2, 1)
        eigenvalues, bases = np.linalg.eigh(matrices)
        other = Spectrum(np.maximum(eigenvalues, 0), bases, scale * self.linear, mean_free=False)
        other.scale = scale
        return other

    def residual(self, W: Array) -> Array:
        """Minus the gradient: the columns linear_t - Hessian_t w_t."""
        return self.linear - self._scale(W, np.ascontiguousarray(self.eigenvalues.T))

    def solve(self, A: Array, rho: float) -> Array:
        """The minimiser of the quadratics + rho ||W - A||_F^2 / 2, in O(d^2) per task.

        If the mean is free, the distance is that of the centred columns only, so that the mean
        task is determined by the data alone.
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
        """(I - rho mean_t (Hessian_t + rho I)^-1)^+, cached for the last value of rho."""
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


class FactoredSpectrum:
    r"""The quadratics of tasks with separate Hessians :math:`s_t G_t + r_t I`, by Cholesky factors.

    The factors depend on the step size, but computing them takes a few per cent of the time that
    the eigenvectors take, and a solve reads half as much memory.

    Parameters
    ----------
    grams : ndarray of shape (n_tasks, n_features, n_features)
        The positive semidefinite :math:`G_t`.
    scales, ridges : ndarray of shape (n_tasks,)
    linear, memory : as in :class:`Spectrum`
    """

    mean_free = False
    scale: Array | None = None

    def __init__(
        self, grams: Array, scales: Array, ridges: Array, linear: Array, memory: dict[str, Any]
    ) -> None:
        self.grams, self.scales, self.ridges = grams, scales, ridges
        self.linear, self.memory = linear, memory

    @property
    def mean_eigenvalue(self) -> float:
        traces = np.einsum("tjj->t", self.grams)
        return float((self.scales * traces / self.grams.shape[1] + self.ridges).mean())

    def rotated(self) -> "tuple[FactoredSpectrum, None]":
        return self, None

    def rescaled(self, scale: Array) -> "FactoredSpectrum":
        grams = self.grams * self.scales[:, None, None]
        np.einsum("tjj->tj", grams)[:] += self.ridges[:, None]
        grams *= scale @ scale.T
        ones = np.ones_like(self.scales)
        other = FactoredSpectrum(grams, ones, 0 * ones, scale * self.linear, {})
        other.scale = scale
        return other

    def residual(self, W: Array) -> Array:
        by_task = np.ascontiguousarray((W * self.scales).T)
        product = np.empty_like(by_task)
        kernels.multiply_grams(self.grams, by_task, product)
        return np.asarray(self.linear - product.T - self.ridges * W)

    def solve(self, A: Array, rho: float) -> Array:
        factors = self._factors_at(rho)
        if factors is None:
            return self._eigenbasis.solve(A, rho)
        by_task = np.ascontiguousarray((self.linear + rho * A).T)
        kernels.solve_factored(factors, by_task)
        return np.ascontiguousarray(by_task.T)

    def _factors_at(self, rho: float) -> Array | None:
        """The factors of the Hessians + rho I, kept for the last rho; None if there are none."""
        kept = self.memory.get("factors")
        if kept is not None and kept[0] == rho and (kept[1] == self.ridges).all():
            factors: Array | None = kept[2]
            return factors
        factors = factorise(self.grams, self.scales, self.ridges + rho)
        self.memory["factors"] = rho, self.ridges, factors
        return factors

    @cached_property
    def _eigenbasis(self) -> Spectrum:
        """The same quadratics in the eigenbases of the tasks."""
        eigenvalues, bases = np.linalg.eigh(self.grams)
        eigenvalues = np.maximum(eigenvalues, 0) * self.scales[:, None] + self.ridges[:, None]
        return Spectrum(eigenvalues, bases, self.linear, mean_free=False)


class LinkedSpectrum(Spectrum):
    """Quadratics of all tasks minus :math:`\\langle V, W \\rangle^2 / (2 \\sigma)`.

    The term results from eliminating one unknown that all tasks share.

    Parameters
    ----------
    eigenvalues, bases, linear : as in :class:`Spectrum`
    link : ndarray of shape (n_features, n_tasks)
        V; the difference must be positive semidefinite.
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
        linked = self.link * (float(np.vdot(self.link, W)) / self.sigma)
        return np.asarray(super().residual(W) + linked)

    def solve(self, A: Array, rho: float) -> Array:
        W = super().solve(A, rho)
        assert self._factors is not None
        if self._solved is None or self._solved[0] != rho:
            self._solved = rho, self._scale(self.link, self._factors[1])
        along = self._solved[1]
        left = self.sigma - float(np.vdot(self.link, along))
        return W + along * (float(np.vdot(self.link, W)) / left)


class PartsSpectrum:
    """The quadratics of a sum of parts, as a function of the vertically stacked parts.

    A proximal step in all parts reduces to one in their sum that is ``n_parts`` times longer; the
    change of the sum is divided equally among the parts.

    Parameters
    ----------
    total : Quadratics
        The quadratics of the sum; ``mean_free`` must be false.
    n_parts : int
    """

    mean_free = False

    def __init__(self, total: Quadratics, n_parts: int) -> None:
        self.total, self.n_parts = total, n_parts
        self.scale = None if total.scale is None else np.concatenate([total.scale] * n_parts)
        # A separate memory, because the best step for the parts differs from that for the sum.
        self.memory: dict[str, Any] = total.memory.setdefault(f"parts-{n_parts}", {})

    @property
    def mean_eigenvalue(self) -> float:
        return self.total.mean_eigenvalue

    @property
    def linear(self) -> Array:
        """The linear term of the sum (n_features, n_tasks)."""
        return self.total.linear

    @linear.setter
    def linear(self, linear: Array) -> None:
        self.total.linear = linear

    def rotated(self) -> "tuple[PartsSpectrum, None]":
        """Itself, and None for the basis."""
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
        return np.asarray((parts + moved).reshape(A.shape))
