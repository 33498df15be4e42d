"""Statistics by Polars expressions."""

import inspect
from typing import Any

from numpy.typing import NDArray

from skmtl.design import TaskStatistics, read_ids
from skmtl.io._optional import import_optional
from skmtl.io._roles import Roles, refuse_types
from skmtl.io._sums import build, check_features, check_groups, check_labels, pairs

Array = NDArray[Any]


def statistics_from_polars(
    frame: Any, features: Any, target: Any, task: Any = None, *, sample_weight: Any = None
) -> TaskStatistics:
    """Collect the statistics of the rows of a Polars frame, by expressions.

    The query runs in the streaming engine, so that the rows need not fit into memory.

    Parameters
    ----------
    frame : Polars LazyFrame or DataFrame
        For example ``polars.scan_parquet(path)``.
    features : list of str
        Up to 60 columns of numbers. The columns of X are these and, last, the task column.
    target : str or list of str
        The column of labels; or a list of columns, each of which is a task, with the layout of a
        matrix y. Rows without a label (null) are left out.
    task : str, default=None
        The column of task ids, which is the ``task_column`` of the statistics.
    sample_weight : str, default=None
        The column of weights, >= 0.

    Returns
    -------
    TaskStatistics

    Raises
    ------
    ImportError
        If Polars is not installed.
    ValueError
        If a column is missing or does not hold numbers, a feature, weight or task is null, NaN or
        infinite, there are more than 60 features, or no labels.

    See Also
    --------
    batches_from_parquet : Batches of rows, for any number of features.
    statistics_from_duckdb : The same in a database.

    Notes
    -----
    The query runs twice: once for the means of each task, and once for the sums of products of the
    differences from these, so that large means cost no precision. With a list of targets another
    pass first counts their labels: if rows have all labels or none, one Gram matrix suffices;
    otherwise there is one for each target. From about 20 features on, batches of the same rows take
    less time.

    Examples
    --------
    >>> import numpy as np
    >>> import polars as pl
    >>> from skmtl import TaskRelationRegressor
    >>> from skmtl.io import statistics_from_polars
    >>> k = np.arange(1000)
    >>> columns = {"shop": k % 4, "price": np.sin(k), "size": np.cos(3 * k), "demand": k % 7}
    >>> frame = pl.LazyFrame(columns)
    >>> statistics = statistics_from_polars(frame, ["price", "size"], "demand", "shop")
    >>> statistics
    TaskStatistics(4 tasks, 2 features, 1,000 labels in 1 batch; 4 Gram matrices, 448 bytes)
    >>> TaskRelationRegressor(task_column="shop").fit_statistics(statistics).coef_.shape
    (4, 2)
    """
    pl = import_optional("polars", "statistics_from_polars")
    if not isinstance(frame, (pl.LazyFrame, pl.DataFrame)):
        raise ValueError(
            f"frame must be a Polars LazyFrame or DataFrame, got a {type(frame).__name__}. Convert "
            f"it by polars.from_pandas or polars.from_arrow."
        )
    schema = frame.lazy().collect_schema()
    roles = Roles.read(features, target, task, sample_weight, schema.names())
    check_features(roles, "Read batches of rows instead: batches_from_parquet, or iter_slices.")
    types = {name: schema[name] for name in roles.numbers}
    wrong = {k: v for k, v in types.items() if not (v.is_numeric() or v == pl.Boolean)}
    refuse_types(wrong, "Cast them first: frame.with_columns(...).")
    rows, n_targets = _rows(pl, frame.lazy(), roles), 1
    y = [f"y{k}" for k in range(len(roles.targets))]
    labelled = pl.any_horizontal(pl.col(one).is_not_null() for one in y)
    rows = rows.filter(labelled)
    if roles.in_columns:
        counts = rows.select(
            pl.len().alias("n"), *(pl.col(one).count().alias(f"n_{one}") for one in y)
        )
        if check_labels(roles, _columns(_collect(counts))):
            n_targets = len(y)
        else:
            rows = _unpivoted(pl, rows, y)
    found = _aggregate(pl, rows, roles, n_targets)
    kind = None if task is None else schema[task]
    categories = kind.categories.to_list() if isinstance(kind, pl.Enum) else None
    return build(roles, found, found["g"], n_targets, categories)


