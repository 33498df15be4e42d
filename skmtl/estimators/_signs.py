"""Validate ``positive``."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.design import refuse_mask
from skmtl.estimators._feature_weight import by_feature_name

# The rule and type of the parameter.
POSITIVE = (
    ["boolean", "array-like", dict],
    "bool, array-like of shape (n_features,), dict or Series",
)


def read_signs(estimator: Any, n_features: int) -> NDArray[np.float64] | None:
    """The signs that ``positive`` allows (n_features,): +1, -1, or 0 for both; None if all are 0.

    Parameters
    ----------
    estimator : estimator
        It has read X, so that the names of the columns are known.
    n_features : int
        Number of features, without the task column.

    Raises
    ------
    ValueError
        If it is neither a bool nor one of +1, -1 and 0 for each feature, or if a dict or a Series
        names an unknown feature.
    """
    given = estimator.positive
    if isinstance(given, (bool, np.bool_)):
        return np.ones(n_features) if given else None
    rule = f"The 'positive' parameter of {type(estimator).__name__} must"
    refuse_mask(given, f"The 'positive' of {type(estimator).__name__}", "Use 0 instead.")
    values = by_feature_name(estimator, given, n_features, rule, ("sign", 0.0))
    remedy = (
        "Use +1 for coefficients that must not be negative, -1 for those that must not be "
        "positive, and 0 for others"
    )
    try:
        signs = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{rule} hold signs ({error}), got {given!r:.200}. {remedy}.") from error
    if signs.shape != (n_features,):
        extra = signs.shape == (getattr(estimator, "n_features_in_", None),)
        remedy = "Leave out the sign of the task column (and of offsets)" if extra else remedy
        raise ValueError(
            f"{rule} be a bool, or hold one sign per feature, without the task column: "
            f"{n_features}; got shape {signs.shape}. {remedy}."
        )
    if not np.isin(signs, (-1, 0, 1)).all():
        raise ValueError(f"{rule} hold +1, -1 and 0 only, got {given!r:.200}. {remedy}.")
    return signs if signs.any() else None


def given_signs(signs: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
    """The ``signs`` of a penalty, which for None are all +1 and allow faster algorithms."""
    return None if signs is None or (signs == 1).all() else signs


def read_positive(estimator: Any, n_features: int) -> Any:
    """``positive`` as a bool or an array by position."""
    signs = read_signs(estimator, n_features)
    return False if signs is None else signs
