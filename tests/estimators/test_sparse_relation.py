"""A sparse graph of tasks: against the graphical lasso."""

import numpy as np
import pytest
from sklearn.covariance import graphical_lasso

from skmtl import SparseTaskRelationRegressor
from skmtl.estimators._precision import MatrixNormal


class TestRelation:
    def test_the_precision_is_the_graphical_lasso(self):
        rng = np.random.default_rng(0)
        W = rng.standard_normal((40, 8)) @ rng.standard_normal((8, 8)) * rng.uniform(0.1, 3, 8)
        for sparsity in (0.05, 0.5, 5.0):
            prior = MatrixNormal(2.0, sparsity, W)
            prior.minimise(None, 1e-9 * prior.factor)
            moments = W.T @ W / 40 + sparsity * np.eye(8)
            _, P = graphical_lasso(moments, sparsity, tol=1e-9, enet_tol=1e-11, max_iter=2000)
            # The stated objective at both solutions.
            h = [
                np.trace(W @ Q @ W.T) + 40 * (sparsity * np.abs(Q).sum() - np.log(np.linalg.det(Q)))
                for Q in (prior.P, P)
            ]
            assert prior.value(prior.P) == pytest.approx(h[0], rel=1e-9)
            assert h[0] <= h[1] + 1e-6 * abs(h[1])
            assert h[0] - prior.gap <= h[1] + 1e-9 * abs(h[1])
            np.testing.assert_allclose(prior.P, P, atol=1e-3 * np.abs(P).max())

    def test_from_the_precision_of_other_coefficients(self):
        rng = np.random.default_rng(1)
        W, V = rng.standard_normal((2, 10, 16)) * rng.uniform(0.3, 2, 16)
        old = MatrixNormal(2.0, 0.1, V).minimise(None, 1e-3)
        prior = MatrixNormal(2.0, 0.1, W).minimise(old, 1e-3)
        moments = W.T @ W / 10 + 0.1 * np.eye(16)
        _, P = graphical_lasso(moments, 0.1, tol=1e-9, enet_tol=1e-11, max_iter=2000)
        assert prior.gap <= 1e-3
        assert prior.value(prior.P) - prior.gap <= prior.value(P) + 1e-6
        assert prior.value(prior.P) <= prior.value(P) + prior.gap + 1e-6

    def test_the_graph_of_a_chain_of_tasks(self):
        rng = np.random.default_rng(0)
        precision = 2.0 * np.eye(5) - 0.9 * (np.eye(5, k=1) + np.eye(5, k=-1))
        W = rng.multivariate_normal(np.zeros(5), np.linalg.inv(precision), size=400)
        X = rng.standard_normal((1000, 400))
        Y = X @ W + 0.1 * rng.standard_normal((1000, 5))
        model = SparseTaskRelationRegressor(1e-3, sparsity=0.16).fit(X, Y)
        chain = np.eye(5, k=1, dtype=bool) | np.eye(5, k=-1, dtype=bool)
        # All true edges, and by chance at most one of the six others.
        assert model.task_graph_[chain].all()
        assert model.task_graph_[~chain].sum() <= 2
        assert (model.task_graph_ == model.task_graph_.T).all()
        eigenvalues = np.linalg.eigvalsh(model.task_precision_)
        assert eigenvalues[0] > 0 and eigenvalues[-1] <= 1 / 0.16 + 1e-9
