"""Statistics by an aggregation in DuckDB."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.design import TaskStatistics, read_ids
from skmtl.io._optional import import_optional
from skmtl.io._roles import Roles, refuse_types
from skmtl.io._sums import build, check_features, check_groups, check_labels, pairs

Array = NDArray[Any]

_VIEW = "_skmtl_rows"
_NUMBERS = (
    *("boolean", "tinyint", "smallint", "integer", "bigint", "hugeint", "float", "double"),
    *("utinyint", "usmallint", "uinteger", "ubigint", "uhugeint", "decimal"),
)


def statistics_from_duckdb(
    source: Any,
    features: Any,
    target: Any,
    task: Any = None,
    *,
    sample_weight: Any = None,
    connection: Any = None,
) -> TaskStatistics:
    """Collect the statistics of the rows of a DuckDB query, by an aggregation in the database.

    Only the sums leave the database. Its memory limit and threads apply.

    Parameters
    ----------
    source : DuckDBPyRelation or str
        A relation, or a query such as ``"FROM sales"`` or ``"SELECT * FROM 'sales/*.parquet'"``.
        Rows that are drawn at random must be stored in a table first, since the query runs twice.
    features : list of str
        Up to 60 columns of numbers. The columns of X are these and, last, the task column.
    target : str or list of str
        The column of labels; or a list of columns, each of which is a task, with the layout of a
        matrix y. Rows without a label (NULL) are left out.
    task : str, default=None
        The column of task ids, which is the ``task_column`` of the statistics.
    sample_weight : str, default=None
        The column of weights, >= 0.
    connection : DuckDBPyConnection, default=None
        For a query in SQL. None: DuckDB's default connection.

    Returns
    -------
    TaskStatistics

    Raises
    ------
    ImportError
        If duckdb is not installed.
    ValueError
        If a column is missing or does not hold numbers, a feature, weight or task is NULL, NaN or
        infinite, there are more than 60 features, or no labels.

    See Also
    --------
    batches_from_parquet : Batches of rows, for any number of features.
    statistics_from_polars : The same by Polars.

    Notes
    -----
    One statement reads the rows twice: it computes the means of each task, and then the sums of
    products of the differences from these, so that large means cost no precision. With a list of
    targets another statement first counts their labels: if rows have all labels or none, one Gram
    matrix suffices; otherwise there is one for each target. The time is proportional to the number
    of rows and the square of the number of features; from about 20 features on, batches of the
    same rows take less.

    Examples
    --------
    >>> import duckdb
    >>> from skmtl import TaskRelationRegressor
    >>> from skmtl.io import statistics_from_duckdb
    >>> rows = duckdb.sql(
    ...     "SELECT k % 4 AS shop, sin(k) AS price, cos(3 * k) AS size, k % 7 AS demand "
    ...     "FROM range(1000) AS numbers(k)"
    ... )
    >>> statistics = statistics_from_duckdb(rows, ["price", "size"], "demand", "shop")
    >>> statistics
    TaskStatistics(4 tasks, 2 features, 1,000 labels in 1 batch; 4 Gram matrices, 448 bytes)
    >>> TaskRelationRegressor(task_column="shop").fit_statistics(statistics).coef_.shape
    (4, 2)
    """
    relation = _relation(source, connection)
    roles = Roles.read(features, target, task, sample_weight, relation.columns)
    check_features(
        roles, "Read batches of rows instead: batches_from_parquet, or the relation's Arrow reader."
    )
    types = dict(zip(relation.columns, relation.types, strict=True))
    wrong = {name: types[name] for name in roles.numbers if types[name].id not in _NUMBERS}
    refuse_types(wrong, "Cast them in the query.")
    rows, n_targets = _rows(roles, types), 1
    if roles.in_columns:
        if check_labels(roles, _run(relation, _count_labels(roles, rows))):
            n_targets = len(roles.targets)
        else:
            rows = _unpivoted(roles, rows)
    found = _run(relation, _aggregation(roles, rows, n_targets))
    check_groups(roles, found, n_targets)
    categories = None if task is None else _categories(types[task])
    return build(roles, found, read_ids(found["g"]), n_targets, categories)


def _relation(source: Any, connection: Any) -> Any:
    duckdb = import_optional("duckdb", "statistics_from_duckdb")
    if isinstance(source, str):
        relation = (duckdb if connection is None else connection).sql(source)
        if relation is None:
            raise ValueError(f"The statement {source!r:.200} returns no rows. Pass a query.")
        return relation
    if not hasattr(source, "query") or not hasattr(source, "types"):
        raise ValueError(
            f"source must be a relation of DuckDB or a query in SQL, got a "
            f"{type(source).__name__}. For a data frame df pass duckdb.sql('FROM df')."
        )
    return source


def _categories(kind: Any) -> list[Any] | None:
    """The order of the values of an ENUM; None for other types."""
    return dict(kind.children)["values"] if kind.id == "enum" else None


def _run(relation: Any, statement: str) -> dict[str, Array]:
    """The columns of the result. NULL becomes None among the groups, and NaN elsewhere."""
    found = relation.query(_VIEW, statement).fetchnumpy()
    groups = {"g": _filled(found.pop("g"), None)} if "g" in found else {}
    return groups | {
        name: _filled(values, np.nan).astype(np.float64) for name, values in found.items()
    }


def _filled(values: Array, missing: Any) -> Array:
    mask = np.ma.getmaskarray(values)
    values = np.ma.getdata(values)
    return np.where(mask, np.array(missing, dtype=object), values) if mask.any() else values


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _number(name: str) -> str:
    return f"CAST({_quoted(name)} AS DOUBLE)"


def _rows(roles: Roles, types: dict[str, Any]) -> str:
    """A query for the groups, weights, features and targets of all rows."""
    group = "0" if roles.task is None else _quoted(roles.task)
    if roles.task is not None and types[roles.task].id in ("enum", "uuid"):
        group = f"CAST({group} AS VARCHAR)"
    chosen = [f"{group} AS g"]
    if roles.weight is not None:
        chosen.append(f"{_number(roles.weight)} AS s")
    chosen += [f"{_number(name)} AS x{i}" for i, name in enumerate(roles.features)]
    for k, name in enumerate(roles.targets):
        # As in fit, NaN is a missing label only among several targets.
        label = _number(name)
        if roles.in_columns:
            label = f"CASE WHEN isnan({label}) THEN NULL ELSE {label} END"
        chosen.append(f"{label} AS y{k}")
    where = "" if roles.weight is None else f" WHERE {_number(roles.weight)} IS DISTINCT FROM 0"
    return f"SELECT {', '.join(chosen)} FROM {_VIEW}{where}"


def _count_labels(roles: Roles, rows: str) -> str:
    y = [f"y{k}" for k in range(len(roles.targets))]
    counts = ", ".join(["count(*) AS n", *(f"count({one}) AS n_{one}" for one in y)])
    return f"SELECT {counts} FROM ({rows}) WHERE coalesce({', '.join(y)}) IS NOT NULL"


def _unpivoted(roles: Roles, rows: str) -> str:
    """A row for each label, whose group is the position of its target."""
    kept = [f"x{i}" for i in range(len(roles.features))] + (["s"] if roles.weight else [])
    y = [f"y{k}" for k in range(len(roles.targets))]
    unnested = f"unnest(range({len(y)})) AS g, unnest([{', '.join(y)}]) AS y0"
    return f"SELECT {', '.join(kept)}, {unnested} FROM ({rows})"


def _aggregation(roles: Roles, rows: str, n_targets: int) -> str:
    """The statement that computes all sums of each group."""
    x = [f"x{i}" for i in range(len(roles.features))]
    z = x + [f"y{k}" for k in range(n_targets)]
    weighted = roles.weight is not None
    times = "s * " if weighted else ""
    total = "sum(s)" if weighted else "count(*)"
    origins = [f"sum({times}{a}) / {total} AS origin_{a}" for a in z]
    centred = [f"{a} - origin_{a} AS {a}" for a in z] + (["s"] if weighted else [])
    sums = [f"count({a}) AS n_{a}, sum({times}{a}) AS {a}" for a in z]
    sums += [f"sum({times}{a} * {b}) AS {name}" for name, (a, b) in pairs(roles, n_targets).items()]
    sums += ["count(s) AS n_s, min(s) AS least"] if weighted else []
    return f"""
        WITH labelled AS NOT MATERIALIZED (
            SELECT * FROM ({rows}) WHERE coalesce({", ".join(z[len(x) :])}) IS NOT NULL
        ), origins AS MATERIALIZED (
            SELECT g, {", ".join(origins)} FROM labelled GROUP BY g
        ), centred AS NOT MATERIALIZED (
            SELECT labelled.g AS g, {", ".join(centred)}
            FROM labelled JOIN origins ON labelled.g IS NOT DISTINCT FROM origins.g
        ), sums AS NOT MATERIALIZED (
            SELECT g, count(*) AS n, {total} AS s, {", ".join(sums)} FROM centred GROUP BY g
        )
        SELECT sums.*, {", ".join(f"origin_{a}, origin_{a} AS sum_{a}" for a in z)}, s AS sum_s
        FROM sums JOIN origins ON sums.g IS NOT DISTINCT FROM origins.g
        ORDER BY sums.g
    """
