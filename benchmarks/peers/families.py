"""Every convex estimator on School-sized stacked tasks: seconds of a fit, and their growth."""

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

import skmtl
from benchmarks._report import Record, say, seconds, table
from benchmarks.peers.growth import slope
from benchmarks.peers.runner import Settings
from skmtl.model_selection import path
from skmtl.penalties import L1, TraceNorm

Array = NDArray[Any]

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
    variants: dict[str, dict[str, Any]] = {
        "BlockSparse": {},
        "BlockSparse, sparsity .5": {"sparsity": 0.5},
        "BlockSparse, linf": {"norm": "linf"},
        "BlockSparse, shrunk b": {"intercept": "shrunk"},
        "LowRank": {},
        "LowRank, shrunk b": {"intercept": "shrunk"},
        "TaskRelation": {},
        "ClusteredTask": {},
        "ClusteredTask, relaxed": {"form": "relaxed"},
        "GraphRegularized": {},
        "GraphRegularized, block .1": {"block": 0.1},
        "FusedTask": {},
        "FusedTask, ring, sparse .5": {"graph": np.maximum(ring, ring.T), "sparse": 0.5},
        "FusedTask, all pairs": {"graph": "complete"},
        "DirtyModel": {},
        "RobustTask": {},
        "SparseLowRank": {},
        "TreeGuided": {},
        "MultiTask, L1 + trace norm": {"penalty": L1(0.5) + TraceNorm(0.5)},
    }
    models = {}
    for name, options in variants.items():
        estimator = getattr(skmtl, name.split(",")[0] + "Regressor")
        models[name] = estimator(task_column=-1, tol=_TOL, **options)
    return models


def make(n_tasks: int, rows: int, d: int) -> tuple[Array, Array]:
    """Simulate stacked tasks with coefficients in three dimensions and as much noise as signal.

    The task is in the last column of X.
    """
    rng = np.random.default_rng(0)
    task = np.repeat(np.arange(n_tasks), rows)
    X = rng.normal(size=(len(task), d))
    W = rng.normal(size=(d, 3)) @ rng.normal(size=(3, n_tasks))
    signal = np.einsum("ij,ji->i", X, W[:, task])
    y = signal + rng.normal(size=len(task)) * signal.std()
    return np.column_stack([X, task]), y


def run(settings: Settings) -> Record:
    """Time fits, print a table, and return the raw numbers."""
    records = []
    for name in estimators(3):
        median, gap, n_iter = _time(name, _SCHOOL, settings)
        record: Record = {"name": name, "seconds": median, "gap": gap, "n_iter": n_iter}
        for size, values in _SIZES.items():
            values = values[:2] if settings.quick else values
            grown = [_time(name, {**_SCHOOL, size: v}, settings)[0] for v in values]
            record[size] = {"x": values, "seconds": grown, "slope": slope(values, grown)[0]}
        records.append(record)
        say(f"{name}: {median:.4f} s")
    sizes = ", ".join(f"{_SCHOOL[name]} {label}" for name, label in _LABELS.items())
    alpha = "alpha a tenth of the grid's largest"
    print(f"### Seconds of a fit after compilation: {sizes}; {alpha}, tol {_TOL:g}\n")
    columns = {
        "estimator": "{name}",
        "seconds": "{seconds:.3g}",
        "gap / null": "{gap:.1e}",
        "iterations": "{n_iter}",
    }
    columns |= {f"slope, {label}": f"{{{size}[slope]:.2f}}" for size, label in _LABELS.items()}
    print(table(records, columns))
    return {"families": records}


def _time(name: str, sizes: dict[str, int], settings: Settings) -> tuple[float, float, int]:
    """Time fits after a first one: median processor seconds, gap / null objective, iterations."""
    (X, y), model = make(**sizes), estimators(sizes["n_tasks"])[name]
    top = path(clone(model).set_params(tol=0.1), X, y, alphas=1)[0][0]
    model = clone(model).set_params(alpha=top / _DIVISOR)
    model.fit(X, y)
    task = X[:, -1].astype(int)
    means = np.bincount(task, y) / np.bincount(task)
    null = ((y - means[task]) ** 2).mean() * len(means) / 2
    times = [seconds(model.fit, X, y, clock=time.process_time) for _ in range(settings.repeats)]
    return float(np.median(times)), model.dual_gap_ / null, model.n_iter_
