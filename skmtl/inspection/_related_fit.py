"""Fits of tasks with a known covariance, in closed form, with tasks removed or added."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.objective import Quadratics

Array = NDArray[Any]

# Directions of the covariance with less than this fraction of its largest variance are left out.
_ROUNDING = 1e-12


class RelatedTasks:
    r"""The squared losses of some tasks, with a given covariance between all tasks.

    A fit minimises, over W (n_features, n_tasks),

    .. math:: \tfrac12 \sum_{t \in P} \bigl( w_t' H_t w_t - 2 \langle q_t, w_t \rangle \bigr)
              + \tfrac12 \operatorname{tr}(W K^{-1} W')

    where P are the tasks whose labels are used. With C, the inverse of the system's matrix, and its
    blocks C_ts (n_features, n_features), removing the labels of task s changes the coefficients by

    .. math:: - C_{ts} (I - H_s C_{ss})^{-1} (q_s - H_s w_s) ,

    and adding them by :math:`C_{ts} (I + H_s C_{ss})^{-1} (q_s - H_s w_s)`. If all tasks have the
    same rows, the eigenvectors of their Gram matrix separate the features.

    Parameters
    ----------
    quadratics : Quadratics
        The losses of the tasks.
    covariance : ndarray of shape (n_tasks, n_tasks)
        K, which may be singular.
    """

    def __init__(self, quadratics: Quadratics, covariance: Array) -> None:
        scales, linear = quadratics.scales, quadratics.linear
        # Blocks of features that no Gram matrix couples: the Gram matrices get the shape
        # (n_blocks, n_tasks, size, size), the linear terms (n_blocks, n_tasks, size).
        if len(quadratics.grams) == 1:
            values, self._rotation = np.linalg.eigh(quadratics.grams[0])
            values = np.maximum(values, 0.0)
            self._grams = (values[:, None] * scales)[:, :, None, None]
            self._linear = (self._rotation.T @ linear)[:, :, None]
        else:
            self._rotation = np.eye(len(linear))
            self._grams = (quadratics.grams * scales[:, None, None])[None]
            self._linear = linear.T[None]
        self._covariance = covariance
        self._x_means, self._y_means = quadratics.x_means, quadratics.y_means
        if self._x_means is not None:
            self._x_means = np.broadcast_to(self._x_means, linear.T.shape)

    def intercepts(self, coef: Array) -> Array:
        """The best intercepts (..., n_tasks) for coefficients (..., n_features, n_tasks)."""
        if self._x_means is None or self._y_means is None:
            return np.zeros((*coef.shape[:-2], coef.shape[-1]))
        predicted = np.einsum("td,...dt->...t", self._x_means, coef)
        return np.asarray(self._y_means - predicted)

    def intercept(self, task: int, coef: Array) -> Array:
        """The best intercepts (...) of one task for its coefficients (..., n_features)."""
        if self._x_means is None or self._y_means is None:
            return np.zeros(coef.shape[:-1])
        return np.asarray(self._y_means[task] - coef @ self._x_means[task])

    def _factor(self) -> Array:
        """A factor (n_tasks, rank) with K = factor factor', so that W = V factor'."""
        variances, basis = np.linalg.eigh(self._covariance)
        kept = variances > _ROUNDING * max(variances[-1], 0.0)
        return np.asarray(basis[:, kept] * np.sqrt(variances[kept]))

    @property
    def n_unknowns(self) -> int:
        """The side of the largest matrix that :meth:`leave_one_out` inverts."""
        return int(self._factor().shape[1] * self._linear.shape[2])

    def leave_one_out(self) -> tuple[Array, Array]:
        """The coefficients with the labels of all tasks, and without those of each task.

        Returns
        -------
        coef : ndarray of shape (n_features, n_tasks)
        without : ndarray of shape (n_tasks, n_features, n_tasks)
        """
        factor, (n_blocks, n_tasks, size) = self._factor(), self._linear.shape
        rank = factor.shape[1]
        pairs = (factor[:, :, None] * factor[:, None, :]).reshape(n_tasks, -1)
        whole = np.matmul(pairs.T, self._grams.reshape(n_blocks, n_tasks, -1))
        whole = whole.reshape(n_blocks, rank, rank, size, size).transpose(0, 1, 3, 2, 4)
        whole = whole.reshape(n_blocks, rank * size, rank * size)
        inverse = np.linalg.inv(whole + np.eye(rank * size))
        blocks = inverse.reshape(n_blocks, rank, size, rank, size).transpose(0, 1, 3, 2, 4)
        blocks = blocks.reshape(n_blocks, rank * rank, size * size)
        own = np.matmul(pairs, blocks).reshape(n_blocks, n_tasks, size, size)
        right = np.matmul(factor.T, self._linear).reshape(n_blocks, rank * size, 1)
        coef = np.matmul(factor, np.matmul(inverse, right).reshape(n_blocks, rank, size))

        residual = self._linear - _times(self._grams, coef)
        forces = _solve(np.eye(size) - np.matmul(self._grams, own), residual)
        right = np.einsum("tr,bti->brit", factor, forces).reshape(n_blocks, rank * size, n_tasks)
        change = np.matmul(inverse, right).reshape(n_blocks, rank, size, n_tasks)
        moved = np.einsum("bris,tr->sbit", change, factor)
        full = self._in_features(coef.transpose(0, 2, 1))
        return full, full - self._in_features(moved)

    def fit(self, task: int, present: Array, strength: float = 1.0) -> Array:
        """A task's coefficients (n_features,) from the labels of some tasks.

        Parameters
        ----------
        task : int
        present : int ndarray
        strength : float, default=1.0
            Divides the covariance.
        """
        covariance = self._covariance / strength
        forces = _solve_jointly(self._system(covariance, present)[0], self._linear[:, present])
        coef = np.einsum("p,bpi->bi", covariance[task, present], forces)
        return self._in_features(coef[:, :, None])[:, 0]

    def add_each(self, task: int, present: Array, strength: float = 1.0) -> Array:
        """A task's coefficients (n_tasks, n_features) with the labels of each task added.

        Parameters
        ----------
        task, present, strength : as in :meth:`fit`
        """
        covariance, (n_blocks, _, size) = self._covariance / strength, self._linear.shape
        across = covariance[:, present]
        system, grams = self._system(covariance, present)
        n_present = len(present)
        forces = _solve_jointly(system, self._linear[:, present])
        coef = np.matmul(across, forces)
        blocks = np.zeros((n_blocks, n_present, size, n_present, size))
        blocks[:, np.arange(n_present), :, np.arange(n_present)] = grams.transpose(1, 0, 2, 3)
        reduction = np.linalg.solve(system, blocks.reshape(system.shape))
        reduction = reduction.reshape(n_blocks, n_present, size, n_present, size)
        eye = np.eye(size)
        own = np.diag(covariance)[:, None, None] * eye - np.einsum(
            "tp,bpiqj,tq->btij", across, reduction, across, optimize=True
        )
        shared = covariance[task][:, None, None] * eye - np.einsum(
            "p,bpiqj,tq->btij", across[task], reduction, across, optimize=True
        )
        residual = self._linear - _times(self._grams, coef)
        moved = _times(shared, _solve(eye + np.matmul(self._grams, own), residual))
        changed = coef[:, [task]] + moved
        return self._in_features(changed.transpose(0, 2, 1)).T

    def _system(self, covariance: Array, present: Array) -> tuple[Array, Array]:
        """The matrices I + H K of the present tasks, and their Gram matrices."""
        n_blocks, _, size = self._linear.shape
        side = len(present) * size
        grams = self._grams[:, present]
        between = covariance[np.ix_(present, present)]
        system = np.einsum("bpij,pq->bpiqj", grams, between).reshape(n_blocks, side, side)
        return system + np.eye(side), grams

    def _in_features(self, values: Array) -> Array:
        """Values (..., n_blocks, size, n_columns) in the coordinates of the features."""
        *rest, n_blocks, size, n_columns = values.shape
        return np.asarray(self._rotation @ values.reshape(*rest, n_blocks * size, n_columns))


def _times(matrices: Array, vectors: Array) -> Array:
    return np.asarray(np.matmul(matrices, vectors[..., None])[..., 0])


def _solve(matrices: Array, vectors: Array) -> Array:
    return np.asarray(np.linalg.solve(matrices, vectors[..., None])[..., 0])


def _solve_jointly(system: Array, linear: Array) -> Array:
    """Solve for the vectors (n_blocks, n_present, size) of all present tasks."""
    n_blocks = len(linear)
    return _solve(system, linear.reshape(n_blocks, -1)).reshape(linear.shape)
