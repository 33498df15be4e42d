"""The quantile loss, which has no gradient, and its smooth envelope, which solvers use instead."""

from typing import Any

import numpy as np

from skmtl.losses._base import Array, Loss

# In Newton steps, the curvature beyond the envelope's quadratic part as a share of that within.
_LEAST_CURVATURE = 1e-4


class QuantileLoss(Loss):
    r"""The quantile (pinball) loss :math:`\max(q (y - z), (q - 1)(y - z))`.

    Its minimiser over constant predictors is a q-quantile of the labels. It has a kink at y = z,
    and a prox instead of a gradient: ``gradient`` is a subgradient. The conjugate is u y on
    [-q, 1 - q].

    Parameters
    ----------
    quantile : float, default=0.5
        q, between 0 and 1, both excluded.

    References
    ----------
    R. Koenker and G. Bassett, "Regression quantiles", Econometrica 46(1), 1978,
    https://doi.org/10.2307/1913643

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.losses import QuantileLoss
    >>> z, y = np.array([0.0, 2.0]), np.array([1.0, 1.0])
    >>> QuantileLoss(0.9).value(y, z)
    array([0.9, 0.1])
    """

    has_gradient = False
    has_prox = True
    link = "identity"
    translates = True

    def __init__(self, quantile: float = 0.5) -> None:
        self.quantile = quantile

    @property
    def slopes(self) -> tuple[float, float]:
        q = float(self.quantile)
        return -q, 1 - q

    def value(self, y: Array, z: Array) -> Array:
        low, high = self.slopes
        return np.asarray(np.maximum(low * (z - y), high * (z - y)))

    def gradient(self, y: Array, z: Array) -> Array:
        """A subgradient: 0 at the kink."""
        low, high = self.slopes
        slope = np.where(z > y, high, np.where(z < y, low, 0.0))
        return slope.astype(np.result_type(y, z), copy=False)

    def curvature(self, y: Array, z: Array) -> Array:
        return np.zeros(np.broadcast(y, z).shape, dtype=np.result_type(y, z))

    def prox(self, y: Array, z: Array, step: float) -> Array:
        low, high = self.slopes
        return np.asarray(z - step * np.clip((z - y) / step, low, high))

    def smoothed(self, width: float) -> Loss:
        return SmoothQuantileLoss(self.quantile, width)

    def smooth_offset(self, multipliers: Array, width: float) -> Array:
        return width * multipliers

    def best_shift(self, residuals: Array, weights: Array) -> float:
        order = np.argsort(residuals, kind="stable")
        total = np.cumsum(weights[order])
        # Weights that reach the quantile up to rounding error have reached it.
        wanted = self.quantile * total[-1] * (1 - 1e-14)
        return float(residuals[order[np.searchsorted(total, wanted)]])

    def dual_scale(self, u: Array) -> float:
        return scale_into(u, *self.slopes)

    def conjugate(self, y: Array, u: Array) -> Array:
        low, high = self.slopes
        return np.where((u >= low) & (u <= high), u * y, np.inf)

    def held_out_loss(self, y: Array, z: Array) -> Array:
        return self.value(y, z)

    def inverse_link(self, z: Array) -> Array:
        return z

    def to_cvxpy(self, y: Array, z: Any) -> Any:
        import cvxpy as cp

        low, high = self.slopes
        return cp.maximum(low * (z - y), high * (z - y))


class SmoothQuantileLoss(Loss):
    r"""The Moreau envelope of the quantile loss: quadratic near the kink.

    .. math:: \min_v \, \mathrm{quantile}(y, v) + (v - z)^2 / (2 \, \mathrm{width})

    Its derivative is (z - y) / width, clipped to the slopes of the quantile loss. With an offset of
    width times a multiplier for each label, its minimisation is a step of the method of
    multipliers.

    Parameters
    ----------
    quantile : float
    width : float
        The length of the interval around y in which the envelope is quadratic.
    """

    link = "identity"
    translates = True

    def __init__(self, quantile: float, width: float) -> None:
        self.quantile, self.width = quantile, width

    @property
    def curvature_bound(self) -> float:
        return 1 / self.width

    @property
    def slopes(self) -> tuple[float, float]:
        q = float(self.quantile)
        return -q, 1 - q

    def value(self, y: Array, z: Array) -> Array:
        u, away = self.gradient(y, z), z - y
        values: Array = u * (away - self.width / 2 * u)
        return values

    def gradient(self, y: Array, z: Array) -> Array:
        gradient: Array = np.clip((z - y) / self.width, *self.slopes)
        return gradient

    def curvature(self, y: Array, z: Array) -> Array:
        low, high = self.slopes
        away = (z - y) / self.width
        return np.where((away >= low) & (away <= high), 1 / self.width, 0.0).astype(away.dtype)

    def newton_weight(self, y: Array, z: Array) -> Array:
        # A little curvature for the labels that have none, so that Hessians are not singular.
        weight = np.maximum(self.curvature(y, z), _LEAST_CURVATURE / self.width)
        return np.asarray(weight, dtype=np.result_type(y, z))

    def dual_scale(self, u: Array) -> float:
        return scale_into(u, *self.slopes)

    def conjugate(self, y: Array, u: Array) -> Array:
        low, high = self.slopes
        return np.where((u >= low) & (u <= high), u * (y + self.width / 2 * u), np.inf)

    def inverse_link(self, z: Array) -> Array:
        return z

    def to_cvxpy(self, y: Array, z: Any) -> Any:
        import cvxpy as cp

        # A Huber loss around another centre, tilted so that its slopes become those of this loss.
        tilt = 0.5 - self.quantile
        away = z - y - tilt * self.width
        tilted = cp.huber(away, self.width / 2) / (2 * self.width) + tilt * away
        return tilted + tilt**2 * self.width / 2


def scale_into(u: Array, low: float, high: float) -> float:
    """The largest factor up to 1 that scales u into [low, high]."""
    excess = max(u.max(initial=0.0) / high, u.min(initial=0.0) / low)
    return 1.0 if excess <= 1 else float((1 - 1e-15) / excess)
