"""Cross-validate models with different penalties side by side, on the same folds.

Models whose objectives differ only in the penalty share the moments or the design of each fold.
All folds of a path advance together, so that a path can end where its mean score has fallen.
"""

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.design import TaskData
from skmtl.estimators.base import SILENT, FitTask
from skmtl.estimators.tuning._fold import Fold, Measure
from skmtl.estimators.tuning._grid import make_grid
from skmtl.estimators.tuning._search import GRID_EPS, source_of, takes_moments
from skmtl.estimators.tuning._together import Ending, PathScores, follow_together
from skmtl.estimators.tuning._top import starts_at_null
from skmtl.estimators.tuning._watch import PathWatch
from skmtl.objective import BaseObjective

Array = NDArray[Any]

_ENDING = Ending(patience=3, fall=0.01)


def score_paths(
    models: Sequence[Any],
    families: Sequence[Hashable],
    data: TaskData,
    folds: Sequence[Fold],
    measure: Measure,
    *,
    unbalanced: TaskData,
    alphas: Array | int,
    n_jobs: int | None,
    task: FitTask = SILENT,
    names: Sequence[str] = (),
) -> list[PathScores]:
    """Cross-validate each model over alpha.

    Parameters
    ----------
    models : sequence of estimators with ``alpha=1``
    families : sequence, one for each model
        Models of a family differ only in their penalty, and in what of the coefficients is pooled.
    data : TaskData
    folds : sequence of Fold
    measure : Measure
    unbalanced : TaskData
        The data without balanced class weights, which are computed for each training set.
    alphas : int or array of shape (n_alphas,), descending
    n_jobs : int or None
        Number of threads, each of which processes one fold at a time.
    task : FitTask
        The search, which callbacks may follow; its subtasks are parallel. If they stop it, paths
        are incomplete or empty.
    names : sequence of str
        The names of the models' subtasks; without names they are not followed.
    """
    groups: dict[Hashable, list[int]] = {}
    for number, (model, family) in enumerate(zip(models, families, strict=True)):
        groups.setdefault((family, _shared_key(model, number, data)), []).append(number)
    found: dict[int, PathScores] = {}
    # The data of one group's folds are in memory at a time. The groups of few models come first, so
    # that a stop leaves many models with scores.
    for chosen in sorted(groups.values(), key=len):
        alike = [models[number] for number in chosen]
        source, prepared = source_of(alike[0], data, unbalanced, measure)
        paths = [_start(model, data, prepared, alphas, len(folds)) for model in alike]
        watch = None
        if names:
            size = len(folds) * len(paths[0].alphas)
            watch = PathWatch(task, {number: names[number] for number in chosen}, size, len(folds))
        follow_together(source, alike, paths, folds, _ENDING, n_jobs, watch=watch)
        found |= dict(zip(chosen, paths, strict=True))
        if watch is not None and watch.stopped:
            break
    none = PathScores(np.empty(0), False, False, np.empty((0, len(folds))), stopped=True)
    return [found.get(number, none) for number in range(len(models))]


def _shared_key(model: Any, number: int, data: TaskData) -> Hashable:
    """Equal for models of a family that can share an objective."""
    if model._penalty_reads_labels:
        return number
    if takes_moments(model, data):
        return "moments"
    penalty = model._get_penalty(data)
    # The tasks of an objective made for one penalty may be rotated, which others must not be.
    rotates = penalty is not None and penalty.n_superposed == 1 and penalty.ignores_task_rotations
    return model._pooling(data), rotates


def _start(
    model: Any,
    data: TaskData,
    prepared: BaseObjective | None,
    alphas: Array | int,
    n_folds: int,
) -> PathScores:
    """A path with its grid, and no scores."""
    null, computed = starts_at_null(model, data), isinstance(alphas, int)
    if isinstance(alphas, int):
        alphas = make_grid(model, data, prepared, alphas, GRID_EPS[null])
    return PathScores(alphas, computed, computed and null, np.empty((0, n_folds)))
