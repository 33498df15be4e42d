"""Scores over tasks: scikit-learn's metrics on each task's observed labels."""

from functools import partial
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
    """R2 of each task: the proportion of variance that the predictions explain.

    Parameters
    ----------
    y_true : array-like of shape (n_samples, n_tasks) or (n_samples,)
        True values; NaN for missing labels.
    y_pred : array-like of the same shape
        Predictions; ignored where y_true is NaN.
    task : array-like of shape (n_samples,), default=None
        Stacked layout: each row's task. None: one task per column, or a single task.
    sample_weight : array-like of shape (n_samples,) or the shape of y_true, default=None
        Weights. A weight of zero is equivalent to leaving the label out.
    average : {"macro", "pooled"} or None, default="macro"
        "macro": the unweighted mean over tasks. "pooled": one score of all labels together.
        None: one score per task, in the order of the columns or of the sorted ids.

    Returns
    -------
    float or ndarray of shape (n_tasks,)
        The score is nan for tasks with fewer than two labels, which are left out of the mean. If
        no task is left, the mean is nan, with an UndefinedMetricWarning.

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


def d2_pinball_score(
    y_true: Any,
    y_pred: Any,
    *,
    alpha: float = 0.5,
    task: Any = None,
    sample_weight: Any = None,
    average: Avg = "macro",
) -> Scores:
    """D2 of each task: the proportion of the quantile (pinball) loss that the predictions explain.

    1 minus the mean loss divided by that of the best constant, the quantile of y_true.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples, n_tasks) or (n_samples,)
    alpha : float, default=0.5
        The quantile that was predicted, between 0 and 1.
    task : array-like of shape (n_samples,), default=None
    sample_weight : array-like of shape (n_samples,) or the shape of y_true, default=None
    average : {"macro", "pooled"} or None, default="macro"
        The other parameters are as in :func:`r2_score`.

    Returns
    -------
    float or ndarray of shape (n_tasks,)
        As in :func:`r2_score`; nan for tasks with fewer than two labels.

    Raises
    ------
    ValueError
        If the shapes do not match, or ``average`` is unknown.

    Examples
    --------
    >>> from skmtl.metrics import d2_pinball_score
    >>> y_true = [[1.0, 2.0], [2.0, float("nan")], [3.0, 4.0]]
    >>> y_pred = [[1.0, 3.0], [2.0, 9.0], [3.0, 3.0]]
    >>> d2_pinball_score(y_true, y_pred, average=None)
    array([1., 0.])
    """
    score = partial(skm.d2_pinball_score, alpha=alpha)
    return score_tasks(score, 2, average, y_true, y_pred, task, sample_weight)


def root_mean_squared_error(
    y_true: Any, y_pred: Any, *, task: Any = None, sample_weight: Any = None, average: Avg = "macro"
) -> Scores:
    """Root mean squared error of each task; smaller is better.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples, n_tasks) or (n_samples,)
    task : array-like of shape (n_samples,), default=None
    sample_weight : array-like of shape (n_samples,) or the shape of y_true, default=None
    average : {"macro", "pooled"} or None, default="macro"
        All parameters are as in :func:`r2_score`.

    Returns
    -------
    float or ndarray of shape (n_tasks,)
        As in :func:`r2_score`; nan for tasks without labels.

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
    """Explained variance of each task: R2 that ignores a constant error.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples, n_tasks) or (n_samples,)
    task : array-like of shape (n_samples,), default=None
    sample_weight : array-like of shape (n_samples,) or the shape of y_true, default=None
    average : {"macro", "pooled"} or None, default="macro"
        All parameters are as in :func:`r2_score`. With "pooled" all tasks have one constant.

    Returns
    -------
    float or ndarray of shape (n_tasks,)
        As in :func:`r2_score`; nan for tasks with fewer than two labels.

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
    """Proportion of each task's labels that are predicted correctly.

    For a matrix this is the accuracy of single labels; scikit-learn's own function counts a row
    as correct only if all its labels are, as :func:`subset_accuracy_score` does.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples, n_tasks) or (n_samples,)
    task : array-like of shape (n_samples,), default=None
    sample_weight : array-like of shape (n_samples,) or the shape of y_true, default=None
    average : {"macro", "pooled"} or None, default="macro"
        All parameters are as in :func:`r2_score`. A vector of labels may hold strings,
        of which none may be missing.

    Returns
    -------
    float or ndarray of shape (n_tasks,)
        As in :func:`r2_score`; nan for tasks without labels.

    Raises
    ------
    ValueError
        If the shapes do not match, ``average`` is unknown, or strings are missing.

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
    r"""Proportion of rows whose observed labels are all predicted correctly.

    This is the ``score`` of classifiers with a matrix y. Rows without observed labels are ignored.
    If no label is missing, it equals scikit-learn's ``accuracy_score`` of a label matrix. It
    scores rows, not tasks: for ``scoring`` make a scorer by :func:`sklearn.metrics.make_scorer`.

    Parameters
    ----------
    y_true : array-like or sparse matrix of shape (n_samples, n_tasks) or (n_samples,)
        True labels, numeric; NaN for missing labels.
    y_pred : array-like of the same shape
        Predicted labels; ignored where y_true is NaN.
    sample_weight : array-like of shape (n_samples,) or the shape of y_true, default=None
        Weights of rows, or of single labels; see Notes. A weight of zero is equivalent to leaving
        the label out.

    Returns
    -------
    float
        nan, with an UndefinedMetricWarning, if no label is observed.

    Raises
    ------
    ValueError
        If the shapes do not match, or a weight is negative or not finite.

    See Also
    --------
    accuracy_score : The accuracy of each label, averaged over tasks.

    Notes
    -----
    With weights :math:`s_{it}` of single labels, a row has the largest weight of its labels, and
    its error is the largest weight of its wrong labels:

    .. math::

        1 - \frac{\sum_i \max_t \{ s_{it} : \hat y_{it} \neq y_{it} \}}{\sum_i \max_t s_{it}} ,

    over observed labels, where an empty maximum is 0. If all labels of a row have the same weight,
    this is the proportion of correct rows, weighted by row. The score is continuous in the
    weights, also where a weight goes to zero.

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
        warn("There is no label to score; the score is NaN.", UndefinedMetricWarning, stacklevel=2)
        return np.nan
    wrong = (truth != predicted).reshape(weight.shape)
    lost = (weight * wrong).max(axis=1)
    return float((heaviest - lost).sum() / heaviest.sum())


def roc_auc_score(
    y_true: Any, y_pred: Any, *, task: Any = None, sample_weight: Any = None, average: Avg = "macro"
) -> Scores:
    """Area under each task's ROC curve: how often a positive row scores higher than a negative one.

    Parameters
    ----------
    y_true : array-like of shape (n_samples, n_tasks) or (n_samples,)
        A matrix of 0, 1 and NaN (missing), or a vector with two distinct labels, the greater of
        which is the positive one.
    y_pred : array-like of the same shape
        Scores: the decision function, or the probability of the positive label. With "pooled"
        they are compared across tasks.
    task : array-like of shape (n_samples,), default=None
    sample_weight : array-like of shape (n_samples,) or the shape of y_true, default=None
    average : {"macro", "pooled"} or None, default="macro"
        The last three parameters are as in :func:`r2_score`.

    Returns
    -------
    float or ndarray of shape (n_tasks,)
        As in :func:`r2_score`; nan for tasks with labels of a single class.

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
        raise ValueError(
            f"roc_auc_score takes two labels, but one task has {classes[:9]}. Score each class "
            f"against the rest."
        )
    if len(classes) < 2:
        return np.nan
    return float(skm.roc_auc_score(y_true, y_pred, sample_weight=sample_weight))
