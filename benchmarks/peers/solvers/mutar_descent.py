"""mutar: GroupLasso, tasks with rows of their own in one array (n_tasks, n_samples, n_features).

It wants as many rows for every task: shorter tasks are filled up with zeros, which change nothing
but the number of rows that alpha is relative to. The array is Fortran-contiguous, which its
compiled loop takes without a copy.
"""

import numpy as np
from mutar import GroupLasso

from benchmarks.peers import solvers
from benchmarks.peers.problem import Problem


class Solver(solvers.Solver):
    """Block coordinate descent compiled by numba."""

    def __init__(self, problem: Problem, threads: int) -> None:
        rows = problem.rows()
        longest = max(part.stop - part.start for part in rows)
        self.X = np.zeros((len(rows), longest, problem.n_features), order="F")
        self.y = np.zeros((len(rows), longest))
        for t, part in enumerate(rows):
            self.X[t, : part.stop - part.start] = problem.X[part]
            self.y[t, : part.stop - part.start] = problem.y[part]
        self.alpha = problem.alphas[0] * len(problem.y) / len(rows) / longest

    def run(self, tol: float) -> None:
        """Fit."""
        model = GroupLasso(alpha=self.alpha, fit_intercept=False, tol=tol, max_iter=100_000)
        self.coefs = model.fit(self.X, self.y).coef_.T[None]
