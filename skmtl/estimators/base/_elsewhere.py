"""Errors for parameters that only some families have, which name these families."""

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


def explain_missing(cls: type, name: str) -> str | None:
    """Why a class lacks a parameter that other families have, or None if none has it."""
    if name not in _FAMILIES:
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
