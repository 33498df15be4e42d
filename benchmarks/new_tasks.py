"""How well is a new task predicted from 0, 1, 2, ... of its labels?

``python -m benchmarks.new_tasks [--data school survey sarcos] [--seeds 3] [--plot F] [--json F]``

Protocol, written before the scores of the seeds below were looked at. The priors were chosen on
other seeds of School and the computer survey (1000 and 1001 in place of 0, 1, ...).

- Data: School (139 schools), the computer survey (190 persons) and the test part of SARCOS (7
  torques of an arm, each divided by its standard deviation, as tasks with rows of their own).
  Features are standardised by the rows of the known tasks, and constant ones dropped.
- Split: with each seed a quarter of the tasks are new, drawn from those with enough rows (SARCOS:
  2 of 7); the others are known. A fifth of the known tasks' rows is held out for the table of
  intervals. In SARCOS 120 rows of each known task are used. A new task gives n of its rows as
  labels, the same for all methods, and the smaller sets are contained in the larger ones; its rows
  beyond the largest n are its test rows.
- Error: the root of the squared error, averaged first over a task's test rows and then over the new
  tasks.
- Estimators of skmtl: ``fit_new_task`` after a fit to the known tasks, whose alpha is selected
  there by cross-validation (10 strengths, 3 folds).
- Baselines: "alone", a ridge of the new labels, its strength by leave-one-out, or their mean if
  there are fewer than 3 (without labels the mean of the known labels); "pooled", one ridge for all
  known and new labels, its strength selected on the known tasks; "mean task", the average of
  separate ridges of the known tasks, whatever the new labels are; "mixed model", a linear mixed
  model of the known tasks with random intercepts by statsmodels, if that is installed, and the best
  linear predictor of the new task's intercept. (Random slopes of all features took its optimiser
  more than five minutes per data set.)
- Intervals: the shares of test labels in the central 50%, 80% and 95% intervals of a Gaussian with
  the predicted mean and standard deviation, and the mean square of the errors divided by the
  standard deviation, which is 1 if these are right; for new tasks, by their number of labels, and
  for held-out rows of known tasks. Pooled over tasks and seeds.
- The figure leaves out errors of "alone" that are larger than those of all other methods.
- Errors are means over seeds with 95% t intervals, which allow for the overlap of the splits
  (Nadeau and Bengio 2003). With 3 seeds these are wide; methods share splits and labels.

Outcome of the default run: on School and the computer survey the five priors have 11 to 26% lower
errors than "alone" at 5 to 20 labels, and differ little from the mixed model on School; on the
survey, relation, low rank and block-sparse have the lowest errors at 10 labels (1.82 to 1.84; mixed
model 2.02, alone 2.45). The intervals of new tasks are about as wide as they should be there (95%
intervals hold 94 to 98%, mean of z² between 0.82 and 1.00). On SARCOS, with five known tasks that
are not alike, priors help little beyond two labels, the two that confine a new task to the span of
the known ones fall behind, and the intervals of these two are far too narrow (73% at 50 labels).
"""

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from sklearn.linear_model import RidgeCV

from benchmarks._command import Command
from benchmarks._methods import run_all
from benchmarks._report import bullets, half_width, markdown_table, section, write_json
from skmtl import (
    BlockSparseRegressor,
    ClusteredTaskRegressor,
    GraphRegularizedRegressor,
    IndependentTaskRegressor,
    LowRankRegressor,
    PooledTaskRegressor,
    TaskRelationRegressor,
)
from skmtl.datasets import load_npz
from skmtl.model_selection import AlphaSearchCV

Array = NDArray[Any]

STRUCTURES: dict[str, type[Any]] = {
    "relation": TaskRelationRegressor,
    "low rank": LowRankRegressor,
    "block-sparse": BlockSparseRegressor,
    "clustered": ClusteredTaskRegressor,
    "graph (complete)": GraphRegularizedRegressor,
}
ALONE, POOLED, MEAN, MIXED = "alone", "pooled", "mean task", "mixed model"
LEVELS = (0.5, 0.8, 0.95)
# Of each data set: its file, its name, the numbers of labels, and the least number of test rows.
DATA = {
    "school": ("school.npz", "School", (0, 1, 2, 5, 10, 20, 50), 20),
    "survey": ("computer_survey.npz", "Computer survey", (0, 1, 2, 5, 10), 10),
    "sarcos": ("sarcos_test4449.npz", "SARCOS", (0, 1, 2, 5, 10, 20, 50), 300),
}
_ALPHAS, _FOLDS = 10, 3
_ROWS = 120  # of each known task in SARCOS
_RIDGE = np.geomspace(1e-3, 1e4, 22)


