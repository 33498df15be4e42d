"""Multi-task estimators on the School data, compared with independent and with pooled fits.

Run ``python -m benchmarks.school``. The tables go to stdout as Markdown, progress to stderr. The
data, school.npz and school_splits.npz, are read from the folder named by --data-home, by default
by the environment variable SKMTL_DATA, or ../shared/data.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from itertools import product
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from benchmarks import _report as report
from benchmarks._command import Command
from benchmarks._methods import Method, Record, by_name, grids, run_all, tune
from benchmarks._report import LEVEL
from benchmarks._tuning import (
    CLUSTER,
    N_NESTED,
    NORM,
    RIDGE,
    TRACE,
    Array,
    Problem,
    one_for_all_or_each,
    predict,
)
from skmtl.datasets import load_school
from skmtl.metrics import r2_score, root_mean_squared_error

N_FOLDS = 5
# The objective is flat near its optimum, so loose fits change the errors: use tighter tolerances
# than in the other benchmarks, above all for the final fit.
PATH_TOL, FINAL_TOL = 1e-4, 1e-6

INDEPENDENT, POOLED = "independent", "pooled, task intercepts"
METHODS = by_name(
    Method(INDEPENDENT, "IndependentTask", RIDGE, rule=one_for_all_or_each),
    Method("pooled, common intercept", "PooledTask", RIDGE, fixed={"task_intercepts": False}),
    Method(POOLED, "PooledTask", RIDGE),
    Method(
        "pooled, shrunk intercepts", "PooledTask", RIDGE, grid={"intercept": (1.0, 3.0, 10.0, 30.0)}
    ),
    Method("block-sparse", "BlockSparse", NORM),
    Method(
        "clustered",
        "ClusteredTask",
        CLUSTER,
        grid={"n_clusters": (2, 3, 5), "between": (0.3, 0.1), "mean": (0.0, 0.01, 0.1)},
    ),
    Method("relation", "TaskRelation", TRACE, grid={"ridge": (0.0, 1.0)}),
)
# Mean over tasks of the RMSE, as published by Jeong and Jun.
PUBLISHED = {
    "LASSO": "12.05",
    "L1 + trace norm": "10.50",
    "GO-MTL": "10.19",
    "CMTL": "10.02",
    "VSTG": "9.89",
}


def main(argv: Sequence[str] | None = None) -> None:
    """Run the benchmark with the options of the command line."""
    arguments, bunch = _read_arguments(argv)
    # Start the slowest methods first, so that all processes finish at about the same time.
    units = list(product(reversed(METHODS), range(arguments.splits)))
    arguments.jobs = min(arguments.jobs, len(units))
    run = partial(_run, arguments)
    records: list[Record] = run_all(run, units, METHODS, arguments.jobs, "split {1}: {0}")
    order = list(METHODS)
    records.sort(key=lambda record: (order.index(record["method"]), record["split"]))
    print(_report(records, bunch, arguments))
    report.write_raw(arguments, ("splits", "standardise"), {"school": records})


def _read_arguments(argv: Sequence[str] | None) -> tuple[argparse.Namespace, Bunch]:
    """Parse and check the command line; return it and the data."""
    command = Command("school", __doc__)
    command.common("data-home", "jobs", "json")
    command.common("quick", help="short run: two splits, only alpha is selected")
    add = command.add_argument
    add("--splits", type=int, metavar="N", help="number of splits (default: all)")
    add("--standardise", action="store_true", help="scale features using the training part")
    arguments = command.read(argv)
    try:
        bunch = _load(arguments.data_home)
    except (OSError, ValueError) as error:
        command.error(str(error))
    if bunch.splits is None:
        command.error(f"there is no school_splits.npz in {arguments.data_home}")
    available = len(bunch.splits)
    if arguments.splits is None:
        arguments.splits = min(2, available) if arguments.quick else available
    if not 1 <= arguments.splits <= available:
        command.error(f"--splits must be between 1 and {available}, got {arguments.splits}")
    return arguments, bunch


@lru_cache(maxsize=1)
def _load(data_home: Path) -> Bunch:
    """Read School; number the schools from 0."""
    bunch = load_school(data_home)
    bunch.data[:, -1] = np.searchsorted(bunch.tasks, bunch.data[:, -1])
    return bunch


def _run(arguments: argparse.Namespace, name: str, split: int) -> Record:
    """Tune and fit one method on the training part of a split, and score it on the test part."""
    bunch, method = _load(arguments.data_home), METHODS[name]
    train, test = bunch.splits[split]
    X, y = bunch.data, bunch.target
    if arguments.standardise:
        X = X.copy()
        deviation = X[train, :-1].std(axis=0)
        X[:, :-1] -= X[train, :-1].mean(axis=0)
        X[:, :-1] /= np.where(deviation > 0, deviation, 1.0)
    model = method.make(tol=FINAL_TOL)
    problem = Problem(model, X[train], y[train], method.path, N_FOLDS, split, path_tol=PATH_TOL)
    (row,) = tune(method, problem, quick=arguments.quick)
    predicted, task = predict(row.coef, row.intercept, X[test]), X[test, -1].astype(np.intp)
    return row.record() | {
        "split": split,
        "explained_variance": float(r2_score(y[test], predicted, average="pooled")),
        "rmse": float(root_mean_squared_error(y[test], predicted, task=task)),
    }


def _report(records: list[Record], bunch: Bunch, arguments: argparse.Namespace) -> str:
    """The tables and their notes."""
    by_method = {
        method: [record for record in records if record["method"] == method] for method in METHODS
    }
    train, test = bunch.splits[0]
    ratio, n_splits = len(test) / len(train), arguments.splits
    features = (
        "scaled to unit variance in the training part"
        if arguments.standardise
        else "not scaled, as in the literature"
    )
    others = "." if arguments.quick else f", then one parameter at a time. {grids(METHODS)}."
    scores = report.section(
        f"School: {len(bunch.target)} pupils, {len(bunch.tasks)} schools, "
        f"{bunch.data.shape[1] - 1} features",
        _scores(by_method),
        f"""
        Mean ± standard deviation over {n_splits} of the {len(bunch.splits)} customary splits,
        {len(train)} rows for training and {len(test)} for testing. Explained variance: R2 of all
        test rows pooled. Mean-task RMSE: the root mean squared error of each school, averaged over
        schools. Features: {features}, and the same for all methods.

        All parameters are selected on the training part by {N_FOLDS}-fold cross-validation
        stratified by school, on the same folds for all methods, by the mean over schools of the
        mean squared error: alpha in steps of 10^(1/2) (10^(1/4) for block-sparse){others}

        Independent: one alpha for all schools or one for each, whichever has the lower loss in a
        nested {N_NESTED}-fold cross-validation. Final fits are solved to a duality gap of
        {FINAL_TOL:g} times the null objective. Seconds: processor time per split for
        cross-validation and final fit on one thread (without the nested cross-validation).
        """
        + ("" if arguments.quick else f"\n\nSelected most often: {_selected(by_method)}."),
    )
    differences = report.section(
        "Differences of mean-task RMSE on the same splits",
        _differences(by_method, ratio),
        f"""
        Negative values: better than the column's baseline. Brackets: {LEVEL:.0%} t intervals. The
        splits overlap and are therefore not independent: the variance of the mean of {n_splits}
        splits is estimated by the variance between splits times 1 / {n_splits} + n_test / n_train =
        {1 / n_splits + ratio:.2f} (Nadeau and Bengio 2003) instead of {1 / n_splits:.2f}.
        """,
    )
    published = report.section(
        "Published figures",
        report.markdown_table(["method", "mean-task RMSE"], list(PUBLISHED.items()), n_left=1),
        """
        J.-Y. Jeong and C.-H. Jun, Variable selection and task grouping for multi-task learning, KDD
        2018, https://doi.org/10.1145/3219819.3219992. Protocols differ (splits, intercepts,
        tuning), so only orders of magnitude are comparable. LASSO is the counterpart of the
        independent fits above.
        """,
    )
    return "\n\n".join((scores, differences, published))


def _scores(by_method: dict[str, list[Record]]) -> str:
    """One row per method."""
    rows = []
    for method, records in by_method.items():
        explained, rmse, seconds = (
            [record[key] for record in records] for key in ("explained_variance", "rmse", "seconds")
        )
        scores = report.mean_and_sd(explained, 2, 100.0), report.mean_and_sd(rmse, 3)
        rows.append([method, *scores, f"{np.mean(seconds):.1f}"])
    header = ["method", "explained variance, %", "mean-task RMSE", "seconds"]
    return report.markdown_table(header, rows, n_left=1)


def _differences(by_method: dict[str, list[Record]], ratio: float) -> str:
    """Table of each method's RMSE minus a baseline's, with the interval over splits."""
    rmse = {
        method: np.array([record["rmse"] for record in records])
        for method, records in by_method.items()
    }

    def minus(base: str) -> Callable[[str], str]:
        return lambda m: "-" if m == base else difference(rmse[m] - rmse[base], ratio)

    columns = {"method": str} | {f"minus {base}": minus(base) for base in (INDEPENDENT, POOLED)}
    return report.table(rmse, columns, n_left=1)


def difference(values: Array, ratio: float) -> str:
    """Format a mean of paired differences with its corrected t interval."""
    mean, half = values.mean(), report.half_width(values, ratio)
    interval = "" if np.isnan(half) else f" [{mean - half:+.3f}, {mean + half:+.3f}]"
    return f"{mean:+.3f}{interval}"


def _selected(by_method: dict[str, list[Record]]) -> str:
    """The values most often selected for the parameters other than alpha, with their counts."""
    texts = []
    for method, records in by_method.items():
        values = []
        for name in METHODS[method].grid:
            value, times = Counter(record["setting"][name] for record in records).most_common(1)[0]
            values.append(f"{name} {value} ({times} times)")
        if values:
            texts.append(f"{method}: {', '.join(values)}")
    return "; ".join(texts)


if __name__ == "__main__":
    main()
