"""Which point of the grid: the best, or the simplest within one standard error of it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl._warnings import warn

Array = NDArray[Any]


@dataclass(frozen=True)
class Choice:
    """The chosen point (row, column) of a grid, and the best one of the same row."""

    row: int
    column: int
    best: int
    score: float


def choose(scores: Array, rule: str) -> Choice:
    """Choose from scores (n_rows, n_alphas, n_folds), the alphas of a row descending.

    "best" takes the highest mean over folds, of equal ones the largest alpha. "1se" takes the
    largest alpha of the same row whose mean is within one standard error of that, the standard
    error over folds at the best.

    Raises
    ------
    ValueError
        If no mean is a number; if "1se" has fewer than two folds.
    """
    mean, n_folds = scores.mean(axis=2), scores.shape[2]
    ranked = np.where(np.isnan(mean), -np.inf, mean)
    row, best = np.unravel_index(int(ranked.argmax()), ranked.shape)
    if np.isnan(mean[row, best]):
        raise ValueError(
            "No alpha has a score: in each some fold is NaN. Use fewer folds, "
            "cv=StratifiedTaskKFold(...), or another scoring."
        )
    column = int(best)
    if rule == "1se":
        if n_folds < 2:
            raise ValueError("rule='1se' needs at least two folds. Pass more, or rule='best'.")
        error = scores[row, best].std(ddof=1) / np.sqrt(n_folds)
        column = int(np.argmax(ranked[row] >= mean[row, best] - error))
    return Choice(int(row), column, int(best), float(mean[row, column]))


def warn_at_edge(choice: Choice, alphas: Array, *, made: bool, top_is_null: bool) -> None:
    """Warn where the best alpha may lie outside the grid.

    Parameters
    ----------
    choice : Choice
    alphas : array of shape (n_alphas,), descending
    made : bool
        Whether the grid was made, not given.
    top_is_null : bool
        Whether the largest alpha learns nothing, so that none beyond it differs.
    """
    if len(alphas) < 2 or alphas[0] == alphas[-1]:
        return
    if choice.best == len(alphas) - 1 and alphas[-1] > 0:
        remedy = "Lower eps" if made else "Pass smaller alphas"
        warn(
            f"The best alpha, {alphas[-1]:.3g}, is the smallest of the grid; a smaller one may be "
            f"better. {remedy}."
        )
    elif choice.column == 0 and top_is_null:
        warn(
            f"The chosen alpha, {alphas[0]:.3g}, is the largest of the grid, at which all "
            f"coefficients are zero: the features do not help to predict held-out labels. Scale "
            f"them, check that rows of X and y belong together, or pass alphas of your own."
        )
    elif choice.column == 0:
        remedy = "larger alphas" if not made else "larger alphas as a list"
        warn(
            f"The chosen alpha, {alphas[0]:.3g}, is the largest of the grid; a larger one may be "
            f"better. Pass {remedy}."
        )
