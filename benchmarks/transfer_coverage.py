"""How reliable is transfer_gain? False positives, power to detect harm, coverage of its intervals.

``python -m benchmarks.transfer_coverage [--seeds 200] [--json F]``

The tasks are simulated and stacked, and the models are ridges of a fixed strength. "Plain t" treats
the same gains as independent, without the correction for overlapping training sets.

- Null: the two models have the same distribution. They differ only by noise: either noise drawn in
  every fit and added to the coefficients, or a few useless features, different ones for each model,
  whose coefficients are fitted. A false positive is any task reported as helped or hurt (Holm, 5%),
  or an overall interval without 0.
- Harm: one coefficient vector for all tasks, a few of which are unrelated, against separate fits.
- Coverage: how often 95% intervals contain the expected gain, over fresh training sets, of models
  trained on four fifths of the rows, the size of an outer training set. The loss of a linear model
  on fresh rows is known exactly. Per task: fixed tasks and new rows; overall: new tasks too.
"""

import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from sklearn.base import BaseEstimator, RegressorMixin

from benchmarks._command import Command
from benchmarks._report import half_width, markdown_table, table, write_json
from benchmarks._tuning import predict
from skmtl import IndependentTaskRegressor, PooledTaskRegressor
from skmtl.inspection import TransferGain, transfer_gain

Array = NDArray[Any]

N_FRESH = 2000


@dataclass(eq=False, repr=False)
class Ridges(RegressorMixin, BaseEstimator):
    """A ridge per task, or one for all, in closed form, in a tenth of the estimators' time.

    Parameters
    ----------
    alpha : float
        Strength, relative to one row.
    pooled : bool
        Whether all tasks share their coefficients.
    hidden : tuple of int
        Columns that the model ignores.
    noise : float
        Standard deviation of noise added to the coefficients, drawn anew in every fit.
    task_column : int
        Must be -1, the last column.
    random_state : int
    """

    alpha: float = 0.1
    pooled: bool = False
    hidden: tuple[int, ...] = ()
    noise: float = 0.0
    task_column: int = -1
    random_state: int = 0

    def fit(self, X: Array, y: Array) -> Self:
        """Fit the coefficients, with an intercept for each task."""
        features, codes = X[:, :-1].copy(), X[:, -1].astype(int)
        features[:, self.hidden] = 0.0
        n_tasks = codes.max() + 1
        counts = np.bincount(codes)[:, None]
        totals = np.zeros((n_tasks, features.shape[1]))
        np.add.at(totals, codes, features)
        means, means_y = totals / counts, np.bincount(codes, y)[:, None] / counts
        centred, residual = features - means[codes], y - means_y[codes, 0]
        gram = np.zeros((n_tasks, features.shape[1], features.shape[1]))
        moment = np.zeros((n_tasks, features.shape[1]))
        for t in range(n_tasks):
            rows = codes == t
            gram[t], moment[t] = centred[rows].T @ centred[rows], residual[rows] @ centred[rows]
        if self.pooled:
            gram[:], moment[:] = gram.sum(axis=0), moment.sum(axis=0)
        n_rows = np.full((n_tasks, 1), len(y)) if self.pooled else counts
        ridge = self.alpha * n_rows[:, :, None] * np.eye(features.shape[1])
        self.coef_ = np.linalg.solve(gram + ridge, moment[:, :, None])[:, :, 0]
        self.intercept_ = means_y[:, 0] - (means * self.coef_).sum(axis=1)
        if self.noise:
            # Seed with the labels too, so that no two fits, and no two models, share their noise.
            rng = np.random.default_rng([self.random_state, zlib.crc32(y.tobytes())])
            self.coef_ = self.coef_ + self.noise * rng.standard_normal(self.coef_.shape)
        return self

    def predict(self, X: Array) -> Array:
        """Predict each row with its own task."""
        return predict(self.coef_, self.intercept_, X)


