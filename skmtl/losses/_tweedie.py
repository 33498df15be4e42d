"""Deviances with a log link whose variance grows faster than the mean."""

from typing import Any

import numpy as np
from scipy.special import xlogy

from skmtl.losses._base import Array
from skmtl.losses._log_link import LogLinkLoss, log_labels, second_order

_MAX_STEPS = 100


class GammaLoss(LogLinkLoss):
    r"""Half the gamma deviance :math:`y e^{-z} + z - \log y - 1` for labels y > 0.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.losses import GammaLoss
    >>> z, y = np.array([0.0, 0.0]), np.array([1.0, 2.0])
    >>> GammaLoss().value(y, z).round(4)  # 2 - log(2) - 1
    array([0.    , 0.3069])
    """

    label_rule = "labels > 0"
    label_remedy = (
        "Drop these labels, or use loss='tweedie' with tweedie_power < 2, which takes zeros."
    )

    def refuses(self, labels: Array) -> Array:
        return labels <= 0

    def value(self, y: Array, z: Array) -> Array:
        shift = z - log_labels(y)
        with np.errstate(over="ignore"):
            values: Array = np.expm1(-shift) + shift
            return values

    def gradient(self, y: Array, z: Array) -> Array:
        with np.errstate(over="ignore"):
            return 1 - y * np.exp(-z)

    def curvature(self, y: Array, z: Array) -> Array:
        with np.errstate(over="ignore"):
            return y * np.exp(-z)

    def divergence_bound(self, y: Array, z: Array, step: Array) -> Array:
        # The exact divergence.
        with np.errstate(over="ignore", invalid="ignore"):
            return y * np.exp(-z) * second_order(-step)

    def conjugate(self, y: Array, u: Array) -> Array:
        rest = 1 - u
        with np.errstate(invalid="ignore"):
            value = xlogy(rest, rest) + u * (log_labels(y) + 1)
        return np.where(rest >= 0, value, np.inf)

    def to_cvxpy(self, y: Array, z: Any) -> Any:
        import cvxpy as cp

        return cp.multiply(y, cp.exp(-z)) + z - (np.log(y) + 1)


class TweedieLoss(LogLinkLoss):
    r"""Half the Tweedie deviance with a log link, for labels y >= 0.

    The variance is a power of the mean. With p the power, the loss is

    .. math:: \frac{y}{p-1} e^{(1-p) z} + \frac{1}{2-p} e^{(2-p) z}
              - \frac{y^{2-p}}{(p-1)(2-p)} .

    The limits are :class:`PoissonLoss` (p = 1) and
    :class:`GammaLoss` (p = 2).

    Parameters
    ----------
    power : float, default=1.5
        Between 1 and 2, both excluded.

    References
    ----------
    B. Jørgensen, "Exponential dispersion models", J. R. Stat. Soc. B 49(2), 1987,
    https://doi.org/10.1111/j.2517-6161.1987.tb01685.x

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.losses import TweedieLoss
    >>> z, y = np.array([0.0, 0.0]), np.array([1.0, 0.0])
    >>> TweedieLoss(power=1.5).value(y, z)
    array([0., 2.])
    """

    def __init__(self, power: float = 1.5) -> None:
        self.power = power

    @property
    def _exponents(self) -> tuple[float, float]:
        """p - 1 and 2 - p as Python floats, whose sum is 1."""
        power = float(self.power)
        return power - 1, 2 - power

    def value(self, y: Array, z: Array) -> Array:
        a, b = self._exponents
        # With the shift from the minimiser log(y), the constant cancels exactly.
        shift, positive = z - log_labels(y), y > 0
        with np.errstate(over="ignore", invalid="ignore"):
            both = y**b * (np.expm1(-a * shift) / a + np.expm1(b * shift) / b)
            values: Array = np.where(positive, both, np.exp(b * z) / b)
            return values

    def gradient(self, y: Array, z: Array) -> Array:
        a, b = self._exponents
        with np.errstate(over="ignore"):
            converted: Array = np.exp(b * z) - self._falling(y, z)
        return converted

    def curvature(self, y: Array, z: Array) -> Array:
        a, b = self._exponents
        with np.errstate(over="ignore"):
            return b * np.exp(b * z) + a * self._falling(y, z)

    def divergence_bound(self, y: Array, z: Array, step: Array) -> Array:
        # The exact divergence.
        a, b = self._exponents
        with np.errstate(over="ignore", invalid="ignore"):
            down = np.where(y > 0, self._falling(y, z) * second_order(-a * step) / a, 0.0)
            return np.asarray(down + np.exp(b * z) * second_order(b * step) / b)

    def _falling(self, y: Array, z: Array) -> Array:
        """y e^(-az), 0 for y = 0 also where the exponential overflows."""
        with np.errstate(over="ignore", invalid="ignore"):
            return np.where(y > 0, y * np.exp(-self._exponents[0] * z), 0.0)

    def conjugate(self, y: Array, u: Array) -> Array:
        _, b = self._exponents
        labels, slopes = np.broadcast_arrays(y.astype(np.float64), u.astype(np.float64))
        positive = labels > 0
        with np.errstate(invalid="ignore", divide="ignore"):
            values = np.where(slopes >= 0, (xlogy(slopes, slopes) - slopes) / b, np.inf)
        own, slope = labels[positive], slopes[positive]
        z = self._point_of_slope(own, slope)
        values[positive] = slope * z - self.value(own, z)
        return values.astype(u.dtype)

    def _point_of_slope(self, y: Array, u: Array) -> Array:
        """The z at which the gradient is u, for y > 0.

        The two sides of gradient(z) = u are positive sums of exponentials once the negative terms
        have changed sides. The difference of their logarithms is convex with slopes between two
        non-zero numbers of the same sign, so that Newton steps from z = log(y) are monotone.
        """
        a, b = self._exponents
        log_y, rising = np.log(y), u > 0
        with np.errstate(divide="ignore"):
            size = np.log(np.abs(u))
        z = log_y.copy()
        for _ in range(_MAX_STEPS):
            up, down = b * z, log_y - a * z
            # u > 0: log(u + y e^(-az)) - bz = 0; else log(-u + e^(bz)) + az - log(y) = 0.
            joined = np.logaddexp(size, np.where(rising, down, up))
            excess = joined - np.where(rising, up, down)
            share = np.exp(np.where(rising, down, up) - joined)
            step = excess / np.where(rising, -a * share - b, b * share + a)
            z = z - step
            if (np.abs(step) <= 1e-14 * (1 + np.abs(z))).all():
                break
        return z

    def to_cvxpy(self, y: Array, z: Any) -> Any:
        import cvxpy as cp

        a, b = self._exponents
        return cp.multiply(y / a, cp.exp(-a * z)) + cp.exp(b * z) / b - y**b / (a * b)
