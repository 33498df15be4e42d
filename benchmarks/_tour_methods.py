"""The methods of benchmarks.tour, in the order of its table."""

from typing import Any

import numpy as np
from sklearn.base import clone

from benchmarks._methods import Method, by_name
from benchmarks._tuning import Array, Path, one_for_all_or_each
from skmtl.model_selection import path
from skmtl.penalties import L21, Superposition, TraceNorm

# The first fit, with coefficients close to zero, only determines where the grid begins.
_TOP_TOL = 1e-2


def alphas(estimator: Any, X: Array, y: Array) -> Array:
    """Seven decades of strengths in steps of 10^(1/3), from the default grid's largest down."""
    top = path(clone(estimator).set_params(tol=_TOP_TOL), X, y, alphas=1)[0][0]
    return np.array(top * 10.0 ** (-np.arange(22) / 3))


PATH = Path(alphas, patience=2, rise=0.01)

INDEPENDENT, POOLED, GRAPH, FUSED = "independent", "pooled", "graph", "fused"
BASELINES = (INDEPENDENT, POOLED)

# Shared features and shared directions; with equal weights only the directions would remain.
_ROWS_AND_RANK = Superposition(L21(0.5), TraceNorm(1.0))
METHODS = by_name(
    Method(INDEPENDENT, "IndependentTask", PATH, rule=one_for_all_or_each),
    Method(POOLED, "PooledTask", PATH),
    Method("block-sparse", "BlockSparse", PATH),
    Method("capped block-sparse", "CappedBlockSparse", PATH, grid={"penalty": ("capped", "mcp")}),
    Method("pretrained", "PretrainedTask", PATH, grid={"pretraining": (0.5, 0.25, 0.75)}),
    Method("dirty model", "DirtyModel", PATH, grid={"norm": ("l2", "linf")}),
    Method("tree-guided", "TreeGuided", PATH),
    Method("low rank", "LowRank", PATH),
    Method("sparse + low rank", "SparseLowRank", PATH),
    Method("block-sparse + low rank", "MultiTask", PATH, fixed={"penalty": _ROWS_AND_RANK}),
    Method("robust", "RobustTask", PATH, grid={"structure": ("low_rank", "block")}),
    Method("group overlap", "GroupOverlap", PATH),
    Method(
        "clustered",
        "ClusteredTask",
        PATH,
        fixed={"between": 0.1},
        grid={"n_clusters": (2, 5), "mean": (0.0, 0.1)},
    ),
    Method("relation", "TaskRelation", PATH, grid={"ridge": (0.0, 1.0)}),
    Method("sparse relation", "SparseTaskRelation", PATH, grid={"sparsity": (0.1, 0.03)}),
    Method(
        GRAPH, "GraphRegularized", PATH, fixed={"graph": "complete"}, grid={"ridge": (0.1, 0.01)}
    ),
    Method(FUSED, "FusedTask", PATH, grid={"sparse": (0.1, 0.0)}),
)


def parameters(method: Method, *, ordered: bool, means: Array) -> dict[str, Any]:
    """The fixed parameters of a method.

    If the order of the tasks is meaningful, consecutive tasks are neighbours. Otherwise the graph
    is complete, and the chain of the fused penalty orders the tasks by their means of y.
    """
    if method.name == GRAPH and ordered:
        return method.fixed | {"graph": "chain"}
    if method.name == FUSED and not ordered:
        return method.fixed | {"order": np.argsort(means)}
    return method.fixed
