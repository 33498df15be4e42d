"""Errors for parameters that only some families have, which name these families."""

from collections.abc import Collection
from typing import Any

import numpy as np

_NORMS = ("BlockSparse", "CappedBlockSparse", "DirtyModel", "GraphRegularized", "TreeGuided")

# The families that have a parameter, why the others lack it, and what can replace it.
_FAMILIES = {
    "positive": (
        (*_NORMS, "IndependentTask", "PooledTask"),
        "signs can only be restricted if the penalty depends on the absolute values of the "
        "coefficients alone",
        "For other such norms use MultiTaskRegressor(penalty=Positive(...))",
    ),
    "feature_weight": (
        _NORMS,
        "weights multiply the norm of each row of the coefficients",
        "In other families scale the features",
    ),
    "feature_groups": (
        ("BlockSparse", "CappedBlockSparse"),
        "groups share a norm",
        "For groups of tasks use TreeGuidedRegressor",
    ),
}


def explain_missing(cls: type, names: Collection[str], own: Collection[str]) -> str | None:
    """Why a class lacks one of the names among its own, if other families have it; else None."""
    name = next((name for name in _FAMILIES if name in names and name not in own), None)
    if name is None:
        return None
    families, why, instead = _FAMILIES[name]
    having = [f"{family}*" for family in families]
    return (
        f"{cls.__name__} has no parameter {name!r}: {why}. It is a parameter of "
        f"{', '.join(having[:-1])} and {having[-1]}. {instead}."
    )


def explain_alpha(model: Any) -> str | None:
    """Why ``alpha`` must be one number, if there is one for each task; else None."""
    alpha: Any = getattr(model, "alpha", None)
    if isinstance(alpha, str) or not (isinstance(alpha, dict) or np.ndim(alpha) > 0):
        return None
    return (
        f"The 'alpha' parameter of {type(model).__name__} must be one number, got one for each of "
        f"{len(alpha)} tasks: the tasks share its penalty, which is no sum with a strength for "
        f"each. IndependentTaskRegressor and IndependentTaskClassifier accept one for each "
        f"task. To shrink some tasks more than others, give their labels less weight: task_weight."
    )
