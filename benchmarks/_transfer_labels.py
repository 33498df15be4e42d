"""Are the verdicts and intervals of transfer_gain's hierarchical model right?

Protocol, written before the first run:

- Worlds: 20 tasks of 20 or 60 labels, 8 features, noise of standard deviation 1.5.
  "null, noise": two ridges that differ by noise drawn in every fit; "null, features": two ridges,
  each of which uses 6 useless features of its own. In both the true gain of each task is 0.
  "related": all tasks have almost the same coefficients; "half unrelated": in 10 of them the signs
  are random. There, one coefficient vector for all tasks (alpha 0.1) is compared with separate
  ridges (alpha 0.2). "half, shrunk" is the same world for separate ridges shrunk towards the common
  one, where unrelated tasks neither gain nor lose much.
- Truth: a task's expected gain over 200 fresh training sets of four fifths of its rows, with exact
  losses; computed for 10 draws of the tasks, each with a tenth of the seeds.
- Seeds: 200 data sets per row. The constants of the model (the prior of the spread, the degrees of
  freedom of the variances) were chosen with other seeds, and are not changed after this run.
- Folds: five, drawn five times, as by default. Losses are computed directly, without the checks and
  scorers of ``transfer_gain``; ``tests/benchmarks`` verifies that they are the same.
- Counted: tasks with the verdict "helped" or "hurt"; those whose true gain has the other sign (for
  a null, any verdict); data sets with any verdict; 95% intervals of tasks that contain their true
  gain; 95% intervals for the mean of the given tasks, and for the share of tasks helped, that
  contain theirs; data sets in which the overall p-value for the given tasks is below 5%.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from benchmarks._progress import track
from benchmarks._report import table
from benchmarks._transfer_worlds import Ridges, World
from skmtl.inspection._transfer_result import BaselineGain, compare
from skmtl.model_selection import RepeatedStratifiedTaskKFold

Array = NDArray[Any]

N_DRAWS, N_FRESH = 10, 200
SIZES = (20, 60)


@dataclass(frozen=True)
class Case:
    """A world, and the two ridges to compare in it."""

    name: str
    world: World
    estimator: Ridges
    baseline: Ridges
    null: bool = False


_WORLD = World(n_tasks=20, n_features=8, own=0.05, noise=1.5)
_HALF = replace(_WORLD, unrelated=10)
CASES = (
    Case("null, noise", _WORLD, Ridges(noise=0.2), Ridges(noise=0.2), null=True),
    Case(
        "null, features",
        replace(_WORLD, n_useless=12),
        Ridges(0.1, hidden=tuple(range(8, 14))),
        Ridges(0.1, hidden=tuple(range(14, 20))),
        null=True,
    ),
    Case("related", _WORLD, Ridges(0.1, pooled=True), Ridges(0.2)),
    Case("half unrelated", _HALF, Ridges(0.1, pooled=True), Ridges(0.2)),
    Case("half, shrunk", _HALF, Ridges(0.3, pooled=True, own=True), Ridges(0.2)),
)


def losses(model: Ridges, X: Array, y: Array, train: Array, test: Array) -> Array:
    """Each task's mean squared error (n_tasks,) on test rows."""
    errors = (model.fit(X[train], y[train]).predict(X[test]) - y[test]) ** 2
    codes = X[test, -1].astype(int)
    return np.asarray(np.bincount(codes, errors) / np.bincount(codes))


def cross_validated(
    estimator: Ridges, baseline: Ridges, X: Array, y: Array, folds: list[tuple[Array, Array]]
) -> BaselineGain:
    """The gains as :func:`skmtl.inspection.transfer_gain` computes them, without its checks."""
    found = np.array([[losses(m, X, y, *f) for f in folds] for m in (estimator, baseline)])
    codes = X[:, -1].astype(int)
    n_train, n_test = (np.array([np.bincount(codes[f[k]]) for f in folds]) for k in (0, 1))
    return compare("baseline", *found, n_test, n_train, np.bincount(codes))


