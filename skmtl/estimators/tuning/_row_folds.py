"""Folds by rows: the objective of a training set is computed from its rows."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.design import TaskData, weigh_classes
from skmtl.estimators.tuning._fold import Fold, Judge, Measure
from skmtl.estimators.tuning._path import prepare_objective
from skmtl.objective import BaseObjective

Array = NDArray[Any]


class RowFolds:
    """Computes a fold's objective from its rows, with labels and weights as in all data.

    Parameters
    ----------
    data : TaskData
        All rows.
    measure : Measure
    """

    def __init__(self, data: TaskData, measure: Measure) -> None:
        self.data, self.measure = data, measure

    def __call__(self, model: Any, fold: Fold) -> tuple[TaskData, BaseObjective | None, Judge]:
        part = self._training_data(model, fold)
        return part, prepare_objective(model, part), self.measure(fold, part)

    def _training_data(self, model: Any, fold: Fold) -> TaskData:
        return self.data.take(fold.train)


class SeparateFolds(RowFolds):
    """Computes a fold's objective as a fit to its training rows alone would.

    Labels are scaled by the standard deviations of the training labels, and balanced class weights
    are computed from them.

    Parameters
    ----------
    data : TaskData
        All rows, with the labels' weights before ``class_weight="balanced"``.
    measure : Measure
    """

    def _training_data(self, model: Any, fold: Fold) -> TaskData:
        part = self.data.take(fold.train)
        if self.data.scales is not None:
            raw = replace(part, y=part.y * part.spread(self.data.scales), scales=None)
            part = model._standardised(raw)
        if getattr(model, "class_weight", None) == "balanced":
            part = weigh_classes(part, "balanced", np.array([0, 1]))
        absent = part.label_counts == 0
        if absent.any():
            check_absent_tasks(model, self.data, fold, absent)
        return part


def check_absent_tasks(model: Any, data: TaskData, fold: Fold, absent: Array) -> None:
    """Raise if a task has no training label, unless the average task predicts it."""
    stacked = data.codes is not None
    if stacked and model.unknown_task != "error":
        return
    if stacked:
        absent = absent & (data.take(fold.test).label_counts > 0)
        if not absent.any():
            return
    if data.condensed is not None:
        raise ValueError(
            f"While the statistics of one fold are held out, the others hold no label of the tasks "
            f"{data.tasks[absent].tolist()[:10]}. Split the rows so that each fold holds labels of "
            f"every task, or leave these tasks out."
        )
    column = f"task_column={model.task_column!r}" if stacked else ""
    also = ", or unknown_task='mean'" if stacked else ""
    raise ValueError(
        f"The training rows of fold {fold.number} hold no label of the tasks "
        f"{data.tasks[absent].tolist()[:10]}. Use cv=5 or cv=StratifiedTaskKFold({column}), which "
        f"keep every task in every training set{also}."
    )
