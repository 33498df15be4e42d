"""Which structure is best on which data: every estimator and both baselines on four real data sets.

Run ``python -m benchmarks.tour``. The table goes to stdout as Markdown, progress to stderr. The
data, school.npz, sarcos_test4449.npz, mtr_rf1.npz and computer_survey.npz, are read from the folder
named by --data-home, by default by the environment variable SKMTL_DATA, or ../shared/data; data
sets whose file is missing are skipped.
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
# With at least this many tasks, intervals are computed over tasks, with fewer over splits.
MANY_TASKS = 30
# With --quick: splits, folds, and tasks of stacked data.
QUICK_SPLITS, QUICK_FOLDS, QUICK_TASKS = 1, 2, 20


@dataclass(frozen=True)
class Difference:
    """A mean difference of errors and half the width of its interval, NaN for a single value."""

    mean: float
    half: float

    def __str__(self) -> str:
        return f"{self.mean:+.3f}" + ("" if np.isnan(self.half) else f" ± {self.half:.3f}")

    @property
    def sure(self) -> bool:
        """Whether the interval excludes zero."""
        return bool(abs(self.mean) > self.half)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the benchmark with the options of the command line."""
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
    """Parse and check the command line; leave out data sets whose file is missing."""
    command = Command("tour", __doc__)
    every = list(SOURCES)
    command.add_argument("--data", nargs="+", choices=every, default=every, help="data sets to use")
    command.common("data-home", "jobs", "json", "plot")
    command.common("quick", help="short run: one split, few tasks, only alpha is selected")
    arguments = command.read(argv)
    files = {name: SOURCES[name].file for name in arguments.data}
    arguments.data = [name for name in files if (arguments.data_home / files[name]).is_file()]
    if not arguments.data:
        command.error(f"none of {', '.join(files.values())} found in {arguments.data_home}")
    for name, file in files.items():
        if name not in arguments.data:
            report.say(f"{name}: skipped, {file} not found")
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
    """Tune and fit one method on the training part of a split, and score it on the test part."""
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
    # Convert to the units of all rows: those of the training parts differ between splits.
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
    """The records, grouped by data set and method."""
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
    findings: list[str] = []
    columns: dict[str, report.Column] = {"method": str}
    for data, methods in by_data.items():
        baseline = min(BASELINES, key=lambda name: _error(methods[name]))
        best = min(methods, key=lambda name: _error(methods[name]))
        columns[data] = _column(methods, best, baseline)
        findings.append(_finding(data, methods, best, baseline))

    def seconds(method: str) -> str:
        runs = [[r["seconds"] for r in methods[method]] for methods in by_data.values()]
        return f"{sum(float(np.mean(each)) for each in runs):.1f}"

    rows = report.table(METHODS, columns | {"seconds": seconds}, n_left=1)
    notes = report.bullets(_notes(records, arguments))
    return "\n\n".join((rows, report.bullets("\n\n".join(findings)), notes))


def _column(methods: dict[str, list[Record]], best: str, baseline: str) -> Callable[[str], str]:
    """The function that formats a method's errors on one data set.

    The difference from the better baseline is in brackets.
    """

    def cell(method: str) -> str:
        text = report.mean_and_sd([record["error"] for record in methods[method]], 3)
        if method == best:
            text = f"**{text}**"
        if method not in BASELINES:
            text += f" ({compare(methods[method], methods[baseline])})"
        return text

    return cell


def _finding(data: str, methods: dict[str, list[Record]], best: str, baseline: str) -> str:
    """The best method on a data set, its margin, and the methods not distinguishable from it."""
    share = 100 * (1 - _error(methods[best]) / _error(methods[baseline]))
    if best == baseline:
        text = f"{data}: the baseline, {best}, has the lowest error"
    else:
        margin = f"{share:.1f}% below the better baseline, {baseline}"
        text = f"{data}: {best} has the lowest error, {margin}"
    ties = [
        name
        for name in sorted(methods, key=lambda name: _error(methods[name]))
        if name != best and not compare(methods[name], methods[best]).sure
    ]
    return f"{text}. Not distinguishable from it: {', '.join(ties) or 'none'}."


def _notes(records: list[Record], arguments: argparse.Namespace) -> str:
    """The notes on data, errors, tuning, methods and times."""
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
    others = "." if arguments.quick else f"; then one parameter at a time. {grids(METHODS)}."
    return f"""
        {"; ".join(sizes)}. Training parts are small, and do not overlap.

        Error: the root mean squared error of a task divided by the standard deviation of y (over
        all tasks if they measure the same quantity, as in School and survey, otherwise the task's
        own), averaged over tasks; mean ± standard deviation over splits. Bold: the smallest. In
        brackets: the difference from the better baseline ± half the width of a {LEVEL:.0%} t
        interval, over tasks if there are at least {MANY_TASKS}, otherwise over splits. No
        correction for the number of methods.

        Features and y are scaled using the training part; missing values are replaced by its mean.
        All parameters are selected there, by {_n_folds(arguments.quick)}-fold cross-validation on
        the same folds: alpha in steps of 10^(1/3), starting where the coefficients are close to
        zero and ending when 2 steps brought no improvement and the loss is 1% above its
        minimum{others} Independent: one alpha for all tasks or one for each, selected by a nested
        {N_NESTED}-fold cross-validation.

        Methods are the estimators of these names; block-sparse + low rank is MultiTask* with
        Superposition(L21(0.5), TraceNorm(1.0)). Graph: complete, except on SARCOS, where it is the
        chain of the arm's joints. Fused: a chain, of the joints in their order on SARCOS, otherwise
        of the tasks in the order of their means of y. Tree: learned from separate fits of the
        tasks.

        Seconds: processor time of one split of each data set, cross-validation and final fit, on
        one thread (without the nested cross-validation). Fits that reached the iteration limit:
        {_unconverged(records)}.
        """


def _unconverged(records: list[Record]) -> str:
    """The number of fits that reached the iteration limit, by method."""
    counts = {
        method: sum(record["unconverged"] for record in records if record["method"] == method)
        for method in METHODS
    }
    return ", ".join(f"{method} {n}" for method, n in counts.items() if n) or "none"


if __name__ == "__main__":
    main()
