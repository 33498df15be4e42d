"""The certificate on rows of data, and the test for separable labels."""

from collections.abc import Iterator

import numpy as np

from skmtl.design import Design, PooledDesign
from skmtl.objective._base import Array
from skmtl.objective._certificate import Dual, best_dual
from skmtl.objective._row_loss import RowLoss
from skmtl.solvers import Point

# The largest number of features for a Newton step in the mean at each certificate.
_LARGEST_MEAN_STEP = 1000


class RowDual(RowLoss):
    """A lower bound on the minimum, at a dual point derived from the loss gradient."""

    def dual(self, point: Point) -> Dual:
        quadratic = self.quadratic
        # The gradient of the multinomial loss sums to zero over classes, so that it vanishes along
        # the mean, which a coupling quadratic leaves unpenalised.
        coupled = self.loss.couples_tasks and quadratic is not None and quadratic.couples_tasks
        if self.has_free_task and not coupled:
            if self.has_newton or not self._can_step_in_mean:
                return Dual(self._value_by_newton(point))
        for U, G in self._feasible_gradients(point):
            dual = best_dual(
                self.penalty,
                quadratic,
                point.W,
                G,
                lambda scale, U=U: -self.conjugate_loss(scale * U),  # type: ignore[misc]
            )
            # The bound is -inf outside the domain of the loss's conjugate.
            if np.isfinite(dual.value):
                return dual
        return Dual(-np.inf)

    def conjugate_loss(self, U: Array) -> float:
        weights = self.design.weights
        # The conjugate may be infinite where the weight is zero.
        conjugate = np.where(weights > 0, self.loss.conjugate(self.y, U), 0.0)
        return float((weights * conjugate).sum()) + self.intercept_conjugate(U)

    @property
    def _can_step_in_mean(self) -> bool:
        affordable = self.loss.constant_curvature or self.n_features <= _LARGEST_MEAN_STEP
        return self.has_free_mean and affordable

    # Unpenalised W

    def _value_by_newton(self, point: Point) -> float:
        """D at the dual point of a Newton step: G = grad q(W + step), so q^*(G) = q(W + step).

        If W is unpenalised, G must vanish, and no other dual point is easily available.
        """
        if not self.has_newton:
            return -np.inf
        for start in self._with_better_intercepts(point):
            # A step may overflow the loss; such a step is rejected.
            with np.errstate(over="ignore", invalid="ignore"):
                value = self._value_at_newton_point(start)
            if value > -np.inf:
                return value
        return -np.inf

    def _value_at_newton_point(self, start: Point) -> float:
        """D at the dual point of the Newton step from a point; -inf if it is infeasible."""
        design, loss, quadratic = self.design, self.loss, self.quadratic
        step = self.newton_step(start, self.gradient(start))
        change = self.point(*step).Z
        U = loss.gradient(self.y, start.Z)
        U = U + loss.gradient_change(self.y, start.Z, change)
        coupled = quadratic is not None and quadratic.couples_tasks
        U = loss.nearest_dual(self.y, U)
        # The constraints are linear, so that multiples satisfy them too.
        scale = loss.dual_scale(U)
        U = U * scale
        value = self.conjugate_loss(U)
        rest = design.adjoint(design.weights * U)
        if quadratic is not None and coupled:
            held, _, rest = quadratic.on_range(-rest, scale * (start.W + step[0]))
            value += held
        elif quadratic is not None:
            W = scale * (start.W + step[0])
            value += quadratic.value(W)
            rest = rest + quadratic.gradient(W)
        exact = _vanishes(design, rest, U, 1e-11) and self.balances(U)
        return -float(value) if np.isfinite(value) and exact else -np.inf

    # Penalised W, possibly except for some directions

    def _feasible_gradients(self, point: Point) -> Iterator[tuple[Array, Array]]:
        """The loss gradient U, made to vanish along unpenalised directions, and -A'(wU).

        The correction is a Newton step in u, which stays in the domain of the conjugate if the
        point is close enough to the best intercepts; a Euclidean projection need not.
        """
        loss, design, penalty = self.loss, self.design, self.penalty
        mean_free = self.has_free_mean and not loss.couples_tasks
        free = self._free_design()
        if not mean_free and free is None:
            # At the best intercepts the solver has computed this product already.
            U, G = self.loss_gradient(point)
            if loss.dual_scale(U) == 1.0 and self.balances(U):
                # Without a copy if the sign does not matter.
                absolute = self.quadratic is None and penalty is not None and penalty.is_absolute
                yield U, G if absolute else -G
        for start in self._with_better_intercepts(point):
            U = loss.gradient(self.y, start.Z)
            if mean_free:
                H = loss.newton_weight(self.y, start.Z)
                U = U + H * self._mean_step(start, U, H)
            elif free is not None:
                U = U + self._free_change(free, start, U)
            elif design.n_intercepts:
                change = -design.spread(self.intercept_newton(start, U))
                U = U + loss.gradient_change(self.y, start.Z, change)
            # A Newton step can leave the domain by its rounding error; whether the gradient still
            # vanishes is checked below.
            U = loss.nearest_dual(self.y, U)
            U = U * loss.dual_scale(U)
            exact = self.balances(U) and (not mean_free or self._mean_vanishes(U))
            if not exact:
                continue
            G = -design.adjoint(design.weights * U)
            if free is not None:
                assert self.penalty is not None
                rows = self.penalty.free_rows
                if not _vanishes(free, G[rows], U, 1e-9):
                    continue
                G[rows] = 0.0
            elif mean_free and self.penalty is None:
                G -= G.mean(axis=1, keepdims=True)
            yield U, G

    def _with_better_intercepts(self, point: Point) -> Iterator[Point]:
        yield point
        yield self.minimise_intercepts(point)

    def _free_design(self) -> Design | None:
        """The design restricted to the unpenalised features, or None."""
        penalty = self.penalty
        if penalty is None or penalty.free_rows is None or self.quadratic is not None:
            return None
        return self.design.columns(np.flatnonzero(penalty.free_rows))

    def _free_change(self, free: Design, point: Point, U: Array) -> Array:
        """The change of U by a Newton step in the unpenalised rows of W and the intercepts."""
        curvature = self.loss.newton_weight(self.y, point.Z)
        H, U = free.weights * curvature, free.weights * U
        gradient = free.adjoint(U), self.intercept_gradient(point.b, U)
        w, b = self.direction(free, H, free.centred_gram(H), np.zeros(free.n_columns), gradient)
        step = free.forward(w)
        return np.asarray(curvature * (step + free.spread(b) if free.n_intercepts else step))

    def _mean_vanishes(self, U: Array) -> bool:
        """Whether the gradient along the mean task is only rounding error."""
        pooled = PooledDesign(self.design, common_intercept=False)
        return _vanishes(pooled, pooled.adjoint(pooled.weights * U), U, 1e-9)

    def _mean_step(self, point: Point, U: Array, H: Array) -> Array:
        """The change of Z by a Newton step in the mean task and the intercepts."""
        pooled = PooledDesign(self.design, common_intercept=False)
        U, H = self.design.weights * U, self.design.weights * H
        gradient = pooled.adjoint(U), self.intercept_gradient(point.b, U)
        gram = self.kept_if_constant("pooled", lambda: pooled.centred_gram(H))
        w, b = self.direction(pooled, H, gram, np.zeros(1), gradient)
        Z = pooled.forward(w)
        return Z + pooled.spread(b) if pooled.n_intercepts else Z

    # Labels that are separable by unpenalised coefficients: then there is no finite minimiser

    def is_separated(self, point: Point) -> bool:
        """Whether the unpenalised part of W and the intercepts separate the labels.

        Unpenalised tasks are examined one by one. If only combinations of tasks are unpenalised,
        they must separate the labels of all tasks.
        """
        if not self.loss.recedes:
            return False
        shared = self._free_combinations()
        if shared is None and not self.has_free_task:
            return False
        Z = point.Z
        if shared is not None:
            Z = self.point(point.W @ shared @ shared.T, point.b).Z
        wrong = self.design.weights * (self.y * Z <= 0)
        separated = self.design.gather(wrong) == 0
        recedes = np.array([self.loss.column(task).recedes for task in range(self.n_tasks)])
        alone = len(separated) == self.n_columns and shared is None
        return bool((separated & recedes).any() if alone else (separated & recedes.all()).all())

    def _free_combinations(self) -> Array | None:
        """An orthonormal basis (n_tasks, n) of the unpenalised combinations of tasks, or None."""
        n_tasks, penalty, quadratic = self.n_columns, self.penalty, self.quadratic
        if penalty is not None:
            if not penalty.leaves_mean_free or quadratic is not None:
                return None
            return np.full((n_tasks, 1), 1 / np.sqrt(n_tasks))
        if quadratic is None or not quadratic.couples_tasks:
            return None
        free = quadratic.free_combinations(n_tasks)
        return free if free.shape[1] else None


def _vanishes(design: Design, G: Array, U: Array, rounding: float) -> bool:
    """Whether the gradient G is only rounding error.

    With nearly collinear features it may be more, since the Newton step is then inexact.
    """
    squares = (design.weights * U * U).sum()
    curvature = design.feature_curvature().T
    # The gradient of a constant feature is zero up to rounding error.
    return bool((np.abs(G) <= rounding * np.sqrt(curvature * squares))[curvature > 0].all())
