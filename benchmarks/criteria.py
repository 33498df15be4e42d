"""How often does an information criterion select the right features, and what does it cost?

``python -m benchmarks.criteria [--layouts shared stacked] [--seeds 30] [--jobs N] [--json F]``

Protocol, written before any selection was seen.

- Data: 5 tasks, normal features with correlation 0.5^|j - k|, of which 5 at random places matter to
  all tasks, with standard normal coefficients; normal noise of variance 1 in every task, an
  intercept for each. *shared*: one X for all tasks; *stacked*: a separate X of the same size for
  each. Rows of a task and features: 40 and 80, 100 and 100, 200 and 50. The coefficients are scaled
  so that the mean over tasks of the variance of the signal is 0.5, 2 or 8.
- Estimator: ``BlockSparseRegressor(tol=1e-6)`` over 50 alphas from alpha_max to a hundredth of it,
  the same for all methods.
- Methods: "aic", "bic" and "ebic" (gamma = 1) of ``path``, with the noise variance estimated from
  the residuals of each fit; "cv" and "cv, 1se": five-fold cross-validation by ``AlphaSearchCV``
  with shuffled folds, the best alpha, or the largest within one standard error of it.
- Scores: how often the selected features are exactly those that matter; the mean number of
  false positives, and of false negatives out of 5; the excess risk, the mean over tasks of
  the expected squared error of the predicted means for new rows, in units of the noise variance. A
  row "closest" states the alpha whose support has the fewest errors on the path, which no method
  can know: the most that a choice of alpha can achieve.
- Means over seeds with 95% intervals: Wilson's for the share of exact supports, t intervals for
  others. All methods see the same data.
"""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from sklearn.model_selection import KFold

from benchmarks._command import Command
from benchmarks._methods import run_all
from benchmarks._report import LEVEL, half_width, markdown_table, section, write_raw
from skmtl import BlockSparseRegressor
from skmtl.model_selection import AlphaSearchCV, StratifiedTaskKFold, path

Array = NDArray[Any]
Record = dict[str, Any]

LAYOUTS = ("shared", "stacked")
SIZES = ((40, 80), (100, 100), (200, 50))
SIGNALS = (0.5, 2.0, 8.0)
N_TASKS, N_INFORMATIVE, CORRELATION, N_ALPHAS, EPS = 5, 5, 0.5, 50, 1e-2


def simulate(layout: str, n: int, d: int, signal: float, seed: int) -> tuple[Array, Array, Any]:
    """X and y, and the truth: coefficients (n_tasks, d), intercepts, covariance of features."""
    rng = np.random.default_rng([seed, n, d, int(10 * signal), LAYOUTS.index(layout)])
    covariance = CORRELATION ** np.abs(np.subtract.outer(np.arange(d), np.arange(d)))
    root = np.linalg.cholesky(covariance)
    W = np.zeros((N_TASKS, d))
    W[:, rng.choice(d, N_INFORMATIVE, replace=False)] = rng.normal(size=(N_TASKS, N_INFORMATIVE))
    W *= np.sqrt(signal / np.einsum("tj,jk,tk->t", W, covariance, W).mean())
    b = rng.normal(size=N_TASKS)
    truth = W, b, covariance
    if layout == "shared":
        X = rng.normal(size=(n, d)) @ root.T
        return X, X @ W.T + b + rng.normal(size=(n, N_TASKS)), truth
    tasks = np.repeat(np.arange(N_TASKS), n)
    X = rng.normal(size=(n * N_TASKS, d)) @ root.T
    y = np.einsum("ij,ij->i", X, W[tasks]) + b[tasks] + rng.normal(size=len(X))
    return np.column_stack([X, tasks]), y, truth


