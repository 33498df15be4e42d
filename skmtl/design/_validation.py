"""Validation: from the arguments of fit and predict to :class:`TaskData`."""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils.validation import validate_data

from skmtl._warnings import warn
from skmtl.design import _labels
from skmtl.design._containers import (
    from_arrow,
    has_bounded_squares,
    is_frame,
    is_valid,
    refuse_cubes,
    refuse_dates,
    refuse_mask,
    refuse_overflow,
)
from skmtl.design._data import TaskData
from skmtl.design._names import check_columns, refuse_repeated
from skmtl.design._offset import listed_offsets, split_offset, spread_offset, stacked_offset
from skmtl.design._tasks import (
    MASKED_FEATURES,
    UNKNOWN,
    chain_of,
    encode_tasks,
    look_up_tasks,
    ordered_categories,
    read_ids,
    split_task_column,
    task_categories,
)

Array = NDArray[Any]

_ALL_ZERO = (
    "All sample weights are zero: there is no label to fit. Give some labels a positive weight."
)
# A copy of so many bytes should be avoided.
_LARGE = 2**26
_FEATURES = {"accept_sparse": ["csr", "csc"], "dtype": [np.float64, np.float32]}


def read_regression(
    estimator: Any, X: Any, y: Any, sample_weight: Any, *, keep_rows: bool = False
) -> TaskData:
    """Validate a regressor's data; set ``n_features_in_`` and ``feature_names_in_``.

    With ``keep_rows`` rows without a label remain in the shared layout if X is so large that a copy
    without them should be avoided.
    """
    raw = _labels.as_label_array(y, type(estimator).__name__)
    categories = task_categories(X, estimator.task_column)
    features = read_columns(estimator, X, reset=True)
    if features.X.shape[0] != len(raw):
        check_consistent_length(features.X, raw)
    if features.ids is not None:
        labels = _labels.read_numbers(_labels.flatten_column(raw), None)
        weights = _labels.read_weights(sample_weight, labels.shape)
        return _stacked(features, labels, weights, categories, estimator.unknown_task)
    if raw.ndim == 1:
        labels = _labels.read_numbers(raw, None)[:, None]
        weights = _labels.read_weights(sample_weight, raw.shape)[:, None]
        return _shared("single", features, labels, weights, np.arange(1))
    tasks = _labels.task_names(y, raw.shape[1])
    labels = _labels.read_numbers(raw, tasks)
    weights = _labels.read_weights(sample_weight, labels.shape, tasks)
    return _shared("shared", features, labels, weights, tasks, keep_rows=keep_rows)


def read_classification(
    estimator: Any, X: Any, y: Any, sample_weight: Any, *, one_of_k: bool = False
) -> tuple[TaskData, Array]:
    """Validate a classifier's data; return them with the class labels.

    The weights include ``estimator.class_weight``. With ``one_of_k`` y must be 1-D; each class
    becomes a column of indicators, and a row has the same weight in all columns.
    """
    raw = _labels.as_label_array(y, type(estimator).__name__)
    if one_of_k:
        _check_one_of_k(estimator, raw)
    categories = task_categories(X, estimator.task_column)
    features = read_columns(estimator, X, reset=True)
    ids = features.ids
    if features.X.shape[0] != len(raw):
        check_consistent_length(features.X, raw)
    class_weight = estimator.class_weight
    tasks_in_columns = raw.ndim == 2 and (raw.shape[1] > 1 or _labels.is_one_indicator(raw))
    if ids is None and tasks_in_columns and not one_of_k:
        tasks = _labels.task_names(y, raw.shape[1])
        labels = _labels.read_indicators(raw)
        weights = _labels.read_weights(sample_weight, labels.shape, tasks)
        data = _shared("shared", features, labels, weights, tasks)
        return weigh_classes(data, class_weight, np.array([0, 1])), np.arange(data.n_tasks)
    target = _labels.read_classes(_labels.flatten_column(raw))
    weights = _labels.read_weights(sample_weight, target.shape)
    # Rows of weight zero are left out, and do not define classes either.
    used = weights > 0
    if not used.any():
        raise ValueError(_ALL_ZERO)
    classes = np.unique(target[used])
    if len(classes) < 2:
        raise ValueError(
            f"{type(estimator).__name__} needs labels of at least 2 classes, but y contains only "
            f"one class: {classes.tolist()[0]!r}."
        )
    if ids is not None:
        if len(classes) > 2:
            raise ValueError(_too_many_labels(target[used], ids[used], classes))
        labels = np.where(target == classes[1], 1.0, -1.0)
        data = _stacked(features, labels, weights, categories, estimator.unknown_task)
        return weigh_classes(data, class_weight, classes), classes
    positive = classes[1:] if len(classes) == 2 and not one_of_k else classes
    labels = np.where(target[:, None] == positive[None, :], 1.0, 0.0 if one_of_k else -1.0)
    if isinstance(class_weight, dict) and len(positive) > 1:
        # The weight of a row's class applies to all its columns.
        own = np.searchsorted(classes[:-1], target)  # arbitrary for unused rows
        weights = weights * class_factors(class_weight, classes)[own]
        class_weight = None
    weights = np.repeat(weights[:, None], len(positive), 1)
    data = _shared("classes", features, labels, weights, positive)
    data = replace(data, chain=chain_of(ordered_categories(y), positive))
    return weigh_classes(data, class_weight, classes), classes


