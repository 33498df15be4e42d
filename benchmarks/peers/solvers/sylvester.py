"""The textbook method for task relations with SciPy: alternate between W and the covariance.

For a fixed covariance Omega, X'X W + n alpha W Omega^-1 = X'Y is a Sylvester equation; for a fixed
W, Omega is the square root of W'W + epsilon^2 I, scaled to trace 1. Here epsilon is the tolerance
times the largest singular value of W. It keeps the inverse finite, but also shifts W away from the
optimum. With a small epsilon the rounds converge slowly and stop early, so a suboptimality of 1e-6
cannot be reached and a looser target is set. X'X is computed once. Every alpha starts from
Omega = I / T, because directions that a previous alpha has shrunk to zero would hardly recover.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_sylvester

from benchmarks.peers import solvers
from benchmarks.peers.problem import Problem

_MAX_ROUNDS = 1000
# Stop when a round changes the objective by less than this share of the tolerance.
_GAIN = 1e-5


class Solver(solvers.Solver):
    """Alternating minimisation."""

    def __init__(self, problem: Problem, threads: int) -> None:
        self.X, self.Y, self.alphas = problem.X, problem.y, problem.alphas

    def run(self, tol: float) -> None:
        """Solve for every alpha."""
        X, Y = self.X, self.Y
        n, n_tasks = Y.shape
        gram, products = X.T @ X / n, X.T @ Y / n
        size = float(np.vdot(Y, Y)) / (2 * n)
        found = []
        for alpha in self.alphas:
            W, before, inverse = np.zeros_like(products), np.inf, n_tasks * np.eye(n_tasks)
            for _ in range(_MAX_ROUNDS):
                W = solve_sylvester(gram, alpha * inverse, products)
                fit = size - np.vdot(W, products) + np.vdot(W, gram @ W) / 2
                values, vectors = np.linalg.eigh(W.T @ W)
                values = np.maximum(values, 0)
                value = fit + alpha / 2 * np.sqrt(values).sum() ** 2
                inverse = _inverse_root(values, vectors, tol)
                if abs(before - value) <= _GAIN * tol * size:
                    break
                before = value
            found.append(W.T)
        self.coefs = np.array(found)


def _inverse_root(
    values: NDArray[np.float64], vectors: NDArray[np.float64], tol: float
) -> NDArray[np.float64]:
    roots = np.sqrt(values + (tol * np.sqrt(values.max())) ** 2)
    return (vectors * (roots.sum() / roots)) @ vectors.T
