"""The interface of losses: functions of labels y and linear predictors z.

Each is convex in z and shifted so that its minimum over z is 0, so that duality gaps can be
compared with the null objective F(0, b*). A new loss is a class with elementwise methods,
attributes, and a cvxpy expression (only for :mod:`skmtl.reference`). All losses are elementwise
except the multinomial, which couples the classes of a row.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from skmtl._site import DocumentedEstimator

Array = NDArray[Any]

_LINKS = {"log": np.log, "logit": logit}


class Loss(DocumentedEstimator):
    """The interface of losses. All methods work elementwise and preserve the dtype.

    A class overrides the properties by attributes (``recedes = True``), or by properties if the
    answer depends on the parameters.
    """

    @property
    def without_offset(self) -> "Loss":
        """The loss of predictors to which nothing is added."""
        return self

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

    def nearest_dual(self, y: Array, u: Array) -> Array:
        """The point of the conjugate's domain that is nearest to u, where that is easy to find."""
        return u

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
