"""Successive halving of structures: rounds with growing shares of the training rows."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier

from skmtl.design import TaskData
from skmtl.estimators import Fold

Array = NDArray[Any]
Trial = TypeVar("Trial")

# The shares of the training rows before the last round, which has all rows.
_SHARES = (0.25, 0.5)
N_ROUNDS = len(_SHARES) + 1


def run_rounds(
    names: Sequence[str],
    kept: Sequence[str],
    score: Callable[[list[str], float], dict[str, Trial]],
    rank: Callable[[Trial], tuple[float, float]],
    budget: float | None,
) -> dict[float, dict[str, Trial]]:
    """Score structures in one round with all rows, or if that exceeds the budget in several.

    After a round with a share of the rows, the time that a round with all rows will take is
    estimated as proportional to the rows. If it fits into the budget, it follows at once.
    Otherwise the better half goes on to the next share, and those of them that fit to the last.

    Parameters
    ----------
    names, kept : sequences of str
        All structures, and those that are never dropped.
    score : callable
        ``score(names, share)`` returns the trial of each structure.
    rank : callable
        The mean score and the seconds of a trial.
    budget : float or None
        Seconds; None: no limit.

    Returns
    -------
    dict from share to dict from name to trial
    """
    if budget is None:
        return {1.0: score(list(names), 1.0)}
    end = time.perf_counter() + budget
    left, rounds = list(names), {}
    for share in _SHARES:
        begin = time.perf_counter()
        trials = rounds[share] = score(left, share)
        now = time.perf_counter()
        ranks = {name: rank(trial) for name, trial in trials.items()}
        # Seconds of processor time in the trials, scaled to the time that has passed.
        total = sum(seconds for _, seconds in ranks.values())
        scale = (now - begin) / share / max(total, np.finfo(float).tiny)
        needed = {name: scale * seconds for name, (_, seconds) in ranks.items()}
        if now + sum(needed.values()) <= end:
            break
        best_first = sorted(
            (name for name in left if name not in kept), key=lambda name: -ranks[name][0]
        )
        best_first = best_first[: -(-len(best_first) // 2)]
        if share == _SHARES[-1]:
            best_first = _fitting(best_first, kept, needed, end - now)
        left = [name for name in names if name in best_first or name in kept]
    rounds[1.0] = score(left, 1.0)
    return rounds


def _fitting(
    best_first: list[str], kept: Sequence[str], needed: dict[str, float], seconds: float
) -> list[str]:
    """The best structures, at least one, that fit into the time together with those kept."""
    spent = sum(needed[name] for name in kept) + np.cumsum([needed[name] for name in best_first])
    return best_first[: max(1, int(np.count_nonzero(spent <= seconds)))]


def thin(data: TaskData, fold: Fold, share: float, model: Any, seed: int) -> Fold:
    """A fold with a share of its training rows, which holds labels of all tasks (and classes).

    A smaller share of the same fold is a subset.
    """
    if share == 1.0:
        return fold
    rng = np.random.default_rng([seed, fold.number])
    rows = rng.permutation(fold.train)
    labels, seen = data.y[rows], data.weights[rows] > 0
    classes = labels > 0 if is_classifier(model) else np.zeros(labels.shape, dtype=bool)
    if data.codes is not None:
        strata = 2 * data.codes[rows] + classes
        counts, order = np.bincount(strata), np.argsort(strata, kind="stable")
        # The place of each row among those of its stratum, in random order.
        place = np.empty(len(rows), dtype=np.intp)
        place[order] = np.arange(len(rows)) - (np.cumsum(counts) - counts)[strata[order]]
        chosen = place < np.ceil(share * counts[strata])
    else:
        chosen = np.arange(len(rows)) < np.ceil(share * len(rows))
        for column in np.hstack([seen & classes, seen & ~classes]).T:
            # At least one label of each class of a task, if there is one.
            if column.any() and not column[chosen].any():
                chosen[np.argmax(column)] = True
    return replace(fold, train=np.sort(rows[chosen]))
