"""Metrics without an argument ``task``, such as scikit-learn's: how to call them on one task."""

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
# The name of a metric's second argument in scikit-learn says which response it takes.
_RESPONSES: dict[str, Response] = {
    "y_score": _DECISION,
    "y_proba": "predict_proba",
    "y_prob": "predict_proba",
    "pred_decision": "decision_function",
}
# Their second argument has another name in older releases.
_LOG_LOSSES = (skm.log_loss, skm.d2_log_loss_score)


def _known(*names: str) -> tuple[Any, ...]:
    """The functions of these names that this release of scikit-learn has."""
    return tuple(getattr(skm, name) for name in names if hasattr(skm, name))


# Undefined for fewer than two labels, and for labels of one class.
_TWO_LABELS = _known(
    "r2_score", "explained_variance_score", "d2_absolute_error_score", "d2_pinball_score",
    "d2_tweedie_score",
)  # fmt: skip
_TWO_CLASSES = _known(
    "roc_auc_score", "average_precision_score", "balanced_accuracy_score", "matthews_corrcoef",
    "cohen_kappa_score", "hinge_loss", "d2_log_loss_score", "d2_brier_score",
)  # fmt: skip
# Return nan where they are undefined, if told to.
_RATIOS = _known("precision_score", "recall_score", "f1_score", "fbeta_score")


def takes_tasks(metric: Callable[..., Any]) -> bool:
    """Whether a metric has the argument ``task``, as those of :mod:`skmtl.metrics`."""
    return "task" in _parameters(metric)


def is_loss(metric: Callable[..., Any]) -> bool:
    """Whether lower is better, by scikit-learn's naming convention."""
    plain = _unwrap(metric)
    name, module = getattr(plain, "__name__", ""), getattr(plain, "__module__", None) or ""
    return module.startswith("sklearn.") and name.endswith(("_loss", "_error", "_deviance"))


def find_response(metric: Callable[..., Any]) -> Response:
    """The method, or the first of several, whose result a metric judges."""
    plain = _unwrap(metric)
    if plain in _LOG_LOSSES:
        return "predict_proba"
    if not (getattr(plain, "__module__", None) or "").startswith("sklearn."):
        return "predict"
    second = [*_parameters(plain)][1:2]
    return _RESPONSES.get(second[0], "predict") if second else "predict"


def least_labels(metric: Callable[..., Any]) -> int:
    """How many labels a task needs for its score to be defined."""
    return 2 if _unwrap(metric) in _TWO_LABELS + _TWO_CLASSES else 1


def adapt(
    metric: Callable[..., Any], kwargs: dict[str, Any], classes: Array | None, *, of_labels: bool
) -> Callable[..., float]:
    """A metric as :func:`skmtl.metrics._tasks.score_tasks` calls it, on one task at a time.

    A task may lack a class, and scikit-learn's metrics infer the classes from the labels they see:
    they are passed all of them. Of two classes the greater is the positive one, as in
    :func:`skmtl.metrics.roc_auc_score`.

    Parameters
    ----------
    metric : callable
    kwargs : dict
        The user's, which take precedence.
    classes : ndarray or None
        All classes, sorted; None for numbers.
    of_labels : bool
        Whether the metric judges predicted labels, not scores or probabilities.
    """
    parameters = _parameters(metric)
    bound = metric.keywords if isinstance(metric, partial) else {}
    told: dict[str, Any] = {}
    if classes is not None:
        if "labels" in parameters and not of_labels:
            told["labels"] = classes
        # A metric averaged over classes has no positive one.
        if "pos_label" in parameters and len(classes) == 2 and "average" not in bound:
            told["pos_label"] = classes[1]
    if _unwrap(metric) in _RATIOS:
        told["zero_division"] = np.nan  # not 0 with a warning
    told = {name: value for name, value in told.items() if name not in bound} | kwargs
    two, any_name = _unwrap(metric) in _TWO_CLASSES, inspect.Parameter.VAR_KEYWORD
    weighs = "sample_weight" in parameters or any_name in {p.kind for p in parameters.values()}

    def call(labels: Array, predictions: Array, sample_weight: Array | None) -> float:
        if two and len(np.unique(labels)) < 2:
            return np.nan
        if sample_weight is None:
            return float(metric(labels, predictions, **told))
        if weighs:
            return float(metric(labels, predictions, sample_weight=sample_weight, **told))
        if (sample_weight == sample_weight[0]).all():
            return float(metric(labels, predictions, **told))
        raise ValueError(
            f"The metric {getattr(_unwrap(metric), '__name__', metric)} has no argument "
            f"sample_weight, but the weights differ. Score without weights, or use a metric that "
            f"takes them."
        )

    return call


def _unwrap(metric: Any) -> Any:
    """The function that a partial wraps; any other as it is."""
    return _unwrap(metric.func) if isinstance(metric, partial) else metric


def _parameters(metric: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """A metric's parameters; none for a callable without a signature."""
    try:
        return dict(inspect.signature(metric).parameters)
    except (TypeError, ValueError):
        return {}
