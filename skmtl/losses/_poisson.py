"""The Poisson deviance of counts."""

from typing import Any

import numpy as np
from scipy.special import xlogy

from skmtl.losses._base import Array
from skmtl.losses._log_link import (
    LogLinkLoss,
    is_short,
    log_labels,
    second_order,
    short_second_order,
)


class PoissonLoss(LogLinkLoss):
    r"""Half the Poisson deviance :math:`e^z - y z + y \log y - y` for counts y >= 0.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.losses import PoissonLoss
    >>> z, y = np.array([0.0, 0.0]), np.array([1.0, 0.0])
    >>> PoissonLoss().value(y, z)
    array([0., 1.])
    """

    def value(self, y: Array, z: Array) -> Array:
        # Near the minimiser z = log(y), large terms would cancel.
        shift = z - log_labels(y)
        with np.errstate(over="ignore", invalid="ignore"):
            far = np.exp(z) - y * (shift + 1)
            return np.where(is_short(shift), y * short_second_order(shift), far)

    def gradient(self, y: Array, z: Array) -> Array:
        with np.errstate(over="ignore"):
            return np.exp(z) - y

    def curvature(self, y: Array, z: Array) -> Array:
        with np.errstate(over="ignore"):
            return np.exp(z)

    def divergence_bound(self, y: Array, z: Array, step: Array) -> Array:
        # The exact divergence.
        with np.errstate(over="ignore", invalid="ignore"):
            return np.exp(z) * second_order(step)

    def conjugate(self, y: Array, u: Array) -> Array:
        mean = y + u
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            # The loss at the z with slope u is y second_order(shift).
            shift = np.log1p(u / y)
            near = u * log_labels(y) + mean * short_second_order(-shift)
            far = xlogy(mean, mean) - mean - xlogy(y, y) + y
        return np.where(mean >= 0, np.where(is_short(shift), near, far), np.inf)

    def to_cvxpy(self, y: Array, z: Any) -> Any:
        import cvxpy as cp

        return cp.exp(z) - cp.multiply(y, z) + (xlogy(y, y) - y)
