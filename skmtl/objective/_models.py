"""Quadratic models of the smooth part in some rows of W, as half a squared residual.

The residual at W + D is r - A D. The classes differ in the form in which they store A and r, so
that sweeps over the rows of W are cheap for each kind of data.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl._numerics import kernels
from skmtl.objective._lengths import length_step, minimise_in_rounds
from skmtl.solvers import Thresholds

Array = NDArray[Any]

# Models with fewer rows of W than this do not pay, unless W has no more.
FEWEST_ROWS = 128
# A first model in s rows of W uses this many times s rows of data.
SAMPLED = 16
# The cost that models may have, in gradient steps; their typical number of sweeps; and the cost of
# a label in a gradient step, in multiplications.
_SAVED_STEPS = 200
_TYPICAL_SWEEPS = 100
_ELEMENTWISE = 20
# Sweeps in single precision continue while each round reduces the gap to this fraction of the last.
_GOOD = 0.5


def first_rows(n_features: int, stored: float, n_grams: float = 1.0) -> float:
    """The number of rows of W for which Newton steps cost as much as one full gradient.

    With s rows, a Newton step takes about 4 s / d of the products of a gradient, plus n_grams
    matrices per column from SAMPLED s rows of data; a gradient takes the ``stored`` entries of X.
    """
    return min(n_features / 8, float(np.cbrt(stored / (2 * n_grams))))


def worthwhile_rows(products: int, n_labels: int, n_grams: int, n_rows: int) -> float:
    """The number of rows of W at which matrices and sweeps cost as much as gradient steps.

    There are n_grams matrices, each computed from n_rows rows of data or from a sample.
    """
    steps = _SAVED_STEPS * (products + _ELEMENTWISE * n_labels)
    # Only half of each matrix is computed, in single precision.
    building = min(n_rows, SAMPLED * FEWEST_ROWS) / 4
    return float(np.sqrt(steps / (n_grams * (building + _TYPICAL_SWEEPS))))


@dataclass(frozen=True)
class GramModel:
    """Gram matrices: A'A is ``gram`` (s, s) times ``factors``, or ``grams`` (s, s, n_tasks).

    Attributes
    ----------
    gram, factors, grams : ndarray
        One of ``gram`` and ``grams`` is empty.
    slope : ndarray of shape (s, n_tasks)
        A'r: minus the loss gradient.
    residual : float
        The squared length of r.
    bend : ndarray in the labels' shape, or None
        The curvature of each label for which the matrices were computed.
    """

    gram: Array
    factors: Array
    grams: Array
    slope: Array
    residual: float
    bend: Array | None = None

    def minimise(self, W: Array, penalty: Thresholds, tol: float, max_sweeps: int) -> int:
        """Minimise over W (s, n_tasks) in place up to a duality gap; return the sweeps."""
        H, square, strengths = self.slope, self.residual, penalty.strengths(len(W))
        # Some features of a Fortran-ordered matrix; the kernel would be compiled again for it.
        gram = np.ascontiguousarray(self.gram)

        def sweep(most: int) -> tuple[int, float]:
            nonlocal square
            n_sweeps, gap, square = kernels.minimise_rows(
                gram, self.factors, self.grams, strengths, W, H, square, tol, most
            )
            return n_sweeps, gap

        def fit_lengths() -> None:
            nonlocal square
            found = length_step(W, H, penalty, self._row_gram, W.size)
            if found is not None:
                rows, step = found
                change = self._product(rows, step)
                square = max(square - float(np.vdot(step, (2 * H - change)[rows])), 0.0)
                W[rows] += step
                H[:] -= change

        return minimise_in_rounds(sweep, fit_lengths, tol, max_sweeps)

    def _row_gram(self, rows: Array, directions: Array) -> Array:
        if self.gram.size:
            taken = np.empty((1, len(rows), len(rows)))
            kernels.take_grams(self.gram[None], rows, taken)
            return np.asarray(taken[0] * ((directions * self.factors) @ directions.T))
        grams = self.grams[rows[:, None], rows]
        return np.asarray(np.einsum("jkt,jt->jk", grams * directions, directions))

    def _product(self, rows: Array, step: Array) -> Array:
        """A'A times a step in some rows."""
        if self.gram.size:
            return np.asarray(self.gram[:, rows] @ (step * self.factors))
        return np.asarray(np.einsum("jkt,kt->jt", self.grams[:, rows], step))


