"""The squared loss from moments: every step costs what the features number, not the rows."""

import copy
from functools import cached_property
from typing import Any, Self

import numpy as np

from skmtl import _linalg
from skmtl.certificate import Dual, best_dual
from skmtl.design import Moments
from skmtl.objective._base import Array, BaseObjective, Point
from skmtl.objective._models import NO_GRAM, NO_GRAMS, GramModel, RowModel
from skmtl.penalties import Penalty
from skmtl.spectrum import Spectrum

_EPS = np.finfo(np.float64).eps


class GramObjective(BaseObjective):
    r"""The squared loss and a penalty, on Gram matrices.

    .. math:: P(W) = \tfrac12 \sum_t \bigl( s_t - 2 \langle q_t, w_t \rangle
              + w_t' H_t w_t \bigr) + q(W) + \Omega(W)

    with :math:`H_t = \omega_t X_t' X_t`, :math:`q_t = \omega_t X_t' y_t` and
    :math:`s_t = \omega_t \lVert y_t \rVert^2` of centred features and labels: the intercepts have
    been minimised out. A point's Z holds the columns :math:`H_t w_t`. Everything is float64.

    Parameters
    ----------
    moments : Moments
    scales : ndarray of shape (n_tasks,)
        What the moments of each task are multiplied by, its weight in the objective.
    penalty : Penalty or None
    fit_intercept : bool
        Without intercepts the moments must be around zero.
    """

    dtype = np.dtype(np.float64)

    def __init__(
        self, moments: Moments, scales: Array, penalty: Penalty | None, *, fit_intercept: bool
    ) -> None:
        self.n_features, self.n_tasks = moments.n_features, moments.n_tasks
        self.n_columns = self.n_tasks
        self._fit_intercept, self._counts = fit_intercept, moments.counts
        self._set_penalty(penalty)
        if fit_intercept:
            moments = moments.centred()
        self._x_means, self._y_means = moments.x_origin, moments.y_origin
        self.grams, self.scales = moments.xx, scales
        self.linear, self.squares = moments.xy * scales, float(moments.yy @ scales)
        self._constant: dict[str, Any] = {}

    @cached_property
    def null(self) -> Point:
        shape = (self.n_features, self.n_columns)
        return Point(np.zeros(shape), np.zeros(0), np.zeros(shape))

    def start(self, W: Array | None = None, intercepts: Array | None = None) -> Point:
        if W is None:
            return self.null
        return self.point(np.ascontiguousarray(W, dtype=np.float64), np.zeros(0))

    def intercepts(self, point: Point) -> Array:
        if not self._fit_intercept:
            return np.zeros(self.n_tasks)
        means = np.broadcast_to(self._x_means, point.W.T.shape)
        return np.asarray(self._y_means - np.einsum("td,dt->t", means, point.W))

    def point(self, W: Array, b: Array) -> Point:
        return Point(W, b, self._hessians_times(W))

    def loss_value(self, point: Point) -> float:
        value = self.squares / 2 + float(np.vdot(point.W, point.Z / 2 - self.linear))
        return max(value, 0.0)

    def gradient(self, point: Point) -> tuple[Array, Array]:
        G = point.Z - self.linear
        if self.quadratic is not None:
            G += self.quadratic.gradient(point.W)
        return G, np.zeros(0)

    @cached_property
    def curvature(self) -> tuple[float, Array, Array]:
        ridge = 0.0 if self.quadratic is None else self.quadratic.lipschitz()
        metric = self.feature_metric(self.column_squares.copy(), ridge)
        bound = self._largest(1 / np.sqrt(metric)) + (ridge / metric).max()
        return max(bound, _EPS), metric[:, None], np.zeros(0)

    def excess_curvature(self, old: Point, new: Point, gradient: tuple[Array, Array]) -> float:
        bent = float(np.vdot(new.W - old.W, new.Z - old.Z))
        return bent if self.quadratic is None else bent + 2 * self.quadratic.value(new.W - old.W)

    @property
    def has_newton(self) -> bool:
        return self.penalty is None and self.n_features <= 2000

    def newton_step(self, point: Point, gradient: tuple[Array, Array]) -> tuple[Array, Array]:
        ridges = self._ridges / self.scales
        step = -_linalg.solve_semidefinite(self.grams, ridges, gradient[0] / self.scales)
        return step, np.zeros(0)

    @property
    def has_row_models(self) -> bool:
        return self.thresholds is not None

    def row_model(self, point: Point, features: Array) -> GramModel:
        """The loss itself."""
        W = point.W
        residual = self.squares + float(np.vdot(W, point.Z - 2 * self.linear))
        slope = self.linear[features] - point.Z[features]
        if len(self.grams) == 1:
            gram = self.grams[0][features[:, None], features]
            return GramModel(gram, self.scales, NO_GRAMS, slope, max(residual, 0.0))
        grams = self.grams[:, features[:, None], features] * self.scales[:, None, None]
        grams = np.ascontiguousarray(grams.transpose(1, 2, 0))
        return GramModel(NO_GRAM, self.scales, grams, slope, max(residual, 0.0))

    def move_rows(self, point: Point, features: Array, rows: Array, model: RowModel) -> Point:
        W = point.W.copy()
        W[features] = rows
        return self.point(W, point.b)

    @property
    def has_spectrum(self) -> bool:
        d = self.n_features
        if d > 2000:
            return False
        iterating = 200 * float(self._counts.sum()) * d
        return len(self.grams) == 1 or 10 * len(self.grams) * d**3 < iterating

    @cached_property
    def spectrum(self) -> Spectrum:
        if "spectrum" not in self._constant:
            self._constant["spectrum"] = np.linalg.eigh(self.grams)
        eigenvalues, bases = self._constant["spectrum"]
        eigenvalues = np.maximum(eigenvalues, 0.0) * self.scales[:, None] + self._ridges[:, None]
        mean_free = self.penalty is not None and self.penalty.leaves_mean_free
        return Spectrum(eigenvalues, bases, self.linear, mean_free=mean_free)

    @cached_property
    def column_squares(self) -> Array:
        diagonals: Array = np.einsum("tjj->tj", self.grams) * self.scales[:, None]
        return diagonals.max(axis=0)

    def restricted(self, features: Array, point: Point) -> tuple[Self, Point]:
        other = copy.copy(self)
        other.grams = self.grams[:, features[:, None], features]
        other._x_means, other.linear = self._x_means[:, features], self.linear[features]
        other.n_features, other._constant, other._certified = len(features), {}, None
        for name in ("null", "column_squares", *self._of_penalty):
            other.__dict__.pop(name, None)
        W = point.W[features]
        if np.count_nonzero(W) < np.count_nonzero(point.W):
            return other, other.point(W, point.b)
        return other, Point(W, point.b, point.Z[features])

    def squared_norm(self) -> float:
        return self._largest(np.ones(self.n_features))

    def _largest(self, scale: Array) -> float:
        """The largest eigenvalue of the Hessians with features times ``scale``, or nearly."""
        if len(self.grams) == 1:
            gram = self.grams[0] * np.outer(scale, scale)
            return _linalg.largest_eigenvalue(gram) * float(self.scales.max())
        if self.n_features <= _linalg.SMALL_SIDE:
            scaled = self.grams * np.outer(scale, scale) * self.scales[:, None, None]
            return max(float(np.linalg.eigvalsh(scaled)[:, -1].max()), 0.0)

        def apply(v: Array) -> Array:
            W = v.reshape(self.n_features, self.n_columns) * scale[:, None]
            return np.asarray(scale[:, None] * self._hessians_times(W)).ravel()

        return _linalg.lanczos(apply, self.n_features * self.n_columns)

    def _hessians_times(self, W: Array) -> Array:
        """The columns H_t w_t; rows of W that are zero cost nothing."""
        W = W.astype(np.float64, copy=False)
        used = np.flatnonzero(W.any(axis=1))
        few = 2 * len(used) < self.n_features
        part = W[used] if few else W
        if len(self.grams) == 1:
            rows = self.grams[0][used] if few else self.grams[0]
            return np.asarray((rows.T @ part) * self.scales)
        rows = self.grams[:, used] if few else self.grams
        product = np.matmul((part * self.scales).T[:, None, :], rows)[:, 0]
        return np.ascontiguousarray(product.T)

    # The certificate

    def _bounds(self, point: Point) -> tuple[float, Dual]:
        return self.value(point), self._dual(point)

    def _dual(self, point: Point) -> Dual:
        """The dual point of the residual r = y - A W."""
        if self.has_free_task:
            return Dual(self._free_dual_value(point))
        if self.penalty is not None and self.penalty.leaves_mean_free:
            point = self._with_best_mean(point)
        with_labels = self.squares - float(np.vdot(point.W, self.linear))  # <y, r>
        square = max(with_labels + float(np.vdot(point.W, point.Z - self.linear)), 0.0)  # |r|^2
        return best_dual(
            self.penalty,
            self.quadratic,
            point.W,
            self.linear - point.Z,
            lambda scale: scale * (with_labels - scale * square / 2),
        )

    def _free_dual_value(self, point: Point) -> float:
        """The minimum itself, by a Newton step: where a column is unpenalised, G has to vanish."""
        if not self.has_newton:
            return -np.inf
        gradient = self.gradient(point)
        W = point.W + self.newton_step(point, gradient)[0]
        best = self.point(W, point.b)
        left, _ = self.gradient(best)
        diagonals = np.einsum("tjj->tj", self.grams) * self.scales[:, None]
        allowed = 1e-11 * np.sqrt(np.maximum(diagonals, 0).T * self.squares)
        exact = (np.abs(left) <= allowed) | (diagonals.T == 0)
        return self.smooth_value(best) if exact.all() else -np.inf

    def _with_best_mean(self, point: Point) -> Point:
        """The point moved along the mean task to where the gradient along it vanishes."""
        if "pooled" not in self._constant:
            one = self.scales.sum() * self.grams[0] if len(self.grams) == 1 else None
            pooled = np.einsum("t,tij->ij", self.scales, self.grams) if one is None else one
            self._constant["pooled"] = pooled
        pooled = self._constant["pooled"]
        slope = (self.linear - point.Z).sum(axis=1, keepdims=True)
        mean = _linalg.solve_semidefinite(pooled[None], np.zeros(1), slope)
        return self.point(point.W + mean, point.b)
