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
    number: int,
    X: Any,
    y: Any,
    sample_weight: Any,
    task_column: Any,
    n_folds: int,
    groups: Any = None,
) -> NDArray[np.intp]:
    """The fold of each row of a block.

    With groups, the fold is a hash of the row's group, which is the same in all blocks. Otherwise
    the rows of each task (in the shared layout all rows) are assigned to the folds in turn,
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
    groups : array-like of shape (n_samples,), optional

    Returns
    -------
    ndarray of shape (n_samples,)
        Fold numbers, or -1 for rows without a label of positive weight.
    """
    labelled = _is_used(y, sample_weight, task_column)
    used = np.flatnonzero(labelled)
    folds = np.full(len(labelled), NO_FOLD, dtype=np.intp)
    if groups is not None:
        folds[used] = _folds_of_groups(groups, n_folds)[used]
        return folds
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


def _folds_of_groups(groups: Any, n_folds: int) -> NDArray[np.intp]:
    """The fold of each row by its group alone."""
    names = np.asarray(groups)
    if names.ndim != 1:
        raise ValueError(f"groups must be 1-D, one for each row, got shape {names.shape}.")
    found: dict[Any, int] = {}
    for name in names.tolist():
        if name not in found:
            # pandas.NA does not compare; recognise it by name, to avoid importing pandas.
            if name is None or type(name).__name__ == "NAType" or name != name:
                raise ValueError(
                    "groups holds missing values. Give every row a group, for example one of its "
                    "own."
                )
            # The same whether a block holds its numbers as integers or as floats.
            whole = isinstance(name, float) and name.is_integer()
            found[name] = _hashed("group", int(name) if whole else name) % n_folds
    return np.array([found[name] for name in names.tolist()], dtype=np.intp)


def _is_used(y: Any, sample_weight: Any, task_column: Any) -> NDArray[np.bool_]:
    """Whether each row has a label of positive weight."""
    labels = as_label_array(y, "Distributed")
    if labels.ndim == 1 or task_column is not None:
        weights = read_weights(sample_weight, labels.shape[:1])
        return np.asarray(weights > 0)
    tasks = task_names(y, labels.shape[1])
    weights = read_weights(sample_weight, labels.shape, tasks)
    return np.asarray(((weights > 0) & (labels == labels)).any(axis=1))


def _hashed(number: int | str, task: Any) -> int:
    """The same number in every process and release, unlike Python's own hash."""
    return zlib.crc32(f"{number}/{task}".encode())
