"""Real main tasks with auxiliary labels: torques, yeast labels, schools and health expenses."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold
from sklearn.preprocessing import PolynomialFeatures

from benchmarks._auxiliary_fits import (
    RIDGE_ALPHAS,
    Effort,
    Trial,
    compare,
    lasso,
    logistic,
    ridge,
    standardise,
)
from benchmarks._auxiliary_simulated import with_subspace
from skmtl import BlockSparseRegressor, LowRankClassifier, LowRankRegressor
from skmtl.model_selection import AlphaSearchCV

Array = NDArray[Any]

SARCOS, YEAST = "sarcos_test4449.npz", "ml_yeast.npz"
SCHOOL, RAND = "school.npz", "rand_hie.npz"
# The yeast labels that 10 to 90% of the training rows have; a few labels of others are useless.
COMMON_LABELS = 12
# Parts of the schools; each part in turn is new.
N_PARTS = 4


@lru_cache
def load(path: Path) -> dict[str, Array]:
    """The arrays of an npz file."""
    with np.load(path) as content:
        return {name: content[name] for name in content.files}


def torques(folder: Path, n: int, unit: int, effort: Effort) -> dict[str, float]:
    """A torque with labels in ``n`` rows; the six others have labels in 300."""
    data, n_all = load(folder / SARCOS), 60 if effort.quick else 300
    main, part = unit % 7, unit // 7
    rows = np.random.default_rng(0).permutation(len(data["X"]))
    test, rows = rows[: len(rows) // 2], rows[len(rows) // 2 :]
    rows = rows[part * n_all : (part + 1) * n_all]
    y = data["Y"][rows, main].copy()
    y[n:] = np.nan
    others = np.delete(np.arange(7), main)
    folds = [
        (np.append(train, np.arange(n, n_all)), held_out)
        for train, held_out in KFold(effort.n_folds).split(np.arange(n))
    ]
    X, Y = data["X"], data["Y"]
    extra, extra_test = Y[np.ix_(rows, others)], Y[np.ix_(test, others)]
    trial = Trial(X[rows], y, extra, folds, X[test], Y[test, main], extra_test)
    return compare(trial, LowRankRegressor(scale_tasks=True), ridge, effort)


def yeast(folder: Path, n: int, unit: int, effort: Effort) -> dict[str, float]:
    """A label; the hints are the three others that a ridge predicts best in the training rows."""
    data = load(folder / YEAST)
    is_test = data["is_test"]
    rates = data["Y"][~is_test].mean(axis=0)
    common = np.argsort(-np.minimum(rates, 1 - rates))[:COMMON_LABELS]
    main, part = int(common[unit % COMMON_LABELS]), unit // COMMON_LABELS
    rows = np.random.default_rng(0).permutation(np.flatnonzero(~is_test))[part * n : (part + 1) * n]
    X, Y = data["X"].astype(float), data["Y"].astype(float)
    others = common[common != main]
    hints = others[np.argsort([-_explained(X[rows], Y[rows, k]) for k in others])[:3]]
    folds = list(StratifiedKFold(effort.n_folds).split(X[rows], Y[rows, main]))
    trial = Trial(
        *(X[rows], Y[rows, main], Y[np.ix_(rows, hints)], folds),
        *(X[is_test], Y[is_test, main], Y[np.ix_(is_test, hints)]),
    )
    return compare(trial, LowRankClassifier(), logistic, effort)


def _explained(X: Array, y: Array) -> float:
    """The leave-one-out R2 of a ridge."""
    (X,) = standardise(X)
    model = RidgeCV(RIDGE_ALPHAS, scoring="neg_mean_squared_error").fit(X, y)
    return float(1 + model.best_score_ / max(y.var(), 1e-3))


def schools(folder: Path, n: int, unit: int, effort: Effort) -> dict[str, float]:
    """A new school with ``n`` labels, and the subspace of the schools in other parts."""
    X, y, task = _school_rows(folder)
    number = np.flatnonzero(np.bincount(task) > n + 10)[unit]
    shared = _school_fit(folder, int(number % N_PARTS), effort)
    rows = np.random.default_rng([13, number]).permutation(np.flatnonzero(task == number))
    train, test = rows[:n], rows[n:]
    folds = list(KFold(effort.n_folds).split(train))
    return with_subspace(X[train], y[train], X[test], y[test], shared, folds)


@lru_cache
def _school_rows(folder: Path) -> tuple[Array, Array, Array]:
    """Standardised features, scores, and schools numbered at random."""
    data = load(folder / SCHOOL)
    (X,) = standardise(np.nan_to_num(data["X"].astype(float)))
    _, task = np.unique(data["task"], return_inverse=True)
    order = np.random.default_rng(0).permutation(task.max() + 1)
    return X, data["y"].astype(float), order[task]


@lru_cache
def _school_fit(folder: Path, part: int, effort: Effort) -> LowRankRegressor:
    """The low-rank fit of the schools outside a part."""
    X, y, task = _school_rows(folder)
    rows = task % N_PARTS != part
    search = AlphaSearchCV(LowRankRegressor(task_column=-1), alphas=8, cv=effort.n_folds)
    search.fit(np.column_stack([X, task])[rows], y[rows])
    return search.best_estimator_


def expenses(folder: Path, n: int, unit: int, effort: Effort) -> dict[str, float]:
    """The log expense of a person in a year; visits and admissions are auxiliary.

    The features are the 17 of the data, standardised and clipped at three standard deviations, and
    their products and squares. Persons are drawn until they have ``n`` rows; the units use
    different persons.
    """
    data = load(folder / RAND)
    persons = np.random.default_rng(0).permutation(np.unique(data["person"]))
    half = len(persons) // 2
    rows = _rows_of(data, persons[:half])
    start = unit * n
    train, test = rows[start : start + n], _rows_of(data, persons[half:])
    if unit:
        # The first person may have rows in the unit before.
        train = train[data["person"][train] != data["person"][rows[start - 1]]]
    test = test[:5000]
    (X,) = standardise(np.nan_to_num(data["X"]))
    X = PolynomialFeatures(2, include_bias=False).fit_transform(np.clip(X, -3, 3))
    y = np.log1p(data["expense"])
    extra = np.column_stack([np.log1p(data["visits"]), data["admissions"] > 0]).astype(float)
    folds = list(GroupKFold(effort.n_folds).split(train, groups=data["person"][train]))
    trial = Trial(X[train], y[train], extra[train], folds, X[test], y[test], extra[test])
    return compare(trial, BlockSparseRegressor(scale_tasks=True), lasso, effort)


def _rows_of(data: dict[str, Array], persons: Array) -> Array:
    """The rows of the given persons, in their order."""
    place = np.full(data["person"].max() + 1, len(persons))
    place[persons] = np.arange(len(persons))
    of_row = place[data["person"]]
    order = np.argsort(of_row, kind="stable")
    return order[: int((of_row < len(persons)).sum())]
