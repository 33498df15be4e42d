"""What the spectral box norms share: sums of squared singular values with learned weights."""

import numpy as np

from skmtl._numerics import rescale_singular_values, rough_singular_values, singular_values
from skmtl.penalties._base import Array, Penalty
from skmtl.penalties._box import (
    box_in_features,
    box_shrinkage,
    box_slopes,
    box_support,
    box_value,
    box_weights,
    padded,
)
from skmtl.penalties._derivatives import Derivative, of_singular_values
from skmtl.penalties._task_precision import TaskPrecision


class SpectralBox(Penalty):
    r"""Half a squared spectral box norm of W.

    .. math:: \tfrac{\alpha}{2} \min_\theta \sum_i \sigma_i(W)^2 / \theta_i ,
              \qquad a \le \theta_i \le b , \; \sum_i \theta_i = c

    A subclass states the box, and overrides the rest for which it knows more.
    """

    is_norm = False
    ignores_rotations = True

    alpha: float

    def box(self, n_tasks: int) -> tuple[float, float, float]:
        """The bounds and the total of the weights."""
        raise NotImplementedError

    def _size(self, n_tasks: int) -> int:
        """The number of weights: of singular values, zeros included."""
        return n_tasks

    def _squarable(self, W: Array) -> Array:
        """The singular values whose squares value and conjugate sum, divided by theta or times it.

        Rough ones suffice if no theta is zero.
        """
        n_tasks = W.shape[1]
        sigma = rough_singular_values(W) if self.box(n_tasks)[0] > 0 else singular_values(W)
        return padded(sigma, self._size(n_tasks))

    def value(self, W: Array) -> float:
        return float(self.alpha * box_value(self._squarable(W), *self.box(W.shape[1])) / 2)

    def prox(self, V: Array, step: float | Array) -> Array:
        lam, n_tasks = float(np.max(step)) * self.alpha, V.shape[1]
        shrink = box_shrinkage(self._size(n_tasks), lam, self.box(n_tasks))
        return rescale_singular_values(V, shrink)

    def prox_derivative(self, V: Array, step: float | Array) -> Derivative:
        lam, n_tasks = float(np.max(step)) * self.alpha, V.shape[1]
        slopes = box_slopes(singular_values(V), self._size(n_tasks), lam, self.box(n_tasks))
        return of_singular_values(V, *slopes)

    def conjugate(self, G: Array) -> float:
        return float(box_support(self._squarable(G), *self.box(G.shape[1])) / (2 * self.alpha))

    def dual_scale(self, G: Array) -> float:
        return 1.0

    def weights(self, W: Array) -> tuple[Array, Array]:
        """The weights theta (n_tasks,) and directions R (n_tasks, n_tasks) between tasks."""
        n_tasks = W.shape[1]
        _, sigma, rotation = np.linalg.svd(W, full_matrices=True)
        return box_weights(padded(sigma, n_tasks), 0.0, *self.box(n_tasks)), rotation.T

    def feature_weights(self, W: Array) -> tuple[Array, Array, float]:
        """The minimising matrix between features instead of tasks.

        Its eigenvalues (r,), its eigenvectors (n_features, r), and its eigenvalue in all other
        directions.
        """
        n_tasks = W.shape[1]
        return box_in_features(W, self._size(n_tasks), self.box(n_tasks))

    def covariance(self, W: Array) -> Array:
        """The minimising matrix R diag(theta) R' between tasks (n_tasks, n_tasks)."""
        theta, directions = self.weights(W)
        return np.asarray((directions * theta) @ directions.T)

    def task_precision(self, W: Array) -> TaskPrecision:
        return TaskPrecision.of_variances(*self.weights(W), self.alpha)
