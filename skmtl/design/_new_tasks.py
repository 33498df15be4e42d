"""Validation of labels of tasks that a fitted estimator does not know."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier

from skmtl.design import _labels
from skmtl.design._containers import from_arrow, is_frame
from skmtl.design._data import TaskData
from skmtl.design._offset import (
    feature_positions,
    listed_offsets,
    spread_offset,
    stacked_offset,
)
from skmtl.design._tasks import KINDS, UNKNOWN, encode_tasks, look_up_tasks
from skmtl.design._validation import read_columns, weigh_classes

Array = NDArray[Any]


def read_new_tasks(estimator: Any, X: Any, y: Any, sample_weight: Any, name: Any) -> TaskData:
    """The labels of new tasks, which may have none, for a fitted estimator.

    Parameters
    ----------
    estimator : TaskEstimator
        Fitted in the shared or the stacked layout.
    X, y, sample_weight
        As in fit. In the shared layout y is (n_samples,), or has a column for each new task.
    name : object, list or None
        The names of the new tasks; in the stacked layout, of tasks without rows.

    Raises
    ------
    ValueError
        If a task is known already, a name is missing, or the data do not match those of the fit.
    """
    X = from_arrow(X)
    _refuse_offsets_by_task(estimator)
    if len(getattr(X, "shape", ())) == 2 and X.shape[0] == 0:
        features, ids, offset = _without_rows(estimator, X), None, None
    else:
        features, ids, _, offset = read_columns(estimator, X, reset=False)
    if ids is None:
        ids = np.array([], dtype=estimator.tasks_.dtype)
    raw = _labels.as_label_array(y, type(estimator).__name__)
    if len(raw) != features.shape[0]:
        raise ValueError(
            f"X has {features.shape[0]} rows and y has {len(raw)}. Pass a label for each row of X."
        )
    if estimator.task_column is None:
        data = _shared(estimator, features, y, raw, sample_weight, name)
    else:
        data = _stacked(estimator, features, raw, sample_weight, ids, name)
    if offset is not None:
        data = _with_offset(data, offset, ids)
    _refuse_known(estimator, data.tasks)
    if not is_classifier(estimator):
        return data
    classes = np.array([0, 1]) if data.codes is None else estimator.classes_
    return weigh_classes(data, estimator.class_weight, classes)


def _refuse_offsets_by_task(estimator: Any) -> None:
    """Raise if each task of the fit has an offset of its own, as a new one would not."""
    columns = listed_offsets(estimator)
    if len(columns) > 1:
        raise ValueError(
            f"offset_column names a column for each task of the fit, {columns[:10]}, and none for "
            f"a new task. Name one column for all tasks, or pass the tasks in the stacked layout "
            f"(skmtl.preprocessing.stack_tasks), where each row has its offset."
        )


def _without_rows(estimator: Any, X: Any) -> Array:
    """Features (0, n_features)."""
    if X.shape[1] != estimator.n_features_in_:
        raise ValueError(
            f"X has {X.shape[1]} features, but {type(estimator).__name__} is expecting "
            f"{estimator.n_features_in_} features as input. Pass the columns of the fit."
        )
    return np.zeros((0, len(feature_positions(estimator, X.shape[1]))))


def _with_offset(data: TaskData, offset: Array, ids: Array) -> TaskData:
    """The labels of new tasks with the offsets (n_samples, n_offsets) of the rows of X."""
    if data.codes is None:
        return replace(data, offset=spread_offset(offset, data.tasks))
    order = np.argsort(encode_tasks(ids)[1], kind="stable")
    return replace(data, offset=stacked_offset(offset)[order])


def _shared(estimator: Any, X: Any, y: Any, raw: Array, sample_weight: Any, name: Any) -> TaskData:
    tasks = _names_of_columns(estimator, y, raw, name)
    columns = raw if raw.ndim == 2 else raw[:, None]
    if is_classifier(estimator):
        labels = _labels.read_indicators(columns)
    else:
        labels = _labels.read_numbers(columns, tasks)
    weights = _labels.read_weights(sample_weight, labels.shape, tasks)
    weights[np.isnan(labels)] = 0.0
    labels = np.where(weights > 0, labels, 1.0)
    places = np.arange(len(tasks))
    return TaskData("shared", X, labels, weights, tasks, None, tasks, places)


def _stacked(
    estimator: Any, X: Any, raw: Array, sample_weight: Any, ids: Array, name: Any
) -> TaskData:
    raw = _labels.flatten_column(raw)
    if is_classifier(estimator):
        labels = _as_signs(raw, estimator.classes_)
    else:
        labels = _labels.read_numbers(raw, None)
    weights = _labels.read_weights(sample_weight, labels.shape)
    named = [] if name is None else _listed(name)
    if not (len(ids) or named):
        raise ValueError(
            "X has no rows, so that the new task has no id. Pass it as name, or pass rows."
        )
    _check_kind(estimator.tasks_, named)
    tasks, codes = encode_tasks(ids)
    present = tasks.tolist()
    tasks = _joined(tasks, [task for task in named if task not in present])
    order = np.argsort(codes, kind="stable")
    places = np.arange(len(tasks))
    return TaskData(
        "stacked", X[order], labels[order], weights[order], tasks, codes[order], tasks, places
    )


def _check_kind(known: Array, named: list[Any]) -> None:
    """Raise if no task column that holds the ids of the fit could hold these names."""
    for name in named:
        kinds = [KINDS.get(np.asarray(each).dtype.kind) for each in (known, name)]
        if None not in kinds and kinds[0] != kinds[1]:
            raise ValueError(
                f"name must be of the type of the task ids, which are {kinds[0]} such as "
                f"{known.tolist()[0]!r}, got {name!r}. Pass another name."
            )


def _as_signs(raw: Array, classes: Array) -> Array:
    """Labels of the two classes of the fit as -1 and +1."""
    labels = _labels.read_classes(raw) if len(raw) else raw
    unknown = np.setdiff1d(labels, classes)
    if len(unknown):
        raise ValueError(
            f"y holds the labels {unknown[:5].tolist()}, which are none of the classes of the fit, "
            f"{classes.tolist()}. Recode them."
        )
    return np.where(labels == classes[1], 1.0, -1.0)


def _names_of_columns(estimator: Any, y: Any, raw: Array, name: Any) -> Array:
    """The names of the new tasks in the shared layout."""
    count = 1 if raw.ndim == 1 else raw.shape[1]
    known, given = estimator.tasks_, from_arrow(y)
    if name is None and is_frame(given):
        return _labels.task_names(y, count)
    if name is None and known.dtype.kind in "iu":
        return np.asarray(known.max() + 1 + np.arange(count))
    if name is None:
        name = getattr(given, "name", None)
    if name is None:
        raise ValueError(
            f"The tasks of the fit have names such as {known.tolist()[0]!r}, and the new task has "
            f"none. Pass its name, or y as a data frame with a column of that name."
        )
    names = _listed(name)
    if len(names) != count:
        raise ValueError(
            f"name has {len(names)} entries, and y has {count} columns. Pass a name for each."
        )
    return _joined(known[:0], names)


def _listed(name: Any) -> list[Any]:
    """One name or several as a list."""
    return list(name) if isinstance(name, (list, tuple, np.ndarray)) else [name]


def _joined(tasks: Array, names: list[Any]) -> Array:
    """An array of task names with others added; of objects if their kinds differ."""
    if not names:
        return tasks
    more = None if any(isinstance(task, tuple) for task in names) else np.asarray(names)
    if more is not None and _kind(more) == _kind(tasks):
        return np.concatenate([tasks, more])
    mixed = np.empty(len(tasks) + len(names), dtype=object)
    mixed[:] = [*tasks.tolist(), *names]
    return mixed


def _kind(tasks: Array) -> str:
    return "number" if tasks.dtype.kind in "iuf" else tasks.dtype.kind


def append_tasks(known: Array, new: Array) -> Array:
    """The names of the tasks of the fit and of new ones."""
    return _joined(known, new.tolist())


def _refuse_known(estimator: Any, tasks: Array) -> None:
    """Raise if a new task is among those of the fit, or is named twice."""
    names = tasks.tolist()
    known = set(estimator.tasks_.tolist())
    if estimator.task_column is not None:
        # Raises if the ids are of another type than those of the fit.
        repeated = tasks[look_up_tasks(estimator.tasks_, tasks) != UNKNOWN].tolist()
    else:
        repeated = [name for name in names if name in known]
    if repeated:
        raise ValueError(
            f"The tasks {repeated[:10]} are known already. Fit the estimator again with their new "
            f"rows, or give the new tasks other names."
        )
    if len(set(names)) < len(names):
        raise ValueError(f"The new tasks must have different names, got {names[:10]}.")
