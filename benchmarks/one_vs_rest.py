"""Multi-task against single-task learning: real digits, and made tasks with known truth.

Run ``python -m benchmarks.one_vs_rest``. The tables go to stdout as Markdown, progress to stderr.
"""

import argparse
from collections.abc import Sequence
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any

import joblib

from benchmarks import _experiments
from benchmarks._experiments import (
    MAKERS,
    N_CLUSTERS,
    N_FEATURES,
    N_FEATURES_C,
    N_FOLDS,
    N_INFORMATIVE,
    N_TASKS,
    N_TASKS_C,
    Record,
    Unit,
)
from benchmarks._methods import (
    BLOCK_SPARSE,
    CLUSTERS,
    FAMILIES,
    INDEPENDENT_LASSO,
    INDEPENDENT_RIDGE,
    METHODS,
)
from benchmarks._report import bullet, environment, markdown_table, mean_and_sd, run_all, write_json
from benchmarks._tuning import CLUSTER, N_NESTED, NORM, RIDGE

N_TRAIN = {"digits": (50, 150, 500), "mnist": (500, 2000)}
N_LABELS = (20, 50, 150)
# Five rows of each digit and two labels of each task, for five folds.
MIN_TRAIN, MIN_LABELS = 50, 10
# What the picture maps, from top to bottom.
MAPPED = (BLOCK_SPARSE, INDEPENDENT_LASSO, INDEPENDENT_RIDGE)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the benchmark as the command line says."""
    arguments, bunch = _read_arguments(argv)
    seeds = range(arguments.seeds)
    units = [
        Unit("digits", n, seed, family, arguments.data, arguments.data_home)
        for n, seed, family in product(arguments.n_train, seeds, FAMILIES)
    ]
    units += [Unit(*each) for each in product(MAKERS, arguments.n_labels, seeds, FAMILIES)]
    # The longest first, lest one process be left working alone.
    units.sort(key=lambda unit: (unit.table != "digits", -unit.n))
    jobs = min(arguments.jobs, len(units))
    results = run_all(_experiments.run, units, jobs=jobs, warm_up=_experiments.warm_up)
    records: dict[str, list[Record]] = {table: [] for table in ("digits", *MAKERS)}
    for unit, found, _ in results:
        records[unit.table] += found
    for table in records.values():
        table.sort(key=lambda r: (r["n"], METHODS.index(r["method"]), r["seed"]))

    sections = (
        _digits_section(records["digits"], arguments, bunch),
        _made_section(records["made"], arguments),
        _structures_section(records, arguments),
        _all_section(),
    )
    print("\n\n".join(sections))
    if arguments.json:
        settings = {name: getattr(arguments, name) for name in ("data", "n_train", "n_labels")}
        write_json(
            arguments.json,
            {"arguments": settings | {"seeds": arguments.seeds}} | environment(jobs) | records,
        )
    if arguments.plot:
        from benchmarks._plots import draw

        n_mapped = max(arguments.n_train)
        coefs = {
            row.method: row.coef
            for unit, _, rows in results
            for row in rows
            if (unit.table, unit.n, unit.seed) == ("digits", n_mapped, 0) and row.method in MAPPED
        }
        draw(
            arguments.plot,
            records,
            {method: coefs[method] for method in MAPPED},
            image_shape=bunch.image_shape,
            data=arguments.data,
            n_mapped=n_mapped,
        )


def _read_arguments(argv: Sequence[str] | None) -> tuple[argparse.Namespace, Any]:
    """Parse and check the command line; return it and the digits."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.one_vs_rest", description=__doc__)
    add = parser.add_argument
    add(
        "--data",
        choices=("digits", "mnist"),
        default="digits",
        help="the digits of table (a); mnist takes long",
    )
    add("--data-home", metavar="DIR", help="folder with the files of MNIST")
    add("--n-train", type=int, nargs="+", metavar="N", help="training rows of table (a)")
    add("--n-labels", type=int, nargs="+", metavar="N", help="labels per task of (b), (c)")
    add("--seeds", type=int, metavar="N", help="number of repetitions (default 3)")
    add("--jobs", type=int, metavar="N", default=joblib.cpu_count(), help="processes (all cores)")
    add("--json", type=Path, metavar="FILE", help="write the raw numbers")
    add("--plot", type=Path, metavar="FILE", help="draw the picture; the name says the format")
    add("--quick", action="store_true", help="a look: one small size, one seed")
    arguments = parser.parse_args(argv)

    quick, sizes = arguments.quick, N_TRAIN[arguments.data]
    arguments.n_train = sorted(set(arguments.n_train or (sizes[:1] if quick else sizes)))
    arguments.n_labels = sorted(set(arguments.n_labels or (N_LABELS[:1] if quick else N_LABELS)))
    arguments.seeds = (1 if quick else 3) if arguments.seeds is None else arguments.seeds
    for name, least in {"seeds": 1, "jobs": 1}.items():
        if getattr(arguments, name) < least:
            parser.error(f"--{name} must be at least {least}, got {getattr(arguments, name)}")
    if arguments.n_labels[0] < MIN_LABELS:
        parser.error(
            f"--n-labels must be at least {MIN_LABELS}, for {N_FOLDS} folds, got "
            f"{arguments.n_labels[0]}"
        )
    for option in ("json", "plot"):
        path = getattr(arguments, option)
        if path is not None and not path.resolve().parent.is_dir():
            parser.error(f"--{option}: there is no folder {path.parent}")
    if arguments.plot:
        if find_spec("matplotlib") is None:
            parser.error('--plot needs matplotlib: pip install "skmtl[plot]"')
        from benchmarks._plots import check_format

        if problem := check_format(arguments.plot):
            parser.error(f"--plot: {problem}")
    try:
        bunch = _experiments.load(arguments.data, arguments.data_home)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    available, kept = _experiments.n_available(bunch)
    if not MIN_TRAIN <= arguments.n_train[0] <= arguments.n_train[-1] <= available - kept:
        parser.error(
            f"--n-train must be between {MIN_TRAIN} ({N_FOLDS} rows of each digit) and "
            f"{available - kept} ({available} rows"
            + (f", {kept} of them kept for testing" if kept else "")
            + f"), got {' '.join(map(str, arguments.n_train))}"
        )
    return arguments, bunch


