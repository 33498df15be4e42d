"""The squared loss."""

from typing import Any

import numpy as np

from skmtl.losses._base import Array, Loss


class SquaredLoss(Loss):
    r"""The squared loss :math:`(y - z)^2 / 2`.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.losses import SquaredLoss
    >>> z, y = np.array([0.0, 3.0]), np.array([1.0, 1.0])
    >>> SquaredLoss().value(y, z)
    array([0.5, 2. ])
    """

    curvature_bound = 1.0
    constant_curvature = True
    translates = True
    has_gaussian_noise = True
    is_near_squares = True
    link = "identity"

    def value(self, y: Array, z: Array) -> Array:
        residual = y - z
        values: Array = residual * residual / 2
        return values

    def gradient(self, y: Array, z: Array) -> Array:
        return z - y

    def curvature(self, y: Array, z: Array) -> Array:
        return np.ones_like(z)

    def conjugate(self, y: Array, u: Array) -> Array:
        return u * (u / 2 + y)

    def inverse_link(self, z: Array) -> Array:
        return z

    def to_cvxpy(self, y: Array, z: Any) -> Any:
        import cvxpy as cp

        return cp.square(y - z) / 2
