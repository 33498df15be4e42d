"""Who buys? A funnel over all impressions against fits of click and purchase. Amounts too.

``python -m benchmarks.funnel [--seeds 20] [--splits 10] [--quick] [--plot F] [--json F]`` takes
about thirteen minutes of processor time. Tables go to stdout as Markdown, progress to stderr.
``python -m benchmarks.funnel --scale`` fits one large sparse problem instead, and prints its time
and memory; ``--rows`` and ``--features`` change its size.

Protocol, written before the test scores of any of the seeds below were seen (the code was tried on
seeds from 1000 on).

Data

* Simulated funnels (``make_funnel``): 20 features, of which 5 matter; clicks in 1, 5 and 20% of
  8,000, 4,000 and 2,500 impressions; 20% of all impressions would lead to a purchase, had they been
  clicked. "Confounded": a hidden feature changes the log-odds of click and purchase by 1.5 for a
  standard deviation. 20 seeds. Scores on 20,000 other impressions, whose labels are replaced with
  the known probabilities, so that the scores are free of the noise of labels.
* hillstrom.npz: 32,000 of the 64,000 customers, drawn once; visit -> conversion; 11 features,
  standardised. "All arms together": with indicators of two of the three arms. "By arm": all
  contenders are fitted and tuned for each arm by itself; scores over all arms. 5 x 2 splits into
  halves, stratified by arm and stage.
* rand_hie.npz: 20,190 person-years, the yearly expense; 17 features and indicators of site, plan
  and year, mean-imputed and standardised. Five folds, all rows of a person in one, drawn twice.
  Fitted to all persons of four folds, and to a tenth of them.

What is estimated

* "Joint": P(click and purchase | x), over all impressions.
* "Given a click": P(purchase | click, x): simulated impressions count with their probability of a
  click; on real data the rows with a click.
* "Had all clicked": P(purchase if made to click | x), over all impressions; simulated data only.
  Without confounding it is the same function as the former, scored on other rows.

Scores

* AUC; log-loss, mean of -y log p - (1 - y) log(1 - p); calibration error: rows are sorted by p and
  cut into ten bins of equal weight, and the absolute differences between expected and true
  purchases of the bins are summed and divided by the number of purchases.
* Each contender is compared with the product of click and clicks-only purchase fitted as two
  block-sparse tasks, "clicks only, block": mean paired difference, 95% t interval over seeds or
  splits; for overlapping splits the variance is multiplied by 1 + n times the ratio of test to
  training rows (Nadeau and Bengio 2003).

Contenders

* Entire space: EntireSpaceClassifier with penalty "block", "trace" and "none".
* Purchase alone: one binary task over all impressions, with a lasso (L2,1 norm of one task) or a
  ridge. It says nothing about purchases given a click.
* Clicks only: click over all impressions, purchase over those with a click; block: as two tasks of
  BlockSparseClassifier, with NaN where not clicked; ridge each: scikit-learn's LogisticRegression
  for each, with an alpha of its own for each; none: without a penalty.
* Propensity: EntireSpaceClassifier with propensity="inverse" and "doubly_robust", penalty "block".
* alpha: the same five values from 1e-4 to 1e-2 for all, by the log-loss of two-fold
  cross-validation inside the training rows; once by that of the joint probability, for the joint
  columns, and once by that of purchases of those who clicked, for the others. (Nothing observed
  measures what all would have bought.)

Amounts

* HurdleRegressor with penalty "block" and "trace"; the same two parts alone: L1(), Ridge() and
  "none"; one regression on the amount: Ridge, and TweedieRegressor (power 1.5, log link). alpha:
  six values from 0.001 to 0.3, by three-fold cross-validation over persons, once by the squared
  error and once by the Tweedie deviance (power 1.5) of the amount, for the columns of that name.
  Predictions are raised to at least 1% of the mean expense. Squared errors are divided by the
  variance of the test expenses. The columns of the parts use the alpha of the deviance.
"""

import argparse
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks import _report as report
from benchmarks._command import Command
from benchmarks._funnel_amounts import METHODS, N_OUTER, run_amounts
from benchmarks._funnel_amounts import REFERENCE as PARTS
from benchmarks._funnel_contenders import NAMES, OURS, REFERENCE
from benchmarks._funnel_data import ALL, CONFOUNDING, SIZES, run_hillstrom, run_simulated
from benchmarks._funnel_scale import run_scale
from benchmarks._methods import Record, run_all

