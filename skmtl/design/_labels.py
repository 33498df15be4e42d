"""Labels and their weights: from users' input to float64 arrays."""

from numbers import Number
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from skmtl.design._containers import (
    fill_mask,
    fill_missing,
    from_arrow,
    has_bounded_squares,
    is_frame,
    refuse_mask,
    refuse_overflow,
)
from skmtl.design._names import align_columns, refuse_repeated

Array = NDArray[Any]

_LEAST_WEIGHT = 1e-150


def as_label_array(y: Any, estimator_name: str) -> Array:
    """Labels as a 1-D or 2-D array; missing values of any frame library become NaN."""
    if y is None:
        raise ValueError(f"{estimator_name} requires y to be passed, but the target y is None.")
    if sp.issparse(y):
        y = y.toarray()
    y = fill_mask(_without_extension_types(from_arrow(y)))
    try:
        y = np.asarray(y)
    except ValueError as error:
        raise ValueError(
            f"y must be a 1-D array, or a matrix with one column per task ({error}). To pass "
            f"a list of labels per task, make the stacked layout by "
            f"skmtl.preprocessing.stack_tasks."
        ) from error
    if y.ndim not in (1, 2) or 0 in y.shape[1:]:
        raise ValueError(
            f"y must be a 1-D array, or a matrix with one column per task; got shape {y.shape}."
        )
    if y.dtype.kind in "mM":
        raise ValueError(
            f"y must hold numbers or classes, got dates or durations ({y.dtype}). Convert them: "
            f"to numbers, such as (y - y.min()) / numpy.timedelta64(1, 'D'), or to strings."
        )
    return fill_missing(y) if y.dtype.kind == "O" else y


def _without_extension_types(y: Any) -> Any:
    """Convert extension types of pandas, whose missing value NumPy does not know."""
    if not hasattr(y, "iloc"):
        return y
    dtypes = np.atleast_1d(np.asarray(y.dtypes, dtype=object)).tolist()
    if all(isinstance(dtype, np.dtype) for dtype in dtypes):
        return y
    kinds = {dtype.kind for dtype in dtypes}
    if not kinds <= set("biuf"):
        return y
    if len(kinds) == 1 and not np.asarray(y.isna()).any():
        own = {"b": np.bool_, "i": np.int64, "u": np.uint64, "f": np.float64}
        return y.to_numpy(dtype=own[kinds.pop()])
    return y.to_numpy(dtype=np.float64, na_value=np.nan)


def as_floats(values: Any, name: str, remedy: str = "Pass an array of numbers.") -> Array:
    """Convert to an array of floats.

    Raises
    ------
    ValueError
        If the argument holds anything but numbers, or has masked entries.
    """
    refuse_mask(values, name, "Fill them: .filled(...).")
    try:
        if np.asarray(values).dtype.kind == "c":
            # NumPy would silently drop the imaginary part.
            raise TypeError("complex numbers have no order")
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name} must hold numbers ({error}), got {values!r:.200}. {remedy}"
        ) from error


def task_names(y: Any, n_tasks: int) -> Array:
    """The column names of a data frame of labels; 0, ..., T - 1 for an array.

    Raises
    ------
    ValueError
        If two columns have the same name.
    """
    y = from_arrow(y)
    if not is_frame(y):
        return np.arange(n_tasks)
    columns = list(y.columns)
    refuse_repeated(columns, "y")
    if len({type(name) for name in columns}) == 1 and not isinstance(columns[0], tuple):
        return np.asarray(columns)
    # Keep tuples (several column levels) and names of mixed types as objects.
    names = np.empty(len(columns), dtype=object)
    names[:] = columns
    return names