class Features(NamedTuple):
    """Validated features (n_samples, n_features), and the task ids, if stacked.

    ``bounded`` tells whether the sum of the squares is known to be finite. ``offset`` (n_samples,
    n_offsets) holds the columns that ``offset_column`` names.
    """

    X: Any
    ids: Array | None
    bounded: bool = False
    offset: Array | None = None


def read_features(estimator: Any, X: Any, *, reset: bool) -> tuple[Any, Array | None]:
    """Validate X; return features (n_samples, n_features) and task ids, if stacked."""
    X, ids, *_ = read_columns(estimator, X, reset=reset)
    return X, ids


def read_columns(estimator: Any, X: Any, *, reset: bool) -> Features:
    """Validate X; return features, task ids and offsets."""
    task_column, offsets = estimator.task_column, listed_offsets(estimator)
    plain = task_column is None and not offsets
    if plain and is_valid(X):
        check_columns(estimator, X, reset=reset)
        return Features(X, None, bounded=True)
    X = from_arrow(X)
    refuse_cubes(X)
    if is_frame(X):
        refuse_repeated(X.columns, "X")
    if plain:
        return Features(_read_plain(estimator, X, reset=reset), None)
    if not hasattr(X, "shape"):
        X = np.asarray(X)
    # A data frame with a column of strings would be converted to objects; its numbers are checked
    # below.
    if not is_frame(X) and np.iscomplexobj(X):
        raise ValueError("Complex data not supported: X must be real.")
    if not reset and len(X.shape) == 2:
        check_columns(estimator, X, reset=False)
    features, ids, offset = X, None, None
    if offsets:
        features, offset, task_column = split_offset(X, offsets, task_column)
    if task_column is not None:
        features, ids = split_task_column(features, task_column)
    if features.shape[1] == 0:
        raise ValueError(
            f"Found array with 1 feature(s) (shape={X.shape}) while a minimum of 2 is required: "
            f"the task column and at least one feature to learn from."
        )
    if reset:
        check_columns(estimator, X, reset=True)
    refuse_dates(features)
    # Reading all of X is faster, because the features are then contiguous.
    bounded = is_valid(X) or is_valid(features)
    try:
        if not bounded:
            features = check_array(features, estimator=estimator, input_name="X", **_FEATURES)
    except ValueError as error:
        if "could not convert string" not in str(error):
            raise
        raise ValueError(
            f"{error}. Is task_column={estimator.task_column!r} the column that holds the tasks' "
            f"names? Other strings need encoding first."
        ) from error
    return Features(features, None if ids is None else read_ids(ids, warn=reset), bounded, offset)


def _read_plain(estimator: Any, X: Any, *, reset: bool) -> Any:
    """Validate X if all its columns are features."""
    refuse_mask(X, "X", MASKED_FEATURES)
    refuse_dates(X)
    try:
        return validate_data(estimator, X, reset=reset, **_FEATURES)
    except ValueError as error:
        if "could not convert string" not in str(error):
            raise
        raise ValueError(
            f"{error}. If a column of X holds the tasks' names, set task_column to it; other "
            f"strings need encoding first."
        ) from error


