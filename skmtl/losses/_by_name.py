"""Losses by the names that users give them."""

from typing import Any

from skmtl.losses._losses import (
    HuberLoss,
    LogisticLoss,
    Loss,
    PoissonLoss,
    SquaredHingeLoss,
    SquaredLoss,
)
from skmtl.losses._quantile import QuantileLoss
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


def losses_by_name(estimator: Any) -> dict[str, Loss]:
    """One object for each loss that a single task can have, with the estimator's parameters."""
    losses = dict(_DEFAULTS)
    if hasattr(estimator, "huber_delta"):
        losses["huber"] = HuberLoss(estimator.huber_delta)
    if hasattr(estimator, "quantile"):
        losses["quantile"] = QuantileLoss(estimator.quantile)
    if hasattr(estimator, "tweedie_power"):
        losses["tweedie"] = _tweedie(float(estimator.tweedie_power))
    return losses


def _tweedie(power: float) -> Loss:
    """The Tweedie loss; at the ends of the range of powers, its limits."""
    limits: dict[float, Loss] = {1.0: _POISSON, 2.0: _GAMMA}
    return limits.get(power) or TweedieLoss(power)
