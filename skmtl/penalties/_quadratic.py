"""Smooth quadratic penalties."""

from typing import Any, ClassVar

import numpy as np

from skmtl.penalties._base import Array, Quadratic


class Ridge(Quadratic):
    r"""The ridge :math:`\tfrac12 \sum_t \alpha_t \lVert w_t \rVert_2^2`.

    Parameters
    ----------
    alpha : float or array of shape (n_tasks,), default=1.0
        Strength, not negative; an array gives each task its own.

    References
    ----------
    A. E. Hoerl and R. W. Kennard, "Ridge regression: biased estimation for nonorthogonal
    problems", Technometrics 12(1), 1970, https://doi.org/10.1080/00401706.1970.10488634
    """

    def __init__(self, alpha: float | Array = 1.0) -> None:
        self.alpha = alpha

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {}

    def check(self, n_features: int, n_tasks: int) -> None:
        try:
            alpha = np.asarray(self.alpha, dtype=np.float64)
        except (TypeError, ValueError):
            alpha = np.array(np.nan)
        if alpha.shape not in ((), (n_tasks,)) or not (np.isfinite(alpha) & (alpha >= 0)).all():
            raise ValueError(
                f"The 'alpha' parameter of Ridge must be a finite number >= 0, or an array of "
                f"them, one for each of the {n_tasks} tasks. Got {self.alpha!r} instead."
            )

    def value(self, W: Array) -> float:
        return float((self.alpha * np.einsum("jt,jt->t", W, W)).sum() / 2)

    def gradient(self, W: Array) -> Array:
        return W * np.asarray(self.alpha, dtype=W.dtype)

    def prox(self, V: Array, step: float | Array) -> Array:
        return V / np.asarray(1 + step * np.asarray(self.alpha), dtype=V.dtype)

    def lipschitz(self) -> float:
        return float(np.max(self.alpha))

    def task_curvature(self, n_tasks: int) -> Array:
        return np.broadcast_to(np.asarray(self.alpha, dtype=np.float64), (n_tasks,))

    def for_tasks(self, chosen: Array) -> "Ridge":
        return self if np.ndim(self.alpha) == 0 else Ridge(np.asarray(self.alpha)[chosen])

    def conjugate(self, G: Array) -> float:
        squares = np.einsum("jt,jt->t", G, G)
        alpha = self.task_curvature(G.shape[1])
        if (squares[alpha == 0] > 0).any():
            return np.inf
        positive = alpha > 0
        return float((squares[positive] / alpha[positive]).sum() / 2)

    def dual_scale(self, G: Array) -> float:
        return 1.0 if np.isfinite(self.conjugate(G)) else 0.0

    def to_cvxpy(self, W: Any) -> Any:
        import cvxpy as cp

        return cp.sum(cp.multiply(self.alpha, cp.sum(cp.square(W), axis=0))) / 2
