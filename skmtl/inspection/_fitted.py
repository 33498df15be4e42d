"""The coefficients of a fitted estimator with the names of its tasks and features."""

from dataclasses import dataclass
from numbers import Integral
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from skmtl.design import feature_positions, fitted_within

Array = NDArray[Any]


def last_step(estimator: Any) -> tuple[Any, Any]:
    """The last step of a fitted pipeline, and the names of its columns or None.

    Any other estimator is returned as it is.
    """
    if not hasattr(estimator, "steps"):
        return estimator, None
    model, names = estimator[-1], None
    if len(estimator) > 1:
        try:
            names = estimator[:-1].get_feature_names_out()
        except (AttributeError, ValueError, NotFittedError):  # some step cannot name its columns
            names = None
    return model, names


def selected_model(estimator: Any) -> tuple[Any, Any]:
    """The model within fitted searches and pipelines, and the names of its columns or None."""
    names = None
    while True:
        if hasattr(estimator, "steps"):
            estimator, found = last_step(estimator)
            names = names if found is None else found
        elif (within := fitted_within(estimator)) is not None:
            estimator = within
        else:
            return estimator, names


@dataclass(frozen=True)
class FittedTasks:
    """Coefficients, and the names of their rows and columns.

    Attributes
    ----------
    coef : ndarray of shape (n_tasks, n_features)
    tasks : ndarray of shape (n_tasks,)
        The ids.
    features : list of str
    name : str
        The name of the estimator's class.
    intercept : ndarray of shape (n_tasks,), or None if the estimator has none
    model : estimator
        The estimator that has the coefficients.
    """

    coef: Array
    tasks: Array
    features: list[str]
    name: str
    intercept: Array | None
    model: Any

    @classmethod
    def read(cls, estimator: Any, display: str) -> Self:
        """Read a fitted linear estimator, or the last step of a pipeline.

        Raises
        ------
        TypeError
            If the estimator has no ``coef_``, even if fitted.
        NotFittedError
            If it is not fitted.
        """
        model, columns = selected_model(estimator)
        name = type(model).__name__
        if hasattr(model, "fit"):
            check_is_fitted(model)
        if not hasattr(model, "coef_"):
            raise TypeError(
                f"{display} needs a fitted estimator with coef_, such as BlockSparseRegressor, or "
                f"a pipeline that ends in one; {name} has no coef_."
            )
        coef = model.coef_.toarray() if sp.issparse(model.coef_) else model.coef_
        coef = np.atleast_2d(np.asarray(coef))
        tasks = np.asarray(getattr(model, "tasks_", np.arange(len(coef))))
        named = model._main_model() if hasattr(model, "_main_model") else model
        features = feature_names(named, columns, coef.shape[1])
        intercept = np.asarray(getattr(model, "intercept_", []), dtype=np.float64).ravel()
        if len(intercept) not in (1, len(coef)):
            return cls(coef, tasks, features, name, None, model)
        # scikit-learn's models without intercepts have a single 0.
        intercept = np.broadcast_to(intercept, len(coef))
        return cls(coef, tasks, features, name, intercept, model)


def feature_names(model: Any, columns: Any, n_features: int) -> list[str]:
    """The names of the features, without the task column; x0, x1, ... if unknown."""
    if columns is None:
        columns = getattr(model, "feature_names_in_", None)
    if columns is None:
        return default_names(n_features)
    names = [str(name) for name in columns]
    if len(names) > n_features:
        names = [names[j] for j in feature_positions(model, len(names))]
    return names if len(names) == n_features else default_names(n_features)


def default_names(n_features: int) -> list[str]:
    """The names that scikit-learn gives to features without names."""
    return [f"x{j}" for j in range(n_features)]


def check_names(names: Any, count: int, what: str) -> list[str]:
    """Given names as strings, as many as there are tasks or features.

    Raises
    ------
    ValueError
        If their number is wrong.
    """
    texts = [str(name) for name in names]
    if len(texts) != count:
        raise ValueError(f"{what} has {len(texts)} names; pass one for each of the {count}.")
    return texts


def check_count(count: Any, what: str) -> None:
    """Raise unless a parameter is a positive integer or None."""
    is_count = isinstance(count, Integral) and not isinstance(count, bool)
    if count is not None and not (is_count and count >= 1):
        raise ValueError(f"{what} must be at least 1, or None for all; got {count!r}.")


def count_of(number: int, noun: str) -> str:
    """A number with its noun in the singular or plural."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def largest(sizes: Array, count: int | None) -> NDArray[np.intp]:
    """The positions of the largest sizes, descending; None: of all.

    Raises
    ------
    ValueError
        If ``count`` is not a positive integer.
    """
    check_count(count, "max_features")
    return np.argsort(-sizes, kind="stable")[:count]


def title_of(name: str | None, n_used: int, n_features: int, n_shown: int) -> str:
    """The title of a plot of coefficients by feature."""
    title = f"{n_used} of {n_features} features used"
    if n_shown < n_features and n_shown != n_used:
        title += f", {n_shown} largest shown"
    return f"{name}\n{title}" if name else title
