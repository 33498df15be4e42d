"""The units of work of benchmarks.one_vs_rest: one family, one training size, one seed."""

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split
from sklearn.utils import Bunch
from threadpoolctl import threadpool_limits

from benchmarks._methods import BLOCK_SPARSE, DENSE, FAMILIES, Tuned, tune
from benchmarks._tuning import Problem, logistic_loss, squared_loss
from skmtl.datasets import (
    fetch_mnist,
    load_digits_tasks,
    make_block_sparse,
    make_clustered_tasks,
    make_related_tasks,
)
from skmtl.metrics import roc_auc_score

Array = NDArray[Any]
Record = dict[str, Any]

N_FOLDS = 5
# The made tasks of table (b) and of table (c).
N_FEATURES, N_TASKS, N_INFORMATIVE = 100, 10, 8
N_FEATURES_C, N_TASKS_C, N_CLUSTERS = 40, 12, 3
MAKERS: dict[str, Callable[..., Bunch]] = {
    "made": partial(
        make_block_sparse, n_features=N_FEATURES, n_tasks=N_TASKS, n_informative=N_INFORMATIVE
    ),
    "related": partial(make_related_tasks, n_features=N_FEATURES_C, n_tasks=N_TASKS_C),
    "clustered": partial(
        make_clustered_tasks, n_features=N_FEATURES_C, n_tasks=N_TASKS_C, n_clusters=N_CLUSTERS
    ),
}


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
        digits = self.table == "digits"
        what = f"{self.data}, {self.n} rows" if digits else f"{self.table}, {self.n} labels"
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
        logistic_loss,
        family.path,
    )
    rows = tune(family.rules, problem, family.grid)
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


def _run_made(unit: Unit) -> tuple[list[Record], list[Tuned]]:
    bunch = MAKERS[unit.table](unit.n, layout="stacked", random_state=unit.seed)
    family = FAMILIES[unit.family]
    problem = Problem(
        family.regressor(task_column=-1),
        bunch.data,
        bunch.target,
        None,
        N_FOLDS,
        unit.seed,
        squared_loss,
        family.path,
    )
    rows = tune(family.rules, problem, family.grid)
    truth, records = bunch.coef != 0, []
    for row in rows:
        error = np.linalg.norm(row.coef - bunch.coef) / np.linalg.norm(bunch.coef)
        record = _record(unit, row) | {"error": float(error), "precision": None, "recall": None}
        if row.method not in DENSE:
            chosen = row.coef != 0
            hits = int((chosen & truth).sum())
            # A model without any coefficient chooses nothing wrong, and nothing right.
            record["precision"] = hits / int(chosen.sum()) if chosen.any() else 1.0
            record["recall"] = hits / int(truth.sum())
        records.append(record)
    return records, rows


def _record(unit: Unit, row: Tuned) -> Record:
    return {
        "method": row.method,
        "n": unit.n,
        "seed": unit.seed,
        "alpha": row.strength,
        "setting": row.setting,
        "features": row.n_used,
        "seconds": row.seconds,
    }
