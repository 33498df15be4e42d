"""The matrices of many tasks: full, or diagonal in a basis that the tasks share."""

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from skmtl._numerics import kernels
from skmtl._numerics.linalg import factorise
from skmtl._numerics.semidefinite import Semidefinite

Array = NDArray[Any]

# Diagonals are raised by one of these fractions, the first with which the matrix has a factor; the
# solution is refined.
_RAISES = (0.0, *(10.0**k for k in range(-13, 3)))
_INDEFINITE = "A matrix that should be positive semidefinite is not, or is not finite."


class Blocks(Protocol):
    """Positive semidefinite matrices, one for each task."""

    n_features: int

    def times(self, rows: Array) -> Array:
        """The products with the rows (n_tasks, n_features)."""

    def inverse(self, shifts: Array) -> Callable[[Array], Array]:
        """Solutions for rows, with shifts[t] added to the diagonal of each matrix."""

    def summed(self, groups: Array, n_groups: int) -> "Blocks":
        """The sums of the matrices of groups of tasks."""

    def copy(self) -> Array:
        """The matrices, (n_tasks, n_features, n_features) or their diagonals."""

    def matrices(self) -> Array:
        """The matrices (n_tasks, n_features, n_features)."""

    def parallel(self, matrix: Array, weight: float) -> tuple[Any, Array]:
        """The factor of matrix + weight I, and the matrix in series with weight I.

        The latter is weight (matrix + weight I)^-1 matrix, which two tasks joined by an edge of
        this weight pass on, computed without cancellation.
        """

    def root(self, matrix: Array) -> Any:
        """The factor of a matrix that may be singular."""


class DiagonalBlocks:
    """Diagonal matrices, from their diagonals (n_tasks, n_features)."""

    def __init__(self, values: Array) -> None:
        self.values, self.n_features = values, values.shape[1]

    def times(self, rows: Array) -> Array:
        return np.asarray(self.values * rows)

    def inverse(self, shifts: Array) -> Callable[[Array], Array]:
        inverse = _reciprocal(self.values + shifts[:, None])
        return lambda rows: inverse * rows

    def summed(self, groups: Array, n_groups: int) -> "DiagonalBlocks":
        sums = np.zeros((n_groups, self.n_features))
        np.add.at(sums, groups, self.values)
        return DiagonalBlocks(sums)

    def matrices(self) -> Array:
        return np.asarray(self.values[:, :, None] * np.eye(self.n_features))

    def copy(self) -> Array:
        return self.values.copy()

    def parallel(self, matrix: Array, weight: float) -> tuple[Any, Array]:
        factor = _Diagonal(matrix + weight)
        return factor, weight * factor.solve(matrix)

    def root(self, matrix: Array) -> Any:
        return _Diagonal(matrix)


class FullBlocks:
    """The matrices scales[t] grams[t], for grams (n_tasks, n_features, n_features)."""

    def __init__(self, grams: Array, scales: Array) -> None:
        self.grams, self.scales, self.n_features = grams, scales, grams.shape[1]

    def times(self, rows: Array) -> Array:
        scaled = np.ascontiguousarray(rows * self.scales[:, None])
        product = np.empty_like(scaled)
        kernels.multiply_grams(self.grams, scaled, product)
        return product

    def inverse(self, shifts: Array) -> Callable[[Array], Array]:
        tops = np.einsum("tjj->tj", self.grams).max(axis=1) * self.scales + shifts
        for raised in _RAISES:
            factors = factorise(self.grams, self.scales, shifts + raised * np.maximum(tops, 1e-300))
            if factors is not None:
                return partial(_solve_factored, factors)
        raise np.linalg.LinAlgError(_INDEFINITE)

    def summed(self, groups: Array, n_groups: int) -> "FullBlocks":
        sums = np.zeros((n_groups, self.n_features, self.n_features))
        for t, group in enumerate(groups.tolist()):
            sums[group] += self.scales[t] * self.grams[t]
        return FullBlocks(sums, np.ones(n_groups))

    def matrices(self) -> Array:
        return self.copy()

    def copy(self) -> Array:
        return np.asarray(self.grams * self.scales[:, None, None])

    def parallel(self, matrix: Array, weight: float) -> tuple[Any, Array]:
        shifted = matrix.copy()
        np.einsum("jj->j", shifted)[:] += weight
        factor = _Cholesky(shifted)
        passed = weight * factor.solve(matrix)
        return factor, (passed + passed.T) / 2

    def root(self, matrix: Array) -> Any:
        return Semidefinite(matrix)


class _Diagonal:
    def __init__(self, values: Array) -> None:
        self.inverse = _reciprocal(values)

    def solve(self, g: Array) -> Array:
        return np.asarray(self.inverse * g)


class _Cholesky:
    """A positive definite matrix (d, d); its diagonal is raised in place if rounding requires."""

    def __init__(self, matrix: Array) -> None:
        diagonal = np.diag(matrix).copy()
        for raised in _RAISES:
            np.einsum("jj->j", matrix)[:] = (1 + raised) * diagonal
            self.factor, info = lapack.dpotrf(matrix, lower=1, clean=0)
            if not info and np.isfinite(np.diag(self.factor)).all():  # OpenBLAS accepts NaN
                return
        raise np.linalg.LinAlgError(_INDEFINITE)

    def solve(self, g: Array) -> Array:
        return np.asarray(lapack.dpotrs(self.factor, g, lower=1)[0])


def _solve_factored(factors: Array, rows: Array) -> Array:
    rows = rows.copy()
    kernels.solve_factored(factors, rows)
    return rows


def _reciprocal(values: Array) -> Array:
    """1 / values, and 0 where they are 0."""
    return np.divide(1.0, values, out=np.zeros_like(values), where=values > 0)
