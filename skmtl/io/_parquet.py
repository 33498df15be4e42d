"""Batches of rows from Parquet files."""

import glob
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.io._optional import import_optional
from skmtl.io._roles import (
    Roles,
    refuse_infinite,
    refuse_missing,
    refuse_negative,
    refuse_types,
)

Array = NDArray[Any]


class _Batches:
    """Batches (X, y) or (X, y, sample_weight) of a data set, read anew by each loop.

    Parameters
    ----------
    dataset : pyarrow.dataset.Dataset
    roles : Roles
    filters : pyarrow.compute.Expression or None
    batch_size : int
    """

    def __init__(self, dataset: Any, roles: Roles, filters: Any, batch_size: int) -> None:
        self._dataset, self._roles = dataset, roles
        self._filters, self._batch_size = filters, batch_size

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        for table in self._tables():
            yield _batch(table, self._roles)

    def _tables(self) -> Iterator[Any]:
        """Tables of ``batch_size`` rows, whatever the sizes of the row groups."""
        pa = import_optional("pyarrow", "batches_from_parquet")
        held: list[Any] = []
        n_held = 0
        scan = self._dataset.to_batches(
            columns=self._roles.columns,
            filter=self._filters,
            batch_size=self._batch_size,
            # With threads the scanner would read gigabytes ahead of a slow consumer.
            use_threads=False,
            batch_readahead=1,
            fragment_readahead=1,
        )
        for batch in scan:
            while n_held + batch.num_rows >= self._batch_size:
                room = self._batch_size - n_held
                yield pa.Table.from_batches([*held, batch.slice(0, room)])
                batch, held, n_held = batch.slice(room), [], 0
            if batch.num_rows:
                held.append(batch)
                n_held += batch.num_rows
        if held:
            yield pa.Table.from_batches(held)


def batches_from_parquet(
    source: Any,
    *,
    features: Any,
    target: Any,
    task: Any = None,
    sample_weight: Any = None,
    filters: Any = None,
    batch_size: int = 65_536,
) -> _Batches:
    """Read Parquet files in batches, for ``TaskStatistics.from_batches``.

    Only one batch at a time is in memory, and a few that are read ahead.

    Parameters
    ----------
    source : str, path, list of paths, or pyarrow.dataset.Dataset
        A file, a folder (also one partitioned as ``task=a/``), or a pattern such as
        ``"sales/*.parquet"``. Other formats and file systems by a Dataset.
    features : list of str
        Columns of numbers. The columns of X are these and, last, the task column.
    target : str or list of str
        The column of labels; or a list of columns, each of which is a task, with the layout of a
        matrix y. Rows without a label (null) are left out.
    task : str, default=None
        The column of task ids, the ``task_column`` of the estimator or statistics.
    sample_weight : str, default=None
        The column of weights, >= 0.
    filters : pyarrow.compute.Expression or list, default=None
        As in ``pyarrow.parquet.read_table``: rows to read, such as ``[("year", ">=", 2024)]``.
        Files and row groups without such rows are not read.
    batch_size : int, default=65536
        The number of rows of a batch.

    Returns
    -------
    iterable of (X, y) or (X, y, sample_weight)
        Each loop over it reads the files anew, so that one object serves several passes. X is an
        Arrow table, which the estimators read if pandas or Polars is installed; y is an array, or
        with a list of targets an Arrow table.

    Raises
    ------
    ImportError
        If pyarrow is not installed.
    ValueError
        If a column is missing or does not hold numbers; in a loop, if a feature, weight or task is
        null, NaN or infinite.

    See Also
    --------
    statistics_from_duckdb, statistics_from_polars : Aggregations by query engines.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> import pyarrow as pa
    >>> import pyarrow.parquet
    >>> from skmtl.design import TaskStatistics
    >>> from skmtl.io import batches_from_parquet
    >>> k = np.arange(1000)
    >>> columns = {"shop": k % 4, "price": np.sin(k), "size": np.cos(3 * k), "demand": k % 7}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "rows.parquet")
    ...     pa.parquet.write_table(pa.table(columns), path)
    ...     batches = batches_from_parquet(
    ...         path, features=["price", "size"], target="demand", task="shop", batch_size=256
    ...     )
    ...     TaskStatistics.from_batches(batches, task_column="shop")
    TaskStatistics(4 tasks, 2 features, 1,000 labels in 4 batches; 4 Gram matrices, 448 bytes)
    """
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(f"batch_size must be an int >= 1, got {batch_size!r}.")
    dataset = _dataset(source)
    roles = Roles.read(features, target, task, sample_weight, dataset.schema.names)
    pa = import_optional("pyarrow", "batches_from_parquet")
    types = {name: dataset.schema.field(name).type for name in roles.numbers}
    wrong = {name: kind for name, kind in types.items() if not _is_number(pa.types, kind)}
    refuse_types(wrong, "Convert them when the files are written.")
    return _Batches(dataset, roles, _filter(filters, roles), batch_size)


