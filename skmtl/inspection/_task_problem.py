"""What the studies of relations between tasks have in common: data, strength, folds and losses."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier

from skmtl._warnings import gather_warnings
from skmtl.design import Moments, TaskData
from skmtl.estimators import (
    N_FOLDS,
    Fold,
    HeldOutLoss,
    TaskEstimator,
    even_folds,
    search_grids,
)
from skmtl.inspection._related_fit import RelatedTasks
from skmtl.inspection._separate import loss_names, of_one_task

Array = NDArray[Any]

N_ALPHAS = 13


@dataclass(frozen=True, eq=False)
class TaskProblem:
    """An estimator, and the data that it has read.

    Attributes
    ----------
    model : estimator
        With ``alpha``, if it has one, and without the options that have changed the data already.
    data : TaskData
    units : ndarray of shape (n_tasks,)
        What the loss of each task is multiplied by, to be in units of the labels.
    """

    model: Any
    data: TaskData
    units: Array

    @classmethod
    def read(cls, estimator: Any, X: Any, y: Any, sample_weight: Any, caller: str) -> Self:
        """Validate the estimator and the data.

        Raises
        ------
        TypeError
            If the estimator is not a plain estimator of skmtl.
        ValueError
            If there are fewer than two tasks, or the loss does not separate into tasks.
        """
        check_fixed_strength(estimator, caller)
        model = clone(estimator)
        model._validate_params()
        data = model._read(X, y, sample_weight)
        if model._get_loss().couples_tasks:
            raise ValueError(
                f"{caller} needs a loss for each task, but loss={model.loss!r} is one for all "
                f"tasks. Use loss='logistic'."
            )
        if data.n_tasks < 2:
            raise ValueError(
                f"{caller} needs 2 or more tasks, got {data.n_tasks}. Pass the data of several "
                f"tasks."
            )
        if getattr(model, "class_weight", None) is not None:
            model.set_params(class_weight=None)  # part of the data's weights from now on
        squared = np.array(loss_names(model, data.tasks.tolist())) == "squared"
        scales = np.ones(data.n_tasks) if data.scales is None else data.scales
        # The squared error instead of its half.
        units = np.where(squared, 2.0 * scales**2, 1.0)
        return cls(model, replace(data, scales=None), units)

    @property
    def alpha(self) -> float | None:
        """The strength; None if the estimator has none."""
        return getattr(self.model, "alpha", None)

    @property
    def loss_name(self) -> str:
        """The loss of held-out labels."""
        name = getattr(self.model, "loss", "loss")
        if not isinstance(name, str):
            return "the loss of the task"
        return {
            "squared": "mean squared error",
            "logistic": "log loss",
            "quantile": "quantile loss",
            "poisson": "half the Poisson deviance",
            "gamma": "half the gamma deviance",
            "tweedie": "half the Tweedie deviance",
        }.get(name, name.replace("_", " "))

    def copied_model(self) -> Any:
        """A copy of the model, which keeps what was set when the data were read."""
        return copy.copy(self.model)

    def tuned(self, rng: np.random.RandomState, n_jobs: int | None = None) -> "TaskProblem":
        """With ``alpha`` selected by the mean loss in five folds; unchanged without ``alpha``."""
        if self.alpha is None:
            return self
        model = self.copied_model()
        model.alpha = best_alpha(model, self.data, self.folds(rng), n_jobs)
        return replace(self, model=model)

    def folds(self, rng: np.random.RandomState, n_folds: int = N_FOLDS) -> list[Fold]:
        """Folds that spread the labels of every task, and every class of a task, evenly."""
        folds = even_folds(self.data, is_classifier(self.model), rng, n_folds)
        if not all(len(fold.test) for fold in folds):
            raise ValueError(
                f"Cross-validation in {n_folds} folds needs {n_folds} or more rows with labels of "
                f"tasks that have other labels, got {sum(len(fold.test) for fold in folds)}. "
                f"Collect more labels."
            )
        return folds

    def taken(self, rows: Array) -> "TaskProblem":
        """The problem with some rows, and all tasks."""
        return replace(self, data=self.data.take(rows))

    def select(self, chosen: Array) -> "TaskProblem":
        """The problem with some tasks (n_tasks,)."""
        return replace(self, data=self.data.select(chosen), units=self.units[chosen])

    def alone(self, task: int) -> "TaskProblem":
        """The problem of one task, as if there were no others."""
        part = of_one_task(self.data, task)
        return replace(self, data=part, units=self.units[[task]])

    def fit(self, present: Array | None = None) -> tuple[Array, Array]:
        """Coefficients (n_tasks, n_features) and intercepts (n_tasks,) from the present tasks.

        Those of other tasks are NaN.
        """
        data = self.data
        present = data.label_counts > 0 if present is None else present & (data.label_counts > 0)
        coef = np.full((data.n_tasks, data.X.shape[1]), np.nan)
        intercept = np.full(data.n_tasks, np.nan)
        with gather_warnings():
            found = self.copied_model()._fit_data(data.select(present))
        coef[present], intercept[present] = found.coef, found.intercept
        return coef, intercept

    def correlation(self) -> Array:
        """The correlation (n_tasks, n_tasks) that is learned; NaN where there is none."""
        model = self.copied_model()
        with gather_warnings():
            fitted = model._set_fit(self.data, model._fit_data(self.data))
        # A task that was left out of the objective has no correlation even with itself.
        learned = np.outer(fitted._learned, fitted._learned)
        return np.where(learned, fitted.task_correlation_, np.nan)

    def losses(self, coef: Array, intercept: Array) -> Array:
        """The sum of each task's weighted losses (..., n_tasks) in these rows.

        Parameters
        ----------
        coef : ndarray of shape (..., n_tasks, n_features)
        intercept : ndarray of shape (..., n_tasks)
        """
        data = self.data
        sums = [self.task_losses(t, coef[..., t, :], intercept[..., t]).sum(axis=-1)
                for t in range(data.n_tasks)]  # fmt: skip
        return np.stack(sums, axis=-1)

    def task_losses(self, task: int, coef: Array, intercept: Array) -> Array:
        """The weighted losses (..., n_labels) of one task's labels.

        Parameters
        ----------
        task : int
        coef : ndarray of shape (..., n_features)
        intercept : ndarray of shape (...,)
        """
        data = self.data
        if data.codes is None:
            rows = np.flatnonzero(data.weights[:, task] > 0)
            y, weights = data.y[rows, task], data.weights[rows, task]
        else:
            rows = np.arange(*data.starts[task : task + 2])
            y, weights = data.y[rows], data.weights[rows]
        flat = coef.reshape(-1, coef.shape[-1])
        Z = np.asarray(data.X[rows] @ flat.T).T.reshape(*coef.shape[:-1], len(rows))
        Z = Z + np.asarray(intercept)[..., None]
        if data.offset is not None:
            Z = Z + (data.offset[rows] if data.codes is not None else data.offset[rows, task])
        loss = self.model._get_loss().column(data.positions[task])
        return np.asarray(self.units[task] * weights * loss.value(y, Z))

    def related(self) -> RelatedTasks | None:
        """The tasks and the covariance that the estimator learns from them; None if it does not."""
        model, data = self.model, self.data
        if not is_quadratic_given_covariance(model) or not isinstance(data.X, np.ndarray):
            return None
        if data.n_tasks < 2 or (data.label_counts == 0).any() or model._shrinks_intercepts(data):
            return None
        coef = self.fit()[0]
        covariance = model._form_covariance(coef.T.astype(np.float64))
        moments = Moments.of(data, centre=model.fit_intercept)
        quadratics = model._objective_of(moments, data).quadratics
        return RelatedTasks(quadratics, covariance)


def best_alpha(
    model: Any, data: TaskData, folds: Sequence[Fold], n_jobs: int | None = None
) -> float:
    """The ``alpha`` with the lowest mean loss of held-out labels; the model is not changed."""
    model = copy.copy(model)
    model.alpha = 1.0
    with gather_warnings():
        found = search_grids(
            [model],
            data,
            folds,
            HeldOutLoss(data),
            unbalanced=data,
            alphas=N_ALPHAS,
            eps=None,
            rule="best",
            n_jobs=n_jobs,
        )
    return found.alpha


def is_quadratic_given_covariance(model: Any) -> bool:
    """Whether the fit minimises the squared loss plus a quadratic form, given the covariance."""
    return bool(model._has_form_given_covariance and model.loss == "squared" and model.alpha > 0)


def check_fixed_strength(estimator: Any, caller: str) -> None:
    """Raise unless this is an estimator of skmtl that does not select its own strength."""
    name = type(estimator).__name__
    remedy = "Pass one such as TaskRelationRegressor()."
    if isinstance(estimator, TaskEstimator):
        if not hasattr(estimator, "alphas"):
            return
        if name.endswith("CV"):
            remedy = f"Pass {name.removesuffix('CV')}: alpha is selected inside."
        elif isinstance(getattr(estimator, "estimator", None), TaskEstimator):
            remedy = "Pass the estimator within it: alpha is selected inside."
    elif hasattr(estimator, "steps"):
        remedy = "Transform X by its other steps, and pass the pipeline's last step."
    elif hasattr(estimator, "estimator"):
        remedy = "Pass the estimator within it: alpha is selected inside."
    raise TypeError(
        f"{caller} takes an estimator of skmtl that does not select its own strength, not {name}. "
        f"{remedy}"
    )


def mean_losses(sums: Sequence[Array], totals: Array) -> Array:
    """Losses summed over folds, divided by the weight of each task's held-out labels."""
    total = np.sum(sums, axis=0)
    means = np.full(total.shape, np.nan)
    np.divide(total, totals, out=means, where=totals > 0)
    return means
