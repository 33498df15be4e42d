"""The experiments of benchmarks.mechanisms: simulated tasks and what is measured on them.

Each takes the values of what it varies and a seed, and returns a record for each value and measure:
``alone``, without other tasks; ``related`` and ``unrelated``, together with such tasks; where the
world of the unrelated tasks has other main tasks, ``alone_unrelated``; and ``known``, the result if
the structure did not have to be learned.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from sklearn.base import clone
from sklearn.metrics import average_precision_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.utils import Bunch

from benchmarks._report import Record
from skmtl import (
    BlockSparseRegressor,
    IndependentTaskRegressor,
    LowRankRegressor,
    TaskRelationRegressor,
)
from skmtl.datasets import make_block_sparse, make_low_rank_tasks, make_related_tasks
from skmtl.model_selection import AlphaSearchCV

Array = NDArray[Any]
Experiment = Callable[[Sequence[Any], int], list[Record]]

N_ALPHAS = 13
# Rows of a main task are drawn at once, so that a row of a table does not depend on the others.
MOST_LABELS = 320
# Added to the seed for the unrelated tasks' draws.
UNRELATED = 1_000_000

TRACE, SQUARE, EQUAL, SELECTED = (
    "same strength, trace norm",
    "same strength, squared",
    "same training error",
    "strengths selected",
)


def select(estimator: Any, X: Array, y: Array, main: bool = False) -> Any:
    """Select alpha by five-fold cross-validation, by the error of all tasks or of task 0 alone."""
    estimator.set_params(task_column=-1)
    scoring = _score_main if main else None
    return AlphaSearchCV(estimator, alphas=N_ALPHAS, patience=3, scoring=scoring).fit(X, y)


def _score_main(model: Any, X: Array, y: Array) -> float:
    rows = X[:, -1] == 0
    return -float(np.mean((y[rows] - model.predict(X[rows])) ** 2))


def excess(model: Any, coef: Array) -> Array:
    """Each task's exact excess error (n_tasks,) on standard normal features without intercept."""
    return np.asarray(((model.coef_ - coef) ** 2).sum(axis=1) + model.intercept_**2)


def stack(X: Array, y: Array, others: Array, labels: Array) -> tuple[Array, Array]:
    """Task 0 with rows X, and other tasks whose rows end in their number."""
    first = np.column_stack([X, np.zeros(len(X))])
    return np.vstack([first, others]), np.append(y, labels)


# Data amplification.


def amplification_by_labels(points: Sequence[int], seed: int) -> list[Record]:
    """Mean excess error of eight tasks against the number of labels a task."""
    return [_amplification("labels", n, n, 8, seed) for n in points]


def amplification_by_tasks(points: Sequence[int], seed: int) -> list[Record]:
    """Mean excess error of tasks with 20 labels against the number of tasks."""
    return [_amplification("tasks", n_tasks, 20, n_tasks, seed) for n_tasks in points]


def _amplification(by: str, point: int, n: int, n_tasks: int, seed: int) -> Record:
    record: Record = {"measure": f"amplification, {by}", "seed": seed, "point": point}
    for name, strength in (("related", 0.8), ("unrelated", 0.0)):
        tasks = make_related_tasks(
            n,
            20,
            n_tasks,
            covariance="equal",
            strength=strength,
            noise=4.0,
            layout="stacked",
            random_state=seed,
        )
        size = (tasks.coef**2).sum(axis=1).mean()
        alone = IndependentTaskRegressor("cv", task_column=-1).fit(tasks.data, tasks.target)
        joint = select(TaskRelationRegressor(), tasks.data, tasks.target)
        record["alone" if name == "related" else "alone_unrelated"] = (
            excess(alone, tasks.coef).mean() / size
        )
        record[name] = excess(joint, tasks.coef).mean() / size
    return record


# Attention.


def attention(points: Sequence[float], seed: int) -> list[Record]:
    """Average precision of a noisy task's informative features against its noise."""
    tasks, foreign = (
        make_block_sparse(
            60, 100, 8, n_informative=5, noise=0.0, layout="stacked", random_state=state
        )
        for state in (seed, seed + UNRELATED)
    )
    main = tasks.data[:, -1] == 0
    errors = np.random.default_rng([2, seed]).standard_normal(len(main))
    truth = tasks.coef[0] != 0

    def found(others: Bunch | None, noise: float) -> float:
        scale = np.where(main, noise, 1.0)
        if others is None:
            X, y = tasks.data[main], (tasks.target + scale * errors)[main]
        else:
            X = np.where(main[:, None], tasks.data, others.data)
            y = np.where(main, tasks.target, others.target) + scale * errors
        model = select(BlockSparseRegressor(), X, y, main=True)
        return float(average_precision_score(truth, np.abs(model.coef_[0])))

    return [
        {
            "measure": "attention",
            "seed": seed,
            "point": noise,
            "alone": found(None, noise),
            "related": found(tasks, noise),
            "unrelated": found(foreign, noise),
        }
        for noise in points
    ]


