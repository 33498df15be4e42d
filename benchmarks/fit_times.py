"""Seconds to a certified fit: School, MNIST, missing labels, and the first fit of a process.

``python -m benchmarks.fit_times [--data-home DIR] [--repeats 5] [--skip-mnist] [--json F]``
``python -m benchmarks.fit_times --only-missing [--repeats 5] [--json F]``
``python -m benchmarks.fit_times --only-auxiliary [--repeats 5] [--json F]``

Real data are read from DIR, by default the folder named by SKMTL_DATA or ../shared/data:
school.npz, and mnist.npz or another file that :func:`skmtl.datasets.fetch_mnist` reads. Missing
data are skipped with a message. Times are medians over repeats; each first fit is timed in a new
process. With ``--only-missing`` the same logistic fit is timed, in processor time, with all labels
and with 30% and 70% of them missing; the last column is the time per observed label divided by that
with all labels. With ``--only-auxiliary`` the fit of an AuxiliaryTaskRegressor is timed, in
processor time, beside the fit of its estimator to the matrix of all labels, main and auxiliary,
which is the same optimisation; the two alternate 100 times in each of the repeats, and the last
column is the ratio of the medians.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier

import skmtl
from benchmarks._command import Command
from benchmarks._report import say, seconds, table, write_json
from skmtl.auxiliary import AuxiliaryTaskRegressor
from skmtl.datasets import fetch_mnist, load_npz, make_block_sparse
from skmtl.model_selection import alpha_max

_FIRST_FIT = """
import time
import numpy as np, numba, sklearn.linear_model
from skmtl import BlockSparseRegressor
rng = np.random.default_rng(0)
X = np.column_stack([rng.normal(size=(200, 20)), np.repeat(np.arange(10), 20)])
y = rng.normal(size=200)
start = time.perf_counter()
BlockSparseRegressor(0.1, task_column=-1).fit(X, y)
print(time.perf_counter() - start)
"""


_SIZES = (2000, 100, 10), (20000, 100, 10), (5000, 200, 20), (10000, 500, 20)
# Rows, features, main and auxiliary tasks.
_SMALL_SIZES = (200, 50, 3, 2), (500, 100, 3, 2), (2000, 200, 3, 2)
_ALTERNATIONS = 100
_COLUMNS = {
    "fit": "{fit}",
    "tol": "{tol}",
    "iterations": "{iterations}",
    "gap / null objective": "{gap}",
    "features": "{features}",
    "seconds": "{seconds:.3g}",
}
_AUXILIARY_COLUMNS = {
    "fit": "{fit}",
    "all labels, ms": "{joint:.3f}",
    "auxiliary, ms": "{auxiliary:.3f}",
    "ratio": "{ratio:.2f}",
}


def main(argv: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Run the benchmark, print a table, and return its rows."""
    command = Command("fit_times", __doc__)
    command.common("data-home", "json")
    command.common("repeats", default=5, help="fits per row (MNIST: one)")
    command.add_argument("--skip-mnist", action="store_true", help="skip MNIST")
    command.add_argument("--only-missing", action="store_true", help="fits with missing labels")
    command.add_argument("--only-auxiliary", action="store_true", help="fits with auxiliary tasks")
    arguments = command.read(argv)
    if arguments.only_missing:
        rows = [row for size in _SIZES for row in missing(size, arguments.repeats)]
        print(table(rows, {**_COLUMNS, "per label": "{ratio:.2f}"}, n_left=1))
        write_json(arguments.json, rows)
        return rows
    if arguments.only_auxiliary:
        rows = [auxiliary(size, arguments.repeats) for size in _SMALL_SIZES]
        print(table(rows, _AUXILIARY_COLUMNS, n_left=1))
        write_json(arguments.json, rows)
        return rows
    rows = [first_fit(arguments.repeats)]
    for run in (school,) if arguments.skip_mnist else (school, mnist):
        try:
            rows += run(arguments.data_home, arguments.repeats)
        except (OSError, ValueError) as error:
            say(f"{run.__name__}: skipped: {error}")
    print(table(rows, _COLUMNS, n_left=1))
    write_json(arguments.json, rows)
    return rows


def first_fit(repeats: int) -> dict[str, Any]:
    """Time the first fit of a process, with compiled code loaded from numba's cache."""
    command = [sys.executable, "-c", _FIRST_FIT]
    subprocess.run(command, check=True, capture_output=True)  # fills the cache
    times = [
        float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        for _ in range(repeats)
    ]
    return _row("first fit of a process, 10 x 20 x 20 stacked", None, None, times)


def school(home: Path, repeats: int) -> list[dict[str, Any]]:
    """Time fits on 139 schools, stacked, with the squared loss."""
    data = load_npz(home / "school.npz", stack=True)
    top = alpha_max(skmtl.BlockSparseRegressor(task_column=-1), data.data, data.target)
    rows = []
    for divisor in (2, 10, 100):
        model = skmtl.BlockSparseRegressor(top / divisor, task_column=-1)
        name = f"School (139 tasks, 15362 x 27, stacked), alpha_max / {divisor}"
        rows.append(_timed(name, model, data.data, data.target, repeats))
    for alpha in (0.1, 1.0, 10.0):
        for model in (
            skmtl.ClusteredTaskRegressor(alpha, n_clusters=2, task_column=-1),
            skmtl.ClusteredTaskRegressor(alpha, n_clusters=2, mean=0.0, task_column=-1),
            skmtl.TaskRelationRegressor(alpha, task_column=-1),
        ):
            rows.append(_timed(f"School, {model}", model, data.data, data.target, repeats))
    return rows