def read_numbers(y: Array, tasks: Array | None) -> Array:
    """Numeric labels in float64. NaN is allowed if ``tasks`` names the columns of y.

    Raises
    ------
    ValueError
        If y holds infinite values, or NaN where no label may be missing.
    """
    if y.dtype.kind == "c":
        raise ValueError("Complex data not supported: y must be real.")
    y = np.array(as_floats(y, "y"))
    if has_bounded_squares(y):
        return y
    if np.isinf(y).any():
        where = "" if tasks is None else f" (task {tasks[np.isinf(y).any(axis=0)].tolist()[0]!r})"
        raise ValueError(f"y contains infinity{where}. Remove or replace those labels.")
    if tasks is None:
        refuse_missing(y)
    return y


def refuse_missing(y: Array) -> None:
    """Raise if numeric labels, one for each row, hold NaN."""
    if np.isnan(y).any():
        raise ValueError(
            "y contains NaN. A label may be missing (NaN) only in a matrix y of shape "
            "(n_samples, n_tasks); otherwise leave such rows out."
        )


def read_indicators(y: Array) -> Array:
    """Convert a matrix of labels 0, 1, bool and NaN to -1, +1 and NaN.

    Raises
    ------
    ValueError
        If y holds other values; the message says how to convert -1/+1.
    """
    try:
        labels = y.astype(np.float64)
    except (TypeError, ValueError):
        raise ValueError(
            "Unknown label type: a matrix y must hold 0, 1 and NaN (one column per binary task); "
            f"got values such as {y.ravel()[0]!r}."
        ) from None
    if np.isinf(labels).any():
        raise ValueError("y contains infinity. Remove or replace those labels.")
    values = np.unique(labels[~np.isnan(labels)])
    if not np.isin(values, (0.0, 1.0)).all():
        if np.isin(values, (-1.0, 1.0)).all():
            raise ValueError(
                "y holds -1 and 1; a matrix y must hold 0, 1 and NaN. Convert it by (y + 1) / 2."
            )
        raise ValueError(
            "Unknown label type: a matrix y must hold 0, 1 and NaN (one column per binary task); "
            f"got the values {values[:5].tolist()}. For one multiclass target pass a 1-D y."
        )
    return 2 * labels - 1


def flatten_column(y: Array) -> Array:
    """Return a 1-D y; flatten a single column, with scikit-learn's warning."""
    if y.ndim == 2 and y.shape[1] != 1:
        raise ValueError(
            f"y should be a 1d array, with one label per row, got an array of shape {y.shape}. If "
            f"y has a column for each task, all tasks share the rows of X: leave task_column out."
        )
    return column_or_1d(y, warn=True) if y.ndim == 2 else y


def is_one_indicator(y: Array) -> bool:
    """Whether y is a single column of 0, 1 and NaN: the shared layout with one task."""
    try:
        labels = y.astype(np.float64)
    except (TypeError, ValueError):
        return False
    return bool(np.isin(labels[~np.isnan(labels)], (0.0, 1.0)).all())


def read_classes(y: Array) -> Array:
    """Validate a 1-D classification target."""
    if y.dtype.kind in "fc" and not np.isfinite(y).all():
        raise ValueError("y contains NaN or infinity. Leave such rows out.")
    if y.dtype.kind == "O":
        missing = np.array([label is None or label != label for label in y.tolist()])
        if missing.any():
            raise ValueError(
                f"y must have a label in every row, got {missing.sum()} of {len(y)} without one, "
                f"first in row {int(missing.argmax())}. Leave such rows out."
            )
    try:
        check_classification_targets(y)
    except TypeError as error:  # values that cannot be ordered
        raise ValueError(
            f"y mixes labels of several types, or misses some, such as {y[:3].tolist()!r:.200} "
            f"({error}). Make all of them strings or all numbers, and leave rows without one out."
        ) from error
    return y


