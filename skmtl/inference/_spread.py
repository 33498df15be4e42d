"""The spread of each task's errors, shrunk towards that of all tasks."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import polygamma

from skmtl._variance_prior import inverse_chi_squared, log_moments

Array = NDArray[np.float64]

# Degrees of freedom beyond which a prior counts as certain, and below which it is not used.
_CERTAIN, _LOOSE = 1e6, 1e-3


def shrunk_spreads(errors: Array, codes: NDArray[np.intp], n_tasks: int) -> tuple[Array, float]:
    """Standard deviations (n_tasks,) of errors around 0, and that of a task without errors.

    The variances of the tasks have a scaled inverse chi-squared distribution, whose two parameters
    are those that give the mean and the variance of the logarithms of the tasks' mean squares
    (Smyth 2004). Each task's variance is its posterior mean, up to a factor that is close to 1.

    Parameters
    ----------
    errors : array of shape (n_labels,)
    codes : int array of shape (n_labels,)
        The task of each.
    n_tasks : int

    References
    ----------
    G. K. Smyth, "Linear models and empirical Bayes methods for assessing differential expression in
    microarray experiments", Statistical Applications in Genetics and Molecular Biology 3(1), 2004,
    https://doi.org/10.2202/1544-6115.1027
    """
    counts = np.bincount(codes, minlength=n_tasks).astype(np.float64)
    sums = np.bincount(codes, errors**2, minlength=n_tasks)
    overall = sums.sum() / max(counts.sum(), 1.0)
    if overall == 0:
        return np.ones(n_tasks), 1.0
    # A task without errors by chance would have the logarithm minus infinity.
    seen = counts > 0
    squares = np.maximum(sums[seen] / counts[seen], 1e-8 * overall)
    degrees, typical = _prior(squares, counts[seen])
    variances = (degrees * typical + sums) / (degrees + counts)
    return np.sqrt(variances), float(np.sqrt(typical))


def _prior(squares: Array, counts: Array) -> tuple[float, float]:
    """The degrees of freedom and the scale of the distribution of the tasks' variances."""
    mean, excess = log_moments(squares, counts)
    if excess <= polygamma(1, _CERTAIN / 2):
        return _CERTAIN, float(np.average(squares, weights=counts))
    if excess >= polygamma(1, _LOOSE / 2):
        return _LOOSE, float(np.exp(mean))
    return inverse_chi_squared(mean, excess)
