"""Losses that differ between tasks."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from skmtl.losses._base import Array, Loss


class MixedLoss(Loss):
    """A separate loss for each column of the labels.

    Parameters
    ----------
    losses : tuple of Loss
        One per task; tasks that share an object are computed together.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.losses import HuberLoss, MixedLoss, SquaredLoss
    >>> z, y = np.array([[0.0, 0.0]]), np.array([[1.0, 3.0]])
    >>> MixedLoss((SquaredLoss(), HuberLoss(1.0))).value(y, z)
    array([[0.5, 2.5]])
    """

    compares_tasks = False

    def __init__(self, losses: tuple[Loss, ...]) -> None:
        self.losses = losses

    @property
    def curvature_bound(self) -> float:
        return max(loss.curvature_bound for loss in self.losses)

    @property
    def constant_curvature(self) -> bool:
        return all(loss.constant_curvature for loss in self.losses)

    @property
    def translates(self) -> bool:
        return all(loss.translates for loss in self.losses)

    @property
    def recedes(self) -> bool:
        return any(loss.recedes for loss in self.losses)

    @property
    def has_gradient(self) -> bool:
        return all(loss.has_gradient for loss in self.losses)

    @property
    def slopes(self) -> tuple[Array, Array]:
        low, high = zip(*(loss.slopes for loss in self.losses), strict=True)
        return np.array(low), np.array(high)

    def smoothed(self, width: float) -> Loss:
        smooth = {id(loss): loss.smoothed(width) for loss, _ in self._groups()}
        return MixedLoss(tuple(smooth[id(loss)] for loss in self.losses))

    def columns(self, chosen: Array) -> Loss:
        return mixed([self.losses[t] for t in chosen])

    def column(self, task: int) -> Loss:
        return self.losses[task]

    def value(self, y: Array, z: Array) -> Array:
        return self._by_column(lambda loss, y, z: loss.value(y, z), y, z)

    def gradient(self, y: Array, z: Array) -> Array:
        return self._by_column(lambda loss, y, z: loss.gradient(y, z), y, z)

    def curvature(self, y: Array, z: Array) -> Array:
        return self._by_column(lambda loss, y, z: loss.curvature(y, z), y, z)

    def newton_weight(self, y: Array, z: Array) -> Array:
        return self._by_column(lambda loss, y, z: loss.newton_weight(y, z), y, z)

    def gradient_change(self, y: Array, z: Array, step: Array) -> Array:
        return self._by_column(lambda loss, *arrays: loss.gradient_change(*arrays), y, z, step)

    def divergence_bound(self, y: Array, z: Array, step: Array) -> Array:
        return self._by_column(lambda loss, *arrays: loss.divergence_bound(*arrays), y, z, step)

    def conjugate(self, y: Array, u: Array) -> Array:
        return self._by_column(lambda loss, y, u: loss.conjugate(y, u), y, u)

    def nearest_dual(self, y: Array, u: Array) -> Array:
        return self._by_column(lambda loss, y, u: loss.nearest_dual(y, u), y, u)

    def dual_scale(self, u: Array) -> float:
        return min(loss.dual_scale(u[..., tasks]) for loss, tasks in self._groups())

    def smooth_offset(self, multipliers: Array, width: float) -> Array:
        return self._by_column(lambda loss, u: loss.smooth_offset(u, width), multipliers)

    def held_out_loss(self, y: Array, z: Array) -> Array:
        return self._by_column(lambda loss, y, z: loss.held_out_loss(y, z), y, z)

    def inverse_link(self, z: Array) -> Array:
        return self._by_column(lambda loss, z: loss.inverse_link(z), z)

    def as_response(self, y: Array) -> Array:
        return self._by_column(lambda loss, y: loss.as_response(y), y)

    def lacks_minimiser(self, label: Array) -> Array:
        lacking = np.zeros(np.shape(label), dtype=bool)
        for loss, tasks in self._groups():
            lacking[tasks] = loss.lacks_minimiser(label[tasks])
        return lacking

    def rescale(self, coef: Array, intercept: Array, scales: Array) -> tuple[Array, Array]:
        coef, intercept = coef.copy(), intercept.copy()
        for loss, t in self._groups():
            coef[t], intercept[t] = loss.rescale(coef[t], intercept[t], scales[t])
        return coef, intercept

    def _groups(self) -> list[tuple[Loss, Array]]:
        """The distinct losses and the positions of their tasks."""
        groups: dict[int, tuple[Loss, list[int]]] = {}
        for t, loss in enumerate(self.losses):
            groups.setdefault(id(loss), (loss, []))[1].append(t)
        return [(loss, np.array(tasks)) for loss, tasks in groups.values()]

    def _by_column(self, function: Callable[..., Array], *arrays: Array) -> Array:
        """Apply each task's loss to its column; the last axis of the arrays is the tasks."""
        # A step in the intercepts has a single row.
        arrays = tuple(np.broadcast_arrays(*arrays))
        out: Array = np.empty(arrays[0].shape, dtype=np.result_type(*arrays))
        for loss, tasks in self._groups():
            out[..., tasks] = function(loss, *(array[..., tasks] for array in arrays))
        return out

    def to_cvxpy(self, y: Array, z: Any) -> Any:
        raise NotImplementedError("Use column(task).to_cvxpy: each task has its own loss.")


def mixed(losses: Sequence[Loss]) -> Loss:
    """The loss of tasks with these losses; if they share one object, that loss itself."""
    return losses[0] if all(loss is losses[0] for loss in losses) else MixedLoss(tuple(losses))
