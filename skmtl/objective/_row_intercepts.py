"""Rows of data with labels: points, their predictors, and the best intercepts."""

from functools import cached_property
from typing import Any

import numpy as np

from skmtl.design import Design
from skmtl.losses import Loss
from skmtl.objective._base import Array, BaseObjective
from skmtl.penalties import Penalty
from skmtl.solvers import Point

_MAX_STEPS = 50
_MAX_HALVINGS = 40


class RowIntercepts(BaseObjective):
    """Design, labels and intercepts; the hooks are what holds the intercepts besides the loss.

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
        # Predictors without a label are 0: whatever X holds there, no loss overflows.
        unlabelled = design.weights == 0
        self._unlabelled = unlabelled if unlabelled.any() else None
        self._by_dtype: dict[Any, tuple[Array, Array]] = {}

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

    # Points

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

    def point(self, W: Array, b: Array) -> Point:
        return Point(W, b, self._predictors(W, b))

    def _predictors(self, W: Array, b: Array) -> Array:
        """The image Z of (W, b), 0 where there is no label."""
        Z = self.design.forward(W)
        if self.design.n_intercepts:
            Z += self.design.spread(b)
        return self._of_labels(Z)

    def _of_labels(self, Z: Array) -> Array:
        """Z with zeros where there is no label, in place."""
        if self._unlabelled is not None:
            np.copyto(Z, 0.0, where=self._unlabelled)
        return Z

    def _shifted(self, point: Point, step: Array) -> Point:
        """The point with its intercepts moved by a step."""
        Z = self._of_labels(point.Z + self.design.spread(step))
        return Point(point.W, point.b + step, Z)

    # Intercepts

    def intercepts(self, point: Point) -> Array:
        if not self.design.n_intercepts:
            return np.zeros(self.n_tasks)
        return self.design.uncentre(point.W.astype(np.float64), point.b + self._label_means)

    def settled(self, point: Point) -> Point:
        return self.minimise_intercepts(point)

    def minimise_intercepts(self, point: Point) -> Point:
        """The point with the best intercepts for its W (float64), by damped Newton steps."""
        if not self.design.n_intercepts:
            return point
        point = Point(point.W, point.b.astype(np.float64), point.Z.astype(np.float64))
        values = self.intercept_values(point)
        for _ in range(_MAX_STEPS):
            step = -self.intercept_newton(point, self.loss.gradient(self.y, point.Z))
            tried, reached = point, values
            for _ in range(_MAX_HALVINGS):
                tried = self._shifted(point, step)
                reached = self.intercept_values(tried)
                # Ignore increases within rounding error.
                worse = reached > values * (1 + 1e-13)
                if not worse.any():
                    break
                step = np.where(worse, step / 2, step)
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
        """The gradient in b of all that depends on it, from weighted loss gradients U."""
        return self.gather(U)

    def intercept_newton(self, point: Point, U: Array) -> Array:
        """Minus the Newton step of each intercept at a point with loss gradients U."""
        weights, H = self.design.weights, self.loss.newton_weight(self.y, point.Z)
        slope, bend = self.design.gather(weights * U), self.design.gather(weights * H)
        return np.divide(slope, bend, out=np.zeros_like(slope), where=bend > 0)

    def intercept_values(self, point: Point) -> Array:
        """What a step of each intercept must not raise: the loss of its labels."""
        return self.design.gather(self.design.weights * self.loss.value(self.y, point.Z))

    def balances(self, U: Array) -> bool:
        """Whether loss gradients U vanish, but for rounding, along the free intercepts."""
        weights = self.design.weights
        sums = np.abs(self.gather(weights * U))
        return bool((sums <= self.gather(weights * self._rounding(U))).all())

    def _rounding(self, U: Array) -> Array:
        """How much of each loss gradient may be rounding."""
        return np.asarray(1e-11 * np.abs(U) + 1e-15 * (1 + np.abs(self.y)))

    def intercept_conjugate(self, U: Array) -> float:
        """The part of the dual that what holds the intercepts takes at loss gradients U."""
        return 0.0
