"""Containers with more than numbers: masked arrays, dates and Arrow tables."""

import importlib.util
import math
from datetime import date, time, timedelta
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Array = NDArray[Any]


def is_frame(X: Any) -> bool:
    """Whether ``X`` is a data frame (pandas or Polars)."""
    return hasattr(X, "columns") and hasattr(X, "dtypes") and not sp.issparse(X)


def is_valid(X: Any) -> bool:
    """Whether X is an array of bounded numbers, which needs no other validation.

    scikit-learn's takes longer than a small fit, mostly to look for other containers. Where this
    is true, so does :func:`refuse_overflow` accept X.
    """
    if type(X) is not np.ndarray or X.ndim != 2 or 0 in X.shape:
        return False
    if X.dtype == np.float64:
        return has_bounded_squares(X)
    if X.dtype != np.float32:
        return False
    with np.errstate(over="ignore", invalid="ignore"):
        return math.isfinite(X.sum())


def from_arrow(data: Any) -> Any:
    """Convert an Arrow table or record batch to a data frame; return others unchanged.

    The data frame is one of pandas, or of Polars if pandas is not installed.

    Raises
    ------
    ImportError
        If neither is installed.
    TypeError
        If it is a lazy frame of Polars or a collection of Dask, which hold no data.
    """
    if _is_lazy(data):
        raise TypeError(
            f"A Dask {type(data).__name__} is not in memory. Fit it by "
            f"skmtl.dask.Distributed(estimator), which reads it block by block, or pass what its "
            f"compute() returns."
        )
    if hasattr(data, "collect_schema") and not hasattr(data, "shape"):
        raise TypeError(
            f"A Polars {type(data).__name__} is a query without data. Pass the data frame that "
            f"its collect() returns."
        )
    if not (hasattr(data, "column_names") and hasattr(data, "to_pandas")):
        return data
    if importlib.util.find_spec("pandas") is not None:
        return data.to_pandas()
    if importlib.util.find_spec("polars") is not None:
        return importlib.import_module("polars").from_arrow(data)
    raise ImportError(
        f"Reading a {type(data).__module__.split('.')[0]} {type(data).__name__} needs pandas or "
        f"Polars. Install one of them, or pass an array."
    )


def _is_lazy(data: Any) -> bool:
    """Whether it is a collection of Dask, or a container around one."""
    if not hasattr(data, "__dask_graph__") or isinstance(data, type):
        return False
    # Containers of xarray have no graph if they are in memory. That of dask's own may be costly.
    own = type(data).__module__.split(".")[0] == "dask"
    return own or data.__dask_graph__() is not None


def refuse_mask(data: Any, name: str, remedy: str) -> None:
    """Raise if an array has masked entries, which a conversion would unmask."""
    data = _join_masked(data)
    hidden = int(np.ma.getmaskarray(data).sum()) if np.ma.isMaskedArray(data) else 0
    if hidden:
        raise ValueError(
            f"{name} must not have masked entries, got a masked array with {hidden} of "
            f"{data.size} entries masked. {remedy}"
        )


def fill_mask(data: Any) -> Any:
    """Replace masked entries by NaN in numeric arrays, and by None in others."""
    data = _join_masked(data)
    if not np.ma.isMaskedArray(data):
        return data
    if not np.ma.getmaskarray(data).any():
        return data.data
    numeric = data.dtype.kind in "biuf"
    kind = data.dtype if data.dtype.kind == "f" else np.float64 if numeric else object
    filled = np.array(data.data, dtype=kind)
    filled[np.ma.getmaskarray(data)] = np.nan if numeric else None
    return filled


def refuse_overflow(values: Any, name: str) -> None:
    """Raise if the sum of squares overflows in float64."""
    values = values.data if sp.issparse(values) else values
    if values.dtype != np.float64:
        return
    if not has_bounded_squares(values):
        raise ValueError(
            f"{name} must not be so large that sums of squares overflow, got values up to "
            f"{np.abs(values).max():.3g}. Divide by a power of ten."
        )


def has_bounded_squares(values: Array) -> bool:
    """Whether the sum of the squares of numbers in float64 is finite, and so are the numbers."""
    if values.flags.forc:
        # BLAS takes less than half of the time, but would copy other arrays.
        entries = values.ravel(order="K")
        return math.isfinite(np.vdot(entries, entries))  # like einsum, it warns of no overflow
    axes = "ij"[: values.ndim]
    return math.isfinite(np.einsum(f"{axes},{axes}->", values, values))


def _join_masked(data: Any) -> Any:
    """Join a list of masked arrays into one."""
    if isinstance(data, (list, tuple)) and any(np.ma.isMaskedArray(part) for part in data):
        return np.ma.stack(data)
    return data


def fill_missing(values: Array) -> Array:
    """Replace None, pandas.NA and NaT by NaN in an object array."""
    # Recognise the types by name, to avoid importing pandas.
    names = ("NoneType", "NAType", "NaTType")
    missing = np.array([type(value).__name__ in names for value in values.flat], dtype=bool)
    if not missing.any():
        return values
    values = values.copy()
    values[missing.reshape(values.shape)] = np.nan
    return values


def refuse_dates(X: Any) -> None:
    """Raise if a column of features holds dates or durations."""
    if is_frame(X):
        dated = [
            name
            for k, (name, dtype) in enumerate(zip(X.columns, X.dtypes, strict=True))
            if _is_date(dtype, X.iloc[:, k] if hasattr(X, "iloc") else ())
        ]
        what = f"in the columns {dated[:10]}"
    else:
        dtype = getattr(X, "dtype", None)
        dated = [dtype] if _is_date(dtype, X[:1].flat if _is_object(dtype) else ()) else []
        what = f"(of the type {dtype})"
    if dated:
        raise ValueError(
            f"X must hold numbers, got dates or durations {what}. Convert them, for example to "
            f"days: (X[column] - X[column].min()) / numpy.timedelta64(1, 'D')."
        )


def _is_object(dtype: Any) -> bool:
    return getattr(dtype, "kind", "") == "O"


def _is_date(dtype: Any, values: Any) -> bool:
    """Whether a column, judged by its type or first object, holds dates or durations."""
    if hasattr(dtype, "is_temporal"):  # Polars
        return bool(dtype.is_temporal())
    if isinstance(dtype, np.dtype) and _is_object(dtype):
        first = next((value for value in values if value is not None), None)
        return isinstance(first, (date, time, timedelta))
    return getattr(dtype, "kind", "") in ("M", "m")


def refuse_cubes(X: Any) -> None:
    """Raise if X holds one matrix per task."""
    ndim = getattr(X, "ndim", 2)
    if isinstance(X, (list, tuple)) and X:
        ndim = 3 if all(getattr(part, "ndim", 0) == 2 for part in X) else _depth(X)
    if ndim > 2:
        raise ValueError(
            f"Found array with dim {ndim}, while dim <= 2 is required: X must be (n_samples, "
            f"n_features). To pass a matrix for each task, make the stacked layout by "
            f"skmtl.preprocessing.stack_tasks(list(X), list(y)), and set task_column=-1."
        )


def _depth(nested: Any) -> int:
    """The nesting depth of lists, judged by the first elements."""
    depth = 0
    while isinstance(nested, (list, tuple)) and nested:
        nested, depth = nested[0], depth + 1
    return depth
