"""Smooth functions of the linear predictors of all stages."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from skmtl.losses import FunnelLoss

Array = NDArray[Any]

_LOSS = FunnelLoss()


class Likelihood(Protocol):
    """A function of the linear predictors (n_samples, n_stages)."""

    def value(self, Z: Array) -> float: ...

    def model(self, Z: Array) -> tuple[Array, Array]:
        """The gradient, and a positive diagonal curvature that is close to the true one."""

    def majorant(self, Z: Array) -> tuple[Array, Array]:
        """The gradient, and a diagonal curvature that bounds the true one everywhere."""


@dataclass(frozen=True)
class EntireSpace:
    """The composite likelihood of reaching each stage, over all rows.

    Attributes
    ----------
    y : array of shape (n_samples, n_stages)
        -1 and +1.
    weights : array of the same shape
        0 where a label is missing.
    """

    y: Array
    weights: Array

    def value(self, Z: Array) -> float:
        return float((self.weights * _LOSS.value(self.y, Z)).sum())

    def model(self, Z: Array) -> tuple[Array, Array]:
        return _LOSS.derivatives(self.y, Z, self.weights)

    def majorant(self, Z: Array) -> tuple[Array, Array]:
        return _LOSS.majorant(self.y, Z, self.weights)


@dataclass(frozen=True)
class PseudoLabels:
    """Logistic losses of labels that may lie outside [0, 1]; convex.

    Attributes
    ----------
    labels : array of shape (n_samples, n_stages)
    weights : array of the same shape
    """

    labels: Array
    weights: Array

    def value(self, Z: Array) -> float:
        losses = np.logaddexp(0.0, Z) - self.labels * Z
        return float((self.weights * losses).sum())

    def model(self, Z: Array) -> tuple[Array, Array]:
        p = expit(Z)
        return self.weights * (p - self.labels), self.weights * p * (1 - p)

    def majorant(self, Z: Array) -> tuple[Array, Array]:
        return self.model(Z)[0], self.weights / 4


@dataclass(frozen=True)
class WithOffset:
    """A function of the linear predictors to which known numbers are added.

    Attributes
    ----------
    likelihood : Likelihood
    offset : array of shape (n_samples, n_stages)
    """

    likelihood: Likelihood
    offset: Array

    def value(self, Z: Array) -> float:
        return self.likelihood.value(Z + self.offset)

    def model(self, Z: Array) -> tuple[Array, Array]:
        return self.likelihood.model(Z + self.offset)

    def majorant(self, Z: Array) -> tuple[Array, Array]:
        return self.likelihood.majorant(Z + self.offset)
