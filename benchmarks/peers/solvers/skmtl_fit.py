"""skmtl: the public estimators, including input validation, with the default solver.

X is C-contiguous, NumPy's default. All other parameters than ``tol`` and ``fit_intercept`` have
their default values.
"""

from typing import Any

import numpy as np
from sklearn.model_selection import KFold

from benchmarks.peers import solvers
from benchmarks.peers.problem import Problem
from skmtl import (
    BlockSparseClassifier,
    BlockSparseRegressor,
    BlockSparseRegressorCV,
    LowRankRegressor,
    TaskRelationRegressor,
)
from skmtl.model_selection import block_sparse_path, path


class OnRows(LowRankRegressor):
    """The trace norm without Gram matrices, so that proximal gradient steps use the rows."""

    def _takes_moments(self, data: Any) -> bool:
        return False


class Solver(solvers.Solver):
    """The fit of an estimator, its path, or its cross-validation."""

    def __init__(self, problem: Problem, threads: int, solver: str = "auto") -> None:
        self.problem, self.threads, self.solver = problem, threads, solver
        self.X: Any = problem.X
        if problem.task is not None:
            self.X = np.column_stack([problem.X, problem.task])
        self.model: Any = None
        self.more: dict[str, Any] = {}

    def run(self, tol: float) -> None:
        """Fit."""
        X, y, alphas = self.X, self.problem.y, self.problem.alphas
        if self.problem.what == "path":
            if self.problem.penalty == "l21":
                found = block_sparse_path(X, y, alphas=alphas, fit_intercept=False, tol=tol)
            else:
                found = path(self._estimator(tol), X, y, alphas=alphas)
            self.coefs, self.more = np.moveaxis(found[1], 2, 0), {"dual_gap": found[2].tolist()}
            return
        if self.problem.what == "cv":
            folds, jobs = KFold(self.problem.n_folds), self.threads
            model: Any = BlockSparseRegressorCV(
                alphas=alphas, cv=folds, fit_intercept=False, tol=tol, n_jobs=jobs
            )
        else:
            # A very tight tolerance may need many iterations; all other fits must converge within
            # the default limit.
            patience = {"max_iter": 1_000_000} if tol < 1e-8 else {}
            model = self._estimator(tol).set_params(alpha=alphas[0], **patience)
        self.model = model.fit(X, y)

    def result(self) -> solvers.Result:
        """Coefficients and certificates."""
        if self.problem.what == "cv":
            return solvers.cross_validated(self.problem, self.model)
        if self.problem.what == "fit":
            self.coefs = self.model.coef_[None]
            self.more = {"dual_gap": [self.model.dual_gap_], "n_iter": self.model.n_iter_}
        return solvers.Result(self.coefs, more=self.more)

    def _estimator(self, tol: float) -> Any:
        problem = self.problem
        common: dict[str, Any] = {"fit_intercept": False, "tol": tol, "solver": self.solver}
        if problem.task is not None:
            common["task_column"] = -1
        if problem.penalty == "relation":
            return TaskRelationRegressor(**common)
        if problem.penalty == "trace":
            return OnRows(**common) if self.solver == "fista" else LowRankRegressor(**common)
        if problem.loss == "squared":
            return BlockSparseRegressor(l1_ratio=problem.l1_ratio, **common)
        return BlockSparseClassifier(loss=problem.loss, **common)
