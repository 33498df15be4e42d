"""Penalties on the coefficients W (n_features, n_tasks): formula, prox, dual, cvxpy form."""

from skmtl.penalties._base import Composite, Penalty, PenaltySum, Quadratic
from skmtl.penalties._by_feature import ChosenEntries, Positive, WeightedRows
from skmtl.penalties._cluster import ClusterNorm
from skmtl.penalties._concave import RowConcave, RowMajoriser
from skmtl.penalties._coupling import TaskQuadratic
from skmtl.penalties._entries import L1
from skmtl.penalties._factored import FactoredPenalty
from skmtl.penalties._fused import FusedTasks
from skmtl.penalties._graph import GraphTotalVariation
from skmtl.penalties._groups import FeatureGroups
from skmtl.penalties._pairwise import PairwiseFusion
from skmtl.penalties._quadratic import Ridge
from skmtl.penalties._relaxed import RelaxedClusterNorm
from skmtl.penalties._rows import L21, L1Inf
from skmtl.penalties._sparse_group import SparseGroup
from skmtl.penalties._split import split
from skmtl.penalties._squared_trace import SquaredTraceNorm
from skmtl.penalties._superposition import Superposition
from skmtl.penalties._task_precision import TaskPrecision
from skmtl.penalties._tasks import TaskGroup
from skmtl.penalties._terms import Terms
from skmtl.penalties._trace import TraceNorm
from skmtl.penalties._tree import TreeGroup

__all__ = [
    "L1",
    "L21",
    "ChosenEntries",
    "ClusterNorm",
    "Composite",
    "FactoredPenalty",
    "FeatureGroups",
    "FusedTasks",
    "GraphTotalVariation",
    "L1Inf",
    "PairwiseFusion",
    "Penalty",
    "PenaltySum",
    "Positive",
    "Quadratic",
    "RelaxedClusterNorm",
    "Ridge",
    "RowConcave",
    "RowMajoriser",
    "SparseGroup",
    "SquaredTraceNorm",
    "Superposition",
    "TaskGroup",
    "TaskPrecision",
    "TaskQuadratic",
    "Terms",
    "TraceNorm",
    "TreeGroup",
    "WeightedRows",
    "split",
]