@dataclass(frozen=True)
class World:
    """Linear tasks: common plus task-specific coefficients, and useless features."""

    n_tasks: int = 6
    n_rows: int = 30
    n_features: int = 4
    n_useless: int = 0
    own: float = 0.4
    noise: float = 1.0

    def tasks(self, rng: np.random.Generator) -> Array:
        """Draw coefficients (n_tasks, n_features + n_useless); the common part is fixed."""
        coef = np.zeros((self.n_tasks, self.n_features + self.n_useless))
        own = self.own * rng.standard_normal((self.n_tasks, self.n_features))
        coef[:, : self.n_features] = 0.5 + own
        return coef

    def rows(self, coef: Array, rng: np.random.Generator, share: float = 1.0) -> tuple[Any, Any]:
        """Draw standard normal features, with the task in the last column, and labels."""
        codes = np.repeat(np.arange(self.n_tasks), round(share * self.n_rows))
        X = rng.standard_normal((len(codes), coef.shape[1]))
        y = (X * coef[codes]).sum(axis=1) + self.noise * rng.standard_normal(len(codes))
        return np.column_stack([X, codes]), y

    def loss(self, model: Ridges, coef: Array) -> Array:
        """The exact expected squared error (n_tasks,) on fresh rows."""
        return self.noise**2 + ((model.coef_ - coef) ** 2).sum(axis=1) + model.intercept_**2


def compare(estimator: Any, baseline: Any, X: Array, y: Array, seed: int) -> TransferGain:
    """Run transfer_gain with its defaults, but without tuning."""
    pair = [("baseline", baseline)]
    return transfer_gain(estimator, X, y, baselines=pair, tune=False, random_state=seed)


def null(name: str, world: World, models: tuple[Ridges, Ridges], n_seeds: int) -> dict[str, Any]:
    """How often a difference is reported between two models that differ by noise alone."""
    alarms = np.zeros((n_seeds, 4), dtype=bool)
    for seed in range(n_seeds):
        rng = np.random.default_rng([1, seed])
        X, y = world.rows(world.tasks(rng), rng)
        estimator, baseline = (
            replace(model, random_state=2 * seed + side) for side, model in enumerate(models)
        )
        part = compare(estimator, baseline, X, y, seed)["baseline"]
        plain = stats.ttest_1samp(part.fold_gains, 0.0).pvalue
        task, overall = (part.p_holm < 0.05).any(), part.overall.p < 0.05
        alarms[seed] = task, overall, task | overall, plain.min() * world.n_tasks < 0.05
    shares = zip(("task", "overall", "any", "plain_t"), alarms.mean(axis=0).tolist(), strict=True)
    return {"null": name, "seeds": n_seeds} | dict(shares)


def harm(n_seeds: int, n_unrelated: int = 2) -> dict[str, Any]:
    """How often pooling is reported to hurt the unrelated and the related tasks."""
    world = World(n_tasks=10, n_rows=60, n_features=8, own=0.05, noise=2.0)
    hurt = np.zeros((n_seeds, world.n_tasks), dtype=bool)
    helped = np.zeros((n_seeds, world.n_tasks), dtype=bool)
    for seed in range(n_seeds):
        rng = np.random.default_rng([2, seed])
        coef = world.tasks(rng)
        coef[:n_unrelated] *= -2.0
        X, y = world.rows(coef, rng)
        estimator = PooledTaskRegressor(0.1, task_column=-1)
        part = compare(estimator, IndependentTaskRegressor(0.1, task_column=-1), X, y, seed)
        verdict = part["baseline"].verdict
        hurt[seed], helped[seed] = verdict == "hurt", verdict == "helped"
    return {
        "seeds": n_seeds,
        "unrelated_hurt": float(hurt[:, :n_unrelated].mean()),
        "related_hurt": float(hurt[:, n_unrelated:].mean()),
        "related_helped": float(helped[:, n_unrelated:].mean()),
    }


