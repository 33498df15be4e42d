"""The methods of benchmarks.one_vs_rest, and its units of work (table, size, seed, method)."""

from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.utils import Bunch

from benchmarks._methods import Method, Record, Tuned, by_name, tune
from benchmarks._tuning import (
    CLUSTER,
    NORM,
    RIDGE,
    TRACE,
    Array,
    Problem,
    one_for_all_or_each,
    one_standard_error,
)
from skmtl.datasets import (
    fetch_mnist,
    load_digits_tasks,
    make_block_sparse,
    make_clustered_tasks,
    make_related_tasks,
)
from skmtl.metrics import roc_auc_score
from skmtl.penalties import L1

INDEPENDENT_RIDGE = "independent ridge"
INDEPENDENT_LASSO = "independent lasso"
POOLED_RIDGE = "pooled ridge"
BLOCK_SPARSE = "block-sparse"
BLOCK_SPARSE_1SE = "block-sparse, 1 s.e."
CLUSTERED = "clustered"
RELATION = "relation"

METHODS = by_name(
    Method(INDEPENDENT_RIDGE, "IndependentTask", RIDGE, rule=one_for_all_or_each),
    # With the L1 norm the tasks are independent; fitting all in one call takes a fifth of the time.
    Method(INDEPENDENT_LASSO, "MultiTask", NORM, fixed={"penalty": L1()}),
    Method(POOLED_RIDGE, "PooledTask", RIDGE),
    Method(BLOCK_SPARSE, "BlockSparse", NORM, also={BLOCK_SPARSE_1SE: one_standard_error}),
    Method(CLUSTERED, "ClusteredTask", CLUSTER, grid={"n_clusters": (3, 5), "between": (0.1, 0.3)}),
    Method(RELATION, "TaskRelation", TRACE),
)
# The rows of the tables, in their order.
ROWS = tuple(name for method in METHODS.values() for name in method.rules)
# Methods that use every feature by construction.
DENSE = (INDEPENDENT_RIDGE, POOLED_RIDGE, CLUSTERED, RELATION)

N_FOLDS = 5
# The simulated tasks of table (b), and of table (c).
MAKERS: dict[str, partial[Bunch]] = {
    "sparse": partial(make_block_sparse, n_features=100, n_tasks=10, n_informative=8),
    "related": partial(make_related_tasks, n_features=40, n_tasks=12),
    "clustered": partial(make_clustered_tasks, n_features=40, n_tasks=12, n_clusters=3),
}


def run(
    data: str, home: Path | None, table: str, n: int, seed: int, method: str
) -> tuple[list[Record], list[Tuned]]:
    """Return a method's scores and its fitted models; ``data`` names the digits of table (a)."""
    if table == "digits":
        found = _run_digits(load(data, home), n, seed, METHODS[method])
    else:
        bunch = MAKERS[table](n, layout="stacked", random_state=seed)
        found = _run_simulated(bunch, seed, METHODS[method])
    records = [
        row.record() | {"n": n, "seed": seed, "features": row.n_used} | scores
        for row, scores in found
    ]
    return records, [row for row, _ in found]


@lru_cache(maxsize=1)
def load(data: str, home: Path | None) -> Bunch:
    """Read the digits; MNIST has ``is_test``, which marks the official test part."""
    return load_digits_tasks() if data == "digits" else fetch_mnist(home)


def n_available(bunch: Bunch) -> tuple[int, int]:
    """The number of rows available, and how many of them must be kept for testing."""
    if "is_test" in bunch:
        return int((~bunch.is_test).sum()), 0
    return len(bunch.target), 100


def _split(bunch: Bunch, n_train: int, seed: int) -> tuple[Array, Array]:
    """Training rows, stratified by digit, and the test rows."""
    pool = np.flatnonzero(~bunch.is_test) if "is_test" in bunch else np.arange(len(bunch.target))
    train, rest = pool, pool[:0]
    if n_train < len(pool):
        train, rest = train_test_split(
            pool, train_size=n_train, stratify=bunch.target[pool], random_state=seed
        )
    return train, np.flatnonzero(bunch.is_test) if "is_test" in bunch else rest


def _run_digits(bunch: Bunch, n: int, seed: int, method: Method) -> list[tuple[Tuned, Record]]:
    train, test = _split(bunch, n, seed)
    scale = 255.0 if "is_test" in bunch else 1.0
    X, X_test = bunch.data[train] / scale, bunch.data[test] / scale
    Y = (bunch.target[:, None] == np.arange(10)).astype(np.intp)
    model = method.make(stacked=False, classes=True)
    problem = Problem(model, X, Y[train], method.path, N_FOLDS, seed, bunch.target[train])
    found = []
    for row in tune(method, problem):
        scores = X_test @ row.coef.T + row.intercept
        accuracy = (scores.argmax(axis=1) == bunch.target[test]).mean()
        auc = roc_auc_score(Y[test], scores)
        found.append((row, {"accuracy": float(accuracy), "auc": float(auc)}))
    return found


def _run_simulated(bunch: Bunch, seed: int, method: Method) -> list[tuple[Tuned, Record]]:
    problem = Problem(method.make(), bunch.data, bunch.target, method.path, N_FOLDS, seed)
    truth, found = bunch.coef != 0, []
    for row in tune(method, problem):
        error = np.linalg.norm(row.coef - bunch.coef) / np.linalg.norm(bunch.coef)
        scores = {"error": float(error), "precision": None, "recall": None}
        if row.method not in DENSE:
            selected = row.coef != 0
            hits = int((selected & truth).sum())
            # A model that selects no coefficient has no false positives, so its precision is 1.
            scores["precision"] = hits / int(selected.sum()) if selected.any() else 1.0
            scores["recall"] = hits / int(truth.sum())
        found.append((row, scores))
    return found
