"""The objective of W = L V R as a function of V."""

from functools import cached_property

import numpy as np

from skmtl._numerics import linalg
from skmtl.objective._base import Array, BaseObjective
from skmtl.objective._certificate import Dual
from skmtl.penalties import FactoredPenalty, Penalty
from skmtl.solvers import Point

# The least curvature of a row of V, as a share of the largest.
_LEAST_SHARE = 1e-12


class FactoredObjective(BaseObjective):
    """Another objective as a function of one factor, with the others fixed.

    The W of a point is V. Each row of V has its own step size.

    Parameters
    ----------
    total : BaseObjective
        The objective on W; its penalty is ignored.
    penalty : Penalty
        On V, with a prox.
    left, right : ndarray or None
        L (n_features, n_left) and R (n_right, n_tasks); None: the identity.
    """

    def __init__(
        self, total: BaseObjective, penalty: Penalty, left: Array | None, right: Array | None
    ) -> None:
        self._bound = total.curvature
        self._limit = total.curvature_limit / max(self._bound[0], np.finfo(np.float64).tiny)
        self._on_product = FactoredPenalty(penalty, left, right)
        self.total = total.certified_by(self._on_product)
        self.penalty, self.quadratic, self._certified = penalty, None, None
        self.left = None if left is None else left.astype(total.dtype, copy=False)
        self.right = None if right is None else right.astype(total.dtype, copy=False)
        self.dtype, self.n_tasks = total.dtype, total.n_tasks
        self.n_features = total.n_features if left is None else left.shape[1]
        self.n_columns = total.n_columns if right is None else len(right)
        self._multiplied: tuple[Point, Point] | None = None

    def product(self, V: Array) -> Array:
        """W = L V R."""
        if self.left is not None:
            V = self.left.astype(V.dtype, copy=False) @ V
        return V if self.right is None else V @ self.right.astype(V.dtype, copy=False)

    def total_of(self, point: Point) -> Point:
        """The point of the other objective at the product."""
        if self._multiplied is None or self._multiplied[0] is not point:
            self._multiplied = point, Point(self.product(point.W), point.b, point.Z)
        return self._multiplied[1]

    def coefficients(self, point: Point) -> Array:
        return self.total_of(point).W

    @cached_property
    def null_value(self) -> float:
        return self.total.null_value

    def intercepts(self, point: Point) -> Array:
        return self.total.intercepts(self.total_of(point))

    def point(self, W: Array, b: Array) -> Point:
        whole = self.total.point(self.product(W), b)
        point = Point(W, whole.b, whole.Z)
        self._multiplied = point, whole
        return point

    def loss_value(self, point: Point) -> float:
        return self.total.loss_value(self.total_of(point))

    def gradient(self, point: Point) -> tuple[Array, Array]:
        G, g = self.total.gradient(self.total_of(point))
        return self._on_product.adjoint(G).astype(point.W.dtype, copy=False), g

    @cached_property
    def curvature(self) -> tuple[float, Array, Array]:
        bound, features, intercepts = self._bound
        metric, factor = features[:, 0], 1.0
        if self.left is not None:
            scaled = self.left.astype(np.float64) * np.sqrt(metric)[:, None]
            gram = scaled.T @ scaled
            metric = np.diag(gram)
            metric = np.maximum(metric, _LEAST_SHARE * metric.max(initial=0.0))
            metric = np.where(metric > 0, metric, 1.0)
            scale = 1 / np.sqrt(metric)
            factor = linalg.largest_eigenvalue(gram * np.outer(scale, scale))
        if self.right is not None:
            right = self.right.astype(np.float64)
            factor *= linalg.largest_eigenvalue(right @ right.T)
        whole = max(bound * factor, np.finfo(np.float64).eps)
        return whole, metric[:, None], intercepts * (bound / whole)

    @property
    def curvature_limit(self) -> float:
        return self._limit * self.curvature[0]

    def intercept_step(self, gradient: Array, metric: Array) -> Array:
        return self.total.intercept_step(gradient, metric)

    def intercept_product(self, one: Array, other: Array, metric: Array) -> float:
        return self.total.intercept_product(one, other, metric)

    def excess_curvature(self, old: Point, new: Point) -> float:
        return self.total.excess_curvature(self.total_of(old), self.total_of(new))

    @property
    def has_curvature_bound(self) -> bool:
        return self.total.has_curvature_bound

    @property
    def has_feature_metric(self) -> bool:
        return True

    def dual(self, point: Point) -> Dual:
        """The dual of the other objective, whose minimum over such W is the same."""
        return self.total.dual(self.total_of(point))