def read_prediction(estimator: Any, X: Any) -> tuple[Any, Array | None, Array | None]:
    """Validate X for a fitted estimator; return features, task codes and offsets.

    The code of an unknown task is -1. Offsets are (n_samples,) in the stacked layout, otherwise
    (n_samples, 1) or (n_samples, n_tasks), or None.

    Raises
    ------
    ValueError
        If a task is unknown and ``estimator.unknown_task`` is "error".
    """
    X, ids, _, offset = read_columns(estimator, X, reset=False)
    if ids is None:
        return X, None, offset
    codes = look_up_tasks(estimator.tasks_, ids)
    if estimator.unknown_task == "error" and (codes == UNKNOWN).any():
        unknown = np.unique(ids[codes == UNKNOWN]).tolist()
        listed = f"{unknown[:10]}" + (f" and {len(unknown) - 10} more" if len(unknown) > 10 else "")
        added = hasattr(estimator, "fit_new_task")
        raise ValueError(
            f"X holds tasks that were not in the training data: {listed}. Use "
            f"unknown_task='mean' to predict them by the average task"
            f"{', or add them by fit_new_task' if added else ''}. In cross-validation, use "
            f"cv=StratifiedTaskKFold(task_column={estimator.task_column!r}), so that every "
            f"training fold holds every task (rows sorted by task leave whole tasks out)."
        )
    return X, codes, None if offset is None else stacked_offset(offset)


def _shared(
    layout: str,
    features: Features,
    y: Array,
    weights: Array,
    tasks: Array,
    *,
    keep_rows: bool = False,
) -> TaskData:
    """The data of labels and weights, arrays that may be overwritten."""
    X, offset = features.X, features.offset
    bounded = has_bounded_squares(y)
    if not bounded:
        weights[np.isnan(y)] = 0.0
    labelled = weights > 0
    complete = bool(labelled.all())
    # Labels of weight 0 must be finite, since 0 * inf is NaN. Labels and weights must also have the
    # same order in memory, on which the rounding of sums depends.
    if not (y.flags.c_contiguous and weights.flags.c_contiguous):
        y = np.where(labelled, y, 1.0)
    elif not complete:
        np.copyto(y, 1.0, where=~labelled)
    if offset is not None:
        offset = spread_offset(offset, tasks)
    if not complete:
        empty = ~labelled.any(axis=0)
        if empty.any():
            if layout != "shared":
                raise ValueError(_ALL_ZERO)
            raise ValueError(
                f"These tasks have no label: {tasks[empty].tolist()}. Drop their columns from y, "
                f"or give them at least one label with a positive weight."
            )
    places = np.arange(len(tasks))
    data = TaskData(layout, X, y, weights, tasks, None, tasks, places, offset=offset)
    if not (complete or (keep_rows and not sp.issparse(X) and X.nbytes >= _LARGE)):
        data = data.labelled()
    if not features.bounded:
        refuse_overflow(data.X, "X")
    if not bounded:
        refuse_overflow(data.y, "y")
    return data


def _stacked(
    features: Features,
    y: Array,
    weights: Array,
    categories: list[Any] | None,
    unknown_task: str,
) -> TaskData:
    X, ids = features.X, features.ids
    assert ids is not None
    used = weights > 0
    if not used.any():
        raise ValueError(_ALL_ZERO)
    if not used.all():
        warn_of_unweighted(ids, ids[used], unknown_task)
    offset = None if features.offset is None else stacked_offset(features.offset)
    tasks, codes = encode_tasks(ids if used.all() else ids[used])
    if len(tasks) == len(codes) > 1:
        warn(
            f"Every task has a single row: {len(tasks)} tasks in {len(codes)} rows. Is "
            f"task_column the column that holds the tasks?",
        )
    if len(codes) < X.shape[0] or (codes[1:] < codes[:-1]).any():
        # NumPy sorts small integers by radix sort.
        small = codes.astype(np.uint16) if len(tasks) < 2**16 else codes
        order = np.argsort(small, kind="stable")
        rows, codes = np.flatnonzero(used)[order], codes[order]
        X, y, weights = X[rows], y[rows], weights[rows]
        offset = None if offset is None else offset[rows]
    if not features.bounded:
        refuse_overflow(X, "X")
    refuse_overflow(y, "y")
    chain = chain_of(categories, tasks)
    places = np.arange(len(tasks))
    return TaskData(
        "stacked", X, y, weights, tasks, codes, tasks, places, chain=chain, offset=offset
    )


