"""Bring data into the stacked layout, and transform it without touching the task column."""

from skmtl.preprocessing._containers import insert_task_column
from skmtl.preprocessing._stack import stack_tasks
from skmtl.preprocessing._transformer import TaskTransformer

__all__ = [
    "TaskTransformer",
    "stack_tasks",
    # For the packages above only.
    "insert_task_column",
]
