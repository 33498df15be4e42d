"""Which structure wins where: every estimator against both baselines on four real data sets.

Run ``python -m benchmarks.tour``. The table goes to stdout as Markdown, progress to stderr. The
data, school.npz, sarcos_test4449.npz, mtr_rf1.npz and computer_survey.npz, are read from the folder
named by --data-home, by default by the environment variable SKMTL_DATA, or ../shared/data; files
that are not there are left out.
"""

import argparse
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import product
from pathlib import Path

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from benchmarks import _report as report
from benchmarks._command import Command
from benchmarks._methods import Record, grids, run_all, tune
from benchmarks._report import LEVEL
from benchmarks._tour_data import SOURCES, Data, read, splits
from benchmarks._tour_methods import BASELINES, METHODS, parameters
from benchmarks._tuning import N_NESTED, Array, Problem, squared_loss

N_FOLDS = 5
PATH_TOL, FINAL_TOL = 1e-3, 1e-4
# From so many tasks on the tasks are the sample, below the splits.
MANY_TASKS = 30
# Of --quick: splits, folds, and tasks of data that have many.
QUICK_SPLITS, QUICK_FOLDS, QUICK_TASKS = 1, 2, 20


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
        (data, split, method)
        for data in arguments.data
        for split, method in product(range(_n_splits(data, arguments.quick)), METHODS)
    ]
    arguments.jobs = min(arguments.jobs, len(units))
    run = partial(_run, arguments)
    records: list[Record] = run_all(run, units, METHODS, arguments.jobs, "{}, split {}: {}")
    print(_report(records, arguments))
    report.write_raw(arguments, ("data", "quick"), {"tour": records})
    if arguments.plot:
        from benchmarks._plots import draw_tour

        draw_tour(arguments.plot, _by_data(records), BASELINES)


