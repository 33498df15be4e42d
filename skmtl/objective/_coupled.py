"""The objective of the multinomial loss, whose columns are classes rather than tasks."""

import numpy as np

from skmtl._numerics import linalg
from skmtl.design import Design
from skmtl.losses import MultinomialLoss
from skmtl.objective._base import Array
from skmtl.objective._class_models import LARGEST_SIDE, ClassModel, class_gram
from skmtl.objective._models import FEWEST_ROWS, SAMPLED, first_rows, worthwhile_rows
from skmtl.objective._row_loss import GRAM_BYTES
from skmtl.objective._rows import Objective
from skmtl.solvers import Point

_MAX_NEWTON_SIZE = 2000
_BATCH_SIZE = 2**21
# Beyond this the current curvature is no guide to the probabilities.
_LONGEST_INTERCEPT_STEP = 20.0


class CoupledObjective(Objective):
    """Rows of data with a loss that couples the tasks, so that there is one Hessian for all.

    The loss is unchanged if the same number is added to all predictors of a row. The intercepts
    are therefore determined up to a constant, and returned with sum zero.
    """

    loss: MultinomialLoss

    def intercepts(self, point: Point) -> Array:
        b = super().intercepts(point)
        return np.asarray(b - b.mean())

    # Second-order models

    @property
    def row_models_pay(self) -> bool:
        return self._worthwhile_rows >= min(self.n_features, FEWEST_ROWS)

    @property
    def largest_set(self) -> int:
        fits, enough = LARGEST_SIDE / self.n_columns, min(self.n_features, FEWEST_ROWS)
        return int(min(fits, max(self._worthwhile_rows, enough)))

    @property
    def _worthwhile_rows(self) -> float:
        design = self.design
        size, n_grams = design.weights.size, self.n_columns**2
        return worthwhile_rows(design.products, size, n_grams, len(design.weights))

    @property
    def rows_per_product(self) -> float:
        stored = self.design.products / self.n_columns
        return first_rows(self.n_features, stored, self.n_columns)

    def row_model(self, point: Point, features: Array, effort: int = 0) -> ClassModel:
        U, G = self.loss_gradient(point)
        design = self.design
        if len(features) < self.n_features:
            design = design.columns(features)
        P = self.loss.probabilities(point.Z)
        weights = design.row_weights
        count = SAMPLED * len(features) * 4**effort
        rows, factors = linalg.sample(weights * (1 - np.einsum("ik,ik->i", P, P)), count)
        sampled = not isinstance(rows, slice)
        squares = design.feature_curvature()[0]
        scale = np.sqrt(np.where(squares > 0, squares / weights.sum(), 1.0))
        drawn = design.dense_rows(rows) if sampled else None
        gram, bends = class_gram(
            design.dense_rows if drawn is None else drawn.__getitem__,
            scale,
            P[rows],
            weights[rows] * factors,
            centre=bool(design.n_intercepts),
            least=design.squares_by(weights[:, None] * P * (1 - P)) if sampled else None,
        )
        bend = self.model_curvature(point)
        return ClassModel(gram, bends, -G[features], self.model_square(bend, U), bend)

    @property
    def has_quadratic_models(self) -> bool:
        return False

    @property
    def has_newton(self) -> bool:
        size, n = self.n_features * self.n_columns, len(self.design.weights)
        fits = size <= _MAX_NEWTON_SIZE and 8 * n * self.n_features <= GRAM_BYTES
        return self.penalty is None and fits and not self._couples_tasks

    def newton_step(self, point: Point, gradient: tuple[Array, Array]) -> tuple[Array, Array]:
        d, ridge = self.n_features, float(self._ridges[0])
        A, slope = self.design.weighted_columns(np.arange(d)).T, gradient[0]
        if self.design.n_intercepts:
            A = np.column_stack([A, np.sqrt(self.design.row_weights)])
            slope = np.vstack([slope, gradient[1]])
        ridges = np.where(np.arange(A.shape[1]) < d, ridge, 0.0)
        step = _solve(A, self.loss.probabilities(point.Z.astype(np.float64)), ridges, -slope)
        if ridge > 0:
            # The loss does not depend on the mean of the columns of W.
            step[:d] -= point.W.mean(axis=1, keepdims=True)
        return step[:d].astype(point.W.dtype), step[d:].ravel().astype(point.b.dtype)

    def _free_change(self, free: Design, point: Point, U: Array) -> Array:
        A = free.weighted_columns(np.arange(free.n_features)).T
        slope = free.adjoint(free.weights * U)
        if free.n_intercepts:
            A = np.column_stack([A, np.sqrt(free.row_weights)])
            slope = np.vstack([slope, free.gather(free.weights * U)])
        P = self.loss.probabilities(point.Z)
        step = _solve(A, P, np.zeros(A.shape[1]), -slope)
        moved = free.forward(step[: free.n_features])
        if free.n_intercepts:
            moved += free.spread(step[-1])
        return self.loss.gradient_change(self.y, point.Z, moved)

    def move_rows(self, point: Point, features: Array, rows: Array) -> Point:
        thresholds = self.thresholds
        if thresholds and not (thresholds.positive or np.any(thresholds.entry)):
            # The loss does not depend on the mean of a row of W, but the penalty does.
            rows = rows - rows.mean(axis=1, keepdims=True)
        return super().move_rows(point, features, rows)

    # The certificate

    def is_separated(self, point: Point) -> bool:
        if not self.has_free_task:
            return False
        own = np.where(self.y > 0, point.Z, np.inf).min(axis=1)
        others = np.where(self.y > 0, -np.inf, point.Z).max(axis=1)
        return bool((own > others).all())

    # Intercepts

    def intercept_newton(self, point: Point, U: Array) -> Array:
        root = np.sqrt(self.design.row_weights)[:, None]
        slope = self.design.gather(self.design.weights * U)
        P = self.loss.probabilities(point.Z)
        step = _solve(root, P, np.zeros(1), slope[None, :]).ravel()
        longest = np.abs(step).max()
        return np.asarray(step * min(1.0, _LONGEST_INTERCEPT_STEP / max(longest, 1.0)))

    def intercept_values(self, point: Point) -> Array:
        # The same number for all, since the intercepts are updated together.
        return np.full(self.n_columns, super().intercept_values(point).sum())


