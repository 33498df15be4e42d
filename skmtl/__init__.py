"""Classical multi-task learning for scikit-learn users: exact, certified, fast."""

from skmtl._version import __version__
from skmtl.estimators import (
    BlockSparseClassifier,
    BlockSparseRegressor,
    ClusteredTaskClassifier,
    ClusteredTaskRegressor,
    IndependentTaskClassifier,
    IndependentTaskRegressor,
    PooledTaskClassifier,
    PooledTaskRegressor,
    TaskRelationClassifier,
    TaskRelationRegressor,
)
from skmtl.model_selection import (
    BlockSparseClassifierCV,
    BlockSparseRegressorCV,
    ClusteredTaskClassifierCV,
    ClusteredTaskRegressorCV,
    TaskRelationClassifierCV,
    TaskRelationRegressorCV,
)

__all__ = [
    "BlockSparseClassifier",
    "BlockSparseClassifierCV",
    "BlockSparseRegressor",
    "BlockSparseRegressorCV",
    "ClusteredTaskClassifier",
    "ClusteredTaskClassifierCV",
    "ClusteredTaskRegressor",
    "ClusteredTaskRegressorCV",
    "IndependentTaskClassifier",
    "IndependentTaskRegressor",
    "PooledTaskClassifier",
    "PooledTaskRegressor",
    "TaskRelationClassifier",
    "TaskRelationClassifierCV",
    "TaskRelationRegressor",
    "TaskRelationRegressorCV",
    "__version__",
]
