"""One positive semidefinite matrix, factored for many right-hand sides."""

from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

Array = NDArray[Any]

# With a diagonal entry of the Cholesky factor below this fraction of the largest, the matrix is
# numerically singular.
SMALL_PIVOT = 1e-7
# Eigenvalues up to this fraction of the largest are rounding error.
_ROUNDING = 1e-12


def eigen(matrix: Array) -> tuple[Array, Array]:
    """The eigenvalues of a semidefinite matrix, 0 if rounding error, and its eigenvectors."""
    values, vectors = np.linalg.eigh(matrix)
    values[values <= _ROUNDING * max(values[-1], 0.0)] = 0.0
    return values, vectors


def joint_matrix(matrices: Array, between: Array) -> Array:
    """The matrix of all unknowns, task by task, of matrices[t] W[:, t] + (W between)[:, t]."""
    n_tasks, d = matrices.shape[:2]
    whole = np.zeros((n_tasks, d, n_tasks, d))
    features, tasks = np.arange(d), np.arange(n_tasks)
    whole[:, features, :, features] = between
    whole[tasks, :, tasks] += matrices
    return whole.reshape(n_tasks * d, n_tasks * d)


class Semidefinite:
    """A positive semidefinite matrix, factored after scaling it to a unit diagonal."""

    def __init__(self, matrix: Array) -> None:
        scale = np.sqrt(np.diag(matrix).clip(min=0.0))
        scale[scale == 0] = 1.0
        self.scale, self.inverse = scale, None
        matrix = matrix / scale[:, None] / scale
        try:
            self.factor = scipy.linalg.cho_factor(matrix, lower=True)
            diagonal = np.diag(self.factor[0])
            if diagonal.min() < SMALL_PIVOT * diagonal.max():
                raise np.linalg.LinAlgError("numerically singular")
        except np.linalg.LinAlgError:
            self.inverse = np.linalg.pinv(matrix, rcond=_ROUNDING, hermitian=True)

    def solve(self, g: Array) -> Array:
        """The solution of least norm (after scaling) for g (n,), or for each column of g (n, k)."""
        g = (g.T / self.scale).T
        if self.inverse is None:
            solved = scipy.linalg.cho_solve(self.factor, g)
        else:
            solved = self.inverse @ g
        return np.asarray((solved.T / self.scale).T)
