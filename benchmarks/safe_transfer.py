"""What unrelated tasks lose, and related tasks keep, with SafeTransferRegressor.

``python -m benchmarks.safe_transfer [--seeds 40] [--structure graph] [--gate 1] [--json F]``

Protocol, written before any of the seeds below was run. The rule was designed on other seeds, of
the same worlds, with a complete graph as the structure.

- Worlds: stacked tasks with 10 standard normal features and noise of variance 1; T = 12 tasks of
  n = 30 rows, and T = 20 of n = 60. Related tasks have the same unit vector plus normal deviations
  of expected squared norm 0.09; unrelated tasks have independent normal coefficients of expected
  squared norm 1. Worlds are named by what is related: "none" of the tasks, "half" of them, "all",
  all but one ("outlier"); in "opposite" all are related, but half of them have the other sign.
- Error: the expected squared error on fresh rows, which is known exactly for a linear model.
- Base: each task alone, one alpha for all tasks. All methods use the same five folds and select
  alpha there.
- Loss of the unrelated tasks: their mean error divided by that of the base, minus 1, averaged over
  seeds. Gain of the related tasks: the decrease of their mean error, summed over seeds, as a
  fraction of the error of the base; "kept" is this gain divided by that of the shared fit. Both
  have 95% t intervals over seeds (kept: by linearisation).
- Methods: the shared fit; each task alone with an alpha for each; the shared fit where it beats the
  separate fit by one standard error, otherwise the separate fit; SafeTransferRegressor; and an
  oracle that takes, in each task, the best of the own, the shared and the trimmed fit on fresh
  rows.
- Bar: in "half" the upper limit of the unrelated tasks' loss is below 0.9% for n = 30 and below
  0.5% for n = 60, and related tasks keep at least 85%. The other worlds are reported in the same
  way.

Outcome with the default structure and gate, 40 seeds of "half": for n = 60 the bar is met (loss
0.14% ± 0.18%, kept 147%); for n = 30 it is not (loss 0.61% ± 0.60%, kept 101%), and the interval is
wide. 200 seeds, which include these and were run after they had been seen (``--worlds half --seeds
200``), lose 0.29% ± 0.17% for n = 30 and 0.08% ± 0.05% for n = 60, and keep 100% and 140%: there
both sizes meet the bar.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._command import Command
from benchmarks._progress import track
from benchmarks._report import half_width, table, write_json
from skmtl import IndependentTaskRegressor, SafeTransferRegressor

Array = NDArray[Any]

N_FEATURES = 10
SIZES = ((12, 30), (20, 60))
WORLDS = ("none", "half", "all", "opposite", "outlier")
METHODS = ("shared", "alone, an alpha each", "one standard error", "safe transfer", "oracle")
# Of the related tasks' deviations from what they share.
SPREAD = 0.3


@dataclass(frozen=True)
class World:
    """Linear tasks, some of which are unrelated."""

    name: str
    n_tasks: int
    n_rows: int

    @property
    def unrelated(self) -> Array:
        """Mask of the unrelated tasks."""
        counts = {"none": self.n_tasks, "half": self.n_tasks // 2, "outlier": 1}
        return np.arange(self.n_tasks) < counts.get(self.name, 0)

    def draw(self, rng: np.random.Generator) -> tuple[Array, Array, Array]:
        """Coefficients (n_tasks, n_features), rows with the task in the last column, labels."""
        shape = (self.n_tasks, N_FEATURES)
        common = rng.standard_normal(N_FEATURES)
        common /= np.linalg.norm(common)
        coef = common + SPREAD * rng.standard_normal(shape) / np.sqrt(N_FEATURES)
        if self.name == "opposite":
            coef[: self.n_tasks // 2] *= -1
        other = rng.standard_normal(shape) / np.sqrt(N_FEATURES)
        coef[self.unrelated] = other[self.unrelated]
        codes = np.repeat(np.arange(self.n_tasks), self.n_rows)
        X = rng.standard_normal((len(codes), N_FEATURES))
        y = (X * coef[codes]).sum(axis=1) + rng.standard_normal(len(codes))
        return coef, np.column_stack([X, codes]), y


def errors(world: World, structure: str, gate: float, seed: int) -> tuple[Array, Array]:
    """The tasks' expected errors: of the base (n_tasks,), and of METHODS (n_methods, n_tasks)."""
    rng = np.random.default_rng([2027, seed])
    coef, X, y = world.draw(rng)

    def error(found: Array, intercept: Array) -> Array:
        return 1 + ((found - coef) ** 2).sum(axis=-1) + intercept**2

    safe = SafeTransferRegressor(structure, gate=gate, task_column=-1).fit(X, y)
    each = IndependentTaskRegressor("cv-each", task_column=-1).fit(X, y)
    experts = error(safe.expert_coefs_, safe.expert_intercepts_)
    own, shared = experts[:2]
    wins = safe.shared_gains_ > safe.shared_gain_errors_
    methods = [
        shared,
        error(each.coef_, each.intercept_),
        np.where(wins, shared, own),
        error(safe.coef_, safe.intercept_),
        experts.min(axis=0),
    ]
    return own, np.stack(methods)


