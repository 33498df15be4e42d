"""Select ridge strengths by cross-validation: one for all tasks, or one per task."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier

from skmtl._folds import assign_shared, assign_stacked, label_strata
from skmtl.design import TaskData
from skmtl.estimators.tuning import Fold, RowFolds, TaskLosses, choose, ridge_grid, score_fold

Array = NDArray[Any]

N_FOLDS = 5


def select_ridge(
    estimator: Any, data: TaskData, *, per_task: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Cross-validate a ridge estimator's ``alpha`` on validated data.

    The grid is that of :func:`ridge_grid`. Folds are stratified by task, and for classifiers by
    class; the criterion is the estimator's own loss. Tasks with fewer labels than folds use the
    value that is best for all tasks.

    Parameters
    ----------
    estimator : estimator
        Its own ``alpha`` is not used.
    data : TaskData
    per_task : bool
        Whether to select a strength for each task, or one for all.

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
    model = clone(estimator).set_params(alpha=1.0)
    alphas = ridge_grid(model, data)
    source, scores = RowFolds(data, TaskLosses(data)), np.zeros((len(alphas), data.n_tasks))
    for fold in _folds(estimator, data):
        scores += score_fold(source, [model], [alphas], fold)[0]
    selected = np.full(data.n_tasks, _best(scores[:, learned].sum(axis=1)))
    if per_task:
        for task in np.flatnonzero(data.label_counts >= N_FOLDS):
            selected[task] = _best(scores[:, task])
    totals = np.maximum(data.per_task(data.weights), np.finfo(np.float64).tiny)
    return alphas[selected], alphas, (0.0 - scores) / totals


def _best(scores: Array) -> int:
    """The index of the best alpha, from scores (n_alphas,) summed over folds."""
    return choose(scores[None, :, None], "best").column


def _folds(estimator: Any, data: TaskData) -> list[Fold]:
    """The folds with training and held-out labels, the same in every call with the same data."""
    rng = np.random.default_rng(0)
    by_class = is_classifier(estimator)
    if data.codes is not None:
        numbers = assign_stacked(data.codes, data.y if by_class else None, N_FOLDS, rng)
    else:
        labels = (data.y + 1) / 2 if by_class else data.y
        observed = np.where(data.weights > 0, labels, np.nan)
        numbers = assign_shared(*label_strata(observed, by_class), N_FOLDS, rng)
    folds = []
    for number in range(N_FOLDS):
        test, train = np.flatnonzero(numbers == number), np.flatnonzero(numbers != number)
        if len(test) and (data.weights[train] > 0).any():
            folds.append(Fold(number, train, test, held_out=test))
    return folds