BY_ARM = "by arm"
QUANTITIES = ("joint", "given a click", "had all clicked")
METRICS = {"auc": "AUC", "log_loss": "log-loss", "calibration": "calibration error"}
AMOUNTS = {
    "squared": "squared error",
    "deviance": "deviance",
    "any_auc": "AUC of any",
    "any_loss": "log-loss of any",
    "log_error": "squared error of log",
}
# Metrics of which more is better.
GAINS = ("auc", "any_auc")
ALL_PERSONS, FEW_PERSONS = 1, 10


def main(argv: Sequence[str] | None = None) -> None:
    """Run the benchmark with the options of the command line."""
    arguments = _read_arguments(argv)
    if arguments.scale:
        record = run_scale(arguments.rows, arguments.features, 1e-4, arguments.alpha, "block")
        print("\n".join(f"{name}: {value}" for name, value in record.items()))
        report.write_raw(arguments, ("rows", "features", "alpha"), {"scale": record})
        return
    units = _units(arguments)
    arguments.jobs = min(arguments.jobs, len(units))
    found = run_all(_run, units, {}, arguments.jobs, "{} {} {}")
    records = [record for rows in found for record in rows]
    report.write_raw(arguments, ("seeds", "splits", "first", "quick"), {"funnel": records})
    print(render(records))
    if arguments.plot is not None:
        from benchmarks._funnel_plot import draw

        draw(arguments.plot, records)


def _read_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    command = Command("funnel", __doc__)
    command.common("seeds", default=20, help="simulated funnels of each kind")
    command.add_argument("--splits", type=int, default=10, metavar="N", help="of the real data")
    command.add_argument("--first", type=int, default=0, metavar="N", help="the first seed")
    command.common("quick", help="two seeds and splits, and 4,000 customers")
    command.add_argument("--scale", action="store_true", help="fit one large sparse problem")
    command.add_argument("--rows", type=int, default=1_000_000, help="with --scale")
    command.add_argument("--features", type=int, default=100_000, help="with --scale")
    command.add_argument("--alpha", type=float, default=1e-5, help="with --scale")
    command.common("data-home", "jobs", "json", "plot")
    arguments = command.read(argv)
    if arguments.quick:
        arguments.seeds, arguments.splits = min(arguments.seeds, 2), min(arguments.splits, 2)
    return arguments


def _units(arguments: argparse.Namespace) -> list[tuple[Any, ...]]:
    """The units of work: what, on which part of it, seed or split, and what else it needs."""
    home, first = arguments.data_home, arguments.first
    units: list[tuple[Any, ...]] = []
    for split in range(first, first + arguments.splits):
        if (home / "hillstrom.npz").is_file():
            n_rows = 4_000 if arguments.quick else 32_000
            units += [("hillstrom", arms, split, (home, n_rows)) for arms in (BY_ARM, ALL)]
        if (home / "rand_hie.npz").is_file():
            units += [("rand_hie", n, split, (home,)) for n in (ALL_PERSONS, FEW_PERSONS)]
    for seed in range(first, first + arguments.seeds):
        units += [("simulated", rate, seed, (world,)) for rate in SIZES for world in CONFOUNDING]
    return units


def _run(data: str, part: Any, seed: int, more: tuple[Any, ...]) -> list[Record]:
    with warnings.catch_warnings():
        # Of fits without a penalty, whose labels may be separated.
        warnings.simplefilter("ignore")
        if data == "simulated":
            return run_simulated(part, more[0], seed)
        if data == "hillstrom":
            return run_hillstrom(more[0], part, seed, more[1])
        return run_amounts(more[0], part, seed)


def setting(record: Record) -> str:
    """The column of a record's table."""
    if record["data"] == "simulated":
        return f"{record['rate']:.0%}, {record['world']}"
    if record["data"] == "hillstrom":
        return f"Hillstrom, {record['world']}"
    return "all persons" if record["share"] == ALL_PERSONS else f"1/{record['share']} of persons"


