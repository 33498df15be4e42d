"""Quadratic forms along graphs against the dense matrices."""

import numpy as np
import pytest
import scipy.sparse as sp

from skmtl._numerics import Coupling

RNG = np.random.default_rng(0)
PATH = [(0, 1, 2.0), (1, 2, 0.5), (2, 4, 1.0)]
RING = [*PATH, (0, 4, 3.0), (1, 4, 0.2)]
OWN = np.array([0.0, 0.3, 0.0, 0.0, 1.0, 0.0])


def matrix_of(edges, own, every):
    M = np.diag(own) + every * (6 * np.eye(6) - 1)
    for s, t, a in edges:
        v = np.zeros(6)
        v[s], v[t] = 1, -1
        M += a * np.outer(v, v)
    return M


def coupling_of(edges, own, every):
    weights = np.zeros((6, 6))
    for s, t, a in edges:
        weights[s, t] = weights[t, s] = a
    return Coupling(sp.csr_array(weights), own, every)


CASES = [
    (edges, own, every)
    for edges in ([], PATH, RING)
    for own in (np.zeros(6), OWN, OWN + 0.1)
    for every in (0.0, 0.4)
]


@pytest.mark.parametrize("edges, own, every", CASES)
def test_against_the_matrix(edges, own, every):
    M, form = matrix_of(edges, own, every), coupling_of(edges, own, every)
    np.testing.assert_allclose(form.toarray(), M, atol=1e-15)
    np.testing.assert_allclose(form.diagonal, np.diag(M))
    W = RNG.normal(size=(3, 6))
    np.testing.assert_allclose(form.times(W), W @ M, atol=1e-13)
    np.testing.assert_allclose(form.times(np.stack([W, 2 * W]))[1], 2 * W @ M, atol=1e-13)
    assert form.value(W) == pytest.approx(np.trace(W @ M @ W.T), rel=1e-12)
    assert form.largest() >= np.linalg.eigvalsh(M)[-1] * (1 - 1e-12)
    np.testing.assert_allclose((form + own).toarray(), M + np.diag(own), atol=1e-15)
    np.testing.assert_allclose((form + form.scaled(2.0)).toarray(), 3 * M, atol=1e-14)
    kept = np.array([True, True, False, True, True, False])
    np.testing.assert_allclose(form.of_tasks(kept).toarray(), M[kept][:, kept], atol=1e-15)


@pytest.mark.parametrize("edges, own, every", CASES)
def test_null_space_and_conjugate(edges, own, every):
    M, form = matrix_of(edges, own, every), coupling_of(edges, own, every)
    rank = np.linalg.matrix_rank(M)
    assert form.free.shape == (6, 6 - rank) and form.is_singular == (rank < 6)
    basis = form.free.toarray()
    np.testing.assert_allclose(basis.T @ basis, np.eye(6 - rank), atol=1e-15)
    assert np.abs(form.times(basis.T)).max(initial=0.0) < 1e-15
    G = RNG.normal(size=(3, 6))
    seen, rest = form.split(G)
    np.testing.assert_allclose(seen + rest, G)
    np.testing.assert_allclose(rest, G @ basis @ basis.T, atol=1e-14)
    exact = np.trace(seen @ np.linalg.pinv(M) @ seen.T) / 2
    far = RNG.normal(size=(3, 6))
    for near in (None, far, seen @ np.linalg.pinv(M)):
        found = form.conjugate(seen, near)
        # An upper bound, so that the certificate holds.
        assert exact * (1 - 1e-12) <= found <= exact * (1 + 1e-9)


def test_signed_matrices_are_no_graphs():
    assert Coupling.of_matrix(sp.csr_array([[1.0, 0.5], [0.5, 1.0]])) is None
    assert Coupling.of_matrix(sp.csr_array([[0.5, -1.0], [-1.0, 2.0]])) is None
    found = Coupling.of_matrix(sp.csr_array([[1.0, -1.0], [-1.0, 1.5]]))
    np.testing.assert_allclose(found.own, [0.0, 0.5])


def test_products_along_free_directions_are_exact():
    # 1e6 times stronger than what a product with the matrix could keep apart.
    form = coupling_of(RING[1:], np.zeros(6), 0.0).scaled(1e12)
    level = np.outer(RNG.normal(size=3), np.ones(6))
    assert not form.times(level).any() and form.value(level) == 0.0
