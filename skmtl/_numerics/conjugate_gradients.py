"""Preconditioned conjugate gradients, alone and with the residual recomputed."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
_Map = Callable[[Array], Array]

_MAX_ITERATIONS = 500
_EXACT = 1e-15
# Stop after this many iterations without a smaller residual, since rounding error limits it.
_PATIENCE = 20
_REFINEMENTS = 3


def solve_iteratively(
    apply: _Map,
    G: Array,
    precondition: _Map,
    enough: float = 0.0,
    patience: int = _PATIENCE,
) -> tuple[Array, float]:
    """Solve apply(W) = G as exactly as rounding error allows; return W and the residual's norm.

    Parameters
    ----------
    apply, precondition : callables
        Positive semidefinite operators on arrays of the shape of G.
    G : ndarray
        In the range of the operator.
    enough : float
        A norm of the residual that is small enough.
    patience : int
        Iterations without a smaller residual after which rounding error is taken to limit it: few
        if ``precondition`` is a direct solution.
    """
    best, size = np.zeros_like(G), float(np.linalg.norm(G))
    left, least = G, size
    for _ in range(_REFINEMENTS):
        W = best + conjugate_gradients(apply, left, precondition, enough, patience)
        # Recompute the residual, since the one updated by conjugate gradients drifts.
        left = G - apply(W)
        norm = float(np.linalg.norm(left))
        if not norm < least:
            break
        best, least = W, norm
        if norm <= max(_EXACT * size, enough):
            break
    return best, least


def conjugate_gradients(
    apply: _Map,
    G: Array,
    precondition: _Map,
    enough: float,
    patience: int = _MAX_ITERATIONS,
) -> Array:
    """Preconditioned conjugate gradients from zero; return the iterate of least residual.

    The parameters are those of :func:`solve_iteratively`.
    """
    W, left = np.zeros_like(G), G.copy()
    solved = precondition(left)
    direction, slope = solved, float(np.vdot(left, solved))
    best, least, waited = W, np.inf, 0
    enough = max(_EXACT * float(np.linalg.norm(G)), enough)
    for _ in range(_MAX_ITERATIONS):
        image = apply(direction)
        curvature = float(np.vdot(direction, image))
        if slope <= 0 or curvature <= 0:
            break
        size = slope / curvature
        W = W + size * direction
        left = left - size * image
        norm = float(np.linalg.norm(left))
        best, waited = (W, 0) if norm < least else (best, waited + 1)
        least = min(norm, least)
        if norm <= enough or waited >= patience:
            break
        solved = precondition(left)
        before, slope = slope, float(np.vdot(left, solved))
        direction = solved + slope / before * direction
    return best
