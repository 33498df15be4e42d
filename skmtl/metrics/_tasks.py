"""Evaluation of a metric on each task's observed labels, and averages over tasks."""

from collections.abc import Callable
from typing import Any, NamedTuple
from warnings import warn

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.utils import check_array

from skmtl.design import (
    align_frames,
    as_floats,
    as_label_array,
    encode_tasks,
    is_frame,
    read_ids,
    read_weights,
)
from skmtl.metrics._sums import scores_at_once

Avg = str | None
Scores = Any  # a float, or with average=None an array (n_tasks,)


def score_tasks(
    metric: Callable[..., float], at_least: int, average: Avg, *data: Any, wide: bool = False
) -> Scores:
    """Evaluate a metric on each task's observed labels, and average over tasks.

    Parameters
    ----------
    metric : callable (labels, predictions, sample_weight) -> float
        Returns NaN if the task's score is undefined.
    at_least : int
        The score of tasks with fewer labels is NaN.
    average : {"macro", "pooled"} or None
    *data : y_true, y_pred, task, sample_weight
        As in :func:`skmtl.metrics.r2_score`.
    wide : bool, default=False
        Whether predictions may be rows (class probabilities) if the labels are a vector.

    Returns
    -------
    float, or with ``average=None`` ndarray of shape (n_tasks,)
    """
    if not isinstance(average, str | None) or average not in ("macro", "pooled", None):
        raise ValueError(f"average must be 'macro', 'pooled' or None, got {average!r}.")
    labels = _read_scored(*data, pool=average == "pooled", wide=wide)
    scores = _scores_of(metric, labels, at_least)
    scores[np.bincount(labels.codes, minlength=labels.n_tasks) < at_least] = np.nan
    if average is None:
        return scores
    defined = scores[~np.isnan(scores)]
    if defined.size:
        return float(defined.mean())
    warn(
        "The score is undefined for every task; the result is NaN.",
        UndefinedMetricWarning,
        stacklevel=3,
    )
    return np.nan


class _Labels(NamedTuple):
    """The observed labels of all tasks, with the task of each."""

    truth: Any
    predicted: Any
    weight: Any
    codes: NDArray[np.intp]
    n_tasks: int


def _scores_of(metric: Callable[..., float], labels: _Labels, at_least: int) -> NDArray[np.float64]:
    """The score of each task, by sums for all tasks or by a call for each."""
    truth, predicted, weight, codes, n_tasks = labels
    scores = scores_at_once(metric, truth, predicted, codes, weight, n_tasks)
    if scores is not None:
        return scores
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=n_tasks))[:-1]
    parts = [
        [None] * n_tasks if part is None else np.split(part[order], ends)
        for part in (truth, predicted, weight)
    ]
    scores = np.full(n_tasks, np.nan)
    for t, (own, theirs, weights) in enumerate(zip(*parts, strict=True)):
        if len(own) >= at_least:
            scores[t] = metric(own, theirs, sample_weight=weights)
    return scores


def _read_scored(
    y_true: Any, y_pred: Any, task: Any, sample_weight: Any, *, pool: bool, wide: bool
) -> _Labels:
    """The observed labels, predictions and weights; with ``pool`` all in one group."""
    y_true, y_pred, sample_weight = align_frames(y_true, y_pred, sample_weight)
    y_true, y_pred = read_labels(y_true, "y_true"), read_labels(y_pred, "y_pred")
    shape = y_true.shape
    if (y_pred.shape[:1] if wide and len(shape) == 1 else y_pred.shape) != shape:
        raise ValueError(f"y_true and y_pred differ in shape: {shape} and {y_pred.shape}.")
    if task is None:
        codes = np.zeros(shape, dtype=np.intp) if len(shape) == 1 else np.indices(shape)[1]
    else:
        ids = read_ids(task, warn=False)
        if len(shape) != 1 or ids.shape != shape:
            raise ValueError(
                f"With task, y_true and task must be vectors of the same length, one entry per "
                f"row; got shapes {shape} and {ids.shape}."
            )
        codes = encode_tasks(ids)[1]
    observed = find_observed(y_true)
    weight = None
    if sample_weight is not None:
        weight = read_label_weights(sample_weight, shape)
        observed &= weight > 0
    # Count the tasks first: a task that is left without labels scores nan.
    n_groups = 1 if pool else codes.max() + 1
    codes = np.zeros(observed.sum(), dtype=np.intp) if pool else codes[observed]
    weight = None if weight is None else weight[observed]
    return _Labels(y_true[observed], y_pred[observed], weight, codes, int(n_groups))


def read_label_weights(sample_weight: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    """Weights of rows or labels in the labels' shape; columns of data frames must be in order."""
    if is_frame(sample_weight):
        sample_weight = np.asarray(sample_weight)
    return read_weights(sample_weight, shape, np.arange(shape[-1]))


def find_observed(y_true: NDArray[Any]) -> NDArray[np.bool_]:
    """Which labels are not missing."""
    return ~np.isnan(y_true) if y_true.dtype.kind == "f" else np.ones(y_true.shape, dtype=bool)


def read_labels(labels: Any, name: str) -> NDArray[Any]:
    """Return a matrix of floats, or a vector of numbers or strings."""
    if isinstance(labels, list | tuple) and any(isinstance(label, str) for label in labels):
        labels = np.array(labels, dtype=object)  # NumPy would make "nan" of a missing label
    labels = as_label_array(labels, f"The metric's {name}")
    if labels.ndim == 2:
        labels = as_floats(labels, name)
        matrix: NDArray[Any] = check_array(labels, ensure_all_finite="allow-nan", input_name=name)
        return matrix
    vector: NDArray[Any] = check_array(
        labels, ensure_2d=False, dtype=None, ensure_all_finite=False, input_name=name
    )
    if vector.dtype.kind != "O":
        return vector
    others = [row for row, label in enumerate(vector) if not isinstance(label, str)]
    if 0 < len(others) < len(vector):
        raise ValueError(_mixed(vector, others, name))
    return np.asarray(vector.tolist())  # scikit-learn rejects numbers in object arrays


def _mixed(labels: NDArray[Any], others: list[int], name: str) -> str:
    """What is wrong with labels of which some, in the rows ``others``, are not strings."""
    missing = [row for row in others if labels[row] != labels[row]]
    if missing:
        return (
            f"{name} has strings, but no labels in {len(missing)} row(s), such as "
            f"{missing[:10]}. Leave these rows out of y_true and y_pred."
        )
    return (
        f"{name} has strings, but in row {others[0]} {labels[others[0]]!r}. Convert all labels to "
        f"strings, or all to numbers."
    )
