r"""The objective that solvers see: design + loss + quadratic, and a penalty with a prox.

.. math:: P(W, b) = \sum_i \omega_i \, \ell(y_i, z_i) + q(W) + \Omega(W),
          \qquad z = A W + B b

with the sum over labels. Its dual, for u with :math:`B'(\omega u) = 0` and
:math:`G = -A'(\omega u)`, is

.. math:: D(u) = -\sum_i \omega_i \, \ell^*(y_i, u_i) - (q + \Omega)^*(G) \le \min P ,

and :math:`P(W, b) - D(u)` bounds what is left to gain. A solver works through the methods below
and never asks which loss or penalty they stand for.
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl import _linalg
from skmtl.design import Design
from skmtl.losses import Loss
from skmtl.penalties import Penalty, Quadratic

Array = NDArray[Any]

_MAX_INTERCEPT_STEPS = 50
_GRAM_BYTES = 2**29


@dataclass(frozen=True)
class Point:
    """Coefficients W (d, T), intercepts b, and the predictors Z that belong to them."""

    W: Array
    b: Array
    Z: Array

    def extrapolate(self, other: "Point", factor: float) -> "Point":
        """self + factor (self - other), Z included: a line needs no product with X."""
        return Point(
            *(
                mine + mine.dtype.type(factor) * (mine - theirs)
                for mine, theirs in ((self.W, other.W), (self.b, other.b), (self.Z, other.Z))
            )
        )

    def astype(self, dtype: Any) -> "Point":
        return Point(*(part.astype(dtype, copy=False) for part in (self.W, self.b, self.Z)))


class Objective:
    """Design, labels, loss and penalty as one convex function of (W, b).

    Parameters
    ----------
    design : Design
    y : ndarray, labels in the design's label shape; anything finite where the weight is 0.
    loss : Loss
    penalty : Penalty or None
    """

    def __init__(self, design: Design, y: Array, loss: Loss, penalty: Penalty | None) -> None:
        self.design, self.loss = design, loss
        self._set_penalty(penalty)
        self.dtype = np.dtype(design.dtype)
        self._label_means = np.zeros(design.n_intercepts)
        if loss.translates and design.n_intercepts:
            # Large means would cost digits in every residual.
            self._label_means = design.gather(design.weights * y) / self._intercept_weights
            magnitude = np.abs(y).max(initial=0.0)
            y = y - design.spread(self._label_means)
            y[np.abs(y) <= 8 * np.finfo(np.float64).eps * magnitude] = 0.0
        self._y = np.asarray(y, dtype=np.float64)
        self._by_dtype: dict[Any, tuple[Array, Array]] = {}
        # Shared with the copies that differ in their penalty.
        self._constant: dict[str, Array] = {}

    def with_penalty(self, penalty: Penalty | None) -> "Objective":
        """The same design, labels and loss with another penalty; what they determine is kept."""
        other = copy.copy(self)
        other._set_penalty(penalty)
        for name in ("curvature", "_has_free_task"):
            other.__dict__.pop(name, None)
        return other

    def _set_penalty(self, penalty: Penalty | None) -> None:
        self.penalty, self.quadratic = (None, None) if penalty is None else penalty.split()

    # What a fit starts from, is measured by, and returns

    @cached_property
    def null(self) -> Point:
        """W = 0 with its best intercepts (float64)."""
        design = self.design
        W = np.zeros((design.n_features, design.n_columns))
        point = Point(W, np.zeros(design.n_intercepts), np.zeros(design.weights.shape))
        return self._minimise_intercepts(point)

    @cached_property
    def null_value(self) -> float:
        """F(0, b*): the scale of tolerances."""
        return self.smooth_value(self.null)

    def start(self, W: Array | None = None, intercepts: Array | None = None) -> Point:
        """The point at W and the intercepts of uncentred features, or the null point."""
        if W is None or intercepts is None:
            return self.null.astype(self.dtype)
        W = np.ascontiguousarray(W, dtype=self.dtype)
        b = np.zeros(0)
        if self.design.n_intercepts:
            b = self.design.recentre(W, intercepts) - self._label_means
        return self.point(W, b.astype(self.dtype))

    def intercepts(self, point: Point) -> Array:
        """The intercepts (n_tasks,) for uncentred features and labels."""
        if not self.design.n_intercepts:
            return np.zeros(self.n_tasks)
        return self.design.uncentre(point.W.astype(np.float64), point.b + self._label_means)

    @property
    def n_tasks(self) -> int:
        """Number of tasks of the data; more than columns of W when tasks are pooled."""
        tasks = getattr(self.design, "tasks", self.design)
        return int(tasks.n_columns)

    def point(self, W: Array, b: Array) -> Point:
        """The point at (W, b)."""
        Z = self.design.forward(W)
        if self.design.n_intercepts:
            Z += self.design.spread(b)
        return Point(W, b, Z)

    def value(self, point: Point) -> float:
        """P(W, b)."""
        rough = 0.0 if self.penalty is None else self.penalty.value(point.W)
        return self.smooth_value(point) + rough

    # The smooth part

    def smooth_value(self, point: Point) -> float:
        """Loss plus quadratic."""
        y, weights = self._labels(point.Z.dtype)
        value = float(np.vdot(weights, self.loss.value(y, point.Z)))
        return value if self.quadratic is None else value + self.quadratic.value(point.W)

    def gradient(self, point: Point) -> tuple[Array, Array]:
        """The smooth part's gradient in W and in b."""
        y, weights = self._labels(point.Z.dtype)
        U = weights * self.loss.gradient(y, point.Z)
        G = self.design.adjoint(U)
        if self.quadratic is not None:
            G += self.quadratic.gradient(point.W)
        return G, self._gather(U)

    @cached_property
    def curvature(self) -> tuple[float, Array, Array]:
        """An upper bound (or nearly) of the curvature, and the metric it is relative to.

        Returns
        -------
        bound : float
        features : array of shape (n_features, 1)
            Each feature's own curvature where the penalty separates over rows, which makes the
            bound, and a solver that steps by it, indifferent to the features' units. Otherwise
            one number for all.
        intercepts : array of shape (n_intercepts,)
        """
        loss = self.loss.curvature_bound if np.isfinite(self.loss.curvature_bound) else 1.0
        ridge = 0.0 if self.quadratic is None else self.quadratic.lipschitz()
        metric = loss * self.design.feature_curvature().max(axis=0) + ridge
        if not (self.penalty is None or self.penalty.separates_over_rows):
            metric[:] = metric.max()
        largest = metric.max()
        metric = np.maximum(metric, 1e-10 * largest if largest > 0 else 1.0)
        bound = loss * self.design.squared_norm(1 / np.sqrt(metric)) + (ridge / metric).max()
        bound = max(bound, np.finfo(np.float64).eps)
        return bound, metric[:, None], loss * self._intercept_weights / bound

    def excess_curvature(self, old: Point, new: Point, gradient: tuple[Array, Array]) -> float:
        """An upper bound of 2 (f(new) - f(old) - <gradient, new - old>), f the smooth part."""
        if np.isfinite(self.loss.curvature_bound):
            # A weighted sum of squares: no cancellation, however small the step.
            _, weights = self._labels(new.Z.dtype)
            step = (new.Z - old.Z).ravel()
            bent = self.loss.curvature_bound * np.einsum("i,i,i->", weights.ravel(), step, step)
            quadratic = self.quadratic
            return float(bent + (0.0 if quadratic is None else 2 * quadratic.value(new.W - old.W)))
        linear = sum(
            float(np.vdot(g, after - before))
            for g, after, before in zip(gradient, (new.W, new.b), (old.W, old.b), strict=True)
        )
        before = self.smooth_value(old)
        slack = 10 * np.finfo(self.dtype).eps * abs(before)
        return 2 * (self.smooth_value(new) - before - linear - slack)

    def prox(self, V: Array, step: float | Array) -> Array:
        """The prox of the penalty, with a step for all features or one each (n_features, 1)."""
        return V if self.penalty is None else self.penalty.prox(V, step)

    # Newton steps on the smooth part

    @property
    def has_newton(self) -> bool:
        """Whether there is no penalty but a quadratic, and the Hessians fit into memory."""
        d, columns = self.design.n_features, self.design.n_columns
        fits = 8 * d * d * columns <= _GRAM_BYTES and d <= 2000
        return self.penalty is None and fits

    def newton_step(self, point: Point, gradient: tuple[Array, Array]) -> tuple[Array, Array]:
        """The minimiser, relative to the point, of the smooth part's quadratic model."""
        H = self._curvature_weights(point)
        G, g = gradient
        totals = self._gather(H)
        scaled = np.divide(g, totals, out=np.zeros_like(g), where=totals > 0)
        if self.design.n_intercepts:
            G = G - self.design.adjoint(H * self.design.spread(scaled))
        hessians = self._hessians(H)
        ridge = np.zeros(G.shape[1])
        if self.quadratic is not None:
            ridge = self.quadratic.task_curvature(G.shape[1])
        W = -_linalg.solve_semidefinite(hessians, ridge, G)
        b = -g
        if self.design.n_intercepts:
            b = -(g + self._gather(H * self.design.forward(W)))
        return W, np.divide(b, totals, out=np.zeros_like(b), where=totals > 0)

    def _hessians(self, H: Array) -> Array:
        if not self.loss.constant_curvature:
            return self.design.centred_gram(H)
        if "hessians" not in self._constant:
            self._constant["hessians"] = self.design.centred_gram(H)
        return self._constant["hessians"]

    # The certificate

    def bounds(self, point: Point) -> tuple[float, float]:
        """P at the point and a lower bound of min P, both in float64.

        The bound is -inf where no dual point was found.
        """
        if point.Z.dtype != np.float64:
            W, b = point.W.astype(np.float64), point.b.astype(np.float64)
            point = self.point(W, b)
        return self.value(point), self._dual_value(point)

    def _dual_value(self, point: Point) -> float:
        penalty, quadratic = self.penalty, self.quadratic
        if self._has_free_task:
            return self._dual_value_by_newton(point)
        U = self._feasible_gradient(point)
        if U is None:
            return -np.inf
        G = -self.design.adjoint(self.design.weights * U)
        if penalty is None or quadratic is None:
            only = quadratic if penalty is None else penalty
            assert only is not None
            scale = only.dual_scale(G)
            return -self._conjugate_loss(scale * U) - only.conjugate(scale * G)
        # The quadratic as smooth data: its own gradient is part of the dual point.
        with_gradient = G - quadratic.gradient(point.W)
        scale = penalty.dual_scale(with_gradient)
        smooth = self._conjugate_loss(scale * U) + scale**2 * quadratic.value(point.W)
        bound = -smooth - penalty.conjugate(scale * with_gradient)
        return max(bound, -self._conjugate_loss(U) - self._envelope(penalty, quadratic, G))

    def _envelope(self, penalty: Penalty, quadratic: Quadratic, G: Array) -> float:
        """(q + Omega)^*(G) by a prox, where q is the same in all directions; otherwise inf."""
        ridges = quadratic.task_curvature(G.shape[1])
        if ridges[0] <= 0 or (ridges != ridges[0]).any():
            return np.inf
        W = penalty.prox(G / ridges[0], 1 / ridges[0])
        return float(np.vdot(G, W) - penalty.value(W) - quadratic.value(W))

    @cached_property
    def _has_free_task(self) -> bool:
        """Whether some column of W has no penalty at all."""
        if self.penalty is not None:
            return False
        if self.quadratic is None:
            return True
        return bool((self.quadratic.task_curvature(self.design.n_columns) == 0).any())

    def _dual_value_by_newton(self, point: Point) -> float:
        """D at the dual point of a Newton step: G = grad q(W + step), so q^*(G) = q(W + step).

        The only dual point at hand where W itself is unpenalised and G has to vanish.
        """
        if not self.has_newton:
            return -np.inf
        for start in self._with_better_intercepts(point):
            U = self.loss.gradient(self._y, start.Z)
            step = self.newton_step(start, self.gradient(start))
            U = U + self.loss.curvature(self._y, start.Z) * self.point(*step).Z
            value = self._conjugate_loss(U)
            if self.quadratic is not None:
                value += self.quadratic.value(start.W + step[0])
            if np.isfinite(value):
                return -value
        return -np.inf

    def _feasible_gradient(self, point: Point) -> Array | None:
        """The loss gradient, moved so that it vanishes along the intercepts.

        The move is a Newton step in u, which stays in the conjugate's domain when the point is
        near enough to the best intercepts; Euclidean projection would leave it.
        """
        if not self.design.n_intercepts:
            return self.loss.gradient(self._y, point.Z)
        for start in self._with_better_intercepts(point):
            U = self.loss.gradient(self._y, start.Z)
            H = self.loss.curvature(self._y, start.Z)
            U = U - H * self.design.spread(self._intercept_newton(U, H))
            if np.isfinite(self._conjugate_loss(U)):
                return U
        return None

    def _with_better_intercepts(self, point: Point) -> Iterator[Point]:
        yield point
        yield self._minimise_intercepts(point)

    def _conjugate_loss(self, U: Array) -> float:
        weights = self.design.weights
        conjugate = self.loss.conjugate(self._y, U)
        return float(np.vdot(weights[weights > 0], conjugate[weights > 0]))

    # Intercepts

    @cached_property
    def _intercept_weights(self) -> Array:
        return self._gather(self.design.weights)

    def _gather(self, U: Array) -> Array:
        return self.design.gather(U) if self.design.n_intercepts else np.zeros(0, dtype=U.dtype)

    def _intercept_newton(self, U: Array, H: Array) -> Array:
        weights = self.design.weights
        slope, bend = self.design.gather(weights * U), self.design.gather(weights * H)
        return np.divide(slope, bend, out=np.zeros_like(slope), where=bend > 0)

    def _minimise_intercepts(self, point: Point) -> Point:
        """Damped Newton steps on b, each intercept on its own, W fixed."""
        if not self.design.n_intercepts:
            return point
        design, y = self.design, self._y
        b, Z = point.b.astype(np.float64), point.Z.astype(np.float64)
        values = design.gather(design.weights * self.loss.value(y, Z))
        for _ in range(_MAX_INTERCEPT_STEPS):
            step = -self._intercept_newton(self.loss.gradient(y, Z), self.loss.curvature(y, Z))
            tried, moved = b, Z
            for _ in range(40):
                tried = b + step
                moved = Z + design.spread(step)
                reached = design.gather(design.weights * self.loss.value(y, moved))
                worse = reached > values
                if not worse.any():
                    break
                step = np.where(worse, step / 2, step)
            small = np.abs(step) <= 1e-10 * (1 + np.abs(b))
            b, Z, values = tried, moved, reached
            if small.all():
                break
        return Point(point.W, b, Z)

    def _curvature_weights(self, point: Point) -> Array:
        y, weights = self._labels(point.Z.dtype)
        return np.asarray(weights * self.loss.curvature(y, point.Z))

    def _labels(self, dtype: Any) -> tuple[Array, Array]:
        """Labels and weights in a precision."""
        dtype = np.dtype(dtype)
        if dtype not in self._by_dtype:
            weights = self.design.weights
            self._by_dtype[dtype] = (
                self._y.astype(dtype, copy=False),
                weights.astype(dtype, copy=False),
            )
        return self._by_dtype[dtype]
