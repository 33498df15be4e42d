"""The coefficients of a fitted estimator as a tidy data frame."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.inspection._fitted import FittedTasks

Array = NDArray[Any]

INTERCEPT = "(intercept)"


def coef_frame(estimator: Any, intervals: Any = None, *, intercept: bool = True) -> Any:
    """Return the coefficients as a tidy pandas data frame, one row per task and feature.

    Parameters
    ----------
    estimator : fitted estimator with ``coef_``
        Of skmtl or scikit-learn, or a pipeline or search that ends in one. The features have the
        names that they have after the steps of a pipeline; x0, x1, ... if they have none.
    intervals : CoefficientIntervals or pair of array-likes (n_tasks, n_features), default=None
        The result of ``skmtl.inference.coefficient_intervals`` for this estimator and its data, or
        the lower and upper ends of intervals.
    intercept : bool, default=True
        Whether each task's rows start with its intercept, named "(intercept)".

    Returns
    -------
    pandas.DataFrame
        With the columns task (for a 1-D y of classes, the class), feature and coef. With intervals
        also low and high; with a result also estimate, the coefficient around which the interval
        is (with the method "debiased" it differs from ``coef`` by the penalty's bias), its standard
        error se, and, if the result has them, the feature's p-value over all tasks, p, and that
        adjusted for the number of features, p_adjusted. All these are NaN for intercepts.

    Raises
    ------
    TypeError
        If the estimator has no coefficients.
    ValueError
        If the intervals have other tasks or features.
    NotFittedError
        If the estimator is not fitted.
    ImportError
        If pandas is not installed.

    See Also
    --------
    CoefficientDisplay : A plot of the coefficients.
    summary : A short report in text or HTML.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmtl import BlockSparseRegressor
    >>> from skmtl.datasets import make_block_sparse
    >>> from skmtl.inspection import coef_frame
    >>> data = make_block_sparse(60, 4, 2, n_informative=2, noise=0.1, random_state=0)
    >>> X = pd.DataFrame(data.data, columns=["age", "income", "size", "rooms"])
    >>> Y = pd.DataFrame(data.target, columns=["spring", "autumn"])
    >>> frame = coef_frame(BlockSparseRegressor(0.1).fit(X, Y))
    >>> frame.columns.tolist(), len(frame)
    (['task', 'feature', 'coef'], 10)
    >>> frame.pivot(index="feature", columns="task", values="coef").shape
    (5, 2)
    """
    import pandas as pd

    fitted = FittedTasks.read(estimator, "coef_frame")
    columns: dict[str, Array] = {"coef": np.asarray(fitted.coef, dtype=np.float64)}
    if intervals is not None:
        columns |= _interval_columns(fitted, intervals)
    features = fitted.features
    if intercept and fitted.intercept is not None:
        features = [INTERCEPT, *features]
        first = {"coef": fitted.intercept}
        none = np.full(len(fitted.tasks), np.nan)
        columns = {
            name: np.column_stack([first.get(name, none), values])
            for name, values in columns.items()
        }
    names = {
        "task": np.repeat(fitted.tasks, len(features)),
        "feature": np.tile(np.array(features, dtype=object), len(fitted.tasks)),
    }
    return pd.DataFrame(names | {name: values.ravel() for name, values in columns.items()})


def _interval_columns(fitted: FittedTasks, intervals: Any) -> dict[str, Array]:
    """Intervals and what belongs to them, each (n_tasks, n_features)."""
    shape = fitted.coef.shape
    if not hasattr(intervals, "standard_errors"):
        try:
            ends = [np.asarray(end, dtype=np.float64) for end in intervals]
        except (TypeError, ValueError):
            ends = []
        if len(ends) != 2 or any(end.shape != shape for end in ends):
            found = f"{len(ends)} of shapes {[end.shape for end in ends]}" if ends else intervals
            raise ValueError(
                f"intervals must be a result of coefficient_intervals or a pair (low, high) of "
                f"arrays of the shape of coef, {shape}; got {found!s:.200}."
            )
        return {"low": ends[0], "high": ends[1]}
    _check_names(fitted, intervals)
    columns = {
        "estimate": intervals.coef.T,
        "se": intervals.standard_errors.T,
        "low": intervals.intervals[..., 0].T,
        "high": intervals.intervals[..., 1].T,
    }
    for name, source in (("p", "p_values"), ("p_adjusted", "adjusted_p_values")):
        values = getattr(intervals, source, None)
        if values is not None:
            columns[name] = np.broadcast_to(values, shape)
    return columns


def _check_names(fitted: FittedTasks, intervals: Any) -> None:
    """Raise unless a result is for the same tasks and features."""
    shape = fitted.coef.shape
    if intervals.coef.T.shape != shape:
        raise ValueError(
            f"intervals are for {intervals.coef.shape[1]} tasks and {intervals.coef.shape[0]} "
            f"features, but {fitted.name} has {shape[0]} and {shape[1]}. Compute them for this "
            f"estimator and its data."
        )
    for what in ("tasks", "features"):
        theirs, ours = list(getattr(intervals, what)), list(getattr(fitted, what))
        if theirs != ours:
            raise ValueError(
                f"intervals are for the {what} {theirs[:10]}, but {fitted.name} has {ours[:10]}. "
                f"Compute them for this estimator and its data."
            )
