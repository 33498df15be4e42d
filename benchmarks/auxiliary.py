"""Six kinds of auxiliary task: what each gains over the main task alone on new rows.

``python -m benchmarks.auxiliary [--kind NAME ...] [--plot F] [--json F]``. A table per kind goes to
stdout, progress to stderr. All kinds take about 12 minutes of processor time on a busy machine.

Protocol, written before any test error of the units below was computed. The code was tried on other
seeds, other parts of the data and earlier months.

**What is compared.** Every method is fitted to the training rows of a unit and scored on test rows
that nothing else uses. The error is the mean squared error divided by the variance of the test
labels; for classes the log loss, or the error rate where the table says so. The gain of a method is
1 minus its mean error divided by the mean error of the main task alone, in per cent. Its 95% t
interval, by linearisation, is over groups of units: seeds, or units with training data of their
own. A method "helps" or "hurts" if the interval leaves out zero; intervals are for each number
alone, so that about one in twenty does so by chance. The table adds in parentheses the
number of groups in which the method's error is lower.

- *main task alone*: AuxiliaryTaskRegressor or -Classifier with ``weight=0``, hence a Lasso with the
  block-sparse structure, and a ridge-like norm with the low-rank structure. A *ridge* is given too
  where this is a Lasso.
- *weight=1*: its alpha is selected.
- *weight="cv"*: the weight is selected at each alpha, then alpha by the score of that weight.
- *weight in grid*: the best pair of alpha and weight, 0 among the weights.
- *grid, 1 s.e.*: that pair, but the main task alone unless the pair is better by one standard error
  of the difference over folds.
- *cheating upper bound*: the auxiliary labels are features, also of the test rows, where in use
  they would not exist; a ridge, Lasso or logistic regression. For a subspace: the true one. It can
  be lower than the others, since a method that trains on few rows may not use the features well.

All these select on the score of held-out main labels, on the same five folds of the training rows,
with the same alphas (2 alpha_max of the main task alone, times 1/3, 1/9, ... 1/243, no further than
the first alpha that is worse than stronger ones with every weight) and weights (0, 0.03, 0.1, 0.3,
1, 3, 10). Auxiliary columns are in units of their standard deviations.

**The kinds.**

- *related*: each SARCOS torque with labels in 20 or 50 rows, the other six with labels in 300;
  low rank. Groups: torques, averaged over two disjoint draws. Test: half of the data.
- *hints*, low rank: simulated, 30 features; the target is the sum of two factors (variance 1 each)
  and noise of variance 4, the hints are the factors with noise of variance 0.01. Yeast: each of the
  12 labels that 10 to 90% of the rows have; its hints are the three others that a ridge predicts
  best (leave-one-out R2) in the 100 training rows, which are the same for all labels. Groups:
  labels. Test: the official test rows.
- *representation*: ``components_`` of a low-rank fit to many auxiliary tasks (alpha by five folds),
  then a ridge on the projected rows of a new task; or on the features, if its folds prefer them.
  Simulated: 50 features, 30 auxiliary tasks of rank 3 in 200 rows, noise of variance 1; the signal
  of the new task, of variance 1, is in their subspace, or half of it outside. School: each new
  school has 10 or 20 labelled pupils, the schools in three of four random parts are auxiliary.
  Groups: 120 schools with at least 31 pupils; test: their other pupils.
- *attention*, block-sparse: simulated, 100 features, of which 5 matter; noise of variance 4 for the
  main target and 0.25 for four auxiliaries, which depend on the same or on other features. RAND:
  the log expense of a person in a year from 170 features (17, products and squares); log visits
  and any admission are auxiliary. Rows of a person are in one fold; groups: 8 draws of persons;
  test: 5000 rows of other persons.
- *future*, block-sparse (of two structures it had the lower errors in earlier months, for the main
  task alone too): the log PM2.5 reading of five cities 6, 12 or 24 hours ahead from the weather,
  the wind, the hour, and the readings now and 1, 3 and 24 hours before; the three readings that
  divide the time until then into quarters are auxiliary. Training rows are 7 hours apart and end
  before 2014-10-01 or 2015-07-01; test: the next 60 days. Folds are blocks of time, without the
  training rows that overlap with the held-out block. Groups: cities, averaged over the dates.
  *chain (LUPTS)* predicts, by least squares, the state (all features) at each of the three times
  from the state before, and the target from the last (Karlsson et al. 2022); *chain of ridges* the
  same with ridges. The chains thus see the weather in between, the auxiliary tasks do not.
- *nuisance*: a logistic regression on the features, and after NuisanceEraser has removed the
  training sites; C is selected by leaving out training sites. Simulated: six sites whose means
  differ in two of 20 directions, the sixth for testing; base rates are equal, or follow from the
  shift, in the sixth by the same or by the opposite rule. RAND: any expense of a person in a year,
  each of six sites left out in turn. The sites' training rows overlap, which the interval ignores.
- *useless*: five columns of pure noise; 20 features, noise of variance 1. 20 seeds.

Simulations are over 15 seeds and have 2000 test rows.

**Added after the test errors had been seen:** the counts in parentheses; in *future* the dates
2015-01-01 and 2015-10-01, because with two dates almost every interval contained zero; in
*representation* the method *on the scaled subspace*, a ridge on the projections times the singular
values, because one school (with an error of 52) dominated the mean of the plain one.

References
----------
R. Karlsson, M. Willbo, Z. Hussain, R. Krishnan, D. Sontag and F. Johansson, "Using time-series
privileged information for provably efficient learning of prediction models", AISTATS 2022,
https://doi.org/10.48550/arXiv.2110.14993
"""

