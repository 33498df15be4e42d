"""Convex combinations of experts for each task, from their predictions of held-out labels."""

from dataclasses import dataclass, replace
from itertools import chain, combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.losses import Loss

Array = NDArray[Any]

# The width of the envelope of a loss without a gradient, as a share of the mean loss.
_WIDTH = 0.05
_MAX_STEPS = 100
# The steps stop once every task's duality gap is below this share of its own fit's loss.
_TOL = 1e-8
# The share of a task's curvature that is added towards its own fit, so that weights are unique.
_TIE = 1e-9


@dataclass(frozen=True)
class HeldOutLabels:
    """Labels that were held out, and what each expert predicted for them.

    Attributes
    ----------
    tasks : int array of shape (n_labels,)
    folds : int array of shape (n_labels,)
    y, weights : arrays of shape (n_labels,)
    Z : array of shape (n_labels, n_experts)
        Linear predictors of fits without the label's fold; the first column is the task's own fit.
    n_tasks : int
    """

    tasks: Array
    folds: Array
    y: Array
    weights: Array
    Z: Array
    n_tasks: int

    def take(self, chosen: Array) -> "HeldOutLabels":
        """Some of the labels."""
        parts = ("tasks", "folds", "y", "weights", "Z")
        return replace(self, **{name: getattr(self, name)[chosen] for name in parts})

    def per_task(self, values: Array) -> Array:
        """Sum values of shape (n_labels, ...) over each task's labels."""
        flat = values.reshape(len(values), -1)
        sums = [np.bincount(self.tasks, column, self.n_tasks) for column in flat.T]
        return np.stack(sums, axis=1).reshape(self.n_tasks, *values.shape[1:])

    def mixed(self, weights: Array) -> Array:
        """The predictors of a mix with the given weights (n_tasks, n_experts)."""
        return np.asarray(np.einsum("ie,ie->i", self.Z, weights[self.tasks]))


def simplex_weights(labels: HeldOutLabels, loss: Loss) -> Array:
    """The convex combination of the experts with the lowest loss in each task.

    Newton steps whose quadratic models are minimised exactly over the simplex, one step for the
    squared loss. The Frank-Wolfe gap, which bounds the suboptimality, decides when to stop.

    Parameters
    ----------
    labels : HeldOutLabels
    loss : Loss
        Elementwise. If it has no gradient, a narrow envelope replaces it.

    Returns
    -------
    array of shape (n_tasks, n_experts)
        Non-negative; each row sums to 1. Tasks without a label take their own fit.
    """
    n_experts = labels.Z.shape[1]
    start = np.zeros((labels.n_tasks, n_experts))
    start[:, 0] = 1.0
    if not loss.has_gradient and labels.weights.any():
        mean = np.average(loss.value(labels.y, labels.mixed(start)), weights=labels.weights)
        loss = loss.smoothed(max(_WIDTH * mean, np.finfo(float).tiny))
    V, values = start, _task_losses(labels, loss, start)
    enough = _TOL * np.maximum(values, np.finfo(float).tiny)
    for _ in range(_MAX_STEPS):
        z = labels.mixed(V)
        slopes = labels.weights * loss.gradient(labels.y, z)
        gradient = labels.per_task(slopes[:, None] * labels.Z)
        gaps = (gradient * V).sum(axis=1) - gradient.min(axis=1)
        if (gaps <= enough).all():
            break
        curved = labels.weights * loss.newton_weight(labels.y, z)
        hessian = labels.per_task(curved[:, None, None] * labels.Z[:, :, None] * labels.Z[:, None])
        target = _minimise_quadratic(hessian, gradient, V, start)
        V, new = _search_line(labels, loss, V, target, values)
        if not (new < values).any():
            break
        values = new
    return V


def _task_losses(labels: HeldOutLabels, loss: Loss, V: Array) -> Array:
    """The loss of each task's mix (n_tasks,)."""
    return labels.per_task(labels.weights * loss.value(labels.y, labels.mixed(V)))


def _search_line(
    labels: HeldOutLabels, loss: Loss, V: Array, target: Array, values: Array
) -> tuple[Array, Array]:
    """Halve the steps of the tasks whose loss would not fall; return weights and losses."""
    steps = np.ones((len(V), 1))
    for _ in range(30):
        moved = V + steps * (target - V)
        found = _task_losses(labels, loss, moved)
        worse = found > values
        if not worse.any():
            return moved, found
        steps[worse] /= 2
    kept = worse[:, None]
    return np.where(kept, V, moved), np.where(worse, values, found)


def _minimise_quadratic(H: Array, g: Array, V: Array, own: Array) -> Array:
    """Minimise (v - V_t)' H_t (v - V_t) / 2 + g_t' v over the simplex, for each task t.

    Each face of the simplex has a closed form; the best feasible one is the minimiser. The cost is
    exponential in the number of experts, of which there are three.
    """
    n_experts = H.shape[1]
    tie = _TIE * np.einsum("tee->t", H) / n_experts + np.finfo(float).tiny
    g = g - np.einsum("tef,tf->te", H, V) - tie[:, None] * own
    H = H + tie[:, None, None] * np.eye(n_experts)
    best, lowest = own.copy(), np.full(len(H), np.inf)
    sizes = range(1, n_experts + 1)
    for face in chain.from_iterable(combinations(range(n_experts), k) for k in sizes):
        v = np.zeros_like(best)
        v[:, face] = _stationary(H[:, face][:, :, face], g[:, face])
        value = np.einsum("te,tef,tf->t", v, H, v) / 2 + (g * v).sum(axis=1)
        better = (v >= 0).all(axis=1) & (value < lowest)
        best[better], lowest[better] = v[better], value[better]
    return best


def _stationary(H: Array, g: Array) -> Array:
    """The stationary points of v' H v / 2 + g' v among all v that sum to 1."""
    size = H.shape[1]
    scale = np.einsum("tee->t", H)[:, None, None] / size
    system = np.zeros((len(H), size + 1, size + 1))
    system[:, :size, :size] = H / scale
    system[:, :size, size] = system[:, size, :size] = 1.0
    right = np.concatenate([-g[:, :, None] / scale, np.ones((len(H), 1, 1))], axis=1)
    return np.linalg.solve(system, right)[:, :size, 0]
