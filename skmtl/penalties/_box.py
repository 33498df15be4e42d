r"""The weights of the spectral box norms, computed exactly, without bisection.

For K singular values (zeros included), bounds :math:`0 \le a \le b` and the total c,

.. math:: \lVert W \rVert_{box}^2 = \min_\theta \sum_i \sigma_i^2 / \theta_i ,
          \qquad a \le \theta_i \le b , \quad \sum_i \theta_i = c .

The minimiser is :math:`\theta_i = clip(\mu \sigma_i, a, b)`; in the prox of
:math:`\tfrac{\lambda}{2} \lVert \cdot \rVert_{box}^2` it is
:math:`clip(\mu \sigma_i - \lambda, a, b)`. In both cases the sum is piecewise linear in
:math:`\mu`, and its root is found by passing over the breakpoints.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl._numerics import kernels

Array = NDArray[Any]

_EPS = np.finfo(np.float64).eps
# A weight at this relative distance from its bounds is at the bound.
_INSIDE = 1e-12


def box_weights(sigma: Array, lam: float, a: float, b: float, c: float) -> Array:
    """The weights theta (K,) for singular values ``sigma`` (K,), zeros included.

    Parameters
    ----------
    sigma : ndarray of shape (K,), non-negative
    lam : float
        Strength times step in a prox, 0 for the value.
    a, b, c : float
        K a <= c <= K b; b may be infinite.
    """
    # Singular values at the level of rounding error are zeros: their weights are arbitrary.
    positive = sigma > len(sigma) * _EPS * sigma.max(initial=0.0)
    n_positive = int(np.count_nonzero(positive))
    n_zero = len(sigma) - n_positive
    if n_positive == 0 or n_positive * b + n_zero * a <= c:
        # All positive ones have the weight b; the zeros share the rest of the total.
        theta = np.full(len(sigma), b)
        theta[~positive] = (c - (n_positive * b if n_positive else 0.0)) / max(n_zero, 1)
        return theta
    theta = np.full(len(sigma), a)
    theta[positive] = _positive_weights(sigma[positive], lam, a, b, c - a * n_zero)
    return theta


def _positive_weights(values: Array, lam: float, a: float, b: float, c: float) -> Array:
    """clip(mu values - lam, a, b) for positive values, where mu makes the sum equal to c."""
    if a + lam == 0 and np.isinf(b):
        return np.asarray(values * (c / values.sum()))
    mu = kernels.box_multiplier(np.sort(values), lam, a, b, c)
    return np.clip(mu * values - lam, a, b)


def box_value(sigma: Array, a: float, b: float, c: float) -> float:
    """The squared box norm for singular values ``sigma`` (K,)."""
    theta = box_weights(sigma, 0.0, a, b, c)
    # Only singular values that are treated as zero can have the weight zero.
    weighted = theta > 0
    return float((sigma[weighted] ** 2 / theta[weighted]).sum())


def box_in_features(
    W: Array, n_values: int, bounds: tuple[float, float, float]
) -> tuple[Array, Array, float]:
    """The weights of the norm of ``n_values`` singular values as a matrix between features.

    Parameters
    ----------
    W : ndarray of shape (n_features, n_columns)
    n_values : int
        How many singular values the norm has, zeros included.
    bounds : tuple (a, b, c)

    Returns
    -------
    theta : ndarray of shape (r,)
    directions : ndarray of shape (n_features, r), orthonormal
    rest : float
        The weight of all features' directions orthogonal to these.
    """
    a, b, c = bounds
    directions, sigma, _ = np.linalg.svd(W, full_matrices=False)
    directions, sigma = directions[:, :n_values], sigma[:n_values]
    # Between more features than the norm has values, the others have the least weight.
    size = max(len(W), n_values)
    theta = box_weights(padded(sigma, size), 0.0, a, b, c + a * (size - n_values))
    return theta[: len(sigma)], directions, float(theta[-1])


def box_support(sigma: Array, a: float, b: float, c: float) -> float:
    """max over theta of sum theta_i sigma_i^2, as in the conjugate."""
    squares = np.sort(sigma**2)[::-1]
    value, rest = a * squares.sum(), c - a * len(sigma)
    if np.isinf(b):
        return float(value + rest * squares[:1].sum())
    if b > a:
        shares = np.clip(rest - (b - a) * np.arange(len(sigma)), 0.0, b - a)
        value += shares @ squares
    return float(value)


def padded(sigma: Array, size: int) -> Array:
    """The ``size`` largest singular values, padded with zeros if there are fewer."""
    values = np.zeros(size)
    values[: len(sigma)] = sigma[:size]
    return values


def box_shrinkage(
    size: int, lam: float, bounds: tuple[float, float, float]
) -> Callable[[Array], Array]:
    """The function from singular values to the shrinkage factors of a squared box norm's prox.

    The norm is a function of ``size`` singular values.
    """

    def shrink(sigma: Array) -> Array:
        theta = np.ones_like(sigma)
        theta[:size] = box_weights(padded(sigma, size), lam, *bounds)[: len(sigma)]
        return theta / (theta + lam)

    return shrink


def box_slopes(
    sigma: Array, size: int, lam: float, bounds: tuple[float, float, float]
) -> tuple[Array, Array]:
    r"""The singular values of a squared box norm's prox, and their derivative.

    With :math:`\theta_i = \mu \sigma_i - \lambda` between its bounds the prox is
    :math:`\sigma_i - \lambda / \mu`, where :math:`\mu` moves with all such values. At a bound it
    is proportional to :math:`\sigma_i`.

    Parameters
    ----------
    sigma : ndarray of shape (K,), descending
    size : int
        The number of singular values of which the norm is a function; further ones are kept.
    lam : float
    bounds : tuple (a, b, c)

    Returns
    -------
    values : ndarray of shape (K,)
    jacobian : ndarray of shape (K, K)
    """
    a, b, c = bounds
    theta = np.ones_like(sigma)
    theta[:size] = box_weights(padded(sigma, size), lam, *bounds)[: len(sigma)]
    factors = theta / (theta + lam)
    factors[size:] = 1.0
    jacobian = np.diag(factors)
    positive = sigma[:size] > size * _EPS * sigma.max(initial=0.0)
    n_positive = int(np.count_nonzero(positive))
    free = np.zeros(len(sigma), dtype=bool)
    if n_positive * b + (size - n_positive) * a > c:
        inside = theta[:size] > a + _INSIDE * (1 + a)
        inside &= theta[:size] < b - _INSIDE * (1 + b) if np.isfinite(b) else True
        free[:size] = inside & positive
    if free.any():
        total = sigma[free].sum()
        mu = (theta[free] + lam).sum() / total
        jacobian[np.ix_(free, free)] = np.eye(int(free.sum())) - lam / (mu * total)
    return factors * sigma, jacobian


def check_clusters(n_clusters: int, n_tasks: int) -> None:
    """Raise if there are more clusters than tasks."""
    if n_clusters > n_tasks:
        raise ValueError(
            f"The 'n_clusters' parameter must be at most the number of tasks, {n_tasks}. Got "
            f"{n_clusters} instead."
        )
