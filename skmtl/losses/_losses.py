r"""Losses: functions of labels y and linear predictors z.

Each is convex in z and shifted so that its minimum over z is 0, so that duality gaps can be
compared with the null objective F(0, b*). A new loss is a class with elementwise methods,
attributes, and a cvxpy expression (only for :mod:`skmtl.reference`). All losses are elementwise
except the multinomial, which couples the classes of a row.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, xlogy

from skmtl._site import DocumentedEstimator

Array = NDArray[Any]

_LINKS = {"log": np.log, "logit": logit}


class Loss(DocumentedEstimator):
    """The interface of losses. All methods work elementwise and preserve the dtype.

    A class overrides the properties by attributes (``recedes = True``), or by properties if the
    answer depends on the parameters.
    """

    @property
    def curvature_bound(self) -> float:
        """The largest second derivative in z (eigenvalue of the Hessian); infinite if unbounded."""
        return np.inf

    @property
    def constant_curvature(self) -> bool:
        """Whether the second derivative is the same everywhere."""
        return False

    @property
    def translates(self) -> bool:
        """Whether loss(y + c, z + c) = loss(y, z), so that labels can be centred."""
        return False

    @property
    def recedes(self) -> bool:
        """Whether the loss of every label decreases without attaining its infimum.

        Separable data then have no minimiser.
        """
        return False

    @property
    def couples_tasks(self) -> bool:
        """Whether the loss of a row couples its columns.

        The Hessian of a row is then diag(p) - p p' with p = ``probabilities(z)``, and the values
        that the methods return sum over the columns to the value of the row.
        """
        return False

    @property
    def compares_tasks(self) -> bool:
        """Whether predictors have the same meaning in every column.

        Intercepts are then comparable.
        """
        return True

    @property
    def signed(self) -> bool:
        """Whether labels are -1 and +1; users pass 0 and 1."""
        return False

    @property
    def link(self) -> str | None:
        """The link between the mean response and z, by name; None if z determines no mean.

        "identity", "log" and "logit" apply to each column, "softmax" to a row.
        """
        return None

    @property
    def has_gradient(self) -> bool:
        """Whether the loss is differentiable in z. Otherwise it has a prox instead."""
        return True

    @property
    def slopes(self) -> tuple[Any, Any]:
        """Bounds on the derivative in z, for all tasks or for each."""
        return -np.inf, np.inf

    @property
    def has_prox(self) -> bool:
        """Whether ``prox`` is defined, which it is not for losses that wrap others."""
        return False

    @property
    def has_gaussian_noise(self) -> bool:
        """Whether it is the loss of Gaussian noise of constant variance."""
        return False

    @property
    def is_near_squares(self) -> bool:
        """Whether twice the mean loss stands for the variance of the noise."""
        return False

    @property
    def label_rule(self) -> str:
        """What users' labels must be, for error messages."""
        return "labels 0 and 1" if self.signed else "numbers"

    @property
    def label_remedy(self) -> str:
        """What users can do about other labels, for error messages."""
        return "Use another loss."

    @property
    def takes_all_numbers(self) -> bool:
        """Whether the loss refuses no labels."""
        return type(self).refuses is Loss.refuses and not self.signed

    def refuses(self, labels: Array) -> Array:
        """Mask of users' labels that the loss is not defined for."""
        if self.signed:
            return np.asarray((labels != 0) & (labels != 1))
        return np.zeros(np.shape(labels), dtype=bool)

    def value(self, y: Array, z: Array) -> Array:
        """The loss."""
        raise NotImplementedError

    def gradient(self, y: Array, z: Array) -> Array:
        """The derivative in z."""
        raise NotImplementedError

    def curvature(self, y: Array, z: Array) -> Array:
        """The second derivative in z."""
        raise NotImplementedError

    def newton_weight(self, y: Array, z: Array) -> Array:
        """The curvature in Newton steps; some losses return a majorant instead."""
        return self.curvature(y, z)

    def gradient_change(self, y: Array, z: Array, step: Array) -> Array:
        """The first-order change of the gradient for a step in z: Hessian times step."""
        return self.newton_weight(y, z) * step

    def divergence_bound(self, y: Array, z: Array, step: Array) -> Array:
        """An upper bound of loss(z + step) - loss(z) - gradient(z) step, without cancellation."""
        return self.curvature_bound * step * step / 2

    def probabilities(self, z: Array) -> Array:
        """The class probabilities of each row, if the loss couples its columns."""
        raise NotImplementedError

    def conjugate(self, y: Array, u: Array) -> Array:
        """The convex conjugate sup_z (u z - loss(y, z)); infinite outside its domain."""
        raise NotImplementedError

    def prox(self, y: Array, z: Array, step: float) -> Array:
        """The minimiser over v of loss(y, v) + (v - z)^2 / (2 step), if there is no gradient."""
        raise NotImplementedError

    def smoothed(self, width: float) -> "Loss":
        """The Moreau envelope with step ``width`` if there is no gradient, else the loss itself."""
        return self

    def smooth_offset(self, multipliers: Array, width: float) -> Array:
        """What a step of the method of multipliers adds to the predictors of ``smoothed``."""
        return np.zeros_like(multipliers)

    def best_shift(self, residuals: Array, weights: Array) -> float:
        """The best constant to add to predictors, if there is no gradient.

        ``residuals`` and ``weights`` are 1-D.
        """
        raise NotImplementedError

    def dual_scale(self, u: Array) -> float:
        """A factor in (0, 1] that scales u into the conjugate's domain, if scaling suffices."""
        return 1.0

    def inverse_link(self, z: Array) -> Array:
        """The mean response for a linear predictor z."""
        raise NotImplementedError

    def link_of(self, mean: Any) -> Any:
        """The linear predictor z for a mean response in a column; the mean itself without link."""
        return _LINKS[self.link](mean) if self.link in _LINKS else mean

    def held_out_loss(self, y: Array, z: Array) -> Array:
        """The loss by which predictions of regressors are compared: by default squared errors."""
        return np.asarray((self.as_response(y) - self.inverse_link(z)) ** 2)

    def as_response(self, y: Array) -> Array:
        """Labels on the scale of the mean response."""
        return y

    def lacks_minimiser(self, label: Array) -> Array:
        """Whether a task with all labels equal to ``label`` has no unique finite intercept."""
        return np.zeros(np.shape(label), dtype=bool)

    def constant_intercept(self, label: float, n_labels: int) -> float:
        """The intercept assigned to a task that lacks a minimiser."""
        raise NotImplementedError

    def rescale(self, coef: Array, intercept: Array, scales: Array) -> tuple[Array, Array]:
        """Coefficients (T, d) and intercepts (T,) for labels multiplied by scales (T,)."""
        return coef * scales[:, None].astype(coef.dtype), intercept * scales

    def columns(self, chosen: Array) -> "Loss":
        """The loss of the tasks at these positions."""
        return self

    def column(self, task: int) -> "Loss":
        """The loss of the task at this position."""
        return self

    def to_cvxpy(self, y: Array, z: Any) -> Any:
        """The loss as a cvxpy expression, elementwise."""
        raise NotImplementedError


