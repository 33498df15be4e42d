"""How reliable is transfer_gain? False positives, power to detect harm, coverage of its intervals.

``python -m benchmarks.transfer_coverage [--seeds 200] [--parts P ...] [--jobs N] [--json F]``

The tasks are simulated and stacked, and the models are ridges of a fixed strength. "Plain t" treats
the same gains as independent, without the correction for overlapping training sets.

- Null: the two models have the same distribution. They differ only by noise: either noise drawn in
  every fit and added to the coefficients, or a few useless features, different ones for each model,
  whose coefficients are fitted. A false positive is any task reported as helped or hurt (Holm, 5%),
  or an overall interval without 0.
- Harm: one coefficient vector for all tasks, a few of which are unrelated, against separate fits.
- Coverage: how often 95% intervals contain the expected gain, over fresh training sets, of models
  trained on four fifths of the rows, the size of an outer training set. The loss of a linear model
  on fresh rows is known exactly. Per task: fixed tasks and new rows; overall: new tasks too, and
  the interval for a population of tasks.
- Labels: the hierarchical model, its verdicts and its intervals. The protocol, written before the
  first run, and the worlds are in ``benchmarks/_transfer_labels.py``.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from benchmarks._command import Command
from benchmarks._progress import track
from benchmarks._report import half_width, markdown_table, table, write_json
from benchmarks._transfer_labels import labels, labels_table
from benchmarks._transfer_worlds import Ridges, World
from skmtl import IndependentTaskRegressor, PooledTaskRegressor
from skmtl.inspection import TransferGain, transfer_gain

Array = NDArray[Any]

N_FRESH = 2000


def compare(estimator: Any, baseline: Any, X: Array, y: Array, seed: int) -> TransferGain:
    """Run transfer_gain with its defaults, but without tuning."""
    pair = [("baseline", baseline)]
    return transfer_gain(estimator, X, y, baselines=pair, tune=False, random_state=seed)


def null(name: str, world: World, models: tuple[Ridges, Ridges], n_seeds: int) -> dict[str, Any]:
    """How often a difference is reported between two models that differ by noise alone."""
    alarms = np.zeros((n_seeds, 4), dtype=bool)
    for seed in track(range(n_seeds), f"null: {name}"):
        rng = np.random.default_rng([1, seed])
        X, y = world.rows(world.tasks(rng), rng)
        estimator, baseline = (
            replace(model, random_state=2 * seed + side) for side, model in enumerate(models)
        )
        part = compare(estimator, baseline, X, y, seed)["baseline"]
        plain = stats.ttest_1samp(part.fold_gains, 0.0).pvalue
        task, overall = (part.p_holm < 0.05).any(), part.overall.population.p < 0.05
        alarms[seed] = task, overall, task | overall, plain.min() * world.n_tasks < 0.05
    shares = zip(("task", "overall", "any", "plain_t"), alarms.mean(axis=0).tolist(), strict=True)
    return {"null": name, "seeds": n_seeds} | dict(shares)


def harm(n_seeds: int, n_unrelated: int = 2) -> dict[str, Any]:
    """How often pooling is reported (Holm, 5%) to hurt the unrelated and the related tasks."""
    world = World(n_tasks=10, n_rows=60, n_features=8, own=0.05, noise=2.0)
    hurt = np.zeros((n_seeds, world.n_tasks), dtype=bool)
    helped = np.zeros((n_seeds, world.n_tasks), dtype=bool)
    for seed in track(range(n_seeds), "harm"):
        rng = np.random.default_rng([2, seed])
        coef = world.tasks(rng)
        coef[:n_unrelated] *= -2.0
        X, y = world.rows(coef, rng)
        estimator = PooledTaskRegressor(0.1, task_column=-1)
        part = compare(estimator, IndependentTaskRegressor(0.1, task_column=-1), X, y, seed)
        significant, gain = part["baseline"].p_holm < 0.05, part["baseline"].gain
        hurt[seed], helped[seed] = significant & (gain < 0), significant & (gain > 0)
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
    for seed in track(range(n_seeds), f"coverage: {name}"):
        rng = np.random.default_rng([4, seed])
        X, y = world.rows(world.tasks(rng) if new else fixed, rng)
        part = compare(estimator, baseline, X, y, seed)["baseline"]
        found = part.overall.population if new else part
        gains = part.fold_gains.mean(axis=1) if new else part.fold_gains
        covered.append((found.low <= truth) & (truth <= found.high))
        plain.append(np.abs((part.overall if new else part).gain - truth) <= half_width(gains))
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
    command.common("jobs", default=1, help="number of processes for the labels")
    parts: dict[str, Any] = {
        "null": _nulls,
        "harm": _harm,
        "coverage": _coverages,
        "labels": labels,
    }
    command.add_argument("--parts", nargs="+", choices=parts, default=[*parts])
    arguments = command.read(argv)
    parts["labels"] = partial(labels, n_jobs=arguments.jobs)
    start = time.perf_counter()
    rows = {part: parts[part](arguments.seeds) for part in arguments.parts}
    tables = {"null": _null_table, "harm": _harm_table, "coverage": _coverage_table}
    tables["labels"] = labels_table
    print("\n\n".join(tables[part](rows[part]) for part in arguments.parts))
    print(f"\n{time.perf_counter() - start:.0f} s")
    write_json(arguments.json, rows)
    return rows


def _nulls(seeds: int) -> list[dict[str, Any]]:
    few, useless = World(n_rows=12, n_features=2, n_tasks=20), World(n_useless=12)
    noisy = (Ridges(noise=0.2), Ridges(noise=0.2))
    own = (Ridges(0.01, hidden=(4, 5, 6, 7, 8, 9)), Ridges(0.01, hidden=(10, 11, 12, 13, 14, 15)))
    return [
        null("noise on coefficients, 6 tasks x 30 labels", World(), noisy, seeds),
        null("noise on coefficients, 20 tasks x 12 labels", few, noisy, seeds),
        null("6 useless features each, 6 tasks x 30 labels", useless, own, seeds),
    ]


def _harm(seeds: int) -> dict[str, Any]:
    return harm(max(1, seeds // 10))


def _coverages(seeds: int) -> list[dict[str, Any]]:
    usual, steep = World(), World(n_features=16, own=0.1)
    return [
        coverage(name, world, alpha, seeds, new)
        for name, world, alpha in (
            ("30 labels, 4 features, alpha 0.1", usual, 0.1),
            ("30 labels, 16 features, alpha 0.001", steep, 0.001),
        )
        for new in (False, True)
    ]


def _null_table(rows: Any) -> str:
    columns = {
        "exact null, false positives at 5%": "{null}, {seeds} seeds",
        "a task (Holm)": "{task:.1%}",
        "overall": "{overall:.1%}",
        "either": "{any:.1%}",
        "plain t, a task": "{plain_t:.1%}",
    }
    return table(rows, columns, n_left=1)


def _harm_table(found: Any) -> str:
    rows = [
        (f"2 unrelated tasks, {found['seeds']} seeds", f"{found['unrelated_hurt']:.1%}", ""),
        ("8 related tasks", f"{found['related_hurt']:.1%}", f"{found['related_helped']:.1%}"),
    ]
    header = ("pooled against independent", "reported hurt", "reported helped")
    return markdown_table(header, rows, n_left=1)


def _coverage_table(rows: Any) -> str:
    columns = {
        "95% intervals, pooled against independent": "{interval}: {models}, {seeds} seeds",
        "true gain": "{true_gain:.3f}",
        "coverage": "{coverage:.1%}",
        "plain t": "{plain_t:.1%}",
    }
    return table(rows, columns, n_left=1)


if __name__ == "__main__":
    main()
