"""A fold, and what the engine asks of those who make its data and judge its fits."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from skmtl.design import TaskData
from skmtl.estimators.base import Fit
from skmtl.objective import BaseObjective

Array = NDArray[Any]


@dataclass(frozen=True)
class Fold:
    """One split.

    Attributes
    ----------
    number : int
    train, test : int arrays
        Rows of the validated data, ascending.
    held_out : int array
        The rows of X that ``test`` stands for, those without a label included.
    """

    number: int
    train: Array
    test: Array
    held_out: Array


# How good a model's fit is on the held-out rows of a fold, the greater the better: a number, or
# one for each task.
Judge = Callable[[Any, Fit], Any]


class Measure(Protocol):
    """Makes the judge of fits on ``part``, a fold's training rows."""

    def __call__(self, fold: Fold, part: TaskData) -> Judge: ...


class Source(Protocol):
    """Makes of a fold what a path needs: its training data, their objective, and the judge."""

    def __call__(self, model: Any, fold: Fold) -> tuple[TaskData, BaseObjective | None, Judge]: ...
