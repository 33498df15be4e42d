"""Losses by the names that users give them."""

from skmtl.losses._losses import (
    HuberLoss,
    LogisticLoss,
    Loss,
    PoissonLoss,
    SquaredHingeLoss,
    SquaredLoss,
)

_DEFAULTS: dict[str, Loss] = {
    "squared": SquaredLoss(),
    "huber": HuberLoss(),
    "poisson": PoissonLoss(),
    "logistic": LogisticLoss(),
    "squared_hinge": SquaredHingeLoss(),
}


def losses_by_name(huber_delta: float) -> dict[str, Loss]:
    """One object for each loss that a single task can have."""
    return {**_DEFAULTS, "huber": HuberLoss(huber_delta)}
