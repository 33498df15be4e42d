"""The gate: which tasks take a mix, by its gain on held-out labels."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.losses import Loss
from skmtl.model_selection._safe_weights import HeldOutLabels, simplex_weights

Array = NDArray[Any]

# How many degrees of freedom the mean variance of all tasks counts for in the variance of each.
_PRIOR_FREEDOM = 40
# What the tasks have in common does not outweigh a task's own loss of more standard errors.
_OWN_LOSS = 0.5
_N_SPREADS = 40
_TINY = np.finfo(np.float64).tiny


@dataclass(frozen=True)
class Gains:
    """By how much a mix lowers the loss of each task's held-out labels, relative to its own fit.

    Attributes
    ----------
    gains, errors : arrays of shape (n_tasks,)
        As fractions of the own fit's loss, and their standard errors. Zero if a task has fewer than
        two held-out labels or its own fit has no loss.
    counts : array of shape (n_tasks,)
        The numbers of held-out labels.
    """

    gains: Array
    errors: Array
    counts: Array

    def passes(self, gate: float) -> Array:
        """The tasks (n_tasks,) that take the mix, by their own gain or by that of all tasks."""
        alone = (self.gains > gate * self.errors) & (self.gains > 0)
        mean, deviation, moderated = self._posterior()
        together = (mean > gate * deviation) & (mean > 0)
        return alone | (together & (self.gains > -_OWN_LOSS * moderated))

    def _posterior(self) -> tuple[Array, Array, Array]:
        """Mean and standard deviation of each task's gain given all, and moderated errors.

        The gains have a normal distribution over tasks, whose mean and spread have flat priors. The
        mean is integrated out in closed form, the spread on a grid. Each task's variance is
        averaged with the mean variance, because from few labels it is small by chance where the
        gain is, and such tasks would dominate.
        """
        used = (self.counts > 1) & (self.errors > 0)
        mean, deviation, moderated = np.zeros(len(used)), np.zeros(len(used)), self.errors.copy()
        if used.sum() < 2:
            return mean, deviation, moderated
        gains, squares = self.gains[used], self.errors[used] ** 2
        prior = _PRIOR_FREEDOM / (_PRIOR_FREEDOM + self.counts[used] - 1)
        variances = (1 - prior) * squares + prior * squares.mean()
        moderated[used] = np.sqrt(variances)
        largest = 2 * max(float(np.abs(gains).max()), float(np.sqrt(variances.max())))
        smallest = min(float(np.sqrt(variances.min())) / 10, largest / 10)
        spreads = np.concatenate([[0.0], np.geomspace(smallest, largest, _N_SPREADS)])
        mean[used], deviation[used] = _normal_posterior(gains, variances, spreads)
        return mean, deviation, moderated


def _normal_posterior(gains: Array, variances: Array, spreads: Array) -> tuple[Array, Array]:
    """Posterior means and standard deviations of normal effects.

    Parameters
    ----------
    gains, variances : arrays of shape (n_tasks,)
        The estimates and their variances.
    spreads : array of shape (n_spreads,), ascending
        The grid for the standard deviation of the effects.
    """
    totals = variances + spreads[:, None] ** 2
    certainty = (1 / totals).sum(axis=1)
    centre = ((gains / totals).sum(axis=1) / certainty)[:, None]
    logs = np.log(totals).sum(axis=1) + np.log(certainty)
    logs = -(logs + ((gains - centre) ** 2 / totals).sum(axis=1)) / 2
    density = np.exp(logs - logs.max()) * np.gradient(spreads)
    density /= density.sum()
    trust = spreads[:, None] ** 2 / totals
    means = centre + trust * (gains - centre)
    squares = trust * variances + (1 - trust) ** 2 / certainty[:, None] + means**2
    mean = density @ means
    return mean, np.sqrt(np.maximum(density @ squares - mean**2, 0.0))


def cross_fitted_gains(
    labels: HeldOutLabels, loss: Loss, fit: Callable[[HeldOutLabels, Loss], Array] = simplex_weights
) -> Gains:
    """The gains of mixes whose weights are computed without the fold of the label.

    Parameters
    ----------
    labels : HeldOutLabels
    loss : Loss
        Elementwise.
    fit : callable, default=simplex_weights
        Returns the weights (n_tasks, n_experts) for some of the labels.
    """
    own = loss.value(labels.y, labels.Z[:, 0])
    gains = np.zeros(len(labels.y))
    for fold in np.unique(labels.folds):
        held_out = labels.folds == fold
        weights, part = fit(labels.take(~held_out), loss), labels.take(held_out)
        gains[held_out] = own[held_out] - loss.value(part.y, part.mixed(weights))
    totals = np.maximum(labels.per_task(labels.weights), _TINY)
    means = labels.per_task(labels.weights * gains) / totals
    squares = labels.per_task((labels.weights * (gains - means[labels.tasks])) ** 2)
    counts = labels.per_task(np.ones(len(labels.y)))
    scale = labels.per_task(labels.weights * own) / totals
    usable = (counts > 1) & (scale > 0)
    scale = np.where(usable, scale, 1.0)
    errors = np.sqrt(counts / np.maximum(counts - 1, 1) * squares) / totals
    return Gains(usable * means / scale, usable * errors / scale, counts)


def shared_alone(labels: HeldOutLabels, loss: Loss) -> Array:
    """All weight on the second expert."""
    weights = np.zeros((labels.n_tasks, labels.Z.shape[1]))
    weights[:, 1] = 1.0
    return weights
