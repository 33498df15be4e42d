"""The known part of the linear predictors: offsets, and those of coefficients to shrink towards."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.design import (
    TaskData,
    align_columns,
    as_floats,
    feature_names,
    in_task_order,
    index_of,
    is_frame,
    refuse_mask,
)
from skmtl.estimators.base._linear import linear_predictor

Array = NDArray[Any]


def apart_from_known(estimator: Any, data: TaskData) -> TaskData:
    """The data in which only the unknown part of the predictors is to be fitted.

    The loss of :math:`x (w_0 + d) + b + o` is that of :math:`x d + b` with a larger offset. Where
    the loss depends on y - z, the known part is subtracted from the labels, otherwise it is kept
    as an offset.
    """
    prior = read_prior(estimator, data)
    if prior is None and data.offset is None:
        return data
    return around_prior(estimator, data, prior)


def around_prior(estimator: Any, data: TaskData, prior: Array | None) -> TaskData:
    """The data of the deviations from coefficients (n_tasks, n_features), in the units of the data.

    Their predictors are added to the offsets of the data.
    """
    known = np.zeros(data.y.shape) if data.offset is None else data.offset
    if prior is not None:
        known = known + linear_predictor(data.X, data.codes, prior, np.zeros(data.n_tasks))
    loss = estimator._get_loss()
    translates = np.array([loss.column(task).translates for task in data.positions])
    return data.around(prior, known, translates)


def read_prior(estimator: Any, data: TaskData) -> Array | None:
    """``prior_coef`` as an array (n_tasks, n_features), or None."""
    given = getattr(estimator, "prior_coef", None)
    if given is None:
        return None
    what = f"The 'prior_coef' parameter of {type(estimator).__name__}"
    _refuse_signs(estimator, what)
    refuse_mask(given, what, "Fill it with zeros.")
    n_features = data.X.shape[1]
    prior = as_floats(_by_name(estimator, given, data.tasks.tolist(), n_features), "prior_coef")
    shapes = [(n_features,), (data.n_tasks, n_features)]
    if prior.shape not in shapes:
        raise ValueError(
            f"{what} must have the shape of coef_, {shapes[1]}, or {shapes[0]} for all tasks, got "
            f"{prior.shape}. Columns of X that are not features have no coefficient."
        )
    if not np.isfinite(prior).all():
        raise ValueError(f"{what} must be finite. Use 0 for features without a known coefficient.")
    return np.array(np.broadcast_to(prior, shapes[1]))


def _by_name(estimator: Any, given: Any, tasks: list[Any], n_features: int) -> Any:
    """Labelled coefficients in the order of the tasks and of the features; others unchanged."""
    features, labels = feature_names(estimator, n_features), None
    given = align_columns(given, features, "prior_coef", "feature")
    if is_frame(given):
        labels, given = index_of(given), given.to_numpy()
    if labels is not None:
        given = dict(zip(labels, given, strict=True))
    if not isinstance(given, dict):
        return in_task_order(given, features, "prior_coef", "feature")
    rows = in_task_order(given, tasks, "prior_coef")
    return np.array([in_task_order(row, features, "prior_coef", "feature") for row in rows])


def _refuse_signs(estimator: Any, what: str) -> None:
    """Raise if the signs of some coefficients are restricted."""
    penalty = getattr(estimator, "penalty", None)
    positive = getattr(estimator, "positive", False)
    signs = list(positive.values()) if isinstance(positive, dict) else np.ravel(positive).tolist()
    if any(signs) or getattr(penalty, "is_positive", False):
        raise ValueError(
            f"{what} cannot be combined with a constraint on the signs: the deviations from "
            f"prior_coef are fitted, and their signs are not those of the coefficients. Set "
            f"positive=False, or prior_coef=None."
        )
