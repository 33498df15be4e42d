"""The models that transfer_gain compares: baselines, and the tuning of all models."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier
from sklearn.model_selection._split import GroupsConsumerMixin
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils import _safe_indexing
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import has_fit_parameter

from skmtl.auxiliary import AuxiliaryTaskClassifier, AuxiliaryTaskRegressor
from skmtl.design import encode_tasks, fitted_within, read_ids, split_task_column
from skmtl.estimators import (
    IndependentTaskClassifier,
    IndependentTaskRegressor,
    NoFiniteAlpha,
    PooledTaskClassifier,
    PooledTaskRegressor,
    Search,
    TaskEstimator,
    ridge_grid,
)
from skmtl.inspection._main_columns import MainColumns, main_model
from skmtl.inspection._separate import SeparateTasks, is_mixed
from skmtl.model_selection import AlphaSearchCV, StratifiedTaskKFold, alpha_max

Array = NDArray[Any]

N_INNER_FOLDS = 5
N_ALPHAS = 13
# The tolerance of fits that are only compared with each other on held-out rows.
_SEARCH_TOL = 1e-4

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
    inner = _within(estimator)
    return estimator if inner is None else find_last(inner)


def find_template(estimator: Any) -> Any:
    """The model whose parameters say how data are read and scored.

    It is that of :func:`find_last`, or for a search over structures one that reads data as they do.
    """
    last = find_last(estimator)
    return last._unfitted() if hasattr(type(last), "_unfitted") else last


def _within(estimator: Any) -> Any:
    """The estimator that a search or another meta-estimator holds; None for others.

    Estimators of skmtl that hold another one, such as SafeTransferRegressor, are models themselves:
    their parameters apply to what they hold.
    """
    return None if isinstance(estimator, TaskEstimator) else getattr(estimator, "estimator", None)


def check_task_column(fitted: Any, X: Any, task_column: str | int | None) -> None:
    """Raise if the steps of a fitted pipeline have put another column in the task column's place.

    The tasks are read from X, but by the last step from the transformed X. There the ids may
    differ, as they may have been encoded, but not which rows share one.

    Parameters
    ----------
    fitted : fitted estimator
    X : rows
    task_column : str, int or None
        The column of X from which the tasks are read.
    """
    model, given = _input_of_last(fitted, X)
    column = find_task_column(model)
    if given is X or column is None or task_column is None:
        return
    places = (X, task_column), (given, column)
    read = [encode_tasks(read_ids(split_task_column(*each)[1], warn=False)) for each in places]
    pairs = np.unique(np.column_stack([codes for _, codes in read]), axis=0)
    if any(len(pairs) > len(tasks) for tasks, _ in read):
        raise ValueError(
            f"The steps of the pipeline move the task column: column {column!r} of their output, "
            f"which {type(model).__name__} reads, has other tasks than column {task_column!r} of "
            f"X. Transform the features by TaskTransformer, which leaves the task column in its "
            f"place, or move it in X to where the pipeline puts it."
        )


def _input_of_last(fitted: Any, X: Any) -> tuple[Any, Any]:
    """The model within fitted pipelines and searches, and the rows that it is given for X."""
    if isinstance(fitted, Pipeline):
        given = fitted[:-1].transform(X) if len(fitted.steps) > 1 else X
        return _input_of_last(fitted.steps[-1][1], given)
    inner = fitted_within(fitted)
    return (fitted, X) if inner is None else _input_of_last(inner, X)


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
        steps = [*before, *_as_steps(name, _replace_last(last, kind))]
        return _unfollowed(clone(estimator).set_params(steps=steps))
    if isinstance(estimator, AuxiliaryTaskRegressor | AuxiliaryTaskClassifier):
        # Without the wrapper the auxiliary targets would be features.
        inner = main_model(estimator)
        columns = MainColumns(estimator.auxiliary, estimator.estimator.task_column)
        return make_pipeline(columns, _replace_last(inner, kind))
    inner = _within(estimator)
    if inner is not None:
        return _replace_last(inner, kind)
    estimator = find_template(estimator)
    if is_mixed(estimator):
        return _by_task(estimator, kind)
    own = estimator.get_params(deep=False)
    common = {key for key in kind._get_param_names() if key in own} - _NOT_COPIED  # type: ignore[attr-defined]
    return kind(alpha="cv", **{key: own[key] for key in common})


def _as_steps(name: str, model: Any) -> list[tuple[str, Any]]:
    """A model as the last steps of a pipeline, of which ``alpha`` is selected in the very last."""
    if not isinstance(model, Pipeline):
        return [(name, model)]
    *before, (_, last) = model.steps
    return [*((f"{name}-{own}", step) for own, step in before), (name, last)]


def _by_task(estimator: Any, kind: type) -> Any:
    """The named baseline of tasks with different losses."""
    if kind is not IndependentTaskRegressor:
        raise ValueError(
            f"The baseline 'pooled' has one coefficient vector and one loss for all tasks, but the "
            f"estimator has loss={estimator.loss!r}. Pass baselines=['independent'], or another "
            f"baseline as a pair (name, estimator)."
        )
    return SeparateTasks(_unfollowed(clone(estimator)))


def refuse_groups(models: Iterable[Any]) -> None:
    """Raise if a baseline could not keep groups together in its own folds."""
    for model in models:
        last = model
        while isinstance(last, Pipeline):
            last = last.steps[-1][1]
        if isinstance(last, SeparateTasks):
            raise ValueError(
                "The baseline 'independent' does not take groups if loss is given by task. Pass "
                "baselines=[('independent', MultiTaskRegressor(penalty=Ridge(), loss=...))]."
            )


def fit_tuned(
    estimator: Any,
    X: Any,
    y: Any,
    scorer: Any,
    task_column: str | int | None,
    seed: int,
    groups: Any = None,
) -> Any:
    """Fit an estimator whose ``alpha`` is selected within the training rows X, y.

    This applies to skmtl's estimators with a parameter ``alpha``, alone or as a pipeline's last
    step. All others, such as searches, are fitted as they are, and so are estimators that accept
    ``alpha="cv"``, unless they are given it together with groups, which their own folds would
    split.

    Parameters
    ----------
    estimator : estimator
        It is cloned.
    X, y : the training rows
    scorer : scorer to maximise
    task_column : str, int or None
        The task column of X.
    seed : int
        Random state of the inner folds.
    groups : array-like of shape (n_samples,) or None
    """
    estimator = clone(estimator)
    name, last = estimator.steps[-1] if isinstance(estimator, Pipeline) else ("", estimator)
    if is_tuned(last, grouped=groups is not None):
        cv = StratifiedTaskKFold(N_INNER_FOLDS, task_column=task_column, random_state=seed)
        if type(estimator).fit is TaskEstimator.fit:
            search = InnerSearch(
                last, alphas=alpha_grid(last, X, y), cv=cv, scoring=partial(_score, scorer)
            )
            return search.fit(X, y, groups=groups)
        alpha = select_alpha(estimator, X, y, scorer, list(cv.split(X, y, groups)))
        estimator.set_params(**{f"{name}__alpha" if name else "alpha": alpha})
    return estimator.fit(X, y, **fit_params(estimator, groups))


def is_tuned(last: Any, *, grouped: bool) -> bool:
    """Whether transfer_gain selects ``alpha`` of this model."""
    if not isinstance(last, TaskEstimator) or "alpha" not in last.get_params(deep=False):
        return False
    return (grouped and isinstance(last.alpha, str)) if _tunes_itself(last) else True


class InnerSearch(AlphaSearchCV):
    """A search whose fits within folds stop earlier, and which does not warn at the grid's edge.

    Users do not control the grid. Held-out losses depend little on the tolerance; the selected
    model is fitted with the estimator's own.
    """

    def _fold_model(self) -> Any:
        return _hastened(self.estimator)

    def _warn_at_edge(self, found: Search) -> None:
        pass


def select_alpha(
    estimator: Any, X: Any, y: Any, scorer: Any, folds: list[tuple[Array, Array]]
) -> float:
    """The ``alpha`` of a pipeline, or of an estimator with its own fit, by cross-validation.

    The steps before the last are fitted once in each fold.

    Parameters
    ----------
    estimator : estimator
    X, y : the training rows
    scorer : scorer to maximise
    folds : list of (training rows, held-out rows)
    """
    before, last = _parts(estimator)
    alphas = alpha_grid(last, *_transformed(before, X, y))
    scores = np.zeros(len(alphas))
    # The steps before the last may move the task column.
    scorer = replace(scorer, task_column=last.task_column)
    for train, test in folds:
        fitted = None if before is None else clone(before)
        y_train, y_test = _safe_indexing(y, train), _safe_indexing(y, test)
        X_train, X_test = _safe_indexing(X, train), _safe_indexing(X, test)
        if fitted is not None:
            X_train = fitted.fit_transform(X_train, y_train)
            X_test = fitted.transform(X_test)
        model = _hastened(last)
        if type(last).fit is TaskEstimator.fit and last._is_convex:
            model.set_params(warm_start=True)
        for k, alpha in enumerate(alphas):
            model.set_params(alpha=float(alpha)).fit(X_train, y_train)
            scores[k] += _score(scorer, model, X_test, y_test)
    return float(alphas[scores.argmax()])


def _parts(estimator: Any) -> tuple[Pipeline | None, Any]:
    """The steps before the last, if there are any, and the last."""
    if not isinstance(estimator, Pipeline):
        return None, estimator
    return (estimator[:-1] if len(estimator.steps) > 1 else None), estimator.steps[-1][1]


def _transformed(before: Pipeline | None, X: Any, y: Any) -> tuple[Any, Any]:
    """The input of a pipeline's last step."""
    return (X if before is None else clone(before).fit_transform(X, y)), y


