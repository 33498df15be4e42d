"""Splitters, regularisation paths, and estimators that select their own alpha."""

from skmtl.model_selection._alpha import alpha_max, check_estimator
from skmtl.model_selection._alpha_search import AlphaSearchCV
from skmtl.model_selection._alpha_search_ic import AlphaSearchIC
from skmtl.model_selection._convert import convert_alpha
from skmtl.model_selection._criterion import InformationCriterion
from skmtl.model_selection._cv_block_sparse import BlockSparseClassifierCV, BlockSparseRegressorCV
from skmtl.model_selection._cv_clustered import ClusteredTaskClassifierCV, ClusteredTaskRegressorCV
from skmtl.model_selection._cv_folds import make_folds, rows_of_data
from skmtl.model_selection._cv_relation import TaskRelationClassifierCV, TaskRelationRegressorCV
from skmtl.model_selection._delegation import Delegation
from skmtl.model_selection._path import block_sparse_path, path
from skmtl.model_selection._safe_transfer import (
    SafeTransferClassifier,
    SafeTransferRegressor,
)
from skmtl.model_selection._split import RepeatedStratifiedTaskKFold, StratifiedTaskKFold
from skmtl.model_selection._structure_display import StructureSearchDisplay
from skmtl.model_selection._structure_results import (
    NestedEstimate,
    StructureResults,
    StructureScore,
)
from skmtl.model_selection._structure_search import (
    StructureSearchClassifierCV,
    StructureSearchRegressorCV,
)

__all__ = [
    "AlphaSearchCV",
    "AlphaSearchIC",
    "BlockSparseClassifierCV",
    "BlockSparseRegressorCV",
    "ClusteredTaskClassifierCV",
    "ClusteredTaskRegressorCV",
    "InformationCriterion",
    "NestedEstimate",
    "RepeatedStratifiedTaskKFold",
    "SafeTransferClassifier",
    "SafeTransferRegressor",
    "StratifiedTaskKFold",
    "StructureResults",
    "StructureScore",
    "StructureSearchClassifierCV",
    "StructureSearchDisplay",
    "StructureSearchRegressorCV",
    "TaskRelationClassifierCV",
    "TaskRelationRegressorCV",
    "alpha_max",
    "block_sparse_path",
    "convert_alpha",
    "path",
    # For the packages above only.
    "Delegation",
    "check_estimator",
    "make_folds",
    "rows_of_data",
]
