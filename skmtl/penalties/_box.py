r"""The weights of the spectral box norms, exactly and without bisection.

For K singular values, zeros included, and bounds :math:`0 \le a \le b`, total c,

.. math:: \lVert W \rVert_{box}^2 = \min_\theta \sum_i \sigma_i^2 / \theta_i ,
          \qquad a \le \theta_i \le b , \quad \sum_i \theta_i = c .

The minimiser is :math:`\theta_i = clip(\mu \sigma_i, a, b)`; in the prox of
:math:`\tfrac{\lambda}{2} \lVert \cdot \rVert_{box}^2` it is
:math:`clip(\mu \sigma_i - \lambda, a, b)`. In both the sum is piecewise linear in :math:`\mu`, so
that sorting its breakpoints finds the root.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def box_weights(sigma: Array, lam: float, a: float, b: float, c: float) -> Array:
    """The weights theta (K,) for singular values ``sigma`` (K,), zeros included.

    Parameters
    ----------
    sigma : ndarray of shape (K,), not negative
    lam : float
        Strength times step in a prox, 0 for the value.
    a, b, c : float
        K a <= c <= K b; b may be infinite.
    """
    size = len(sigma)
    theta = np.full(size, a)
    positive = sigma > 0
    reach = positive.sum() * b + (size - positive.sum()) * a if positive.any() else size * a
    if reach <= c:
        # Even all of b on what is not zero leaves a rest, which only the zeros can take.
        theta[positive] = b
        zeros = size - positive.sum()
        if zeros:
            theta[~positive] = (c - theta[positive].sum()) / zeros
        return theta
    values = sigma[positive]
    theta[positive] = np.clip(
        _root(values, lam, a, b, c - a * (size - len(values))) * values - lam, a, b
    )
    return theta


def _root(values: Array, lam: float, a: float, b: float, c: float) -> float:
    """The mu at which sum clip(mu values - lam, a, b) = c; values positive."""
    enter, leave = (a + lam) / values, (b + lam) / values
    leaves = np.isfinite(leave)
    points = np.concatenate([enter, leave[leaves]])
    slopes = np.concatenate([values, -values[leaves]])
    order = np.argsort(points, kind="stable")
    points, slopes = points[order], np.cumsum(slopes[order])
    sums = len(values) * a + np.concatenate([[0.0], np.cumsum(slopes[:-1] * np.diff(points))])
    k = max(int(np.searchsorted(sums, c, side="right")) - 1, 0)
    # Past the last breakpoint, and where entries leave together, the slope is rounding noise.
    if slopes[k] <= 1e-14 * values.max():
        return float(points[k])
    return float(points[k] + (c - sums[k]) / slopes[k])


def box_value(sigma: Array, a: float, b: float, c: float) -> float:
    """The squared box norm for singular values ``sigma`` (K,)."""
    theta = box_weights(sigma, 0.0, a, b, c)
    positive = sigma > 0
    return float((sigma[positive] ** 2 / theta[positive]).sum())


def box_support(sigma: Array, a: float, b: float, c: float) -> float:
    """max over theta of sum theta_i sigma_i^2: what the conjugate needs."""
    squares = np.sort(sigma**2)[::-1]
    value, rest = a * squares.sum(), c - a * len(sigma)
    if np.isinf(b):
        return float(value + rest * squares[:1].sum())
    if b > a:
        shares = np.clip(rest - (b - a) * np.arange(len(sigma)), 0.0, b - a)
        value += shares @ squares
    return float(value)
