"""CV estimators against GridSearchCV over the same grid and folds: time ratio, same choice.

``python -m benchmarks.cross_validation [--repeats 3] [--quick] [--only NAME] [--json F]``

Each repeat times the CV estimator, GridSearchCV of the plain estimator and, where there is one,
scikit-learn's own CV estimator, one after the other; the table holds medians of wall seconds and
their ratios, the largest relative difference of the mean scores, and whether the chosen alphas
agree. School is read from the folder named by SKMTL_DATA or ../shared/data, and left out with a
message where it is absent. Set OMP_NUM_THREADS and OPENBLAS_NUM_THREADS for BLAS.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
from sklearn.linear_model import MultiTaskLassoCV
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.utils.fixes import parse_version

import skmtl
from skmtl.datasets import load_npz, make_block_sparse
from skmtl.model_selection import StratifiedTaskKFold

# What scikit-learn calls the number of strengths depends on its release.
COUNT = "alphas" if parse_version(sklearn.__version__) >= parse_version("1.7") else "n_alphas"


@dataclass(frozen=True)
class Problem:
    """A CV estimator, its data, and the folds and scorer that GridSearchCV gets."""

    name: str
    model: Any
    data: Callable[[], tuple[Any, Any]]
    folds: Any = None
    scoring: str = "neg_mean_squared_error"
    peer: Any = None


def main(argv: list[str] | None = None) -> list[dict[str, Any]]:
    """Run the benchmark, print a table, and return its rows."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="small data, few alphas")
    parser.add_argument("--only", help="problems whose name contains this")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    arguments = parser.parse_args(argv)

    rows = []
    print("| problem | CV estimator | GridSearchCV | ratio | scikit-learn's CV | ratio | scores "
          "| same alpha |\n|---|---|---|---|---|---|---|---|")  # fmt: skip
    for problem in problems(quick=arguments.quick):
        if arguments.only and arguments.only not in problem.name:
            continue
        try:
            X, y = problem.data()
        except (OSError, ValueError) as error:
            print(f"{problem.name} left out: {error}", file=sys.stderr)
            continue
        rows.append(compare(problem, X, y, arguments.repeats))
        print(_line(rows[-1]), flush=True)
    threads = {k: os.environ.get(k, "-") for k in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    print(f"skmtl {skmtl.__version__}, {platform.machine()}, {os.cpu_count()} cores, {threads}")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))
    return rows


