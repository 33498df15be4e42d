"""The path of fits to all rows, which guides the paths of fits to the training rows of folds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from skmtl.design import TaskData
from skmtl.estimators.base import Fit
from skmtl.objective import BaseObjective, KnownGrams

Array = NDArray[Any]

# With fewer folds than this a path over all rows costs more than it saves.
_FEWEST_FOLDS = 3
# The largest size of the coefficients, and of the Gram matrices, of all guides of a search.
_LARGEST_BYTES = 2**28


@dataclass(frozen=True)
class Guide:
    """The fit to all rows for one alpha, and its curvature."""

    fit: Fit
    known: KnownGrams | None


def guide_folds(
    models: Sequence[Any],
    data: TaskData,
    grids: Sequence[Array],
    prepared: BaseObjective | None,
    n_folds: int,
) -> list[Iterator[Guide] | None]:
    """Guides for the folds' paths of each model; None where they would not pay.

    Parameters
    ----------
    models : list of estimators
        The fits set their ``alpha``.
    data : TaskData
        All rows.
    grids : list of arrays of shape (n_alphas,), one for each model, descending
    prepared : BaseObjective or None
        The result of :func:`prepare_objective` for ``data``.
    n_folds : int
    """
    left = _LARGEST_BYTES // len(models)
    guides: list[Iterator[Guide] | None] = []
    for model, alphas in zip(models, grids, strict=True):
        # With refitted coefficients a fit is not a minimiser, and no guide to others.
        minimises = model._is_convex and not model._refits
        size = 8 * len(alphas) * data.n_tasks * data.X.shape[1]
        pays = n_folds >= _FEWEST_FOLDS and minimises and size <= left
        known = prepared is not None and pays and prepared.can_learn
        guides.append(_guide(model, data, alphas, prepared, left - size) if known else None)
    return guides


def _guide(model: Any, data: TaskData, alphas: Array, prepared: Any, left: int) -> Iterator[Guide]:
    """The path over all rows, whose Gram matrices take at most ``left`` bytes."""
    learned = model._learnable(data)
    part, fit, known = data.select(learned), None, None
    for alpha in alphas:
        model.alpha = float(alpha)
        fit = model._fit_data(data, fit, prepared.with_known(known))
        objective = prepared.with_penalty(model._get_penalty(part))
        known = objective.learn(fit.coef[learned].T, fit.intercept[learned]) if left > 0 else None
        left -= 0 if known is None else known.grams.nbytes
        yield Guide(fit, known)


def predicted_fit(own: Fit | None, before: Guide | None, now: Guide) -> Fit:
    """A fold's fit for the next alpha: the last one, changed as much as that to all rows."""
    if own is None or before is None:
        return now.fit
    last, ahead = before.fit, now.fit
    coef = own.coef + (ahead.coef - last.coef)
    # Zero where an entry would change its sign away from both fits, or a feature is not used.
    coef[(coef * own.coef <= 0) & (coef * ahead.coef <= 0)] = 0.0
    coef[:, ~own.coef.any(axis=0) & last.coef.any(axis=0)] = 0.0
    intercept = own.intercept + (ahead.intercept - last.intercept)
    return replace(own, coef=coef, intercept=intercept)
