"""The joint fit of main and auxiliary tasks by an estimator."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl._warnings import warn
from skmtl.design import (
    Companions,
    GroupStrengths,
    JoinedTasks,
    TaskData,
    join_columns,
    join_rows,
    join_rows_in_columns,
    read_features,
)
from skmtl.estimators import Beside, Fit
from skmtl.losses import Loss, mixed

Array = NDArray[Any]


@dataclass(frozen=True)
class AuxiliaryProblem:
    """An estimator, its main tasks, and the auxiliary tasks beside them.

    Attributes
    ----------
    model : estimator
        It has read the main tasks.
    main : TaskData
    joined : JoinedTasks or None
        None if there is no auxiliary label.
    loss : Loss
        Of all tasks.
    """

    model: Any
    main: TaskData
    joined: JoinedTasks | None
    loss: Loss

    def fit(self, weight: float, start: Fit | None = None) -> tuple[Any, TaskData, Fit]:
        """The estimator with the losses of all tasks, the data that it fits, and its fit.

        Parameters
        ----------
        weight : float
            Of each auxiliary column; at 0 the main tasks are fitted alone.
        start : Fit, optional
            A fit with another weight, > 0.
        """
        model = copy.copy(self.model)
        if self.joined is None or weight == 0:
            return model, self.main, model._fit_data(self.main)
        columns = self.joined.columns
        strengths = np.full(columns[-1] + 1, float(weight))
        strengths[0] = 1.0
        model._beside = Beside(self.loss, GroupStrengths(columns, strengths))
        return model, self.joined.data, model._fit_data(self.joined.data, start)

    def main_part(self, fit: Fit) -> Fit:
        """The part of a fit that concerns the main tasks."""
        n = self.main.n_tasks
        parts = None if fit.parts is None else fit.parts[:, :n]
        certificate = fit.objective, fit.dual_gap, fit.n_iter
        return Fit(fit.coef[:n], fit.intercept[:n], *certificate, fit.learned[:n], parts)

    def without(self, rows: Array) -> "AuxiliaryProblem":
        """The problem without some rows of the main data, for cross-validation."""
        main = self.main.take(np.setdiff1d(np.arange(len(self.main.y)), rows))
        if self.joined is None:
            return replace(self, main=main)
        kept = np.flatnonzero(~np.isin(self.joined.source, rows))
        joined = replace(
            self.joined, data=self.joined.data.take(kept), source=self.joined.source[kept]
        )
        return replace(self, main=main, joined=joined)


def join_auxiliary(
    model: Any,
    X: Any,
    main: TaskData,
    rows: Array,
    others: Companions,
    own: Loss,
    losses: Sequence[Loss],
) -> AuxiliaryProblem:
    """The joint problem of the main tasks that a model has read and the auxiliary ones.

    Parameters
    ----------
    model : estimator
    X : the features of all rows, as passed to fit
    main : TaskData
    rows : int array
        The row of X of each row of ``main``.
    others : Companions
        The auxiliary labels of all rows of X.
    own : Loss
        Of the main tasks.
    losses : sequence of Loss
        One for each auxiliary column.
    """
    if not others.weights.any():
        return AuxiliaryProblem(model, main, None, own)
    repeats = 1 if main.codes is None else main.n_tasks
    loss = mixed(
        [own.column(task) for task in range(main.n_tasks)]
        + [loss for loss in losses for _ in range(repeats)]
    )
    if main.codes is None:
        features = main.X
        if features.shape[0] < len(others.y):
            # Rows without a main label may have others.
            features, _ = read_features(model, X, reset=False)
        joined = join_columns(main, features, rows, others)
    elif not loss.compares_tasks:
        joined = join_rows_in_columns(main, others.take(rows))
    else:
        joined = join_rows(main, others.take(rows))
    if main.scales is not None:
        joined = replace(joined, data=_scaled(main.scales, joined.data, loss))
    return AuxiliaryProblem(model, main, joined, loss)


def _scaled(own: Array, data: TaskData, loss: Loss) -> TaskData:
    """Scale the auxiliary labels as ``scale_tasks`` has scaled the main ones, by ``own``."""
    scales = data.standard_deviations()
    signed = np.array([loss.column(task).signed for task in range(data.n_tasks)])
    scales[(scales == 0) | signed] = 1.0
    scales[: len(own)] = 1.0
    y = data.y / data.spread(scales)
    scales[: len(own)] = own
    return replace(data, y=y, scales=scales)


def warn_of_tasks(model: Any, data: TaskData, empty: list[Any]) -> None:
    """Warn of auxiliary columns without a label, and of what the estimator warns of."""
    if empty:
        warn(
            f"The auxiliary columns {empty} hold no label: they are left out. Fill in labels, or "
            f"remove the columns from auxiliary."
        )
    model._warn_of_data(data)