def mnist(home: Path, repeats: int) -> list[dict[str, Any]]:
    """Time a fit of ten digits, one against the rest, with the logistic loss."""
    data = fetch_mnist(home)
    X, y = data.data[~data.is_test] / 255.0, data.target[~data.is_test]
    top = alpha_max(skmtl.BlockSparseClassifier(), X, y)
    model = skmtl.BlockSparseClassifier(top / 10, tol=1e-3)
    return [_timed("MNIST (60000 x 784, 10 classes), alpha_max / 10", model, X, y, 1)]


def missing(size: tuple[int, int, int], repeats: int) -> list[dict[str, Any]]:
    """Time a logistic fit, alternately with all labels and with some of them missing."""
    data = make_block_sparse(*size, n_informative=size[1] // 20, noise=3.0, random_state=0)
    X, Y = data.data, (np.median(data.target, axis=0) < data.target).astype(float)
    top = alpha_max(skmtl.BlockSparseClassifier(), X, Y)
    order = np.random.default_rng(0).random(Y.shape)
    labels = {share: np.where(order < share, np.nan, Y) for share in (0.0, 0.3, 0.7)}
    models = {share: skmtl.BlockSparseClassifier(top / 10) for share in labels}
    times: dict[float, list[float]] = {share: [] for share in labels}
    for repeat in range(repeats + 1):
        for share, y in labels.items():
            start = time.process_time()
            models[share].fit(X, y)
            if repeat:  # the first fit loads compiled code
                times[share].append(time.process_time() - start)
    rows = []
    complete = min(times[0.0])
    for share, y in labels.items():
        name = f"{size[0]} x {size[1]}, {size[2]} tasks, {share:.0%} missing"
        row = _row(name, models[share], _null_value(models[share], X, y), times[share])
        rows.append(row | {"ratio": min(times[share]) / (1 - share) / complete})
    return rows


def auxiliary(size: tuple[int, int, int, int], repeats: int) -> dict[str, Any]:
    """Time a fit with auxiliary tasks, alternately with the same fit to all labels."""
    n, d, n_main, n_auxiliary = size
    n_informative, n_tasks = max(d // 20, 2), n_main + n_auxiliary
    data = make_block_sparse(n, d, n_tasks, n_informative=n_informative, noise=3.0, random_state=0)
    X, Y = data.data, data.target
    inner = skmtl.BlockSparseRegressor(alpha_max(skmtl.BlockSparseRegressor(), X, Y) / 10)
    wrapper = AuxiliaryTaskRegressor(clone(inner), auxiliary=list(range(d, d + n_auxiliary)))
    joined = np.column_stack([X, Y[:, n_main:]]), Y[:, :n_main]
    fits = {"joint": (inner, (X, Y)), "auxiliary": (wrapper, joined)}
    times: dict[str, list[float]] = {name: [] for name in fits}
    for repeat in range(repeats * _ALTERNATIONS + 1):
        for name in sorted(fits, reverse=repeat % 2 == 1):
            model, given = fits[name]
            start = time.process_time()
            model.fit(*given)
            if repeat:  # the first fit loads compiled code
                times[name].append(time.process_time() - start)
    np.testing.assert_allclose(wrapper.tasks_coef_, inner.coef_, rtol=0, atol=1e-10)
    medians = {name: 1e3 * statistics.median(each) for name, each in times.items()}
    name = f"{n} x {d}, {n_main} main and {n_auxiliary} auxiliary tasks"
    return {"fit": name, **medians, "ratio": medians["auxiliary"] / medians["joint"]}


def _timed(name: str, model: Any, X: Any, y: Any, repeats: int) -> dict[str, Any]:
    """Time a fit; with several repeats, an additional first fit is not counted."""
    times = [seconds(model.fit, X, y) for _ in range(repeats + (repeats > 1))]
    return _row(name, model, _null_value(model, X, y), times[repeats > 1 :])


def _null_value(model: Any, X: Any, y: Any) -> float:
    """The objective at zero coefficients, which is the scale of ``tol``."""
    block = skmtl.BlockSparseClassifier if is_classifier(model) else skmtl.BlockSparseRegressor
    top = block(task_column=model.task_column)
    return float(top.set_params(alpha=alpha_max(top, X, y)).fit(X, y).objective_)


def _row(name: str, model: Any, scale: float | None, times: list[float]) -> dict[str, Any]:
    return {
        "fit": name,
        "tol": "-" if model is None else f"{model.tol:g}",
        "iterations": "-" if model is None else model.n_iter_,
        "gap": "-" if scale is None else f"{model.dual_gap_ / scale:.1e}",
        "features": int(np.sum(model.support_)) if hasattr(model, "support_") else "-",
        "seconds": statistics.median(times),
    }


if __name__ == "__main__":
    main()
