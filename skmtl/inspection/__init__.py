"""Inspection of fitted models: reports, importances, relations of tasks, gains from sharing."""

from skmtl.inspection._affinity import task_affinity
from skmtl.inspection._affinity_display import TaskAffinityDisplay
from skmtl.inspection._affinity_result import TaskAffinity
from skmtl.inspection._auxiliary import AuxiliaryTasks, select_auxiliary_tasks
from skmtl.inspection._coef_frame import coef_frame
from skmtl.inspection._coefficient_display import CoefficientDisplay
from skmtl.inspection._convergence_display import ConvergenceDisplay
from skmtl.inspection._export import to_dict
from skmtl.inspection._fitted import FittedTasks, count_of, feature_names, largest
from skmtl.inspection._grouping import TaskGroups, group_tasks
from skmtl.inspection._importance import column_importance
from skmtl.inspection._linear_model import LinearModel
from skmtl.inspection._path_display import PathDisplay
from skmtl.inspection._relation_display import TaskRelationDisplay
from skmtl.inspection._sparsity_display import BlockSparsityDisplay
from skmtl.inspection._summary import Summary, summary
from skmtl.inspection._task_model import task_model
from skmtl.inspection._transfer import transfer_gain
from skmtl.inspection._transfer_display import TransferGainDisplay
from skmtl.inspection._transfer_models import check_task_column, find_last, find_task_column
from skmtl.inspection._transfer_result import TransferGain, holm

__all__ = [
    "AuxiliaryTasks",
    "BlockSparsityDisplay",
    "CoefficientDisplay",
    "ConvergenceDisplay",
    "PathDisplay",
    "Summary",
    "TaskAffinity",
    "TaskAffinityDisplay",
    "TaskGroups",
    "TaskRelationDisplay",
    "TransferGain",
    "TransferGainDisplay",
    "coef_frame",
    "column_importance",
    "group_tasks",
    "select_auxiliary_tasks",
    "summary",
    "task_affinity",
    "task_model",
    "to_dict",
    "transfer_gain",
    # For the packages above only.
    "FittedTasks",
    "check_task_column",
    "count_of",
    "feature_names",
    "find_last",
    "LinearModel",
    "find_task_column",
    "holm",
    "largest",
]
