r"""Objectives on batches of rows, which are read again in each pass.

A pass adds up the loss, its gradient and its curvature over the batches. With the curvature H of
the labels at the last place and the model's step dz of the predictors, :math:`u + H \, dz` is a
dual point whose G the model gives exactly, so that the next pass only has to add up the conjugates.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from skmtl._numerics import linalg
from skmtl.objective._base import Array, parts_of
from skmtl.objective._batch_rows import BatchRows
from skmtl.objective._certificate import DualPoint
from skmtl.objective._gram import GramObjective, Quadratics
from skmtl.objective._superposed import SuperposedObjective
from skmtl.penalties import Penalty, Quadratic
from skmtl.solvers import Place, Point

# The fractions of a step at which a pass evaluates the objective.
_FRACTIONS = (0.5, 0.2, 0.05, 0.01)
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

    @property
    def is_balanced(self) -> bool:
        """Whether steps in the intercepts can make their gradient vanish."""
        totals = self.bend.totals
        return totals is None or not ((totals <= 0) & (self.slope != 0)).any()


class Candidate:
    """A dual point u + H dz, and its conjugate losses summed so far.

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
        self.step, self.penalty, self.quadratic, self.reach = step, penalty, quadratic, 1.0
        self.points = {multiple: point.scaled(multiple) for multiple in {1.0, reach}}
        self.sums = {
            m * s: 0.0 for m, p in self.points.items() for s in p.scales(penalty, quadratic)
        }

    def add(self, rows: BatchRows, U: Array, H: Array) -> None:
        """Add the conjugates of a batch, from the derivatives and curvatures of its losses."""
        U = U + H * rows.predict(self.step.W, self.step.b)
        if not rows.complete:
            U = np.where(rows.unlabelled, 0.0, U)
        self.reach = min(self.reach, rows.loss.dual_scale(U))
        for scale in self.sums:
            self.sums[scale] += rows.total(rows.loss.conjugate(rows.y, scale * U))

    def bound(self) -> float:
        """The largest bound of the multiples."""
        return max(map(self._bound_at, self.points))

    def _bound_at(self, multiple: float) -> float:
        return self.points[multiple].bound(
            self.penalty, self.quadratic, lambda scale: -self.sums[multiple * scale]
        )


