"""Statistics from sums that another engine has computed, such as a database."""

from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cholesky, solve_triangular

from skmtl.design._labels import as_floats
from skmtl.design._names import refuse_repeated
from skmtl.design._offset import feature_positions, listed_offsets
from skmtl.design._statistics import TaskStatistics
from skmtl.design._sums import Sums
from skmtl.design._tasks import read_ids

Array = NDArray[Any]

# Rounding error of sums relative to the sums of squares, and of means relative to their size.
_ROUNDING, _OF_MEANS = 1e-8, 4 * np.finfo(np.float64).eps


def statistics_from_sums(
    *,
    counts: Any,
    x_means: Any,
    y_means: Any,
    xx: Any,
    xy: Any,
    yy: Any,
    weight_sums: Any = None,
    x_origins: Any = None,
    y_origins: Any = None,
    tasks: Any = None,
    columns: Any = None,
    categories: Any = None,
    **params: Any,
) -> TaskStatistics:
    r"""Build TaskStatistics from sums that another engine has computed.

    For engines without a reader of their own, such as Spark or BigQuery. Compute the means of each
    task first, and then the sums of products of the differences from them: sums of squares minus
    squared means lose all digits if the means are large.

    Parameters
    ----------
    counts : array-like of shape (n_tasks,)
        Numbers of labels of positive weight, at least 1.
    x_means : array-like of shape (n_tasks, n_features)
        Weighted means of the features, :math:`\bar x`. (n_features,) if xx is a single matrix.
    y_means : array-like of shape (n_tasks,)
        Weighted means of the labels, :math:`\bar y`.
    xx : array-like of shape (n_tasks, n_features, n_features)
        :math:`\sum s (x - \bar x)(x - \bar x)'` for the rows x and weights s of each task. If the
        tasks are columns of y with the same rows and weights, one matrix (n_features, n_features).
    xy : array-like of shape (n_tasks, n_features)
        :math:`\sum s (x - \bar x)(y - \bar y)`.
    yy : array-like of shape (n_tasks,)
        :math:`\sum s (y - \bar y)^2`.
    weight_sums : array-like of shape (n_tasks,), default=None
        Sums of weights. None: ``counts``, as without weights.
    x_origins, y_origins : array-like, default=None
        In the shapes of x_means and y_means: numbers close to the means, which x_means and y_means
        then give as differences from them. Merging statistics of large means needs these digits.
    tasks : array-like of shape (n_tasks,), default=None
        The task ids; or without ``task_column`` the names of the columns of y. None: a 1-D y, with
        n_tasks = 1.
    columns : list of str, default=None
        The names of all columns of X in their order, those that ``task_column`` and
        ``offset_column`` name included. None: the columns have no names.
    categories : list, default=None
        The order of the task ids, if they have one other than the sorted.
    **params
        ``task_column``, ``offset_column`` and ``memory_limit`` as in TaskStatistics.

    Returns
    -------
    TaskStatistics

    Raises
    ------
    ValueError
        If shapes do not match, a number is not finite, a task has no labels or occurs twice, or the
        sums cannot be those of any rows.

    See Also
    --------
    statistics_from_duckdb, statistics_from_polars : Compute the sums, too.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.io import statistics_from_sums
    >>> rng = np.random.default_rng(0)
    >>> sums = {name: [] for name in ("x_means", "y_means", "xx", "xy", "yy")}
    >>> for task in ("a", "b"):
    ...     X, y = rng.normal(5.0, size=(50, 3)), rng.normal(size=50)
    ...     x, z = X - X.mean(axis=0), y - y.mean()
    ...     for name, value in zip(sums, (X.mean(axis=0), y.mean(), x.T @ x, x.T @ z, z @ z)):
    ...         sums[name].append(value)
    >>> statistics_from_sums(counts=[50, 50], tasks=["a", "b"], task_column=-1, **sums)
    TaskStatistics(2 tasks, 3 features, 100 labels in 1 batch; 2 Gram matrices, 320 bytes)
    """
    statistics = TaskStatistics(**params)
    if weight_sums is None:
        weight_sums = counts
    given = {"counts": counts, "weight_sums": weight_sums, "x_means": x_means, "y_means": y_means}
    given |= {"xx": xx, "xy": xy, "yy": yy}
    arrays = {name: as_floats(values, name) for name, values in given.items()}
    for name, values in {"x_origins": x_origins, "y_origins": y_origins}.items():
        means = arrays[name.replace("origins", "means")]
        arrays[name] = np.zeros(means.shape) if values is None else as_floats(values, name)
    names = _read_tasks(tasks, statistics.task_column)
    _check_shapes(arrays, names, statistics.task_column)
    _check_values(arrays, names)
    sums = _as_sums(arrays)
    _check_definite(sums, names)
    _set_columns(statistics, columns, sums.n_features)
    stacked = statistics.task_column is not None
    layout = "stacked" if stacked else "single" if tasks is None else "shared"
    places = np.arange(len(names))
    statistics._check_memory(sums.n_features, places, sums.n_grams == 1)
    statistics._n_batches = 1
    statistics._categories = None if categories is None else list(categories)
    statistics._merge(layout, names, places, sums)
    return statistics


