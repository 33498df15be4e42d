"""Conversion from lists of per-task data to the stacked layout."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from skmtl.design import MASKED_FEATURES, fill_mask, from_arrow, is_frame, read_ids, refuse_mask
from skmtl.preprocessing._containers import (
    insert_task_column,
    library_of,
    stack_rows,
    with_column,
)


def stack_tasks(
    Xs: Sequence[Any], ys: Sequence[ArrayLike], names: Sequence[Any] | None = None
) -> tuple[Any, NDArray[Any]]:
    """Convert lists of per-task data to the stacked layout.

    MATLAB toolboxes such as MALSAR use such lists, with one cell per task.

    Parameters
    ----------
    Xs : list of n_tasks data frames, arrays or sparse matrices of shape (n_t, n_features)
        The features of each task, in containers of the same kind. Data frames must have the same
        columns, in any order.
    ys : list of n_tasks arrays of shape (n_t,) or (n_t, 1)
        The labels of each task.
    names : list of n_tasks strings or numbers, default=None
        The task ids. None: the tasks are numbered from 0.

    Returns
    -------
    X : data frame, ndarray or CSR of shape (n_samples, n_features + 1)
        The rows of all tasks, with the task ids in the last column: a data frame with a column
        ``"task"`` from data frames, CSR from sparse matrices, otherwise an array of floats
        (float32 if all parts are), or of objects if the names are strings.
    y : ndarray of shape (n_samples,)

    Raises
    ------
    ValueError
        If the lists differ in length; if a task has no rows, different features from the first
        task, or a number of labels that differs from its number of rows; if names repeat; or if
        names are strings and the features sparse.

    See Also
    --------
    TaskTransformer : Transforms such data and leaves the task column unchanged.

    References
    ----------
    J. Zhou, J. Chen, J. Ye (2011). MALSAR: Multi-tAsk Learning via StructurAl Regularization.
    User's manual, Arizona State University.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.preprocessing import stack_tasks
    >>> X, y = stack_tasks([np.ones((2, 1)), np.zeros((1, 1))], [[5, 6], [7]])
    >>> X
    array([[1., 0.],
           [1., 0.],
           [0., 1.]])
    >>> y
    array([5, 6, 7])
    """
    for what, given in (("Xs", Xs), ("ys", ys), ("names", () if names is None else names)):
        if isinstance(given, (dict, str)) or not hasattr(given, "__len__"):
            raise ValueError(
                f"{what} must be a list with one entry per task, got {type(given).__name__}. For a "
                f"dict d by task pass list(d.values()), and names=list(d)."
            )
    ids = np.arange(len(Xs)) if names is None else read_ids(np.array(list(names), dtype=object))
    if not len(Xs) == len(ys) == len(ids):
        raise ValueError(
            f"Xs, ys and names need one entry per task, got {len(Xs)} in Xs, {len(ys)} in ys"
            + (f" and {len(ids)} in names." if names is not None else ".")
        )
    if ids.ndim != 1:
        raise ValueError(f"names must be strings or numbers, one per task, got {names!r:.200}.")
    if len(ids) == 0:
        raise ValueError("Xs is empty. Pass at least one task.")
    present, counts = np.unique(ids, return_counts=True)
    if (counts > 1).any():
        raise ValueError(
            f"names must be different, but {present[counts > 1].tolist()} repeat. Give each task "
            f"its own id."
        )
    labels = [f"Xs[{k}] (task {name!r})" for k, name in enumerate(ids.tolist())]
    parts = _same_kind(Xs, labels)
    targets = [np.asarray(fill_mask(y)) for y in ys]
    targets = [y.ravel() if y.ndim == 2 and y.shape[1] == 1 else y for y in targets]
    for part, target, label in zip(parts, targets, labels, strict=True):
        if target.ndim != 1:
            raise ValueError(f"The labels of {label} must be 1-D, got the shape {target.shape}.")
        if part.shape[0] != len(target):
            raise ValueError(f"{label} has {part.shape[0]} rows, but {len(target)} labels in ys.")
        if part.shape[0] == 0:
            raise ValueError(f"{label} has no rows. Leave that task out.")
    row_ids = np.repeat(ids, [len(target) for target in targets])
    y = np.concatenate(targets)
    features = stack_rows(parts)
    if is_frame(features):
        return with_column(features, "task", row_ids, features.shape[1]), y
    if features.dtype.kind in "iub":
        features = features.astype(np.float64)
    return insert_task_column(features, row_ids, features.shape[1]), y


def _same_kind(Xs: Sequence[Any], labels: list[str]) -> list[Any]:
    """Return the parts as 2-D containers of the same kind with the same features."""
    Xs = [from_arrow(X) for X in Xs]
    for X, label in zip(Xs, labels, strict=True):
        refuse_mask(X, label, MASKED_FEATURES)
    parts: list[Any] = [X if is_frame(X) or sp.issparse(X) else np.asarray(X) for X in Xs]
    kinds = {library_of(X) if is_frame(X) else "sparse" if sp.issparse(X) else "" for X in parts}
    if len(kinds) > 1:
        found = sorted({type(X).__name__ for X in Xs})
        raise ValueError(f"Xs mixes {', '.join(found)}. Convert all tasks to one kind.")
    first = parts[0]
    for part, label in zip(parts, labels, strict=True):
        if len(part.shape) != 2:
            raise ValueError(f"{label} must be 2-D, (rows, features), got the shape {part.shape}.")
        if part.shape[1] != first.shape[1]:
            raise ValueError(
                f"{label} has {part.shape[1]} features, but {labels[0]} has {first.shape[1]}. "
                f"Every task needs the same features."
            )
        if is_frame(part) and set(part.columns) != set(first.columns):
            raise ValueError(
                f"{label} has the columns {list(part.columns)}, but {labels[0]} has "
                f"{list(first.columns)}. Every task needs the same features."
            )
    if not is_frame(first):
        return parts
    if "task" in first.columns:
        raise ValueError(
            "The data frames in Xs already have a column 'task', the name of the column of task "
            "ids. Rename or drop it."
        )
    return [part[list(first.columns)] for part in parts]