class SquaredLoss(Loss):
    r"""The squared loss :math:`(y - z)^2 / 2`.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.losses import SquaredLoss
    >>> z, y = np.array([0.0, 3.0]), np.array([1.0, 1.0])
    >>> SquaredLoss().value(y, z)
    array([0.5, 2. ])
    """

    curvature_bound = 1.0
    constant_curvature = True
    translates = True
    has_gaussian_noise = True
    is_near_squares = True
    link = "identity"

    def value(self, y: Array, z: Array) -> Array:
        residual = y - z
        values: Array = residual * residual / 2
        return values

    def gradient(self, y: Array, z: Array) -> Array:
        return z - y

    def curvature(self, y: Array, z: Array) -> Array:
        return np.ones_like(z)

    def conjugate(self, y: Array, u: Array) -> Array:
        return u * (u / 2 + y)

    def inverse_link(self, z: Array) -> Array:
        return z

    def to_cvxpy(self, y: Array, z: Any) -> Any:
        import cvxpy as cp

        return cp.square(y - z) / 2


class LogisticLoss(Loss):
    r"""The logistic loss :math:`\log(1 + \exp(-y z))` for labels y in {-1, +1}.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.losses import LogisticLoss
    >>> z, y = np.array([0.0, 2.0]), np.array([1.0, -1.0])
    >>> LogisticLoss().value(y, z).round(4)  # log(2) and log(1 + exp(2))
    array([0.6931, 2.1269])
    """

    curvature_bound = 0.25
    recedes = True
    signed = True
    link = "logit"

    def value(self, y: Array, z: Array) -> Array:
        margin = y * z
        values: Array = np.log1p(np.exp(-np.abs(margin))) + np.maximum(-margin, 0)
        return values

    def gradient(self, y: Array, z: Array) -> Array:
        # NumPy's exp is several times faster than expit.
        with np.errstate(over="ignore"):
            gradient: Array = -y / (1 + np.exp(y * z))
            return gradient

    def curvature(self, y: Array, z: Array) -> Array:
        term = np.exp(-np.abs(z))
        curvature: Array = term / np.square(1 + term)
        return curvature

    def conjugate(self, y: Array, u: Array) -> Array:
        p = -y * u
        # Clipping makes both terms 0 at the ends of [0, 1]; NumPy's log is faster than xlogy.
        precision = np.finfo(p.dtype)
        own = np.log(np.maximum(p, precision.tiny))
        other = np.log1p(-np.minimum(p, 1 - precision.epsneg))
        entropy = p * own + (1 - p) * other
        return np.where((p >= 0) & (p <= 1), entropy, np.inf)

    def inverse_link(self, z: Array) -> Array:
        mean: Array = expit(z)
        return mean

    def as_response(self, y: Array) -> Array:
        return (y + 1) / 2

    def lacks_minimiser(self, label: Array) -> Array:
        return ~np.isnan(label)

    def constant_intercept(self, label: float, n_labels: int) -> float:
        return float(np.sign(label) * np.log(2 * n_labels + 1))

    def to_cvxpy(self, y: Array, z: Any) -> Any:
        import cvxpy as cp

        return cp.logistic(-cp.multiply(y, z))


