"""Validation of users' arrays, and the linear maps that they define."""

from skmtl.design._aside import (
    ColumnsAside,
    locate_columns,
    select_features,
    values_of,
    without_columns,
)
from skmtl.design._base import Design
from skmtl.design._batch_reader import BatchReader
from skmtl.design._class_reader import ClassReader
from skmtl.design._column_gram import ColumnGram
from skmtl.design._companions import (
    Companions,
    JoinedTasks,
    join_columns,
    join_rows,
    join_rows_in_columns,
)
from skmtl.design._containers import (
    fill_mask,
    fill_missing,
    from_arrow,
    has_bounded_squares,
    is_frame,
    refuse_mask,
)
from skmtl.design._data import GroupStrengths, TaskData, task_factors
from skmtl.design._elimination import newton_direction
from skmtl.design._given_sums import statistics_from_sums
from skmtl.design._labels import (
    align_frames,
    as_floats,
    as_label_array,
    fitted_within,
    read_indicators,
    read_scored,
    read_weights,
    refuse_missing,
    task_names,
)
from skmtl.design._moments import Moments
from skmtl.design._names import (
    align_columns,
    check_columns,
    describe_names,
    entries_by_name,
    in_task_order,
    index_of,
)
from skmtl.design._new_tasks import append_tasks, read_new_tasks
from skmtl.design._observed import ObservedDesign, select_observed
from skmtl.design._offset import feature_names, feature_positions, listed_offsets, spread_offset
from skmtl.design._parts import Parts, as_parts, check_statistics
from skmtl.design._passes import Additive, BatchPasses, Passes, PassWork
from skmtl.design._pooled import PooledDesign
from skmtl.design._rotation import TaskRotation
from skmtl.design._rounding import CONSTANT, has_cancelled, tasks_cancelled
from skmtl.design._shared import SharedDesign
from skmtl.design._stacked import StackedDesign
from skmtl.design._statistics import TaskStatistics
from skmtl.design._summary import TaskSummary
from skmtl.design._tasks import (
    MASKED_FEATURES,
    UNKNOWN,
    encode_tasks,
    locate_task_column,
    look_up_tasks,
    read_ids,
    rows_by_task,
    split_task_column,
)
from skmtl.design._validation import (
    read_classification,
    read_columns,
    read_features,
    read_prediction,
    read_regression,
    warn_of_unweighted,
    weigh_classes,
)

__all__ = [
    "CONSTANT",
    "Additive",
    "align_columns",
    "MASKED_FEATURES",
    "UNKNOWN",
    "BatchPasses",
    "BatchReader",
    "ClassReader",
    "ColumnGram",
    "ColumnsAside",
    "Companions",
    "Design",
    "GroupStrengths",
    "JoinedTasks",
    "Moments",
    "ObservedDesign",
    "Parts",
    "PassWork",
    "Passes",
    "PooledDesign",
    "SharedDesign",
    "StackedDesign",
    "TaskData",
    "TaskRotation",
    "TaskStatistics",
    "TaskSummary",
    "align_frames",
    "append_tasks",
    "as_floats",
    "as_label_array",
    "as_parts",
    "check_columns",
    "check_statistics",
    "describe_names",
    "encode_tasks",
    "entries_by_name",
    "fill_mask",
    "feature_names",
    "feature_positions",
    "fill_missing",
    "fitted_within",
    "from_arrow",
    "has_bounded_squares",
    "has_cancelled",
    "in_task_order",
    "index_of",
    "is_frame",
    "join_columns",
    "join_rows",
    "join_rows_in_columns",
    "listed_offsets",
    "locate_columns",
    "locate_task_column",
    "look_up_tasks",
    "newton_direction",
    "read_classification",
    "read_columns",
    "read_features",
    "read_ids",
    "read_new_tasks",
    "read_indicators",
    "read_prediction",
    "read_regression",
    "read_scored",
    "read_weights",
    "refuse_mask",
    "refuse_missing",
    "rows_by_task",
    "select_features",
    "select_observed",
    "spread_offset",
    "split_task_column",
    "statistics_from_sums",
    "task_factors",
    "task_names",
    "tasks_cancelled",
    "values_of",
    "warn_of_unweighted",
    "weigh_classes",
    "without_columns",
]
