"""Do prediction intervals hold what they promise, task by task?

``python -m benchmarks.coverage [--data simulated school rand] [--seeds 10] [--level 0.9]``

Protocol, written before any coverage was seen.

- Data: *simulated*: 60 tasks, 12 each with 5, 10, 20, 50 and 100 rows, 10 standard normal features,
  coefficients around a common mean, intercepts around 0, and normal noise whose standard deviation
  differs between tasks (lognormal, spread 0.5); 200 further rows of each task are the test rows.
  *School*: exam scores of 139 schools; *RAND*: the logarithm of the expense of person-years with
  one, in 6 sites, features standardised. Of School and RAND half of each task's rows are test rows;
  rows of one person are on one side.
- Estimator: ``PooledTaskRegressor(0.001, intercept="shrunk")``, common coefficients with a weak
  ridge and shrunk intercepts, which is close to the mixed model.
- Methods: ``TaskConformalRegressor`` with "split" and "cv+" and its three poolings; "mapie": CV+ of
  MAPIE on a separate ridge of each task (tasks with fewer than 20 training rows are left out), if
  MAPIE is installed; "mixed model": normal intervals of a linear mixed model with random intercepts
  by statsmodels, from its residual variance and the variance of a task's predicted intercept, if
  statsmodels is installed.
- Scores: the share of test labels inside, over all test rows; by task, the mean and the standard
  deviation over tasks of that share, by the tasks' number of training rows; the mean width of
  finite intervals in standard deviations of the test labels, and the share of infinite ones.
- Means over seeds with 95% t intervals; for School and RAND they allow for the overlap of the
  splits (Nadeau and Bengio 2003).
"""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from sklearn.linear_model import RidgeCV
from sklearn.preprocessing import StandardScaler

from benchmarks._command import Command
from benchmarks._methods import run_all
from benchmarks._report import half_width, markdown_table, section, write_raw
from skmtl import PooledTaskRegressor
from skmtl.datasets import load_npz
from skmtl.inference import TaskConformalRegressor
from skmtl.model_selection import StratifiedTaskKFold

Array = NDArray[Any]
Record = dict[str, Any]

DATA = ("simulated", "school", "rand")
# Upper limits of the numbers of training rows in the columns of the table.
SIZES = {"simulated": (5, 10, 20, 50, 100), "school": (30, 60, 999), "rand": (99_999,)}
_LEAST_ALONE = 20


@dataclass(frozen=True)
class Problem:
    """Training and test rows with the task ids in the last column, and the persons of the former.

    Attributes
    ----------
    ratio : float
        Test rows per training row, if the seeds' data overlap; else 0.
    """

    X: Array
    y: Array
    X_test: Array
    y_test: Array
    groups: Array | None = None
    ratio: float = 0.0


def simulate(seed: int, n_test: int = 200, copies: int = 12) -> Problem:
    """Tasks of 5 to 100 rows with unequal noise."""
    rng = np.random.default_rng(seed)
    sizes = np.repeat(SIZES["simulated"], copies)
    mean = rng.normal(size=10)
    parts: list[tuple[Array, Array, Array, Array]] = []
    for task, n in enumerate(sizes):
        w, b = mean + 0.3 * rng.normal(size=10), rng.normal()
        X = rng.normal(size=(n + n_test, 10))
        y = X @ w + b + np.exp(0.5 * rng.normal()) * rng.normal(size=len(X))
        X = np.column_stack([X, np.full(len(X), task)])
        parts.append((X[:n], y[:n], X[n:], y[n:]))
    return Problem(*(np.concatenate(each) for each in zip(*parts, strict=True)))


def read(data: str, home: Any, seed: int) -> Problem:
    """Half of the rows of each task of a real data set for training."""
    groups = None
    if data == "school":
        bunch = load_npz(home / "school.npz")
        X, y, tasks = bunch.X, bunch.y, bunch.task
    else:
        bunch = load_npz(home / "rand_hie.npz")
        spent = bunch.expense > 0
        X, y, tasks = bunch.X[spent], np.log(bunch.expense[spent]), bunch.site[spent]
        groups = bunch.person[spent]
    X = StandardScaler().fit_transform(X)
    stacked = np.column_stack([X, np.unique(tasks, return_inverse=True)[1]])
    halves = StratifiedTaskKFold(2, task_column=-1, random_state=seed)
    train, test = next(halves.split(stacked, None, groups))
    own = None if groups is None else groups[train]
    return Problem(stacked[train], y[train], stacked[test], y[test], own, 1.0)


def intervals(problem: Problem, level: float, seed: int) -> Iterator[tuple[str, Array]]:
    """The intervals (n_test, 2) of every method for the test rows; NaN where there is none."""
    inner = PooledTaskRegressor(0.001, task_column=-1, intercept="shrunk")
    for method in ("split", "cv+"):
        for pooling in ("shrunk", "shared", "task"):
            model = TaskConformalRegressor(
                inner,
                method=method,
                pooling=pooling,
                confidence_level=level,
                random_state=seed,
            )
            model.fit(problem.X, problem.y, groups=problem.groups)
            yield f"{method}, {pooling}", model.predict_interval(problem.X_test)
    if find_spec("mapie"):
        yield "mapie, each task", _mapie(problem, level)
    if find_spec("statsmodels"):
        yield "mixed model", _mixed_model(problem, level)