def difference(
    records: Sequence[Record], metric: str, method: str, reference: str, ratio: float
) -> tuple[float, float] | None:
    """Mean paired difference and half the width of its interval; None without values."""
    ours, theirs = (
        {r["seed"]: r[metric] for r in records if r["method"] == name and metric in r}
        for name in (method, reference)
    )
    seeds = sorted(set(ours) & set(theirs))
    if not seeds:
        return None
    values = np.array([ours[seed] - theirs[seed] for seed in seeds])
    return float(values.mean()), float(report.half_width(values, ratio))


def ratio(record: Record) -> float:
    """Test to training rows of overlapping splits; 0 for independent data sets."""
    return {"hillstrom": 1.0, "rand_hie": 1 / (N_OUTER - 1)}.get(record["data"], 0.0)


def by_setting(records: Sequence[Record]) -> dict[str, list[Record]]:
    """The records of each column."""
    columns: dict[str, list[Record]] = {}
    for record in records:
        columns.setdefault(setting(record), []).append(record)
    return columns


def _cell(rows: list[Record], metric: str, reference: str, digits: int) -> Callable[[str], str]:
    def fill(method: str) -> str:
        if method == reference:
            values = [r[metric] for r in rows if r["method"] == method and metric in r]
            return f"{np.mean(values):.{digits}f}" if values else "-"
        found = difference(rows, metric, method, reference, ratio(rows[0]))
        return "-" if found is None else f"{found[0]:+.{digits}f} ± {found[1]:.{digits}f}"

    return fill


def render(records: Sequence[Record]) -> str:
    """All tables and sentences."""
    parts, amounts = [], [r for r in records if r["data"] == "rand_hie"]
    for quantity in QUANTITIES:
        of_quantity = [r for r in records if r.get("quantity") == quantity]
        of_quantity.sort(key=_place)
        columns = by_setting(of_quantity)
        for metric, title in METRICS.items():
            if columns:
                parts.append(_table(f"{quantity}: {title}", columns, metric, NAMES, REFERENCE))
        if columns:
            parts.append(report.bullets(_verdicts(columns, OURS, NAMES)))
    columns = by_setting(amounts)
    if columns:
        for metric, title in AMOUNTS.items():
            parts.append(_table(f"Expense: {title}", columns, metric, tuple(METHODS), PARTS))
    return "\n\n".join(parts)


def _place(record: Record) -> tuple[Any, ...]:
    """Where a record's column stands."""
    simulated = record["data"] == "simulated"
    worlds = list(CONFOUNDING) if simulated else [ALL, BY_ARM]
    return not simulated, worlds.index(record["world"]), record.get("rate", 0.0)


def _table(
    title: str, columns: dict[str, list[Record]], metric: str, names: Sequence[str], reference: str
) -> str:
    digits = 4 if metric in ("auc", "log_loss", "any_auc", "any_loss") else 3
    cells: dict[str, report.Column] = {"differences from the row without ±": str}
    for name, rows in columns.items():
        cells[name] = _cell(rows, metric, reference, digits)
    known = {r["method"] for rows in columns.values() for r in rows if metric in r}
    used = [name for name in names if name in known]
    return f"### {title}\n\n{report.table(used, cells, n_left=1)}"


def _verdicts(columns: dict[str, list[Record]], ours: str, names: Sequence[str]) -> str:
    """Where the first contender is better or worse than each other one, beyond noise."""
    sentences = []
    for metric in ("auc", "log_loss"):
        for other in names:
            signs: dict[str, list[str]] = {"better": [], "worse": [], "undecided": []}
            for name, rows in columns.items():
                found = difference(rows, metric, ours, other, ratio(rows[0]))
                if other == ours or found is None:
                    continue
                gain = found[0] if metric in GAINS else -found[0]
                clear = abs(gain) > found[1]
                signs[("better" if gain > 0 else "worse") if clear else "undecided"].append(name)
            if any(signs.values()):
                said = "; ".join(f"{k} at {', '.join(v)}" for k, v in signs.items() if v)
                sentences.append(f"{METRICS[metric]}, {ours} against {other}: {said}.")
    return "\n\n".join(sentences)


if __name__ == "__main__":
    main()