def _rows(pl: Any, frame: Any, roles: Roles) -> Any:
    """The groups, weights, features and targets of all rows."""

    def number(name: str) -> Any:
        return pl.col(name).cast(pl.Float64)

    group = pl.lit(0) if roles.task is None else pl.col(roles.task)
    if roles.task is not None and frame.collect_schema()[roles.task] in (pl.Categorical, pl.Enum):
        group = group.cast(pl.String)
    chosen = {"g": group}
    if roles.weight is not None:
        chosen["s"] = number(roles.weight)
        frame = frame.filter(chosen["s"].ne_missing(0.0))
    chosen |= {f"x{i}": number(name) for i, name in enumerate(roles.features)}
    for k, name in enumerate(roles.targets):
        # As in fit, NaN is a missing label only among several targets.
        chosen[f"y{k}"] = number(name).fill_nan(None) if roles.in_columns else number(name)
    return frame.select(**chosen)


def _unpivoted(pl: Any, rows: Any, y: list[str]) -> Any:
    """A row for each label, whose group is the position of its target."""
    kept = [name for name in rows.collect_schema().names() if name not in ("g", *y)]
    # The streaming engine takes no names of former columns for the two new ones.
    long = rows.drop("g").unpivot(y, index=kept, variable_name="of", value_name="label")
    group = pl.col("of").str.slice(1).cast(pl.Int64)
    return long.filter(pl.col("label").is_not_null()).select(*kept, g=group, y0="label")


def _aggregate(pl: Any, rows: Any, roles: Roles, n_targets: int) -> dict[str, Array]:
    """The sums of each group around origins, which are the means up to rounding."""
    z = [f"x{i}" for i in range(len(roles.features))] + [f"y{k}" for k in range(n_targets)]
    weighted = roles.weight is not None

    def times(values: Any) -> Any:
        return pl.col("s") * values if weighted else values

    total = pl.col("s").sum() if weighted else pl.len().cast(pl.Float64)
    checked = z + (["s"] if weighted else [])
    means = [(times(pl.col(a)).sum() / total).alias(f"origin_{a}") for a in z]
    means += [pl.col(a).count().alias(f"n_{a}") for a in checked]
    means += [pl.col(a).sum().alias(f"sum_{a}") for a in checked]
    means += [pl.len().alias("n"), total.alias("s")]
    means += [pl.col("s").min().alias("least")] if weighted else []
    first = _collect(rows.group_by("g").agg(means)).sort("g")
    found = _columns(first)
    check_groups(roles, found, n_targets)
    found["g"] = read_ids(found["g"])
    origins = first.lazy().select("g", *(f"origin_{a}" for a in z))
    centred = rows.join(origins, on="g").select(
        "g",
        *(["s"] if weighted else []),
        *((pl.col(a) - pl.col(f"origin_{a}")).alias(a) for a in z),
    )
    sums = [times(pl.col(a)).sum().alias(a) for a in z]
    for name, (a, b) in pairs(roles, n_targets).items():
        sums.append((times(pl.col(a)) * pl.col(b)).sum().alias(name))
    second = _collect(centred.group_by("g").agg(sums)).sort("g")
    return found | {name: one for name, one in _columns(second).items() if name != "g"}


def _columns(frame: Any) -> dict[str, Array]:
    return {name: frame[name].to_numpy() for name in frame.columns}


def _collect(query: Any) -> Any:
    """Run a query in the streaming engine."""
    if "engine" in inspect.signature(type(query).collect).parameters:
        return query.collect(engine="streaming")
    return query.collect(streaming=True)
