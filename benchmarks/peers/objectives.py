"""The objectives, implemented independently of all peers to evaluate the W that they return.

All have the same scale: (T / S) times the sum of the losses of all S labels, so that the squared
loss with common rows is ||Y - XW||_F^2 / (2n).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from benchmarks.peers.problem import Problem

Array = NDArray[Any]


def objective(problem: Problem, W: Array, alpha: float) -> float:
    """The objective at W (d, T), in float64."""
    W = np.asarray(W, dtype=np.float64)
    ridge = (1 - problem.l1_ratio) / 2 * np.vdot(W, W)
    penalty = problem.l1_ratio * _penalty(problem.penalty, W) + ridge
    return _loss(problem, W) + alpha * float(penalty)


def null_value(problem: Problem) -> float:
    """The objective at W = 0, relative to which suboptimality is measured."""
    return _loss(problem, np.zeros((problem.n_features, problem.n_tasks)))


def null_gradient(problem: Problem) -> Array:
    """The loss's gradient (d, T) at W = 0."""
    n = len(problem.y)
    if problem.task is not None:
        G = [problem.X[rows].T @ problem.y[rows] for rows in problem.rows()]
        return -problem.n_tasks / n * np.column_stack(G)
    if problem.loss == "squared":
        return -np.asarray(problem.X.T @ problem.y) / n
    chance = 1 / 2 if problem.loss == "logistic" else 1 / problem.n_tasks
    return np.asarray(problem.X.T @ (chance - _indicators(problem))) / n


def dual_norm(penalty: str, G: Array) -> float:
    """The dual norm at G of a penalty's norm; the relation penalty is half a squared norm."""
    if penalty == "l21":
        return float(np.linalg.norm(G, axis=1).max())
    return float(np.linalg.norm(G, 2))


def _loss(problem: Problem, W: Array) -> float:
    X, y, n = problem.X, problem.y, len(problem.y)
    if problem.task is not None:
        parts = [y[rows] - X[rows] @ w for rows, w in zip(problem.rows(), W.T, strict=True)]
        return problem.n_tasks / (2 * n) * sum(float(r @ r) for r in parts)
    if problem.loss == "squared":
        R = y - X @ W
        return float(np.vdot(R, R)) / (2 * n)
    Z, of_class = X @ W, _indicators(problem)
    if problem.loss == "logistic":
        return float(np.logaddexp(0, np.where(of_class, -Z, Z)).sum()) / n
    return float(logsumexp(Z, axis=1).sum() - Z[of_class].sum()) / n


def _indicators(problem: Problem) -> Array:
    return problem.y[:, None] == np.unique(problem.y)


def _penalty(penalty: str, W: Array) -> float:
    if penalty == "l21":
        return float(np.linalg.norm(W, axis=1).sum())
    size = float(np.linalg.svd(W, compute_uv=False).sum())
    return size if penalty == "trace" else size**2 / 2
