"""What algorithms ask of an objective: one protocol for each thing that an objective may offer.

An objective is a smooth part f(W, b) and a penalty on W, and has a lower bound of its minimum. That
is all that FISTA asks. Other algorithms ask for more, which only some objectives have, and say so
in their signatures; ``has_...`` tells at run time, since it may depend on the penalty and on sizes.
"""

from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from skmtl._numerics import PartsSpectrum, Spectrum
from skmtl.solvers._point import Point
from skmtl.solvers._thresholds import Thresholds

Array = NDArray[Any]


class Certified(Protocol):
    """An objective with a lower bound of its minimum: what tells when to stop.

    Attributes
    ----------
    dtype : numpy dtype
        The data's precision.
    """

    dtype: np.dtype[Any]

    @property
    def null_value(self) -> float:
        """F(0, b*): the scale of tolerances."""

    def bounds(self, point: Point) -> tuple[float, float]:
        """P at the point and a lower bound of min P, both in float64.

        The bound is -inf where no dual point was found.
        """


class Smooth(Certified, Protocol):
    """A smooth part with a gradient, and a penalty with a prox.

    Attributes
    ----------
    n_features : int
        How many rows W has.
    """

    n_features: int

    def point(self, W: Array, b: Array) -> Point:
        """The point at (W, b)."""

    def value(self, point: Point) -> float:
        """P(W, b)."""

    def smooth_value(self, point: Point) -> float:
        """Loss plus quadratic."""

    def gradient(self, point: Point) -> tuple[Array, Array]:
        """The smooth part's gradient in W and in b."""

    @property
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

    @property
    def curvature_limit(self) -> float:
        """What no curvature exceeds: where a solver meets more, it is rounding."""

    @property
    def entry_curvature(self) -> Array | None:
        """The smooth part's own curvature in each entry of W, where that is known and bounded."""

    def excess_curvature(self, old: Point, new: Point) -> float:
        """An upper bound of 2 (f(new) - f(old) - <grad f(old), new - old>)."""

    def prox(self, V: Array, step: float | Array) -> Array:
        """The prox of the penalty, with a step for all features or one each (n_features, 1)."""

    def intercept_step(self, gradient: Array, metric: Array) -> Array:
        """The gradient in b by the inverse of a multiple of the metric of intercepts."""

    def intercept_product(self, one: Array, other: Array, metric: Array) -> float:
        """The inner product of two changes of b in a multiple of the metric of intercepts."""


class NewtonSteps(Smooth, Protocol):
    """A smooth part that is all there is, with Hessians that fit into memory."""

    def newton_step(self, point: Point, gradient: tuple[Array, Array]) -> tuple[Array, Array]:
        """The minimiser, relative to the point, of the smooth part's quadratic model."""


class Spectral(Smooth, Protocol):
    """A smooth part that is a quadratic with a known eigenbasis: exact for any step."""

    @property
    def spectrum(self) -> Spectrum | PartsSpectrum:
        """The smooth part in the eigenbasis of its Hessian."""

    def best_point(self, W: Array, b: Array) -> Point:
        """The point at W with the best intercepts, from b, which the null point has."""


class Terms(Protocol):
    """A sum of penalties, each with a prox on an image of W, and none together."""

    @property
    def separates_over_rows(self) -> bool:
        """Whether every term does, so that its prox takes a step for each row."""

    @property
    def takes_copies(self) -> bool:
        """Whether each term is one of W itself, and together they hold all of it."""

    @property
    def sparsest(self) -> int:
        """Which term makes most zeros: one that takes rows by themselves, if there is."""

    def images(self, W: Array) -> tuple[Array, ...]:
        """What each term sees of W."""

    def adjoint(self, duals: tuple[Array, ...], n_tasks: int) -> Array:
        """The slopes that duals of the images add up to."""

    def proxes(self, images: tuple[Array, ...], step: float | Array) -> tuple[Array, ...]:
        """The prox of each term at an image of its own."""

    def dual_prox(self, duals: tuple[Array, ...], step: float | Array) -> tuple[Array, ...]:
        """The prox of step times each term's conjugate."""

    def squared_norm(self, n_tasks: int) -> float:
        """The largest eigenvalue of the map to all images, times its transpose."""


class Sum(Smooth, Protocol):
    """A penalty that is a sum of terms, certified by a dual variable for each."""

    @property
    def terms(self) -> Terms | None:
        """The penalties, where they have a prox each but none together; else None."""

    def split_bounds(self, point: Point, duals: tuple[Array, ...]) -> tuple[float, float]:
        """As ``bounds``, for a dual variable of each term."""


def terms_of(objective: Sum) -> Terms:
    """The terms of a penalty that is a sum of them."""
    assert objective.terms is not None
    return objective.terms


class SpectralSum(Sum, Spectral, Protocol):
    """A sum of terms whose smooth part has a known eigenbasis."""


class Model(SpectralSum, Protocol):
    """A quadratic model of a loss, with the penalty; its eigenbasis may be worth computing."""

    @property
    def has_spectrum(self) -> bool:
        """Whether it has an eigenbasis that costs less than iterating."""


class QuadraticModels(Sum, Protocol):
    """A loss that is not quadratic, with models of it that can be minimised with the penalty."""

    def quadratic_model(self, point: Point, *, majorise: bool = False) -> Model:
        """The objective with the loss's quadratic model at a point, b minimised out.

        A model that majorises has the loss's largest curvature everywhere, where that is finite.
        """

    def settled(self, point: Point) -> Point:
        """The point with the best intercepts for its W."""


class Switchable(Model, QuadraticModels, Protocol):
    """A smooth part that is exact in its eigenbasis, or in models, as ``has_spectrum`` tells."""


class RowModel(Protocol):
    """The smooth part near a point, in some rows of W."""

    def minimise(self, W: Array, penalty: Thresholds, tol: float, max_sweeps: int) -> int:
        """Minimise over W in place, to a duality gap; the number of sweeps."""


class RowModels(Smooth, Protocol):
    """A penalty that thresholds rows of W, and models of the loss in some of them."""

    @property
    def thresholds(self) -> Thresholds | None:
        """The penalty as thresholds on the rows of W and their entries, where it is that."""

    @property
    def rows_per_product(self) -> float:
        """How many rows a model may hold for what a gradient costs, in arithmetic."""

    @property
    def largest_set(self) -> int:
        """How many rows of W a model may have for its memory."""

    @property
    def is_quadratic(self) -> bool:
        """Whether ``row_model`` is the loss itself, at every point."""

    def row_model(self, point: Point, features: Array, effort: int = 0) -> RowModel:
        """The loss near a point whose intercepts are the best, in some rows of W.

        With more effort it may come nearer to the loss.
        """

    def renewed_model(self, model: RowModel, point: Point) -> RowModel:
        """A model of all rows of W at another point, with the curvature it has."""

    def move_rows(self, point: Point, features: Array, rows: Array) -> Point:
        """The point with other rows of W: those at which a model of the point is minimal.

        Where the loss is not quadratic, on the way there, no higher, with the best intercepts.
        """

    def usable_rows(self, point: Point) -> Array | None:
        """Which rows of W may be non-zero at a minimiser; None where nothing is known."""

    def restricted(self, features: Array, point: Point) -> tuple[Self, Point]:
        """The same problem in the rows ``features`` of W alone, the others zero, and its point."""


def thresholds_of(objective: RowModels) -> Thresholds:
    """The thresholds of a penalty that is nothing else."""
    assert objective.thresholds is not None
    return objective.thresholds
