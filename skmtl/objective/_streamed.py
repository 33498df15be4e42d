r"""Objectives on batches of rows, which are read again in each pass.

A pass adds up the loss, its gradient and its curvature over the batches. With the curvature H of
the labels at the last place and the model's step dz of the predictors, :math:`u + H \, dz` is a
dual point whose G the model gives exactly, so that the next pass only has to add up the conjugates.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from skmtl._numerics import linalg
from skmtl.objective._base import Array, parts_of
from skmtl.objective._certificate import DualPoint
from skmtl.objective._gram import GramObjective, Quadratics
from skmtl.objective._pass_sums import (
    BendSums,
    DualStep,
    DualSums,
    NullSums,
    PassRequest,
    PassSums,
    Way,
)
from skmtl.objective._superposed import SuperposedObjective
from skmtl.penalties import Penalty, Quadratic
from skmtl.solvers import Place, Point

# The null objective is accurate to this fraction.
_NULL_ACCURACY = 1e-6
_JITTER, _MARGIN = 1e-9, 1.001


@dataclass(frozen=True)
class Bend:
    """The curvature of the loss at a place, with the intercepts eliminated.

    Attributes
    ----------
    place : Place
    W : ndarray of shape (n_features, n_tasks)
        The coefficients there.
    grams : ndarray of shape (1 or n_tasks, n_features, n_features)
        The Hessians in W divided by ``scales`` (n_tasks,).
    cross : ndarray of shape (n_features, n_tasks) or None
        The second derivatives in W and b; None without intercepts.
    totals : ndarray of shape (n_tasks,) or None
        Those in b.
    """

    place: Place
    W: Array
    grams: Array
    scales: Array
    cross: Array | None
    totals: Array | None

    def best_intercepts(self, W: Array, visit: "StreamedVisit") -> Array:
        """The intercepts that minimise the model at W."""
        if self.cross is None or self.totals is None:
            return visit.place.b
        slope = visit.slope + np.einsum("dt,dt->t", self.cross, W - visit.W)
        return visit.place.b - _divided(slope, self.totals)


@dataclass
class StreamedVisit:
    """The sums of a pass, see :class:`skmtl.solvers.Streamed`.

    Attributes
    ----------
    W : ndarray of shape (n_features, n_tasks)
        The coefficients, if those of ``place`` are in parts.
    gradient : ndarray of shape (n_features, n_tasks)
    slope : ndarray of shape (n_tasks,)
        The gradient in the intercepts.
    bend : Bend
        The last known curvature, here or at an earlier place.
    candidates : list of Candidate
        The dual points that the next pass evaluates.
    """

    place: Place
    W: Array
    value: float
    bound: float
    values: dict[float, float]
    gradient: Array
    slope: Array
    bend: Bend
    candidates: list["Candidate"] = field(default_factory=list)

    def way(self) -> Way:
        """What the next pass evaluates on its way from here."""
        bend = self.bend
        here, bent = Place(self.W, self.place.b), None
        if bend.place is not self.place:
            bent = Place(bend.W, bend.place.b)
        return Way(here, bent, tuple(each.dual for each in self.candidates))

    @property
    def is_balanced(self) -> bool:
        """Whether steps in the intercepts can make their gradient vanish."""
        totals = self.bend.totals
        return totals is None or not ((totals <= 0) & (self.slope != 0)).any()


class Candidate:
    """A dual point u + H dz, whose conjugates the next pass adds up.

    Parameters
    ----------
    step : Place
        The step whose predictors are dz.
    point : DualPoint
    penalty, quadratic : parts of the penalty
    reach : float
        A multiple for which u is likely to be in the conjugate's domain.
    """

    def __init__(
        self,
        step: Place,
        point: DualPoint,
        penalty: Penalty | None,
        quadratic: Quadratic | None,
        reach: float,
    ) -> None:
        self.penalty, self.quadratic = penalty, quadratic
        self.points = {multiple: point.scaled(multiple) for multiple in {1.0, reach}}
        scales = {m * s: 0.0 for m, p in self.points.items() for s in p.scales(penalty, quadratic)}
        self.dual = DualStep(step, tuple(scales))

    def bound(self, sums: DualSums) -> float:
        """The largest bound of the multiples."""
        return max(self._bound_at(multiple, sums.conjugates) for multiple in self.points)

    def _bound_at(self, multiple: float, conjugates: dict[float, float]) -> float:
        return self.points[multiple].bound(
            self.penalty, self.quadratic, lambda scale: -conjugates[multiple * scale]
        )


class StreamedObjective:
    """Rows of batches, a loss and a penalty, as :class:`skmtl.solvers.Streamed`.

    Parameters
    ----------
    collect : callable
        Reads all batches once: the sums for a :class:`PassRequest`.
    shape : tuple
        (n_features, n_tasks)
    penalty : Penalty or None
    counts : ndarray of shape (n_tasks,)
        Numbers of labels.
    null : ndarray of shape (n_tasks,)
        Where to search for the best intercepts with W = 0.
    fit_intercept : bool
    """

    def __init__(
        self,
        collect: Callable[[PassRequest], PassSums],
        shape: tuple[int, int],
        penalty: Penalty | None,
        counts: Array,
        null: Array,
        *,
        fit_intercept: bool,
    ) -> None:
        self.collect, self.shape, self.counts = collect, shape, counts
        self.penalty, self.quadratic = parts_of(penalty)
        self.n_parts = 1 if self.penalty is None else max(self.penalty.n_superposed, 1)
        self.fit_intercept = fit_intercept
        self.null = NullSearch(null, searches=fit_intercept)
        self._reach = 1.0

    @property
    def null_value(self) -> float:
        return self.null.value

    def start(self) -> Place:
        """W = 0 with the intercepts from which the search for the best starts."""
        d, n_tasks = self.shape
        return Place(np.zeros((self.n_parts * d, n_tasks)), self.null.b)

    def summed(self, W: Array) -> Array:
        """The coefficients, from their parts one below the other."""
        if self.n_parts == 1:
            return W
        return np.asarray(W.reshape(self.n_parts, -1, W.shape[1]).sum(axis=0))

    def _penalty_value(self, W: Array) -> float:
        value = 0.0 if self.quadratic is None else self.quadratic.value(self.summed(W))
        if self.penalty is None:
            return value
        if self.n_parts > 1:
            return value + self.penalty.value_of_parts(W.reshape(self.n_parts, -1, W.shape[1]))
        return value + self.penalty.value(W)

    def visit(self, place: Place, before: StreamedVisit | None, *, bend: bool) -> StreamedVisit:
        at = Place(self.summed(place.W), place.b)
        way = None if before is None else before.way()
        bend, null = bend or before is None, self.null
        sums = self.collect(PassRequest(at, bend, null.asked, null.searches, way))
        null.end_pass(sums.null)
        bound, values = -np.inf, {}
        if before is not None:
            found = zip(before.candidates, sums.duals, strict=True)
            bound = max((each.bound(dual) for each, dual in found), default=-np.inf)
            self._reach = max((dual.reach for dual in sums.duals), default=self._reach)
            before.candidates = []  # a second visit from the same place would repeat them
            values = {
                s: value + self._penalty_value(before.place.towards(place, s).W)
                for s, value in sums.values.items()
            }
        value = sums.value + self._penalty_value(place.W)
        value = value if np.isfinite(value) else np.inf
        curved = eliminated(sums.bend, place, at.W, fit_intercept=self.fit_intercept)
        if curved is None:
            assert before is not None
            curved = before.bend
        slope = sums.slope if self.fit_intercept else np.zeros(self.shape[1])
        return StreamedVisit(place, at.W, value, bound, values, sums.gradient, slope, curved)

    def model(self, visit: StreamedVisit) -> GramObjective | SuperposedObjective:
        bend = visit.bend
        slopes = visit.gradient
        if bend.cross is not None and bend.totals is not None:
            slopes = slopes - bend.cross * _divided(visit.slope, bend.totals)
        grams, scales = bend.grams, bend.scales
        H = grams if len(grams) > 1 else np.broadcast_to(grams, (len(scales), *grams.shape[1:]))
        linear = np.einsum("tij,jt->it", H, visit.W, optimize=True) * scales - slopes
        # A little more than the smallest constant for which the model is a sum of squares. With a
        # tiny ridge, singular matrices need no eigendecomposition.
        tops = np.broadcast_to(np.einsum("tjj->tj", grams).max(axis=1), scales.shape)
        ridges = np.maximum(_JITTER * tops, np.finfo(np.float64).tiny)
        best = linalg.solve_semidefinite(grams, ridges, linear / scales)
        squares = _MARGIN * max(float(np.vdot(best, linear)), 0.0)
        model = Quadratics(grams, scales, linear, squares, self.counts)
        self._total = total = GramObjective(model, self.penalty, self.quadratic)
        return total if self.n_parts == 1 else SuperposedObjective(total)

    def propose(self, visit: StreamedVisit, found: Point, duals: tuple[Array, ...] | None) -> Place:
        total = self._total
        penalty = self.penalty if duals is None else cast(Any, self.penalty).with_duals(duals)
        W = self.summed(found.W)
        none = np.zeros(0)
        starts = (visit.W, W) if visit.is_balanced else ()
        for start in (total.point(each, none) for each in starts):
            point = total.dual_point(start)
            if point is not None:
                b = visit.bend.best_intercepts(point.W, visit)
                step = Place(point.W - visit.W, b - visit.place.b)
                parts = penalty, self.quadratic, self._reach
                visit.candidates.append(Candidate(step, point, *parts))
        return Place(found.W, visit.bend.best_intercepts(W, visit))


def eliminated(sums: BendSums, place: Place, W: Array, *, fit_intercept: bool) -> Bend | None:
    """The curvature with the intercepts minimised out, if it was evaluated; ``sums`` change."""
    if sums.empty:
        return None
    if not fit_intercept:
        return Bend(place, W, sums.grams, sums.ratios, None, None)
    # Sums that come from another process may be read-only.
    grams = np.require(sums.grams, requirements="W")
    for gram, cross, total in zip(grams, sums.cross.T, sums.totals, strict=False):
        raw = gram.diagonal().copy()
        if total > 0:
            gram -= np.outer(cross, cross / total)
        constant = gram.diagonal() <= 1e-14 * raw
        gram[constant] = 0.0
        gram[:, constant] = 0.0
    return Bend(place, W, grams, sums.ratios, sums.cross, sums.totals)


class NullSearch:
    """The best intercepts with W = 0, by a Newton step for each task after each pass.

    Attributes
    ----------
    b : ndarray of shape (n_tasks,)
    value : float
        The objective at the best intercepts so far.
    """

    def __init__(self, b: Array, *, searches: bool) -> None:
        self.b, self.best, self.searches = b, b, searches
        self.values = np.full(len(b), np.inf)
        self.value, self.settled = np.inf, False

    @property
    def asked(self) -> Array | None:
        """Where the next pass evaluates the loss; None if that is not needed."""
        return None if self.settled else self.b

    def end_pass(self, sums: NullSums) -> None:
        """Move to where the search continues in the next pass."""
        if self.settled:
            return
        better = sums.values <= self.values
        self.values = np.where(better, sums.values, self.values)
        self.value = float(self.values.sum())
        step = -_divided(sums.slope, sums.bend)
        gain = float(-(step * sums.slope)[better].sum()) / 2
        self.settled = bool(better.all()) and gain <= _NULL_ACCURACY * self.value
        self.best = np.where(better, self.b, self.best)
        self.b = np.where(better, self.b + step, (self.b + self.best) / 2)


def _divided(values: Array, by: Array) -> Array:
    return np.divide(values, by, out=np.zeros_like(values), where=by > 0)
