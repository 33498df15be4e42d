"""Propensities: the probability of reaching a stage, which corrects the conditional fits."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from skmtl.design import TaskData
from skmtl.estimators import Fit, linear_predictor
from skmtl.funnel._labels import separated
from skmtl.losses import log_reached

Array = NDArray[Any]


def _predictors(data: TaskData, fit: Fit) -> Array:
    """The linear predictors of all stages, in double precision."""
    Z = linear_predictor(data.X, None, fit.coef, fit.intercept, data.offset)
    return np.asarray(Z, dtype=np.float64)


def propensities(data: TaskData, separate: Fit, least: float) -> Array:
    """The probability of reaching the stage before each one; 1 for the first."""
    Z = _predictors(data, separate)
    q = np.exp(log_reached(Z)[0])
    return np.asarray(np.maximum(np.column_stack([np.ones(len(q)), q[:, :-1]]), least))


def inverse_weights(data: TaskData, propensities: Array, totals: Array) -> Array:
    """Weights of the rows that have reached the stage before, with given sums (n_stages,)."""
    weights = separated(data).weights / propensities
    sums = weights.sum(axis=0)
    weights *= np.divide(totals, sums, out=np.zeros_like(sums), where=sums > 0)
    return np.asarray(weights)


def corrected_labels(data: TaskData, separate: Fit, propensities: Array) -> tuple[Array, Array]:
    """The labels of all rows and their weights for the doubly robust loss."""
    rows = data.weights[:, :1]
    Z = _predictors(data, separate)
    imputed = expit(Z)
    # If labels are missing, the observed ones stand for those of all rows.
    ratios = inverse_weights(data, propensities, np.full(data.n_tasks, rows.sum()))
    ratios = np.divide(ratios, rows, out=np.zeros_like(ratios), where=rows > 0)
    labels = imputed + ratios * ((data.y + 1) / 2 - imputed)
    weights = np.repeat(rows, data.n_tasks, axis=1)
    # The first stage is observed in every row.
    labels[:, 0], weights[:, 0] = (data.y[:, 0] + 1) / 2, data.weights[:, 0]
    return labels, weights
