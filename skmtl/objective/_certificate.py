r"""A lower bound on an objective's minimum from any point, by weak duality.

For u with :math:`B'(\omega u) = 0` and :math:`G = -A'(\omega u)` (see :mod:`skmtl.objective`),

.. math:: D(u) = -\sum_i \omega_i \, \ell^*(y_i, u_i) - (q + \Omega)^*(G) \le \min P .

u starts as the loss gradient at the point. It is corrected so that it vanishes along all
unpenalised directions (intercepts, an unpenalised mean of the tasks, unpenalised features or
tasks), and scaled into the domain of the penalty's conjugate.
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
    """A lower bound on the minimum, and the dual point that gives it.

    Attributes
    ----------
    value : float
        -inf if no dual point was found.
    slopes : ndarray of shape (n_features, n_tasks) or None
        G at the dual point divided by ``scale``, None unless the penalty is a norm.
    scale : float
    """

    value: float
    slopes: Array | None = None
    scale: float = 1.0


@dataclass(frozen=True)
class DualPoint:
    """G at a dual point, whose loss is not known yet.

    Attributes
    ----------
    W : ndarray of shape (n_features, n_tasks)
        The primal point from which the dual point was derived.
    slopes : ndarray of shape (n_features, n_tasks)
        G.
    held : float or None
        The conjugate of the penalty at G, if it is a quadratic on the range of G only.
    """

    W: Array
    slopes: Array
    held: float | None = None

    def bound(
        self, penalty: Penalty | None, quadratic: Quadratic | None, loss: Callable[[float], float]
    ) -> float:
        """The bound, given the contribution of the loss at multiples of the dual point."""
        if self.held is not None:
            return loss(1.0) - self.held
        return best_dual(penalty, quadratic, self.W, self.slopes, loss).value

    def scales(self, penalty: Penalty | None, quadratic: Quadratic | None) -> list[float]:
        """The multiples of the dual point at which ``bound`` needs the loss."""
        asked: list[float] = []

        def ask(scale: float) -> float:
            asked.append(scale)
            return 0.0

        self.bound(penalty, quadratic, ask)
        return asked

    def scaled(self, scale: float) -> "DualPoint":
        """A multiple of the dual point."""
        held = None if self.held is None else scale**2 * self.held
        return DualPoint(self.W, scale * self.slopes, held)


def best_dual(
    penalty: Penalty | None,
    quadratic: Quadratic | None,
    W: Array,
    G: Array,
    loss: Callable[[float], float],
) -> Dual:
    """The best bound over multiples of a dual point.

    Parameters
    ----------
    penalty, quadratic : parts of the penalty, one of them at least
    W : ndarray
        The primal point.
    G : ndarray
        G at the dual point, or -G if the penalty is absolute and there is no quadratic.
    loss : callable
        The contribution of the loss to D at a multiple of the dual point.
    """
    if penalty is None or quadratic is None:
        only = quadratic if penalty is None else penalty
        assert only is not None
        scale = only.dual_scale(G)
        if only.is_norm:  # its conjugate is zero on the dual ball
            return Dual(loss(scale), G, scale)
        G = G if scale == 1.0 else scale * G
        held = only.conjugate(G) if quadratic is None else quadratic.conjugate_near(G, W)
        return Dual(loss(scale) - held)
    free = penalty.free_rows
    if free is not None:
        if quadratic.couples_tasks or not quadratic.task_curvature(G.shape[1]).all():
            return Dual(-np.inf)
        W = _at_free_slopes(penalty, quadratic, W, G)
    if penalty.leaves_mean_free:
        W = _at_balanced_slopes(quadratic, W, G)
    # Treat the quadratic as part of the loss: its gradient belongs to the dual point.
    with_gradient = G - quadratic.gradient(W)
    if free is not None:
        # Exactly, without rounding error.
        with_gradient[free] = (G - penalty.clip_signs(G))[free]
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
    """W with its unpenalised rows set to where the ridge cancels their gradient."""
    ridges, W = quadratic.task_curvature(G.shape[1]), W.copy()
    free = penalty.free_rows
    W[free] = penalty.clip_signs(G)[free] / ridges
    return W


def _at_balanced_slopes(quadratic: Quadratic, W: Array, G: Array) -> Array:
    """W with its mean moved to where the quadratic cancels the sum of G over tasks."""
    pull = quadratic.pull(G.shape[1])
    if not pull.any():
        return W
    return np.asarray(W + ((G.sum(axis=1) - W @ pull) / pull.sum())[:, None])


def envelope(penalty: Penalty, quadratic: Quadratic, G: Array) -> float:
    """(q + Omega)^*(G), computed by a prox if q is a multiple of the identity; else inf."""
    if quadratic.couples_tasks or not penalty.has_prox:
        return np.inf
    ridges = quadratic.task_curvature(G.shape[1])
    if (ridges <= 0).any():
        return np.inf
    if penalty.separates_over_entries:
        W = penalty.prox(G / ridges, 1 / ridges)
    elif (ridges != ridges[0]).any():
        return np.inf
    else:
        W = penalty.prox(G / ridges[0], 1 / ridges[0])
    return float(np.vdot(G, W) - penalty.value(W) - quadratic.value(W))
