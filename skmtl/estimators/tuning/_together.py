"""The paths of all folds side by side, so that they can end where their mean score has fallen."""

import copy
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from skmtl._parallel import run_parallel
from skmtl._warnings import gather_warnings, warn
from skmtl.design import TaskData
from skmtl.estimators.base import SILENT
from skmtl.estimators.tuning._fold import Fold, Judge, Source
from skmtl.estimators.tuning._guide import Guide
from skmtl.estimators.tuning._path import follow_path
from skmtl.estimators.tuning._watch import Watch
from skmtl.objective import BaseObjective

Array = NDArray[Any]


@dataclass(frozen=True)
class Ending:
    """When paths end before their last alpha: small alphas overfit, and take longest.

    A path ends once the best mean score is at least ``patience`` alphas back and the last one is
    lower by more than the share ``fall`` of it.

    Attributes
    ----------
    patience : int
    fall : float
    step : int
        All paths advance by this many alphas at a time.
    """

    patience: int
    fall: float = 0.0
    step: int = 4

    def is_due(self, means: Array) -> bool:
        """Whether a path with these mean scores over folds ends."""
        if np.isnan(means).all():
            return False
        best = int(np.nanargmax(means))
        fallen = means[-1] < means[best] - self.fall * abs(means[best])
        return bool(fallen and len(means) - 1 - best >= self.patience)


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
    stopped : bool
        Whether a callback stopped the search before the path ended.
    """

    alphas: Array
    computed: bool
    at_null: bool
    scores: Array
    seconds: float = 0.0
    stopped: bool = False

    @property
    def padded_scores(self) -> Array:
        """The scores (n_alphas, n_folds), NaN beyond the end of the path."""
        padded = np.full((len(self.alphas), self.scores.shape[1]), np.nan)
        padded[: len(self.scores)] = self.scores
        return padded

    def is_done(self, ending: Ending) -> bool:
        """Whether the path has ended."""
        n_reached = len(self.scores)
        return n_reached == len(self.alphas) or ending.is_due(self.scores.mean(axis=1))


@dataclass
class _FoldState:
    """The training data of a fold, and the scores still to come of each path."""

    part: TaskData
    prepared: BaseObjective | None
    judge: Judge
    coming: dict[int, Iterator[float]] = field(default_factory=dict)


def follow_together(
    source: Source,
    models: Sequence[Any],
    paths: Sequence[PathScores],
    folds: Sequence[Fold],
    ending: Ending,
    n_jobs: int | None,
    guides: Sequence[Iterator[Guide] | None] | None = None,
    watch: Watch | None = None,
) -> None:
    """Follow the paths of models that share an objective to their ends (in place).

    If callbacks stop the search, paths end at the last alpha that all folds have reached.

    All folds are in memory at the same time.

    Parameters
    ----------
    source : Source
    models : sequence of estimators
        They differ only in their penalty.
    paths : sequence of PathScores, one for each model, without scores
    folds : sequence of Fold
    ending : Ending
    n_jobs : int or None
        Number of threads.
    guides : sequence of iterators over guides, or None, one for each model
    watch : Watch, optional
        The tasks of the fits.
    """
    watch = Watch(SILENT, len(folds) + 1, 0) if watch is None else watch
    guides = [None] * len(models) if guides is None else guides
    known: list[list[Guide] | None] = [None if guide is None else [] for guide in guides]
    states: list[_FoldState | None] = [None] * len(folds)
    active = list(range(len(models)))
    for place in range(len(watch.tasks)):
        watch.begin_fold(place)
    while active and not watch.stopped:
        for number in active:
            guide, reached = guides[number], known[number]
            if guide is not None and reached is not None:
                reached.extend(islice(guide, ending.step))
        legs = [(number, models[number], paths[number].alphas, known[number]) for number in active]
        jobs = (
            (source, fold, state, legs, ending.step, watch, place)
            for place, (fold, state) in enumerate(zip(folds, states, strict=True))
        )
        advanced = run_parallel(_advance, jobs, n_jobs, prefer="threads")
        states = [state for state, _, _ in advanced]
        for place, number in enumerate(active):
            path = paths[number]
            n_new = min(len(scores[place]) for _, scores, _ in advanced)
            new = np.stack([scores[place][:n_new] for _, scores, _ in advanced], axis=-1)
            path.scores = np.concatenate([path.scores, new])
            path.seconds += sum(seconds[place] for _, _, seconds in advanced)
        left = [number for number in active if not paths[number].is_done(ending)]
        for number in sorted({*active} - {*left}):
            watch.end_path(number)
        active = left
    for number in active:
        paths[number].stopped = True
        watch.end_path(number)
    for place in range(len(watch.tasks)):
        watch.end_fold(place)


# The number of a path, its model, its alphas, and the guides so far.
_Leg = tuple[int, Any, Array, Sequence[Guide] | None]


def _advance(
    source: Source,
    fold: Fold,
    state: _FoldState | None,
    legs: list[_Leg],
    step: int,
    watch: Watch,
    place: int,
) -> tuple[_FoldState, list[Array], list[float]]:
    """Fit the next alphas of each path in one fold; return its scores and seconds."""
    if state is None:
        state = _FoldState(*source(copy.copy(legs[0][1]), fold))
    scores, seconds = [], []
    with gather_warnings() as messages:
        for number, model, alphas, guide in legs:
            begin = time.thread_time()
            if number not in state.coming:
                # A copy, because other folds may be fitted at the same time.
                scored = _scores_along(copy.copy(model), alphas, state, guide)
                state.coming[number] = watch.each(scored, len(alphas), path=number, fold=place)
            scores.append(np.array(list(islice(state.coming[number], step))))
            seconds.append(time.thread_time() - begin)
    # Fits far from the selected alpha need not converge.
    for text, category in messages:
        if not issubclass(category, ConvergenceWarning):
            warn(text, category)
    return state, scores, seconds


def _scores_along(
    model: Any, alphas: Array, state: _FoldState, guide: Sequence[Guide] | None
) -> Iterator[float]:
    """The scores of a fold's fits along the grid."""
    # Non-convex fits depend on their start, so that they are not warm-started.
    warm = model._is_convex
    for fit in follow_path(model, state.part, alphas, state.prepared, warm=warm, guide=guide):
        yield state.judge(model, fit)
