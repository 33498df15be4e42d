"""The methods of benchmarks.tour, in the order of its table."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from benchmarks import _tuning
from benchmarks._tuning import one_for_all_or_each
from benchmarks.school import Method
from skmtl import (
    BlockSparseRegressor,
    CappedBlockSparseRegressor,
    ClusteredTaskRegressor,
    DirtyModelRegressor,
    FusedTaskRegressor,
    GraphRegularizedRegressor,
    GroupOverlapRegressor,
    IndependentTaskRegressor,
    LowRankRegressor,
    MultiTaskRegressor,
    PooledTaskRegressor,
    RobustTaskRegressor,
    SparseLowRankRegressor,
    SparseTaskRelationRegressor,
    TaskRelationRegressor,
    TreeGuidedRegressor,
)
from skmtl.model_selection import path
from skmtl.penalties import L21, Superposition, TraceNorm

Array = NDArray[Any]

# The first fit, where next to nothing is learned, only says where the grid begins.
_TOP_TOL = 1e-2


def alphas(estimator: Any, X: Array, y: Array) -> Array:
    """Strengths in steps of 10^(1/3), from the top of the estimator's own grid, seven decades."""
    top = path(clone(estimator).set_params(tol=_TOP_TOL), X, y, alphas=1)[0][0]
    return np.array(top * 10.0 ** (-np.arange(22) / 3))


PATH = _tuning.Path(alphas, patience=2, rise=0.01)

INDEPENDENT, POOLED = "independent", "pooled"
BASELINES = (INDEPENDENT, POOLED)

# The first value of each grid is what --quick takes.
METHODS = {
    INDEPENDENT: Method(IndependentTaskRegressor, PATH, {}, {}, one_for_all_or_each),
    POOLED: Method(PooledTaskRegressor, PATH, {}, {}),
    "block-sparse": Method(BlockSparseRegressor, PATH, {}, {}),
    "capped block-sparse": Method(
        CappedBlockSparseRegressor, PATH, {}, {"penalty": ("capped", "mcp")}
    ),
    "dirty model": Method(DirtyModelRegressor, PATH, {}, {"norm": ("l2", "linf")}),
    "tree-guided": Method(TreeGuidedRegressor, PATH, {}, {}),
    "low rank": Method(LowRankRegressor, PATH, {}, {}),
    "sparse + low rank": Method(SparseLowRankRegressor, PATH, {}, {}),
    # W = P + Q of shared features and shared directions; of equal weights Q alone would be left.
    "block-sparse + low rank": Method(
        MultiTaskRegressor, PATH, {"penalty": Superposition(L21(0.5), TraceNorm(1.0))}, {}
    ),
    "robust": Method(RobustTaskRegressor, PATH, {}, {"structure": ("low_rank", "block")}),
    "group overlap": Method(GroupOverlapRegressor, PATH, {}, {}),
    "clustered": Method(
        ClusteredTaskRegressor,
        PATH,
        {"between": 0.1},
        {"n_clusters": (2, 5), "mean": (0.0, 0.1)},
    ),
    "relation": Method(TaskRelationRegressor, PATH, {}, {"ridge": (0.0, 1.0)}),
    "sparse relation": Method(SparseTaskRelationRegressor, PATH, {}, {"sparsity": (0.1, 0.03)}),
    "graph": Method(GraphRegularizedRegressor, PATH, {"graph": "complete"}, {"ridge": (0.1, 0.01)}),
    "fused": Method(FusedTaskRegressor, PATH, {}, {"sparse": (0.1, 0.0)}),
}


def parameters(method: Method, *, ordered: bool, means: Array) -> dict[str, Any]:
    """What a method does not choose.

    Neighbours are those in the order of the tasks where they have one. Otherwise a graph joins
    every two tasks; a chain, along which coefficients are to be equal, follows the means of y.
    """
    if method.estimator is GraphRegularizedRegressor and ordered:
        return method.fixed | {"graph": "chain"}
    if method.estimator is FusedTaskRegressor and not ordered:
        return method.fixed | {"order": np.argsort(means)}
    return method.fixed
