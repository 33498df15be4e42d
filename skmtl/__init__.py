"""Classical multi-task learning for scikit-learn users: exact, certified, fast."""

from skmtl._version import __version__
from skmtl.estimators import (
    BlockSparseClassifier,
    BlockSparseRegressor,
    IndependentTaskClassifier,
    IndependentTaskRegressor,
    PooledTaskClassifier,
    PooledTaskRegressor,
)

__all__ = [
    "BlockSparseClassifier",
    "BlockSparseRegressor",
    "IndependentTaskClassifier",
    "IndependentTaskRegressor",
    "PooledTaskClassifier",
    "PooledTaskRegressor",
    "__version__",
]
