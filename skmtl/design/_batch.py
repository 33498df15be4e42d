"""Read a batch of rows, in which tasks may be absent or without labels."""

from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.utils import check_consistent_length

from skmtl.design import _labels
from skmtl.design._containers import from_arrow
from skmtl.design._data import TaskData
from skmtl.design._offset import spread_offset, stacked_offset
from skmtl.design._tasks import KINDS, encode_tasks, ordered_categories, task_categories
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
    data, categories = read_rows(reader, X, y, sample_weight, first=first)
    if sp.issparse(data.X):
        data = replace(data, X=data.X.toarray())
    if data.offset is not None:
        data = replace(data, y=data.y - data.offset, offset=None)
    return data, categories


def read_rows(
    reader: Any,
    X: Any,
    y: Any,
    sample_weight: Any,
    *,
    first: bool,
    coding: "ClassCoding | None" = None,
) -> tuple[TaskData, list[Any] | None]:
    """As :func:`read_batch`, with sparse features and offsets as they are.

    With a ``coding`` the labels are classes: -1 and 1 in a matrix y, otherwise codes, which are in
    one column if there is no task column.
    """
    X, y = from_arrow(X), from_arrow(y)
    raw = _labels.as_label_array(y, type(reader).__name__)
    categories = task_categories(X, reader.task_column)
    features = read_columns(reader, X, reset=first)
    check_consistent_length(features.X, raw)
    if coding is None:
        if features.ids is None:
            return _shared_batch(features, y, raw, sample_weight), None
        labels = _labels.read_numbers(_labels.flatten_column(raw), None)
        weights = _labels.read_weights(sample_weight, labels.shape)
        return _stacked_batch(features, labels, weights), categories
    in_columns = raw.ndim == 2 and (raw.shape[1] > 1 or _labels.is_one_indicator(raw))
    if features.ids is None and in_columns:
        return _shared_batch(features, y, _labels.read_indicators(raw), sample_weight), None
    target = _labels.read_classes(_labels.flatten_column(raw))
    weights = _labels.read_weights(sample_weight, target.shape)
    used = weights > 0
    labels = np.zeros(target.shape)
    labels[used] = coding.encode(target[used])
    if features.ids is not None:
        return _stacked_batch(features, labels, weights), categories
    data = _in_columns("classes", features, labels[:, None], weights[:, None], np.arange(1))
    return data, ordered_categories(y)


class ClassCoding:
    """Codes of the classes of a 1-D y, in the order in which batches contain them.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,) or None
        The sorted classes, once all are known; the codes are then positions among them.
    """

    def __init__(self) -> None:
        self._seen: list[Array] = []
        self._codes: dict[Any, int] = {}
        self.classes: Array | None = None

    @property
    def labels(self) -> list[Any]:
        """The classes in the order of their codes."""
        return list(self._codes)

    def encode(self, target: Array) -> Array:
        """The codes of labels.

        Raises
        ------
        ValueError
            If they are of another type than those before, or were not in the first pass.
        """
        present, places = np.unique(target, return_inverse=True)
        self._learn(present)
        codes = np.array([self._codes[label] for label in present.tolist()], dtype=np.intp)
        return codes[places.reshape(-1)]

    def _learn(self, present: Array) -> None:
        """Add the classes that are not known yet."""
        if self._seen and len(present) and _kind(present) != _kind(self._seen[0]):
            raise ValueError(
                f"y holds {_kind(present)} such as {present.tolist()[0]!r}, and in other batches "
                f"{_kind(self._seen[0])} such as {self._seen[0].tolist()[0]!r}. Convert the "
                f"labels to one type."
            )
        new = [label for label in present.tolist() if label not in self._codes]
        if new and self.classes is not None:
            raise ValueError(
                f"y holds the classes {new[:10]}, which were not in the first pass. Pass the same "
                f"batches in each pass."
            )
        if new:
            self._seen.append(present)
            self._codes.update({label: len(self._codes) + k for k, label in enumerate(new)})

    def joined(self, other: "ClassCoding | None") -> "ClassCoding":
        """The coding of the classes of both."""
        both = ClassCoding()
        for present in (*self._seen, *(() if other is None else other._seen)):
            both._learn(present)
        return both

    def close(self) -> Array:
        """Sort the classes, which are all known now, and return them."""
        classes = np.unique(np.concatenate(self._seen)) if self._seen else np.zeros(0)
        self.classes = classes
        self._codes = {label: code for code, label in enumerate(classes.tolist())}
        return classes


def _kind(labels: Array) -> str:
    return KINDS.get(labels.dtype.kind, "objects")


def _stacked_batch(features: Features, y: Array, weights: Array) -> TaskData:
    assert features.ids is not None
    used = np.flatnonzero(weights > 0)
    tasks, codes = encode_tasks(features.ids[used])
    # NumPy sorts small integers by radix sort.
    small = codes.astype(np.uint16) if len(tasks) < 2**16 else codes
    order = np.argsort(small, kind="stable")
    rows, codes, places = used[order], codes[order], np.arange(len(tasks))
    offset = None if features.offset is None else stacked_offset(features.offset)[rows]
    # take is faster than X[rows] if columns are contiguous, as in data frames.
    X = features.X[rows] if sp.issparse(features.X) else features.X.take(rows, axis=0)
    y, weights = y[rows], weights[rows]
    return TaskData("stacked", X, y, weights, tasks, codes, tasks, places, offset=offset)


def _shared_batch(features: Features, y: Any, raw: Array, sample_weight: Any) -> TaskData:
    single = raw.ndim == 1
    tasks = np.arange(1) if single else _labels.task_names(y, raw.shape[1])
    labels = _labels.read_numbers(raw, None if single else tasks)
    weights = _labels.read_weights(sample_weight, labels.shape, None if single else tasks)
    labels, weights = labels.reshape(-1, len(tasks)), weights.reshape(-1, len(tasks))
    return _in_columns("single" if single else "shared", features, labels, weights, tasks)


def _in_columns(
    layout: str, features: Features, labels: Array, weights: Array, tasks: Array
) -> TaskData:
    weights[np.isnan(labels)] = 0.0
    labels, X = np.where(weights > 0, labels, 1.0), features.X
    offset = features.offset
    if offset is not None:
        offset = np.where(weights > 0, spread_offset(offset, tasks), 0.0)
    used = weights.any(axis=1)
    if not used.all():
        X, labels, weights = X[used], labels[used], weights[used]
        offset = None if offset is None else offset[used]
    places = np.arange(len(tasks))
    return TaskData(layout, X, labels, weights, tasks, None, tasks, places, offset=offset)
