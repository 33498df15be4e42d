"""What a pass adds up over batches of rows: the loss, its derivatives, and conjugates.

A request states at which places. Its sums over some batches can be added to those over others, so
that different processes can read different batches.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from skmtl.objective._base import Array
from skmtl.objective._batch_rows import BatchRows
from skmtl.solvers import Place

# The fractions of a step at which a pass evaluates the objective.
FRACTIONS = (0.5, 0.2, 0.05, 0.01)


@dataclass(frozen=True)
class DualStep:
    """A dual point: the derivatives u of the losses plus their curvature times a step.

    Attributes
    ----------
    step : Place
        In coefficients and intercepts.
    scales : tuple of float
        The multiples of the dual point whose conjugates are added up.
    """

    step: Place
    scales: tuple[float, ...]


@dataclass(frozen=True)
class Way:
    """The way from the place before.

    Attributes
    ----------
    before : Place
    bent : Place or None
        Where the curvature was evaluated, if not at the place before.
    duals : tuple of DualStep
        Dual points derived at the place before.
    """

    before: Place
    bent: Place | None
    duals: tuple[DualStep, ...]


@dataclass(frozen=True)
class PassRequest:
    """What a pass evaluates.

    Attributes
    ----------
    place : Place
        Where the loss and its gradient are evaluated, with a single part of W.
    bend : bool
        Whether to evaluate the curvature.
    null : ndarray of shape (n_tasks,) or None
        Intercepts with W = 0, where the loss is evaluated and, with ``searches``, its derivatives.
    way : Way or None
    """

    place: Place
    bend: bool
    null: Array | None
    searches: bool
    way: Way | None

    def start(self) -> "PassSums":
        """The sums over no batch."""
        duals = () if self.way is None else self.way.duals
        shape = self.place.W.shape
        return PassSums(
            0.0,
            np.zeros(shape),
            np.zeros(shape[1]),
            BendSums(shape, empty=not self.bend),
            NullSums(shape[1]),
            {} if self.way is None else dict.fromkeys(FRACTIONS, 0.0),
            [DualSums(1.0, dict.fromkeys(each.scales, 0.0)) for each in duals],
        )

    def add(self, sums: "PassSums", rows: BatchRows) -> None:
        """Add a batch to the sums."""
        Z = rows.predict(self.place.W, self.place.b)
        sums.value += rows.value(Z)
        U = rows.weights * rows.slopes(Z)
        rows.adjoint(U, sums.gradient)
        rows.gather(U, sums.slope)
        sums.bend.add(rows, Z)
        if self.null is not None:
            sums.null.add(rows, self.null, searches=self.searches)
        if self.way is not None:
            _add_way(sums, rows, self.way, Z)


def _add_way(sums: "PassSums", rows: BatchRows, way: Way, Z: Array) -> None:
    """Add losses and conjugates on the way to the place where the predictors are Z."""
    old = rows.predict(way.before.W, way.before.b)
    for fraction in sums.values:
        sums.values[fraction] += rows.value(old + fraction * (Z - old))
    if not way.duals:
        return
    bent = old if way.bent is None else rows.predict(way.bent.W, way.bent.b)
    U, H = rows.slopes(old), rows.bend(bent)
    for dual, found in zip(way.duals, sums.duals, strict=True):
        found.add(rows, U + H * rows.predict(dual.step.W, dual.step.b))


@dataclass
class PassSums:
    """The sums that a pass was asked for.

    Attributes
    ----------
    value : float
        The loss at the place.
    gradient : ndarray of shape (n_features, n_tasks)
    slope : ndarray of shape (n_tasks,)
        The gradient in the intercepts.
    bend : BendSums
    null : NullSums
    values : dict from float to float
        The loss at fractions of the way.
    duals : list of DualSums
    """

    value: float
    gradient: Array
    slope: Array
    bend: "BendSums"
    null: "NullSums"
    values: dict[float, float]
    duals: list["DualSums"]

    def __add__(self, other: Self) -> Self:
        return type(self)(
            self.value + other.value,
            self.gradient + other.gradient,
            self.slope + other.slope,
            self.bend + other.bend,
            self.null + other.null,
            _added(self.values, other.values),
            [one + more for one, more in zip(self.duals, other.duals, strict=True)],
        )


class BendSums:
    """The curvature; nothing if ``empty``.

    Attributes
    ----------
    cross : ndarray of shape (n_features, n_tasks)
        The second derivatives in W and b.
    totals : ndarray of shape (n_tasks,)
        Those in b.
    grams : ndarray of shape (0, 1 or n_tasks, n_features, n_features)
        Those in W divided by ``ratios`` (n_tasks,). One matrix as long as the tasks have
        proportional weights, such as at W = 0; none before the first batch.
    """

    def __init__(self, shape: tuple[int, ...], *, empty: bool) -> None:
        self.empty = empty
        self.cross, self.totals = np.zeros(shape), np.zeros(shape[1])
        self.grams, self.ratios = np.zeros((0, 0, 0)), np.ones(shape[1])

    def add(self, rows: BatchRows, Z: Array) -> None:
        """Add a batch, given its predictors."""
        if self.empty:
            return
        H = rows.weights * rows.bend(Z)
        if not np.isfinite(H).all():
            self.empty = True  # the losses overflow, so that the step is rejected
            return
        rows.adjoint(H, self.cross)
        rows.gather(H, self.totals)
        ratios, (d, n_tasks) = _ratios(H), self.cross.shape
        if not len(self.grams):
            self.ratios = np.ones(n_tasks) if ratios is None else ratios
            self.grams = np.zeros((n_tasks if ratios is None else 1, d, d))
        if len(self.grams) < n_tasks and not _agree(ratios, self.ratios):
            self.grams, self.ratios = self._separate(), np.ones(n_tasks)
        rows.grams(H if len(self.grams) == n_tasks else H[:, :1], self.grams)

    def _separate(self) -> Array:
        """A matrix for each task."""
        if len(self.grams) == len(self.totals):
            return self.grams
        return self.grams * self.ratios[:, None, None]

    def __add__(self, other: Self) -> Self:
        new = type(self)(self.cross.shape, empty=self.empty or other.empty)
        if new.empty:
            return new
        new.cross, new.totals = self.cross + other.cross, self.totals + other.totals
        if not (len(self.grams) and len(other.grams)):
            filled = self if len(self.grams) else other
            new.grams, new.ratios = filled.grams, filled.ratios
        elif len(self.grams) == len(other.grams) and _agree(self.ratios, other.ratios):
            new.grams, new.ratios = self.grams + other.grams, self.ratios
        else:
            new.grams = self._separate() + other._separate()
        return new


class NullSums:
    """The loss of each task at intercepts alone, and its derivatives in them."""

    def __init__(self, n_tasks: int) -> None:
        self.values, self.slope, self.bend = (np.zeros(n_tasks) for _ in range(3))

    def add(self, rows: BatchRows, b: Array, *, searches: bool) -> None:
        """Add a batch."""
        Z = rows.constant(b)
        losses = rows.loss.value(rows.y, Z)
        if not rows.complete:
            losses = np.where(rows.unlabelled, 0.0, losses)
        rows.gather(rows.weights * losses, self.values)
        if searches:
            rows.gather(rows.weights * rows.slopes(Z), self.slope)
            rows.gather(rows.weights * rows.bend(Z), self.bend)

    def __add__(self, other: Self) -> Self:
        new = type(self)(0)
        new.values, new.slope = self.values + other.values, self.slope + other.slope
        new.bend = self.bend + other.bend
        return new


@dataclass
class DualSums:
    """The conjugates at multiples of a dual point.

    Attributes
    ----------
    reach : float
        A multiple, at most 1, for which the dual point is in the domain of the conjugate.
    conjugates : dict from float to float
        Their sums by the multiple.
    """

    reach: float
    conjugates: dict[float, float]

    def add(self, rows: BatchRows, U: Array) -> None:
        """Add a batch, given the dual point."""
        if not rows.complete:
            U = np.where(rows.unlabelled, 0.0, U)
        self.reach = min(self.reach, rows.loss.dual_scale(U))
        for scale in self.conjugates:
            self.conjugates[scale] += rows.total(rows.loss.conjugate(rows.y, scale * U))

    def __add__(self, other: Self) -> Self:
        conjugates = _added(self.conjugates, other.conjugates)
        return type(self)(min(self.reach, other.reach), conjugates)


def _added(one: dict[float, float], more: dict[float, float]) -> dict[float, float]:
    return {key: value + more[key] for key, value in one.items()}


def _ratios(H: Array) -> Array | None:
    """The columns of label weights as multiples (n_tasks,) of the first, or None."""
    if H.ndim == 1 or not H[:, 0].any():
        return None
    ratios = H.sum(axis=0) / H[:, 0].sum()
    return ratios if np.allclose(H, H[:, :1] * ratios, rtol=1e-12, atol=0.0) else None


def _agree(ratios: Array | None, others: Array) -> bool:
    return ratios is not None and np.allclose(ratios, others, rtol=1e-12, atol=0.0)
