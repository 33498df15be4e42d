"""Apply a function to the rows of each task."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.design import is_frame, rows_by_task
from skmtl.preprocessing._containers import shorten, stack_rows, take_rows

SAME_COLUMNS = "Use per_task=False, or a transformer that gives the same columns for every task."


def map_tasks(
    codes: NDArray[np.intp],
    function: Callable[[int, NDArray[np.intp]], Any],
    tasks: list[Any],
) -> Any:
    """Apply ``function`` to the rows of each task; return the results in the original order."""
    parts, rows = [], []
    expected: Any = None
    for code, task_rows in rows_by_task(codes):
        part = function(code, task_rows)
        # Concatenation aligns data frames by column name: other names would add columns.
        columns = list(part.columns) if is_frame(part) else part.shape[1]
        if expected not in (None, columns):
            found, before = (
                (shorten(columns), shorten(expected))
                if is_frame(part)
                else (f"{columns} columns", f"{expected}")
            )
            raise ValueError(
                f"The transformer gives {found} for task {tasks[code]!r}, but {before} for the "
                f"tasks before it. {SAME_COLUMNS}"
            )
        expected = columns
        parts.append(part)
        rows.append(task_rows)
    return take_rows(stack_rows(parts), np.argsort(np.concatenate(rows)))
