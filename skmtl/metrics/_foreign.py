"""Adapters for metrics without an argument ``task``, such as scikit-learn's."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import sklearn.metrics as skm
from numpy.typing import NDArray

Array = NDArray[Any]
Response = str | tuple[str, ...]

_DECISION: Response = ("decision_function", "predict_proba")
# In scikit-learn the name of a metric's second argument tells which response it needs.
_RESPONSES: dict[str, Response] = {
    "y_score": _DECISION,
    "y_proba": "predict_proba",
    "y_prob": "predict_proba",
    "pred_decision": "decision_function",
}
# In older releases their second argument has a different name.
_LOG_LOSSES = (skm.log_loss, skm.d2_log_loss_score)


def _known(*names: str) -> tuple[Any, ...]:
    """Those of the named functions that this release of scikit-learn has."""
    return tuple(getattr(skm, name) for name in names if hasattr(skm, name))


# Undefined for fewer than two labels.
_TWO_LABELS = _known(
    "r2_score", "explained_variance_score", "d2_absolute_error_score", "d2_pinball_score",
    "d2_tweedie_score",
)  # fmt: skip
# Undefined for labels of a single class.
_TWO_CLASSES = _known(
    "roc_auc_score", "average_precision_score", "balanced_accuracy_score", "matthews_corrcoef",
    "cohen_kappa_score", "hinge_loss", "d2_log_loss_score", "d2_brier_score",
)  # fmt: skip
# With zero_division=nan these return nan where they are undefined.
_RATIOS = _known("precision_score", "recall_score", "f1_score", "fbeta_score")


def takes_tasks(metric: Callable[..., Any]) -> bool:
    """Whether a metric has an argument ``task``, as those of :mod:`skmtl.metrics` do."""
    return "task" in _parameters(metric)


def is_loss(metric: Callable[..., Any]) -> bool:
    """Whether lower is better, by scikit-learn's naming convention."""
    plain = _unwrap(metric)
    name, module = getattr(plain, "__name__", ""), getattr(plain, "__module__", None) or ""
    return module.startswith("sklearn.") and name.endswith(("_loss", "_error", "_deviance"))


def find_response(metric: Callable[..., Any]) -> Response:
    """The estimator's method that gives a metric's y_pred; of several the first available."""
    plain = _unwrap(metric)
    # For more than two classes the area under the ROC curve needs probabilities.
    if plain in _LOG_LOSSES or "multi_class" in _bound(metric):
        return "predict_proba"
    if not (getattr(plain, "__module__", None) or "").startswith("sklearn."):
        return "predict"
    second = [*_parameters(plain)][1:2]
    return _RESPONSES.get(second[0], "predict") if second else "predict"


def least_labels(metric: Callable[..., Any]) -> int:
    """The number of labels that a task needs for its score to be defined."""
    return 2 if _unwrap(metric) in _TWO_LABELS + _TWO_CLASSES else 1


def adapt(
    metric: Callable[..., Any], kwargs: dict[str, Any], classes: Array | None, *, of_labels: bool
) -> Callable[..., float]:
    """Adapt a metric to :func:`skmtl.metrics._tasks.score_tasks`, which calls it on each task.

    scikit-learn's metrics infer the classes from the labels, but a task may lack a class; all
    classes are therefore passed to the metric. The greater of two classes is the positive one, as
    in :func:`skmtl.metrics.roc_auc_score`.

    Parameters
    ----------
    metric : callable
    kwargs : dict
        The user's arguments, which take precedence.
    classes : ndarray or None
        All classes, sorted; None for numeric targets.
    of_labels : bool
        Whether y_pred holds predicted labels, not scores or probabilities.
    """
    parameters = _parameters(metric)
    bound = _bound(metric)
    arguments: dict[str, Any] = {}
    if classes is not None:
        if "labels" in parameters and not of_labels:
            arguments["labels"] = classes
        # A metric averaged over classes has no positive class.
        if "pos_label" in parameters and len(classes) == 2 and "average" not in bound:
            arguments["pos_label"] = classes[1]
    if _unwrap(metric) in _RATIOS:
        arguments["zero_division"] = np.nan  # by default 0, with a warning
    arguments = {name: value for name, value in arguments.items() if name not in bound} | kwargs
    compares_classes = _unwrap(metric) in _TWO_CLASSES
    takes_weights = "sample_weight" in parameters or any(
        parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values()
    )

    def call(labels: Array, predictions: Array, sample_weight: Array | None) -> float:
        if compares_classes and len(np.unique(labels)) < 2:
            return np.nan
        if sample_weight is None:
            return float(metric(labels, predictions, **arguments))
        if takes_weights:
            return float(metric(labels, predictions, sample_weight=sample_weight, **arguments))
        if (sample_weight == sample_weight[0]).all():
            return float(metric(labels, predictions, **arguments))
        raise ValueError(
            f"The metric {getattr(_unwrap(metric), '__name__', metric)} has no argument "
            f"sample_weight, but the weights differ. Score without weights, or use a metric that "
            f"takes them."
        )

    return call


def _unwrap(metric: Any) -> Any:
    """The function within a ``functools.partial``; any other callable itself."""
    return _unwrap(metric.func) if isinstance(metric, partial) else metric


def _bound(metric: Any) -> dict[str, Any]:
    """The arguments that a ``functools.partial`` passes by name."""
    return metric.keywords if isinstance(metric, partial) else {}


def _parameters(metric: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """A metric's parameters; empty if it has no signature."""
    try:
        return dict(inspect.signature(metric).parameters)
    except (TypeError, ValueError):
        return {}
