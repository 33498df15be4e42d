"""The cluster norm: tasks form clusters around centres."""

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skmtl._numerics import singular_values
from skmtl.penalties._base import Array
from skmtl.penalties._box import box_slopes, box_weights, check_clusters, padded
from skmtl.penalties._derivatives import Derivative, of_singular_values
from skmtl.penalties._spectral_box import SpectralBox
from skmtl.penalties._task_precision import TaskPrecision


class ClusterNorm(SpectralBox):
    r"""The cluster norm, with strengths within and between clusters and for the mean task.

    .. math:: \tfrac{\alpha}{2} \Bigl[ \epsilon_M T \lVert \bar w \rVert^2
              + \min_\Sigma \operatorname{tr}(W \Pi \, \Sigma^{-1} \, \Pi W') \Bigr] ,
              \qquad I \preceq \Sigma \preceq \tfrac{1}{\epsilon_B} I , \;
              \operatorname{tr} \Sigma = T - r + \tfrac{r - 1}{\epsilon_B}

    with :math:`\Pi = I - 1 1' / T`, :math:`\Sigma` acting on the T - 1 directions between tasks,
    and :math:`\bar w` the mean task. It is a convex relaxation of the squared distances within r
    clusters (weight 1), between their centres (:math:`\epsilon_B`), and of the mean task from zero
    (:math:`\epsilon_M`).

    Parameters
    ----------
    alpha : float, default=1.0
        Strength, positive.
    n_clusters : int, default=2
        The number of clusters r, from 1 to the number of tasks.
    between : float, default=0.3
        :math:`\epsilon_B` in (0, 1].
    mean : float, default=0.01
        :math:`\epsilon_M` >= 0; if 0, the mean task is not penalised.

    References
    ----------
    L. Jacob, F. Bach and J.-P. Vert, "Clustered multi-task learning: a convex formulation",
    NeurIPS 2008, https://arxiv.org/abs/0809.2085

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.penalties import ClusterNorm
    >>> round(ClusterNorm(mean=0.02).value(np.array([[3.0, 3.0]])), 6)  # equal tasks: 0.02 * 3 ** 2
    0.18
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **SpectralBox._parameter_constraints,
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "between": [Interval(Real, 0, 1, closed="right")],
        "mean": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self, alpha: float = 1.0, n_clusters: int = 2, between: float = 0.3, mean: float = 0.01
    ) -> None:
        self.alpha = alpha
        self.n_clusters = n_clusters
        self.between = between
        self.mean = mean

    def check(self, n_features: int, n_tasks: int) -> None:
        super().check(n_features, n_tasks)
        check_clusters(self.n_clusters, n_tasks)

    @property
    def leaves_mean_free(self) -> bool:
        return self.mean == 0

    @property
    def n_directions(self) -> int:
        """The number of directions between tasks that distinguish the clusters."""
        return self.n_clusters - 1

    def box(self, n_tasks: int) -> tuple[float, float, float]:
        """The bounds and the total of the weights on the n_tasks - 1 centred directions."""
        r = self.n_clusters
        return 1.0, 1 / self.between, (n_tasks - r) + (r - 1) / self.between

    def _size(self, n_tasks: int) -> int:
        return n_tasks - 1

    def value(self, W: Array) -> float:
        mean = W.mean(axis=1)
        squared = W.shape[1] * (mean @ mean)
        return super().value(W - mean[:, None]) + float(self.alpha * self.mean * squared / 2)

    def prox(self, V: Array, step: float | Array) -> Array:
        mean = V.mean(axis=1, keepdims=True)
        shrinkage = V.dtype.type(1 + float(np.max(step)) * self.alpha * self.mean)
        return np.asarray(super().prox(V - mean, step) + mean / shrinkage)

    def prox_derivative(self, V: Array, step: float | Array) -> Derivative:
        lam, n_tasks = float(np.max(step)) * self.alpha, V.shape[1]
        kept = 1 / (1 + lam * self.mean)
        if n_tasks == 1:
            return lambda D: D * kept
        basis = _centred_basis(n_tasks)
        sigma = singular_values(V @ basis)
        slopes = box_slopes(sigma, n_tasks - 1, lam, self.box(n_tasks))
        centred = of_singular_values(V @ basis, *slopes)
        return lambda D: centred(D @ basis) @ basis.T + kept * D.mean(axis=-1, keepdims=True)

    def conjugate(self, G: Array) -> float:
        mean = G.mean(axis=1)
        value = super().conjugate(G - mean[:, None])
        if self.mean > 0:
            value += float(G.shape[1] * (mean @ mean) / (2 * self.alpha * self.mean))
        return value

    def weights(self, W: Array) -> tuple[Array, Array]:
        """The weights theta and directions R (n_tasks, n_tasks - 1) of the centred tasks."""
        n_tasks = W.shape[1]
        basis = _centred_basis(n_tasks)
        _, sigma, rotation = np.linalg.svd(W @ basis, full_matrices=True)
        theta = box_weights(padded(sigma, n_tasks - 1), 0.0, *self.box(n_tasks))
        return theta, basis @ rotation.T

    def feature_weights(self, W: Array) -> tuple[Array, Array, float]:
        """The minimising matrix for centred columns, between features instead of tasks.

        Its eigenvalues (r,), its eigenvectors (n_features, r), and its eigenvalue in all other
        directions.
        """
        return super().feature_weights(W - W.mean(axis=1, keepdims=True))

    def covariance(self, W: Array) -> Array:
        """The minimising Sigma (n_tasks, n_tasks), with the mean's direction if penalised."""
        return super().covariance(W) + (1 / (self.mean * W.shape[1]) if self.mean > 0 else 0.0)

    def task_precision(self, W: Array) -> TaskPrecision:
        theta, directions = self.weights(W)
        mean = np.full((W.shape[1], 1), W.shape[1] ** -0.5)
        precisions = self.alpha * np.append(1 / theta, self.mean)
        return TaskPrecision(np.hstack([directions, mean]), np.diag(precisions))

    def to_cvxpy(self, W: Any) -> Any:
        import cvxpy as cp

        n_tasks = W.shape[1]
        mean = cp.sum(W, axis=1) / n_tasks
        value = self.mean * n_tasks * cp.sum_squares(mean)
        if n_tasks == 1:
            return self.alpha / 2 * value, []
        a, b, c = self.box(n_tasks)
        sigma = cp.Variable((n_tasks - 1, n_tasks - 1), symmetric=True, name="sigma")
        identity = np.eye(n_tasks - 1)
        constraints = [sigma >> a * identity, sigma << b * identity, cp.trace(sigma) == c]
        between = cp.matrix_frac((W @ _centred_basis(n_tasks)).T, sigma)
        return self.alpha / 2 * (value + between), constraints


def _centred_basis(n_tasks: int) -> Array:
    """An orthonormal basis (n_tasks, n_tasks - 1) of the vectors that sum to zero."""
    corner = np.eye(n_tasks)[:, 1:] - 1 / n_tasks
    return np.linalg.qr(corner)[0] if n_tasks > 1 else np.zeros((1, 0))
