"""A sparse graph of tasks: against the graphical lasso."""

import warnings

import numpy as np
import pytest
from sklearn.covariance import graphical_lasso
from sklearn.exceptions import ConvergenceWarning

from skmtl import SparseTaskRelationClassifier, SparseTaskRelationRegressor
from skmtl.estimators._precision import MatrixNormal


def ill_conditioned(n_features, n_tasks, spread, seed=0):
    """Coefficients whose singular values fall from about 1 to 1 / spread."""
    rng = np.random.default_rng(seed)
    left, right = (np.linalg.qr(rng.standard_normal((n_tasks, n_tasks)))[0] for _ in range(2))
    values = np.geomspace(1, 1 / spread, n_tasks)
    return rng.standard_normal((n_features, n_tasks)) @ (left * values) @ right.T


class TestPrecision:
    @pytest.mark.parametrize(
        ("n_features", "n_tasks", "spread", "sparsity"),
        [
            (6, 1, 1, 0.1),
            (4, 2, 1, 0.1),
            (3, 3, 1e2, 1e-3),
            (20, 8, 1e2, 1e-3),
            (4, 8, 1e2, 1e-3),
            (4, 8, 1, 1e-2),
            (40, 15, 1, 0.3),
        ],
    )
    def test_it_equals_cvxpy(self, n_features, n_tasks, spread, sparsity):
        cp = pytest.importorskip("cvxpy")
        W = ill_conditioned(n_features, n_tasks, spread)
        prior = MatrixNormal(2.0, sparsity, W)
        prior.minimise(None, 1e-10 * prior.factor)
        assert prior.gap <= 1e-10 * prior.factor
        # P in units in which the covariance has a unit diagonal.
        size = np.sqrt(np.diag(prior.covariance))
        P = cp.Variable((n_tasks, n_tasks), symmetric=True)
        moments = prior.moments / np.outer(size, size)
        norm = cp.sum(cp.multiply(sparsity / np.outer(size, size), cp.abs(P)))
        objective = cp.trace(moments @ P) + norm - cp.log_det(P)
        problem = cp.Problem(cp.Minimize(objective))
        problem.solve(solver="CLARABEL")
        expected = problem.value + 2 * np.log(size).sum()
        # The gap above is the finer check: cvxpy's own error reaches 2e-6.
        assert prior.value(prior.P) / prior.factor == pytest.approx(expected, abs=5e-6)
        found = prior.P * np.outer(size, size)
        np.testing.assert_allclose(found, P.value, atol=2e-3 * np.abs(found).max())

    @pytest.mark.parametrize("n_features", [5, 20])
    @pytest.mark.parametrize(("spread", "sparsity"), [(1, 0.1), (1e2, 1e-5), (1e4, 1e-7)])
    def test_it_converges_for_every_condition_number(self, n_features, spread, sparsity):
        prior = MatrixNormal(2.0, sparsity, ill_conditioned(n_features, 10, spread))
        prior.minimise(None, 1e-9 * prior.factor)
        assert prior.gap <= 1e-9 * prior.factor
        C, slack = prior.covariance + prior.dual, sparsity * (1 + 1e-12)
        assert (np.abs(prior.dual) <= slack).all() and (np.diag(prior.dual) == 0).all()
        dual = prior.factor * (np.linalg.slogdet(C)[1] + 10)
        assert dual == pytest.approx(prior.value(prior.P) - prior.gap, abs=1e-9 * prior.factor)

    def test_a_diagonal_optimum(self):
        W = ill_conditioned(20, 6, 10)
        moments = W.T @ W / 20
        sparsity = 1.01 * np.abs(moments - np.diag(np.diag(moments))).max()
        prior = MatrixNormal(2.0, sparsity, W).minimise(None, 0.0)
        np.testing.assert_array_equal(prior.P != 0, np.eye(6, dtype=bool))
        np.testing.assert_allclose(np.diag(prior.P), 1 / (np.diag(moments) + sparsity))

    @pytest.mark.parametrize("enough", [np.inf, 1.0, 1e-9])
    def test_it_never_raises_the_objective(self, enough):
        W = ill_conditioned(5, 10, 1e2)
        old = MatrixNormal(2.0, 1e-4, W).minimise(None, 1e-9)
        for change in (0.0, 1e-6, 1e-2, 1.0):
            V = W + change * ill_conditioned(5, 10, 1e2, seed=1)
            prior = MatrixNormal(2.0, 1e-4, V).minimise(old, enough)
            assert prior.value(prior.P) <= prior.value(old.P)
            assert prior.gap <= enough

    def test_a_nearly_singular_covariance_converges_in_few_stages(self):
        # With ADMM for the precision this took 20 seconds, and each stage ended with a large gap.
        X = 3 * np.random.RandomState(0).uniform(size=(20, 3))
        with warnings.catch_warnings():
            warnings.simplefilter("error", ConvergenceWarning)
            model = SparseTaskRelationClassifier().fit(X, X[:, 0].astype(int))
        assert model.stationarity_ <= model.tol
        assert model.n_stages_ <= 20


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
