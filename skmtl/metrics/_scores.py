"""Scores over tasks: scikit-learn's metrics on each task's observed labels."""

from typing import Any
from warnings import warn

import numpy as np
import sklearn.metrics as skm
from numpy.typing import NDArray
from sklearn.exceptions import UndefinedMetricWarning

from skmtl.design import align_frames
from skmtl.metrics._tasks import (
    Avg,
    Scores,
    find_observed,
    read_label_weights,
    read_labels,
    score_tasks,
)


def r2_score(
    y_true: Any, y_pred: Any, *, task: Any = None, sample_weight: Any = None, average: Avg = "macro"
) -> Scores:
    """R2, the share of a task's variance that the predictions explain.

    Parameters
    ----------
    y_true : array-like of shape (n_samples, n_tasks) or (n_samples,)
        True values; NaN = not labelled.
    y_pred : array-like of the same shape
        Predictions; not read where y_true is NaN.
    task : array-like of shape (n_samples,), default=None
        Stacked layout: each row's task. None: one task per column, or one task in all.
    sample_weight : array-like of shape (n_samples,) or the shape of y_true, default=None
        Weights. A zero weight equals leaving the label out.
    average : {"macro", "pooled"} or None, default="macro"
        "macro": the mean over tasks, each counting the same. "pooled": one score of all labels
        together. None: one score per task, in the order of the columns or of the sorted ids.

    Returns
    -------
    float or ndarray of shape (n_tasks,)
        A task with fewer than two labels has nan, and is left out of the mean. If no task is
        left: nan, with an UndefinedMetricWarning.

    Raises
    ------
    ValueError
        If the shapes do not match, or ``average`` is unknown.

    Examples
    --------
    >>> from skmtl.metrics import r2_score
    >>> y_true = [[1.0, 2.0], [2.0, float("nan")], [3.0, 4.0]]
    >>> y_pred = [[1.0, 3.0], [2.0, 9.0], [3.0, 3.0]]
    >>> r2_score(y_true, y_pred)
    0.5
    >>> r2_score(y_true, y_pred, average=None)
    array([1., 0.])
    """
    return score_tasks(skm.r2_score, 2, average, y_true, y_pred, task, sample_weight)


def root_mean_squared_error(
    y_true: Any, y_pred: Any, *, task: Any = None, sample_weight: Any = None, average: Avg = "macro"
) -> Scores:
    """Root mean squared error of each task; the smaller the better.

    Parameters
    ----------
    y_true, y_pred, task, sample_weight, average
        As in :func:`r2_score`.

    Returns
    -------
    float or ndarray of shape (n_tasks,)
        As in :func:`r2_score`; a task without labels has nan.

    Raises
    ------
    ValueError
        If the shapes do not match, or ``average`` is unknown.

    Examples
    --------
    >>> from skmtl.metrics import root_mean_squared_error
    >>> school = ["a", "a", "b"]
    >>> y_true, y_pred = [1.0, 2.0, 3.0], [2.0, 1.0, 6.0]
    >>> root_mean_squared_error(y_true, y_pred, task=school)
    2.0
    >>> root_mean_squared_error(y_true, y_pred, task=school, average=None)
    array([1., 3.])
    """
    return score_tasks(skm.root_mean_squared_error, 1, average, y_true, y_pred, task, sample_weight)


def explained_variance_score(
    y_true: Any, y_pred: Any, *, task: Any = None, sample_weight: Any = None, average: Avg = "macro"
) -> Scores:
    """Explained variance: R2 that forgives each task a constant error.

    Parameters
    ----------
    y_true, y_pred, task, sample_weight, average
        As in :func:`r2_score`. With "pooled" one constant is forgiven to all tasks together.

    Returns
    -------
    float or ndarray of shape (n_tasks,)
        As in :func:`r2_score`; a task with fewer than two labels has nan.

    Raises
    ------
    ValueError
        If the shapes do not match, or ``average`` is unknown.

    Examples
    --------
    >>> from skmtl.metrics import explained_variance_score
    >>> y_true, y_pred = [[1.0, 2.0], [3.0, 4.0]], [[2.0, 3.0], [4.0, 3.0]]
    >>> explained_variance_score(y_true, y_pred, average=None)
    array([1., 0.])
    """
    return score_tasks(
        skm.explained_variance_score, 2, average, y_true, y_pred, task, sample_weight
    )


def accuracy_score(
    y_true: Any, y_pred: Any, *, task: Any = None, sample_weight: Any = None, average: Avg = "macro"
) -> Scores:
    """Share of each task's labels that are predicted correctly.

    With a matrix this is the accuracy of each label; scikit-learn's own function counts a row
    as correct only if all its labels are, as :func:`subset_accuracy_score` does.

    Parameters
    ----------
    y_true, y_pred, task, sample_weight, average
        As in :func:`r2_score`. A vector of labels may hold strings.

    Returns
    -------
    float or ndarray of shape (n_tasks,)
        As in :func:`r2_score`; a task without labels has nan.

    Raises
    ------
    ValueError
        If the shapes do not match, or ``average`` is unknown.

    Examples
    --------
    >>> from skmtl.metrics import accuracy_score
    >>> accuracy_score([[1, 0], [0, float("nan")]], [[1, 1], [0, 1]], average=None)
    array([1., 0.])
    >>> accuracy_score(["no", "yes", "yes"], ["no", "no", "yes"], task=[7, 7, 8])
    0.75
    """
    return score_tasks(skm.accuracy_score, 1, average, y_true, y_pred, task, sample_weight)


