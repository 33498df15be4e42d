"""The loss on rows of data: value, gradient, curvature and Newton steps."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from skmtl._numerics import Coupling
from skmtl.design import Design, newton_direction
from skmtl.losses import Loss
from skmtl.objective._base import MOST_FEATURES, Array
from skmtl.objective._depends import depends_on, forget
from skmtl.objective._row_intercepts import RowIntercepts
from skmtl.penalties import Penalty
from skmtl.solvers import Point

# The largest size of the matrices of a second-order model.
GRAM_BYTES = 2**29
_ROUNDING_STEPS = 8
_LEAST_CURVATURE = 1e-6


class RowLoss(RowIntercepts):
    """The smooth part of an objective on rows of data."""

    def __init__(self, design: Design, y: Array, loss: Loss, penalty: Penalty | None) -> None:
        super().__init__(design, y, loss, penalty)
        # Shared between copies with different penalties.
        self._constant: dict[str, Any] = {}
        self._gradient: tuple[Point, Array, Array] | None = None
        self._value: tuple[Array, float] | None = None

    @depends_on("loss")
    def null_value(self) -> float:
        """The null objective; with offsets that of the labels alone, if it is smaller.

        It is the scale of the tolerance, which offsets far from the labels must not loosen.
        """
        value, loss = self.smooth_value(self.null), self.loss.without_offset
        if loss is self.loss:
            return value
        plain = copy.copy(self)
        plain.loss, plain._constant, plain._gradient, plain._value = loss, {}, None, None
        forget(plain, "loss")
        return min(value, plain.smooth_value(plain.null))

    def loss_value(self, point: Point) -> float:
        """The loss, cached for the last linear predictors."""
        if self._value is None or self._value[0] is not point.Z:
            y, weights = self._labels(point.Z.dtype)
            # Pairwise summation, for the accuracy that certificates need.
            value = float((weights * self.loss.value(y, point.Z)).sum())
            self._value = point.Z, value
        return self._value[1]

    def loss_gradient(self, point: Point) -> tuple[Array, Array]:
        """The loss's derivative at each label and its gradient in W, cached for the last point."""
        if self._gradient is None or self._gradient[0] is not point:
            y, weights = self._labels(point.Z.dtype)
            U = self.loss.gradient(y, point.Z)
            self._gradient = point, U, self.design.adjoint(weights * U)
        return self._gradient[1:]

    def gradient(self, point: Point) -> tuple[Array, Array]:
        U, G = self.loss_gradient(point)
        if self.quadratic is not None:
            G = G + self.quadratic.gradient(point.W)
        return G, self.intercept_gradient(point.b, self._labels(U.dtype)[1] * U)

    @depends_on("loss", "penalty", "features")
    def curvature(self) -> tuple[float, Array, Array]:
        loss = self.loss.curvature_bound if np.isfinite(self.loss.curvature_bound) else 1.0
        ridge = self._largest_ridge
        metric = self.feature_metric(loss * self.design.feature_curvature().max(axis=0), ridge)
        bound = loss * self.design.squared_norm(1 / np.sqrt(metric)) + (ridge / metric).max()
        bound = max(bound, np.finfo(np.float64).eps)
        return bound, metric[:, None], loss * self._intercept_weights / bound

    def excess_curvature(self, old: Point, new: Point) -> float:
        # Sums of non-negative terms, without cancellation for short steps.
        y, weights = self._labels(new.Z.dtype)
        step = new.Z - old.Z
        if self.has_curvature_bound:
            flat = step.ravel()
            bent = self.loss.curvature_bound * np.einsum("i,i,i->", weights.ravel(), flat, flat)
        else:
            # Differences within rounding error are not evidence of curvature.
            rounding = _ROUNDING_STEPS * np.finfo(step.dtype).eps * np.abs(new.Z).max(initial=0.0)
            step = np.sign(step) * np.maximum(np.abs(step) - rounding, 0)
            bent = 2 * (weights * self.loss.divergence_bound(y, old.Z, step)).sum()
        quadratic = self.quadratic
        return float(bent + (0.0 if quadratic is None else 2 * quadratic.value(new.W - old.W)))

    @property
    def has_curvature_bound(self) -> bool:
        return bool(np.isfinite(self.loss.curvature_bound))

    @depends_on("loss", "features")
    def column_squares(self) -> Array:
        squares: Array = self.loss.curvature_bound * self.design.feature_curvature().max(axis=0)
        return squares

    def squared_norm(self) -> float:
        return self.design.squared_norm(np.ones(self.n_features))

    def model_curvature(self, point: Point) -> Array:
        """The curvature of each label in a quadratic model, at least a share of its task's mean.

        The residual of a label with almost no curvature would be so large that the others were
        lost to rounding error.
        """
        bend, weights = self.loss.newton_weight(self.y, point.Z), self.design.weights
        means = self.design.gather(weights * bend) / self.design.gather(weights)
        least = np.maximum(_LEAST_CURVATURE * means, np.finfo(np.float64).tiny)
        return np.asarray(np.maximum(bend, self.design.spread(least)))

    def model_square(self, bend: Array, U: Array) -> float:
        """The squared residual of a quadratic model with the given curvature of each label."""
        return float((self.design.weights * U * U / bend).sum())

    # Newton steps

    @property
    def has_newton(self) -> bool:
        d = self.n_features
        fits = 8 * d * d * self.n_columns <= GRAM_BYTES and d <= MOST_FEATURES
        return self.penalty is None and fits

    def newton_step(self, point: Point, gradient: tuple[Array, Array]) -> tuple[Array, Array]:
        y, weights = self._labels(point.Z.dtype)
        H = np.asarray(weights * self.loss.newton_weight(y, point.Z))
        return self.direction(self.design, H, self._hessians(H), self._ridges_or_coupling, gradient)

    def direction(
        self,
        design: Design,
        H: Array,
        grams: Array,
        ridges: Array | Coupling,
        gradient: tuple[Array, Array],
    ) -> tuple[Array, Array]:
        """The Newton step in W and the intercepts, for a design."""
        return newton_direction(design, H, grams, ridges, gradient)

    def _hessians(self, H: Array) -> Array:
        hessians: Array = self.kept_if_constant("hessians", lambda: self.design.centred_gram(H))
        return hessians

    def kept_if_constant(self, name: str, make: Callable[[], Any]) -> Any:
        """The result of ``make``, cached if the curvature of the loss is constant."""
        if not self.loss.constant_curvature:
            return make()
        if name not in self._constant:
            self._constant[name] = make()
        return self._constant[name]
