"""Fits on a Dask cluster of this machine, and what scheduling alone costs."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import skmtl
from benchmarks._memory import held_now, peak_since, reset_peak

_FEATURES, _TASKS = 40, 100

Estimate = Callable[[], Any]


def squared() -> Any:
    """An estimator that is fitted from statistics, in one pass."""
    return skmtl.TaskRelationRegressor(0.01, task_column=-1)


def logistic() -> Any:
    """An estimator that is fitted in several passes."""
    return skmtl.BlockSparseClassifier(0.01, task_column=-1)


def by_workers(estimator: Estimate, n_rows: int, n_chunks: int) -> Callable[[int], Any]:
    """A series of fits of the same rows by a number of workers."""
    return lambda n_workers: _on_cluster(estimator(), n_workers, n_rows, n_chunks)


def by_chunks(estimator: Estimate, n_rows: int, n_workers: int) -> Callable[[int], Any]:
    """A series of fits of the same rows in a number of chunks."""
    return lambda n_chunks: _on_cluster(estimator(), n_workers, n_rows, n_chunks)


def _on_cluster(estimator: Any, n_workers: int, n_rows: int, n_chunks: int) -> Any:
    """A fit to rows that the workers hold, each of them a process of one thread."""
    import dask
    from distributed import Client, LocalCluster

    # Its cost is proportional to the time that passes, whatever the fit does.
    dask.config.set({"distributed.worker.profile.enabled": False})
    cluster = LocalCluster(
        n_workers=n_workers,
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        memory_limit=0,
        silence_logs=50,
    )
    client = Client(cluster)
    X, y = _held(client, n_rows, n_chunks)
    client.run(_warm, estimator)
    _warm(estimator)

    def run() -> dict[str, Any]:
        try:
            return _measured(client, estimator, X, y)
        finally:
            client.close()
            cluster.close()

    return run, X.nbytes + y.nbytes


def _held(client: Any, n_rows: int, n_chunks: int) -> tuple[Any, Any]:
    """Rows in equal chunks, in the memory of the workers."""
    import dask.array as da
    from distributed import wait

    size = n_rows // n_chunks
    chunks = ((size,) * n_chunks, (_FEATURES + 2,))
    numbers = da.arange(n_chunks, chunks=1)
    none = np.empty((0, _FEATURES + 2))
    rows = da.map_blocks(_chunk, numbers, size, chunks=chunks, new_axis=1, meta=none)
    X, y = client.persist([rows[:, :-1], rows[:, -1]])
    wait([X, y])
    return X, y


def _chunk(number: Any, n_rows: int) -> Any:
    """Rows with the task in the last column but one, and labels 0 and 1."""
    rng = np.random.default_rng(int(number[0]))
    rows = rng.standard_normal((n_rows, _FEATURES + 2))
    rows[:, -1] = rows[:, :5].sum(axis=1) + rows[:, -1] > 0
    rows[:, -2] = rng.integers(_TASKS, size=n_rows)
    return rows


def _warm(estimator: Any) -> None:
    """Load the kernels, so that their compilation is not counted."""
    rows = _chunk([0], 20 * _TASKS)
    half = len(rows) // 2
    batches = [(rows[part, :-1], rows[part, -1]) for part in (slice(half), slice(half, None))]
    estimator.fit_batches(batches)


@dataclass
class _Nothing:
    """Work that takes no time, of which a graph has as many tasks."""

    def start(self) -> int:
        return 0

    def sums_of(self, number: int, block: Any) -> int:
        return number


def _measured(client: Any, estimator: Any, X: Any, y: Any) -> dict[str, Any]:
    """CPU seconds of all processes and wall-clock seconds of a fit, and scheduling alone."""
    from skmtl.dask import Distributed

    client.run(reset_peak)
    held = client.run(held_now)
    model = Distributed(estimator, client=client)
    found = _timed(client, lambda: model.fit(X, y))
    peaks = client.run(peak_since)
    n_passes = 1 if estimator.loss == "squared" else model.n_iter_
    few, none = _held(client, len(X.chunks[0]), len(X.chunks[0]))
    scheduling = _timed(client, lambda: _schedule(client, few, none, n_passes))
    return found | {
        "peak_bytes": max(max(peaks[worker] - held[worker], 0) for worker in held),
        "passes": n_passes,
        "scheduling_seconds": scheduling["seconds"],
        "scheduling_wall": scheduling["wall"],
    }


def _schedule(client: Any, X: Any, y: Any, n_passes: int) -> None:
    """Passes over as many chunks of one row, of which nothing is computed."""
    import dask

    from skmtl.dask._blocks import read_blocks
    from skmtl.dask._sums import sum_over

    blocks = client.persist(read_blocks(X, y))
    for _ in range(n_passes):
        # Keys of their own, so that Dask does not remember results.
        dask.compute(sum_over(blocks, _Nothing(), time.time()), scheduler=client)


def _timed(client: Any, call: Callable[[], Any]) -> dict[str, float]:
    """CPU seconds of the workers and of this process, which schedules, and wall-clock seconds."""
    before = client.run(time.process_time)
    own, wall = time.process_time(), time.perf_counter()
    call()
    wall = time.perf_counter() - wall
    own = time.process_time() - own
    after = client.run(time.process_time)
    return {"seconds": own + sum(after[worker] - before[worker] for worker in before), "wall": wall}
