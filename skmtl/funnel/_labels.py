"""Labels of nested stages."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.design import TaskData, as_label_array, read_indicators, read_weights, task_names
from skmtl.losses import FunnelLoss

Array = NDArray[Any]


def check_nested(y: Any, sample_weight: Any = None) -> None:
    """Raise if a row of a label matrix has reached a stage but not an earlier one.

    Labels of weight zero are missing.

    Raises
    ------
    ValueError
        With the first such row, the stages, and the remedy.
    """
    labels = as_label_array(y, "EntireSpaceClassifier")
    if labels.ndim < 2 or labels.shape[1] < 2:
        return
    names = task_names(y, labels.shape[1])
    weights = read_weights(sample_weight, labels.shape, names)
    signs = np.where(weights > 0, read_indicators(labels), 0.0)
    failed = np.logical_or.accumulate(signs < 0, axis=1)
    wrong = np.argwhere(failed[:, :-1] & (signs[:, 1:] > 0))
    if not len(wrong):
        return
    row, stage = wrong[0]
    earlier, later = names[[int(np.argmax(signs[row] < 0)), stage + 1]].tolist()
    raise ValueError(
        f"The stages of y must be nested: a row that has reached a stage has reached all earlier "
        f"ones. Row {row} has {later!r} = 1 but {earlier!r} = 0 ({len(wrong)} labels "
        f"are wrong). Order the columns from the first stage to the last, and set the earlier "
        f"stages of such rows to 1, or to NaN if they are not known."
    )


def who_reached(data: TaskData) -> Array:
    """Mask (n_samples, n_stages) of the rows that have reached the stage before each one."""
    reached = (data.y > 0) & (data.weights > 0)
    before = np.column_stack([np.ones(len(reached), dtype=bool), reached[:, :-1]])
    return np.logical_and.accumulate(before, axis=1)


def separated(data: TaskData) -> TaskData:
    """Each stage with the rows that have reached the one before."""
    return replace(data, weights=data.weights * who_reached(data))


def as_binary(y: Any, classes: Array) -> Array:
    """The labels of a single stage as a column (n_samples, 1) of 0 and 1.

    Raises
    ------
    ValueError
        If a label is not one of the two classes.
    """
    labels = np.asarray(y).reshape(-1, 1)
    unknown = labels[~np.isin(labels, classes)]
    if len(unknown):
        raise ValueError(
            f"y must hold the classes of fit, {classes.tolist()}, got {unknown[0]!r}. Leave such "
            f"rows out."
        )
    return np.asarray(labels == classes[1], dtype=np.float64)


def mean_log_likelihood(z: Array, y: Array, sample_weight: Any) -> float:
    """The log-likelihood of labels 0, 1 and NaN, summed over stages and averaged over rows."""
    z = np.asarray(z, dtype=np.float64)
    labels = np.asarray(y, dtype=np.float64)
    weights = read_weights(sample_weight, labels.shape, np.arange(labels.shape[1]))
    if weights.ndim == 1:
        weights = np.repeat(weights[:, None], labels.shape[1], axis=1)
    weights = np.where(np.isnan(labels), 0.0, weights)
    losses = FunnelLoss().value(np.where(labels > 0, 1.0, -1.0), z)
    return -float((weights * losses).sum() / weights.sum(axis=0).max())
