"""Match named entries and columns to the tasks or the features."""

from typing import Any

import numpy as np
from sklearn.utils.validation import validate_data

from skmtl.design._containers import is_frame


def check_columns(estimator: Any, X: Any, *, reset: bool) -> None:
    """Compare the number and the names of X's columns with those of the fit.

    With ``reset`` X defines them: ``n_features_in_`` and ``feature_names_in_`` are set.

    Raises
    ------
    ValueError
        If they differ.
    """
    if type(X) is np.ndarray and X.ndim == 2:
        # scikit-learn's way to find that an array has no names takes longer than a small fit.
        known: dict[str, Any] = vars(estimator)
        if reset:
            estimator.n_features_in_ = X.shape[1]
            known.pop("feature_names_in_", None)
            return
        if known.get("n_features_in_") == X.shape[1] and "feature_names_in_" not in known:
            return
    validate_data(estimator, X, reset=reset, skip_check_array=True)


def entries_by_name(given: Any, names: list[Any], what: str) -> dict[Any, Any] | None:
    """The entries of a dict or a pandas Series by name; None if they have no names.

    The default index (0, 1, ...) does not count as names, unless the names are these numbers.

    Raises
    ------
    ValueError
        If a Series has an entry twice.
    """
    if isinstance(given, dict):
        return given
    index = getattr(given, "index", None)
    if index is None or not hasattr(index, "tolist") or is_frame(given):
        return None
    labels = index.tolist()
    if _are_positions(labels) and set(labels) != set(names):
        return None
    repeated = _repeated(labels)
    if repeated:
        raise ValueError(
            f"{what} must name each entry once, got a Series whose index repeats {repeated[:10]}. "
            f"Drop the duplicates, or pass an array in the order {names[:20]}."
        )
    return dict(zip(labels, given.tolist(), strict=True))


def index_of(given: Any) -> list[Any] | None:
    """The index of a pandas Series or data frame; None for the default index."""
    index = getattr(given, "index", None)
    if index is None or not hasattr(index, "tolist"):
        return None
    labels: list[Any] = index.tolist()
    return None if _are_positions(labels) else labels


def in_task_order(given: Any, tasks: list[Any], what: str, each: str = "task") -> Any:
    """Reorder the entries of a dict or a Series by task; return others unchanged.

    With ``each="feature"`` the names are those of features.

    Raises
    ------
    ValueError
        If a task is missing or a name is unknown.
    """
    named = entries_by_name(given, tasks, what)
    if named is None:
        return given
    missing = [name for name in tasks if name not in named]
    extra = [name for name in named if name not in tasks]
    if missing or extra:
        raise ValueError(
            f"{what} must name every {each} once: it {describe_names(missing, extra)}. The {each}s "
            f"are {tasks}."
        )
    return [named[name] for name in tasks]


def align_columns(given: Any, tasks: list[Any], what: str, each: str = "task") -> Any:
    """Reorder the columns of a data frame by task; return others unchanged.

    With ``each="feature"`` the names are those of features.

    If the columns of either side are merely numbered, they are matched by position.

    Raises
    ------
    ValueError
        If a task is missing, or a column is unknown or repeated.
    """
    if not is_frame(given):
        return given
    columns = list(given.columns)
    refuse_repeated(columns, what)
    if columns == tasks:
        return given
    if set(columns) != set(tasks):
        if _are_positions(columns) or _are_positions(tasks):
            return given
        missing = [name for name in tasks if name not in columns]
        extra = [name for name in columns if name not in tasks]
        raise ValueError(
            f"The columns of {what} must be the {each}s {tasks[:20]}, in any order: it "
            f"{describe_names(missing, extra)}. Rename or select its columns, or pass an array in "
            f"the order of the {each}s."
        )
    places = [columns.index(name) for name in tasks]
    return given.iloc[:, places] if hasattr(given, "iloc") else given[:, places]


def describe_names(missing: list[Any], extra: list[Any]) -> str:
    """Describe missing and unknown names, for an error message."""
    wrong = [f"misses {missing[:10]}"] if missing else []
    return " and ".join(wrong + ([f"has unknown {extra[:10]}"] if extra else []))


def refuse_repeated(columns: Any, what: str) -> None:
    """Raise if several columns of ``what`` have the same name."""
    repeated = _repeated(list(columns))
    if repeated:
        raise ValueError(
            f"The columns of {what} must have different names, got {repeated[:10]} more than "
            f"once. Rename or drop the duplicates."
        )


def _repeated(names: list[Any]) -> list[Any]:
    seen: set[Any] = set()
    twice: dict[Any, None] = {}
    for name in names:
        if name in seen:
            twice[name] = None
        seen.add(name)
    return list(twice)


def _are_positions(labels: list[Any]) -> bool:
    """Whether column labels are the defaults of pandas or Polars."""
    n = len(labels)
    return labels == list(range(n)) or labels == [f"column_{k}" for k in range(n)]
