"""What algorithms require of an objective, as one protocol per capability.

Every objective consists of a smooth part f(W, b) and a penalty on W, and can bound its minimum from
below; FISTA needs nothing else. Other algorithms need capabilities that only some objectives have,
and name them in their signatures. Since a capability may depend on the penalty and on the size of
the data, an objective reports it by its ``has_...`` properties.
"""

from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from skmtl._numerics import CoupledSpectrum, Quadratics
from skmtl.solvers._point import Point
from skmtl.solvers._thresholds import Thresholds

Array = NDArray[Any]


class Certified(Protocol):
    """An objective that can bound its minimum from below, which tells solvers when to stop.

    Attributes
    ----------
    dtype : numpy dtype
        The data's precision.
    """

    dtype: np.dtype[Any]

    @property
    def null_value(self) -> float:
        """F(0, b*), the unit of tolerances."""

    def bounds(self, point: Point) -> tuple[float, float]:
        """The objective at a point and a lower bound on its minimum, both in float64.

        The bound is -inf if no dual point was found.
        """


class Smooth(Certified, Protocol):
    """A smooth part with a gradient, and a penalty with a prox.

    Attributes
    ----------
    n_features : int
        Number of rows of W.
    """

    n_features: int

    def point(self, W: Array, b: Array) -> Point:
        """The point at (W, b)."""

    def value(self, point: Point) -> float:
        """The objective at a point."""

    def smooth_value(self, point: Point) -> float:
        """The smooth part at a point: the loss plus any quadratic penalty."""

    def gradient(self, point: Point) -> tuple[Array, Array]:
        """The smooth part's gradient in W and in b."""

    @property
    def curvature(self) -> tuple[float, Array, Array]:
        """An approximate upper bound on the curvature, and the metric it refers to.

        Returns
        -------
        bound : float
        features : array of shape (n_features, 1)
            Each feature's own curvature if the penalty separates over rows, which makes the
            bound, and steps derived from it, invariant to the features' units. Otherwise the same
            number for all.
        intercepts : array of shape (n_intercepts,)
        """

    @property
    def curvature_limit(self) -> float:
        """Upper limit for backtracking; anything larger is rounding error."""

    @property
    def entry_curvature(self) -> Array | None:
        """The smooth part's curvature in each entry of W, or None if unknown or unbounded."""

    def excess_curvature(self, old: Point, new: Point) -> float:
        """An upper bound on 2 (f(new) - f(old) - <grad f(old), new - old>)."""

    def prox(self, V: Array, step: float | Array) -> Array:
        """The prox of the penalty, with a step for all features or one each (n_features, 1)."""

    def intercept_step(self, gradient: Array, metric: Array) -> Array:
        """The gradient in b, preconditioned by a multiple of the metric of the intercepts."""

    def intercept_product(self, one: Array, other: Array, metric: Array) -> float:
        """The inner product of two changes of b in a multiple of the metric of the intercepts."""


class NewtonSteps(Smooth, Protocol):
    """A smooth objective whose Hessians fit into memory."""

    def newton_step(self, point: Point, gradient: tuple[Array, Array]) -> tuple[Array, Array]:
        """The Newton step from a point, given its gradient."""


class Spectral(Smooth, Protocol):
    """A quadratic smooth part with a known eigenbasis, which makes its prox exact."""

    @property
    def spectrum(self) -> Quadratics:
        """The smooth part in the eigenbasis of its Hessian."""

    def best_point(self, W: Array, b: Array) -> Point:
        """The point at W with the best intercepts, searched from b."""

    def exact_value(self, point: Point) -> float:
        """The objective at a point, in float64."""

    def lower_bound_at(self, point: Point) -> float:
        """The lower bound on the minimum that the gradient at a point yields, in float64."""


