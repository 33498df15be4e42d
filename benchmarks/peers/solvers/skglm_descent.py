"""skglm: MultiTaskLasso, working sets and Anderson extrapolation compiled by numba.

X and Y are Fortran-contiguous. Its classes are compiled again in every process; this time is part
of its first fit, which is reported separately. Its tolerance is a violation of the optimality
conditions in the units of the gradient, so it is given here in multiples of alpha.
"""

import numpy as np
from skglm import MultiTaskLasso
from skglm.datafits import QuadraticMultiTask
from skglm.penalties import L2_1
from skglm.solvers import MultiTaskBCD

from benchmarks.peers import solvers
from benchmarks.peers.problem import Problem

_MAX_ITER = 1000


class Solver(solvers.Solver):
    """Block coordinate descent on working sets, along a path by warm starts."""

    def __init__(self, problem: Problem, threads: int) -> None:
        self.alphas = problem.alphas
        self.X = problem.X.tocsc() if hasattr(problem.X, "tocsc") else np.asfortranarray(problem.X)
        self.Y = np.asfortranarray(problem.y)

    def run(self, tol: float) -> None:
        """Fit."""
        if len(self.alphas) > 1:
            self._follow_path(tol)
            return
        alpha = self.alphas[0]
        model = MultiTaskLasso(alpha, tol=tol * alpha, fit_intercept=False, max_iter=_MAX_ITER)
        self.coefs = model.fit(self.X, self.Y).coef_[None]

    def _follow_path(self, tol: float) -> None:
        # Its own path has one tolerance for all alphas, too loose for the small ones or too tight
        # for the large ones. This is the same loop with a tolerance for each alpha.
        n_features, n_tasks = self.X.shape[1], self.Y.shape[1]
        W, XW, coefs = np.zeros((n_features, n_tasks)), np.zeros(self.Y.shape, order="F"), []
        for alpha in self.alphas:
            solver = MultiTaskBCD(max_iter=_MAX_ITER, tol=tol * alpha, fit_intercept=False)
            solver.solve(self.X, self.Y, QuadraticMultiTask(), L2_1(alpha), W, XW)  # in place
            coefs.append(W.T.copy())
        self.coefs = np.array(coefs)
