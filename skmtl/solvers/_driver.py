"""The loop around every solver: iterate, certify, report, stop, warn."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import lt
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from skmtl._warnings import warn
from skmtl.solvers._contract import Certified
from skmtl.solvers._point import Point

Array = NDArray[Any]
Asked = TypeVar("Asked", bound=Certified)


class Solver(Protocol):
    """A running algorithm, which steps from point to point."""

    iterations_per_certificate: int

    @property
    def n_sweeps(self) -> int:
        """Inner iterations so far, for algorithms whose iterations differ in cost."""

    def step(self, gap: float, enough: float) -> Point | None:
        """One iteration, given the last duality gap and the gap at which the fit stops.

        Returns the point reached, or None if no progress is possible.
        """

    def bounds(self, point: Point) -> tuple[float, float]:
        """The objective at the point last returned, and a lower bound on its minimum."""


def duals_of(solver: Solver) -> tuple[Array, ...] | None:
    """The dual variables of the terms, if the solver is one for sums of penalties."""
    duals: tuple[Array, ...] | None = getattr(solver, "duals", None)
    return duals


# Called with an objective that has the required capabilities, and a starting point.
Algorithm = Callable[[Asked, Point], Solver]

# In float32 the gap stagnates at a level that depends on the data. It is taken to have done so
# after this many certificates without improvement.
_PATIENCE = 30
# This many inner iterations count as one iteration.
SWEEPS_PER_ITERATION = 10


@dataclass(frozen=True)
class Progress:
    """The state of a solver at a certificate.

    Attributes
    ----------
    point : Point
        The best point so far.
    objective, gap : float
        Its objective, and the difference to the best lower bound so far.
    last : Point
        The point at which the certificate was computed.
    n_iter : int
    spent : bool
        Whether ``max_iter`` is reached, in iterations or in inner iterations.
    ended : bool
        Whether this is known to be the last certificate.
    enough : float
        The gap at which the solver stops.
    """

    point: Point
    objective: float
    gap: float
    last: Point
    n_iter: int
    spent: bool
    ended: bool
    enough: float


def certified(
    solver: Solver,
    start: Point,
    *,
    max_iter: int,
    enough: float,
    lower: float = 0.0,
    is_better: Callable[[float, float], bool] = lt,
) -> Iterator[Progress]:
    """Run a solver and yield its progress at the start and at each later certificate.

    Parameters
    ----------
    solver : Solver
        At its starting point.
    start : Point
    max_iter : int
    enough : float
        The gap at which to stop.
    lower : float, default=0.0
        A lower bound on the objective that is known beforehand.
    is_better : callable, default=operator.lt
        Whether a value (the first argument) replaces the best so far (the second).
    """
    best, point, n_iter = (np.inf, start), start, 0
    while True:
        # The start may be optimal: for alpha >= alpha_max, and with a warm start.
        value, bound = solver.bounds(point)
        lower = max(lower, bound)
        if is_better(value, best[0]):
            best = value, point
        # Only rounding error can make the difference negative.
        gap = max(best[0] - lower, 0.0)
        spent = max(n_iter, solver.n_sweeps // SWEEPS_PER_ITERATION) >= max_iter
        ended = gap <= enough or spent
        yield Progress(best[1], best[0], gap, point, n_iter, spent, ended, enough)
        if ended:
            return
        before = n_iter
        # A solver may change this number between steps.
        while n_iter < max_iter and n_iter - before < solver.iterations_per_certificate:
            moved = solver.step(gap, enough)
            if moved is None:
                break
            point, n_iter = moved, n_iter + 1
        if n_iter == before:
            return


# Iteration, objective, duality gap, and seconds since the start.
Certificate = tuple[int, float, float, float]


@dataclass(frozen=True)
class Solution:
    """The best point found, its objective and its duality gap.

    ``history`` holds iteration, objective, duality gap and seconds at each certificate.
    """

    point: Point
    objective: float
    dual_gap: float
    n_iter: int
    history: tuple[Certificate, ...]


def solve(
    objective: Asked,
    solver: Algorithm[Asked],
    start: Point,
    *,
    max_iter: int,
    tol: float,
    verbose: int = 0,
    report: Callable[[Progress], bool] | None = None,
) -> Solution:
    """Run a solver until the duality gap is at most ``tol`` times the null objective.

    The gap bounds the suboptimality: it is the difference to the best dual value so far, computed
    in float64, or to 0, since objectives are not negative. Gaps below 1e-12 of the null objective
    in float64, and 1e-6 in float32, are indistinguishable from rounding error, so that the fit
    stops there. In float32 it also stops, with a warning, once the gap stagnates above the
    tolerance.

    Parameters
    ----------
    objective : Objective
        With what the solver asks of it, such as a prox.
    solver : Algorithm
        For example :class:`FISTA`.
    start : Point
        Coefficients and intercepts.
    max_iter : int
    tol : float
    verbose : int, default=0
        Whether to print each certificate.
    report : callable or None, default=None
        Called at each certificate. It stops the fit, without a warning, by returning True.

    Returns
    -------
    Solution

    Warns
    -----
    ConvergenceWarning
        If the gap exceeds the tolerance after ``max_iter`` iterations.
    """
    floor = 1e-12 if objective.dtype == np.float64 else 1e-6
    target = max(tol, floor) * objective.null_value
    history: list[Certificate] = []
    begin, stopped = time.perf_counter(), False
    for found in certified(solver(objective, start), start, max_iter=max_iter, enough=target):
        seconds = time.perf_counter() - begin
        history.append((found.n_iter, found.objective, found.gap, seconds))
        if verbose:
            print(
                f"iteration {found.n_iter}: objective {found.objective:.10g}, "
                f"dual gap {found.gap:.3g}"
            )
        stopped = report is not None and report(found)
        if stopped or _is_stuck(objective.dtype, history):
            break
    if not (found.gap <= target or stopped):  # also if the gap is NaN
        _warn(found, target, objective.dtype)
    n_iter = max(found.n_iter, 1)
    return Solution(found.point, found.objective, found.gap, n_iter, tuple(history))


def _is_stuck(dtype: np.dtype[Any], history: list[Certificate]) -> bool:
    """Whether the gap stagnates because of the limited precision of float32."""
    if dtype == np.float64 or len(history) <= _PATIENCE:
        return False
    return history[-1][2] >= history[-1 - _PATIENCE][2]


def _warn(found: Progress, target: float, dtype: np.dtype[Any]) -> None:
    if not found.spent and dtype != np.float64:
        remedy = (
            f"Smaller gaps are within the rounding error of {dtype}. Pass X as float64, or "
            f"increase tol"
        )
    elif not found.spent:
        remedy = "The solver can make no further progress. Increase tol or alpha, or scale X"
    else:
        remedy = "Increase max_iter, scale the features (StandardScaler), or increase alpha or tol"
    warn(
        f"Stopped after {found.n_iter} iterations with a duality gap of {found.gap:.3g}; the "
        f"tolerance is {target:.3g}. {remedy}.",
        ConvergenceWarning,
    )
