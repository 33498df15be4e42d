"""Newton steps in coefficients and intercepts, with the intercepts eliminated first."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl._numerics import linalg, solve_coupled
from skmtl.design._base import Design

Array = NDArray[Any]


def newton_direction(
    design: Design, H: Array, grams: Array, ridges: Array, gradient: tuple[Array, Array]
) -> tuple[Array, Array]:
    """The Newton direction in (W, b).

    Parameters
    ----------
    design : Design
    H : ndarray, labels' shape
        Weight times curvature for each label.
    grams : ndarray
        ``design.centred_gram(H)``, the Hessians after elimination.
    ridges : ndarray of shape (n_columns,) or (n_columns, n_columns)
        Ridges to add to the diagonals, or the Hessian of a quadratic between columns.
    gradient : pair of ndarrays
        The gradient in W and in b.
    """
    G, g = gradient
    solve = linalg.solve_semidefinite if ridges.ndim == 1 else solve_coupled
    if not design.n_intercepts:
        return -solve(grams, ridges, G), g
    totals = design.gather(H)
    filled = totals > 0
    b = np.divide(g, totals, out=np.zeros_like(g), where=filled)
    W = -solve(grams, ridges, G - design.adjoint(H * design.spread(b)))
    b = g + design.gather(H * design.forward(W))
    return W, -np.divide(b, totals, out=np.zeros_like(g), where=filled)