def choices(model: Any, X: Array, y: Array) -> tuple[dict[str, int], Array, Array]:
    """The position that each method selects, and the coefficients and intercepts of the path."""
    alphas, coefs, _, intercepts, ebic = path(
        model, X, y, alphas=N_ALPHAS, eps=EPS, return_intercepts=True, criterion="ebic"
    )
    bic = ebic.values - 2 * ebic.log_supports
    aic = bic + (2 - np.log(ebic.n_labels)) * ebic.degrees_of_freedom
    pairs = zip(("aic", "bic", "ebic"), (aic, bic, ebic.values), strict=True)
    chosen = {kind: int(np.nanargmin(values)) for kind, values in pairs}
    stacked = model.task_column is not None
    folds: Any = KFold(5, shuffle=True, random_state=0)
    if stacked:
        folds = StratifiedTaskKFold(5, task_column=-1, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of alphas at the edge of the grid
        search = AlphaSearchCV(model, alphas=alphas, cv=folds, rule="1se").fit(X, y)
    chosen["cv"] = int(search.mse_path_.mean(axis=1).argmin())
    chosen["cv, 1se"] = int(np.flatnonzero(alphas == search.alpha_)[0])
    return chosen, coefs, intercepts


def run(layout: str, n: int, d: int, signal: float, seed: int) -> list[Record]:
    """The scores of all methods on the data of one seed."""
    X, y, (W, b, covariance) = simulate(layout, n, d, signal, seed)
    model = BlockSparseRegressor(task_column=None if layout == "shared" else -1, tol=1e-6)
    chosen, coefs, intercepts = choices(model, X, y)
    matters, selected = W.any(axis=0), coefs.any(axis=0)
    false = (selected & ~matters[:, None]).sum(axis=0)
    missed = (~selected & matters[:, None]).sum(axis=0)
    chosen["closest"] = int((false + missed).argmin())
    records = []
    for method, k in chosen.items():
        errors = coefs[:, :, k] - W
        shifts = intercepts[:, k] - b
        risk = (np.einsum("tj,jk,tk->t", errors, covariance, errors) + shifts**2).mean()
        records.append(
            {
                "layout": layout,
                "n": n,
                "d": d,
                "signal": signal,
                "seed": seed,
                "method": method,
                "exact": bool(false[k] + missed[k] == 0),
                "false": int(false[k]),
                "missed": int(missed[k]),
                "risk": float(risk),
            }
        )
    return records


def rows_of(records: list[Record]) -> list[list[str]]:
    """The table of one layout."""
    keys = ("n", "d", "signal", "method")
    rows = []
    for key in dict.fromkeys(tuple(record[name] for name in keys) for record in records):
        own = [r for r in records if tuple(r[name] for name in keys) == key]
        exact = stats.binomtest(sum(r["exact"] for r in own), len(own))
        interval = exact.proportion_ci(LEVEL, method="wilson")
        cells = [f"{exact.statistic:.0%} ({interval.low:.0%} to {interval.high:.0%})"]
        for name, digits in (("false", 1), ("missed", 2), ("risk", 3)):
            values = np.array([r[name] for r in own], dtype=float)
            cells.append(f"{values.mean():.{digits}f} ± {half_width(values):.{digits}f}")
        n, d, signal, method = key
        rows.append([f"{n} x {d}", f"{signal:g}", method, *cells])
    return rows


def main(argv: Sequence[str] | None = None) -> list[Record]:
    """Run the command line."""
    command = Command("criteria", __doc__)
    command.common("jobs", "json", "quick")
    command.common("seeds", default=30, help="number of data sets (default 30)")
    command.add_argument("--layouts", nargs="+", choices=LAYOUTS, default=list(LAYOUTS))
    arguments = command.read(argv)
    seeds = 2 if arguments.quick else arguments.seeds
    sizes, signals = (SIZES[:1], SIGNALS[1:2]) if arguments.quick else (SIZES, SIGNALS)
    units = [
        (layout, n, d, signal, seed)
        for layout in arguments.layouts
        for n, d in sizes
        for signal in signals
        for seed in range(seeds)
    ]
    found = run_all(run, units, {}, arguments.jobs, "{0} {1} x {2}, signal {3}, seed {4}")
    records = [record for each in found for record in each]
    header = ["n x d", "signal", "method", "exact support", "false", "missed", "excess risk"]
    for layout in arguments.layouts:
        mine = [record for record in records if record["layout"] == layout]
        table = markdown_table(header, rows_of(mine), n_left=3)
        print(section(f"Selection of alpha: {layout} layout", table, _NOTES), "\n")
    write_raw(arguments, ("layouts", "seeds"), {"records": records})
    return records


_NOTES = """
False: features selected that do not matter. Missed: of 5 that do. Closest: the alpha with the
fewest errors, which no method can know. 95% intervals.
"""


if __name__ == "__main__":
    main()
