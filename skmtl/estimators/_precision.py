"""The sparse precision matrix of the tasks, given their coefficients."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Maximum number of iterations, larger for small matrices. The next stage continues from the result.
_MAX_ITER, _MAX_WORK = 200, 40_000
# Iterations between two computations of the duality gap.
_PER_GAP = 5
# Over-relaxation of ADMM.
_RELAXED = 1.6
# ADMM's penalty parameter without a previous solution (it then adapts), and with one.
_COLD, _WARM = 1.0, 0.2
# An infeasible dual matrix is halved up to this many times.
_HALVINGS = 3
# The penalty parameter adapts by the factor _CHANGE if one residual is more than _UNBALANCED times
# the other, during the first half of the iterations.
_UNBALANCED, _CHANGE, _SETTLED = 5.0, 2.0, 0.5


class MatrixNormal:
    r"""The terms of a matrix-normal prior that depend on the precision matrix P of the tasks.

    .. math:: h(P) = \tfrac{\alpha}{2} \bigl[ \operatorname{tr}(W P W')
              + d (\lambda \lVert P \rVert_1 - \log\det P) \bigr]

    With :math:`\Sigma = W' W / d + \lambda I` this is :math:`\alpha d / 2` times the objective of
    the graphical lasso, :math:`\operatorname{tr}(\Sigma P) - \log\det P` plus :math:`\lambda`
    times the sum of the absolute off-diagonal entries of P.

    Parameters
    ----------
    alpha, sparsity : float
    W : array of shape (n_features, n_tasks)

    Attributes
    ----------
    P : ndarray of shape (n_tasks, n_tasks)
        Set by ``minimise``, like the other attributes.
    dual : ndarray of shape (n_tasks, n_tasks)
        Entries within :math:`\pm \lambda`, zero on the diagonal. At the minimum, Sigma + dual is
        the inverse of P.
    gap : float
        Upper bound on h(P) minus its minimum.
    """

    P: Array
    dual: Array
    gap: float

    def __init__(self, alpha: float, sparsity: float, W: Any) -> None:
        W = np.asarray(W, dtype=np.float64)
        self.factor, self.sparsity = alpha * len(W) / 2, sparsity
        self.moments = W.T @ W / len(W)
        self.covariance = self.moments + sparsity * np.eye(W.shape[1])

    def value(self, P: Array) -> float:
        """h(P); infinite unless P is positive definite."""
        norm = self.sparsity * float(np.abs(P).sum())
        return self.factor * (float(np.vdot(self.moments, P)) + norm - _logdet(P))

    def minimise(self, old: "MatrixNormal | None", enough: float) -> Self:
        """Find P by ADMM, to the duality gap ``enough``; h(P) is at most that of the old P.

        References
        ----------
        S. Boyd, N. Parikh, E. Chu, B. Peleato and J. Eckstein, "Distributed optimization and
        statistical learning via the alternating direction method of multipliers", Found. Trends
        Mach. Learn. 3(1), 2011, section 6.5, https://doi.org/10.1561/2200000016
        """
        # Scale the covariance to a unit diagonal.
        size = np.sqrt(np.diag(self.covariance))
        outer = np.outer(size, size)
        S, limit = self.covariance / outer, self.sparsity / outer
        np.fill_diagonal(limit, 0.0)
        self._keep(np.diag(1 / size**2), np.zeros_like(S))
        rho = _COLD if old is None else _WARM
        n_iter = max(_MAX_ITER, _MAX_WORK // len(S))
        Z, U = np.eye(len(S)), np.zeros_like(S)
        if old is not None:
            self._keep(old.P, old.dual)
            Z, U = old.P * outer, old.dual / outer / rho
        for k in range(n_iter):
            if k % _PER_GAP == 0:
                self._keep(Z / outer, rho * U * outer)
                if self.gap <= enough:
                    break
            eigenvalues, basis = np.linalg.eigh(rho * (Z - U) - S)
            spread = (eigenvalues + np.sqrt(eigenvalues**2 + 4 * rho)) / (2 * rho)
            found = (basis * spread) @ basis.T
            relaxed = _RELAXED * found + (1 - _RELAXED) * Z
            before, moved = Z, relaxed + U
            U = np.clip(moved, -limit / rho, limit / rho)
            Z = moved - U
            if old is None and k < _SETTLED * n_iter and k % _PER_GAP == 0:
                # Relative residuals.
                primal = np.linalg.norm(found - Z) / np.linalg.norm(found)
                dual = rho * np.linalg.norm(Z - before) / np.linalg.norm(S + rho * U)
                change = 1.0
                if primal > _UNBALANCED * dual:
                    change = _CHANGE
                elif dual > _UNBALANCED * primal:
                    change = 1 / _CHANGE
                rho, U = rho * change, U / change
        return self

    def _keep(self, P: Array, dual: Array) -> None:
        """Keep P if it lowers h, and the dual matrix if it raises the lower bound."""
        value, bound = self.value(P), self._bound(dual)
        for _ in range(_HALVINGS):
            if bound > -np.inf:
                break
            dual = dual / 2
            bound = self._bound(dual)
        if not hasattr(self, "P"):
            self.P, self.dual, self._value, self._lower = P, dual, value, bound
        if value <= self._value:
            self.P, self._value = P, value
        if bound >= self._lower:
            self.dual, self._lower = dual, bound
        self.gap = max(self._value - self._lower, 0.0)

    def _bound(self, dual: Array) -> float:
        """A lower bound on h, by weak duality."""
        return self.factor * (_logdet(self.covariance + dual) + len(dual))


def _logdet(P: Array) -> float:
    """log det P; -inf unless P is positive definite."""
    try:
        factor = np.linalg.cholesky(P)
    except np.linalg.LinAlgError:
        return -np.inf
    return 2 * float(np.log(np.diag(factor)).sum())
