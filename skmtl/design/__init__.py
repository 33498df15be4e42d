"""The only door for users' arrays, and the linear maps they become."""

from skmtl.design._data import TaskData, task_factors
from skmtl.design._door import read_classification, read_prediction, read_regression
from skmtl.design._elimination import newton_direction
from skmtl.design._operators import Design, SharedDesign, StackedDesign
from skmtl.design._pooled import PooledDesign
from skmtl.design._tasks import UNKNOWN, split_task_column

__all__ = [
    "UNKNOWN",
    "Design",
    "PooledDesign",
    "SharedDesign",
    "StackedDesign",
    "TaskData",
    "newton_direction",
    "read_classification",
    "read_prediction",
    "read_regression",
    "split_task_column",
    "task_factors",
]
