"""Estimators, one family a file."""

from skmtl.estimators._block_sparse import BlockSparseClassifier, BlockSparseRegressor
from skmtl.estimators._clustered import ClusteredTaskClassifier, ClusteredTaskRegressor
from skmtl.estimators._independent import IndependentTaskClassifier, IndependentTaskRegressor
from skmtl.estimators._pooled import PooledTaskClassifier, PooledTaskRegressor
from skmtl.estimators._relation import TaskRelationClassifier, TaskRelationRegressor

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
]
