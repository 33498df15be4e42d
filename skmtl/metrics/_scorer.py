"""Scorers for scikit-learn's tools, from metrics over tasks and from other metrics."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.metadata_routing import UNUSED

from skmtl.design import fitted_within, read_ids, read_scored, split_task_column
from skmtl.metrics import _scores
from skmtl.metrics._foreign import (
    Response,
    adapt,
    find_response,
    is_loss,
    least_labels,
    takes_tasks,
)
from skmtl.metrics._tasks import Avg, Scores, find_observed, read_labels, score_tasks

# For each name the metric, whether greater is better, and the methods that give its y_pred.
_METRICS: dict[str, tuple[Callable[..., Scores], bool, Response]] = {
    "r2": (_scores.r2_score, True, "predict"),
    "rmse": (_scores.root_mean_squared_error, False, "predict"),
    "explained_variance": (_scores.explained_variance_score, True, "predict"),
    "accuracy": (_scores.accuracy_score, True, "predict"),
    "roc_auc": (_scores.roc_auc_score, True, ("decision_function", "predict_proba")),
}


@dataclass(eq=False)
class TaskScorer(BaseEstimator):
    """A scorer; as a BaseEstimator it supports clone and scikit-learn's metadata routing."""

    __metadata_request__score: ClassVar[dict[str, str]] = {"estimator": UNUSED}

    metric: str | Callable[..., Scores]
    task_column: str | int | None
    average: Avg
    greater_is_better: bool
    response_method: Response
    kwargs: dict[str, Any] = field(default_factory=dict)

    def score(self, estimator: Any, X: Any, y: Any, sample_weight: Any = None) -> Scores:
        metric = _METRICS[self.metric][0] if isinstance(self.metric, str) else self.metric
        column = self.task_column
        model = _model_of(estimator)
        if hasattr(model, "tasks_"):
            y, sample_weight = read_scored(model, y, sample_weight)
        task = None if column is None else read_ids(split_task_column(X, column)[1], warn=False)
        method, response = self._respond(estimator, X)
        if np.ndim(y) == 1 and response.ndim == 2 and response.shape[1] == 2:
            response = response[:, 1]
        if takes_tasks(metric):
            how = {"task": task, "sample_weight": sample_weight, "average": self.average}
            score = metric(y, response, **how, **self.kwargs)
        else:
            classes = _find_classes(estimator, y, method)
            score = score_tasks(
                adapt(metric, self.kwargs, classes, of_labels=method == "predict"),
                least_labels(metric),
                self.average,
                y,
                response,
                task,
                sample_weight,
                wide=True,
            )
        return score if self.greater_is_better else -score

    __call__ = score  # scikit-learn reads the metadata to route from a method named score

    def _accept_sample_weight(self) -> bool:
        """scikit-learn asks scorers in a dict, without metadata routing, whether they do."""
        return True

    def _respond(self, estimator: Any, X: Any) -> tuple[str, NDArray[Any]]:
        """The method that was called, and its result."""
        methods = np.atleast_1d(self.response_method).tolist()
        for method in methods:
            if hasattr(estimator, method):
                response = getattr(estimator, method)(X)
                if isinstance(response, list):  # scikit-learn's multi-output classifiers
                    response = np.column_stack([part[:, -1] for part in response])
                return method, np.asarray(response)
        model = _model_of(estimator)
        name = type(estimator if model is None else model).__name__
        raise ValueError(
            f"The scorer needs {' or '.join(methods)}, which {name} lacks. Use another metric, or "
            f"set response_method to a method of the estimator."
        )


def _model_of(estimator: Any) -> Any:
    """The fitted estimator of skmtl within pipelines and searches; None if there is none."""
    while estimator is not None and not hasattr(estimator, "_layout"):
        steps = getattr(estimator, "steps", None)
        estimator = steps[-1][1] if steps else fitted_within(estimator)
    return estimator


