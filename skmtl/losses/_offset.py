"""A loss of predictors to which known numbers are added."""

from typing import Any

from skmtl.losses._losses import Array, Loss


class OffsetLoss(Loss):
    """The loss at z + offset, with an offset for each label.

    Parameters
    ----------
    loss : Loss
        A loss that is elementwise.
    offset : ndarray
        Of the labels' shape.
    """

    def __init__(self, loss: Loss, offset: Array) -> None:
        self.loss = loss
        self.offset = offset

    @property
    def curvature_bound(self) -> float:
        return self.loss.curvature_bound

    @property
    def constant_curvature(self) -> bool:
        return self.loss.constant_curvature

    def value(self, y: Array, z: Array) -> Array:
        return self.loss.value(y, z + self.offset)

    def gradient(self, y: Array, z: Array) -> Array:
        return self.loss.gradient(y, z + self.offset)

    def curvature(self, y: Array, z: Array) -> Array:
        return self.loss.curvature(y, z + self.offset)

    def newton_weight(self, y: Array, z: Array) -> Array:
        return self.loss.newton_weight(y, z + self.offset)

    def gradient_change(self, y: Array, z: Array, step: Array) -> Array:
        return self.loss.gradient_change(y, z + self.offset, step)

    def divergence_bound(self, y: Array, z: Array, step: Array) -> Array:
        return self.loss.divergence_bound(y, z + self.offset, step)

    def conjugate(self, y: Array, u: Array) -> Array:
        conjugate: Array = self.loss.conjugate(y, u) - u * self.offset
        return conjugate

    def dual_scale(self, u: Array) -> float:
        return self.loss.dual_scale(u)

    def to_cvxpy(self, y: Array, z: Any) -> Any:
        return self.loss.to_cvxpy(y, z + self.offset)
