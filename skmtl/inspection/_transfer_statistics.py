"""The losses that transfer_gain compares, from the statistics of folds instead of rows."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from skmtl._warnings import gather_warnings
from skmtl.design import Parts, TaskData, look_up_tasks
from skmtl.estimators import (
    TaskEstimator,
    linear_predictor,
    part_folds,
)
from skmtl.inspection._task_problem import best_alpha
from skmtl.inspection._transfer_models import is_tuned

Array = NDArray[Any]


class StatisticsFolds:
    """The held-out squared errors of models, each part of the data once the test set.

    Parameters
    ----------
    models : dict of estimators
    parts : Parts
    tune : bool
        Whether to select ``alpha``, by cross-validation over the other parts.

    Attributes
    ----------
    names : ndarray of shape (n_tasks,)
    n_labels : int ndarray of shape (n_tasks,)
    n_test, n_train : int ndarrays of shape (n_parts, n_tasks)

    Raises
    ------
    TypeError
        If a model cannot be fitted from statistics.
    ValueError
        If there are fewer than three parts, so that those in training cannot be folds again.
    """

    def __init__(self, models: dict[str, Any], parts: Parts, *, tune: bool) -> None:
        for name, model in models.items():
            if not hasattr(model, "fit_statistics"):
                raise TypeError(
                    f"{name or 'The estimator'}, a {type(model).__name__}, cannot be fitted from "
                    f"statistics. Pass the rows X and y, or an estimator with loss='squared'."
                )
        if len(parts) < 3:
            raise ValueError(
                f"transfer_gain needs the statistics of 3 or more folds, got {len(parts)}: one is "
                f"held out, and the others cross-validate. Split the rows into more parts."
            )
        self.models, self.parts, self.tune = models, parts, tune
        reader = clone(next(iter(models.values())))
        data: TaskData = parts.data_of(reader)
        assert data.condensed is not None
        rows = [data.condensed.parts == number for number in range(len(parts))]
        self.names = data.tasks
        self.n_labels = data.label_counts
        self._tests = [data.take(np.flatnonzero(own)) for own in rows]
        self.n_test = np.array([test.label_counts for test in self._tests])
        self.n_train = self.n_labels - self.n_test

    def losses(self) -> Array:
        """The mean squared errors (n_models, n_parts, n_tasks); NaN without held-out labels."""
        found = np.full((len(self.models), len(self.parts), len(self.names)), np.nan)
        for number, test in enumerate(self._tests):
            training = Parts([one for k, one in enumerate(self.parts.given) if k != number])
            for place, model in enumerate(self.models.values()):
                fitted = self._fitted(model, training)
                found[place, number] = _squared_errors(fitted, test)
        return found

    def _fitted(self, model: Any, training: Parts) -> Any:
        """A clone of the model that is fitted to the training parts."""
        model = clone(model)
        if self.tune and is_tuned(model, grouped=False):
            model.set_params(alpha=_selected(model, training))
        return model.fit_statistics(training.given)


def _selected(model: TaskEstimator, training: Parts) -> float:
    """The ``alpha`` with the lowest mean squared error of held-out labels, part by part."""
    model = clone(model).set_params(alpha=1.0)
    with gather_warnings():
        data = model._read(training, None, None)
    return best_alpha(model, data, part_folds(data, type(model).__name__)[0])


def _squared_errors(model: Any, test: TaskData) -> Array:
    """The mean squared error of each task (n_tasks,) on rows with the sums of the test set."""
    places = look_up_tasks(np.atleast_1d(model.tasks_), test.tasks)
    known = places >= 0
    coef, intercept = np.atleast_2d(model.coef_)[places], np.atleast_1d(model.intercept_)[places]
    predicted = linear_predictor(test.X, test.codes, coef, intercept)
    sums, totals = test.per_task(test.weights * (test.y - predicted) ** 2), test.totals
    errors = np.full(test.n_tasks, np.nan)
    np.divide(sums, totals, out=errors, where=(totals > 0) & known)
    return errors
