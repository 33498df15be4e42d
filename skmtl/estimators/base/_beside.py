"""Tasks that are fitted together with those of y."""

from dataclasses import dataclass

from skmtl.design import GroupStrengths
from skmtl.losses import Loss


@dataclass(frozen=True)
class Beside:
    """The losses and weights of a fit to more tasks than those of y.

    Attributes
    ----------
    loss : Loss
        Of all tasks.
    strengths : GroupStrengths
    """

    loss: Loss
    strengths: GroupStrengths
