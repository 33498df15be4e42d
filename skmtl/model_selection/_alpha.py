"""Where the regularisation path begins, and the grid below it."""

from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from skmtl._warnings import gather_warnings
from skmtl.design import TaskData, refuse_mask
from skmtl.estimators.base import TaskEstimator
from skmtl.objective import BaseObjective
from skmtl.solvers import choose_solver, solve

Array = NDArray[Any]

# Where no finite alpha makes the coefficients zero, the grid starts where no more than this share
# of the null loss can be gained.
GAIN = 0.01
# Below this share of the null loss an unpenalised mean task fits everything, and is no null model.
_EXPLAINS_ALL = 1e-6
# A quadratic so many times as strong lets nothing through but what it leaves free.
_HELD = 1e6


def alpha_max(estimator: Any, X: Any, y: Any, sample_weight: Any = None) -> float:
    """Return the smallest ``alpha`` at which every coefficient is zero.

    It is the dual norm, for the penalty with ``alpha=1``, of the loss gradient at W = 0 and the
    best intercepts. Features with ``feature_weight=0`` are fitted, and do not count. For a sum of
    penalties without a common prox it is an upper bound of that alpha.

    Parameters
    ----------
    estimator : estimator of skmtl
        Its parameters other than ``alpha`` count; it is neither fitted nor changed.
    X, y, sample_weight : as in the estimator's fit

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If no finite ``alpha`` makes all coefficients zero: the penalty has no part, such as a
        norm, with a kink at zero (a ridge shrinks, but never to zero). If features without a
        weight keep a ridge, which alpha multiplies too.

    See Also
    --------
    path : Fits over a grid of alphas, for penalties of the second degree too.

    Examples
    --------
    >>> from skmtl import BlockSparseRegressor
    >>> from skmtl.datasets import make_block_sparse
    >>> from skmtl.model_selection import alpha_max
    >>> made = make_block_sparse(random_state=0)
    >>> top = alpha_max(BlockSparseRegressor(), made.data, made.target)
    >>> bool(BlockSparseRegressor(alpha=top).fit(made.data, made.target).support_.any())
    False
    """
    check_estimator(estimator, "alpha_max")
    model = clone(estimator).set_params(alpha=1.0)
    model._validate_params()
    data = model._read(X, y, sample_weight)
    objective = prepare(model, data)
    if objective is None:
        return 0.0
    penalty = objective.penalty
    if penalty is None or not penalty.is_norm or penalty.leaves_mean_free:
        why = "is of the second degree (a ridge, a squared norm), which shrinks but never to zero"
        if penalty is not None and penalty.is_norm:
            why = "leaves the mean task free"
        raise ValueError(
            f"No finite alpha makes the coefficients of {estimator!r} zero: its penalty {why}. Use "
            f"a block-sparse estimator with l1_ratio > 0, or choose alpha by cross-validation (the "
            f"CV estimators and skmtl.model_selection.path make a grid; the baselines take "
            f"alpha='cv')."
        )
    return top_alpha(model, data, objective)


def prepare(model: Any, data: TaskData) -> BaseObjective | None:
    """The objective of the tasks that have a minimiser, which fits for all alphas share."""
    learned = model._learnable(data)
    return model._objective(data.select(learned)) if learned.any() else None


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
    objective : BaseObjective, as :func:`prepare` returns it; its penalty is not used.
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
    return float(gain / (GAIN * loss)) if loss > 0 else 0.0