class HuberLoss(Loss):
    r"""The Huber loss: :math:`(y - z)^2 / 2` near zero, linear beyond :math:`|y - z| = \delta`.

    Parameters
    ----------
    delta : float, default=1.35
        The absolute residual at which the loss becomes linear, positive, in the units of y.

    References
    ----------
    P. J. Huber, "Robust estimation of a location parameter", Ann. Math. Statist. 35(1), 1964,
    https://doi.org/10.1214/aoms/1177703732

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.losses import HuberLoss
    >>> z, y = np.array([0.0, 3.0]), np.array([1.0, 0.0])
    >>> HuberLoss(delta=1.0).value(y, z)
    array([0.5, 2.5])
    """

    curvature_bound = 1.0
    translates = True
    is_near_squares = True
    link = "identity"

    def __init__(self, delta: float = 1.35) -> None:
        self.delta = delta

    def value(self, y: Array, z: Array) -> Array:
        size = np.abs(y - z)
        near = np.minimum(size, self.delta)
        values: Array = near * (size - near / 2)
        return values

    def gradient(self, y: Array, z: Array) -> Array:
        gradient: Array = np.clip(z - y, -self.delta, self.delta)
        return gradient

    def curvature(self, y: Array, z: Array) -> Array:
        curvature: Array = (np.abs(y - z) <= self.delta).astype(z.dtype)
        return curvature

    def newton_weight(self, y: Array, z: Array) -> Array:
        # The weights of iteratively reweighted least squares are positive and ensure descent.
        return np.asarray(self.delta / np.maximum(np.abs(y - z), self.delta), dtype=z.dtype)

    def dual_scale(self, u: Array) -> float:
        largest = np.abs(u).max(initial=0.0)
        return 1.0 if largest <= self.delta else (1 - 1e-15) * self.delta / largest

    def conjugate(self, y: Array, u: Array) -> Array:
        return np.where(np.abs(u) <= self.delta, u * (u / 2 + y), np.inf)

    def inverse_link(self, z: Array) -> Array:
        return z

    def to_cvxpy(self, y: Array, z: Any) -> Any:
        import cvxpy as cp

        return cp.huber(y - z, self.delta) / 2


