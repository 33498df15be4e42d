r"""The objective that solvers minimise: a smooth part and a penalty with a prox.

.. math:: P(W, b) = \sum_i \omega_i \, \ell(y_i, z_i) + q(W) + \Omega(W),
          \qquad z = A W + B b

with the sum over labels. Its dual, for u with :math:`B'(\omega u) = 0` and
:math:`G = -A'(\omega u)`, is

.. math:: D(u) = -\sum_i \omega_i \, \ell^*(y_i, u_i) - (q + \Omega)^*(G) \le \min P ,

and :math:`P(W, b) - D(u)` bounds the suboptimality. Solvers rely on the protocols of
:mod:`skmtl.solvers` only, and know neither the loss nor the penalty, nor whether the data are kept
as rows or as moments.
"""

import copy
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from skmtl._numerics import CoupledSpectrum, Coupling
from skmtl.design import TaskRotation
from skmtl.objective._certificate import Dual
from skmtl.objective._depends import depends_on, forget
from skmtl.objective._known import KnownGrams
from skmtl.penalties import Penalty, Quadratic, Terms, split
from skmtl.solvers import Offers, Point, Sum, Thresholds

Array = NDArray[Any]

# The largest number of features for Newton steps and eigenbases.
MOST_FEATURES = 2000
# The largest numbers of entries of W whose joint matrix is factored; the second if it may be
# singular.
_MOST_UNKNOWNS, _MOST_IF_SINGULAR = 2000, 600


