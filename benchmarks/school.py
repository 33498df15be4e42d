"""School, the field's most used data: families against no sharing and against pooling.

Run ``python -m benchmarks.school``. The tables go to stdout as Markdown, progress to stderr. The
data, school.npz and school_splits.npz, are read from the folder named by --data-home, by default
by the environment variable SKMTL_DATA, or ../shared/data.
"""

import argparse
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from scipy import stats
from sklearn.utils import Bunch
from threadpoolctl import threadpool_limits

from benchmarks import _tuning
from benchmarks._methods import tune
from benchmarks._report import bullet, environment, markdown_table, mean_and_sd, run_all, write_json
from benchmarks._tuning import Problem, Rule, one_for_all, one_for_all_or_each, squared_loss
from skmtl import (
    BlockSparseRegressor,
    ClusteredTaskRegressor,
    IndependentTaskRegressor,
    PooledTaskRegressor,
    TaskRelationRegressor,
)
from skmtl.datasets import load_school, make_clustered_tasks
from skmtl.inspection._transfer_result import corrected_error
from skmtl.metrics import r2_score, root_mean_squared_error

Array = NDArray[Any]
Record = dict[str, Any]

N_FOLDS = 5
# The flat optimum moves with loose fits: tighter than elsewhere, above all the final one.
PATH_TOL, FINAL_TOL = 1e-4, 1e-6
LEVEL = 0.95

INDEPENDENT = "independent"
POOLED_COMMON = "pooled, common intercept"
POOLED = "pooled, task intercepts"


@dataclass(frozen=True)
class Method:
    """An estimator, the way its alpha is chosen, and what else is."""

    estimator: type[Any]
    path: _tuning.Path
    fixed: dict[str, Any]
    grid: dict[str, tuple[Any, ...]]
    rule: Rule = one_for_all


METHODS = {
    INDEPENDENT: Method(IndependentTaskRegressor, _tuning.RIDGE, {}, {}, one_for_all_or_each),
    POOLED_COMMON: Method(PooledTaskRegressor, _tuning.RIDGE, {"task_intercepts": False}, {}),
    POOLED: Method(PooledTaskRegressor, _tuning.RIDGE, {}, {}),
    "pooled, shrunk intercepts": Method(
        PooledTaskRegressor, _tuning.RIDGE, {}, {"intercept": (1.0, 3.0, 10.0, 30.0)}
    ),
    "block-sparse": Method(BlockSparseRegressor, _tuning.NORM, {}, {}),
    "clustered": Method(
        ClusteredTaskRegressor,
        _tuning.CLUSTER,
        {},
        {"n_clusters": (2, 3, 5), "between": (0.3, 0.1), "mean": (0.0, 0.01, 0.1)},
    ),
    "relation": Method(TaskRelationRegressor, _tuning.RELATION, {}, {"ridge": (0.0, 1.0)}),
}
# Mean over tasks of RMSE, as printed by Jeong and Jun.
PUBLISHED = {
    "LASSO": "12.05",
    "L1 + trace norm": "10.50",
    "GO-MTL": "10.19",
    "CMTL": "10.02",
    "VSTG": "9.89",
}


@dataclass(frozen=True)
class Unit:
    """What one worker does at a time."""

    split: int
    method: str
    data_home: str
    standardise: bool
    quick: bool

    def __str__(self) -> str:
        return f"split {self.split}: {self.method}"


def main(argv: Sequence[str] | None = None) -> None:
    """Run the benchmark as the command line says."""
    arguments, bunch = _read_arguments(argv)
    # The slowest first, lest one process be left working alone.
    units = [
        Unit(split, method, str(arguments.data_home), arguments.standardise, arguments.quick)
        for method, split in product(reversed(METHODS), range(arguments.splits))
    ]
    jobs = min(arguments.jobs, len(units))
    records: list[Record] = run_all(_run, units, jobs=jobs, warm_up=_warm_up)
    order = list(METHODS)
    records.sort(key=lambda record: (order.index(record["method"]), record["split"]))
    print(_report(records, bunch, arguments))
    if arguments.json:
        settings = {"splits": arguments.splits, "standardise": arguments.standardise}
        write_json(
            arguments.json, {"arguments": settings} | environment(jobs) | {"school": records}
        )


