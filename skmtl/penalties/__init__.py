"""Penalties on the coefficients W (n_features, n_tasks): formula, prox, dual, cvxpy form."""

from skmtl.penalties._base import Penalty, PenaltySum, Quadratic
from skmtl.penalties._entries import L1
from skmtl.penalties._quadratic import Ridge
from skmtl.penalties._rows import L21, L1Inf
from skmtl.penalties._spectral import ClusterNorm, SquaredTraceNorm, TraceNorm
from skmtl.penalties._tasks import TaskGroup

__all__ = [
    "L1",
    "L21",
    "ClusterNorm",
    "L1Inf",
    "Penalty",
    "PenaltySum",
    "Quadratic",
    "Ridge",
    "SquaredTraceNorm",
    "TaskGroup",
    "TraceNorm",
]
