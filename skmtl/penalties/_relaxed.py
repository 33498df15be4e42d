"""Relaxed k-means clusters of tasks, equivalent to a shared feature subspace."""

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skmtl.penalties._box import check_clusters
from skmtl.penalties._spectral_box import SpectralBox


class RelaxedClusterNorm(SpectralBox):
    r"""A convex relaxation of k-means over the tasks plus a ridge.

    .. math:: \tfrac{\alpha}{2} \eta (1 + \eta) \min_M \operatorname{tr}(W (\eta I + M)^{-1} W') ,
              \qquad 0 \preceq M \preceq I , \; \operatorname{tr} M = k

    If M were the projection onto the indicators of k clusters, this would be
    :math:`\tfrac{\alpha}{2}` times the sum of the squared distances of the tasks to the centres of
    their clusters and :math:`\eta \lVert W \rVert_F^2`. It is a spectral box norm of as many
    singular values as tasks, with weights between 1 / (1 + eta) and 1 / eta. It depends only on
    the singular values, so that an M between features gives the same penalty if k is at most
    their number: this is convex alternating structure optimisation. The learned covariance of the
    tasks is (eta I + M) / (eta (1 + eta)).

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

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **SpectralBox._parameter_constraints,
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

    def to_cvxpy(self, W: Any) -> Any:
        import cvxpy as cp

        n_tasks, eta = W.shape[1], self.eta
        M = cp.Variable((n_tasks, n_tasks), symmetric=True, name="M")
        identity = np.eye(n_tasks)
        constraints = [M >> 0, M << identity, cp.trace(M) == self.n_clusters]
        inverse = cp.matrix_frac(W.T, eta * identity + M)
        return self.alpha / 2 * eta * (1 + eta) * inverse, constraints
