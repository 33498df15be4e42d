"""Penalties of every kind for MultiTaskRegressor, and a small problem."""

import numpy as np
import scipy.sparse as sp

from skmtl.penalties import (
    L1,
    L21,
    FusedTasks,
    GraphTotalVariation,
    L1Inf,
    Ridge,
    SquaredTraceNorm,
    Superposition,
    TaskGroup,
    TaskQuadratic,
    TraceNorm,
)

CHAIN = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 2.0], [0.0, 2.0, 0.0]])
LAPLACIAN = np.diag(CHAIN.sum(axis=0)) - CHAIN
COMPLETE = np.eye(3) - 1 / 3

PENALTIES = {
    "dirty": Superposition(L21(), L1(0.7)),
    "dirty-linf": Superposition(L1Inf(), L1(0.6)),
    "robust": Superposition(TraceNorm(), TaskGroup(0.8)),
    "three-parts": Superposition(TraceNorm(), L21(0.9), L1(0.7)) + Ridge(0.2),
    "squared-part": Superposition(SquaredTraceNorm(), L1(0.7)),
    "ridge-part": Superposition(Ridge(), L1(0.5)),
    "sum": L1(0.3) + TraceNorm(0.5),
    "sum-on-rows": L1(0.3) + L21(0.4) + Ridge(0.1),
    "sum-on-a-chain": L1(0.1) + FusedTasks(0.3) + L21(0.2),
    "sum-of-three": L21(0.2) + TraceNorm(0.3) + L1(0.2) + Ridge(0.1),
    "sum-with-square": SquaredTraceNorm(0.5) + L1(0.4),
    "sum-with-coupling": L1(0.2) + TaskQuadratic(LAPLACIAN, 0.5) + L1Inf(0.2) + Ridge(0.1),
    "graph-variation": GraphTotalVariation(CHAIN, 0.4),
    "sparse-variation": GraphTotalVariation(sp.csr_matrix(CHAIN), 0.3) + L21(0.2),
    "mean-regularised": TaskQuadratic(COMPLETE),
    "graph-ridge": TaskQuadratic(LAPLACIAN) + Ridge(0.3),
    "graph-block": TaskQuadratic(LAPLACIAN) + L21(0.4),
}


def small(seed=0, n=50, d=6, n_tasks=3):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    W = rng.normal(size=(d, n_tasks)) * (np.arange(d) < 3)[:, None]
    return X, X @ W + rng.normal(size=(n, n_tasks)), rng
