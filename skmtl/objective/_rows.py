"""An objective on rows of data: design + loss + quadratic, and a penalty with a prox."""

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Any, Self

import numpy as np

from skmtl._numerics import Spectrum
from skmtl.design import ColumnGram, Design, newton_direction
from skmtl.losses import Loss
from skmtl.objective._base import Array, BaseObjective
from skmtl.objective._certificate import Dual, dual_of
from skmtl.objective._gram import GramObjective
from skmtl.objective._intercepts import dual_rounding, minimise_intercepts
from skmtl.objective._models import (
    FEWEST_ROWS,
    NO_GRAM,
    NO_GRAMS,
    SAMPLED,
    CurvedModel,
    DenseModel,
    GramModel,
    RowModel,
    SparseModel,
    first_rows,
    worthwhile_rows,
)
from skmtl.objective._point import Point
from skmtl.objective._separation import is_separated
from skmtl.penalties import Penalty

_GRAM_BYTES = 2**29
# The largest number of features for a model of all of W.
_LARGEST_MODEL = 300
_TYPICAL_ITERATIONS = 100
_MAX_HALVINGS = 30
_LEAST_CURVATURE = 1e-6
_ROUNDING_STEPS = 8
# A Gram matrix of more columns than this many times the rows costs more than the rows.
_GRAM_ROWS = 1.5


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
        # Predictors without a label are 0: whatever X holds there, no loss overflows.
        unlabelled = design.weights == 0
        self._unlabelled = unlabelled if unlabelled.any() else None
        self._by_dtype: dict[Any, tuple[Array, Array]] = {}
        # Shared with the copies that differ in their penalty.
        self._constant: dict[str, Any] = {}
        self._gradient: tuple[Point, Array, Array] | None = None

    def restricted(self, features: Array, point: Point) -> tuple[Self, Point]:
        other = copy.copy(self)
        other.design = self.design.columns(features)
        other.n_features, other._constant, other._gradient = len(features), {}, None
        other._certified = None
        other._restrict_penalty(features)
        if self.loss.constant_curvature and self.design.has_common_columns:
            other._constant["columns"] = self.column_gram.restricted(features)
        W = point.W[features]
        if np.count_nonzero(W) < np.count_nonzero(point.W):
            return other, other.minimise_intercepts(other.point(W, point.b))
        left = Point(W, point.b, point.Z)
        U, G = self.loss_gradient(point)
        other._gradient = left, U, G[features]
        return other, left

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

    def shifted(self, point: Point, step: Array) -> Point:
        """The point with its intercepts moved by a step."""
        Z = self._of_labels(point.Z + self.design.spread(step))
        return Point(point.W, point.b + step, Z)

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
        return G, self.intercept_gradient(point.b, self._labels(U.dtype)[1] * U)

    @cached_property
    def curvature(self) -> tuple[float, Array, Array]:
        loss = self.loss.curvature_bound if np.isfinite(self.loss.curvature_bound) else 1.0
        ridge = 0.0 if self.quadratic is None else self.quadratic.lipschitz()
        metric = self.feature_metric(loss * self.design.feature_curvature().max(axis=0), ridge)
        bound = loss * self.design.squared_norm(1 / np.sqrt(metric)) + (ridge / metric).max()
        bound = max(bound, np.finfo(np.float64).eps)
        return bound, metric[:, None], loss * self._intercept_weights / bound

    def excess_curvature(self, old: Point, new: Point) -> float:
        # Sums of squares, or nearly: nothing cancels, however short the step.
        y, weights = self._labels(new.Z.dtype)
        step = new.Z - old.Z
        if self.has_curvature_bound:
            flat = step.ravel()
            bent = self.loss.curvature_bound * np.einsum("i,i,i->", weights.ravel(), flat, flat)
        else:
            # Steps within the predictors' rounding error say nothing about the curvature.
            rounding = _ROUNDING_STEPS * np.finfo(step.dtype).eps * np.abs(new.Z).max(initial=0.0)
            step = np.sign(step) * np.maximum(np.abs(step) - rounding, 0)
            bent = 2 * (weights * self.loss.divergence_bound(y, old.Z, step)).sum()
        quadratic = self.quadratic
        return float(bent + (0.0 if quadratic is None else 2 * quadratic.value(new.W - old.W)))

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
        ridges = self._ridges_or_coupling
        return self.direction(self.design, H, self._hessians(H), ridges, gradient)

    # What an objective may have otherwise
    direction = staticmethod(newton_direction)

    @property
    def has_row_models(self) -> bool:
        possible = self.thresholds is not None and self.n_columns == self.n_tasks
        return possible and self.largest_set >= min(self.n_features, FEWEST_ROWS)

    @property
    def largest_set(self) -> int:
        if self.loss.constant_curvature and self.design.has_common_columns:
            return self.n_features
        fits = np.sqrt(_GRAM_BYTES / (8 * self.n_columns))
        pay = np.inf if self.loss.constant_curvature else self._worthwhile_rows
        return int(min(fits, max(pay, FEWEST_ROWS)))

    @property
    def _worthwhile_rows(self) -> float:
        """The rows of W at which models begin to cost more than gradient steps in all of them."""
        design, n_grams, size = self.design, self.n_columns, self.design.weights.size
        # Sparse matrices take few products.
        n_rows = 0 if design.is_sparse else size // n_grams
        return worthwhile_rows(design.products, size, n_grams, n_rows)

    @property
    def is_quadratic(self) -> bool:
        return self.loss.constant_curvature

    @property
    def rows_per_product(self) -> float:
        # s rows: n s^2 for each Gram matrix, some ten sweeps of s^2 T. Half of what is fair.
        design = self.design
        if not self.loss.constant_curvature:
            return first_rows(self.n_features, design.products / self.n_columns)
        labels = len(design.weights) if design.has_common_columns else design.weights.size
        return float(np.sqrt(design.products / (labels + 10 * self.n_columns)) / 2)

    def row_model(self, point: Point, features: Array, effort: int = 0) -> RowModel:
        U, G = self.loss_gradient(point)
        weights, design = self.design.weights, self.design
        if self.loss.constant_curvature and design.has_common_columns:
            if design.is_sparse:
                columns, means = design.sparse_columns(features)
                factors = design.task_factors
                return SparseModel(columns, means, design.row_weights, factors, -U)
            if len(features) > _GRAM_ROWS * len(weights):
                columns = self.column_gram.rows(features)
                residual = np.ascontiguousarray(-U.T * np.sqrt(design.row_weights))
                return DenseModel(columns, design.task_factors, residual)
        bend = self._model_curvature(point)
        square, slope = self._model_square(bend, U), -G[features]
        if self.loss.constant_curvature and design.has_common_columns:
            gram = self.column_gram.of(features)
            return GramModel(gram, design.task_factors, NO_GRAMS, slope, square, bend)
        if len(features) < self.n_features:
            design = design.columns(features)
        if self.loss.constant_curvature:
            grams = design.centred_gram(weights * bend)
        else:
            grams = design.rough_grams(weights * bend, SAMPLED * len(features) * 4**effort)
        factors = np.ones(self.n_columns)
        if len(grams) == 1:  # all labels have the null point's curvature
            return GramModel(grams[0], factors, NO_GRAMS, slope, square, bend)
        grams = np.ascontiguousarray(grams.transpose(1, 2, 0))
        return GramModel(NO_GRAM, factors, grams, slope, square, bend)

    @property
    def has_quadratic_models(self) -> bool:
        d, n_tasks = self.n_features, self.n_columns
        affordable = d <= _LARGEST_MODEL and 8 * d * d * n_tasks <= _GRAM_BYTES
        return affordable and not self.loss.constant_curvature and n_tasks == self.n_tasks

    def quadratic_model(self, point: Point, *, majorise: bool = False) -> GramObjective:
        U, G = self.loss_gradient(point)
        bend = self._model_curvature(point)
        if majorise and self.has_curvature_bound:
            bend = np.full_like(bend, self.loss.curvature_bound)
        grams = self.design.centred_gram(self.design.weights * bend)
        if len(grams) < self.n_columns:
            grams = np.repeat(grams, self.n_columns, axis=0)
        linear = np.einsum("tij,jt->it", grams, point.W) - G
        # The squared residual at W = 0, from that at the point; rounding may make it negative.
        square = max(self._model_square(bend, U) + float(np.vdot(point.W, linear - G)), 0.0)
        counts = self.design.gather((self.design.weights > 0).astype(np.float64))
        parts = self.penalty, self.quadratic
        return GramObjective.of_model(grams, linear, square, counts, parts)

    def settled(self, point: Point) -> Point:
        return self.minimise_intercepts(point)

    def renewed_model(self, model: CurvedModel, point: Point) -> RowModel:
        U, G = self.loss_gradient(point)
        assert model.bend is not None
        square = self._model_square(model.bend, U)
        return replace(model, slope=-G, residual=square)  # type: ignore[type-var]

    def _model_curvature(self, point: Point) -> Array:
        """The curvature of each label in a quadratic model, no less than a share of its task's.

        With hardly any curvature its residual would be so large that rounding hides the others.
        """
        bend, weights = self.loss.newton_weight(self.y, point.Z), self.design.weights
        means = self.design.gather(weights * bend) / self.design.gather(weights)
        least = np.maximum(_LEAST_CURVATURE * means, np.finfo(np.float64).tiny)
        return np.asarray(np.maximum(bend, self.design.spread(least)))

    def _model_square(self, bend: Array, U: Array) -> float:
        """The squared residual of a quadratic model with a curvature for each label."""
        return float((self.design.weights * U * U / bend).sum())

    def move_rows(self, point: Point, features: Array, rows: Array) -> Point:
        W = point.W.copy()
        W[features] = rows
        if self.loss.constant_curvature:
            return self.point(W, point.b)
        return self._searched(point, W)

    def _searched(self, point: Point, W: Array) -> Point:
        """A point on the way to W where the objective has fallen, with the best intercepts."""
        if not np.isfinite(W).all():
            return point
        (G, _), D = self.gradient(point), W - point.W
        b = np.zeros_like(point.b)
        Z = self._predictors(D, b)
        if self.design.n_intercepts:
            # The best intercepts follow, to first order.
            b = -self.intercept_newton(point, self.loss.gradient_change(self.y, point.Z, Z))
            Z = self._of_labels(Z + self.design.spread(b))
        value, penalty = self.value(point), self.penalty
        assert penalty is not None
        decrease = float(np.vdot(G, D)) + penalty.value(W) - penalty.value(point.W)
        size = 1.0
        for _ in range(_MAX_HALVINGS):
            new = Point(point.W + size * D, point.b + size * b, point.Z + size * Z)
            if self.value(new) <= value + 1e-3 * size * decrease + 1e-15 * abs(value):
                return self.minimise_intercepts(new)
            size /= 2
        return point

    @property
    def column_gram(self) -> ColumnGram:
        """The Gram matrix of the columns asked for so far."""
        made: ColumnGram = self.kept_if_constant("columns", lambda: ColumnGram(self.design))
        return made

    @property
    def has_spectrum(self) -> bool:
        design, d = self.design, self.n_features
        if not self.loss.constant_curvature or self._couples_tasks:
            return False
        if d > 2000 or 8 * d * d * design.n_grams > _GRAM_BYTES:
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

    @cached_property
    def column_squares(self) -> Array:
        loss: Array = self.loss.curvature_bound * self.design.feature_curvature().max(axis=0)
        return loss

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

    def dual(self, point: Point) -> Dual:
        return dual_of(self, point)

    def is_separated(self, point: Point) -> bool:
        return is_separated(self, point)

    # Intercepts

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

    def minimise_intercepts(self, point: Point) -> Point:
        """The point with the best intercepts for its W (float64)."""
        return minimise_intercepts(self, point) if self.design.n_intercepts else point

    def balances(self, U: Array) -> bool:
        """Whether loss gradients U vanish, but for rounding, along the free intercepts."""
        weights = self.design.weights
        sums = np.abs(self.gather(weights * U))
        return bool((sums <= self.gather(weights * dual_rounding(self.y, U))).all())

    def intercept_conjugate(self, U: Array) -> float:
        """The part of the dual that what holds the intercepts takes at loss gradients U."""
        return 0.0

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