def _solve(A: Array, P: Array, ridges: Array, slope: Array) -> Array:
    r"""Solve the Newton system of the multinomial loss; rows of the solution sum to zero.

    The Hessian is :math:`\sum_i (\mathrm{diag}(p_i) - p_i p_i^\top) \otimes a_i a_i^\top` plus
    the ridges. It is singular along matrices with equal columns; a term that penalises the
    weighted sum of the columns, which is zero at the solution, makes it definite.

    Parameters
    ----------
    A : ndarray of shape (n_samples, n_features)
        Features times the square roots of the rows' weights.
    P : ndarray of shape (n_samples, n_classes)
        Probabilities.
    ridges : ndarray of shape (n_features,)
    slope : ndarray of shape (n_features, n_classes)
    """
    (n, d), n_classes = A.shape, P.shape[1]
    size = d * n_classes
    grams, hessian = np.zeros((n_classes, d, d)), np.zeros((size, size))
    step = max(1, _BATCH_SIZE // size)
    for start in range(0, n, step):
        a, p = A[start : start + step], P[start : start + step]
        products = p[:, :, None] * a[:, None, :]
        for k in range(n_classes):
            grams[k] += products[:, k].T @ a
        products = products.reshape(len(a), size)
        hessian -= products.T @ products
    blocks = hessian.reshape(n_classes, d, n_classes, d)
    shares = np.trace(grams, axis1=1, axis2=2)
    shares /= max(shares.sum(), np.finfo(np.float64).tiny)
    free = np.outer(ridges == 0, ridges == 0) * grams.sum(axis=0)
    blocks += np.einsum("k,l,ij->kilj", shares, shares, free)
    for k in range(n_classes):
        blocks[k, :, k] += grams[k] + np.diag(ridges)
    right = (slope - slope.mean(axis=1, keepdims=True)).astype(np.float64).T.reshape(size, 1)
    solution = linalg.solve_semidefinite(hessian[None], np.zeros(1), right)
    W = solution.reshape(n_classes, d).T
    return np.asarray(W - W.mean(axis=1, keepdims=True))
