"""Conversion to the stacked layout, and transformers that know the task column."""

from skmtl.preprocessing._containers import insert_task_column
from skmtl.preprocessing._erasure import NuisanceEraser
from skmtl.preprocessing._stack import stack_tasks
from skmtl.preprocessing._transformer import TaskTransformer

__all__ = [
    "NuisanceEraser",
    "TaskTransformer",
    "stack_tasks",
    # For the packages above only.
    "insert_task_column",
]