def _digits_section(records: list[Record], arguments: argparse.Namespace, bunch: Any) -> str:
    """Table (a) and its notes."""
    columns = {
        "accuracy, %": ("accuracy", 1, 100.0),
        "mean AUC, %": ("auc", 2, 100.0),
        "features used": ("features", 1, 1.0),
        "seconds": ("seconds", 1, 1.0),
    }
    n_pixels = bunch.data.shape[1]
    if arguments.data == "mnist":
        title, test = "MNIST", "the official test part, 10000 rows"
    else:
        title = "scikit-learn's digits"
        test = f"all other rows of the {len(bunch.target)}"
    return "\n".join(
        [
            f"### (a) One-vs-rest on {title}: {n_pixels} pixels, 10 tasks",
            "",
            _table("training rows", records, columns),
            "",
            bullet(
                f"{_repetitions(arguments)}; each draws its own training rows, every digit in "
                f"proportion. Test part: {test}."
            ),
            bullet(
                "Accuracy: the digit with the largest of the ten scores. AUC: the mean of the ten, "
                "digit against rest. Features used: pixels with a non-zero coefficient for any "
                "digit (a pixel that never varies has none)."
            ),
            bullet(
                "Pooled ridge gives all digits the same coefficients. The ten labels of a row "
                "always sum to 1, so the best common coefficients are zero and it can only guess. "
                "It is the far end of sharing, and for one-vs-rest no contender."
            ),
        ]
    )


def _made_section(records: list[Record], arguments: argparse.Namespace) -> str:
    """Table (b) and its notes."""
    columns = {
        "coefficient error": ("error", 3, 1.0),
        "precision": ("precision", 2, 1.0),
        "recall": ("recall", 2, 1.0),
        "features used": ("features", 1, 1.0),
        "seconds": ("seconds", 1, 1.0),
    }
    return "\n".join(
        [
            f"### (b) Made regression tasks: {N_TASKS} tasks, {N_FEATURES} features, the same "
            f"{N_INFORMATIVE} matter to all",
            "",
            _table("labels per task", records, columns),
            "",
            bullet(
                f"`make_block_sparse(n, {N_FEATURES}, {N_TASKS}, n_informative={N_INFORMATIVE}, "
                f'layout="stacked")`: every task has rows of its own; noise of standard deviation '
                f"1. These data suit block sparsity by construction: the same features for all "
                f"tasks, with coefficients that have nothing else in common."
            ),
            bullet(f"{_repetitions(arguments)}, each with its own data."),
            bullet(
                "Coefficient error: `||W - W*|| / ||W*||` in the Frobenius norm, `W*` the truth; 0 "
                "is perfect, 1 is what W = 0 has. Precision and recall of the non-zero "
                "coefficients, feature by feature and task by task; a ridge selects nothing. "
                "Features used: by any task."
            ),
            bullet("Pooled ridge: one coefficient vector for all tasks, the far end of sharing."),
        ]
    )


