r"""Losses: elementwise functions of a label y and a linear predictor z.

Each is convex in z and shifted so that its minimum over z is 0, which makes the null objective
F(0, b*) a scale that gaps can be compared with. A new loss is a class here: six elementwise
methods, three traits, and the same function for cvxpy (used by :mod:`skmtl.reference` alone).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, xlog1py, xlogy
from sklearn.base import BaseEstimator

Array = NDArray[Any]


class Loss(BaseEstimator):
    """What the objective asks of a loss. All methods work elementwise and keep the dtype.

    Attributes
    ----------
    curvature_bound : float
        The largest second derivative in z; infinite where there is none.
    constant_curvature : bool
        Whether the second derivative is the same everywhere.
    translates : bool
        Whether loss(y + c, z + c) = loss(y, z), so that labels may be centred.
    """

    curvature_bound: float = np.inf
    constant_curvature: bool = False
    translates: bool = False

    def value(self, y: Array, z: Array) -> Array:
        """The loss."""
        raise NotImplementedError

    def gradient(self, y: Array, z: Array) -> Array:
        """The derivative in z."""
        raise NotImplementedError

    def curvature(self, y: Array, z: Array) -> Array:
        """The second derivative in z."""
        raise NotImplementedError

    def conjugate(self, y: Array, u: Array) -> Array:
        """The convex conjugate sup_z (u z - loss(y, z)); infinite outside its domain."""
        raise NotImplementedError

    def inverse_link(self, z: Array) -> Array:
        """The mean response that belongs to a predictor z."""
        raise NotImplementedError

    def to_cvxpy(self, y: Array, z: Any) -> Any:
        """The loss as a cvxpy expression, elementwise."""
        raise NotImplementedError


class SquaredLoss(Loss):
    r"""The squared loss :math:`(y - z)^2 / 2`."""

    curvature_bound = 1.0
    constant_curvature = True
    translates = True

    def value(self, y: Array, z: Array) -> Array:
        residual = y - z
        return residual * residual / 2

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


class LogisticLoss(Loss):
    r"""The logistic loss :math:`\log(1 + \exp(-y z))` for labels y in {-1, +1}."""

    curvature_bound = 0.25

    def value(self, y: Array, z: Array) -> Array:
        margin = y * z
        return np.log1p(np.exp(-np.abs(margin))) + np.maximum(-margin, 0)

    def gradient(self, y: Array, z: Array) -> Array:
        return -y * expit(-y * z)

    def curvature(self, y: Array, z: Array) -> Array:
        return expit(z) * expit(-z)

    def conjugate(self, y: Array, u: Array) -> Array:
        p = -y * u
        with np.errstate(invalid="ignore"):
            entropy = xlogy(p, p) + xlog1py(1 - p, -p)
        return np.where((p >= 0) & (p <= 1), entropy, np.inf)

    def inverse_link(self, z: Array) -> Array:
        return expit(z)

    def constant_label_intercept(self, label: float, n_labels: int) -> float:
        """The intercept given to a task whose labels are all ``label``: +-log(2 n + 1)."""
        return float(np.sign(label) * np.log(2 * n_labels + 1))

    def to_cvxpy(self, y: Array, z: Any) -> Any:
        import cvxpy as cp

        return cp.logistic(-cp.multiply(y, z))
