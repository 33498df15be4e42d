"""The former file of the losses, which pickles of version 0.1.0 name."""

from skmtl.losses._huber import HuberLoss
from skmtl.losses._logistic import LogisticLoss
from skmtl.losses._multinomial import MultinomialLoss
from skmtl.losses._poisson import PoissonLoss
from skmtl.losses._squared import SquaredLoss
from skmtl.losses._squared_hinge import SquaredHingeLoss

__all__ = [
    "HuberLoss",
    "LogisticLoss",
    "MultinomialLoss",
    "PoissonLoss",
    "SquaredHingeLoss",
    "SquaredLoss",
]
