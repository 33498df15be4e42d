"""Fits over a grid of alphas, each warm-started from the previous one."""

from collections.abc import Iterable, Iterator
from typing import Any

from skmtl.design import TaskData
from skmtl.estimators.base import Fit
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
    start: Fit | None = None,
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
    start : Fit or None
        The start of the first fit, if ``warm``.
    """
    fit = start
    for alpha in alphas:
        model.alpha = float(alpha)
        fit = model._fit_data(data, fit if warm else None, prepared)
        yield fit
