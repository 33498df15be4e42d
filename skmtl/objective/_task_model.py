"""A quadratic model with a Gram matrix per task."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl._numerics import kernels
from skmtl.objective._lengths import length_step
from skmtl.solvers import Thresholds

Array = NDArray[Any]

# Sweeps between extrapolated iterates, and differences per extrapolation: the same numbers as in
# the kernels of other models, so that all layouts take the same steps.
_SWEEPS = 5
_DEPTH = 5
# The entries of an iterate whose differences are in the cache at once.
_BLOCK = 2**14


@dataclass(frozen=True)
class TaskGramModel:
    """Gram matrices: A'A of task t is scales[t] grams[:, t].

    Attributes
    ----------
    grams : ndarray of shape (s, n_tasks, s)
        In the order in which sweeps read them.
    scales : ndarray of shape (n_tasks,)
    slope : ndarray of shape (s, n_tasks)
        A'r: minus the loss gradient.
    residual : float
        The squared length of r.
    """

    grams: Array
    scales: Array
    slope: Array
    residual: float

    def minimise(self, W: Array, penalty: Thresholds, tol: float, max_sweeps: int) -> int:
        """Minimise over W (s, n_tasks) in place up to a duality gap; return the sweeps."""
        bends = np.einsum("jtj->jt", self.grams) * self.scales + penalty.ridges
        strengths, H = penalty.strengths(len(W)), np.ascontiguousarray(self.slope.T)
        first, past = W.copy(), np.empty((_DEPTH + 1, *W.shape))
        start = first, self.slope, self.residual, strengths
        value, gap = kernels.task_rows_gap(*start, W, H)
        n_sweeps = n_past = 0
        while gap > tol and n_sweeps < max_sweeps:
            kernels.sweep_task_rows(self.grams, self.scales, bends, strengths, W, H, _SWEEPS)
            n_sweeps += _SWEEPS
            value, gap = kernels.task_rows_gap(*start, W, H)
            if gap <= tol:
                break
            past[n_past] = W
            n_past += 1
            if n_past > _DEPTH:
                n_past, shares = 0, _extrapolation(past)
                if shares is not None:
                    tried = np.tensordot(shares, past[1:], 1)
                    slopes = self._slopes(tried - first)
                    if kernels.task_rows_gap(*start, tried, slopes)[0] < value:
                        W[:], H = tried, slopes
                self._fit_lengths(W, H, penalty)
                value, gap = kernels.task_rows_gap(*start, W, H)
        return n_sweeps

    def _slopes(self, step: Array) -> Array:
        """The slopes (n_tasks, s) after a step (s, n_tasks)."""
        H = np.ascontiguousarray(self.slope.T)
        kernels.move_task_rows(self.grams, np.arange(len(step)), step * self.scales, H)
        return H

    def _fit_lengths(self, W: Array, H: Array, penalty: Thresholds) -> None:
        """Minimise over the lengths of the non-zero rows; update W and the slopes H."""
        found = length_step(W, H.T, penalty, self._row_gram, W.size)
        if found is not None:
            rows, step = found
            W[rows] += step
            kernels.move_task_rows(self.grams, rows, step * self.scales, H)

    def _row_gram(self, rows: Array, directions: Array) -> Array:
        total = np.empty((len(rows), len(rows)))
        kernels.sum_row_grams(self.grams, self.scales, rows, directions, total)
        return total


def _extrapolation(past: Array) -> Array | None:
    """The weights of Anderson extrapolation for iterates (n, s, n_tasks) without the first.

    None if the differences of the iterates are degenerate.
    """
    flat = past.reshape(len(past), -1)
    system = np.zeros((len(past) - 1, len(past) - 1))
    for start in range(0, flat.shape[1], _BLOCK):
        steps = np.diff(flat[:, start : start + _BLOCK], axis=0)
        system += steps @ steps.T
    trace = system.trace()
    if not trace > 0.0:
        return None
    system.flat[:: len(system) + 1] += 1e-14 * trace
    try:
        shares = np.linalg.solve(system, np.ones(len(system)))
    except np.linalg.LinAlgError:
        return None
    total = shares.sum()
    return np.asarray(shares / total) if abs(total) > 0.0 else None