class PoissonLoss(Loss):
    r"""Half the Poisson deviance :math:`e^z - y z + y \log y - y` for counts y >= 0.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.losses import PoissonLoss
    >>> z, y = np.array([0.0, 0.0]), np.array([1.0, 0.0])
    >>> PoissonLoss().value(y, z)
    array([0., 1.])
    """

    label_rule = "labels >= 0"
    link = "log"

    def refuses(self, labels: Array) -> Array:
        return labels < 0

    def value(self, y: Array, z: Array) -> Array:
        with np.errstate(over="ignore"):
            values: Array = np.exp(z) - y * z + xlogy(y, y) - y
            return values

    def gradient(self, y: Array, z: Array) -> Array:
        with np.errstate(over="ignore"):
            return np.exp(z) - y

    def curvature(self, y: Array, z: Array) -> Array:
        with np.errstate(over="ignore"):
            return np.exp(z)

    def divergence_bound(self, y: Array, z: Array, step: Array) -> Array:
        # The exact divergence e^z (e^step - 1 - step), for short steps by its series.
        short = step * step / 2 * (1 + step / 3 * (1 + step / 4 * (1 + step / 5 * (1 + step / 6))))
        with np.errstate(over="ignore", invalid="ignore"):
            rest = np.where(np.abs(step) < 0.05, short, np.expm1(step) - step)
            return np.exp(z) * rest

    def conjugate(self, y: Array, u: Array) -> Array:
        mean = y + u
        with np.errstate(invalid="ignore", divide="ignore"):
            value = xlogy(mean, mean) - mean - xlogy(y, y) + y
        return np.where(mean >= 0, value, np.inf)

    def inverse_link(self, z: Array) -> Array:
        return np.exp(z)

    def lacks_minimiser(self, label: Array) -> Array:
        lacking: Array = label == 0
        return lacking

    def constant_intercept(self, label: float, n_labels: int) -> float:
        return float(-np.log(2 * n_labels + 1))

    def rescale(self, coef: Array, intercept: Array, scales: Array) -> tuple[Array, Array]:
        return coef, intercept + np.log(scales)

    def to_cvxpy(self, y: Array, z: Any) -> Any:
        import cvxpy as cp

        return cp.exp(z) - cp.multiply(y, z) + (xlogy(y, y) - y)


class SquaredHingeLoss(Loss):
    r"""The squared hinge loss :math:`\max(0, 1 - y z)^2 / 2` for labels y in {-1, +1}.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.losses import SquaredHingeLoss
    >>> z, y = np.array([0.0, 2.0]), np.array([1.0, 1.0])
    >>> SquaredHingeLoss().value(y, z)
    array([0.5, 0. ])
    """

    curvature_bound = 1.0
    signed = True

    def value(self, y: Array, z: Array) -> Array:
        short = np.maximum(1 - y * z, 0)
        values: Array = short * short / 2
        return values

    def gradient(self, y: Array, z: Array) -> Array:
        gradient: Array = -y * np.maximum(1 - y * z, 0)
        return gradient

    def curvature(self, y: Array, z: Array) -> Array:
        return (y * z < 1).astype(z.dtype)

    def conjugate(self, y: Array, u: Array) -> Array:
        size = -y * u
        return np.where(size >= 0, size * size / 2 - size, np.inf)

    def lacks_minimiser(self, label: Array) -> Array:
        return ~np.isnan(label)

    def constant_intercept(self, label: float, n_labels: int) -> float:
        return float(np.sign(label))

    def to_cvxpy(self, y: Array, z: Any) -> Any:
        import cvxpy as cp

        return cp.square(cp.pos(1 - cp.multiply(y, z))) / 2


