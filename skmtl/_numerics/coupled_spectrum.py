"""The quadratics of all tasks, with exact solutions of proximal steps that couple the tasks."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl._numerics.semidefinite import Semidefinite, eigen, joint_matrix

Array = NDArray[Any]

_TINY = 1e-300


class CoupledSpectrum:
    r"""The quadratics :math:`\sum_t (w_t' H_t w_t / 2 - \langle q_t, w_t \rangle)` of all tasks.

    Steps minimise them plus :math:`\rho (\operatorname{tr}(W M W') / 2 - \langle A, W \rangle)`,
    where M may be any positive semidefinite matrix between the tasks. If all tasks have the same
    Hessian, its eigenvectors and those of M make the problem separate. Otherwise the system for
    all entries of W is factored.

    Parameters
    ----------
    hessians : ndarray of shape (n_tasks or 1, n_features, n_features)
        Positive semidefinite; one for all tasks if they are equal.
    linear : ndarray of shape (n_features, n_tasks)
        The columns :math:`q_t`.
    metric : ndarray of shape (n_tasks, n_tasks)
        M.
    memory : dict
        State that a solver stores for the next fit of the same quadratics.
    scaled : bool, default=False
        State the quadratics in W / scale, with the scale (n_features, 1) that makes the mean
        diagonal of the Hessians one. Features in different units then move equally fast, and those
        on a small scale are not taken for directions that nothing bends.
    """

    scale: Array | None = None

    def __init__(
        self,
        hessians: Array,
        linear: Array,
        metric: Array,
        memory: dict[str, Any],
        *,
        scaled: bool = False,
    ) -> None:
        if scaled:
            diagonal = np.einsum("tjj->tj", hessians).mean(axis=0)
            diagonal = np.where(diagonal > _TINY, diagonal, 1.0)
            self.scale = 1 / np.sqrt(diagonal)[:, None]
            hessians, linear = hessians * (self.scale @ self.scale.T), self.scale * linear
        self.hessians, self.linear, self.metric = hessians, linear, metric
        self.memory = memory
        self._factor: tuple[float, Semidefinite] | None = None
        if len(hessians) == 1:
            self._features, self._tasks = eigen(hessians[0]), eigen(metric)

    @property
    def mean_eigenvalue(self) -> float:
        return float(np.einsum("tjj->tj", self.hessians).mean())

    def residual(self, W: Array) -> Array:
        """Minus the gradient: the columns q_t - H_t w_t."""
        products = np.matmul(self.hessians, W.T[:, :, None])[:, :, 0]
        return np.asarray(self.linear - products.T)

    def solve(self, A: Array, rho: float) -> Array:
        """The minimiser for A (n_features, n_tasks), which must be in the range of M."""
        G = self.linear + rho * A
        if len(self.hessians) > 1:
            return self._system(rho).solve(G.T.ravel()).reshape(G.shape[::-1]).T
        (bends, left), (strengths, right) = self._features, self._tasks
        sums = bends[:, None] + rho * strengths
        sums[sums == 0] = np.inf  # directions in which nothing bends the objective do not move
        return np.asarray(left @ ((left.T @ G @ right) / sums) @ right.T)

    def _system(self, rho: float) -> Semidefinite:
        """The matrix H + rho M of all entries of W, task by task, kept for the last rho."""
        if self._factor is None or self._factor[0] != rho:
            self._factor = rho, Semidefinite(joint_matrix(self.hessians, rho * self.metric))
        return self._factor[1]
