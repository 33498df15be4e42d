"""Scorers of a single stage."""

from dataclasses import dataclass
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics
from sklearn.base import BaseEstimator
from sklearn.utils.metadata_routing import UNUSED

from skmtl.design import as_label_array, task_names

Array = NDArray[Any]

# For each name the metric of labels and probabilities, and its sign.
_METRICS = {
    "roc_auc": (metrics.roc_auc_score, 1.0),
    "average_precision": (metrics.average_precision_score, 1.0),
    "neg_log_loss": (metrics.log_loss, -1.0),
    "neg_brier_score": (metrics.brier_score_loss, -1.0),
}


@dataclass(eq=False)
class StageScorer(BaseEstimator):
    """A scorer of one stage of a funnel."""

    __metadata_request__score: ClassVar[dict[str, str]] = {"estimator": UNUSED}

    stage: Any
    metric: str
    conditional: bool

    def score(self, estimator: Any, X: Any, y: Any, sample_weight: Any = None) -> float:
        labels = as_label_array(y, "make_stage_scorer").astype(np.float64)
        column = self._column(y, labels)
        if self.conditional:
            p = estimator.predict_conditional_proba(X)[:, column]
        else:
            p = estimator.predict_proba(X)[:, column]
        used = ~np.isnan(labels[:, column])
        if self.conditional and column > 0:
            used &= labels[:, column - 1] == 1
        if sample_weight is not None:
            sample_weight = np.asarray(sample_weight)
            weights = sample_weight if sample_weight.ndim == 1 else sample_weight[:, column]
            used &= weights > 0
            sample_weight = weights[used]
        metric, sign = _METRICS[self.metric]
        labels = labels[used, column]
        n_needed = 2 if self.metric in ("roc_auc", "average_precision") else 1
        if len(np.unique(labels)) < n_needed:
            return np.nan  # as scikit-learn's scorers of a single class
        more = {"labels": [0, 1]} if self.metric == "neg_log_loss" else {}
        return sign * float(metric(labels, p[used], sample_weight=sample_weight, **more))

    __call__ = score  # scikit-learn reads the metadata to route from a method named score

    def _column(self, y: Any, labels: Array) -> int:
        if labels.ndim != 2:
            raise ValueError(
                f"y must be a matrix with a column for each stage, got shape {labels.shape}. Score "
                f"a single stage by scikit-learn's scorers."
            )
        names = task_names(y, labels.shape[1]).tolist()
        if self.stage in names:
            return int(names.index(self.stage))
        is_position = isinstance(self.stage, Integral)
        if not is_position or not -len(names) <= self.stage < len(names):
            raise ValueError(
                f"stage must be one of {names}, or a position; got {self.stage!r}. Pass y as a "
                f"data frame to use its column names."
            )
        return int(self.stage) % len(names)


def make_stage_scorer(
    stage: Any = -1, metric: str = "roc_auc", *, conditional: bool = False
) -> StageScorer:
    """A scorer for one stage of a funnel, such as the purchase, for ``scoring`` in a grid search.

    Parameters
    ----------
    stage : str or int, default=-1
        A column of y by name (data frames) or position; -1 is the last.
    metric : {"roc_auc", "average_precision", "neg_log_loss", "neg_brier_score"}, \
            default="roc_auc"
        The greater the better.
    conditional : bool, default=False
        False: the probability of reaching the stage, over all rows. True: the probability of the
        stage given the one before, over the rows that have reached that.

    Returns
    -------
    callable
        With the signature (estimator, X, y, sample_weight=None). Rows without a label (NaN) are
        left out. NaN if no row is left, or if all have one class and the metric needs two.

    Examples
    --------
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skmtl.datasets import make_funnel
    >>> from skmtl.funnel import EntireSpaceClassifier, make_stage_scorer
    >>> dataset = make_funnel(1000, random_state=0)
    >>> grid = {"alpha": [0.001, 0.003, 0.01]}
    >>> scoring = make_stage_scorer(-1)
    >>> search = GridSearchCV(EntireSpaceClassifier(), grid, scoring=scoring, cv=3)
    >>> search = search.fit(dataset.data, dataset.target)
    """
    if metric not in _METRICS:
        raise ValueError(f"metric must be one of {sorted(_METRICS)}, got {metric!r}.")
    return StageScorer(stage, metric, conditional)