def coverage(name: str, world: World, alpha: float, n_seeds: int, new: bool) -> dict[str, Any]:
    """Share of the 95% intervals that contain the expected gain.

    The intervals are those of each task; with ``new`` tasks in every data set, the overall one.
    """
    estimator, baseline = Ridges(alpha, pooled=True), Ridges(alpha)
    fixed = world.tasks(np.random.default_rng(0))
    true = np.zeros((N_FRESH, world.n_tasks))
    for k in range(N_FRESH):
        rng = np.random.default_rng([3, k])
        coef = world.tasks(rng) if new else fixed
        X, y = world.rows(coef, rng, share=0.8)
        true[k] = world.loss(baseline.fit(X, y), coef) - world.loss(estimator.fit(X, y), coef)
    truth = true.mean() if new else true.mean(axis=0)
    covered, plain = [], []
    for seed in range(n_seeds):
        rng = np.random.default_rng([4, seed])
        X, y = world.rows(world.tasks(rng) if new else fixed, rng)
        part = compare(estimator, baseline, X, y, seed)["baseline"]
        found = part.overall if new else part
        gains = part.fold_gains.mean(axis=1) if new else part.fold_gains
        covered.append((found.low <= truth) & (truth <= found.high))
        plain.append(np.abs(found.gain - truth) <= half_width(gains))
    return {
        "models": name,
        "interval": "overall" if new else "per task",
        "seeds": n_seeds,
        "true_gain": float(np.mean(truth)),
        "coverage": float(np.mean(covered)),
        "plain_t": float(np.mean(plain)),
    }


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Run the benchmark, print the tables, and return their rows."""
    command = Command("transfer_coverage", __doc__)
    command.common("seeds", default=200, help="number of data sets per row")
    command.common("json")
    arguments = command.read(argv)
    start, seeds = time.perf_counter(), arguments.seeds

    few, useless = World(n_rows=12, n_features=2, n_tasks=20), World(n_useless=12)
    noisy = (Ridges(noise=0.2), Ridges(noise=0.2))
    own = (Ridges(0.01, hidden=(4, 5, 6, 7, 8, 9)), Ridges(0.01, hidden=(10, 11, 12, 13, 14, 15)))
    usual, steep = World(), World(n_features=16, own=0.1)
    rows: dict[str, Any] = {
        "null": [
            null("noise on coefficients, 6 tasks x 30 labels", usual, noisy, seeds),
            null("noise on coefficients, 20 tasks x 12 labels", few, noisy, seeds),
            null("6 useless features each, 6 tasks x 30 labels", useless, own, seeds),
        ],
        "harm": harm(max(1, seeds // 10)),
        "coverage": [
            coverage(name, world, alpha, seeds, new)
            for name, world, alpha in (
                ("30 labels, 4 features, alpha 0.1", usual, 0.1),
                ("30 labels, 16 features, alpha 0.001", steep, 0.001),
            )
            for new in (False, True)
        ],
    }
    print(_tables(rows))
    print(f"\n{time.perf_counter() - start:.0f} s")
    write_json(arguments.json, rows)
    return rows


def _tables(rows: dict[str, Any]) -> str:
    null_columns = {
        "exact null, false positives at 5%": "{null}, {seeds} seeds",
        "a task (Holm)": "{task:.1%}",
        "overall": "{overall:.1%}",
        "either": "{any:.1%}",
        "plain t, a task": "{plain_t:.1%}",
    }
    found = rows["harm"]
    harmed = [
        (f"2 unrelated tasks, {found['seeds']} seeds", f"{found['unrelated_hurt']:.1%}", ""),
        ("8 related tasks", f"{found['related_hurt']:.1%}", f"{found['related_helped']:.1%}"),
    ]
    harm_header = ("pooled against independent", "reported hurt", "reported helped")
    covered_columns = {
        "95% intervals, pooled against independent": "{interval}: {models}, {seeds} seeds",
        "true gain": "{true_gain:.3f}",
        "coverage": "{coverage:.1%}",
        "plain t": "{plain_t:.1%}",
    }
    tables = (
        table(rows["null"], null_columns, n_left=1),
        markdown_table(harm_header, harmed, n_left=1),
        table(rows["coverage"], covered_columns, n_left=1),
    )
    return "\n\n".join(tables)


if __name__ == "__main__":
    main()
