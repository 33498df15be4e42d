"""The smooth part near a point in some rows of W, as half a squared residual.

The residual of W + D is r - A D. The three classes keep what a sweep over the rows of W needs in
the form that is cheapest for their data, and differ in nothing else.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl._numerics import kernels
from skmtl.solvers import Thresholds

Array = NDArray[Any]

# Models of fewer rows of W than this are not worth their matrices, unless they are all.
FEWEST_ROWS = 128
# A first model of s rows of W is made of this many times s rows of data.
SAMPLED = 16
# What models of a set may cost, in gradient steps; their sweeps; and what a label costs a step,
# in multiplications.
_SAVED_STEPS = 200
_TYPICAL_SWEEPS = 100
_ELEMENTWISE = 20


def first_rows(n_features: int, stored: float, n_grams: float = 1.0) -> float:
    """How many rows of W Newton steps may take for the price of a gradient in all of them.

    Those need some 4 s / d of the gradient's products each, and matrices from SAMPLED s rows of
    data: n_grams of them for each column, where the gradient takes the ``stored`` entries of X.
    """
    return min(n_features / 8, float(np.cbrt(stored / (2 * n_grams))))


def worthwhile_rows(products: int, n_labels: int, n_grams: int, n_rows: int) -> float:
    """At how many rows of W matrices and sweeps cost as much as gradient steps, if many.

    With n_grams matrices, each from n_rows rows of data or a sample.
    """
    steps = _SAVED_STEPS * (products + _ELEMENTWISE * n_labels)
    # Half of a matrix is computed, in single precision.
    building = min(n_rows, SAMPLED * FEWEST_ROWS) / 4
    return float(np.sqrt(steps / (n_grams * (building + _TYPICAL_SWEEPS))))


@dataclass(frozen=True)
class GramModel:
    """By Gram matrices: A'A is ``gram`` (s, s) times ``factors``, or ``grams`` (s, s, n_tasks).

    Attributes
    ----------
    gram, factors, grams : ndarray
        One of ``gram`` and ``grams`` is empty.
    slope : ndarray of shape (s, n_tasks)
        A'r: minus the loss gradient.
    residual : float
        The squared length of r.
    bend : ndarray in the labels' shape, or None
        The curvature of each label that the matrices were made with.
    """

    gram: Array
    factors: Array
    grams: Array
    slope: Array
    residual: float
    bend: Array | None = None

    def minimise(self, W: Array, penalty: Thresholds, tol: float, max_sweeps: int) -> int:
        """Minimise over W (s, n_tasks), in place, to a duality gap; the number of sweeps."""
        return int(
            kernels.minimise_rows(
                self.gram,
                self.factors,
                self.grams,
                penalty.strengths(len(W)),
                W,
                self.slope,
                self.residual,
                tol,
                max_sweeps,
            )
        )


@dataclass(frozen=True)
class DenseModel:
    """By the residual (n_tasks, n) and the columns of A (s, n), times the rows' root weights."""

    columns: Array
    factors: Array
    residual: Array

    def minimise(self, W: Array, penalty: Thresholds, tol: float, max_sweeps: int) -> int:
        """As :meth:`GramModel.minimise`."""
        return int(
            kernels.minimise_rows_dense(
                self.columns,
                self.factors,
                penalty.strengths(len(W)),
                W,
                self.residual,
                tol,
                max_sweeps,
            )
        )


@dataclass(frozen=True)
class SparseModel:
    """By the residual and sparse columns (n, s) in CSC, minus their means (s,)."""

    columns: Any
    means: Array
    weights: Array
    factors: Array
    residual: Array

    def minimise(self, W: Array, penalty: Thresholds, tol: float, max_sweeps: int) -> int:
        """As :meth:`GramModel.minimise`."""
        return int(
            kernels.minimise_rows_sparse(
                (self.columns.data, self.columns.indices, self.columns.indptr),
                self.means,
                # A strided view would be another type, for which the kernel is compiled again.
                np.ascontiguousarray(self.weights),
                self.factors,
                penalty.strengths(len(W)),
                W,
                self.residual,
                tol,
                max_sweeps,
            )
        )


NO_GRAM = np.zeros((0, 0))
NO_GRAMS = np.zeros((0, 0, 0))