# Eavesdropping.


def eavesdropping_weak(points: Sequence[float], seed: int) -> list[Record]:
    """Squared error of the coefficient of a feature that is weak in the main task."""
    n, n_features, n_tasks, weak, other = 50, 100, 8, 5, 6
    rng = np.random.default_rng([3, seed])
    coef = np.zeros((n_tasks, n_features))
    coef[:, :weak] = rng.choice([-1.0, 1.0], (n_tasks, weak))
    strong = rng.choice([-1.0, 1.0], n_tasks - 1)
    codes = np.repeat(np.arange(n_tasks), n)
    X = rng.standard_normal((len(codes), n_features))
    errors = rng.standard_normal(len(codes))
    main = codes == 0
    stacked = np.column_stack([X, codes])

    def error(effect: float, feature: int, rows: Array) -> float:
        W = coef.copy()
        W[0, weak] = effect
        W[1:, feature] = strong
        y = (X * W[codes]).sum(axis=1) + errors
        model = select(BlockSparseRegressor(), stacked[rows], y[rows], main=True)
        return float((model.coef_[0, weak] - effect) ** 2)

    everything = np.ones(len(codes), dtype=bool)
    return [
        {
            "measure": "eavesdropping, weak",
            "seed": seed,
            "point": effect,
            "alone": error(effect, weak, main),
            "related": error(effect, weak, everything),
            "unrelated": error(effect, other, everything),
        }
        for effect in points
    ]


def eavesdropping_product(points: Sequence[int], seed: int) -> list[Record]:
    """Error of a main task that is the product of two directions which others use linearly."""
    n_features, n_tasks, n_other = 20, 8, 60
    rng = np.random.default_rng([4, seed])
    basis = np.linalg.qr(rng.standard_normal((n_features, 4)))[0].T
    used, unused = basis[:2], basis[2:]
    loadings = rng.standard_normal((n_tasks - 1, 2))
    codes = np.repeat(np.arange(1, n_tasks), n_other)
    others = rng.standard_normal((len(codes), n_features))
    errors = 0.5 * rng.standard_normal(len(codes))
    rows = rng.standard_normal((MOST_LABELS, n_features))
    labels = (rows @ used.T).prod(axis=1) + 0.5 * rng.standard_normal(len(rows))
    fresh = rng.standard_normal((2000, n_features))
    truth = (fresh @ used.T).prod(axis=1)

    def learned(X: Array, y: Array, directions: Array) -> Array:
        answers = (others * (loadings @ directions)[codes - 1]).sum(axis=1) + errors
        X, y = stack(X, y, np.column_stack([others, codes]), answers)
        components: Array = select(LowRankRegressor(), X, y).best_estimator_.components_
        return components

    def error(X: Array, y: Array, directions: Array) -> float:
        products = PolynomialFeatures(2, include_bias=False)
        model = make_pipeline(products, StandardScaler(), IndependentTaskRegressor("cv"))
        predicted = model.fit(X @ directions.T, y).predict(fresh @ directions.T)
        return float(np.mean((predicted - truth) ** 2))

    records = []
    for n in points:
        X, y = rows[:n], labels[:n]
        record = {"measure": "eavesdropping, product", "seed": seed, "point": n}
        record["alone"] = error(X, y, np.eye(n_features))
        record["related"] = error(X, y, learned(X, y, used))
        record["unrelated"] = error(X, y, learned(X, y, unused))
        record["known"] = error(X, y, used)
        records.append(record)
    return records


# Representation bias.


def representation(points: Sequence[int], seed: int) -> list[Record]:
    """Excess error of a new task in the directions learned from 20 others, against its labels."""
    n_features, n_tasks, n = 30, 20, 60

    def draw(state: int) -> tuple[Bunch, Array]:
        sizes = np.append(MOST_LABELS, np.full(n_tasks, n))
        tasks = make_low_rank_tasks(
            sizes,
            n_features,
            n_tasks + 1,
            rank=3,
            noise=3.0,
            layout="stacked",
            random_state=state,
        )
        old = tasks.data[:, -1] > 0
        model = select(LowRankRegressor(), tasks.data[old], tasks.target[old])
        return tasks, model.best_estimator_.components_

    tasks, related = draw(seed)
    _, unrelated = draw(seed + UNRELATED)
    new = tasks.data[:, -1] == 0
    X, y, w = tasks.data[new, :-1], tasks.target[new], tasks.coef[0]

    def error(n_labels: int, directions: Array) -> float:
        model = IndependentTaskRegressor("cv").fit(X[:n_labels] @ directions.T, y[:n_labels])
        found = model.coef_ @ directions
        return float((np.sum((found - w) ** 2) + model.intercept_**2) / (w @ w))

    return [
        {
            "measure": "representation",
            "seed": seed,
            "point": n_labels,
            "alone": error(n_labels, np.eye(n_features)),
            "related": error(n_labels, related),
            "unrelated": error(n_labels, unrelated),
            "known": error(n_labels, tasks.components),
        }
        for n_labels in points
    ]


