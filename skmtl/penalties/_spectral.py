"""Penalties on the singular values of W: tasks share directions, or form clusters."""

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skmtl._numerics import (
    largest_singular_value,
    rescale_singular_values,
    rough_singular_values,
    singular_values,
)
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

_TINY = np.finfo(np.float64).tiny


class TraceNorm(Penalty):
    r"""The trace norm :math:`\alpha \sum_i \sigma_i(W)`, for coefficients of low rank.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength, positive.

    References
    ----------
    J.-F. Cai, E. Candes and Z. Shen, "A singular value thresholding algorithm for matrix
    completion", SIAM J. Optim. 20(4), 2010, https://doi.org/10.1137/080738970

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.penalties import TraceNorm
    >>> W = np.array([[3.0, 4.0], [0.0, 0.0]])
    >>> round(TraceNorm(0.5).value(W), 6)  # the singular values are 5 and 0
    2.5
    """

    ignores_rotations = True
    ignores_task_rotations = True

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def value(self, W: Array) -> float:
        return float(self.alpha * singular_values(W).sum())

    def prox(self, V: Array, step: float | Array) -> Array:
        threshold = float(np.max(step)) * self.alpha

        def shrink(sigma: Array) -> Array:
            # _TINY avoids 0 / 0 and changes no value above the threshold.
            return np.asarray(np.maximum(sigma - threshold, 0) / np.maximum(sigma, _TINY))

        return rescale_singular_values(V, shrink)

    def prox_derivative(self, V: Array, step: float | Array) -> Derivative:
        threshold, sigma = float(np.max(step)) * self.alpha, singular_values(V)
        kept = (sigma > threshold).astype(np.float64)
        return of_singular_values(V, np.maximum(sigma - threshold, 0), np.diag(kept))

    def dual_norm(self, G: Array) -> float:
        return float(largest_singular_value(G) / self.alpha)

    def feature_weights(self, W: Array) -> tuple[Array, Array, float]:
        r"""The matrix D that minimises :math:`\tfrac12 \operatorname{tr}(W' D^{-1} W + D)`.

        Its eigenvalues (r,), which are the singular values of W, its eigenvectors (n_features, r),
        and its eigenvalue 0 in all other directions.
        """
        directions, sigma, _ = np.linalg.svd(W, full_matrices=False)
        return sigma, directions, 0.0

    def task_precision(self, W: Array) -> TaskPrecision:
        _, sigma, rotation = np.linalg.svd(W, full_matrices=False)
        return TaskPrecision.of_variances(sigma, rotation.T, self.alpha)

    def to_cvxpy(self, W: Any) -> Any:
        import cvxpy as cp

        return self.alpha * cp.normNuc(W)


