"""Validate ``feature_groups``."""

from collections.abc import Iterable
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.design import describe_names, entries_by_name, feature_names, refuse_mask

# The rule, type and text of the parameter.
FEATURE_GROUPS = (
    ["array-like", dict, None],
    "array-like of shape (n_features,), list of lists, dict or None",
    r"""
    Groups of features, each of which enters for all tasks together: a label for each feature
    (without the task column); or a list of the features of each group, by column name of a data
    frame or by position; or a dict of such lists by the name of the group. Features that are in
    none of the lists are groups of one. Groups must not overlap. None: each feature is a group.
    """,
)


def read_feature_groups(estimator: Any, n_features: int) -> NDArray[np.intp] | None:
    """``feature_groups`` as integers (n_features,), or None if each feature is a group.

    Parameters
    ----------
    estimator : estimator
        It has read X, so that the names of the columns are known.
    n_features : int
        Number of features, without the task column.

    Raises
    ------
    ValueError
        If groups overlap or name unknown features, or if there is not one label per feature.
    """
    given = estimator.feature_groups
    if given is None:
        return None
    rule = f"The 'feature_groups' parameter of {type(estimator).__name__} must"
    refuse_mask(given, f"The 'feature_groups' of {type(estimator).__name__}", "Use one label.")
    if not isinstance(given, dict):
        given = _in_order(given, feature_names(estimator, n_features), rule)
    groups = list(given.values()) if isinstance(given, dict) else list(given)
    if isinstance(given, dict) or any(_is_list(group) for group in groups):
        codes = _of_lists(groups, feature_names(estimator, n_features), rule)
    else:
        # Models within searches have not read X.
        n_columns = getattr(estimator, "n_features_in_", n_features)
        codes = _of_labels(groups, n_features, n_columns, rule)
    numbers, codes = np.unique(codes, return_inverse=True)
    return None if len(numbers) == n_features else codes


def check_group_weights(
    estimator: Any, groups: NDArray[np.intp] | None, weights: NDArray[Any] | None
) -> None:
    """Raise if ``feature_weight`` differs within a group, whose norm it multiplies."""
    if groups is None or weights is None:
        return
    for group in np.unique(groups):
        different = weights[groups == group]
        if (different != different[0]).any():
            raise ValueError(
                f"The 'feature_weight' parameter of {type(estimator).__name__} must be equal for "
                f"the features of a group, since it multiplies the group's norm; got "
                f"{different.tolist()!s:.200}. Use their mean, or scale the features."
            )


def _in_order(given: Any, features: list[Any], rule: str) -> Any:
    """The labels of a pandas Series in the order of the features; other values unchanged."""
    named = entries_by_name(given, features, rule.removesuffix(" must"))
    if named is None:
        return given
    missing = [name for name in features if name not in named]
    extra = [name for name in named if name not in features]
    if missing or extra:
        raise ValueError(
            f"{rule} name every feature of X once: it {describe_names(missing, extra)}. Pass the "
            f"labels in the order of the features, or a dict of lists."
        )
    return [named[name] for name in features]


def _is_list(group: Any) -> bool:
    return isinstance(group, Iterable) and not isinstance(group, (str, bytes))


def _of_labels(labels: list[Any], n_features: int, n_columns: int, rule: str) -> NDArray[np.intp]:
    """The groups from a label for each feature."""
    if len(labels) != n_features:
        extra = len(labels) == n_columns
        aside = "Leave out the label of the task column (and of offsets)"
        remedy = aside if extra else "Pass lists of features"
        raise ValueError(
            f"{rule} hold one label per feature, without the task column: {n_features}; got "
            f"{len(labels)}. {remedy}."
        )
    missing = [place for place, label in enumerate(labels) if label is None or label != label]
    if missing:
        raise ValueError(
            f"{rule} hold a label for each feature; those at {missing[:10]} are missing. Give a "
            f"feature that belongs to no other a label of its own."
        )
    codes: dict[Any, int] = {}
    return np.array([codes.setdefault(label, len(codes)) for label in labels], dtype=np.intp)


def _of_lists(groups: list[Any], features: list[Any], rule: str) -> NDArray[np.intp]:
    """The groups from a list of features for each; other features are groups of their own."""
    if not all(_is_list(group) for group in groups):
        raise ValueError(
            f"{rule} hold a list of features for each group, or one label for each feature; got a "
            f"mixture: {groups!r:.200}. Put single features into lists too."
        )
    places = {name: place for place, name in enumerate(features)}
    codes = np.arange(len(groups), len(groups) + len(features))
    for number, group in enumerate(groups):
        for name in group:
            place = _place(name, places, rule)
            if codes[place] == number:
                raise ValueError(f"{rule} name a feature once per group, got {name!r} twice.")
            if codes[place] < len(groups):
                raise ValueError(
                    f"{rule} not overlap; feature {features[place]!r} is in several groups. Keep "
                    f"it in one of them, or repeat its column in X under another name, once for "
                    f"each group (the latent group lasso)."
                )
            codes[place] = number
    return codes


def _place(name: Any, places: dict[Any, int], rule: str) -> int:
    """The position of a feature that is given by name or by position."""
    if name in places:
        return places[name]
    if isinstance(name, Integral) and 0 <= int(name) < len(places):
        return int(name)
    names = list(places)
    raise ValueError(
        f"{rule} name features of X, by column name or by position from 0 without the task column; "
        f"got {name!r}. The features are {names[:20]}{', ...' if len(names) > 20 else ''}."
    )
