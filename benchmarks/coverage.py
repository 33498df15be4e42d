"""Do prediction intervals and sets hold what they promise, task by task?

``python -m benchmarks.coverage [--data simulated school rand new sets] [--seeds 10] [--level 0.9]``

Protocol, written before any coverage was seen.

- Data: *simulated*: 60 tasks, 12 each with 5, 10, 20, 50 and 100 rows, 10 standard normal features,
  coefficients around a common mean, intercepts around 0, and normal noise whose standard deviation
  differs between tasks (lognormal, spread 0.5); 200 further rows of each task are the test rows.
  *School*: exam scores of 139 schools; *RAND*: the logarithm of the expense of person-years with
  one, in 6 sites; features mean-imputed and standardised. Of School and RAND half of each task's
  rows are test rows; rows of one person are on one side. *New*: 120 simulated tasks, every second
  of which is unknown to the fit; the test rows of these. *Sets*: as simulated, with two classes,
  whose log-odds are the labels without noise times a slope that differs between tasks (lognormal,
  spread 1).
- Estimator: ``PooledTaskRegressor(0.001, intercept="shrunk")``, common coefficients with a weak
  ridge and shrunk intercepts, which is close to the mixed model. For sets
  ``PooledTaskClassifier(0.001)``.
- Methods: ``TaskConformalRegressor``, and for sets ``TaskConformalClassifier``, with "split" and
  "cv+" and the three poolings; "mapie": CV+ of MAPIE on a separate ridge of each task (tasks with
  fewer than 20 training rows are left out), if MAPIE is installed; "mixed model": normal intervals
  of a linear mixed model with random intercepts by statsmodels, from its residual variance and the
  variance of a task's predicted intercept, if statsmodels is installed. For new tasks
  ``new_tasks="approximate"`` and "hierarchical" with pooling "shrunk", and the mixed model.
- Scores: the share of test labels inside, over all test rows; by task, the mean and the standard
  deviation over tasks of that share, by the tasks' number of training rows; the mean width of
  finite intervals in standard deviations of the test labels, and the share of infinite ones; of
  sets the mean number of classes, and the share of those with both.
- Seeds 1 to 10; seed 0, which ``--quick`` uses, was seen while the code was tried.
- Means over seeds with 95% t intervals; for School and RAND they allow for the overlap of the
  splits (Nadeau and Bengio 2003).
"""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.linalg import orth
from scipy.special import expit
from sklearn.impute import SimpleImputer
from sklearn.linear_model import RidgeCV
from sklearn.preprocessing import StandardScaler

from benchmarks._command import Command
from benchmarks._methods import run_all
from benchmarks._report import half_width, markdown_table, section, write_raw
from skmtl import PooledTaskClassifier, PooledTaskRegressor
from skmtl.inference import TaskConformalClassifier, TaskConformalRegressor
from skmtl.model_selection import StratifiedTaskKFold

Array = NDArray[Any]
Record = dict[str, Any]

DATA = ("simulated", "school", "rand", "new", "sets")
# Upper limits of the numbers of training rows in the columns of the table.
_ANY = 99_999
SIZES = {
    "simulated": (5, 10, 20, 50, 100),
    "school": (30, 60, _ANY),
    "rand": (_ANY,),
    "new": (_ANY,),
    "sets": (5, 10, 20, 50, 100),
}
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


def simulate(seed: int, n_test: int = 200, copies: int = 12, classes: bool = False) -> Problem:
    """Tasks of 5 to 100 rows with unequal noise, or two classes with unequal slopes."""
    rng = np.random.default_rng(seed)
    sizes = np.repeat(SIZES["simulated"], copies)
    mean = rng.normal(size=10)
    parts: list[tuple[Array, Array, Array, Array]] = []
    for task, n in enumerate(sizes):
        w, b = mean + 0.3 * rng.normal(size=10), rng.normal()
        X = rng.normal(size=(n + n_test, 10))
        if classes:
            y = rng.uniform(size=len(X)) < expit(np.exp(rng.normal()) * (X @ w + b))
        else:
            y = X @ w + b + np.exp(0.5 * rng.normal()) * rng.normal(size=len(X))
        X = np.column_stack([X, np.full(len(X), task)])
        parts.append((X[:n], y[:n], X[n:], y[n:]))
    return Problem(*(np.concatenate(each) for each in zip(*parts, strict=True)))


