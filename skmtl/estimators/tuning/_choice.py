"""Select a point of the grid: the best, or the simplest within one standard error of it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl._warnings import warn

Array = NDArray[Any]


@dataclass(frozen=True)
class Choice:
    """The selected point of a grid, and the best one of the same row.

    Attributes
    ----------
    row, column : int
        The selected point.
    best : int
        The column of the best point of the row.
    score : float
        The mean score over folds of the selected point.
    """

    row: int
    column: int
    best: int
    score: float


def choose(scores: Array, rule: str) -> Choice:
    """Select from scores (n_rows, n_alphas, n_folds), with descending alphas in each row.

    "best" selects the highest mean over folds, and the largest alpha if several are equal. "1se"
    selects the largest alpha of the same row whose mean is within one standard error (over folds,
    at the best point) of the highest.

    Raises
    ------
    ValueError
        If every mean is NaN, or if there are fewer than two folds with "1se".
    """
    mean, n_folds = scores.mean(axis=2), scores.shape[2]
    ranked = np.where(np.isnan(mean), -np.inf, mean)
    row, best = np.unravel_index(int(ranked.argmax()), ranked.shape)
    if np.isnan(mean[row, best]):
        raise ValueError(
            "No alpha has a score: every alpha is NaN in some fold. Use fewer folds, "
            "cv=StratifiedTaskKFold(...), or another scoring."
        )
    column = int(best)
    if rule == "1se":
        if n_folds < 2:
            raise ValueError(
                "rule='1se' needs at least two folds, got 1. Use cv=5, or rule='best'."
            )
        error = scores[row, best].std(ddof=1) / np.sqrt(n_folds)
        column = int(np.argmax(ranked[row] >= mean[row, best] - error))
    return Choice(int(row), column, int(best), float(mean[row, column]))


def warn_at_edge(choice: Choice, alphas: Array, *, computed: bool, top_is_null: bool) -> None:
    """Warn if the best alpha may lie outside the grid.

    Parameters
    ----------
    choice : Choice
    alphas : array of shape (n_alphas,), descending
    computed : bool
        Whether the grid was computed from the data, not given by the user.
    top_is_null : bool
        Whether all coefficients are zero at the largest alpha, and therefore at larger ones.
    """
    if len(alphas) < 2 or alphas[0] == alphas[-1]:
        return
    if choice.best == len(alphas) - 1 and alphas[-1] > 0:
        remedy = "Lower eps" if computed else "Pass smaller alphas"
        warn(
            f"The best alpha, {alphas[-1]:.3g}, is the smallest of the grid; a smaller one may be "
            f"better. {remedy}."
        )
    elif choice.column == 0 and top_is_null:
        warn(
            f"The selected alpha, {alphas[0]:.3g}, is the largest of the grid, at which all "
            f"penalised coefficients (or differences between tasks) are zero: these do not help to "
            f"predict held-out labels. Scale the features, check that the rows of X and y match, "
            f"or pass your own alphas."
        )
    elif choice.column == 0:
        remedy = "larger alphas as a list" if computed else "larger alphas"
        warn(
            f"The selected alpha, {alphas[0]:.3g}, is the largest of the grid; a larger one may be "
            f"better. Pass {remedy}."
        )
