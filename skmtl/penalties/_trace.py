"""The trace norm: coefficients of low rank."""

from typing import Any

import numpy as np

from skmtl._numerics import largest_singular_value, rescale_singular_values, singular_values
from skmtl.penalties._base import Array, Penalty
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
