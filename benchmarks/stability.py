"""Does stability selection keep its bound, and what does it find?

``python -m benchmarks.stability [--seeds 30] [--features 200]``

Protocol, written before any result was seen.

- Data: 200 features, 8 of them with an effect in all of 4 tasks. Coefficients are standard normal,
  times strengths from 0.3 to 1.0; noise is standard normal with standard deviation 2. They and the
  positions of the 8 features are the same for all seeds, which differ in features and noise.
- Features: *independent*; *Toeplitz*: correlation 0.8^|i - j|; *blocks* of 10 features with
  correlation 0.7, the effective features in different blocks.
- Layouts: *shared*: 120 rows with labels of all tasks; *stacked*: tasks of 60, 100, 140 and 180
  rows of their own.
- Stability selection: ``stability_selection(BlockSparseRegressor())``, with 50 pairs and
  ``max_false=1``, so that 12 features are selected on each half. The same frequencies are compared
  with the thresholds of the three assumptions.
- Cross-validation: ``BlockSparseRegressorCV(alphas=50)``, features with non-zero coefficients, with
  ``rule="best"`` and with ``rule="1se"``.
- Features of low selection probability: those selected on at most a share 12 / 200 of the halves of
  150 further data sets (2 pairs each). The bound is on the number of these that are selected.
- Scores: the means over seeds, with 95% t intervals, of the number of selected features of low
  selection probability, of all selected features without an effect, of those whose correlation
  with every effective feature is below 0.5, and of the effective features found, of 8.
- The bound is contradicted if the interval of the first number is above it.
"""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._command import Command
from benchmarks._methods import run_all
from benchmarks._report import half_width, markdown_table, section, write_raw
from skmtl import BlockSparseRegressor, BlockSparseRegressorCV
from skmtl.inference import stability_selection
from skmtl.inference._selection_bounds import bound_false, least_threshold

Array = NDArray[Any]
Record = dict[str, Any]

FEATURES, LAYOUTS = ("independent", "Toeplitz", "blocks"), ("shared", "stacked")
ASSUMPTIONS = ("r-concave", "unimodal", "none")
N_TASKS, N_EFFECTIVE, N_ROWS = 4, 8, 120
SIZES = (60, 100, 140, 180)
_NOISE, _BLOCK = 2.0, 10
_STRENGTHS = np.linspace(0.3, 1.0, N_EFFECTIVE)
# Data sets from which the selection probabilities are estimated, and their first seed.
N_FURTHER, _FURTHER = 150, 1_000_000
_RELATED = 0.5


def correlation(features: str, n_features: int) -> Array:
    """The correlation matrix of the features."""
    places = np.arange(n_features)
    apart = np.abs(places[:, None] - places)
    if features == "independent":
        return np.eye(n_features)
    if features == "Toeplitz":
        return np.asarray(0.8**apart)
    same = places[:, None] // _BLOCK == places // _BLOCK
    return np.where(apart == 0, 1.0, np.where(same, 0.7, 0.0))