def _hastened(estimator: Any) -> Any:
    """A clone that stops at a duality gap which suffices to compare strengths.

    Callbacks follow only the fit with the selected strength.
    """
    return _unfollowed(clone(estimator).set_params(tol=max(estimator.tol, _SEARCH_TOL)))


def _unfollowed(estimator: Any) -> Any:
    """The estimator without callbacks, which it may have since scikit-learn 1.9."""
    if hasattr(estimator, "set_callbacks"):
        estimator.set_callbacks()
    return estimator


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


def alpha_grid(estimator: TaskEstimator, X: Any, y: Any) -> Array:
    """Candidate strengths, in descending order: three decades down from alpha_max.

    Penalties without a kink at zero have no alpha_max. Their strengths are six decades down from
    ten times the largest eigenvalue of the features' weighted Gram matrices, where almost nothing
    is learned, as in ``IndependentTaskRegressor(alpha="cv")``.
    """
    try:
        top = alpha_max(estimator, X, y)
    except (NoFiniteAlpha, NotImplementedError):  # the latter from penalties without a dual norm
        top = np.inf
    if np.isfinite(top) and top > 0:
        return top * np.logspace(0, -3, N_ALPHAS)
    model = clone(estimator).set_params(alpha=1.0)
    return ridge_grid(model, model._read(X, y, None))
