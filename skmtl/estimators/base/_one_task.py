"""The fit of one task under a Gaussian prior, and the errors of its predictions."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from skmtl.design import SharedDesign
from skmtl.estimators.base._prior import Prior
from skmtl.losses import Loss, with_offset
from skmtl.objective import Objective
from skmtl.penalties import Ridge
from skmtl.solvers import choose_solver, solve

Array = NDArray[Any]

# Singular values below this fraction of the largest are rounding error.
_ROUNDING = 1e-14


@dataclass(frozen=True, eq=False)
class Frame:
    r"""The coordinates of a new task, v for its coefficients and one more for its intercept.

    The predictor of a row x is :math:`x m + \beta + (x - \bar x) (w - m) + a`, in which the
    deviation a of the intercept at the mean :math:`\bar x` of the features is N(0, s^2). With unit
    prior precision in all coordinates the penalised fit is a ridge regression.

    Attributes
    ----------
    prior : Prior
    centre : ndarray of shape (n_features,)
        :math:`\bar x`; zero without intercepts.
    intercept : float
        :math:`\beta + \bar x m`, the expected predictor at the centre.
    root : float or None
        s; None without intercepts.
    """

    prior: Prior
    centre: Array
    intercept: float
    root: float | None

    def offset(self, X: Any) -> Array:
        """The expected predictors (n,)."""
        mean = self.prior.mean
        return np.asarray(X @ mean, dtype=np.float64) + (self.intercept - self.centre @ mean)

    def coordinates(self, X: Any) -> Array:
        """The design (n, p) in the coordinates."""
        Z = self.prior.whitened(X) - self.prior.whitened(self.centre[None])
        if self.root is None:
            return Z
        return np.column_stack([Z, np.full(len(Z), self.root)])

    def coefficients(self, v: Array) -> tuple[Array, float]:
        """Coefficients (n_features,) and intercept of a point (p,)."""
        if self.root is None:
            return self.prior.coefficients(v), 0.0
        w = self.prior.coefficients(v[:-1])
        return w, float(self.intercept + self.root * v[-1] - self.centre @ w)

    def at_prior(self) -> tuple[Array, float]:
        """Coefficients and intercept without labels."""
        mean = self.prior.mean
        return mean, 0.0 if self.root is None else float(self.intercept - self.centre @ mean)


@dataclass(frozen=True, eq=False)
class Certified:
    """The point (p,) that minimises a task's penalised loss, and how exactly."""

    v: Array
    objective: float
    dual_gap: float


def minimise(
    loss: Loss, Z: Array, offset: Array, y: Array, weights: Array, *, max_iter: int, tol: float
) -> Certified:
    """Minimise sum_i weights_i loss(y_i, offset_i + Z_i v) + |v|^2 / 2 over v (p,).

    Parameters
    ----------
    loss : Loss
    Z : ndarray of shape (n, p)
    offset, y, weights : ndarrays of shape (n,)
    max_iter, tol : as in fit
    """
    used = weights > 0
    if not used.any():
        return Certified(np.zeros(Z.shape[1]), 0.0, 0.0)
    Z, offset, y, weights = Z[used], offset[used], y[used], weights[used]
    basis = None
    if len(Z) < Z.shape[1]:
        # The solution is in the span of the rows.
        basis, triangle = np.linalg.qr(Z.T)
        Z = np.ascontiguousarray(triangle.T)
    design = SharedDesign(Z, weights[:, None], centre=None)
    if loss.translates:
        y, shifted = y - offset, loss
    else:
        shifted = with_offset(loss, y[:, None], offset[:, None])
    objective = Objective(design, y[:, None], shifted, Ridge(1.0))
    found = solve(
        objective,
        choose_solver("auto", objective),
        objective.start(),
        max_iter=max_iter,
        tol=tol,
    )
    v = found.point.W[:, 0]
    return Certified(v if basis is None else basis @ v, found.objective, found.dual_gap)


@dataclass(frozen=True, eq=False)
class Spectrum:
    """The positive eigenvalues (q,) of a task's weighted Gram matrix and its basis (p, q)."""

    values: Array
    basis: Array

    @classmethod
    def of(cls, Z: Array, weights: Array) -> Self:
        """From the design (n, p) and the weights (n,) in the objective."""
        if not len(Z):
            return cls(np.zeros(0), np.zeros((Z.shape[1], 0)))
        _, roots, basis = np.linalg.svd(np.sqrt(weights)[:, None] * Z, full_matrices=False)
        kept = roots > _ROUNDING * roots.max(initial=0.0)
        return cls(roots[kept] ** 2, basis[kept].T)

    def variance(self, Z: Array, spread: Array, noise: float) -> Array:
        """The variances (m,) of the errors of the fitted predictors of rows Z (m, p).

        Parameters
        ----------
        Z : ndarray of shape (m, p)
        spread : ndarray of shape (p,)
            The variances of the true coordinates around the prior's mean.
        noise : float
            The noise of a label times its weight in the objective. If it equals the spread, the
            result is the posterior variance.
        """
        along = Z @ self.basis
        left = Z - (along * (self.values / (1 + self.values))) @ self.basis.T
        learned = along**2 @ (self.values / (1 + self.values) ** 2)
        return np.asarray(left**2 @ spread + noise * learned)
