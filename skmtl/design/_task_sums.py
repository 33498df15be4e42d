"""Sums over the rows of one X for tasks whose labels are missing, or weighted differently."""

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import blas

from skmtl.design._patterns import TaskGroup, find_patterns

Array = NDArray[Any]

# The entries of a batch of rows, which stays in the cache, and the fewest and most rows.
_BATCH_ENTRIES, _FEWEST_ROWS, _MOST_ROWS = 2**17, 2**10, 2**14
# The number of batches whose means are added together.
_N_MEANS = 128
# The entries of rows of X that are copied to make them contiguous.
_COPIED_ENTRIES = 2**23
# A group has at most one pattern for so many rows, and for more rows if there are few features:
# with more patterns, sums of matrices and calls of BLAS cost more than larger groups save.
_ROWS_PER_PATTERN, _ENTRIES_PER_PATTERN = 2**9, 2**21
_TINY = np.finfo(np.float64).tiny


class TaskSums:
    r"""Weighted sums of rows and labels around origins, and of their products.

    The Gram matrices of T tasks would cost T products of all rows. But in some tasks together, few
    combinations of weights occur, such as :math:`2^{10}` patterns of missing labels in ten tasks.
    The rows of a pattern p are multiplied once, around their mean, and added to all tasks t:

    .. math:: \sum_i w_{it} (x_i - o_t) (x_i - o_t)' = \sum_p w_{pt} \bigl( \sum_{i \in p}
              (x_i - \bar x_p) (x_i - \bar x_p)' + n_p (\bar x_p - o_t) (\bar x_p - o_t)' \bigr)

    All terms are positive semidefinite, so that nothing cancels.

    Parameters
    ----------
    X : dense ndarray of shape (n_samples, n_features)
    y, weights : ndarrays of shape (n_samples, n_tasks)
        Labels of weight 0 are arbitrary.
    origin, y_origin : ndarrays of shape (n_tasks, n_features) and (n_tasks,)
    centre : bool
        Use the means of the rows as origins instead of ``origin``.

    Attributes
    ----------
    origin, x, xy : ndarrays of shape (n_tasks, n_features)
    xx : ndarray of shape (n_tasks, n_features, n_features)
    y, yy : ndarrays of shape (n_tasks,)
    """

    def __init__(
        self, X: Array, y: Array, weights: Array, origin: Array, y_origin: Array, *, centre: bool
    ) -> None:
        (n_tasks, d), n = origin.shape, len(X)
        self._size = min(max(_BATCH_ENTRIES // d, _FEWEST_ROWS), _MOST_ROWS, n)
        self.origin = _means(X, weights, self._size) if centre else origin
        self.x, self.xy = np.zeros((n_tasks, d)), np.zeros((n_tasks, d))
        self.xx, self.y, self.yy = np.zeros((n_tasks, d, d)), np.zeros(n_tasks), np.zeros(n_tasks)
        self._y_origin = y_origin
        self._batch, self._gram = np.empty((self._size, d)), np.zeros((d, d))
        window = n if X.flags.c_contiguous else max(_COPIED_ENTRIES // d, _MOST_ROWS)
        most = min(window, n) // (_ROWS_PER_PATTERN + _ENTRIES_PER_PATTERN // d**2)
        found = find_patterns(weights, most)
        for rows in _slices(n, window):
            part, labels = np.ascontiguousarray(X[rows]), y[rows]
            row_weights = None if found.rows is None else found.rows[rows]
            for group in found.groups:
                self._add_group(group, group.codes[rows], part, labels, row_weights)
            self._add_others(found.others, part, labels, weights[rows])
        for xx in self.xx:
            xx += np.tril(xx, -1).T

    def _take(self, X: Array, rows: Array) -> Array:
        """A float64 copy of some rows, at most as many as in a batch, to be overwritten."""
        batch = self._batch[: len(rows)]
        if X.dtype == np.float64:
            # NumPy copies twice in the mode that raises errors.
            return X.take(rows, axis=0, out=batch, mode="clip")
        batch[:] = X.take(rows, axis=0)
        return batch

    def _add_others(self, tasks: list[int], X: Array, y: Array, weights: Array) -> None:
        """Add rows (n_rows, d) for tasks with arbitrary weights (n_rows, n_tasks)."""
        for part, t in itertools.product(_slices(len(X), self._size), tasks):
            rows = np.flatnonzero(weights[part, t])
            w, labels = weights[part, t][rows], y[part, t][rows] - self._y_origin[t]
            batch = self._take(X[part], rows)
            batch -= self.origin[t]
            both = np.vstack([w, w * labels]) @ batch
            self.x[t] += both[0]
            self.xy[t] += both[1]
            self.y[t] += w @ labels
            self.yy[t] += w @ labels**2
            batch *= np.sqrt(w)[:, None]
            _add_square(batch, self.xx[t])

    def _add_group(
        self, group: TaskGroup, codes: Array, X: Array, y: Array, row_weights: Array | None
    ) -> None:
        """Add rows (n_rows, d) with the patterns ``codes`` (n_rows,)."""
        order, counts = np.argsort(codes, kind="stable"), np.bincount(codes)
        ends = np.cumsum(counts)
        batches = [
            (p, order[ends[p] - counts[p] :][part])
            for p in range(len(counts))
            if group.patterns[p].any()
            for part in _slices(int(counts[p]), self._size)
        ]
        for some in (batches[part] for part in _slices(len(batches), _N_MEANS)):
            centres = []
            for p, rows in some:
                used = group.patterns[p] > 0
                tasks, factors = group.tasks[used], group.patterns[p, used]
                w = np.ones(len(rows)) if row_weights is None else row_weights[rows]
                labels = np.take(y, rows, axis=0)[:, tasks]
                centres.append(self._add_batch(tasks, factors, self._take(X, rows), labels, w))
            self._add_means(group, [p for p, _ in some], centres)

    def _add_batch(
        self, tasks: Array, factors: Array, X: Array, y: Array, weights: Array
    ) -> tuple[Array, Array, float]:
        """Add rows around their mean with weights factors[t] times weights (n_rows,).

        Returns the mean, its rounding error, and the sum of the weights.
        """
        total = float(weights.sum())
        mean = weights @ X / total
        X -= mean
        y -= self._y_origin[tasks]
        both = np.column_stack([weights, weights[:, None] * y])
        left, sums = both.T @ X, factors * both[:, 1:].sum(axis=0)
        self.y[tasks] += sums
        self.yy[tasks] += factors * np.einsum("it,it->t", both[:, 1:], y)
        shifts = mean - self.origin[tasks]
        self.xy[tasks] += factors[:, None] * left[1:] + sums[:, None] * shifts
        if (weights != 1).any():
            X *= np.sqrt(weights)[:, None]
        self._gram[:] = 0.0
        _add_square(X, self._gram)
        for t, factor in zip(tasks, factors, strict=True):
            self.xx[t] += self._gram if factor == 1 else factor * self._gram
        return mean, left[0] / total, total

    def _add_means(
        self, group: TaskGroup, patterns: list[int], centres: list[tuple[Array, Array, float]]
    ) -> None:
        """Add the squares of the distances from the origins to the means of rows."""
        means, errors, totals = map(np.array, zip(*centres, strict=True))
        for t, factors in zip(group.tasks, group.patterns[patterns].T, strict=True):
            used = factors > 0
            weights = (factors * totals)[used]
            # The means alone would lose the errors if features are far from zero.
            shifts = means[used] - self.origin[t] + errors[used]
            self.x[t] += weights @ shifts
            shifts *= np.sqrt(weights)[:, None]
            _add_square(shifts, self.xx[t])


def _means(X: Array, weights: Array, size: int) -> Array:
    """The weighted mean of each task's rows (n_tasks, n_features); zero without weights."""
    sums = np.zeros((weights.shape[1], X.shape[1]))
    for rows in _slices(len(X), size):
        sums += weights[rows].T @ np.ascontiguousarray(X[rows], dtype=np.float64)
    return np.asarray(sums / np.maximum(weights.sum(axis=0), _TINY)[:, None])


def _add_square(rows: Array, out: Array) -> None:
    """Add the lower triangle of rows' @ rows to a C-contiguous matrix."""
    if len(rows):
        blas.dsyrk(1.0, rows.T, beta=1.0, c=out.T, overwrite_c=1)


def _slices(n: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]
