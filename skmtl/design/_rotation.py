"""Fewer tasks: the labels of many tasks in coordinates of their common span."""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from skmtl.design._data import TaskData

Array = NDArray[Any]

_TINY, _EPS = np.finfo(np.float64).tiny, np.finfo(np.float64).eps
# With fewer tasks a fit gains little.
_FEWEST = 16
# The rank must be at most this share of the number of tasks.
_SHARE = 0.75
# With more tasks than this, and no more tasks than rows, the rank costs too much to compute.
_MOST = 500


@dataclass(frozen=True)
class TaskRotation:
    r"""An orthonormal basis V of the rows of the centred labels Y.

    With :math:`Y = Y V V'` the squared loss of W is that of :math:`W V` for the labels
    :math:`Y V`, plus a term that vanishes if the rows of W lie in the span of V. If the penalty
    is invariant under rotations of the tasks, so do those of the minimiser, and the problem needs
    only as many columns as Y has rank: at most the number of rows, however many tasks there are.

    Attributes
    ----------
    basis : ndarray of shape (n_tasks, rank)
    origin : ndarray of shape (n_tasks,)
        The means of the labels, or zero.
    labels : ndarray of shape (n_samples, rank)
    """

    basis: Array
    origin: Array
    labels: Array

    @staticmethod
    def may_pay(data: TaskData) -> bool:
        """Whether there are enough tasks, judged without a look at the labels."""
        if data.codes is not None or data.n_tasks < _FEWEST:
            return False
        return len(data.y) < data.n_tasks or data.n_tasks <= _MOST

    @classmethod
    def of(cls, data: TaskData, *, centre: bool) -> Self | None:
        """The rotation, or None if it does not pay, or if the labels of a row differ in weight.

        Parameters
        ----------
        data : TaskData
        centre : bool
            Whether each task has an intercept of its own.
        """
        if not cls.may_pay(data) or not data.has_row_weights:
            return None
        (n_samples, n_tasks), weights = data.y.shape, data.weights[:, :1]
        origin, seen = np.zeros(n_tasks), weights > 0
        if centre:
            origin = (weights * data.y).sum(axis=0) / max(weights.sum(), _TINY)
        y = np.where(seen, data.y - origin, 0.0)
        if centre:
            y[:, ~np.isnan(data.constant_labels)] = 0.0
        square = np.linalg.qr(y, mode="r") if n_samples > n_tasks else y
        _, sizes, basis = np.linalg.svd(square, full_matrices=False)
        rank = int((sizes > sizes[0] * max(y.shape) * _EPS).sum())
        if not 0 < rank <= _SHARE * n_tasks:
            return None
        basis = np.ascontiguousarray(basis[:rank].T)
        basis[~y.any(axis=0)] = 0.0  # exactly, rather than up to rounding error
        return cls(basis, origin, y @ basis)

    def rotated(self, data: TaskData) -> TaskData:
        """The data with a task for each direction of the basis."""
        names = np.arange(self.labels.shape[1])
        return replace(
            data,
            y=self.labels,
            weights=np.repeat(data.weights[:, :1], len(names), axis=1),
            tasks=names,
            all_tasks=names,
            positions=names,
            scales=None,
            chain=None,
        )

    def rotate(self, coef: Array, intercept: Array) -> tuple[Array, Array]:
        """The coefficients and intercepts of the directions, from those of the tasks."""
        return self.basis.T @ coef, (intercept - self.origin) @ self.basis

    def restore(self, coef: Array, intercept: Array) -> tuple[Array, Array]:
        """The coefficients and intercepts of the tasks, from those of the directions."""
        return self.basis @ coef, self.origin + self.basis @ intercept
