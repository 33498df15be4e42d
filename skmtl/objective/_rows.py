"""An objective on rows of data: design + loss + quadratic, and a penalty with a prox."""

import copy
from collections.abc import Callable
from functools import cached_property
from typing import Any, Self

import numpy as np

from skmtl.certificate import dual_value
from skmtl.design import ColumnGram, Design, newton_direction
from skmtl.losses import Loss
from skmtl.objective._base import Array, BaseObjective, Point, QuadraticModel
from skmtl.penalties import Penalty
from skmtl.spectrum import Spectrum

_MAX_INTERCEPT_STEPS = 50
_GRAM_BYTES = 2**29
_TYPICAL_ITERATIONS = 100


class Objective(BaseObjective):
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
        self.n_features, self.n_columns = design.n_features, design.n_columns
        # More than columns of W when tasks are pooled.
        self.n_tasks = int(getattr(design, "tasks", design).n_columns)
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
        self._constant: dict[str, Any] = {}
        self._gradient: tuple[Point, Array, Array] | None = None

    def restricted(self, features: Array) -> Self:
        """The same problem in the rows ``features`` of W alone, the others zero.

        The penalty separates over rows.
        """
        other = copy.copy(self)
        other.design = self.design.columns(features)
        other.n_features, other._constant, other._gradient = len(features), {}, None
        other._certified = None
        for name in ("null", *self._of_penalty):
            other.__dict__.pop(name, None)
        return other

    # What a fit starts from, is measured by, and returns

    @cached_property
    def null(self) -> Point:
        W = np.zeros((self.n_features, self.n_columns))
        Z = np.zeros(self.design.weights.shape)
        return self.minimise_intercepts(Point(W, np.zeros(self.design.n_intercepts), Z))

    def start(self, W: Array | None = None, intercepts: Array | None = None) -> Point:
        if W is None or intercepts is None:
            return self.null.astype(self.dtype)
        W = np.ascontiguousarray(W, dtype=self.dtype)
        b = np.zeros(0)
        if self.design.n_intercepts:
            b = self.design.recentre(W, intercepts) - self._label_means
        return self.point(W, b.astype(self.dtype))

    def intercepts(self, point: Point) -> Array:
        if not self.design.n_intercepts:
            return np.zeros(self.n_tasks)
        return self.design.uncentre(point.W.astype(np.float64), point.b + self._label_means)

    def point(self, W: Array, b: Array) -> Point:
        Z = self.design.forward(W)
        if self.design.n_intercepts:
            Z += self.design.spread(b)
        return Point(W, b, Z)

    # The smooth part

    def loss_value(self, point: Point) -> float:
        y, weights = self._labels(point.Z.dtype)
        # Pairwise summation keeps the digits that a certificate needs.
        return float((weights * self.loss.value(y, point.Z)).sum())

    def loss_gradient(self, point: Point) -> tuple[Array, Array]:
        """The loss's derivative at each label and the gradient in W, kept for the last point."""
        if self._gradient is None or self._gradient[0] is not point:
            y, weights = self._labels(point.Z.dtype)
            U = self.loss.gradient(y, point.Z)
            self._gradient = point, U, self.design.adjoint(weights * U)
        return self._gradient[1:]

    def gradient(self, point: Point) -> tuple[Array, Array]:
        U, G = self.loss_gradient(point)
        if self.quadratic is not None:
            G = G + self.quadratic.gradient(point.W)
        return G, self.gather(self._labels(U.dtype)[1] * U)

    @cached_property
    def curvature(self) -> tuple[float, Array, Array]:
        loss = self.loss.curvature_bound if np.isfinite(self.loss.curvature_bound) else 1.0
        ridge = 0.0 if self.quadratic is None else self.quadratic.lipschitz()
        metric = self.feature_metric(loss * self.design.feature_curvature().max(axis=0), ridge)
        bound = loss * self.design.squared_norm(1 / np.sqrt(metric)) + (ridge / metric).max()
        bound = max(bound, np.finfo(np.float64).eps)
        return bound, metric[:, None], loss * self._intercept_weights / bound

    def excess_curvature(self, old: Point, new: Point, gradient: tuple[Array, Array]) -> float:
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

    @property
    def has_curvature_bound(self) -> bool:
        return bool(np.isfinite(self.loss.curvature_bound))

    # Models of second order

    @property
    def has_newton(self) -> bool:
        d = self.n_features
        fits = 8 * d * d * self.n_columns <= _GRAM_BYTES and d <= 2000
        return self.penalty is None and fits

    def newton_step(self, point: Point, gradient: tuple[Array, Array]) -> tuple[Array, Array]:
        H = self._curvature_weights(point)
        return newton_direction(self.design, H, self._hessians(H), self._ridges, gradient)

    def quadratic_model(self, point: Point, features: Array) -> QuadraticModel:
        """The loss near a point with the best intercepts, in some rows of W."""
        U, G = self.loss_gradient(point)
        y, weights = self._labels(point.Z.dtype)
        bend = self.loss.newton_weight(y, point.Z)
        residual = np.divide(U * U, bend, out=np.zeros_like(U), where=bend > 0)
        gram, factors = np.zeros((0, 0)), np.ones(self.n_columns)
        grams = np.zeros((0, 0, 0))
        if self.loss.constant_curvature and self.design.n_grams == 1:
            gram, factors = self.column_gram.of(features), self.design.task_factors
        else:
            part = self.design.columns(features)
            grams = np.ascontiguousarray(part.centred_gram(weights * bend).transpose(1, 2, 0))
        slope = np.ascontiguousarray(-G[features], dtype=np.float64)
        return QuadraticModel(gram, factors, grams, slope, float((weights * residual).sum()))

    @property
    def column_gram(self) -> ColumnGram:
        """The Gram matrix of the columns asked for so far."""
        made: ColumnGram = self.kept_if_constant("columns", lambda: ColumnGram(self.design))
        return made

    @property
    def has_spectrum(self) -> bool:
        design, d = self.design, self.n_features
        if not self.loss.constant_curvature or d > 2000 or 8 * d * d * design.n_grams > _GRAM_BYTES:
            return False
        factorising = 10 * design.n_grams * d**3 + design.gram_products
        return factorising < _TYPICAL_ITERATIONS * 2 * design.products

    @cached_property
    def spectrum(self) -> Spectrum:
        eigenvalues, bases = self.kept_if_constant(
            "spectrum", lambda: np.linalg.eigh(self._hessians(self.design.weights))
        )
        linear = -self.gradient(self.null)[0]
        mean_free = self.penalty is not None and self.penalty.leaves_mean_free
        eigenvalues = np.maximum(eigenvalues, 0.0) + self._ridges[:, None]
        return Spectrum(eigenvalues, bases, linear, mean_free=mean_free)

    def squared_norm(self) -> float:
        return self.design.squared_norm(np.ones(self.n_features))

    def _hessians(self, H: Array) -> Array:
        hessians: Array = self.kept_if_constant("hessians", lambda: self.design.centred_gram(H))
        return hessians

    def kept_if_constant(self, name: str, make: Callable[[], Any]) -> Any:
        """What ``make`` returns, computed once where the loss has the same curvature everywhere."""
        if not self.loss.constant_curvature:
            return make()
        if name not in self._constant:
            self._constant[name] = make()
        return self._constant[name]

    # The certificate

    def _bounds(self, point: Point) -> tuple[float, float]:
        if point.Z.dtype != np.float64:
            W, b = point.W.astype(np.float64), point.b.astype(np.float64)
            point = self.point(W, b)
        return self.value(point), dual_value(self, point)

    def is_separated(self, point: Point) -> bool:
        if not (self.has_free_task and self.loss.recedes):
            return False
        wrong = self.design.weights * (self.y * point.Z <= 0)
        separated = self.design.gather(wrong) == 0
        alone = len(separated) == self.n_columns
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