def _read_arguments(argv: Sequence[str] | None) -> tuple[argparse.Namespace, Bunch]:
    """Parse and check the command line; return it and the data."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.school", description=__doc__)
    home = os.environ.get("SKMTL_DATA") or Path(__file__).parents[2] / "shared" / "data"
    add = parser.add_argument
    add("--data-home", type=Path, metavar="DIR", default=home, help="folder with the data")
    add("--splits", type=int, metavar="N", help="how many of the splits (default: all)")
    add("--jobs", type=int, metavar="N", default=joblib.cpu_count(), help="processes (all cores)")
    add("--standardise", action="store_true", help="scale features by their training part")
    add("--json", type=Path, metavar="FILE", help="write the raw numbers")
    add("--quick", action="store_true", help="a look: two splits, alpha alone is chosen")
    arguments = parser.parse_args(argv)
    if arguments.json is not None and not arguments.json.resolve().parent.is_dir():
        parser.error(f"--json: there is no folder {arguments.json.parent}")
    if arguments.jobs < 1:
        parser.error(f"--jobs must be at least 1, got {arguments.jobs}")
    try:
        bunch = _load(str(arguments.data_home))
    except (OSError, ValueError) as error:
        parser.error(str(error))
    if bunch.splits is None:
        parser.error(f"there is no school_splits.npz in {arguments.data_home}")
    available = len(bunch.splits)
    if arguments.splits is None:
        arguments.splits = min(2, available) if arguments.quick else available
    if not 1 <= arguments.splits <= available:
        parser.error(f"--splits must be between 1 and {available}, got {arguments.splits}")
    return arguments, bunch


@lru_cache(maxsize=1)
def _load(data_home: str) -> Bunch:
    """Read School; number the schools from 0."""
    bunch = load_school(data_home)
    bunch.data[:, -1] = np.searchsorted(bunch.tasks, bunch.data[:, -1])
    return bunch


def _warm_up() -> None:
    """Load what the first fit of a process loads, so that no method pays for it."""
    made = make_clustered_tasks(5, 3, 4, layout="stacked", random_state=0)
    for method in METHODS.values():
        method.estimator(task_column=-1).fit(made.data, made.target)


def _run(unit: Unit) -> Record:
    """Choose and fit one method on one split's training part; judge it on the test part."""
    bunch, method = _load(unit.data_home), METHODS[unit.method]
    train, test = bunch.splits[unit.split]
    X, y = bunch.data, bunch.target
    if unit.standardise:
        X = X.copy()
        deviation = X[train, :-1].std(axis=0)
        X[:, :-1] -= X[train, :-1].mean(axis=0)
        X[:, :-1] /= np.where(deviation > 0, deviation, 1.0)
    problem = Problem(
        method.estimator(task_column=-1, tol=FINAL_TOL, **method.fixed),
        X[train],
        y[train],
        None,
        N_FOLDS,
        unit.split,
        squared_loss,
        method.path,
        PATH_TOL,
    )
    grid = {name: values[:1] for name, values in method.grid.items()} if unit.quick else method.grid
    # So small matrices are slower on several threads, some of them many times.
    with threadpool_limits(limits=1):
        (row,) = tune({unit.method: method.rule}, problem, grid)
    task = X[test, -1].astype(np.intp)
    predicted = np.einsum("ij,ij->i", X[test, :-1], row.coef[task]) + row.intercept[task]
    return {
        "method": unit.method,
        "split": unit.split,
        "explained_variance": float(r2_score(y[test], predicted, average="pooled")),
        "rmse": float(root_mean_squared_error(y[test], predicted, task=task)),
        "alpha": row.strength,
        "setting": row.setting,
        "seconds": row.seconds,
    }


