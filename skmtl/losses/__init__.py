"""Losses: functions of labels and linear predictors."""

from skmtl.losses._base import Loss
from skmtl.losses._by_name import LOSS_NAMES, loss_by_name, losses_by_name
from skmtl.losses._funnel import FunnelLoss, log_reached
from skmtl.losses._given import GivenSlopesLoss
from skmtl.losses._huber import HuberLoss
from skmtl.losses._logistic import LogisticLoss
from skmtl.losses._mixed import MixedLoss, mixed
from skmtl.losses._multinomial import MultinomialLoss
from skmtl.losses._offset import OffsetLoss, with_offset
from skmtl.losses._poisson import PoissonLoss
from skmtl.losses._quantile import QuantileLoss, SmoothQuantileLoss
from skmtl.losses._squared import SquaredLoss
from skmtl.losses._squared_hinge import SquaredHingeLoss
from skmtl.losses._tweedie import GammaLoss, TweedieLoss

__all__ = [
    "LOSS_NAMES",
    "FunnelLoss",
    "GammaLoss",
    "GivenSlopesLoss",
    "HuberLoss",
    "LogisticLoss",
    "Loss",
    "MixedLoss",
    "MultinomialLoss",
    "OffsetLoss",
    "PoissonLoss",
    "QuantileLoss",
    "SmoothQuantileLoss",
    "SquaredHingeLoss",
    "SquaredLoss",
    "TweedieLoss",
    "log_reached",
    "loss_by_name",
    "losses_by_name",
    "mixed",
    "with_offset",
]
