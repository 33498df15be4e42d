"""A loss whose slopes are given, for certificates at a known dual point."""

import numpy as np

from skmtl.losses._base import Array, Loss


class GivenSlopesLoss(Loss):
    """The loss whose derivatives at the current point are known multipliers.

    Its Newton steps, of curvature 1, project the multipliers onto linear constraints. Everything
    else is that of the original loss.

    Parameters
    ----------
    loss : Loss
    given : ndarray
        Of the labels' shape.
    """

    has_gradient = False
    curvature_bound = 1.0

    def __init__(self, loss: Loss, given: Array) -> None:
        self.loss, self.given = loss, given

    def value(self, y: Array, z: Array) -> Array:
        return self.loss.value(y, z)

    def gradient(self, y: Array, z: Array) -> Array:
        return self.given

    def curvature(self, y: Array, z: Array) -> Array:
        return np.ones_like(self.given)

    def conjugate(self, y: Array, u: Array) -> Array:
        return self.loss.conjugate(y, u)

    def nearest_dual(self, y: Array, u: Array) -> Array:
        return self.loss.nearest_dual(y, u)

    def dual_scale(self, u: Array) -> float:
        return self.loss.dual_scale(u)
