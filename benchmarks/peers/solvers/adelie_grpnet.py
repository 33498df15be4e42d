"""adelie: ``grpnet`` with Gaussian or multinomial responses; the tasks of a feature form a group.

Its losses are divided by the number of responses, and so is alpha here; every group has weight 1.
X is Fortran-contiguous, the faster of its dense formats. Stacked tasks are converted to one sparse
matrix with columns sorted by feature, then by task. Early exit, which stops the path at a share of
the deviance, is turned off.
"""

from typing import Any

import adelie as ad
import numpy as np
import scipy.sparse as sp

from benchmarks.peers import solvers
from benchmarks.peers.problem import Problem


class Solver(solvers.Solver):
    """Block coordinate descent with a screening rule, in C++."""

    def __init__(self, problem: Problem, threads: int) -> None:
        self.problem, self.threads = problem, threads
        n_tasks, n_features = problem.n_tasks, problem.n_features
        self.scale, self.groups = 1 / n_tasks, None
        if problem.task is not None:
            n = len(problem.y)
            columns = np.arange(n_features) * n_tasks + problem.task[:, None]
            ends = np.arange(n + 1) * n_features
            X = sp.csr_matrix((problem.X.ravel(), columns.ravel(), ends)).tocsc()
            self.X = ad.matrix.sparse(X, method="naive", n_threads=threads)
            self.groups = np.arange(n_features) * n_tasks
            self.y: np.ndarray = np.ascontiguousarray(problem.y)
        else:
            self.X = ad.matrix.dense(
                np.asfortranarray(problem.X), method="naive", n_threads=threads
            )
            labels = problem.y
            if problem.loss == "multinomial":
                labels = (labels[:, None] == np.unique(labels)).astype(np.float64)
            self.y = np.asfortranarray(labels)
        self.betas: Any = np.zeros(0)

    def run(self, tol: float) -> None:
        """Fit."""
        problem = self.problem
        options: dict[str, Any] = {}
        if problem.task is not None:
            glm = ad.glm.gaussian(self.y)
            options["groups"] = self.groups
        elif problem.loss == "multinomial":
            glm = ad.glm.multinomial(self.y)
            options["irls_tol"] = tol
        else:
            glm = ad.glm.multigaussian(self.y)
        state = ad.grpnet(
            self.X,
            glm,
            lmda_path=problem.alphas * self.scale,
            alpha=problem.l1_ratio,
            penalty=np.ones(problem.n_features),
            tol=tol,
            intercept=False,
            early_exit=False,
            progress_bar=False,
            n_threads=self.threads,
            **options,
        )
        self.betas = state.betas

    def result(self) -> solvers.Result:
        """Coefficients."""
        shape = (len(self.problem.alphas), self.problem.n_features, self.problem.n_tasks)
        betas = self.betas.toarray() if sp.issparse(self.betas) else np.asarray(self.betas)
        return solvers.Result(betas.reshape(shape).transpose(0, 2, 1))
