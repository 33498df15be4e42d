"""scikit-learn: MultiTaskLasso and MultiTaskElasticNet, their path, and MultiTaskLassoCV.

X is Fortran-contiguous and ``copy_X`` is off, so that the fit makes no copy. There is no Gram
option for several tasks. ``max_iter`` is raised so that the tolerance ends the fit.
"""

from typing import Any

import numpy as np
from sklearn.linear_model import MultiTaskElasticNet, MultiTaskLassoCV, enet_path

from benchmarks.peers import solvers
from benchmarks.peers.problem import Problem

_MAX_ITER = 1_000_000


class Solver(solvers.Solver):
    """Cyclic coordinate descent with gap-safe screening."""

    def __init__(self, problem: Problem, threads: int) -> None:
        self.problem, self.threads = problem, threads
        self.X = problem.X.tocsc() if hasattr(problem.X, "tocsc") else np.asfortranarray(problem.X)
        self.Y = np.asfortranarray(problem.y)
        self.model: Any = None

    def run(self, tol: float) -> None:
        """Fit."""
        problem, alphas = self.problem, self.problem.alphas
        common: dict[str, Any] = {"copy_X": False, "tol": tol, "max_iter": _MAX_ITER}
        if problem.what == "path":
            coefs = enet_path(self.X, self.Y, l1_ratio=1.0, alphas=alphas, **common)[1]
            self.coefs = np.moveaxis(coefs, 2, 0)
            return
        common["fit_intercept"] = False
        if problem.what == "cv":
            cv = problem.n_folds
            model = MultiTaskLassoCV(alphas=alphas, cv=cv, n_jobs=self.threads, **common)
        else:
            # With l1_ratio = 1 this runs the code of MultiTaskLasso.
            model = MultiTaskElasticNet(alpha=alphas[0], l1_ratio=problem.l1_ratio, **common)
        self.model = model.fit(self.X, self.Y)
        self.coefs = self.model.coef_[None]

    def result(self) -> solvers.Result:
        """Coefficients, and for a cross-validation the selected alpha and the scores."""
        if self.problem.what == "cv":
            return solvers.cross_validated(self.problem, self.model)
        return super().result()