def subset_accuracy_score(y_true: Any, y_pred: Any, *, sample_weight: Any = None) -> float:
    r"""Share of rows whose observed labels are all predicted correctly.

    The ``score`` of classifiers with a matrix y. A row without any observed label does not count.
    Where no label is missing this is scikit-learn's ``accuracy_score`` of a label matrix. It
    scores rows, not tasks: for ``scoring`` make a scorer by :func:`sklearn.metrics.make_scorer`.

    Parameters
    ----------
    y_true : array-like or sparse matrix of shape (n_samples, n_tasks) or (n_samples,)
        True labels, numbers; NaN = not labelled.
    y_pred : array-like of the same shape
        Predicted labels; not read where y_true is NaN.
    sample_weight : array-like of shape (n_samples,) or the shape of y_true, default=None
        Weights of rows, or of single labels; see Notes. A zero weight equals leaving the label
        out.

    Returns
    -------
    float
        nan, with an UndefinedMetricWarning, if there is no label.

    Raises
    ------
    ValueError
        If the shapes do not match, or a weight is negative or not finite.

    Notes
    -----
    With weights :math:`s_{it}` of single labels a row counts with the largest weight of its
    labels, and loses the largest weight of those that are wrong:

    .. math::

        1 - \frac{\sum_i \max_t \{ s_{it} : \hat y_{it} \neq y_{it} \}}{\sum_i \max_t s_{it}} ,

    over observed labels, the maximum of none being 0. Where a row's labels all have the same
    weight, that is the share of rows weighted by row. The score is continuous in the weights: a
    label drops out as its weight goes to zero.

    See Also
    --------
    accuracy_score : The accuracy of each label, averaged over tasks.

    Examples
    --------
    >>> from skmtl.metrics import subset_accuracy_score
    >>> nan = float("nan")
    >>> y_true = [[1, 0], [0, nan], [nan, nan], [1, 1]]
    >>> subset_accuracy_score(y_true, [[1, 1], [0, 1], [0, 0], [1, 1]])  # 2 of 3 rows
    0.6666666666666666
    """
    y_true, y_pred, sample_weight = align_frames(y_true, y_pred, sample_weight)
    truth, predicted = read_labels(y_true, "y_true"), read_labels(y_pred, "y_pred")
    if truth.shape != predicted.shape:
        raise ValueError(f"y_true and y_pred differ in shape: {truth.shape} and {predicted.shape}.")
    weight = read_label_weights(sample_weight, truth.shape)
    weight = np.where(find_observed(truth), weight, 0.0).reshape(len(truth), -1)
    heaviest = weight.max(axis=1)
    if not heaviest.any():
        warn("There is no label to score: nan.", UndefinedMetricWarning, stacklevel=2)
        return np.nan
    wrong = (truth != predicted).reshape(weight.shape)
    lost = (weight * wrong).max(axis=1)
    return float((heaviest - lost).sum() / heaviest.sum())


def roc_auc_score(
    y_true: Any, y_pred: Any, *, task: Any = None, sample_weight: Any = None, average: Avg = "macro"
) -> Scores:
    """Area under each task's ROC curve: how often a positive row scores above a negative one.

    Parameters
    ----------
    y_true : array-like of shape (n_samples, n_tasks) or (n_samples,)
        A matrix of 0, 1 and NaN (not labelled), or a vector of any two labels, of which the
        greater is the positive one.
    y_pred : array-like of the same shape
        Scores: decision function, or probability of the positive label. With "pooled" they are
        compared across tasks.
    task, sample_weight, average
        As in :func:`r2_score`.

    Returns
    -------
    float or ndarray of shape (n_tasks,)
        As in :func:`r2_score`; a task with labels of one class has nan.

    Raises
    ------
    ValueError
        If the shapes do not match, ``average`` is unknown, or there are more than two labels.

    References
    ----------
    .. [1] T. Fawcett. An introduction to ROC analysis. Pattern Recognition Letters 27, 2006.
       https://doi.org/10.1016/j.patrec.2005.10.010

    Examples
    --------
    >>> from skmtl.metrics import roc_auc_score
    >>> y_true = [[0, 1], [1, 1], [1, float("nan")]]
    >>> roc_auc_score(y_true, [[0.1, 0.9], [0.3, 0.2], [0.0, 0.0]], average=None)
    array([0.5, nan])
    """
    return score_tasks(_binary_auc, 2, average, y_true, y_pred, task, sample_weight)


def _binary_auc(y_true: NDArray[Any], y_pred: NDArray[Any], sample_weight: Any) -> float:
    classes = np.unique(y_true)
    if len(classes) > 2:
        raise ValueError(f"roc_auc_score takes two labels, but one task has {classes[:9]}.")
    if len(classes) < 2:
        return np.nan
    return skm.roc_auc_score(y_true, y_pred, sample_weight=sample_weight)
