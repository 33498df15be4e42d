"""Penalties on the rows of W: all tasks use, or drop, a feature together."""

from typing import Any

import numpy as np

from skmtl.penalties._base import Array, Penalty


def row_norms(W: Array) -> Array:
    """Euclidean norms of the rows of W."""
    return np.sqrt(np.einsum("jt,jt->j", W, W))


class L21(Penalty):
    r"""The block norm :math:`\alpha \sum_j \lVert W_{j\cdot} \rVert_2`.

    Its prox shrinks each row towards zero; its dual norm is the largest row norm over alpha.

    Parameters
    ----------
    alpha : float
        Strength, positive.

    References
    ----------
    M. Yuan and Y. Lin, "Model selection and estimation in regression with grouped variables",
    JRSS B 68(1), 2006, https://doi.org/10.1111/j.1467-9868.2005.00532.x
    """

    separates_over_rows = True

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def value(self, W: Array) -> float:
        return float(self.alpha * row_norms(W).sum())

    def prox(self, V: Array, step: float | Array) -> Array:
        norms = row_norms(V)[:, None]
        threshold = np.broadcast_to(step * self.alpha, norms.shape)
        ratio = np.divide(threshold, norms, out=np.ones_like(norms), where=norms > threshold)
        return V * (1 - ratio)

    def dual_norm(self, G: Array) -> float:
        return float(row_norms(G).max(initial=0.0) / self.alpha)

    def to_cvxpy(self, W: Any) -> Any:
        import cvxpy as cp

        return self.alpha * cp.sum(cp.norm(W, 2, axis=1))
