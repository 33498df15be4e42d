"""Block coordinate descent on working sets, for penalties that threshold rows of W."""

from dataclasses import replace
from typing import Any

import numpy as np

_FIRST = 40
_INNER = 0.02
_GROWTH = 2
_NEAR = 0.99
# Screened rows are left out when this many times fewer remain.
_SCREENED = 3
_MAX_SWEEPS = 5000


class Block:
    """Minimise over a growing set of rows of W, each round by exact block coordinate descent.

    A round takes one product with X', from which come the certificate and the set: the rows in
    use, and those whose gradient is nearest to bringing them into use. On the set the loss is its
    quadratic model (for the squared loss, the loss itself), which is minimised to a fraction of
    the duality gap by sweeps over the rows with Anderson extrapolation. A model is searched along
    its direction until the objective falls: a proximal Newton step.

    References
    ----------
    M. Massias, A. Gramfort and J. Salmon, "Celer: a fast solver for the lasso with dual
    extrapolation", ICML 2018, https://arxiv.org/abs/1802.07481

    Q. Bertrand and M. Massias, "Anderson acceleration of coordinate descent", AISTATS 2021,
    https://arxiv.org/abs/2011.10065
    """

    iterations_per_certificate = 1

    def __init__(self, objective: Any, start: Any) -> None:
        self.objective, self.point = objective, start.astype(np.float64)
        self.n_features = len(start.W)
        # The rows that no screening has ruled out: all.
        self.usable: Any = None

    def bounds(self, point: Any) -> tuple[float, float]:
        # Without the rows ruled out the minimum is the same.
        bounds: tuple[float, float] = self.objective.bounds(self.point)
        return bounds

    def step(self, gap: float) -> Any:
        self._screen()
        objective, point = self.objective, self.point
        thresholds = objective.thresholds
        features = self._working_set(point, thresholds)
        model = objective.row_model(point, features)
        rows = point.W[features]
        model.minimise(rows, thresholds, _INNER * gap, _MAX_SWEEPS)
        self.point = objective.move_rows(point, features, rows, model)
        return None if self.point is point else self._expanded()

    def _screen(self) -> None:
        """Leave out the rows that are zero at every minimiser, once they are most of them."""
        possible = self.objective.usable_rows(self.point)
        if possible is None or _SCREENED * np.count_nonzero(possible) > len(possible):
            return
        rows = np.flatnonzero(possible)
        self.usable = rows if self.usable is None else self.usable[rows]
        self.objective, self.point = self.objective.restricted(rows, self.point)

    def _expanded(self) -> Any:
        """The point with all rows of W."""
        if self.usable is None:
            return self.point
        W = np.zeros((self.n_features, self.point.W.shape[1]))
        W[self.usable] = self.point.W
        return replace(self.point, W=W)

    def _working_set(self, point: Any, thresholds: Any) -> Any:
        """The rows in use, and those others whose gradients come nearest to bringing them in."""
        scores = thresholds.lengths(self.objective.gradient(point)[0])
        used = point.W.any(axis=1)
        n_used = int(np.count_nonzero(used))
        wanted = int(np.count_nonzero(scores[~used] >= _NEAR * thresholds.group))
        scores[used] = np.inf
        size = n_used + min(wanted, max(_GROWTH * n_used, _FIRST))
        size = min(max(size, _FIRST), len(scores))
        if size == len(scores):
            return np.arange(size)
        return np.sort(np.argpartition(-scores, size - 1)[:size])