def _at_free_combinations(objective: BaseObjective) -> tuple[Array, float]:
    """Minus the gradient and the loss where only what a quadratic leaves free is fitted."""
    assert objective.quadratic is not None
    held = objective.with_penalty(objective.quadratic.scaled(_HELD))
    with gather_warnings():
        # Nearly there gives nearly the same grid.
        found = solve(held, choose_solver("auto", held), held.start(), max_iter=1000, tol=1e-8)
    smooth = objective.with_penalty(None)
    gradient = smooth.gradient(found.point)[0]
    # What is left along the free combinations is the solver's tolerance.
    eigenvalues, basis = np.linalg.eigh(objective.quadratic.hessian(objective.n_columns))
    seen = basis[:, eigenvalues > 1e-12 * eigenvalues[-1]]
    return -gradient @ seen @ seen.T, float(smooth.loss_value(found.point))


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
    with gather_warnings():
        found = solve(part, choose_solver("auto", part), start, max_iter=1000, tol=1e-11)
    W = np.zeros((objective.n_features, objective.n_columns))
    W[rows] = found.point.W
    slopes = -smooth.gradient(smooth.start(W, part.intercepts(found.point)))[0]
    slopes[rows] = 0.0  # but for the solver's tolerance
    return slopes


def _at_mean_task(model: Any, data: TaskData, objective: BaseObjective) -> tuple[Array, float]:
    """The gradient and the loss where all tasks have the coefficients that fit them best."""
    part = data.select(model._learnable(data))
    pooled = model._objective_on_rows(part, None, "coefficients")
    with gather_warnings():
        # Nearly the best mean task gives nearly the same grid.
        found = solve(
            pooled, choose_solver("auto", pooled), pooled.start(), max_iter=1000, tol=1e-8
        )
    smooth = objective.with_penalty(None)
    W = np.repeat(found.point.W, part.n_tasks, axis=1)
    point = smooth.start(W, pooled.intercepts(found.point))
    if smooth.value(point) < _EXPLAINS_ALL * objective.null_value:
        point = objective.null
    return smooth.gradient(point)[0], float(smooth.value(point))


def make_grid(top: float, alphas: int, eps: float) -> Array:
    """A geometric grid from ``top`` to ``eps * top``, descending."""
    # Nothing can be learned, so every alpha gives the same; 1 is as good a start as any.
    return np.geomspace(top, top * eps, alphas) if top > 0 else np.geomspace(1.0, eps, alphas)


def read_alphas(alphas: Any) -> Array | int:
    """A number of alphas as it is, a list of them validated and sorted, largest first.

    Raises
    ------
    ValueError
        If the number is not positive, or the list is empty, not flat, or holds anything but
        finite numbers >= 0.
    """
    rule = (
        "alphas must be the number of alphas, at least 1, or a list of finite strengths >= 0; got "
        f"{alphas!r}."
    )
    if isinstance(alphas, Integral) and not isinstance(alphas, bool):
        if alphas < 1:
            raise ValueError(rule)
        return int(alphas)
    if not isinstance(alphas, Iterable) or isinstance(alphas, str):
        raise ValueError(f"{rule} For one alpha pass a list of one, or fit the plain estimator.")
    refuse_mask(alphas, "alphas", "Leave them out: .compressed().")
    try:
        values = np.asarray(alphas, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(rule) from None
    if values.ndim != 1 or not len(values):
        raise ValueError(rule)
    if not (np.isfinite(values).all() and (values >= 0).all()):
        raise ValueError(rule)
    return np.sort(values)[::-1]


def check_eps(eps: Any) -> None:
    """Refuse a ratio of the smallest to the largest alpha outside (0, 1)."""
    if not (isinstance(eps, Real) and 0 < float(eps) < 1):
        raise ValueError(
            f"eps, the smallest alpha of the grid over the largest, must be in (0, 1); got {eps!r}."
        )


def check_estimator(estimator: Any, caller: str) -> None:
    """Refuse what is no estimator with an alpha of its own."""
    if isinstance(estimator, TaskEstimator) and "alpha" in estimator.get_params(deep=False):
        return
    name = type(estimator).__name__
    if hasattr(estimator, "steps"):
        remedy = "Transform X by the steps before it, and pass the pipeline's last step"
    elif isinstance(estimator, TaskEstimator):
        remedy = f"Pass the estimator without cross-validation, {name.removesuffix('CV')}"
    else:
        remedy = "Pass one such as BlockSparseRegressor()"
    raise TypeError(
        f"{caller} takes an estimator of skmtl with a parameter alpha, not {name}. {remedy}."
    )