def coefficients(features: str, n_features: int) -> Array:
    """The true coefficients (n_tasks, n_features), the same for all seeds."""
    rng = np.random.default_rng(0)
    blocks = rng.permutation(n_features // _BLOCK)[:N_EFFECTIVE]
    places = _BLOCK * blocks + rng.integers(_BLOCK, size=N_EFFECTIVE)
    if features != "blocks":
        places = rng.permutation(n_features)[:N_EFFECTIVE]
    coef = np.zeros((N_TASKS, n_features))
    coef[:, places] = rng.normal(size=(N_TASKS, N_EFFECTIVE)) * _STRENGTHS
    return coef


def simulate(features: str, layout: str, n_features: int, seed: int) -> tuple[Array, Array]:
    """X and y in one of the layouts."""
    rng = np.random.default_rng([seed, FEATURES.index(features), LAYOUTS.index(layout)])
    root = np.linalg.cholesky(correlation(features, n_features))
    coef = coefficients(features, n_features)
    if layout == "shared":
        X = rng.normal(size=(N_ROWS, n_features)) @ root.T
        return X, X @ coef.T + _NOISE * rng.normal(size=(N_ROWS, N_TASKS))
    tasks = np.repeat(np.arange(N_TASKS), SIZES)
    X = rng.normal(size=(len(tasks), n_features)) @ root.T
    y = (X * coef[tasks]).sum(axis=1) + _NOISE * rng.normal(size=len(tasks))
    return np.column_stack([X, tasks]), y


def run(features: str, layout: str, n_features: int, seed: int) -> list[Record]:
    """What each method selects from the data of one seed."""
    X, y = simulate(features, layout, n_features, seed)
    column = -1 if layout == "stacked" else None
    records: list[Record] = []
    inner = BlockSparseRegressor(task_column=column)
    result = stability_selection(inner, X, y, random_state=seed)
    q, pairs = result.n_selected, result.n_subsamples
    for assumption in ASSUMPTIONS:
        threshold = least_threshold(q, n_features, 1.0, pairs, assumption)
        assert threshold is not None
        records.append(
            {
                "method": f"stability, {assumption}",
                "found": result.frequencies >= threshold - 1e-9,
                "threshold": threshold,
                "bound": bound_false(q, n_features, threshold, pairs, assumption),
            }
        )
    assert (records[0]["found"] == result.support).all()
    for rule in ("best", "1se"):
        model = BlockSparseRegressorCV(alphas=50, rule=rule, task_column=column).fit(X, y)
        records.append({"method": f"cross-validation, {rule}", "found": model.coef_.any(axis=0)})
    place = {"features": features, "layout": layout, "seed": seed}
    return [record | place | {"found": record["found"].tolist()} for record in records]


def probabilities(features: str, layout: str, n_features: int, n_sets: int) -> Array:
    """The selection probability of each feature on a half, from data sets not used otherwise."""
    column = -1 if layout == "stacked" else None
    total = np.zeros(n_features)
    for number in range(n_sets):
        X, y = simulate(features, layout, n_features, _FURTHER + number)
        inner = BlockSparseRegressor(task_column=column)
        # The threshold has no influence on the frequencies.
        total += stability_selection(
            inner, X, y, n_subsamples=2, threshold=1.0, n_selected=usual(n_features), random_state=0
        ).frequencies
    return total / n_sets


def usual(n_features: int) -> int:
    """The number of features selected on a half by default."""
    return int(np.sqrt(0.8 * n_features))


def unit(
    features: str, layout: str, n_features: int, seed: int | None, n_sets: int
) -> list[Record] | Array:
    """The records of a seed, or, without a seed, the selection probabilities."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if seed is None:
            return probabilities(features, layout, n_features, n_sets)
        return run(features, layout, n_features, seed)


def score(record: Record, probability: Array) -> Record:
    """Count what a method selected."""
    n_features = len(probability)
    found = np.array(record.pop("found"))
    effective = coefficients(record["features"], n_features).any(axis=0)
    related = np.abs(correlation(record["features"], n_features)[:, effective]).max(axis=1)
    low = probability <= usual(n_features) / n_features
    return record | {
        "low": int((found & low).sum()),
        "null": int((found & ~effective).sum()),
        "unrelated": int((found & (related < _RELATED)).sum()),
        "effective": int((found & effective).sum()),
    }


def rows_of(records: list[Record]) -> list[list[str]]:
    """A row for each kind of features, layout and method."""
    rows = []
    for place in dict.fromkeys((r["features"], r["layout"], r["method"]) for r in records):
        own = [r for r in records if (r["features"], r["layout"], r["method"]) == place]
        cells = []
        for name in ("low", "null", "unrelated", "effective"):
            values = np.array([r[name] for r in own], dtype=float)
            cells.append(f"{values.mean():.2f} ± {half_width(values):.2f}")
        bounds = [r["bound"] for r in own if "bound" in r]
        bound = f"{np.mean(bounds):.2f}" if bounds else "-"
        threshold = f"{own[0]['threshold']:.2f}" if bounds else "-"
        rows.append([", ".join(place[:2]), place[2], threshold, bound, *cells])
    return rows


def main(argv: Sequence[str] | None = None) -> list[Record]:
    """Run the command line."""
    command = Command("stability", __doc__)
    command.common("jobs", "json", "quick")
    command.common("seeds", default=30, help="number of data sets (default 30)")
    command.add_argument(
        "--features", type=int, default=200, help="number of features, at least 80"
    )
    arguments = command.read(argv)
    if arguments.features < _BLOCK * N_EFFECTIVE:
        command.error(f"--features must be at least {_BLOCK * N_EFFECTIVE}")
    seeds = 2 if arguments.quick else arguments.seeds
    n_sets = 3 if arguments.quick else N_FURTHER
    kinds = [(features, layout) for features in FEATURES for layout in LAYOUTS]
    units = [
        (*kind, arguments.features, seed, n_sets)
        for kind in kinds
        for seed in (None, *range(seeds))
    ]
    found = run_all(unit, units, {}, arguments.jobs, "{0}, {1}, seed {3}")
    known = {(u[0], u[1]): each for u, each in zip(units, found, strict=True) if u[3] is None}
    records = [
        score(record, known[u[0], u[1]])
        for u, each in zip(units, found, strict=True)
        if u[3] is not None
        for record in each
    ]
    header = ["features, layout", "method", "threshold", "bound", "low probability"]
    header += ["without effect", "unrelated", f"effective, of {N_EFFECTIVE}"]
    table = markdown_table(header, rows_of(records))
    print(section(f"Stability selection, {arguments.features} features", table, _NOTES))
    shares = {", ".join(kind): each.tolist() for kind, each in known.items()}
    write_raw(arguments, ("features", "seeds"), {"records": records, "probabilities": shares})
    return records


_NOTES = """
Mean number of selected features, ± half the 95% t interval over seeds. Low probability: those that
the bound is on. Unrelated: correlation with every effective feature below 0.5.
"""


if __name__ == "__main__":
    main()
