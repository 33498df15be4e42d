"""Information criteria of the fits of a path: AIC, BIC and extended BIC."""

from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from skmtl._warnings import warn
from skmtl.design import TaskData
from skmtl.estimators import Fit
from skmtl.objective import FreedomOf
from skmtl.penalties import Penalty

Array = NDArray[Any]

KINDS = ("aic", "bic", "ebic")
# Fits with more degrees of freedom than this share of the labels have no profile likelihood worth
# comparing: it tends to infinity as the fit approaches the labels.
_MOST_FREEDOM = 0.5
_INSTEAD = "Select alpha by cross-validation instead (AlphaSearchCV)."


@dataclass(frozen=True, eq=False)
class InformationCriterion:
    """The values of an information criterion along a path.

    Attributes
    ----------
    kind : {"aic", "bic", "ebic"}
    alphas : ndarray of shape (n_alphas,)
        Descending.
    values : ndarray of shape (n_alphas,)
        The smaller the better. NaN for fits with more degrees of freedom than half the labels,
        unless the noise variance is given.
    degrees_of_freedom : ndarray of shape (n_alphas,)
        Intercepts included.
    errors : ndarray of shape (n_alphas,)
        The standard errors of the degrees of freedom; 0 where they are exact.
    mean_squares : ndarray of shape (n_alphas,)
        The weighted mean squared residuals, which estimate the noise variance unless it is given.
    log_supports : ndarray of shape (n_alphas,)
        The logarithms of the numbers of supports of the same size, for the extended BIC.
    n_labels : int
    """

    kind: str
    alphas: Array
    values: Array
    degrees_of_freedom: Array
    errors: Array
    mean_squares: Array
    log_supports: Array
    n_labels: int

    @property
    def best(self) -> int:
        """The position of the smallest value: of the largest alpha, if several are equal.

        Raises
        ------
        ValueError
            If all values are NaN.
        """
        if np.isnan(self.values).all():
            raise ValueError(
                f"No fit has fewer degrees of freedom than half of the {self.n_labels} labels: the "
                f"least is {self.degrees_of_freedom.min():.4g}. Pass noise_variance, or select "
                f"alpha by cross-validation (AlphaSearchCV)."
            )
        return int(np.nanargmin(self.values))

    @property
    def alpha(self) -> float:
        """The alpha with the smallest value."""
        return float(self.alphas[self.best])

    def warn_at_edge(self) -> None:
        """Warn if a smaller alpha than those compared may be better."""
        best, last = self.best, len(self.alphas) - 1
        if last == 0 or self.alphas[0] == self.alphas[-1]:
            return
        if best < last and np.isnan(self.values[best + 1]):
            warn(
                f"The {self.kind.upper()} still decreases at alpha={self.alphas[best]:.3g}, where "
                f"the degrees of freedom reach half of the {self.n_labels} labels, the most at "
                f"which the noise variance can be estimated from the residuals. Pass "
                f"noise_variance, or use cross-validation."
            )
        elif best == last and self.alphas[-1] > 0:
            warn(
                f"The selected alpha, {self.alphas[-1]:.3g}, is the smallest of the grid; a "
                f"smaller one may be better. Lower eps, or pass smaller alphas."
            )


