"""lightning: CDClassifier with the multinomial loss and its l1/l2 penalty on features.

It minimises C times the sum of the losses plus alpha times the row norms. X is Fortran-contiguous,
shrinking is on and the line search automatic, the defaults. A ten times smaller tolerance would
need many of its slow iterations, so the number of iterations is set instead: one over ``tol``.
"""

import numpy as np
from lightning.classification import CDClassifier

from benchmarks.peers import solvers
from benchmarks.peers.problem import Problem


class Solver(solvers.Solver):
    """Block coordinate descent with a line search, in Cython."""

    def __init__(self, problem: Problem, threads: int) -> None:
        self.X, self.y, self.alpha = np.asfortranarray(problem.X), problem.y, problem.alphas[0]

    def run(self, tol: float) -> None:
        """Fit."""
        model = CDClassifier(
            penalty="l1/l2",
            loss="log",
            multiclass=True,
            alpha=self.alpha,
            C=1 / len(self.y),
            tol=0.0,
            max_iter=round(1 / tol),
            random_state=0,
        )
        self.coefs = model.fit(self.X, self.y).coef_[None]
