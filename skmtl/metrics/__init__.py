"""Scores over tasks: scikit-learn's metrics on each task's observed labels.

A metric takes a label matrix with NaN for missing labels (shared layout), or a vector and the task
of each row (stacked layout).
"""

from skmtl.metrics._scorer import TaskScorer, make_task_scorer
from skmtl.metrics._scores import (
    accuracy_score,
    d2_pinball_score,
    explained_variance_score,
    r2_score,
    roc_auc_score,
    root_mean_squared_error,
    subset_accuracy_score,
)

__all__ = [
    "accuracy_score",
    "d2_pinball_score",
    "explained_variance_score",
    "make_task_scorer",
    "r2_score",
    "roc_auc_score",
    "root_mean_squared_error",
    "subset_accuracy_score",
    # For the packages above only.
    "TaskScorer",
]
