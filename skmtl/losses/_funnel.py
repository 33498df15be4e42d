"""The loss of a funnel: stages that each row passes one after the other."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from skmtl.losses._base import Loss

Array = NDArray[Any]


class FunnelLoss(Loss):
    r"""Minus the log-likelihood of reaching each stage, :math:`q_k = \prod_{j \le k} \sigma(z_j)`.

    The columns of y (-1, +1) and z are the stages. The column k of the values holds
    :math:`-\log q_k` if the row has reached stage k, and :math:`-\log(1 - q_k)` otherwise. The loss
    is not convex in z.
    """

    couples_tasks = True
    signed = True

    def value(self, y: Array, z: Array) -> Array:
        reached, missed = log_reached(z)
        return -np.where(y > 0, reached, missed)

    def derivatives(self, y: Array, z: Array, weights: Array) -> tuple[Array, Array]:
        r"""The gradient of the weighted sum of the values, and a positive curvature.

        A label of a stage k contributes to the gradient in each :math:`z_j`, :math:`j \le k`,

        .. math:: (1 - \sigma(z_j)) (q_k - y_k) / (1 - q_k) ,

        for labels 0 and 1. The curvature of :math:`-\log q_k` is exact; that of
        :math:`-\log(1 - q_k)` is the part :math:`(\partial q / \partial z)^2 / (q (1 - q))`, which
        is not negative.
        """
        reached, missed = log_reached(z)
        odds = np.exp(reached - missed)
        positive = y > 0
        # (q - y) / (1 - q) is -1 if the stage is reached, otherwise the odds of reaching it.
        slopes = weights * np.where(positive, -1.0, odds)
        rest = expit(-z)
        gradient: Array = rest * _from_here_on(slopes)
        passed = _from_here_on(np.where(positive, weights, 0.0)) * (1 - rest) * rest
        failed = _from_here_on(np.where(positive, 0.0, weights * odds)) * rest**2
        return gradient, passed + failed

    def majorant(self, y: Array, z: Array, weights: Array) -> tuple[Array, Array]:
        """The gradient, and the curvature of an upper bound.

        Whether a row that has not reached a stage would have passed each step on the way is not
        observed: the bound of the EM algorithm is a sum of logistic losses, whose curvature is at
        most 1/4.
        """
        gradient, _ = self.derivatives(y, z, weights)
        return gradient, _from_here_on(weights) / 4

    def inverse_link(self, z: Array) -> Array:
        """The probability of reaching each stage."""
        reached: Array = np.exp(log_reached(z)[0])
        return reached

    def as_response(self, y: Array) -> Array:
        return (y + 1) / 2

    def lacks_minimiser(self, label: Array) -> Array:
        return ~np.isnan(label)

    def constant_intercept(self, label: float, n_labels: int) -> float:
        return float(np.sign(label) * np.log(2 * n_labels + 1))


def log_reached(z: Array) -> tuple[Array, Array]:
    """The logarithms of the probabilities of reaching each stage and of not reaching it."""
    reached = np.cumsum(-np.logaddexp(0.0, -z), axis=-1)
    # log(1 - exp(x)), by the formula that is exact for the size of x; q = 1 gives a large number.
    small = np.minimum(reached, -np.finfo(reached.dtype).tiny)
    with np.errstate(divide="ignore"):
        near, far = np.log(-np.expm1(small)), np.log1p(-np.exp(small))
    return reached, np.where(small > -np.log(2), near, far)


def _from_here_on(values: Array) -> Array:
    """Sums over each stage and all later ones."""
    sums: Array = np.flip(np.cumsum(np.flip(values, axis=-1), axis=-1), axis=-1)
    return sums
