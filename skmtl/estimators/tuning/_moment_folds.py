"""Folds by subtraction of moments: those of all rows minus those of the held-out rows.

The squared loss depends on the data only through sums over rows (:class:`skmtl.design.Moments`).
All folds together therefore take one pass over the data, and the cost of a path depends on the
number of features, not of rows.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.design import Moments, TaskData, has_cancelled, tasks_cancelled
from skmtl.estimators.base import Fit
from skmtl.estimators.tuning._fold import Fold, Judge, Measure
from skmtl.estimators.tuning._measures import HeldOutLoss
from skmtl.estimators.tuning._row_folds import check_absent_tasks
from skmtl.objective import BaseObjective

Array = NDArray[Any]


class MomentFolds:
    """Computes a fold's objective from moments.

    Parameters
    ----------
    model : estimator
        ``_takes_moments(data)`` is true.
    data : TaskData
        All rows.
    measure : Measure
    """

    def __init__(self, model: Any, data: TaskData, measure: Measure) -> None:
        self.data, self.measure, self.centre = data, measure, model.fit_intercept
        self.total = Moments.of(data, centre=self.centre)

    def full(self, model: Any) -> BaseObjective:
        """The objective of all rows."""
        objective: BaseObjective = model._objective_of(self.total, self.data)
        return objective

    def __call__(self, model: Any, fold: Fold) -> tuple[TaskData, BaseObjective, Judge]:
        data = self.data
        held_out = Moments.of(data.take(fold.test), centre=self.centre, origins=self.total)
        training = self._training(fold, held_out)
        part = _summary(data, training.totals * (training.counts > 0))
        absent = part.label_counts == 0
        if absent.any():
            check_absent_tasks(model, data, fold, absent)
        learned = model._learnable(part)
        objective = model._objective_of(training.select(learned), part.select(learned))
        judge = self.measure(fold, part)
        few = len(fold.test) < len(held_out.xx) * held_out.n_features
        if isinstance(self.measure, HeldOutLoss) and not (few or absent.any()):
            judge = _MomentJudge(held_out, judge)
        return part, objective, judge

    def _training(self, fold: Fold, held_out: Moments) -> Moments:
        """The moments of a fold's training rows, exact up to rounding error."""
        data = self.data
        seen = np.zeros(len(data.y), dtype=np.intp)
        np.add.at(seen, np.concatenate([fold.train, fold.test]), 1)
        if (seen != 1).any():
            return Moments.of(data.take(fold.train), centre=self.centre)
        rest = self.total - held_out
        cancelled = self._cancelled(rest)
        if not cancelled.any():
            return rest
        part = data.take(fold.train)
        if len(rest.xx) < data.n_tasks or cancelled.all():
            return Moments.of(part, centre=self.centre)
        exact = Moments.of(part.select(cancelled), centre=self.centre)
        return _replaced(rest, cancelled, exact)

    def _cancelled(self, rest: Moments) -> Array:
        """The tasks (n_tasks,) whose difference of moments is dominated by rounding error."""
        left, whole = (
            np.einsum("tjj->tj", (moments.centred() if self.centre else moments).xx)
            for moments in (rest, self.total)
        )
        return tasks_cancelled(left, whole, rest.totals, self.total.totals)


class _MomentJudge:
    """Minus the mean squared error of held-out labels, from their moments.

    If rounding error would dominate, it is computed from rows by ``by_rows``.
    """

    def __init__(self, held_out: Moments, by_rows: Judge) -> None:
        self.held_out, self.by_rows = held_out, by_rows

    def __call__(self, model: Any, fit: Fit) -> float:
        part = self.held_out
        W = fit.coef.T.astype(np.float64)
        used = np.flatnonzero(W.any(axis=1))
        W = W[used]
        origin, x, xy = part.x_origin[:, used], part.x[:, used], part.xy[used]
        grams = part.xx[:, used[:, None], used]
        predicted = np.einsum("gj,jt->gt" if len(x) == 1 else "tj,jt->t", origin, W).reshape(-1)
        shift = fit.intercept - part.y_origin + predicted
        moved = np.einsum("gj,jt->gt" if len(x) == 1 else "tj,jt->t", x, W).reshape(-1)
        curved = grams[0] @ W if len(x) == 1 else np.matmul(grams, W.T[:, :, None])[:, :, 0].T
        sizes = part.yy + (W * curved).sum(axis=0) + shift**2 * part.totals
        errors = sizes - 2 * (W * xy).sum(axis=0) + 2 * shift * (moved - part.y)
        total = float(errors.sum())
        if has_cancelled(errors.sum(), sizes.sum()):
            return float(self.by_rows(model, fit))
        return -total / float(part.totals.sum())


def _summary(data: TaskData, totals: Array) -> TaskData:
    """Data with the same tasks and total weights, in one row, or one row for each task.

    A fit from moments needs no labels: the squared loss has a minimiser for any labels.
    """
    stacked = data.codes is not None
    n_rows = data.n_tasks if stacked else 1
    weights = totals if stacked else totals[None, :]
    return replace(
        data,
        X=np.zeros((n_rows, data.X.shape[1]), dtype=data.X.dtype),
        y=np.zeros_like(weights),
        weights=weights,
        codes=np.arange(data.n_tasks) if stacked else None,
        condensed=None,
    )


def _replaced(moments: Moments, chosen: Array, exact: Moments) -> Moments:
    """The moments of all tasks, with ``exact`` for the tasks where ``chosen`` is true."""
    patched: dict[str, Any] = {}
    for name in ("x_origin", "y_origin", "counts", "totals", "x", "y", "xx", "yy"):
        patched[name] = getattr(moments, name).copy()
        patched[name][chosen] = getattr(exact, name)
    patched["xy"] = moments.xy.copy()
    patched["xy"][:, chosen] = exact.xy
    return replace(moments, **patched)
