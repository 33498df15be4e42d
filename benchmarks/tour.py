"""Which structure wins where: every estimator against both baselines on four real data sets.

Run ``python -m benchmarks.tour``. The table goes to stdout as Markdown, progress to stderr. The
data, school.npz, sarcos_test4449.npz, mtr_rf1.npz and computer_survey.npz, are read from the folder
named by --data-home, by default by the environment variable SKMTL_DATA, or ../shared/data; files
that are not there are left out.
"""

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from scipy import stats
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from benchmarks._methods import tune
from benchmarks._report import bullet, environment, markdown_table, mean_and_sd, run_all, write_json
from benchmarks._tour_data import SOURCES, Data, read, splits
from benchmarks._tour_methods import BASELINES, METHODS, parameters
from benchmarks._tuning import N_NESTED, Problem
from skmtl.datasets import make_clustered_tasks

Array = NDArray[Any]
Record = dict[str, Any]

N_FOLDS = 5
PATH_TOL, FINAL_TOL = 1e-3, 1e-4
LEVEL = 0.95
# From so many tasks on the tasks are the sample, below the splits.
MANY_TASKS = 30
# Of --quick: splits, folds, and tasks of data that have many.
QUICK_SPLITS, QUICK_FOLDS, QUICK_TASKS = 1, 2, 20


@dataclass(frozen=True)
class Unit:
    """What one worker does at a time."""

    data: str
    split: int
    method: str
    data_home: str
    quick: bool

    def __str__(self) -> str:
        return f"{self.data}, split {self.split}: {self.method}"


