"""The scores of one fold: a warm-started path on its training rows, judged on the others."""

import copy
import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.utils import _safe_indexing

from skmtl.design import TaskData, align_frames, weigh_classes
from skmtl.estimators.base import Fit, linear_predictor
from skmtl.model_selection._alpha import prepare
from skmtl.model_selection._cv_folds import Fold
from skmtl.model_selection._path import follow
from skmtl.objective import BaseObjective

Array = NDArray[Any]


# How good a model's fit is on the held-out rows of a fold.
Judge = Callable[[Any, Fit], float]


class Measure(Protocol):
    """Makes the judge of fits on ``part``, a fold's training rows."""

    def __call__(self, fold: Fold, part: TaskData) -> Judge: ...


class Source(Protocol):
    """Makes of a fold what a path needs: its training data, their objective, and the judge."""

    def __call__(self, model: Any, fold: Fold) -> tuple[TaskData, BaseObjective | None, Judge]: ...


def score_fold(source: Source, models: list[Any], grids: list[Array], fold: Fold) -> Array:
    """The scores (n_models, n_alphas) of one fold; the greater the better.

    Parameters
    ----------
    source : Source
    models : list of estimators that differ in nothing but their penalty
    grids : list of arrays of shape (n_alphas,), one per model
    fold : Fold
    """
    # Other folds may be fitted at the same time; copies keep what the models have read.
    models = [copy.copy(model) for model in models]
    part, prepared, judge = source(models[0], fold)
    scores = np.empty((len(models), len(grids[0])))
    for row, model, alphas in zip(scores, models, grids, strict=True):
        # Where the result depends on the start, each alpha is fitted from scratch.
        fits = follow(model, part, alphas, prepared, warm=model._is_convex)
        for k, fit in enumerate(fits):
            row[k] = judge(model, fit)
    return scores


class RowFolds:
    """Makes a fold's objective from its rows.

    Parameters
    ----------
    data : TaskData
        All rows; the labels' weights without ``class_weight="balanced"``.
    measure : Measure
    """

    def __init__(self, data: TaskData, measure: Measure) -> None:
        self.data, self.measure = data, measure

    def __call__(self, model: Any, fold: Fold) -> tuple[TaskData, BaseObjective | None, Judge]:
        part = self._training_data(model, fold)
        return part, prepare(model, part), self.measure(fold, part)

    def _training_data(self, model: Any, fold: Fold) -> TaskData:
        """A fold's training rows as a fit on them alone would see them."""
        part = self.data.take(fold.train)
        if self.data.scales is not None:
            raw = replace(part, y=part.y * part.spread(self.data.scales), scales=None)
            part = model._standardised(raw)
        if getattr(model, "class_weight", None) == "balanced":
            part = weigh_classes(part, "balanced", np.array([0, 1]))
        absent = part.label_counts == 0
        if absent.any():
            check_absent_tasks(model, self.data, fold, absent)
        return part


def check_absent_tasks(model: Any, data: TaskData, fold: Fold, absent: Array) -> None:
    """Refuse tasks without a training label, unless they are predicted by the average task."""
    stacked = data.codes is not None
    if stacked and model.unknown_task == "mean":
        return
    if stacked:
        absent = absent & (data.take(fold.test).label_counts > 0)
        if not absent.any():
            return
    column = f"task_column={model.task_column!r}" if stacked else ""
    also = ", or unknown_task='mean'" if stacked else ""
    raise ValueError(
        f"The training rows of fold {fold.number} hold no label of the tasks "
        f"{data.tasks[absent].tolist()[:10]}. Use cv=5 or cv=StratifiedTaskKFold({column}), which "
        f"keep every task in every training set{also}."
    )


