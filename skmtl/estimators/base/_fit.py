"""The result of a fit, and reports of fits that have not ended."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from skmtl.solvers import Progress

Array = NDArray[Any]


@dataclass(frozen=True)
class Fit:
    """Coefficients and intercepts of all tasks of a :class:`TaskData`, and their certificate.

    If the coefficients (n_tasks, n_features) are a sum, ``parts`` (n_parts, n_tasks, n_features)
    holds the summands.
    """

    coef: Array
    intercept: Array
    objective: float
    dual_gap: float
    n_iter: int
    learned: Array
    parts: Array | None = None


# Called at each certificate with the state of the solver, and a function that returns the fit as if
# it ended now. The fit ends if the report returns True.
Report = Callable[[Progress, Callable[[], Fit]], bool]


def completed(report: Report | None, complete: Callable[[Fit], Fit]) -> Report | None:
    """A report of fits that are not final before ``complete`` is applied to them."""
    if report is None:
        return None
    last = report
    return lambda progress, fit: last(progress, lambda: complete(fit()))
