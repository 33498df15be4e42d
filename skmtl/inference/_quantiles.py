"""Conformal quantiles of calibration scores, and the intervals and sets that follow from them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Entries of the matrix of bounds that is built at a time.
_CHUNK = 2**22
# Ranks and sums of weights that exceed the required one by rounding only do not exceed it.
_ROUNDING = 1e-9


def rank(n_scores: int, level: float) -> int:
    """The position, from 1, of the conformal quantile; n_scores + 1 stands for infinity."""
    return int(np.ceil((n_scores + 1) * level - _ROUNDING))


@dataclass(frozen=True)
class Calibration:
    """Scores of held-out labels, and by which fit they were predicted.

    Attributes
    ----------
    raw : array of shape (n_labels,)
        Scores, not divided by spreads.
    codes : int array of shape (n_labels,)
        The task of each.
    folds : int array of shape (n_labels,)
        The fit that predicted it.
    spreads : array of shape (n_folds, n_tasks + 1)
        The spread of each task's scores as known to each fit, the last one that of a new task.
    weights : array of shape (n_labels,), or None
        What each label counts; an infinite score of weight 1 is added. None: 1 each.
    """

    raw: Array
    codes: NDArray[np.intp]
    folds: NDArray[np.intp]
    spreads: Array
    weights: Array | None = None

    def of_task(self, code: int) -> "Calibration":
        """The labels of one task."""
        own = self.codes == code
        return Calibration(self.raw[own], self.codes[own], self.folds[own], self.spreads)

    @cached_property
    def scores(self) -> Array:
        """In units of the spread of their task."""
        scores: Array = self.raw / self.spreads[self.folds, self.codes]
        return scores

    def least(self, values: Array, level: float) -> Array:
        """The conformal quantile of each row of values (n_rows, n_labels); it may be infinite."""
        if self.weights is None:
            k = rank(values.shape[1], level)
            if k > values.shape[1]:
                return np.full(len(values), np.inf)
            return np.asarray(np.partition(values, k - 1, axis=1)[:, k - 1])
        order = np.argsort(values, axis=1)
        below = np.cumsum(self.weights[order], axis=1)
        required = (self.weights.sum() + 1) * level - _ROUNDING
        positions = (below < required).sum(axis=1)
        values = np.column_stack(
            [np.take_along_axis(values, order, 1), np.full(len(values), np.inf)]
        )
        return np.asarray(values[np.arange(len(values)), positions])

    def interval(self, predicted: Array, codes: NDArray[np.intp], level: float) -> Array:
        """Lower and upper ends (n_rows, 2).

        Parameters
        ----------
        predicted : array of shape (n_rows, n_folds)
            What each fit predicts.
        codes : int array of shape (n_rows,)
            The task of each row; -1: a new one.
        level : float
        """
        if predicted.shape[1] == 1:
            half = self.least(self.scores[None], level) * self.spreads[0, codes]
            return np.column_stack([predicted[:, 0] - half, predicted[:, 0] + half])
        ends = np.empty((len(predicted), 2))
        step = max(1, _CHUNK // max(1, len(self.scores)))
        for start in range(0, len(predicted), step):
            rows = slice(start, start + step)
            centres = predicted[rows][:, self.folds]
            halves = self.scores * self.spreads[:, codes[rows]].T[:, self.folds]
            ends[rows, 0] = -self.least(halves - centres, level)
            ends[rows, 1] = self.least(centres + halves, level)
        return ends

    def contains(
        self, candidates: Array, codes: NDArray[np.intp], level: float
    ) -> NDArray[np.bool_]:
        """Which classes (n_rows, n_classes) are in the sets of rows.

        A class is left out if enough calibration labels have a smaller score than it would have.

        Parameters
        ----------
        candidates : array of shape (n_rows, n_classes, n_folds)
            The score of each class according to each fit.
        codes : int array of shape (n_rows,)
            The task of each row; -1: a new one.
        level : float
        """
        scores = self.scores
        weights = np.ones(len(scores)) if self.weights is None else self.weights
        below = np.zeros(candidates.shape[:2])
        for fold in range(candidates.shape[2]):
            mine = self.folds == fold
            order = np.argsort(scores[mine])
            sums = np.append(0.0, np.cumsum(weights[mine][order]))
            own = candidates[:, :, fold] / self.spreads[fold, codes][:, None]
            below += sums[np.searchsorted(scores[mine][order], own, side="left")]
        included: NDArray[np.bool_] = below < (weights.sum() + 1) * level - _ROUNDING
        return included
