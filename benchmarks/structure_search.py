"""Is StructureSearchCV as good as the best single structure? Test errors on four real data sets.

Run ``python -m benchmarks.structure_search``. The table goes to stdout as Markdown, progress to
stderr. The data are those of ``benchmarks.tour``, with the same splits, scaling and test parts.

Protocol, written before any test error was computed:

* StructureSearchRegressorCV with its default structures, grids and folds is fitted to the training
  part of each split, once with refit="one_se" and once with refit="best"; the two differ only in
  the selection. Nothing that is known of the data is passed: no graph, no order of the tasks.
* Each single structure, the baselines included, is fitted with the parameters that the same search
  has selected for it on the same folds.
* The error is that of ``benchmarks.tour``: the root mean squared error of a task divided by the
  standard deviation of y, averaged over tasks.
* Differences of errors are paired. Their standard error is over tasks if there are at least 30,
  after averaging over splits; otherwise over splits.
* On each data set two things are tested. First, the search is not worse than the single structure
  with the lowest test error by more than one standard error of the difference. That structure is
  known only with hindsight, which favours it. Second, the search is not worse than the baseline
  with the lower test error beyond noise: the 95% t interval of the difference does not lie above
  zero.

The default was refit="one_se" when the protocol was written, and was changed to refit="best" after
the results had been seen. ``--repeats``, which repeats the five folds with shuffled rows, was added
then too.
"""

import argparse
import time
import warnings
from collections.abc import Sequence
from functools import partial
from itertools import product

import numpy as np
from scipy import stats

from benchmarks import _report as report
from benchmarks._command import Command
from benchmarks._methods import Record, run_all
from benchmarks._tour_data import SOURCES, read, splits
from benchmarks._tuning import squared_loss
from skmtl import StructureSearchRegressorCV
from skmtl.model_selection import RepeatedStratifiedTaskKFold

ONE_SE, BEST = "search, one_se", "search, best"
SEARCHES = {ONE_SE: "one_se", BEST: "best"}
BASELINES = ("independent", "pooled")
MANY_TASKS = 30


def main(argv: Sequence[str] | None = None) -> None:
    """Run the benchmark with the options of the command line."""
    arguments = _read_arguments(argv)
    units = [
        (name, split)
        for name in arguments.data
        for split in range(min(SOURCES[name].n_splits, arguments.splits))
    ]
    arguments.jobs = min(arguments.jobs, len(units))
    run = partial(_run, arguments)
    records = [
        record
        for found in run_all(run, units, {}, arguments.jobs, "{}, split {}")
        for record in found
    ]
    print(_report(records))
    report.write_raw(arguments, ("data", "splits", "structures"), {"structure_search": records})


def _read_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    command = Command("structure_search", __doc__)
    every = list(SOURCES)
    command.add_argument("--data", nargs="+", choices=every, default=every, help="data sets to use")
    command.add_argument("--splits", type=int, default=9, metavar="N", help="at most this many")
    command.add_argument(
        "--structures", nargs="+", metavar="NAME", default="auto", help="structures to compare"
    )
    command.add_argument("--repeats", type=int, default=1, metavar="N", help="of the five folds")
    command.common("data-home", "jobs", "json")
    arguments = command.read(argv)
    found = [n for n in arguments.data if (arguments.data_home / SOURCES[n].file).is_file()]
    if not found:
        command.error(f"no data found in {arguments.data_home}")
    arguments.data = found
    return arguments


