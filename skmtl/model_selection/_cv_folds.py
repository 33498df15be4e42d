"""The training and held-out rows of each fold, as rows of the validated data."""

from collections.abc import Iterator
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.model_selection import GroupKFold, KFold, check_cv
from sklearn.utils import _safe_indexing, check_consistent_length

from skmtl._warnings import warn
from skmtl.design import (
    TaskData,
    as_label_array,
    encode_tasks,
    read_ids,
    read_weights,
    split_task_column,
)
from skmtl.estimators import Fold, part_folds
from skmtl.model_selection._split import StratifiedTaskKFold

Array = NDArray[Any]

_N_FOLDS = 5


def make_folds(
    cv: Any, model: Any, data: TaskData, X: Any, y: Any, sample_weight: Any, groups: Any = None
) -> tuple[list[Fold], bool]:
    """The folds of ``cv``, and whether every task has rows in every training set.

    If ``cv`` is a number of folds, or None for five, they are stratified by task (and by class) if
    the layout is stacked, labels are missing, the model is a classifier, or groups are given;
    otherwise they are those of KFold. Only rows with a label are used; labels of weight zero count
    as missing. If every task has a single row, the folds cannot keep all tasks in training.
    """
    if data.condensed is not None:
        return part_folds(data, type(model).__name__)
    labels = as_label_array(y, type(model).__name__)
    if groups is not None:
        check_consistent_length(labels, groups)
    rows, keep = rows_of_data(model, data, X, labels, sample_weight), True
    if cv is None or isinstance(cv, Integral):
        n_splits = _N_FOLDS if cv is None else int(cv)
        splits, keep = _default_splits(is_classifier(model), data, rows, n_splits, groups)
    else:
        splits = _given_splits(cv, X, y, groups)
    # The position of each row of X in the validated data; -1: the row has no label.
    places = np.full(len(labels), -1)
    places[rows] = np.arange(len(rows))
    folds = []
    for number, (train, test) in enumerate(splits):
        train, test = _as_rows(train, len(places)), _as_rows(test, len(places))
        kept = [np.sort(places[part][places[part] >= 0]) for part in (train, test)]
        if not all(len(part) for part in kept):
            which = "held-out rows" if len(kept[0]) else "training rows"
            raise ValueError(
                f"Fold {number} has no label in its {which}. Use fewer folds, or "
                f"cv=StratifiedTaskKFold(...), which spreads the labels of every task."
            )
        folds.append(Fold(number, kept[0], kept[1], test))
    if not folds:
        raise ValueError(f"cv={cv!r} yields no split. Pass a number of folds, or a splitter.")
    return folds, keep


def _given_splits(cv: Any, X: Any, y: Any, groups: Any) -> Iterator[tuple[Array, Array]]:
    """The splits of a splitter or of a list of splits."""
    try:
        return iter(list(check_cv(cv).split(X, y, groups)))
    except ValueError as error:
        # scikit-learn's stratified splitters reject NaN and several columns of y.
        raise ValueError(
            f"cv={cv!r:.200} cannot split these data: {error}\nUse cv=5 or "
            f"cv=StratifiedTaskKFold(...), which accept several tasks and missing labels."
        ) from error


def rows_of_data(
    model: Any, data: TaskData, X: Any, labels: Array, sample_weight: Any
) -> NDArray[np.intp]:
    """The row number in X of each row of the validated data.

    The data hold the rows that have a label with positive weight, in the stacked layout sorted by
    task.
    """
    tasks = data.all_tasks if data.layout == "shared" else None
    counts = read_weights(sample_weight, labels.shape, tasks) > 0
    if data.layout == "shared":
        counts &= ~np.isnan(labels.astype(np.float64))
    used = np.flatnonzero(counts.reshape(len(labels), -1).any(axis=1))
    if data.codes is None:
        return used
    ids = read_ids(split_task_column(X, model.task_column)[1], warn=False)
    return used[np.argsort(encode_tasks(ids[used])[1], kind="stable")]


def _default_splits(
    by_class: bool, data: TaskData, rows: NDArray[np.intp], n_splits: int, groups: Any
) -> tuple[Iterator[tuple[Array, Array]], bool]:
    """Splits of the rows of X into ``n_splits`` folds, and whether training keeps every task."""
    if len(rows) < n_splits:
        raise ValueError(
            f"Cross-validation in {n_splits} folds needs at least as many rows with labels, got "
            f"n_samples={len(rows)}. Lower cv, or fit the estimator without cross-validation."
        )
    # In the order of X, so that the folds equal those of the splitter on X.
    order, keep = np.argsort(rows), True
    by_task, grouped = data.codes is not None, groups is not None
    labels, observed = data.y[order], data.weights[order] > 0
    if by_class:
        labels = (labels + 1) / 2
    if data.layout == "classes" and labels.shape[1] > 1:
        labels = labels.argmax(axis=1)
    elif data.layout in ("classes", "single"):
        labels = labels[:, 0]
    elif not by_task:
        labels = np.where(observed, labels, np.nan)
    stratified = by_task or by_class or grouped or np.isnan(labels).any()
    features = np.zeros((len(order), 1))
    splitter: Any = GroupKFold(n_splits) if grouped else KFold(n_splits)
    if data.codes is not None:
        features = data.codes[order][:, None]
        keep = bool((np.bincount(data.codes) > 1).any())
        if not keep:
            warn(
                "Every task has a single row: cross-validation can only predict the held-out "
                "tasks by the average of the others. Is task_column the column of the tasks?"
            )
    if stratified and keep:
        column = 0 if by_task else None
        splitter = StratifiedTaskKFold(n_splits, task_column=column, random_state=0)
    ordered = rows[order]
    splits = splitter.split(features, labels, _safe_indexing(groups, ordered) if grouped else None)
    return ((ordered[train], ordered[test]) for train, test in splits), keep


def _as_rows(part: Any, n_samples: int) -> NDArray[np.intp]:
    """Row numbers from row numbers or a mask."""
    part = np.asarray(part)
    if part.ndim != 1 or (part.size and part.dtype.kind not in "iub"):
        raise ValueError(
            f"A split of cv must be a pair (train, test) of row numbers or masks; got "
            f"{part.tolist()!r:.200} for one of the two. Pass a splitter, a number of folds, or a "
            f"list of such pairs."
        )
    if part.dtype == bool:
        return np.flatnonzero(part)
    outside = part[(part < -n_samples) | (part >= n_samples)]
    if len(outside):
        raise ValueError(
            f"The splits of cv must hold rows of X, which has {n_samples}; got row {outside[0]}. "
            f"Check that the splits were made for these data."
        )
    rows: NDArray[np.intp] = part.astype(np.intp, copy=False)
    return rows
