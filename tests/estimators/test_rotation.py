"""Fits of many tasks in coordinates of the span of their labels."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import MultiTaskElasticNet, MultiTaskLasso, Ridge

from skmtl import (
    BlockSparseRegressor,
    LowRankRegressor,
    MultiTaskRegressor,
    TaskRelationRegressor,
    reference,
)
from skmtl.design import TaskRotation
from skmtl.model_selection import BlockSparseRegressorCV, alpha_max, path
from skmtl.penalties import L21
from skmtl.penalties import Ridge as RidgePenalty

N_SAMPLES, N_FEATURES, N_TASKS = 25, 12, 60


@pytest.fixture(scope="module")
def wide():
    """More tasks than rows."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_SAMPLES, N_FEATURES))
    W = np.zeros((N_FEATURES, N_TASKS))
    W[:4] = rng.normal(size=(4, N_TASKS))
    return X, X @ W + rng.normal(size=(N_SAMPLES, N_TASKS)) + 5 * rng.normal(size=N_TASKS)


@pytest.fixture
def never_rotated(monkeypatch):
    """A function that fits without the rotation."""

    def fit(model, *data, **options):
        with monkeypatch.context() as patch:
            patch.setattr(TaskRotation, "of", lambda data, centre: None)
            return clone(model).fit(*data, **options)

    return fit


@pytest.fixture
def rotations(monkeypatch):
    """The rotations found, None where there was none."""
    found, of = [], TaskRotation.of

    def spy(data, *, centre):
        found.append(of(data, centre=centre))
        return found[-1]

    monkeypatch.setattr(TaskRotation, "of", spy)
    return found


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_agrees_with_scikit_learn(wide, rotations, fit_intercept, l1_ratio):
    alpha = (2.0 if fit_intercept else 8.0) / l1_ratio
    options = {"alpha": alpha, "l1_ratio": l1_ratio, "fit_intercept": fit_intercept}
    peer = MultiTaskElasticNet(**options, tol=1e-12, max_iter=10**5).fit(*wide)
    model = BlockSparseRegressor(**options, tol=1e-12).fit(*wide)
    assert rotations[-1].basis.shape[1] <= N_SAMPLES
    assert 0 < model.support_.sum() < N_FEATURES
    np.testing.assert_allclose(model.coef_, peer.coef_, atol=2e-6)
    np.testing.assert_allclose(model.intercept_, peer.intercept_, atol=2e-6)


def test_rows_may_have_weights(wide, rotations, never_rotated):
    X, Y = wide
    weights = np.random.default_rng(1).uniform(0, 2, size=N_SAMPLES) * (np.arange(N_SAMPLES) > 2)
    model = BlockSparseRegressor(alpha=1.0, tol=1e-12)
    plain = never_rotated(model, X, Y, sample_weight=weights)
    model.fit(X, Y, sample_weight=weights)
    assert rotations[-1] is not None
    np.testing.assert_allclose(model.coef_, plain.coef_, atol=2e-6)
    np.testing.assert_allclose(model.intercept_, plain.intercept_, atol=2e-6)


@pytest.mark.parametrize(
    "model",
    [
        LowRankRegressor(alpha=1.0),
        TaskRelationRegressor(alpha=0.1),
        BlockSparseRegressor(alpha=1.0, feature_weight=np.arange(N_FEATURES) / 4.0),
        BlockSparseRegressor(alpha=0.5, refit_support=True),
        BlockSparseRegressor(alpha=0.5, scale_tasks=True),
        MultiTaskRegressor(penalty=L21(0.5) + RidgePenalty(0.1)),
    ],
    ids=lambda model: type(model).__name__,
)
def test_is_the_fit_in_tasks(wide, rotations, never_rotated, model):
    model = model.set_params(tol=1e-11)
    plain = never_rotated(model, *wide)
    model.fit(*wide)
    assert rotations[-1] is not None
    assert model.objective_ == pytest.approx(plain.objective_, rel=1e-9)
    assert model.dual_gap_ <= 1e-10 * model.objective_
    np.testing.assert_allclose(model.coef_, plain.coef_, atol=2e-5)
    np.testing.assert_allclose(model.predict(wide[0]), plain.predict(wide[0]), atol=5e-5)


