"""Losses of held-out labels as scores of fits to the other rows."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier

from skmtl.design import TaskData
from skmtl.estimators.base import Fit, linear_predictor
from skmtl.estimators.tuning._fold import Fold, Judge
from skmtl.losses import Loss

Array = NDArray[Any]


class TaskLosses:
    """Minus the weighted sum of the estimator's losses for each task (n_tasks,).

    Parameters
    ----------
    data : TaskData
        All rows.
    """

    def __init__(self, data: TaskData) -> None:
        self.data = data

    def __call__(self, fold: Fold, part: TaskData) -> Judge:
        held_out = self.data.take(fold.test)

        def judge(model: Any, fit: Fit) -> Array:
            Z = linear_predictor(
                held_out.X, held_out.codes, fit.coef, fit.intercept, held_out.offset
            )
            losses = model._get_loss().columns(held_out.positions).value(held_out.y, Z)
            return -held_out.per_task(held_out.weights * losses)

        return judge


class HeldOutLoss:
    """Minus the weighted mean loss of the held-out labels.

    For regressors the loss is the squared error of ``predict`` (with the quantile loss, that loss),
    in the labels' own units or, with ``scale_tasks``, in the tasks' standard deviations. For
    classifiers it is the estimator's loss.

    Parameters
    ----------
    data : TaskData
        All rows.
    """

    def __init__(self, data: TaskData) -> None:
        self.data = data

    def __call__(self, fold: Fold, part: TaskData) -> Judge:
        held_out = self.data.take(fold.test)
        weights = held_out.weights

        def judge(model: Any, fit: Fit) -> float:
            loss = model._get_loss().columns(held_out.positions)
            Z = held_out_predictors(loss, fit, part, held_out)
            if is_classifier(model):
                losses = loss.value(held_out.y, Z)
            else:
                losses = loss.held_out_loss(held_out.y, Z)
            # With the multinomial loss a row has one weight, repeated for each class.
            counted = weights[:, :1] if loss.couples_tasks else weights
            return -float((weights * losses).sum() / counted.sum())

        return judge


def held_out_predictors(loss: Loss, fit: Fit, part: TaskData, held_out: TaskData) -> Array:
    """The linear predictors of held-out labels, in the units of their own data.

    Parameters
    ----------
    loss : Loss
        That of the tasks of ``held_out``.
    fit : Fit
    part : TaskData
        What ``fit`` was fitted to.
    held_out : TaskData
    """
    coef, intercept, absent = fit.coef, fit.intercept, part.label_counts == 0
    if part.scales is not None and held_out.scales is not None:
        coef, intercept = loss.rescale(coef, intercept, part.scales / held_out.scales)
    if absent.any():
        coef, intercept = _average_absent(coef, intercept, absent, fit.learned)
    Z = linear_predictor(held_out.X, held_out.codes, coef, intercept, held_out.offset)
    return Z.astype(np.float64)


def _average_absent(
    coef: Array, intercept: Array, absent: Array, learned: Array
) -> tuple[Array, Array]:
    """Use the average task for tasks without training labels, as predict does for unknown tasks."""
    known = learned if learned.any() else ~absent
    coef, intercept = coef.copy(), intercept.copy()
    coef[absent], intercept[absent] = coef[known].mean(axis=0), intercept[known].mean()
    return coef, intercept
