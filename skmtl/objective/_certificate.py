r"""A lower bound of an objective's minimum, from any point: weak duality.

For u with :math:`B'(\omega u) = 0` and :math:`G = -A'(\omega u)` (see :mod:`skmtl.objective`),

.. math:: D(u) = -\sum_i \omega_i \, \ell^*(y_i, u_i) - (q + \Omega)^*(G) \le \min P .

u starts as the loss gradient at the point, is moved until it vanishes along every direction that
no penalty holds (intercepts, an unpenalised mean task, free features, tasks without any penalty),
and is scaled into the domain of the penalty's conjugate.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.penalties import Penalty, Quadratic

Array = NDArray[Any]


@dataclass(frozen=True)
class Dual:
    """A lower bound of the minimum, and what it was found at.

    Attributes
    ----------
    value : float
        -inf where no dual point was found.
    slopes : ndarray of shape (n_features, n_tasks) or None
        G at a point feasible for the penalty, None where the penalty is no norm.
    """

    value: float
    slopes: Array | None = None


def best_dual(
    penalty: Penalty | None,
    quadratic: Quadratic | None,
    W: Array,
    G: Array,
    loss: Callable[[float], float],
) -> Dual:
    """The best bound at multiples of a dual point.

    Parameters
    ----------
    penalty, quadratic : parts of the penalty, one of them at least
    W : ndarray
        The primal point.
    G : ndarray
        The dual point's slopes.
    loss : callable
        The loss's part of D at a multiple of the dual point.
    """
    if penalty is None or quadratic is None:
        only = quadratic if penalty is None else penalty
        assert only is not None
        scale = only.dual_scale(G)
        if scale != 1.0:
            G = scale * G
        if only.is_norm:  # whose conjugate is zero within its dual ball
            return Dual(loss(scale), G)
        return Dual(loss(scale) - only.conjugate(G))
    free = penalty.free_rows
    if free is not None:
        if quadratic.couples_tasks or not quadratic.task_curvature(G.shape[1]).all():
            return Dual(-np.inf)
        W = _at_free_slopes(penalty, quadratic, W, G)
    if penalty.leaves_mean_free:
        W = _at_balanced_slopes(quadratic, W, G)
    # The quadratic as smooth data: its own gradient is part of the dual point.
    with_gradient = G - quadratic.gradient(W)
    if free is not None:
        # Without the rounding.
        with_gradient[free] = np.minimum(G[free], 0) if penalty.is_positive else 0.0
    scale = penalty.dual_scale(with_gradient)
    with_gradient *= scale
    bound = loss(scale) - scale**2 * quadratic.value(W)
    if not penalty.is_norm:
        bound -= penalty.conjugate(with_gradient)
    other = loss(1.0) - envelope(penalty, quadratic, G)
    if other > bound:
        return Dual(other, G if penalty.is_norm else None)
    return Dual(bound, with_gradient if penalty.is_norm else None)


def _at_free_slopes(penalty: Penalty, quadratic: Quadratic, W: Array, G: Array) -> Array:
    """W with the free rows at which the ridge takes up all of their slopes G."""
    ridges, W = quadratic.task_curvature(G.shape[1]), W.copy()
    slopes = G[penalty.free_rows]
    W[penalty.free_rows] = (np.maximum(slopes, 0) if penalty.is_positive else slopes) / ridges
    return W


def _at_balanced_slopes(quadratic: Quadratic, W: Array, G: Array) -> Array:
    """W with the mean task at which the quadratic takes up what the slopes G sum to."""
    pull = quadratic.pull(G.shape[1])
    if not pull.any():
        return W
    return np.asarray(W + ((G.sum(axis=1) - W @ pull) / pull.sum())[:, None])


def envelope(penalty: Penalty, quadratic: Quadratic, G: Array) -> float:
    """(q + Omega)^*(G) by a prox, where q is the same in all directions; otherwise inf."""
    if quadratic.couples_tasks or not penalty.has_prox:
        return np.inf
    ridges = quadratic.task_curvature(G.shape[1])
    if ridges[0] <= 0 or (ridges != ridges[0]).any():
        return np.inf
    W = penalty.prox(G / ridges[0], 1 / ridges[0])
    return float(np.vdot(G, W) - penalty.value(W) - quadratic.value(W))


def seen_by(quadratic: Quadratic, G: Array) -> tuple[float, Array]:
    """q^* at what a quadratic between tasks sees of slopes G, and the rest, which must vanish."""
    eigenvalues, basis = np.linalg.eigh(quadratic.hessian(G.shape[1]))
    seen = eigenvalues > 1e-12 * eigenvalues[-1]
    turned = G @ basis
    value = float((turned[:, seen] ** 2 / eigenvalues[seen]).sum() / 2)
    return value, turned[:, ~seen] @ basis[:, ~seen].T
