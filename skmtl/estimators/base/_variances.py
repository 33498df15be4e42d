"""The spread of a fit's tasks, and the variance of the noise, from its training data."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from skmtl.design import TaskData
from skmtl.estimators.base._one_task import Frame
from skmtl.estimators.base._prior import Prior
from skmtl.losses import Loss

Array = NDArray[Any]

# Bounds the prior's width for the intercept where the labels have no noise.
_LEAST_NOISE = 1e-8


@dataclass(frozen=True, eq=False)
class Variances:
    r"""What a new task needs to know of the tasks of the fit, in the units of the fit.

    Attributes
    ----------
    weight : float
        The weight in the objective of a label of average weight.
    unit : float
        What sample weights are multiplied by, so that they average 1 over the labels of the fit.
    centre : ndarray of shape (n_features,)
        The mean of the features; zero without intercepts.
    intercept, intercept_variance : float
        Mean and variance of the tasks' intercepts at the centre.
    noise : float
        The variance of a label of average weight given its predictor; NaN unless it is constant
        (with the Huber loss, twice the mean loss).
    spread : float
        The variance of the tasks' coefficients around the prior's mean, as a multiple of the
        covariance that the penalty implies; NaN unless the noise is known.
    scales : tuple of float
        The mean and the variance of the logarithms of the labels' scales.
    """

    weight: float
    unit: float
    centre: Array
    intercept: float
    intercept_variance: float
    noise: float
    spread: float
    scales: tuple[float, float]

    def frame(self, prior: Prior, pull: float | None, weight: float | None = None) -> Frame:
        """The coordinates of a task whose labels have this weight in the objective.

        Parameters
        ----------
        prior : Prior
        pull : float or None
            The number of labels for which the mean intercept counts; 0: as many as the spread of
            the intercepts suggests. None: no intercept.
        weight : float, optional
        """
        if pull is None:
            return Frame(prior, self.centre, 0.0, None)
        weight = self.weight if weight is None else weight
        if pull > 0:
            root = float(1 / np.sqrt(weight * self.unit * pull))
            return Frame(prior, self.centre, self.intercept, root)
        noise = self.noise if np.isfinite(self.noise) else 1.0
        noise = max(noise, _LEAST_NOISE * self.intercept_variance)
        ratio = self.intercept_variance / noise if noise > 0 else 0.0
        return Frame(prior, self.centre, self.intercept, float(np.sqrt(ratio / weight)))

    def coordinates(self, frame: Frame, n_coordinates: int, weight: float) -> Array:
        """The variances (p,) of the true coordinates of a task."""
        spread = np.full(n_coordinates, self.spread)
        if frame.root is not None:
            square = frame.root**2
            spread[-1] = self.intercept_variance / square if square > 0 else 0.0
        return spread

    def scale(self, labels: Array, weights: Array) -> float:
        """The scale of a new task's labels: between its own and the tasks' geometric mean.

        The logarithm of a standard deviation of n labels has a variance of about 1 / (2n - 2), of
        the scales of different tasks that in ``scales``.
        """
        mean, variance = self.scales
        n = int((weights > 0).sum())
        if n < 2 or variance == 0:
            return float(np.exp(mean))
        centred = labels - np.average(labels, weights=weights)
        own = float(np.average(centred**2, weights=weights)) * n / (n - 1)
        if own == 0:
            return float(np.exp(mean))
        error = 1 / (2 * n - 2)
        share = variance / (variance + error)
        return float(np.exp(share * np.log(own) / 2 + (1 - share) * mean))


def label_weights(data: TaskData, factors: Array | None) -> tuple[Array, float]:
    """The objective's weight (n_tasks,) of each task's labels of average weight, and ``unit``."""
    n_labels, total = float(data.label_counts.sum()), float(data.weights.sum())
    c = np.ones(data.n_tasks) if factors is None else factors
    return c * data.n_tasks / n_labels, n_labels / total


def centre_of(data: TaskData, factors: Array | None) -> Array:
    """The mean of the features over all labels, weighted as in the objective."""
    c = np.ones(data.n_tasks) if factors is None else factors
    weights = data.weights * data.spread(c)
    rows = weights if weights.ndim == 1 else weights.sum(axis=1)
    return np.asarray(data.X.T @ rows / rows.sum(), dtype=np.float64)


def estimate(
    data: TaskData,
    coef: Array,
    intercept: Array,
    prior_of: Callable[[int], Prior] | None,
    loss: Loss,
    factors: Array | None,
    *,
    fit_intercept: bool,
) -> Variances:
    """The variances from coefficients (n_tasks, n_features) and intercepts of the same data.

    Parameters
    ----------
    data : TaskData
        Of the tasks in the objective.
    coef, intercept : ndarrays
        In the units of the data.
    prior_of : callable or None
        The prior of each task of the fit; None: the noise remains unknown.
    loss : Loss
    factors : ndarray of shape (n_tasks,) or None
        Of ``task_weight``.
    fit_intercept : bool
    """
    each, unit = label_weights(data, factors)
    weight = float(each @ data.totals / data.totals.sum())
    noise = spread = np.nan
    if prior_of is not None:
        noise, spread = _moments(data, coef, intercept, prior_of, each, unit, fit_intercept)
    centre = np.zeros(coef.shape[1])
    mean = variance = 0.0
    if fit_intercept:
        centre = centre_of(data, factors)
        at_centre = intercept + coef @ centre
        mean = float(at_centre.mean())
        variance = _intercept_variance(at_centre, data, noise, unit)
    if prior_of is None and loss.is_near_squares:
        # Only for the prior of the intercept.
        noise = _mean_loss(data, coef, intercept, loss)
    logs = np.zeros(1) if data.scales is None else np.log(data.scales)
    scales = float(logs.mean()), float(logs.var(ddof=1)) if len(logs) > 1 else 0.0
    return Variances(weight, unit, centre, mean, variance, noise, spread, scales)


def _intercept_variance(at_centre: Array, data: TaskData, noise: float, unit: float) -> float:
    """The variance of a new task's intercept around the mean of the tasks' intercepts.

    With a single task it is that of the noise, so that the mean counts as one label.
    """
    n_tasks, known = len(at_centre), bool(np.isfinite(noise))
    if n_tasks < 2:
        return noise if known else 1.0
    variance = float(at_centre.var(ddof=1))
    if known:
        variance = max(variance - noise * float(np.mean(1 / (unit * data.totals))), 0.0)
    return variance * (1 + 1 / n_tasks)


def _mean_loss(data: TaskData, coef: Array, intercept: Array, loss: Loss) -> float:
    total = 0.0
    for t in range(data.n_tasks):
        X, y, weights = data.labels_of(t)
        total += float(weights @ loss.value(y, np.asarray(X @ coef[t]) + intercept[t]))
    return 2 * total / float(data.weights.sum())


def _moments(
    data: TaskData,
    coef: Array,
    intercept: Array,
    prior_of: Callable[[int], Prior],
    each: Array,
    unit: float,
    fit_intercept: bool,
) -> tuple[float, float]:
    r"""The variance of the noise and the spread, from two moments.

    The fit of a task with prior precision 1 in whitened coordinates shrinks each eigenvector of its
    weighted Gram matrix, of eigenvalue :math:`\lambda`, by :math:`h = \lambda / (1 + \lambda)`. If
    the noise has variance :math:`\sigma^2`, the true coordinates have variance :math:`\tau^2`, and
    labels have the weight k in the objective, then the expected sum of squared residuals is
    :math:`\sigma^2 (n - \sum (2 h - h^2)) + \tau^2 \sum h (1 - h) / k`, and that of squared
    coordinates is :math:`\sigma^2 k \sum h (1 - h) + \tau^2 \sum h^2`. Both are summed over the
    tasks, and the two equations are solved.
    """
    system, moments, degrees = np.zeros((2, 2)), np.zeros(2), 0.0
    for t in range(data.n_tasks):
        X, y, weights = data.labels_of(t)
        weights, prior = unit * weights, prior_of(t)
        residual = y - np.asarray(X @ coef[t], dtype=np.float64) - intercept[t]
        shrunk = _shrinkage(prior.whitened(X), each[t] * weights, fit_intercept)
        kept, partly = float((shrunk**2).sum()), float((shrunk * (1 - shrunk)).sum())
        n = int(data.label_counts[t]) - fit_intercept
        system[0] += n - 2 * shrunk.sum() + kept, partly / each[t]
        moments[0] += float(weights @ residual**2)
        degrees += n - float(shrunk.sum())
        if prior.n_averaged > 1:
            # The distance from the mean of the other tasks, as a new task is from that of all.
            others = 1.0 if np.isinf(prior.n_averaged) else 1 - 1 / prior.n_averaged
            system[1] += each[t] * partly, kept
            moments[1] += prior.distance(coef[t]) / others**2
    if moments[0] <= 0 or degrees <= 0:
        return 0.0, 0.0
    if system[1, 1] <= 0 or moments[1] <= 0:
        noise = moments[0] / degrees
        return float(noise), float(noise * each.mean())
    # In units in which both unknowns are of order one.
    units = moments[0] / degrees * np.array([1.0, each.mean()])
    rows = 1 / moments
    found, _ = nnls(system * units * rows[:, None], np.ones(2))
    return float(found[0] * units[0]), float(found[1] * units[1])


def _shrinkage(Z: Array, weights: Array, centred: bool) -> Array:
    """The factors h of a whitened design (n, p)."""
    if centred:
        Z = Z - weights @ Z / weights.sum()
    Z = Z * np.sqrt(weights)[:, None]
    gram = Z.T @ Z if Z.shape[1] <= len(Z) else Z @ Z.T
    values = np.maximum(np.linalg.eigvalsh(gram), 0.0)
    return np.asarray(values / (1 + values))
