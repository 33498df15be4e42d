"""The largest alpha of a regularisation path."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl._warnings import gather_warnings
from skmtl.design import TaskData
from skmtl.objective import BaseObjective
from skmtl.penalties import split
from skmtl.solvers import Point, choose_solver, solve

Array = NDArray[Any]

# If no finite alpha makes the coefficients zero, the path starts where at most this fraction of the
# null loss can be gained.
_GAIN = 0.01
# If its loss is below this fraction of the null loss, the unpenalised mean task fits the data
# almost perfectly, and the gradient is taken at W = 0 instead.
_PERFECT = 1e-6
# A quadratic penalty multiplied by this factor keeps all directions that it penalises near zero.
_STRONG = 1e6
# Tolerance of fits that only determine the start of a grid, and of fits that determine alpha_max.
_ROUGH_TOL, _TOL = 1e-8, 1e-11


class NoFiniteAlpha(ValueError):
    """No finite alpha makes all coefficients zero, or it cannot be computed."""


def top_alpha(model: Any, data: TaskData, objective: BaseObjective) -> float:
    r"""The largest alpha of a path, at which W is zero or almost zero.

    For a norm this is the smallest alpha at which W is zero. For other penalties it is the smallest
    alpha at which a bound proves that at most 1% of the null loss can be gained. At the minimiser
    over the unpenalised coefficients and intercepts, with gradient :math:`G_0` and loss
    :math:`F_0`, no W can lower F + alpha * Omega by more than :math:`\Omega^*(G_0) / \alpha`.

    Parameters
    ----------
    model : estimator with ``alpha=1``
    data : TaskData
    objective : BaseObjective
        The result of :func:`prepare_objective`; its penalty is not used.

    Raises
    ------
    NoFiniteAlpha
        If nothing is penalised, such as differences between tasks where there is one.
    """
    objective = objective.with_penalty(model._get_penalty(data.select(model._learnable(data))))
    penalty, loss = objective.penalty, objective.null_value
    if penalty is None and objective.quadratic is None:
        raise NoFiniteAlpha(
            f"{type(model).__name__} penalises nothing in data of {data.n_tasks} task(s), so that "
            f"its fit does not depend on alpha and no grid can be computed. Fit it without a "
            f"search, pass alphas as a list, or penalise the coefficients themselves too."
        )
    if penalty is not None and penalty.leaves_mean_free:
        gradient, loss = _at_mean_task(model, data, objective)
        if penalty.is_norm:
            return _finite(penalty.dual_norm(gradient), model)
    elif penalty is not None and penalty.is_norm:
        return penalty.dual_norm(_null_gradient(model, objective))
    else:
        # The sign matters, because a penalty may be infinite for negative coefficients.
        gradient = -objective.gradient(objective.null)[0]
        if penalty is None and objective.has_free_task:
            gradient, loss = _at_free_combinations(objective)
    # The conjugate of a sum of non-negative penalties is at most that of either of them.
    gain = min(
        part.conjugate(gradient)
        for part in (objective.penalty, objective.quadratic)
        if part is not None
    )
    return float(gain / (_GAIN * loss)) if loss > 0 else 0.0


def _finite(alpha: float, model: Any) -> float:
    """The strength, if it is finite."""
    if np.isfinite(alpha):
        return alpha
    raise NoFiniteAlpha(
        f"{type(model).__name__} does not penalise what the tasks of one component of the graph "
        f"have in common, so that no alpha makes all coefficients equal. Connect the components, "
        f"penalise the coefficients themselves too (for FusedTask*, sparse or block > 0), or pass "
        f"alphas as a list."
    )


def _at_free_combinations(objective: BaseObjective) -> tuple[Array, float]:
    """Minus the gradient, and the loss, at the fit of the unpenalised combinations of tasks."""
    assert objective.quadratic is not None
    strong = objective.with_penalty(objective.quadratic.scaled(_STRONG))
    found = _minimise(strong, strong.start(), _ROUGH_TOL)
    smooth = objective.with_penalty(None)
    gradient = smooth.gradient(found)[0]
    # Along the unpenalised combinations the gradient is zero up to the solver's tolerance.
    penalised = objective.quadratic.on_range(-gradient, None)[1]
    return penalised, float(smooth.loss_value(found))


def _null_gradient(model: Any, objective: BaseObjective) -> Array:
    """Minus the loss gradient at the fit of the unpenalised features, or at W = 0 without them."""
    assert objective.penalty is not None
    free = objective.penalty.free_rows
    if free is None:
        return -objective.gradient(objective.null)[0]
    if objective.quadratic is not None:
        raise NoFiniteAlpha(
            f"The smallest alpha at which the penalised coefficients of {model!r} are zero cannot "
            f"be computed: features with feature_weight=0 are fitted with a ridge that depends on "
            f"alpha. Use l1_ratio=1, or pass alphas as a list."
        )
    rows, smooth = np.flatnonzero(free), objective.with_penalty(None)
    part, start = smooth.restricted(rows, smooth.null)
    found = _minimise(part, start, _TOL)
    W = np.zeros((objective.n_features, objective.n_columns))
    W[rows] = found.W
    gradient = -smooth.gradient(smooth.start(W, part.intercepts(found)))[0]
    gradient[rows] = 0.0  # exactly, rather than up to the solver's tolerance
    return gradient


def _at_mean_task(model: Any, data: TaskData, objective: BaseObjective) -> tuple[Array, float]:
    """The gradient and the loss of the best fit with equal coefficients for all tasks.

    If that fit is almost perfect, those at W = 0.
    """
    part = data.select(model._learnable(data))
    pooled = model._objective_on_rows(part, None, "coefficients")
    found = _minimise(pooled, pooled.start(), _ROUGH_TOL)
    smooth = objective.with_penalty(None)
    W = np.repeat(found.W, part.n_tasks, axis=1)
    point = smooth.start(W, pooled.intercepts(found))
    if smooth.value(point) < _PERFECT * objective.null_value:
        point = objective.null
    gradient = smooth.gradient(point)[0]
    # Along the mean task it is zero up to the solver's tolerance, or counts as zero.
    gradient = gradient - gradient.mean(axis=1, keepdims=True)
    return gradient, float(smooth.value(point))


def _minimise(objective: BaseObjective, start: Point, tol: float) -> Point:
    """The minimiser; a warning of slow convergence is suppressed."""
    with gather_warnings():
        found = solve(objective, choose_solver("auto", objective), start, max_iter=1000, tol=tol)
    point: Point = found.point
    return point


def starts_at_null(model: Any, data: TaskData) -> bool:
    """Whether all coefficients are zero at the start of the model's path."""
    learned = model._learnable(data)
    penalty = model._get_penalty(data.select(learned)) if learned.any() else None
    rough = None if penalty is None else split(penalty)[0]
    return rough is not None and bool(rough.is_norm)