@dataclass(frozen=True)
class Difference:
    """A mean difference of errors and half its interval, NaN where one value is all there is."""

    mean: float
    half: float

    def __str__(self) -> str:
        return f"{self.mean:+.3f}" + ("" if np.isnan(self.half) else f" ± {self.half:.3f}")

    @property
    def sure(self) -> bool:
        """Whether the interval leaves out zero."""
        return bool(abs(self.mean) > self.half)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the benchmark as the command line says."""
    arguments = _read_arguments(argv)
    units = [
        Unit(data, split, method, str(arguments.data_home), arguments.quick)
        for data in arguments.data
        for split, method in product(range(_n_splits(data, arguments.quick)), METHODS)
    ]
    jobs = min(arguments.jobs, len(units))
    records: list[Record] = run_all(_run, units, jobs=jobs, warm_up=_warm_up)
    print(_report(records, arguments))
    if arguments.json:
        settings = {"data": arguments.data, "quick": arguments.quick}
        write_json(arguments.json, {"arguments": settings} | environment(jobs) | {"tour": records})
    if arguments.plot:
        from benchmarks._tour_plot import draw

        draw(arguments.plot, _by_data(records), BASELINES)


def _read_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse and check the command line; data that are not there are left out."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tour", description=__doc__)
    home = os.environ.get("SKMTL_DATA") or Path(__file__).parents[2] / "shared" / "data"
    add = parser.add_argument
    add("--data-home", type=Path, metavar="DIR", default=home, help="folder with the data")
    add("--data", nargs="+", choices=list(SOURCES), default=list(SOURCES), help="which data")
    add("--jobs", type=int, metavar="N", default=joblib.cpu_count(), help="processes (all cores)")
    add("--json", type=Path, metavar="FILE", help="write the raw numbers")
    add("--plot", type=Path, metavar="FILE", help="write the picture (needs matplotlib)")
    add("--quick", action="store_true", help="a look: one split, few tasks, alpha alone is chosen")
    arguments = parser.parse_args(argv)
    for option in ("json", "plot"):
        path = getattr(arguments, option)
        if path is not None and not path.resolve().parent.is_dir():
            parser.error(f"--{option}: there is no folder {path.parent}")
    if arguments.jobs < 1:
        parser.error(f"--jobs must be at least 1, got {arguments.jobs}")
    if arguments.plot:
        if find_spec("matplotlib") is None:
            parser.error("--plot needs matplotlib: pip install matplotlib")
        from benchmarks._plots import check_format

        wrong = check_format(arguments.plot)
        if wrong:
            parser.error(f"--plot: {wrong}")
    present = [
        name for name in arguments.data if (arguments.data_home / SOURCES[name].file).is_file()
    ]
    if not present:
        files = ", ".join(SOURCES[name].file for name in arguments.data)
        parser.error(f"there is none of {files} in {arguments.data_home}")
    for name in arguments.data:
        if name not in present:
            print(f"{name}: there is no {SOURCES[name].file}, left out", file=sys.stderr)
    arguments.data = present
    return arguments


def _n_splits(data: str, quick: bool) -> int:
    return QUICK_SPLITS if quick else SOURCES[data].n_splits


def _n_folds(quick: bool) -> int:
    return QUICK_FOLDS if quick else N_FOLDS


@lru_cache(maxsize=1)
def _load(name: str, data_home: str, quick: bool) -> tuple[Data, list[tuple[Array, Array]]]:
    """The data and their splits."""
    data = read(SOURCES[name], Path(data_home))
    if quick and data.stacked:
        few = data.X[:, -1] < QUICK_TASKS
        data = Data(data.X[few], data.y[few])
    return data, splits(SOURCES[name], data)


def _warm_up() -> None:
    """Load what the first fit of a process loads, so that no method pays for it."""
    made = make_clustered_tasks(8, 3, 4, layout="stacked", random_state=0)
    shared = make_clustered_tasks(12, 3, 4, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for method in METHODS.values():
            method.estimator(task_column=-1, **method.fixed).fit(made.data, made.target)
            method.estimator(**method.fixed).fit(shared.data, shared.target)


def _run(unit: Unit) -> Record:
    """Choose and fit one method on one split's training part; judge it on the test part."""
    data, parts = _load(unit.data, unit.data_home, unit.quick)
    method, (train, test) = METHODS[unit.method], parts[unit.split]
    fixed = parameters(method, ordered=SOURCES[unit.data].ordered, means=data.task_means(train))
    scaled = data.scaled(train)
    problem = Problem(
        method.estimator(task_column=-1 if data.stacked else None, tol=FINAL_TOL, **fixed),
        scaled.X[train],
        scaled.y[train],
        None if data.stacked else scaled.y[train],
        _n_folds(unit.quick),
        unit.split,
        data.loss,
        method.path,
        PATH_TOL,
    )
    grid = {name: values[:1] for name, values in method.grid.items()} if unit.quick else method.grid
    # So small matrices are slower on several threads, some of them many times.
    with threadpool_limits(limits=1), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        (row,) = tune({unit.method: method.rule}, problem, grid)
    # In the units of all rows: those of a training part are as different as the parts.
    units = data.units(train) / data.units(np.arange(len(data.y)))
    squares = data.loss(row.coef, row.intercept, scaled.X[test], scaled.y[test])
    errors = np.sqrt(squares) * units
    return {
        "data": unit.data,
        "method": unit.method,
        "split": unit.split,
        "error": float(errors.mean()),
        "task_errors": errors.tolist(),
        "alpha": row.strength,
        "setting": row.setting,
        "seconds": row.seconds,
        "unconverged": sum(issubclass(each.category, ConvergenceWarning) for each in caught),
    }


def _by_data(records: list[Record]) -> dict[str, dict[str, list[Record]]]:
    """The records of each data set and method."""
    found: dict[str, dict[str, list[Record]]] = {}
    for record in records:
        found.setdefault(record["data"], {}).setdefault(record["method"], []).append(record)
    return found


def _error(records: list[Record]) -> float:
    return float(np.mean([record["error"] for record in records]))


def compare(ours: list[Record], theirs: list[Record]) -> Difference:
    """The errors of a method minus another's on the same splits, with a t interval."""
    ours_by_task, theirs_by_task = (
        np.array([record["task_errors"] for record in records]) for records in (ours, theirs)
    )
    by_task = ours_by_task - theirs_by_task
    values = by_task.mean(axis=0 if by_task.shape[1] >= MANY_TASKS else 1)
    if len(values) < 2:
        return Difference(float(values.mean()), np.nan)
    quantile = stats.t.ppf((1 + LEVEL) / 2, len(values) - 1)
    return Difference(float(values.mean()), float(quantile * stats.sem(values)))


