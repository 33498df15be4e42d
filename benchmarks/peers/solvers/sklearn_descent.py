"""scikit-learn: MultiTaskLasso and MultiTaskElasticNet, their path, and MultiTaskLassoCV.

X is Fortran-contiguous and copying off, or the fit would copy; there is no Gram option for many
tasks. ``max_iter`` is raised so that the tolerance decides.
"""

from typing import Any

import numpy as np
from sklearn.linear_model import MultiTaskElasticNet, MultiTaskLassoCV, enet_path

from benchmarks.peers.problem import Problem
from benchmarks.peers.solvers import Result

_MAX_ITER = 1_000_000


class Solver:
    """Cyclic coordinate descent with gap-safe screening."""

    def __init__(self, problem: Problem, threads: int) -> None:
        self.problem, self.threads = problem, threads
        self.X = problem.X.tocsc() if hasattr(problem.X, "tocsc") else np.asfortranarray(problem.X)
        self.Y = np.asfortranarray(problem.y)
        self.model: Any = None
        self.coefs: Any = None

    def run(self, tol: float) -> None:
        """Fit."""
        problem = self.problem
        if problem.what == "path":
            self.coefs = enet_path(
                self.X,
                self.Y,
                l1_ratio=1.0,
                alphas=problem.alphas,
                tol=tol,
                max_iter=_MAX_ITER,
                copy_X=False,
            )[1]
            return
        common = {"fit_intercept": False, "copy_X": False, "tol": tol, "max_iter": _MAX_ITER}
        if problem.what == "cv":
            model = MultiTaskLassoCV(
                alphas=problem.alphas, cv=problem.n_folds, n_jobs=self.threads, **common
            )
        else:
            # The same code as MultiTaskLasso where l1_ratio is 1.
            model = MultiTaskElasticNet(
                alpha=problem.alphas[0], l1_ratio=problem.l1_ratio, **common
            )
        self.model = model.fit(self.X, self.Y)

    def result(self) -> Result:
        """Coefficients."""
        if self.problem.what == "path":
            return Result(np.moveaxis(self.coefs, 2, 0))
        coefs = self.model.coef_[None]
        if self.problem.what == "cv":
            chosen = int(np.argmin(np.abs(self.problem.alphas - self.model.alpha_)))
            scores = self.model.mse_path_.mean(axis=1).tolist()
            return Result(coefs, [chosen], {"mse_path": scores})
        return Result(coefs)
