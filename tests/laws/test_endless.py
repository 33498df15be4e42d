"""Degenerate data, and the limits of what a fit may cost."""

import numpy as np
import pytest
import scipy.sparse as sp
from problems import separable, stacked
from sklearn.exceptions import ConvergenceWarning

from skmtl import (
    BlockSparseRegressor,
    CappedBlockSparseRegressor,
    ClusteredTaskClassifier,
    ClusteredTaskRegressor,
    FusedTaskClassifier,
    FusedTaskRegressor,
    GroupOverlapRegressor,
    LowRankClassifier,
    LowRankRegressor,
    MultiTaskClassifier,
    MultiTaskRegressor,
    RobustTaskClassifier,
    RobustTaskRegressor,
    SparseLowRankClassifier,
    SparseLowRankRegressor,
    SparseTaskRelationRegressor,
    TaskRelationClassifier,
    TaskRelationRegressor,
    reference,
)
from skmtl._numerics import lanczos
from skmtl.penalties import L1, L21, L1Inf, TraceNorm


class TestDegenerateData:
    @pytest.mark.turns(2)
    @pytest.mark.parametrize("kind", ["zero", "constant", "equal rows"])
    @pytest.mark.parametrize("loss", ["squared", "huber", "poisson"])
    @pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
    @pytest.mark.parametrize(
        "model", [GroupOverlapRegressor(random_state=0), LowRankRegressor(solver="fista")]
    )
    def test_features_that_explain_nothing(self, model, container, loss, kind):
        rng = np.random.default_rng(0)
        X = {
            "zero": np.zeros((20, 3)),
            "constant": np.full((20, 3), 3.0),
            "equal rows": np.tile([1.0, 2.0, 3.0], (20, 1)),
        }[kind]
        Y = rng.poisson(3.0, (20, 3)).astype(float)
        missing = np.where(rng.random(Y.shape) < 0.2, np.nan, Y)
        X_stacked, y_stacked = stacked(X, Y)
        for X_, y_, column in ((X, Y, None), (X, missing, None), (X_stacked, y_stacked, -1)):
            model.set_params(loss=loss, task_column=column).fit(container(X_), y_)
            np.testing.assert_allclose(model.coef_, 0.0, atol=1e-8)

    def test_the_zero_operator(self):
        assert lanczos(lambda v: 0 * v, 10) == 0.0
        assert lanczos(lambda v: 1e-300 * v, 10) == pytest.approx(1e-300, abs=1e-300)
        matrix = np.diag(np.arange(1.0, 11.0))
        assert lanczos(lambda v: matrix @ v, 10) == pytest.approx(10.0, rel=1e-2)


class TestLimits:
    @pytest.mark.parametrize(
        "model",
        [
            CappedBlockSparseRegressor(0.1),
            CappedBlockSparseRegressor(0.1, penalty="mcp"),
            SparseTaskRelationRegressor(0.1, solver="fista"),
            GroupOverlapRegressor(0.1, random_state=0),
        ],
        ids=str,
    )
    def test_max_iter_counts_all_stages(self, model):
        X, _ = separable(d=6)
        Y = X @ np.random.default_rng(1).standard_normal((6, 3))
        for limit in (1, 3):
            model.set_params(max_iter=limit, tol=1e-12, max_stages=500)
            with pytest.warns(ConvergenceWarning, match="max_iter"):
                model.fit(X, Y)
            assert model.n_iter_ <= limit

    def test_sweeps_count_too(self):
        rng = np.random.default_rng(0)
        X = rng.standard_normal((60, 500))
        Y = X[:, :5] @ rng.standard_normal((5, 4)) + rng.standard_normal((60, 4))
        with pytest.warns(ConvergenceWarning, match="Increase max_iter"):
            model = BlockSparseRegressor(1e-4, tol=1e-12, max_iter=20).fit(X, Y)
        # Far fewer rounds than allowed, since each takes hundreds of sweeps.
        assert model.n_iter_ < 20

    @pytest.mark.parametrize("seed", [1000, 1012, 1018])
    def test_dual_steps_do_not_shrink_to_nothing(self, seed):
        # Duals at their bounds once caused ever shorter steps, and up to 2640 iterations.
        rng = np.random.RandomState(seed)
        n, d, n_tasks = rng.randint(5, 40), rng.randint(1, 12), rng.randint(1, 6)
        X = rng.randn(n, d) * (10.0 ** rng.uniform(-1, 1, d) if rng.rand() < 0.3 else 1)
        Y = X @ rng.randn(d, n_tasks) + rng.randn(n, n_tasks) * rng.choice([0.1, 1, 10])
        alpha = 10.0 ** rng.uniform(-4, 0)
        model = MultiTaskRegressor(
            penalty=L1(alpha) + TraceNorm(alpha),
            loss="squared" if seed == 1018 else "huber",
            solver="splitting",
        ).fit(X, Y)
        assert model.n_iter_ <= {1000: 200, 1012: 300, 1018: 800}[seed]
        best = reference.solve(model, X, Y).objective
        assert model.objective_ <= best + model.dual_gap_ + 1e-6 * best


