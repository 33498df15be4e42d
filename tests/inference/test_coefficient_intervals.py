"""Intervals of coefficients: equality with least squares, tests, layouts, and refusals."""

import inspect
import pickle
import warnings

import numpy as np
import pytest
from scipy import stats
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso, LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skmtl
from skmtl import (
    BlockSparseClassifier,
    BlockSparseRegressor,
    BlockSparseRegressorCV,
    IndependentTaskRegressor,
    LowRankRegressor,
    MultiTaskRegressor,
)
from skmtl.estimators import TaskRegressor
from skmtl.inference import coefficient_intervals
from skmtl.inference._nodewise import find_directions
from skmtl.penalties import L1, L21, SparseGroup, TraceNorm

sm = pytest.importorskip("statsmodels.api")

# Practically without a penalty, so that the debiased estimate is that of least squares.
OLS = BlockSparseRegressor(1e-10, tol=1e-13)


def shared(n=100, d=4, n_tasks=3, seed=0):
    """Correlated features and correlated noise."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + 5
    W = rng.normal(size=(d, n_tasks))
    W[-1] = 0
    Y = X @ W + rng.normal(size=(n, n_tasks)) @ rng.normal(size=(n_tasks, n_tasks)) - 2
    return X, Y


def stacked(sizes=(30, 45, 80), d=4, seed=0):
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(len(sizes)), sizes)
    X = rng.normal(size=(len(codes), d)) @ rng.normal(size=(d, d))
    y = X @ rng.normal(size=d) + (1 + codes) * rng.normal(size=len(codes))
    order = rng.permutation(len(codes))
    return np.column_stack([X, codes])[order], y[order]


def sparse(n=80, d=30, n_tasks=3, seed=0):
    """Few features with an effect."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    W = np.zeros((d, n_tasks))
    W[:3] = 1.0
    return X, X @ W + rng.normal(size=(n, n_tasks)), W


class TestLeastSquares:
    """Without a penalty everything must equal statsmodels' least squares."""

    @pytest.mark.parametrize("fit_intercept", [True, False])
    def test_shared(self, fit_intercept):
        X, Y = shared()
        model = BlockSparseRegressor(1e-10, tol=1e-13, fit_intercept=fit_intercept)
        result = coefficient_intervals(model, X, Y, inflation=np.inf, confidence_level=0.9)
        Z = sm.add_constant(X) if fit_intercept else X
        for t in range(3):
            expected = sm.OLS(Y[:, t], Z).fit()
            compare(result, t, expected, fit_intercept)
        np.testing.assert_array_equal(result.df, len(X) - 4 - fit_intercept)
        np.testing.assert_allclose(result.overlaps, 0, atol=1e-8)

    def test_default_directions_of_orthogonal_features_are_exact(self):
        X, Y = shared(d=6)
        X = np.linalg.qr(X - X.mean(axis=0))[0] + 0.01 * X
        result = coefficient_intervals(OLS, X, Y)
        compare(result, 1, sm.OLS(Y[:, 1], sm.add_constant(X)).fit(), True, 0.95)

    def test_weights_are_inverse_variances(self):
        X, Y = shared()
        weights = np.random.default_rng(1).uniform(0.2, 3, size=len(X))
        options = {"inflation": np.inf, "confidence_level": 0.9}
        result = coefficient_intervals(OLS, X, Y, sample_weight=weights, **options)
        for t in range(3):
            expected = sm.WLS(Y[:, t], sm.add_constant(X), weights=weights).fit()
            compare(result, t, expected, True)
        scaled = coefficient_intervals(OLS, X, Y, sample_weight=7 * weights, **options)
        np.testing.assert_allclose(scaled.standard_errors, result.standard_errors, rtol=1e-6)

    def test_missing_labels_and_weights_of_labels(self):
        X, Y = shared()
        rng = np.random.default_rng(2)
        Y[rng.random(Y.shape) < 0.2] = np.nan
        weights = rng.uniform(0.5, 2, size=Y.shape)
        weights[:5, 0] = 0
        options = {"inflation": np.inf, "confidence_level": 0.9}
        result = coefficient_intervals(OLS, X, Y, sample_weight=weights, **options)
        for t in range(3):
            rows = ~np.isnan(Y[:, t]) & (weights[:, t] > 0)
            Z = sm.add_constant(X[rows])
            expected = sm.WLS(Y[rows, t], Z, weights=weights[rows, t]).fit()
            compare(result, t, expected, True)

    def test_stacked(self):
        X, y = stacked()
        model = BlockSparseRegressor(1e-10, tol=1e-13, task_column=-1)
        result = coefficient_intervals(model, X, y, inflation=np.inf, confidence_level=0.9)
        for t in range(3):
            rows = X[:, -1] == t
            compare(result, t, sm.OLS(y[rows], sm.add_constant(X[rows, :-1])).fit(), True)

    def test_units_of_the_labels_and_scaled_tasks(self):
        X, Y = shared()
        units = np.array([1.0, 50.0, 0.1])
        model = BlockSparseRegressor(1e-10, tol=1e-13, scale_tasks=True)
        options = {"inflation": np.inf}
        result = coefficient_intervals(model, X, Y * units, **options)
        plain = coefficient_intervals(OLS, X, Y, **options)
        np.testing.assert_allclose(result.coef, plain.coef * units, rtol=1e-5)
        np.testing.assert_allclose(result.standard_errors, plain.standard_errors * units, rtol=1e-5)
        np.testing.assert_allclose(result.statistic, plain.statistic, rtol=1e-4)

    def test_one_task_of_a_single_target(self):
        X, Y = shared()
        result = coefficient_intervals(OLS, X, Y[:, 0], inflation=np.inf, confidence_level=0.9)
        expected = sm.OLS(Y[:, 0], sm.add_constant(X)).fit()
        compare(result, 0, expected, True)
        np.testing.assert_allclose(result.p_values, expected.pvalues[1:], rtol=1e-5)


