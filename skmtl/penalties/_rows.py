"""Penalties on the rows of W, which select features for all tasks together."""

from typing import Any

import numpy as np

from skmtl.penalties._base import Array, Penalty
from skmtl.penalties._derivatives import Derivative, of_clipped_rows, of_shrunk_rows
from skmtl.penalties._shrinkage import clip_rows, row_norms, shrink_rows


class L21(Penalty):
    r"""The L2,1 norm :math:`\alpha \sum_j \lVert W_{j\cdot} \rVert_2`.

    Its prox shrinks each row towards zero; its dual norm is the largest row norm over alpha.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength, positive.

    References
    ----------
    M. Yuan and Y. Lin, "Model selection and estimation in regression with grouped variables",
    JRSS B 68(1), 2006, https://doi.org/10.1111/j.1467-9868.2005.00532.x

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.penalties import L21
    >>> W = np.array([[3.0, 4.0], [0.0, 0.0]])
    >>> L21(0.5).value(W)  # 0.5 * 5
    2.5
    """

    separates_over_rows = True
    ignores_task_rotations = True
    is_absolute = True

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    @property
    def row_thresholds(self) -> tuple[float, float]:
        return (0.0, float(self.alpha))

    def value(self, W: Array) -> float:
        return float(self.alpha * row_norms(W).sum())

    def prox(self, V: Array, step: float | Array) -> Array:
        return shrink_rows(V, step * self.alpha)

    def prox_derivative(self, V: Array, step: float | Array) -> Derivative:
        return of_shrunk_rows(V, step * self.alpha)

    def dual_norm(self, G: Array) -> float:
        return float(row_norms(G).max(initial=0.0) / self.alpha)

    def to_cvxpy(self, W: Any) -> Any:
        import cvxpy as cp

        return self.alpha * cp.sum(cp.norm(W, 2, axis=1))


class L1Inf(Penalty):
    r"""The L1,∞ norm :math:`\alpha \sum_j \max_t |W_{jt}|`.

    Its prox subtracts from each row its projection onto an l1 ball; its dual norm is the largest
    l1 norm of a row over alpha.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength, positive.

    References
    ----------
    A. Quattoni, X. Carreras, M. Collins and T. Darrell, "An efficient projection for l1,infinity
    regularization", ICML 2009, https://doi.org/10.1145/1553374.1553484

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.penalties import L1Inf
    >>> W = np.array([[3.0, 4.0], [0.0, 0.0]])
    >>> L1Inf(0.5).value(W)  # 0.5 * 4
    2.0
    """

    separates_over_rows = True
    is_absolute = True

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def value(self, W: Array) -> float:
        return float(self.alpha * np.abs(W).max(axis=1, initial=0.0).sum())

    def prox(self, V: Array, step: float | Array) -> Array:
        return clip_rows(V, step * self.alpha)

    def prox_derivative(self, V: Array, step: float | Array) -> Derivative:
        return of_clipped_rows(V, step * self.alpha)

    def dual_norm(self, G: Array) -> float:
        return float(np.abs(G).sum(axis=1).max(initial=0.0) / self.alpha)

    def to_cvxpy(self, W: Any) -> Any:
        import cvxpy as cp

        return self.alpha * cp.sum(cp.max(cp.abs(W), axis=1))
