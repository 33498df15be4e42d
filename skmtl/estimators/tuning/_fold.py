"""A fold, and the protocols of its training data and of the scores of its fits."""

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
    """A split into training and held-out rows.

    Attributes
    ----------
    number : int
    train, test : int arrays
        Row numbers in the validated data, ascending.
    held_out : int array
        Row numbers of the test set in X, including rows without a label.
    """

    number: int
    train: Array
    test: Array
    held_out: Array


# The score of a model's fit on the held-out rows of a fold, the greater the better: a number, or
# one for each task.
Judge = Callable[[Any, Fit], Any]


class Measure(Protocol):
    """Returns the judge of fits to ``part``, the training rows of a fold."""

    def __call__(self, fold: Fold, part: TaskData) -> Judge: ...


class Source(Protocol):
    """Returns the training data of a fold, their objective, and the judge of fits to them."""

    def __call__(self, model: Any, fold: Fold) -> tuple[TaskData, BaseObjective | None, Judge]: ...