def _read_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse and check the command line; data that are not there are left out."""
    command = Command("tour", __doc__)
    every = list(SOURCES)
    command.add_argument("--data", nargs="+", choices=every, default=every, help="which data")
    command.common("data-home", "jobs", "json", "plot")
    command.common("quick", help="a look: one split, few tasks, alpha alone is chosen")
    arguments = command.read(argv)
    files = {name: SOURCES[name].file for name in arguments.data}
    arguments.data = [name for name in files if (arguments.data_home / files[name]).is_file()]
    if not arguments.data:
        command.error(f"there is none of {', '.join(files.values())} in {arguments.data_home}")
    for name, file in files.items():
        if name not in arguments.data:
            report.say(f"{name}: there is no {file}, left out")
    return arguments


def _n_splits(data: str, quick: bool) -> int:
    return QUICK_SPLITS if quick else SOURCES[data].n_splits


def _n_folds(quick: bool) -> int:
    return QUICK_FOLDS if quick else N_FOLDS


@lru_cache(maxsize=1)
def _load(name: str, data_home: Path, quick: bool) -> tuple[Data, list[tuple[Array, Array]]]:
    """The data and their splits."""
    data = read(SOURCES[name], data_home)
    if quick and data.stacked:
        few = data.X[:, -1] < QUICK_TASKS
        data = Data(data.X[few], data.y[few])
    return data, splits(SOURCES[name], data)


def _run(arguments: argparse.Namespace, name: str, split: int, method_name: str) -> Record:
    """Choose and fit one method on one split's training part; judge it on the test part."""
    data, parts = _load(name, arguments.data_home, arguments.quick)
    method, (train, test) = METHODS[method_name], parts[split]
    fixed = parameters(method, ordered=SOURCES[name].ordered, means=data.task_means(train))
    scaled = data.scaled(train)
    problem = Problem(
        method.make(stacked=data.stacked, tol=FINAL_TOL, **fixed),
        scaled.X[train],
        scaled.y[train],
        method.path,
        _n_folds(arguments.quick),
        split,
        path_tol=PATH_TOL,
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        (row,) = tune(method, problem, quick=arguments.quick)
    # In the units of all rows: those of a training part are as different as the parts.
    units = data.units(train) / data.units(np.arange(len(data.y)))
    errors = np.sqrt(squared_loss(row.coef, row.intercept, scaled.X[test], scaled.y[test])) * units
    return row.record() | {
        "data": name,
        "split": split,
        "error": float(errors.mean()),
        "task_errors": errors.tolist(),
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
    return Difference(float(values.mean()), float(report.half_width(values)))


def _report(records: list[Record], arguments: argparse.Namespace) -> str:
    """The table and its notes."""
    by_data = _by_data(records)
    told: list[str] = []
    columns: dict[str, report.Column] = {"method": str}
    for data, methods in by_data.items():
        baseline = min(BASELINES, key=lambda name: _error(methods[name]))
        best = min(methods, key=lambda name: _error(methods[name]))
        columns[data] = _column(methods, best, baseline)
        told.append(_told(data, methods, best, baseline))

    def seconds(method: str) -> str:
        runs = [[r["seconds"] for r in methods[method]] for methods in by_data.values()]
        return f"{sum(float(np.mean(each)) for each in runs):.1f}"

    rows = report.table(METHODS, columns | {"seconds": seconds}, n_left=1)
    notes = report.bullets(_notes(records, arguments))
    return "\n\n".join((rows, report.bullets("\n\n".join(told)), notes))


def _column(methods: dict[str, list[Record]], best: str, baseline: str) -> Callable[[str], str]:
    """The errors on some data, a method's minus the better baseline's in brackets."""

    def cell(method: str) -> str:
        text = report.mean_and_sd([record["error"] for record in methods[method]], 3)
        if method == best:
            text = f"**{text}**"
        if method not in BASELINES:
            text += f" ({compare(methods[method], methods[baseline])})"
        return text

    return cell


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


def _notes(records: list[Record], arguments: argparse.Namespace) -> str:
    """How the table came about."""
    sizes = []
    for name in arguments.data:
        data, parts = _load(name, arguments.data_home, arguments.quick)
        train, test = parts[0]
        rows = f"{len(train) / data.n_tasks:.0f}" if data.stacked else f"{len(train)}"
        shared = "each of its own" if data.stacked else "the same for all"
        n_splits = _n_splits(name, arguments.quick)
        sizes.append(
            f"{name}: {data.n_tasks} tasks, {data.features.shape[1]} features, {rows} training "
            f"rows a task, {shared}, {n_splits} splits, {len(test)} test rows"
        )
    others = "." if arguments.quick else f", then one by one {grids(METHODS)}."
    return f"""
        {"; ".join(sizes)}. Training parts are small, and do not overlap.

        Error: the root mean squared error of a task over the standard deviation of y (of all tasks
        together where they measure the same, School and survey, otherwise its own), mean over
        tasks; mean ± standard deviation over splits. Bold: the least. In brackets: minus the better
        baseline, with half a {LEVEL:.0%} t interval, over tasks where there are {MANY_TASKS}
        or more, otherwise over splits. No correction for the number of methods.

        Features and y are scaled by the training part (missing values are its mean). Everything is
        chosen there, by {_n_folds(arguments.quick)}-fold cross-validation on the same folds: alpha
        in steps of 10^(1/3) down from where next to nothing is learned, until 2 steps were no
        better and the loss is 1% above its least{others} Independent: one alpha for all tasks or
        one for each, by a nested {N_NESTED}-fold cross-validation.

        Methods are the estimators of these names; block-sparse + low rank is MultiTask* with
        Superposition(L21(0.5), TraceNorm(1.0)). Graph: every two tasks are neighbours, on SARCOS
        the joints of the arm in their order. Fused: a chain, of the joints in their order,
        otherwise of the tasks in the order of their means of y. Tree: from fits of each task alone.

        Seconds: processor time of one split of each data set, cross-validation and final fit, on
        one thread (without the nested one). Fits that ran out of iterations:
        {_unconverged(records)}.
        """


def _unconverged(records: list[Record]) -> str:
    """How many fits stopped early, by method."""
    counts = {
        method: sum(record["unconverged"] for record in records if record["method"] == method)
        for method in METHODS
    }
    return ", ".join(f"{method} {n}" for method, n in counts.items() if n) or "none"


if __name__ == "__main__":
    main()
