"""Block sparsity with sparse rows, feature weights, sign constraints, and refits."""

import warnings

import cvxpy as cp
import numpy as np
import pytest
import scipy.sparse as sp
from problems import SCENARIOS, Problem
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso, LinearRegression, LogisticRegression

from skmtl import (
    BlockSparseClassifier,
    BlockSparseClassifierCV,
    BlockSparseRegressor,
    BlockSparseRegressorCV,
    TaskRelationRegressor,
    reference,
)
from skmtl.model_selection import alpha_max, block_sparse_path, path

FACTORS = np.array([1.0, 2.0, 0.5, 0.0, 1.0, 3.0, 0.2, 1.0])
HELD = np.where(FACTORS > 0, FACTORS, 0.7)
# The coefficients of the first two features are of both signs; those of the fourth are free.
SIGNS = np.array([1, -1, 0, 0, 1, -1, 0, 1])
OPTIONS = {
    "sparsity": {"sparsity": 0.4},
    "sparsity-linf": {"sparsity": 0.4, "norm": "linf"},
    "positive": {"positive": True},
    "positive-linf": {"positive": True, "norm": "linf"},
    "weights": {"feature_weight": HELD},
    "free": {"feature_weight": FACTORS},
    "free-linf-ridge": {"feature_weight": FACTORS, "l1_ratio": 0.6, "norm": "linf"},
    "free-sparsity": {"feature_weight": FACTORS, "sparsity": 0.3},
    "positive-ridge-alone": {"positive": True, "l1_ratio": 0.0},
    "signs": {"positive": SIGNS, "sparsity": 0.2},
    "signs-free": {"positive": SIGNS, "feature_weight": FACTORS},
    "signs-ridge-alone": {"positive": SIGNS, "l1_ratio": 0.0},
    "signs-all": {
        "positive": SIGNS,
        "feature_weight": FACTORS * (SIGNS < 1),
        "l1_ratio": 0.7,
        "norm": "linf",
    },
    "all": {"sparsity": 0.3, "positive": True, "feature_weight": HELD, "l1_ratio": 0.8},
    "all-free": {"sparsity": 0.3, "positive": True, "feature_weight": FACTORS, "l1_ratio": 0.8},
}
NAMES = sorted(OPTIONS)


def make(n=40, d=8, n_tasks=3, seed=0):
    """X, Y, and a positive weight per label; a coefficient of the third row is missing."""
    rng = np.random.default_rng(seed)
    X, W = rng.normal(size=(n, d)), np.zeros((d, n_tasks))
    W[:3] = rng.normal(size=(3, n_tasks))
    W[2, 0] = 0
    return X, X @ W + 0.3 * rng.normal(size=(n, n_tasks)) + 1, rng.uniform(0.5, 2, (n, n_tasks))


def stack(X, Y):
    ids = np.repeat(np.arange(Y.shape[1]), len(X))
    return np.column_stack([np.vstack([X] * Y.shape[1]), ids]), Y.T.ravel()


