"""The models that transfer_gain compares: baselines, and the tuning of all models."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier
from sklearn.model_selection import GridSearchCV
from sklearn.model_selection._split import GroupsConsumerMixin
from sklearn.pipeline import Pipeline
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import has_fit_parameter

from skmtl.estimators import (
    IndependentTaskClassifier,
    IndependentTaskRegressor,
    PooledTaskClassifier,
    PooledTaskRegressor,
    Search,
    TaskEstimator,
    ridge_grid,
)
from skmtl.model_selection import AlphaSearchCV, StratifiedTaskKFold, alpha_max

N_INNER_FOLDS = 5
N_ALPHAS = 13

# The regressor and the classifier of each named baseline.
_NAMED: dict[str, tuple[type, type]] = {
    "independent": (IndependentTaskRegressor, IndependentTaskClassifier),
    "pooled": (PooledTaskRegressor, PooledTaskClassifier),
}
# Not copied to a baseline: its strength is tuned, the others only control the computation.
_NOT_COPIED = {"alpha", "max_iter", "tol", "warm_start", "solver", "verbose"}


def find_task_column(estimator: Any) -> str | int | None:
    """The task column in the X that ``estimator`` takes; None for the shared layout.

    For a pipeline it is that of the first step that has one, since steps may move the column.
    """
    if isinstance(estimator, Pipeline):
        columns = [find_task_column(step) for _, step in estimator.steps]
        return next((column for column in columns if column is not None), None)
    column = getattr(estimator, "task_column", None)
    inner = getattr(estimator, "estimator", None)
    return find_task_column(inner) if column is None and inner is not None else column


def find_last(estimator: Any) -> Any:
    """The model within pipelines, searches and meta-estimators."""
    if isinstance(estimator, Pipeline):
        return find_last(estimator.steps[-1][1])
    inner = getattr(estimator, "estimator", None)
    return estimator if inner is None else find_last(inner)


def read_baselines(baselines: Any, estimator: Any) -> dict[str, Any]:
    """Unfitted baselines by name.

    Parameters
    ----------
    baselines : str, sequence of str and (name, estimator) pairs, or dict
    estimator : estimator
        The source of the named baselines' parameters and preprocessing.

    Raises
    ------
    ValueError
        If there is no baseline, a name is unknown or occurs twice, or a baseline is not an
        estimator.
    """
    if isinstance(baselines, str):
        baselines = [baselines]
    if not isinstance(baselines, Iterable):
        raise ValueError(_not_a_baseline(baselines))
    entries = list(baselines.items() if isinstance(baselines, Mapping) else baselines)
    found: dict[str, Any] = {}
    for entry in entries:
        if isinstance(entry, str):
            name, model = entry, _named(entry, estimator)
        elif isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[0], str):
            name, model = entry
        else:
            raise ValueError(_not_a_baseline(entry))
        if not (hasattr(model, "fit") and hasattr(model, "get_params")):
            raise ValueError(_not_a_baseline(entry))
        if name in found:
            raise ValueError(f"Two baselines are called {name!r}. Give them different names.")
        found[name] = model
    if not found:
        raise ValueError(f"baselines is empty. Pass at least one of {[*_NAMED]}.")
    return found


def _not_a_baseline(entry: Any) -> str:
    return (
        f"A baseline must be one of {[*_NAMED]} or a pair (name, estimator with fit and "
        f"get_params), got {entry!r}."
    )


def _named(name: str, estimator: Any) -> Any:
    """The named baseline in place of the estimator, with ``alpha="cv"``."""
    if name not in _NAMED:
        raise ValueError(
            f"Unknown baseline {name!r}. Known are {[*_NAMED]}; pass any other as a pair "
            f"(name, estimator)."
        )
    return _replace_last(estimator, _NAMED[name][is_classifier(estimator)])


def _replace_last(estimator: Any, kind: type) -> Any:
    """``kind`` with alpha="cv", in place of a pipeline's last step; searches are dropped."""
    if isinstance(estimator, Pipeline):
        *before, (name, last) = clone(estimator).steps
        steps = [*before, (name, _replace_last(last, kind))]
        return clone(estimator).set_params(steps=steps)
    inner = getattr(estimator, "estimator", None)
    if inner is not None:
        return _replace_last(inner, kind)
    own = estimator.get_params(deep=False)
    common = {key for key in kind._get_param_names() if key in own} - _NOT_COPIED  # type: ignore[attr-defined]
    return kind(alpha="cv", **{key: own[key] for key in common})


