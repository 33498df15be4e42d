"""What must hold for a case: a documented error, or a finite and certified fit."""

import warnings
from collections import Counter
from typing import Any

import numpy as np
from cvxpy.error import SolverError
from sklearn.exceptions import ConvergenceWarning

from skmtl import reference
from skmtl.design import TaskStatistics
from tests.fuzz.cases import Case

# Differences relative to the objective with zero coefficients: cvxpy's own accuracy, and that of
# single precision.
_ACCURACY = {"float64": 2e-5, "float32": 2e-3}


class Violation(AssertionError):
    """A case that neither raised a documented error nor gave a certified fit."""


def check(case: Case, counts: Counter[str]) -> None:
    """Raise Violation if the case breaks a promise; count what happened."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model = case.estimator.fit(case.X, case.y, case.sample_weight)
        except (ValueError, TypeError) as error:
            _check_error(case, error)
            counts["refused" if not case.fault else "fault refused"] += 1
            counts[f"error: {str(error)[:60]}"] += 1
            return
        except RuntimeError as error:
            raise Violation(f"{case}: {error!r}") from error
        except Exception as error:
            raise Violation(f"{case}: {error!r}") from error
    if case.fault:
        raise Violation(f"{case}: the fault was accepted")
    limited = any(issubclass(one.category, ConvergenceWarning) for one in caught)
    counts["not converged" if limited else "fitted"] += 1
    _check_finite(case, model)
    if np.isnan(model.dual_gap_):
        counts["no certificate (not convex)"] += 1
    else:
        _check_certificate(case, model, limited, counts)
    _check_statistics(case, model, counts)


def _check_error(case: Case, error: Exception) -> None:
    """An error of numpy's or a library's internals is not documented."""
    message = str(error)
    internal = ("broadcast", "operands", "unpack", "NoneType", "index", "positional argument")
    if len(message) < 25 or any(word in message for word in internal):
        raise Violation(f"{case}: {error!r} is no documented error") from error


def _check_finite(case: Case, model: Any) -> None:
    for name in ("coef_", "intercept_", "objective_"):
        if not np.isfinite(getattr(model, name)).all():
            raise Violation(f"{case}: {name} is not finite")
    predicted = model.predict(case.X)
    n = len(case.y)
    if len(predicted) != n or (
        np.asarray(predicted).dtype.kind == "f" and not np.isfinite(predicted).all()
    ):
        raise Violation(f"{case}: predictions are not finite, or {len(predicted)} for {n} rows")


def _check_certificate(case: Case, model: Any, limited: bool, counts: Counter[str]) -> None:
    """Compare with cvxpy's optimum: not below it, and above it by at most the duality gap."""
    plain = model
    if case.name.endswith("CV"):
        plain = model._selected()
    elif isinstance(case.params.get("alpha"), str):
        return
    if model.dual_gap_ < 0:
        raise Violation(f"{case}: the gap is negative")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = reference.solve(plain, case.X, case.y, case.sample_weight)
            null = _null(plain, case)
    except (ValueError, RuntimeError, ArithmeticError, SolverError) as error:
        # Not comparable: the problem cannot be stated in cvxpy, or its solver fails.
        counts[f"no reference: {str(error)[:40]}"] += 1
        return
    single = model.coef_.dtype == np.float32
    slack = _ACCURACY["float32" if single else "float64"] * max(abs(null), 1e-12)
    below = found.objective - model.objective_
    if below > slack:
        # cvxpy may have stopped early; its point must then be worse than ours.
        counts["cvxpy above ours"] += 1
    if np.isfinite(model.dual_gap_) and -below > model.dual_gap_ + slack:
        raise Violation(
            f"{case}: objective {model.objective_:.9g} is {-below:.3g} above cvxpy's, the gap says "
            f"{model.dual_gap_:.3g}"
        )
    counts["compared with cvxpy"] += 1


def _null(model: Any, case: Case) -> float:
    """A size of the objective: that of zero coefficients without intercepts, per label."""
    estimator, data = reference._read(model, case.X, case.y, case.sample_weight)
    loss = estimator._get_loss()
    if loss.couples_tasks:
        return 2.0
    scale = data.n_tasks / data.weights.sum()
    zero = np.zeros(data.y.shape)
    total = 0.0
    for t in range(data.n_tasks):
        rows = (..., t) if data.codes is None else data.codes == t
        total += float(data.weights[rows] @ loss.column(t).value(data.y[rows], zero[rows]))
    return scale * total


def _check_statistics(case: Case, model: Any, counts: Counter[str]) -> None:
    """With the squared loss the fit from statistics has the same objective."""
    if not hasattr(model, "partial_fit") or case.params.get("alpha") == "cv":
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        column = case.params.get("task_column")
        statistics = TaskStatistics(task_column=column)
        statistics.update(case.X, case.y, case.sample_weight)
        other = case.estimator.fit_statistics(statistics)
    if np.isnan(model.dual_gap_):
        return
    gap = max(model.dual_gap_, other.dual_gap_, 0.0)
    slack = 1e-4 * max(_null(case.estimator, case), 1e-12)
    if np.isfinite(gap) and abs(other.objective_ - model.objective_) > gap + slack:
        raise Violation(
            f"{case}: objective {other.objective_:.9g} from statistics, {model.objective_:.9g} "
            f"from rows"
        )
    counts["compared with statistics"] += 1
