"""The squared hinge loss of two classes."""

from typing import Any

import numpy as np

from skmtl.losses._base import Array, Loss


class SquaredHingeLoss(Loss):
    r"""The squared hinge loss :math:`\max(0, 1 - y z)^2 / 2` for labels y in {-1, +1}.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.losses import SquaredHingeLoss
    >>> z, y = np.array([0.0, 2.0]), np.array([1.0, 1.0])
    >>> SquaredHingeLoss().value(y, z)
    array([0.5, 0. ])
    """

    curvature_bound = 1.0
    signed = True

    def value(self, y: Array, z: Array) -> Array:
        short = np.maximum(1 - y * z, 0)
        values: Array = short * short / 2
        return values

    def gradient(self, y: Array, z: Array) -> Array:
        gradient: Array = -y * np.maximum(1 - y * z, 0)
        return gradient

    def curvature(self, y: Array, z: Array) -> Array:
        return (y * z < 1).astype(z.dtype)

    def conjugate(self, y: Array, u: Array) -> Array:
        size = -y * u
        return np.where(size >= 0, size * size / 2 - size, np.inf)

    def nearest_dual(self, y: Array, u: Array) -> Array:
        return np.asarray(-y * np.maximum(-y * u, 0.0))

    def lacks_minimiser(self, label: Array) -> Array:
        return ~np.isnan(label)

    def constant_intercept(self, label: float, n_labels: int) -> float:
        return float(np.sign(label))

    def to_cvxpy(self, y: Array, z: Any) -> Any:
        import cvxpy as cp

        return cp.square(cp.pos(1 - cp.multiply(y, z))) / 2
