"""Proximal Newton steps on data that are read again in each pass."""

from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from skmtl._warnings import warn
from skmtl.solvers._choice import Offers, choose_solver
from skmtl.solvers._contract import Model
from skmtl.solvers._driver import certified, duals_of
from skmtl.solvers._point import Point

Array = NDArray[Any]

# Each model is minimised to a share of what is left to gain. If the objective is as good as solved
# but the gap has not halved, the share is reduced by the second factor, down to the third.
_INNER, _FINER, _FINEST = 0.01, 0.01, 1e-10
# Rounding errors are all that is left if a pass after the finest model reduces the gap to no less
# than this share.
_STALLED = 0.9
_MAX_INNER = 2000
# The curvature is kept once a model promises a decrease by less than the tolerance, provided that
# the last pass has reduced the gap to less than this share.
_SLOW = 0.2
_LEAST_FRACTION = 1e-10


@dataclass(frozen=True)
class Place:
    """Coefficients W and intercepts b, without the linear predictors of a :class:`Point`."""

    W: Array
    b: Array

    def towards(self, other: "Place", fraction: float) -> "Place":
        """The place at a fraction of the way to another."""
        if fraction == 1.0:
            return other
        return Place(self.W + fraction * (other.W - self.W), self.b + fraction * (other.b - self.b))


class Visit(Protocol):
    """What a pass over the data finds out.

    Attributes
    ----------
    place : Place
        Where the objective was evaluated.
    value : float
        The objective there.
    bound : float
        A lower bound on the minimum, from the dual points of the place before.
    values : dict from float to float
        The objective at fractions of the way from the place before.
    """

    place: Place
    value: float
    bound: float
    values: dict[float, float]


Visited = TypeVar("Visited", bound=Visit)


class PassModel(Model, Offers, Protocol):
    """The quadratic model of a loss, plus the penalty."""


class Streamed(Protocol[Visited]):
    """An objective that can be evaluated only by a pass over the data."""

    @property
    def null_value(self) -> float:
        """F(0, b*), as far as the passes have found the best b."""

    def visit(self, place: Place, before: Visited | None, *, bend: bool) -> Visited:
        """Read the data once: the value and the gradient at a place, and with ``bend`` the
        curvature; on the way from the place before, values and dual points.
        """

    def model(self, visit: Visited) -> PassModel:
        """The quadratic model of the loss at a visited place, plus the penalty."""

    def propose(self, visit: Visited, found: Point, duals: tuple[Array, ...] | None) -> Place:
        """The place where the last model has its minimum; the next visit uses its dual points."""


@dataclass(frozen=True)
class PassedOver:
    """The best place, its objective and its duality gap, and the number of passes."""

    visit: Any
    dual_gap: float
    n_passes: int


class NewtonPasses:
    """Minimise a quadratic model of the loss plus the penalty after each pass over the data.

    A pass evaluates the objective, its gradient and its curvature at the minimiser of the last
    model, and the objective at some fractions of the way. An accepted step costs one pass; if it
    is rejected, the next pass evaluates the best of the fractions, which is known to be accepted.
    The same pass evaluates the dual points that the last model gives, so that certificates need no
    passes of their own. Once the steps are short, the curvature of the pass before is kept: a
    gradient is much cheaper.

    Parameters
    ----------
    objective : Streamed
    start : Place
    passes : int
        The maximum number of passes.
    done : int
        The number of passes so far.
    """

    def __init__(
        self, objective: Streamed[Any], start: Place, passes: int, *, done: int = 0
    ) -> None:
        self.objective, self.passes, self.n_passes = objective, passes, done
        self.lower, self.decrease, self.last_gap = 0.0, np.inf, np.inf
        self.share = _INNER
        self.here: Any = None
        self.here = self._visit(start, bend=True)

    def run(self, tol: float, verbose: int = 0) -> PassedOver:
        """Iterate until the gap is at most ``tol`` times the null objective."""
        while True:
            target = max(tol, 1e-12) * self.objective.null_value
            gap = max(self.here.value - self.lower, 0.0)
            if verbose:
                print(f"pass {self.n_passes}: objective {self.here.value:.10g}, dual gap {gap:.3g}")
            if gap <= target:
                break
            if self.n_passes >= self.passes or not self._step(gap, target):
                _warn(self.n_passes, gap, target, spent=self.n_passes >= self.passes)
                break
        return PassedOver(self.here, gap, self.n_passes)

    def _visit(self, place: Place, *, bend: bool) -> Any:
        self.n_passes += 1
        # Far from the optimum the losses may overflow; such steps are rejected.
        with np.errstate(over="ignore", invalid="ignore"):
            found = self.objective.visit(place, self.here, bend=bend)
        self.lower = max(self.lower, found.bound)
        return found

    def _step(self, gap: float, target: float) -> bool:
        """Move to the minimiser of the model or towards it; return whether this was possible."""
        if abs(self.decrease) <= target and gap > self.last_gap / 2:
            if self.share == _FINEST and gap > _STALLED * self.last_gap:
                return False
            self.share = max(_FINER * self.share, _FINEST)
        end = self._minimise_model(gap, target)
        before, fraction = self.here, 1.0
        bend = abs(self.decrease) > target or gap > _SLOW * self.last_gap
        self.last_gap = gap
        while self.n_passes < self.passes and fraction > _LEAST_FRACTION:
            found = self._visit(before.place.towards(end, fraction), bend=bend)
            if found.value <= self._allowed(fraction):
                self.here = found
                return True
            if self.lower >= before.value - target:
                return True  # only the bound was missing
            fraction *= self._best_fraction(found.values, fraction)
            bend = True
        return self.n_passes >= self.passes

    def _allowed(self, fraction: float) -> float:
        value: float = self.here.value
        return value + 1e-3 * fraction * self.decrease + 1e-14 * abs(value)

    def _best_fraction(self, values: dict[float, float], fraction: float) -> float:
        """The fraction of a rejected step with the smallest value; the smallest if none is good."""
        good = {s: v for s, v in values.items() if v <= self._allowed(s * fraction)}
        return min(good, key=good.__getitem__) if good else min(values)

    def _minimise_model(self, gap: float, target: float) -> Place:
        objective, here = self.objective, self.here
        model = objective.model(here)
        start = model.point(here.place.W, np.zeros(0))
        inner = choose_solver("auto", model)(model, start)
        enough = self.share * min(gap, max(abs(self.decrease), target), 0.1 * here.value)
        # The minimum of a model may be negative.
        *_, last = certified(inner, start, max_iter=_MAX_INNER, enough=enough, lower=-np.inf)
        self.decrease = model.value(last.point) - model.value(start)
        return objective.propose(here, last.point, duals_of(inner))


def _warn(n_passes: int, gap: float, target: float, *, spent: bool) -> None:
    remedy = "Increase passes, scale the features (StandardScaler), or increase alpha or tol"
    if not spent:
        remedy = "No further progress is possible. Increase tol or alpha, or scale X"
    warn(
        f"Stopped after {n_passes} passes over the batches with a duality gap of {gap:.3g}; the "
        f"tolerance is {target:.3g}. {remedy}.",
        ConvergenceWarning,
    )
