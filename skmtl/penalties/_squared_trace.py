"""The squared trace norm: tasks share directions, and a covariance of tasks is learned."""

from typing import Any

import numpy as np

from skmtl._numerics import largest_singular_value
from skmtl.penalties._base import Array
from skmtl.penalties._box import box_in_features
from skmtl.penalties._spectral_box import SpectralBox


class SquaredTraceNorm(SpectralBox):
    r"""Half the squared trace norm, which learns a task covariance.

    .. math:: \tfrac{\alpha}{2} \Bigl( \sum_i \sigma_i(W) \Bigr)^2
              = \min_\Omega \tfrac{\alpha}{2} \operatorname{tr}(W \Omega^{-1} W') ,
              \qquad \Omega \succeq 0 , \; \operatorname{tr} \Omega = 1

    At W = 0, the minimising Omega is I / n_tasks.

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

    ignores_task_rotations = True

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def box(self, n_tasks: int) -> tuple[float, float, float]:
        """The bounds and the trace of Omega."""
        return 0.0, np.inf, 1.0

    def conjugate(self, G: Array) -> float:
        # The maximiser assigns the whole trace to the largest singular value.
        return float(largest_singular_value(G) ** 2 / (2 * self.alpha))

    def feature_weights(self, W: Array) -> tuple[Array, Array, float]:
        """The minimising matrix of trace 1 between features instead of tasks.

        Its eigenvalues (r,), its eigenvectors (n_features, r), and its eigenvalue in all other
        directions.
        """
        return box_in_features(W, len(W), self.box(W.shape[1]))

    def to_cvxpy(self, W: Any) -> Any:
        import cvxpy as cp

        n_tasks = W.shape[1]
        omega = cp.Variable((n_tasks, n_tasks), PSD=True, name="omega")
        return self.alpha / 2 * cp.matrix_frac(W.T, omega), [cp.trace(omega) == 1]
