"""The task column: split it from the features, and encode its ids.

Data frames are recognised by their interface (``columns`` and positional column selection), so
that neither pandas nor Polars is imported here.
"""

from collections.abc import Iterable, Iterator, Sequence
from numbers import Integral, Number
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skmtl._warnings import warn as warn_user
from skmtl.design._containers import from_arrow, is_frame, refuse_mask
from skmtl.design._names import refuse_repeated

UNKNOWN = -1

MASKED_FEATURES = (
    "Fill them (X.filled(numpy.nan), then an imputer), or leave their rows out: the mask would be "
    "ignored otherwise."
)


def locate_task_column(X: Any, task_column: str | int) -> int:
    """Return the position (>= 0) of the task column in ``X``.

    Raises
    ------
    ValueError
        If ``X`` has no such column; the message lists its columns.
    """
    n_columns = X.shape[1]
    if n_columns == 0:
        raise ValueError(
            f"Found array with 0 feature(s) (shape={X.shape}) while a minimum of 1 is required."
        )
    if isinstance(task_column, str):
        if not is_frame(X):
            raise ValueError(
                f"task_column={task_column!r} names a column, but X is a {type(X).__name__} "
                f"without column names. Pass a data frame, or the column's position "
                f"(task_column=-1 for the last)."
            )
        names = [str(name) for name in X.columns]
        if task_column not in names:
            raise ValueError(
                f"X has no task column {task_column!r}; its columns are {names}. "
                f"Set task_column to one of them."
            )
        return names.index(task_column)
    if isinstance(task_column, bool) or not isinstance(task_column, Integral):
        raise ValueError(
            f"task_column must be the name (str) or the position (int) of a column of X, got "
            f"{task_column!r}. Use -1 for the last."
        )
    if not -n_columns <= task_column < n_columns:
        raise ValueError(
            f"task_column={task_column} is not a column of X, which has {n_columns} columns. "
            f"Positions go from {-n_columns} to {n_columns - 1}; -1 is the last."
        )
    return int(task_column) % n_columns


def split_task_column(X: Any, task_column: str | int) -> tuple[Any, NDArray[Any]]:
    """Split ``X`` (n, d + 1) into its d features and its n task ids.

    Frames stay frames, sparse matrices stay sparse.

    Parameters
    ----------
    X : data frame, array or sparse matrix of shape (n_samples, n_features + 1)
    task_column : str or int
        Name (data frames) or position of the task column.

    Returns
    -------
    features : same container as X, shape (n_samples, n_features)
    ids : ndarray of shape (n_samples,)
    """
    X = from_arrow(X)
    refuse_mask(X, "X", MASKED_FEATURES)
    if is_frame(X):
        refuse_repeated(X.columns, "X")
    if not (is_frame(X) or sp.issparse(X)):
        X = np.asarray(X)
        if X.ndim != 2:
            raise ValueError(
                f"Expected 2D array, got an array of shape {X.shape} instead. Reshape your data: "
                f"the stacked layout has the features and the task column side by side."
            )
    position = locate_task_column(X, task_column)
    keep = [j for j in range(X.shape[1]) if j != position]
    if is_frame(X):
        if hasattr(X, "iloc"):
            return X.iloc[:, keep], np.asarray(X.iloc[:, position])
        return X[:, keep], X[:, position].to_numpy()
    if sp.issparse(X):
        columns = X.tocsc()
        return columns[:, keep].tocsr(), columns[:, [position]].toarray().ravel()
    if position == X.shape[1] - 1:
        return X[:, :-1], X[:, -1]
    return X[:, keep], X[:, position]


