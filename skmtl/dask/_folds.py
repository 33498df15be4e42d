"""Folds of the rows of a block, which do not depend on the other blocks."""

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.design import (
    as_label_array,
    encode_tasks,
    read_ids,
    read_weights,
    split_task_column,
    task_names,
)

NO_FOLD = -1


def assign_folds(
    number: int, X: Any, y: Any, sample_weight: Any, task_column: Any, n_folds: int
) -> NDArray[np.intp]:
    """The fold of each row of a block.

    The rows of each task (in the shared layout all rows) are assigned to the folds in turn,
    beginning at a fold that is a hash of the block's number and the task. Within a block, the
    sizes of a task's folds thus differ by at most one, and blocks of a single row are spread
    over all folds.

    Parameters
    ----------
    number : int
        That of the block.
    X, y, sample_weight : as in the estimators' fit
    task_column : str, int or None
    n_folds : int

    Returns
    -------
    ndarray of shape (n_samples,)
        Fold numbers, or -1 for rows without a label of positive weight.
    """
    labelled = _is_used(y, sample_weight, task_column)
    used = np.flatnonzero(labelled)
    folds = np.full(len(labelled), NO_FOLD, dtype=np.intp)
    tasks, codes = np.zeros(1, dtype=int), np.zeros(len(used), dtype=np.intp)
    if task_column is not None:
        ids = read_ids(split_task_column(X, task_column)[1], warn=False)
        tasks, codes = encode_tasks(ids[used])
    order = np.argsort(codes, kind="stable")
    sizes = np.bincount(codes, minlength=len(tasks))
    first = np.repeat(np.cumsum(sizes) - sizes, sizes)
    starts = np.array([_hashed(number, task) for task in tasks.tolist()], dtype=np.intp)
    turns = np.arange(len(used)) - first + np.repeat(starts, sizes)
    folds[used[order]] = turns % n_folds
    return folds


def _is_used(y: Any, sample_weight: Any, task_column: Any) -> NDArray[np.bool_]:
    """Whether each row has a label of positive weight."""
    labels = as_label_array(y, "Distributed")
    if labels.ndim == 1 or task_column is not None:
        weights = read_weights(sample_weight, labels.shape[:1])
        return np.asarray(weights > 0)
    tasks = task_names(y, labels.shape[1])
    weights = read_weights(sample_weight, labels.shape, tasks)
    return np.asarray(((weights > 0) & (labels == labels)).any(axis=1))


def _hashed(number: int, task: Any) -> int:
    """The same number in every process and release, unlike Python's own hash."""
    return zlib.crc32(f"{number}/{task}".encode())
