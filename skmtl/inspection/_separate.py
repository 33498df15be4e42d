"""Separate fits of tasks that have different losses."""

from dataclasses import replace
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin, clone, is_classifier

from skmtl.design import TaskData, in_task_order
from skmtl.estimators import Fit, IndependentTaskClassifier, IndependentTaskRegressor

# Not copied to a separate fit: what is tuned, what concerns several tasks, and what only controls
# the computation.
_NOT_COPIED = {"alpha", "intercept", "task_weight", "solver", "verbose", "warm_start", "loss"}


def loss_names(model: Any, tasks: list[Any]) -> list[str]:
    """The parameter ``loss`` for each task."""
    loss = getattr(model, "loss", "loss")
    if isinstance(loss, str):
        return [loss] * len(tasks)
    names: list[str] = in_task_order(loss, tasks, "loss")
    return names


def is_mixed(model: Any) -> bool:
    """Whether the parameter ``loss`` is one that the baselines for regression do not have."""
    loss = getattr(model, "loss", None)
    return isinstance(loss, dict) or (loss == "logistic" and not is_classifier(model))


def separate_ridge(estimator: Any, loss: str | None = None) -> Any:
    """The ridge of a single task, with the estimator's options and a strength by cross-validation.

    Parameters
    ----------
    estimator : estimator
    loss : str, optional
        The loss of the task, if it is not that of the estimator. With "logistic" the result is a
        classifier.
    """
    logistic = is_classifier(estimator) or loss == "logistic"
    kind = IndependentTaskClassifier if logistic else IndependentTaskRegressor
    own = clone(estimator).get_params(deep=False)
    left = _NOT_COPIED - {"loss"} if loss is None else _NOT_COPIED
    common = (set(kind._get_param_names()) & own.keys()) - left
    model = kind(alpha="cv", **{name: own[name] for name in common})
    return model if loss is None else model.set_params(loss=loss)


def of_one_task(data: TaskData, task: int) -> TaskData:
    """The data of one task, as if there were no others."""
    part = data.select(np.arange(data.n_tasks) == task)
    return replace(part, all_tasks=part.tasks, positions=np.zeros(1, dtype=np.intp))


class SeparateTasks(RegressorMixin, BaseEstimator):
    """A ridge for each task, with the task's own loss and a strength by cross-validation.

    Parameters
    ----------
    estimator : MultiTaskRegressor
        It reads the data, and its options are those of the ridges.
    """

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    def fit(self, X: Any, y: Any) -> Self:
        """Fit each task to its own labels."""
        self.model_ = clone(self.estimator)
        self.model_._validate_params()
        data = self.model_._read(X, y, None)
        names = loss_names(self.model_, data.tasks.tolist())
        coef = np.zeros((data.n_tasks, data.X.shape[1]), dtype=data.X.dtype)
        intercept = np.zeros(data.n_tasks)
        unscaled = replace(data, scales=None)
        for task, name in enumerate(names):
            model = separate_ridge(self.model_, name)
            found = model._fit_data(of_one_task(unscaled, task))
            coef[task], intercept[task] = found.coef[0], found.intercept[0]
        learned = np.ones(data.n_tasks, dtype=bool)
        self.model_._set_fit(data, Fit(coef, intercept, np.nan, np.nan, 1, learned))
        return self

    def predict(self, X: Any) -> Any:
        """Predict by each task's own fit."""
        return self.model_.predict(X)
