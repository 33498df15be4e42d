"""Conformal quantiles of calibration scores, and the intervals that follow from them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Entries of the matrix of bounds that is built at a time.
_CHUNK = 2**22


def rank(n_scores: int, level: float) -> int:
    """The position, from 1, of the conformal quantile; n_scores + 1 stands for infinity."""
    # (n + 1) * level may be above an integer by rounding only.
    return int(np.ceil((n_scores + 1) * level - 1e-9))


def quantile(scores: Array, level: float) -> float:
    """The smallest score that as many scores do not exceed as validity requires, or infinity."""
    k = rank(len(scores), level)
    return np.inf if k > len(scores) else float(np.partition(scores, k - 1)[k - 1])


@dataclass(frozen=True)
class Calibration:
    """Errors of held-out labels, and by which fit they were predicted.

    Attributes
    ----------
    errors : array of shape (n_labels,)
        Absolute errors.
    codes : int array of shape (n_labels,)
        The task of each.
    folds : int array of shape (n_labels,)
        The fit that predicted it.
    spreads : array of shape (n_folds, n_tasks + 1)
        The spread of each task's errors as known to each fit, the last one that of a new task.
    """

    errors: Array
    codes: NDArray[np.intp]
    folds: NDArray[np.intp]
    spreads: Array

    def of_task(self, code: int) -> "Calibration":
        """The labels of one task."""
        own = self.codes == code
        return Calibration(self.errors[own], self.codes[own], self.folds[own], self.spreads)

    def scores(self) -> Array:
        """Errors in units of the spread of their task."""
        scores: Array = self.errors / self.spreads[self.folds, self.codes]
        return scores

    def interval(self, predicted: Array, code: int, level: float) -> Array:
        """Lower and upper ends (n_rows, 2) for rows of one task; -1: a new one.

        Parameters
        ----------
        predicted : array of shape (n_rows, n_folds)
            What each fit predicts.
        code : int
        level : float
        """
        scores, spreads = self.scores(), self.spreads[:, code]
        if predicted.shape[1] == 1:
            half = quantile(scores, level) * spreads[0]
            return np.column_stack([predicted[:, 0] - half, predicted[:, 0] + half])
        m = len(scores)
        k = rank(m, level)
        ends = np.tile([-np.inf, np.inf], (len(predicted), 1))
        if k > m:
            return ends
        halves = scores * spreads[self.folds]
        for start in range(0, len(predicted), max(1, _CHUNK // m)):
            rows = slice(start, start + max(1, _CHUNK // m))
            centres = predicted[rows][:, self.folds]
            # The k-th smallest upper bound, and the k-th largest lower one.
            ends[rows, 1] = np.partition(centres + halves, k - 1, axis=1)[:, k - 1]
            ends[rows, 0] = -np.partition(halves - centres, k - 1, axis=1)[:, k - 1]
        return ends
