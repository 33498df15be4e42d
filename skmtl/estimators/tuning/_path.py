"""Fits over a grid of alphas, each warm-started from the previous one."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from skmtl.design import TaskData
from skmtl.estimators.base import Fit
from skmtl.estimators.tuning._guide import Guide, predicted_fit
from skmtl.objective import BaseObjective

# The share of the last change of the coefficients per unit of alpha that is taken to continue.
# Features that enter slow down those that are active.
_CONTINUED = 0.8


def prepare_objective(model: Any, data: TaskData) -> BaseObjective | None:
    """The objective of the tasks that have a minimiser, shared by the fits for all alphas."""
    learned = model._learnable(data)
    return model._objective(data.select(learned)) if learned.any() else None


def follow_path(
    model: Any,
    data: TaskData,
    alphas: Iterable[float],
    prepared: BaseObjective | None,
    *,
    warm: bool = True,
    guide: Sequence[Guide] | None = None,
) -> Iterator[Fit]:
    """Yield the fit for each alpha; this sets ``model.alpha``.

    Parameters
    ----------
    model : estimator
    data : TaskData
    alphas : floats, descending
    prepared : BaseObjective or None
        The result of :func:`prepare_objective` for ``data``.
    warm : bool, default=True
        Whether each fit starts from the previous one, or for the squared loss from where the last
        two point to.
    guide : sequence of Guide, optional
        The fits for the same alphas to similar data, from which the starts are then predicted.
    """
    fit: Fit | None = None
    if prepared is not None:
        # Computed once, and shared by the copies with other penalties.
        _ = prepared.null_value
    if guide is None or prepared is None:
        smooth, points = warm and _is_smooth(model), list[tuple[float, Fit]]()
        for alpha in alphas:
            model.alpha = float(alpha)
            start = extrapolated_fit(points, model.alpha) if len(points) == 2 else fit
            fit = model._fit_data(data, start if warm else None, prepared)
            if smooth:
                points = [*points[-1:], (model.alpha, fit)]
            yield fit
        return
    last, learned = None, model._learnable(data)
    for alpha, step in zip(alphas, guide, strict=True):
        model.alpha = float(alpha)
        same = (learned == step.fit.learned).all()
        guided = prepared.with_known(step.known if same else None)
        fit = model._fit_data(data, predicted_fit(fit, last, step), guided)
        last = step
        yield fit


def _is_smooth(model: Any) -> bool:
    """Whether the coefficients are nearly smooth functions of alpha between changes of support.

    For losses whose curvature depends on the coefficients, better starts have not saved time.
    """
    loss = model._get_loss()
    return bool(model._is_convex and not model._refits and loss.constant_curvature)


def extrapolated_fit(points: Sequence[tuple[float, Fit]], alpha: float) -> Fit:
    """The last of two fits, changed as much as from the first one to it, per unit of alpha.

    Parameters
    ----------
    points : two pairs of an alpha and its fit
    alpha : float
        Of the next fit.
    """
    (first, before), (second, last) = points
    if first == second or last.parts is not None:
        return last
    # A step much longer than the last one would be no prediction.
    share = _CONTINUED * min(max((alpha - second) / (second - first), 0.0), 1.0)
    coef = last.coef + share * (last.coef - before.coef)
    # Features that have just entered, and entries that would change their sign, stay as they are.
    kept = (before.coef == 0) | (coef * last.coef <= 0)
    coef[kept] = last.coef[kept]
    return replace(last, coef=coef.astype(last.coef.dtype, copy=False))
