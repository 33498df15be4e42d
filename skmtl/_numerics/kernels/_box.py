"""The multiplier of the weights of a spectral box norm."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl._numerics.kernels._compile import kernel

Array = NDArray[Any]


@kernel
def box_multiplier(values: Array, lam: float, a: float, b: float, c: float) -> float:
    """The mu at which sum_i clip(mu values_i - lam, a, b) is c; values are positive and ascending.

    The sum is piecewise linear in mu. Between two breakpoints it is computed from the values
    strictly inside the box: an accumulated slope would lose small values to rounding next to large
    ones. ``a + lam`` must be positive, or ``b`` finite.
    """
    n = len(values)
    below = np.zeros(n + 1)
    for k in range(n):
        below[k + 1] = below[k] + values[k]
    # Between the breakpoints low and high the first values are at a, and those from last on at b.
    low, high = 0.0, np.inf
    first = n if a + lam > 0.0 else 0
    last = n
    while first > 0 or (last > 0 and np.isfinite(b)):
        leave = (a + lam) / values[first - 1] if first > 0 else np.inf
        reach = (b + lam) / values[last - 1] if last > 0 else np.inf
        mu = min(leave, reach)
        total = a * first + mu * (below[last] - below[first]) - lam * (last - first)
        if last < n:
            total += b * (n - last)
        if total > c:
            high = mu
            break
        low = mu
        if leave <= reach:
            first -= 1
        else:
            last -= 1
    if last == first:
        return low
    rest = c - a * first + lam * (last - first)
    if last < n:
        rest -= b * (n - last)
    return float(min(max(rest / (below[last] - below[first]), low), high))
