"""Cross-validate models over alpha: a path for each fold, its scores, and the selection."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl._parallel import run_parallel
from skmtl.design import TaskData
from skmtl.estimators.base import SILENT, FitTask
from skmtl.estimators.tuning._choice import Choice, choose, warn_at_edge
from skmtl.estimators.tuning._fold import Fold, Measure, Source
from skmtl.estimators.tuning._grid import make_grid
from skmtl.estimators.tuning._guide import Guide, guide_folds
from skmtl.estimators.tuning._moment_folds import MomentFolds
from skmtl.estimators.tuning._path import follow_path, prepare_objective
from skmtl.estimators.tuning._row_folds import SeparateFolds
from skmtl.estimators.tuning._together import Ending, PathScores, follow_together
from skmtl.estimators.tuning._top import starts_at_null
from skmtl.estimators.tuning._watch import (
    Watch,
    complete_folds,
    stopped_too_early,
    warn_of_ends,
)
from skmtl.objective import BaseObjective

Array = NDArray[Any]

# The smallest alpha of a grid divided by the largest, if all coefficients are zero at the largest
# (True) and otherwise.
GRID_EPS = {True: 1e-3, False: 1e-5}
_UNWATCHED = Watch(SILENT, 1, 0)


@dataclass(frozen=True)
class Search:
    """The result of a search.

    Attributes
    ----------
    scores : array of shape (n_models, n_alphas, n_folds)
        The greater the better.
    grids : list of arrays of shape (n_alphas,), one for each model, descending
    computed : bool
        Whether the grids were computed from the data, not given by the user.
    choice : Choice
    prepared : BaseObjective or None
        The result of :func:`prepare_objective` for all rows.
    at_null : bool
        Whether all coefficients are zero at the start of the selected model's path.
    """

    scores: Array
    grids: list[Array]
    computed: bool
    choice: Choice
    prepared: BaseObjective | None
    at_null: bool

    @property
    def alpha(self) -> float:
        """The selected strength."""
        return float(self.grids[self.choice.row][self.choice.column])

    def warn_at_edge(self) -> None:
        """Warn if the best alpha may lie outside the grid."""
        top_is_null = self.computed and self.at_null
        grid = self.grids[self.choice.row]
        warn_at_edge(self.choice, grid, computed=self.computed, top_is_null=top_is_null)


def search_grids(
    models: list[Any],
    data: TaskData,
    folds: Sequence[Fold],
    measure: Measure,
    *,
    unbalanced: TaskData,
    alphas: Array | int,
    eps: float | None,
    rule: str,
    n_jobs: int | None,
    patience: int | None = None,
    task: FitTask = SILENT,
) -> Search:
    """Cross-validate models over alpha.

    Parameters
    ----------
    models : list of estimators with ``alpha=1``
        They differ only in their penalty.
    data : TaskData
    folds : sequence of Fold
    measure : Measure
    unbalanced : TaskData
        The data without balanced class weights, which are computed for each training set.
    alphas : int or array of shape (n_alphas,), descending
        The number of strengths in a grid, or the strengths themselves.
    eps : float or None
        The smallest alpha of a grid divided by the largest. None: 1e-3 if all coefficients are zero
        at the largest, otherwise 1e-5.
    rule : {"best", "1se"}
    n_jobs : int or None
        Number of threads.
    patience : int or None
        End a path once the mean score has been below its best for this many alphas in a row; the
        other alphas score NaN. None: fit all alphas.
    task : FitTask
        The fit that the search is part of, which callbacks may follow. If they stop it, alpha is
        selected by the complete folds, or with ``patience`` among the alphas that all folds have
        scored.

    Raises
    ------
    RuntimeError
        If a callback stops the search too early.
    """
    source, prepared = source_of(models[0], data, unbalanced, measure)
    at_null = [starts_at_null(model, data) for model in models]
    if isinstance(alphas, int):
        ratios = [grid_ratio(model, data) if eps is None else eps for model in models]
        grids = [
            make_grid(model, data, prepared, alphas, ratio)
            for model, ratio in zip(models, ratios, strict=True)
        ]
    else:
        grids = [alphas] * len(models)
    copies = [copy.copy(model) for model in models]
    guides = guide_folds(copies, data, grids, prepared, len(folds))
    n_alphas = len(grids[0])
    n_guides = n_alphas * sum(guide is not None for guide in guides)
    search = task.subtask("cross-validation", len(folds) + (n_guides > 0), parallel=True)
    watch = Watch(search, len(folds), n_alphas * len(models), n_guides)
    followed = [
        None if guide is None else watch.each(guide, n_alphas, path=number, fold=-1)
        for number, guide in enumerate(guides)
    ]
    if patience is None:
        scores, chosen = _score_folds(source, models, grids, folds, followed, watch, n_jobs, rule)
    else:
        computed, none = isinstance(alphas, int), np.empty((0, len(folds)))
        paths = [
            PathScores(grid, computed, computed and null, none)
            for grid, null in zip(grids, at_null, strict=True)
        ]
        ending = Ending(patience, step=patience)
        follow_together(source, models, paths, folds, ending, n_jobs, followed, watch)
        scores = np.stack([path.padded_scores for path in paths])
        chosen = list(range(len(folds)))
        _check_stop(paths)
    choice = choose(scores if len(chosen) == len(folds) else scores[:, :, chosen], rule)
    search.end()
    return Search(scores, grids, isinstance(alphas, int), choice, prepared, at_null[choice.row])


def grid_ratio(model: Any, data: TaskData) -> float:
    """The smallest alpha of a model's grid divided by the largest, unless it is given."""
    return GRID_EPS[starts_at_null(model, data)]