def stated(model, X, y, sample_weight=None):
    """cvxpy's optimum of the documented objective, the best of several solvers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return reference.solve(model, X, y, sample_weight)


def assert_optimal(model, X, y, sample_weight=None, tol=1e-6):
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        model.set_params(tol=1e-9).fit(X, y, sample_weight)
    best = stated(model, X, y, sample_weight)
    assert model.objective_ == pytest.approx(best.objective, rel=tol, abs=1e-8)
    np.testing.assert_allclose(model.coef_, best.coef_, atol=2e-3)
    return model


class TestOptimum:
    @pytest.mark.turns(3)
    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.parametrize("missing", [False, True])
    def test_squared_shared(self, name, missing):
        X, Y, weights = make()
        if missing:
            Y[np.random.default_rng(1).random(Y.shape) < 0.2] = np.nan
        model = BlockSparseRegressor(0.1, **OPTIONS[name])
        assert_optimal(model, X, Y, weights if missing else None)
        assert_optimal(model, sp.csr_matrix(X), Y, weights if missing else None)

    @pytest.mark.turns(2)
    @pytest.mark.parametrize("name", NAMES)
    def test_squared_stacked(self, name):
        X, y = stack(*make()[:2])
        kept = np.random.default_rng(1).random(len(y)) < 0.8
        model = BlockSparseRegressor(0.1, task_column=-1, **OPTIONS[name])
        assert_optimal(model, X[kept], y[kept])
        assert_optimal(model, sp.csr_matrix(X[kept]), y[kept])

    @pytest.mark.turns(2)
    @pytest.mark.parametrize("name", NAMES)
    def test_squared_with_more_features_than_rows(self, name):
        # From rows, not from moments.
        X, Y, _ = make(n=7)
        assert_optimal(BlockSparseRegressor(0.2, **OPTIONS[name]), X, Y)

    @pytest.mark.turns(3)
    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.parametrize("loss", ["huber", "poisson"])
    def test_other_regression(self, name, loss):
        X, Y, weights = make()
        Y = np.floor(np.exp(Y / 2)) if loss == "poisson" else Y
        assert_optimal(BlockSparseRegressor(0.1, loss=loss, **OPTIONS[name]), X, Y, weights)

    @pytest.mark.turns(3)
    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.parametrize("loss", ["logistic", "squared_hinge"])
    def test_classification(self, name, loss):
        X, Y, weights = make(n=80)
        noise = 2 * np.random.default_rng(2).normal(size=Y.shape)
        Y = np.where(np.arange(80)[:, None] % 7 == 0, np.nan, Y + noise > 1)
        model = BlockSparseClassifier(0.03, loss=loss, **OPTIONS[name])
        assert_optimal(model, X, Y, weights)
        assert_optimal(model, sp.csr_matrix(X), Y, weights)
        Xs, ys = stack(X, Y)
        kept = ~np.isnan(ys)
        assert_optimal(model.set_params(task_column=-1), Xs[kept], ys[kept])

    @pytest.mark.turns(2)
    @pytest.mark.parametrize("name", NAMES)
    def test_multinomial(self, name):
        X, Y, _ = make(n=80)
        y = (Y + 2 * np.random.default_rng(2).normal(size=Y.shape)).argmax(axis=1)
        model = BlockSparseClassifier(0.03, loss="multinomial", **OPTIONS[name])
        with warnings.catch_warnings():
            warnings.simplefilter("error", ConvergenceWarning)
            model.set_params(tol=1e-8).fit(X, y)
        best = stated(model, X, y)
        assert model.objective_ == pytest.approx(best.objective, rel=1e-6)
        # The part of a free feature common to all classes does not change the objective.
        centred = [coef - coef.mean(axis=0) for coef in (model.coef_, best.coef_)]
        np.testing.assert_allclose(*centred, atol=5e-3)

    def test_against_the_definition(self):
        # Without the penalties' own cvxpy forms.
        X, Y, weights = make()
        W, b = cp.Variable((8, 3)), cp.Variable(3)
        squares = cp.multiply(weights, cp.square(Y - X @ W - b[None, :])) / 2
        norms = sum(HELD[j] * (0.7 * cp.norm(W[j], 2) + 0.3 * cp.norm(W[j], 1)) for j in range(8))
        ridge = 0.1 * 0.2 / 2 * cp.sum_squares(W)
        objective = 3 / weights.sum() * cp.sum(squares) + 0.1 * 0.8 * norms + ridge
        problem = cp.Problem(cp.Minimize(objective), [W >= 0])
        problem.solve(solver="CLARABEL")
        model = BlockSparseRegressor(0.1, tol=1e-9, **OPTIONS["all"]).fit(X, Y, weights)
        assert model.objective_ == pytest.approx(problem.value, rel=1e-7)
        np.testing.assert_allclose(model.coef_.T, W.value, atol=1e-4)
        np.testing.assert_allclose(model.intercept_, b.value, atol=1e-4)


class TestCertificate:
    @pytest.mark.turns(3)
    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.parametrize("max_iter", [1, 3, 10, 30])
    def test_is_a_true_bound_wherever_the_fit_stops(self, name, max_iter):
        X, Y, _ = make()
        for loss in ("squared", "poisson", "logistic", "multinomial"):
            y = {"squared": Y, "poisson": np.floor(np.exp(Y / 2))}.get(loss, Y > 1)
            kind = BlockSparseRegressor if loss in ("squared", "poisson") else BlockSparseClassifier
            y = Y.argmax(axis=1) if loss == "multinomial" else y
            model = kind(0.05, loss=loss, max_iter=max_iter, tol=1e-3, **OPTIONS[name])
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                model.fit(X, y)
            best = kind(0.05, loss=loss, tol=1e-10, **OPTIONS[name])
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                best.fit(X, y)
            assert model.objective_ - model.dual_gap_ <= best.objective_ * (1 + 1e-10)

    @pytest.mark.parametrize("name", NAMES)
    def test_float32(self, name):
        X, Y, _ = make()
        exact = BlockSparseRegressor(0.1, tol=1e-8, **OPTIONS[name]).fit(X, Y)
        single = BlockSparseRegressor(0.1, tol=1e-5, **OPTIONS[name])
        single.fit(X.astype(np.float32), Y.astype(np.float32))
        assert single.coef_.dtype == np.float32
        np.testing.assert_allclose(single.coef_, exact.coef_, atol=3e-2)
        assert single.dual_gap_ < 1e-4

    @pytest.mark.parametrize("name", ["sparsity", "positive", "weights", "all"])
    @pytest.mark.parametrize("loss", ["squared", "logistic"])
    def test_solvers_agree(self, name, loss):
        X, Y, _ = make(n=30, d=8)
        kind = BlockSparseRegressor if loss == "squared" else BlockSparseClassifier
        y = Y if loss == "squared" else Y > 1
        coefs = [
            kind(0.05, loss=loss, tol=1e-10, solver=solver, **OPTIONS[name]).fit(X, y).coef_
            for solver in ("block", "fista")
        ]
        np.testing.assert_allclose(*coefs, atol=1e-4)

    def test_screening_and_working_sets_with_weights_and_signs(self):
        rng = np.random.default_rng(0)
        X, W = rng.normal(size=(60, 1500)), np.zeros((1500, 4))
        W[:10] = np.abs(rng.normal(size=(10, 4)))
        Y, weights = X @ W + rng.normal(size=(60, 4)), rng.uniform(0.5, 2, 1500)
        for loss in ("squared", "huber"):
            params = {"loss": loss, "sparsity": 0.3, "positive": True, "feature_weight": weights}
            top = alpha_max(BlockSparseRegressor(**params), X, Y)
            coefs = [
                BlockSparseRegressor(0.3 * top, tol=1e-8, solver=solver, **params).fit(X, Y).coef_
                for solver in ("block", "fista")
            ]
            np.testing.assert_allclose(*coefs, atol=1e-3)


class TestEquivalences:
    def test_weights_of_one_are_none(self):
        X, Y, _ = make()
        plain = BlockSparseRegressor(0.1).fit(X, Y)
        ones = BlockSparseRegressor(0.1, feature_weight=np.ones(8)).fit(X, Y)
        np.testing.assert_array_equal(plain.coef_, ones.coef_)

    @pytest.mark.parametrize("norm", ["l2", "linf"])
    def test_a_weight_scales_the_feature(self, norm):
        X, Y, _ = make()
        weighted = BlockSparseRegressor(
            0.1, norm=norm, feature_weight=HELD, sparsity=0.2, tol=1e-10
        ).fit(X, Y)
        scaled = BlockSparseRegressor(0.1, norm=norm, sparsity=0.2, tol=1e-10).fit(X / HELD, Y)
        np.testing.assert_allclose(weighted.coef_, scaled.coef_ / HELD, atol=1e-5)

    def test_all_weights_zero_are_the_ridge_alone(self):
        X, Y, _ = make()
        none = BlockSparseRegressor(0.5, l1_ratio=0.4, feature_weight=np.zeros(8)).fit(X, Y)
        ridge = BlockSparseRegressor(0.5 * 0.6, l1_ratio=0).fit(X, Y)
        np.testing.assert_allclose(none.coef_, ridge.coef_, atol=1e-8)

    def test_a_free_feature_is_as_if_projected_out(self):
        X, Y, _ = make()
        free = BlockSparseRegressor(0.3, feature_weight=FACTORS, tol=1e-11).fit(X, Y)
        outside = np.column_stack([np.ones(len(X)), X[:, 3]])
        project = np.eye(len(X)) - outside @ np.linalg.pinv(outside)
        others = np.flatnonzero(FACTORS)
        rest = BlockSparseRegressor(
            0.3, feature_weight=FACTORS[others], fit_intercept=False, tol=1e-11
        ).fit(project @ X[:, others], project @ Y)
        np.testing.assert_allclose(free.coef_[:, others], rest.coef_, atol=1e-5)

    def test_sparsity_near_one_is_a_lasso_per_task(self):
        X, Y, _ = make()
        model = BlockSparseRegressor(0.1, sparsity=1 - 1e-7, tol=1e-10).fit(X, Y)
        for t in range(3):
            lasso = Lasso(0.1, tol=1e-12, max_iter=100_000).fit(X, Y[:, t])
            np.testing.assert_allclose(model.coef_[t], lasso.coef_, atol=1e-5)

    def test_one_positive_task_is_a_positive_lasso(self):
        X, Y, _ = make()
        for sparsity in (0.0, 0.6):
            model = BlockSparseRegressor(0.1, positive=True, sparsity=sparsity, tol=1e-11)
            lasso = Lasso(0.1, positive=True, tol=1e-12, max_iter=100_000).fit(X, Y[:, 0])
            np.testing.assert_allclose(model.fit(X, Y[:, 0]).coef_, lasso.coef_, atol=1e-5)
        assert (model.coef_ >= 0).all()

    def test_layouts_agree(self):
        X, Y, _ = make()
        params = {"alpha": 0.1, "tol": 1e-10, "refit_support": True, **OPTIONS["all-free"]}
        shared = BlockSparseRegressor(**params).fit(X, Y)
        stacked = BlockSparseRegressor(task_column=-1, **params).fit(*stack(X, Y))
        np.testing.assert_allclose(shared.coef_, stacked.coef_, atol=1e-5)

    def test_sparsity_drops_entries(self):
        X, Y, _ = make()
        model = BlockSparseRegressor(0.1, sparsity=0.5).fit(X, Y)
        rows = model.coef_[:, model.support_]
        assert (rows == 0).any() and (rows != 0).any(axis=0).all()


class TestRefit:
    @pytest.mark.parametrize("dense", [True, False])
    @pytest.mark.parametrize("params", [{}, {"norm": "linf"}, {"sparsity": 0.5}])
    def test_is_least_squares_on_the_support(self, params, dense):
        X, Y, weights = make()
        Y[np.random.default_rng(1).random(Y.shape) < 0.2] = np.nan
        given = X if dense else sp.csr_matrix(X)
        plain = BlockSparseRegressor(0.15, **params).fit(given, Y, weights)
        model = BlockSparseRegressor(0.15, refit_support=True, tol=1e-11, **params)
        model.fit(given, Y, weights)
        assert model.support_.sum() < 8
        np.testing.assert_array_equal(model.coef_ != 0, plain.coef_ != 0)
        for t in range(3):
            rows, used = ~np.isnan(Y[:, t]), np.flatnonzero(plain.coef_[t])
            root = np.sqrt(weights[rows, t])[:, None]
            A = np.column_stack([X[rows][:, used], np.ones(rows.sum())]) * root
            best = np.linalg.lstsq(A, Y[rows, t] * root[:, 0])[0]
            np.testing.assert_allclose(model.coef_[t, used], best[:-1], atol=1e-4)
            assert model.intercept_[t] == pytest.approx(best[-1], abs=1e-4)

    @pytest.mark.parametrize("ratio", [1e2, 1e4, 1e6])
    def test_features_on_a_small_scale_are_not_shrunk(self, ratio):
        rng = np.random.default_rng(0)
        X = rng.normal(size=(100, 2)) * [1.0, ratio]
        Y = X @ [[3.0, 2.0], [2 / ratio, 1 / ratio]] + 0.1 * rng.normal(size=(100, 2))
        model = BlockSparseRegressor(0.01, refit_support=True).fit(X, Y)
        expected = LinearRegression().fit(X, Y).coef_
        np.testing.assert_allclose(model.coef_, expected, rtol=1e-5)

    def test_features_with_a_mean_and_no_intercept_are_not_shrunk(self):
        rng = np.random.default_rng(0)
        X = 100 + rng.normal(size=(100, 3))
        Y = X @ rng.normal(size=(3, 2)) + 0.1 * rng.normal(size=(100, 2))
        model = BlockSparseRegressor(0.01, refit_support=True, fit_intercept=False).fit(X, Y)
        assert model.support_.all()
        expected = LinearRegression(fit_intercept=False).fit(X, Y).coef_
        np.testing.assert_allclose(model.coef_, expected, atol=1e-4)

    def test_reports_the_penalised_fit(self):
        X, Y, _ = make()
        plain = BlockSparseRegressor(0.15).fit(X, Y)
        model = BlockSparseRegressor(0.15, refit_support=True).fit(X, Y)
        assert (model.objective_, model.dual_gap_) == (plain.objective_, plain.dual_gap_)
        assert np.linalg.norm(model.coef_) > np.linalg.norm(plain.coef_)

    def test_keeps_the_ridge(self):
        X, Y, _ = make()
        model = BlockSparseRegressor(0.3, l1_ratio=0.5, refit_support=True, tol=1e-11).fit(X, Y)
        used = np.flatnonzero(model.support_)
        assert len(used) < 8
        A = X[:, used] - X[:, used].mean(axis=0)
        gram = A.T @ A / len(A) + 0.15 * np.eye(len(used))
        best = np.linalg.solve(gram, A.T @ (Y - Y.mean(axis=0)) / len(A))
        np.testing.assert_allclose(model.coef_[:, used].T, best, atol=1e-4)

    def test_positive_stays_positive(self):
        X, Y, _ = make()
        model = BlockSparseRegressor(0.1, positive=True, refit_support=True, tol=1e-11).fit(X, Y)
        plain = BlockSparseRegressor(0.1, positive=True, tol=1e-11).fit(X, Y)
        assert (model.coef_ >= 0).all() and not (model.coef_[plain.coef_ == 0]).any()
        A, B = X - X.mean(axis=0), Y - Y.mean(axis=0)
        for t in range(3):
            used = np.flatnonzero(plain.coef_[t])
            W = cp.Variable(len(used))
            cp.Problem(cp.Minimize(cp.sum_squares(A[:, used] @ W - B[:, t])), [W >= 0]).solve(
                solver="CLARABEL"
            )
            np.testing.assert_allclose(model.coef_[t, used], W.value, atol=1e-4)

    @pytest.mark.parametrize("loss", ["logistic", "squared_hinge", "multinomial"])
    @pytest.mark.parametrize("sparsity", [0.0, 0.5])
    def test_classifiers(self, loss, sparsity):
        X, Y, _ = make(n=120)
        noisy = Y + 2 * np.random.default_rng(2).normal(size=Y.shape)
        y = noisy.argmax(axis=1) if loss == "multinomial" else noisy > 1
        params = {"alpha": 0.08, "loss": loss, "sparsity": sparsity, "tol": 1e-9}
        plain = BlockSparseClassifier(**params).fit(X, y)
        model = BlockSparseClassifier(refit_support=True, **params).fit(X, y)
        assert 0 < model.support_.sum() < 8
        assert not model.coef_[plain.coef_ == 0].any()
        # The gradient at the selected entries vanishes, up to that of the ridge.
        Z = X @ model.coef_.T + model.intercept_
        if loss == "multinomial":
            p = np.exp(Z - Z.max(axis=1, keepdims=True))
            slopes = p / p.sum(axis=1, keepdims=True) - np.eye(3)[y]
        else:
            s = np.where(y, 1.0, -1.0)
            slopes = -s / (1 + np.exp(s * Z))
            if loss == "squared_hinge":
                slopes = -s * np.maximum(1 - s * Z, 0)
        G = slopes.T @ X / len(X)
        assert np.abs(G[plain.coef_ != 0]).max() < 1e-3
        assert np.abs(slopes.mean(axis=0)).max() < 1e-4

    def test_logistic_is_scikit_learns_on_the_support(self):
        X, Y, _ = make(n=120)
        y = Y + 2 * np.random.default_rng(2).normal(size=Y.shape) > 1
        model = BlockSparseClassifier(0.08, refit_support=True, tol=1e-10).fit(X, y)
        used = np.flatnonzero(model.support_)
        for t in range(3):
            best = LogisticRegression(C=1e6, tol=1e-10, max_iter=10_000).fit(X[:, used], y[:, t])
            np.testing.assert_allclose(model.coef_[t, used], best.coef_[0], atol=1e-3)

    def test_without_selected_features_there_is_no_refit(self):
        X, Y, _ = make()
        model = BlockSparseRegressor(100.0, refit_support=True).fit(X, Y)
        assert not model.coef_.any()
        np.testing.assert_allclose(model.intercept_, Y.mean(axis=0))

    def test_separable_classes_and_a_task_of_one_class(self):
        X, Y, _ = make()
        y = (Y > 1).astype(float)
        y[:, 1] = 1
        with pytest.warns(UserWarning, match="All labels are the same"):
            model = BlockSparseClassifier(0.05, refit_support=True).fit(X, y)
        assert np.isfinite(model.coef_).all() and not model.coef_[1].any()

    @pytest.mark.parametrize("loss", ["squared", "huber", "poisson"])
    def test_float32_and_scaled_tasks(self, loss):
        X, Y, _ = make()
        Y = np.floor(np.exp(Y / 2)) if loss == "poisson" else Y
        model = BlockSparseRegressor(0.1, loss=loss, refit_support=True, scale_tasks=True)
        exact = model.fit(X, Y).coef_
        single = model.fit(X.astype(np.float32), Y.astype(np.float32)).coef_
        assert single.dtype == np.float32
        np.testing.assert_allclose(single, exact, atol=1e-2)


class TestGrids:
    @pytest.mark.turns(2)
    @pytest.mark.parametrize("name", [name for name in NAMES if OPTIONS[name].get("l1_ratio") != 0])
    @pytest.mark.parametrize("loss", ["squared", "logistic", "multinomial"])
    def test_alpha_max_is_where_penalised_features_enter(self, name, loss):
        X, Y, _ = make(n=80)
        noisy = Y + 2 * np.random.default_rng(2).normal(size=Y.shape)
        y = {"squared": Y, "logistic": noisy > 1}.get(loss, noisy.argmax(axis=1))
        kind = BlockSparseRegressor if loss == "squared" else BlockSparseClassifier
        model, weights = (
            kind(loss=loss, tol=1e-10, **OPTIONS[name]),
            OPTIONS[name].get("feature_weight", np.ones(8)),
        )
        if not weights.all() and "l1_ratio" in OPTIONS[name]:
            with pytest.raises(ValueError, match="l1_ratio=1, or pass alphas"):
                alpha_max(model, X, y)
            return
        top = alpha_max(model, X, y)
        held = weights > 0
        above = model.set_params(alpha=top * (1 + 1e-5)).fit(X, y)
        assert not above.coef_[..., held].any() and above.support_[~held].all()
        assert model.set_params(alpha=top * 0.99).fit(X, y).coef_[..., held].any()

    @pytest.mark.parametrize("name", ["sparsity", "positive", "free", "all"])
    def test_path_equals_single_fits(self, name):
        X, Y, _ = make()
        params = {"tol": 1e-9, "refit_support": True, **OPTIONS[name]}
        alphas, coefs, _ = block_sparse_path(X, Y, alphas=6, eps=0.05, **params)
        for k in (1, 3, 5):
            fit = BlockSparseRegressor(alphas[k], **params).fit(X, Y)
            np.testing.assert_allclose(coefs[:, :, k], fit.coef_, atol=1e-3)

    def test_path_of_positive_classifier(self):
        X, Y, _ = make()
        alphas, coefs, _ = path(BlockSparseClassifier(positive=True), X, Y > 1, alphas=5)
        assert not coefs[:, :, 0].any() and coefs[:, :, -1].any() and (coefs >= 0).all()

    @pytest.mark.parametrize("layout", ["shared", "stacked"])
    def test_cv_refits_the_selected_model(self, layout):
        X, Y, _ = make(n=60)
        X, y = (X, Y) if layout == "shared" else stack(X, Y)
        params = {
            "sparsity": 0.3,
            "positive": True,
            "feature_weight": HELD,
            "refit_support": True,
            "tol": 1e-8,
            "task_column": None if layout == "shared" else -1,
        }
        model = BlockSparseRegressorCV(alphas=8, eps=0.05, cv=3, **params).fit(X, y)
        fit = BlockSparseRegressor(model.alpha_, **params).fit(X, y)
        np.testing.assert_allclose(model.coef_, fit.coef_, atol=1e-4)

    def test_cv_of_free_features_and_of_classes(self):
        X, Y, _ = make(n=60)
        model = BlockSparseClassifierCV(
            alphas=5, eps=0.1, cv=3, feature_weight=FACTORS, sparsity=0.2
        ).fit(X, Y + 2 * np.random.default_rng(2).normal(size=Y.shape) > 1)
        assert model.support_[3]

    def test_cv_with_a_ridge_and_free_features_needs_a_list(self):
        X, Y, _ = make()
        model = BlockSparseRegressorCV(l1_ratio=0.5, feature_weight=FACTORS, cv=3)
        with pytest.raises(ValueError, match="pass alphas as a list"):
            model.fit(X, Y)
        model.set_params(alphas=[0.01, 0.1, 1.0]).fit(X, Y)
        assert model.support_[3]


def named():
    """Stacked tasks as a data frame, the task column in the middle."""
    pd = pytest.importorskip("pandas")
    X, y = stack(*make()[:2])
    frame = pd.DataFrame(X[:, :-1], columns=list("abcdefgh"))
    frame.insert(3, "school", X[:, -1].astype(int))
    return frame, y


class TestWeightsByName:
    def test_equal_those_in_order_of_the_features(self):
        frame, y = named()
        by_name, in_order = {"e": 0.0, "a": 3.0}, [3.0, 1, 1, 1, 0, 1, 1, 1]
        for column in ("school", 3, -6):
            models = [
                BlockSparseRegressor(0.1, task_column=column, feature_weight=given).fit(frame, y)
                for given in (by_name, in_order)
            ]
            np.testing.assert_array_equal(models[0].coef_, models[1].coef_)
            assert models[0].support_[4]
        pl = pytest.importorskip("polars")
        model = clone(models[0]).set_params(task_column="school").fit(pl.from_pandas(frame), y)
        np.testing.assert_array_equal(model.coef_, models[1].coef_)

    def test_features_that_are_not_named_have_weight_one(self):
        frame, y = named()
        plain = BlockSparseRegressor(0.1, task_column="school")
        named_none = clone(plain).set_params(feature_weight={})
        np.testing.assert_array_equal(named_none.fit(frame, y).coef_, plain.fit(frame, y).coef_)

    def test_grids_and_folds(self):
        frame, y = named()
        by_name, in_order = {"e": 2.0, "a": 3.0}, [3.0, 1, 1, 1, 2, 1, 1, 1]
        found = []
        for given in (by_name, in_order):
            model = BlockSparseRegressor(task_column="school", feature_weight=given)
            found.append([alpha_max(model, frame, y), path(model, frame, y, alphas=3)[1]])
            # Held-out scores of folds, which index rows without names.
            for scoring in (None, "r2"):
                cv = BlockSparseRegressorCV(
                    alphas=3, task_column="school", feature_weight=given, scoring=scoring, cv=2
                )
                cv.fit(frame, y)
                found[-1] += [cv.alphas_, cv.coef_, cv.best_score_]
        for named_one, ordered in zip(*found, strict=True):
            np.testing.assert_allclose(named_one, ordered, rtol=1e-12)


class TestErrors:
    @pytest.mark.parametrize(
        ("params", "match"),
        [
            ({"sparsity": 1.0}, "'sparsity' parameter"),
            ({"sparsity": -0.1}, "'sparsity' parameter"),
            ({"positive": "yes"}, "'positive' parameter"),
            ({"refit_support": None}, "'refit_support' parameter"),
            ({"feature_weight": "all"}, "'feature_weight' parameter"),
            ({"feature_weight": np.ones(7)}, "one number per feature.*8; got shape"),
            ({"feature_weight": np.ones((8, 1))}, "one number per feature.*Use 1 for no"),
            ({"feature_weight": 2.0}, "'feature_weight' parameter .* Got 2.0"),
            ({"feature_weight": list("abcdefgh")}, "must hold numbers .*'a'.*Pass one number"),
            ({"feature_weight": {"a": 2.0}}, "if X has no column names, got a dict.*data frame"),
            ({"feature_weight": -np.ones(8)}, "finite and not negative"),
            ({"feature_weight": np.full(8, np.nan)}, "finite and not negative"),
            ({"positive": True, "alpha": 0.0}, "positive=True needs a penalty on every feature"),
            ({"positive": True, "feature_weight": FACTORS}, "Use alpha > 0 and feature_weight > 0"),
            ({"positive": True, "feature_weight": np.zeros(8)}, "or a ridge"),
        ],
    )
    def test_names_the_parameter_and_the_remedy(self, params, match):
        X, Y, _ = make()
        with pytest.raises(ValueError, match=match):
            BlockSparseRegressor(**params).fit(X, Y)

    def test_block_solver_is_not_for_free_features(self):
        X, Y, _ = make()
        with pytest.raises(ValueError, match="solver='block'"):
            BlockSparseRegressor(0.1, feature_weight=FACTORS, solver="block").fit(X, Y)

    @pytest.mark.parametrize(
        ("weights", "match"),
        [
            ({"h": 2, "hh": 1}, r"got unknown \['hh'\]. The features are \['a', .*weight 1"),
            ({"school": 2}, r"got unknown \['school'\].*without the task column"),
            ({"a": "low"}, "must hold numbers .*'low'"),
            ({"a": -1.0}, "finite and not negative"),
            (np.ones(9), "8; got shape .*Leave out the number for the task column"),
        ],
    )
    def test_names_the_feature(self, weights, match):
        frame, y = named()
        for cls in (BlockSparseRegressor, BlockSparseRegressorCV):
            with pytest.raises(ValueError, match=f"'feature_weight' parameter of {cls.__name__} "):
                cls(task_column="school", feature_weight=weights).fit(frame, y)
        with pytest.raises(ValueError, match=match):
            BlockSparseRegressor(task_column="school", feature_weight=weights).fit(frame, y)

    def test_weights_of_a_list_leave_the_task_column_out(self):
        X, y = stack(*make()[:2])
        model = BlockSparseRegressor(0.1, task_column=-1, feature_weight=HELD.tolist()).fit(X, y)
        assert model.coef_.shape == (3, 8)


def test_l1inf_vanishes_at_alpha_max():
    problem = Problem(SCENARIOS[0], classify=False)
    top = alpha_max(BlockSparseRegressor(norm="linf"), problem.X, problem.y)
    at = BlockSparseRegressor(top * (1 + 1e-9), norm="linf").fit(problem.X, problem.y)
    below = BlockSparseRegressor(top * 0.99, norm="linf", tol=1e-8).fit(problem.X, problem.y)
    assert not at.coef_.any() and below.coef_.any()
    with pytest.raises(ValueError, match="No finite alpha"):
        alpha_max(TaskRelationRegressor(), problem.X, problem.y)