def compare(result, task, expected, has_intercept, level=0.9):
    """The result of one task and the one of statsmodels."""
    kept = slice(int(has_intercept), None)
    ends = expected.conf_int(1 - level)[kept]
    np.testing.assert_allclose(result.coef[:, task], expected.params[kept], rtol=1e-5)
    np.testing.assert_allclose(result.standard_errors[:, task], expected.bse[kept], rtol=1e-5)
    np.testing.assert_allclose(result.intervals[:, task], ends, rtol=1e-4, atol=1e-7)


class TestTests:
    def test_shared_equals_the_multivariate_test_of_statsmodels(self):
        from statsmodels.multivariate.multivariate_ols import _MultivariateOLS

        X, Y = shared()
        result = coefficient_intervals(OLS, X, Y, inflation=np.inf)
        fit = _MultivariateOLS(Y, sm.add_constant(X)).fit()
        for j in range(4):
            rows = np.eye(5)[[j + 1]]
            table = fit.mv_test([("test", rows)]).results["test"]["stat"]
            expected = table.loc["Hotelling-Lawley trace"]
            assert result.statistic[j] == pytest.approx(float(expected["F Value"]), rel=1e-5)
            assert result.p_values[j] == pytest.approx(float(expected["Pr > F"]), rel=1e-4)
        assert result.test == "F"

    def test_missing_labels_equal_the_wald_test_of_seemingly_unrelated_regressions(self):
        X, Y = shared(n=60)
        Y[:12, 0] = np.nan
        Y[40:, 2] = np.nan
        result = coefficient_intervals(OLS, X, Y, inflation=np.inf)
        # The covariance of all coefficients, by generalised formulas on explicit matrices.
        maps, residuals = [], np.full(Y.shape, np.nan)
        for t in range(3):
            rows = ~np.isnan(Y[:, t])
            Z = sm.add_constant(X[rows])
            residuals[rows, t] = Y[rows, t] - Z @ np.linalg.lstsq(Z, Y[rows, t])[0]
            full = np.zeros((5, 60))
            full[:, rows] = np.linalg.pinv(Z)
            maps.append(full[1:])
        df = (~np.isnan(Y)).sum(axis=0) - 5
        sigma = np.sqrt(np.nansum(residuals**2, axis=0) / df)
        covariance = np.empty((3, 3))
        for s in range(3):
            for t in range(3):
                both = ~np.isnan(residuals[:, s] * residuals[:, t])
                r, q = residuals[both, s], residuals[both, t]
                covariance[s, t] = sigma[s] * sigma[t] * (r @ q) / np.sqrt(r @ r * (q @ q))
        for j in range(4):
            rows = np.stack([each[j] for each in maps])
            b = np.array([maps[t][j] @ np.nan_to_num(Y[:, t]) for t in range(3)])
            wald = b @ np.linalg.solve((rows @ rows.T) * covariance, b)
            scale = (df.min() - 2) / (df.min() * 3)
            assert result.statistic[j] == pytest.approx(wald * scale, rel=1e-5)

    def test_stacked_adds_the_scores_of_the_tasks(self):
        X, y = stacked()
        model = BlockSparseRegressor(1e-10, tol=1e-13, task_column=-1)
        result = coefficient_intervals(model, X, y, inflation=np.inf)
        p = []
        for t in range(3):
            rows = X[:, -1] == t
            p.append(sm.OLS(y[rows], sm.add_constant(X[rows, :-1])).fit().pvalues[1:])
        total = (stats.norm.isf(np.stack(p) / 2) ** 2).sum(axis=0)
        np.testing.assert_allclose(result.statistic, total, rtol=1e-5)
        np.testing.assert_allclose(result.p_values, stats.chi2.sf(total, 3), rtol=1e-4)
        assert result.test == "chi2"

    @pytest.mark.parametrize("correction", ["holm", "bh"])
    def test_adjusted_p_values_equal_those_of_statsmodels(self, correction):
        from statsmodels.stats.multitest import multipletests

        X, Y, _ = sparse()
        X[:, 7] = 2.0  # not a test
        with pytest.warns(UserWarning, match="not identified"):
            result = coefficient_intervals(BlockSparseRegressor(0.2), X, Y, correction=correction)
        known = ~np.isnan(result.p_values)
        assert known.sum() == 29 and not known[7]
        name = {"holm": "holm", "bh": "fdr_bh"}[correction]
        expected = multipletests(result.p_values[known], method=name)[1]
        np.testing.assert_allclose(result.adjusted_p_values[known], expected)
        assert np.isnan(result.adjusted_p_values[7])

    def test_without_selected_features_the_test_is_exact(self):
        """It is Hotelling's test of the regression on the direction alone."""
        from statsmodels.multivariate.multivariate_ols import _MultivariateOLS

        X, Y, _ = sparse(n=25, d=40)
        Y = np.random.default_rng(5).normal(size=Y.shape)
        result = coefficient_intervals(BlockSparseRegressor(100.0), X, Y)
        z = find_directions(X - X.mean(axis=0), 0.25, None)
        for j in (0, 17):
            design = sm.add_constant(X @ z.coef[:, j])
            fit = _MultivariateOLS(Y, design).fit()
            table = fit.mv_test([("test", np.array([[0.0, 1.0]]))]).results["test"]["stat"]
            expected = float(table.loc["Hotelling-Lawley trace", "Pr > F"])
            assert result.p_values[j] == pytest.approx(expected, rel=1e-6)

    def test_null_p_values_are_uniform(self):
        p = []
        for seed in range(25):
            rng = np.random.default_rng(seed)
            X, Y = rng.normal(size=(60, 8)), rng.normal(size=(60, 3)) @ rng.normal(size=(3, 3))
            p.append(coefficient_intervals(BlockSparseRegressor(0.1), X, Y).p_values[0])
        assert stats.kstest(p, "uniform").pvalue > 0.01


