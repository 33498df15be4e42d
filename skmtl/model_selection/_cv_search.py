"""Choose a point of a grid of alphas: folds, paths, scores and the choice."""

from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier
from sklearn.metrics import check_scoring, get_scorer_names
from sklearn.utils._param_validation import Interval, StrOptions

from skmtl._parallel import run_parallel
from skmtl.design import TaskData
from skmtl.model_selection._alpha import make_grid, prepare, read_alphas, top_alpha
from skmtl.model_selection._cv_choice import Choice, choose, warn_at_edge
from skmtl.model_selection._cv_folds import make_folds
from skmtl.model_selection._cv_moments import MomentFolds
from skmtl.model_selection._cv_scores import (
    HeldOutLoss,
    HeldOutScore,
    Measure,
    RowFolds,
    Source,
    score_fold,
)
from skmtl.objective import BaseObjective
from skmtl.penalties import split

Array = NDArray[Any]

CV_CONSTRAINTS: dict[str, list[Any]] = {
    "alphas": [Interval(Integral, 1, None, closed="left"), "array-like"],
    "eps": [Interval(Real, 0, 1, closed="neither")],
    "cv": ["cv_object"],
    "scoring": [StrOptions(set(get_scorer_names())), callable, None],
    "rule": [StrOptions({"best", "1se"})],
    "n_jobs": [Integral, None],
}
# The smallest alpha of a grid over the largest, where that gives zero coefficients or does not.
_EPS = {True: 1e-3, False: 1e-5}


@dataclass(frozen=True)
class Search:
    """What a search has found.

    Attributes
    ----------
    scores : array of shape (n_models, n_alphas, n_folds)
        The greater the better.
    grids : list of arrays of shape (n_alphas,), one for each model, descending
    choice : Choice
    prepared : BaseObjective or None
        Of all rows, as :func:`skmtl.model_selection._alpha.prepare` returns it.
    """

    scores: Array
    grids: list[Array]
    choice: Choice
    prepared: BaseObjective | None

    @property
    def alpha(self) -> float:
        """The chosen strength."""
        return float(self.grids[self.choice.row][self.choice.column])


def search_alpha(
    settings: Any,
    reader: Any,
    models: list[Any],
    data: TaskData,
    X: Any,
    y: Any,
    sample_weight: Any,
    groups: Any,
) -> Search:
    """Cross-validate models over their alphas.

    Parameters
    ----------
    settings : object with the attributes of ``CV_CONSTRAINTS``
        ``eps=None``: 1e-3 where the grid begins at zero coefficients, otherwise 1e-5.
    reader : estimator
        The one that has read ``data`` from X and y.
    models : list of estimators with ``alpha=1``
        They differ only in their penalty.
    data : TaskData
    X, y, sample_weight, groups : as passed to fit
    """
    alphas = read_alphas(settings.alphas)
    folds, keep = make_folds(settings.cv, reader, data, X, y, sample_weight, groups)
    measure: Measure = HeldOutLoss(data)
    if settings.scoring is not None:
        scorer = check_scoring(models[0], scoring=settings.scoring)
        measure = HeldOutScore(scorer, reader, X, y, sample_weight)
    source: Source
    if _takes_moments(models[0], data):
        source = MomentFolds(models[0], data, measure)
        prepared: BaseObjective | None = source.full(models[0])
    else:
        source = RowFolds(_unbalanced(models[0], data, X, y, sample_weight), measure)
        prepared = prepare(models[0], data)
    at_null = [_starts_at_null(model, data) for model in models]
    grids = [
        _grid(model, data, prepared, alphas, _EPS[null] if settings.eps is None else settings.eps)
        for model, null in zip(models, at_null, strict=True)
    ]
    if not keep:
        for model in models:
            model.set_params(unknown_task="mean")
    jobs = ((source, models, grids, fold) for fold in folds)
    found = run_parallel(score_fold, jobs, settings.n_jobs, prefer="threads")
    scores = np.stack(found, axis=-1)
    choice, made = choose(scores, settings.rule), isinstance(alphas, int)
    warn_at_edge(choice, grids[choice.row], made=made, top_is_null=made and at_null[choice.row])
    return Search(scores, grids, choice, prepared)


def keep_scores(search: Any, scores: Array) -> None:
    """Set the scores as the attribute whose name says what they are."""
    for name in {"mse_path_", "scores_path_"} & vars(search).keys():
        delattr(search, name)
    if search.scoring is None and not is_classifier(search):
        search.mse_path_ = -scores
    else:
        search.scores_path_ = scores


def _takes_moments(model: Any, data: TaskData) -> bool:
    """Whether folds are made by subtraction."""
    plain = data.scales is None and not model._penalty_reads_labels
    return plain and bool(model._takes_moments(data))


def _unbalanced(model: Any, data: TaskData, X: Any, y: Any, sample_weight: Any) -> TaskData:
    """The data without balanced class weights, which each training set has of its own."""
    if getattr(model, "class_weight", None) != "balanced":
        return data
    unbalanced: TaskData = clone(model).set_params(class_weight=None)._read(X, y, sample_weight)
    return unbalanced


def _grid(
    model: Any, data: TaskData, prepared: BaseObjective | None, alphas: Array | int, eps: float
) -> Array:
    if not isinstance(alphas, int):
        return alphas
    top = 0.0 if prepared is None else top_alpha(model, data, prepared)
    return make_grid(top, alphas, eps)


def _starts_at_null(model: Any, data: TaskData) -> bool:
    """Whether the model's grid begins where all coefficients are zero."""
    learned = model._learnable(data)
    penalty = model._get_penalty(data.select(learned)) if learned.any() else None
    rough = None if penalty is None else split(penalty)[0]
    return rough is not None and bool(rough.is_norm)
