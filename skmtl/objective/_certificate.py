r"""A lower bound of an objective's minimum, from any point: weak duality.

For u with :math:`B'(\omega u) = 0` and :math:`G = -A'(\omega u)` (see :mod:`skmtl.objective`),

.. math:: D(u) = -\sum_i \omega_i \, \ell^*(y_i, u_i) - (q + \Omega)^*(G) \le \min P .

u starts as the loss gradient at the point, is moved until it vanishes along every direction that
no penalty holds (intercepts, an unpenalised mean task, free features, tasks without any penalty),
and is scaled into the domain of the penalty's conjugate.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.design import PooledDesign
from skmtl.penalties import Penalty, Quadratic

Array = NDArray[Any]

# Up to so many features a step in the mean of the tasks is taken for each certificate.
_LARGEST_MEAN_STEP = 1000


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


def dual_of(objective: Any, point: Any) -> Dual:
    """D at a dual point made from a point (float64)."""
    penalty, quadratic = objective.penalty, objective.quadratic
    # Where a quadratic holds all but what the tasks have in common, the slopes of a loss that
    # couples them vanish of themselves.
    coupled = objective.loss.couples_tasks and quadratic is not None and quadratic.couples_tasks
    if objective.has_free_task and not coupled:
        if objective.has_newton or not can_step_in_mean(objective):
            return Dual(_by_newton(objective, point))
    for U, G in _feasible_gradients(objective, point):
        dual = best_dual(
            penalty,
            quadratic,
            point.W,
            G,
            lambda scale, U=U: -_conjugate_loss(objective, scale * U),  # type: ignore[misc]
        )
        # Infinite outside the domain of the loss's conjugate.
        if np.isfinite(dual.value):
            return dual
    return Dual(-np.inf)


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


def has_free_mean(objective: Any) -> bool:
    """Whether neither the penalty nor the quadratic holds the mean of the tasks."""
    penalty, quadratic = objective.penalty, objective.quadratic
    if penalty is None:
        alone = quadratic is not None and quadratic.couples_tasks
    else:
        alone = penalty.leaves_mean_free
    return alone and (quadratic is None or not quadratic.pull(objective.n_columns).any())


def has_dual(objective: Any) -> bool:
    """Whether a dual point can be found, as far as the penalty is concerned."""
    return not objective.has_free_task or objective.has_newton or can_step_in_mean(objective)


def can_step_in_mean(objective: Any) -> bool:
    """Whether the mean of the tasks is all that is free, and Newton steps in it are affordable."""
    affordable = objective.is_quadratic or objective.n_features <= _LARGEST_MEAN_STEP
    return has_free_mean(objective) and affordable


def _at_balanced_slopes(quadratic: Quadratic, W: Array, G: Array) -> Array:
    """W with the mean task at which the quadratic takes up what the slopes G sum to."""
    pull = quadratic.pull(G.shape[1])
    if not pull.any():
        return W
    return W + ((G.sum(axis=1) - W @ pull) / pull.sum())[:, None]


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


def _by_newton(objective: Any, point: Any) -> float:
    """D at the dual point of a Newton step: G = grad q(W + step), so q^*(G) = q(W + step).

    The only dual point at hand where W itself is unpenalised and G has to vanish.
    """
    if not objective.has_newton:
        return -np.inf
    for start in _with_better_intercepts(objective, point):
        # A step to where the loss has no number is none.
        with np.errstate(over="ignore", invalid="ignore"):
            value = _at_newton_point(objective, start)
        if value > -np.inf:
            return value
    return -np.inf


def _at_newton_point(objective: Any, start: Any) -> float:
    """D at the dual point of the Newton step from a point; -inf where it is none."""
    step = objective.newton_step(start, objective.gradient(start))
    change = objective.point(*step).Z
    U = objective.loss.gradient(objective.y, start.Z)
    U = U + objective.loss.gradient_change(objective.y, start.Z, change)
    coupled = objective.quadratic is not None and objective.quadratic.couples_tasks
    if coupled:
        # What must vanish still does at multiples.
        U = U * objective.loss.dual_scale(U)
    value = _conjugate_loss(objective, U)
    rest = objective.design.adjoint(objective.design.weights * U)
    if coupled:
        held, rest = seen_by(objective.quadratic, -rest)
        value += held
    elif objective.quadratic is not None:
        W = start.W + step[0]
        value += objective.quadratic.value(W)
        rest = rest + objective.quadratic.gradient(W)
    exact = _vanishes(objective.design, rest, U, 1e-11) and objective.balances(U)
    return -float(value) if np.isfinite(value) and exact else -np.inf


def _vanishes(design: Any, G: Array, U: Array, rounding: float) -> bool:
    """Whether G, a gradient that should vanish, is nothing but rounding.

    Nearly collinear features leave more: the Newton step is then not exact.
    """
    squares = (design.weights * U * U).sum()
    curvature = design.feature_curvature().T
    # A constant feature's gradient is zero whatever rounding makes of it.
    return bool((np.abs(G) <= rounding * np.sqrt(curvature * squares))[curvature > 0].all())


def _feasible_gradients(objective: Any, point: Any) -> Iterator[tuple[Array, Array]]:
    """The loss gradient U, moved to vanish where nothing is penalised, and -A'(wU).

    The move is a Newton step in u, which stays in the conjugate's domain when the point is near
    enough to the best intercepts; Euclidean projection would leave it.
    """
    loss, y = objective.loss, objective.y
    mean_free = has_free_mean(objective) and not loss.couples_tasks
    free = _free_design(objective)
    if not mean_free and free is None:
        # A solver at the best intercepts has this product already.
        U, G = objective.loss_gradient(point)
        if loss.dual_scale(U) == 1.0 and objective.balances(U):
            yield U, -G
    for start in _with_better_intercepts(objective, point):
        U = loss.gradient(y, start.Z)
        if mean_free:
            H = loss.newton_weight(y, start.Z)
            U = U + H * _mean_step(objective, start, U, H)
        elif free is not None:
            U = U + _free_change(objective, free, start, U)
        elif objective.design.n_intercepts:
            change = -objective.design.spread(objective.intercept_newton(start, U))
            U = U + loss.gradient_change(y, start.Z, change)
        U = U * loss.dual_scale(U)
        exact = objective.balances(U) and (not mean_free or _mean_vanishes(objective, U))
        if not exact:
            continue
        G = -objective.design.adjoint(objective.design.weights * U)
        if free is not None:
            rows = objective.penalty.free_rows
            if not _vanishes(free, G[rows], U, 1e-9):
                continue
            G[rows] = 0.0
        elif mean_free and objective.penalty is None:
            G -= G.mean(axis=1, keepdims=True)
        yield U, G


def _free_design(objective: Any) -> Any:
    """The design of the features that nothing penalises, or None."""
    penalty = objective.penalty
    if penalty is None or penalty.free_rows is None or objective.quadratic is not None:
        return None
    return objective.design.columns(np.flatnonzero(penalty.free_rows))


def _free_change(objective: Any, free: Any, point: Any, U: Array) -> Array:
    """The change of U by a Newton step on the free rows of W and the intercepts."""
    if objective.loss.couples_tasks:
        return np.asarray(objective.change_in_columns(free, point.Z, U))
    curvature = objective.loss.newton_weight(objective.y, point.Z)
    H, U = free.weights * curvature, free.weights * U
    gradient = free.adjoint(U), objective.intercept_gradient(point.b, U)
    w, b = objective.direction(free, H, free.centred_gram(H), np.zeros(free.n_columns), gradient)
    step = free.forward(w)
    return np.asarray(curvature * (step + free.spread(b) if free.n_intercepts else step))


def _mean_vanishes(objective: Any, U: Array) -> bool:
    """Whether the gradient along the mean task is nothing but rounding."""
    pooled = PooledDesign(objective.design, common_intercept=False)
    return _vanishes(pooled, pooled.adjoint(pooled.weights * U), U, 1e-9)


def _mean_step(objective: Any, point: Any, U: Array, H: Array) -> Array:
    """The change of Z by a Newton step on the mean task and the intercepts."""
    pooled = PooledDesign(objective.design, common_intercept=False)
    U, H = objective.design.weights * U, objective.design.weights * H
    gradient = pooled.adjoint(U), objective.intercept_gradient(point.b, U)
    gram = objective.kept_if_constant("pooled", lambda: pooled.centred_gram(H))
    w, b = objective.direction(pooled, H, gram, np.zeros(1), gradient)
    Z = pooled.forward(w)
    return Z + pooled.spread(b) if pooled.n_intercepts else Z


def _with_better_intercepts(objective: Any, point: Any) -> Iterator[Any]:
    yield point
    yield objective.minimise_intercepts(point)


def _conjugate_loss(objective: Any, U: Array) -> float:
    weights = objective.design.weights
    # Where nothing is counted the conjugate may be infinite.
    conjugate = np.where(weights > 0, objective.loss.conjugate(objective.y, U), 0.0)
    return float((weights * conjugate).sum()) + objective.intercept_conjugate(U)