import argparse
import time
import warnings
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from benchmarks import _report as report
from benchmarks._auxiliary_fits import ALONE, CHEATING, RIDGE_ALONE, Effort
from benchmarks._auxiliary_kinds import KINDS, SETTINGS, Setting
from benchmarks._command import Command
from benchmarks._methods import Record, run_all

# Rows for comparison: the first uses no auxiliary label, the second those of the test rows.
_REFERENCES = (RIDGE_ALONE, CHEATING)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Run the benchmark with the options of the command line; returns the rows of the tables."""
    arguments = _read_arguments(argv)
    settings = _settings(arguments)
    units = [
        (setting.kind, setting.name, u)
        for setting in settings
        for u in setting.units(arguments.quick)
    ]
    arguments.jobs = min(arguments.jobs, len(units))
    records = run_all(partial(_run, arguments), units, {}, arguments.jobs, "{}: {}, unit {}")
    rows = [summarise(setting, records) for setting in settings]
    for kind in arguments.kind:
        mine = [row for row in rows if row["kind"] == kind]
        if mine:
            print(report.section(KINDS[kind], _table(mine), _findings(mine)), end="\n\n")
    total = sum(record["seconds"] for record in records)
    print(report.bullets(f"Processor time of all fits: {total:.0f} s."))
    if arguments.plot is not None:
        from benchmarks._auxiliary_plot import draw

        draw(arguments.plot, rows)
    report.write_raw(arguments, ("kind", "quick"), {"rows": rows, "units": records})
    return {"rows": rows, "units": records}


def _read_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    command = Command("auxiliary", __doc__)
    every = list(KINDS)
    command.add_argument("--kind", nargs="+", choices=every, default=every, help="kinds to run")
    command.common("quick", help="two units a setting, two alphas and two folds, to try the code")
    command.common("data-home", "jobs", "json", "plot")
    arguments = command.read(argv)
    if not _settings(arguments):
        command.error(f"no data found in {arguments.data_home}")
    return arguments


def _settings(arguments: argparse.Namespace) -> list[Setting]:
    """The settings of the chosen kinds whose data are there."""
    return [
        setting
        for kind in arguments.kind
        for setting in SETTINGS
        if setting.kind == kind
        and (setting.file is None or (arguments.data_home / setting.file).is_file())
    ]


def _run(arguments: argparse.Namespace, kind: str, name: str, unit: int) -> Record:
    """The errors of all methods in a unit."""
    (setting,) = (s for s in SETTINGS if (s.kind, s.name) == (kind, name))
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        errors = setting.errors(arguments.data_home, unit, Effort(arguments.quick))
    seconds = time.process_time() - start
    return {"kind": kind, "name": name, "unit": unit, "errors": errors, "seconds": seconds}


def summarise(setting: Setting, records: Sequence[Record]) -> Record:
    """The mean error of the main task alone, and the gains of the other methods, in per cent."""
    mine = [r for r in records if (r["kind"], r["name"]) == (setting.kind, setting.name)]
    methods = list(mine[0]["errors"])
    groups: dict[int, list[list[float]]] = {}
    for record in mine:
        errors = [record["errors"][method] for method in methods]
        groups.setdefault(record["unit"] % setting.n_groups, []).append(errors)
    errors = np.array([np.mean(group, axis=0) for group in groups.values()])
    alone = errors[:, methods.index(ALONE)]
    gains, lower = {}, {}
    for k, method in enumerate(methods):
        ratio = errors[:, k].mean() / alone.mean()
        half = report.half_width((errors[:, k] - ratio * alone) / alone.mean())
        if method != ALONE:
            gains[method] = (100 * float(1 - ratio), 100 * float(half))
            lower[method] = int((errors[:, k] < alone).sum())
    return {
        "kind": setting.kind,
        "name": setting.name,
        "n_groups": len(errors),
        "error": float(alone.mean()),
        "gains": gains,
        "lower": lower,
    }


def verdict(gain: float, half: float) -> str:
    """What an interval says of a method."""
    if np.isnan(half) or abs(gain) <= half:
        return "no difference shown"
    return "helps" if gain > 0 else "hurts"


def _table(rows: Sequence[Record]) -> str:
    """A row for each setting, with the gain of each method."""

    def cell(method: str, row: Record) -> str:
        if method not in row["gains"]:
            return "-"
        gain, half = row["gains"][method]
        return f"{gain:+.1f} ± {half:.1f} ({row['lower'][method]})"

    methods = list(dict.fromkeys(method for row in rows for method in row["gains"]))
    columns: dict[str, report.Column] = {"setting": "{name}", "groups": "{n_groups}"}
    columns[f"error, {ALONE}"] = "{error:.3f}"
    columns |= {f"{method}, %": partial(cell, method) for method in methods}
    return report.table(rows, columns, n_left=1)


def _findings(rows: Sequence[Record]) -> str:
    """In how many settings each method helps or hurts, and which settings gain nothing."""
    methods = list(dict.fromkeys(method for row in rows for method in row["gains"]))
    findings = []
    for method in methods:
        found = [verdict(*row["gains"][method]) for row in rows if method in row["gains"]]
        counts = {what: found.count(what) for what in ("helps", "hurts", "no difference shown")}
        said = ", ".join(f"{what} in {count}" for what, count in counts.items() if count)
        findings.append(f"{method}: {said} of {len(found)} settings.")
    idle = [
        row["name"]
        for row in rows
        if not any(verdict(*g) == "helps" for m, g in row["gains"].items() if m not in _REFERENCES)
    ]
    if idle:
        findings.append(
            f"No gain from auxiliary labels is shown, with any method that does not cheat, in: "
            f"{'; '.join(idle)}."
        )
    return "\n\n".join(findings)


if __name__ == "__main__":
    main()
