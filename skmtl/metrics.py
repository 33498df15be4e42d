"""Scores over tasks: scikit-learn's metrics on each task's observed labels.

A metric takes a label matrix with NaN where a row is not labelled for a task (shared layout), or
a vector and each row's task (stacked layout).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar
from warnings import warn

import numpy as np
import sklearn.metrics as skm
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.utils import check_array
from sklearn.utils.metadata_routing import UNUSED

from skmtl.design._labels import align_frames, as_floats
from skmtl.design._tasks import encode_tasks, read_ids, split_task_column

__all__ = [
    "accuracy_score",
    "explained_variance_score",
    "make_task_scorer",
    "r2_score",
    "roc_auc_score",
    "root_mean_squared_error",
]

Avg = str | None
Scores = Any  # a float, or with average=None an array (n_tasks,)


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
    return _score(skm.r2_score, 2, average, y_true, y_pred, task, sample_weight)


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
    return _score(skm.root_mean_squared_error, 1, average, y_true, y_pred, task, sample_weight)


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
    return _score(skm.explained_variance_score, 2, average, y_true, y_pred, task, sample_weight)


def accuracy_score(
    y_true: Any, y_pred: Any, *, task: Any = None, sample_weight: Any = None, average: Avg = "macro"
) -> Scores:
    """Share of each task's labels that are predicted correctly.

    With a matrix this is the accuracy of each label; scikit-learn's own function counts a row
    as correct only if all its labels are.

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
    return _score(skm.accuracy_score, 1, average, y_true, y_pred, task, sample_weight)


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
    return _score(_binary_auc, 2, average, y_true, y_pred, task, sample_weight)


def _binary_auc(y_true: NDArray[Any], y_pred: NDArray[Any], sample_weight: Any) -> float:
    classes = np.unique(y_true)
    if len(classes) > 2:
        raise ValueError(f"roc_auc_score takes two labels, but one task has {classes[:9]}.")
    if len(classes) < 2:
        return np.nan
    return skm.roc_auc_score(y_true, y_pred, sample_weight=sample_weight)


def _score(metric: Callable[..., float], at_least: int, average: Avg, *data: Any) -> Scores:
    """Evaluate ``metric`` on each task that has ``at_least`` that many labels, and average."""
    if not isinstance(average, str | None) or average not in ("macro", "pooled", None):
        raise ValueError(f"average must be 'macro', 'pooled' or None, got {average!r}.")
    groups = _split_tasks(*data, pool=average == "pooled")
    scores = np.full(len(groups), np.nan)
    for t, (labels, predictions, weight) in enumerate(groups):
        if len(labels) >= at_least:
            scores[t] = metric(labels, predictions, sample_weight=weight)
    if average is None:
        return scores
    defined = scores[~np.isnan(scores)]
    if defined.size:
        return float(defined.mean())
    warn("No task has the labels that the score takes: nan.", UndefinedMetricWarning, stacklevel=3)
    return np.nan


def _split_tasks(
    y_true: Any, y_pred: Any, task: Any, sample_weight: Any, *, pool: bool
) -> list[tuple[Any, Any, Any]]:
    """Return each task's observed labels, their predictions and weights; pool: all in one."""
    y_true, y_pred, sample_weight = align_frames(y_true, y_pred, sample_weight)
    y_true, y_pred = _read_labels(y_true, "y_true"), _read_labels(y_pred, "y_pred")
    shape = y_true.shape
    if y_pred.shape != shape:
        raise ValueError(f"y_true and y_pred differ in shape: {shape} and {y_pred.shape}.")
    if task is None:
        codes = np.zeros(shape, dtype=np.intp) if len(shape) == 1 else np.indices(shape)[1]
    else:
        ids = read_ids(task, warn=False)
        if len(shape) != 1 or ids.shape != shape:
            raise ValueError(
                f"With task, y_true and task must be vectors of one length, one entry per row; "
                f"got shapes {shape} and {ids.shape}."
            )
        codes = encode_tasks(ids)[1]
    observed = ~np.isnan(y_true) if y_true.dtype.kind == "f" else np.ones(shape, dtype=bool)
    weight = None
    if sample_weight is not None:
        weight = as_floats(sample_weight, "sample_weight")
        if weight.shape not in (shape, shape[:1]):
            raise ValueError(
                f"sample_weight must have shape {shape[:1]} or {shape}, got {weight.shape}."
            )
        weight = np.broadcast_to(weight.T, shape[::-1]).T
        observed &= weight != 0
    # The tasks are counted before labels are left out: one that has none left scores nan.
    n_groups = 1 if pool else codes.max() + 1
    codes = np.zeros(observed.sum(), dtype=np.intp) if pool else codes[observed]
    rows = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=n_groups))[:-1]
    parts = [
        [None] * n_groups if part is None else np.split(part[observed][rows], ends)
        for part in (y_true, y_pred, weight)
    ]
    return list(zip(*parts, strict=True))


