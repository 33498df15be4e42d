"""Dual norms without a closed form: the strength at which every row's prox vanishes."""

from collections.abc import Callable

import numpy as np

from skmtl.penalties._base import Array, Penalty

# The width of the final bracket, relative to the root.
_WIDTH = 1e-13


class RowRootNorm(Penalty):
    """A sum of norms of rows, with a dual norm that is found as a root.

    Hooks: ``_excess`` and ``_bounds``.
    """

    separates_over_rows = True

    def _excess(self, G: Array, nu: float) -> Array:
        """A decreasing function of nu (n_rows,), at most 0 if the prox with step nu is zero."""
        raise NotImplementedError

    def _bounds(self, G: Array) -> tuple[Array, Array]:
        """Lower and upper bounds of each row's dual norm (n_rows,)."""
        raise NotImplementedError

    def dual_norm(self, G: Array) -> float:
        scale = float(np.abs(G).max(initial=0.0))
        if scale == 0.0 or not np.isfinite(scale):
            return scale
        scaled = np.ascontiguousarray(np.asarray(G, dtype=np.float64) / scale)
        return scale * largest_root(self._excess, scaled, *self._bounds(scaled))

    def conjugate(self, G: Array) -> float:
        # To compare the root with 1, one evaluation at 1 suffices.
        excess = self._excess(np.array(G, dtype=np.float64, order="C"), 1.0)
        return 0.0 if (excess <= 0.0).all() else np.inf

    def dual_scale(self, G: Array) -> float:
        nu = self.dual_norm(G)
        # With a margin larger than the error of the root.
        return min(1.0, (1.0 - 2 * _WIDTH) / nu) if nu > 0.0 else 1.0


def largest_root(
    excess: Callable[[Array, float], Array], G: Array, lower: Array, upper: Array
) -> float:
    """The smallest nu at which the excess is at most 0 for every row, rounded up.

    Parameters
    ----------
    excess : callable
        Takes rows of G and nu; returns a number per row, decreasing in nu.
    G : ndarray of shape (n_rows, n_tasks)
    lower, upper : ndarray of shape (n_rows,)
        Bounds of each row's root.

    Returns
    -------
    float
        The upper end of a bracket of relative width 1e-13.
    """
    high = float(upper.max(initial=0.0))
    # Equal bounds may differ by rounding error.
    low = min(float(lower.max(initial=0.0)), high)
    if high == 0.0:
        return 0.0
    G = G[upper >= low]
    values = excess(G, low)
    above, below = float(values.max()), min(float(excess(G, high).max()), 0.0)
    if above <= 0.0:
        return low
    last, n_steps = 0, 0
    while high - low > _WIDTH * high:
        # Drop rows whose root is below the lower end.
        if (values <= 0).any():
            G, values = G[values > 0], values[values > 0]
        n_steps += 1
        # Secant steps, and bisection in every third, which bounds the number of steps.
        share = 0.5 if n_steps % 3 == 0 else above / (above - below)
        inside = _WIDTH / 4 * high
        nu = min(max(low + share * (high - low), low + inside), high - inside)
        tried = excess(G, nu)
        largest = float(tried.max())
        side = 1 if largest > 0.0 else -1
        if side > 0:
            low, above, values = nu, largest, tried
        else:
            high, below = nu, largest
        # Halve the value at an end that stays (Illinois), or secants approach from one side only.
        if side == last and side > 0:
            below /= 2
        elif side == last:
            above /= 2
        last = side
    return high