def read_ids(ids: NDArray[Any], *, warn: bool = True) -> NDArray[Any]:
    """Return task ids in a comparable form, as integers or strings where possible.

    Warns on non-integer floats (was the task column scaled or projected?).

    Raises
    ------
    ValueError
        If an id is missing, the ids mix types that cannot be ordered, or they are floats too
        large to hold integers exactly.
    """
    refuse_mask(ids, "The task column", "Give every row a task, or leave those rows out.")
    ids = np.asarray(ids)
    if ids.dtype.kind == "O":
        ids = _from_objects(ids)
    if ids.dtype.kind in "mM":
        if np.isnat(ids).any():
            raise ValueError(_MISSING_ID)
        # Converted to objects, nanoseconds would become integers. Microseconds become dates, which
        # equal the user's.
        return ids.astype(f"{ids.dtype.kind}8[us]")
    if ids.dtype.kind != "f":
        return ids
    largest = np.abs(ids).max(initial=0.0)
    if np.isnan(largest):
        raise ValueError(_MISSING_ID)
    if np.isinf(largest):
        raise ValueError("The task column holds infinite values. Task ids must be finite.")
    exact_up_to = 2.0 ** (np.finfo(ids.dtype).nmant + 1)
    if largest > exact_up_to:
        raise ValueError(
            f"The task column holds floats as large as {largest:.0f}, but {ids.dtype} represents "
            f"integers exactly only up to {exact_up_to:.0f}: different ids may have become equal. "
            f"Pass the ids as integers or strings, or number the tasks from 0."
        )
    whole = ids.astype(np.int64)
    if (whole == ids).all():
        return whole
    if warn:
        warn_user(
            "The task ids are floats with a fractional part, such as "
            f"{ids[whole != ids][0]!s}. Was the task column scaled or projected? Keep it out of "
            "such steps with skmtl.preprocessing.TaskTransformer, or check task_column.",
        )
    return ids


_MISSING_ID = (
    "The task column holds missing values. Give every row a task, or leave those rows out."
)


def _from_objects(ids: NDArray[Any]) -> NDArray[Any]:
    """Convert an object array of ids to numbers or strings, if all are of one kind."""
    values = ids.tolist() if ids.ndim else [ids.item()]
    distinct = _distinct(values)
    # pandas.NA does not compare; recognise it by name, to avoid importing pandas.
    if any(v is None or type(v).__name__ == "NAType" or v != v for v in distinct):
        raise ValueError(_MISSING_ID)
    kinds = {
        "string" if isinstance(value, str) else "number" if isinstance(value, Number) else "other"
        for value in distinct
    }
    if kinds == {"string"}:
        return np.asarray(values, dtype=str)
    if kinds == {"number"}:
        return np.asarray(values)
    if len(kinds) > 1:
        raise ValueError(
            "The task column mixes strings and numbers, so that '1' and 1 would be different "
            "tasks. Convert the ids to one type, e.g. X[task] = X[task].astype(str)."
        )
    return ids


def _distinct(values: list[Any]) -> Iterable[Any]:
    """The distinct values, of which there are few; all of them if they cannot be hashed."""
    try:
        return dict.fromkeys(values)
    except TypeError:
        return values