def _read_tasks(tasks: Any, task_column: Any) -> Array:
    if tasks is None:
        if task_column is not None:
            raise ValueError(
                f"With task_column={task_column!r} the task ids are needed: pass tasks."
            )
        return np.arange(1)
    listed = np.asarray(tasks).tolist() if hasattr(tasks, "dtype") else list(tasks)
    if len(set(listed)) < len(listed):
        twice = [task for task in dict.fromkeys(listed) if listed.count(task) > 1]
        raise ValueError(f"tasks must name each task once, got {twice[:10]} more than once.")
    return read_ids(np.asarray(tasks)) if task_column is not None else np.asarray(tasks)


def _check_shapes(arrays: dict[str, Array], names: Array, task_column: Any) -> None:
    n, xy = len(names), arrays["xy"]
    d = xy.shape[1] if xy.ndim == 2 else 0
    if d == 0:
        raise ValueError(f"xy must have shape (n_tasks, n_features), got {xy.shape}.")
    one = arrays["xx"].ndim == 2
    if one and task_column is not None:
        raise ValueError(
            f"xx must have shape {(n, d, d)}, got {arrays['xx'].shape}: tasks in rows have a "
            f"matrix each. Only tasks that are columns of y may have one in common."
        )
    expected: dict[str, tuple[int, ...]]
    expected = dict.fromkeys(("counts", "weight_sums", "y_means", "y_origins", "yy"), (n,))
    expected |= dict.fromkeys(("x_means", "x_origins"), (d,) if one else (n, d))
    expected["xx"] = (d, d) if one else (n, d, d)
    for name, shape in {**expected, "xy": (n, d)}.items():
        if arrays[name].shape != shape:
            raise ValueError(
                f"{name} must have shape {shape} for {n} tasks and {d} features, got "
                f"{arrays[name].shape}."
            )
    if one and not all(
        (arrays[name] == arrays[name][0]).all() for name in ("counts", "weight_sums")
    ):
        raise ValueError(
            "Tasks with one matrix xx in common have the same rows and weights, but counts or "
            "weight_sums differ. Pass a matrix for each task."
        )


