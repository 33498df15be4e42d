"""The quadratic forms of which penalties are the minima."""

import numpy as np
import pytest

from skmtl.penalties import (
    L1,
    L21,
    ClusterNorm,
    RelaxedClusterNorm,
    Ridge,
    SquaredTraceNorm,
    TaskGroup,
    TaskQuadratic,
    TraceNorm,
)

COUPLING = np.array([[2.0, -1.0, 0, 0], [-1, 2, -1, 0], [0, -1, 2, -1], [0, 0, -1, 1.5]])
PENALTIES = [
    Ridge(0.7),
    Ridge(np.array([0.1, 0.0, 2.0, 1.0])),
    TaskQuadratic(COUPLING, 0.6),
    TraceNorm(0.8),
    SquaredTraceNorm(0.8),
    ClusterNorm(0.5, 2, 0.3, 0.2),
    ClusterNorm(0.5, 2, 0.3, 0.0),
    RelaxedClusterNorm(0.5, 2, 0.2),
    SquaredTraceNorm(0.8) + Ridge(0.3),
    Ridge(0.3) + TraceNorm(0.8) + TaskQuadratic(COUPLING, 0.6),
    ClusterNorm(0.5, 2, 0.3, 0.2) + Ridge(np.array([0.1, 0.0, 2.0, 1.0])),
]


def value(form, W):
    U = W @ form.directions
    return np.trace(U @ form.matrix @ U.T) / 2


@pytest.mark.parametrize("rank", [1, 2, 4])
@pytest.mark.parametrize("penalty", PENALTIES, ids=repr)
def test_touches_the_penalty_from_above(penalty, rank):
    rng = np.random.default_rng(rank)
    W = rng.normal(size=(5, rank)) @ rng.normal(size=(rank, 4))
    form = penalty.task_precision(W)
    R = form.directions
    np.testing.assert_allclose(R.T @ R, np.eye(R.shape[1]), atol=1e-12)
    np.testing.assert_allclose(W @ R @ R.T, W, atol=1e-12)
    constant = penalty.value(W) - value(form, W)

    def above(D):
        V = W + D @ R @ R.T
        return value(form, V) + constant - penalty.value(V)

    for scale in (1e-3, 1e-1, 1.0, 10.0):
        D = scale * rng.normal(size=W.shape)
        assert above(D) >= -1e-10 * (1 + penalty.value(W + D))
    # The gradients agree, so that the distance is of second order.
    D = rng.normal(size=W.shape)
    assert above(1e-4 * D) <= 0.02 * above(1e-3 * D) + 1e-11


@pytest.mark.parametrize("penalty", [L1(1.0), L21(1.0), TaskGroup(1.0), L21(0.5) + Ridge(1.0)])
def test_other_norms_have_none(penalty):
    assert penalty.task_precision(np.ones((3, 2))) is None


def test_two_restrictions_cannot_be_added():
    W = np.ones((3, 2))
    assert (TraceNorm(0.5) + SquaredTraceNorm(0.5)).task_precision(W) is None


def test_a_learned_covariance_of_zero():
    form = TraceNorm(1.0).task_precision(np.zeros((3, 2)))
    assert form.directions.shape == (2, 0)
    np.testing.assert_allclose(
        SquaredTraceNorm(0.5).task_precision(np.zeros((3, 2))).matrix, np.eye(2)
    )