def warn_of_unweighted(ids: Array, used: Array, unknown_task: str) -> None:
    """Warn about tasks whose weights are all zero, which are treated as absent."""
    tasks, _ = encode_tasks(ids)
    left_out = tasks[look_up_tasks(encode_tasks(used)[0], tasks) == UNKNOWN].tolist()
    if left_out:
        then = "unknown to predict" if unknown_task == "error" else "predicted by the average task"
        warn(
            f"These tasks have no label with a positive weight: {left_out[:20]}. They are left "
            f"out and {then}. Give each task a positive weight, or leave its rows out."
        )


def weigh_classes(data: TaskData, class_weight: Any, classes: Array) -> TaskData:
    """Multiply the weights by the class weights, "balanced" within each task."""
    if class_weight is None:
        return data
    if data.layout == "classes" and data.y.shape[1] > 1 and (data.y >= 0).all():
        # The columns are classes of one target, not tasks.
        totals = data.per_task(data.weights * data.y)
        present = totals > 0
        factors = np.divide(totals.sum(), present.sum() * totals, where=present, out=totals)
        return replace(data, weights=data.weights * (data.y @ factors)[:, None])
    positive = data.y > 0
    if isinstance(class_weight, dict):
        low, high = class_factors(class_weight, classes)
        factors = np.where(positive, high, low)
    else:
        total = data.per_task(data.weights)
        high = data.per_task(np.where(positive, data.weights, 0.0))
        both = (high > 0) & (high < total)
        high_factor = np.divide(total, 2 * high, out=np.ones_like(total), where=both)
        low_factor = np.divide(total, 2 * (total - high), out=np.ones_like(total), where=both)
        factors = np.where(positive, data.spread(high_factor), data.spread(low_factor))
    weights = data.weights * factors
    return replace(data, weights=weights)


def _check_one_of_k(estimator: Any, y: Array) -> None:
    """Raise if there are several tasks: the multinomial loss takes one 1-D target."""
    name = type(estimator).__name__
    if estimator.task_column is not None:
        raise ValueError(
            f"{name}(loss={estimator.loss!r}) takes one 1-D y of classes and no task_column, got "
            f"task_column={estimator.task_column!r}. Use loss='logistic' for tasks of two "
            f"classes in the stacked layout, or fit each task's classes alone."
        )
    if y.ndim == 2 and y.shape[1] > 1:
        raise ValueError(
            f"{name}(loss={estimator.loss!r}) takes a 1-D y with one class per row, got a matrix "
            f"of shape {y.shape}. Use loss='logistic' for one binary task per column, or "
            f"y.argmax(axis=1) if each row has exactly one 1."
        )


def class_factors(class_weight: dict[Any, float], classes: Array) -> Array:
    """The factors of ``class_weight`` for each of the classes.

    Raises
    ------
    ValueError
        If it names another class, or a factor is not positive and finite.
    """
    known = classes.tolist()
    unknown = [label for label in class_weight if label not in known]
    factors = _labels.as_floats([class_weight.get(label, 1.0) for label in known], "class_weight")
    if unknown or not (np.isfinite(factors).all() and (factors > 0).all()):
        raise ValueError(
            f"class_weight must map the classes {known} to positive numbers, got {class_weight}."
        )
    return factors


def _too_many_labels(target: Array, ids: Array, classes: Array) -> str:
    tasks, codes = encode_tasks(ids)
    listed = "; ".join(
        f"task {name!r}: {np.unique(target[codes == k]).tolist()}"
        for k, name in list(enumerate(tasks.tolist()))[:10]
    )
    more = "; ..." if len(tasks) > 10 else ""
    return (
        f"Only binary classification is supported. The type of the target is multiclass. In the "
        f"stacked layout all tasks share one pair of labels, but y holds {len(classes)} classes "
        f"({listed}{more}). Recode each task's labels to the same pair, e.g. 0 and 1."
    )