def read_weights(sample_weight: Any, shape: tuple[int, ...], tasks: Array | None = None) -> Array:
    """Weights in the labels' shape, float64.

    Parameters
    ----------
    sample_weight : None, number, array-like of shape (n_samples,) or the labels' shape
    shape : tuple
        The labels' shape.
    tasks : array of shape (n_tasks,) or None
        The names of the tasks if a weight per label, (n_samples, n_tasks), is allowed. The columns
        of a data frame with these names may be in any order.

    Raises
    ------
    ValueError
        If the shape is wrong, or a weight is negative, masked, NaN or infinite.
    """
    if sample_weight is None:
        return np.ones(shape)
    sample_weight = from_arrow(sample_weight)
    refuse_mask(sample_weight, "sample_weight", "Use 0 to leave a label out: .filled(0).")
    if isinstance(sample_weight, Number):
        weights = np.full(shape[0], float(sample_weight))  # type: ignore[arg-type]
    else:
        if tasks is not None:
            sample_weight = align_columns(sample_weight, tasks.tolist(), "sample_weight")
        weights = as_floats(sample_weight, "sample_weight")
    rows = weights.shape == shape[:1]
    if not (rows or (tasks is not None and weights.shape == shape)):
        also = f" or {shape}" if tasks is not None else ""
        raise ValueError(
            f"sample_weight must have shape {shape[:1]}{also}, got {weights.shape}. A weight per "
            f"label, (n_samples, n_tasks), is allowed only with a matrix y."
        )
    if not np.isfinite(weights).all():
        raise ValueError("sample_weight contains NaN or infinity. Use 0 to leave a label out.")
    if (weights < 0).any():
        raise ValueError(
            f"Negative values in data passed to `sample_weight`: {weights.min():.3g}. Weights "
            f"must be >= 0; use 0 to leave a label out."
        )
    refuse_overflow(weights, "sample_weight")
    if 0 < weights.max(initial=0.0) < _LEAST_WEIGHT:
        raise ValueError(
            f"sample_weight must not be so small that its reciprocal overflows, got weights up "
            f"to {weights.max():.3g}. Multiply all weights by the same power of ten."
        )
    if rows and len(shape) == 2:
        weights = np.repeat(weights[:, None], shape[1], axis=1)
    return np.array(weights)


def fitted_within(estimator: Any) -> Any:
    """The fitted estimator with which a search, or another one of skmtl, predicts; or None."""
    own = getattr(estimator, "__dict__", {})
    # Other libraries' estimator_ may be unfitted, or fitted to other labels.
    names = "best_estimator_", getattr(type(estimator), "_fitted_as", "")
    return next((own[name] for name in names if name in own), None)


def read_scored(estimator: Any, y: Any, sample_weight: Any) -> tuple[Any, Any]:
    """The labels, as an array, and the weights for a fitted estimator's score.

    The columns of data frames are reordered to match ``tasks_``.
    """
    check_is_fitted(estimator)
    if estimator._layout == "shared":
        tasks = estimator.tasks_.tolist()
        y = align_columns(from_arrow(y), tasks, "y")
        sample_weight = align_columns(from_arrow(sample_weight), tasks, "sample_weight")
    refuse_mask(sample_weight, "sample_weight", "Use 0 to leave a label out: .filled(0).")
    return as_label_array(y, type(estimator).__name__), sample_weight


def align_frames(y_true: Any, y_pred: Any, sample_weight: Any) -> tuple[Any, Any, Any]:
    """Align y_pred with y_true by column name, and replace masked labels by NaN."""
    y_true, given = fill_mask(from_arrow(y_true)), from_arrow(y_pred)
    y_pred = fill_mask(given)
    if np.ma.isMaskedArray(given) and np.shape(y_true) == given.shape:
        labelled = np.array([label == label for label in np.ravel(y_true)]).reshape(given.shape)
        unpredicted = np.ma.masked_array(given.data, np.ma.getmaskarray(given) & labelled)
        refuse_mask(unpredicted, "y_pred", "Mask those labels in y_true too, or predict them.")
    sample_weight = from_arrow(sample_weight)
    if not is_frame(y_true):
        return y_true, y_pred, sample_weight
    columns = list(y_true.columns)
    refuse_repeated(columns, "y_true")
    y_pred = align_columns(y_pred, columns, "y_pred")
    return y_true, y_pred, align_columns(sample_weight, columns, "sample_weight")
