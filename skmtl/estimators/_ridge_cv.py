"""Select ridge strengths by cross-validation: one for all tasks, one each, or the better."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier

from skmtl.design import TaskData
from skmtl.estimators._ridge_path import has_closed_form, held_out_losses
from skmtl.estimators._signs import read_positive
from skmtl.estimators.tuning import (
    N_FOLDS,
    Fold,
    RowFolds,
    TaskLosses,
    even_folds,
    part_folds,
    ridge_grid,
    score_fold,
)

Array = NDArray[Any]


def select_ridge(
    estimator: Any, data: TaskData, *, strengths: str
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Cross-validate a ridge estimator's ``alpha`` on validated data.

    The grid is that of :func:`ridge_grid`. Folds are stratified by task, and for classifiers by
    class; the criterion is the estimator's own loss. Where each task has its own strength, tasks
    with fewer labels than folds use the value that is best for all tasks.

    Parameters
    ----------
    estimator : estimator
        Its own ``alpha`` is not used.
    data : TaskData
    strengths : {"one", "each", "better"}
        One for all tasks; one for each task; or whichever of the two has the lower cross-fitted
        loss, see :func:`_each_is_better`.

    Returns
    -------
    alpha : ndarray of shape (n_tasks,)
        The selected strengths.
    alphas : ndarray of shape (n_alphas,)
        The grid.
    losses : ndarray of shape (n_alphas, n_tasks)
        The mean loss of each task's held-out labels.
    """
    learned = estimator._learnable(data)
    if not learned.any():
        return np.ones(data.n_tasks), np.ones(1), np.zeros((1, data.n_tasks))
    # Signs by position, because the copy knows no names.
    positive = read_positive(estimator, data.X.shape[1])
    model = clone(estimator).set_params(alpha=1.0, positive=positive)
    alphas = ridge_grid(model, data)
    scores = _scores(model, data, alphas, _folds(estimator, data))
    total, own = scores.sum(axis=0), learned & (data.label_counts >= N_FOLDS)
    if strengths == "one" or (strengths == "better" and not _each_is_better(scores, learned, own)):
        own = np.zeros_like(own)
    selected = _best(total, learned, own)
    totals = np.maximum(data.per_task(data.weights), np.finfo(np.float64).tiny)
    return alphas[selected], alphas, (0.0 - total) / totals


def _scores(model: Any, data: TaskData, alphas: Array, folds: list[Fold]) -> Array:
    """Minus each fold's held-out losses (n_folds, n_alphas, n_tasks)."""
    if has_closed_form(model, data):
        scores = [-held_out_losses(model, data, fold.train, fold.test, alphas) for fold in folds]
    else:
        source = RowFolds(data, TaskLosses(data))
        scores = [score_fold(source, [model], [alphas], fold)[0] for fold in folds]
    return np.array(scores).reshape(-1, len(alphas), data.n_tasks)


def _each_is_better(scores: Array, learned: Array, own: Array) -> bool:
    """Whether a strength for each task predicts better than one for all.

    The minimum over many strengths is optimistic, the more so for each task separately. Therefore
    the strengths are selected by the scores of all folds but one, and compared on that fold.

    Parameters
    ----------
    scores : array of shape (n_folds, n_alphas, n_tasks)
    learned : bool array of shape (n_tasks,)
        The tasks that count.
    own : bool array of shape (n_tasks,)
        The tasks that may have their own strength.
    """
    if len(scores) < 2:
        return False
    total, tasks, advantage = scores.sum(axis=0), np.arange(len(learned)), 0.0
    for held_out in scores:
        rest = total - held_out
        one, each = (_best(rest, learned, allowed) for allowed in (np.zeros_like(own), own))
        advantage += (held_out[each, tasks] - held_out[one, tasks])[learned].sum()
    return bool(advantage > 0)


def _best(scores: Array, learned: Array, own: Array) -> NDArray[np.intp]:
    """The index of each task's best alpha, from scores (n_alphas, n_tasks).

    Tasks that are not ``own``, which are learned tasks, have the one that is best for all learned
    tasks together.
    """
    together = scores[:, learned].sum(axis=1)
    if np.isnan(together).all():
        raise ValueError(
            "Cross-validation can select no alpha: at every alpha of the grid, some held-out loss "
            "is NaN. Scale the features, or pass a number as alpha."
        )
    # The first, and so the largest alpha, of equal ones.
    each = np.where(np.isnan(scores), -np.inf, scores).argmax(axis=0)
    return np.where(own, each, np.nanargmax(together))


def _folds(estimator: Any, data: TaskData) -> list[Fold]:
    """The folds with training and held-out labels, the same in every call with the same data."""
    if data.condensed is not None:
        return part_folds(data, type(estimator).__name__)[0]
    folds = even_folds(data, is_classifier(estimator), np.random.default_rng(0))
    return [f for f in folds if len(f.test) and (data.weights[f.train] > 0).any()]