def _check_stop(paths: Sequence[PathScores]) -> None:
    """Warn if paths were stopped; raise if nothing was scored in all folds."""
    if any(path.stopped for path in paths):
        n_scored = sum(len(path.scores) for path in paths)
        if n_scored == 0:
            raise stopped_too_early("before any strength was scored in all folds")
        warn_of_ends(n_scored, sum(len(path.alphas) for path in paths))


def _score_folds(
    source: Source,
    models: list[Any],
    grids: list[Array],
    folds: Sequence[Fold],
    guides: Sequence[Iterator[Guide] | None],
    watch: Watch,
    n_jobs: int | None,
    rule: str,
) -> tuple[Array, list[int]]:
    """The scores (n_models, n_alphas, n_folds), and the folds that select alpha."""
    guided = any(guide is not None for guide in guides)
    if guided:
        watch.begin_fold(-1)
    known = [None if guide is None else list(guide) for guide in guides]
    if guided:
        watch.end_fold(-1)
    jobs = ((source, models, grids, fold, known, watch, place) for place, fold in enumerate(folds))
    found = run_parallel(_score_watched, jobs, n_jobs, prefer="threads")
    chosen = complete_folds([scores is not None for scores in found], rule)
    none = np.full((len(models), len(grids[0])), np.nan)
    return np.stack([none if scores is None else scores for scores in found], axis=-1), chosen


def _score_watched(
    source: Source,
    models: list[Any],
    grids: list[Array],
    fold: Fold,
    guides: Sequence[Sequence[Guide] | None] | None,
    watch: Watch,
    place: int,
) -> Array | None:
    """The scores of a fold; None if a callback stops the search before all fits are made."""
    if watch.stopped:
        return None
    watch.begin_fold(place)
    scores = _fold_scores(source, models, grids, fold, guides, watch, place)
    watch.end_fold(place)
    if any(len(row) < len(alphas) for row, alphas in zip(scores, grids, strict=True)):
        return None
    return np.array(scores)


def score_fold(
    source: Source,
    models: list[Any],
    grids: list[Array],
    fold: Fold,
    guides: Sequence[Sequence[Guide] | None] | None = None,
) -> Array:
    """The scores of one fold; the greater the better.

    They have the shape (n_models, n_alphas), or (n_models, n_alphas, n_tasks) if the measure scores
    each task.

    Parameters
    ----------
    source : Source
    models : list of estimators
        They differ only in their penalty.
    grids : list of arrays of shape (n_alphas,), one per model
    fold : Fold
    guides : list, optional
        Fits to all rows for each model and alpha, or None for models without.
    """
    return np.array(_fold_scores(source, models, grids, fold, guides, _UNWATCHED, 0))


def _fold_scores(
    source: Source,
    models: list[Any],
    grids: list[Array],
    fold: Fold,
    guides: Sequence[Sequence[Guide] | None] | None,
    watch: Watch,
    place: int,
) -> list[list[Any]]:
    """The scores of each model in one fold, up to a stop."""
    # Copies, because other folds may be fitted at the same time. Clones would lose the attributes
    # that were set when the data were read.
    models = [copy.copy(model) for model in models]
    part, prepared, judge = source(models[0], fold)
    scores = []
    guides = [None] * len(models) if guides is None else guides
    for path, (model, alphas, guide) in enumerate(zip(models, grids, guides, strict=True)):
        # Non-convex fits depend on their start, so that they are not warm-started.
        warm = model._is_convex
        fits = follow_path(model, part, alphas, prepared, warm=warm, guide=guide)
        made = watch.each(fits, len(alphas), path=path, fold=place)
        scores.append([judge(model, fit) for fit in made])
    return scores


def source_of(
    model: Any, data: TaskData, unbalanced: TaskData, measure: Measure
) -> tuple[Source, BaseObjective | None]:
    """The folds' objectives from moments or from rows, and the objective of all rows."""
    if takes_moments(model, data):
        moments = MomentFolds(model, data, measure)
        return moments, moments.full(model)
    return SeparateFolds(unbalanced, measure), prepare_objective(model, data)


def takes_moments(model: Any, data: TaskData) -> bool:
    """Whether the folds' objectives can be computed from moments."""
    plain = data.scales is None and not model._penalty_reads_labels
    return plain and bool(model._takes_moments(data))
