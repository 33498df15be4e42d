"""What an estimator selects on half of the rows."""

import copy
from dataclasses import dataclass
from numbers import Number
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils import _safe_indexing

from skmtl._warnings import Message, gather_warnings
from skmtl.design import TaskData, as_label_array
from skmtl.estimators import TaskEstimator, follow_path, make_grid, prepare_objective
from skmtl.inspection import FittedTasks, feature_names
from skmtl.model_selection import check_estimator, rows_of_data

Array = NDArray[Any]
Indices = NDArray[np.intp]

# The grid of each half, as in path; it ends when enough features have entered.
_N_ALPHAS, _EPS = 100, 1e-3


@dataclass(frozen=True, eq=False)
class Half:
    """What was selected on a half.

    Attributes
    ----------
    features : bool ndarray of shape (n_features,)
        The selected features.
    entries : bool ndarray of shape (n_tasks, n_features)
        Their non-zero coefficients.
    crowd : int
        The number of features that entered together on the path, before all others; without a path
        the number of selected features.
    feature_names : list of str
    tasks : ndarray of shape (n_tasks,)
    messages : list
        The warnings of the fits.
    model_name : str
        The name of the class of the model that selects them.
    """

    features: NDArray[np.bool_]
    entries: NDArray[np.bool_]
    crowd: int
    feature_names: list[str]
    tasks: Array
    messages: list[Message]
    model_name: str


@dataclass(frozen=True, eq=False)
class PathSelector:
    """Selects the first features to enter on the path of an estimator."""

    model: Any
    data: TaskData
    places: Indices
    feature_names: list[str]
    n_selected: int = 0
    select: ClassVar[str] = "path"

    @classmethod
    def read(cls, estimator: Any, X: Any, y: Any, sample_weight: Any) -> Self:
        """Validate the estimator and the data once for all halves.

        Raises
        ------
        TypeError
            If the estimator has no path.
        ValueError
            If it does not penalise the mean of the tasks.
        """
        _refuse_mixtures(estimator)
        check_estimator(estimator, "stability_selection with select='path' (not 'fit')")
        model = clone(estimator).set_params(alpha=1.0)
        model._validate_params()
        data = model._read(X, y, sample_weight)
        model._warn_of_data(data)
        penalty = model._get_penalty(data)
        if penalty is None or penalty.leaves_mean_free:
            raise _not_sparse(model, "the mean of the tasks is never zero")
        labels = as_label_array(y, "stability_selection")
        rows = rows_of_data(model, data, X, labels, sample_weight)
        places = np.full(len(labels), -1)
        places[rows] = np.arange(len(rows))
        return cls(model, data, places, feature_names(model, None, data.X.shape[1]))

    @property
    def n_features(self) -> int:
        return int(self.data.X.shape[1])

    def count(self, frequencies: Array) -> float:
        """The number of features selected on each half."""
        return float(self.n_selected)

    def __call__(self, rows: Indices) -> Half:
        data = self.data.take(np.sort(self.places[rows]))
        if data.scales is not None:
            data = data.standardised()
        entered = np.zeros(self.n_features, dtype=bool)
        coef, crowd = np.zeros((data.n_tasks, self.n_features)), 0
        model = copy.copy(self.model)
        with gather_warnings() as messages:
            prepared = prepare_objective(model, data)
            grid = make_grid(model, data, prepared, _N_ALPHAS, _EPS)
            for fit in follow_path(model, data, grid, prepared):
                coef = fit.coef
                sizes = np.where(entered, 0.0, np.linalg.norm(coef, axis=0))
                new = np.flatnonzero(sizes)
                crowd = crowd or len(new)
                free = self.n_selected - np.count_nonzero(entered)
                entered[new[np.argsort(-sizes[new], kind="stable")][:free]] = True
                if np.count_nonzero(entered) == self.n_selected:
                    break
        # A feature that has left the path again is selected, but in no task.
        entries = entered & (coef != 0)
        name = type(model).__name__
        return Half(entered, entries, crowd, self.feature_names, data.tasks, messages, name)

    def check(self, halves: list[Half]) -> None:
        """Raise if more features than requested enter together on every half."""
        least = min(half.crowd for half in halves)
        if least > max(self.n_selected, self.n_features / 2):
            raise _not_sparse(
                self.model,
                f"at least {least} of {self.n_features} features enter together",
            )


def _refuse_mixtures(estimator: Any) -> None:
    """Raise if an estimator of skmtl has no path because it mixes several fits."""
    if isinstance(estimator, TaskEstimator) and "estimator" in estimator.get_params(deep=False):
        raise TypeError(
            f"stability_selection with select='path' needs a single path of coefficients, but "
            f"{type(estimator).__name__} mixes several fits, some of which use all features. Pass "
            f"an estimator that sets the coefficients of whole features to zero, such as "
            f"BlockSparseRegressor()."
        )


def _not_sparse(model: Any, why: str) -> ValueError:
    return ValueError(
        f"{type(model).__name__} does not select features as alpha decreases: {why}. Use an "
        f"estimator that sets the coefficients of whole features to zero, such as "
        f"BlockSparseRegressor."
    )


@dataclass(frozen=True, eq=False)
class FitSelector:
    """Selects the features with non-zero coefficients in an estimator, fitted as it is."""

    estimator: Any
    X: Any
    y: Any
    sample_weight: Any
    select: ClassVar[str] = "fit"

    def count(self, frequencies: Array) -> float:
        """The mean number of features selected on a half, given their frequencies."""
        return float(frequencies.sum())

    def __call__(self, rows: Indices) -> Half:
        weights = {}
        if self.sample_weight is not None and not isinstance(self.sample_weight, Number):
            weights["sample_weight"] = _safe_indexing(self.sample_weight, rows)
        with gather_warnings() as messages:
            model = clone(self.estimator)
            model.fit(_safe_indexing(self.X, rows), _safe_indexing(self.y, rows), **weights)
        fitted = FittedTasks.read(model, "stability_selection")
        used = fitted.coef != 0
        selected = used.any(axis=0)
        crowd = int(selected.sum())
        names, tasks = fitted.features, fitted.tasks
        return Half(selected, used, crowd, names, tasks, messages, fitted.name)

    def check(self, halves: list[Half]) -> None:
        """Raise if the halves have different features, or all are selected on every half."""
        shapes = {(half.entries.shape, *half.feature_names) for half in halves}
        if len(shapes) > 1:
            raise ValueError(
                "The fits to the halves of the rows have different features or tasks: a step of "
                "the pipeline selects features, or a half lacks a class. Transform X by this step "
                "before stability_selection."
            )
        n_features = halves[0].entries.shape[1]
        if min(half.crowd for half in halves) == n_features:
            raise ValueError(
                f"On every half of the rows {halves[0].model_name} has non-zero coefficients of "
                f"all {n_features} features: it does not select features, or its alpha is too "
                f"small. Use an estimator that sets coefficients to zero, such as "
                f"BlockSparseRegressor, or a larger alpha."
            )