def plain_desparsified_lasso(X, y, alpha, j):
    """The de-sparsified lasso of one coefficient, step by step, by scikit-learn's Lasso."""
    X, y = X - X.mean(axis=0), y - y.mean()
    fit = Lasso(alpha, fit_intercept=False, tol=1e-12, max_iter=10**6).fit(X, y)
    residual = y - X @ fit.coef_
    others = np.delete(np.arange(X.shape[1]), j)
    scaled = X / np.linalg.norm(X, axis=0) * np.sqrt(len(X))
    limit = np.sqrt(2 * np.log(X.shape[1]))
    found = []
    top = np.abs(scaled[:, others].T @ scaled[:, j]).max() / len(X)
    for strength in top * np.geomspace(1, 0.01, 25):
        nodewise = Lasso(strength, fit_intercept=False, tol=1e-10, max_iter=10**6)
        z = scaled[:, j] - scaled[:, others] @ nodewise.fit(scaled[:, others], scaled[:, j]).coef_
        bias = np.abs(scaled[:, others].T @ z).max() / np.linalg.norm(z)
        noise = np.linalg.norm(z) / (z @ scaled[:, j])
        found.append((bias, noise, z))
    cap = 1.25 * min(noise for bias, noise, _ in found if bias <= limit)
    _, _, z = min((each for each in found if each[1] <= cap), key=lambda each: each[0])
    rest = residual - z * (z @ residual) / (z @ z)
    n_used = np.count_nonzero(fit.coef_) + (fit.coef_[j] == 0)
    variance = rest @ rest / (len(y) - 1 - n_used)
    return (
        fit.coef_[j] + z @ residual / (z @ X[:, j]),
        np.sqrt(variance) * np.linalg.norm(z) / (z @ X[:, j]),
    )


