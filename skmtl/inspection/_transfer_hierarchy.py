"""A hierarchical model of the tasks' gains: what each task learns from the gains of the others.

The mean gain g_t of a task is g_t = theta_t + e_t, with a true gain theta_t ~ N(mu, tau^2) and an
error e_t ~ N(0, v_t). Given tau the posterior is normal; tau is integrated out on a grid.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from skmtl._variance_prior import inverse_chi_squared, log_moments

Array = NDArray[Any]

# The interval between these quantiles covers 95%.
_TAILS = (0.025, 0.975)
_N_SPREADS = 41
# The prior of the spread vanishes at 0 with this power. The variances v_t are often too large, so
# that the likelihood has its maximum at 0 although the tasks differ, and all gains would be pulled
# to their mean, with intervals that are too short.
_POWER = 2
# Squared errors have heavy tails, so that the variance of a task's gains over folds is about as
# uncertain as one with 2 degrees of freedom.
_VARIANCE_DF = 2.0
_N_DRAWS = 2000


@dataclass(frozen=True)
class Estimate:
    """A posterior mean and 95% interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class GainModel:
    """The posterior of the tasks' true gains.

    Attributes
    ----------
    mean, spread, share_helped : Estimate
        Of the true gains of the tasks: their mean, their standard deviation, and the proportion
        that is positive. These intervals assume a normal distribution of the true gains and errors
        of known variance: with many tasks that form groups, they are too short.
    p_common : float
        The p-value of Cochran's test of the hypothesis that all tasks have the same gain.
    gain, low, high, probability : ndarrays of shape (n_tasks,)
        The mean and the 95% interval of each task's true gain, and the probability that it is
        positive. NaN for tasks that were left out.
    """

    mean: Estimate
    spread: Estimate
    share_helped: Estimate
    p_common: float
    gain: Array
    low: Array
    high: Array
    probability: Array


def fit_gains(gain: Array, variance: Array, common: float = 0.0) -> GainModel:
    """Fit the model.

    Parameters
    ----------
    gain, variance : ndarrays of shape (n_tasks,)
        Mean gains, and the variances of their errors; NaN for tasks to leave out.
    common : float, default=0.0
        The variance of an error that all gains share.
    """
    used = np.isfinite(gain) & np.isfinite(variance)
    posterior = _posterior(gain[used], variance[used], common) if used.any() else None
    if posterior is None:
        return _without_error(np.where(used, gain, np.nan))
    columns = [np.full(len(gain), np.nan) for _ in range(4)]
    for column, values in zip(columns, posterior.by_task(), strict=True):
        column[used] = values
    p_common = cochran(gain[used], variance[used])
    return GainModel(*posterior.of_all(), p_common, *columns)


def _without_error(gain: Array) -> GainModel:
    """The model of gains that are the same in all test sets, as those of equal models are."""
    known = gain[np.isfinite(gain)]
    values = (known.mean(), known.std(), (known > 0).mean()) if len(known) else 3 * (np.nan,)
    mean, spread, share = (Estimate(float(v), float(v), float(v)) for v in values)
    return GainModel(mean, spread, share, np.nan, gain, gain, gain, (1 + np.sign(gain)) / 2)


def moderate(variances: Array) -> Array:
    """Shrink sample variances towards a common one, by Smyth's empirical Bayes method.

    Parameters
    ----------
    variances : ndarray of shape (n_tasks,)
    """
    if len(variances) < 3 or not variances.any():
        return np.full(len(variances), variances.mean() if len(variances) else 0.0)
    d = _VARIANCE_DF
    mean, excess = log_moments(np.maximum(variances, 1e-12 * variances.mean()), d)
    if excess <= 0:
        return np.full(len(variances), variances.mean())
    prior_df, prior = inverse_chi_squared(mean, excess)
    return np.asarray((prior_df * prior + d * variances) / (prior_df + d))


def cochran(gain: Array, variance: Array) -> float:
    """The p-value of the hypothesis that all true gains are equal."""
    if len(gain) < 2 or not (variance > 0).all():
        return np.nan
    weights = 1 / variance
    deviations = gain - np.average(gain, weights=weights)
    return float(stats.chi2.sf((weights * deviations**2).sum(), len(gain) - 1))


