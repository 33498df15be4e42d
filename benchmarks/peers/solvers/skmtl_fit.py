"""skmtl: the public estimators, validation included, with the default solver.

X is C-contiguous, as NumPy makes it. Everything but ``tol`` and ``fit_intercept`` is the default.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.problem import Problem
from benchmarks.peers.solvers import Result
from skmtl import BlockSparseClassifier, BlockSparseRegressor, TaskRelationRegressor
from skmtl.design import TaskData
from skmtl.penalties import Penalty, TraceNorm


class TraceNormRegressor(BlockSparseRegressor):
    """Tasks whose coefficients span few dimensions: a penalty that has no estimator yet."""

    def _get_penalty(self, data: TaskData) -> Penalty | None:
        return TraceNorm(self.alpha)


class OnRows(TraceNormRegressor):
    """The same without Gram matrices: what a proximal gradient step costs on the data."""

    def _takes_moments(self, data: TaskData) -> bool:
        return False


class Solver:
    """An estimator's fit, the path of one, or its cross-validation."""

    def __init__(self, problem: Problem, threads: int, solver: str = "auto") -> None:
        self.problem, self.threads, self.solver = problem, threads, solver
        self.X: Any = problem.X
        if problem.task is not None:
            self.X = np.column_stack([problem.X, problem.task])
        self.model: Any = None
        self.path: tuple[NDArray[Any], NDArray[Any]] | None = None

    def run(self, tol: float) -> None:
        """Fit."""
        problem = self.problem
        if problem.what == "cv":
            self._cross_validate(tol)
        elif problem.what == "path":
            self.path = self._follow_path(tol)
        else:
            # A reference of a tight tolerance may take long; a measured fit must not need to.
            patience = {"max_iter": 1_000_000} if tol < 1e-8 else {}
            model = self._estimator(tol).set_params(alpha=problem.alphas[0], **patience)
            self.model = model.fit(self.X, problem.y)

    def result(self) -> Result:
        """Coefficients and certificates."""
        if self.path is not None:
            coefs, gaps = self.path
            return Result(np.moveaxis(coefs, 2, 0), more={"dual_gap": gaps.tolist()})
        coefs = self.model.coef_[None]
        if self.problem.what == "cv":
            chosen = int(np.argmin(np.abs(self.problem.alphas - self.model.alpha_)))
            scores = np.asarray(self.model.mse_path_)
            return Result(coefs, [chosen], {"mse_path": scores.mean(axis=1).tolist()})
        more = {"dual_gap": [self.model.dual_gap_], "n_iter": self.model.n_iter_}
        return Result(coefs, more=more)

    def _estimator(self, tol: float) -> Any:
        problem = self.problem
        common: dict[str, Any] = {"fit_intercept": False, "tol": tol, "solver": self.solver}
        if problem.task is not None:
            common["task_column"] = -1
        if problem.penalty == "relation":
            return TaskRelationRegressor(**common)
        if problem.penalty == "trace":
            return OnRows(**common) if self.solver == "fista" else TraceNormRegressor(**common)
        if problem.loss == "squared":
            return BlockSparseRegressor(l1_ratio=problem.l1_ratio, **common)
        return BlockSparseClassifier(loss=problem.loss, **common)

    def _follow_path(self, tol: float) -> tuple[NDArray[Any], NDArray[Any]]:
        from skmtl import model_selection

        X, y, alphas = self.X, self.problem.y, self.problem.alphas
        if self.problem.penalty == "l21":
            _, coefs, gaps = model_selection.block_sparse_path(
                X, y, alphas=alphas, fit_intercept=False, tol=tol
            )
        else:
            _, coefs, gaps = model_selection.path(self._estimator(tol), X, y, alphas=alphas)
        return coefs, gaps

    def _cross_validate(self, tol: float) -> None:
        from sklearn.model_selection import KFold

        from skmtl import BlockSparseRegressorCV

        model = BlockSparseRegressorCV(
            alphas=self.problem.alphas,
            cv=KFold(self.problem.n_folds),
            fit_intercept=False,
            tol=tol,
            n_jobs=self.threads,
        )
        self.model = model.fit(self.X, self.problem.y)
