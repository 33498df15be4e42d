"""A loss of predictors to which known numbers are added."""

from typing import Any

import numpy as np

from skmtl.losses._base import Array, Loss

# Predictors at which a loss exceeds this are an error of the user's: squares would overflow.
_LARGEST = 1e100


def with_offset(loss: Loss, y: Array, offset: Array) -> Loss:
    """The loss at z + offset, for labels y and offsets of one shape.

    Raises
    ------
    ValueError
        If the loss overflows at the offsets.
    """
    moved = OffsetLoss(loss, offset)
    with np.errstate(over="ignore"):
        bounded = (moved.value(y, np.zeros(offset.shape)) < _LARGEST).all()
    if not bounded:
        raise ValueError(
            f"{type(loss).__name__} overflows at the offsets, or at the predictors of prior_coef, "
            f"which reach {offset.min():.3g} and {offset.max():.3g}: it takes their exponentials. "
            f"Pass the logarithm of an exposure as offset; check prior_coef, or scale X."
        )
    return moved


class OffsetLoss(Loss):
    """The loss at z + offset, with an offset for each label.

    Parameters
    ----------
    loss : Loss
    offset : float64 array in the labels' shape
    """

    def __init__(self, loss: Loss, offset: Array) -> None:
        self.loss = loss
        self.offset = offset

    @property
    def without_offset(self) -> Loss:
        return self.loss

    @property
    def curvature_bound(self) -> float:
        return self.loss.curvature_bound

    @property
    def constant_curvature(self) -> bool:
        return self.loss.constant_curvature

    @property
    def has_gradient(self) -> bool:
        return self.loss.has_gradient

    @property
    def slopes(self) -> Any:
        return self.loss.slopes

    @property
    def recedes(self) -> bool:
        return self.loss.recedes

    @property
    def couples_tasks(self) -> bool:
        return self.loss.couples_tasks

    @property
    def compares_tasks(self) -> bool:
        return self.loss.compares_tasks

    @property
    def has_gaussian_noise(self) -> bool:
        return self.loss.has_gaussian_noise

    @property
    def is_near_squares(self) -> bool:
        return self.loss.is_near_squares

    def smoothed(self, width: float) -> Loss:
        return OffsetLoss(self.loss.smoothed(width), self.offset)

    def smooth_offset(self, multipliers: Array, width: float) -> Array:
        return self.loss.smooth_offset(multipliers, width)

    def column(self, task: int) -> Loss:
        """The loss of one task, a function of predictors that include the offset."""
        return self.loss.column(task)

    def probabilities(self, z: Array) -> Array:
        return self.loss.probabilities(self._with_offset(z))

    def _with_offset(self, z: Array) -> Array:
        """The predictors that include the offset, in their own precision."""
        moved: Array = z + self.offset.astype(z.dtype, copy=False)
        return moved

    def value(self, y: Array, z: Array) -> Array:
        return self.loss.value(y, self._with_offset(z))

    def gradient(self, y: Array, z: Array) -> Array:
        return self.loss.gradient(y, self._with_offset(z))

    def curvature(self, y: Array, z: Array) -> Array:
        return self.loss.curvature(y, self._with_offset(z))

    def newton_weight(self, y: Array, z: Array) -> Array:
        return self.loss.newton_weight(y, self._with_offset(z))

    def gradient_change(self, y: Array, z: Array, step: Array) -> Array:
        return self.loss.gradient_change(y, self._with_offset(z), step)

    def divergence_bound(self, y: Array, z: Array, step: Array) -> Array:
        return self.loss.divergence_bound(y, self._with_offset(z), step)

    def conjugate(self, y: Array, u: Array) -> Array:
        conjugate: Array = self.loss.conjugate(y, u) - u * self.offset.astype(u.dtype, copy=False)
        return conjugate

    def nearest_dual(self, y: Array, u: Array) -> Array:
        return self.loss.nearest_dual(y, u)

    def dual_scale(self, u: Array) -> float:
        return self.loss.dual_scale(u)

    def to_cvxpy(self, y: Array, z: Any) -> Any:
        return self.loss.to_cvxpy(y, z + self.offset)
