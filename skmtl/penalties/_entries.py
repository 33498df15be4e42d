"""Entrywise penalties on W."""

from typing import Any

import numpy as np

from skmtl.penalties._base import Array, Penalty
from skmtl.penalties._derivatives import Derivative, of_shrunk_entries
from skmtl.penalties._shrinkage import shrink_entries


class L1(Penalty):
    r"""The entrywise norm :math:`\alpha \sum_{jt} |W_{jt}|`.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength, positive.

    References
    ----------
    R. Tibshirani, "Regression shrinkage and selection via the lasso", JRSS B 58(1), 1996,
    https://doi.org/10.1111/j.2517-6161.1996.tb02080.x

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.penalties import L1
    >>> W = np.array([[3.0, 4.0], [0.0, 0.0]])
    >>> L1(0.5).value(W)  # 0.5 * (3 + 4)
    3.5
    """

    separates_over_rows = True
    is_absolute = True

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    @property
    def row_thresholds(self) -> tuple[float, float]:
        return (float(self.alpha), 0.0)

    def value(self, W: Array) -> float:
        return float(self.alpha * np.abs(W).sum())

    def prox(self, V: Array, step: float | Array) -> Array:
        return shrink_entries(V, step * self.alpha)

    def prox_derivative(self, V: Array, step: float | Array) -> Derivative:
        return of_shrunk_entries(V, step * self.alpha)

    def dual_norm(self, G: Array) -> float:
        return float(np.abs(G).max(initial=0.0) / self.alpha)

    def to_cvxpy(self, W: Any) -> Any:
        import cvxpy as cp

        return self.alpha * cp.sum(cp.abs(W))
