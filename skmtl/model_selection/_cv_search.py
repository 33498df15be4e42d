"""Cross-validate alpha over a grid, with the settings of a CV estimator."""

from numbers import Integral, Real
from typing import Any

from numpy.typing import NDArray
from sklearn.base import clone, is_classifier
from sklearn.metrics import check_scoring, get_scorer_names
from sklearn.utils._param_validation import Interval, StrOptions

from skmtl.design import TaskData
from skmtl.estimators import (
    FitTask,
    HeldOutLoss,
    HeldOutScore,
    Measure,
    Search,
    search_grids,
)
from skmtl.model_selection._alpha import read_alphas
from skmtl.model_selection._cv_folds import make_folds

Array = NDArray[Any]

CV_CONSTRAINTS: dict[str, list[Any]] = {
    "alphas": [Interval(Integral, 1, None, closed="left"), "array-like"],
    "eps": [Interval(Real, 0, 1, closed="neither")],
    "cv": ["cv_object"],
    "scoring": [StrOptions(set(get_scorer_names())), callable, None],
    "rule": [StrOptions({"best", "1se"})],
    "n_jobs": [Integral, None],
    "patience": [Interval(Integral, 1, None, closed="left"), None],
}

# The constraints, type and description of the parameters that all searches have.
CV_TEXTS: dict[str, tuple[list[Any], str, str]] = {
    "cv": (
        CV_CONSTRAINTS["cv"],
        "int, splitter, iterable of (train, test) or None",
        """
        An int: the number of folds; None: five. In the stacked layout, if labels are missing, for
        classifiers, and with ``groups``, the folds are those of
        :class:`~skmtl.model_selection.StratifiedTaskKFold` with ``random_state=0``, stratified by
        task (and by class for classifiers). Otherwise they are those of scikit-learn's KFold,
        without shuffling.
        """,
    ),
    "scoring": (
        CV_CONSTRAINTS["scoring"],
        "str, callable or None",
        """
        None: for regressors the mean squared error of the held-out labels, or with
        ``loss="quantile"`` their mean quantile loss, weighted by ``sample_weight`` (with
        ``scale_tasks`` in each task's standard deviations); for classifiers the mean loss, weighted
        by ``sample_weight`` and ``class_weight``. Otherwise a scorer: the name of a scikit-learn
        scorer, a callable (estimator, X, y), or a scorer made by
        :func:`skmtl.metrics.make_task_scorer`, which accepts missing labels. ``sample_weight`` is
        passed to scorers that accept it.
        """,
    ),
    "rule": (
        CV_CONSTRAINTS["rule"],
        '{"best", "1se"}',
        """
        "best": select the model with the best mean score over folds. "1se": keep its other
        parameters, and select the largest alpha whose mean score is within one standard error
        (over folds) of the best.
        """,
    ),
    "n_jobs": (
        CV_CONSTRAINTS["n_jobs"],
        "int or None",
        "Number of threads, each of which processes one fold at a time.",
    ),
    "patience": (
        CV_CONSTRAINTS["patience"],
        "int or None",
        """
        End the paths of all folds after this many consecutive strengths at which the mean score
        over folds is below the best of larger strengths; the scores of smaller ones are NaN. Small
        strengths take longest, and overfit. None: fit all strengths. The paths are followed side by
        side, so that all folds are in memory at the same time.
        """,
    ),
}


def search_alpha(
    settings: Any,
    reader: Any,
    models: list[Any],
    data: TaskData,
    X: Any,
    y: Any,
    sample_weight: Any,
    groups: Any,
    task: FitTask,
) -> Search:
    """Cross-validate models over alpha.

    Parameters
    ----------
    settings : object with the attributes of ``CV_CONSTRAINTS``
    reader : estimator
        The estimator that has read ``data`` from X and y.
    models : list of estimators with ``alpha=1``
        Estimators that differ only in their penalty.
    data : TaskData
    X, y, sample_weight, groups : as passed to fit
    task : FitTask
        The fit, which callbacks may follow.
    """
    alphas = read_alphas(settings.alphas)
    folds, keep = make_folds(settings.cv, reader, data, X, y, sample_weight, groups)
    if not keep:
        for model in models:
            model.set_params(unknown_task="mean")
    return search_grids(
        models,
        data,
        folds,
        make_measure(settings.scoring, models[0], reader, data, X, y, sample_weight),
        unbalanced=read_unbalanced(models[0], data, X, y, sample_weight),
        alphas=alphas,
        eps=settings.eps,
        rule=settings.rule,
        n_jobs=settings.n_jobs,
        patience=settings.patience,
        task=task,
    )


def keep_search(estimator: Any, found: Search, scores: Array) -> None:
    """Set ``alpha_``, ``best_score_``, and ``mse_path_`` or ``scores_path_``."""
    for name in {"mse_path_", "scores_path_"} & vars(estimator).keys():
        delattr(estimator, name)
    if estimator.scoring is None and not is_classifier(estimator):
        estimator.mse_path_ = -scores
    else:
        estimator.scores_path_ = scores
    estimator.alpha_, estimator.best_score_ = found.alpha, found.choice.score


def make_measure(
    scoring: Any, model: Any, reader: Any, data: TaskData, X: Any, y: Any, sample_weight: Any
) -> Measure:
    """The score of held-out labels: minus their mean loss, or that of a scorer."""
    if scoring is None:
        return HeldOutLoss(data)
    if data.condensed is not None:
        raise ValueError(
            f"scoring={scoring!r} needs rows, which statistics do not keep. Use scoring=None, the "
            f"mean squared error."
        )
    return HeldOutScore(check_scoring(model, scoring=scoring), reader, X, y, sample_weight)


def read_unbalanced(model: Any, data: TaskData, X: Any, y: Any, sample_weight: Any) -> TaskData:
    """The data without balanced class weights, which are computed for each training set."""
    if getattr(model, "class_weight", None) != "balanced":
        return data
    unbalanced: TaskData = clone(model).set_params(class_weight=None)._read(X, y, sample_weight)
    return unbalanced