def summarise(world: World, base: Array, found: Array) -> list[dict[str, Any]]:
    """A row for each method, from errors (n_seeds, n_tasks) and (n_seeds, n_methods, n_tasks)."""
    rows, unrelated = [], world.unrelated
    gains = (base[:, None] - found)[:, :, ~unrelated].sum(axis=2)
    for number, method in enumerate(METHODS):
        row: dict[str, Any] = {"world": world.name, "tasks": world.n_tasks, "n": world.n_rows}
        row |= {"method": method, "seeds": len(base)}
        if unrelated.any():
            ratio = found[:, number, unrelated].sum(axis=1) / base[:, unrelated].sum(axis=1)
            row["loss"], row["loss_half"] = float(ratio.mean() - 1), float(half_width(ratio))
        if not unrelated.all():
            row["gain"] = float(gains[:, number].sum() / base[:, ~unrelated].sum())
            kept = gains[:, number].sum() / gains[:, 0].sum()
            residual = (gains[:, number] - kept * gains[:, 0]) / gains[:, 0].mean()
            row["kept"], row["kept_half"] = float(kept), float(half_width(residual))
        rows.append(row)
    return rows


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Run the benchmark, print the table, and return its rows."""
    command = Command("safe_transfer", __doc__)
    command.common("seeds", default=40, help="number of data sets per world")
    command.common("json")
    command.add_argument("--structure", default="graph", help="what SafeTransferRegressor shares")
    command.add_argument("--gate", type=float, default=1.0, help="of SafeTransferRegressor")
    command.add_argument("--worlds", nargs="+", default=WORLDS, choices=WORLDS)
    arguments = command.read(argv)
    rows = []
    for name in arguments.worlds:
        for n_tasks, n_rows in SIZES:
            world = World(name, n_tasks, n_rows)
            seeds = track(range(arguments.seeds), f"{name}, {n_tasks} tasks, {n_rows} rows")
            done = [errors(world, arguments.structure, arguments.gate, seed) for seed in seeds]
            base, found = (np.stack(part) for part in zip(*done, strict=True))
            rows += summarise(world, base, found)
            write_json(arguments.json, {"structure": arguments.structure, "rows": rows})
    print(_table(rows))
    return {"rows": rows}


def _table(rows: list[dict[str, Any]]) -> str:
    def loss(row: dict[str, Any]) -> str:
        return f"{row['loss']:.2%} ± {row['loss_half']:.2%}" if "loss" in row else "-"

    def gain(row: dict[str, Any]) -> str:
        return f"{row['gain']:.1%}" if "gain" in row else "-"

    def kept(row: dict[str, Any]) -> str:
        # A share of a gain makes sense only if there is one.
        base = row.get("kept") is not None and row["world"] != "opposite"
        return f"{row['kept']:.0%} ± {row['kept_half']:.0%}" if base else "-"

    columns = {
        "related tasks": "{world}",
        "tasks x rows": "{tasks} x {n}",
        "method": "{method}",
        "loss of the unrelated": loss,
        "gain of the related": gain,
        "kept": kept,
    }
    return table(rows, columns, n_left=3)


if __name__ == "__main__":
    main()
