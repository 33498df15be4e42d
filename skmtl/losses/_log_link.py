"""What the losses with a log link share: their means, their labels and a series."""

import numpy as np

from skmtl.losses._base import Array, Loss

_SHORT = 0.05


class LogLinkLoss(Loss):
    """A loss of labels >= 0 whose mean response is e^z."""

    link = "log"
    label_rule = "labels >= 0"

    def refuses(self, labels: Array) -> Array:
        return labels < 0

    def inverse_link(self, z: Array) -> Array:
        return np.exp(z)

    def lacks_minimiser(self, label: Array) -> Array:
        lacking: Array = label == 0
        return lacking

    def constant_intercept(self, label: float, n_labels: int) -> float:
        return float(-np.log(2 * n_labels + 1))

    def rescale(self, coef: Array, intercept: Array, scales: Array) -> tuple[Array, Array]:
        return coef, intercept + np.log(scales)


def log_labels(y: Array) -> Array:
    """log(y); finite for y = 0, as the label of a row without one may be."""
    logs: Array = np.log(np.maximum(y, np.finfo(y.dtype).tiny))
    return logs


def second_order(step: Array) -> Array:
    """e^step - 1 - step, for short steps by its series."""
    return np.where(is_short(step), short_second_order(step), np.expm1(step) - step)


def is_short(step: Array) -> Array:
    """Where the difference e^step - 1 - step would lose digits."""
    return np.abs(step) < _SHORT


def short_second_order(step: Array) -> Array:
    """The series of e^step - 1 - step, with relative errors below 2e-10 for short steps."""
    return step * step * (1 / 2 + step * (1 / 6 + step * (1 / 24 + step * (1 / 120 + step / 720))))