def _report(records: list[Record], bunch: Bunch, arguments: argparse.Namespace) -> str:
    """The tables and their notes."""
    by_method = {
        method: [record for record in records if record["method"] == method] for method in METHODS
    }
    train, test = bunch.splits[0]
    ratio = len(test) / len(train)
    features = (
        "scaled to unit variance in the training part"
        if arguments.standardise
        else "as they are in the file, not scaled, as in the literature"
    )
    return "\n".join(
        [
            f"### School: {len(bunch.target)} pupils, {len(bunch.tasks)} schools, "
            f"{bunch.data.shape[1] - 1} features",
            "",
            _scores(by_method),
            "",
            bullet(
                f"Mean ± standard deviation over {arguments.splits} of the {len(bunch.splits)} "
                f"customary splits, {len(train)} rows for training and {len(test)} for testing. "
                f"Explained variance: of all test rows pooled, R2. Mean-task RMSE: the root mean "
                f"squared error of each school, averaged over schools. Features: {features}, the "
                f"same for all methods."
            ),
            bullet(
                f"Everything is chosen on the training part by {N_FOLDS}-fold cross-validation "
                f"stratified by school, on the same folds for all methods, by the mean over "
                f"schools of the mean squared error: alpha in steps of 10^(1/2) (10^(1/4) for "
                f"block-sparse)" + ("." if arguments.quick else f", then one by one {_grids()}.")
            ),
            bullet(
                f"Independent: one alpha for all schools or one for each, whichever wins a nested "
                f"{_tuning.N_NESTED}-fold cross-validation. Final fits are solved to a duality gap "
                f"of {FINAL_TOL:g} times the null objective. Seconds: processor time of a split, "
                f"cross-validation and final fit on one thread (without the nested one)."
            ),
            *([] if arguments.quick else [bullet(f"Chosen most often: {_chosen(by_method)}.")]),
            "",
            "### Differences of mean-task RMSE on the same splits",
            "",
            _differences(by_method, ratio),
            "",
            bullet(
                f"Negative: better than the column's baseline. In brackets {LEVEL:.0%} t "
                f"intervals. The splits overlap, so that {arguments.splits} of them tell less than "
                f"as many independent ones: the variance of a mean counts 1 / {arguments.splits} + "
                f"n_test / n_train = {1 / arguments.splits + ratio:.2f} times (Nadeau and Bengio "
                f"2003), not {1 / arguments.splits:.2f} times."
            ),
            "",
            "### Published figures",
            "",
            markdown_table(
                ["method", "mean-task RMSE"],
                [[method, value] for method, value in PUBLISHED.items()],
                n_left=1,
            ),
            "",
            bullet(
                "J.-Y. Jeong and C.-H. Jun, Variable selection and task grouping for multi-task "
                "learning, KDD 2018, https://doi.org/10.1145/3219819.3219992. Protocols differ "
                "(splits, intercepts, tuning): only the order of magnitude compares. LASSO is the "
                "counterpart of the independent fits above."
            ),
        ]
    )


def _scores(by_method: dict[str, list[Record]]) -> str:
    """One row per method."""
    columns: dict[str, Callable[[list[Record]], str]] = {
        "explained variance, %": lambda r: mean_and_sd(
            [x["explained_variance"] for x in r], 2, 100.0
        ),
        "mean-task RMSE": lambda r: mean_and_sd([x["rmse"] for x in r], 3),
        "seconds": lambda r: f"{np.mean([x['seconds'] for x in r]):.1f}",
    }
    rows = [
        [method, *(cell(records) for cell in columns.values())]
        for method, records in by_method.items()
    ]
    return markdown_table(["method", *columns], rows, n_left=1)


def _differences(by_method: dict[str, list[Record]], ratio: float) -> str:
    """Each method minus a baseline, with the interval over splits."""
    rmse = {
        method: np.array([record["rmse"] for record in records])
        for method, records in by_method.items()
    }
    baselines = (INDEPENDENT, POOLED)
    rows = [
        [
            method,
            *(
                "-" if method == base else difference(values - rmse[base], ratio)
                for base in baselines
            ),
        ]
        for method, values in rmse.items()
    ]
    return markdown_table(["method", *(f"minus {base}" for base in baselines)], rows, n_left=1)


def difference(values: Array, ratio: float) -> str:
    """Format a mean of paired differences with its corrected t interval."""
    mean = f"{values.mean():+.3f}"
    if len(values) < 2:
        return mean
    half = stats.t.ppf((1 + LEVEL) / 2, len(values) - 1) * corrected_error(values, ratio)
    return f"{mean} [{values.mean() - half:+.3f}, {values.mean() + half:+.3f}]"


def _grids() -> str:
    """The parameters other than alpha, and their values."""
    told = []
    for name, method in METHODS.items():
        values = [f"{key} {'/'.join(map(str, each))}" for key, each in method.grid.items()]
        if values:
            told.append(f"{name}: {', '.join(values)}")
    return "; ".join(told)


def _chosen(by_method: dict[str, list[Record]]) -> str:
    """How often the parameters other than alpha were chosen as they mostly were."""
    told = []
    for method, records in by_method.items():
        values = []
        for name in METHODS[method].grid:
            value, times = Counter(record["setting"][name] for record in records).most_common(1)[0]
            values.append(f"{name} {value} ({times} times)")
        if values:
            told.append(f"{method}: {', '.join(values)}")
    return "; ".join(told)


if __name__ == "__main__":
    main()
