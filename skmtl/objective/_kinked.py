"""Rows of data with a loss that has no gradient, and the smooth objectives that replace it."""

import copy
from collections.abc import Iterator
from typing import Any, Self

import numpy as np

from skmtl._numerics import Spectrum
from skmtl.losses import GivenSlopesLoss, OffsetLoss
from skmtl.objective._base import MOST_FEATURES, Array
from skmtl.objective._depends import forget
from skmtl.objective._expansion import ExpandedRows
from skmtl.objective._row_loss import GRAM_BYTES
from skmtl.solvers import Point

# Residuals below this fraction of the label are zero.
_ROUNDING = 1e-13
# The least width of an envelope as a share of the mean loss without features.
_LEAST_WIDTH = 1e-3


class KinkedRows(ExpandedRows):
    """An objective on rows whose loss may lack a gradient.

    The method of multipliers (:class:`skmtl.solvers.Multipliers`) then minimises augmented
    objectives instead. Their loss gradients are in the domain of the conjugate, and so are dual
    points of the original objective.
    """

    @property
    def has_gradient(self) -> bool:
        return self.loss.has_gradient

    @property
    def can_learn(self) -> bool:
        return self.has_gradient and super().can_learn

    def loss_width(self, point: Point) -> float:
        """The mean loss of a label, which is in the units of the labels, and positive."""
        # Where the start fits almost perfectly, the labels' spread gives the units.
        loss = max(self.loss_value(point), _LEAST_WIDTH * self.null_value)
        return loss / float(self.design.weights.sum()) if loss > 0 else 1.0

    @property
    def memory(self) -> dict[str, Any]:
        memory: dict[str, Any] = self._constant.setdefault("memory", {})
        return memory

    def augmented(self, multipliers: Array, width: float) -> Self:
        """The objective with the envelope of the loss, shifted by multipliers for each label."""
        other = copy.copy(self)
        offset = self.loss.smooth_offset(multipliers, width)
        other.loss = OffsetLoss(self.loss.smoothed(width), offset)
        other.dtype = np.dtype(np.float64)
        other._constant, other._gradient, other._value, other._certified = {}, None, None, None
        forget(other, "loss")
        return other

    def multipliers(self, point: Point) -> Array:
        """The derivative of the loss at each label."""
        return self.loss_gradient(self.exact(point))[0]

    def lower_bound(
        self, multipliers: Array, point: Point, duals: tuple[Array, ...] | None
    ) -> float:
        """A lower bound on the minimum, from derivatives of the loss near a solution.

        ``duals`` are those of the terms of the penalty, if it is a sum without a prox.
        """
        other = copy.copy(self)
        other.loss, other._gradient = GivenSlopesLoss(self.loss, multipliers), None
        if duals is not None and self.terms is not None:
            other.penalty = self.terms.with_duals(duals)
        return other.dual(other.exact(point)).value

    def _with_better_intercepts(self, point: Point) -> Iterator[Point]:
        # Without a gradient the slopes do not depend on the intercepts.
        return super()._with_better_intercepts(point) if self.has_gradient else iter((point,))

    # ADMM on the predictors

    @property
    def has_loss_splitting(self) -> bool:
        """Whether least squares in place of the loss, with a ridge, have a known eigenbasis."""
        d, grams = self.n_features, self.design.n_grams
        if d > MOST_FEATURES or 8 * d * d * grams > GRAM_BYTES or self._couples_tasks:
            return False
        plain = self.loss.has_prox and self.has_free_intercepts
        return plain and (self.terms is None or self.terms.takes_copies)

    # Whether the intercepts are free; subclasses may penalise them.
    has_free_intercepts = True

    def squares(self, scale: float) -> Spectrum:
        """The Hessians of scaled least squares and the quadratic penalty."""
        eigenvalues, bases = self._squares
        mean_free = self.penalty is not None and self.penalty.leaves_mean_free
        eigenvalues = scale * np.maximum(eigenvalues, 0.0) + self._ridges[:, None]
        none = np.zeros((self.n_features, self.n_columns))
        return Spectrum(eigenvalues, bases, none, mean_free=mean_free)

    @property
    def _squares(self) -> tuple[Array, Array]:
        if "squares" not in self._constant:
            grams = self.design.centred_gram(self.design.weights.astype(np.float64))
            self._constant["squares"] = np.linalg.eigh(grams)
        found: tuple[Array, Array] = self._constant["squares"]
        return found

    def fitted(self, target: Array) -> tuple[Array, Array]:
        """The product of targets with X', and the intercepts that fit them best."""
        weighted = self.design.weights * target
        b = self.gather(weighted)
        return self.design.adjoint(weighted), b / self._intercept_weights if b.size else b

    def loss_prox(self, Z: Array, step: float) -> Array:
        """The prox of each label's loss."""
        return self.loss.prox(self.y, Z, step)

    def best_point(self, W: Array, b: Array) -> Point:
        point = self.point(W, b)
        return point if self.has_gradient else self.minimise_intercepts(point)

    def loss_gradient(self, point: Point) -> tuple[Array, Array]:
        if self.has_gradient or (self._gradient is not None and self._gradient[0] is point):
            return super().loss_gradient(point)
        U = self._balanced_subgradient(point)
        self._gradient = point, U, self.design.adjoint(self.design.weights * U)
        return self._gradient[1:]

    def _balanced_subgradient(self, point: Point) -> Array:
        """Subgradients that sum to zero for each intercept, if those at the kinks can do it."""
        design, U = self.design, self.loss.gradient(self.y, point.Z)
        low, high = self.loss.slopes
        size = np.maximum(np.abs(self.y), np.abs(point.Z))
        tied = (np.abs(self.y - point.Z) <= _ROUNDING * size) & np.isfinite(low)
        U = np.where(tied, 0.0, U)
        if not design.n_intercepts:
            return U
        counts = self.gather(design.weights * tied)
        lacking = -self.gather(design.weights * U)
        shares = np.divide(lacking, counts, out=np.zeros_like(lacking), where=counts > 0)
        return np.where(tied, np.clip(design.spread(shares), low, high), U)

    # Intercepts

    def minimise_intercepts(self, point: Point) -> Point:
        if self.has_gradient or not self.design.n_intercepts:
            return super().minimise_intercepts(point)
        # Newton steps, for tasks whose loss has a gradient.
        point = super().minimise_intercepts(point)
        n_intercepts, weights = self.design.n_intercepts, self.design.weights
        which = np.broadcast_to(self.design.spread(np.arange(float(n_intercepts))), weights.shape)
        which = np.where(weights > 0, which, -1.0)
        step = np.zeros(n_intercepts)
        for k in range(n_intercepts):
            loss, own = self.loss.column(k), which == k
            if not loss.has_gradient and own.any():
                step[k] = loss.best_shift((self.y - point.Z)[own], weights[own])
        return self._shifted(point, step)