class TestDebiased:
    def test_one_task_equals_a_plain_desparsified_lasso(self):
        X, Y, _ = sparse(n=50, d=70)
        model = BlockSparseRegressor(0.2, tol=1e-10)
        result = coefficient_intervals(model, X, Y[:, 0])
        for j in (0, 1, 20, 69):
            coef, error = plain_desparsified_lasso(X, Y[:, 0], 0.2, j)
            # The lassos of the directions have a looser tolerance.
            assert result.coef[j, 0] == pytest.approx(coef, abs=0.02 * error)
            assert result.standard_errors[j, 0] == pytest.approx(error, rel=0.01)

    def test_the_bias_of_the_penalty_is_removed(self):
        X, Y, W = sparse(n=60, d=100)
        model = BlockSparseRegressor(0.3).fit(X, Y)
        result = coefficient_intervals(model, X, Y)
        assert (W[:3] - model.coef_.T[:3]).mean() > 0.15
        assert abs((W[:3] - result.coef[:3]).mean()) < 0.05
        assert (result.adjusted_p_values[:3] < 0.01).all()
        assert (result.adjusted_p_values[3:] > 0.05).all()
        inside = (result.intervals[..., 0] <= W) & (W <= result.intervals[..., 1])
        assert 0.93 < inside.mean() <= 1

    def test_layouts_agree(self):
        X, Y, _ = sparse(n_tasks=2)
        model = BlockSparseRegressor(0.2, tol=1e-10)
        one = coefficient_intervals(model, X, Y)
        both = np.vstack([np.column_stack([X, np.full(len(X), t)]) for t in (0, 1)])
        model = BlockSparseRegressor(0.2, tol=1e-10, task_column=-1)
        other = coefficient_intervals(model, both, Y.T.ravel())
        apart = np.vstack([X, X])
        masked = np.full((len(apart), 2), np.nan)
        masked[: len(X), 0], masked[len(X) :, 1] = Y.T
        third = coefficient_intervals(BlockSparseRegressor(0.2, tol=1e-10), apart, masked)
        for result in (other, third):
            np.testing.assert_allclose(result.coef, one.coef, rtol=1e-6, atol=1e-9)
            np.testing.assert_allclose(result.standard_errors, one.standard_errors, rtol=1e-6)
            np.testing.assert_allclose(result.intervals, one.intervals, rtol=1e-5, atol=1e-8)

    def test_order_of_tasks_and_units_of_features(self):
        X, Y, _ = sparse()
        Y[:5, 1] = np.nan
        model = BlockSparseRegressor(1e-10, tol=1e-13)
        one = coefficient_intervals(model, X, Y)
        units = np.geomspace(0.1, 10, X.shape[1])
        other = coefficient_intervals(model, X * units, Y[:, ::-1])
        np.testing.assert_allclose(other.coef[:, ::-1] * units[:, None], one.coef, rtol=1e-5)
        np.testing.assert_allclose(other.p_values, one.p_values, rtol=1e-4)

    def test_sparse_matrices_and_single_precision(self):
        from scipy.sparse import csc_array

        X, Y, _ = sparse()
        X[np.abs(X) < 0.5] = 0
        model = BlockSparseRegressor(0.2, tol=1e-8)
        one = coefficient_intervals(model, X, Y)
        for same, rtol in ((csc_array(X), 1e-4), (X.astype(np.float32), 1e-2)):
            other = coefficient_intervals(model, same, Y)
            np.testing.assert_allclose(other.standard_errors, one.standard_errors, rtol=rtol)

    def test_one_feature(self):
        X, Y = shared(d=1)
        result = coefficient_intervals(BlockSparseRegressor(1e-10, tol=1e-13), X, Y)
        compare(result, 0, sm.OLS(Y[:, 0], sm.add_constant(X)).fit(), True, 0.95)

    def test_wide_data_with_inf_inflation_still_give_finite_errors(self):
        X, Y, _ = sparse(n=30, d=50)
        result = coefficient_intervals(BlockSparseRegressor(0.4), X, Y, inflation=np.inf)
        assert np.isfinite(result.standard_errors).all() and (result.overlaps < 0.9).all()

    def test_copies_of_a_feature_are_not_identified(self):
        X, Y, _ = sparse()
        X[:, 5] = -2 * X[:, 1]
        with pytest.warns(UserWarning, match=r"2 features \(positions \[1, 5\]\)"):
            result = coefficient_intervals(BlockSparseRegressor(0.2), X, Y)
        assert np.isnan(result.intervals[[1, 5]]).all()
        assert np.isfinite(np.delete(result.intervals, [1, 5], axis=0)).all()

    def test_a_feature_that_is_constant_in_one_task_is_tested_in_the_others(self):
        X, y = stacked()
        X[X[:, -1] == 0, 2] = 3.0
        model = BlockSparseRegressor(1e-10, tol=1e-13, task_column=-1)
        with pytest.warns(UserWarning, match=r"in some tasks \(\[0\]\)"):
            result = coefficient_intervals(model, X, y, inflation=np.inf)
        assert np.isnan(result.coef[2, 0]) and np.isfinite(result.coef[2, 1:]).all()
        t = result.coef[2, 1:] / result.standard_errors[2, 1:]
        p = 2 * stats.t.sf(np.abs(t), result.df[2, 1:])
        total = (stats.norm.isf(p / 2) ** 2).sum()
        assert result.p_values[2] == pytest.approx(stats.chi2.sf(total, 2))

    def test_threads_do_not_change_the_result(self):
        X, Y, _ = sparse(n=50, d=60)
        one = coefficient_intervals(BlockSparseRegressor(0.2), X, Y)
        two = coefficient_intervals(BlockSparseRegressor(0.2), X, Y, n_jobs=2)
        np.testing.assert_allclose(one.intervals, two.intervals, rtol=1e-10)

    def test_inflation_trades_noise_for_bias(self):
        rng = np.random.default_rng(0)
        X = rng.normal(size=(60, 40)) + 2 * rng.normal(size=(60, 1))
        Y = rng.normal(size=(60, 2))
        low, high = (
            coefficient_intervals(BlockSparseRegressor(0.5), X, Y, inflation=inflation)
            for inflation in (0.0, 1.0)
        )
        assert high.overlaps.mean() < 0.8 * low.overlaps.mean()
        assert (low.standard_errors <= high.standard_errors * (1 + 1e-9)).all()
        assert (high.standard_errors <= 2 * low.standard_errors * (1 + 1e-9)).all()

    @pytest.mark.turns(2)
    @pytest.mark.parametrize(
        "model",
        [
            BlockSparseRegressor(0.2, sparsity=0.5),
            BlockSparseRegressor(0.2, l1_ratio=0.8),
            BlockSparseRegressor(0.2, feature_weight=np.r_[0.0, np.ones(29)]),
            BlockSparseRegressorCV(10),
            MultiTaskRegressor(penalty=L21(0.2)),
            MultiTaskRegressor(penalty=L1(0.1) + L21(0.1)),
            MultiTaskRegressor(penalty=SparseGroup(0.2)),
        ],
        ids=lambda model: repr(model)[:60],
    )
    def test_estimators_with_row_norms_find_the_features(self, model):
        X, Y, _ = sparse()
        result = coefficient_intervals(model, X, Y)
        assert np.flatnonzero(result.adjusted_p_values < 0.05).tolist() == [0, 1, 2]


