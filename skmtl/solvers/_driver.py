"""The one loop around every solver: iterate, certify, stop, report, warn."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import lt
from typing import Any, Protocol, TypeVar

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skmtl._warnings import warn
from skmtl.solvers._contract import Certified
from skmtl.solvers._point import Point

Asked = TypeVar("Asked", bound=Certified)


class Solver(Protocol):
    """An algorithm at work on an objective: it steps from point to point."""

    iterations_per_certificate: int

    @property
    def n_sweeps(self) -> int:
        """Work within iterations that have no fixed cost, in passes over part of the features."""

    def step(self, gap: float, enough: float) -> Point | None:
        """One iteration, given the last duality gap and the one that ends the fit.

        Returns the point reached, or None when no progress is possible.
        """

    def bounds(self, point: Point) -> tuple[float, float]:
        """The objective at the point last returned and a lower bound of its minimum."""


# Begins on an objective, which offers what the algorithm asks, at a point.
Algorithm = Callable[[Asked, Point], Solver]

# In float32 the gap bottoms out at a level that depends on the data; this many certificates
# without a better one are taken for it.
_PATIENCE = 30
# This many sweeps count as one iteration.
SWEEPS_PER_ITERATION = 10


@dataclass(frozen=True)
class Progress:
    """Where a solver is at a certificate.

    Attributes
    ----------
    point : Point
        The best so far.
    objective, gap : float
        Its value, and what that exceeds the best lower bound by.
    last : Point
        The point that the certificate is of.
    n_iter : int
    spent : bool
        Whether the solver has done what max_iter allows, in iterations or in sweeps.
    """

    point: Point
    objective: float
    gap: float
    last: Point
    n_iter: int
    spent: bool


def certified(
    solver: Solver,
    start: Point,
    *,
    max_iter: int,
    enough: float,
    lower: float = 0.0,
    is_better: Callable[[float, float], bool] = lt,
) -> Iterator[Progress]:
    """A solver's certificates: at the start, and after every few iterations until it is solved.

    Parameters
    ----------
    solver : Solver
        At its start.
    start : Point
    max_iter : int
    enough : float
        The gap at which it is solved.
    lower : float, default=0.0
        What the objective cannot go below.
    is_better : callable, default=operator.lt
        Whether a value replaces the best so far.
    """
    best, point, n_iter = (np.inf, start), start, 0
    while True:
        # Also at the very start: alpha >= alpha_max and warm starts are often solved there.
        value, bound = solver.bounds(point)
        lower = max(lower, bound)
        if is_better(value, best[0]):
            best = value, point
        # A gap is never negative; rounding may make the computed one so.
        gap = max(best[0] - lower, 0.0)
        spent = max(n_iter, solver.n_sweeps // SWEEPS_PER_ITERATION) >= max_iter
        yield Progress(best[1], best[0], gap, point, n_iter, spent)
        if gap <= enough or spent:
            return
        before = n_iter
        # A solver may change how often it asks for one.
        while n_iter < max_iter and n_iter - before < solver.iterations_per_certificate:
            moved = solver.step(gap, enough)
            if moved is None:
                break
            point, n_iter = moved, n_iter + 1
        if n_iter == before:
            return


@dataclass(frozen=True)
class Solution:
    """The point with the smallest gap met, and what is known of it."""

    point: Point
    objective: float
    dual_gap: float
    n_iter: int
    history: tuple[tuple[int, float, float], ...]


def solve(
    objective: Asked,
    solver: Algorithm[Asked],
    start: Point,
    *,
    max_iter: int,
    tol: float,
    verbose: int = 0,
) -> Solution:
    """Run a solver until the duality gap is at most ``tol`` times the null objective.

    The gap is a true bound: the lower end is the best dual value met so far, in float64, or 0,
    which no objective can go below. Below the precision of the arithmetic (1e-12 of the null
    objective in float64, 1e-6 in float32) no gap can be told from rounding, and the fit stops
    there. In float32 it also stops, with a warning, when the gap has come to rest above the
    tolerance.
    """
    floor = 1e-12 if objective.dtype == np.float64 else 1e-6
    target = max(tol, floor) * objective.null_value
    history: list[tuple[int, float, float]] = []
    for found in certified(solver(objective, start), start, max_iter=max_iter, enough=target):
        history.append((found.n_iter, found.objective, found.gap))
        if verbose:
            print(
                f"iteration {found.n_iter}: objective {found.objective:.10g}, "
                f"dual gap {found.gap:.3g}"
            )
        if _is_stuck(objective.dtype, history):
            break
    if found.gap > target:
        _warn(found, target, objective.dtype)
    n_iter = max(found.n_iter, 1)
    return Solution(found.point, found.objective, found.gap, n_iter, tuple(history))


def _is_stuck(dtype: np.dtype[Any], history: list[tuple[int, float, float]]) -> bool:
    """Whether the arithmetic's precision, not the solver, holds the gap where it is."""
    if dtype == np.float64 or len(history) <= _PATIENCE:
        return False
    return history[-1][2] >= history[-1 - _PATIENCE][2]


def _warn(found: Progress, target: float, dtype: np.dtype[Any]) -> None:
    if not found.spent and dtype != np.float64:
        remedy = f"This is what {dtype} can resolve. Pass X as float64, or increase tol"
    elif not found.spent:
        remedy = "The solver can make no further progress. Increase tol or alpha, or scale X"
    else:
        remedy = "Increase max_iter, scale the features (StandardScaler), or increase alpha or tol"
    warn(
        f"Stopped after {found.n_iter} iterations with a duality gap of {found.gap:.3g}; the "
        f"tolerance is {target:.3g}. {remedy}.",
        ConvergenceWarning,
    )
