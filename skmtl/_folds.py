"""Assign rows to folds so that every task, and every class of a task, is spread evenly.

Plain arrays in, fold numbers out; used by the splitter and by the estimators that choose their
own regularisation strength. Both layouts keep one promise: a task with two or more labels has
a label in every training set; where groups of rows stay together, a task with labels in two or
more groups.
"""

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

ALWAYS_TRAIN = -1
_PENDING = -2

Rng = np.random.RandomState | np.random.Generator | None


def assign_stacked(
    codes: NDArray[np.integer[Any]],
    classes: NDArray[Any] | None,
    n_splits: int,
    rng: Rng,
) -> NDArray[np.intp]:
    """Assign the rows of the stacked layout to folds.

    The rows are put in the order of task, then class, and dealt out like cards. A task, and a
    class within a task, is a run of that order, so that its numbers of rows in any two folds
    differ by one at most; so do the sizes of the folds.

    Parameters
    ----------
    codes : ndarray of shape (n_samples,)
        Each row's task, as integers.
    classes : ndarray of shape (n_samples,) or None
        Each row's class, anything that can be sorted. None: by task only.
    n_splits : int
    rng : RandomState, Generator or None
        Shuffles the rows within each task and class. None: they keep their order.

    Returns
    -------
    ndarray of shape (n_samples,)
        Fold numbers from 0 to n_splits - 1, or -1 for the only row of a task, which always
        trains.
    """
    _, group, group_size = np.unique(codes, return_inverse=True, return_counts=True)
    group = group.reshape(-1)
    rows = np.arange(len(group)) if rng is None else rng.permutation(len(group))
    rows = rows[group_size[group[rows]] > 1]
    keys = (group[rows],) if classes is None else (classes[rows], group[rows])
    rows = rows[np.lexsort(keys)]
    folds = np.full(len(group), ALWAYS_TRAIN, dtype=np.intp)
    folds[rows] = np.arange(len(rows)) % n_splits
    return folds


def label_strata(Y: NDArray[Any], by_class: bool) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
    """Return the strata of a label matrix ``Y`` (n, T), NaN = not labelled.

    Parameters
    ----------
    Y : ndarray of shape (n_samples, n_tasks)
    by_class : bool
        Whether Y holds 0 and 1 and each task has a stratum for either.

    Returns
    -------
    members : bool ndarray of shape (n_samples, n_strata)
        Which rows belong to which stratum.
    tasks : ndarray of shape (n_strata,)
        Each stratum's task.
    """
    tasks = np.arange(Y.shape[1])
    if by_class:
        return np.hstack([Y == 0, Y == 1]), np.tile(tasks, 2)
    return ~np.isnan(Y), tasks


def assign_shared(
    members: NDArray[np.bool_],
    tasks: NDArray[np.integer[Any]],
    n_splits: int,
    rng: Rng,
) -> NDArray[np.intp]:
    """Assign the rows of a label matrix with missing labels to folds.

    Iterative stratification (Sechidis, Tsoumakas & Vlahavas 2011, Algorithm 1,
    https://doi.org/10.1007/978-3-642-23808-6_10), then repairs, so that no task with two or more
    labels has all of them in one test fold.

    Parameters
    ----------
    members, tasks : ndarrays of shape (n_samples, n_strata) and (n_strata,)
        As :func:`label_strata` returns them: the strata's rows, the strata's tasks 0, 1, ...
    n_splits : int
    rng : RandomState, Generator or None
        Shuffles the rows. None: they are taken in their order.

    Returns
    -------
    ndarray of shape (n_samples,)
        Fold numbers from 0 to n_splits - 1, or -1 for rows that always train: those with a
        task's only label, and those that no exchange of rows could spare. No fold is empty if
        at least n_splits rows hold no task's only label.
    """
    labelled = np.zeros((len(members), tasks.max(initial=-1) + 1), dtype=bool)
    for stratum, task in enumerate(tasks):
        labelled[:, task] |= members[:, stratum]
    only = labelled.sum(axis=0) == 1
    folds = np.where(labelled[:, only].any(axis=1), ALWAYS_TRAIN, _PENDING)
    _stratify(folds, members, n_splits, rng)
    _repair(folds, labelled, n_splits)
    return folds


def assign_groups(
    groups: NDArray[np.integer[Any]], labelled: Any, strata: Any, n_splits: int, rng: Rng
) -> NDArray[np.intp]:
    """Assign rows to folds so that the rows of a group stay together.

    As in scikit-learn's StratifiedGroupKFold the groups are placed one after another, those that
    hold large shares of the strata first, each into the fold that has the least of its strata.
    Repairs follow, as in :func:`assign_shared`.

    Parameters
    ----------
    groups : ndarray of shape (n_samples,)
        Each row's group: 0, 1, ...
    labelled : sparse array of shape (n_samples, n_tasks)
        1 where a row has a label of a task.
    strata : sparse array of shape (n_samples, n_strata)
        1 where a row belongs to a stratum. Rows and tasks are spread evenly anyway.
    n_splits : int
    rng : RandomState, Generator or None
        Shuffles groups of equal importance. None: they are placed in their order.

    Returns
    -------
    ndarray of shape (n_samples,)
        Fold numbers from 0 to n_splits - 1, or -1 for rows that always train: those of a group
        that holds all labels of a task, and of groups that no exchange could spare. No fold is
        empty if there are n_splits other groups.
    """
    n = len(groups)
    pooled = sp.csr_array((np.ones(n), (groups, np.arange(n))))
    counts = sp.csr_array(pooled @ sp.hstack([np.ones((n, 1)), labelled, strata]))
    held = (pooled @ labelled).toarray() > 0
    only = held.sum(axis=0) == 1
    folds = np.where(held[:, only].any(axis=1), ALWAYS_TRAIN, _PENDING)
    _place(folds, counts, n_splits, rng)
    _repair(folds, held, n_splits)
    return folds[groups]


