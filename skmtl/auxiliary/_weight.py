"""Select the weight of auxiliary tasks by cross-validation."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl._warnings import gather_warnings
from skmtl.auxiliary._problem import AuxiliaryProblem
from skmtl.estimators import Fit, Fold, HeldOutLoss

Array = NDArray[Any]

# At weight 0 the main tasks are fitted alone.
WEIGHTS = np.array([0.0, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0])


def score_weights(problem: AuxiliaryProblem, folds: Sequence[Fold]) -> Array:
    """The scores of the main tasks' held-out labels (n_weights, n_folds), the greater the better.

    Labels are scaled, and classes balanced, as in all rows.
    """
    measure, scores = HeldOutLoss(problem.main), np.empty((len(WEIGHTS), len(folds)))
    for k, fold in enumerate(folds):
        part = problem.without(fold.test)
        judge = measure(fold, part.main)
        start: Fit | None = None
        for i, weight in enumerate(WEIGHTS):
            with gather_warnings():
                # Fits with weights that are not selected need not converge.
                model, _, fit = part.fit(weight, start)
            model._beside = None
            scores[i, k] = judge(model, part.main_part(fit))
            start = None if weight == 0 else fit
    return scores


def choose_weight(scores: Array) -> int:
    """The weight with the best mean score, or 0 if that is not better by one standard error."""
    best = int(scores.mean(axis=1).argmax())
    gains = scores[best] - scores[0]
    error = gains.std(ddof=1) / np.sqrt(len(gains)) if len(gains) > 1 else 0.0
    return best if gains.mean() > error else 0
