"""The objective on rows of data, with its quadratic models and its eigenbasis."""

import copy
from dataclasses import replace
from typing import Self

import numpy as np

from skmtl._numerics import CoupledSpectrum, Spectrum
from skmtl.design import ColumnGram
from skmtl.objective._base import MOST_FEATURES, Array
from skmtl.objective._class_models import ClassModel
from skmtl.objective._depends import depends_on
from skmtl.objective._gram import GramObjective, Quadratics
from skmtl.objective._kinked import KinkedRows
from skmtl.objective._models import (
    FEWEST_ROWS,
    NO_GRAM,
    NO_GRAMS,
    SAMPLED,
    DenseModel,
    GramModel,
    SparseModel,
    first_rows,
    worthwhile_rows,
)
from skmtl.objective._row_loss import GRAM_BYTES
from skmtl.solvers import ExpandedRowModels, NewtonSteps, Point, QuadraticModels, RowModel, Spectral

# The largest number of features for a model in all of W.
_LARGEST_MODEL = 300
_TYPICAL_ITERATIONS = 100
_MAX_HALVINGS = 30
# With more columns than this many times the rows, a Gram matrix costs more than the columns.
_GRAM_ROWS = 1.5
# Sweeps over sparse columns until they converge cost about this many products with these columns.
_SPARSE_SWEEPS = 12


