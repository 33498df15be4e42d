"""The conversions of docs/coming_from: our fits minimise the objectives of other packages.

Each case states the objective of a function of MALSAR or RMTL literally, in cvxpy.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest

from skmtl import (
    BlockSparseClassifier,
    BlockSparseRegressor,
    CappedBlockSparseRegressor,
    ClusteredTaskRegressor,
    DirtyModelClassifier,
    DirtyModelRegressor,
    FusedTaskRegressor,
    GraphRegularizedClassifier,
    GraphRegularizedRegressor,
    LowRankRegressor,
    MultiTaskRegressor,
    RobustTaskRegressor,
    SparseLowRankRegressor,
)
from skmtl.penalties import L1, Ridge, TraceNorm
from skmtl.preprocessing import stack_tasks

cp = pytest.importorskip("cvxpy")

SIZES, N_FEATURES = (25, 40, 31, 36), 5
N_TASKS, MEAN_SIZE = len(SIZES), np.mean(SIZES)
R = np.zeros((N_TASKS, N_TASKS - 1))
R[np.arange(N_TASKS - 1), np.arange(N_TASKS - 1)] = 1
R[np.arange(1, N_TASKS), np.arange(N_TASKS - 1)] = -1


def make_lists():
    """Rows and labels of each task, as in the other packages."""
    rng = np.random.default_rng(0)
    W = rng.normal(size=(N_FEATURES, N_TASKS))
    W[3] = 0
    Xs = [rng.normal(size=(n, N_FEATURES)) for n in SIZES]
    return Xs, [X @ w + rng.normal(size=len(X)) for X, w in zip(Xs, W.T, strict=True)]


XS, YS = make_lists()
SIGNS = [np.where(y > 0, 1.0, -1.0) for y in YS]


def half_squares(W, b):
    return sum(
        cp.sum_squares(y - X @ W[:, t] - b[t]) / 2
        for t, (X, y) in enumerate(zip(XS, YS, strict=True))
    )


def mean_half_squares(W, b):
    return sum(
        cp.sum_squares(y - X @ W[:, t] - b[t]) / (2 * len(y))
        for t, (X, y) in enumerate(zip(XS, YS, strict=True))
    )


def mean_logistic(W, b):
    return sum(
        cp.sum(cp.logistic(-cp.multiply(y, X @ W[:, t] + b[t]))) / len(y)
        for t, (X, y) in enumerate(zip(XS, SIGNS, strict=True))
    )


def relaxed_clusters(W, rho1, rho2, k):
    """rho1 eta (1 + eta) tr(W (eta I + M)^-1 W') for eta = rho2 / rho1, and constraints on M."""
    eta = rho2 / rho1
    M = cp.Variable((N_TASKS, N_TASKS), PSD=True)
    inside = eta * np.eye(N_TASKS) + M
    value = sum(cp.matrix_frac(W[j], inside) for j in range(N_FEATURES))
    return rho1 * eta * (1 + eta) * value, [M << np.eye(N_TASKS), cp.trace(M) == k]


def rows(W):
    return cp.sum(cp.norm(W, 2, axis=1))


def entries(W):
    return cp.sum(cp.abs(W))


class Stated(NamedTuple):
    """An objective: factor times the loss, plus the penalty."""

    loss: Callable
    penalty: Callable
    factor: float = 1.0


def malsar(stated):
    """W at the minimum of an objective of MALSAR, whose squared losses have no intercept."""
    intercept = stated.loss is mean_logistic
    return minimise(stated.loss, stated.penalty, intercept, stated.factor)


def minimise(loss, penalty, intercept, factor=1.0):
    W = cp.Variable((N_FEATURES, N_TASKS))
    b = cp.Variable(N_TASKS) if intercept else np.zeros(N_TASKS)
    term = penalty(W)
    value, constraints = term if isinstance(term, tuple) else (term, [])
    cp.Problem(cp.Minimize(factor * loss(W, b) + value), constraints).solve(
        solver=cp.CLARABEL, tol_gap_abs=1e-10, tol_gap_rel=1e-10, tol_feas=1e-10
    )
    return W.value


def parted(first, second):
    """A penalty on each of two parts of W."""

    def penalty(W):
        P, Q = cp.Variable(W.shape), cp.Variable(W.shape)
        return first(P) + second(Q), [W == P + Q]

    return penalty


n = MEAN_SIZE
MALSAR = {
    "Least_Lasso": (
        MultiTaskRegressor(3 / n, penalty=L1()),
        Stated(half_squares, lambda W: 3 * entries(W)),
    ),
    "Least_L21": (
        BlockSparseRegressor((7 + 2 * 2) / n, l1_ratio=7 / (7 + 2 * 2)),
        Stated(half_squares, lambda W: 7 * rows(W) + 2 * cp.sum_squares(W)),
    ),
    "Least_Trace": (
        LowRankRegressor(6 / n),
        Stated(half_squares, lambda W: 6 * cp.normNuc(W)),
    ),
    "Least_CMTL": (
        ClusteredTaskRegressor(2 * 4 / n, form="relaxed", n_clusters=2, eta=1 / 4),
        Stated(half_squares, lambda W: relaxed_clusters(W, 4, 1, 2)),
    ),
    "Least_SRMTL": (
        GraphRegularizedRegressor(2 * 3 / n, laplacian=R @ R.T, sparse=2 / (2 * 3)),
        Stated(half_squares, lambda W: 3 * cp.sum_squares(W @ R) + 2 * entries(W)),
    ),
    "Least_TGL": (
        GraphRegularizedRegressor(2 * 3 / n, graph="chain", ridge=2 / 3, block=5 / (2 * 3)),
        Stated(
            half_squares,
            lambda W: 2 * cp.sum_squares(W) + 3 * cp.sum_squares(W @ R) + 5 * rows(W),
        ),
    ),
    "Least_CFGLasso": (
        FusedTaskRegressor(4 / n, sparse=2 / 4, block=3 / 4),
        Stated(half_squares, lambda W: 2 * entries(W) + 4 * entries(W @ R) + 3 * rows(W)),
    ),
    "Least_Dirty": (
        DirtyModelRegressor(20 / (2 * n), private=10 / 20),
        Stated(
            half_squares,
            parted(lambda P: 20 * cp.sum(cp.max(cp.abs(P), axis=1)), lambda Q: 10 * entries(Q)),
            factor=2,
        ),
    ),
    "Least_RMTL": (
        RobustTaskRegressor(20 / (2 * n), outlier=15 / 20),
        Stated(
            half_squares,
            parted(lambda P: 20 * cp.normNuc(P), lambda Q: 15 * rows(Q.T)),
            factor=2,
        ),
    ),
    "Least_rMTFL": (
        RobustTaskRegressor(20 / (2 * n), structure="block", outlier=18 / 20),
        Stated(half_squares, parted(lambda P: 20 * rows(P), lambda Q: 18 * rows(Q.T)), factor=2),
    ),
    "Logistic_L21": (
        BlockSparseClassifier(0.1 + 2 * 0.02, l1_ratio=0.1 / (0.1 + 2 * 0.02)),
        Stated(mean_logistic, lambda W: 0.1 * rows(W) + 0.02 * cp.sum_squares(W)),
    ),
    "Logistic_TGL": (
        GraphRegularizedClassifier(2 * 0.1, graph="chain", ridge=0.05 / 0.1, block=0.1 / 0.2),
        Stated(
            mean_logistic,
            lambda W: 0.05 * cp.sum_squares(W) + 0.1 * cp.sum_squares(W @ R) + 0.1 * rows(W),
        ),
    ),
    "Logistic_Dirty": (
        DirtyModelClassifier(0.2, private=0.1 / 0.2),
        Stated(
            mean_logistic,
            parted(lambda P: 0.2 * cp.sum(cp.max(cp.abs(P), axis=1)), lambda Q: 0.1 * entries(Q)),
        ),
    ),
}
RMTL = {
    "L21": (
        BlockSparseRegressor(0.3 + 2 * 0.1, l1_ratio=0.3 / (0.3 + 2 * 0.1)),
        lambda W: 0.3 * rows(W) + 0.1 * cp.sum_squares(W),
    ),
    "Lasso": (
        MultiTaskRegressor(penalty=L1(0.1) + Ridge(2 * 0.1)),
        lambda W: 0.1 * entries(W) + 0.1 * cp.sum_squares(W),
    ),
    "Trace": (
        MultiTaskRegressor(penalty=TraceNorm(0.2) + Ridge(2 * 0.1)),
        lambda W: 0.2 * cp.normNuc(W) + 0.1 * cp.sum_squares(W),
    ),
    "Graph": (
        GraphRegularizedRegressor(2 * 0.3, laplacian=R @ R.T, ridge=0.1 / 0.3),
        lambda W: 0.3 * cp.sum_squares(W @ R) + 0.1 * cp.sum_squares(W),
    ),
    "CMTL": (
        ClusteredTaskRegressor(2 * 0.3, form="relaxed", n_clusters=2, eta=0.1 / 0.3),
        lambda W: relaxed_clusters(W, 0.3, 0.1, 2),
    ),
}


@pytest.mark.turns(2)
@pytest.mark.parametrize("name", MALSAR)
def test_malsar(name):
    model, stated = MALSAR[name]
    X, y = stack_tasks(XS, SIGNS if name.startswith("Logistic") else YS)
    model.set_params(task_column=-1, tol=1e-9)
    if name.startswith("Logistic"):
        model.set_params(task_weight="balanced")
    else:
        model.set_params(fit_intercept=False)
    assert np.allclose(model.fit(X, y).coef_.T, malsar(stated), atol=1e-4)


@pytest.mark.parametrize("name", RMTL)
def test_rmtl(name):
    model, penalty = RMTL[name]
    X, y = stack_tasks(XS, YS)
    model.set_params(task_column=-1, tol=1e-9, task_weight="balanced")
    W = minimise(mean_half_squares, penalty, intercept=True)
    assert np.allclose(model.fit(X, y).coef_.T, W, atol=1e-4)


def test_least_sparse_trace_bounds_the_trace_norm_of_our_fit():
    # Least_SparseTrace bounds the trace norm of one part by tau; its squared loss has no half.
    X, y = stack_tasks(XS, YS)
    model = SparseLowRankRegressor(
        0.5, sparse=0.6, fit_intercept=False, task_column=-1, tol=1e-10
    ).fit(X, y)
    gamma = 2 * n * 0.5 * 0.6
    tau = np.linalg.norm(model.shared_coef_, "nuc")
    assert tau > 0 and model.task_coef_.any()

    def penalty(W):
        P, Q = cp.Variable(W.shape), cp.Variable(W.shape)
        return gamma * entries(P), [W == P + Q, cp.normNuc(Q) <= tau]

    W = malsar(Stated(half_squares, penalty, factor=2))
    assert np.allclose(model.coef_.T, W, atol=1e-3)


def test_least_msmtfl_stops_at_a_stationary_point_of_its_objective():
    # Given which rows exceed theta, Least_msmtfl_capL1 solves a weighted lasso without the half.
    X, y = stack_tasks(XS, YS)
    penalty, theta = 30.0, 1.0
    model = CappedBlockSparseRegressor(
        penalty / (2 * n), threshold=theta, fit_intercept=False, task_column=-1, tol=1e-9
    ).fit(X, y)
    small = np.abs(model.coef_).sum(axis=0) < theta
    assert small.any() and not small.all()
    W = malsar(Stated(half_squares, lambda W: penalty * cp.sum(small @ cp.abs(W)), factor=2))
    assert np.allclose(model.coef_.T, W, atol=1e-4)