@dataclass(frozen=True)
class Rows:
    """Rows of several tasks."""

    X: Array
    y: Array
    task: Array

    def take(self, rows: Array) -> "Rows":
        """Some of the rows."""
        return Rows(self.X[rows], self.y[rows], self.task[rows])

    @property
    def stacked(self) -> Array:
        """X with the task in the last column."""
        return np.column_stack([self.X, self.task])


@dataclass(frozen=True)
class Split:
    """Training rows and held-out rows of known tasks; labels and test rows of new ones."""

    known: Rows
    held_out: Rows
    pool: Rows  # the rows that may be used as labels, each task's in random order
    test: Rows

    def labels(self, n: int) -> Rows:
        """The first n rows of each new task."""
        new = np.unique(self.pool.task)
        rows = [np.flatnonzero(self.pool.task == task)[:n] for task in new]
        return self.pool.take(np.concatenate(rows))


def load(data: str, home: Path) -> Rows:
    """All rows of a data set; for SARCOS with tasks that share no rows."""
    bunch = load_npz(home / DATA[data][0])
    X, y = np.asarray(bunch.data, dtype=np.float64), np.asarray(bunch.target, dtype=np.float64)
    if y.ndim == 1:
        return Rows(X, y, np.unique(bunch.task, return_inverse=True)[1])
    task = np.arange(len(y)) % y.shape[1]
    return Rows(X, (y / y.std(axis=0))[np.arange(len(y)), task], task)