def only_new(problem: Problem) -> Problem:
    """Every second task in the training rows, the others in the test rows."""
    known, new = problem.X[:, -1] % 2 == 0, problem.X_test[:, -1] % 2 == 1
    return Problem(problem.X[known], problem.y[known], problem.X_test[new], problem.y_test[new])


def read(data: str, home: Any, seed: int) -> Problem:
    """Half of the rows of each task of a real data set for training."""
    groups = None
    if data == "school":
        with np.load(home / "school.npz") as content:
            X, y, tasks = content["X"], content["y"], content["task"]
    else:
        with np.load(home / "rand_hie.npz") as content:
            spent = content["expense"] > 0
            X, tasks, groups = (content[name][spent] for name in ("X", "site", "person"))
            y = np.log(content["expense"][spent])
    X = StandardScaler().fit_transform(SimpleImputer().fit_transform(X))
    stacked = np.column_stack([X, np.unique(tasks, return_inverse=True)[1]])
    halves = StratifiedTaskKFold(2, task_column=-1, random_state=seed)
    train, test = next(halves.split(stacked, None, groups))
    own = None if groups is None else groups[train]
    return Problem(stacked[train], y[train], stacked[test], y[test], own, 1.0)


def intervals(problem: Problem, level: float, seed: int) -> Iterator[tuple[str, Array]]:
    """The intervals (n_test, 2) of every method for the test rows; NaN where there is none."""
    inner = PooledTaskRegressor(0.001, task_column=-1, intercept="shrunk")
    for method, pooling in product(("split", "cv+"), ("shrunk", "shared", "task")):
        model = TaskConformalRegressor(
            inner, method=method, pooling=pooling, confidence_level=level, random_state=seed
        )
        model.fit(problem.X, problem.y, groups=problem.groups)
        yield f"{method}, {pooling}", model.predict_interval(problem.X_test)
    if find_spec("mapie"):
        yield "mapie, each task", _mapie(problem, level)
    if find_spec("statsmodels"):
        yield "mixed model", _mixed_model(problem, level)


def new_intervals(problem: Problem, level: float, seed: int) -> Iterator[tuple[str, Array]]:
    """The intervals (n_test, 2) for rows of tasks that are not among the training rows."""
    inner = PooledTaskRegressor(0.001, task_column=-1, intercept="shrunk", unknown_task="mean")
    for method, kind in product(("split", "cv+"), ("approximate", "hierarchical")):
        model = TaskConformalRegressor(
            inner, method=method, new_tasks=kind, confidence_level=level, random_state=seed
        ).fit(problem.X, problem.y)
        yield f"{method}, {kind}", model.predict_interval(problem.X_test)
    if find_spec("statsmodels"):
        yield "mixed model", _mixed_model(problem, level)


def sets(problem: Problem, level: float, seed: int) -> Iterator[tuple[str, Array]]:
    """The sets (n_test, 2) of two classes."""
    inner = PooledTaskClassifier(0.001, task_column=-1)
    for method, pooling in product(("split", "cv+"), ("shrunk", "shared", "task")):
        model = TaskConformalClassifier(
            inner, method=method, pooling=pooling, confidence_level=level, random_state=seed
        ).fit(problem.X, problem.y)
        yield f"{method}, {pooling}", model.predict_set(problem.X_test)


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
    basis = orth(features.T)  # features that repeat others would make its equations singular
    fit = MixedLM(problem.y, features @ basis, groups=tasks).fit()
    noise, spread = fit.scale, float(np.asarray(fit.cov_re)[0, 0])
    new = problem.X_test[:, -1].astype(int)
    counts = np.bincount(tasks, minlength=new.max() + 1)
    effects = np.zeros(len(counts))
    for task, effect in fit.random_effects.items():
        effects[int(task)] = np.asarray(effect)[0]
    own = spread * noise / (noise + counts * spread)  # of the intercept, given its labels
    rows = np.column_stack([np.ones(len(new)), problem.X_test[:, :-1]]) @ basis
    centre = rows @ fit.fe_params + effects[new]
    half = stats.norm.ppf((1 + level) / 2) * np.sqrt(noise + own[new])
    return np.column_stack([centre - half, centre + half])


