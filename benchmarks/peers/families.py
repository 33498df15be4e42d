"""Every convex estimator on School-sized stacked tasks: seconds of a warm fit, and their growth."""

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

import skmtl
from benchmarks._report import markdown_table
from benchmarks.peers.growth import slope
from benchmarks.peers.runner import Settings
from benchmarks.peers.summary import number
from skmtl.model_selection import path
from skmtl.penalties import L1, TraceNorm

Array = NDArray[Any]
Record = dict[str, Any]

_TOL = 1e-4
_DIVISOR = 10.0
_SCHOOL = {"n_tasks": 139, "rows": 100, "d": 28}
_SIZES: dict[str, tuple[int, ...]] = {
    "rows": (50, 100, 200, 400),
    "d": (14, 28, 56, 112),
    "n_tasks": (35, 70, 139, 278),
}
_LABELS = {"rows": "rows a task", "d": "features", "n_tasks": "tasks"}


def estimators(n_tasks: int) -> dict[str, Any]:
    """The convex estimators in the stacked layout, by name."""
    ring = np.roll(np.eye(n_tasks), 1, axis=0)
    options: dict[str, Any] = {"task_column": -1, "tol": _TOL}
    return {
        "BlockSparse": skmtl.BlockSparseRegressor(**options),
        "BlockSparse, sparsity .5": skmtl.BlockSparseRegressor(sparsity=0.5, **options),
        "BlockSparse, linf": skmtl.BlockSparseRegressor(norm="linf", **options),
        "BlockSparse, shrunk b": skmtl.BlockSparseRegressor(intercept="shrunk", **options),
        "LowRank": skmtl.LowRankRegressor(**options),
        "LowRank, shrunk b": skmtl.LowRankRegressor(intercept="shrunk", **options),
        "TaskRelation": skmtl.TaskRelationRegressor(**options),
        "ClusteredTask": skmtl.ClusteredTaskRegressor(**options),
        "ClusteredTask, relaxed": skmtl.ClusteredTaskRegressor(form="relaxed", **options),
        "GraphRegularized": skmtl.GraphRegularizedRegressor(**options),
        "GraphRegularized, block .1": skmtl.GraphRegularizedRegressor(block=0.1, **options),
        "FusedTask": skmtl.FusedTaskRegressor(**options),
        "FusedTask, ring, sparse .5": skmtl.FusedTaskRegressor(
            graph=np.maximum(ring, ring.T), sparse=0.5, **options
        ),
        "FusedTask, all pairs": skmtl.FusedTaskRegressor(graph="complete", **options),
        "DirtyModel": skmtl.DirtyModelRegressor(**options),
        "RobustTask": skmtl.RobustTaskRegressor(**options),
        "SparseLowRank": skmtl.SparseLowRankRegressor(**options),
        "TreeGuided": skmtl.TreeGuidedRegressor(**options),
        "MultiTask, L1 + trace norm": skmtl.MultiTaskRegressor(
            penalty=L1(0.5) + TraceNorm(0.5), **options
        ),
    }


def make(n_tasks: int, rows: int, d: int) -> tuple[Array, Array]:
    """Stacked tasks near a few directions, as much noise as signal; the task id comes last."""
    rng = np.random.default_rng(0)
    task = np.repeat(np.arange(n_tasks), rows)
    X = rng.normal(size=(len(task), d))
    W = rng.normal(size=(d, 3)) @ rng.normal(size=(3, n_tasks))
    signal = np.einsum("ij,ji->i", X, W[:, task])
    y = signal + rng.normal(size=len(task)) * signal.std()
    return np.column_stack([X, task]), y


def run(settings: Settings, plot: Any = None) -> Record:
    """Time fits, print a table, and return the raw numbers."""
    records = []
    for name in estimators(3):
        seconds, gap, n_iter = _time(name, _SCHOOL, settings)
        record: Record = {"name": name, "seconds": seconds, "gap": gap, "n_iter": n_iter}
        for size, values in _SIZES.items():
            values = values[:2] if settings.quick else values
            grown = [_time(name, {**_SCHOOL, size: v}, settings)[0] for v in values]
            record[size] = {"x": values, "seconds": grown, "slope": slope(values, grown)[0]}
        records.append(record)
        print(f"{name}: {seconds:.4f} s", file=sys.stderr, flush=True)
    sizes = ", ".join(f"{_SCHOOL[name]} {label}" for name, label in _LABELS.items())
    print(f"### Seconds of a warm fit: {sizes}; alpha a tenth of the grid's top, tol {_TOL:g}\n")
    header = ["estimator", "seconds", "gap / null", "iterations"]
    header += [f"slope, {label}" for label in _LABELS.values()]
    rows = [
        [
            one["name"],
            number(one["seconds"]),
            f"{one['gap']:.1e}",
            str(one["n_iter"]),
            *(f"{one[size]['slope']:.2f}" for size in _SIZES),
        ]
        for one in records
    ]
    print(markdown_table(header, rows))
    return {"families": records}


def _time(name: str, sizes: dict[str, int], settings: Settings) -> tuple[float, float, int]:
    """The median processor seconds of a warm fit, its gap in null objectives, its iterations."""
    (X, y), model = make(**sizes), estimators(sizes["n_tasks"])[name]
    top = path(clone(model).set_params(tol=0.1), X, y, alphas=1)[0][0]
    model = clone(model).set_params(alpha=top / _DIVISOR)
    model.fit(X, y)
    task = X[:, -1].astype(int)
    means = np.bincount(task, y) / np.bincount(task)
    null = ((y - means[task]) ** 2).mean() * len(means) / 2
    clock: Callable[[], float] = time.process_time
    seconds = []
    for _ in range(settings.repeats):
        start = clock()
        model.fit(X, y)
        seconds.append(clock() - start)
    return float(np.median(seconds)), model.dual_gap_ / null, model.n_iter_
