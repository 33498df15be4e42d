"""Estimators, one family a file, over a shared fit and one tuning engine."""

from skmtl.estimators._block_sparse import BlockSparseClassifier, BlockSparseRegressor
from skmtl.estimators._capped import CappedBlockSparseClassifier, CappedBlockSparseRegressor
from skmtl.estimators._clustered import ClusteredTaskClassifier, ClusteredTaskRegressor
from skmtl.estimators._dirty import DirtyModelClassifier, DirtyModelRegressor
from skmtl.estimators._feature_groups import read_feature_groups
from skmtl.estimators._feature_weight import read_feature_weight
from skmtl.estimators._fused import FusedTaskClassifier, FusedTaskRegressor
from skmtl.estimators._graph_regularized import (
    GraphRegularizedClassifier,
    GraphRegularizedRegressor,
)
from skmtl.estimators._group_overlap import GroupOverlapClassifier, GroupOverlapRegressor
from skmtl.estimators._independent import IndependentTaskClassifier, IndependentTaskRegressor
from skmtl.estimators._low_rank import LowRankClassifier, LowRankRegressor
from skmtl.estimators._multi_task import MultiTaskClassifier, MultiTaskRegressor
from skmtl.estimators._nonconvex import (
    INNER,
    NonConvexEstimator,
    StagedFit,
    Stages,
    descend,
    is_lower,
)
from skmtl.estimators._pooled import PooledTaskClassifier, PooledTaskRegressor
from skmtl.estimators._relation import TaskRelationClassifier, TaskRelationRegressor
from skmtl.estimators._robust import RobustTaskClassifier, RobustTaskRegressor
from skmtl.estimators._signs import read_positive
from skmtl.estimators._sparse_low_rank import SparseLowRankClassifier, SparseLowRankRegressor
from skmtl.estimators._sparse_relation import (
    SparseTaskRelationClassifier,
    SparseTaskRelationRegressor,
)
from skmtl.estimators._tree_guided import TreeGuidedClassifier, TreeGuidedRegressor
from skmtl.estimators.base import (
    SILENT,
    Beside,
    CallbackSupportMixin,
    Fit,
    FitTask,
    QuickValidation,
    Report,
    Restored,
    TaskClassifier,
    TaskEstimator,
    TaskRegressor,
    absent,
    around_prior,
    completed,
    estimator,
    fit_as,
    follow,
    linear_predictor,
    parameter,
    strength,
)
from skmtl.estimators.tuning import (
    Fold,
    HeldOutLoss,
    HeldOutScore,
    Measure,
    NoFiniteAlpha,
    PathScores,
    Search,
    choose,
    follow_path,
    grid_ratio,
    make_grid,
    part_folds,
    predict_folds,
    prepare_objective,
    ridge_grid,
    score_paths,
    search_grids,
    stopped_too_early,
    top_alpha,
)

__all__ = [
    "INNER",
    "SILENT",
    "Beside",
    "BlockSparseClassifier",
    "BlockSparseRegressor",
    "CallbackSupportMixin",
    "CappedBlockSparseClassifier",
    "CappedBlockSparseRegressor",
    "ClusteredTaskClassifier",
    "ClusteredTaskRegressor",
    "DirtyModelClassifier",
    "DirtyModelRegressor",
    "Fit",
    "FitTask",
    "Fold",
    "FusedTaskClassifier",
    "FusedTaskRegressor",
    "GraphRegularizedClassifier",
    "GraphRegularizedRegressor",
    "GroupOverlapClassifier",
    "GroupOverlapRegressor",
    "HeldOutLoss",
    "HeldOutScore",
    "IndependentTaskClassifier",
    "IndependentTaskRegressor",
    "LowRankClassifier",
    "LowRankRegressor",
    "Measure",
    "MultiTaskClassifier",
    "MultiTaskRegressor",
    "NonConvexEstimator",
    "PathScores",
    "PooledTaskClassifier",
    "PooledTaskRegressor",
    "QuickValidation",
    "Report",
    "Restored",
    "RobustTaskClassifier",
    "RobustTaskRegressor",
    "Search",
    "SparseLowRankClassifier",
    "SparseLowRankRegressor",
    "SparseTaskRelationClassifier",
    "SparseTaskRelationRegressor",
    "StagedFit",
    "Stages",
    "TaskClassifier",
    "TaskEstimator",
    "TaskRegressor",
    "TaskRelationClassifier",
    "TaskRelationRegressor",
    "TreeGuidedClassifier",
    "TreeGuidedRegressor",
    "absent",
    "around_prior",
    "completed",
    "choose",
    "descend",
    "estimator",
    "fit_as",
    "follow",
    "follow_path",
    "grid_ratio",
    "is_lower",
    "linear_predictor",
    "make_grid",
    "parameter",
    "part_folds",
    "predict_folds",
    "prepare_objective",
    "read_feature_groups",
    "read_feature_weight",
    "read_positive",
    "ridge_grid",
    "score_paths",
    "search_grids",
    "stopped_too_early",
    "strength",
    "NoFiniteAlpha",
    "top_alpha",
]