def _find_classes(estimator: Any, y: Any, method: str) -> NDArray[Any] | None:
    """All classes, sorted; None for numeric targets."""
    known = getattr(estimator, "classes_", None)
    if known is None and method == "predict":
        return None
    labels = read_labels(y, "y_true")
    if labels.ndim == 2:
        return np.array([0.0, 1.0])
    return np.unique(labels[find_observed(labels)]) if known is None else np.asarray(known)


def make_task_scorer(
    metric: str | Callable[..., Scores],
    *,
    task_column: str | int | None = None,
    average: Avg = "macro",
    greater_is_better: bool | None = None,
    response_method: str | tuple[str, ...] | None = None,
    **kwargs: Any,
) -> TaskScorer:
    """Make a scorer, to be called with (estimator, X, y), from a metric.

    The metric is evaluated on each task's observed labels, without missing labels (NaN) and labels
    of weight zero, and the scores of the tasks are averaged.

    Parameters
    ----------
    metric : str or callable
        "r2", "rmse", "explained_variance", "accuracy", "roc_auc", or a function:

        - with an argument ``task``: one of this module's, or one with the same signature;
        - any other function of (y_true, y_pred), such as scikit-learn's, which is called once for
          each task.
    task_column : str, int or None, default=None
        Stacked layout: the column of X that holds the task ids.
    average : {"macro", "pooled"} or None, default="macro"
        As in :func:`r2_score`. Set a metric's own parameter ``average`` by
        ``functools.partial``.
    greater_is_better : bool or None, default=None
        If False, the score is negated. None: False for "rmse" and for scikit-learn's functions
        whose name ends in ``_loss``, ``_error`` or ``_deviance``, otherwise True.
    response_method : str, tuple of str or None, default=None
        The estimator's method that gives y_pred; of several, the first that it has. None:
        decision_function, or else predict_proba, for "roc_auc" and scikit-learn's metrics of
        scores; predict_proba for scikit-learn's metrics of probabilities, and with an argument
        ``multi_class``; predict for all others.
    **kwargs
        Passed to the metric, for example ``beta=2`` for scikit-learn's ``fbeta_score``.

    Returns
    -------
    callable
        For ``scoring`` in scikit-learn's searches and cross-validation functions.

    Raises
    ------
    ValueError
        If ``metric`` is an unknown name. When the scorer is called, if the weights differ and the
        metric does not accept weights.

    Notes
    -----
    Since a task may lack a class, a metric without the argument ``task`` is also passed all
    classes as ``labels``, if it takes probabilities, and the greater of two classes as
    ``pos_label``; precision, recall and F-scores are passed ``zero_division=nan``. Your own
    arguments take precedence.

    Tasks for which the metric is undefined are left out of the mean: those for which it returns
    nan; those with fewer than two labels for R2 and similar metrics; those with labels of a single
    class for metrics that compare two classes (areas under curves, balanced accuracy, Matthews
    correlation, kappa).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.dummy import DummyRegressor
    >>> from sklearn.metrics import mean_pinball_loss
    >>> from skmtl.metrics import make_task_scorer
    >>> X, y = np.array([[0.0, 7], [1, 7], [2, 8]]), np.array([1.0, 1.0, 4.0])
    >>> model = DummyRegressor().fit(X, y)
    >>> make_task_scorer("rmse", task_column=-1)(model, X, y)
    -1.5
    >>> make_task_scorer(mean_pinball_loss, task_column=-1, alpha=0.75)(model, X, y)
    -0.875
    """
    key = next((name for name, (own, *_) in _METRICS.items() if own is metric), metric)
    if isinstance(key, str) and key in _METRICS:
        _, greater, response = _METRICS[key]
    elif callable(key):
        greater, response = not is_loss(key), find_response(partial(key, **kwargs))
    else:
        raise ValueError(
            f"metric must be a function or one of {[*_METRICS]}, got {metric!r}. For a metric of "
            f"scikit-learn pass the function, such as sklearn.metrics.average_precision_score."
        )
    return TaskScorer(
        key,
        task_column,
        average,
        greater if greater_is_better is None else greater_is_better,
        response if response_method is None else response_method,
        kwargs,
    )
