"""What determines the predictions of a fitted estimator: coefficients, links, names."""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted

from skmtl.design import in_task_order, listed_offsets
from skmtl.estimators import TaskEstimator
from skmtl.inspection._fitted import feature_names
from skmtl.inspection._importance import locate_task_column

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class LinearModel:
    """The linear predictors of a fitted estimator, and what becomes of them.

    Attributes
    ----------
    name : str
        The name of the estimator's class.
    classifier : bool
    layout : {"shared", "stacked", "single", "classes"}
        "single": a 1-D y of numbers. "classes": a 1-D y of classes without a task column.
    coef : ndarray of shape (n_tasks, n_features)
    intercept : ndarray of shape (n_tasks,)
    tasks : ndarray of shape (n_tasks,)
    features : list of str
    named : bool
        Whether X had column names; otherwise the features are x0, x1, ...
    losses : list of str
        By task.
    links : list of str or None
        "identity", "log" or "logit" by task, "softmax" for all; None: there is no mean response.
    classes : ndarray or None
        The labels that the classifier predicts; 0 and 1 if y was a matrix.
    task_column : str, int or None
    task_position : int or None
        The position of the task column among the columns of X.
    unknown : tuple (coef of shape (n_features,), intercept) or None
        For rows of other tasks; None: they are an error.
    offset_columns : list of str and int
        As ``offset_column`` names them; empty without offsets.
    offset_positions : list of int
        Their positions among the columns of X.
    """

    name: str
    classifier: bool
    layout: str
    coef: Array
    intercept: Array
    tasks: Array
    features: list[str]
    named: bool
    losses: list[str]
    links: list[str | None]
    classes: Array | None
    task_column: str | int | None
    task_position: int | None
    unknown: tuple[Array, float] | None
    offset_columns: list[str | int]
    offset_positions: list[int]

    @classmethod
    def read(cls, estimator: Any, caller: str) -> Self:
        """Read a fitted estimator of skmtl, or a search that has selected one.

        Raises
        ------
        TypeError
            If it is another estimator, or its predictions are not functions of one linear
            predictor each.
        ValueError
            If steps of a pipeline change the features, or other columns have no coefficient.
        NotFittedError
            If it is not fitted.
        """
        model = sole_model(estimator, caller)
        check_is_fitted(model)
        loss, coef = model._get_loss(), np.atleast_2d(model.coef_)
        if loss.couples_tasks and loss.link is None:
            raise TypeError(
                f"{caller} needs an estimator whose predictions are functions of one linear "
                f"predictor each; those of {type(model).__name__} depend on several. Use its "
                f"coef_ and intercept_ and the formulas in its documentation."
            )
        links = [loss.column(task).link for task in range(len(coef))]
        classifier = is_classifier(model)
        if not classifier and None in links:
            raise TypeError(
                f"{caller} needs to know the link of the loss of {type(model).__name__}, "
                f"{type(loss).__name__}, whose attribute link is None. Define it."
            )
        stacked = model.task_column is not None
        offsets = listed_offsets(model)
        if model.n_features_in_ != coef.shape[1] + stacked + len(offsets):
            raise ValueError(
                f"{caller} needs an estimator with a coefficient for each column of X except the "
                f"task column and offsets; {type(model).__name__} has {model.n_features_in_} "
                f"columns and {coef.shape[1]} features. Fit it without the other columns."
            )
        classes = None
        if classifier:
            classes = np.arange(2) if model._layout == "shared" else model.classes_
        position = (
            locate_task_column(model, model.task_column, model.n_features_in_) if stacked else None
        )
        return cls(
            name=type(model).__name__,
            classifier=classifier,
            layout=model._layout,
            coef=coef,
            intercept=np.atleast_1d(model.intercept_),
            tasks=np.asarray(model.tasks_),
            features=feature_names(model, None, coef.shape[1]),
            named=hasattr(model, "feature_names_in_"),
            losses=_loss_names(model, len(coef)),
            links=links,
            classes=classes,
            task_column=model.task_column,
            task_position=position,
            unknown=model._unknown_task() if stacked and model.unknown_task != "error" else None,
            offset_columns=offsets,
            offset_positions=[_position(model, column) for column in offsets],
        )

    def without_offsets(self) -> "LinearModel":
        """The same predictors of all columns but the task column, in the order of X.

        The offsets are features, whose coefficients are 1 in the tasks to which they are added.
        """
        offsets = self.offset_positions
        if not offsets:
            return self
        aside = {*offsets, self.task_position}
        total = self.coef.shape[1] + len(offsets) + (self.task_position is not None)
        features = [j for j in range(total) if j not in aside]
        kept = [j for j in range(total) if j != self.task_position]

        def widened(coef: Array, ones: Array) -> Array:
            wide = np.zeros((len(coef), total), dtype=coef.dtype)
            wide[:, features], wide[:, offsets] = coef, ones
            return wide[:, kept]

        one, each = np.ones((1, 1)), np.eye(len(self.coef))
        names = dict(zip(features, self.features, strict=True))
        names |= {j: str(name) for j, name in zip(offsets, self.offset_columns, strict=True)}
        unknown = self.unknown
        if unknown is not None:
            unknown = widened(unknown[0][None], one)[0], unknown[1]
        return replace(
            self,
            coef=widened(self.coef, one if len(offsets) == 1 else each),
            features=[names[j] for j in kept],
            unknown=unknown,
            offset_columns=[],
            offset_positions=[],
        )


def _position(model: Any, column: str | int) -> int:
    """The position of an offset among the columns of X."""
    if isinstance(column, str):
        names = [str(name) for name in model.feature_names_in_]
        return names.index(column)
    return int(column) % int(model.n_features_in_)


def sole_model(estimator: Any, caller: str) -> Any:
    """The estimator of skmtl within searches and pipelines, whose features are the user's."""
    while not isinstance(estimator, TaskEstimator):
        within = getattr(estimator, "__dict__", {})
        if hasattr(estimator, "steps"):
            before = [
                name for name, step in estimator.steps[:-1] if step not in (None, "passthrough")
            ]
            if before:
                raise ValueError(
                    f"{caller} needs a model of the features that the user passes, but the steps "
                    f"{before} of the pipeline change them. Pass pipeline[-1]: its features are "
                    f"the output of pipeline[:-1].transform(X)."
                )
            estimator = estimator.steps[-1][1]
        elif "best_estimator_" in within:
            estimator = estimator.best_estimator_
        elif hasattr(estimator, "_main_model"):  # of AuxiliaryTaskRegressor
            estimator = estimator._main_model()
        else:
            check_is_fitted(estimator)
            raise TypeError(
                f"{caller} needs a fitted estimator of skmtl, or a search that has selected one; "
                f"got {type(estimator).__name__}."
            )
    return estimator


def _loss_names(model: Any, n_tasks: int) -> list[str]:
    """The parameter ``loss`` by task."""
    if isinstance(model.loss, str):
        return [model.loss] * n_tasks
    names: list[str] = in_task_order(model.loss, model.tasks_.tolist(), "loss")
    return names
