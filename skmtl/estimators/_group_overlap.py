"""Overlapping groups of tasks: each task combines a few shared latent tasks."""

from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval

from skmtl.design import TaskData
from skmtl.estimators._factors import Factors, split
from skmtl.estimators._nonconvex import (
    INNER,
    NonConvexEstimator,
    StagedFit,
    StageReport,
    Stages,
    descend,
    start_of,
)
from skmtl.estimators.base import (
    Fit,
    TaskClassifier,
    TaskRegressor,
    estimator,
    parameter,
    strength,
)
from skmtl.objective import BaseObjective
from skmtl.penalties import Penalty, Ridge
from skmtl.solvers import FISTA, choose_solver

Array = NDArray[Any]

# Maximum number of iterations in one step. The other factor changes in the next, so that an exact
# solution is not needed.
_STEP_ITERATIONS = 200
# With alpha=0 this fraction of the null objective takes its place, which determines the factors.
_NO_ALPHA = 1e-9


@estimator
class _GroupOverlap(NonConvexEstimator):
    r"""A penalty on the factors of W = L S.

    :math:`\rho` is ``ridge`` and :math:`\lVert S \rVert_1` the sum of the absolute entries of S.
    Tasks that use the same latent tasks form a group; the groups overlap.

    Attributes
    ----------
    latent_tasks_ : ndarray of shape (n_latent, n_features)
        L transposed.
    assignments_ : ndarray of shape (n_tasks, n_latent)
        S transposed: ``coef_`` is ``assignments_ @ latent_tasks_``.

    Notes
    -----
    Convex in L and in S separately, but not jointly. A stage minimises over S (for each task a
    lasso on the latent features X L) and then over L (a ridge). With W fixed, it then lowers the
    penalty by adding multiples of latent tasks to others and by rescaling them. The fitted W
    depends on ``alpha`` and ``ridge`` only through :math:`\alpha^3 \rho`. No start is guaranteed
    to reach the minimum; more starts (``n_init``) may come closer.

    References
    ----------
    A. Kumar and H. Daume III, "Learning task grouping and overlap in multi-task learning", ICML
    2012, https://doi.org/10.48550/arXiv.1206.6417
    """

    alpha: float = strength(
        1.0,
        [Interval(Real, 0, None, closed="left")],
        "float",
        """
        Strength of the whole penalty, >= 0. W = 0 is a stationary point for every ``alpha`` > 0.
        """,
    )
    n_latent: int = parameter(
        5,
        [Interval(Integral, 1, None, closed="left")],
        "int",
        "Number of latent tasks, >= 1. Some may become zero.",
    )
    ridge: float = parameter(
        1.0,
        [Interval(Real, 0, None, closed="neither")],
        "float",
        "Strength of the ridge on L relative to ``alpha``, > 0.",
    )
    n_init: int = parameter(
        1,
        [Interval(Integral, 1, None, closed="left")],
        "int",
        """
        Number of starts. The first takes the singular vectors of separate ridge fits of the tasks,
        the others rotate them at random. The fit with the lowest objective is kept.
        """,
    )
    random_state: Any = parameter(
        None,
        ["random_state"],
        "int, RandomState instance or None",
        """
        Determines the rotations, and the start of latent tasks beyond the rank of the ridge fits.
        """,
    )
    max_stages: int = parameter(1000)
    max_iter: int = parameter(
        10_000,
        text="""
        Maximum number of iterations of the solvers, over all stages, for each of the ``n_init``
        starts; beyond it a ConvergenceWarning reports the stationarity reached.
        """,
    )
    solver: str = parameter(
        "auto",
        kind='{"auto", "fista", "newton"}',
        text="For the ridge fits that give the starts. The stages are solved by FISTA.",
    )

    def _get_penalty(self, data: TaskData) -> Penalty | None:
        return Ridge(self.alpha) if self.alpha > 0 else None

    def _penalty_value(self, W: Array, learned_parts: dict[str, Array]) -> float:
        parts = learned_parts["latent"], learned_parts["assignments"]
        return Factors(*parts, self.alpha, self.ridge).value()

    def _stages(
        self, objective: BaseObjective, warm: Fit | None, report: StageReport | None
    ) -> Stages:
        enough = INNER * self._tolerance(objective) * objective.null_value
        alpha = self.alpha
        if alpha == 0:
            alpha = _NO_ALPHA * max(objective.null_value, np.finfo(np.float64).tiny)
        if warm is not None and hasattr(self, "latent_tasks_"):
            origin, latent = start_of(objective, warm), self.latent_tasks_.T.astype(np.float64)
            S = np.linalg.lstsq(latent, np.asarray(origin.W, dtype=np.float64), rcond=None)[0]
            start = Factors(latent, S, alpha, self.ridge)
            return self._alternate(objective, start, origin.b, self.max_iter, report)
        rng = check_random_state(self.random_state)
        solver = choose_solver(self.solver, objective)
        relaxed, _, n_iter = descend(objective, solver, objective.start(), enough, self.max_iter)
        n_first = n_iter
        L, S = split(np.asarray(relaxed.W, dtype=np.float64), self.n_latent, rng)
        best = None
        for k in range(self.n_init):
            rotation = np.eye(len(S))
            if k > 0:
                rotation = np.linalg.qr(rng.standard_normal(rotation.shape))[0]
            start = Factors(L @ rotation, rotation.T @ S, alpha, self.ridge)
            # Of several starts, what is reported is the best fit so far.
            tell = report if best is None else _best_of(best, report)
            left = self.max_iter - n_first
            found = self._alternate(objective, start, relaxed.b, left, tell)
            n_iter += found.n_iter
            if best is None or found.objectives[-1] < best.objectives[-1]:
                best = found
            if found.stopped:
                best.stopped = True
                break
        assert best is not None
        best.n_iter = n_iter
        return best

    def _alternate(
        self,
        objective: BaseObjective,
        factors: Factors,
        b: Array,
        max_iter: int,
        report: StageReport | None,
    ) -> Stages:
        """Minimise over the assignments and the latent tasks alternately."""
        scale, tol = objective.null_value, self._tolerance(objective)
        enough, dtype = INNER * tol * scale, objective.dtype
        factors = factors.mixed()
        point = objective.point((factors.L @ factors.S).astype(dtype), b.astype(dtype))
        value = objective.loss_value(point) + factors.value()
        stages = Stages(point, [value], report=report, verbose=self.verbose)
        while True:
            stages.learned_parts = {"latent": factors.L, "assignments": factors.S}
            gains = self._gains(objective, factors, stages.point.b)
            worthwhile = stages.measure(sum(gains), scale)
            ended = stages.stationarity <= tol or len(stages.objectives) > self.max_stages
            steps = min(max_iter - stages.n_iter, _STEP_ITERATIONS)
            stages.is_separated = self.alpha == 0 and objective.is_separated(stages.point)
            stuck = stages.is_separated or steps <= 0 or not factors.S.any()
            if ended or stuck or stages.stopped or not (worthwhile or self.alpha == 0):
                return stages
            target = max(enough / 2, INNER * sum(gains))
            part = factors.in_assignments(objective)
            start = part.point(factors.S.astype(dtype), stages.point.b)
            point, _, n_first = descend(part, FISTA, start, target, steps)
            S, b = point.W.astype(np.float64), point.b
            new = Factors(factors.L, S, factors.alpha, factors.ridge).balanced()
            n_second = 0
            left = min(max_iter - stages.n_iter - n_first, _STEP_ITERATIONS)
            if new.S.any() and left > 0:
                new, b, n_second = self._latent_step(objective, new, b, target, left)
            new = new.mixed()
            point = objective.point((new.L @ new.S).astype(dtype), b)
            value = objective.loss_value(point) + new.value()
            if not stages.add(point, value, n_first + n_second):
                return stages
            factors = new

    def _latent_step(
        self, objective: BaseObjective, factors: Factors, b: Array, enough: float, steps: int
    ) -> tuple[Factors, Array, int]:
        """Minimise over the latent tasks; also returns the intercepts and the iterations."""
        part, turned = factors.in_latent(objective)
        V = factors.L @ np.linalg.pinv(turned)
        start = part.point(V.astype(objective.dtype), b)
        point, _, n_iter = descend(part, FISTA, start, enough, steps)
        L = point.W.astype(np.float64) @ turned
        return Factors(L, factors.S, factors.alpha, factors.ridge), point.b, n_iter

    def _gains(self, objective: BaseObjective, factors: Factors, b: Array) -> tuple[float, float]:
        """Upper bounds, from duality gaps, on the decrease by a step over S and one over L."""
        dtype, part = objective.dtype, factors.in_assignments(objective)
        parts = [(part, part.point(factors.S.astype(dtype), b))]
        if factors.S.any():
            part, turned = factors.in_latent(objective)
            V = factors.L @ np.linalg.pinv(turned)
            parts.append((part, part.point(V.astype(dtype), b)))
        bounds = [part.bounds(point) for part, point in parts]
        gaps = [max(value - max(bound, 0.0), 0.0) for value, bound in bounds]
        return gaps[0], gaps[-1] if len(gaps) > 1 else 0.0

    def _previous_fit(self, data: TaskData) -> Fit | None:
        previous = super()._previous_fit(data)
        if previous is None or self.latent_tasks_.shape[0] != self.n_latent:
            return None
        # A latent task that is zero would stay zero.
        return previous if self.latent_tasks_.any(axis=1).all() else None

    def _set_fit(self, data: TaskData, fit: Fit) -> Self:
        super()._set_fit(data, fit)
        dtype, K = fit.coef.dtype, self.n_latent
        self.latent_tasks_ = np.zeros((K, fit.coef.shape[1]), dtype=dtype)
        self.assignments_ = np.zeros((data.n_tasks, K), dtype=dtype)
        if isinstance(fit, StagedFit):
            self.latent_tasks_[:] = fit.learned_parts["latent"].T
            S = np.zeros((data.n_tasks, K))
            S[fit.learned] = fit.learned_parts["assignments"].T
            if data.scales is not None:
                S = self._get_loss().rescale(S, np.zeros(len(S)), data.scales)[0]
            self.assignments_[:] = S
        return self


