"""skein-glm: MultiTaskLassoRegressor, on small problems only: fits on wide data take minutes.

Its loss is also divided by the number of tasks, and so is alpha here.
"""

import numpy as np
from skein_glm.multitask import MultiTaskLassoRegressor

from benchmarks.peers import solvers
from benchmarks.peers.problem import Problem


class Solver(solvers.Solver):
    """Group coordinate descent in Rust."""

    def __init__(self, problem: Problem, threads: int) -> None:
        self.X, self.Y = np.ascontiguousarray(problem.X), np.ascontiguousarray(problem.y)
        self.alpha = problem.alphas[0] / problem.n_tasks

    def run(self, tol: float) -> None:
        """Fit."""
        model = MultiTaskLassoRegressor(self.alpha, fit_intercept=False, tol=tol, max_iter=100_000)
        self.coefs = model.fit(self.X, self.Y).coef_[None]
