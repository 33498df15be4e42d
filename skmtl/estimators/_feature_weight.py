"""Factors of the features, as users write them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.design import entries_by_name, refuse_mask


def read_feature_weight(estimator: Any, n_features: int) -> NDArray[np.float64] | None:
    """``feature_weight`` as an array (n_features,), None where all are one.

    Parameters
    ----------
    estimator : estimator
        One that has read X, so that it knows its columns' names.
    n_features : int
        How many features there are, the task column left out.

    Raises
    ------
    ValueError
        If it is not one finite number >= 0 per feature; if a dict or a Series names an unknown
        feature.
    """
    given = estimator.feature_weight
    if given is None:
        return None
    rule = f"The 'feature_weight' parameter of {type(estimator).__name__} must"
    refuse_mask(given, f"The 'feature_weight' of {type(estimator).__name__}", "Use 1 instead.")
    values = _by_name(estimator, given, n_features, rule)
    try:
        weights = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{rule} hold numbers ({error}), got {given!r:.200}. Pass one number per feature, or "
            f"of a data frame's features a dict of name to number."
        ) from error
    if weights.shape != (n_features,):
        extra = weights.shape == (n_features + 1,) and estimator.task_column is not None
        remedy = (
            "Leave out the number of the task column."
            if extra
            else "Give 1 where there is no preference, or name columns of a data frame in a dict."
        )
        raise ValueError(
            f"{rule} hold one number per feature, the task column left out: {n_features}; got "
            f"shape {weights.shape}. {remedy}"
        )
    if not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise ValueError(
            f"{rule} be finite and not negative, got {given!r:.200}. Use 0 for a feature that is "
            f"always in, 1 for no preference, and more for one that should stay out."
        )
    return None if (weights == 1).all() else weights


def _by_name(estimator: Any, given: Any, n_features: int, rule: str) -> Any:
    """The numbers of a dict or a Series in the order of the features, anything else as it is.

    Features that it does not name have 1.
    """
    columns = getattr(estimator, "feature_names_in_", None)
    features = list(range(n_features)) if columns is None else columns.tolist()
    column = estimator.task_column
    if columns is not None and column is not None:
        del features[features.index(column) if isinstance(column, str) else column]
    named = entries_by_name(given, features, rule.removesuffix(" must"))
    if named is None:
        return given
    unknown = [name for name in named if name not in features]
    if columns is None and (unknown or isinstance(given, dict)):
        raise ValueError(
            f"{rule} be an array of one number per feature where X has no column names, got a "
            f"{type(given).__name__}: {named!r:.200}. Pass X as a data frame whose column names "
            f"are strings, or an array."
        )
    if unknown:
        raise ValueError(
            f"{rule} name features of X, got unknown {unknown[:10]}. The features are "
            f"{features[:20]}{', ...' if len(features) > 20 else ''}, the task column left out; "
            f"those not named have the weight 1."
        )
    return [named.get(name, 1.0) for name in features]
