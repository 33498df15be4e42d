"""Where the regularisation path begins."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl._warnings import gather_warnings
from skmtl.design import TaskData
from skmtl.objective import BaseObjective
from skmtl.penalties import split
from skmtl.solvers import Point, choose_solver, solve

Array = NDArray[Any]

# Where no finite alpha makes the coefficients zero, the grid starts where no more than this share
# of the null loss can be gained.
_GAIN = 0.01
# Below this share of the null loss an unpenalised mean task fits everything, and is no null model.
_EXPLAINS_ALL = 1e-6
# A quadratic so many times as strong lets nothing through but what it leaves free.
_HELD = 1e6
# Nearly the minimiser gives nearly the same grid.
_NEARLY = 1e-8


def top_alpha(model: Any, data: TaskData, objective: BaseObjective) -> float:
    r"""Where the path begins: nothing, or next to nothing, is learned there.

    For a norm the smallest alpha at which W is zero. Otherwise the smallest at which at most 1%
    of the null loss can be gained for sure: from the unpenalised minimiser, with gradient
    :math:`G_0` and loss :math:`F_0`, no W can lower F + alpha * Omega by more than
    :math:`\Omega^*(G_0) / \alpha`.

    Parameters
    ----------
    model : estimator with ``alpha=1``
    data : TaskData
    objective : BaseObjective, as :func:`prepare_objective` returns it; its penalty is not used.
    """
    objective = objective.with_penalty(model._get_penalty(data.select(model._learnable(data))))
    penalty, loss = objective.penalty, objective.null_value
    if penalty is not None and penalty.leaves_mean_free:
        gradient, loss = _at_mean_task(model, data, objective)
        if penalty.is_norm:
            return penalty.dual_norm(gradient)
    elif penalty is not None and penalty.is_norm:
        return penalty.dual_norm(_slopes_of_nothing(model, objective))
    else:
        # A penalty may be infinite on one side.
        gradient = -objective.gradient(objective.null)[0]
        if penalty is None and objective.has_free_task:
            gradient, loss = _at_free_combinations(objective)
    # The conjugate of a sum is at most that of either part.
    gain = min(
        part.conjugate(gradient)
        for part in (objective.penalty, objective.quadratic)
        if part is not None
    )
    return float(gain / (_GAIN * loss)) if loss > 0 else 0.0


def _at_free_combinations(objective: BaseObjective) -> tuple[Array, float]:
    """Minus the gradient and the loss where only what a quadratic leaves free is fitted."""
    assert objective.quadratic is not None
    held = objective.with_penalty(objective.quadratic.scaled(_HELD))
    found = _minimise(held, held.start(), _NEARLY)
    smooth = objective.with_penalty(None)
    gradient = smooth.gradient(found)[0]
    # What is left along the free combinations is the solver's tolerance.
    eigenvalues, basis = np.linalg.eigh(objective.quadratic.hessian(objective.n_columns))
    seen = basis[:, eigenvalues > 1e-12 * eigenvalues[-1]]
    return -gradient @ seen @ seen.T, float(smooth.loss_value(found))


def _slopes_of_nothing(model: Any, objective: BaseObjective) -> Array:
    """Minus the loss gradient where no feature is used but those without a penalty, if any."""
    assert objective.penalty is not None
    free = objective.penalty.free_rows
    if free is None:
        return -objective.gradient(objective.null)[0]
    if objective.quadratic is not None:
        raise ValueError(
            f"No alpha at which the penalised coefficients of {model!r} begin follows from the "
            f"data: features with feature_weight=0 keep the ridge, which changes with alpha. Use "
            f"l1_ratio=1, or pass alphas as a list."
        )
    rows, smooth = np.flatnonzero(free), objective.with_penalty(None)
    part, start = smooth.restricted(rows, smooth.null)
    found = _minimise(part, start, 1e-11)
    W = np.zeros((objective.n_features, objective.n_columns))
    W[rows] = found.W
    slopes = -smooth.gradient(smooth.start(W, part.intercepts(found)))[0]
    slopes[rows] = 0.0  # but for the solver's tolerance
    return slopes


def _at_mean_task(model: Any, data: TaskData, objective: BaseObjective) -> tuple[Array, float]:
    """The gradient and the loss where all tasks have the coefficients that fit them best."""
    part = data.select(model._learnable(data))
    pooled = model._objective_on_rows(part, None, "coefficients")
    found = _minimise(pooled, pooled.start(), _NEARLY)
    smooth = objective.with_penalty(None)
    W = np.repeat(found.W, part.n_tasks, axis=1)
    point = smooth.start(W, pooled.intercepts(found))
    if smooth.value(point) < _EXPLAINS_ALL * objective.null_value:
        point = objective.null
    return smooth.gradient(point)[0], float(smooth.value(point))


def _minimise(objective: BaseObjective, start: Point, tol: float) -> Point:
    """The minimiser, found without a warning."""
    with gather_warnings():
        found = solve(objective, choose_solver("auto", objective), start, max_iter=1000, tol=tol)
    point: Point = found.point
    return point


def starts_at_null(model: Any, data: TaskData) -> bool:
    """Whether the model's path begins where all coefficients are zero."""
    learned = model._learnable(data)
    penalty = model._get_penalty(data.select(learned)) if learned.any() else None
    rough = None if penalty is None else split(penalty)[0]
    return rough is not None and bool(rough.is_norm)
