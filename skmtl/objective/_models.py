"""The smooth part near a point in some rows of W, as half a squared residual.

The residual of W + D is r - A D. The three classes keep what a sweep over the rows of W needs in
the form that is cheapest for their data, and differ in nothing else.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from skmtl import _kernels

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
class Thresholds:
    """The penalty sum_j (entry |W_j|_1 + group |W_j|_2) + sum_t ridges_t |w_t|^2 / 2."""

    entry: float
    group: float
    ridges: Array

    def lengths(self, G: Array) -> Array:
        """What slopes G (d, n_tasks) leave of each row after the entries' threshold (d,)."""
        if self.entry:
            G = np.maximum(np.abs(G) - self.entry, 0.0)
        return np.sqrt(np.einsum("jt,jt->j", G, G))

    def reached(self, G: Array, reach: Array) -> Array:
        """Whether slopes within ``reach`` (d,) of G may exceed the thresholds of each row (d,)."""
        if self.group:
            # Thresholding the entries moves no two points apart.
            return np.asarray(self.lengths(G) + reach >= self.group)
        return np.asarray(np.abs(G).max(axis=1) + reach >= self.entry)


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
    """

    gram: Array
    factors: Array
    grams: Array
    slope: Array
    residual: float

    def minimise(self, W: Array, penalty: Thresholds, tol: float, max_sweeps: int) -> int:
        """Minimise over W (s, n_tasks), in place, to a duality gap; the number of sweeps."""
        return int(
            _kernels.minimise_rows(
                self.gram,
                self.factors,
                self.grams,
                (penalty.ridges, penalty.entry, penalty.group),
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
            _kernels.minimise_rows_dense(
                self.columns,
                self.factors,
                (penalty.ridges, penalty.entry, penalty.group),
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
            _kernels.minimise_rows_sparse(
                (self.columns.data, self.columns.indices, self.columns.indptr),
                self.means,
                self.weights,
                self.factors,
                (penalty.ridges, penalty.entry, penalty.group),
                W,
                self.residual,
                tol,
                max_sweeps,
            )
        )


class RowModel(Protocol):
    """What the solver asks of a model."""

    def minimise(self, W: Array, penalty: Thresholds, tol: float, max_sweeps: int) -> int:
        """Minimise over W in place, to a duality gap; the number of sweeps."""


NO_GRAM = np.zeros((0, 0))
NO_GRAMS = np.zeros((0, 0, 0))