def _run(arguments: argparse.Namespace, name: str, split: int) -> list[Record]:
    """Search on the training part of a split, and score every structure on the test part."""
    data = read(SOURCES[name], arguments.data_home)
    train, test = splits(SOURCES[name], data)[split]
    scaled = data.scaled(train)
    X, y = scaled.X[train], scaled.y[train]
    task_column, folds = -1 if data.stacked else None, None
    if arguments.repeats > 1:
        folds = RepeatedStratifiedTaskKFold(
            n_repeats=arguments.repeats, task_column=task_column, random_state=0
        )
    search = StructureSearchRegressorCV(
        arguments.structures,
        cv=folds,
        refit=SEARCHES[ONE_SE],
        task_column=task_column,
        random_state=0,
    )
    # Convert to the units of all rows: those of the training parts differ between splits.
    units = data.units(train) / data.units(np.arange(len(data.y)))
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search.fit(X, y)
        seconds = time.process_time() - start
        models = {
            row.structure: search.make(row.structure).fit(X, y)
            for row in search.results_.structures
        }
    results = search.results_
    names = {structure: structure for structure in models}
    names |= {ONE_SE: results.selected, BEST: results.best}
    records = []
    for method, structure in names.items():
        model = models[structure]
        losses = squared_loss(model.coef_, model.intercept_, scaled.X[test], scaled.y[test])
        errors = np.sqrt(losses) * units
        records.append(
            {
                "data": name,
                "split": split,
                "method": method,
                "structure": structure,
                "error": float(errors.mean()),
                "task_errors": errors.tolist(),
                "seconds": seconds if method in SEARCHES else results[structure].seconds,
                "score": results[structure].mean,
                "params": {key: repr(value) for key, value in results[structure].params.items()},
                "report": search.report() if method == ONE_SE else None,
            }
        )
    return records


def difference(ours: list[Record], theirs: list[Record]) -> tuple[float, float, float]:
    """The mean difference of errors, its standard error, and half the width of its interval."""
    by_task = np.array([a["task_errors"] for a in ours]) - [b["task_errors"] for b in theirs]
    values = by_task.mean(axis=0 if by_task.shape[1] >= MANY_TASKS else 1)
    if len(values) < 2:
        return float(values.mean()), np.nan, np.nan
    error = float(values.std(ddof=1) / np.sqrt(len(values)))
    half = float(stats.t.ppf((1 + report.LEVEL) / 2, len(values) - 1)) * error
    return float(values.mean()), error, half


def _report(records: list[Record]) -> str:
    """A table of errors, and the tests of each search on each data set."""
    by_data: dict[str, dict[str, list[Record]]] = {}
    for record in records:
        by_data.setdefault(record["data"], {}).setdefault(record["method"], []).append(record)
    methods = list(dict.fromkeys(record["method"] for record in records))
    columns: dict[str, report.Column] = {"method": str}
    findings = []
    for data, found in by_data.items():
        means = {name: float(np.mean([r["error"] for r in rows])) for name, rows in found.items()}
        columns[data] = partial(_cell, found)
        single = min((name for name in means if name not in SEARCHES), key=means.__getitem__)
        baseline = min(BASELINES, key=means.__getitem__)
        rivals = {"best single structure": single, "better baseline": baseline}
        for search, (what, other) in product(SEARCHES, rivals.items()):
            mean, error, half = difference(found[search], found[other])
            allowed = half if what == "better baseline" else error
            # If one split alone differs, the difference equals its standard error but for rounding.
            verdict = "passed" if mean <= allowed * (1 + 1e-9) else "failed"
            if np.isnan(error):
                verdict = "undecided with one split"
            chosen = ", ".join(record["structure"] for record in found[search])
            findings.append(
                f"{data}, {search} ({chosen}), against the {what}, {other}: {mean:+.4f}, standard "
                f"error {error:.4f}: {verdict}."
            )
    seconds = ", ".join(
        f"{data} {np.mean([record['seconds'] for record in found[ONE_SE]]):.0f}"
        for data, found in by_data.items()
    )
    findings.append(f"Seconds of processor time of a search on one thread: {seconds}.")
    table = report.table(methods, columns, n_left=1)
    notes = report.bullets("\n\n".join(findings))
    return f"{table}\n\n{notes}"


def _cell(found: dict[str, list[Record]], method: str) -> str:
    return report.mean_and_sd([record["error"] for record in found[method]], 4)


if __name__ == "__main__":
    main()