class CriterionOf:
    """Evaluates an information criterion at the fits of a path.

    Parameters
    ----------
    model : estimator
    data : TaskData
    kind : {"aic", "bic", "ebic"}
    gamma : float
        Of the extended BIC, in [0, 1].
    noise_variance : float or None

    Raises
    ------
    ValueError
        If the degrees of freedom of the model's fits are not known, or a parameter is wrong.
    """

    def __init__(
        self, model: Any, data: TaskData, kind: str, gamma: float, noise_variance: float | None
    ) -> None:
        check_settings(kind, gamma, noise_variance)
        _check_model(model, data)
        self.model, self.kind, self.gamma, self.variance = model, kind, gamma, noise_variance
        self.learned = model._learnable(data)
        if not self.learned.any():
            raise ValueError(f"No task has a label. {_INSTEAD}")
        if len(data.y) < 2:
            raise ValueError(
                "An information criterion needs more than one row of labels, got n_samples=1. "
                "Pass more rows, or an estimator with a given alpha."
            )
        self.data = data.select(self.learned)
        self.pooling = model._pooling(self.data)
        self.design = self.data.design(
            model._task_factors(self.data),
            fit_intercept=model.fit_intercept,
            pooling=self.pooling,
        )
        self.freedom = FreedomOf(self.design)
        self.n_labels = int(np.count_nonzero(self.design.weights))
        # Relative to their mean, so that the variance is that of a label of average weight.
        self.scale = self.n_labels / self.design.weights.sum()
        self.rows: list[tuple[float, float, float, float, float]] = []

    def add(self, fit: Fit) -> None:
        """Evaluate the criterion at the fit for the model's present alpha."""
        coef = fit.coef[self.learned].astype(np.float64)
        parts = coef[None] if fit.parts is None else fit.parts[:, self.learned].astype(np.float64)
        W = parts.transpose(0, 2, 1)
        if self.pooling is not None:
            W = W[:, :, :1]
        residual = self._residual(W.sum(axis=0))
        penalty = self.model._get_penalty(self.data)
        try:
            freedom, error = self.freedom.at(penalty, W, residual)
        except NotImplementedError as reason:
            raise ValueError(
                f"The degrees of freedom of {type(self.model).__name__} are not known ({reason}). "
                f"{_INSTEAD} For a penalty of your own, define prox_derivative."
            ) from None
        square = self.scale * float((self.design.weights * residual**2).sum()) / self.n_labels
        supports = _log_supports(coef.T, penalty)
        value = self._value(square, freedom, supports)
        self.rows.append((value, freedom, error, square, supports))

    def _residual(self, W: Array) -> Array:
        """The residuals with the best intercepts."""
        design, y = self.design, self.data.y.astype(np.float64)
        residual = y - design.forward(W)
        if design.n_intercepts:
            sums, totals = design.gather(design.weights * residual), design.gather(design.weights)
            residual = residual - design.spread(sums / totals)
        return np.asarray(residual)

    def _value(self, square: float, freedom: float, supports: float) -> float:
        """The criterion: minus twice the log-likelihood, plus the charge for the model's size."""
        n, variance = self.n_labels, self.variance
        if variance is None:
            if freedom > _MOST_FREEDOM * n:
                return np.nan
            fit = n * (np.log(2 * np.pi * max(square, self._least_square)) + 1)
        else:
            fit = n * (np.log(2 * np.pi * variance) + square / variance)
        if self.kind == "aic":
            return float(fit + 2 * freedom)
        charge = np.log(n) * freedom
        if self.kind == "ebic":
            charge += 2 * self.gamma * supports
        return float(fit + charge)

    @property
    def _least_square(self) -> float:
        """The mean square of rounding errors."""
        seen = self.design.weights > 0
        size = float(np.square(self.data.y[seen]).max(initial=0.0))
        return max(size * np.finfo(np.float64).eps ** 2, np.finfo(np.float64).tiny)

    def result(self, alphas: Array) -> InformationCriterion:
        """The values for the alphas of the fits added so far."""
        values, freedoms, errors, squares, supports = np.array(self.rows).reshape(-1, 5).T
        return InformationCriterion(
            self.kind, alphas, values, freedoms, errors, squares, supports, self.n_labels
        )


def check_settings(kind: Any, gamma: Any, noise_variance: Any) -> None:
    """Raise unless these are a criterion, a gamma and a noise variance."""
    if kind not in KINDS:
        raise ValueError(f"criterion must be one of {', '.join(KINDS)}; got {kind!r}.")
    if not (isinstance(gamma, Real) and 0 <= float(gamma) <= 1):
        raise ValueError(
            f"ebic_gamma must be in [0, 1], got {gamma!r}. Use 1, or 0 for the ordinary BIC."
        )
    if noise_variance is not None and not (
        isinstance(noise_variance, Real) and 0 < float(noise_variance) < np.inf
    ):
        raise ValueError(
            f"noise_variance must be a positive number, or None to estimate it from each fit's "
            f"residuals; got {noise_variance!r}."
        )


def _check_model(model: Any, data: TaskData) -> None:
    """Raise if the degrees of freedom of the model's fits are not known."""
    name, why = type(model).__name__, None
    if not model._get_loss().constant_curvature:
        why = "has a loss other than the squared"
    elif not model._is_convex:
        why = "is not convex, so that its fits depend on their starts"
    elif model._refits:
        why = "refits the selected coefficients, which is not continuous in the labels"
    elif model._penalty_reads_labels:
        why = "has a penalty that is learned from the labels"
    elif model._shrinks_intercepts(data):
        why = "shrinks the intercepts"
    if why is not None:
        raise ValueError(f"An information criterion is not available: {name} {why}. {_INSTEAD}")


def _log_supports(W: Array, penalty: Penalty | None) -> float:
    """The logarithm of the number of supports with as many rows, and entries in each row."""
    free = None if penalty is None else penalty.free_rows
    if free is not None:
        W = W[~free]
    sizes = np.count_nonzero(W, axis=1)
    rows = sizes[sizes > 0]
    return _log_binomial(len(W), np.array([len(rows)])) + _log_binomial(W.shape[1], rows)


def _log_binomial(n: int, k: Array) -> float:
    """The sum of the logarithms of the binomial coefficients n over k."""
    return float((gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)).sum())
