"""Fits over a grid of alphas, each warm-started from the previous one."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from skmtl.design import TaskData
from skmtl.estimators.base import Fit
from skmtl.estimators.tuning._guide import Guide, predicted_fit
from skmtl.objective import BaseObjective


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
        Whether each fit starts from the previous one.
    guide : sequence of Guide, optional
        The fits for the same alphas to similar data, from which the starts are then predicted.
    """
    fit: Fit | None = None
    if prepared is not None:
        # Computed once, and shared by the copies with other penalties.
        _ = prepared.null_value
    if guide is None or prepared is None:
        for alpha in alphas:
            model.alpha = float(alpha)
            fit = model._fit_data(data, fit if warm else None, prepared)
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