def _structures_section(records: dict[str, list[Record]], arguments: argparse.Namespace) -> str:
    """Table (c), two kinds of data side by side, and its notes."""
    merged = [
        related
        | {
            "related": related["error"],
            "clustered": clustered["error"],
            "seconds": related["seconds"] + clustered["seconds"],
        }
        for related, clustered in zip(records["related"], records["clustered"], strict=True)
    ]
    columns = {
        "error, related tasks": ("related", 3, 1.0),
        "error, clustered tasks": ("clustered", 3, 1.0),
        "seconds": ("seconds", 1, 1.0),
    }
    return "\n".join(
        [
            f"### (c) Made regression tasks: {N_TASKS_C} tasks, {N_FEATURES_C} features, related "
            f"or in {N_CLUSTERS} clusters",
            "",
            _table("labels per task", merged, columns),
            "",
            bullet(
                f"`make_related_tasks(n, {N_FEATURES_C}, {N_TASKS_C})`: coefficients correlated "
                f"across tasks, mostly along two directions, with relations of both signs. "
                f"`make_clustered_tasks(n, {N_FEATURES_C}, {N_TASKS_C}, n_clusters={N_CLUSTERS})`: "
                f"coefficients near their cluster's centre. Both stacked, every task with rows of "
                f"its own, noise of standard deviation 1. All features matter: nothing here is "
                f"sparse. These data suit the last two methods by construction."
            ),
            bullet(f"{_repetitions(arguments)}, each with its own data. Error: as in (b)."),
        ]
    )


def _all_section() -> str:
    """The notes on all tables."""
    return "\n".join(
        [
            "All tables:",
            "",
            bullet(
                f"Strengths are chosen by {N_FOLDS}-fold cross-validation on the training rows "
                f"alone, by log loss in (a) and squared error in (b) and (c), on the same "
                f"stratified folds for all methods. Lasso and block-sparse: steps of 10^(1/4) down "
                f"from `alpha_max`. All others: steps of 10^(1/2) down from about 10 times the "
                f"largest eigenvalue of the features' covariance. A path ends {NORM.patience} "
                f"steps after its best ({RIDGE.patience} in steps of 10^(1/2)), for clustered and "
                f"relation not before the loss is {CLUSTER.rise:.0%} above its least."
            ),
            bullet(
                f"Independent ridge: one strength for all tasks or one for each, whichever wins a "
                f"nested {N_NESTED}-fold cross-validation. All others: one for all. 1 s.e.: the "
                f"largest strength within one standard error of the best. Clustered: "
                f"chosen too are n_clusters, {_values('n_clusters')}, and then between, "
                f"{_values('between')}."
            ),
            bullet(
                "Seconds: processor time of cross-validation and the final fit, on one thread; "
                "without the nested cross-validation, which is the benchmark's and no user's."
            ),
        ]
    )


def _values(name: str) -> str:
    return " or ".join(map(str, CLUSTERS[name]))


def _repetitions(arguments: argparse.Namespace) -> str:
    if arguments.seeds == 1:
        return "One seed"
    return f"Mean ± standard deviation over {arguments.seeds} seeds"


def _table(size: str, records: list[Record], columns: dict[str, tuple[str, int, float]]) -> str:
    """One row per size and method; the size is written once."""
    rows, previous = [], None
    for n, method in dict.fromkeys((record["n"], record["method"]) for record in records):
        group = [r for r in records if (r["n"], r["method"]) == (n, method)]
        cells = [
            mean_and_sd([record[key] for record in group], digits, scale)
            for key, digits, scale in columns.values()
        ]
        rows.append(["" if n == previous else str(n), method, *cells])
        previous = n
    return markdown_table([size, "method", *columns], rows)


if __name__ == "__main__":
    main()
