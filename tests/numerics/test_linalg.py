"""Gram matrices of samples of rows."""

import numpy as np
import pytest
import scipy.sparse as sp

from skmtl._numerics import linalg


class TestSampling:
    def test_a_weighted_sample_represents_all(self):
        rng = np.random.default_rng(0)
        shares = rng.random(10_000) ** 4
        rows, times = linalg.sample(shares, 2000)
        assert 1000 < len(rows) <= 2000
        assert (np.diff(rows) > 0).all()
        x = rng.standard_normal(10_000) ** 2 * shares
        assert (times * x[rows]).sum() == pytest.approx(x.sum(), rel=0.1)
        again, _ = linalg.sample(shares, 2000)
        np.testing.assert_array_equal(rows, again)

    def test_all_are_drawn_if_few_would_be_left_out(self):
        for shares, count in ((np.ones(10), 5), (np.zeros(10), 2)):
            rows, times = linalg.sample(shares, count)
            assert rows == slice(None)
            np.testing.assert_array_equal(times, 1)

    @pytest.mark.parametrize("centre", [False, True])
    def test_sampled_grams_are_close(self, centre):
        rng = np.random.default_rng(0)
        X = rng.standard_normal((20_000, 5)).astype(np.float32) / 2 + 0.3
        weights = rng.random((20_000, 3)) / 20_000
        weights[:, 2] = 0.0
        gram = linalg.centred_gram if centre else linalg.weighted_gram
        for count, close in ((10**6, 1e-5), (3000, 0.15)):
            found = linalg.sampled_grams(X, weights, count, centre=centre)
            for t in range(3):
                expected = gram(X.astype(float), weights[:, t])
                size = max(np.diag(expected).max(), 1e-300)
                np.testing.assert_allclose(found[t], expected, atol=close * size)


class TestDenseGrams:
    @pytest.fixture(autouse=True)
    def blocks_of_twelve_rows(self, monkeypatch):
        monkeypatch.setattr(linalg, "_GRAM_BYTES", 8)

    @pytest.mark.parametrize("dtype", [np.float64, np.float32])
    @pytest.mark.parametrize("chosen", [False, True])
    def test_products_of_all_or_some_rows(self, dtype, chosen):
        rng = np.random.default_rng(0)
        X = (rng.normal(size=(100, 3)) + 5).astype(dtype)
        rows = np.flatnonzero(rng.random(100) < 0.4) if chosen else None
        part = X[rows].astype(np.float64) if chosen else X.astype(np.float64)
        weights = rng.random(len(part))
        expected = part.T @ (weights[:, None] * part)
        found = linalg.weighted_gram(X, weights, rows)
        np.testing.assert_allclose(found, expected, rtol=1e-12)
        centred = part - weights @ part / weights.sum()
        expected = centred.T @ (weights[:, None] * centred)
        found = linalg.centred_gram(X, weights, rows)
        np.testing.assert_allclose(found, expected, atol=1e-10)

    def test_a_feature_that_is_constant_in_the_chosen_rows(self):
        X, rows = np.random.default_rng(0).normal(size=(100, 3)), np.arange(0, 100, 2)
        X[rows, 1] = 0.1
        gram = linalg.centred_gram(X, np.full(50, 0.3), rows)
        assert not gram[1].any() and not gram[:, 1].any()
        assert (np.diag(gram)[[0, 2]] > 1).all()


class TestScansOfRows:
    @pytest.mark.parametrize("n_rows", [10, 10_000])
    @pytest.mark.parametrize("dtype", [np.float64, np.float32])
    def test_norms_and_non_zero_rows(self, n_rows, dtype):
        """Large matrices of float64 are read by kernels, all others by NumPy."""
        W = np.random.default_rng(0).normal(size=(n_rows, 7)).astype(dtype)
        W[::3] = 0.0
        W[1::3, :-1] = 0.0
        for given in (W, np.asfortranarray(W)):
            norms = linalg.row_norms(given)
            np.testing.assert_allclose(norms, np.linalg.norm(W, axis=1), rtol=1e-5)
            np.testing.assert_array_equal(linalg.nonzero_rows(given), W.any(axis=1))

    def test_nan_is_not_hidden(self):
        W = np.zeros((10_000, 3))
        W[7, 1], W[8, 2] = np.nan, np.inf
        assert np.isnan(linalg.row_norms(W)[7])
        assert linalg.row_norms(W)[8] == np.inf
        np.testing.assert_array_equal(np.flatnonzero(linalg.nonzero_rows(W)), [7, 8])


