"""The distribution from which the variances of several groups come, by Smyth's empirical Bayes."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, polygamma

Array = NDArray[np.float64]


def log_moments(variances: Array, degrees: Array | float) -> tuple[float, float]:
    """The mean of the logarithms of true variances, and their variance beyond that by chance.

    Parameters
    ----------
    variances : array of shape (n_groups,)
        Sample variances, positive.
    degrees : array of shape (n_groups,) or float
        Their degrees of freedom.

    References
    ----------
    G. K. Smyth, "Linear models and empirical Bayes methods for assessing differential expression in
    microarray experiments", Statistical Applications in Genetics and Molecular Biology 3(1), 2004,
    https://doi.org/10.2202/1544-6115.1027
    """
    half = np.asarray(degrees) / 2
    logs = np.log(variances) - digamma(half) + np.log(half)
    if len(logs) < 2:
        return float(logs.mean()), 0.0
    return float(logs.mean()), float(logs.var(ddof=1) - polygamma(1, half).mean())


def inverse_chi_squared(mean: float, excess: float) -> tuple[float, float]:
    """The degrees of freedom and the scale of the distribution with these moments, excess > 0."""
    half = inverse_trigamma(excess)
    return 2 * half, float(np.exp(mean + digamma(half) - np.log(half)))


def inverse_trigamma(value: float) -> float:
    """Solve trigamma(x) = value by Newton's method on 1 / trigamma, which is nearly linear."""
    x = 0.5 + 1 / value
    for _ in range(50):
        trigamma = float(polygamma(1, x))
        step = trigamma * (1 - trigamma / value) / float(polygamma(2, x))
        x += step
        if abs(step) <= 1e-10 * x:
            break
    return x