def split(rows: Rows, data: str, seed: int) -> Split:
    """Known and new tasks, and the parts of their rows."""
    _, _, sizes, n_test = DATA[data]
    rng = np.random.default_rng(seed)
    rows = rows.take(rng.permutation(len(rows.y)))
    tasks, counts = np.unique(rows.task, return_counts=True)
    eligible = rng.permutation(tasks[counts >= sizes[-1] + n_test])
    new = eligible[: max(round(len(tasks) / 4), 1)]
    known = np.flatnonzero(~np.isin(rows.task, new))
    held = np.zeros(len(known), dtype=bool)
    pools, tests = [], []
    for task in tasks:
        own = np.flatnonzero(rows.task[known] == task)
        if task in new:
            mine = np.flatnonzero(rows.task == task)
            pools.append(mine[: sizes[-1]])
            tests.append(mine[sizes[-1] :])
        held[own[: len(own) // 5]] = True
    train = known[~held]
    if data == "sarcos":
        places = [train[rows.task[train] == task][:_ROWS] for task in np.unique(rows.task[train])]
        train = np.concatenate(places)
    mean, deviation = rows.X[train].mean(axis=0), rows.X[train].std(axis=0)
    used = deviation > 1e-12
    scaled = Rows((rows.X[:, used] - mean[used]) / deviation[used], rows.y, rows.task)
    parts = (train, known[held], np.concatenate(pools), np.concatenate(tests))
    return Split(*map(scaled.take, parts))


def _selected(model: Any, known: Rows) -> Any:
    """The estimator with alpha selected on the known tasks, fitted to them."""
    search = AlphaSearchCV(model, alphas=_ALPHAS, cv=_FOLDS).fit(known.stacked, known.y)
    return search.best_estimator_


def run(data: str, home: Path, seed: int) -> dict[str, Any]:
    """Errors of all methods by number of labels, and counts for the table of intervals."""
    parts = split(load(data, home), data, seed)
    sizes = DATA[data][2]
    errors: dict[str, list[float]] = {}
    intervals: dict[str, dict[str, list[float]]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, kind in STRUCTURES.items():
            model = _selected(kind(task_column=-1), parts.known)
            errors[name], intervals[name] = [], {}
            for n in sizes:
                new, labels = np.unique(parts.test.task).tolist(), parts.labels(n)
                fitted = model.fit_new_task(labels.stacked, labels.y, name=new)
                predicted, std = fitted.predict(parts.test.stacked, return_std=True)
                errors[name].append(_error(parts.test, predicted))
                intervals[name][str(n)] = _counts(parts.test.y, predicted, std)
            predicted, std = model.predict(parts.held_out.stacked, return_std=True)
            intervals[name]["known"] = _counts(parts.held_out.y, predicted, std)
        for name, predict in _baselines(parts).items():
            errors[name] = [_error(parts.test, predict(parts.labels(n))) for n in sizes]
    return {"data": data, "seed": seed, "errors": errors, "intervals": intervals}


def _error(test: Rows, predicted: Array) -> float:
    squares = (test.y - predicted) ** 2
    means = [squares[test.task == task].mean() for task in np.unique(test.task)]
    return float(np.sqrt(np.mean(means)))


def _counts(y: Array, predicted: Array, std: Array) -> list[float]:
    """The number of labels, of those in each interval, and the sum of squared z-scores."""
    z = (y - predicted) / std
    inside = [float((np.abs(z) <= stats.norm.ppf((1 + level) / 2)).sum()) for level in LEVELS]
    return [float(len(z)), *inside, float((z**2).sum())]


def _baselines(parts: Split) -> dict[str, Callable[[Rows], Array]]:
    """Functions from the labels of the new tasks to predictions of the test rows."""
    known, test = parts.known, parts.test
    pooled = _selected(PooledTaskRegressor(task_column=-1), known)
    separate = IndependentTaskRegressor("cv", task_column=-1, unknown_task="mean")
    mean = separate.fit(known.stacked, known.y).predict(test.stacked)
    found = {
        ALONE: partial(_alone, known, test),
        POOLED: partial(_pooled, pooled, known, test),
        MEAN: lambda labels: mean,
    }
    if find_spec("statsmodels") is not None:
        found[MIXED] = _mixed_model(known, test)
    return found


def _alone(known: Rows, test: Rows, labels: Rows) -> Array:
    predicted = np.full(len(test.y), known.y.mean())
    for task in np.unique(labels.task):
        own, asked = labels.task == task, test.task == task
        if own.sum() < 3:
            predicted[asked] = labels.y[own].mean()
        else:
            ridge = RidgeCV(_RIDGE).fit(labels.X[own], labels.y[own])
            predicted[asked] = ridge.predict(test.X[asked])
    return predicted


def _pooled(model: Any, known: Rows, test: Rows, labels: Rows) -> Array:
    """One ridge for the known tasks and each new one."""
    predicted = np.empty(len(test.y))
    for task in np.unique(test.task):
        own, asked = labels.task == task, test.task == task
        X = np.vstack([known.stacked, labels.stacked[own]])
        model.fit(X, np.concatenate([known.y, labels.y[own]]))
        predicted[asked] = test.X[asked] @ model.coef_[0] + model.intercept_[0]
    return predicted


def _mixed_model(known: Rows, test: Rows) -> Callable[[Rows], Array]:
    """A linear mixed model with random intercepts; new intercepts by best linear prediction."""
    from statsmodels.regression.mixed_linear_model import MixedLM

    X = np.column_stack([np.ones(len(known.y)), known.X])
    # The optimiser fails on collinear columns.
    used = [0]
    for j in range(1, X.shape[1]):
        if np.linalg.matrix_rank(X[:, [*used, j]]) > len(used):
            used.append(j)
    fit = MixedLM(known.y, X[:, used], groups=known.task).fit(method=["bfgs", "cg"])
    coef = np.zeros(X.shape[1])
    coef[used] = fit.fe_params
    ratio = float(fit.scale / np.asarray(fit.cov_re)[0, 0])

    def predict(labels: Rows) -> Array:
        predicted = coef[0] + test.X @ coef[1:]
        residual = labels.y - coef[0] - labels.X @ coef[1:]
        for task in np.unique(labels.task):
            own = residual[labels.task == task]
            predicted[test.task == task] += own.sum() / (len(own) + ratio)
        return predicted

    return predict


def _errors_table(results: list[dict[str, Any]], data: str) -> str:
    sizes = DATA[data][2]
    rows = []
    for method in results[0]["errors"]:
        errors = np.array([result["errors"][method] for result in results])
        widths = half_width(errors, ratio=1 / 3)
        cells = [
            f"{mean:.3g}" if np.isnan(width) else f"{mean:.3g} ± {width:.2g}"
            for mean, width in zip(
                errors.mean(axis=0), np.broadcast_to(widths, len(sizes)), strict=True
            )
        ]
        rows.append([method, *cells])
    return markdown_table(["labels of the new task:", *map(str, sizes)], rows, n_left=1)


def _intervals_table(results: list[dict[str, Any]], data: str) -> str:
    groups = {str(n): [str(n)] for n in DATA[data][2] if n in (0, 2, 10, 50)} | {"known": ["known"]}
    rows = []
    for method in STRUCTURES:
        for label, keys in groups.items():
            counts = np.sum(
                [result["intervals"][method][key] for result in results for key in keys], axis=0
            )
            shares = [f"{share:.0%}" for share in counts[1:-1] / counts[0]]
            rows.append([method, label, *shares, f"{counts[-1] / counts[0]:.2f}"])
    header = ["prior", "labels", *(f"in the {level:.0%}" for level in LEVELS), "mean of z²"]
    return markdown_table(header, rows)


def report(results: list[dict[str, Any]]) -> str:
    """The tables of all data sets."""
    texts = []
    for data in dict.fromkeys(result["data"] for result in results):
        own = [result for result in results if result["data"] == data]
        name = DATA[data][1]
        notes = f"Root mean squared error of new tasks; means over {len(own)} seeds."
        texts.append(section(f"{name}: errors", _errors_table(own, data), notes))
        notes = "New tasks by number of labels, and held-out rows of known tasks."
        texts.append(section(f"{name}: intervals", _intervals_table(own, data), notes))
    return "\n\n".join(texts)


def draw(results: list[dict[str, Any]], path: Path) -> None:
    """Draw the errors against the number of labels, a panel per data set."""
    from benchmarks._plots import GREY, PALETTE, panels, save, tidy

    names = list(dict.fromkeys(result["data"] for result in results))
    methods = list(results[0]["errors"])
    markers = dict(zip(methods, "osv^PDXx+", strict=False))
    colours = dict(zip(STRUCTURES, PALETTE[2:] + PALETTE[:1], strict=False))
    dashes = {ALONE: "--", POOLED: ":", MEAN: "-.", MIXED: (0, (6, 1, 1, 1, 1, 1))}
    figure, axes = panels(len(names), len(names), (4.6 * len(names), 4.8))
    for ax, data in zip(axes.flat, names, strict=False):
        own = [result for result in results if result["data"] == data]
        sizes = DATA[data][2]
        means = {
            method: np.mean([result["errors"][method] for result in own], axis=0)
            for method in methods
            if all(method in result["errors"] for result in own)
        }
        # Errors of a few labels alone would compress the scale of all others.
        limit = 1.03 * max(errors.max() for method, errors in means.items() if method != ALONE)
        for method, errors in means.items():
            style: dict[str, Any] = {"color": colours.get(method, GREY), "ms": 5, "lw": 1.6}
            style |= {"marker": markers[method], "ls": dashes.get(method, "-")}
            ax.plot(range(len(sizes)), errors, label=method, **style)
        ax.set_xticks(range(len(sizes)), map(str, sizes))
        beyond = (means[ALONE] > limit).any()
        if beyond:
            ax.set_ylim(top=limit)
        note = f"labels of the new task{' (some of alone: off the scale)' if beyond else ''}"
        ax.set(title=DATA[data][1], xlabel=note)
        tidy(ax, "y")
    axes.flat[0].set_ylabel("root mean squared error")
    figure.legend(
        *axes.flat[0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=5,
        frameon=False,
    )
    save(figure, path)


def main(argv: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Run the benchmark, print the tables, and return the raw numbers."""
    command = Command("new_tasks", __doc__)
    command.add_argument("--data", nargs="+", default=list(DATA), choices=list(DATA))
    command.common("seeds", default=3, help="number of splits")
    command.common("data-home", "jobs", "json", "plot")
    arguments = command.read(argv)
    start = time.perf_counter()
    units = [
        (data, arguments.data_home, seed)
        for data in arguments.data
        for seed in range(arguments.seeds)
    ]
    results = run_all(run, units, {}, arguments.jobs, "{0}, seed {2}")
    print(report(results))
    if MIXED not in results[0]["errors"]:
        print("\n" + bullets("No mixed model: statsmodels is not installed."))
    print(f"\n({time.perf_counter() - start:.0f} s)")
    write_json(arguments.json, results)
    if arguments.plot:
        draw(results, arguments.plot)
    return results


if __name__ == "__main__":
    main()