def encode_tasks(ids: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Return the sorted distinct task ids and each row's position among them."""
    if ids.dtype.kind in "iu" and len(ids):
        low, high = int(ids.min()), int(ids.max())
        if high - low < 4 * len(ids):
            # A small range needs no sorting. Differences of small integer types could overflow.
            wide = ids if ids.dtype.itemsize == 8 else ids.astype(np.int64)
            offsets = (wide - wide.dtype.type(low)).astype(np.intp)
            present = np.bincount(offsets, minlength=1) > 0
            tasks = np.flatnonzero(present).astype(wide.dtype) + wide.dtype.type(low)
            return tasks.astype(ids.dtype), (np.cumsum(present) - 1)[offsets]
    tasks, codes = np.unique(ids, return_inverse=True)
    return tasks, codes.reshape(-1)


def join_ids(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Concatenate the task ids of several parts of the data, integers as integers.

    Raises
    ------
    ValueError
        If no type holds all of them exactly.
    """
    joined = np.concatenate(parts)
    whole = [ids for ids in parts if ids.dtype.kind in "iu" and len(ids)]
    if joined.dtype.kind != "f" or not whole:
        return joined
    # NumPy converts signed and unsigned integers to floats, among which large ids become equal.
    low, high = min(int(ids.min()) for ids in whole), max(int(ids.max()) for ids in whole)
    if all(ids.dtype.kind in "iu" for ids in parts if len(ids)):
        if high < 2**63:
            return np.concatenate([ids.astype(np.int64) for ids in parts])
        if low >= 0:
            return np.concatenate([ids.astype(np.uint64) for ids in parts])
    elif max(-low, high) <= 2**53:
        return joined
    raise ValueError(
        f"The task ids range from {low} to {high} and have the types "
        f"{sorted({str(ids.dtype) for ids in parts})}; as floats, different ids would become "
        f"equal. Convert the task column to one integer type, or to strings."
    )


def rows_by_task(codes: NDArray[np.intp]) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Yield each task's code, in ascending order, and its rows; all rows are sorted once."""
    order = np.argsort(codes, kind="stable")
    present, starts = np.unique(codes[order], return_index=True)
    yield from zip(present.tolist(), np.split(order, starts[1:]), strict=True)


def look_up_tasks(tasks: NDArray[Any], ids: NDArray[Any]) -> NDArray[np.intp]:
    """Return each id's position in ``tasks``, or ``UNKNOWN`` (-1).

    Raises
    ------
    ValueError
        If the ids are of another type than the tasks.
    """
    kinds = [KINDS.get(names.dtype.kind) for names in (tasks, ids)]
    if None not in kinds and kinds[0] != kinds[1]:
        raise ValueError(
            f"The task ids in X are {kinds[1]} such as {ids.tolist()[0]!r}, but those in the "
            f"training data were {kinds[0]} such as {tasks.tolist()[0]!r}, so none is known. "
            f"Convert the task column to the type that it had in fit."
        )
    position = {task: k for k, task in enumerate(tasks.tolist())}
    present, codes = encode_tasks(ids)
    known = np.array([position.get(task, UNKNOWN) for task in present.tolist()], dtype=np.intp)
    return known[codes]


# What the ids of a numpy kind are called; ids of different names cannot be compared.
KINDS = {
    **dict.fromkeys("biuf", "numbers"),
    **dict.fromkeys("UST", "strings"),
    **dict.fromkeys("M", "dates"),
    **dict.fromkeys("m", "durations"),
}


def check_kind(known: Sequence[NDArray[Any]], ids: NDArray[Any]) -> None:
    """Raise if ids are of another type than those known before."""
    before = next((one for one in known if len(one)), None)
    if before is None or not len(ids):
        return
    kinds = [KINDS.get(one.dtype.kind, "objects") for one in (before, ids)]
    if kinds[0] != kinds[1]:
        raise ValueError(
            f"The task ids are {kinds[1]} such as {ids.tolist()[0]!r}, those before were "
            f"{kinds[0]} such as {before.tolist()[0]!r}. Convert the task column to one type."
        )


def task_categories(X: Any, task_column: str | int | None) -> list[Any] | None:
    """The categories of a data frame's task column, if they are ordered; else None."""
    X = from_arrow(X)
    if task_column is None or not is_frame(X) or len(set(X.columns)) < X.shape[1]:
        return None
    position = locate_task_column(X, task_column)
    return ordered_categories(X.iloc[:, position] if hasattr(X, "iloc") else X[:, position])


def ordered_categories(column: Any) -> list[Any] | None:
    """The categories of an ordered pandas column or of a Polars Enum; else None."""
    dtype = getattr(column, "dtype", None)
    is_ordered = getattr(dtype, "ordered", False) or type(dtype).__name__ == "Enum"
    return list(dtype.categories) if is_ordered else None  # type: ignore[union-attr]


def chain_of(categories: list[Any] | None, tasks: NDArray[Any]) -> NDArray[np.intp] | None:
    """The positions of the tasks in the order of their categories, or None."""
    if categories is None:
        return None
    places = {task: k for k, task in enumerate(tasks.tolist())}
    return np.array([places[name] for name in categories if name in places], dtype=np.intp)