class TestWeightedSquares:
    @pytest.mark.parametrize("dtype", [np.float64, np.float32])
    @pytest.mark.parametrize("shape", [(500,), (500, 1), (500, 3)])
    def test_dense(self, monkeypatch, dtype, shape):
        monkeypatch.setattr(linalg, "_SQUARE_BYTES", 8)  # several blocks of 64 rows
        rng = np.random.default_rng(0)
        X, weights = rng.normal(size=(500, 4)).astype(dtype), rng.random(shape)
        expected = (X.astype(np.float64) ** 2).T @ weights
        np.testing.assert_allclose(linalg.weighted_squares(X, weights), expected, rtol=1e-12)

    @pytest.mark.parametrize("form", ["csr", "csc"])
    @pytest.mark.parametrize("dtype", [np.float64, np.float32])
    def test_sparse(self, form, dtype):
        rng = np.random.default_rng(0)
        X = sp.random(30, 8, 0.3, format=form, random_state=rng).astype(dtype)
        weights = rng.random((30, 2))
        expected = (X.toarray().astype(np.float64) ** 2).T @ weights
        np.testing.assert_allclose(linalg.weighted_squares(X, weights), expected, rtol=1e-12)

    def test_entries_stored_in_several_parts(self):
        X = sp.csr_array((np.array([1.0, 2.0, 4.0]), np.array([1, 1, 0]), np.array([0, 2, 3])))
        weights = np.array([[1.0], [10.0]])
        np.testing.assert_allclose(linalg.weighted_squares(X, weights), [[160.0], [9.0]])


@pytest.mark.parametrize("form", ["csr", "csc"])
def test_constant_columns_of_a_sparse_matrix_become_zero(form):
    dense = np.array([[2.0, 1.0, 0.0, 3.0], [2.0, 0.0, 0.0, 4.0]])
    X = sp.coo_array(dense).asformat(form)
    expected = dense * [0, 1, 1, 1]
    np.testing.assert_array_equal(linalg.without_constant_columns(X).toarray(), expected)
    np.testing.assert_array_equal(X.toarray(), dense)


@pytest.mark.parametrize("shape", [(5, 9), (9, 5), (70, 90), (4, 0)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_squares_of_rough_singular_values_are_exact(shape, dtype):
    rng = np.random.default_rng(0)
    W = (rng.standard_normal((shape[0], 3)) @ rng.standard_normal((3, shape[1]))).astype(dtype)
    exact = np.linalg.svd(W.astype(np.float64), compute_uv=False)
    found = linalg.rough_singular_values(W)
    assert found.shape == exact.shape and (np.diff(found) <= 0).all()
    top = exact.max(initial=0.0) ** 2
    np.testing.assert_allclose(found**2, exact**2, atol=1e-13 * top)
    # The others are not square roots of rounding error.
    assert dtype == np.float32 or not found[3:].any()


def test_many_small_systems_are_solved_as_one():
    # Regular, singular and zero matrices, in unequal units.
    rng = np.random.default_rng(0)
    X = rng.normal(size=(700, 9, 6)) * np.logspace(-5, 5, 6)
    X[100:120, 3:] = 0.0
    X[300] = 0.0
    matrices = np.ascontiguousarray(X.swapaxes(1, 2) @ X)
    ridges = np.where(np.arange(700) % 2, 0.0, 1e-3)
    G = np.einsum("tjk,kt->jt", matrices, rng.normal(size=(6, 700))) + 0.0
    found = linalg.solve_semidefinite(matrices, ridges, G)
    for t in range(700):
        alone = linalg.solve_semidefinite(matrices[t : t + 1], ridges[t : t + 1], G[:, t : t + 1])
        np.testing.assert_allclose(found[:, t], alone[:, 0], rtol=1e-5, atol=1e-12)
