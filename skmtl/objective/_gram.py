"""The squared loss on Gram matrices, at a cost that does not depend on the number of rows."""

import copy
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from skmtl._numerics import (
    CoupledSpectrum,
    CoupledSystem,
    Coupling,
    FactoredSpectrum,
    Spectrum,
    kernels,
    linalg,
    solve_coupled,
)
from skmtl.design import Moments
from skmtl.objective._base import MOST_FEATURES, Array, BaseObjective
from skmtl.objective._certificate import Dual, DualPoint, best_dual
from skmtl.objective._depends import depends_on
from skmtl.objective._models import NO_GRAMS, GramModel
from skmtl.objective._task_model import TaskGramModel
from skmtl.penalties import Penalty, Quadratic
from skmtl.solvers import NewtonSteps, Point, RowModel, RowModels, Spectral

_EPS = np.finfo(np.float64).eps
_FEW_ROWS = 64
_NO_ROWS = np.zeros(0, dtype=np.intp)


@dataclass(frozen=True)
class Quadratics:
    r"""The functions :math:`\tfrac12 (s_t - 2 \langle q_t, w_t \rangle + w_t' H_t w_t)` of tasks.

    Attributes
    ----------
    grams : ndarray of shape (n_tasks or 1, n_features, n_features)
        :math:`H_t` divided by the task's scale.
    scales : ndarray of shape (n_tasks,)
    linear : ndarray of shape (n_features, n_tasks)
        The columns :math:`q_t`.
    squares : float
        The sum of the :math:`s_t`.
    counts : ndarray of shape (n_tasks,)
        Numbers of labels.
    x_means, y_means : ndarrays of shape (n_tasks or 1, n_features) and (n_tasks,), or None
        The means that intercepts account for.
    """

    grams: Array
    scales: Array
    linear: Array
    squares: float
    counts: Array
    x_means: Array | None = None
    y_means: Array | None = None

    @classmethod
    def of_moments(cls, moments: Moments, scales: Array, *, fit_intercept: bool) -> Self:
        """The squared loss, multiplied by a scale for each task (n_tasks,).

        Intercepts are minimised out. Without intercepts the moments must be around zero.
        """
        if fit_intercept:
            moments = moments.centred()
        means = (moments.x_origin, moments.y_origin) if fit_intercept else (None, None)
        linear, squares = moments.xy * scales, float(moments.yy @ scales)
        return cls(moments.xx, scales, linear, squares, moments.counts, *means)

    def of_features(self, features: Array, grams: Array) -> "Quadratics":
        """Restricted to some features, given the matrices in these."""
        means = None if self.x_means is None else self.x_means[:, features]
        return replace(self, grams=grams, linear=self.linear[features], x_means=means)


