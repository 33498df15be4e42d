"""The one loop around every solver: iterate, certify, stop, report, warn."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from skmtl._warnings import warn

Array = NDArray[Any]


class Solver(Protocol):
    """What the driver asks of a solver: start somewhere, then step from point to point."""

    iterations_per_certificate: int

    @property
    def n_sweeps(self) -> int:
        """Work within iterations that have no fixed cost, in passes over part of the features."""

    def __init__(self, objective: Any, start: Any) -> None: ...

    def step(self, gap: float, enough: float) -> Any:
        """One iteration, given the last duality gap and the one that ends the fit.

        Returns the point reached, or None when no progress is possible.
        """

    def bounds(self, point: Any) -> tuple[float, float]:
        """The objective at the point last returned and a lower bound of its minimum."""


# In float32 the gap bottoms out at a level that depends on the data; this many certificates
# without a better one are taken for it.
_PATIENCE = 30
# This many sweeps count as one iteration.
SWEEPS_PER_ITERATION = 10


@dataclass(frozen=True)
class Solution:
    """The point with the smallest gap met, and what is known of it."""

    point: Any
    objective: float
    dual_gap: float
    n_iter: int
    history: tuple[tuple[int, float, float], ...]


def solve(
    objective: Any,
    solver: type[Solver],
    start: Any,
    *,
    max_iter: int,
    tol: float,
    verbose: int = 0,
) -> Solution:
    """Run a solver until the duality gap is at most ``tol`` times the null objective.

    The gap is a true bound: the lower end is the best dual value met so far, in float64, or 0,
    which no objective can go below. Below
    the precision of the arithmetic (1e-12 of the null objective in float64, 1e-6 in float32) no
    gap can be told from rounding, and the fit stops there. In float32 it also stops, with a
    warning, when the gap has come to rest above the tolerance.
    """
    scale = objective.null_value
    floor = 1e-12 if objective.dtype == np.float64 else 1e-6
    target = max(tol, floor) * scale
    iterate = solver(objective, start)
    best, lower, history = (np.inf, start), 0.0, []
    point, n_iter = start, 0
    while True:
        # Also at the very start: alpha >= alpha_max and warm starts are often solved there.
        value, bound = iterate.bounds(point)
        lower = max(lower, bound)
        # A gap is never negative; rounding may make the computed one so.
        best = min(best, (value, point), key=lambda pair: pair[0])
        gap = max(best[0] - lower, 0.0)
        history.append((n_iter, best[0], gap))
        if verbose:
            print(f"iteration {n_iter}: objective {best[0]:.10g}, dual gap {gap:.3g}")
        spent = is_spent(iterate, n_iter, max_iter)
        if gap <= target or spent or _is_stuck(objective.dtype, history):
            break
        point, n_iter = advance(iterate, point, n_iter, max_iter, gap, target)
        if history[-1][0] == n_iter:
            break
    if gap > target:
        _warn(gap, target, n_iter, spent, objective.dtype)
    return Solution(best[1], best[0], gap, max(n_iter, 1), tuple(history))


def advance(
    iterate: Solver, point: Any, n_iter: int, max_iter: int, gap: float, enough: float
) -> tuple[Any, int]:
    """The point and number of iterations at the next certificate, or where a solver gives up."""
    first = n_iter
    # A solver may change how often it asks for one.
    while n_iter < max_iter and n_iter - first < iterate.iterations_per_certificate:
        moved = iterate.step(gap, enough)
        if moved is None:
            break
        point, n_iter = moved, n_iter + 1
    return point, n_iter


def is_spent(iterate: Solver, n_iter: int, max_iter: int) -> bool:
    """Whether a solver has done what max_iter allows, in iterations or in sweeps."""
    return max(n_iter, iterate.n_sweeps // SWEEPS_PER_ITERATION) >= max_iter


def _is_stuck(dtype: Any, history: list[tuple[int, float, float]]) -> bool:
    """Whether the arithmetic's precision, not the solver, holds the gap where it is."""
    if dtype == np.float64 or len(history) <= _PATIENCE:
        return False
    return history[-1][2] >= history[-1 - _PATIENCE][2]


def _warn(gap: float, target: float, n_iter: int, spent: bool, dtype: Any) -> None:
    if not spent and dtype != np.float64:
        remedy = f"This is what {dtype} can resolve. Pass X as float64, or increase tol"
    elif not spent:
        remedy = "The solver can make no further progress. Increase tol or alpha, or scale X"
    else:
        remedy = "Increase max_iter, scale the features (StandardScaler), or increase alpha or tol"
    warn(
        f"Stopped after {n_iter} iterations with a duality gap of {gap:.3g}; the tolerance is "
        f"{target:.3g}. {remedy}.",
        ConvergenceWarning,
    )