class TestRefusals:
    @pytest.mark.parametrize(
        ("model", "message"),
        [
            (BlockSparseClassifier(), "squared loss"),
            (BlockSparseRegressor(loss="huber"), "squared loss"),
            (LowRankRegressor(), "sparse by L1 and row norms"),
            (IndependentTaskRegressor(), "sparse by L1 and row norms"),
            (BlockSparseRegressor(l1_ratio=0), "sparse by L1 and row norms"),
            (BlockSparseRegressor(0.1, positive=True), "sparse by L1 and row norms"),
            (BlockSparseRegressor(0.1, norm="linf"), "sparse by L1 and row norms"),
            (MultiTaskRegressor(penalty=TraceNorm(0.1)), "sparse by L1 and row norms"),
            (BlockSparseRegressor(refit_support=True), "refit_support=False"),
            (LinearRegression(), "block-sparse regressor of skmtl"),
            (make_pipeline(StandardScaler(), BlockSparseRegressor()), "steps before it"),
        ],
        ids=lambda value: str(value)[:40],
    )
    def test_debiased_names_the_reason(self, model, message):
        X, Y, _ = sparse()
        with pytest.raises(ValueError, match=message):
            coefficient_intervals(model, X, Y)

    def test_every_family_is_either_debiased_or_referred_to_the_bootstrap(self):
        X, Y, _ = sparse(n=40, d=5)
        debiased = []
        for name in skmtl.__all__:
            kind = getattr(skmtl, name)
            if not (inspect.isclass(kind) and issubclass(kind, TaskRegressor)):
                continue
            model = minimal(kind)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    coefficient_intervals(model, X, Y)
                    debiased.append(name)
                except ValueError as error:
                    assert "bootstrap" in str(error), name
        assert debiased == [
            *("BlockSparseRegressor", "BlockSparseRegressorCV"),
            "MultiTaskRegressor",  # by default without a penalty
        ]

    def test_more_tasks_than_labels(self):
        X, Y, _ = sparse(n=20, d=5, n_tasks=19)
        with pytest.raises(ValueError, match="noise covariance of 19 tasks .* stacked layout"):
            coefficient_intervals(BlockSparseRegressor(0.5), X, Y)

    def test_copies_of_a_task(self):
        X, Y, _ = sparse()
        with pytest.raises(ValueError, match="has no inverse"):
            coefficient_intervals(BlockSparseRegressor(0.2), X, Y[:, [0, 0]])

    def test_too_many_selected_features(self):
        X, Y, _ = sparse(n=20, d=40)
        with pytest.raises(ValueError, match="larger alpha"):
            coefficient_intervals(BlockSparseRegressor(1e-3), X, Y)

    def test_labels_without_noise(self):
        X, Y, _ = sparse()
        Y[:, 1] = 0.1
        with pytest.raises(ValueError, match=r"tasks \[1\] are constant"):
            coefficient_intervals(BlockSparseRegressor(0.2), X, Y)

    @pytest.mark.parametrize("method", ["debiased", "bootstrap"])
    def test_a_class(self, method):
        X, Y, _ = sparse()
        with pytest.raises(TypeError, match="instance such as"):
            coefficient_intervals(BlockSparseRegressor, X, Y, method=method)

    def test_groups_need_the_bootstrap(self):
        X, Y, _ = sparse()
        with pytest.raises(ValueError, match="method='bootstrap'"):
            coefficient_intervals(BlockSparseRegressor(0.2), X, Y, groups=np.arange(len(X)))

    @pytest.mark.parametrize(
        "wrong",
        [
            {"method": "ridge"},
            {"confidence_level": 1.0},
            {"correction": "bonferroni"},
            {"inflation": -1},
            {"n_bootstrap": 1},
        ],
        ids=lambda wrong: next(iter(wrong)),
    )
    def test_parameters(self, wrong):
        X, Y, _ = sparse()
        with pytest.raises(ValueError, match=next(iter(wrong))):
            coefficient_intervals(BlockSparseRegressor(0.2), X, Y, **wrong)


