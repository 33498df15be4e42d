"""How many labels does sharing save? Errors on two real data sets against the labels of a task.

Run ``python -m benchmarks.learning_curves [--plot FILE]``. The table goes to stdout as Markdown,
progress to stderr. It takes about ten minutes of processor time.

Protocol, written before any test error was computed:

* School: 139 schools with rows of their own, 5, 10 and 20 training rows each, tested on all rows
  that no training part of the seed contains. SARCOS: the torques of 7 joints, with 25, 50, 100 and
  200 common training rows, tested on the other rows. Training parts of a seed are nested.
* Three models: each task alone (IndependentTaskRegressor, one strength for all or one for each),
  one model for all tasks (PooledTaskRegressor, with an intercept for each task), and
  StructureSearchRegressorCV among these two, block-sparse, relation and clustered, with its default
  rule. All strengths are selected on the training rows, on the same five folds.
* Scaling and errors are those of ``benchmarks.tour``: the root mean squared error of a task
  divided by the standard deviation of y, averaged over tasks.
* Five seeds; means, and 95% t intervals of the differences from the search over seeds.

After a first run, with an earlier version of the package, had been seen, the search's default rule
was changed from refit="one_se" to refit="best". Seeds and the rest of the protocol are the same;
``--refit one_se`` runs the former rule.
"""

import argparse
import warnings
from collections.abc import Sequence
from functools import partial

import numpy as np

from benchmarks import _report as report
from benchmarks._command import Command
from benchmarks._methods import Record, run_all
from benchmarks._tour_data import SARCOS, SCHOOL, SOURCES, Data, read
from benchmarks._tuning import Array, squared_loss
from skmtl import StructureSearchRegressorCV

SIZES = {SCHOOL: (5, 10, 20), SARCOS: (25, 50, 100, 200)}
STRUCTURES = ("block_sparse", "relation", "clustered")
ALONE, POOLED, SEARCH = "each task alone", "one model for all tasks", "the data choose (skmtl)"
TITLES = {SCHOOL: "Exam scores in 139 schools", SARCOS: "Seven torques of a robot arm"}
METHODS = {ALONE: "independent", POOLED: "pooled", SEARCH: None}


def main(argv: Sequence[str] | None = None) -> None:
    """Run the benchmark with the options of the command line."""
    command = Command("learning_curves", __doc__)
    command.common("data-home", "jobs", "json", "plot")
    command.common("seeds", default=5)
    command.add_argument("--refit", default="best", choices=("best", "one_se"), help="the rule")
    arguments = command.read(argv)
    missing = [n for n in SIZES if not (arguments.data_home / SOURCES[n].file).is_file()]
    if missing:
        command.error(f"no data found in {arguments.data_home} for {', '.join(missing)}")
    units = [
        (name, n, seed) for name in SIZES for n in SIZES[name] for seed in range(arguments.seeds)
    ]
    run = partial(_run, arguments)
    found = run_all(run, units, {}, arguments.jobs, "{}, {} labels, seed {}")
    records = [record for part in found for record in part]
    print(_report(records))
    report.write_raw(arguments, ("seeds", "refit"), {"learning_curves": records})
    if arguments.plot is not None:
        from benchmarks._plots import draw_learning_curves

        draw_learning_curves(records, METHODS, TITLES, arguments.plot)


def rows_of(data: Data, sizes: Sequence[int], n: int, seed: int) -> tuple[Array, Array]:
    """Training rows, n of each task, and test rows, which no size uses for training."""
    order = np.random.default_rng(seed).permutation(len(data.X))
    if not data.stacked:
        return order[:n], order[max(sizes) :]
    task = data.X[order, -1]
    position = np.empty(len(order), dtype=np.intp)  # of a row among those of its task
    for t in np.unique(task):
        position[task == t] = np.arange(np.sum(task == t))
    return order[position < n], order[position >= max(sizes)]


def _run(arguments: argparse.Namespace, name: str, n: int, seed: int) -> list[Record]:
    """Fit the three models to n labels of each task, and score them on the test rows."""
    data = read(SOURCES[name], arguments.data_home)
    train, test = rows_of(data, SIZES[name], n, seed)
    scaled = data.scaled(train)
    X, y = scaled.X[train], scaled.y[train]
    task_column = -1 if data.stacked else None
    search = StructureSearchRegressorCV(
        list(STRUCTURES), refit=arguments.refit, task_column=task_column, random_state=0
    )
    units = data.units(train) / data.units(np.arange(len(data.y)))
    records = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search.fit(X, y)
        for method, structure in METHODS.items():
            model = search if structure is None else search.make(structure).fit(X, y)
            losses = squared_loss(model.coef_, model.intercept_, scaled.X[test], scaled.y[test])
            record = {"data": name, "n": n, "seed": seed, "method": method}
            record["error"] = float((np.sqrt(losses) * units).mean())
            record["structure"] = structure or search.best_structure_
            records.append(record)
    return records


def _report(records: list[Record]) -> str:
    def values(name: str, n: int, method: str) -> Array:
        key = (name, n, method)
        return np.array([r["error"] for r in records if (r["data"], r["n"], r["method"]) == key])

    rows = []
    for name, n in dict.fromkeys((r["data"], r["n"]) for r in records):
        errors = {method: values(name, n, method) for method in METHODS}
        cells = [name if n == SIZES[name][0] else "", str(n)]
        for method, found in errors.items():
            cell = f"{found.mean():.3f}"
            if method != SEARCH:
                difference = found - errors[SEARCH]
                half = report.half_width(difference)
                cell += f" ({difference.mean():+.3f} ± {half:.3f})"
            cells.append(cell)
        rows.append(cells)
    return report.section(
        "Errors with few labels",
        report.markdown_table(["data", "labels of a task", *METHODS], rows),
        """Error: the root mean squared error of a task divided by the standard deviation of y,
        averaged over tasks; means over seeds. In brackets the difference from the search, with a
        95% t interval over seeds.""",
    )


if __name__ == "__main__":
    main()
