"""What benchmarks.scaling measures: data of a size, and the call whose cost is counted."""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import skmtl
from benchmarks._scaling_dask import by_chunks, by_workers, logistic, squared
from skmtl.design import TaskStatistics

Array = NDArray[Any]
Call = Callable[[], Any]

_ROWS_PER_TASK, _FEATURES = 20, 20


@dataclass(frozen=True)
class Series:
    """A cost that is measured as one size grows.

    Attributes
    ----------
    label : str
    axis : str
        What grows.
    sizes : tuple of int
    quick : tuple of int
        The sizes of a quick run.
    build : callable
        Makes the data of a size, and returns the call to measure and the bytes of its input. A
        call that runs in several processes returns what it has measured itself.
    """

    label: str
    axis: str
    sizes: tuple[int, ...]
    quick: tuple[int, ...]
    build: Callable[[int], tuple[Call, int]]


def stacked(n_tasks: int) -> tuple[Array, Array]:
    """Tasks of 20 rows and 20 features around common coefficients, the task in the last column."""
    rng = np.random.default_rng(0)
    n = n_tasks * _ROWS_PER_TASK
    X = np.empty((n, _FEATURES + 1))
    X[:, :-1] = rng.standard_normal((n, _FEATURES))
    X[:, -1] = np.repeat(np.arange(n_tasks), _ROWS_PER_TASK)
    own = 1 + 0.3 * rng.standard_normal((n_tasks, _FEATURES))
    y = np.einsum("tij,tj->ti", X[:, :-1].reshape(n_tasks, _ROWS_PER_TASK, -1), own).ravel()
    return X, y + rng.standard_normal(n)


def _family(name: str, by_root: float = 0.0, **params: Any) -> Callable[[int], tuple[Call, int]]:
    """A fit of a family to stacked tasks.

    ``by_root``: alpha divided by the root of the number of tasks, in proportion to which a norm of
    rows of W needs to grow.
    """

    def build(n_tasks: int) -> tuple[Call, int]:
        X, y = stacked(n_tasks)
        own = params | ({"alpha": by_root * n_tasks**0.5} if by_root else {})
        model = getattr(skmtl, name)(task_column=-1, **own)
        _warm(lambda: getattr(skmtl, name)(task_column=-1, **own).fit(*stacked(30)))
        return lambda: model.fit(X, y), X.nbytes + y.nbytes

    return build


def _predict(n_tasks: int) -> tuple[Call, int]:
    X, y = stacked(n_tasks)
    model = skmtl.PooledTaskRegressor(task_column=-1).fit(X, y)
    return lambda: model.predict(X), X.nbytes


def _gather(n_tasks: int) -> tuple[Call, int]:
    """NumPy's own way to predict, for comparison."""
    X, _ = stacked(n_tasks)
    coef, codes = np.ones((n_tasks, _FEATURES)), X[:, -1].astype(np.intp)
    features = np.ascontiguousarray(X[:, :-1])
    return lambda: (features * coef[codes]).sum(axis=1), X.nbytes


def _copy(n_tasks: int) -> tuple[Call, int]:
    """NumPy's copy of the features, which every fit makes: new memory, written once."""
    X, _ = stacked(n_tasks)
    return lambda: np.ascontiguousarray(X[:, :-1]), X.nbytes


def _passes(n_tasks: int, n_passes: int = 60) -> tuple[Call, int]:
    """NumPy's passes over as many numbers as there are in the Gram matrices of all tasks.

    What sweeps of coordinate descent read and write, in the same order, without their arithmetic.
    """
    grams = np.ones((_FEATURES, n_tasks, _FEATURES))
    slopes = np.zeros((n_tasks, _FEATURES))

    def run() -> None:
        for _ in range(n_passes):
            for gram in grams:
                np.add(slopes, gram, out=slopes)

    return run, grams.nbytes


def blocks(n_rows: int, n_features: int, n_tasks: int, block: int) -> Iterator[tuple[Array, Array]]:
    """Rows made block by block: the same numbers with other means, which costs little."""
    rng = np.random.default_rng(0)
    X = np.empty((block, n_features + 1))
    X[:, :-1] = rng.standard_normal((block, n_features))
    X[:, -1] = rng.integers(n_tasks, size=block)
    y = X[:, :-1].sum(axis=1) + rng.standard_normal(block)
    for start in range(0, n_rows, block):
        X[:, 0] += 0.01
        n = min(block, n_rows - start)
        yield X[:n], y[:n]


def _stream(n_features: int = 40, n_tasks: int = 100, block: int = 50_000) -> Any:
    """Statistics of rows that are never in memory together, and a fit."""

    def build(n_rows: int) -> tuple[Call, int]:
        model = skmtl.TaskRelationRegressor(0.01, task_column=-1)
        _warm(lambda: skmtl.TaskRelationRegressor(0.01, task_column=-1).fit(*stacked(30)))

        def run() -> None:
            rows = blocks(n_rows, n_features, n_tasks, block)
            model.fit_statistics(TaskStatistics.from_batches(rows, task_column=-1))

        return run, 0

    return build


