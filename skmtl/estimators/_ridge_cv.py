"""Choose ridge strengths by cross-validation: one for all tasks, or one per task."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier

from skmtl._folds import assign_shared, assign_stacked, label_strata
from skmtl.design import TaskData
from skmtl.estimators.base import Fit, linear_predictor

Array = NDArray[Any]

N_FOLDS = 5
N_ALPHAS = 13


@dataclass(frozen=True)
class Choice:
    """The chosen strengths (n_tasks,), the grid, and the mean loss (n_alphas, n_tasks)."""

    alpha: Array
    alphas: Array
    losses: Array


def choose_ridge(estimator: Any, data: TaskData, *, per_task: bool) -> Choice:
    """Cross-validate a ridge estimator's ``alpha`` on validated data.

    The grid goes in steps of a factor 10^(1/2) from 10 times the largest eigenvalue of the
    features' weighted Gram matrices (next to nothing is learned) down to 10^-5 of it. Folds are
    stratified by task, and by class; the criterion is the estimator's own loss. Tasks with fewer
    labels than folds take the value that is best for all.

    Parameters
    ----------
    estimator : estimator with ``_fit_data``; its own ``alpha`` is not used.
    data : TaskData
    per_task : bool
        A strength for each task, or one for all.
    """
    learned = estimator._learnable(data)
    model = clone(estimator).set_params(alpha=1.0)
    if not learned.any():
        return Choice(np.ones(data.n_tasks), np.ones(1), np.zeros((1, data.n_tasks)))
    largest = model._objective(data.select(learned)).squared_norm()
    alphas = max(largest, np.finfo(float).tiny) * np.logspace(1, -5, N_ALPHAS)
    losses = np.zeros((N_ALPHAS, data.n_tasks))
    folds = _folds(estimator, data)
    for fold in range(N_FOLDS):
        test, train = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        if not (len(test) and (data.weights[train] > 0).any()):
            continue
        part, held_out = data.take(train), data.take(test)
        trained = model._learnable(part)
        prepared = model._objective(part.select(trained)) if trained.any() else None
        fit = None
        for k, alpha in enumerate(alphas):
            fit = model.set_params(alpha=alpha)._fit_data(part, fit, prepared)
            losses[k] += _losses(model, held_out, fit)
    best_for_all = int(losses[:, learned].sum(axis=1).argmin())
    chosen = np.full(data.n_tasks, best_for_all)
    if per_task:
        enough = data.label_counts >= N_FOLDS
        chosen[enough] = losses.argmin(axis=0)[enough]
    mean = losses / np.maximum(data.per_task(data.weights), np.finfo(float).tiny)
    return Choice(alphas[chosen], alphas, mean)


def _folds(estimator: Any, data: TaskData) -> Array:
    """Fold numbers (n_samples,), the same for the same data."""
    rng = np.random.default_rng(0)
    by_class = is_classifier(estimator)
    if data.codes is not None:
        return assign_stacked(data.codes, data.y if by_class else None, N_FOLDS, rng)
    observed = np.where(data.weights > 0, (data.y + 1) / 2 if by_class else data.y, np.nan)
    return assign_shared(*label_strata(observed, by_class), N_FOLDS, rng)


def _losses(model: Any, data: TaskData, fit: Fit) -> Array:
    """The sum of weighted losses of each task (n_tasks,)."""
    Z = linear_predictor(data.X, data.codes, fit.coef, fit.intercept)
    return data.per_task(data.weights * model._get_loss().value(data.y, Z))
