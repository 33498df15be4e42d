"""Second-order expansions of the loss, minimised with Gram matrices known from another fit."""

import copy
from typing import Self

import numpy as np

from skmtl.objective._base import Array
from skmtl.objective._certificate import best_dual
from skmtl.objective._known import KnownGrams
from skmtl.objective._models import NO_GRAM, SAMPLED, GramModel
from skmtl.objective._row_dual import RowDual
from skmtl.solvers import Point

# The rows of W whose Gram matrices are kept: the active ones and those whose gradients reach this
# share of their thresholds, these at most this many times as many; in total at least this many.
_NEAR = 0.5
_GROWTH, _FEWEST = 2, 128
# Larger Gram matrices are not kept.
_LARGEST_BYTES = 2**27


class Expansion:
    """The second-order expansion of the loss at a point, with the intercepts minimised out.

    Products with X give its gradients exactly, so that the known Gram matrices determine only how
    fast its minimiser is approached. The loss gradients at that minimiser are a feasible dual
    point, up to the accuracy of the minimiser.

    Parameters
    ----------
    objective : ExpandedRows
    known : KnownGrams
    point : Point
    """

    def __init__(self, objective: "ExpandedRows", known: KnownGrams, point: Point) -> None:
        self.objective, self.known = objective, known
        self.point = point.astype(np.dtype(np.float64))
        self.features = known.features
        whole = len(self.features) == objective.n_features
        self.design = objective.design if whole else objective.design.columns(self.features)
        self.bend = objective.model_curvature(self.point)
        y, weights = objective.y, objective.design.weights
        self._first = objective.loss.gradient(y, self.point.Z)
        self._total = objective.gather(weights * self.bend)
        self.move(self.point.W[self.features])

    def model(self) -> GramModel:
        """The model around the current point, with the known Gram matrices."""
        slope = -self.G[self.features]
        square = self.objective.model_square(self.bend, self.U)
        factors = np.ones(self.objective.n_columns)
        return GramModel(NO_GRAM, factors, self.known.grams, slope, square, self.bend)

    def move(self, rows: Array) -> None:
        """Move to other rows of W and, for these, the best intercepts."""
        objective, weights = self.objective, self.objective.design.weights
        change = rows - self.point.W[self.features]
        # The point itself is often asked for; its product is zero.
        Z = self.design.forward(change) if change.any() else np.zeros_like(self.point.Z)
        Z = objective.of_labels(Z)
        b = np.zeros_like(self.point.b)
        if objective.design.n_intercepts:
            b = -objective.gather(weights * (self._first + self.bend * Z)) / self._total
            Z = objective.of_labels(Z + objective.design.spread(b))
        self._step = b, Z
        # The first derivatives of the loss at the current point, and their product with X'.
        self.U = self._first + self.bend * Z
        self.G = objective.design.adjoint(weights * self.U)

    def covers(self) -> bool:
        """Whether the gradients of all other rows of W are below their thresholds."""
        thresholds = self.objective.thresholds
        assert thresholds is not None
        active = thresholds.nearness(-self.G) > 1
        active[self.features] = False
        return not active.any()

    def reached(self, rows: Array) -> Point:
        """The current point, with these rows of W."""
        b, Z = self._step
        W = self.point.W.copy()
        W[self.features] = rows
        return Point(W, self.point.b + b, self.point.Z + Z)

    def bound(self, W: Array) -> float:
        """A lower bound on the minimum of the objective from the derivatives at the current point.

        -inf if they are outside the domain of the loss's conjugate.
        """
        objective = self.objective
        scale = objective.loss.dual_scale(self.U)
        U, G = scale * self.U, scale * self.G
        if not objective.balances(U):
            return -np.inf
        dual = best_dual(
            objective.penalty,
            objective.quadratic,
            W,
            -G,
            lambda scale: -objective.conjugate_loss(scale * U),
        )
        return dual.value if np.isfinite(dual.value) else -np.inf


class ExpandedRows(RowDual):
    """An objective on rows that may have Gram matrices known from another fit."""

    # The result of another objective's ``learn``, shared by copies with other penalties.
    known: KnownGrams | None = None

    @property
    def can_learn(self) -> bool:
        penalty = self.penalty
        if penalty is None or self.thresholds is None or penalty.free_rows is not None:
            return False
        plain = not self.loss.constant_curvature and not self.loss.couples_tasks
        return plain and self.n_columns == self.n_tasks

    def with_known(self, known: KnownGrams | None) -> Self:
        other = copy.copy(self)
        other.known = known
        return other

    @property
    def has_expansion(self) -> bool:
        return self.known is not None and self.can_learn

    def expanded(self, point: Point) -> Expansion:
        assert self.known is not None
        return Expansion(self, self.known, point)

    def learn(self, W: Array, intercepts: Array) -> KnownGrams | None:
        thresholds = self.thresholds
        if not self.can_learn or thresholds is None:
            return None
        point = self.start(W, intercepts)
        scores = thresholds.nearness(-self.gradient(point)[0])
        used = point.W.any(axis=1)
        n_used, n_near = int(used.sum()), int((scores[~used] >= _NEAR).sum())
        size = n_used + min(n_near, _GROWTH * n_used)
        size = min(max(size, _FEWEST), self.n_features)
        if size == 0 or 8 * size**2 * self.n_columns > _LARGEST_BYTES:
            return None
        order = np.argsort(-np.where(used, np.inf, scores), kind="stable")
        features = np.sort(order[:size])
        whole = size == self.n_features
        design = self.design if whole else self.design.columns(features)
        weights = self.design.weights * self.model_curvature(point)
        grams = design.rough_grams(weights, SAMPLED * size, fast=True)
        if len(grams) < self.n_columns:
            grams = np.repeat(grams, self.n_columns, axis=0)
        return KnownGrams(features, np.ascontiguousarray(grams.transpose(1, 2, 0)))