def problems(*, quick: bool) -> list[Problem]:
    """The comparisons."""
    alphas, few = (5, 5) if quick else (50, 10)
    shrink = 10 if quick else 1
    sizes = {
        "small": (60, 20, 5),
        "wide": (200, 2000 // shrink, 20),
        "tall": (20_000 // shrink, 200 // shrink, 20),
        "logistic": (2000 // shrink, 100 // shrink, 10),
    }
    small, wide, tall, logistic = (_shared(*size) for size in sizes.values())
    small_name, wide_name, tall_name, logistic_name = (
        f"{name} {n} x {d}, T={n_tasks}" for name, (n, d, n_tasks) in sizes.items()
    )
    stacked = {"task_column": -1}
    found = [
        Problem(small_name, skmtl.BlockSparseRegressorCV(alphas), small,
                peer=MultiTaskLassoCV(**{COUNT: alphas})),
        Problem(wide_name, skmtl.BlockSparseRegressorCV(alphas, eps=0.01), wide,
                peer=MultiTaskLassoCV(**{COUNT: alphas}, eps=0.01)),
        Problem(tall_name, skmtl.BlockSparseRegressorCV(alphas), tall,
                peer=MultiTaskLassoCV(**{COUNT: alphas})),
        Problem(f"{tall_name}, clusters", skmtl.ClusteredTaskRegressorCV(few), tall),
        Problem(f"{tall_name}, relations", skmtl.TaskRelationRegressorCV(few), tall),
        Problem(logistic_name, skmtl.BlockSparseClassifierCV(few, eps=0.01),
                _labels(logistic), scoring="neg_log_loss",
                folds=StratifiedTaskKFold(5, random_state=0)),
        Problem(f"{logistic_name}, relations", skmtl.TaskRelationClassifierCV(few, eps=1e-3),
                _labels(logistic), scoring="neg_log_loss",
                folds=StratifiedTaskKFold(5, random_state=0)),
    ]  # fmt: skip
    if quick:
        return found
    folds = StratifiedTaskKFold(5, task_column=-1, random_state=0)
    return found + [
        Problem(f"School, {model.__class__.__name__}", model, _school, folds)
        for model in (
            skmtl.BlockSparseRegressorCV(few, **stacked),
            skmtl.ClusteredTaskRegressorCV(few, **stacked),
            skmtl.TaskRelationRegressorCV(few, **stacked),
        )
    ]


def compare(problem: Problem, X: Any, y: Any, repeats: int) -> dict[str, Any]:
    """Time the three by turns, and compare what they find."""
    name = type(problem.model).__name__
    plain = getattr(skmtl, name.removesuffix("CV"))
    shared = plain().get_params().keys() & problem.model.get_params().keys()
    plain = plain(**{key: problem.model.get_params()[key] for key in shared})
    seconds: dict[str, list[float]] = {"cv": [], "grid": [], "peer": []}
    model, peer = problem.model, problem.peer
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the edge of a grid
        model.fit(X, y)  # loads kernels
        scoring = _log_loss if problem.scoring == "neg_log_loss" else problem.scoring
        folds = problem.folds or KFold(5)
        grid = GridSearchCV(plain, {"alpha": model.alphas_}, cv=folds, scoring=scoring)
        for _ in range(repeats):
            for key, estimator in (("cv", model), ("grid", grid), ("peer", peer)):
                if estimator is not None:
                    start = time.perf_counter()
                    estimator.fit(X, y)
                    seconds[key].append(time.perf_counter() - start)
    path = -model.mse_path_ if hasattr(model, "mse_path_") else model.scores_path_
    theirs = grid.cv_results_["mean_test_score"]
    median = {key: statistics.median(values) for key, values in seconds.items() if values}
    return {
        "problem": problem.name,
        "estimator": name,
        "seconds": median,
        "grid_ratio": median["grid"] / median["cv"],
        "peer_ratio": median["peer"] / median["cv"] if peer is not None else None,
        "score_difference": float(np.max(np.abs(path.mean(axis=1) / theirs - 1))),
        "same_alpha": bool(grid.best_params_["alpha"] == model.alpha_),
    }


def _line(row: dict[str, Any]) -> str:
    seconds, peer = row["seconds"], "- | -"
    if row["peer_ratio"] is not None:
        peer = f"{seconds['peer']:.3g} s | {row['peer_ratio']:.1f}"
    return (
        f"| {row['problem']} | {seconds['cv']:.3g} s | {seconds['grid']:.3g} s "
        f"| {row['grid_ratio']:.1f} | {peer} | {row['score_difference']:.0e} "
        f"| {'yes' if row['same_alpha'] else 'no'} |"
    )


def _shared(n: int, d: int, n_tasks: int) -> Callable[[], tuple[Any, Any]]:
    def make() -> tuple[Any, Any]:
        made = make_block_sparse(
            n, d, n_tasks, n_informative=max(d // 20, 1), noise=3.0, random_state=0
        )
        return made.data, made.target

    return make


def _labels(data: Callable[[], tuple[Any, Any]]) -> Callable[[], tuple[Any, Any]]:
    def make() -> tuple[Any, Any]:
        X, Y = data()
        return X, (np.median(Y, axis=0) < Y).astype(int)

    return make


def _school() -> tuple[Any, Any]:
    home = os.environ.get("SKMTL_DATA", Path(__file__).parents[2] / "shared" / "data")
    data = load_npz(Path(home) / "school.npz", stack=True)
    return data.data, data.target


def _log_loss(model: Any, X: Any, y: Any) -> float:
    """Minus the mean logistic loss of all labels, which is what the CV estimators take."""
    z = model.decision_function(X) * (2 * np.asarray(y) - 1)
    return -float(np.logaddexp(0, -z).mean())


if __name__ == "__main__":
    main()