# Regularisation.

_NOISE = 3.0


def regularisation(points: Sequence[str], seed: int) -> list[Record]:
    """Gap between test and training error, and the fit to labels shuffled within each task."""
    found: dict[str, dict[str, tuple[float, float]]] = {}
    worlds = {
        "related": partial(make_low_rank_tasks, rank=2),
        "unrelated": partial(make_related_tasks, covariance="equal", strength=0.0),
    }
    for name, make in worlds.items():
        tasks = make(30, 20, 10, noise=_NOISE, layout="stacked", random_state=seed)
        found |= _compare(name, tasks, points, seed)
    return [
        {
            "measure": f"regularisation, {measure}",
            "seed": seed,
            "point": point,
            "alone": found["related, alone"][point][k],
            "related": found["related"][point][k],
            "alone_unrelated": found["unrelated, alone"][point][k],
            "unrelated": found["unrelated"][point][k],
        }
        for k, measure in enumerate(("gap", "random labels"))
        for point in points
    ]


def _compare(
    name: str, tasks: Bunch, points: Sequence[str], seed: int
) -> dict[str, dict[str, tuple[float, float]]]:
    """Joint and separate fits: for each point the gap and the fit to shuffled labels."""
    X, y = tasks.data, tasks.target
    joint: dict[str, Any] = {}
    for power in (1, 2):
        selected = select(LowRankRegressor(power=power), X, y)
        joint[TRACE if power == 1 else SQUARE] = selected.best_estimator_
    joint[EQUAL] = joint[SELECTED] = joint[SQUARE]
    ridge = IndependentTaskRegressor("cv", task_column=-1).fit(X, y)
    separate = {
        TRACE: _Separate(joint[TRACE]),
        SQUARE: _Separate(joint[SQUARE]),
        EQUAL: ridge_with_error(_training_error(joint[EQUAL], X, y), X, y),
        SELECTED: clone(ridge).set_params(alpha=ridge.alpha_),
    }
    shuffled = shuffle_within_tasks(X, y, np.random.default_rng([5, seed]))
    sides = {name: joint, f"{name}, alone": separate}
    return {
        side: {point: _quality(models[point], tasks, shuffled) for point in points}
        for side, models in sides.items()
    }


def shuffle_within_tasks(X: Array, y: Array, rng: np.random.Generator) -> Array:
    """Labels permuted within each task."""
    shuffled = y.copy()
    for task in np.unique(X[:, -1]):
        own = X[:, -1] == task
        shuffled[own] = rng.permutation(y[own])
    return shuffled


class _Separate:
    """An estimator fitted to each stacked task on its own."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def fit(self, X: Array, y: Array) -> "_Separate":
        rows = [X[:, -1] == task for task in np.unique(X[:, -1])]
        models = [clone(self.model).fit(X[own], y[own]) for own in rows]
        self.coef_ = np.vstack([model.coef_ for model in models])
        self.intercept_ = np.concatenate([model.intercept_ for model in models])
        return self


def _training_error(model: Any, X: Array, y: Array) -> float:
    codes = X[:, -1].astype(int)
    predicted = (X[:, :-1] * model.coef_[codes]).sum(axis=1) + model.intercept_[codes]
    return float(np.mean((y - predicted) ** 2))


def ridge_with_error(error: float, X: Array, y: Array) -> IndependentTaskRegressor:
    """A separate ridge of that training error, or of the least or largest possible."""

    def at(log_alpha: float) -> IndependentTaskRegressor:
        return IndependentTaskRegressor(10.0**log_alpha, task_column=-1)

    def surplus(log_alpha: float) -> float:
        return _training_error(at(log_alpha).fit(X, y), X, y) - error

    low, high = -5.0, 5.0
    if surplus(low) >= 0:
        return at(low)
    if surplus(high) <= 0:
        return at(high)
    return at(brentq(surplus, low, high, xtol=1e-3))


def _quality(model: Any, tasks: Bunch, shuffled: Array) -> tuple[float, float]:
    """The gap in units of the noise variance, and the share of shuffled labels that is fitted."""
    X, y = tasks.data, tasks.target
    model.fit(X, y)
    test = _NOISE**2 + excess(model, tasks.coef).mean()
    gap = (test - _training_error(model, X, y)) / _NOISE**2
    model.fit(X, shuffled)
    variances = [shuffled[X[:, -1] == task].var() for task in np.unique(X[:, -1])]
    return float(gap), float(1 - _training_error(model, X, shuffled) / np.mean(variances))
