"""Experts: fits whose alpha is selected by cross-validation, with their held-out predictors."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.design import TaskData
from skmtl.estimators import (
    SILENT,
    FitTask,
    Fold,
    HeldOutLoss,
    predict_folds,
    search_grids,
)

Array = NDArray[Any]


@dataclass(frozen=True)
class Expert:
    """A fit to some of the tasks, and what fits without a fold predict for its labels.

    Attributes
    ----------
    alpha : float
        The selected strength.
    coef, intercept : arrays of shape (n_tasks, n_features) and (n_tasks,)
        NaN for tasks that it was not fitted to.
    learned : bool array of shape (n_tasks,)
        The tasks that entered the objective.
    n_iter : int
    held_out : array
        The linear predictors of the rows of all folds, one after another, in the labels' shape;
        NaN for tasks that it was not fitted to.
    """

    alpha: float
    coef: Array
    intercept: Array
    learned: Array
    n_iter: int
    held_out: Array

    def completed(self, own: "Expert") -> "Expert":
        """The expert with the own fits of the tasks that it lacks."""
        known = ~np.isnan(self.intercept)
        return replace(
            self,
            coef=np.where(known[:, None], self.coef, own.coef),
            intercept=np.where(known, self.intercept, own.intercept),
            learned=np.where(known, self.learned, own.learned),
            held_out=np.where(np.isnan(self.held_out), own.held_out, self.held_out),
        )


@dataclass(frozen=True)
class Training:
    """What all experts are fitted to.

    Attributes
    ----------
    data : TaskData
    unbalanced : TaskData
        The data without balanced class weights, which are computed for each training set.
    folds : sequence of Fold
    n_alphas : int
        The size of each expert's grid.
    n_jobs : int or None
        Number of threads.
    task : FitTask
        The fit of all experts, which callbacks may follow.
    """

    data: TaskData
    unbalanced: TaskData
    folds: Sequence[Fold]
    n_alphas: int
    n_jobs: int | None
    task: FitTask = SILENT

    @property
    def rows(self) -> Array:
        """The rows of all folds, one after another."""
        return np.concatenate([fold.test for fold in self.folds])

    def select(self, chosen: Array) -> "Training":
        """The same for the tasks where ``chosen`` (n_tasks,) is true; some folds may be empty."""
        part = replace(
            self, data=self.data.select(chosen), unbalanced=self.unbalanced.select(chosen)
        )
        if self.data.codes is None or chosen.all():
            return part
        kept = chosen[self.data.codes]
        places = np.cumsum(kept) - 1
        folds = [
            replace(
                fold,
                train=places[fold.train[kept[fold.train]]],
                test=places[fold.test[kept[fold.test]]],
            )
            for fold in self.folds
        ]
        return replace(part, folds=folds)

    def fit(self, models: list[Any], name: str) -> Expert:
        """Select one of the models and its alpha, and fit it.

        Parameters
        ----------
        models : list of estimators
            They differ only in their penalty.
        name : str
            Of the task that callbacks follow.
        """
        task = self.task.subtask(name, 1)
        folds = [fold for fold in self.folds if self.data.weights[fold.test].any()]
        for model in models:
            model.alpha = 1.0
        found = search_grids(
            models,
            self.data,
            folds,
            HeldOutLoss(self.data),
            unbalanced=self.unbalanced,
            alphas=self.n_alphas,
            eps=None,
            rule="best",
            n_jobs=self.n_jobs,
            task=task,
        )
        model, alpha = models[found.choice.row], found.alpha
        kept = predict_folds(
            model, alpha, self.data, folds, unbalanced=self.unbalanced, n_jobs=self.n_jobs
        )
        model.alpha = alpha
        fit = model._fit_data(self.data, prepared=found.prepared)
        known = {fold.number: Z for fold, Z in zip(folds, kept, strict=True)}
        held_out = [
            known.get(fold.number, np.full(self.data.y[fold.test].shape, np.nan))
            for fold in self.folds
        ]
        predictors = np.concatenate(held_out)
        task.end()
        return Expert(alpha, fit.coef, fit.intercept, fit.learned, fit.n_iter, predictors)

    def fit_part(self, models: list[Any], chosen: Array) -> Expert:
        """The same with the tasks where ``chosen`` (n_tasks,) is true alone."""
        found = self.select(chosen).fit(models, "shared fit of the tasks that gain")
        if chosen.all():
            return found
        n_tasks = len(chosen)
        coef = np.full((n_tasks, found.coef.shape[1]), np.nan, dtype=found.coef.dtype)
        intercept, learned = np.full(n_tasks, np.nan), np.zeros(n_tasks, dtype=bool)
        coef[chosen], intercept[chosen] = found.coef, found.intercept
        learned[chosen] = found.learned
        rows = self.rows
        held_out = np.full(self.data.y[rows].shape, np.nan)
        if self.data.codes is None:
            held_out[:, chosen] = found.held_out
        else:
            held_out[chosen[self.data.codes[rows]]] = found.held_out
        return Expert(found.alpha, coef, intercept, learned, found.n_iter, held_out)
