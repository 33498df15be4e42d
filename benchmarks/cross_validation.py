"""CV estimators and GridSearchCV on the same grid and folds: time ratio and selected alpha.

``python -m benchmarks.cross_validation [--repeats 3] [--quick] [--only NAME] [--json F]``

Each repeat times the CV estimator, GridSearchCV of the plain estimator and, if one exists,
scikit-learn's own CV estimator, one after the other. The table shows medians of wall-clock seconds
and their ratios, the largest relative difference of the mean scores, and whether the selected
alphas agree. School is read from the folder named by SKMTL_DATA or ../shared/data; if the file is
missing, it is skipped with a message. Set OMP_NUM_THREADS and OPENBLAS_NUM_THREADS for BLAS.
"""

import os
import platform
import statistics
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import sklearn
from sklearn.base import clone, is_classifier
from sklearn.linear_model import MultiTaskLassoCV
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.utils.fixes import parse_version

import skmtl
from benchmarks._command import Command, data_home
from benchmarks._progress import track
from benchmarks._report import markdown_table, say, seconds, write_json
from skmtl.datasets import load_npz, make_block_sparse
from skmtl.model_selection import StratifiedTaskKFold

# scikit-learn renamed the parameter that sets the number of alphas.
COUNT = "alphas" if parse_version(sklearn.__version__) >= parse_version("1.7") else "n_alphas"
HEADER = ("problem", "CV estimator", "GridSearchCV", "ratio", "scikit-learn's CV", "ratio")


@dataclass(frozen=True)
class Comparison:
    """A CV estimator, its data, the folds for GridSearchCV, and scikit-learn's counterpart."""

    name: str
    model: Any
    data: Callable[[], tuple[Any, Any]]
    folds: Any = None
    peer: Any = None


