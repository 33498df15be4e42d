"""Estimators, one family a file."""

from skmtl.estimators._block_sparse import BlockSparseClassifier, BlockSparseRegressor
from skmtl.estimators._independent import IndependentTaskClassifier, IndependentTaskRegressor
from skmtl.estimators._pooled import PooledTaskClassifier, PooledTaskRegressor

__all__ = [
    "BlockSparseClassifier",
    "BlockSparseRegressor",
    "IndependentTaskClassifier",
    "IndependentTaskRegressor",
    "PooledTaskClassifier",
    "PooledTaskRegressor",
]
