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


@dataclass(frozen=True)
class TaskGramModel:
    """Gram matrices: A'A of task t is scales[t] grams[t].

    Attributes
    ----------
    grams : ndarray of shape (n_tasks, s, s), or (s, n_tasks, s) where ``turned``
        Sweeps are faster in the second order, but reordering a matrix of all features costs more
        than the sweeps.
    turned : bool
    scales : ndarray of shape (n_tasks,)
    slope : ndarray of shape (s, n_tasks)
        A'r: minus the loss gradient.
    residual : float
        The squared length of r.
    """

    grams: Array
    turned: bool
    scales: Array
    slope: Array
    residual: float

    def minimise(self, W: Array, penalty: Thresholds, tol: float, max_sweeps: int) -> int:
        """Minimise over W (s, n_tasks) in place up to a duality gap; return the sweeps."""
        diagonals = np.einsum("jtj->tj" if self.turned else "tjj->tj", self.grams)
        bends = diagonals * self.scales[:, None] + penalty.ridges[:, None]
        curvature, first, H = bends.max(axis=0), W.copy(), np.ascontiguousarray(self.slope.T)
        strengths = penalty.strengths(len(W))
        start = first, self.slope, self.residual, strengths
        past: list[tuple[Array, Array]] = []
        value, gap = kernels.task_rows_gap(*start, W, H)
        n_sweeps = 0
        while gap > tol and n_sweeps < max_sweeps:
            kernels.sweep_task_rows(
                self.grams, self.turned, self.scales, curvature, strengths, W, H, _SWEEPS
            )
            n_sweeps += _SWEEPS
            value, gap = kernels.task_rows_gap(*start, W, H)
            if gap <= tol:
                break
            past.append((W.copy(), H.copy()))
            if len(past) > _DEPTH:
                tried = _extrapolated(past)
                past = []
                if tried and kernels.task_rows_gap(*start, *tried)[0] < value:
                    W[:], H = tried
                self._fit_lengths(W, H, penalty)
                value, gap = kernels.task_rows_gap(*start, W, H)
        return n_sweeps

    def _fit_lengths(self, W: Array, H: Array, penalty: Thresholds) -> None:
        """Minimise over the lengths of the non-zero rows; update W and the slopes H."""
        found = length_step(W, H.T, penalty, self._row_gram, W.size)
        if found is None:
            return
        rows, step = found
        W[rows] += step
        scaled = step * self.scales
        if self.turned:
            for row, change in zip(rows, scaled, strict=True):
                H -= change[:, None] * self.grams[row]
        else:
            H -= np.matmul(self.grams[:, :, rows], scaled.T[:, :, None])[:, :, 0]

    def _row_gram(self, rows: Array, directions: Array) -> Array:
        total = np.zeros((len(rows), len(rows)))
        for t, scale in enumerate(self.scales):
            whole = self.grams[:, t] if self.turned else self.grams[t]
            gram = whole[rows[:, None], rows]
            total += gram * (scale * np.outer(directions[:, t], directions[:, t]))
        return total


def _extrapolated(past: list[tuple[Array, Array]]) -> tuple[Array, Array] | None:
    """The Anderson extrapolation of iterates.

    The gradients are affine in W, so that the same combination applies to them. None if the
    differences of the iterates are degenerate.
    """
    steps = np.array([(new[0] - old[0]).ravel() for old, new in zip(past, past[1:], strict=False)])
    system = steps @ steps.T
    trace = system.trace()
    if not trace > 0.0:
        return None
    system.flat[:: len(system) + 1] += 1e-14 * trace
    try:
        shares = np.linalg.solve(system, np.ones(len(system)))
    except np.linalg.LinAlgError:
        return None
    total = shares.sum()
    if not abs(total) > 0.0:
        return None
    W, H = (
        sum(share / total * pair[k] for share, pair in zip(shares, past[1:], strict=True))
        for k in (0, 1)
    )
    return W, H
