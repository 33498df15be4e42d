"""Multi-task against single-task learning on real digits and on simulated tasks.

Run ``python -m benchmarks.one_vs_rest``. The tables go to stdout as Markdown, progress to stderr.
"""

import argparse
from collections.abc import Sequence
from functools import partial
from itertools import product
from typing import Any

from benchmarks import _experiments
from benchmarks import _report as report
from benchmarks._command import Command
from benchmarks._experiments import (
    BLOCK_SPARSE,
    CLUSTERED,
    INDEPENDENT_LASSO,
    INDEPENDENT_RIDGE,
    MAKERS,
    METHODS,
    N_FOLDS,
    ROWS,
)
from benchmarks._methods import Record, run_all
from benchmarks._tuning import CLUSTER, N_NESTED, NORM, RIDGE

N_TRAIN = {"digits": (50, 150, 500), "mnist": (500, 2000)}
N_LABELS = (20, 50, 150)
# Five rows of each digit and two labels of each task, for five folds.
MIN_TRAIN, MIN_LABELS = 50, 10
# The columns of the tables: key, digits, scale.
COLUMNS = {
    "accuracy, %": ("accuracy", 1, 100.0),
    "mean AUC, %": ("auc", 2, 100.0),
    "coefficient error": ("error", 3, 1.0),
    "precision": ("precision", 2, 1.0),
    "recall": ("recall", 2, 1.0),
    "error, related tasks": ("related", 3, 1.0),
    "error, clustered tasks": ("clustered", 3, 1.0),
    "features used": ("features", 1, 1.0),
    "seconds": ("seconds", 1, 1.0),
}
# The methods whose coefficients the figure shows as maps, from top to bottom.
MAPPED = (BLOCK_SPARSE, INDEPENDENT_LASSO, INDEPENDENT_RIDGE)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the benchmark with the options of the command line."""
    arguments, bunch = _read_arguments(argv)
    seeds = range(arguments.seeds)
    units = [("digits", *each) for each in product(arguments.n_train, seeds, METHODS)]
    units += product(MAKERS, arguments.n_labels, seeds, METHODS)
    # Start the longest units first, so that all processes finish at about the same time.
    units.sort(key=lambda unit: (unit[0] != "digits", -unit[1]))
    arguments.jobs = min(arguments.jobs, len(units))
    run = partial(_experiments.run, arguments.data, arguments.data_home)
    results = run_all(run, units, METHODS, arguments.jobs, "{}, n = {}, seed {}: {}")
    records: dict[str, list[Record]] = {table: [] for table in ("digits", *MAKERS)}
    for (table, *_), (found, _) in zip(units, results, strict=True):
        records[table] += found
    for found in records.values():
        found.sort(key=lambda r: (r["n"], ROWS.index(r["method"]), r["seed"]))

    print(_digits_section(records["digits"], arguments, bunch), end="\n\n")
    print(_simulated_section(records["sparse"], arguments), end="\n\n")
    print(_structures_section(records, arguments), end="\n\n")
    print(_all_section())
    report.write_raw(arguments, ("data", "n_train", "n_labels", "seeds"), records)
    if arguments.plot:
        from benchmarks._plots import draw_one_vs_rest

        largest = ("digits", max(arguments.n_train), 0)
        rows = [
            row
            for unit, (_, rows) in zip(units, results, strict=True)
            for row in rows
            if unit[:3] == largest
        ]
        coefs = {name: row.coef for name in MAPPED for row in rows if row.method == name}
        what = "digits" if arguments.data == "digits" else "MNIST"
        draw_one_vs_rest(arguments.plot, records, coefs, bunch.image_shape, what)


def _read_arguments(argv: Sequence[str] | None) -> tuple[argparse.Namespace, Any]:
    """Parse and check the command line; return it and the digits."""
    command = Command("one_vs_rest", __doc__)
    add, digits = command.add_argument, ("digits", "mnist")
    add("--data", choices=digits, default="digits", help="data of table (a); mnist takes long")
    command.common("data-home", default=None, help="folder with the MNIST files")
    add("--n-train", type=int, nargs="+", metavar="N", help="training rows of table (a)")
    add("--n-labels", type=int, nargs="+", metavar="N", help="labels per task of (b), (c)")
    command.common("seeds", help="number of repetitions (default 3)")
    command.common("jobs", "json", "plot")
    command.common("quick", help="short run: one small size, one seed")
    arguments = command.read(argv)

    quick, sizes = arguments.quick, N_TRAIN[arguments.data]
    arguments.n_train = sorted(set(arguments.n_train or (sizes[:1] if quick else sizes)))
    arguments.n_labels = sorted(set(arguments.n_labels or (N_LABELS[:1] if quick else N_LABELS)))
    arguments.seeds = arguments.seeds or (1 if quick else 3)
    least = arguments.n_labels[0]
    if least < MIN_LABELS:
        command.error(f"--n-labels must be at least {MIN_LABELS}, for {N_FOLDS} folds, got {least}")
    try:
        bunch = _experiments.load(arguments.data, arguments.data_home)
    except (OSError, ValueError) as error:
        command.error(str(error))
    available, kept = _experiments.n_available(bunch)
    if not MIN_TRAIN <= arguments.n_train[0] <= arguments.n_train[-1] <= available - kept:
        command.error(
            f"--n-train must be between {MIN_TRAIN} ({N_FOLDS} rows of each digit) and "
            f"{available - kept} ({available} rows"
            + (f", {kept} of them kept for testing" if kept else "")
            + f"), got {' '.join(map(str, arguments.n_train))}"
        )
    return arguments, bunch


def _digits_section(records: list[Record], arguments: argparse.Namespace, bunch: Any) -> str:
    """Table (a) and its notes."""
    if arguments.data == "mnist":
        title, test = "MNIST", "the official test part, 10000 rows"
    else:
        title = "scikit-learn's digits"
        test = f"all other rows of the {len(bunch.target)}"
    return report.section(
        f"(a) One-vs-rest on {title}: {bunch.data.shape[1]} pixels, 10 tasks",
        _table("training rows", records),
        f"""
        {_repetitions(arguments)}; each draws its own training rows, stratified by digit. Test
        part: {test}.

        Accuracy: the predicted digit is the one with the largest of the ten scores. AUC: the mean
        of the ten one-vs-rest AUCs. Features used: pixels with a non-zero coefficient for any digit
        (a constant pixel has none).

        Pooled ridge gives all digits the same coefficients. The ten labels of a row always sum to
        1, so the best common coefficients are zero and it can only guess. It is included as the
        extreme of full sharing and is not a useful one-vs-rest classifier.
        """,
    )


def _simulated_section(records: list[Record], arguments: argparse.Namespace) -> str:
    """Table (b) and its notes."""
    d, n_tasks, n_informative = MAKERS["sparse"].keywords.values()
    return report.section(
        f"(b) Simulated regression tasks: {n_tasks} tasks, {d} features, the same "
        f"{n_informative} relevant to all",
        _table("labels per task", records),
        f"""
        `make_block_sparse(n, {d}, {n_tasks}, n_informative={n_informative},
        layout="stacked")`: every task has rows of its own; noise of standard deviation 1. These
        data suit block sparsity by construction: the same features are relevant to all tasks, and
        the coefficients have nothing else in common.

        {_repetitions(arguments)}, each with its own data.

        Coefficient error: `||W - W*|| / ||W*||` in the Frobenius norm, `W*` the true coefficients;
        0 is perfect, and W = 0 has error 1. Precision and recall refer to the non-zero entries of
        W; a ridge selects nothing. Features used: those with a non-zero coefficient for any task.

        Pooled ridge: one coefficient vector for all tasks, the extreme of full sharing.
        """,
    )


def _structures_section(records: dict[str, list[Record]], arguments: argparse.Namespace) -> str:
    """Table (c), with two kinds of data side by side, and its notes."""
    merged = []
    for related, clustered in zip(records["related"], records["clustered"], strict=True):
        errors = {"related": related["error"], "clustered": clustered["error"]}
        seconds = related["seconds"] + clustered["seconds"]
        merged.append({"n": related["n"], "method": related["method"], "seconds": seconds} | errors)
    d, n_tasks, n_clusters = MAKERS["clustered"].keywords.values()
    return report.section(
        f"(c) Simulated regression tasks: {n_tasks} tasks, {d} features, related or in "
        f"{n_clusters} clusters",
        _table("labels per task", merged),
        f"""
        `make_related_tasks(n, {d}, {n_tasks})`: coefficients correlated across tasks,
        mostly along two directions, with relations of both signs. `make_clustered_tasks(n,
        {d}, {n_tasks}, n_clusters={n_clusters})`: coefficients near their cluster's
        centre. Both stacked, every task with rows of its own, noise of standard deviation 1. All
        features are relevant: the coefficients are not sparse. These data suit the last two methods
        by construction.

        {_repetitions(arguments)}, each with its own data. Error: as in (b).
        """,
    )


def _all_section() -> str:
    """The notes on all tables."""
    n_clusters, between = (
        " or ".join(map(str, METHODS[CLUSTERED].grid[name])) for name in ("n_clusters", "between")
    )
    return "All tables:\n\n" + report.bullets(f"""
        Strengths are selected by {N_FOLDS}-fold cross-validation on the training rows alone, by log
        loss in (a) and squared error in (b) and (c), on the same stratified folds for all methods.
        Lasso and block-sparse: steps of 10^(1/4) down from `alpha_max`. All others: steps of
        10^(1/2) down from about 10 times the largest eigenvalue of the features' covariance. A path
        ends {NORM.patience} steps after its best ({RIDGE.patience} in steps of 10^(1/2)); for
        clustered and relation it continues at least until the loss is {CLUSTER.rise:.0%} above its
        minimum.

        Independent ridge: one strength for all tasks or one for each, whichever has the lower loss
        in a nested {N_NESTED}-fold cross-validation. All others: one for all. 1 s.e.: the largest
        strength within one standard error of the best. Clustered: n_clusters ({n_clusters}) is also
        selected, and then between ({between}).

        Seconds: processor time of cross-validation and the final fit, on one thread, without the
        nested cross-validation, which only the benchmark performs.
        """)


def _repetitions(arguments: argparse.Namespace) -> str:
    if arguments.seeds == 1:
        return "One seed"
    return f"Mean ± standard deviation over {arguments.seeds} seeds"


def _table(size: str, records: list[Record]) -> str:
    """One row per size and method, with the columns present in the records.

    A size is printed only in its first row.
    """
    columns = {name: column for name, column in COLUMNS.items() if column[0] in records[0]}
    rows, previous = [], None
    for n, method in dict.fromkeys((record["n"], record["method"]) for record in records):
        group = [r for r in records if (r["n"], r["method"]) == (n, method)]
        cells = [
            report.mean_and_sd([record[key] for record in group], digits, scale)
            for key, digits, scale in columns.values()
        ]
        rows.append(["" if n == previous else str(n), method, *cells])
        previous = n
    return report.markdown_table([size, "method", *columns], rows)


if __name__ == "__main__":
    main()
