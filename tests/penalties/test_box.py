"""The box weights: exact at every edge, against cvxpy."""

import cvxpy as cp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skmtl.penalties import ClusterNorm, SquaredTraceNorm
from skmtl.penalties._box import box_support, box_value, box_weights

sizes = st.floats(0.01, 100.0)


@st.composite
def boxes(draw):
    """Singular values with zeros, bounds and a feasible total."""
    n_positive, n_zero = draw(st.integers(0, 5)), draw(st.integers(0, 3))
    n_zero = max(n_zero, 1 - n_positive)
    sigma = np.array(draw(st.lists(sizes, min_size=n_positive, max_size=n_positive)))
    if n_positive > 1 and draw(st.booleans()):
        sigma[1] = sigma[0]
    sigma = np.concatenate([sigma, np.zeros(n_zero)])
    a = draw(st.sampled_from([0.0, 0.5, 1.0]))
    b = a + draw(st.sampled_from([0.0, 0.2, 3.0, np.inf]))
    top = b if np.isfinite(b) else a + 2.0
    c = len(sigma) * (a + draw(st.floats(0, 1)) * (top - a))
    if b == np.inf:
        c = max(c, 1e-3)
    return sigma, a, b, c


@given(boxes(), st.floats(1e-3, 10))
def test_weights_are_feasible_and_optimal(box, lam):
    sigma, a, b, c = box
    theta = box_weights(sigma, lam, a, b, c)
    assert theta.sum() == pytest.approx(c, rel=1e-9, abs=1e-12)
    assert (theta >= a - 1e-12).all() and (theta <= b + 1e-9).all()
    # min sum sigma^2 / (theta + lam): no exchange between two weights is an improvement.
    value = (sigma**2 / (theta + lam)).sum()
    for i in range(len(sigma)):
        for j in range(len(sigma)):
            move = min(1e-4, theta[i] - a, b - theta[j])
            if i == j or move <= 0:
                continue
            other = theta.copy()
            other[i] -= move
            other[j] += move
            assert (sigma**2 / (other + lam)).sum() >= value - 1e-9 * (1 + value)


@given(boxes())
def test_support_is_attained_by_the_greedy_weights(box):
    sigma, a, b, c = box
    best = box_support(sigma, a, b, c)
    # No feasible weights have a larger sum: all the rest on one, on two, or spread evenly.
    rest, size = c - a * len(sigma), len(sigma)
    room = b - a if np.isfinite(b) else rest
    for order in (
        np.arange(size),
        np.arange(size)[::-1],
        np.random.default_rng(0).permutation(size),
    ):
        theta, left = np.full(size, a), rest
        for i in order:
            theta[i] += min(left, room)
            left -= min(left, room)
        assert theta @ sigma**2 <= best * (1 + 1e-9) + 1e-9
    assert (c / size) * (sigma**2).sum() <= best * (1 + 1e-9) + 1e-9


@pytest.mark.parametrize("seed", range(6))
def test_value_and_support_against_cvxpy(seed):
    rng = np.random.default_rng(seed)
    sigma = rng.exponential(size=4) + 0.1
    a, b = 0.5, [0.5, 2.0, np.inf][seed % 3]
    c = 4 * a if b == a else 4 * a + 1.3
    theta = cp.Variable(4)
    feasible = [theta >= a, cp.sum(theta) == c] + ([theta <= b] if np.isfinite(b) else [])
    ratio = cp.sum(cp.multiply(sigma**2, cp.inv_pos(theta)))
    problem = cp.Problem(cp.Minimize(ratio), feasible)
    assert problem.solve(solver="CLARABEL") == pytest.approx(box_value(sigma, a, b, c), rel=1e-6)
    problem = cp.Problem(cp.Maximize(sigma**2 @ theta), feasible)
    assert problem.solve(solver="CLARABEL") == pytest.approx(box_support(sigma, a, b, c), rel=1e-6)


def test_few_positive_values_leave_the_rest_to_the_zeros():
    theta = box_weights(np.array([3.0, 0.0, 0.0]), 0.1, 1.0, 2.0, 5.0)
    np.testing.assert_allclose(theta, [2.0, 1.5, 1.5])
    np.testing.assert_allclose(box_weights(np.zeros(4), 0.0, 0.0, np.inf, 1.0), 0.25)
    np.testing.assert_allclose(box_weights(np.array([1.0, 5.0]), 0.3, 1.0, 1.0, 2.0), 1.0)


@pytest.mark.parametrize("shape", [(4, 3), (3, 5), (1, 4), (5, 2), (4, 1)])
@pytest.mark.parametrize("rank", [0, 1, None])
def test_learned_matrices_attain_the_value(shape, rank):
    rng = np.random.default_rng(0)
    W = rng.normal(size=shape)
    if rank is not None:
        W = np.outer(W[:, 0], rng.normal(size=shape[1])) * rank
    n_tasks = shape[1]
    relation = SquaredTraceNorm(0.7)
    omega = relation.covariance(W)
    assert np.trace(omega) == pytest.approx(1) and np.linalg.eigvalsh(omega)[0] > -1e-12
    attained = 0.35 * np.trace(W @ np.linalg.pinv(omega, rcond=1e-9) @ W.T)
    assert attained == pytest.approx(relation.value(W), abs=1e-8)
    if rank == 0:
        np.testing.assert_allclose(omega, np.eye(n_tasks) / n_tasks)
    for r in {1, min(2, n_tasks), n_tasks}:
        norm = ClusterNorm(0.7, r, 0.3, 0.2)
        sigma = norm.covariance(W)
        attained = 0.35 * np.trace(W @ np.linalg.inv(sigma) @ W.T)
        assert attained == pytest.approx(norm.value(W), abs=1e-10)
        a, b, c = norm.box(n_tasks)
        values = np.linalg.eigvalsh(sigma)
        assert np.trace(sigma) == pytest.approx(c + 1 / 0.2)
        between = np.sort(values)[:-1] if 1 / 0.2 >= b else values
        assert (between >= a - 1e-9).all() and (between <= b + 1e-9).all()


@pytest.mark.parametrize("penalty", [SquaredTraceNorm(0.7), ClusterNorm(0.7, 2, 0.3, 0.2)])
@pytest.mark.parametrize("shape", [(4, 3), (3, 5), (2, 2)])
def test_prox_and_conjugate_meet(penalty, shape):
    V = np.random.default_rng(1).normal(size=shape)
    W = penalty.prox(V, 0.6)
    G = (V - W) / 0.6
    assert penalty.value(W) + penalty.conjugate(G) == pytest.approx((G * W).sum(), abs=1e-10)
