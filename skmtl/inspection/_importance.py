"""Feature importances over all tasks."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skmtl.design import feature_positions, fitted_within, listed_offsets


def column_importance(estimator: Any) -> NDArray[np.float64]:
    """Return the importance of each column of X, such that the task column is always kept.

    A feature's importance is the Euclidean norm of its coefficients over the tasks. Pass this
    function as ``importance_getter`` to scikit-learn's RFE, RFECV or SelectFromModel.

    Parameters
    ----------
    estimator : fitted estimator
        With ``coef_`` (n_tasks, n_features) or (n_features,), or a search that has selected one.

    Returns
    -------
    importance : ndarray of shape (`n_features_in_`,)
        The entries of the task column, of offsets and of auxiliary targets, if there are any, are
        twice the largest (1.0 if all others are zero).

    Raises
    ------
    ValueError
        If the estimator has no ``coef_``, was not fitted on its ``task_column``, or has other
        columns without a coefficient.

    Notes
    -----
    Selectors remove columns and thereby shift the positions of others: give the task column's
    position from the end (``task_column=-1``). RFE converts data frames to arrays: a task column
    given by name works in SelectFromModel only, and RFE needs numeric task ids. The task column
    counts towards RFE's ``n_features_to_select``; RFECV needs ``min_features_to_select=2``, for
    the task column and a feature.

    References
    ----------
    I. Guyon, J. Weston, S. Barnhill, V. Vapnik (2002). Gene selection for cancer classification
    using support vector machines. Machine Learning 46, 389-422.
    https://doi.org/10.1023/A:1012487302797

    Examples
    --------
    >>> from sklearn.datasets import make_regression
    >>> from sklearn.feature_selection import RFE
    >>> from sklearn.linear_model import MultiTaskLasso
    >>> from skmtl.inspection import column_importance
    >>> X, Y = make_regression(n_features=6, n_informative=2, n_targets=3, random_state=0)
    >>> selector = RFE(
    ...     MultiTaskLasso(), n_features_to_select=2, importance_getter=column_importance
    ... )
    >>> int(selector.fit(X, Y).support_.sum())
    2
    """
    model = _selected(estimator)
    if not hasattr(model, "coef_"):
        raise ValueError(
            f"column_importance needs an estimator with coef_, but {type(model).__name__} has "
            f"none. Pass a fitted linear estimator; for a pipeline, pass its last step."
        )
    coef = model.coef_.toarray() if sp.issparse(model.coef_) else model.coef_
    matrix = np.atleast_2d(np.asarray(coef, dtype=np.float64))
    importance = np.asarray(np.linalg.norm(matrix, axis=0))
    positions, n_columns = _features(model, len(importance))
    known = getattr(model, "n_features_in_", n_columns)
    if known != n_columns:
        raise ValueError(
            f"column_importance needs a coefficient for each column of X that is a feature, but "
            f"{type(model).__name__} has {len(importance)} of them for {known} columns. Pass an "
            f"estimator that is fitted to the columns themselves."
        )
    largest = importance.max(initial=0.0)
    columns = np.full(n_columns, 2.0 * largest if largest > 0 else 1.0)
    columns[positions] = importance
    return columns


def _selected(estimator: Any) -> Any:
    """The estimator that a search has selected; others as they are."""
    while (within := fitted_within(estimator)) is not None:
        estimator = within
    return estimator


def _features(model: Any, n_features: int) -> tuple[NDArray[np.intp], int]:
    """The positions of the features among the columns of X, and the number of columns."""
    if hasattr(model, "_main_model"):  # of AuxiliaryTaskRegressor
        positions, _ = _features(model._main_model(), n_features)
        return np.array(model._columns.others())[positions], model._columns.width
    task_column = getattr(model, "task_column", None)
    n_columns = n_features + len(listed_offsets(model)) + (task_column is not None)
    if task_column is not None:
        locate_task_column(model, task_column, n_columns)
    if n_columns == n_features:
        return np.arange(n_features), n_columns
    return np.array(feature_positions(model, n_columns)), n_columns


def locate_task_column(estimator: Any, task_column: str | int, n_columns: int) -> int:
    """Return the task column's position among the columns the estimator was fitted on."""
    if not isinstance(task_column, str):
        if not -n_columns <= task_column < n_columns:
            raise ValueError(
                f"task_column={task_column} is not one of the {n_columns} columns that "
                f"{type(estimator).__name__} was fitted on. Use task_column=-1 for the last."
            )
        return task_column % n_columns
    names = [str(name) for name in getattr(estimator, "feature_names_in_", [])]
    if task_column not in names:
        raise ValueError(
            f"task_column={task_column!r} is not among the columns that "
            f"{type(estimator).__name__} was fitted on: {names or 'they have no names'}. Give the "
            f"position instead, such as task_column=-1 for the last."
        )
    return names.index(task_column)
