"""Simulated linear tasks, and quick ridges whose expected loss is known exactly."""

import zlib
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin

from benchmarks._tuning import predict

Array = NDArray[Any]


@dataclass(eq=False, repr=False)
class Ridges(RegressorMixin, BaseEstimator):
    """A ridge per task, or one for all, in closed form, in a tenth of the estimators' time.

    Parameters
    ----------
    alpha : float
        Strength, relative to one row.
    pooled : bool
        Whether all tasks share their coefficients.
    own : bool
        With ``pooled``: whether a ridge for each task is added, shrunk towards the shared
        coefficients with strength ``alpha``; these have the strength 0.01.
    hidden : tuple of int
        Columns that the model ignores.
    noise : float
        Standard deviation of noise added to the coefficients, drawn anew in every fit.
    task_column : int
        Must be -1, the last column.
    random_state : int
    """

    alpha: float = 0.1
    pooled: bool = False
    own: bool = False
    hidden: tuple[int, ...] = ()
    noise: float = 0.0
    task_column: int = -1
    random_state: int = 0

    def fit(self, X: Array, y: Array) -> Self:
        """Fit the coefficients, with an intercept for each task."""
        features, codes = X[:, :-1].copy(), X[:, -1].astype(int)
        features[:, self.hidden] = 0.0
        n_tasks = codes.max() + 1
        counts = np.bincount(codes)[:, None]
        totals = np.zeros((n_tasks, features.shape[1]))
        np.add.at(totals, codes, features)
        means, means_y = totals / counts, np.bincount(codes, y)[:, None] / counts
        centred, residual = features - means[codes], y - means_y[codes, 0]
        gram = np.zeros((n_tasks, features.shape[1], features.shape[1]))
        moment = np.zeros((n_tasks, features.shape[1]))
        for t in range(n_tasks):
            rows = codes == t
            gram[t], moment[t] = centred[rows].T @ centred[rows], residual[rows] @ centred[rows]
        centre = np.zeros(features.shape[1])
        if self.pooled:
            strength = 0.01 if self.own else self.alpha
            ridge = strength * len(y) * np.eye(features.shape[1])
            centre = np.linalg.solve(gram.sum(axis=0) + ridge, moment.sum(axis=0))
        self.coef_ = np.tile(centre, (n_tasks, 1))
        if self.own or not self.pooled:
            ridge = self.alpha * counts[:, :, None] * np.eye(features.shape[1])
            moment -= gram @ centre
            self.coef_ += np.linalg.solve(gram + ridge, moment[:, :, None])[:, :, 0]
        self.intercept_ = means_y[:, 0] - (means * self.coef_).sum(axis=1)
        if self.noise:
            # Seed with the labels too, so that no two fits, and no two models, share their noise.
            rng = np.random.default_rng([self.random_state, zlib.crc32(y.tobytes())])
            self.coef_ = self.coef_ + self.noise * rng.standard_normal(self.coef_.shape)
        return self

    def predict(self, X: Array) -> Array:
        """Predict each row with its own task."""
        return predict(self.coef_, self.intercept_, X)


@dataclass(frozen=True)
class World:
    """Linear tasks: common plus task-specific coefficients, and useless features.

    In the first ``unrelated`` tasks the signs of the common part are random.
    """

    n_tasks: int = 6
    n_rows: int = 30
    n_features: int = 4
    n_useless: int = 0
    own: float = 0.4
    noise: float = 1.0
    unrelated: int = 0

    def tasks(self, rng: np.random.Generator) -> Array:
        """Draw coefficients (n_tasks, n_features + n_useless); the common part is fixed."""
        coef = np.zeros((self.n_tasks, self.n_features + self.n_useless))
        own = self.own * rng.standard_normal((self.n_tasks, self.n_features))
        coef[:, : self.n_features] = 0.5 + own
        if self.unrelated:
            signs = rng.choice([-1.0, 1.0], (self.unrelated, self.n_features))
            coef[: self.unrelated, : self.n_features] += 0.5 * (signs - 1.0)
        return coef

    def rows(self, coef: Array, rng: np.random.Generator, share: float = 1.0) -> tuple[Any, Any]:
        """Draw standard normal features, with the task in the last column, and labels."""
        codes = np.repeat(np.arange(self.n_tasks), round(share * self.n_rows))
        X = rng.standard_normal((len(codes), coef.shape[1]))
        y = (X * coef[codes]).sum(axis=1) + self.noise * rng.standard_normal(len(codes))
        return np.column_stack([X, codes]), y

    def loss(self, model: Ridges, coef: Array) -> Array:
        """The exact expected squared error (n_tasks,) on fresh rows."""
        return self.noise**2 + ((model.coef_ - coef) ** 2).sum(axis=1) + model.intercept_**2
