"""Quadratic models of the smooth part in some rows of W, as half a squared residual.

The residual at W + D is r - A D. The classes differ in the form in which they store A and r, so
that sweeps over the rows of W are cheap for each kind of data.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl._numerics import kernels
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
    """The residual (n_tasks, n) and the columns of A (s, n), times root weights."""

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
    """The residual, and sparse columns (n, s) in CSC with their means (s,)."""

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
                # A strided array has another type, for which the kernel would be compiled again.
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
