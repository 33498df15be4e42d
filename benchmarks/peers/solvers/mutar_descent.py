"""mutar: GroupLasso on separate rows of the tasks in an array (n_tasks, n_samples, n_features).

It requires the same number of rows for every task. Shorter tasks are padded with zero rows, which
only changes the number of rows in the scaling of alpha. The array is Fortran-contiguous, which its
compiled loop accepts without a copy.
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