class GramObjective(BaseObjective, NewtonSteps, RowModels, Spectral):
    r"""The squared loss and a penalty, on Gram matrices.

    .. math:: P(W) = \tfrac12 \sum_t \bigl( s_t - 2 \langle q_t, w_t \rangle
              + w_t' H_t w_t \bigr) + q(W) + \Omega(W)

    with :math:`H_t = \omega_t X_t' X_t`, :math:`q_t = \omega_t X_t' y_t` and
    :math:`s_t = \omega_t \lVert y_t \rVert^2` of centred features and labels: the intercepts have
    been minimised out. A quadratic model of another loss has the same form. A point's Z holds the
    columns :math:`H_t w_t`. Everything is float64.

    Parameters
    ----------
    quadratics : Quadratics
    penalty, quadratic : Penalty or None, Quadratic or None
        The parts of the penalty.
    """

    dtype = np.dtype(np.float64)

    def __init__(
        self, quadratics: Quadratics, penalty: Penalty | None, quadratic: Quadratic | None
    ) -> None:
        self._set_quadratics(quadratics)
        self._set_parts(penalty, quadratic)
        self._constant: dict[str, Any] = {}

    def _set_quadratics(self, quadratics: Quadratics) -> None:
        self.quadratics = quadratics
        self.grams, self.scales = quadratics.grams, quadratics.scales
        self.linear, self.squares = quadratics.linear, quadratics.squares
        self.n_features, self.n_tasks = (int(side) for side in self.linear.shape)
        self.n_columns = self.n_tasks

    def _set_parts(self, penalty: Penalty | None, quadratic: Quadratic | None) -> None:
        super()._set_parts(penalty, quadratic)
        self._valued: tuple[Point, float] | None = None

    @property
    def has_small_matrices(self) -> bool:
        return not self.has_feature_metric and self.n_features <= linalg.ONE_THREAD_SIDE

    @depends_on("features")
    def null(self) -> Point:
        shape = (self.n_features, self.n_columns)
        return Point(np.zeros(shape), np.zeros(0), np.zeros(shape))

    def start(self, W: Array | None = None, intercepts: Array | None = None) -> Point:
        if W is None:
            return self.null
        return self.point(np.ascontiguousarray(W, dtype=np.float64), np.zeros(0))

    def intercepts(self, point: Point) -> Array:
        x_means, y_means = self.quadratics.x_means, self.quadratics.y_means
        if x_means is None or y_means is None:
            return np.zeros(self.n_tasks)
        if len(x_means) == 1:
            return np.asarray(y_means - x_means[0] @ point.W)
        return np.asarray(y_means - np.einsum("td,dt->t", x_means, point.W))

    def point(self, W: Array, b: Array) -> Point:
        return Point(W, b, self._hessians_times(W))

    def value(self, point: Point) -> float:
        # The value of a starting point is needed more than once.
        if self._valued is None or self._valued[0] is not point:
            self._valued = point, super().value(point)
        return self._valued[1]

    def loss_value(self, point: Point) -> float:
        value = self.squares / 2 + float(np.vdot(point.W, point.Z / 2 - self.linear))
        return max(value, 0.0)

    def gradient(self, point: Point) -> tuple[Array, Array]:
        G = point.Z - self.linear
        if self.quadratic is not None:
            G += self.quadratic.gradient(point.W)
        return G, np.zeros(0)

    @depends_on("penalty", "features")
    def curvature(self) -> tuple[float, Array, Array]:
        ridge = self._largest_ridge
        metric = self.feature_metric(self.column_squares.copy(), ridge)
        scale = 1 / np.sqrt(metric)
        if len(self.grams) == 1:
            gram = self.grams[0] * float(self.scales.max())
        else:
            # The curvature of the average task is at most the largest, and often close to it.
            # Backtracking is cheaper than computing the eigenvalues of all tasks.
            gram = self._pooled / self.n_tasks
        bound = linalg.largest_eigenvalue(gram * np.outer(scale, scale)) + (ridge / metric).max()
        return max(bound, _EPS), metric[:, None], np.zeros(0)

    @property
    def curvature_limit(self) -> float:
        ridge = self._largest_ridge
        bend = (self._diagonals + ridge) / self.curvature[1].T
        return float(bend.sum(axis=1).max())

    @property
    def entry_curvature(self) -> Array:
        ridge = self._largest_ridge
        curvature = np.einsum("tjj->jt", self.grams) * self.scales + ridge
        return np.ascontiguousarray(curvature)

    def excess_curvature(self, old: Point, new: Point) -> float:
        bent = float(np.vdot(new.W - old.W, new.Z - old.Z))
        return bent if self.quadratic is None else bent + 2 * self.quadratic.value(new.W - old.W)

    @property
    def has_newton(self) -> bool:
        return self.penalty is None and self.n_features <= MOST_FEATURES

    def newton_step(self, point: Point, gradient: tuple[Array, Array]) -> tuple[Array, Array]:
        if self._couples_tasks:
            if isinstance(self._ridges_or_coupling, Coupling):
                size = float(np.linalg.norm(self.linear))
                return -self._coupled_system.solve(gradient[0], size), np.zeros(0)
            grams = self.grams
            if len(grams) > 1 or (self.scales != self.scales[0]).any():
                grams = grams * self.scales[:, None, None]
            else:
                grams = grams * self.scales[0]
            coupling = self._ridges_or_coupling
            return -solve_coupled(grams, coupling, gradient[0]), np.zeros(0)
        ridges = self._ridges / self.scales
        step = -linalg.solve_semidefinite(self.grams, ridges, gradient[0] / self.scales)
        return step, np.zeros(0)

    @depends_on("penalty", "features")
    def _coupled_system(self) -> CoupledSystem:
        """The system of a Newton step for a coupling that is kept as a graph."""
        coupling = self._ridges_or_coupling
        assert isinstance(coupling, Coupling)
        return CoupledSystem(self.grams, self.scales, coupling)

    @property
    def curved(self) -> None:
        return None

    @property
    def has_row_models(self) -> bool:
        return self.thresholds is not None

    @property
    def largest_set(self) -> int:
        return self.n_features

    @property
    def rows_per_product(self) -> float:
        # At small sizes the overhead of a round dominates.
        return max(self.n_features / 3, _FEW_ROWS if len(self.grams) > 1 else 0.0)

    def row_model(self, point: Point, features: Array) -> RowModel:
        """The loss itself, which is quadratic."""
        W = point.W
        residual = self.squares + float(np.vdot(W, point.Z - 2 * self.linear))
        slope = self.linear[features] - point.Z[features]
        if len(self.grams) == 1:
            gram = self._grams_of(features)[0]
            return GramModel(gram, self.scales, NO_GRAMS, slope, max(residual, 0.0))
        grams = np.empty((len(features), len(self.grams), len(features)))
        kernels.turn_grams(self.grams, features, grams)
        return TaskGramModel(grams, self.scales, slope, max(residual, 0.0))

    def move_rows(self, point: Point, features: Array, rows: Array) -> Point:
        W = point.W.copy()
        W[features] = rows
        return self.point(W, point.b)

    @property
    def has_spectrum(self) -> bool:
        d = self.n_features
        if d > MOST_FEATURES or self._couples_tasks:
            return False
        if len(self.grams) == 1 or self.has_cheap_factors:
            return True
        return 10 * len(self.grams) * d**3 < 200 * float(self.quadratics.counts.sum()) * d

    @property
    def has_cheap_factors(self) -> bool:
        mean_free = self.penalty is not None and self.penalty.leaves_mean_free
        return len(self.grams) > 1 and not mean_free

    @property
    def has_cheap_steps(self) -> bool:
        # Up to this size, the factors cost less than the iterations that they save.
        factors = self.has_cheap_factors and self.n_features <= linalg.SMALL_SIDE
        return len(self.grams) > 1 and not factors

    @depends_on("penalty", "features")
    def spectrum(self) -> Spectrum | FactoredSpectrum:
        memory, penalty = self._constant.setdefault("memory", {}), self.penalty
        if self.has_cheap_factors:
            return FactoredSpectrum(self.grams, self.scales, self._ridges, self.linear, memory)
        if "spectrum" not in self._constant:
            self._constant["spectrum"] = np.linalg.eigh(self.grams)
        eigenvalues, bases = self._constant["spectrum"]
        eigenvalues = np.maximum(eigenvalues, 0.0) * self.scales[:, None] + self._ridges[:, None]
        return Spectrum(
            eigenvalues,
            bases,
            self.linear,
            mean_free=penalty is not None and penalty.leaves_mean_free,
            rotates=penalty is not None and penalty.ignores_rotations,
            memory=memory,
        )

    @property
    def has_coupled_spectrum(self) -> bool:
        if self._couples_tasks or self.n_features > MOST_FEATURES:
            return False
        return self.has_common_hessian or self.has_few_unknowns

    @property
    def has_common_hessian(self) -> bool:
        same = (self.scales == self.scales[0]).all() and (self._ridges == self._ridges[0]).all()
        return len(self.grams) == 1 and bool(same)

    def coupled_spectrum(self, metric: Array, *, scaled: bool = False) -> CoupledSpectrum:
        tasks = slice(1) if self.has_common_hessian else slice(None)
        hessians = self.grams * self.scales[tasks, None, None]
        np.einsum("tjj->tj", hessians)[:] += self._ridges[tasks, None]
        memory = self._constant.setdefault("memory", {})
        return CoupledSpectrum(hessians, self.linear, metric, memory, scaled=scaled)

    @depends_on("features")
    def column_squares(self) -> Array:
        squares: Array = self._diagonals.max(axis=0)
        return squares

    @property
    def _diagonals(self) -> Array:
        """The diagonals of the Hessians (n_tasks, n_features), or one row if they are multiples."""
        factors = self.scales[:, None] if len(self.grams) > 1 else self.scales.max()
        return np.asarray(np.einsum("tjj->tj", self.grams) * factors)

    def _grams_of(self, features: Array) -> Array:
        """The rows and columns of some features in each task's matrix."""
        if len(features) == self.n_features:
            return self.grams
        taken = np.empty((len(self.grams), len(features), len(features)))
        kernels.take_grams(self.grams, features, taken)
        return taken

    def restricted(self, features: Array, point: Point) -> tuple[Self, Point]:
        other = copy.copy(self)
        other._set_quadratics(self.quadratics.of_features(features, self._grams_of(features)))
        other._constant, other._certified, other._valued = {}, None, None
        other._restrict_penalty(features)
        W = point.W[features]
        if np.count_nonzero(W) < np.count_nonzero(point.W):
            return other, other.point(W, point.b)
        return other, Point(W, point.b, point.Z[features])

    def squared_norm(self) -> float:
        if len(self.grams) == 1:
            return linalg.largest_eigenvalue(self.grams[0]) * float(self.scales.max())
        if self.n_features <= linalg.SMALL_SIDE:
            tops = np.linalg.eigvalsh(self.grams)[:, -1] * self.scales
            return max(float(tops.max()), 0.0)

        def apply(v: Array) -> Array:
            return self._hessians_times(v.reshape(self.n_features, self.n_columns)).ravel()

        return linalg.lanczos(apply, self.n_features * self.n_columns)

    def _hessians_times(self, W: Array) -> Array:
        """The columns H_t w_t, skipping zero rows of W."""
        W = W.astype(np.float64, copy=False)
        used, few = _NO_ROWS, False
        if self.has_feature_metric:
            # Other penalties produce no zero rows.
            used = linalg.nonzero_rows(W).nonzero()[0]
            few = 2 * len(used) < self.n_features
        if len(self.grams) == 1:
            rows, part = (self.grams[0][used], W[used]) if few else (self.grams[0], W)
            return np.asarray((rows.T @ part) * self.scales)
        by_task = np.ascontiguousarray((W * self.scales).T)
        product = np.empty_like(by_task)
        if few:
            kernels.multiply_gram_rows(self.grams, used, by_task, product)
        else:
            kernels.multiply_grams(self.grams, by_task, product)
        return np.ascontiguousarray(product.T)

    @property
    def _pooled(self) -> Array:
        """The sum of all tasks' Hessians."""
        if "pooled" not in self._constant:
            factors = self.scales if len(self.grams) > 1 else self.scales.sum(keepdims=True)
            self._constant["pooled"] = np.tensordot(factors, self.grams, 1)
        pooled: Array = self._constant["pooled"]
        return pooled

    # The certificate

    def dual(self, point: Point) -> Dual:
        """The bound at the residual r = y - A W."""
        if self._has_free_columns:
            return Dual(self._free_dual_value(point))
        found = self._balanced(point)
        if found is None:
            return Dual(-np.inf)
        point, slopes = found
        with_labels = self.squares - float(np.vdot(point.W, self.linear))  # <y, r>
        square = max(with_labels + float(np.vdot(point.W, point.Z - self.linear)), 0.0)  # |r|^2
        return best_dual(
            self.penalty,
            self.quadratic,
            point.W,
            slopes,
            lambda scale: scale * (with_labels - scale * square / 2),
        )

    def dual_point(self, point: Point) -> DualPoint | None:
        """The point near another whose residual is a dual point, or None if none was found."""
        if not self._has_free_columns:
            found = self._balanced(point)
            return None if found is None else DualPoint(found[0].W, found[1])
        if not self.has_newton:
            return None
        W = point.W + self.newton_step(point, self.gradient(point))[0]
        best, features = self.point(W, point.b), np.arange(self.n_features)
        slopes, held = self.linear - best.Z, 0.0
        rest = self.gradient(best)[0]
        if self.quadratic is not None and self._couples_tasks:
            held, _, rest = self.quadratic.on_range(slopes, best.W)
        elif self.quadratic is not None:
            held = self.quadratic.value(W)
        return DualPoint(W, slopes, held) if self._vanishes(rest, features, 1e-11) else None

    @property
    def _has_free_columns(self) -> bool:
        return self.has_free_task and (self.has_newton or not self.has_free_mean)

    def _balanced(self, point: Point) -> tuple[Point, Array] | None:
        """A point with a residual that is orthogonal to unpenalised directions, and its slopes."""
        mean_free = self.has_free_mean
        if mean_free:
            point = self._with_best_mean(point)
        slopes = self.linear - point.Z
        if mean_free and not self._mean_vanishes(slopes):
            return None
        if mean_free and self.penalty is None:
            slopes -= slopes.mean(axis=1, keepdims=True)
        free = None if self.penalty is None else self.penalty.free_rows
        if free is not None and self.quadratic is None:
            rows = np.flatnonzero(free)
            point = self._with_best_rows(point, rows)
            slopes = self.linear - point.Z
            if not self._vanishes(slopes[rows], rows, 1e-9):
                return None
            slopes[rows] = 0.0
        return point, slopes

    def _free_dual_value(self, point: Point) -> float:
        """The minimum, by a Newton step: for an unpenalised column G must vanish."""
        if not self.has_newton:
            return -np.inf
        gradient = self.gradient(point)
        W = point.W + self.newton_step(point, gradient)[0]
        best = self.point(W, point.b)
        if self.quadratic is not None and self._couples_tasks:
            # Within the range of the quadratic the dual point is unconstrained.
            slopes = self.linear - best.Z
            held, _, rest = self.quadratic.on_range(slopes, best.W)
            with_labels = self.squares - float(np.vdot(best.W, self.linear))
            square = max(with_labels - float(np.vdot(best.W, slopes)), 0.0)
            exact = self._vanishes(rest, np.arange(self.n_features), 1e-11)
            return with_labels - square / 2 - held if exact else -np.inf
        exact = self._vanishes(self.gradient(best)[0], np.arange(self.n_features), 1e-11)
        return self.smooth_value(best) if exact else -np.inf

    def _vanishes(self, slopes: Array, features: Array, rounding: float) -> bool:
        """Whether the gradient in some features (s, n_tasks) is only rounding error."""
        diagonals = (np.einsum("tjj->tj", self.grams)[:, features] * self.scales[:, None]).T
        allowed = rounding * np.sqrt(np.maximum(diagonals, 0) * self.squares)
        return bool(((np.abs(slopes) <= allowed) | (diagonals == 0)).all())

    def _mean_vanishes(self, slopes: Array) -> bool:
        """Whether the gradient along the mean task is only rounding error."""
        bend = np.diag(self._pooled)
        allowed = 1e-9 * np.sqrt(np.maximum(bend, 0.0) * self.squares)
        return bool(((np.abs(slopes.sum(axis=1)) <= allowed) | (bend == 0)).all())

    def _with_best_rows(self, point: Point, rows: Array) -> Point:
        """The point with some rows of W optimised, the others fixed."""
        slopes = (self.linear - point.Z)[rows] / self.scales
        W = point.W.copy()
        W[rows] += linalg.solve_semidefinite(self._grams_of(rows), np.zeros(self.n_columns), slopes)
        return self.point(W, point.b)

    def _with_best_mean(self, point: Point) -> Point:
        """The point moved along the mean task to the minimum in that direction."""
        slope = (self.linear - point.Z).sum(axis=1, keepdims=True)
        mean = linalg.solve_semidefinite(self._pooled[None], np.zeros(1), slope)
        return self.point(point.W + mean, point.b)
