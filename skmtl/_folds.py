"""Assignment of rows to folds that spreads every task, and every class of a task, evenly.

The functions map plain arrays to fold numbers. The splitter uses them, and so do the estimators
that select their own regularisation strength. In both layouts a task with two or more labels has
a label in every training set; if groups of rows stay together, a task with labels in two or more
groups.
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

    The rows are sorted by task, then by class, and assigned to the folds in turn. A task, and a
    class within a task, is contiguous in that order, so that its numbers of rows in any two folds
    differ by at most one. The sizes of the folds also differ by at most one.

    Parameters
    ----------
    codes : ndarray of shape (n_samples,)
        Each row's task, as integers.
    classes : ndarray of shape (n_samples,) or None
        Each row's class, of any type that can be sorted. None to stratify by task only.
    n_splits : int
    rng : RandomState, Generator or None
        Shuffles the rows within each task and class. None to keep their order.

    Returns
    -------
    ndarray of shape (n_samples,)
        Fold numbers from 0 to n_splits - 1, or -1 for the only row of a task, which is in every
        training set.
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
    """Return the strata of a label matrix ``Y`` (n, T), with NaN for missing labels.

    Parameters
    ----------
    Y : ndarray of shape (n_samples, n_tasks)
    by_class : bool
        Whether Y contains 0 and 1, and each task has a stratum for each of them.

    Returns
    -------
    members : bool ndarray of shape (n_samples, n_strata)
        Whether a row belongs to a stratum.
    tasks : ndarray of shape (n_strata,)
        The task of each stratum.
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
    https://doi.org/10.1007/978-3-642-23808-6_10), followed by repairs that ensure that no task
    with two or more labels has all of them in one test fold.

    Parameters
    ----------
    members, tasks : ndarrays of shape (n_samples, n_strata) and (n_strata,)
        As returned by :func:`label_strata`: the rows and the tasks, 0, 1, ..., of the strata.
    n_splits : int
    rng : RandomState, Generator or None
        Shuffles the rows. None to keep their order.

    Returns
    -------
    ndarray of shape (n_samples,)
        Fold numbers from 0 to n_splits - 1, or -1 for rows that are in every training set: those
        with the only label of a task, and those that a repair cannot move to another fold. No
        fold is empty if at least n_splits rows do not have the only label of a task.
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

    As in scikit-learn's StratifiedGroupKFold, the groups are assigned one by one, those with large
    shares of the strata first, each to the fold that has the least of its strata. Repairs follow,
    as in :func:`assign_shared`.

    Parameters
    ----------
    groups : ndarray of shape (n_samples,)
        Each row's group: 0, 1, ...
    labelled : sparse array of shape (n_samples, n_tasks)
        1 where a row has a label of a task.
    strata : sparse array of shape (n_samples, n_strata)
        1 where a row belongs to a stratum. Rows and tasks need no strata to be spread evenly.
    n_splits : int
    rng : RandomState, Generator or None
        Shuffles groups of equal importance. None to keep their order.

    Returns
    -------
    ndarray of shape (n_samples,)
        Fold numbers from 0 to n_splits - 1, or -1 for rows that are in every training set: those
        of groups with all labels of a task, and of groups that a repair cannot move to another
        fold. No fold is empty if there are n_splits other groups.
    """
    n = len(groups)
    pooled = sp.csr_array((np.ones(n), (groups, np.arange(n))))
    counts = sp.csr_array(pooled @ sp.hstack([np.ones((n, 1)), labelled, strata]))
    has_label = (pooled @ labelled).toarray() > 0
    only = has_label.sum(axis=0) == 1
    folds = np.where(has_label[:, only].any(axis=1), ALWAYS_TRAIN, _PENDING)
    _place(folds, counts, n_splits, rng)
    _repair(folds, has_label, n_splits)
    return np.asarray(folds[groups])


def _place(folds: NDArray[np.intp], counts: Any, n_splits: int, rng: Rng) -> None:
    """Assign the pending groups to folds, the most important first (in place).

    Adding a group with the share s of a stratum to a fold with the share f increases the sum of
    the folds' squared shares by 2 f s + s^2, of which only f s depends on the fold. The first
    column counts rows, so that an empty fold always has the lowest cost.
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
        # Among folds whose costs differ only by rounding error, take the smallest.
        best = np.flatnonzero(costs <= costs.min() * (1 + 1e-9))
        fold = best[placed[best, 0].argmin()]
        folds[group] = fold
        placed[fold, strata] += share


def _stratify(folds: NDArray[np.intp], members: NDArray[np.bool_], n_splits: int, rng: Rng) -> None:
    """Assign the pending rows to folds, the rarest stratum first (in place)."""
    n = len(folds)
    rows = np.arange(n) if rng is None else rng.permutation(n)
    rows = rows[folds[rows] == _PENDING]
    row_ends = np.cumsum(members.sum(axis=1))
    strata_of = np.split(np.nonzero(members)[1], row_ends[:-1])
    sizes = np.zeros(n_splits, dtype=np.int64)
    # The number of rows that a fold still needs of a stratum, times n_splits: integers make ties
    # exact.
    lacking = np.repeat(members[rows].sum(axis=0, dtype=np.int64)[:, None], n_splits, axis=1)

    while True:
        left = lacking.sum(axis=1) // n_splits
        if not left.any():
            break
        rarest = np.argmin(np.where(left > 0, left, n + 1))
        for i in rows[members[rows, rarest]]:
            # Take the fold that needs most rows of this stratum, and of those the smallest. Empty
            # folds are always preferred, so that none stays empty.
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
    """Divide every task that has all its labels in one fold between two folds (in place).

    Such a task has at least two rows in its fold, so that removing one never empties the fold, and
    no step undoes an earlier one.
    """
    counts = np.array([labelled[folds == k].sum(axis=0) for k in range(n_splits)]).T
    safe = labelled[folds == ALWAYS_TRAIN].any(axis=0)
    totals = counts.sum(axis=1)
    for task in np.flatnonzero(~safe & (counts.max(axis=1) == totals) & (totals > 0)):
        fold = np.argmax(counts[task])
        if safe[task] or counts[task, fold] < totals[task]:
            continue  # an earlier repair has also solved this task
        rows = np.flatnonzero(labelled[:, task] & (folds == fold))
        # A fold must not receive a row that gives it all labels of some task. This excludes the
        # row's own fold, because of this task.
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
