"""Block coordinate descent on working sets, for penalties that threshold rows of W."""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from skmtl._numerics import linalg
from skmtl.solvers._contract import CurvedRowModels, RowModel, RowModels, thresholds_of
from skmtl.solvers._fista import FISTA
from skmtl.solvers._point import Point

Array = NDArray[Any]

_FEWEST = 20
_INNER = 0.02
# Sweeps on a working set may end at this fraction of the gap at which the fit stops.
_LAST = 0.1
# The same for the squared loss, where the gap on a working set is exact: once the fraction _DIRECT
# of the last gap is below this share, the sweeps go straight to it.
_DIRECT, _FINAL = 0.005, 0.8
# The share from the null point if the working set contains all rows that are close to becoming
# active, so that a further round is less likely.
_COMPLETE = 5e-6
_GROWTH = 2
_NEAR = 0.99
# Screening takes effect once it leaves fewer than one row in this many.
_SCREENED = 3
# Maximum number of sweeps in a round.
_MAX_SWEEPS = 5000
# Sweeps if the gap on the working set is already as small as requested.
_FEW_SWEEPS = 10
# Working sets are abandoned once this share of the largest allowed set is active.
_FULL = 0.9
# Newton steps on a working set. The curvature is recomputed if a step leaves more than this
# fraction of the gap, and from more rows of data, at most this many times, if it was fresh.
_MAX_NEWTON_STEPS = 20
_SLOW = 0.3
_MAX_EFFORT = 5
# Newton steps end at this fraction of the gap over all rows.
_SOLVED = 0.1
# After this many rounds of Newton steps in a row, each of which leaves at least this share of the
# gap, gradient steps take over. The Huber loss has kinks in its derivative, at which models of its
# curvature can fail.
_STALLED, _LEFT = 5, 0.99
# A working set is reused if it is at most this many times as large as the new one.
_SPARE = 1.5


class _Part(NamedTuple):
    """A working set, the objective restricted to it, and its last model."""

    features: Array
    objective: CurvedRowModels
    model: RowModel | None