class MultinomialLoss(Loss):
    r"""The multinomial loss :math:`\log \sum_k e^{z_k} - z_y` of a row with class y.

    Labels and predictors have shape (n_samples, n_classes); the labels are 1 for a row's own
    class and 0 for the others. The loss of a row is in the column of its class. Its conjugate is
    the negative entropy :math:`\sum_k p_k \log p_k` at p = y + u, finite if p are probabilities.

    References
    ----------
    D. Böhning, "Multinomial logistic regression algorithm", Ann. Inst. Statist. Math. 44, 1992,
    https://doi.org/10.1007/BF00048682

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.losses import MultinomialLoss
    >>> z, y = np.zeros((1, 2)), np.array([[1.0, 0.0]])
    >>> MultinomialLoss().value(y, z).round(4)  # log(2)
    array([[0.6931, 0.    ]])
    """

    curvature_bound = 0.5
    recedes = True
    couples_tasks = True
    compares_tasks = False
    link = "softmax"

    def value(self, y: Array, z: Array) -> Array:
        shifted, others = _shifted(z)
        # log1p of all terms but the largest, 1, preserves the digits of small losses.
        values: Array = y * (np.log1p(_sums(others)) - shifted)
        return values

    def probabilities(self, z: Array) -> Array:
        """The class probabilities: the softmax of each row."""
        terms = np.exp(z - z.max(axis=-1, keepdims=True))
        shares: Array = terms / terms.sum(axis=-1, keepdims=True)
        return shares

    def gradient(self, y: Array, z: Array) -> Array:
        others = self.probabilities(z) * (1 - y)
        # Rows sum to zero, and rounding moves no probability out of [0, 1].
        gradient: Array = others - y * np.minimum(_sums(others), 1)
        return gradient

    def curvature(self, y: Array, z: Array) -> Array:
        p = self.probabilities(z)
        curvature: Array = p * (1 - p)
        return curvature

    def newton_weight(self, y: Array, z: Array) -> Array:
        # A diagonal majorant: 2 diag(p (1 - p)) - (diag(p) - p p') is diagonally dominant.
        return 2 * self.curvature(y, z)

    def gradient_change(self, y: Array, z: Array, step: Array) -> Array:
        p = self.probabilities(z)
        change: Array = p * (step - _sums(p * step))
        return change

    def conjugate(self, y: Array, u: Array) -> Array:
        p, slack = y + u, 8 * np.finfo(u.dtype).eps
        sums_to_zero = np.abs(u.sum(axis=-1, keepdims=True)) <= slack * u.shape[-1]
        positive = np.maximum(p, 0)
        with np.errstate(invalid="ignore"):
            entropy = xlogy(positive, positive)
        return np.where((p >= -slack) & sums_to_zero, entropy, np.inf)

    def inverse_link(self, z: Array) -> Array:
        return self.probabilities(z)

    def lacks_minimiser(self, label: Array) -> Array:
        return ~np.isnan(label)

    def constant_intercept(self, label: float, n_labels: int) -> float:
        return float((1 if label > 0 else -1) * np.log(2 * n_labels + 1))

    def to_cvxpy(self, y: Array, z: Any) -> Any:
        """The losses of the rows (n_samples,) as a cvxpy expression."""
        import cvxpy as cp

        return cp.log_sum_exp(z, axis=1) - cp.sum(cp.multiply(y, z), axis=1)


def _sums(terms: Array) -> Array:
    """Sums over each row; for short rows several times faster than numpy's sum."""
    sums: Array = np.einsum("...k->...", terms)[..., None]
    return sums


def _shifted(z: Array) -> tuple[Array, Array]:
    """z minus each row's maximum, and its exponentials with 0 for (one of) the maxima."""
    top = z.argmax(axis=-1)[..., None]
    shifted = z - np.take_along_axis(z, top, axis=-1)
    others = np.exp(shifted)
    np.put_along_axis(others, top, 0, axis=-1)
    return shifted, others
