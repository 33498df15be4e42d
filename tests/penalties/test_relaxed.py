"""The relaxed cluster norm: lower bound of k-means, prox and conjugate."""

import cvxpy as cp
import numpy as np
import pytest

from skmtl.penalties import RelaxedClusterNorm


def partitions(n, k):
    """All labellings of n tasks with k clusters, none of them empty."""
    for code in np.ndindex(*[k] * n):
        if len(set(code)) == k:
            yield np.array(code)


def k_means_cost(W, labels):
    return sum(
        ((W[:, labels == c] - W[:, labels == c].mean(axis=1, keepdims=True)) ** 2).sum()
        for c in np.unique(labels)
    )


@pytest.mark.parametrize("seed", range(4))
def test_the_penalty_relaxes_k_means(seed):
    rng = np.random.default_rng(seed)
    alpha, eta = 0.7, 0.3
    for k in (1, 2, 3):
        W = rng.normal(size=(4, 5))
        best = min(k_means_cost(W, labels) for labels in partitions(5, k))
        value = RelaxedClusterNorm(alpha, k, eta).value(W)
        assert value <= alpha / 2 * (best + eta * (W**2).sum()) + 1e-12
        # The relaxation is exact if all tasks equal their centres.
        W = rng.normal(size=(4, k))[:, rng.permutation(np.r_[np.arange(k), 0, k - 1])]
        value = RelaxedClusterNorm(alpha, k, eta).value(W)
        assert value == pytest.approx(alpha / 2 * eta * (W**2).sum(), rel=1e-12)


@pytest.mark.parametrize("shape", [(4, 3), (3, 5), (2, 2), (4, 1)])
@pytest.mark.parametrize("eta", [0.05, 1.0])
def test_prox_value_and_conjugate_meet(shape, eta):
    rng = np.random.default_rng(1)
    V = rng.normal(size=shape)
    penalty = RelaxedClusterNorm(0.7, min(2, shape[1]), eta)
    W = penalty.prox(V, 0.6)
    G = (V - W) / 0.6
    assert penalty.value(W) + penalty.conjugate(G) == pytest.approx((G * W).sum(), abs=1e-10)
    variable = cp.Variable(shape)
    stated, constraints = penalty.to_cvxpy(variable)
    problem = cp.Problem(cp.Minimize(cp.sum_squares(variable - V) / 2 + 0.6 * stated), constraints)
    problem.solve(solver="CLARABEL")
    np.testing.assert_allclose(W, variable.value, atol=1e-5)
    best = 0.5 * ((W - V) ** 2).sum() + 0.6 * penalty.value(W)
    assert best == pytest.approx(problem.value, rel=1e-6)
    for _ in range(20):
        other = W + 0.1 * rng.normal(size=shape)
        assert 0.5 * ((other - V) ** 2).sum() + 0.6 * penalty.value(other) >= best
