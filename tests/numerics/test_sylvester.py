"""Coupled linear systems against dense numpy solves."""

import numpy as np
import pytest
import scipy.sparse as sp

from skmtl._numerics import CoupledSystem, Coupling, solve_coupled


def chain(n):
    steps = np.diff(np.eye(n), axis=0)
    return steps.T @ steps


def complete(n):
    return np.eye(n) - 1 / n


def pieces(n):
    """Two chains and two uncoupled tasks, one of them without a ridge."""
    L = np.zeros((n, n))
    half = (n - 2) // 2
    L[:half, :half], L[half:-2, half:-2] = chain(half), chain(n - 2 - half)
    L[-2, -2] = 0.5
    return L


def ring(n):
    """A cycle with two chords, of unequal weights."""
    L = chain(n)
    for s, t, a in ((0, n - 1, 1.0), (0, n // 2, 0.3), (1, n - 2, 2.0)):
        L[s, t] -= a
        L[t, s] -= a
        L[s, s] += a
        L[t, t] += a
    return L


def star(n):
    """A tree that is no chain, and a task alone."""
    L = np.diag([n - 2.0] + [1.0] * (n - 2) + [0.0])
    L[0, 1:-1] = L[1:-1, 0] = -1.0
    return L


def as_graph(M, graph, strength, ridge):
    """The same matrix, not formed if it is that of the complete graph."""
    if graph is complete:
        return Coupling.complete(len(M), strength / len(M), strength * ridge)
    return Coupling.of_matrix(sp.csr_array(M))


def grams(n_tasks, d, n_rows, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_tasks, n_rows, d)) * rng.lognormal(size=(n_tasks, 1, 1))
    return np.matmul(X.transpose(0, 2, 1), X)


def times(matrices, M, W):
    """The left-hand side, task by task."""
    columns = [matrices[t if len(matrices) > 1 else 0] @ W[:, t] for t in range(W.shape[1])]
    return np.column_stack(columns) + W @ M


def dense(matrices, M, G, regular=False):
    """The solution with the unknowns task by task, of least norm if the system is singular."""
    d, n_tasks = G.shape
    whole = np.kron(M, np.eye(d))
    for t in range(n_tasks):
        rows = slice(t * d, (t + 1) * d)
        whole[rows, rows] += matrices[t if len(matrices) > 1 else 0]
    if regular:  # faster than least squares by a factor of ten
        solution = np.linalg.solve(whole, G.T.ravel())
    else:
        solution = np.linalg.lstsq(whole, G.T.ravel(), rcond=1e-11)[0]
    return solution.reshape(n_tasks, d).T


# One matrix for all; few unknowns; many, by conjugate gradients.
SIZES = [(9, 7, True), (9, 7, False), (40, 20, False), (12, 70, False)]


@pytest.mark.turns(2)
@pytest.mark.parametrize("n_tasks, d, one", SIZES)
@pytest.mark.parametrize("graph", [chain, complete, pieces])
@pytest.mark.parametrize("strength", [1e-5, 1.0, 1e5])
@pytest.mark.parametrize("ridge", [0.0, 0.1])
def test_regular_systems(n_tasks, d, one, graph, strength, ridge):
    matrices = grams(1 if one else n_tasks, d, 2 * d)
    M = strength * (graph(n_tasks) + ridge * np.eye(n_tasks))
    W = np.random.default_rng(1).normal(size=(d, n_tasks))
    G = times(matrices, M, W)
    found = solve_coupled(matrices, M, G)
    np.testing.assert_allclose(times(matrices, M, found), G, atol=1e-11 * np.abs(G).max())
    expected = dense(matrices, M, G, regular=True)
    np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max())


