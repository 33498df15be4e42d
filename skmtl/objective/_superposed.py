"""The objective of W = P_1 + ... + P_K with a penalty on each part."""

import copy
from typing import Any, Self

import numpy as np

from skmtl._numerics import PartsSpectrum
from skmtl.objective._base import Array, BaseObjective
from skmtl.objective._certificate import Dual
from skmtl.objective._depends import depends_on, forget
from skmtl.objective._gram import GramObjective
from skmtl.objective._rows import Objective
from skmtl.penalties import Penalty
from skmtl.solvers import Point, QuadraticModels, Spectral

_LEAST = 1e-8


class SuperposedObjective(BaseObjective, QuadraticModels, Spectral):
    """Another objective as a function of the parts, stacked in W.

    The parts (n_parts * n_features, n_tasks) share one gradient. Since they may all move in the
    same direction, the curvature is multiplied by the number of parts. Minimising over the parts
    is equivalent to minimising over their sum, whose certificate is used.

    Parameters
    ----------
    total : BaseObjective
        Its penalty is a superposition (``n_superposed``).
    """

    def __init__(self, total: BaseObjective) -> None:
        self._set_total(total)

    def _set_total(self, total: BaseObjective) -> None:
        assert total.penalty is not None and isinstance(total, Objective | GramObjective)
        self.total: Objective | GramObjective = total
        self.n_parts = total.penalty.n_superposed
        self.dtype, self.n_tasks = total.dtype, total.n_tasks
        self.n_columns, self.n_features = total.n_columns, self.n_parts * total.n_features
        self.penalty, self.quadratic = total.penalty, total.quadratic
        self._summed: tuple[Point, Point] | None = None
        self._certified = None

    def with_penalty(self, penalty: Penalty | None) -> Self:
        other = copy.copy(self)
        other._set_total(self.total.with_penalty(penalty))
        forget(other, "penalty")
        return other

    def total_of(self, point: Point) -> Point:
        """The point of the other objective at the sum of the parts."""
        if self._summed is None or self._summed[0] is not point:
            W = self.parts(point).sum(axis=0)
            self._summed = point, Point(W, point.b, point.Z)
        return self._summed[1]

    def parts(self, point: Point) -> Array:
        return point.W.reshape(self.n_parts, -1, point.W.shape[1])

    def coefficients(self, point: Point) -> Array:
        return self.total_of(point).W

    def _stacked(self, point: Point) -> Point:
        """A point of the other objective, with all coefficients in the first part."""
        rest = np.zeros(((self.n_parts - 1) * len(point.W), point.W.shape[1]), point.W.dtype)
        return Point(np.concatenate([point.W, rest]), point.b, point.Z)

    @property
    def has_small_matrices(self) -> bool:
        return self.total.has_small_matrices

    @depends_on("penalty")
    def null(self) -> Point:
        return self._stacked(self.total.null)

    @depends_on("penalty")
    def null_value(self) -> float:
        return self.total.null_value

    def start(self, W: Array | None = None, intercepts: Array | None = None) -> Point:
        if W is None or len(W) == self.total.n_features:
            return self._stacked(self.total.start(W, intercepts))
        summed = self.total.start(W.reshape(self.n_parts, -1, W.shape[1]).sum(axis=0), intercepts)
        return Point(np.ascontiguousarray(W, dtype=summed.W.dtype), summed.b, summed.Z)

    def intercepts(self, point: Point) -> Array:
        return self.total.intercepts(self.total_of(point))

    def point(self, W: Array, b: Array) -> Point:
        return self._of_total(W, self.total.point(self._sum(W), b))

    def best_point(self, W: Array, b: Array) -> Point:
        return self._of_total(W, self.total.best_point(self._sum(W), b))

    def _sum(self, W: Array) -> Array:
        return np.asarray(W.reshape(self.n_parts, -1, W.shape[1]).sum(axis=0))

    def _of_total(self, W: Array, summed: Point) -> Point:
        point = Point(W, summed.b, summed.Z)
        self._summed = point, summed
        return point

    def value(self, point: Point) -> float:
        assert self.penalty is not None
        return self.smooth_value(point) + self.penalty.value_of_parts(self.parts(point))

    def smooth_value(self, point: Point) -> float:
        return self.total.smooth_value(self.total_of(point))

    def loss_value(self, point: Point) -> float:
        return self.total.loss_value(self.total_of(point))

    def gradient(self, point: Point) -> tuple[Array, Array]:
        G, g = self.total.gradient(self.total_of(point))
        return np.concatenate([G] * self.n_parts), g

    @depends_on("penalty")
    def curvature(self) -> tuple[float, Array, Array]:
        bound, features, intercepts = self.total.curvature
        metric = np.concatenate([features] * self.n_parts)
        return self.n_parts * bound, metric, intercepts / self.n_parts

    @property
    def curvature_limit(self) -> float:
        return self.n_parts * self.total.curvature_limit

    def intercept_step(self, gradient: Array, metric: Array) -> Array:
        return self.total.intercept_step(gradient, metric)

    def intercept_product(self, one: Array, other: Array, metric: Array) -> float:
        return self.total.intercept_product(one, other, metric)

    def excess_curvature(self, old: Point, new: Point) -> float:
        return self.total.excess_curvature(self.total_of(old), self.total_of(new))

    @property
    def has_gradient(self) -> bool:
        return self.total.has_gradient

    # A loss without a gradient; such objectives are on rows.

    @property
    def has_loss_splitting(self) -> bool:
        mean_free = self.penalty is not None and self.penalty.leaves_mean_free
        return self.total.has_loss_splitting and not mean_free

    @property
    def memory(self) -> dict[str, Any]:
        return self._rows.memory

    def squares(self, scale: float) -> PartsSpectrum:
        return PartsSpectrum(self._rows.squares(scale), self.n_parts)

    def fitted(self, target: Array) -> tuple[Array, Array]:
        return self._rows.fitted(target)

    def loss_prox(self, Z: Array, step: float) -> Array:
        return self._rows.loss_prox(Z, step)

    @property
    def _rows(self) -> Objective:
        assert isinstance(self.total, Objective)
        return self.total

    def loss_width(self, point: Point) -> float:
        return self._rows.loss_width(self.total_of(point))

    def augmented(self, multipliers: Array, width: float) -> "SuperposedObjective":
        return SuperposedObjective(self._rows.augmented(multipliers, width))

    def multipliers(self, point: Point) -> Array:
        return self._rows.multipliers(self.total_of(point))

    def lower_bound(
        self, multipliers: Array, point: Point, duals: tuple[Array, ...] | None
    ) -> float:
        return self._rows.lower_bound(multipliers, self.total_of(point), duals)

    @property
    def has_curvature_bound(self) -> bool:
        return self.total.has_curvature_bound

    @property
    def has_feature_metric(self) -> bool:
        return self.total.has_feature_metric

    @property
    def has_spectrum(self) -> bool:
        mean_free = self.penalty is not None and self.penalty.leaves_mean_free
        return self.total.has_spectrum and not mean_free

    @property
    def has_cheap_factors(self) -> bool:
        return self.total.has_cheap_factors

    @property
    def has_cheap_steps(self) -> bool:
        return self.total.has_cheap_steps

    @property
    def has_scaled_spectrum(self) -> bool:
        return self.has_spectrum and self.has_cheap_factors and self.has_feature_metric

    @depends_on("penalty")
    def spectrum(self) -> PartsSpectrum:
        total = self.total.spectrum
        if self.has_scaled_spectrum:
            memory = total.memory if self.quadratic is None else {}
            if memory.get("rescaled", (None,))[0] is not total.linear:
                metric = self.total.curvature[1]
                # A feature without curvature gets the largest scale.
                metric = np.where(metric > _LEAST * metric.max(), metric, metric.max())
                # The square root of full scaling keeps the prox of the penalty better conditioned.
                memory["rescaled"] = total.linear, total.rescaled(metric**-0.25)
            total = memory["rescaled"][1]
        return PartsSpectrum(total, self.n_parts)

    @property
    def has_quadratic_models(self) -> bool:
        return self.total.has_quadratic_models

    def quadratic_model(self, point: Point, *, majorise: bool = False) -> "SuperposedObjective":
        assert isinstance(self.total, Objective)
        model = self.total.quadratic_model(self.total_of(point), majorise=majorise)
        return SuperposedObjective(model)

    def settled(self, point: Point) -> Point:
        assert isinstance(self.total, Objective)
        return self._of_total(point.W, self.total.settled(self.total_of(point)))

    def prox(self, V: Array, step: float | Array) -> Array:
        assert self.penalty is not None
        if np.ndim(step) and np.size(step) > 1:
            # All parts have the same metric.
            step = np.asarray(step)[: self.total.n_features]
        parts = V.reshape(self.n_parts, -1, V.shape[1])
        return self.penalty.prox_of_parts(parts, step).reshape(V.shape)

    def lower_bound_at(self, point: Point) -> float:
        return self.total.lower_bound_at(self.total_of(point))

    def _bounds(self, point: Point) -> tuple[float, Dual]:
        exact = point.astype(np.float64)
        summed = self.total_of(exact)
        if exact is not point:
            summed = self.total.point(summed.W, summed.b)
        penalty = self.penalty
        assert penalty is not None
        value = self.total.smooth_value(summed) + penalty.value_of_parts(self.parts(exact))
        return value, self.total.dual(summed)

    def is_separated(self, point: Point) -> bool:
        return self.total.is_separated(self.total_of(point))
