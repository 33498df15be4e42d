"""Other losses and weights of tasks than those that the parameters determine."""

from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from skmtl.design import TaskData
from skmtl.losses import Loss


class Factors(Protocol):
    """How much the labels of each task count."""

    def factors(self, data: TaskData) -> NDArray[Any]:
        """The factors c_t for the tasks of ``data`` (n_tasks,)."""


@dataclass(frozen=True)
class Beside:
    """The losses and weights of a fit whose tasks are not those of y.

    Attributes
    ----------
    loss : Loss
        Of all tasks.
    strengths : Factors
    """

    loss: Loss
    strengths: Factors
