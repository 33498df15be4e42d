"""Closed-form fits with tasks removed or added, against the whole linear system."""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skmtl.inspection._related_fit import RelatedTasks
from skmtl.objective import Quadratics

N_TASKS, N_FEATURES = 6, 4


@pytest.fixture(params=["own Gram matrices", "one Gram matrix"])
def problem(request: Any) -> Any:
    rng = np.random.default_rng(0)
    n_grams = N_TASKS if request.param == "own Gram matrices" else 1
    X = rng.standard_normal((n_grams, 9, N_FEATURES))
    y, scales = rng.standard_normal((N_TASKS, 9)), rng.uniform(0.5, 2.0, N_TASKS)
    grams = np.matmul(X.transpose(0, 2, 1), X)
    features = np.broadcast_to(X, (N_TASKS, 9, N_FEATURES))
    linear = np.einsum("tnd,tn->dt", features, y) * scales
    counts = np.full(N_TASKS, 9)
    return Quadratics(grams, scales, linear, 0.0, counts), grams * scales[:, None, None]


def solve(matrices: Any, linear: Any, covariance: Any, present: Any) -> Any:
    """The coefficients from the dense system of all present tasks, in the dual form."""
    present = np.flatnonzero(present)
    H = np.zeros((len(present) * N_FEATURES,) * 2)
    for k, t in enumerate(present):
        block = slice(k * N_FEATURES, (k + 1) * N_FEATURES)
        H[block, block] = matrices[t]
    K = np.kron(covariance[np.ix_(present, present)], np.eye(N_FEATURES))
    force = np.linalg.solve(np.eye(len(H)) + H @ K, linear[:, present].T.ravel())
    return (covariance[:, present] @ force.reshape(-1, N_FEATURES)).T


def covariance(rank: int) -> Any:
    root = np.random.default_rng(1).standard_normal((N_TASKS, rank))
    return root @ root.T


@pytest.mark.parametrize("rank", [2, N_TASKS])
def test_leave_one_out(problem: Any, rank: int) -> None:
    quadratics, matrices = problem
    K = covariance(rank)
    coef, without = RelatedTasks(quadratics, K).leave_one_out()
    everyone = np.ones(N_TASKS, dtype=bool)
    assert_allclose(coef, solve(matrices, quadratics.linear, K, everyone), atol=1e-10)
    for s in range(N_TASKS):
        others = np.arange(N_TASKS) != s
        expected = solve(matrices, quadratics.linear, K, others)
        assert_allclose(without[s], expected, atol=1e-10)


@pytest.mark.parametrize("rank", [2, N_TASKS])
def test_add_each(problem: Any, rank: int) -> None:
    quadratics, matrices = problem
    K, main, present = covariance(rank), 2, np.array([2, 4])
    related = RelatedTasks(quadratics, K)
    mask = np.isin(np.arange(N_TASKS), present)
    expected = solve(matrices, quadratics.linear, K / 3.0, mask)[:, main]
    assert_allclose(related.fit(main, present, 3.0), expected, atol=1e-10)
    added = related.add_each(main, present, 3.0)
    for s in np.flatnonzero(~mask):
        more = mask | (np.arange(N_TASKS) == s)
        expected = solve(matrices, quadratics.linear, K / 3.0, more)[:, main]
        assert_allclose(added[s], expected, atol=1e-10)