def _weakly_penalised(seed, classify):
    """Few rows, features in different units, missing labels and outliers."""
    rng = np.random.default_rng(seed)
    n, d, n_tasks = (int(rng.integers(*ends)) for ends in ((20, 40), (3, 10), (2, 6)))
    X = rng.standard_normal((n, d)) * 10 ** rng.uniform(-1, 1, d)
    W = rng.standard_normal((d, n_tasks)) / X.std(axis=0)[:, None]
    Z = X @ W + rng.standard_normal((n, n_tasks))
    Y = (Z > 0).astype(float) if classify else Z + 10 * (rng.random(Z.shape) < 0.1)
    return X, np.where(rng.random(Z.shape) < 0.15, np.nan, Y)


@pytest.mark.slow
@pytest.mark.filterwarnings("error::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("seed", range(3))
class TestSlowFits:
    """Losses of varying curvature with weak penalties reach the tolerance within the limit."""

    @pytest.mark.parametrize(
        "model",
        [
            ClusteredTaskClassifier(1e-4),
            LowRankClassifier(1e-2, loss="squared_hinge"),
            TaskRelationClassifier(1e-4),
            RobustTaskClassifier(1e-4, outlier=0.8),
            MultiTaskClassifier(1e-3, penalty=L1(0.3) + TraceNorm(0.5)),
            MultiTaskClassifier(1e-3, penalty=L21(0.4) + TraceNorm(0.3), loss="squared_hinge"),
            MultiTaskClassifier(1e-3, penalty=L1Inf(0.3) + L1(0.3)),
        ],
        ids=repr,
    )
    def test_classifiers(self, model, seed):
        X, Y = _weakly_penalised(seed, classify=True)
        exact = reference.solve(model, X, Y)
        model.fit(X, Y)
        assert exact.objective <= model.objective_ * (1 + 1e-5)
        assert model.objective_ <= exact.objective + 1e-4 * Y.shape[1]

    @pytest.mark.parametrize(
        "model",
        [
            TaskRelationRegressor(1e-4),
            ClusteredTaskRegressor(1e-3),
            RobustTaskRegressor(1e-4, outlier=0.8),
            FusedTaskRegressor(1e-3),
            MultiTaskRegressor(1e-2, penalty=L1(0.3) + TraceNorm(0.5)),
        ],
        ids=repr,
    )
    def test_huber(self, model, seed):
        X, Y = _weakly_penalised(seed, classify=False)
        model.set_params(loss="huber")
        exact = reference.solve(model, X, Y)
        model.fit(X, Y)
        scale = np.nanvar(Y, axis=0).sum()
        assert exact.objective <= model.objective_ + 1e-5 * scale
        assert model.objective_ <= exact.objective + 1e-4 * scale


def _kinked(seed, *, classify):
    """Few rows for many coefficients, and a constant feature."""
    rng = np.random.default_rng(seed)
    n, d, n_tasks = (7, 6, 5) if classify else (15, 6, 5)
    X = rng.standard_normal((n, d))
    X[:, 0] = 0.0
    Z = X @ (rng.standard_normal((d, n_tasks)) * (rng.random((d, 1)) < 0.6))
    if classify:
        return X, (Z + rng.standard_normal(Z.shape) > 0).astype(float)
    # Almost all residuals are in the linear part of Huber's loss.
    return X, 1e3 * (Z + 0.3 * rng.standard_normal(Z.shape))


@pytest.mark.slow
@pytest.mark.filterwarnings("error::sklearn.exceptions.ConvergenceWarning", "error::RuntimeWarning")
@pytest.mark.parametrize("seed", range(3))
class TestKinks:
    """Gradients with kinks: quadratic models fail, and gradient steps continue."""

    @pytest.mark.parametrize(
        "model",
        [
            ClusteredTaskClassifier(4e-4, loss="squared_hinge"),
            SparseLowRankClassifier(1e-3, loss="squared_hinge"),
            FusedTaskClassifier(1e-5, loss="squared_hinge"),
            SparseLowRankRegressor(0.2, loss="huber"),
        ],
        ids=repr,
    )
    def test_within_the_limit(self, model, seed):
        classify = model.loss == "squared_hinge"
        X, Y = _kinked(seed, classify=classify)
        exact = reference.solve(model, X, Y)
        model.fit(X, Y)
        null = 0.5 * Y.shape[1] if classify else 1e3 * np.abs(Y).mean()
        assert exact.objective <= model.objective_ * (1 + 1e-5) + 1e-9
        assert model.objective_ <= exact.objective + 1e-4 * null
