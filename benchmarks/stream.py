"""A fit from more rows than fit into memory: Parquet in batches, and one pass over the data.

``python -m benchmarks.stream [--gigabytes 20] [--tasks 1000] [--features 40] [--json F]``

Simulated rows of the stacked layout, with string task ids, are written to a temporary Parquet file
of at most 300 MB. The stream of the given size (as float64 in memory) reads this file again and
again, because a file of that size might not fit on the disk. Needs pyarrow, and pandas or Polars.
"""

import importlib.util
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._command import Command
from benchmarks._report import say, table, write_json
from skmtl import TaskRelationRegressor
from skmtl.design import TaskStatistics
from skmtl.io import batches_from_parquet

_FILE_BYTES = 300e6
_ROW_GROUP = 65_536
_COLUMNS = {
    "rows": "{rows:,}",
    "GB": "{gigabytes:.3g}",
    "tasks": "{tasks:,}",
    "features": "{features}",
    "seconds to read": "{read_seconds:.3g}",
    "processor": "{processor_seconds:.3g}",
    "MB/s": "{megabytes_per_second:.0f}",
    "seconds to fit": "{fit_seconds:.3g}",
    "gap / objective": "{gap:.1e}",
    "peak memory, MB": "{peak_megabytes:.0f}",
}


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Run the benchmark, print a table, and return its row."""
    command = Command("stream", __doc__)
    command.common("json")
    command.add_argument("--gigabytes", type=float, default=20.0, metavar="G", help="of float64")
    command.add_argument("--tasks", type=int, default=1000, metavar="T")
    command.add_argument("--features", type=int, default=40, metavar="D")
    arguments = command.read(argv)
    if importlib.util.find_spec("pyarrow") is None:
        command.error("Parquet files need pyarrow. Install it: pip install pyarrow")
    if arguments.gigabytes <= 0 or arguments.tasks < 2 or arguments.features < 1:
        command.error("--gigabytes must be positive, --tasks at least 2 and --features at least 1")
    with tempfile.TemporaryDirectory() as folder:
        record = run(Path(folder), arguments.gigabytes, arguments.tasks, arguments.features)
    print(table([record], _COLUMNS, n_left=0))
    write_json(arguments.json, record)
    return record


def run(folder: Path, gigabytes: float, n_tasks: int, n_features: int) -> dict[str, Any]:
    """Write a file, read it as often as necessary, and fit."""
    row_bytes = 8 * (n_features + 1)
    n_rows = max(round(gigabytes * 1e9 / row_bytes), n_tasks)
    path, n_file = folder / "rows.parquet", min(n_rows, int(_FILE_BYTES // row_bytes))
    write(path, n_file, n_tasks, n_features)
    repeats = -(-n_rows // n_file)
    say(f"{path.stat().st_size / 1e6:.0f} MB on disk, read {repeats} times")
    batches = batches_from_parquet(
        [path] * repeats,
        features=[f"x{j}" for j in range(n_features)],
        target="y",
        task="task",
    )
    start, used = time.perf_counter(), time.process_time()
    statistics = TaskStatistics.from_batches(batches, task_column="task")
    read_seconds, processor_seconds = time.perf_counter() - start, time.process_time() - used
    start = time.perf_counter()
    model = TaskRelationRegressor(0.1, task_column="task").fit_statistics(statistics)
    fit_seconds = time.perf_counter() - start
    rows = int(statistics.label_counts_.sum())
    return {
        "rows": rows,
        "gigabytes": rows * row_bytes / 1e9,
        "tasks": n_tasks,
        "features": n_features,
        "read_seconds": read_seconds,
        "processor_seconds": processor_seconds,
        "megabytes_per_second": rows * row_bytes / 1e6 / read_seconds,
        "fit_seconds": fit_seconds,
        "gap": float(model.dual_gap_ / model.objective_),
        "peak_megabytes": peak_megabytes(),
    }


def write(path: Path, n_rows: int, n_tasks: int, n_features: int) -> None:
    """Write rows of tasks whose coefficients are related, one row group at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(0)
    common = rng.normal(size=(3, n_features))
    coef = rng.normal(size=(n_tasks, 3)) @ common
    names = pa.array([f"shop-{t:05d}" for t in range(n_tasks)])
    writer = None
    for first in range(0, n_rows, _ROW_GROUP):
        n = min(_ROW_GROUP, n_rows - first)
        # Every task occurs, even in a small file.
        codes = (first + np.arange(n)) % n_tasks if first == 0 else rng.integers(n_tasks, size=n)
        X = rng.normal(size=(n, n_features))
        y = np.einsum("ij,ij->i", X, coef[codes]) + rng.normal(size=n)
        ids = pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), names)
        columns = {f"x{j}": X[:, j] for j in range(n_features)} | {"task": ids, "y": y}
        group = pa.table(columns)
        if writer is None:
            writer = pq.ParquetWriter(path, group.schema, use_dictionary=["task"])
        writer.write_table(group)
    assert writer is not None
    writer.close()


def peak_megabytes() -> float:
    """The peak resident memory of this process."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak / 1e6 if sys.platform == "darwin" else peak / 1e3)


if __name__ == "__main__":
    main()
