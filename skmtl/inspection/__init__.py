"""Inspection of fitted models: importances, relations of tasks, and the gain from sharing."""

from skmtl.inspection._affinity import task_affinity
from skmtl.inspection._affinity_display import TaskAffinityDisplay
from skmtl.inspection._affinity_result import TaskAffinity
from skmtl.inspection._auxiliary import AuxiliaryTasks, select_auxiliary_tasks
from skmtl.inspection._coefficient_display import CoefficientDisplay
from skmtl.inspection._convergence_display import ConvergenceDisplay
from skmtl.inspection._fitted import FittedTasks, feature_names, largest
from skmtl.inspection._grouping import TaskGroups, group_tasks
from skmtl.inspection._importance import column_importance
from skmtl.inspection._path_display import PathDisplay
from skmtl.inspection._relation_display import TaskRelationDisplay
from skmtl.inspection._sparsity_display import BlockSparsityDisplay
from skmtl.inspection._transfer import transfer_gain
from skmtl.inspection._transfer_display import TransferGainDisplay
from skmtl.inspection._transfer_models import find_last, find_task_column
from skmtl.inspection._transfer_result import TransferGain, holm

__all__ = [
    "AuxiliaryTasks",
    "BlockSparsityDisplay",
    "CoefficientDisplay",
    "ConvergenceDisplay",
    "PathDisplay",
    "TaskAffinity",
    "TaskAffinityDisplay",
    "TaskGroups",
    "TaskRelationDisplay",
    "TransferGain",
    "TransferGainDisplay",
    "column_importance",
    "group_tasks",
    "select_auxiliary_tasks",
    "task_affinity",
    "transfer_gain",
    # For the packages above only.
    "FittedTasks",
    "feature_names",
    "find_last",
    "find_task_column",
    "holm",
    "largest",
]
