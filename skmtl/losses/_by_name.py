"""Losses by the names that users give them."""

from skmtl.losses._losses import (
    HuberLoss,
    LogisticLoss,
    Loss,
    PoissonLoss,
    SquaredHingeLoss,
    SquaredLoss,
)


def losses_by_name(huber_delta: float) -> dict[str, Loss]:
    """One object for each loss that a single task can have."""
    return {
        "squared": SquaredLoss(),
        "huber": HuberLoss(huber_delta),
        "poisson": PoissonLoss(),
        "logistic": LogisticLoss(),
        "squared_hinge": SquaredHingeLoss(),
    }