def run(data: str, home: Any, seed: int, level: float) -> list[Record]:
    """The scores of all methods on the data of one seed."""
    methods = {"new": new_intervals, "sets": sets}.get(data, intervals)
    if data == "new":
        problem = only_new(simulate(seed, copies=24))
    elif data in ("simulated", "sets"):
        problem = simulate(seed, classes=data == "sets")
    else:
        problem = read(data, home, seed)
    tasks, y = problem.X_test[:, -1].astype(int), problem.y_test
    counts = np.bincount(problem.X[:, -1].astype(int), minlength=tasks.max() + 1)
    records = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tasks without an interval, and of statsmodels
        for name, region in methods(problem, level, seed):
            read_region = _of_sets if data == "sets" else _of_intervals
            known, inside, widths, everything = read_region(region, y)
            finite = known & np.isfinite(widths)
            shares = {t: inside[(tasks == t) & known].mean() for t in np.unique(tasks[known])}
            records.append(
                {
                    "data": data,
                    "method": name,
                    "seed": seed,
                    "ratio": problem.ratio,
                    "covered": float(inside[known].mean()) if known.any() else np.nan,
                    "width": float(widths[finite].mean()) if finite.any() else np.nan,
                    "infinite": float(everything[known].mean()) if known.any() else np.nan,
                    "tasks": [[int(counts[t]), float(share)] for t, share in shares.items()],
                }
            )
    return records


def _of_intervals(ends: Array, y: Array) -> tuple[Array, Array, Array, Array]:
    """Which rows have one, whether it holds the label, its width, and whether it is infinite."""
    inside = (ends[:, 0] <= y) & (y <= ends[:, 1])
    width = ends[:, 1] - ends[:, 0]
    return ~np.isnan(width), inside, width / y.std(), np.isinf(width)


def _of_sets(region: Array, y: Array) -> tuple[Array, Array, Array, Array]:
    """The same of sets: their width is the number of classes."""
    size = region.sum(axis=1)
    every = np.ones(len(y), dtype=bool)
    return every, region[np.arange(len(y)), y.astype(int)], size, size == region.shape[1]


def rows_of(records: list[Record], data: str) -> list[list[str]]:
    """The table of one data set."""
    mine = [record for record in records if record["data"] == data]
    rows = []
    for method in dict.fromkeys(record["method"] for record in mine):
        own = [record for record in mine if record["method"] == method]
        covered = np.array([record["covered"] for record in own])
        error = half_width(covered, own[0]["ratio"])
        pairs = np.array([pair for record in own for pair in record["tasks"]]).reshape(-1, 2)
        cells, low = [], -1
        for high in SIZES[data]:
            part = pairs[(pairs[:, 0] > low) & (pairs[:, 0] <= high), 1]
            low = high
            cells.append(f"{part.mean():.3f} ({part.std():.3f})" if len(part) else "-")
        widths = [record["width"] for record in own if not np.isnan(record["width"])]
        width = np.mean(widths) if widths else np.nan
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
    seeds = [0] if arguments.quick else range(1, arguments.seeds + 1)
    units = [
        (data, arguments.data_home, seed, arguments.level)
        for data in arguments.data
        for seed in seeds
    ]
    found = run_all(run, units, {}, arguments.jobs, "{0}, seed {2}")
    records = [record for each in found for record in each]
    for data in arguments.data:
        lows = (-1, *SIZES[data])
        sizes = [
            f"{low + 1} to {high} rows" if high < _ANY else f"more than {low}"
            for low, high in zip(lows, SIZES[data], strict=False)
        ]
        if len(sizes) == 1:
            sizes = ["by task"]
        header = ["method", "covered", *sizes, "width", "infinite"]
        table = markdown_table(header, rows_of(records, data), n_left=1)
        print(section(f"Coverage at level {arguments.level}: {data}", table, _NOTES), "\n")
    write_raw(arguments, ("data", "level", "seeds"), {"records": records})
    return records


_NOTES = """
Covered: share of all test labels. By number of training rows: mean (standard deviation) over tasks.
Width: of finite intervals, in standard deviations of the test labels; of sets, classes.
Infinite: share of infinite intervals, or of sets with all classes.
"""


if __name__ == "__main__":
    main()
