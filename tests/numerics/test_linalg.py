"""Gram matrices of samples of rows."""

import numpy as np
import pytest

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