class Terms(Protocol):
    """A sum of penalties on linear images of W, whose prox is known only term by term."""

    @property
    def separates_over_rows(self) -> bool:
        """Whether every term does, so that each prox accepts a step size per row."""

    @property
    def takes_copies(self) -> bool:
        """Whether every term acts on W itself and together they penalise all of W."""

    @property
    def sparsest(self) -> int | None:
        """The index of the term on W itself that produces most zeros; None if there is none."""

    def images(self, W: Array) -> tuple[Array, ...]:
        """The image of W that each term penalises."""

    def adjoint(self, duals: tuple[Array, ...], n_tasks: int) -> Array:
        """The sum of the dual variables, mapped back to the shape of W."""

    def proxes(self, images: tuple[Array, ...], step: float | Array) -> tuple[Array, ...]:
        """The prox of each term at its image."""

    def dual_prox(self, duals: tuple[Array, ...], step: float | Array) -> tuple[Array, ...]:
        """The prox of each term's conjugate, times a step."""

    def metric(self, n_tasks: int) -> Array:
        """The matrix M between the tasks for which tr(W M W') is the square of all images."""

    def squared_norm(self, n_tasks: int) -> float:
        """The largest squared singular value of the map from W to all images."""

    def least_duals(self, G: Array) -> tuple[Array, ...]:
        """The dual variables of least norm that decompose a gradient."""


class Sum(Smooth, Protocol):
    """A penalty that may be a sum of terms, certified by a dual variable for each term."""

    @property
    def terms(self) -> Terms | None:
        """The terms of a sum of penalties whose prox is known only term by term; else None."""

    def split_bounds(self, point: Point, duals: tuple[Array, ...]) -> tuple[float, float]:
        """As ``bounds``, given a dual variable for each term."""


def terms_of(objective: Sum) -> Terms:
    """The terms of the penalty, known to be a sum."""
    assert objective.terms is not None
    return objective.terms


class SpectralSum(Sum, Spectral, Protocol):
    """A sum of terms and a quadratic smooth part with a known eigenbasis."""

    def coupled_spectrum(self, metric: Array, *, scaled: bool = False) -> CoupledSpectrum:
        """The smooth part, with exact steps in a metric (n_tasks, n_tasks) between the tasks.

        With ``scaled`` as a function of W / scale, for a scale of each feature.
        """


class ExactSteps(Protocol):
    """Whether steps that are exact in a quadratic smooth part are affordable."""

    @property
    def has_spectrum(self) -> bool:
        """Whether the smooth part is a quadratic whose eigenbasis costs less than iterating."""

    @property
    def has_coupled_spectrum(self) -> bool:
        """Whether steps that couple the tasks are exact, with affordable matrices."""

    @property
    def has_common_hessian(self) -> bool:
        """Whether all tasks have the same Hessian, so that these steps are cheap."""


class Model(SpectralSum, ExactSteps, Protocol):
    """A quadratic model of the loss, plus the penalty."""

    @property
    def has_cheap_factors(self) -> bool:
        """Whether Cholesky factors take the place of the eigenbasis, at much less cost."""


class QuadraticModels(Sum, Protocol):
    """A loss that is not quadratic, and its quadratic models."""

    def quadratic_model(self, point: Point, *, majorise: bool = False) -> Model:
        """The objective with the loss replaced by its quadratic model at a point, b minimised out.

        With ``majorise`` the model has the largest curvature of the loss, if that is finite, and
        is then an upper bound.
        """

    def settled(self, point: Point) -> Point:
        """The point with the same W and the best intercepts."""


class Switchable(Model, QuadraticModels, Protocol):
    """A smooth part with an eigenbasis or with quadratic models, depending on ``has_spectrum``."""


class Kinked(Sum, Protocol):
    """A loss without a gradient, and smooth objectives whose minimisers approach its own."""

    def loss_width(self, point: Point) -> float:
        """The mean loss of a label, which is in the units of the labels."""

    def augmented(self, multipliers: Array, width: float) -> Any:
        """The objective with the envelope of the loss, shifted by multipliers for each label."""

    def multipliers(self, point: Point) -> Array:
        """The derivative of the loss at each label."""

    def lower_bound(
        self, multipliers: Array, point: Point, duals: tuple[Array, ...] | None
    ) -> float:
        """A lower bound on the minimum, from derivatives of the loss near a solution."""

    def settled(self, point: Point) -> Point:
        """The point with the same W and the best intercepts."""


class LossSplitting(Kinked, Protocol):
    """A loss with a prox, and least squares in the same predictors with a known eigenbasis."""

    @property
    def memory(self) -> dict[str, Any]:
        """State that a solver stores for the next fit of the same labels."""

    def squares(self, scale: float) -> Quadratics:
        """The Hessians of scaled least squares and the quadratic penalty."""

    def fitted(self, target: Array) -> tuple[Array, Array]:
        """The product of targets with X', and the intercepts that fit them best."""

    def loss_prox(self, Z: Array, step: float) -> Array:
        """The prox of each label's loss."""

    def best_point(self, W: Array, b: Array) -> Point:
        """The point at W with the best intercepts, searched from b."""


