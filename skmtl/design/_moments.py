"""Sums over rows that determine the squared loss, from one pass over the data."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skmtl._numerics import kernels, linalg
from skmtl.design._data import TaskData
from skmtl.design._rounding import CONSTANT
from skmtl.design._stacked import task_batches
from skmtl.design._task_sums import TaskSums

Array = NDArray[Any]

# Up to this many features the loop over tasks in Python costs more than the products.
_FEW_FEATURES = 64
# Up to this many features, with one Gram matrix or with one per task, moments pay off even for few
# rows.
_ALWAYS = (300, 64)
_GRAM_BYTES = 2**29
# From this number of entries of X on, products for several tasks at once pay off.
_LARGE = 2**19
_EPS, _TINY = np.finfo(np.float64).eps, np.finfo(np.float64).tiny


@dataclass(frozen=True)
class Moments:
    """Weighted sums of the rows x and labels y of each task, and of their products.

    All sums are taken around fixed origins, close to the means if intercepts are fitted, since raw
    sums would suffer from cancellation. Moments with the same origins can be added and subtracted:
    those of a training set are the total minus those of the held-out fold.

    Attributes
    ----------
    x_origin : ndarray of shape (n_grams, n_features)
        n_grams is 1 if every row has the same weight in all tasks, otherwise n_tasks.
    y_origin : ndarray of shape (n_tasks,)
    counts : ndarray of shape (n_tasks,)
        Numbers of labels.
    totals : ndarray of shape (n_tasks,)
        Sums of weights.
    x : ndarray of shape (n_grams, n_features)
    y : ndarray of shape (n_tasks,)
    xx : ndarray of shape (n_grams, n_features, n_features)
    xy : ndarray of shape (n_features, n_tasks)
    yy : ndarray of shape (n_tasks,)
    dtype : numpy dtype
        Precision of the data; the sums are float64.
    """

    x_origin: Array
    y_origin: Array
    counts: Array
    totals: Array
    x: Array
    y: Array
    xx: Array
    xy: Array
    yy: Array
    dtype: Any

    @property
    def n_tasks(self) -> int:
        return len(self.y)

    @property
    def n_features(self) -> int:
        return int(self.x.shape[1])

    @staticmethod
    def n_grams(data: TaskData) -> int:
        """The number of Gram matrices that the data require."""
        return 1 if data.has_row_weights else data.n_tasks

    @classmethod
    def pay(cls, data: TaskData) -> bool:
        """Whether fits on moments are cheaper than on rows, and the matrices fit into memory.

        This needs few features, or at least twice as many rows as features.
        """
        if sp.issparse(data.X):
            return False
        d, n_grams = data.X.shape[1], cls.n_grams(data)
        rows = len(data.X) if n_grams == 1 else data.label_counts.mean()
        enough = d <= _ALWAYS[n_grams > 1] or 2 * d <= rows
        return bool(enough and 8 * d * d * n_grams <= _GRAM_BYTES)

    @classmethod
    def of(cls, data: TaskData, *, centre: bool, origins: "Moments | None" = None) -> "Moments":
        """The moments of dense data.

        Parameters
        ----------
        data : TaskData
        centre : bool
            Set the origins to the means; otherwise to zero.
        origins : Moments or None
            Use the origins of these moments.
        """
        X = data.X
        if sp.issparse(X):
            raise TypeError("Moments require dense data, got a sparse matrix.")
        if origins is not None:
            x_origin, y_origin, centre = origins.x_origin, origins.y_origin, False
        else:
            x_origin = np.zeros((cls.n_grams(data), X.shape[1]))
            y_origin = data.label_means if centre else np.zeros(data.n_tasks)
        sums: _Sums | TaskSums
        if data.codes is None and len(x_origin) > 1 and X.size >= _LARGE:
            sums = TaskSums(X, data.y, data.weights, x_origin, y_origin, centre=centre)
        else:
            sums = _Sums.of(data, x_origin, y_origin, centre=centre)
        return cls(
            x_origin=sums.origin,
            y_origin=y_origin,
            counts=data.label_counts,
            totals=data.totals,
            x=sums.x,
            y=sums.y,
            xx=sums.xx,
            xy=np.ascontiguousarray(sums.xy.T),
            yy=sums.yy,
            dtype=X.dtype,
        )

    def __sub__(self, part: "Moments") -> "Moments":
        """The moments of the rows outside ``part``, which must have the same origins."""
        names = ("counts", "totals", "x", "y", "xx", "xy", "yy")
        left = {name: getattr(self, name) - getattr(part, name) for name in names}
        return replace(self, **left)

    def centred(self) -> "Moments":
        """The moments around the means.

        The rounding error that remains of constant features and labels is set to zero.
        """
        n_grams = len(self.xx)
        totals = np.maximum(self.totals, _TINY)
        x_means, y_means = self.x / totals[:n_grams, None], self.y / totals
        xx, raw = self.xx, self.xx.diagonal(axis1=1, axis2=2)
        if (np.square(self.x) > 1e-14 * raw * totals[:n_grams, None]).any():
            xx = xx - self.x[:, :, None] * x_means[:, None, :]
        xy = self.xy - x_means.T * self.y
        yy = self.yy - self.y * y_means
        x_origin, y_origin = self.x_origin + x_means, self.y_origin + y_means
        left = xx.diagonal(axis1=1, axis2=2)
        lost = left <= totals[:n_grams, None] * CONSTANT * x_origin**2
        lost |= left <= self.counts.max() * _EPS * raw
        if lost.any():
            xx = np.where(lost[:, :, None] | lost[:, None, :], 0.0, xx)
            xy = np.where(lost.T, 0.0, xy)
        constant = yy <= totals * CONSTANT * (y_origin**2 + self.yy / totals)
        if constant.any():
            xy, yy = np.where(constant, 0.0, xy), np.where(constant, 0.0, yy)
        zeros = np.zeros(self.x.shape), np.zeros(self.y.shape)
        return Moments(x_origin, y_origin, self.counts, self.totals, *zeros, xx, xy, yy, self.dtype)

    def select(self, chosen: Array) -> "Moments":
        """The moments of the tasks where ``chosen`` (n_tasks,) is true."""
        names = ("y_origin", "counts", "totals", "y", "yy")
        kept: dict[str, Any] = {name: getattr(self, name)[chosen] for name in names}
        if len(self.xx) == self.n_tasks > 1:
            kept |= {name: getattr(self, name)[chosen] for name in ("x_origin", "x", "xx")}
        return replace(self, xy=np.ascontiguousarray(self.xy[:, chosen]), **kept)


class _Sums:
    """Sums over rows, accumulated task by task.

    Attributes
    ----------
    origin, x : ndarray of shape (n_grams, n_features)
    xx : ndarray of shape (n_grams, n_features, n_features)
    xy : ndarray of shape (n_tasks, n_features)
    y, yy : ndarray of shape (n_tasks,)
    """

    y: Array
    yy: Array

    def __init__(self, origin: Array, n_tasks: int) -> None:
        n_grams, d = origin.shape
        self.origin, self.x, self.xy = origin, np.zeros((n_grams, d)), np.zeros((n_tasks, d))
        self.xx = np.zeros((n_grams, d, d))

    @classmethod
    def of(cls, data: TaskData, x_origin: Array, y_origin: Array, *, centre: bool) -> "_Sums":
        """The sums of the data around these origins; with ``centre`` x_origin is set."""
        X, weights, n_grams = data.X, data.weights, len(x_origin)
        y = wy = data.y - data.spread(y_origin)
        if not data.has_unit_weights:
            y = np.where(weights > 0, y, 0.0)  # labels of weight 0 are arbitrary
            wy = weights * y
        sums = cls(x_origin, data.n_tasks)
        sums.y, sums.yy = data.per_task(wy), data.per_task(wy * y)
        if data.codes is not None:
            sums.fill_stacked(X, weights, wy, data.starts, centre=centre)
        elif n_grams == 1:
            sums.fill(0, slice(None), X, weights[:, 0], wy, centre=centre)
        else:
            for t in range(n_grams):
                rows = np.flatnonzero(weights[:, t])
                part = X[rows], weights[rows, t], wy[rows, t : t + 1]
                sums.fill(t, slice(t, t + 1), *part, centre=centre)
        return sums

    def fill_stacked(
        self, X: Array, weights: Array, wy: Array, starts: Array, *, centre: bool
    ) -> None:
        """Fill from the rows of all tasks, sorted by task."""
        if X.shape[1] <= _FEW_FEATURES and X.dtype == np.float64:
            # In batches, so that rows that are not contiguous are copied only within the cache.
            for tasks, rows in task_batches(starts, X.shape[1]):
                own = starts[tasks.start : tasks.stop + 1] - rows.start
                data = np.ascontiguousarray(X[rows]), weights[rows], wy[rows], own
                sums = self.origin[tasks], self.x[tasks], self.xx[tasks], self.xy[tasks]
                kernels.sum_products(*data, centre, *sums)
            return
        for t in range(len(starts) - 1):
            rows = slice(starts[t], starts[t + 1])
            part = X[rows], weights[rows], wy[rows, None]
            self.fill(t, slice(t, t + 1), *part, centre=centre)

    def fill(
        self, g: int, tasks: slice, X: Array, weights: Array, wy: Array, *, centre: bool
    ) -> None:
        """Fill Gram matrix g from rows X, weights (n,) and weighted labels (n, tasks).

        With ``centre`` the origin is moved to the mean.
        """
        if not len(X):
            return
        if centre and weights.any():
            self.origin[g] = linalg.multiply_transposed(X, weights) / weights.sum()
        origin, x, xx, xy = self.origin[g], self.x[g], self.xx[g], self.xy[tasks]
        same = bool((weights == weights[0]).all())
        if same and not origin.any() and X.dtype == np.float64:
            # Copies no rows, and NumPy computes only half of a product of a matrix with itself.
            np.matmul(X.T, X, out=xx)
            both = _as_rows(weights, wy) @ X
            x[:], xy[:] = both[0], both[1:]
        else:
            for rows in linalg.row_batches(X):
                block = X[rows] - origin
                both = _as_rows(weights[rows], wy[rows]) @ block
                x += both[0]
                xy += both[1:]
                if not same:
                    block *= np.sqrt(weights[rows])[:, None]
                xx += block.T @ block
        if same and weights[0] != 1:
            xx *= weights[0]


def _as_rows(weights: Array, wy: Array) -> Array:
    """The weights (n,) and the weighted labels (n, tasks) as the rows of one matrix."""
    both = np.empty((1 + wy.shape[1], len(wy)))
    both[0], both[1:] = weights, wy.T
    return both
