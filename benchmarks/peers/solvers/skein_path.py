"""skein-glm: MultiTaskLassoRegressor. On wide data its fits take minutes: small problems only.

It divides the loss by the number of tasks too, and so is alpha here.
"""

import numpy as np
from skein_glm.multitask import MultiTaskLassoRegressor

from benchmarks.peers.problem import Problem
from benchmarks.peers.solvers import Result


class Solver:
    """Group coordinate descent in Rust."""

    def __init__(self, problem: Problem, threads: int) -> None:
        self.X, self.Y = np.ascontiguousarray(problem.X), np.ascontiguousarray(problem.y)
        self.alpha = problem.alphas[0] / problem.n_tasks
        self.coef = np.zeros((problem.n_tasks, problem.n_features))

    def run(self, tol: float) -> None:
        """Fit."""
        model = MultiTaskLassoRegressor(self.alpha, fit_intercept=False, tol=tol, max_iter=100_000)
        self.coef = model.fit(self.X, self.Y).coef_

    def result(self) -> Result:
        """Coefficients."""
        return Result(self.coef[None])