class RowModel(Protocol):
    """A quadratic model of the smooth part in some rows of W."""

    def minimise(self, W: Array, penalty: Thresholds, tol: float, max_sweeps: int) -> int:
        """Minimise over W in place up to a duality gap; return the number of sweeps."""


class RowModels(Smooth, Protocol):
    """A penalty that thresholds rows of W, and models of the loss in some rows."""

    @property
    def thresholds(self) -> Thresholds | None:
        """The penalty as thresholds on the rows of W and their entries, or None."""

    @property
    def rows_per_product(self) -> float:
        """The number of rows for which a model costs as much as a gradient."""

    @property
    def largest_set(self) -> int:
        """The largest number of rows for which a model fits into memory."""

    @property
    def curved(self) -> "CurvedRowModels | None":
        """The objective itself; None if the loss is quadratic, so that ``row_model`` is exact."""

    def row_model(self, point: Point, features: Array) -> RowModel:
        """A model of the loss at a point with the best intercepts, in some rows of W."""

    def move_rows(self, point: Point, features: Array, rows: Array) -> Point:
        """The point with some rows of W moved to the minimiser of a model.

        If the loss is not quadratic, a line search ensures that the objective does not increase,
        and the intercepts are optimised.
        """

    def usable_rows(self, point: Point) -> Array | None:
        """Which rows of W may be non-zero at a minimiser, or None if unknown."""

    def restricted(self, features: Array, point: Point) -> tuple[Self, Point]:
        """The problem restricted to some rows of W, the others being zero, and its point."""


class GroupedRows(Switchable, Protocol):
    """A penalty on groups of rows of W, to some of which the problem can be restricted."""

    @property
    def row_groups(self) -> Array | None:
        """The group of each row of W."""

    @property
    def has_quadratic_models(self) -> bool:
        """Whether the loss is not quadratic but has quadratic models with small matrices."""

    def value(self, point: Point) -> float:
        """The objective at a point."""

    def nearness(self, G: Array) -> Array:
        """How close each row (d,) is to becoming active at the slopes G: it is at 1."""

    def restricted(self, features: Array, point: Point) -> tuple[Self, Point]:
        """The problem restricted to some groups of W, the others being zero, and its point."""


class CurvedRowModels(RowModels, Protocol):
    """Models in some rows of W of a loss that is not quadratic."""

    def row_model(self, point: Point, features: Array, effort: int = 0) -> RowModel:
        """A model at a point; more ``effort`` estimates its curvature from more rows of data."""

    def renewed_model(self, model: RowModel, point: Point) -> RowModel:
        """The model of all rows at another point, with the same curvature."""


class RowExpansion(Protocol):
    """The second-order expansion of the loss at a point, and approximate models of it.

    Attributes
    ----------
    point : Point
    features : ndarray of shape (s,)
        The rows of W in which it is minimised.
    """

    point: Point
    features: Array

    def model(self) -> RowModel:
        """A model around the current point, exact in the gradient but not in the curvature."""

    def move(self, rows: Array) -> None:
        """Move the current point to these rows of W, with the best intercepts."""

    def covers(self) -> bool:
        """Whether the gradients of all other rows of W are below their thresholds."""

    def reached(self, rows: Array) -> Point:
        """The current point, with these rows of W."""

    def bound(self, W: Array) -> float:
        """A lower bound on the objective's minimum; -inf if no dual point was found."""


class ExpandedRowModels(CurvedRowModels, Protocol):
    """A loss that is not quadratic, with Gram matrices known from a similar objective."""

    @property
    def has_expansion(self) -> bool:
        """Whether such matrices are known."""

    def settled(self, point: Point) -> Point:
        """The point with the same W and the best intercepts."""

    def expanded(self, point: Point) -> RowExpansion:
        """The expansion at a point, whose intercepts need not be the best."""


def thresholds_of(objective: RowModels) -> Thresholds:
    """The thresholds of the penalty, known to have them."""
    assert objective.thresholds is not None
    return objective.thresholds