class BaseObjective(Sum, Offers):
    """What objectives share, however they keep their data.

    Attributes
    ----------
    n_features, n_columns : int
        The shape of W.
    n_tasks : int
        Larger than ``n_columns`` if tasks are pooled.
    penalty : Penalty or None
        The part of the penalty that has a prox.
    quadratic : Quadratic or None
        The quadratic part of the penalty, which belongs to the smooth part.
    rotation : TaskRotation or None
        If given, the columns of W are the tasks in other coordinates.
    """

    n_columns: int
    n_tasks: int
    penalty: Penalty | None
    quadratic: Quadratic | None
    rotation: TaskRotation | None = None

    def with_penalty(self, penalty: Penalty | None) -> Self:
        """A copy with another penalty, which shares what does not depend on the penalty."""
        return self._with_parts(*parts_of(penalty))

    def certified_by(self, penalty: Penalty) -> Self:
        """A copy for certificates alone, which need no prox of the penalty."""
        return self._with_parts(penalty, None)

    def _with_parts(self, penalty: Penalty | None, quadratic: Quadratic | None) -> Self:
        other = copy.copy(self)
        other._set_parts(penalty, quadratic)
        forget(other, "penalty")
        return other

    def _set_parts(self, penalty: Penalty | None, quadratic: Quadratic | None) -> None:
        self.penalty, self.quadratic = penalty, quadratic
        self._certified: tuple[Point, float, Dual] | None = None

    @property
    def has_small_matrices(self) -> bool:
        """Whether its matrices are so small that a second BLAS thread would cost time."""
        return False

    # Starting points and results

    @property
    def null(self) -> Point:
        """W = 0 with its best intercepts (float64)."""
        raise NotImplementedError

    @depends_on("loss")
    def null_value(self) -> float:
        return self.smooth_value(self.null)

    def start(self, W: Array | None = None, intercepts: Array | None = None) -> Point:
        """The point at W and the intercepts for uncentred features; the null point by default."""
        raise NotImplementedError

    def intercepts(self, point: Point) -> Array:
        """The intercepts (n_tasks,) for uncentred features and labels."""
        raise NotImplementedError

    def best_point(self, W: Array, b: Array) -> Point:
        """The point at W with the best intercepts, searched from b."""
        return self.point(W, b)

    def coefficients(self, point: Point) -> Array:
        """The coefficients (n_features, n_columns) of the features of a point."""
        return point.W

    def parts(self, point: Point) -> Array | None:
        """The summands (n_parts, n_features, n_columns) of the coefficients, or None."""
        return None

    # The value and the penalty

    def value(self, point: Point) -> float:
        rough = 0.0 if self.penalty is None else self.penalty.value(point.W)
        return self.smooth_value(point) + rough

    def smooth_value(self, point: Point) -> float:
        value = self.loss_value(point)
        return value if self.quadratic is None else value + self.quadratic.value(point.W)

    def loss_value(self, point: Point) -> float:
        """The weighted sum of the losses."""
        raise NotImplementedError

    def prox(self, V: Array, step: float | Array) -> Array:
        return V if self.penalty is None else self.penalty.prox(V, step)

    @property
    def terms(self) -> Terms | None:
        if self.penalty is None or not self.penalty.has_terms:
            return None
        return cast(Terms, self.penalty)

    @depends_on("penalty", "features")
    def thresholds(self) -> Thresholds | None:
        """The penalty as thresholds on the rows of W and their entries, or None."""
        if self.penalty is None or self._couples_tasks:
            return None
        thresholds = self.penalty.row_thresholds
        if thresholds is None:
            return None
        return Thresholds(*thresholds, np.array(self._ridges), self.penalty.is_positive)

    @property
    def _ridges(self) -> Array:
        """The quadratic's curvature in each column of W (n_columns,)."""
        if self.quadratic is None:
            return np.zeros(self.n_columns)
        return self.quadratic.task_curvature(self.n_columns)

    @property
    def _largest_ridge(self) -> float:
        """The Lipschitz constant of the quadratic's gradient."""
        return 0.0 if self.quadratic is None else self.quadratic.lipschitz()

    @property
    def _couples_tasks(self) -> bool:
        return self.quadratic is not None and self.quadratic.couples_tasks

    @property
    def _ridges_or_coupling(self) -> Array | Coupling:
        """The quadratic's ridges (n_columns,), or its matrix or graph if it couples tasks."""
        if self.quadratic is not None and self.quadratic.couples_tasks:
            return self.quadratic.coupling_of(self.n_columns)
        return self._ridges

    # Curvature

    @property
    def entry_curvature(self) -> Array | None:
        return None

    def intercept_step(self, gradient: Array, metric: Array) -> Array:
        return gradient / metric

    def intercept_product(self, one: Array, other: Array, metric: Array) -> float:
        return float((metric * one * other).sum())

    @property
    def has_curvature_bound(self) -> bool:
        """Whether ``curvature`` is a bound, or an estimate not far below one."""
        return True

    @property
    def curvature_limit(self) -> float:
        return 10 * self.curvature[0] if self.has_curvature_bound else np.inf

    def feature_metric(self, curvature: Array, ridge: float) -> Array:
        """Positive scales (n_features,) from the curvature of each feature."""
        metric = curvature + ridge
        if not self.has_feature_metric:
            # The prox needs the same step size within a group, or everywhere.
            groups = self.row_groups
            metric = np.full_like(metric, metric.max()) if groups is None else _tops(metric, groups)
        largest = metric.max()
        return np.maximum(metric, 1e-10 * largest if largest > 0 else 1.0)

    def squared_norm(self) -> float:
        """The largest eigenvalue, approximately, of the tasks' weighted Gram matrices."""
        raise NotImplementedError

    # Capabilities

    @property
    def has_feature_metric(self) -> bool:
        return self.penalty is None or self.penalty.separates_over_rows

    @property
    def has_gradient(self) -> bool:
        return True

    @property
    def has_loss_splitting(self) -> bool:
        return False

    @property
    def has_newton(self) -> bool:
        return False

    @property
    def has_working_groups(self) -> bool:
        return False

    @property
    def row_groups(self) -> Array | None:
        return None if self.penalty is None else self.penalty.row_groups

    def nearness(self, G: Array) -> Array:
        assert self.penalty is not None
        return self.penalty.nearness(G)

    @property
    def has_row_models(self) -> bool:
        return False

    @property
    def has_expansion(self) -> bool:
        return False

    @property
    def can_learn(self) -> bool:
        """Whether Gram matrices at a minimiser can be of use to similar objectives."""
        return False

    def learn(self, W: Array, intercepts: Array) -> KnownGrams | None:
        """The Gram matrices at (W, intercepts), for similar objectives; None if they are large."""
        return None

    def with_known(self, known: KnownGrams | None) -> Self:
        """A copy with Gram matrices known from a similar objective, if it can use them."""
        return self

    @property
    def row_models_pay(self) -> bool:
        return True

    @property
    def has_quadratic_models(self) -> bool:
        return False

    @property
    def has_spectrum(self) -> bool:
        return False

    @property
    def has_cheap_factors(self) -> bool:
        return False

    @property
    def has_cheap_steps(self) -> bool:
        return False

    @property
    def has_scaled_spectrum(self) -> bool:
        return False

    @property
    def has_coupled_spectrum(self) -> bool:
        return False

    @property
    def has_common_hessian(self) -> bool:
        return False

    def coupled_spectrum(self, metric: Array, *, scaled: bool = False) -> CoupledSpectrum:
        raise NotImplementedError

    @property
    def has_few_unknowns(self) -> bool:
        """Whether the matrix of all entries of W can be factored at little cost."""
        most = _MOST_IF_SINGULAR if self.has_free_mean else _MOST_UNKNOWNS
        return self.n_features * self.n_columns <= most

    # The certificate

    def bounds(self, point: Point) -> tuple[float, float]:
        value, dual = self._certificate(point)
        return value, dual.value

    def exact_value(self, point: Point) -> float:
        return self.value(self.exact(point))

    def lower_bound_at(self, point: Point) -> float:
        return self.dual(self.exact(point)).value

    def split_bounds(self, point: Point, duals: tuple[Array, ...]) -> tuple[float, float]:
        assert self.terms is not None
        other = copy.copy(self)
        other.penalty, other._certified = self.terms.with_duals(duals), None
        return other.bounds(point)

    def _certificate(self, point: Point) -> tuple[float, Dual]:
        """The value and the dual at a point, cached for the last one."""
        if self._certified is None or self._certified[0] is not point:
            self._certified = point, *self._bounds(point)
        return self._certified[1:]

    def _bounds(self, point: Point) -> tuple[float, Dual]:
        point = self.exact(point)
        return self.value(point), self.dual(point)

    def exact(self, point: Point) -> Point:
        """The point in float64."""
        if point.Z.dtype == np.float64:
            return point
        return self.point(point.W.astype(np.float64), point.b.astype(np.float64))

    def dual(self, point: Point) -> Dual:
        """A lower bound on the minimum, from a float64 point."""
        raise NotImplementedError

    @depends_on("penalty", "features")
    def has_free_task(self) -> bool:
        """Whether some column of W, or a combination of columns, is unpenalised."""
        if self.penalty is not None:
            return False
        coupling = self._ridges_or_coupling
        if isinstance(coupling, Coupling):
            return coupling.is_singular
        if self._couples_tasks:
            eigenvalues = np.linalg.eigvalsh(coupling)
            return bool(eigenvalues[0] <= 1e-12 * eigenvalues[-1])
        return bool((self._ridges == 0).any())

    @property
    def has_free_mean(self) -> bool:
        """Whether the mean of the tasks is unpenalised."""
        penalty, quadratic = self.penalty, self.quadratic
        if penalty is None:
            alone = quadratic is not None and quadratic.couples_tasks
        else:
            alone = penalty.leaves_mean_free
        return alone and (quadratic is None or not quadratic.pull(self.n_columns).any())

    @property
    def has_dual(self) -> bool:
        """Whether the penalty allows a dual point to be computed."""
        return not self.has_free_task or self.has_newton or self._can_step_in_mean

    @property
    def _can_step_in_mean(self) -> bool:
        """Whether only the mean of the tasks is unpenalised, and Newton steps in it are cheap."""
        return self.has_free_mean

    def is_separated(self, point: Point) -> bool:
        """Whether the labels are separable by unpenalised coefficients, so that W diverges."""
        return False

    # Restriction to some rows of W

    @property
    def column_squares(self) -> Array:
        """Upper bounds (n_features,) on the loss's curvature in each row of W."""
        raise NotImplementedError

    def usable_rows(self, point: Point) -> Array | None:
        """Which rows of W may be non-zero at a minimiser: the gap-safe rule.

        The dual is strongly concave, so that its maximiser lies within sqrt(2 gap) of any dual
        point. Rows whose threshold is not reached by any gradient in that ball are zero. None if
        the penalty has no thresholds or the curvature of the loss is unbounded.

        References
        ----------
        E. Ndiaye, O. Fercoq, A. Gramfort and J. Salmon, "Gap safe screening rules for sparsity
        enforcing penalties", JMLR 18, 2017, https://jmlr.org/papers/v18/16-577.html
        """
        value, dual = self._certificate(point)
        thresholds = self.thresholds
        if thresholds is None or dual.slopes is None or not self.has_curvature_bound:
            return None
        gap = max(value - dual.value, 0.0) + 1e-14 * abs(value)
        reach = np.sqrt(2 * gap * (self.column_squares + thresholds.ridges.max()))
        return thresholds.reached(dual.slopes, reach, dual.scale)

    def restricted(self, features: Array, point: Point) -> tuple[Self, Point]:
        """The problem restricted to some rows of W, the others being zero, and its point.

        The penalty must separate over rows.
        """
        raise NotImplementedError

    def _restrict_penalty(self, features: Array) -> None:
        """Restrict the penalty to some rows of W, and drop cached values."""
        self.penalty = None if self.penalty is None else self.penalty.of_rows(features)
        forget(self, "features")


def _tops(values: Array, groups: Array) -> Array:
    """The largest value of the group of each feature."""
    _, codes = np.unique(groups, return_inverse=True)
    tops = np.zeros(codes.max() + 1, dtype=values.dtype)
    np.maximum.at(tops, codes, values)
    return np.asarray(tops[codes])


def parts_of(penalty: Penalty | None) -> tuple[Penalty | None, Quadratic | None]:
    """The part of a penalty that has a prox, and the quadratic part; either may be None."""
    return (None, None) if penalty is None else split(penalty)
