"""Losses by the names that users give them."""

from typing import Any

from skmtl.losses._base import Loss
from skmtl.losses._huber import HuberLoss
from skmtl.losses._logistic import LogisticLoss
from skmtl.losses._poisson import PoissonLoss
from skmtl.losses._quantile import QuantileLoss
from skmtl.losses._squared import SquaredLoss
from skmtl.losses._squared_hinge import SquaredHingeLoss
from skmtl.losses._tweedie import GammaLoss, TweedieLoss

# One object each, since losses are equal only if they are the same object.
_POISSON, _GAMMA = PoissonLoss(), GammaLoss()
_DEFAULTS: dict[str, Loss] = {
    "squared": SquaredLoss(),
    "huber": HuberLoss(),
    "quantile": QuantileLoss(),
    "poisson": _POISSON,
    "gamma": _GAMMA,
    "tweedie": TweedieLoss(),
    "logistic": LogisticLoss(),
    "squared_hinge": SquaredHingeLoss(),
}
LOSS_NAMES = tuple(_DEFAULTS)


def losses_by_name(estimator: Any) -> dict[str, Loss]:
    """One object for each loss that a single task can have, with the estimator's parameters."""
    return {name: loss_by_name(estimator, name) for name in LOSS_NAMES}


def loss_by_name(estimator: Any, name: str) -> Loss:
    """The loss of that name, with the estimator's parameters."""
    if name == "huber" and hasattr(estimator, "huber_delta"):
        return HuberLoss(estimator.huber_delta)
    if name == "quantile" and hasattr(estimator, "quantile"):
        return QuantileLoss(estimator.quantile)
    if name == "tweedie" and hasattr(estimator, "tweedie_power"):
        return _tweedie(float(estimator.tweedie_power))
    return _DEFAULTS[name]


def _tweedie(power: float) -> Loss:
    """The Tweedie loss; at the ends of the range of powers, its limits."""
    limits: dict[float, Loss] = {1.0: _POISSON, 2.0: _GAMMA}
    return limits.get(power) or TweedieLoss(power)