@dataclass(frozen=True, eq=False)
class _Posterior:
    """A mixture of normal posteriors, one for each point of the grid.

    Attributes
    ----------
    weights : ndarray of shape (n_points,)
    centre, centre_variance : ndarrays of shape (n_points,)
        The posterior of mu.
    pull : ndarray of shape (n_points, n_tasks)
        The weight of mu in the conditional mean of a true gain; that of the task is 1 - pull.
    variance : ndarray of shape (n_points, n_tasks)
        The variance of the true gains, given mu.
    gain : ndarray of shape (n_tasks,)
    common : float
    """

    weights: Array
    centre: Array
    centre_variance: Array
    pull: Array
    variance: Array
    gain: Array
    common: float

    def by_task(self) -> tuple[Array, Array, Array, Array]:
        """Mean, ends of the interval, and probability of a positive gain (n_tasks,)."""
        means = self.pull * self.centre[:, None] + (1 - self.pull) * self.gain
        variance = self.variance + self.pull**2 * self.centre_variance[:, None] + self.common
        errors = np.sqrt(variance)
        positive = self.weights @ special.ndtr(means / errors)
        ends = [self._quantile(tail, means, errors) for tail in _TAILS]
        return self.weights @ means, ends[0], ends[1], positive

    def _quantile(self, level: float, means: Array, errors: Array) -> Array:
        """A quantile (n_tasks,) of the mixtures, by bisection."""
        low, high = (means - 8 * errors).min(axis=0), (means + 8 * errors).max(axis=0)
        for _ in range(40):
            middle = (low + high) / 2
            below = self.weights @ special.ndtr((middle - means) / errors) < level
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return np.asarray((low + high) / 2)

    def of_all(self) -> tuple[Estimate, Estimate, Estimate]:
        """Mean, spread and positive share of the true gains, from draws with a fixed seed."""
        rng = np.random.default_rng(0)
        points = rng.choice(len(self.weights), _N_DRAWS, p=self.weights)
        errors = np.sqrt(self.centre_variance[points])
        centre = self.centre[points] + errors * rng.standard_normal(_N_DRAWS)
        shift = np.sqrt(self.common) * rng.standard_normal(_N_DRAWS)
        drawn = np.zeros((3, _N_DRAWS))
        for k, point in enumerate(points):  # one by one, since there may be many tasks
            mean = self.pull[point] * centre[k] + (1 - self.pull[point]) * self.gain + shift[k]
            noise = rng.standard_normal(len(self.gain))
            true = mean + np.sqrt(self.variance[point]) * noise
            drawn[:, k] = true.mean(), true.std(), (true > 0).mean()
        return tuple(Estimate(float(v.mean()), *np.quantile(v, _TAILS).tolist()) for v in drawn)  # type: ignore[return-value]


def _posterior(gain: Array, variance: Array, common: float) -> _Posterior | None:
    """The posterior on a grid of spreads; None if there is no error."""
    scale = np.sqrt(variance.mean())
    if scale == 0:
        return None
    # Tasks without any variation would have infinite weight.
    variance = np.maximum(variance, 1e-6 * variance.mean())
    steps = (np.arange(_N_SPREADS) + 0.5) / _N_SPREADS
    spread = 3 * max(scale, float(gain.std())) * steps**1.5
    ratio = spread / scale
    prior = np.gradient(spread) * ratio**_POWER / (1 + ratio**2) ** (_POWER / 2 + 1)
    precision = 1 / (spread[:, None] ** 2 + variance)
    total = precision.sum(axis=1)
    centre = precision @ gain / total
    squares = (precision * (gain - centre[:, None]) ** 2).sum(axis=1)
    fit = (np.log(precision).sum(axis=1) - squares - np.log(total)) / 2
    weights = np.exp(fit - fit.max()) * prior
    weights /= weights.sum()
    kept = weights > 1e-7
    pull = (variance * precision)[kept]
    return _Posterior(
        weights=weights[kept] / weights[kept].sum(),
        centre=centre[kept],
        centre_variance=1 / total[kept],
        pull=pull,
        variance=(1 - pull) * variance,
        gain=gain,
        common=common,
    )
