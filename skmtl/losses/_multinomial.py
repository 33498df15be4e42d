"""The multinomial loss, which couples the classes of a row."""

from typing import Any

import numpy as np
from scipy.special import xlogy

from skmtl.losses._base import Array, Loss


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