def _place(folds: NDArray[np.intp], counts: Any, n_splits: int, rng: Rng) -> None:
    """Give the pending groups their folds, the most important first (in place).

    Adding a group with the share s of a stratum to a fold with the share f raises the sum of the
    folds' squared shares by 2 f s + s^2, of which only f s depends on the fold. The first column
    counts rows, so that an empty fold always wins.
    """
    order = np.arange(len(folds)) if rng is None else rng.permutation(len(folds))
    order = order[folds[order] == _PENDING]
    totals = np.maximum(counts[order].sum(axis=0), 1)
    shares = sp.csr_array(counts.multiply(1 / totals))
    importance = shares.multiply(shares).sum(axis=1)
    placed = np.zeros((n_splits, shares.shape[1]))
    for group in order[np.argsort(-importance[order], kind="stable")]:
        own = slice(*shares.indptr[group : group + 2])
        strata, share = shares.indices[own], shares.data[own]
        costs = placed[:, strata] @ share
        # Among folds whose costs differ by rounding error only, the smallest.
        best = np.flatnonzero(costs <= costs.min() * (1 + 1e-9))
        fold = best[placed[best, 0].argmin()]
        folds[group] = fold
        placed[fold, strata] += share


def _stratify(folds: NDArray[np.intp], members: NDArray[np.bool_], n_splits: int, rng: Rng) -> None:
    """Give the pending rows their folds, the rarest stratum first (in place)."""
    n = len(folds)
    rows = np.arange(n) if rng is None else rng.permutation(n)
    rows = rows[folds[rows] == _PENDING]
    row_ends = np.cumsum(members.sum(axis=1))
    strata_of = np.split(np.nonzero(members)[1], row_ends[:-1])
    sizes = np.zeros(n_splits, dtype=np.int64)
    # How many rows a fold still lacks of a stratum, times n_splits: integers, so ties are exact.
    lacking = np.repeat(members[rows].sum(axis=0, dtype=np.int64)[:, None], n_splits, axis=1)

    while True:
        left = lacking.sum(axis=1) // n_splits
        if not left.any():
            break
        rarest = np.argmin(np.where(left > 0, left, n + 1))
        for i in rows[members[rows, rarest]]:
            # The fold that lacks most of this stratum; of those, the smallest. An empty fold
            # wins always, which is why none stays empty.
            fold = np.argmax(lacking[rarest] * (n + 1) - sizes)
            folds[i] = fold
            lacking[strata_of[i], fold] -= n_splits
            sizes[fold] += 1
        rows = rows[folds[rows] == _PENDING]

    for i in rows:  # no label at all
        fold = np.argmin(sizes)
        folds[i] = fold
        sizes[fold] += 1


def _repair(folds: NDArray[np.intp], labelled: NDArray[np.bool_], n_splits: int) -> None:
    """Spread every task that has all its labels in one fold over two (in place).

    Such a task has two or more rows in its fold, so that taking one away never empties a fold,
    and no step undoes an earlier one.
    """
    counts = np.array([labelled[folds == k].sum(axis=0) for k in range(n_splits)]).T
    safe = labelled[folds == ALWAYS_TRAIN].any(axis=0)
    totals = counts.sum(axis=1)
    for task in np.flatnonzero(~safe & (counts.max(axis=1) == totals) & (totals > 0)):
        fold = np.argmax(counts[task])
        if safe[task] or counts[task, fold] < totals[task]:
            continue  # an earlier repair helped this task too
        rows = np.flatnonzero(labelled[:, task] & (folds == fold))
        # A fold that holds all labels of some task but this row's must not get the row. Its own
        # fold is one of those, for this very task.
        all_but_one = (counts >= totals[:, None] - 1) & ~safe[:, None]
        allowed = ~(labelled[rows].astype(np.int64) @ all_but_one > 0)
        if allowed.any():
            which, targets = np.nonzero(allowed)
            choice = np.argmin(np.bincount(folds[folds >= 0], minlength=n_splits)[targets])
            row, target = rows[which[choice]], targets[choice]
            folds[row] = target
            counts[labelled[row], target] += 1
        else:
            stuck = ~safe & (counts[:, fold] == totals)
            row = rows[np.argmax(labelled[rows] @ stuck.astype(np.int64))]
            folds[row] = ALWAYS_TRAIN
            safe |= labelled[row]
            totals[labelled[row]] -= 1
        counts[labelled[row], fold] -= 1