def _check_values(arrays: dict[str, Array], names: Array) -> None:
    for name, values in arrays.items():
        if not np.isfinite(values).all():
            raise ValueError(
                f"{name} contains NaN or infinity. Leave out rows without labels first."
            )
    for name in ("counts", "weight_sums"):
        if (arrays[name] <= 0).any():
            raise ValueError(
                f"{name} must be positive, but is not in the tasks "
                f"{names[arrays[name] <= 0].tolist()[:10]}. Leave tasks without labels out."
            )
    if (arrays["counts"] != np.round(arrays["counts"])).any():
        raise ValueError(
            "counts must be whole numbers of labels. Pass sums of weights as weight_sums."
        )
    xx = arrays["xx"]
    sizes = np.abs(np.diagonal(xx, axis1=-2, axis2=-1))
    bounds = np.sqrt(sizes[..., :, None] * sizes[..., None, :])
    if (np.abs(xx - xx.swapaxes(-1, -2)) > _ROUNDING * bounds + np.finfo(float).tiny).any():
        raise ValueError("xx must be symmetric. Fill in both triangles of each matrix.")


def _as_sums(arrays: dict[str, Array]) -> Sums:
    d = arrays["xy"].shape[1]
    rows, columns = np.triu_indices(d)
    return Sums(
        counts=arrays["counts"].copy(),
        totals=arrays["weight_sums"].copy(),
        x_origins=arrays["x_origins"].reshape(-1, d).copy(),
        y_origins=arrays["y_origins"].copy(),
        x_shifts=arrays["x_means"].reshape(-1, d).copy(),
        y_shifts=arrays["y_means"].copy(),
        xx=arrays["xx"].reshape(-1, d, d)[:, rows, columns],
        xy=arrays["xy"].copy(),
        yy=arrays["yy"].copy(),
    )


def _check_definite(sums: Sums, names: Array) -> None:
    """Raise unless the sums are those of some rows, up to rounding error; clip yy at zero."""
    slack = sums.totals * (_OF_MEANS * sums.y_means) ** 2
    if (sums.yy < -slack).any():
        _refuse(names[sums.yy < -slack], "yy is negative")
    np.maximum(sums.yy, 0.0, out=sums.yy)
    for place in range(sums.n_grams):
        tasks = slice(place, place + 1) if sums.n_grams == sums.n_tasks else slice(None)
        (gram,) = sums.grams(slice(place, place + 1))
        lost = sums.totals[place] * (_OF_MEANS * sums.x_means[place]) ** 2
        squares = np.diagonal(gram) + lost
        scales = np.sqrt(np.where(squares > 0, squares, 1.0))
        gram /= scales[:, None] * scales
        gram[np.diag_indices_from(gram)] += _ROUNDING * len(gram)
        try:
            factor = cholesky(gram, lower=True)
        except LinAlgError:
            _refuse(names[tasks], "xx has a negative eigenvalue")
        explained = solve_triangular(factor, (sums.xy[tasks] / scales).T, lower=True)
        most = sums.yy[tasks] + slack[tasks]
        wrong = (explained**2).sum(axis=0) > most * (1 + 100 * _ROUNDING)
        if wrong.any():
            _refuse(names[tasks][wrong], "xy is larger than xx and yy allow")


def _refuse(tasks: Array, reason: str) -> NoReturn:
    raise ValueError(
        f"The sums of the tasks {tasks.tolist()[:10]} cannot be those of any rows: {reason}. "
        f"Compute the means first, and then the sums of products of differences from them."
    )


def _set_columns(statistics: TaskStatistics, columns: Any, n_features: int) -> None:
    """Set the number of the columns of X, and their names."""
    aside = listed_offsets(statistics)
    if statistics.task_column is not None:
        aside.append(statistics.task_column)
    n_columns = n_features + len(aside)
    statistics.n_features_in_ = n_columns
    if columns is not None:
        listed = list(columns)
        refuse_repeated(listed, "X")
        if len(listed) != n_columns or not all(isinstance(name, str) for name in listed):
            raise ValueError(
                f"columns must be the names (str) of the {n_columns} columns of X, which are "
                f"{n_features} features and {aside}; got {listed[:20]}."
            )
        statistics.feature_names_in_ = np.array(listed, dtype=object)
    if len(feature_positions(statistics, n_columns)) != n_features:
        raise ValueError(f"task_column and offset_column must be different columns, got {aside}.")
