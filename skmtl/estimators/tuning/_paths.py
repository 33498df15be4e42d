"""Cross-validate models with different penalties side by side, on the same folds.

Models whose objectives differ only in the penalty share the moments or the design of each fold.
All folds of a path advance together, so that a path can end where its mean score has fallen.
"""

import copy
import time
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from skmtl._parallel import run_parallel
from skmtl._warnings import gather_warnings, warn
from skmtl.design import TaskData
from skmtl.estimators.base import Fit
from skmtl.estimators.tuning._fold import Fold, Judge, Measure, Source
from skmtl.estimators.tuning._grid import make_grid
from skmtl.estimators.tuning._moment_folds import MomentFolds
from skmtl.estimators.tuning._path import follow_path, prepare_objective
from skmtl.estimators.tuning._row_folds import SeparateFolds
from skmtl.estimators.tuning._search import GRID_EPS, takes_moments
from skmtl.estimators.tuning._top import starts_at_null
from skmtl.objective import BaseObjective

Array = NDArray[Any]

# A path advances by this many alphas at a time. It ends if the mean score of the last alpha is
# lower than the best by this share, and the best is this many alphas back: weaker penalties
# overfit, and their fits take longest.
_STEP, _PATIENCE, _FALL = 4, 3, 0.01


@dataclass
class PathScores:
    """The scores of a model over alpha.

    Attributes
    ----------
    alphas : array of shape (n_alphas,), descending
        The whole grid.
    computed : bool
        Whether the grid was computed from the data, not given by the user.
    at_null : bool
        Whether all coefficients are zero at the first alpha of a computed grid.
    scores : array of shape (n_reached, n_folds)
        The greater the better; paths may end before the last alpha.
    seconds : float
        Processor time of the fits in all folds.
    """

    alphas: Array
    computed: bool
    at_null: bool
    scores: Array
    seconds: float = 0.0

    @property
    def is_done(self) -> bool:
        """Whether the path has ended."""
        n_reached = len(self.scores)
        if n_reached == len(self.alphas):
            return True
        mean = self.scores.mean(axis=1)
        if np.isnan(mean).all():
            return False
        best = int(np.nanargmax(mean))
        fallen = mean[-1] < mean[best] - _FALL * abs(mean[best])
        return bool(fallen and n_reached - 1 - best >= _PATIENCE)


@dataclass
class _FoldState:
    """The training data of a fold, and the last fit of each path."""

    part: TaskData
    prepared: BaseObjective | None
    judge: Judge
    fits: dict[int, Fit] = field(default_factory=dict)


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
    """
    groups: dict[Hashable, list[int]] = {}
    for number, (model, family) in enumerate(zip(models, families, strict=True)):
        groups.setdefault((family, _shared_key(model, number, data)), []).append(number)
    found: dict[int, PathScores] = {}
    # The data of one group's folds are in memory at a time.
    for chosen in groups.values():
        alike = [models[number] for number in chosen]
        if takes_moments(alike[0], data):
            moments = MomentFolds(alike[0], data, measure)
            source: Source = moments
            prepared: BaseObjective | None = moments.full(alike[0])
        else:
            source, prepared = SeparateFolds(unbalanced, measure), prepare_objective(alike[0], data)
        paths = [_start(model, data, prepared, alphas, len(folds)) for model in alike]
        _follow(source, alike, paths, folds, n_jobs)
        found |= dict(zip(chosen, paths, strict=True))
    return [found[number] for number in range(len(models))]


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


def _follow(
    source: Source,
    models: list[Any],
    paths: list[PathScores],
    folds: Sequence[Fold],
    n_jobs: int | None,
) -> None:
    """Follow the paths of models that share an objective to their ends (in place)."""
    states: list[_FoldState | None] = [None] * len(folds)
    active = list(range(len(models)))
    while active:
        legs = []
        for number in active:
            reached = len(paths[number].scores)
            legs.append((number, models[number], paths[number].alphas[reached : reached + _STEP]))
        jobs = ((source, fold, state, legs) for fold, state in zip(folds, states, strict=True))
        advanced = run_parallel(_advance, jobs, n_jobs, prefer="threads")
        states = [state for state, _, _ in advanced]
        for place, number in enumerate(active):
            path = paths[number]
            new = np.stack([scores[place] for _, scores, _ in advanced], axis=-1)
            path.scores = np.concatenate([path.scores, new])
            path.seconds += sum(seconds[place] for _, _, seconds in advanced)
        active = [number for number in active if not paths[number].is_done]


def _advance(
    source: Source,
    fold: Fold,
    state: _FoldState | None,
    legs: list[tuple[int, Any, Array]],
) -> tuple[_FoldState, list[Array], list[float]]:
    """Fit the next alphas of each path in one fold; return its scores and seconds."""
    if state is None:
        state = _FoldState(*source(copy.copy(legs[0][1]), fold))
    scores, seconds = [], []
    with gather_warnings() as messages:
        for number, model, alphas in legs:
            begin = time.thread_time()
            # A copy, because other folds may be fitted at the same time.
            model, last = copy.copy(model), state.fits.get(number)
            rows = []
            # Non-convex fits depend on their start, so that they are not warm-started.
            warm = model._is_convex
            for fit in follow_path(
                model, state.part, alphas, state.prepared, warm=warm, start=last
            ):
                rows.append(state.judge(model, fit))
                last = fit
            if warm and last is not None:
                state.fits[number] = last
            scores.append(np.array(rows))
            seconds.append(time.thread_time() - begin)
    # Fits far from the selected alpha need not converge.
    for text, category in messages:
        if not issubclass(category, ConvergenceWarning):
            warn(text, category)
    return state, scores, seconds
