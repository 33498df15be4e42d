"""The logistic loss of two classes."""

from typing import Any

import numpy as np
from scipy.special import expit

from skmtl.losses._base import Array, Loss


class LogisticLoss(Loss):
    r"""The logistic loss :math:`\log(1 + \exp(-y z))` for labels y in {-1, +1}.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.losses import LogisticLoss
    >>> z, y = np.array([0.0, 2.0]), np.array([1.0, -1.0])
    >>> LogisticLoss().value(y, z).round(4)  # log(2) and log(1 + exp(2))
    array([0.6931, 2.1269])
    """

    curvature_bound = 0.25
    recedes = True
    signed = True
    link = "logit"

    def value(self, y: Array, z: Array) -> Array:
        margin = y * z
        values: Array = np.log1p(np.exp(-np.abs(margin))) + np.maximum(-margin, 0)
        return values

    def gradient(self, y: Array, z: Array) -> Array:
        # NumPy's exp is several times faster than expit.
        with np.errstate(over="ignore"):
            gradient: Array = -y / (1 + np.exp(y * z))
            return gradient

    def curvature(self, y: Array, z: Array) -> Array:
        term = np.exp(-np.abs(z))
        curvature: Array = term / np.square(1 + term)
        return curvature

    def conjugate(self, y: Array, u: Array) -> Array:
        p = -y * u
        # Clipping makes both terms 0 at the ends of [0, 1]; NumPy's log is faster than xlogy.
        precision = np.finfo(p.dtype)
        own = np.log(np.maximum(p, precision.tiny))
        other = np.log1p(-np.minimum(p, 1 - precision.epsneg))
        entropy = p * own + (1 - p) * other
        return np.where((p >= 0) & (p <= 1), entropy, np.inf)

    def nearest_dual(self, y: Array, u: Array) -> Array:
        return np.asarray(-y * np.clip(-y * u, 0.0, 1.0))

    def inverse_link(self, z: Array) -> Array:
        mean: Array = expit(z)
        return mean

    def as_response(self, y: Array) -> Array:
        return (y + 1) / 2

    def lacks_minimiser(self, label: Array) -> Array:
        return ~np.isnan(label)

    def constant_intercept(self, label: float, n_labels: int) -> float:
        return float(np.sign(label) * np.log(2 * n_labels + 1))

    def to_cvxpy(self, y: Array, z: Any) -> Any:
        import cvxpy as cp

        return cp.logistic(-cp.multiply(y, z))
