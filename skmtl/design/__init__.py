"""The only door for users' arrays, and the linear maps they become."""

from skmtl.design._base import Design
from skmtl.design._column_gram import ColumnGram
from skmtl.design._data import TaskData, task_factors
from skmtl.design._door import read_classification, read_prediction, read_regression
from skmtl.design._elimination import newton_direction
from skmtl.design._labels import read_scored
from skmtl.design._moments import Moments
from skmtl.design._pooled import PooledDesign
from skmtl.design._shared import SharedDesign
from skmtl.design._stacked import StackedDesign
from skmtl.design._tasks import UNKNOWN, split_task_column

__all__ = [
    "UNKNOWN",
    "ColumnGram",
    "Design",
    "Moments",
    "PooledDesign",
    "SharedDesign",
    "StackedDesign",
    "TaskData",
    "newton_direction",
    "read_classification",
    "read_prediction",
    "read_regression",
    "read_scored",
    "split_task_column",
    "task_factors",
]
