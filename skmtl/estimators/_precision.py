"""The sparse precision matrix of the tasks, given their coefficients."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from skmtl._numerics import kernels

Array = NDArray[np.float64]

# Maximum number of sweeps. The next stage continues from the result.
_MAX_SWEEPS = 200
# An infeasible dual matrix is halved up to this many times.
_HALVINGS = 3


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
        """Find P to the duality gap ``enough``; h(P) is at most that of the old P.

        Block coordinate descent on the dual: each row of Sigma + dual in turn is optimised given
        the others, by a lasso that is solved exactly. Its convergence hardly depends on the
        condition number of Sigma.

        References
        ----------
        O. Banerjee, L. El Ghaoui and A. d'Aspremont, "Model selection through sparse maximum
        likelihood estimation for multivariate Gaussian or binary data", J. Mach. Learn. Res. 9,
        2008, https://jmlr.org/papers/v9/banerjee08a.html

        J. Friedman, T. Hastie and R. Tibshirani, "Sparse inverse covariance estimation with the
        graphical lasso", Biostatistics 9(3), 2008, https://doi.org/10.1093/biostatistics/kxm045
        """
        # Scale the covariance to a unit diagonal.
        size = np.sqrt(np.diag(self.covariance))
        outer = np.outer(size, size)
        S, limit = self.covariance / outer, self.sparsity / outer
        np.fill_diagonal(S, 1.0)
        np.fill_diagonal(limit, 0.0)
        self._keep(np.diag(1 / size**2), np.zeros_like(S))
        rows = np.zeros_like(S)
        if old is not None:
            self._keep(old.P, old.dual)
            rows = -(old.P * outer) / (np.diag(old.P) * size**2)[:, None]
        C = S + np.clip(self.dual / outer, -limit, limit)
        for _ in range(_MAX_SWEEPS):
            if self.gap <= enough:
                break
            before = self.gap
            kernels.sweep_covariance(S, limit, C, rows)
            dual = np.clip((C - S) * outer, -self.sparsity, self.sparsity)
            self._keep(_precision(C, rows) / outer, dual)
            # Only rounding error is left.
            if self.gap == before:
                break
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


def _precision(C: Array, rows: Array) -> Array:
    """The precision matrix, given its rows divided by minus the diagonal entries.

    It is symmetric only after convergence. The entries of a pair are averaged, and set to zero if
    the one that was updated last is zero.
    """
    diagonal = 1 / np.maximum(1 - (C * rows).sum(axis=1), np.finfo(np.float64).eps)
    scaled = -rows * diagonal[:, None]
    P: Array = (scaled + scaled.T) / 2
    last = np.tril(rows, -1) != 0
    P[~(last | last.T)] = 0.0
    np.fill_diagonal(P, diagonal)
    return P


def _logdet(P: Array) -> float:
    """log det P; -inf unless P is positive definite."""
    try:
        factor = np.linalg.cholesky(P)
    except np.linalg.LinAlgError:
        return -np.inf
    return 2 * float(np.log(np.diag(factor)).sum())
