"""Penalties on the columns of W, which select whole tasks."""

from typing import Any

import numpy as np

from skmtl.penalties._base import Array, Penalty
from skmtl.penalties._derivatives import Derivative, of_shrunk_rows


class TaskGroup(Penalty):
    r"""The task norm :math:`\alpha \sum_t \lVert w_t \rVert_2`.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength, positive.

    References
    ----------
    P. Gong, J. Ye and C. Zhang, "Robust multi-task feature learning", KDD 2012,
    https://doi.org/10.1145/2339530.2339672

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.penalties import TaskGroup
    >>> W = np.array([[3.0, 4.0], [0.0, 0.0]])
    >>> TaskGroup(0.5).value(W)  # 0.5 * (3 + 4)
    3.5
    """

    is_absolute = True

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def value(self, W: Array) -> float:
        return float(self.alpha * np.linalg.norm(W, axis=0).sum())

    def prox(self, V: Array, step: float | Array) -> Array:
        norms = np.linalg.norm(V, axis=0)
        threshold = float(np.max(step)) * self.alpha
        ratio = np.divide(threshold, norms, out=np.ones_like(norms), where=norms > threshold)
        return np.asarray(V * (1 - ratio))

    def prox_derivative(self, V: Array, step: float | Array) -> Derivative:
        of_columns = of_shrunk_rows(V.T, float(np.max(step)) * self.alpha)
        return lambda D: np.swapaxes(of_columns(np.swapaxes(D, -1, -2)), -1, -2)

    def dual_norm(self, G: Array) -> float:
        return float(np.linalg.norm(G, axis=0).max(initial=0.0) / self.alpha)

    def to_cvxpy(self, W: Any) -> Any:
        import cvxpy as cp

        return self.alpha * cp.sum(cp.norm(W, 2, axis=0))
