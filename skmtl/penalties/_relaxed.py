"""Relaxed k-means clusters of tasks, equivalent to a shared feature subspace."""

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skmtl._numerics import rescale_singular_values, singular_values
from skmtl.penalties._base import Array, Penalty
from skmtl.penalties._box import (
    box_in_features,
    box_shrinkage,
    box_slopes,
    box_support,
    box_value,
    box_weights,
    check_clusters,
    padded,
)
from skmtl.penalties._derivatives import Derivative, of_singular_values
from skmtl.penalties._task_precision import TaskPrecision


class RelaxedClusterNorm(Penalty):
    r"""A convex relaxation of k-means over the tasks plus a ridge.

    .. math:: \tfrac{\alpha}{2} \eta (1 + \eta) \min_M \operatorname{tr}(W (\eta I + M)^{-1} W') ,
              \qquad 0 \preceq M \preceq I , \; \operatorname{tr} M = k

    If M were the projection onto the indicators of k clusters, this would be
    :math:`\tfrac{\alpha}{2}` times the sum of the squared distances of the tasks to the centres of
    their clusters and :math:`\eta \lVert W \rVert_F^2`. It is a spectral box norm of as many
    singular values as tasks, with weights between 1 / (1 + eta) and 1 / eta. It depends only on
    the singular values, so that an M between features gives the same penalty if k is at most
    their number: this is convex alternating structure optimisation.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength, positive.
    n_clusters : int, default=2
        k, from 1 to the number of tasks.
    eta : float, default=0.1
        Weight of the ridge, positive.

    References
    ----------
    J. Zhou, J. Chen and J. Ye, "Clustered multi-task learning via alternating structure
    optimization", NeurIPS 2011,
    https://papers.nips.cc/paper/4292-clustered-multi-task-learning-via-alternating-structure-optimization

    J. Chen, L. Tang, J. Liu and J. Ye, "A convex formulation for learning shared structures from
    multiple tasks", ICML 2009, https://doi.org/10.1145/1553374.1553392

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.penalties import RelaxedClusterNorm
    >>> W = np.array([[3.0, 4.0], [0.0, 0.0]])
    >>> round(RelaxedClusterNorm(n_clusters=1, eta=0.1).value(W), 6)  # rank 1: 0.05 * 5 ** 2
    1.25
    """

    is_norm = False
    ignores_rotations = True

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **Penalty._parameter_constraints,
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "eta": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(self, alpha: float = 1.0, n_clusters: int = 2, eta: float = 0.1) -> None:
        self.alpha = alpha
        self.n_clusters = n_clusters
        self.eta = eta

    def check(self, n_features: int, n_tasks: int) -> None:
        super().check(n_features, n_tasks)
        check_clusters(self.n_clusters, n_tasks)

    @property
    def n_directions(self) -> int:
        """The number of directions between tasks that distinguish the clusters."""
        return self.n_clusters

    def box(self, n_tasks: int) -> tuple[float, float, float]:
        """The bounds and the total of the weights on n_tasks directions."""
        low, high = 1 / (1 + self.eta), 1 / self.eta
        return low, high, n_tasks * low + self.n_clusters * (high - low)

    def value(self, W: Array) -> float:
        n_tasks = W.shape[1]
        sigma = padded(singular_values(W), n_tasks)
        return float(self.alpha * box_value(sigma, *self.box(n_tasks)) / 2)

    def prox(self, V: Array, step: float | Array) -> Array:
        lam, n_tasks = float(np.max(step)) * self.alpha, V.shape[1]
        return rescale_singular_values(V, box_shrinkage(n_tasks, lam, self.box(n_tasks)))

    def prox_derivative(self, V: Array, step: float | Array) -> Derivative:
        lam, n_tasks = float(np.max(step)) * self.alpha, V.shape[1]
        slopes = box_slopes(singular_values(V), n_tasks, lam, self.box(n_tasks))
        return of_singular_values(V, *slopes)

    def conjugate(self, G: Array) -> float:
        n_tasks = G.shape[1]
        sigma = padded(singular_values(G), n_tasks)
        return float(box_support(sigma, *self.box(n_tasks)) / (2 * self.alpha))

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
        return box_in_features(W, W.shape[1], self.box(W.shape[1]))

    def covariance(self, W: Array) -> Array:
        """The minimising (eta I + M) / (eta (1 + eta)), (n_tasks, n_tasks)."""
        theta, directions = self.weights(W)
        return (directions * theta) @ directions.T

    def task_precision(self, W: Array) -> TaskPrecision:
        return TaskPrecision.of_variances(*self.weights(W), self.alpha)

    def to_cvxpy(self, W: Any) -> Any:
        import cvxpy as cp

        n_tasks, eta = W.shape[1], self.eta
        M = cp.Variable((n_tasks, n_tasks), symmetric=True, name="M")
        identity = np.eye(n_tasks)
        constraints = [M >> 0, M << identity, cp.trace(M) == self.n_clusters]
        inverse = cp.matrix_frac(W.T, eta * identity + M)
        return self.alpha / 2 * eta * (1 + eta) * inverse, constraints
