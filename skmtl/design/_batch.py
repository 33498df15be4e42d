"""Read a batch of rows, in which tasks may be absent or without labels."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.utils import check_consistent_length

from skmtl.design import _labels
from skmtl.design._containers import from_arrow
from skmtl.design._data import TaskData
from skmtl.design._offset import spread_offset, stacked_offset
from skmtl.design._tasks import encode_tasks, task_categories
from skmtl.design._validation import Features, read_columns

Array = NDArray[Any]


def read_batch(
    reader: Any, X: Any, y: Any, sample_weight: Any, *, first: bool
) -> tuple[TaskData, list[Any] | None]:
    """Validate a batch; return its dense data, and the order of the task ids if they have one.

    Parameters
    ----------
    reader : object with ``task_column`` and ``offset_column``
        The first batch sets its ``n_features_in_`` and ``feature_names_in_``.
    X, y, sample_weight : as in the estimators' fit
    first : bool
        Whether the columns may be any.
    """
    X, y = from_arrow(X), from_arrow(y)
    raw = _labels.as_label_array(y, type(reader).__name__)
    categories = task_categories(X, reader.task_column)
    features = read_columns(reader, X, reset=first)
    check_consistent_length(features.X, raw)
    if sp.issparse(features.X):
        features = features._replace(X=features.X.toarray())
    if features.ids is not None:
        return _stacked_batch(features, raw, sample_weight), categories
    return _shared_batch(features, y, raw, sample_weight), None


def _stacked_batch(features: Features, raw: Array, sample_weight: Any) -> TaskData:
    y = _labels.read_numbers(_labels.flatten_column(raw), None)
    weights = _labels.read_weights(sample_weight, y.shape)
    if features.offset is not None:
        y = y - stacked_offset(features.offset)
    assert features.ids is not None
    used = np.flatnonzero(weights > 0)
    tasks, codes = encode_tasks(features.ids[used])
    # NumPy sorts small integers by radix sort.
    small = codes.astype(np.uint16) if len(tasks) < 2**16 else codes
    order = np.argsort(small, kind="stable")
    rows, codes, places = used[order], codes[order], np.arange(len(tasks))
    # take is faster than X[rows] if columns are contiguous, as in data frames.
    X, y, weights = features.X.take(rows, axis=0), y[rows], weights[rows]
    return TaskData("stacked", X, y, weights, tasks, codes, tasks, places)


def _shared_batch(features: Features, y: Any, raw: Array, sample_weight: Any) -> TaskData:
    single = raw.ndim == 1
    tasks = np.arange(1) if single else _labels.task_names(y, raw.shape[1])
    labels = _labels.read_numbers(raw, None if single else tasks)
    weights = _labels.read_weights(sample_weight, labels.shape, None if single else tasks)
    labels, weights = labels.reshape(-1, len(tasks)), weights.reshape(-1, len(tasks))
    if features.offset is not None:
        labels = labels - spread_offset(features.offset, tasks)
    weights[np.isnan(labels)] = 0.0
    labels = np.where(weights > 0, labels, 1.0)
    X, used = features.X, weights.any(axis=1)
    if not used.all():
        X, labels, weights = X[used], labels[used], weights[used]
    layout, places = "single" if single else "shared", np.arange(len(tasks))
    return TaskData(layout, X, labels, weights, tasks, None, tasks, places)