class SquaredTraceNorm(Penalty):
    r"""Half the squared trace norm, which learns a task covariance.

    .. math:: \tfrac{\alpha}{2} \Bigl( \sum_i \sigma_i(W) \Bigr)^2
              = \min_\Omega \tfrac{\alpha}{2} \operatorname{tr}(W \Omega^{-1} W') ,
              \qquad \Omega \succeq 0 , \; \operatorname{tr} \Omega = 1

    Parameters
    ----------
    alpha : float, default=1.0
        Strength, positive.

    References
    ----------
    Y. Zhang and D.-Y. Yeung, "A convex formulation for learning task relationships in multi-task
    learning", UAI 2010, https://arxiv.org/abs/1203.3536

    A. Argyriou, T. Evgeniou and M. Pontil, "Convex multi-task feature learning", Machine Learning
    73, 2008, https://doi.org/10.1007/s10994-007-5040-8

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.penalties import SquaredTraceNorm
    >>> W = np.array([[3.0, 4.0], [0.0, 0.0]])
    >>> round(SquaredTraceNorm(0.5).value(W), 6)  # 0.25 * 5 ** 2
    6.25
    """

    is_norm = False
    ignores_rotations = True
    ignores_task_rotations = True
    _box = (0.0, np.inf, 1.0)

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def value(self, W: Array) -> float:
        return float(self.alpha * singular_values(W).sum() ** 2 / 2)

    def prox(self, V: Array, step: float | Array) -> Array:
        lam = float(np.max(step)) * self.alpha

        def shrink(sigma: Array) -> Array:
            theta = box_weights(sigma, lam, *self._box)
            return np.asarray(theta / (theta + lam))

        return rescale_singular_values(V, shrink)

    def prox_derivative(self, V: Array, step: float | Array) -> Derivative:
        lam, sigma = float(np.max(step)) * self.alpha, singular_values(V)
        return of_singular_values(V, *box_slopes(sigma, len(sigma), lam, self._box))

    def conjugate(self, G: Array) -> float:
        # The maximiser assigns the whole trace to the largest singular value.
        return float(largest_singular_value(G) ** 2 / (2 * self.alpha))

    def dual_scale(self, G: Array) -> float:
        return 1.0

    def weights(self, W: Array) -> tuple[Array, Array]:
        """The weights theta (n_tasks,) and directions R (n_tasks, n_tasks) between tasks."""
        _, sigma, rotation = np.linalg.svd(W, full_matrices=True)
        return box_weights(padded(sigma, W.shape[1]), 0.0, *self._box), rotation.T

    def covariance(self, W: Array) -> Array:
        """The minimising Omega (n_tasks, n_tasks): I / n_tasks at W = 0."""
        theta, directions = self.weights(W)
        return np.asarray((directions * theta) @ directions.T)

    def task_precision(self, W: Array) -> TaskPrecision:
        return TaskPrecision.of_variances(*self.weights(W), self.alpha)

    def feature_weights(self, W: Array) -> tuple[Array, Array, float]:
        """The minimising matrix of trace 1 between features instead of tasks.

        Its eigenvalues (r,), its eigenvectors (n_features, r), and its eigenvalue in all other
        directions.
        """
        return box_in_features(W, len(W), self._box)

    def to_cvxpy(self, W: Any) -> Any:
        import cvxpy as cp

        n_tasks = W.shape[1]
        omega = cp.Variable((n_tasks, n_tasks), PSD=True, name="omega")
        return self.alpha / 2 * cp.matrix_frac(W.T, omega), [cp.trace(omega) == 1]


class ClusterNorm(Penalty):
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

    is_norm = False
    ignores_rotations = True

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **Penalty._parameter_constraints,
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

    def value(self, W: Array) -> float:
        mean = W.mean(axis=1)
        sigma = _centred_singular_values(W - mean[:, None])
        box = box_value(sigma, *self.box(W.shape[1]))
        return float(self.alpha * (self.mean * W.shape[1] * (mean @ mean) + box) / 2)

    def prox(self, V: Array, step: float | Array) -> Array:
        lam = float(np.max(step)) * self.alpha
        mean = V.mean(axis=1, keepdims=True)
        shrink = box_shrinkage(V.shape[1] - 1, lam, self.box(V.shape[1]))
        centred = rescale_singular_values(V - mean, shrink)
        return np.asarray(centred + mean / V.dtype.type(1 + lam * self.mean))

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
        sigma = _centred_singular_values(G - mean[:, None])
        value = box_support(sigma, *self.box(G.shape[1])) / (2 * self.alpha)
        if self.mean > 0:
            value += G.shape[1] * (mean @ mean) / (2 * self.alpha * self.mean)
        return float(value)

    def dual_scale(self, G: Array) -> float:
        return 1.0

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
        n_tasks = W.shape[1]
        return box_in_features(W - W.mean(axis=1, keepdims=True), n_tasks - 1, self.box(n_tasks))

    def covariance(self, W: Array) -> Array:
        """The minimising Sigma (n_tasks, n_tasks), with the mean's direction if penalised."""
        theta, directions = self.weights(W)
        sigma = (directions * theta) @ directions.T
        return sigma + (1 / (self.mean * W.shape[1]) if self.mean > 0 else 0.0)

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


def _centred_singular_values(W: Array) -> Array:
    """The n_tasks - 1 singular values of centred columns, zeros included.

    Value and conjugate are sums of their squares with bounded weights, so that rough ones suffice.
    """
    return padded(rough_singular_values(W), W.shape[1] - 1)


def _centred_basis(n_tasks: int) -> Array:
    """An orthonormal basis (n_tasks, n_tasks - 1) of the vectors that sum to zero."""
    corner = np.eye(n_tasks)[:, 1:] - 1 / n_tasks
    return np.linalg.qr(corner)[0] if n_tasks > 1 else np.zeros((1, 0))