def _report(records: list[Record], arguments: argparse.Namespace) -> str:
    """The table and its notes."""
    by_data = _by_data(records)
    baseline = {
        data: min(BASELINES, key=lambda name: _error(methods[name]))
        for data, methods in by_data.items()
    }
    best = {
        data: min(methods, key=lambda name: _error(methods[name]))
        for data, methods in by_data.items()
    }
    rows = []
    for method in METHODS:
        cells = []
        for data, methods in by_data.items():
            ours = methods[method]
            cell = mean_and_sd([record["error"] for record in ours], 3)
            if method == best[data]:
                cell = f"**{cell}**"
            if method not in BASELINES:
                cell += f" ({compare(ours, methods[baseline[data]])})"
            cells.append(cell)
        seconds = sum(
            float(np.mean([record["seconds"] for record in methods[method]]))
            for methods in by_data.values()
        )
        rows.append([method, *cells, f"{seconds:.1f}"])
    told = [_told(data, methods, best[data], baseline[data]) for data, methods in by_data.items()]
    return "\n".join(
        [
            markdown_table(["method", *by_data, "seconds"], rows, n_left=1),
            "",
            *map(bullet, told),
            "",
            *map(bullet, _notes(records, arguments)),
        ]
    )


def _told(data: str, methods: dict[str, list[Record]], best: str, baseline: str) -> str:
    """Which method wins on some data, by how much, and which are as good."""
    share = 100 * (1 - _error(methods[best]) / _error(methods[baseline]))
    if best == baseline:
        text = f"{data}: the baseline, {best}, wins"
    else:
        text = f"{data}: {best} wins, {share:.1f} % below the better baseline, {baseline}"
    ties = [
        name
        for name in sorted(methods, key=lambda name: _error(methods[name]))
        if name != best and not compare(methods[name], methods[best]).sure
    ]
    return f"{text}. Not told apart from it: {', '.join(ties) or 'none'}."


def _notes(records: list[Record], arguments: argparse.Namespace) -> list[str]:
    """How the table came about."""
    sizes = []
    for name in arguments.data:
        data, parts = _load(name, str(arguments.data_home), arguments.quick)
        train, test = parts[0]
        rows = f"{len(train) / data.n_tasks:.0f}" if data.stacked else f"{len(train)}"
        shared = "each of its own" if data.stacked else "the same for all"
        n_splits = _n_splits(name, arguments.quick)
        sizes.append(
            f"{name}: {data.n_tasks} tasks, {data.features.shape[1]} features, {rows} training "
            f"rows a task, {shared}, {n_splits} splits, {len(test)} test rows"
        )
    several = "; ".join(
        f"{name}: " + ", ".join(f"{key} {'/'.join(map(str, v))}" for key, v in method.grid.items())
        for name, method in METHODS.items()
        if method.grid
    )
    return [
        "; ".join(sizes) + ". Training parts are small, and do not overlap.",
        "Error: the root mean squared error of a task over the standard deviation of y (of all "
        "tasks together where they measure the same, School and survey, otherwise its own), mean "
        "over tasks; mean ± standard deviation over splits. Bold: the least. In brackets: minus "
        f"the better baseline, with half a {LEVEL:.0%} t interval, over tasks where there are "
        f"{MANY_TASKS} or more, otherwise over splits. No correction for the number of methods.",
        "Features and y are scaled by the training part (missing values are its mean). Everything "
        f"is chosen there, by {_n_folds(arguments.quick)}-fold cross-validation on the same folds: "
        "alpha in steps of 10^(1/3) down from where next to nothing is learned, until 2 steps were "
        "no better and the loss is 1% above its least"
        + ("." if arguments.quick else f", then one by one {several}.")
        + f" Independent: one alpha for all tasks or one for each, by a nested {N_NESTED}-fold "
        "cross-validation.",
        "Methods are the estimators of these names; block-sparse + low rank is MultiTask* with "
        "Superposition(L21(0.5), TraceNorm(1.0)). Graph: every two tasks are neighbours, on SARCOS "
        "the joints of the arm in their order. Fused: a chain, of the joints in their order, "
        "otherwise of the tasks in the order of their means of y. Tree: from fits of each task "
        "alone.",
        "Seconds: processor time of one split of each data set, cross-validation and final fit, "
        "on one thread (without the nested one). Fits that ran out of iterations: "
        f"{_unconverged(records)}.",
    ]


def _unconverged(records: list[Record]) -> str:
    """How many fits stopped early, by method."""
    counts = {
        method: sum(record["unconverged"] for record in records if record["method"] == method)
        for method in METHODS
    }
    return ", ".join(f"{method} {n}" for method, n in counts.items() if n) or "none"


if __name__ == "__main__":
    main()
