"""A few rows in place of many: those with the same sums, and so with the same squared-loss fits."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import helmert

from skmtl._numerics import kernels
from skmtl.design._rounding import CONSTANT
from skmtl.design._sums import Sums

Array = NDArray[Any]

_EPS = np.finfo(np.float64).eps
# The numbers in a block of rows that are made at a time.
_ENTRIES = 2**21


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
    X, y = _task_rows(sums, slice(0, 1), slice(None))
    n = X.shape[1]
    weights = np.full(y[0].shape, sums.totals[0] / n)
    return Rows(X[0], y[0], weights, None, np.full(n, number), np.full(n, sums.counts[0] / n))


def _separate_rows(sums: Sums, number: int) -> Rows:
    """The rows of a part, for each task its own."""
    n, d = sums.n_features + 2, sums.n_features
    present = np.flatnonzero(sums.totals > 0)
    X, y = np.empty((len(present), n, d)), np.empty((len(present), n))
    step = max(1, _ENTRIES // n**2)
    for start in range(0, len(present), step):
        some = slice(start, start + step)
        X[some], labels = _task_rows(sums, present[some], present[some])
        y[some] = labels[:, :, 0]
    return Rows(
        X.reshape(-1, d),
        y.reshape(-1),
        np.repeat(sums.totals[present] / n, n),
        np.repeat(present, n),
        np.full(len(present) * n, number),
        np.repeat(sums.counts[present] / n, n),
    )


def _task_rows(sums: Sums, grams: slice | Array, tasks: slice | Array) -> tuple[Array, Array]:
    """The rows of some Gram matrices (n, d + 2, d), and their labels (n, d + 2, n_labels).

    ``tasks`` are all tasks of the only Gram matrix, or those of each.
    """
    totals, x_means = sums.totals[tasks], sums.x_means[grams]
    n, d = x_means.shape
    xy, yy = sums.xy[tasks].reshape(n, -1, d), sums.yy[tasks].reshape(n, -1)
    y_means = sums.y_means[tasks].reshape(n, 1, -1)
    C = sums.grams(grams)
    squares = np.einsum("tjj->tj", C)
    varies = squares > totals[:n, None] * CONSTANT * x_means**2
    scales = np.where(varies, np.sqrt(squares), 0.0)
    units = np.divide(1.0, scales, out=np.zeros_like(scales), where=varies)
    R = np.empty((n, d + 1, d + yy.shape[1]))
    np.multiply(C, units[:, :, None] * units[:, None, :], out=R[:, :d, :d])
    np.multiply(xy.transpose(0, 2, 1), units[:, :, None], out=R[:, :d, d:])
    R[:, d, d:] = yy
    kernels.factor_products(R, 8 * (d + 1) * _EPS)
    rows = helmert(d + 2).T @ R
    rows *= np.sqrt((d + 2) / totals[:n])[:, None, None]
    return rows[:, :, :d] * scales[:, None, :] + x_means[:, None, :], rows[:, :, d:] + y_means
