"""A few rows in place of many: those with the same sums, and so with the same squared-loss fits."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import helmert, lapack, solve_triangular

from skmtl.design._sums import Sums

Array = NDArray[Any]

_EPS = np.finfo(np.float64).eps
# Relative to the mean: the rounding error of a constant.
_ROUNDING = (64 * _EPS) ** 2


@dataclass(frozen=True, eq=False)
class Rows:
    """Weighted rows with given sums.

    Attributes
    ----------
    X : ndarray of shape (n_rows, n_features)
    y : ndarray of shape (n_rows, n_tasks), or (n_rows,) with a task for each row
    weights : ndarray of y's shape
    codes : ndarray of shape (n_rows,) or None
        The task of each row, ascending; None if all rows belong to all tasks.
    parts : ndarray of shape (n_rows,)
        Which of several sums a row comes from.
    labels : ndarray of shape (n_rows,)
        The number of labels that a row stands for, in each of its tasks.
    """

    X: Array
    y: Array
    weights: Array
    codes: Array | None
    parts: Array
    labels: Array


def condense(parts: Sequence[Sums]) -> Rows:
    r"""Rows that have the same sums as those that were summed, for each part.

    A part of d features becomes d + 2 rows of equal weight for each task, or for all tasks if they
    share their rows. For sums around the mean :math:`C = R' R`, and orthonormal columns Q that
    are orthogonal to the constant, the rows are :math:`\bar x + \sqrt{(d + 2) / w} \, Q R`; one
    column of Q is left for what the features do not explain of y.
    """
    if all(part.n_grams == 1 for part in parts):
        return _joined([_shared_rows(part, number) for number, part in enumerate(parts)])
    parts = [part.separate() for part in parts]
    rows = [_separate_rows(part, number) for number, part in enumerate(parts)]
    joined = _joined(rows)
    assert joined.codes is not None
    order = np.argsort(joined.codes, kind="stable")
    return Rows(*(getattr(joined, name)[order] for name in Rows.__dataclass_fields__))


def _joined(rows: list[Rows]) -> Rows:
    """The rows of several parts one after another."""
    if len(rows) == 1:
        return rows[0]
    values: dict[str, Any] = {}
    for name in Rows.__dataclass_fields__:
        found = [getattr(one, name) for one in rows]
        values[name] = None if found[0] is None else np.concatenate(found)
    return Rows(**values)


def _shared_rows(sums: Sums, number: int) -> Rows:
    """The rows of a part whose tasks share their rows."""
    X, y = _task_rows(sums, 0, slice(None), _contrasts(sums.n_features + 2))
    n, total = len(X), float(sums.totals[0])
    weights = np.full(y.shape, total / n)
    return Rows(X, y, weights, None, np.full(n, number), np.full(n, sums.counts[0] / n))


def _separate_rows(sums: Sums, number: int) -> Rows:
    """The rows of a part, for each task its own."""
    present, n = np.flatnonzero(sums.totals > 0), sums.n_features + 2
    X, y = np.empty((len(present), n, n - 2)), np.empty((len(present), n))
    basis = _contrasts(n)
    for place, task in enumerate(present.tolist()):
        X[place], labels = _task_rows(sums, task, slice(task, task + 1), basis)
        y[place] = labels[:, 0]
    return Rows(
        X.reshape(-1, n - 2),
        y.reshape(-1),
        np.repeat(sums.totals[present] / n, n),
        np.repeat(present, n),
        np.full(len(present) * n, number),
        np.repeat(sums.counts[present] / n, n),
    )


def _task_rows(sums: Sums, gram: int, tasks: slice, basis: Array) -> tuple[Array, Array]:
    """The rows X (d + 2, d) of one Gram matrix, and the labels y (d + 2, n) of some tasks."""
    total, x_mean = float(sums.totals[tasks][0]), sums.x_means[gram]
    C, xy, yy = sums.grams(slice(gram, gram + 1))[0], sums.xy[tasks].T, sums.yy[tasks]
    squares = C.diagonal()
    scales = np.sqrt(np.where(squares > total * _ROUNDING * x_mean**2, squares, 0.0))
    varies = scales > 0
    units = np.where(varies, scales, 1.0)
    R, order, rank = _root(np.where(np.outer(varies, varies), C / np.outer(units, units), 0.0))
    explained = np.zeros((len(C), xy.shape[1]))
    slopes = (xy / units[:, None])[order[:rank]]
    explained[:rank] = solve_triangular(R[:rank, :rank], slopes, trans="T")
    left = np.sqrt(np.maximum(yy - np.square(explained).sum(axis=0), 0.0))
    basis = np.sqrt(len(basis) / total) * basis
    X = np.empty((len(basis), len(C)))
    X[:, order] = basis[:, :rank] @ R[:rank]
    X = X * scales + x_mean
    return X, sums.y_means[tasks] + basis @ np.vstack([explained, left])


def _root(C: Array) -> tuple[Array, Array, int]:
    """R, an order and the rank with C[order][:, order] = R[:rank]' R[:rank]."""
    if not len(C) or not C.diagonal().any():
        return np.zeros_like(C), np.arange(len(C)), 0
    R, order, rank, _ = lapack.dpstrf(C)
    return np.triu(R), order - 1, int(rank)


def _contrasts(n: int) -> Array:
    """Orthonormal columns (n, n - 1) that are orthogonal to the constant."""
    return np.ascontiguousarray(helmert(n).T)
