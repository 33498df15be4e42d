"""The Huber loss, quadratic near zero and linear beyond."""

from typing import Any

import numpy as np

from skmtl.losses._base import Array, Loss


class HuberLoss(Loss):
    r"""The Huber loss: :math:`(y - z)^2 / 2` near zero, linear beyond :math:`|y - z| = \delta`.

    Parameters
    ----------
    delta : float, default=1.35
        The absolute residual at which the loss becomes linear, positive, in the units of y.

    References
    ----------
    P. J. Huber, "Robust estimation of a location parameter", Ann. Math. Statist. 35(1), 1964,
    https://doi.org/10.1214/aoms/1177703732

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.losses import HuberLoss
    >>> z, y = np.array([0.0, 3.0]), np.array([1.0, 0.0])
    >>> HuberLoss(delta=1.0).value(y, z)
    array([0.5, 2.5])
    """

    curvature_bound = 1.0
    translates = True
    is_near_squares = True
    link = "identity"

    def __init__(self, delta: float = 1.35) -> None:
        self.delta = delta

    def value(self, y: Array, z: Array) -> Array:
        size = np.abs(y - z)
        near = np.minimum(size, self.delta)
        values: Array = near * (size - near / 2)
        return values

    def gradient(self, y: Array, z: Array) -> Array:
        gradient: Array = np.clip(z - y, -self.delta, self.delta)
        return gradient

    def curvature(self, y: Array, z: Array) -> Array:
        curvature: Array = (np.abs(y - z) <= self.delta).astype(z.dtype)
        return curvature

    def newton_weight(self, y: Array, z: Array) -> Array:
        # The weights of iteratively reweighted least squares are positive and ensure descent.
        return np.asarray(self.delta / np.maximum(np.abs(y - z), self.delta), dtype=z.dtype)

    def dual_scale(self, u: Array) -> float:
        largest = np.abs(u).max(initial=0.0)
        return 1.0 if largest <= self.delta else (1 - 1e-15) * self.delta / largest

    def conjugate(self, y: Array, u: Array) -> Array:
        return np.where(np.abs(u) <= self.delta, u * (u / 2 + y), np.inf)

    def inverse_link(self, z: Array) -> Array:
        return z

    def to_cvxpy(self, y: Array, z: Any) -> Any:
        import cvxpy as cp

        return cp.huber(y - z, self.delta) / 2