@dataclass(frozen=True)
class DenseModel:
    """The residual (n_tasks, n) and the columns of A (s, n), times root weights.

    ``gram`` returns the Gram matrix (m, m) of some of the columns.
    """

    columns: Array
    factors: Array
    residual: Array
    gram: Callable[[Array], Array]

    def minimise(self, W: Array, penalty: Thresholds, tol: float, max_sweeps: int) -> int:
        """As :meth:`GramModel.minimise`."""
        strengths, H, R = penalty.strengths(len(W)), np.empty_like(W), self.residual
        single: Array | None = _as_single(self.columns)
        last = np.inf

        def sweep(most: int) -> tuple[int, float]:
            nonlocal single, last
            n_sweeps = 0
            if single is not None:
                n_sweeps, gap = self._sweep_in_single(single, strengths, W, H, tol, most)
                if gap <= tol or (n_sweeps and gap < _GOOD * last):
                    last = gap
                    return n_sweeps, gap
                single = None
            more, gap = kernels.minimise_rows_dense(
                self.columns, self.factors, strengths, W, H, R, tol, most
            )
            return n_sweeps + more, gap

        def fit_lengths() -> None:
            found = length_step(W, H, penalty, self._row_gram, R.size)
            if found is not None:
                rows, step = found
                R[:] -= step.T @ self.columns[rows]
                W[rows] += step

        return minimise_in_rounds(sweep, fit_lengths, tol, max_sweeps)

    def _sweep_in_single(
        self, columns: Array, strengths: Any, W: Array, H: Array, tol: float, most: int
    ) -> tuple[int, float]:
        """Sweep in single precision, then compute the residual and the gap in double precision.

        Sweeps are limited by the bandwidth of the memory. If the gap is not finite, W and the
        residual stay as they were.
        """
        old, R, active = W.copy(), self.residual, np.empty(len(W), dtype=np.bool_)
        slopes = np.empty_like(W, dtype=np.float32)
        n_sweeps, _ = kernels.minimise_rows_dense(
            columns, self.factors, strengths, W, slopes, _as_single(R), tol, most
        )
        moved = R - (W - old).T @ self.columns
        gap = kernels.dense_gap(self.columns, self.factors, strengths, W, H, moved, active)[1]
        if np.isfinite(gap):
            R[:] = moved
            return n_sweeps, gap
        W[:] = old
        return n_sweeps, np.inf

    def _row_gram(self, rows: Array, directions: Array) -> Array:
        return np.asarray(self.gram(rows) * ((directions * self.factors) @ directions.T))


@dataclass(frozen=True)
class SparseModel:
    """The residual, and sparse columns (n, s) in CSC with their means (s,)."""

    columns: Any
    means: Array
    weights: Array
    factors: Array
    residual: Array

    def minimise(self, W: Array, penalty: Thresholds, tol: float, max_sweeps: int) -> int:
        """As :meth:`GramModel.minimise`."""
        strengths, H, R = penalty.strengths(len(W)), np.empty_like(W), self.residual
        # For strided arrays, or wider indices than necessary, the kernel would be compiled again.
        wide = max(self.columns.nnz, *self.columns.shape) > np.iinfo(np.int32).max
        indices, starts = (
            each.astype(np.int64 if wide else np.int32, copy=False)
            for each in (self.columns.indices, self.columns.indptr)
        )
        columns = (self.columns.data, indices, starts)
        weights = np.ascontiguousarray(self.weights)

        def sweep(most: int) -> tuple[int, float]:
            n_sweeps, gap = kernels.minimise_rows_sparse(
                columns, self.means, weights, self.factors, strengths, W, H, R, tol, most
            )
            return n_sweeps, gap

        def fit_lengths() -> None:
            products = self.columns.nnz / len(W) * W.shape[1]
            found = length_step(W, H, penalty, self._row_gram, products)
            if found is not None:
                rows, step = found
                R[:] -= self.columns[:, rows] @ step - self.means[rows] @ step
                W[rows] += step

        return minimise_in_rounds(sweep, fit_lengths, tol, max_sweeps)

    def _row_gram(self, rows: Array, directions: Array) -> Array:
        columns, means = self.columns[:, rows], self.means[rows]
        gram = (columns.T @ columns.multiply(self.weights[:, None]).tocsr()).toarray()
        sums = columns.T @ self.weights
        gram += np.outer(means, self.weights.sum() * means - sums) - np.outer(sums, means)
        return np.asarray(gram * ((directions * self.factors) @ directions.T))


def _as_single(values: Array) -> Array:
    """The values in single precision, infinite where they are too large for it."""
    with np.errstate(over="ignore"):
        return values.astype(np.float32)


NO_GRAM = np.zeros((0, 0))
NO_GRAMS = np.zeros((0, 0, 0))
