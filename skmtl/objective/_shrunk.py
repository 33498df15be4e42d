"""The objective on rows of data with intercepts shrunk towards their mean."""

import numpy as np

from skmtl._numerics import Coupling, LinkedSpectrum, solve_shifted
from skmtl.design import Design, PooledDesign
from skmtl.losses import Loss
from skmtl.objective._base import Array
from skmtl.objective._rows import Objective
from skmtl.penalties import Penalty
from skmtl.solvers import Point

_ROUNDING = 1e-12
_TINY = np.finfo(np.float64).tiny
# Shrinkage that counts for more labels than this times a task's, or for less than the reciprocal of
# that, changes nothing but the rounding error.
_MOST = 1e10


class ShrunkObjective(Objective):
    r"""Rows of data with a quadratic penalty on the deviations of intercepts from their mean.

    .. math:: \min_{\beta} \; \tfrac12 \sum_t \kappa_t (b_t - \beta)^2 ,

    which here counts as part of the loss. Only the mean intercept is unpenalised: the dual
    requires :math:`\sum_i \omega_i u_i = 0` over all labels together, and has the additional term
    :math:`-\sum_t g_t^2 / (2 \kappa_t)` with :math:`g_t = -\sum_{i \in t} \omega_i u_i`. The
    design is centred around one mean for all tasks, so that intercepts are comparable; W and the
    intercepts of tasks with other means are therefore coupled.

    Parameters
    ----------
    design : Design, centred by "common", of at least two intercepts
    y, loss, penalty : as in :class:`Objective`
    pulls : ndarray of shape (n_tasks,)
        The :math:`\kappa_t`, positive.
    """

    def __init__(
        self, design: Design, y: Array, loss: Loss, penalty: Penalty | None, pulls: Array
    ) -> None:
        totals = design.gather(design.weights)
        self.pulls = np.clip(pulls, totals / _MOST, totals * _MOST)
        super().__init__(design, y, loss, penalty)

    @property
    def can_learn(self) -> bool:
        # The expansion minimises over each intercept alone.
        return False

    def _deviations(self, b: Array) -> Array:
        """The deviations of the intercepts (n_tasks,) from their weighted mean."""
        return self._centred(b.astype(np.float64) + self._shift)

    def _centred(self, b: Array) -> Array:
        for _ in range(2):  # the second pass removes rounding error
            b = b - self.pulls @ b / self.pulls.sum()
        return b

    def loss_value(self, point: Point) -> float:
        away = self._deviations(point.b)
        return super().loss_value(point) + float(self.pulls @ away**2 / 2)

    @property
    def curvature(self) -> tuple[float, Array, Array]:
        bound, features, intercepts = super().curvature
        return bound, features, intercepts + self.pulls / bound

    def intercept_step(self, gradient: Array, metric: Array) -> Array:
        solution = self._solve_held(self._label_curvature, gradient)
        return np.asarray(solution * (self._held[0] / metric[0]))

    def intercept_product(self, one: Array, other: Array, metric: Array) -> float:
        along = float(self.pulls @ one) * float(self.pulls @ other) / self.pulls.sum()
        return float(
            super().intercept_product(one, other, metric) - along * metric[0] / self._held[0]
        )

    @property
    def _held(self) -> Array:
        """The curvature in each intercept for a fixed mean, of which the metric is a multiple."""
        return np.asarray(self._label_curvature + self.pulls)

    @property
    def _label_curvature(self) -> Array:
        """The part of it that comes from the labels."""
        bound = self.loss.curvature_bound if self.has_curvature_bound else 1.0
        return np.asarray(bound * self._intercept_weights)

    def _solve_held(self, curvature: Array, g: Array) -> Array:
        """Solve (diag(held) - pulls pulls' / sum(pulls)) x = g, for held = curvature + pulls."""
        held = curvature + self.pulls
        # sum(pulls) - pulls' (pulls / held), without cancellation.
        free = max(float(self.pulls @ (curvature / held)), _TINY)
        return np.asarray((g + self.pulls * (float(self.pulls @ (g / held)) / free)) / held)

    def excess_curvature(self, old: Point, new: Point) -> float:
        excess = super().excess_curvature(old, new)
        step = self._centred((new.b - old.b).astype(np.float64))
        return excess + float(self.pulls @ step**2)

    has_free_intercepts = False

    # Models that minimise out free intercepts do not apply

    @property
    def has_quadratic_models(self) -> bool:
        return False

    @property
    def has_working_groups(self) -> bool:
        return False

    @property
    def has_row_models(self) -> bool:
        return False

    @property
    def has_spectrum(self) -> bool:
        mean_free = self.penalty is not None and self.penalty.leaves_mean_free
        return super().has_spectrum and not mean_free and self.n_columns == self.n_tasks

    @property
    def has_coupled_spectrum(self) -> bool:
        return False  # the intercepts couple the tasks already

    @property
    def spectrum(self) -> LinkedSpectrum:
        weights = self.design.weights
        totals, each = self._intercept_weights, self.design.adjoint(weights)
        eigenvalues, bases = self.kept_if_constant(
            "spectrum",
            lambda: np.linalg.eigh(self._held_grams(self._hessians(weights), each, totals)),
        )
        eigenvalues = np.maximum(eigenvalues, 0.0) + self._ridges[:, None]
        # The mean intercept is eliminated last.
        share = self.pulls / (totals + self.pulls)
        linear, sigma = -self.gradient(self.null)[0], float(share @ totals)
        return LinkedSpectrum(eigenvalues, bases, linear, each * share, sigma)

    def best_point(self, W: Array, b: Array) -> Point:
        return self.minimise_intercepts(self.point(W, b)).astype(W.dtype)

    def direction(
        self,
        design: Design,
        H: Array,
        grams: Array,
        ridges: Array | Coupling,
        gradient: tuple[Array, Array],
    ) -> tuple[Array, Array]:
        """As ``newton_direction``, with the intercepts eliminated given their mean.

        The step is linear in the change of the mean, which is the remaining unknown.
        """
        G, g = gradient
        totals = design.gather(H)
        held = totals + self.pulls
        if isinstance(design, PooledDesign):
            each = design.tasks.adjoint(H)
            grams = grams + (each * self._kept_share(totals)) @ each.T
        else:
            grams = self._held_grams(grams, design.adjoint(H), totals)

        def solved(right: Array, b: Array) -> tuple[Array, Array]:
            W = solve_shifted(grams, ridges, right - design.adjoint(H * design.spread(b / held)))
            return W, design.gather(H * design.forward(W))

        W, moved = solved(-G, -g)
        with_mean, moved_with_mean = solved(np.zeros_like(W), self.pulls)
        # By how much the intercepts lag behind their mean, computed without cancellation.
        behind = (totals + moved_with_mean) / held
        b = -(g + moved) / held
        bend, alone = float(self.pulls @ behind), float(self.pulls @ (totals / held))
        # If features can replace the mean it is not identified, and stays.
        mean = float(self.pulls @ b) / bend if bend > _ROUNDING * alone else 0.0
        return W + mean * with_mean, b + mean * (1 - behind)

    def _held_grams(self, grams: Array, each: Array, totals: Array) -> Array:
        """The Hessians in W for a given mean intercept, from those with free intercepts.

        ``each`` (n_features, n_tasks) holds the tasks' sums of curvature times features,
        ``totals`` (n_tasks,) those of the curvature.
        """
        if len(grams) == 1:
            return grams  # the tasks share their means, so that these sums are zero
        return np.asarray(grams + np.einsum("jt,kt,t->tjk", each, each, self._kept_share(totals)))

    def _kept_share(self, totals: Array) -> Array:
        """The share of the squared sums that shrinkage leaves in the Hessian."""
        held = totals * (totals + self.pulls)
        return np.asarray(np.divide(self.pulls, held, out=np.zeros_like(held), where=totals > 0))

    # The certificate

    def intercept_gradient(self, b: Array, U: Array) -> Array:
        return np.asarray(self.gather(U) + (self.pulls * self._deviations(b)).astype(U.dtype))

    def balances(self, U: Array) -> bool:
        weights = self.design.weights
        left = abs(float((weights * U).sum()))
        return left <= float((weights * self._rounding(U)).sum())

    def intercept_conjugate(self, U: Array) -> float:
        g = -self.gather(self.design.weights * U)
        # The sum of g is zero, so that only differences of label means matter.
        return float((g**2 / self.pulls).sum() / 2 - g @ self._centred(self._shift))

    def is_separated(self, point: Point) -> bool:
        # The intercepts are penalised and cannot separate labels.
        return super().is_separated(self.point(point.W, np.zeros_like(point.b)))

    # Intercepts

    def intercept_newton(self, point: Point, U: Array) -> Array:
        weights, H = self.design.weights, self.loss.newton_weight(self.y, point.Z)
        slope = self.intercept_gradient(point.b, weights * U)
        return self._solve_held(self.design.gather(weights * H), slope)

    def intercept_values(self, point: Point) -> Array:
        # The same number for all, since the intercepts are updated together.
        total = super().intercept_values(point).sum()
        away = self._deviations(point.b)
        return np.full(len(point.b), total + self.pulls @ away**2 / 2)
