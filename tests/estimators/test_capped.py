"""Capped and minimax concave row norms: local minima, large rows."""

import numpy as np
import pytest
from nonconvex_families import capped_penalty, mcp_penalty
from scipy.optimize import minimize

from skmtl import BlockSparseRegressor, CappedBlockSparseRegressor
from skmtl.datasets import make_block_sparse


class TestCapped:
    @pytest.mark.parametrize("penalty", ["capped", "mcp"])
    def test_a_local_minimum_by_brute_force(self, penalty):
        rng = np.random.default_rng(3)
        X = rng.standard_normal((30, 2))
        Y = X @ [[1.5, 1.0], [0.2, 0.0]] + rng.standard_normal((30, 2))
        model = CappedBlockSparseRegressor(
            0.3, penalty=penalty, threshold=1.0, fit_intercept=False, tol=1e-10
        ).fit(X, Y)

        def stated(w):
            W = w.reshape(2, 2)
            value = ((Y - X @ W) ** 2).sum() / (2 * len(X))
            return value + (capped_penalty if penalty == "capped" else mcp_penalty)(model, W, None)

        found = model.coef_.T.ravel()
        assert stated(found) == pytest.approx(model.objective_, rel=1e-9)
        # No nearby point is lower, nor is any end point of a descent from one.
        for radius in (1e-4, 1e-3, 1e-2):
            for _ in range(500):
                near = found + radius * rng.uniform(-1, 1, 4)
                assert stated(near) >= stated(found) - 1e-12
        for _ in range(5):
            near = found + 1e-2 * rng.standard_normal(4)
            other = minimize(stated, near, method="Nelder-Mead", options={"xatol": 1e-9})
            if np.abs(other.x - found).max() < 0.05:
                assert other.fun >= stated(found) - 1e-8
        # In this case it is also the minimum over a grid.
        grid = np.linspace(-0.5, 2.0, 26)
        best = min(
            stated(np.array([a, b, c, e]))
            for a in grid[10:]
            for b in grid[8:]
            for c in grid[:12]
            for e in grid[:10]
        )
        assert stated(found) <= best + 1e-9

    @pytest.mark.parametrize("penalty", ["capped", "mcp"])
    def test_large_rows_are_not_shrunk(self, penalty):
        data = make_block_sparse(100, 30, 5, n_informative=4, random_state=2)
        model = CappedBlockSparseRegressor(0.4, penalty=penalty, threshold=0.6, tol=1e-8)
        model.fit(data.data, data.target)
        assert (model.support_ == data.support).all()
        centred = data.data - data.data.mean(axis=0)
        oracle = np.linalg.lstsq(centred[:, data.support], data.target, rcond=None)[0]
        np.testing.assert_allclose(model.coef_[:, data.support], oracle.T, atol=1e-4)
        convex = BlockSparseRegressor(0.4).fit(data.data, data.target)
        truth = data.coef
        assert np.abs(model.coef_ - truth).sum() < 0.8 * np.abs(convex.coef_ - truth).sum()
