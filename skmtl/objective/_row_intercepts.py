"""Rows of data: points, their linear predictors, and the best intercepts."""

from functools import cached_property
from typing import Any, Self

import numpy as np

from skmtl.design import CONSTANT, Design
from skmtl.losses import Loss
from skmtl.objective._base import Array, BaseObjective, parts_of
from skmtl.objective._depends import depends_on
from skmtl.penalties import Penalty
from skmtl.solvers import Point

_MAX_STEPS = 50
_MAX_HALVINGS = 40


class RowIntercepts(BaseObjective):
    """Design, labels and intercepts. Subclasses may penalise the intercepts.

    Parameters
    ----------
    design : Design
    y : ndarray in the shape of the design's labels, finite; arbitrary where the weight is 0
    loss : Loss
    penalty : Penalty or None
    """

    def __init__(self, design: Design, y: Array, loss: Loss, penalty: Penalty | None) -> None:
        self.design, self.loss = design, loss
        self.n_features, self.n_columns = design.n_features, design.n_columns
        self.n_tasks = design.n_tasks
        self._set_parts(*parts_of(penalty))
        self.dtype = np.dtype(design.dtype)
        self._shift = np.zeros(design.n_intercepts)
        if loss.translates and design.n_intercepts:
            # Large means would cause cancellation in every residual.
            sizes = design.gather(design.weights * y * y)
            for _ in range(2):  # the second pass removes rounding error
                means = design.gather(design.weights * y) / self._intercept_weights
                self._shift = self._shift + means
                y = y - design.spread(means)
            # For constant labels only rounding error remains, which must not be fitted.
            left = design.gather(design.weights * y * y)
            constant = left <= CONSTANT * sizes
            y = np.where(design.spread(constant), 0.0, y)
        self.y = np.asarray(y, dtype=np.float64)
        # Predictors of missing labels are set to 0, so that the loss cannot overflow there.
        unlabelled = design.weights == 0
        self._unlabelled = unlabelled if unlabelled.any() else None
        self._by_dtype: dict[Any, tuple[Array, Array]] = {}

    def _labels(self, dtype: Any) -> tuple[Array, Array]:
        """Labels and weights in the given precision."""
        dtype = np.dtype(dtype)
        if dtype not in self._by_dtype:
            weights = self.design.weights
            self._by_dtype[dtype] = (
                self.y.astype(dtype, copy=False),
                weights.astype(dtype, copy=False),
            )
        return self._by_dtype[dtype]

    def with_shift(self, shift: Array) -> Self:
        """This objective, for intercepts that are larger than those of its points by a shift."""
        self._shift = self._shift + shift
        return self

    # Points

    @depends_on("loss", "features")
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
            b = self.design.recentre(W, intercepts) - self._shift
        point = self.point(W, b.astype(self.dtype))
        if self.loss.constant_curvature:
            # Solvers that update W alone rely on it; the start may come from other labels.
            return self.minimise_intercepts(point).astype(self.dtype)
        return point

    def point(self, W: Array, b: Array) -> Point:
        return Point(W, b, self._predictors(W, b))

    def _predictors(self, W: Array, b: Array) -> Array:
        """The linear predictors Z of (W, b), 0 where the label is missing."""
        Z = self.design.forward(W)
        if self.design.n_intercepts:
            Z += self.design.spread(b)
        return self.of_labels(Z)

    def of_labels(self, Z: Array) -> Array:
        """Set Z to 0 where the label is missing, in place."""
        if self._unlabelled is not None:
            np.copyto(Z, 0.0, where=self._unlabelled)
        return Z

    def _shifted(self, point: Point, step: Array) -> Point:
        """The point with its intercepts moved by a step."""
        Z = self.of_labels(point.Z + self.design.spread(step))
        return Point(point.W, point.b + step, Z)

    # Intercepts

    def intercepts(self, point: Point) -> Array:
        if not self.design.n_intercepts:
            return np.zeros(self.n_tasks)
        return self.design.uncentre(point.W.astype(np.float64), point.b + self._shift)

    def settled(self, point: Point) -> Point:
        return self.minimise_intercepts(point)

    def minimise_intercepts(self, point: Point) -> Point:
        """The point with the best intercepts for its W (float64), by damped Newton steps."""
        if not self.design.n_intercepts:
            return point
        point = Point(point.W, point.b.astype(np.float64), point.Z.astype(np.float64))
        values = self.intercept_values(point)
        # Increases that the summation of so many labels may cause are ignored.
        rounding = max(1e-13, len(self.y) * np.finfo(np.float64).eps)
        for _ in range(_MAX_STEPS):
            step = -self.intercept_newton(point, self.loss.gradient(self.y, point.Z))
            tried, reached = point, values
            for _ in range(_MAX_HALVINGS):
                tried = self._shifted(point, step)
                reached = self.intercept_values(tried)
                worse = ~(reached <= values * (1 + rounding))  # also if it is NaN
                if not worse.any():
                    break
                step = np.where(worse, step / 2, step)
            else:
                # Far from the minimum the curvature may be so small that no such step helps.
                step = np.where(worse, 0.0, step)
                tried = self._shifted(point, step)
                reached = self.intercept_values(tried)
            small = np.abs(step) <= 1e-10 * (1 + np.abs(point.b))
            point, values = tried, reached
            if small.all():
                break
        return point

    @cached_property
    def _intercept_weights(self) -> Array:
        return self.gather(self.design.weights)

    def gather(self, U: Array) -> Array:
        """Sums over the labels of each intercept (n_intercepts,)."""
        return self.design.gather(U) if self.design.n_intercepts else np.zeros(0, dtype=U.dtype)

    def intercept_gradient(self, b: Array, U: Array) -> Array:
        """The gradient of the objective in b, from weighted loss gradients U."""
        return self.gather(U)

    def intercept_newton(self, point: Point, U: Array) -> Array:
        """The negative Newton step of each intercept at a point with loss gradients U."""
        weights, H = self.design.weights, self.loss.newton_weight(self.y, point.Z)
        slope, bend = self.design.gather(weights * U), self.design.gather(weights * H)
        return np.divide(slope, bend, out=np.zeros_like(slope), where=bend > 0)

    def intercept_values(self, point: Point) -> Array:
        """The values that a step of each intercept must not increase: the losses of its labels."""
        return self.design.gather(self.design.weights * self.loss.value(self.y, point.Z))

    def balances(self, U: Array) -> bool:
        """Whether loss gradients U vanish along the intercepts, up to rounding error."""
        if not self.design.n_intercepts:
            return True
        weights = self.design.weights
        sums = np.abs(self.gather(weights * U))
        return bool((sums <= self.gather(weights * self._rounding(U))).all())

    def _rounding(self, U: Array) -> Array:
        """The rounding error to expect in each loss gradient."""
        return np.asarray(1e-11 * np.abs(U) + 1e-15 * (1 + np.abs(self.y)))

    def intercept_conjugate(self, U: Array) -> float:
        """The conjugate of the penalty on the intercepts at loss gradients U."""
        return 0.0
