"""celer: ``celer.homotopy.mtl_path``, the function under its MultiTaskLasso.

The class itself fails on current releases of scikit-learn, so the times do not include its
validation. X and Y are Fortran-contiguous; pruning of the working set is on, the default.
"""

import numpy as np
from celer.homotopy import mtl_path

from benchmarks.peers import solvers
from benchmarks.peers.problem import Problem


class Solver(solvers.Solver):
    """Working sets with extrapolated dual points."""

    def __init__(self, problem: Problem, threads: int) -> None:
        self.alphas = problem.alphas
        self.X, self.Y = np.asfortranarray(problem.X), np.asfortranarray(problem.y)

    def run(self, tol: float) -> None:
        """Fit."""
        coefs = mtl_path(self.X, self.Y, alphas=self.alphas, tol=tol, max_iter=1000)[1]
        self.coefs = np.moveaxis(coefs, 2, 0)