class Objective(KinkedRows, NewtonSteps, ExpandedRowModels, QuadraticModels, Spectral):
    """Design, labels, loss and penalty as one convex function of (W, b).

    Parameters
    ----------
    design : Design
    y : ndarray in the shape of the design's labels, finite; arbitrary where the weight is 0
    loss : Loss
    penalty : Penalty or None
    """

    def restricted(self, features: Array, point: Point) -> tuple[Self, Point]:
        other = copy.copy(self)
        other.design = self.design.columns(features)
        other.n_features, other._constant, other._gradient = len(features), {}, None
        other._certified = other.known = None
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

    # Quadratic models

    @property
    def curved(self) -> Self | None:
        return None if self.loss.constant_curvature else self

    @property
    def has_row_models(self) -> bool:
        possible = self.thresholds is not None and self.n_columns == self.n_tasks
        return possible and self.largest_set >= min(self.n_features, FEWEST_ROWS)

    @property
    def has_working_groups(self) -> bool:
        known = self.penalty is not None and self.penalty.has_nearness
        return known and self.n_columns == self.n_tasks and not self._couples_tasks

    @property
    def largest_set(self) -> int:
        if self.loss.constant_curvature and self.design.has_common_columns:
            return self.n_features
        fits = np.sqrt(GRAM_BYTES / (8 * self.n_columns))
        pay = np.inf if self.loss.constant_curvature else self._worthwhile_rows
        return int(min(fits, max(pay, FEWEST_ROWS)))

    @property
    def _worthwhile_rows(self) -> float:
        """The number of rows of W beyond which models cost more than gradient steps."""
        design, n_grams, size = self.design, self.n_columns, self.design.weights.size
        # Sparse Gram matrices are cheap to compute.
        n_rows = 0 if design.is_sparse else size // n_grams
        return worthwhile_rows(design.products, size, n_grams, n_rows)

    @property
    def rows_per_product(self) -> float:
        # With s rows: n s^2 for each Gram matrix, and about ten sweeps of s^2 T. Half of that.
        design = self.design
        if not self.loss.constant_curvature:
            return first_rows(self.n_features, design.products / self.n_columns)
        if design.is_sparse and design.has_common_columns:
            return self.n_features / _SPARSE_SWEEPS
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
                gram = self.column_gram.restricted(features)
                return DenseModel(columns, design.task_factors, residual, gram.of)
        bend = self.model_curvature(point)
        square, slope = self.model_square(bend, U), -G[features]
        if self.loss.constant_curvature and design.has_common_columns:
            known = self.column_gram.of(features)
            return GramModel(known, design.task_factors, NO_GRAMS, slope, square, bend)
        if len(features) < self.n_features:
            design = design.columns(features)
        if self.loss.constant_curvature:
            grams = design.centred_gram(weights * bend)
        else:
            grams = design.rough_grams(weights * bend, SAMPLED * len(features) * 4**effort)
        factors = np.ones(self.n_columns)
        if len(grams) == 1:  # at the null point all tasks have the same curvature
            return GramModel(grams[0], factors, NO_GRAMS, slope, square, bend)
        grams = np.ascontiguousarray(grams.transpose(1, 2, 0))
        return GramModel(NO_GRAM, factors, grams, slope, square, bend)

    @property
    def has_quadratic_models(self) -> bool:
        d, n_tasks = self.n_features, self.n_columns
        affordable = d <= _LARGEST_MODEL and 8 * d * d * n_tasks <= GRAM_BYTES
        return affordable and not self.loss.constant_curvature and n_tasks == self.n_tasks

    def quadratic_model(self, point: Point, *, majorise: bool = False) -> GramObjective:
        U, G = self.loss_gradient(point)
        bend = self.model_curvature(point)
        if majorise and self.has_curvature_bound:
            bend = np.full_like(bend, self.loss.curvature_bound)
        grams = self.design.centred_gram(self.design.weights * bend)
        if len(grams) < self.n_columns:
            grams = np.repeat(grams, self.n_columns, axis=0)
        linear = np.einsum("tij,jt->it", grams, point.W) - G
        # The squared residual at W = 0, from that at the point; non-negative but for rounding.
        square = max(self.model_square(bend, U) + float(np.vdot(point.W, linear - G)), 0.0)
        counts = self.design.gather((self.design.weights > 0).astype(np.float64))
        model = Quadratics(grams, np.ones(self.n_columns), linear, square, counts)
        return GramObjective(model, self.penalty, self.quadratic)

    def renewed_model(self, model: RowModel, point: Point) -> RowModel:
        assert isinstance(model, GramModel | ClassModel) and model.bend is not None
        U, G = self.loss_gradient(point)
        return replace(model, slope=-G, residual=self.model_square(model.bend, U))

    def move_rows(self, point: Point, features: Array, rows: Array) -> Point:
        W = point.W.copy()
        W[features] = rows
        if self.loss.constant_curvature:
            return self.point(W, point.b)
        return self._searched(point, W)

    def _searched(self, point: Point, W: Array) -> Point:
        """The point after a line search towards W, with the best intercepts."""
        if not np.isfinite(W).all():
            return point
        (G, _), D = self.gradient(point), W - point.W
        b = np.zeros_like(point.b)
        Z = self._predictors(D, b)
        if self.design.n_intercepts:
            # To first order, the intercepts remain optimal.
            b = -self.intercept_newton(point, self.loss.gradient_change(self.y, point.Z, Z))
            Z = self.of_labels(Z + self.design.spread(b))
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
        """The Gram matrix of the columns requested so far."""
        made: ColumnGram = self.kept_if_constant("columns", lambda: ColumnGram(self.design))
        return made

    @property
    def has_spectrum(self) -> bool:
        design, d = self.design, self.n_features
        if not self.loss.constant_curvature or self._couples_tasks:
            return False
        if d > MOST_FEATURES or 8 * d * d * design.n_grams > GRAM_BYTES:
            return False
        factorising = 10 * design.n_grams * d**3 + design.gram_products
        return factorising < _TYPICAL_ITERATIONS * 2 * design.products

    @property
    def has_coupled_spectrum(self) -> bool:
        return self.has_spectrum and (self.has_common_hessian or self.has_few_unknowns)

    @property
    def has_common_hessian(self) -> bool:
        design, ridges = self.design, self._ridges
        equal = design.has_common_columns and (design.task_factors == design.task_factors[0]).all()
        return bool(equal and (ridges == ridges[0]).all())

    def coupled_spectrum(self, metric: Array, *, scaled: bool = False) -> CoupledSpectrum:
        tasks = slice(1) if self.has_common_hessian else slice(None)
        ridges = self._ridges[tasks, None, None] * np.eye(self.n_features)
        hessians = self._hessians(self.design.weights) + ridges
        memory = self._constant.setdefault("memory", {})
        linear = -self.gradient(self.null)[0]
        return CoupledSpectrum(hessians, linear, metric, memory, scaled=scaled)

    @depends_on("loss", "penalty", "features")
    def spectrum(self) -> Spectrum:
        eigenvalues, bases = self.kept_if_constant(
            "spectrum", lambda: np.linalg.eigh(self._hessians(self.design.weights))
        )
        linear = -self.gradient(self.null)[0]
        mean_free = self.penalty is not None and self.penalty.leaves_mean_free
        eigenvalues = np.maximum(eigenvalues, 0.0) + self._ridges[:, None]
        return Spectrum(eigenvalues, bases, linear, mean_free=mean_free)
