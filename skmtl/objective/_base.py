r"""What solvers see of an objective: a smooth part and a penalty with a prox.

.. math:: P(W, b) = \sum_i \omega_i \, \ell(y_i, z_i) + q(W) + \Omega(W),
          \qquad z = A W + B b

with the sum over labels. Its dual, for u with :math:`B'(\omega u) = 0` and
:math:`G = -A'(\omega u)`, is

.. math:: D(u) = -\sum_i \omega_i \, \ell^*(y_i, u_i) - (q + \Omega)^*(G) \le \min P ,

and :math:`P(W, b) - D(u)` bounds what is left to gain. A solver works through the methods below
and never asks which loss or penalty they stand for, nor whether the data are rows or moments.
"""

import copy
from functools import cached_property
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from skmtl._numerics import Spectrum
from skmtl.objective._certificate import Dual
from skmtl.objective._models import CurvedModel, RowModel, Thresholds
from skmtl.objective._point import Point
from skmtl.penalties import Penalty, Quadratic, Terms, split

Array = NDArray[Any]


class BaseObjective:
    """The parts of an objective that do not depend on how it keeps its data."""

    dtype: Any
    n_features: int
    n_columns: int
    n_tasks: int
    penalty: Penalty | None
    quadratic: Quadratic | None

    # A copy drops what depends on the penalty.
    _of_penalty: tuple[str, ...] = ("curvature", "has_free_task", "spectrum")

    def with_penalty(self, penalty: Penalty | None) -> Self:
        """The same data and loss with another penalty; what they determine is kept."""
        other = copy.copy(self)
        other._set_penalty(penalty)
        for name in self._of_penalty:
            other.__dict__.pop(name, None)
        return other

    def _set_penalty(self, penalty: Penalty | None) -> None:
        self.penalty, self.quadratic = (None, None) if penalty is None else split(penalty)
        self._certified: tuple[Point, float, Dual] | None = None

    @property
    def has_small_matrices(self) -> bool:
        """Whether all products and decompositions are too small for a second BLAS thread."""
        return False

    # What a fit starts from, is measured by, and returns

    @cached_property
    def null(self) -> Point:
        """W = 0 with its best intercepts (float64)."""
        raise NotImplementedError

    @cached_property
    def null_value(self) -> float:
        """F(0, b*): the scale of tolerances."""
        return self.smooth_value(self.null)

    def start(self, W: Array | None = None, intercepts: Array | None = None) -> Point:
        """The point at W and the intercepts of uncentred features, or the null point."""
        raise NotImplementedError

    def intercepts(self, point: Point) -> Array:
        """The intercepts (n_tasks,) for uncentred features and labels."""
        raise NotImplementedError

    def point(self, W: Array, b: Array) -> Point:
        """The point at (W, b)."""
        raise NotImplementedError

    def best_point(self, W: Array, b: Array) -> Point:
        """The point at W with the best intercepts, from b, which the null point has."""
        return self.point(W, b)

    def coefficients(self, point: Point) -> Array:
        """The coefficients (n_features, n_columns) of the features of a point."""
        return point.W

    def parts(self, point: Point) -> Array | None:
        """What the coefficients are the sum of (n_parts, n_features, n_columns), if anything."""
        return None

    def value(self, point: Point) -> float:
        """P(W, b)."""
        rough = 0.0 if self.penalty is None else self.penalty.value(point.W)
        return self.smooth_value(point) + rough

    # The smooth part

    def smooth_value(self, point: Point) -> float:
        """Loss plus quadratic."""
        value = self.loss_value(point)
        return value if self.quadratic is None else value + self.quadratic.value(point.W)

    def loss_value(self, point: Point) -> float:
        """The loss, weighted and summed."""
        raise NotImplementedError

    def gradient(self, point: Point) -> tuple[Array, Array]:
        """The smooth part's gradient in W and in b."""
        raise NotImplementedError

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
        raise NotImplementedError

    @property
    def entry_curvature(self) -> Array | None:
        """The smooth part's own curvature in each entry of W, where that is known and bounded."""
        return None

    def intercept_step(self, gradient: Array, metric: Array) -> Array:
        """The gradient in b by the inverse of a multiple of the metric of intercepts."""
        return gradient / metric

    def intercept_product(self, one: Array, other: Array, metric: Array) -> float:
        """The inner product of two changes of b in a multiple of the metric of intercepts."""
        return float((metric * one * other).sum())

    def excess_curvature(self, old: Point, new: Point) -> float:
        """An upper bound of 2 (f(new) - f(old) - <grad f(old), new - old>), f the smooth part."""
        raise NotImplementedError

    @property
    def has_curvature_bound(self) -> bool:
        """Whether ``curvature`` is proven, or an estimate that is not far below a proven one."""
        return True

    @property
    def curvature_limit(self) -> float:
        """What no curvature exceeds: where a solver meets more, it is rounding."""
        return 10 * self.curvature[0] if self.has_curvature_bound else np.inf

    @property
    def has_feature_metric(self) -> bool:
        """Whether a gradient step may take each feature in its own scale."""
        return self.penalty is None or self.penalty.separates_over_rows

    def feature_metric(self, curvature: Array, ridge: float) -> Array:
        """Positive scales (n_features,) from the features' own curvatures."""
        metric = curvature + ridge
        if not self.has_feature_metric:
            metric[:] = metric.max()
        largest = metric.max()
        return np.maximum(metric, 1e-10 * largest if largest > 0 else 1.0)

    def prox(self, V: Array, step: float | Array) -> Array:
        """The prox of the penalty, with a step for all features or one each (n_features, 1)."""
        return V if self.penalty is None else self.penalty.prox(V, step)

    # Newton steps on the smooth part

    @property
    def has_newton(self) -> bool:
        """Whether there is no penalty but a quadratic, and the Hessians fit into memory."""
        return False

    def newton_step(self, point: Point, gradient: tuple[Array, Array]) -> tuple[Array, Array]:
        """The minimiser, relative to the point, of the smooth part's quadratic model."""
        raise NotImplementedError

    # Sums of penalties without a prox, for a solver that takes a dual variable for each

    @property
    def terms(self) -> Terms | None:
        """The penalties, where they have a prox each but none together; else None."""
        penalty = self.penalty
        if penalty is None or penalty.has_prox or penalty.n_superposed > 1:
            return None
        return cast(Terms, penalty)  # as split leaves it

    def split_bounds(self, point: Point, duals: tuple[Array, ...]) -> tuple[float, float]:
        """As ``bounds``, for a dual variable of each term."""
        assert self.terms is not None
        other = copy.copy(self)
        other.penalty, other._certified = self.terms.with_duals(duals), None
        return other.bounds(point)

    # Models in some rows of W, for a solver that takes one row after the other

    @property
    def thresholds(self) -> Thresholds | None:
        """The penalty as thresholds on the rows of W and their entries, where it is that."""
        if self.penalty is None or self._couples_tasks:
            return None
        thresholds = self.penalty.row_thresholds
        if thresholds is None:
            return None
        return Thresholds(*thresholds, np.array(self._ridges), self.penalty.is_positive)

    @property
    def has_row_models(self) -> bool:
        """Whether ``row_model`` and ``thresholds`` exist."""
        return False

    @property
    def rows_per_product(self) -> float:
        """How many rows a model may hold for what a gradient costs, in arithmetic."""
        return self.n_features / 3

    @property
    def row_models_pay(self) -> bool:
        """Whether they cost less than gradient steps in all rows of W."""
        return True

    @property
    def largest_set(self) -> int:
        """How many rows of W a model may have for its memory."""
        return self.n_features

    def row_model(self, point: Point, features: Array, effort: int = 0) -> RowModel:
        """The loss near a point whose intercepts are the best, in some rows of W.

        With more effort it may come nearer to the loss.
        """
        raise NotImplementedError

    # Models of all of W, for a solver that minimises them together with the penalty

    @property
    def has_quadratic_models(self) -> bool:
        """Whether ``quadratic_model`` exists: the loss is not quadratic, its matrices are small."""
        return False

    def quadratic_model(self, point: Point, *, majorise: bool = False) -> "BaseObjective":
        """The objective with the loss's quadratic model at a point, b minimised out.

        A model that majorises has the loss's largest curvature everywhere, where that is finite.
        """
        raise NotImplementedError

    def settled(self, point: Point) -> Point:
        """The point with the best intercepts for its W."""
        return point

    @property
    def is_quadratic(self) -> bool:
        """Whether ``row_model`` is the loss itself, at every point."""
        return True

    def renewed_model(self, model: CurvedModel, point: Point) -> RowModel:
        """A model of all rows of W at another point, with the curvature it has."""
        raise NotImplementedError

    def move_rows(self, point: Point, features: Array, rows: Array) -> Point:
        """The point with other rows of W: those at which a model of the point is minimal.

        Where the loss is not quadratic, on the way there, no higher, with the best intercepts.
        """
        raise NotImplementedError

    # Exact solutions of the smooth part, for a solver that splits

    @property
    def has_spectrum(self) -> bool:
        """Whether the smooth part is a quadratic whose eigenbasis costs less than iterating."""
        return False

    @property
    def has_cheap_steps(self) -> bool:
        """Whether many gradients cost less than the eigenbasis."""
        return False

    @property
    def has_scaled_spectrum(self) -> bool:
        """Whether the eigenbasis is taken with each feature in its own scale."""
        return False

    @cached_property
    def spectrum(self) -> Spectrum:
        """The smooth part in the eigenbasis of its Hessian."""
        raise NotImplementedError

    def squared_norm(self) -> float:
        """The largest eigenvalue of the tasks' weighted Gram matrices, or nearly."""
        raise NotImplementedError

    @property
    def _ridges(self) -> Array:
        """The quadratic's curvature in each column of W (n_columns,)."""
        if self.quadratic is None:
            return np.zeros(self.n_columns)
        return self.quadratic.task_curvature(self.n_columns)

    @property
    def _couples_tasks(self) -> bool:
        return self.quadratic is not None and self.quadratic.couples_tasks

    @property
    def _ridges_or_coupling(self) -> Array:
        """The quadratic's ridges (n_columns,), or where it couples, its matrix."""
        if self.quadratic is not None and self.quadratic.couples_tasks:
            return self.quadratic.hessian(self.n_columns)
        return self._ridges

    # The certificate

    def bounds(self, point: Point) -> tuple[float, float]:
        """P at the point and a lower bound of min P, both in float64.

        The bound is -inf where no dual point was found.
        """
        value, dual = self._certificate(point)
        return value, dual.value

    def _certificate(self, point: Point) -> tuple[float, Dual]:
        """The value and the dual of a point, kept for the last one."""
        if self._certified is None or self._certified[0] is not point:
            self._certified = point, *self._bounds(point)
        return self._certified[1:]

    def _bounds(self, point: Point) -> tuple[float, Dual]:
        point = self.exact(point)
        return self.value(point), self.dual(point)

    def exact(self, point: Point) -> Point:
        """The point in float64."""
        if point.Z.dtype == np.float64:
            return point
        return self.point(point.W.astype(np.float64), point.b.astype(np.float64))

    def dual(self, point: Point) -> Dual:
        """A lower bound of min P, from a float64 point."""
        raise NotImplementedError

    # Safe screening

    @cached_property
    def column_squares(self) -> Array:
        """Upper bounds (n_features,) of the loss's curvature in each row of W."""
        raise NotImplementedError

    def usable_rows(self, point: Point) -> Array | None:
        """Which rows of W may be non-zero at a minimiser: the gap-safe rule.

        The dual is strongly concave, so that its maximiser lies within sqrt(2 gap) of any dual
        point; a row whose threshold no slope in that ball reaches is zero. None where the penalty
        has no thresholds or the loss no curvature bound.

        References
        ----------
        E. Ndiaye, O. Fercoq, A. Gramfort and J. Salmon, "Gap safe screening rules for sparsity
        enforcing penalties", JMLR 18, 2017, https://jmlr.org/papers/v18/16-577.html
        """
        value, dual = self._certificate(point)
        thresholds = self.thresholds
        if thresholds is None or dual.slopes is None or not self.has_curvature_bound:
            return None
        gap = max(value - dual.value, 0.0) + 1e-14 * abs(value)
        reach = np.sqrt(2 * gap * (self.column_squares + thresholds.ridges.max()))
        return thresholds.reached(dual.slopes, reach)

    def restricted(self, features: Array, point: Point) -> tuple[Self, Point]:
        """The same problem in the rows ``features`` of W alone, the others zero, and its point.

        The penalty separates over rows.
        """
        raise NotImplementedError

    def _restrict_penalty(self, features: Array) -> None:
        """Keep the penalty on some rows of W, and nothing that depends on the others."""
        self.penalty = None if self.penalty is None else self.penalty.of_rows(features)
        for name in ("null", "column_squares", *self._of_penalty):
            self.__dict__.pop(name, None)

    @cached_property
    def has_free_task(self) -> bool:
        """Whether some column of W, or a combination of columns, has no penalty at all."""
        if self.penalty is not None:
            return False
        if self._couples_tasks:
            eigenvalues = np.linalg.eigvalsh(self._ridges_or_coupling)
            return bool(eigenvalues[0] <= 1e-12 * eigenvalues[-1])
        return bool((self._ridges == 0).any())

    def is_separated(self, point: Point) -> bool:
        """Whether some unpenalised task has all its labels on their side, for ever further."""
        return False