class HeldOutLoss:
    """Minus the mean loss of the held-out labels, weights included.

    For regressors the squared error of ``predict``, in the labels' own units or, with
    ``scale_tasks``, in the tasks' standard deviations; for classifiers the estimator's loss.

    Parameters
    ----------
    data : TaskData
        All rows.
    """

    def __init__(self, data: TaskData) -> None:
        self.data = data

    def __call__(self, fold: Fold, part: TaskData) -> Judge:
        held_out, absent = self.data.take(fold.test), part.label_counts == 0
        weights = held_out.weights
        scales = None
        if part.scales is not None and held_out.scales is not None:
            scales = part.scales / held_out.scales

        def judge(model: Any, fit: Fit) -> float:
            coef, intercept, loss = fit.coef, fit.intercept, model._get_loss()
            if scales is not None:
                coef, intercept = loss.rescale(coef, intercept, scales)
            if absent.any():
                coef, intercept = _average_absent(coef, intercept, absent, fit.learned)
            Z = linear_predictor(held_out.X, held_out.codes, coef, intercept).astype(np.float64)
            if is_classifier(model):
                losses = loss.value(held_out.y, Z)
            else:
                losses = (loss.as_response(held_out.y) - loss.inverse_link(Z)) ** 2
            # Classes of one choice share a row's weight.
            counted = weights[:, :1] if loss.couples_tasks else weights
            return -float((weights * losses).sum() / counted.sum())

        return judge


def _average_absent(
    coef: Array, intercept: Array, absent: Array, learned: Array
) -> tuple[Array, Array]:
    """Give tasks without training labels the average task, as predict does with unknown ones."""
    known = learned if learned.any() else ~absent
    coef, intercept = coef.copy(), intercept.copy()
    coef[absent], intercept[absent] = coef[known].mean(axis=0), intercept[known].mean()
    return coef, intercept


class HeldOutScore:
    """A scikit-learn scorer on a fold's fitted estimator and the held-out rows of X.

    Parameters
    ----------
    scorer : callable (estimator, X, y) -> float, the greater the better
    reader : the estimator that has read X
    X, y, sample_weight : as passed to its fit
    """

    def __init__(
        self, scorer: Callable[..., Any], reader: Any, X: Any, y: Any, sample_weight: Any
    ) -> None:
        self.scorer, self.X, self.y = scorer, X, y
        self.read = {
            name: getattr(reader, name)
            for name in ("n_features_in_", "feature_names_in_", "classes_")
            if hasattr(reader, name)
        }
        weighted = np.ndim(sample_weight) > 0 and _takes_weights(scorer)
        # Scorers get an array: its columns are those of y.
        self.weights = np.asarray(align_frames(y, y, sample_weight)[2]) if weighted else None

    def __call__(self, fold: Fold, part: TaskData) -> Judge:
        X, y = _safe_indexing(self.X, fold.held_out), _safe_indexing(self.y, fold.held_out)
        weights = {} if self.weights is None else {"sample_weight": self.weights[fold.held_out]}
        known = part.label_counts > 0
        seen = part.select(known)
        # A fit on these rows alone would not know the other tasks.
        seen = replace(seen, all_tasks=seen.tasks, positions=np.arange(seen.n_tasks))

        def judge(model: Any, fit: Fit) -> float:
            fitted = copy.copy(model)
            vars(fitted).update(self.read)
            fitted._set_fit(seen, _of_tasks(fit, known))
            try:
                return float(self.scorer(fitted, X, y, **weights))
            except ValueError as error:
                if "NaN" not in str(error):
                    raise
                raise ValueError(
                    f"{error}\nThe scorer does not take missing labels. Use scoring=None, or a "
                    f"scorer of skmtl.metrics.make_task_scorer."
                ) from error

        return judge


def _of_tasks(fit: Fit, chosen: Array) -> Fit:
    """The fit of some of its tasks."""
    return replace(
        fit,
        coef=fit.coef[chosen],
        intercept=fit.intercept[chosen],
        learned=fit.learned[chosen],
        parts=None if fit.parts is None else fit.parts[:, chosen],
    )


def _takes_weights(scorer: Callable[..., Any]) -> bool:
    try:
        return "sample_weight" in inspect.signature(scorer).parameters
    except (TypeError, ValueError):
        return False
