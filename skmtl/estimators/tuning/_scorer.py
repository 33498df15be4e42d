"""A scikit-learn scorer of held-out rows as the score of fits to the other rows."""

import copy
import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing

from skmtl.design import TaskData, align_frames
from skmtl.estimators.base import Fit
from skmtl.estimators.tuning._fold import Fold, Judge

Array = NDArray[Any]


class HeldOutScore:
    """The score by a scikit-learn scorer, for a fold's fitted estimator and held-out rows of X.

    Parameters
    ----------
    scorer : callable (estimator, X, y) -> float
        The greater the better.
    reader : estimator
        The estimator that has read X.
    X, y, sample_weight : as passed to its fit
    """

    def __init__(
        self, scorer: Callable[..., Any], reader: Any, X: Any, y: Any, sample_weight: Any
    ) -> None:
        self.scorer, self.X, self.y = scorer, X, y
        self.read = {
            name: getattr(reader, name)
            for name in ("n_features_in_", "feature_names_in_", "classes_")
            if hasattr(reader, name)
        }
        weighted = np.ndim(sample_weight) > 0 and _takes_weights(scorer)
        # Scorers receive the weights as an array, with columns in the order of those of y.
        self.weights = np.asarray(align_frames(y, y, sample_weight)[2]) if weighted else None

    def __call__(self, fold: Fold, part: TaskData) -> Judge:
        X, y = _safe_indexing(self.X, fold.held_out), _safe_indexing(self.y, fold.held_out)
        weights = {} if self.weights is None else {"sample_weight": self.weights[fold.held_out]}
        known = part.label_counts > 0
        seen = part.select(known)
        # A fit to these rows alone would not know the tasks without a label.
        seen = replace(seen, all_tasks=seen.tasks, positions=np.arange(seen.n_tasks))

        def judge(model: Any, fit: Fit) -> float:
            fitted = copy.copy(model)
            vars(fitted).update(self.read)
            fitted._set_fit(seen, _of_tasks(fit, known))
            try:
                return float(self.scorer(fitted, X, y, **weights))
            except ValueError as error:
                if "NaN" not in str(error):
                    raise
                raise ValueError(
                    f"{error}\nThe scorer does not accept missing labels. Use scoring=None, or a "
                    f"scorer made by skmtl.metrics.make_task_scorer."
                ) from error

        return judge


def _of_tasks(fit: Fit, chosen: Array) -> Fit:
    """The fit restricted to some of its tasks."""
    return replace(
        fit,
        coef=fit.coef[chosen],
        intercept=fit.intercept[chosen],
        learned=fit.learned[chosen],
        parts=None if fit.parts is None else fit.parts[:, chosen],
    )


def _takes_weights(scorer: Callable[..., Any]) -> bool:
    """Whether a scorer has a parameter ``sample_weight``."""
    try:
        return "sample_weight" in inspect.signature(scorer).parameters
    except (TypeError, ValueError):
        return False