def make_tuned(
    estimator: Any,
    X: Any,
    y: Any,
    scorer: Any,
    task_column: str | int | None,
    seed: int,
    *,
    grouped: bool = False,
) -> Any:
    """An estimator that selects ``alpha`` within the training rows X, y when it is fitted.

    This applies to skmtl's estimators with a parameter ``alpha``, alone or as a pipeline's last
    step. All others, such as searches, are only cloned.

    Parameters
    ----------
    estimator : estimator
    X, y : the training rows
    scorer : scorer to maximise
    task_column : str, int or None
        The task column of X.
    seed : int
        Random state of the inner folds.
    grouped : bool, default=False
        Whether groups are passed to fit; the folds of ``alpha="cv"`` would split them.
    """
    estimator = clone(estimator)
    last, prefix = estimator, ""
    if isinstance(estimator, Pipeline):
        name, last = estimator.steps[-1]
        prefix = f"{name}__"
    if not isinstance(last, TaskEstimator) or "alpha" not in last.get_params(deep=False):
        return estimator
    if _tunes_itself(last) and not grouped:
        return estimator.set_params(**{f"{prefix}alpha": "cv"})
    cv = StratifiedTaskKFold(N_INNER_FOLDS, task_column=task_column, random_state=seed)
    if type(estimator).fit is TaskEstimator.fit:
        alphas = alpha_grid(last, X, y)
        return _InnerSearch(last, alphas=alphas, cv=cv, scoring=partial(_score, scorer))
    # GridSearchCV repeats all steps of the fit, such as preprocessing, in each inner fold.
    transformed = X if last is estimator else _transform(estimator, X, y)
    return GridSearchCV(
        estimator, {f"{prefix}alpha": alpha_grid(last, transformed, y)}, scoring=scorer, cv=cv
    )


class _InnerSearch(AlphaSearchCV):
    """A search without a warning at the edge of the grid, which users cannot change."""

    def _warn_at_edge(self, found: Search) -> None:
        pass


def _score(scorer: Any, estimator: Any, X: Any, y: Any) -> float:
    """A score, or -inf if it is undefined, so that another strength is selected."""
    try:
        score = scorer(estimator, X, y)
    except ValueError:  # predictions that are not finite
        return -np.inf
    return -np.inf if np.isnan(score) else score


def fit_params(model: Any, groups: Any) -> dict[str, Any]:
    """The groups as a keyword argument of fit, if fit or a search's splitter accepts them."""
    searches = isinstance(getattr(model, "cv", None), GroupsConsumerMixin)
    if groups is None or not (searches or has_fit_parameter(model, "groups")):
        return {}
    return {"groups": groups}


def _tunes_itself(estimator: TaskEstimator) -> bool:
    """Whether the estimator accepts ``alpha="cv"``."""
    allowed = estimator._parameter_constraints["alpha"]
    return any(isinstance(rule, StrOptions) and "cv" in rule.options for rule in allowed)


def _transform(pipeline: Pipeline, X: Any, y: Any) -> Any:
    """The input of a pipeline's last step."""
    if len(pipeline.steps) == 1:
        return X
    return clone(pipeline[:-1]).fit_transform(X, y)


def alpha_grid(estimator: TaskEstimator, X: Any, y: Any) -> NDArray[np.float64]:
    """Candidate strengths, in descending order: three decades down from alpha_max.

    Penalties without a kink at zero have no alpha_max. Their strengths are six decades down from
    ten times the largest eigenvalue of the features' weighted Gram matrices, where almost nothing
    is learned, as in ``IndependentTaskRegressor(alpha="cv")``.
    """
    try:
        top = alpha_max(estimator, X, y)
    except (ValueError, NotImplementedError):
        top = np.inf
    if np.isfinite(top) and top > 0:
        return top * np.logspace(0, -3, N_ALPHAS)
    model = clone(estimator).set_params(alpha=1.0)
    return ridge_grid(model, model._read(X, y, None))
