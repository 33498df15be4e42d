"""An objective on rows of data whose intercepts are pulled towards their mean."""

import numpy as np

from skmtl._numerics import LinkedSpectrum, linalg, solve_coupled
from skmtl.design import Design, PooledDesign
from skmtl.losses import Loss
from skmtl.objective._base import Array
from skmtl.objective._rows import Objective
from skmtl.penalties import Penalty
from skmtl.solvers import Point

_ROUNDING = 1e-12
_TINY = np.finfo(np.float64).tiny


class ShrunkObjective(Objective):
    r"""Rows of data with a quadratic that holds each intercept :math:`b_t` near a common one.

    .. math:: \min_{\beta} \; \tfrac12 \sum_t \kappa_t (b_t - \beta)^2 ,

    a part of the loss here. Only the mean is free: the dual needs :math:`\sum_i \omega_i u_i = 0`
    over all labels at once, and gains :math:`-\sum_t g_t^2 / (2 \kappa_t)` with
    :math:`g_t = -\sum_{i \in t} \omega_i u_i`. The design is centred around one mean for all
    tasks, where intercepts can be compared; so those of tasks with other means have to do with W.

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
        self.pulls = pulls
        super().__init__(design, y, loss, penalty)

    def _deviations(self, b: Array) -> Array:
        """Of the intercepts (n_tasks,) from their weighted mean."""
        return self._centred(b.astype(np.float64) + self._label_means)

    def _centred(self, b: Array) -> Array:
        for _ in range(2):  # the second time takes what rounding left
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
        held = self._held
        return np.asarray(self._solve_held(held, gradient) * (held[0] / metric[0]))

    def intercept_product(self, one: Array, other: Array, metric: Array) -> float:
        along = float(self.pulls @ one) * float(self.pulls @ other) / self.pulls.sum()
        return float(
            super().intercept_product(one, other, metric) - along * metric[0] / self._held[0]
        )

    @property
    def _held(self) -> Array:
        """What the metric of intercepts is a multiple of, before their mean is let go."""
        bound = self.loss.curvature_bound if self.has_curvature_bound else 1.0
        return np.asarray(bound * self._intercept_weights + self.pulls)

    def _solve_held(self, held: Array, g: Array) -> Array:
        """The x with (diag(held) - pulls pulls' / sum(pulls)) x = g: the mean is free."""
        # Without the cancellation of sum(pulls) and pulls' (pulls / held).
        free = max(float(self.pulls @ ((held - self.pulls) / held)), _TINY)
        return np.asarray((g + self.pulls * (float(self.pulls @ (g / held)) / free)) / held)

    def excess_curvature(self, old: Point, new: Point) -> float:
        excess = super().excess_curvature(old, new)
        step = self._centred((new.b - old.b).astype(np.float64))
        return excess + float(self.pulls @ step**2)

    # Models that profile free intercepts out

    @property
    def has_quadratic_models(self) -> bool:
        return False

    @property
    def has_row_models(self) -> bool:
        return False

    @property
    def has_spectrum(self) -> bool:
        mean_free = self.penalty is not None and self.penalty.leaves_mean_free
        return super().has_spectrum and not mean_free and self.n_columns == self.n_tasks

    @property
    def spectrum(self) -> LinkedSpectrum:
        weights = self.design.weights
        totals, each = self._intercept_weights, self.design.adjoint(weights)
        eigenvalues, bases = self.kept_if_constant(
            "spectrum",
            lambda: np.linalg.eigh(self._held_grams(self._hessians(weights), each, totals)),
        )
        eigenvalues = np.maximum(eigenvalues, 0.0) + self._ridges[:, None]
        # The intercepts' mean, eliminated last.
        share = self.pulls / (totals + self.pulls)
        linear, sigma = -self.gradient(self.null)[0], float(share @ totals)
        return LinkedSpectrum(eigenvalues, bases, linear, each * share, sigma)

    def best_point(self, W: Array, b: Array) -> Point:
        return self.minimise_intercepts(self.point(W, b)).astype(W.dtype)

    def direction(
        self, design: Design, H: Array, grams: Array, ridges: Array, gradient: tuple[Array, Array]
    ) -> tuple[Array, Array]:
        """As ``newton_direction``: given their mean, the intercepts are eliminated one by one.

        The step is linear in that of the mean, which is left as one unknown.
        """
        G, g = gradient
        totals = design.gather(H)
        held = totals + self.pulls
        if isinstance(design, PooledDesign):
            each = design.tasks.adjoint(H)
            grams = grams + (each * self._kept_share(totals)) @ each.T
        else:
            grams = self._held_grams(grams, design.adjoint(H), totals)

        solve = linalg.solve_semidefinite if ridges.ndim == 1 else solve_coupled

        def solved(right: Array, b: Array) -> tuple[Array, Array]:
            W = solve(grams, ridges, right - design.adjoint(H * design.spread(b / held)))
            return W, design.gather(H * design.forward(W))

        W, moved = solved(-G, -g)
        with_mean, moved_with_mean = solved(np.zeros_like(W), self.pulls)
        # By how much the intercepts stay behind their mean, without cancellation.
        behind = (totals + moved_with_mean) / held
        b = -(g + moved) / held
        bend, alone = float(self.pulls @ behind), float(self.pulls @ (totals / held))
        # Where features can take its place the mean stays.
        mean = float(self.pulls @ b) / bend if bend > _ROUNDING * alone else 0.0
        return W + mean * with_mean, b + mean * (1 - behind)

    def _held_grams(self, grams: Array, each: Array, totals: Array) -> Array:
        """The Hessians in W given the intercepts' mean, from those with free intercepts.

        Each task's sum of curvature times features is (n_features, n_tasks), of curvature
        (n_tasks,).
        """
        if len(grams) == 1:
            return grams  # of tasks that have one mean: no sum is more than rounding
        return np.asarray(grams + np.einsum("jt,kt,t->tjk", each, each, self._kept_share(totals)))

    def _kept_share(self, totals: Array) -> Array:
        """What of the square of such a sum its pull keeps."""
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
        # The sum of g is zero, so that no more than differences of label means count.
        return float((g**2 / self.pulls).sum() / 2 - g @ self._centred(self._label_means))

    def is_separated(self, point: Point) -> bool:
        # The intercepts cannot go anywhere.
        return super().is_separated(self.point(point.W, np.zeros_like(point.b)))

    # Intercepts

    def intercept_newton(self, point: Point, U: Array) -> Array:
        weights, H = self.design.weights, self.loss.newton_weight(self.y, point.Z)
        slope = self.intercept_gradient(point.b, weights * U)
        return self._solve_held(self.design.gather(weights * H) + self.pulls, slope)

    def intercept_values(self, point: Point) -> Array:
        # One number for all: intercepts move together.
        total = super().intercept_values(point).sum()
        away = self._deviations(point.b)
        return np.full(len(point.b), total + self.pulls @ away**2 / 2)
