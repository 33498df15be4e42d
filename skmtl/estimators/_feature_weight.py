"""Validate ``feature_weight``."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.design import entries_by_name, feature_names, refuse_mask


def read_feature_weight(estimator: Any, n_features: int) -> NDArray[np.float64] | None:
    """``feature_weight`` as an array (n_features,), or None if all are 1.

    Parameters
    ----------
    estimator : estimator
        It has read X, so that the names of the columns are known.
    n_features : int
        Number of features, without the task column.

    Raises
    ------
    ValueError
        If it does not hold one finite number >= 0 per feature, or if a dict or a Series names an
        unknown feature.
    """
    given = estimator.feature_weight
    if given is None:
        return None
    rule = f"The 'feature_weight' parameter of {type(estimator).__name__} must"
    refuse_mask(given, f"The 'feature_weight' of {type(estimator).__name__}", "Use 1 instead.")
    values = by_feature_name(estimator, given, n_features, rule, ("weight", 1.0))
    try:
        weights = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{rule} hold numbers ({error}), got {given!r:.200}. Pass one number per feature, or "
            f"a dict of numbers by column name of a data frame."
        ) from error
    if weights.shape != (n_features,):
        extra = weights.shape == (getattr(estimator, "n_features_in_", None),)
        remedy = (
            "Leave out the number for the task column (and for offsets)."
            if extra
            else "Use 1 for no preference, or pass a dict by column name of a data frame."
        )
        raise ValueError(
            f"{rule} hold one number per feature, without the task column: {n_features}; got "
            f"shape {weights.shape}. {remedy}"
        )
    if not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise ValueError(
            f"{rule} be finite and not negative, got {given!r:.200}. Use 0 for a feature that is "
            f"always selected, 1 for no preference, and more for a feature that is less likely to "
            f"matter."
        )
    return None if (weights == 1).all() else weights


def by_feature_name(
    estimator: Any, given: Any, n_features: int, rule: str, default: tuple[str, float]
) -> Any:
    """The numbers of a dict or a Series in the order of the features; other values unchanged.

    ``rule`` begins the error messages; ``default`` is the name and the number for features that are
    not named.
    """
    features = feature_names(estimator, n_features)
    columns = getattr(estimator, "feature_names_in_", None)
    named = entries_by_name(given, features, rule.removesuffix(" must"))
    if named is None:
        return given
    unknown = [name for name in named if name not in features]
    if columns is None and (unknown or isinstance(given, dict)):
        raise ValueError(
            f"{rule} be an array of one number per feature if X has no column names, got a "
            f"{type(given).__name__}: {named!r:.200}. Pass X as a data frame whose column names "
            f"are strings, or an array."
        )
    if unknown:
        raise ValueError(
            f"{rule} name features of X, got unknown {unknown[:10]}. The features are "
            f"{features[:20]}{', ...' if len(features) > 20 else ''}, without the task column; "
            f"features that are not named have the {default[0]} {default[1]:g}."
        )
    return [named.get(name, default[1]) for name in features]