def minimal(kind):
    """An estimator with a weak penalty, whatever it needs."""
    parameters = inspect.signature(kind).parameters
    return kind(alpha=0.1) if "alpha" in parameters else kind()


class TestBootstrap:
    def test_errors_of_least_squares(self):
        """Of a large sample they equal the sandwich errors, to the noise of the bootstrap."""
        rng = np.random.default_rng(0)
        X = rng.normal(size=(400, 2))
        Y = X @ rng.normal(size=(2, 2)) + (0.3 + X[:, :1] ** 2) * rng.normal(size=(400, 2))
        model = BlockSparseRegressor(1e-8)
        result = coefficient_intervals(
            model, X, Y, method="bootstrap", n_bootstrap=300, random_state=0
        )
        for t in range(2):
            robust = sm.OLS(Y[:, t], sm.add_constant(X)).fit(cov_type="HC0")
            np.testing.assert_allclose(result.standard_errors[:, t], robust.bse[1:], rtol=0.15)
            np.testing.assert_allclose(result.intervals[:, t], robust.conf_int()[1:], atol=0.1)
        assert result.p_values is None and result.adjusted_p_values is None
        np.testing.assert_allclose(result.coef, model.fit(X, Y).coef_.T)
        assert "no p-values" in repr(result) and "penalised estimate" in repr(result)

    def test_rows_are_drawn_within_tasks(self):
        X, y = stacked((6, 9, 40))
        model = BlockSparseRegressor(0.1, task_column=-1)
        draws = drawn(model, X, y)
        for rows in draws:
            np.testing.assert_array_equal(np.bincount(X[rows, -1].astype(int)), [6, 9, 40])
        assert len({tuple(rows) for rows in draws}) == len(draws)

    def test_rows_of_a_group_are_drawn_together(self):
        X, y = stacked((20, 20, 40))
        groups = np.random.default_rng(0).integers(0, 20, size=80)
        draws = drawn(BlockSparseRegressor(0.1, task_column=-1), X, y, groups=groups)
        sizes = np.bincount(groups)
        for rows in draws:
            counts = np.bincount(rows, minlength=80)
            for group in range(20):
                times = counts[groups == group]
                assert sizes[group] == len(times) and (times == times[:1]).all()

    def test_groups_within_tasks_stay_in_them(self):
        X, y = stacked((20, 20, 40))
        codes = X[:, -1].astype(int)
        groups = 100 * codes + np.random.default_rng(0).integers(0, 4, size=80)
        draws = drawn(BlockSparseRegressor(0.1, task_column=-1), X, y, groups=groups)
        for rows in draws:
            units = [np.unique(groups[rows[codes[rows] == t]]) for t in range(3)]
            assert all(len(each) <= 4 for each in units)
            # As many groups as before, with repetitions: the number of rows varies with them.
            sizes = np.bincount(groups)
            for t in range(3):
                taken = np.bincount(groups[rows], minlength=len(sizes))
                own = np.unique(groups[codes == t])
                assert (taken[own] / sizes[own]).sum() == 4

    def test_missing_labels_keep_every_task(self):
        X, Y, _ = sparse(n=30, d=4)
        Y[3:, 2] = np.nan
        draws = drawn(BlockSparseRegressor(0.1), X, Y)
        assert all((rows < 3).any() and len(rows) == 30 for rows in draws)

    def test_classes_are_kept(self):
        X, Y, _ = sparse(n=30, d=4)
        labels = (Y > np.quantile(Y, 0.9, axis=0)).astype(int)
        for rows in drawn(BlockSparseClassifier(0.01), X, labels):
            assert (labels[rows].sum(axis=0) > 0).all()

    @pytest.mark.turns(2)
    @pytest.mark.parametrize(
        "model",
        [
            BlockSparseRegressor(0.05, loss="huber"),
            LowRankRegressor(0.1),
            make_pipeline(PCA(3), BlockSparseRegressor(0.05)),
            LinearRegression(),
        ],
        ids=lambda model: type(model).__name__,
    )
    def test_other_estimators(self, model):
        X, Y, _ = sparse(n=40, d=6)
        result = coefficient_intervals(
            model, X, Y, method="bootstrap", n_bootstrap=20, random_state=0
        )
        d = 3 if hasattr(model, "steps") else 6
        assert result.intervals.shape == (d, 3, 2)
        assert (result.intervals[..., 0] <= result.intervals[..., 1]).all()
        names = [f"pca{k}" for k in range(3)] if d == 3 else [f"x{j}" for j in range(6)]
        assert result.features == names

    def test_classes_of_a_single_target(self):
        X, Y, _ = sparse(n=60, d=4)
        y = np.array(["a", "b", "c"])[np.digitize(Y[:, 0], [-1, 1])]
        for model in (BlockSparseClassifier(0.01), LogisticRegression()):
            result = coefficient_intervals(
                model, X, y, method="bootstrap", n_bootstrap=10, random_state=0
            )
            assert result.coef.shape == (4, 3)

    def test_threads_and_seeds(self):
        X, Y, _ = sparse(n=40, d=5)
        options = {"method": "bootstrap", "n_bootstrap": 20, "random_state": 3}
        one = coefficient_intervals(BlockSparseRegressor(0.1), X, Y, **options)
        two = coefficient_intervals(BlockSparseRegressor(0.1), X, Y, n_jobs=2, **options)
        np.testing.assert_allclose(one.intervals, two.intervals, rtol=1e-6, atol=1e-9)

    def test_weights(self):
        X, Y, _ = sparse(n=40, d=5)
        weights = np.ones(40)
        weights[20:] = 0
        options = {"method": "bootstrap", "n_bootstrap": 10, "random_state": 0}
        model = BlockSparseRegressor(0.1)
        result = coefficient_intervals(model, X, Y, sample_weight=weights, **options)
        expected = model.fit(X[:20], Y[:20]).coef_.T
        np.testing.assert_allclose(result.coef, expected, atol=1e-3)
        matrix = np.tile(weights[:, None], 3)
        same = coefficient_intervals(model, X, Y, sample_weight=matrix, **options)
        np.testing.assert_array_equal(same.intervals, result.intervals)

    def test_a_task_in_one_group(self):
        X, y = stacked((10, 10, 10))
        model = BlockSparseRegressor(0.1, task_column=-1)
        with pytest.raises(ValueError, match="1 tasks have all their labels in a single group"):
            coefficient_intervals(
                model, X, y, method="bootstrap", groups=np.where(X[:, -1] == 1, -1, np.arange(30))
            )

    def test_a_pipeline_that_moves_the_task_column(self):
        rng = np.random.default_rng(0)
        X = np.column_stack([np.arange(60) % 3, rng.normal(size=(60, 2)), np.arange(60) % 2])
        steps = make_column_transformer((StandardScaler(), [1, 2, 3]), remainder="passthrough")
        model = make_pipeline(steps, IndependentTaskRegressor(1.0, task_column=-1))
        with pytest.raises(ValueError, match="move the task column.*TaskTransformer"):
            coefficient_intervals(model, X, X[:, 1], method="bootstrap", n_bootstrap=2)

    def test_warnings_of_all_samples_are_one(self):
        X, Y, _ = sparse(n=40, d=5)
        model = BlockSparseRegressor(0.01, max_iter=1, tol=1e-12)
        with pytest.warns(ConvergenceWarning) as caught:
            coefficient_intervals(model, X, Y, method="bootstrap", n_bootstrap=10, random_state=0)
        assert len(caught) == 2  # of the fit to all rows, and of the samples
        assert "of 10 fits to bootstrap samples warned" in str(caught[1].message)
        assert caught[1].filename == __file__

    def test_no_coefficients(self):
        from sklearn.tree import DecisionTreeRegressor

        X, Y, _ = sparse(n=20, d=3)
        with pytest.raises(TypeError, match="coef_"):
            coefficient_intervals(DecisionTreeRegressor(), X, Y, method="bootstrap")