class StreamedObjective:
    """Rows of batches, a loss and a penalty, as :class:`skmtl.solvers.Streamed`.

    Parameters
    ----------
    read : callable
        Reads all batches once: an iterator of :class:`BatchRows`.
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
        read: Callable[[], Iterator[BatchRows]],
        shape: tuple[int, int],
        penalty: Penalty | None,
        counts: Array,
        null: Array,
        *,
        fit_intercept: bool,
    ) -> None:
        self.read, self.shape, self.counts = read, shape, counts
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
        sums = Sums(self.shape, self.summed(place.W), place, bend=bend or before is None)
        way = None if before is None else Way(before)
        for rows in self.read():
            Z = sums.add(rows)
            self.null.add(rows)
            if way is not None:
                way.add(rows, Z)
            # The next batch is read into memory only after this one is released.
            del rows, Z
        self.null.end_pass()
        bound, values = -np.inf, {}
        if before is not None and way is not None:
            bound = max((each.bound() for each in before.candidates), default=-np.inf)
            self._reach = max((each.reach for each in before.candidates), default=self._reach)
            before.candidates = []  # a second visit from the same place would repeat them
            values = {
                s: value + self._penalty_value(before.place.towards(place, s).W)
                for s, value in way.values.items()
            }
        value = sums.value + self._penalty_value(place.W)
        value = value if np.isfinite(value) else np.inf
        found = sums.bend_sums.eliminated(place, sums.W, fit_intercept=self.fit_intercept)
        if found is None:
            assert before is not None
            found = before.bend
        slope = sums.slope if self.fit_intercept else np.zeros(self.shape[1])
        return StreamedVisit(place, sums.W, value, bound, values, sums.gradient, slope, found)

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


class Sums:
    """The loss and its derivatives at a place, added up over the batches."""

    def __init__(self, shape: tuple[int, int], W: Array, place: Place, *, bend: bool) -> None:
        self.W, self.b, self.value = W, place.b, 0.0
        self.gradient, self.slope = np.zeros(shape), np.zeros(shape[1])
        self.bend_sums = BendSums(shape, empty=not bend)

    def add(self, rows: BatchRows) -> Array:
        """Add a batch; return its predictors."""
        Z = rows.predict(self.W, self.b)
        self.value += rows.value(Z)
        U = rows.weights * rows.slopes(Z)
        rows.adjoint(U, self.gradient)
        rows.gather(U, self.slope)
        self.bend_sums.add(rows, Z)
        return Z


class BendSums:
    """The curvature, added up over the batches; nothing if ``empty``."""

    def __init__(self, shape: tuple[int, int], *, empty: bool) -> None:
        self.shape, self.empty = shape, empty
        self.cross, self.totals = np.zeros(shape), np.zeros(shape[1])
        # One matrix as long as the tasks have proportional weights, such as at W = 0.
        self.grams, self.ratios = np.zeros((0, 0, 0)), np.ones(shape[1])

    def add(self, rows: BatchRows, Z: Array) -> None:
        if self.empty:
            return
        H = rows.weights * rows.bend(Z)
        if not np.isfinite(H).all():
            self.empty = True  # the losses overflow, so that the step is rejected
            return
        rows.adjoint(H, self.cross)
        rows.gather(H, self.totals)
        ratios, n_tasks, d = _ratios(H), self.shape[1], self.shape[0]
        if not len(self.grams):
            self.ratios = np.ones(n_tasks) if ratios is None else ratios
            self.grams = np.zeros((n_tasks if ratios is None else 1, d, d))
        if len(self.grams) == 1 < n_tasks and not _agree(ratios, self.ratios):
            self.grams = self.grams * self.ratios[:, None, None]
            self.ratios = np.ones(n_tasks)
        rows.grams(H if len(self.grams) == n_tasks else H[:, :1], self.grams)

    def eliminated(self, place: Place, W: Array, *, fit_intercept: bool) -> Bend | None:
        """The curvature with the intercepts minimised out."""
        if self.empty:
            return None
        grams = self.grams
        if not fit_intercept:
            return Bend(place, W, grams, self.ratios, None, None)
        for gram, cross, total in zip(grams, self.cross.T, self.totals, strict=False):
            raw = gram.diagonal().copy()
            if total > 0:
                gram -= np.outer(cross, cross / total)
            constant = gram.diagonal() <= 1e-14 * raw
            gram[constant] = 0.0
            gram[:, constant] = 0.0
        return Bend(place, W, grams, self.ratios, self.cross, self.totals)


class Way:
    """What a pass finds out on the way from the place before: losses and dual points."""

    def __init__(self, before: StreamedVisit) -> None:
        self.before, self.values = before, dict.fromkeys(_FRACTIONS, 0.0)

    def add(self, rows: BatchRows, Z: Array) -> None:
        """Add a batch, given the predictors at the new place."""
        before = self.before
        old = rows.predict(before.W, before.place.b)
        for fraction in self.values:
            self.values[fraction] += rows.value(old + fraction * (Z - old))
        if not before.candidates:
            return
        bent = old
        if before.bend.place is not before.place:
            bent = rows.predict(before.bend.W, before.bend.place.b)
        U, H = rows.slopes(old), rows.bend(bent)
        for each in before.candidates:
            each.add(rows, U, H)


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
        self._clear()

    def _clear(self) -> None:
        self._values, self._slope, self._bend = (np.zeros(len(self.b)) for _ in range(3))

    def add(self, rows: BatchRows) -> None:
        if self.settled:
            return
        Z = rows.constant(self.b)
        losses = rows.loss.value(rows.y, Z)
        if not rows.complete:
            losses = np.where(rows.unlabelled, 0.0, losses)
        rows.gather(rows.weights * losses, self._values)
        if self.searches:
            rows.gather(rows.weights * rows.slopes(Z), self._slope)
            rows.gather(rows.weights * rows.bend(Z), self._bend)

    def end_pass(self) -> None:
        """Move to where the search continues in the next pass."""
        if self.settled:
            return
        better = self._values <= self.values
        self.values = np.where(better, self._values, self.values)
        self.value = float(self.values.sum())
        step = -_divided(self._slope, self._bend)
        gain = float(-(step * self._slope)[better].sum()) / 2
        self.settled = bool(better.all()) and gain <= _NULL_ACCURACY * self.value
        self.best = np.where(better, self.b, self.best)
        self.b = np.where(better, self.b + step, (self.b + self.best) / 2)
        self._clear()


def _divided(values: Array, by: Array) -> Array:
    return np.divide(values, by, out=np.zeros_like(values), where=by > 0)


def _ratios(H: Array) -> Array | None:
    """The columns of label weights as multiples (n_tasks,) of the first, or None."""
    if H.ndim == 1 or not H[:, 0].any():
        return None
    ratios = H.sum(axis=0) / H[:, 0].sum()
    return ratios if np.allclose(H, H[:, :1] * ratios, rtol=1e-12, atol=0.0) else None


def _agree(ratios: Array | None, others: Array) -> bool:
    return ratios is not None and np.allclose(ratios, others, rtol=1e-12, atol=0.0)