@pytest.mark.turns(2)
@pytest.mark.parametrize("n_tasks, d, one", SIZES)
@pytest.mark.parametrize("graph", [chain, complete, pieces])
def test_singular_systems(n_tasks, d, one, graph):
    # Two rows a task, and a feature that is constant everywhere.
    matrices = grams(1 if one else n_tasks, d, 2)
    matrices[:, 0], matrices[:, :, 0] = 0.0, 0.0
    M = graph(n_tasks)
    G = times(matrices, M, np.random.default_rng(1).normal(size=(d, n_tasks)))
    found = solve_coupled(matrices, M, G)
    np.testing.assert_allclose(times(matrices, M, found), G, atol=1e-9 * np.abs(G).max())
    assert np.linalg.norm(found) < 100 * np.linalg.norm(dense(matrices, M, G))


@pytest.mark.parametrize("n_tasks, d, one", SIZES)
def test_features_in_unequal_units(n_tasks, d, one):
    units = np.logspace(-4, 4, d)
    matrices = grams(1 if one else n_tasks, d, 2 * d) * np.outer(units, units)
    M = complete(n_tasks)
    W = np.random.default_rng(1).normal(size=(d, n_tasks)) / units[:, None]
    G = times(matrices, M, W)
    left = times(matrices, M, solve_coupled(matrices, M, G)) - G
    # Each feature's equation holds in its own unit.
    size = np.sqrt(np.einsum("tjj->j", matrices))[:, None] * np.sqrt(np.vdot(G, W))
    assert (np.abs(left) <= 1e-9 * size).all()


def test_without_coupling_or_right_hand_side():
    matrices = grams(5, 4, 10)
    G = np.random.default_rng(0).normal(size=(4, 5))
    alone = np.linalg.solve(matrices, G.T[:, :, None])[:, :, 0].T
    np.testing.assert_allclose(solve_coupled(matrices, np.zeros((5, 5)), G), alone, rtol=1e-8)
    big = grams(40, 20, 40)
    assert not solve_coupled(big, chain(40), np.zeros((20, 40))).any()


GRAPHS = [chain, complete, pieces, star, ring]


@pytest.mark.turns(3)
@pytest.mark.parametrize("n_tasks, d, one", [*SIZES, (90, 10, False), (90, 10, True)])
@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("strength", [1e-5, 1.0, 1e5])
@pytest.mark.parametrize("ridge", [0.0, 0.1])
def test_systems_along_graphs(n_tasks, d, one, graph, strength, ridge):
    matrices = grams(1 if one else n_tasks, d, 2 * d)
    M = strength * (graph(n_tasks) + ridge * np.eye(n_tasks))
    W = np.random.default_rng(1).normal(size=(d, n_tasks))
    G = times(matrices, M, W)
    found = solve_coupled(matrices, as_graph(M, graph, strength, ridge), G)
    np.testing.assert_allclose(times(matrices, M, found), G, atol=1e-11 * np.abs(G).max())
    expected = dense(matrices, M, G, regular=True) if d * n_tasks < 900 else W
    np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max())


@pytest.mark.turns(3)
@pytest.mark.parametrize("n_tasks, d, one", SIZES)
@pytest.mark.parametrize("graph", GRAPHS)
def test_singular_systems_along_graphs(n_tasks, d, one, graph):
    matrices = grams(1 if one else n_tasks, d, 2)
    matrices[:, 0], matrices[:, :, 0] = 0.0, 0.0
    M = graph(n_tasks)
    G = times(matrices, M, np.random.default_rng(1).normal(size=(d, n_tasks)))
    found = solve_coupled(matrices, as_graph(M, graph, 1.0, 0.0), G)
    np.testing.assert_allclose(times(matrices, M, found), G, atol=1e-9 * np.abs(G).max())
    assert np.linalg.norm(found) < 100 * np.linalg.norm(dense(matrices, M, G))


def test_scales_of_tasks():
    matrices, scales = grams(1, 6, 12), np.linspace(0.5, 2, 8)
    M = chain(8)
    G = np.random.default_rng(1).normal(size=(6, 8))
    expected = dense(scales[:, None, None] * matrices, M, G)
    graph = Coupling.of_matrix(sp.csr_array(M))
    for grams_of_tasks in (matrices, np.repeat(matrices, 8, axis=0)):
        found = CoupledSystem(grams_of_tasks, scales, graph).solve(G)
        np.testing.assert_allclose(found, expected, atol=1e-9)