def _dataset(source: Any) -> Any:
    ds = import_optional("pyarrow.dataset", "batches_from_parquet")
    if isinstance(source, ds.Dataset):
        return source
    if isinstance(source, (str, os.PathLike)):
        path = os.fspath(source)
        source = (
            sorted(glob.glob(path)) if glob.has_magic(path) and not os.path.exists(path) else path
        )
        if source == []:
            raise FileNotFoundError(f"No file matches {path!r}.")
    else:
        source = [os.fspath(path) for path in source]
    # Buffers of whole row groups would only help with remote files.
    options = ds.ParquetFragmentScanOptions(pre_buffer=False)
    parquet = ds.ParquetFileFormat(default_fragment_scan_options=options)
    return ds.dataset(source, format=parquet, partitioning="hive")


def _is_number(types: Any, kind: Any) -> bool:
    tests = (types.is_integer, types.is_floating, types.is_boolean, types.is_decimal)
    return any(test(kind) for test in tests)


def _filter(filters: Any, roles: Roles) -> Any:
    """The rows that the caller asks for and that have a label."""
    ds = import_optional("pyarrow.dataset", "batches_from_parquet")
    if filters is not None and not isinstance(filters, ds.Expression):
        parquet = import_optional("pyarrow.parquet", "batches_from_parquet")
        filters = parquet.filters_to_expression(filters)
    if roles.in_columns:
        return filters
    labelled = ds.field(roles.targets[0]).is_valid()
    return labelled if filters is None else filters & labelled


def _batch(table: Any, roles: Roles) -> tuple[Any, ...]:
    """The arguments of fit with the rows of a table."""
    pa = import_optional("pyarrow", "batches_from_parquet")
    columns = {name: table.column(name) for name in roles.columns}
    for name in roles.numbers:
        columns[name] = columns[name].cast(pa.float64())
    known = roles.features + ([] if roles.weight is None else [roles.weight])
    refuse_missing([name for name in known if columns[name].null_count])
    arrays = {name: columns[name].to_numpy() for name in known}
    refuse_infinite([name for name, values in arrays.items() if not np.isfinite(values).all()])
    if roles.task is not None:
        columns[roles.task] = _ids(pa, columns[roles.task])
    X = pa.table({name: columns[name] for name in roles.inputs})
    if roles.in_columns:
        y: Any = pa.table({name: columns[name] for name in roles.targets})
    else:
        y = columns[roles.targets[0]].to_numpy()
    if roles.weight is None:
        return X, y
    if (arrays[roles.weight] < 0).any():
        refuse_negative(roles.weight)
    return X, y, arrays[roles.weight]


def _ids(pa: Any, column: Any) -> Any:
    """Task ids whose conversion is cheap: strings as dictionaries, and dates as time stamps."""
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return column.dictionary_encode()
    return column.cast(pa.timestamp("us")) if pa.types.is_date(kind) else column
