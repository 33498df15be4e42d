"""What fits without a fold predict for its rows."""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl._parallel import run_parallel
from skmtl.design import TaskData
from skmtl.estimators.base import Fit
from skmtl.estimators.tuning._fold import Fold, Judge
from skmtl.estimators.tuning._guide import guide_folds
from skmtl.estimators.tuning._measures import held_out_predictors
from skmtl.estimators.tuning._search import score_fold, source_of

Array = NDArray[Any]


def predict_folds(
    model: Any,
    alpha: float,
    data: TaskData,
    folds: Sequence[Fold],
    *,
    unbalanced: TaskData,
    n_jobs: int | None,
) -> list[Array]:
    """The linear predictors of each fold's held-out labels, in the units of all rows' labels.

    Parameters
    ----------
    model : estimator with ``alpha=1``
    alpha : float
        The strength of the fits.
    data : TaskData
    folds : sequence of Fold
    unbalanced : TaskData
        The data without balanced class weights, which are computed for each training set.
    n_jobs : int or None
        Number of threads.
    """
    source, prepared = source_of(model, data, unbalanced, _Predictors(data))
    grids = [np.array([alpha])]
    guides = guide_folds([copy.copy(model)], data, grids, prepared, len(folds))
    known = [None if guide is None else list(guide) for guide in guides]
    jobs = ((source, [model], grids, fold, known) for fold in folds)
    return [found[0, 0] for found in run_parallel(score_fold, jobs, n_jobs, prefer="threads")]


class _Predictors:
    """A measure that returns the predictors instead of a score of them."""

    def __init__(self, data: TaskData) -> None:
        self.data = data

    def __call__(self, fold: Fold, part: TaskData) -> Judge:
        held_out = self.data.take(fold.test)

        def judge(model: Any, fit: Fit) -> Array:
            loss = model._get_loss().columns(held_out.positions)
            return held_out_predictors(loss, fit, part, held_out)

        return judge