def _best_of(best: Stages, report: StageReport | None) -> StageReport | None:
    """A report of the stages of another start, or of the best start where that has reached less."""
    if report is None:
        return None
    last = report
    return lambda now: last(now if now.objectives[-1] < best.objectives[-1] else best)


@estimator
class GroupOverlapRegressor(_GroupOverlap, TaskRegressor):
    r"""Regression tasks that each combine few of the same latent tasks (GO-MTL).

    .. math::

        \min_{L, S, b} \; F(L S, b) + \alpha \bigl[ \lVert S \rVert_1
        + \tfrac{\rho}{2} \lVert L \rVert_F^2 \bigr] ,
        \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    over latent tasks L (n_features, n_latent) and assignments S (n_latent, n_tasks), with
    W = L S. Within F, S is the sum of the weights.

    See Also
    --------
    TaskRelationRegressor : A low rank by a convex penalty.

    Examples
    --------
    >>> from skmtl import GroupOverlapRegressor
    >>> from skmtl.datasets import make_overlapping_tasks
    >>> dataset = make_overlapping_tasks(random_state=0)
    >>> model = GroupOverlapRegressor(0.1, n_latent=4, n_init=3, random_state=0)
    >>> model = model.fit(dataset.data, dataset.target)
    >>> model.latent_tasks_.shape, model.assignments_.shape
    ((4, 20), (15, 4))
    """


@estimator
class GroupOverlapClassifier(_GroupOverlap, TaskClassifier):
    r"""Classification tasks that each combine few of the same latent tasks (GO-MTL).

    .. math::

        \min_{L, S, b} \; F(L S, b) + \alpha \bigl[ \lVert S \rVert_1
        + \tfrac{\rho}{2} \lVert L \rVert_F^2 \bigr] ,
        \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    over latent tasks L (n_features, n_latent) and assignments S (n_latent, n_tasks), with
    W = L S. Within F, S is the sum of the weights.

    See Also
    --------
    TaskRelationClassifier : A low rank by a convex penalty.

    Examples
    --------
    >>> from skmtl import GroupOverlapClassifier
    >>> from skmtl.datasets import make_overlapping_tasks
    >>> dataset = make_overlapping_tasks(300, classification=True, random_state=0)
    >>> model = GroupOverlapClassifier(n_latent=4, n_init=3, random_state=0)
    >>> model = model.fit(dataset.data, dataset.target)
    >>> model.latent_tasks_.shape, model.assignments_.shape
    ((4, 20), (15, 4))
    """

    alpha: float = strength(0.01)
