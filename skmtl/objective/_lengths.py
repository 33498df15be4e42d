"""Newton steps in the lengths of the non-zero rows of W.

A norm of rows is linear in their lengths, so that only the loss determines these, and sweeps over
single rows settle them last. Until then the slopes exceed the thresholds by amounts to which the
duality gap is proportional, although the objective differs from its minimum only by their squares.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from skmtl.solvers import Thresholds

Array = NDArray[Any]

# Sweeps between two steps: one extrapolation of the sweeps.
_ROUND = 30
# A step in the lengths of m rows takes about m^3 / 3 multiplications, which run several times as
# fast as those of sweeps. It costs less than a round if m^2 is at most this many times the
# multiplications of a sweep for one row.
_WORTHWHILE = 500
# Relative curvature added, so that collinear rows leave the system positive definite.
_RIDGE = 1e-12


def minimise_in_rounds(
    sweep: Callable[[int], tuple[int, float]],
    fit_lengths: Callable[[], None],
    tol: float,
    max_sweeps: int,
) -> int:
    """Alternate rounds of sweeps with steps in the rows' lengths; return the number of sweeps.

    Parameters
    ----------
    sweep : callable
        Sweeps at most the given number of times; returns the number and the duality gap.
    fit_lengths : callable
        Minimises over the lengths of the non-zero rows.
    tol : float
        The duality gap at which to stop.
    max_sweeps : int
    """
    n_sweeps = 0
    while True:
        swept, gap = sweep(min(_ROUND, max_sweeps - n_sweeps))
        n_sweeps += swept
        # Without a sweep the gap is small, or not a number after an overflow.
        if gap <= tol or swept == 0 or n_sweeps >= max_sweeps:
            return n_sweeps
        fit_lengths()


def length_step(
    W: Array,
    H: Array,
    penalty: Thresholds,
    row_gram: Callable[[Array, Array], Array],
    products: float,
) -> tuple[Array, Array] | None:
    """The step in W along its non-zero rows that minimises a quadratic model.

    Parameters
    ----------
    W, H : ndarrays of shape (s, n_tasks)
        The rows, and minus the gradient of the loss in them.
    penalty : Thresholds
    row_gram : callable
        Takes m rows and their directions (m, n_tasks); returns the loss's Hessian (m, m) in the
        lengths of these rows.
    products : float
        The multiplications of a sweep for one row. No step is made if it would cost more.

    Returns
    -------
    rows, step : ndarrays of shape (m,) and (m, n_tasks), or None if there is no step
    """
    rows = np.flatnonzero(W.any(axis=1))
    if not 0 < len(rows) ** 2 <= _WORTHWHILE * products:
        return None
    w = W[rows]
    lengths = np.sqrt(np.einsum("jt,jt->j", w, w))
    directions = w / lengths[:, None]
    ridge = directions**2 @ penalty.ridges
    _, entry, group, _ = penalty.strengths(len(W))
    strength = group[rows] + entry[rows] * np.abs(directions).sum(axis=1)
    slope = np.einsum("jt,jt->j", H[rows], directions) - ridge * lengths - strength
    hessian = row_gram(rows, directions)
    diagonal = np.einsum("jj->j", hessian)
    diagonal += ridge + _RIDGE * diagonal.max()
    try:
        factor = cho_factor(hessian, lower=True, check_finite=False)
    except LinAlgError:
        return None
    newton = cho_solve(factor, slope, check_finite=False)
    change = np.maximum(newton, -lengths)
    if (change != newton).any() and change @ (hessian @ change) > 2 * slope @ change:
        # The nearest point without negative lengths is no improvement; part of the step is.
        shrinking = newton < 0
        change = newton * (lengths[shrinking] / -newton[shrinking]).min()
    step: Array = change[:, None] * directions
    return (rows, step) if np.isfinite(step).all() else None
