"""Rows and columns of data frames (pandas, Polars), sparse matrices and arrays.

pandas and Polars are imported only if one of their data frames is passed or requested.
"""

import importlib
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skmtl.design import is_frame

NUMERIC = "iufb"


def insert_task_column(features: Any, ids: NDArray[Any], place: int) -> Any:
    """Insert task ids as a column of an array or a sparse matrix, at a position >= 0.

    The result has objects only if necessary, and stays float32 if it represents the ids exactly.
    """
    if is_frame(features):
        features = np.asarray(features)
    numeric = ids.dtype.kind in NUMERIC
    if numeric and ids.dtype.kind != "f" and features.dtype.kind == "f":
        exact_up_to = 2 ** (np.finfo(features.dtype).nmant + 1)
        if np.abs(ids.astype(np.int64)).max(initial=0) <= exact_up_to:
            ids = ids.astype(features.dtype)
    if sp.issparse(features):
        if not numeric:
            raise ValueError(
                f"A sparse matrix cannot hold task ids such as {ids.tolist()[0]!r}. Use numbers as "
                f"ids, or dense features (e.g. OneHotEncoder(sparse_output=False))."
            )
        column, columns = sp.csr_matrix(ids[:, np.newaxis]), features.tocsc()
        return sp.hstack([columns[:, :place], column, columns[:, place:]], format="csr")
    if numeric and features.dtype.kind in NUMERIC:
        return np.column_stack([features[:, :place], ids, features[:, place:]])
    out = np.empty((features.shape[0], features.shape[1] + 1), dtype=object)
    out[:, :place], out[:, place], out[:, place + 1 :] = (
        features[:, :place],
        ids,
        features[:, place:],
    )
    return out


def stack_rows(parts: list[Any]) -> Any:
    """Concatenate containers of the same kind by rows."""
    if all(is_frame(part) for part in parts):
        if library_of(parts[0]) == "pandas":
            return importlib.import_module("pandas").concat(parts, ignore_index=True)
        return importlib.import_module("polars").concat(parts, how="vertical_relaxed")
    if any(sp.issparse(part) for part in parts):
        return sp.vstack(parts, format="csr")
    return np.concatenate([np.asarray(part) for part in parts])


def take_rows(data: Any, rows: NDArray[np.intp]) -> Any:
    """Return the rows of a data frame, a sparse matrix, an array or a list."""
    if hasattr(data, "iloc"):
        return data.iloc[rows]
    return (data if is_frame(data) or sp.issparse(data) else np.asarray(data))[rows]


def library_of(frame: Any) -> str:
    return "pandas" if hasattr(frame, "iloc") else "polars"


def as_frame(library: str, values: Any, names: list[str]) -> Any:
    """Return a new data frame with the given column names."""
    module = importlib.import_module(library)
    if is_frame(values) and library_of(values) == library:
        frame = values.copy() if library == "pandas" else values.clone()
        frame.columns = names
        return frame
    values = np.asarray(values)
    if values.dtype == object:  # from lists the library infers a type for each column
        return module.DataFrame({name: values[:, j].tolist() for j, name in enumerate(names)})
    if library == "pandas":
        return module.DataFrame(values, columns=names)
    return module.DataFrame(values, schema=names, orient="row")


def with_column(frame: Any, name: str, column: Any, place: int) -> Any:
    """Return the data frame with a column inserted at a position >= 0."""
    if library_of(frame) == "pandas":
        frame = frame.copy()
        frame.insert(place, name, column)
        return frame
    series = importlib.import_module("polars").Series(name, column)
    return frame.clone().insert_column(place, series)


def frame_with_tasks(
    library: str, values: Any, names: list[str], ids: NDArray[Any], place: int, X: Any, column: int
) -> Any:
    """A data frame of features that has the task column of X, and its index, if X is one too.

    Parameters
    ----------
    library : {"pandas", "polars"}
    values : data frame or array of shape (n_samples, n_features)
    names : list of str
        Those of all columns.
    ids : array of shape (n_samples,)
        The tasks as read from X.
    place : int
        The position of the task column in the result.
    X : data frame, array or sparse matrix
    column : int
        The position of the task column in X.
    """
    names = names.copy()
    task = names.pop(place)
    frame, tasks = as_frame(library, values, names), ids
    if is_frame(X) and library_of(X) == library:
        # Take the original column, which may be categorical, and not the ids read from it.
        tasks = X.iloc[:, column].array if library == "pandas" else X[:, column]
        if library == "pandas":
            frame.index = X.index
    return with_column(frame, task, tasks, place)


def shorten(values: list[Any]) -> str:
    """Return a list as text, with at most ten of its values."""
    if len(values) <= 10:
        return str(values)
    return f"[{', '.join(repr(v) for v in values[:10])}, ...] ({len(values)} in all)"