def _features(n_features: int) -> tuple[Call, int]:
    """The statistics of 200,000 rows of 20 tasks."""
    statistics = TaskStatistics(task_column=-1)
    rows = list(blocks(50_000, n_features, 20, 50_000))
    _warm(lambda: TaskStatistics(task_column=-1).update(rows[0][0][:500], rows[0][1][:500]))

    def run() -> None:
        for _ in range(4):
            statistics.update(*rows[0])

    return run, 0


def _chunks(n_chunks: int) -> tuple[Call, int]:
    """A million rows of 40 features and 100 tasks in a number of batches."""
    return _stream(block=1_000_000 // n_chunks)(1_000_000)


def _labels(kind: str) -> Callable[[int], tuple[Call, int]]:
    """Ten tasks that share their rows, of 100 features, with labels missing or weighted."""

    def build(n_rows: int) -> tuple[Call, int]:
        rng = np.random.default_rng(0)
        X = rng.standard_normal((n_rows, 100))
        Y = X[:, :10] + rng.standard_normal((n_rows, 10))
        weights = None
        if kind == "missing":
            Y[rng.random(Y.shape) < 0.3] = np.nan
        if kind == "weighted":
            weights = np.repeat(rng.uniform(0.5, 2, 10)[None], n_rows, axis=0)
        _warm(lambda: skmtl.BlockSparseRegressor(0.1).fit(X[:500], Y[:500]))
        model = skmtl.BlockSparseRegressor(0.1)
        return lambda: model.fit(X, Y, weights), X.nbytes + Y.nbytes

    return build


def _warm(call: Call) -> None:
    """Load the kernels, so that their compilation is not counted."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        call()


_TASKS, _FEW_TASKS = (1_000, 10_000, 100_000), (100, 300)
_ROWS, _FEW_ROWS = (100_000, 1_000_000, 10_000_000), (20_000, 50_000)

SERIES: dict[str, Series] = {
    "stream": Series("statistics and fit, 100 tasks x 40", "rows", _ROWS, _FEW_ROWS, _stream()),
    "features": Series(
        "statistics, 200,000 rows, 20 tasks", "features", (50, 100, 200, 400), (10, 20), _features
    ),
    "chunks": Series("10^6 rows in batches", "batches", (10, 100, 1000), (20, 40), _chunks),
    "dask-workers": Series(
        "Distributed, 10^6 rows in 40 chunks",
        "workers",
        (1, 2),
        (1,),
        by_workers(squared, 1_000_000, 40),
    ),
    "dask-passes": Series(
        "Distributed, logistic, 200,000 rows in 40 chunks",
        "workers",
        (1, 2),
        (1,),
        by_workers(logistic, 200_000, 40),
    ),
    "dask-chunks": Series(
        "Distributed, 10^6 rows, 2 workers",
        "chunks",
        (10, 100, 1000),
        (4,),
        by_chunks(squared, 1_000_000, 2),
    ),
    "predict": Series("predict", "tasks", (*_TASKS, 1_000_000), _FEW_TASKS, _predict),
    "gather": Series("(X * coef[code]).sum(1)", "tasks", (*_TASKS, 1_000_000), _FEW_TASKS, _gather),
    "copy": Series("NumPy: a copy of X", "tasks", _TASKS, _FEW_TASKS, _copy),
    "passes": Series("NumPy: 60 passes over Gram matrices", "tasks", _TASKS, _FEW_TASKS, _passes),
    "pooled": Series(
        "PooledTask", "tasks", _TASKS, _FEW_TASKS, _family("PooledTaskRegressor", alpha=1.0)
    ),
    "independent": Series(
        "IndependentTask",
        "tasks",
        _TASKS,
        _FEW_TASKS,
        _family("IndependentTaskRegressor", alpha=1.0),
    ),
    "independent-cv": Series(
        'IndependentTask(alpha="cv")',
        "tasks",
        _TASKS,
        _FEW_TASKS,
        _family("IndependentTaskRegressor", alpha="cv"),
    ),
    "block": Series(
        "BlockSparse", "tasks", _TASKS, _FEW_TASKS, _family("BlockSparseRegressor", by_root=0.01)
    ),
    "clustered": Series(
        "ClusteredTask", "tasks", _TASKS, _FEW_TASKS, _family("ClusteredTaskRegressor", alpha=0.1)
    ),
    "relation": Series(
        "TaskRelation", "tasks", _TASKS, _FEW_TASKS, _family("TaskRelationRegressor", alpha=0.1)
    ),
    "graph-complete": Series(
        "GraphRegularized, complete",
        "tasks",
        _TASKS,
        _FEW_TASKS,
        _family("GraphRegularizedRegressor", alpha=0.1),
    ),
    "graph-chain": Series(
        "GraphRegularized, chain",
        "tasks",
        _TASKS,
        _FEW_TASKS,
        _family("GraphRegularizedRegressor", alpha=0.1, graph="chain"),
    ),
    "complete": Series(
        "BlockSparse, 10 tasks x 100, complete",
        "rows",
        (100_000, 1_000_000),
        (2_000, 4_000),
        _labels("complete"),
    ),
    "missing": Series(
        "BlockSparse, 30% of labels missing",
        "rows",
        (100_000, 1_000_000),
        (2_000, 4_000),
        _labels("missing"),
    ),
    "weighted": Series(
        "BlockSparse, weights by task",
        "rows",
        (100_000, 1_000_000),
        (2_000, 4_000),
        _labels("weighted"),
    ),
}
