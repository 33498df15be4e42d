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
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.certificate import dual_value
from skmtl.design import Design, newton_direction
from skmtl.losses import Loss
from skmtl.penalties import Penalty
from skmtl.spectrum import Spectrum

Array = NDArray[Any]

_MAX_INTERCEPT_STEPS = 50
_GRAM_BYTES = 2**29
_TYPICAL_ITERATIONS = 100


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
            sizes = design.gather(design.weights * y * y)
            for _ in range(2):  # the second time takes what rounding left
                means = design.gather(design.weights * y) / self._intercept_weights
                self._label_means = self._label_means + means
                y = y - design.spread(means)
            # Constant labels leave rounding noise, which is nothing to fit.
            left = design.gather(design.weights * y * y)
            constant = left <= (64 * np.finfo(np.float64).eps) ** 2 * sizes
            y = np.where(design.spread(constant), 0.0, y)
        self.y = np.asarray(y, dtype=np.float64)
        self._by_dtype: dict[Any, tuple[Array, Array]] = {}
        # Shared with the copies that differ in their penalty.
        self._constant: dict[str, Array] = {}

    def with_penalty(self, penalty: Penalty | None) -> "Objective":
        """The same design, labels and loss with another penalty; what they determine is kept."""
        other = copy.copy(self)
        other._set_penalty(penalty)
        for name in ("curvature", "has_free_task", "spectrum"):
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
        return self.minimise_intercepts(point)

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
        # Pairwise summation keeps the digits that a certificate needs.
        value = float((weights * self.loss.value(y, point.Z)).sum())
        return value if self.quadratic is None else value + self.quadratic.value(point.W)

    def gradient(self, point: Point) -> tuple[Array, Array]:
        """The smooth part's gradient in W and in b."""
        y, weights = self._labels(point.Z.dtype)
        U = weights * self.loss.gradient(y, point.Z)
        G = self.design.adjoint(U)
        if self.quadratic is not None:
            G += self.quadratic.gradient(point.W)
        return G, self.gather(U)

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
        if not self.has_feature_metric:
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
    def has_curvature_bound(self) -> bool:
        """Whether ``curvature`` is proven, or an estimate that is not far below a proven one."""
        return bool(np.isfinite(self.loss.curvature_bound))

    @property
    def has_newton(self) -> bool:
        """Whether there is no penalty but a quadratic, and the Hessians fit into memory."""
        d, columns = self.design.n_features, self.design.n_columns
        fits = 8 * d * d * columns <= _GRAM_BYTES and d <= 2000
        return self.penalty is None and fits

    def newton_step(self, point: Point, gradient: tuple[Array, Array]) -> tuple[Array, Array]:
        """The minimiser, relative to the point, of the smooth part's quadratic model."""
        H = self._curvature_weights(point)
        ridges = np.zeros(self.design.n_columns)
        if self.quadratic is not None:
            ridges = self.quadratic.task_curvature(self.design.n_columns)
        return newton_direction(self.design, H, self._hessians(H), ridges, gradient)

    # Exact solutions of the smooth part, for a solver that splits

    @property
    def has_feature_metric(self) -> bool:
        """Whether a gradient step may take each feature in its own scale."""
        return self.penalty is None or self.penalty.separates_over_rows

    @property
    def has_spectrum(self) -> bool:
        """Whether the smooth part is a quadratic whose eigenbasis costs less than iterating."""
        design = self.design
        d, columns = design.n_features, design.n_grams
        if not self.loss.constant_curvature or d > 2000 or 8 * d * d * columns > _GRAM_BYTES:
            return False
        factorising = 10 * columns * d**3 + design.gram_products
        return factorising < _TYPICAL_ITERATIONS * 2 * design.products

    @cached_property
    def spectrum(self) -> Spectrum:
        """The smooth part in the eigenbasis of its Hessian."""
        design = self.design
        eigenvalues, bases = self.kept_if_constant(
            "spectrum", lambda: np.linalg.eigh(self._hessians(design.weights))
        )
        ridges = np.zeros(design.n_columns)
        if self.quadratic is not None:
            ridges = self.quadratic.task_curvature(design.n_columns)
        linear = -self.gradient(self.null)[0]
        mean_free = self.penalty is not None and self.penalty.leaves_mean_free
        eigenvalues = np.maximum(eigenvalues, 0.0) + ridges[:, None]
        return Spectrum(eigenvalues, bases, linear, mean_free=mean_free)

    def _hessians(self, H: Array) -> Array:
        return self.kept_if_constant("hessians", lambda: self.design.centred_gram(H))

    def kept_if_constant(self, name: str, make: Callable[[], Any]) -> Any:
        """What ``make`` returns, computed once where the loss has the same curvature everywhere."""
        if not self.loss.constant_curvature:
            return make()
        if name not in self._constant:
            self._constant[name] = make()
        return self._constant[name]

    # The certificate

    def bounds(self, point: Point) -> tuple[float, float]:
        """P at the point and a lower bound of min P, both in float64.

        The bound is -inf where no dual point was found.
        """
        if point.Z.dtype != np.float64:
            W, b = point.W.astype(np.float64), point.b.astype(np.float64)
            point = self.point(W, b)
        return self.value(point), dual_value(self, point)

    @cached_property
    def has_free_task(self) -> bool:
        """Whether some column of W has no penalty at all."""
        if self.penalty is not None:
            return False
        if self.quadratic is None:
            return True
        return bool((self.quadratic.task_curvature(self.design.n_columns) == 0).any())

    def is_separated(self, point: Point) -> bool:
        """Whether some unpenalised task has all its labels on their side, for ever further."""
        if not (self.has_free_task and self.loss.recedes):
            return False
        wrong = self.design.weights * (self.y * point.Z <= 0)
        separated = self.design.gather(wrong) == 0
        alone = len(separated) == self.design.n_columns
        return bool(separated.any() if alone else separated.all())

    # Intercepts

    @cached_property
    def _intercept_weights(self) -> Array:
        return self.gather(self.design.weights)

    def gather(self, U: Array) -> Array:
        """Sums over the labels of each intercept (n_intercepts,)."""
        return self.design.gather(U) if self.design.n_intercepts else np.zeros(0, dtype=U.dtype)

    def intercept_newton(self, U: Array, H: Array) -> Array:
        """Minus the Newton step of each intercept, for loss gradients U and curvatures H."""
        weights = self.design.weights
        slope, bend = self.design.gather(weights * U), self.design.gather(weights * H)
        return np.divide(slope, bend, out=np.zeros_like(slope), where=bend > 0)

    def minimise_intercepts(self, point: Point) -> Point:
        """Damped Newton steps on b, each intercept on its own, W fixed."""
        if not self.design.n_intercepts:
            return point
        design, y = self.design, self.y
        b, Z = point.b.astype(np.float64), point.Z.astype(np.float64)
        values = design.gather(design.weights * self.loss.value(y, Z))
        for _ in range(_MAX_INTERCEPT_STEPS):
            step = -self.intercept_newton(self.loss.gradient(y, Z), self.loss.newton_weight(y, Z))
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
        return np.asarray(weights * self.loss.newton_weight(y, point.Z))

    def _labels(self, dtype: Any) -> tuple[Array, Array]:
        """Labels and weights in a precision."""
        dtype = np.dtype(dtype)
        if dtype not in self._by_dtype:
            weights = self.design.weights
            self._by_dtype[dtype] = (
                self.y.astype(dtype, copy=False),
                weights.astype(dtype, copy=False),
            )
        return self._by_dtype[dtype]
