"""Dual norms without a closed form: the strength at which every row's prox vanishes."""

from collections.abc import Callable

import numpy as np

from skmtl.penalties._base import Array, Penalty

# The bracket that is left, relative to the root.
_WIDTH = 1e-13


class RowRootNorm(Penalty):
    """A norm, row by row, whose dual norm is a root.

    Hooks: ``_excess`` and ``_bounds``.
    """

    separates_over_rows = True

    def _excess(self, G: Array, nu: float) -> Array:
        """Decreasing in nu, (n_rows,): at most 0 where the prox with step nu makes a row zero."""
        raise NotImplementedError

    def _bounds(self, G: Array) -> tuple[Array, Array]:
        """Bounds of each row's dual norm (n_rows,), from below and from above."""
        raise NotImplementedError

    def dual_norm(self, G: Array) -> float:
        scale = float(np.abs(G).max(initial=0.0))
        if scale == 0.0 or not np.isfinite(scale):
            return scale
        scaled = np.ascontiguousarray(np.asarray(G, dtype=np.float64) / scale)
        return scale * largest_root(self._excess, scaled, *self._bounds(scaled))

    def conjugate(self, G: Array) -> float:
        # Whether the root is below 1 takes no root.
        excess = self._excess(np.array(G, dtype=np.float64, order="C"), 1.0)
        return 0.0 if (excess <= 0.0).all() else np.inf

    def dual_scale(self, G: Array) -> float:
        nu = self.dual_norm(G)
        # Inside by more than the root's own error.
        return min(1.0, (1.0 - 2 * _WIDTH) / nu) if nu > 0.0 else 1.0


def largest_root(
    excess: Callable[[Array, float], Array], G: Array, lower: Array, upper: Array
) -> float:
    """The smallest nu at which excess is at most 0 for every row, from above.

    Parameters
    ----------
    excess : callable
        (rows of G, nu) to a number per row, decreasing in nu.
    G : ndarray of shape (n_rows, n_tasks)
    lower, upper : ndarray of shape (n_rows,)
        Bounds of each row's root.

    Returns
    -------
    float
        The upper end of a bracket that is 1e-13 wide, relative to the root.
    """
    high = float(upper.max(initial=0.0))
    # The bounds may be equal, and rounded apart.
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
        # Rows that have vanished at the lower end have their root below it.
        if (values <= 0).any():
            G, values = G[values > 0], values[values > 0]
        n_steps += 1
        # The secant, and every third time the middle: never many more steps than halving takes.
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
        # An end that stays counts half: the secant would approach from one side alone (Illinois).
        if side == last and side > 0:
            below /= 2
        elif side == last:
            above /= 2
        last = side
    return high
