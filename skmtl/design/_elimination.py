"""Newton steps in coefficients and intercepts, with the intercepts eliminated first."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl._numerics import Coupling, solve_shifted
from skmtl.design._base import Design

Array = NDArray[Any]


def newton_direction(
    design: Design, H: Array, grams: Array, ridges: Array | Coupling, gradient: tuple[Array, Array]
) -> tuple[Array, Array]:
    """The Newton direction in (W, b).

    Parameters
    ----------
    design : Design
    H : ndarray, labels' shape
        Weight times curvature for each label.
    grams : ndarray
        ``design.centred_gram(H)``, the Hessians after elimination.
    ridges : ndarray of shape (n_columns,) or (n_columns, n_columns), or Coupling
        Ridges to add to the diagonals, or the Hessian of a quadratic between columns.
    gradient : pair of ndarrays
        The gradient in W and in b.
    """
    G, g = gradient
    if not design.n_intercepts:
        return -solve_shifted(grams, ridges, G), g
    totals = design.gather(H)
    filled = totals > 0
    b = np.divide(g, totals, out=np.zeros_like(g), where=filled)
    W = -solve_shifted(grams, ridges, G - design.adjoint(H * design.spread(b)))
    b = g + design.gather(H * design.forward(W))
    return W, -np.divide(b, totals, out=np.zeros_like(g), where=filled)