def drawn(model, X, y, groups=None, n=15):
    """The rows of bootstrap samples."""
    from skmtl.design import as_label_array
    from skmtl.inference._bootstrap import _Units

    rows = _Units.read(
        X,
        as_label_array(y, "test"),
        model.task_column,
        None,
        groups,
        isinstance(model, BlockSparseClassifier),
    )
    rng = np.random.RandomState(0)
    return [rows.draw(rng) for _ in range(n)]


class TestResult:
    def test_frame_names_and_text(self):
        pd = pytest.importorskip("pandas")
        X, Y, _ = sparse()
        frame = pd.DataFrame(X, columns=[f"gene {j}" for j in range(30)])
        labels = pd.DataFrame(Y, columns=["one", "two", "three"])
        result = coefficient_intervals(BlockSparseRegressor(0.2), frame, labels)
        table = result.to_frame()
        assert len(table) == 90 and list(table.columns[:6]) == [
            *("feature", "task", "coef", "se", "low", "high")
        ]
        row = table[(table.feature == "gene 2") & (table.task == "two")].iloc[0]
        assert row.coef == result.coef[2, 1] and row.p_adjusted == result.adjusted_p_values[2]
        assert [row.low, row.high] == result.intervals[2, 1].tolist()
        text = repr(result)
        assert "BlockSparseRegressor, 30 features, 3 tasks" in text
        assert "3 features have an effect" in text and "gene 1: adjusted p" in text
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(result)).coef, result.coef)

    def test_stacked_frame(self):
        pd = pytest.importorskip("pandas")
        X, y = stacked()
        frame = pd.DataFrame(X[:, :-1], columns=list("abcd"))
        frame.insert(1, "site", np.array(["x", "y", "z"])[X[:, -1].astype(int)])
        result = coefficient_intervals(BlockSparseRegressor(0.01, task_column="site"), frame, y)
        assert result.features == list("abcd") and result.tasks.tolist() == ["x", "y", "z"]

    def test_plot(self):
        pytest.importorskip("matplotlib").use("Agg")
        X, Y, _ = sparse()
        result = coefficient_intervals(BlockSparseRegressor(0.2), X, Y)
        display = result.plot(feature="x1")
        np.testing.assert_allclose(
            np.sort(display.points_.get_offsets()[:, 0]), np.sort(result.coef[1])
        )
        assert display.intervals_ is not None
        title = result.plot(task=1).ax_.get_title()
        assert title == "BlockSparseRegressor\ndebiased estimates, 95% intervals"


@pytest.mark.parametrize("scale_tasks", [False, True])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_prior_coefficients_move_the_intervals(scale_tasks, dtype):
    X, Y, W = sparse(d=6)
    prior = W.T + np.random.default_rng(1).normal(size=W.T.shape)
    X = X.astype(dtype)
    moved = Y - X @ prior.T
    tol = 1e-9 if dtype == np.float64 else 1e-6
    model = BlockSparseRegressor(0.4, scale_tasks=scale_tasks, tol=tol)
    result = coefficient_intervals(clone(model).set_params(prior_coef=prior), X, Y)
    expected = coefficient_intervals(model, X, moved)
    rtol, atol = (1e-6, 1e-7) if dtype == np.float64 else (1e-2, 1e-3)
    np.testing.assert_allclose(result.coef - prior.T, expected.coef, rtol, atol)
    np.testing.assert_allclose(result.standard_errors, expected.standard_errors, rtol, atol)
    np.testing.assert_array_equal(result.df, expected.df)
    # The test is of the coefficients, not of the deviations.
    assert (result.p_values[:3] < 1e-6).all()