def main(argv: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Run the benchmark, print a table, and return its rows."""
    command = Command("cross_validation", __doc__)
    command.common("repeats", default=3, help="number of timed fits of each estimator")
    command.common("quick", help="small data, few alphas")
    command.add_argument("--only", metavar="NAME", default="", help="filter problems by name")
    command.common("json")
    arguments = command.read(argv)
    rows = []
    chosen = [one for one in comparisons(quick=arguments.quick) if arguments.only in one.name]
    for one in track(chosen):
        try:
            X, y = one.data()
        except (OSError, ValueError) as error:
            say(f"{one.name}: skipped: {error}")
            continue
        rows.append(compare(one, X, y, arguments.repeats))
    print(markdown_table([*HEADER, "scores", "same alpha"], [*map(_cells, rows)], n_left=1))
    threads = {k: os.environ.get(k, "-") for k in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    print(f"skmtl {skmtl.__version__}, {platform.machine()}, {os.cpu_count()} cores, {threads}")
    write_json(arguments.json, rows)
    return rows


def comparisons(*, quick: bool) -> list[Comparison]:
    """The comparisons to run; ``quick`` makes the data and the grids small."""
    alphas, few, shrink = (5, 5, 10) if quick else (50, 10, 1)
    sizes = {
        "small": (60, 20, 5),
        "wide": (200, 2000 // shrink, 20),
        "tall": (20_000 // shrink, 200 // shrink, 20),
        "logistic": (2000 // shrink, 100 // shrink, 10),
    }
    small, wide, tall, logistic = (
        f"{name} {n} x {d}, T={n_tasks}" for name, (n, d, n_tasks) in sizes.items()
    )
    data = {name: partial(_shared, *size) for name, size in sizes.items()}
    labels = partial(_labels, *sizes["logistic"])
    count: dict[str, Any] = {COUNT: alphas}
    block, lasso = skmtl.BlockSparseRegressorCV(alphas), MultiTaskLassoCV(**count)
    folds = StratifiedTaskKFold(5, random_state=0)
    found = [
        Comparison(small, block, data["small"], peer=lasso),
        Comparison(
            wide,
            clone(block).set_params(eps=0.01),
            data["wide"],
            peer=clone(lasso).set_params(eps=0.01),
        ),
        Comparison(tall, block, data["tall"], peer=lasso),
        Comparison(f"{tall}, clusters", skmtl.ClusteredTaskRegressorCV(few), data["tall"]),
        Comparison(f"{tall}, relations", skmtl.TaskRelationRegressorCV(few), data["tall"]),
        Comparison(logistic, skmtl.BlockSparseClassifierCV(few, eps=0.01), labels, folds),
        Comparison(
            f"{logistic}, relations", skmtl.TaskRelationClassifierCV(few, eps=1e-3), labels, folds
        ),
    ]
    if quick:
        return found
    folds = StratifiedTaskKFold(5, task_column=-1, random_state=0)
    return found + [
        Comparison(f"School, {kind.__name__}", kind(few, task_column=-1), _school, folds)
        for kind in (
            skmtl.BlockSparseRegressorCV,
            skmtl.ClusteredTaskRegressorCV,
            skmtl.TaskRelationRegressorCV,
        )
    ]


def compare(one: Comparison, X: Any, y: Any, repeats: int) -> dict[str, Any]:
    """Time the estimators alternately, and compare their scores and selected alphas."""
    model, peer = one.model, one.peer
    name = type(model).__name__
    plain = getattr(skmtl, name.removesuffix("CV"))()
    common = plain.get_params().keys() & model.get_params().keys()
    plain.set_params(**{key: model.get_params()[key] for key in common})
    times: dict[str, list[float]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the best alpha may be at the edge of the grid
        model.fit(X, y)  # loads the compiled code
        scoring = _log_loss if is_classifier(model) else "neg_mean_squared_error"
        strengths = {"alpha": model.alphas_}
        grid = GridSearchCV(plain, strengths, cv=one.folds or KFold(5), scoring=scoring)
        for _ in range(repeats):
            for key, estimator in (("cv", model), ("grid", grid), ("peer", peer)):
                if estimator is not None:
                    times.setdefault(key, []).append(seconds(estimator.fit, X, y))
    path = -model.mse_path_ if hasattr(model, "mse_path_") else model.scores_path_
    theirs = grid.cv_results_["mean_test_score"]
    median = {key: statistics.median(values) for key, values in times.items()}
    return {
        "problem": one.name,
        "estimator": name,
        "seconds": median,
        "grid_ratio": median["grid"] / median["cv"],
        "peer_ratio": median["peer"] / median["cv"] if peer is not None else None,
        "score_difference": float(np.max(np.abs(path.mean(axis=1) / theirs - 1))),
        "same_alpha": bool(grid.best_params_["alpha"] == model.alpha_),
    }


def _cells(row: dict[str, Any]) -> list[str]:
    """Format a row of the table."""
    median, ratio = row["seconds"], row["peer_ratio"]
    return [
        row["problem"],
        f"{median['cv']:.3g} s",
        f"{median['grid']:.3g} s",
        f"{row['grid_ratio']:.1f}",
        "-" if ratio is None else f"{median['peer']:.3g} s",
        "-" if ratio is None else f"{ratio:.1f}",
        f"{row['score_difference']:.0e}",
        "yes" if row["same_alpha"] else "no",
    ]


def _shared(n: int, d: int, n_tasks: int) -> tuple[Any, Any]:
    """Simulated tasks with common rows."""
    bunch = make_block_sparse(
        n, d, n_tasks, n_informative=max(d // 20, 1), noise=3.0, random_state=0
    )
    return bunch.data, bunch.target


def _labels(*size: int) -> tuple[Any, Any]:
    """Simulated tasks with common rows and binary labels, split at each task's median."""
    X, Y = _shared(*size)
    return X, (np.median(Y, axis=0) < Y).astype(int)


def _school() -> tuple[Any, Any]:
    data = load_npz(data_home() / "school.npz", stack=True)
    return data.data, data.target


def _log_loss(model: Any, X: Any, y: Any) -> float:
    """Minus the mean logistic loss of all labels, the score used by the CV estimators."""
    z = model.decision_function(X) * (2 * np.asarray(y) - 1)
    return -float(np.logaddexp(0, -z).mean())


if __name__ == "__main__":
    main()
