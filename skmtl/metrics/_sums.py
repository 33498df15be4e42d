"""Scores of all tasks at once, where they are functions of sums over a task's labels.

scikit-learn's metrics validate their input anew for each task, which takes a thousand times as long
as the sums of a small task.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import sklearn.metrics as skm
from numpy.typing import NDArray

Array = NDArray[Any]
# The sums of values over each task's labels.
Sum = Callable[[Array], Array]


def _r2(truth: Array, predicted: Array, codes: Array, weight: Array, add: Sum) -> Array:
    left = add(weight * (truth - predicted) ** 2)
    return _explained(left, _variation(truth, codes, weight, add))


def _explained_variance(
    truth: Array, predicted: Array, codes: Array, weight: Array, add: Sum
) -> Array:
    left = _variation(truth - predicted, codes, weight, add)
    return _explained(left, _variation(truth, codes, weight, add))


def _rmse(truth: Array, predicted: Array, codes: Array, weight: Array, add: Sum) -> Array:
    return np.asarray(np.sqrt(_ratio(add(weight * (truth - predicted) ** 2), add(weight))))


def _accuracy(truth: Array, predicted: Array, codes: Array, weight: Array, add: Sum) -> Array:
    return _ratio(add(weight * (truth == predicted)), add(weight))


def _explained(left: Array, total: Array) -> Array:
    """1 - left / total; where nothing varies, 1 if nothing is left and otherwise 0."""
    score = np.where(left == 0, 1.0, 0.0)
    varies = total != 0
    score[varies] = 1 - left[varies] / total[varies]
    return score


def _variation(values: Array, codes: Array, weight: Array, add: Sum) -> Array:
    """The sum of squares of each task about its mean, exactly zero if the values are all equal."""
    means = _ratio(add(weight * values), add(weight))
    # The rounded mean of equal values may differ from them.
    some = np.empty_like(means)
    some[codes] = values
    varies = add(values != some[codes]) > 0
    return np.where(varies, add(weight * (values - means[codes]) ** 2), 0.0)


def _ratio(sums: Array, totals: Array) -> Array:
    out = np.full(len(sums), np.nan)
    np.divide(sums, totals, out=out, where=totals > 0)
    return out


_AT_ONCE: dict[Any, Callable[..., Array]] = {
    skm.r2_score: _r2,
    skm.explained_variance_score: _explained_variance,
    skm.root_mean_squared_error: _rmse,
    skm.accuracy_score: _accuracy,
}


def scores_at_once(
    metric: Callable[..., float],
    truth: Array,
    predicted: Array,
    codes: Array,
    weight: Array | None,
    n_tasks: int,
) -> Array | None:
    """The scores (n_tasks,), or None if the metric must be called for each task.

    Parameters
    ----------
    metric : callable
    truth, predicted : ndarrays of shape (n_labels,)
    codes : int ndarray of shape (n_labels,)
        The task of each label.
    weight : ndarray of shape (n_labels,) or None
    n_tasks : int
    """
    known = _AT_ONCE.get(metric)
    if known is None or predicted.ndim != 1:
        return None
    if metric is not skm.accuracy_score:
        numbers = all(values.dtype.kind in "biuf" for values in (truth, predicted))
        if not (numbers and np.isfinite(truth).all() and np.isfinite(predicted).all()):
            return None  # for scikit-learn's messages
        truth, predicted = truth.astype(np.float64), predicted.astype(np.float64)
    elif truth.dtype.kind != predicted.dtype.kind:
        return None
    weight = np.ones(len(truth)) if weight is None else weight

    def add(values: Array) -> Array:
        return np.bincount(codes, values, n_tasks)

    return known(truth, predicted, codes, weight, add)