@pytest.mark.parametrize(
    "model", [LowRankRegressor(alpha=1.0), TaskRelationRegressor(alpha=0.1)], ids=repr
)
def test_reaches_cvxpys_optimum(wide, rotations, model):
    X, Y = wide[0][:8], wide[1][:8, :20]
    model.set_params(tol=1e-9).fit(X, Y)
    assert rotations[-1] is not None
    best = reference.solve(model, X, Y)
    assert model.objective_ == pytest.approx(
        best.objective, rel=1e-5
    )  # cvxpy solves these to about 1e-6
    np.testing.assert_allclose(model.coef_, best.coef_, atol=2e-3)


@pytest.mark.parametrize(
    "options",
    [
        {"sparsity": 0.5},
        {"norm": "linf"},
        {"positive": True},
        {"task_weight": np.linspace(1, 2, N_TASKS)},
        {"intercept": "shrunk"},
    ],
    ids=str,
)
def test_is_not_used_where_tasks_cannot_be_mixed(wide, rotations, options):
    BlockSparseRegressor(alpha=1.0, **options).fit(*wide)
    assert not rotations


def test_is_not_used_with_missing_labels(wide, rotations):
    X, Y = wide
    BlockSparseRegressor(alpha=1.0).fit(X, np.where(Y == Y.min(), np.nan, Y))
    assert rotations == [None]


def test_repeated_tasks_cost_one(rotations):
    rng = np.random.default_rng(2)
    X = rng.normal(size=(200, 6))
    Y = np.repeat(X[:, :2] @ rng.normal(size=(2, 5)) + rng.normal(size=(200, 5)), 8, axis=1)
    peer = MultiTaskLasso(alpha=0.5, tol=1e-12, max_iter=10**5).fit(X, Y)
    model = BlockSparseRegressor(alpha=0.5, tol=1e-12).fit(X, Y)
    assert rotations[-1].basis.shape == (40, 5)
    np.testing.assert_allclose(model.coef_, peer.coef_, atol=2e-6)


def test_constant_tasks_have_zero_coefficients(wide):
    X, Y = wide
    Y = Y.copy()
    Y[:, 3], Y[:, 7] = 0.1, 0.0
    model = BlockSparseRegressor(alpha=0.5).fit(X, Y)
    assert (model.coef_[[3, 7]] == 0).all()
    np.testing.assert_allclose(model.intercept_[[3, 7]], [0.1, 0.0])


def test_a_warm_start_from_the_solution_needs_no_step(wide):
    model = BlockSparseRegressor(alpha=1.0, tol=1e-8, warm_start=True).fit(*wide)
    before = model.coef_
    model.fit(*wide)
    assert model.n_iter_ == 1
    np.testing.assert_allclose(model.coef_, before, atol=1e-12)


def test_single_precision(wide):
    X, Y = wide
    model = BlockSparseRegressor(alpha=1.0, tol=1e-5).fit(X.astype(np.float32), Y)
    assert model.coef_.dtype == np.float32
    exact = BlockSparseRegressor(alpha=1.0, tol=1e-10).fit(X, Y)
    np.testing.assert_allclose(model.coef_, exact.coef_, atol=1e-2)
    assert model.dual_gap_ <= 1e-5 * model.objective_ * 10


def test_paths_and_cross_validation(wide, never_rotated, monkeypatch):
    X, Y = wide
    top = alpha_max(BlockSparseRegressor(), X, Y)
    assert np.linalg.norm((X - X.mean(0)).T @ Y, axis=1).max() / N_SAMPLES == pytest.approx(top)
    alphas, coefs, _ = path(BlockSparseRegressor(tol=1e-11), X, Y, alphas=8, eps=0.05)
    for alpha, coef in zip(alphas[1:], np.moveaxis(coefs, 2, 0)[1:], strict=True):
        peer = MultiTaskLasso(alpha=alpha, tol=1e-12, max_iter=10**5).fit(X, Y)
        np.testing.assert_allclose(coef, peer.coef_, atol=1e-6)
    search = BlockSparseRegressorCV(alphas=alphas, cv=3, tol=1e-10)
    plain = never_rotated(search, X, Y)
    search.fit(X, Y)
    assert search.alpha_ == plain.alpha_
    np.testing.assert_allclose(search.coef_, plain.coef_, atol=1e-6)


def test_ridge_without_a_norm(wide, rotations):
    X, Y = wide
    model = BlockSparseRegressor(alpha=0.3, l1_ratio=0.0, tol=1e-12).fit(X, Y)
    assert rotations[-1] is not None
    peer = Ridge(alpha=0.3 * N_SAMPLES).fit(X, Y)
    np.testing.assert_allclose(model.coef_, peer.coef_, atol=1e-8)