def _mapie(problem: Problem, level: float) -> Array:
    """CV+ of a separate ridge for each task."""
    from mapie.regression import CrossConformalRegressor

    ends = np.full((len(problem.y_test), 2), np.nan)
    for task in np.unique(problem.X[:, -1]):
        rows, new = problem.X[:, -1] == task, problem.X_test[:, -1] == task
        if rows.sum() < _LEAST_ALONE or not new.any():
            continue
        model = CrossConformalRegressor(
            RidgeCV(np.logspace(-2, 4, 13)), confidence_level=level, cv=5, method="plus"
        )
        model.fit_conformalize(problem.X[rows, :-1], problem.y[rows])
        ends[new] = model.predict_interval(problem.X_test[new, :-1])[1][:, :, 0]
    return ends


def _mixed_model(problem: Problem, level: float) -> Array:
    """Normal intervals of a random-intercept model."""
    from statsmodels.regression.mixed_linear_model import MixedLM

    tasks = problem.X[:, -1].astype(int)
    features = np.column_stack([np.ones(len(tasks)), problem.X[:, :-1]])
    used = np.r_[True, features[:, 1:].std(axis=0) > 0]
    fit = MixedLM(problem.y, features[:, used], groups=tasks).fit()
    noise, spread = fit.scale, float(np.asarray(fit.cov_re)[0, 0])
    new = problem.X_test[:, -1].astype(int)
    effects = np.array([float(np.asarray(fit.random_effects[t])[0]) for t in np.unique(tasks)])
    counts = np.bincount(tasks)
    own = spread * noise / (noise + counts * spread)  # of the intercept, given its labels
    rows = np.column_stack([np.ones(len(new)), problem.X_test[:, :-1]])[:, used]
    centre = rows @ fit.fe_params + effects[new]
    half = stats.norm.ppf((1 + level) / 2) * np.sqrt(noise + own[new])
    return np.column_stack([centre - half, centre + half])


def run(data: str, home: Any, seed: int, level: float) -> list[Record]:
    """The scores of all methods on the data of one seed."""
    problem = simulate(seed) if data == "simulated" else read(data, home, seed)
    counts = np.bincount(problem.X[:, -1].astype(int))
    tasks, y = problem.X_test[:, -1].astype(int), problem.y_test
    records = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tasks without an interval, and of statsmodels
        for name, ends in intervals(problem, level, seed):
            known = ~np.isnan(ends[:, 0])
            inside = (ends[:, 0] <= y) & (y <= ends[:, 1])
            finite = known & np.isfinite(ends).all(axis=1)
            width = (ends[finite, 1] - ends[finite, 0]).mean() / y.std() if finite.any() else np.nan
            shares = {t: inside[(tasks == t) & known].mean() for t in np.unique(tasks[known])}
            records.append(
                {
                    "data": data,
                    "method": name,
                    "seed": seed,
                    "ratio": problem.ratio,
                    "covered": float(inside[known].mean()) if known.any() else np.nan,
                    "width": float(width),
                    "infinite": float(1 - finite.sum() / max(known.sum(), 1)),
                    "tasks": [[int(counts[t]), float(share)] for t, share in shares.items()],
                }
            )
    return records


def rows_of(records: list[Record], data: str) -> list[list[str]]:
    """The table of one data set."""
    mine = [record for record in records if record["data"] == data]
    rows = []
    for method in dict.fromkeys(record["method"] for record in mine):
        own = [record for record in mine if record["method"] == method]
        covered = np.array([record["covered"] for record in own])
        error = half_width(covered, own[0]["ratio"])
        pairs = np.array([pair for record in own for pair in record["tasks"]]).reshape(-1, 2)
        cells, low = [], 0
        for high in SIZES[data]:
            part = pairs[(pairs[:, 0] > low) & (pairs[:, 0] <= high), 1]
            low = high
            cells.append(f"{part.mean():.3f} ({part.std():.3f})" if len(part) else "-")
        width = np.nanmean([record["width"] for record in own])
        infinite = np.mean([record["infinite"] for record in own])
        rows.append(
            [method, f"{covered.mean():.3f} ± {error:.3f}", *cells]
            + ["-" if np.isnan(width) else f"{width:.2f}", f"{infinite:.0%}"]
        )
    return rows


def main(argv: Sequence[str] | None = None) -> list[Record]:
    """Run the command line."""
    command = Command("coverage", __doc__)
    command.common("data-home", "jobs", "json", "quick")
    command.common("seeds", default=10, help="number of data sets or splits (default 10)")
    command.add_argument("--data", nargs="+", choices=DATA, default=list(DATA))
    command.add_argument("--level", type=float, default=0.9, help="confidence level (default 0.9)")
    arguments = command.read(argv)
    seeds = 1 if arguments.quick else arguments.seeds
    units = [
        (data, arguments.data_home, seed, arguments.level)
        for data in arguments.data
        for seed in range(seeds)
    ]
    found = run_all(run, units, {}, arguments.jobs, "{0}, seed {2}")
    records = [record for each in found for record in each]
    for data in arguments.data:
        sizes, low = [], 0
        for high in SIZES[data]:
            sizes.append(f"{low + 1} to {high} rows" if high < 999 else f"more than {low}")
            low = high
        header = ["method", "covered", *sizes, "width", "infinite"]
        table = markdown_table(header, rows_of(records, data), n_left=1)
        print(section(f"Coverage at level {arguments.level}: {data}", table, _NOTES), "\n")
    write_raw(arguments, ("data", "level", "seeds"), {"records": records})
    return records


_NOTES = """
Covered: share of all test labels. By number of training rows: mean (standard deviation) over tasks.
Width: of finite intervals, in standard deviations of the test labels.
"""


if __name__ == "__main__":
    main()
