"""The units of work of benchmarks.one_vs_rest: one family, one training size, one seed."""

import os
import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split
from sklearn.utils import Bunch
from threadpoolctl import threadpool_limits

from benchmarks._methods import BLOCK_SPARSE, FAMILIES, RIDGES, Tuned, tune
from benchmarks._tuning import Problem
from skmtl.datasets import fetch_mnist, load_digits_tasks, make_block_sparse
from skmtl.metrics import roc_auc_score

Array = NDArray[Any]
Record = dict[str, Any]

N_FOLDS = 5
# The made tasks of table (b).
N_FEATURES, N_TASKS, N_INFORMATIVE = 100, 10, 8


@dataclass(frozen=True)
class Unit:
    """What one worker does at a time."""

    table: str
    n: int
    seed: int
    family: str
    data: str = "digits"
    data_home: str | None = None

    def __str__(self) -> str:
        what = f"{self.data}, {self.n} rows" if self.table == "digits" else f"made, {self.n} labels"
        return f"{what}, seed {self.seed}: {self.family}"


def run(unit: Unit) -> tuple[Unit, list[Record], list[Tuned]]:
    """Do a unit; return its numbers and its fitted models."""
    # So small matrices are slower on several threads, some of them many times.
    with threadpool_limits(limits=1):
        return unit, *(_run_digits(unit) if unit.table == "digits" else _run_made(unit))


def warm_up() -> None:
    """Load what the first fit of a process loads, so that no method pays for it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run(Unit("made", 10, 0, BLOCK_SPARSE))


@lru_cache(maxsize=1)
def load(data: str, data_home: str | os.PathLike[str] | None) -> Bunch:
    """Read the digits: ``data``, ``target``, ``image_shape``, and ``is_test`` where it is given."""
    return load_digits_tasks() if data == "digits" else fetch_mnist(data_home)


def n_available(bunch: Bunch) -> tuple[int, int]:
    """How many rows can be used for training and, given no test part, must be left for testing."""
    if "is_test" in bunch:
        return int((~bunch.is_test).sum()), 0
    return len(bunch.target), 100


def _split(bunch: Bunch, n_train: int, seed: int) -> tuple[Array, Array]:
    """Training rows with every digit in proportion, and the test rows."""
    pool = np.flatnonzero(~bunch.is_test) if "is_test" in bunch else np.arange(len(bunch.target))
    train, rest = pool, pool[:0]
    if n_train < len(pool):
        train, rest = train_test_split(
            pool, train_size=n_train, stratify=bunch.target[pool], random_state=seed
        )
    return train, np.flatnonzero(bunch.is_test) if "is_test" in bunch else rest


def _run_digits(unit: Unit) -> tuple[list[Record], list[Tuned]]:
    bunch = load(unit.data, unit.data_home)
    train, test = _split(bunch, unit.n, unit.seed)
    scale = 255.0 if unit.data == "mnist" else 1.0
    X, X_test = bunch.data[train] / scale, bunch.data[test] / scale
    digits = np.arange(10)
    Y, Y_test = (bunch.target[rows, None] == digits for rows in (train, test))
    family = FAMILIES[unit.family]
    problem = Problem(
        family.classifier(),
        X,
        Y.astype(np.intp),
        bunch.target[train],
        N_FOLDS,
        unit.seed,
        _logistic_loss,
        family.norm,
    )
    rows = tune(family, problem)
    records = []
    for row in rows:
        scores = X_test @ row.coef.T + row.intercept
        records.append(
            _record(unit, row)
            | {
                "accuracy": float((scores.argmax(axis=1) == bunch.target[test]).mean()),
                "auc": float(roc_auc_score(Y_test.astype(np.intp), scores)),
            }
        )
    return records, rows


def _logistic_loss(coef: Array, intercept: Array, X: Array, Y: Array) -> Array:
    return np.logaddexp(0, (1 - 2 * Y) * (X @ coef.T + intercept)).mean(axis=0)


def _run_made(unit: Unit) -> tuple[list[Record], list[Tuned]]:
    bunch = make_block_sparse(
        unit.n,
        N_FEATURES,
        N_TASKS,
        n_informative=N_INFORMATIVE,
        layout="stacked",
        random_state=unit.seed,
    )
    family = FAMILIES[unit.family]
    problem = Problem(
        family.regressor(task_column=-1),
        bunch.data,
        bunch.target,
        None,
        N_FOLDS,
        unit.seed,
        _squared_loss,
        family.norm,
    )
    rows = tune(family, problem)
    truth, records = bunch.coef != 0, []
    for row in rows:
        error = np.linalg.norm(row.coef - bunch.coef) / np.linalg.norm(bunch.coef)
        record = _record(unit, row) | {"error": float(error), "precision": None, "recall": None}
        if row.method not in RIDGES:
            chosen = row.coef != 0
            hits = int((chosen & truth).sum())
            # A model without any coefficient chooses nothing wrong, and nothing right.
            record["precision"] = hits / int(chosen.sum()) if chosen.any() else 1.0
            record["recall"] = hits / int(truth.sum())
        records.append(record)
    return records, rows


def _squared_loss(coef: Array, intercept: Array, X: Array, y: Array) -> Array:
    task = X[:, -1].astype(np.intp)
    predicted = np.einsum("ij,ij->i", X[:, :-1], coef[task]) + intercept[task]
    squares = np.bincount(task, (y - predicted) ** 2, minlength=N_TASKS)
    return squares / np.bincount(task, minlength=N_TASKS)


def _record(unit: Unit, row: Tuned) -> Record:
    alpha = row.alpha.tolist()
    return {
        "method": row.method,
        "n": unit.n,
        "seed": unit.seed,
        "alpha": alpha[0] if len(set(alpha)) == 1 else alpha,
        "features": row.n_used,
        "seconds": row.seconds,
    }
