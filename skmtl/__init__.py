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

__all__ = [
    "BlockSparseClassifier",
    "BlockSparseRegressor",
    "ClusteredTaskClassifier",
    "ClusteredTaskRegressor",
    "IndependentTaskClassifier",
    "IndependentTaskRegressor",
    "PooledTaskClassifier",
    "PooledTaskRegressor",
    "TaskRelationClassifier",
    "TaskRelationRegressor",
    "__version__",
]
