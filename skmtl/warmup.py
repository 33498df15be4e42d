"""Compile the kernels of all estimators ahead of time: ``python -m skmtl.warmup``.

numba compiles a kernel when it is first called with a combination of array types, and caches the
result on disk for later processes. This module fits every family to small data, in both layouts,
dense and sparse, in double and single precision, so that later fits need not compile anything.
"""

import warnings
from collections.abc import Callable, Iterator
from itertools import product
from time import perf_counter
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

import skmtl
from skmtl._numerics import kernels

Array = NDArray[Any]

# Parameters with which a family uses other kernels than with its defaults.
_OPTIONS: dict[str, list[dict[str, Any]]] = {
    "BlockSparse": [{"sparsity": 0.5}],
    "FusedTask": [{"sparse": 0.5}, {"graph": "complete"}, {"graph": "complete", "sparse": 0.5}],
    "GraphRegularized": [{"block": 0.1}],
}
# Enough iterations to call every kernel.
_ENOUGH = {"max_iter": 20, "max_stages": 1}
_N_SAMPLES, _N_FEATURES, _N_TASKS = 24, 6, 3


def warm_up(report: Callable[[str], None] = print) -> None:
    """Fit every family to small data, so that its kernels are compiled and cached.

    Parameters
    ----------
    report : callable, default=print
        Called with a line of text for each family, and one for the total.

    Examples
    --------
    >>> from skmtl.warmup import warm_up
    >>> warm_up(report=lambda line: None)
    """
    start, n_before = perf_counter(), count_compiled()
    for family in _families():
        family_start, n_family_before = perf_counter(), count_compiled()
        with warnings.catch_warnings():
            # Some of these fits do not converge, which is irrelevant here.
            warnings.simplefilter("ignore")
            for fit in _fits(family):
                fit()
        n_compiled = count_compiled() - n_family_before
        report(f"{family}: {n_compiled} compiled, {perf_counter() - family_start:.1f} s")
    _call_rare()
    n_compiled = count_compiled() - n_before
    report(f"{n_compiled} compiled in total, {perf_counter() - start:.1f} s; the rest was cached")


def _call_rare() -> None:
    """Call the kernels that only larger fits use, with the array types of such fits."""
    grams, features = np.stack([np.eye(3), np.eye(3)]), np.arange(2)
    kernels.take_grams(grams, features, np.empty((2, 2, 2)))
    kernels.turn_grams(grams, features, np.empty((2, 2, 2)))
    kernels.sum_row_grams(np.ones((2, 2, 2)), np.ones(2), features, np.eye(2), np.eye(2))
    kernels.move_task_rows(np.ones((2, 2, 2)), features, np.eye(2), np.eye(2))
    kernels.factor_products(np.ones((1, 3, 3)), 1e-12)
    kernels.find_rows(np.eye(3))
    kernels.measure_rows(np.eye(3))
    tree = np.arange(2), np.array([-1, 0]), np.ones(2)
    kernels.eliminate_tasks(*tree, grams)
    kernels.pass_to_roots(*tree, grams, np.eye(2, 3))
    kernels.pass_to_leaves(*tree, grams, np.eye(2, 3))
    edges = np.array([0, 1, 2], np.int32), np.array([1, 0], np.int32), np.ones(2)
    kernels.multiply_laplacian(*edges, np.eye(2), np.zeros((2, 2)))
    kernels.measure_edges(*edges, np.eye(2))
    thresholds = np.zeros(2), np.ones(3), np.ones(3), False
    for dtype in (np.float64, np.float32):
        H, columns, R = np.zeros((3, 2), dtype), np.ones((3, 2), dtype), np.ones((2, 2), dtype)
        kernels.minimise_rows_dense(
            columns, np.ones(2), thresholds, np.zeros((3, 2)), H, R, 1e-3, 5
        )
        # The matrix of all classes, one here, is in single precision if it takes many products.
        columns, bends, W = np.eye(3, dtype=dtype), np.ones(3), np.zeros((3, 1))
        kernels.minimise_classes(columns, bends, thresholds, W, np.ones((3, 1)), 1.0, 1e-3, 5)
    kernels.dense_gap(
        np.ones((3, 2)),
        np.ones(2),
        thresholds,
        np.zeros((3, 2)),
        np.zeros((3, 2)),
        np.ones((2, 2)),
        np.empty(3, dtype=np.bool_),
    )


def count_compiled() -> int:
    """Return how many specialisations of kernels this process has compiled itself."""
    compiled = (getattr(kernels, name) for name in kernels.__all__)
    # If compilation is disabled, kernels are plain functions.
    statistics = (each.stats for each in compiled if hasattr(each, "stats"))
    return sum(sum(each.cache_misses.values()) for each in statistics)


def _families() -> list[str]:
    """The names of all estimators, without Regressor and Classifier."""
    names = [name for name in skmtl.__all__ if name.endswith("Regressor")]
    # It fits estimators that are in the list.
    names.remove("SafeTransferRegressor")
    return [name.removesuffix("Regressor") for name in names]


def _fits(family: str) -> Iterator[Callable[[], Any]]:
    """The fits of a family to every kind of data."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((_N_SAMPLES, _N_FEATURES))
    Y = X[:, :_N_TASKS] + rng.standard_normal((_N_SAMPLES, _N_TASKS))
    for options in ({}, *_OPTIONS.get(family, [])):
        for kind, dtype in product(("Regressor", "Classifier"), (np.float64, np.float32)):
            cls = getattr(skmtl, family + kind)
            labels = Y if kind == "Regressor" else (Y > 0).astype(np.float64)
            constraints = cls._parameter_constraints.get("loss", [])
            for loss in ("squared", "poisson") if kind == "Regressor" else ("logistic",):
                target = np.abs(labels).round() if loss == "poisson" else labels
                params = {**options, **_ENOUGH, "loss": loss}
                for features, y, layout in _layouts(X.astype(dtype), target):
                    yield _fit(cls, params | layout, features, y)
            if any("multinomial" in str(rule) for rule in constraints):
                params = {**options, **_ENOUGH, "loss": "multinomial"}
                yield _fit(cls, params, X.astype(dtype), labels.argmax(axis=1))


def _layouts(X: Array, Y: Array) -> Iterator[tuple[Any, Array, dict[str, Any]]]:
    """The same data in the shared layout, with a missing label, and stacked; dense and sparse."""
    missing = Y.copy()
    missing[0, 0] = np.nan
    tasks = np.repeat(np.arange(Y.shape[1]), len(Y))
    stacked = np.column_stack([np.tile(X, (Y.shape[1], 1)), tasks.astype(X.dtype)])
    for container in (np.asarray, sp.csr_array):
        yield container(X), Y, {}
        yield container(X), missing, {}
        yield container(stacked), Y.T.ravel(), {"task_column": -1}


def _fit(cls: Any, params: dict[str, Any], X: Any, y: Array) -> Callable[[], Any]:
    """A call that fits an estimator with those of the parameters that it has."""
    known = set(cls._get_param_names())
    return lambda: cls(**{k: v for k, v in params.items() if k in known}).fit(X, y)


if __name__ == "__main__":
    warm_up()