class Block:
    """Minimise over a growing set of rows of W, each round by exact block coordinate descent.

    Each round takes one product with the transpose of X, which gives the certificate and the
    working set: the active rows, and those whose gradients are closest to their thresholds. On
    the working set a quadratic model of the loss (for the squared loss, the loss itself) is
    minimised to a fraction of the duality gap, by sweeps over the rows with Anderson
    extrapolation and Newton steps in the lengths of the rows. For other losses a round consists
    of a few proximal Newton steps on the working set, each with a line search; the curvature,
    which may be estimated from a sample of the rows of data, is kept from step to step as long
    as the steps make good progress. If the working set becomes too large for its matrices to
    fit into memory, the solver continues with gradient steps.

    References
    ----------
    M. Massias, A. Gramfort and J. Salmon, "Celer: a fast solver for the lasso with dual
    extrapolation", ICML 2018, https://arxiv.org/abs/1802.07481

    Q. Bertrand and M. Massias, "Anderson acceleration of coordinate descent", AISTATS 2021,
    https://arxiv.org/abs/2011.10065
    """

    iterations_per_certificate = 1

    def __init__(self, objective: RowModels, start: Point) -> None:
        self.objective, self.point, self.n_sweeps = objective, start.astype(np.float64), 0
        self.n_features = len(start.W)
        # The number of rows for which a round of sweeps costs as much as the product with X'.
        self.n_first = max(int(objective.rows_per_product), _FEWEST)
        # The rows left by screening; None: all.
        self.usable: Array | None = None
        self.part: _Part | None = None
        self.descent: FISTA | None = None
        self.last_gap, self.n_stalled = np.inf, 0

    def bounds(self, point: Point) -> tuple[float, float]:
        # Screened rows are zero at the minimum, so that the bounds hold for the whole problem.
        return self.objective.bounds(self.point)

    def step(self, gap: float, enough: float) -> Point | None:
        if self.descent is not None:
            return self._gradient_steps(gap, enough)
        self._screen()
        objective, point = self.objective, self.point
        thresholds = thresholds_of(objective)
        scores = thresholds.nearness(objective.gradient(point)[0], -1.0)
        used = linalg.nonzero_rows(point.W)
        largest = objective.largest_set
        if largest < len(used) and np.count_nonzero(used) > _FULL * largest:
            return self._gradient_steps(gap, enough)
        features = self._working_set(scores, used)
        curved = objective.curved
        if curved is not None:
            if self._has_stalled(gap):
                return self._gradient_steps(gap, enough)
            features = self._kept_set(features, scores, used)
            self.point = self._newton(curved, features, gap, enough)
            return None if self.point is point else self._expanded()
        model = objective.row_model(point, features)
        rows = point.W[features]
        complete = False
        if not used.any():
            near = scores >= _NEAR
            complete = np.count_nonzero(near) == np.count_nonzero(near[features])
        tol = max((_COMPLETE if complete else _DIRECT) * gap, _FINAL * enough)
        swept = model.minimise(rows, thresholds.of(features), tol, _MAX_SWEEPS)
        if not swept:
            # Only rounding error separates this gap from that over all rows.
            swept = model.minimise(rows, thresholds.of(features), 0.0, _FEW_SWEEPS)
        self.n_sweeps += swept
        self.point = objective.move_rows(point, features, rows)
        return None if self.point is point else self._expanded()

    def _has_stalled(self, gap: float) -> bool:
        """Whether the last rounds have hardly lowered the gap."""
        self.n_stalled = self.n_stalled + 1 if gap > _LEFT * self.last_gap else 0
        self.last_gap = gap
        return self.n_stalled >= _STALLED

    def _newton(
        self, objective: CurvedRowModels, features: Array, gap: float, enough: float
    ) -> Point:
        """The point after Newton steps on a working set, where products are cheap.

        The curvature is kept from step to step and from round to round while progress is good.
        """
        model: RowModel | None = None
        if self.part is None:
            part, point = objective.restricted(features, self.point)
        else:
            (_, part, model), point = self.part, replace(self.point, W=self.point.W[features])
        start, every, left, effort = point, np.arange(len(features)), gap, 0
        thresholds, last = thresholds_of(part), self.n_sweeps + _MAX_SWEEPS
        for _ in range(_MAX_NEWTON_STEPS):
            fresh = model is None
            if model is None:
                model = part.row_model(point, every, effort)
            else:
                model = part.renewed_model(model, point)
            rows = point.W.copy()
            tol = max(_INNER * left, _LAST * _LAST * enough)
            self.n_sweeps += model.minimise(rows, thresholds, tol, last - self.n_sweeps)
            moved = part.move_rows(point, every, rows)
            stuck, point, before = moved is point, moved, left
            value, bound = part.bounds(point)
            left = min(value - bound, before)
            if left <= max(_SOLVED * gap, _LAST * enough) or (stuck and effort >= _MAX_EFFORT):
                break
            if self.n_sweeps >= last:
                break
            if left > _SLOW * before:
                # The curvature has changed, or was estimated from too few rows.
                model, effort = None, effort + fresh
        self.part = _Part(features, part, model)
        if point is start:
            return self.point
        W = self.point.W.copy()
        W[features] = point.W
        return replace(self.point, W=W, b=point.b, Z=point.Z)

    def _kept_set(self, features: Array, scores: Array, used: Array) -> Array:
        """The last working set if it holds all that is needed and little else, or the new one."""
        if self.part is not None:
            known = self.part.features
            others = np.ones(len(used), dtype=bool)
            others[known] = False
            few = len(known) <= _SPARE * len(features)
            if few and not used[others].any() and (scores[others] <= 1).all():
                return known
            self.part = None
        return features

    def _gradient_steps(self, gap: float, enough: float) -> Point:
        """Gradient steps in all rows, permanently, for a large active set."""
        if self.descent is None:
            self.descent = FISTA(self.objective, self.point)
        for _ in range(FISTA.iterations_per_certificate):
            self.point = self.descent.step(gap, enough)
        return self._expanded()

    def _screen(self) -> None:
        """Drop the rows that are zero at every minimiser, once they are the majority."""
        if not (self.n_sweeps or self.point.W.any()):
            return  # the gap of the null point is too large
        possible = self.objective.usable_rows(self.point)
        if possible is None or _SCREENED * np.count_nonzero(possible) > len(possible):
            return
        rows = np.flatnonzero(possible)
        self.usable = rows if self.usable is None else self.usable[rows]
        self.objective, self.point = self.objective.restricted(rows, self.point)
        self.part = None

    def _expanded(self) -> Point:
        """The point with all rows of W."""
        if self.usable is None:
            return self.point
        W = np.zeros((self.n_features, self.point.W.shape[1]))
        W[self.usable] = self.point.W
        return replace(self.point, W=W)

    def _working_set(self, scores: Array, used: Array) -> Array:
        """The active rows, and the others whose gradients are closest to their thresholds."""
        n_used = int(np.count_nonzero(used))
        wanted = int(np.count_nonzero(scores[~used] >= _NEAR))
        size = n_used + min(wanted, max(_GROWTH * n_used, self.n_first))
        size = min(max(size, self.n_first), len(scores), self.objective.largest_set)
        if size == len(scores):
            return np.arange(size)
        chosen = np.where(used, -np.inf, -scores).argpartition(size - 1)[:size]
        chosen.sort()
        return chosen
