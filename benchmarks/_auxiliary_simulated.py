"""Simulated main tasks with auxiliary labels, whose truth is known."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import KFold

from benchmarks._auxiliary_fits import (
    ALONE,
    CHEATING,
    Effort,
    Trial,
    compare,
    lasso,
    ridge,
    squared_error,
)
from skmtl import BlockSparseRegressor, LowRankRegressor
from skmtl.model_selection import AlphaSearchCV

Array = NDArray[Any]

N_TEST = 2000
SUBSPACE, EITHER = "ridge on the subspace", "subspace or features"
SCALED = "on the scaled subspace"


def _trial(X: Array, Y: Array, n: int, effort: Effort) -> Trial:
    """The first ``n`` rows for training; the main label is the first column of Y."""
    folds = list(KFold(effort.n_folds).split(X[:n]))
    return Trial(X[:n], Y[:n, 0], Y[:n, 1:], folds, X[n:], Y[n:, 0], Y[n:, 1:])


def _unit(rng: np.random.Generator, *shape: int) -> Array:
    """Normal coefficients (n_features, n_tasks) of expected squared norm 1."""
    return rng.standard_normal(shape) / np.sqrt(shape[0])


def hints(n: int, unit: int, effort: Effort) -> dict[str, float]:
    """The main target is the sum of two factors and much noise; the hints are the factors."""
    rng = np.random.default_rng([3, n, unit])
    X = rng.standard_normal((n + N_TEST, 30))
    factors = X @ _unit(rng, 30, 2)
    factors += 0.1 * rng.standard_normal(factors.shape)
    y = factors.sum(axis=1) + 2 * rng.standard_normal(len(X))
    trial = _trial(X, np.column_stack([y, factors]), n, effort)
    return compare(trial, LowRankRegressor(scale_tasks=True), ridge, effort)


def attention(n: int, common: bool, unit: int, effort: Effort) -> dict[str, float]:
    """A noisy main target on 5 of 100 features; four clear auxiliaries on the same or on others."""
    rng = np.random.default_rng([5, n, common, unit])
    X = rng.standard_normal((n + N_TEST, 100))
    W = np.zeros((100, 5))
    W[:5] = rng.choice([-1.0, 1.0], (5, 5)) * rng.uniform(0.5, 1.0, (5, 5))
    if not common:
        W[5:10, 1:], W[:5, 1:] = W[:5, 1:], 0.0
    noise = rng.standard_normal((len(X), 5)) * np.array([2.0, 0.5, 0.5, 0.5, 0.5])
    trial = _trial(X, X @ W + noise, n, effort)
    return compare(trial, BlockSparseRegressor(scale_tasks=True), lasso, effort)


def useless(n: int, sparse: bool, unit: int, effort: Effort) -> dict[str, float]:
    """Five auxiliary columns of pure noise."""
    rng = np.random.default_rng([7, n, sparse, unit])
    X = rng.standard_normal((n + N_TEST, 20))
    w = _unit(rng, 20, 1)[:, 0]
    if sparse:
        w[5:] = 0.0
        w *= 2.0
    y = X @ w + rng.standard_normal(len(X))
    trial = _trial(X, np.column_stack([y, rng.standard_normal((len(X), 5))]), n, effort)
    kind = BlockSparseRegressor if sparse else LowRankRegressor
    return compare(trial, kind(scale_tasks=True), lasso if sparse else ridge, effort)


def representation(n: int, inside: float, unit: int, effort: Effort) -> dict[str, float]:
    """A new task with a share of its signal in the subspace of 30 auxiliary tasks of rank 3.

    The auxiliary tasks are labelled in 200 other rows.
    """
    rng = np.random.default_rng([11, n, round(10 * inside), unit])
    n_features, n_auxiliary = 50, 200
    basis = np.linalg.qr(rng.standard_normal((n_features, 3)))[0]
    auxiliary = basis @ rng.standard_normal((3, 30))
    own = basis @ rng.standard_normal(3) / np.sqrt(3)
    w = np.sqrt(inside) * own + np.sqrt(1 - inside) * _unit(rng, n_features, 1)[:, 0]
    X = rng.standard_normal((n_auxiliary, n_features))
    Y = X @ auxiliary + rng.standard_normal((n_auxiliary, 30))
    shared = (
        AlphaSearchCV(LowRankRegressor(), alphas=12, cv=effort.n_folds).fit(X, Y).best_estimator_
    )
    X = rng.standard_normal((n + N_TEST, n_features))
    y = X @ w + rng.standard_normal(len(X))
    folds = list(KFold(effort.n_folds).split(X[:n]))
    errors = with_subspace(X[:n], y[:n], X[n:], y[n:], shared, folds)
    oracle = ridge(X[:n] @ basis, y[:n], folds).predict(X[n:] @ basis)
    return errors | {CHEATING: squared_error(y[n:], oracle)}


def with_subspace(
    X: Array, y: Array, X_test: Array, y_test: Array, shared: Any, folds: Any
) -> dict[str, float]:
    """Test errors of ridges on the features, on a subspace, and on what the folds prefer.

    Parameters
    ----------
    X, y, X_test, y_test : ndarrays
    shared : fitted LowRank estimator
    folds : sequence of (train, test)
    """
    directions = shared.components_.T
    if not shared.rank_:
        directions = np.zeros((X.shape[1], 1))
    scales = shared.singular_values_ / shared.singular_values_.max(initial=0.0)
    models, errors = {}, {}
    for name, W in {
        ALONE: np.eye(X.shape[1]),
        SUBSPACE: directions,
        SCALED: directions * scales if shared.rank_ else directions,
    }.items():
        models[name] = ridge(X @ W, y, folds)
        errors[name] = squared_error(y_test, models[name].predict(X_test @ W))
    preferred = max((ALONE, SUBSPACE), key=lambda name: models[name].best_score_)
    return errors | {EITHER: errors[preferred]}
