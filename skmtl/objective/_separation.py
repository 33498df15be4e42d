"""Whether labels are separable by what no penalty holds: then there is no finite minimiser."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def is_separated(objective: Any, point: Any) -> bool:
    """Whether the unpenalised part of W and the intercepts put all labels on their side.

    Tasks without any penalty are looked at one by one; what several tasks have in common, where
    that is all that is free, must separate the labels of all of them.
    """
    if not objective.loss.recedes:
        return False
    shared = _free_combinations(objective)
    if shared is None and not objective.has_free_task:
        return False
    Z = point.Z
    if shared is not None:
        Z = objective.point(point.W @ shared @ shared.T, point.b).Z
    wrong = objective.design.weights * (objective.y * Z <= 0)
    separated = objective.design.gather(wrong) == 0
    alone = len(separated) == objective.n_columns and shared is None
    return bool(separated.any() if alone else separated.all())


def _free_combinations(objective: Any) -> Array | None:
    """An orthonormal basis (n_tasks, n) of the combinations of tasks that are free, if any."""
    n_tasks, penalty, quadratic = objective.n_columns, objective.penalty, objective.quadratic
    if penalty is not None:
        if not penalty.leaves_mean_free or quadratic is not None:
            return None
        return np.full((n_tasks, 1), 1 / np.sqrt(n_tasks))
    if quadratic is None or not quadratic.couples_tasks:
        return None
    eigenvalues, basis = np.linalg.eigh(quadratic.hessian(n_tasks))
    free: Array = basis[:, eigenvalues <= 1e-12 * max(eigenvalues[-1], 0.0)]
    return free if free.shape[1] else None