def _read_labels(labels: Any, name: str) -> NDArray[Any]:
    """Return a matrix of floats, or a vector of numbers or strings."""
    if np.ndim(labels) == 2:
        return check_array(labels, dtype=np.float64, ensure_all_finite="allow-nan", input_name=name)
    vector = check_array(
        labels, ensure_2d=False, dtype=None, ensure_all_finite=False, input_name=name
    )
    if vector.dtype.kind == "O" and not any(isinstance(label, str) for label in vector):
        return np.asarray(vector.tolist())  # scikit-learn knows no numbers among objects
    return vector


# Name: metric, whether greater is better, methods of the estimator that give its y_pred.
_METRICS: dict[str, tuple[Callable[..., Scores], bool, str | tuple[str, ...]]] = {
    "r2": (r2_score, True, "predict"),
    "rmse": (root_mean_squared_error, False, "predict"),
    "explained_variance": (explained_variance_score, True, "predict"),
    "accuracy": (accuracy_score, True, "predict"),
    "roc_auc": (roc_auc_score, True, ("decision_function", "predict_proba")),
}


@dataclass(eq=False)
class _TaskScorer(BaseEstimator):
    """The scorer; its base class gives it clone and scikit-learn's metadata routing."""

    __metadata_request__score: ClassVar[dict[str, str]] = {"estimator": UNUSED}

    metric: str | Callable[..., Scores]
    task_column: str | int | None
    average: Avg
    greater_is_better: bool
    response_method: str | tuple[str, ...]

    def score(self, estimator: Any, X: Any, y: Any, sample_weight: Any = None) -> Scores:
        metric = _METRICS[self.metric][0] if isinstance(self.metric, str) else self.metric
        column = self.task_column
        task = None if column is None else read_ids(split_task_column(X, column)[1], warn=False)
        response = self._respond(estimator, X)
        if np.ndim(y) == 1 and response.ndim == 2 and response.shape[1] == 2:
            response = response[:, 1]
        score = metric(y, response, task=task, sample_weight=sample_weight, average=self.average)
        return score if self.greater_is_better else -score

    __call__ = score  # under that name scikit-learn looks for the metadata to route

    def _respond(self, estimator: Any, X: Any) -> NDArray[Any]:
        methods = np.atleast_1d(self.response_method).tolist()
        for method in methods:
            if hasattr(estimator, method):
                response = getattr(estimator, method)(X)
                if isinstance(response, list):  # scikit-learn's multi-output classifiers
                    response = np.column_stack([part[:, -1] for part in response])
                return np.asarray(response)
        raise ValueError(
            f"The scorer needs {' or '.join(methods)}, which {type(estimator).__name__} lacks."
        )


def make_task_scorer(
    metric: str | Callable[..., Scores],
    *,
    task_column: str | int | None = None,
    average: Avg = "macro",
    greater_is_better: bool | None = None,
    response_method: str | tuple[str, ...] | None = None,
) -> _TaskScorer:
    """Make a scorer, to be called with (estimator, X, y), from a metric over tasks.

    Parameters
    ----------
    metric : str or callable
        "r2", "rmse", "explained_variance", "accuracy", "roc_auc", one of this module's functions,
        or a function with the same signature.
    task_column : str, int or None, default=None
        Stacked layout: the column of the scored X that holds the task ids.
    average : {"macro", "pooled"} or None, default="macro"
        As in :func:`r2_score`.
    greater_is_better : bool or None, default=None
        False: the score is negated. None: False for "rmse", otherwise True.
    response_method : str, tuple of str or None, default=None
        The estimator's method that gives y_pred; of several, the first it has. None: for
        "roc_auc" its decision_function, else its predict_proba; for all others predict.

    Returns
    -------
    callable
        For ``scoring`` in scikit-learn's searches and cross-validation functions.

    Raises
    ------
    ValueError
        If ``metric`` is an unknown name.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.dummy import DummyRegressor
    >>> from skmtl.metrics import make_task_scorer
    >>> X, y = np.array([[0.0, 7], [1, 7], [2, 8]]), np.array([1.0, 1.0, 4.0])
    >>> scorer = make_task_scorer("rmse", task_column=-1)
    >>> scorer(DummyRegressor().fit(X, y), X, y)
    -1.5
    """
    names: dict[Any, str] = {function: name for name, (function, *_) in _METRICS.items()}
    key = names.get(metric, metric) if callable(metric) else metric
    if not (callable(key) or (isinstance(key, str) and key in _METRICS)):
        raise ValueError(f"metric must be a function or one of {[*_METRICS]}, got {metric!r}.")
    _, greater, response = _METRICS[key] if isinstance(key, str) else (key, True, "predict")
    return _TaskScorer(
        key,
        task_column,
        average,
        greater if greater_is_better is None else greater_is_better,
        response if response_method is None else response_method,
    )
