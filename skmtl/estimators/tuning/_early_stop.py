"""The paths of all folds side by side, which end once their mean score has fallen for long."""

import copy
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl._parallel import run_parallel
from skmtl.design import TaskData
from skmtl.estimators.tuning._fold import Fold, Judge, Source
from skmtl.estimators.tuning._guide import Guide
from skmtl.estimators.tuning._path import follow_path
from skmtl.objective import BaseObjective

Array = NDArray[Any]
# The training data of a fold, their objective, and the judge of fits to them.
Part = tuple[TaskData, BaseObjective | None, Judge]


def score_together(
    source: Source,
    models: list[Any],
    grids: list[Array],
    folds: Sequence[Fold],
    guides: list[Iterator[Guide] | None],
    patience: int,
    n_jobs: int | None,
) -> Array:
    """The scores (n_models, n_alphas, n_folds) of paths that end early; NaN beyond their end.

    A path ends after ``patience`` consecutive alphas whose mean score over folds is below the best
    so far. All folds are in memory at the same time.

    Parameters
    ----------
    source : Source
    models : list of estimators
        They differ only in their penalty.
    grids : list of arrays of shape (n_alphas,), one for each model, descending
    folds : sequence of Fold
    guides : list of iterators over guides, or None, one for each model
    patience : int
    n_jobs : int or None
        Number of threads.
    """
    jobs = ((copy.copy(models[0]), fold) for fold in folds)
    parts: list[Part] = run_parallel(source, jobs, n_jobs, prefer="threads")
    scores = np.full((len(models), len(grids[0]), len(folds)), np.nan)
    for model, alphas, guide, out in zip(models, grids, guides, scores, strict=True):
        known: list[Guide] | None = None if guide is None else []
        paths = [_scores_along(copy.copy(model), alphas, part, known) for part in parts]
        for first in range(0, len(alphas), patience):
            if guide is not None and known is not None:
                known.extend(islice(guide, patience))
            steps = ((path, patience) for path in paths)
            found = run_parallel(_advance, steps, n_jobs, prefer="threads")
            out[first : first + patience] = np.transpose(found)
            means = out[: first + patience].mean(axis=1)
            if _has_fallen(means, patience):
                break
    return scores


def _scores_along(
    model: Any, alphas: Array, part: Part, guide: Sequence[Guide] | None
) -> Iterator[float]:
    """The scores of a fold's fits along the grid."""
    data, prepared, judge = part
    for fit in follow_path(model, data, alphas, prepared, warm=model._is_convex, guide=guide):
        yield judge(model, fit)


def _advance(path: Iterator[float], n_steps: int) -> list[float]:
    return list(islice(path, n_steps))


def _has_fallen(means: Array, patience: int) -> bool:
    """Whether the last ``patience`` mean scores are all below the best of the others."""
    if len(means) <= patience or np.isnan(means).all():
        return False
    best = int(np.nanargmax(means))
    return bool(best < len(means) - patience and (means[-patience:] < means[best]).all())
