"""The smooth part near a point in some rows of W, as half a squared residual.

The residual of W + D is r - A D. The three classes keep what a sweep over the rows of W needs in
the form that is cheapest for their data, and differ in nothing else.
"""

from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from skmtl._numerics import kernels

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
    """The penalty sum_j (entry_j |W_j|_1 + group_j |W_j|_2) + sum_t ridges_t |w_t|^2 / 2.

    Of W, or of W >= 0. One of ``entry`` and ``group`` is positive.

    Attributes
    ----------
    entry, group : float or ndarray of shape (d,)
    ridges : ndarray of shape (n_tasks,)
    positive : bool
    """

    entry: float | Array
    group: float | Array
    ridges: Array
    positive: bool = False

    def of(self, features: Array) -> "Thresholds":
        """Those of some rows of W."""
        entry, group = (x if np.ndim(x) == 0 else x[features] for x in (self.entry, self.group))  # type: ignore[index]
        return replace(self, entry=entry, group=group)

    def strengths(self, n_rows: int) -> tuple[Array, Array, Array, bool]:
        """What kernels take."""
        entry, group = (
            np.array(np.broadcast_to(x, n_rows), dtype=np.float64) for x in (self.entry, self.group)
        )
        return self.ridges, entry, group, self.positive

    def _rest(self, G: Array) -> Array:
        """What slopes G (d, n_tasks) exceed the entries' threshold by, without sign."""
        if self.positive:
            G = np.maximum(G, 0.0)
        if np.any(self.entry):
            return np.maximum(np.abs(G) - np.reshape(self.entry, (-1, 1)), 0.0)
        return G

    def nearness(self, G: Array) -> Array:
        """How near slopes G (d, n_tasks) come to bringing each row into use (d,), at 1."""
        if np.all(self.group):
            rest = self._rest(G)
            return np.asarray(np.sqrt(np.einsum("jt,jt->j", rest, rest)) / self.group)
        sizes = np.maximum(G, 0.0) if self.positive else np.abs(G)
        return np.asarray(sizes.max(axis=1) / self.entry)

    def reached(self, G: Array, reach: Array) -> Array:
        """Whether slopes within ``reach`` (d,) of G may exceed the thresholds of each row (d,)."""
        if np.all(self.group):
            # Thresholding the entries moves no two points apart.
            return np.asarray(self.nearness(G) + reach / self.group >= 1)
        return np.asarray(self.nearness(G) + reach / self.entry >= 1)


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


class RowModel(Protocol):
    """What the solver asks of a model."""

    def minimise(self, W: Array, penalty: Thresholds, tol: float, max_sweeps: int) -> int:
        """Minimise over W in place, to a duality gap; the number of sweeps."""


class CurvedModel(RowModel, Protocol):
    """A model of a loss that is not quadratic, by the curvature of each label."""

    @property
    def bend(self) -> Array | None:
        """The labels' curvature that the model was made with."""


NO_GRAM = np.zeros((0, 0))
NO_GRAMS = np.zeros((0, 0, 0))
