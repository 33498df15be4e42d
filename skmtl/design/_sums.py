"""Sums over rows that can be merged, in any order and without loss of precision."""

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from skmtl.design._data import TaskData
from skmtl.design._moments import Moments
from skmtl.design._rounding import tasks_cancelled

Array = NDArray[Any]

_BY_GRAM = ("x_origins", "x_shifts", "xx")


@dataclass(frozen=True, eq=False)
class Sums:
    """Weighted means and centred sums of products of each task's rows x and labels y.

    Sums around the means do not depend on the order in which they are merged, up to rounding error.
    The means are kept as distances from fixed origins close to them, since the differences between
    large means of parts would lose digits.

    Attributes
    ----------
    counts : ndarray of shape (n_tasks,)
        Numbers of labels of positive weight.
    totals : ndarray of shape (n_tasks,)
        Sums of weights.
    x_origins : ndarray of shape (n_grams, n_features)
        n_grams is 1 if every row has the same weight in all tasks, otherwise n_tasks.
    y_origins : ndarray of shape (n_tasks,)
    x_shifts : ndarray of shape (n_grams, n_features)
        The means less the origins.
    y_shifts : ndarray of shape (n_tasks,)
    xx : ndarray of shape (n_grams, n_features * (n_features + 1) / 2)
        The upper triangles of the Gram matrices, row by row.
    xy : ndarray of shape (n_tasks, n_features)
    yy : ndarray of shape (n_tasks,)
    """

    counts: Array
    totals: Array
    x_origins: Array
    y_origins: Array
    x_shifts: Array
    y_shifts: Array
    xx: Array
    xy: Array
    yy: Array

    @classmethod
    def empty(cls, n_tasks: int, n_features: int, n_grams: int) -> Self:
        """Sums over no rows."""
        d, triangle = n_features, n_features * (n_features + 1) // 2
        return cls(
            counts=np.zeros(n_tasks),
            totals=np.zeros(n_tasks),
            x_origins=np.zeros((n_grams, d)),
            y_origins=np.zeros(n_tasks),
            x_shifts=np.zeros((n_grams, d)),
            y_shifts=np.zeros(n_tasks),
            xx=np.zeros((n_grams, triangle)),
            xy=np.zeros((n_tasks, d)),
            yy=np.zeros(n_tasks),
        )

    @classmethod
    def of(cls, data: TaskData) -> Self:
        """The sums of dense data."""
        moments = Moments.of(data, centre=True)
        n_grams, triangle = len(moments.xx), np.triu_indices(moments.n_features)
        totals = np.where(moments.totals > 0, moments.totals, 1.0)
        # The means up to rounding error.
        x_left, y_left = moments.x / totals[:n_grams, None], moments.y / totals
        xx = moments.xx[:, triangle[0], triangle[1]]
        xx -= moments.x[:, triangle[0]] * x_left[:, triangle[1]]
        return cls(
            counts=moments.counts.astype(np.float64),
            totals=moments.totals,
            x_origins=moments.x_origin,
            y_origins=moments.y_origin,
            x_shifts=x_left,
            y_shifts=y_left,
            xx=xx,
            xy=moments.xy.T - x_left * moments.y[:, None],
            yy=np.maximum(moments.yy - moments.y * y_left, 0.0),
        )

    @property
    def n_tasks(self) -> int:
        return len(self.counts)

    @property
    def n_features(self) -> int:
        return int(self.xy.shape[1])

    @property
    def n_grams(self) -> int:
        return len(self.xx)

    @property
    def x_means(self) -> Array:
        return self.x_origins + self.x_shifts

    @property
    def y_means(self) -> Array:
        return self.y_origins + self.y_shifts

    @property
    def nbytes(self) -> int:
        return sum(int(getattr(self, field.name).nbytes) for field in fields(self))

    @cached_property
    def _triangle(self) -> tuple[Array, Array]:
        return np.triu_indices(self.n_features)

    def grams(self, chosen: slice | Array) -> Array:
        """The Gram matrices (n_chosen, n_features, n_features) around the means."""
        rows, columns = self._triangle
        packed = self.xx[chosen]
        full = np.empty((len(packed), self.n_features, self.n_features))
        full[:, rows, columns] = packed
        full[:, columns, rows] = packed
        return full

    def separate(self) -> "Sums":
        """With a Gram matrix for each task."""
        if self.n_grams == self.n_tasks:
            return self
        kept = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in _BY_GRAM:
            kept[name] = np.repeat(kept[name], self.n_tasks, axis=0)
        return Sums(**kept)

    def take(self, tasks: Array) -> "Sums":
        """The sums of some tasks; with one Gram matrix, of all of them in another order."""
        return self._map(lambda values: values[tasks])

    def padded(self, n_tasks: int) -> "Sums":
        """With further tasks that have no rows, up to ``n_tasks``."""
        more = n_tasks - self.n_tasks
        pad = lambda values: np.concatenate([values, np.zeros((more, *values.shape[1:]))])  # noqa: E731
        return self._map(pad) if more else self

    def _map(self, change: Any) -> "Sums":
        """Apply a function to all arrays with an entry for each task."""
        kept = {field.name: getattr(self, field.name) for field in fields(self)}
        shared = () if self.n_grams == self.n_tasks else _BY_GRAM
        return Sums(
            **{name: values if name in shared else change(values) for name, values in kept.items()}
        )

    def put(self, tasks: Array, part: "Sums") -> None:
        """Replace the sums of some tasks in place."""
        for field in fields(self):
            own, other = getattr(self, field.name), getattr(part, field.name)
            if len(own) == self.n_tasks:
                own[tasks] = other
            else:
                own[:] = other

    def merged(self, part: "Sums", sign: float = 1.0) -> "Sums":
        r"""The sums over the rows of both, or with sign -1 over those that are not in ``part``.

        With weights :math:`w_a, w_b` and means that differ by :math:`\delta`, the sums of products
        around the common mean are those around the two means and :math:`\tfrac{w_a w_b}{w_a + w_b}
        \delta \delta'` (T. Chan, G. Golub and R. LeVeque, 1983,
        https://doi.org/10.1080/00031305.1983.10483115).
        """
        totals = self.totals + sign * part.totals
        held = totals > 0
        share = np.divide(sign * part.totals, totals, out=np.zeros(len(totals)), where=held)
        factor = self.totals * share
        n_grams, none = self.n_grams, self.totals == 0
        x_origins = np.where(none[:n_grams, None], part.x_origins, self.x_origins)
        y_origins = np.where(none, part.y_origins, self.y_origins)
        dx = part.x_origins - x_origins + (part.x_shifts - self.x_shifts)
        dy = part.y_origins - y_origins + (part.y_shifts - self.y_shifts)
        rows, columns = self._triangle
        bent = (factor[:n_grams, None] * dx)[:, rows]
        bent *= dx[:, columns]
        merged = Sums(
            counts=self.counts + sign * part.counts,
            totals=np.where(held, totals, 0.0),
            x_origins=x_origins,
            y_origins=y_origins,
            x_shifts=self.x_shifts + share[:n_grams, None] * dx,
            y_shifts=self.y_shifts + share * dy,
            xx=self.xx + sign * part.xx + bent,
            xy=self.xy + sign * part.xy + (factor * dy)[:, None] * dx,
            yy=np.maximum(self.yy + sign * part.yy + factor * dy**2, 0.0),
        )
        return merged if sign > 0 else merged._without_remains()

    def _without_remains(self) -> "Sums":
        """With zeros for the tasks without labels, whose sums would be rounding error."""
        emptied, kept = self.counts == 0, {}
        for field in fields(self):
            values = getattr(self, field.name)
            # With one Gram matrix all tasks have the same rows.
            gone = emptied[: len(values)].reshape(-1, *[1] * (values.ndim - 1))
            kept[field.name] = np.where(gone, 0.0, values)
        return Sums(**kept)

    def has_cancelled(self, whole: "Sums") -> Array:
        """The tasks (n_tasks,) whose difference from ``whole`` is dominated by rounding error."""
        diagonal = np.flatnonzero(np.equal(*self._triangle))
        left, before = self.xx[:, diagonal], whole.xx[:, diagonal]
        few = tasks_cancelled(left, before, self.totals, whole.totals)
        return np.asarray(few & (self.counts > 0))