def true_gain(case: Case, world: World, coef: Array, rng: np.random.Generator) -> Array:
    """Each task's expected gain, over fresh training sets of four fifths of the rows."""
    total = np.zeros(world.n_tasks)
    if case.null:
        return total
    for _ in range(N_FRESH):
        X, y = world.rows(coef, rng, share=0.8)
        total += world.loss(case.baseline.fit(X, y), coef)
        total -= world.loss(case.estimator.fit(X, y), coef)
    return total / N_FRESH


def run(case: Case, n_rows: int, n_seeds: int) -> dict[str, Any]:
    """The shares of one row of the table."""
    world, counts = replace(case.world, n_rows=n_rows), []
    for seed in range(n_seeds):
        if seed % max(1, n_seeds // N_DRAWS) == 0:
            rng = np.random.default_rng([6, seed, n_rows])
            coef = world.tasks(rng)
            truth = true_gain(case, world, coef, rng)
        X, y = world.rows(coef, np.random.default_rng([7, seed, n_rows]))
        cv = RepeatedStratifiedTaskKFold(5, n_repeats=5, task_column=-1, random_state=seed)
        models = (replace(case.estimator, random_state=2 * seed),
                  replace(case.baseline, random_state=2 * seed + 1))  # fmt: skip
        counts.append(_count(cross_validated(*models, X, y, list(cv.split(X, y))), truth))
    mean = {key: float(np.mean([count[key] for count in counts])) for key in counts[0]}
    mean["wrong"] /= max(mean["labelled"], np.finfo(float).tiny)
    return {"world": case.name, "labels": n_rows, "seeds": n_seeds} | mean


def _percent(key: str) -> Any:
    return lambda row: "" if np.isnan(row[key]) else f"{row[key]:.1%}"


def _count(part: BaselineGain, truth: Array) -> dict[str, Any]:
    model, overall = part.model, part.overall
    sign = np.select([part.verdict == "helped", part.verdict == "hurt"], [1, -1], 0)
    share = model.share_helped
    return {
        "labelled": (sign != 0).mean(),
        "wrong": ((sign != 0) & (sign != np.sign(truth))).mean(),
        "any": (sign != 0).any(),
        "covered": ((model.low <= truth) & (truth <= model.high)).mean(),
        "raw_covered": ((part.low <= truth) & (truth <= part.high)).mean(),
        "mean_covered": overall.low <= truth.mean() <= overall.high,
        # Without a sign of the true gains, there is no share to cover.
        "share_covered": share.low <= (truth > 0).mean() <= share.high if truth.any() else np.nan,
        "overall": overall.p < 0.05,
        "population": overall.population.p < 0.05,
        "width": overall.population.se / overall.se,
        "shrinkage": np.mean((model.gain - truth) ** 2) / np.mean((part.gain - truth) ** 2),
    }


def labels(n_seeds: int, n_jobs: int = 1) -> list[dict[str, Any]]:
    """All rows of the table."""
    jobs = [delayed(run)(case, n_rows, n_seeds) for case in CASES for n_rows in SIZES]
    coming = Parallel(n_jobs=n_jobs, return_as="generator")(jobs)
    return list(track(coming, "labels", len(jobs)))


def labels_table(rows: Any) -> str:
    """The table."""
    columns = {
        "verdict at probability 0.95": "{world}, {labels} labels, {seeds} seeds",
        "with a verdict": "{labelled:.1%}",
        "wrong": "{wrong:.1%}",
        "any verdict": "{any:.1%}",
        "coverage": "{covered:.1%}",
        "without sharing": "{raw_covered:.1%}",
        "mean": "{mean_covered:.1%}",
        "share": _percent("share_covered"),
        "p < 0.05": "{overall:.1%}",
        "as a population": "{population:.1%}",
        "ratio of errors": "{width:.1f}",
        "squared error": "{shrinkage:.2f}",
    }
    return table(rows, columns, n_left=1)
