"""The entire-space funnel: its loss, stationary points, layouts, propensities and errors."""

import pickle
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import approx_fprime, minimize
from scipy.special import expit
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.utils.estimator_checks import check_estimator

from skmtl import BlockSparseClassifier, LowRankClassifier
from skmtl.datasets import make_funnel
from skmtl.funnel import EntireSpaceClassifier, make_stage_scorer
from skmtl.losses import FunnelLoss
from skmtl.model_selection import AlphaSearchCV
from skmtl.penalties import L1, L21, Ridge, Superposition

TIGHT = {"tol": 1e-10, "max_stages": 500}


def dataset(n=1500, stages=2, seed=0, **params):
    rates = (0.3, 0.4, 0.5)[:stages]
    made = make_funnel(n, 6, n_informative=3, rates=rates, random_state=seed, **params)
    return made.data, made.target


def objective(coef, intercept, X, Y, weights=None):
    """The loss of the entire space, written with probabilities."""
    q = np.cumprod(expit(X @ coef.T + intercept), axis=1)
    weights = np.ones(len(X)) if weights is None else weights
    terms = np.where(np.isnan(Y), 0.0, np.where(Y == 1, np.log(q), np.log1p(-q)))
    return -(weights @ terms.sum(axis=1)) / weights.sum()


class TestLoss:
    @pytest.mark.parametrize("stages", [1, 2, 4])
    def test_gradient_against_finite_differences(self, stages):
        rng = np.random.default_rng(0)
        z = 2 * rng.normal(size=(5, stages))
        y = 2.0 * np.logical_and.accumulate(rng.uniform(size=z.shape) < 0.7, axis=1) - 1
        weights = rng.uniform(0, 2, size=z.shape)
        loss = FunnelLoss()
        gradient, curvature = loss.derivatives(y, z, weights)

        def value(flat):
            return (weights * loss.value(y, flat.reshape(z.shape))).sum()

        expected = approx_fprime(z.ravel(), value, 1e-7).reshape(z.shape)
        np.testing.assert_allclose(gradient, expected, atol=1e-5)
        assert (curvature > 0).all()

    def test_extreme_predictors_stay_finite(self):
        z = np.array([[800.0, 800.0], [-800.0, -800.0], [800.0, -800.0], [0.0, 40.0]])
        for y in (np.ones_like(z), -np.ones_like(z)):
            value = FunnelLoss().value(y, z)
            gradient, curvature = FunnelLoss().derivatives(y, z, np.ones_like(z))
            assert np.isfinite(value).all() and np.isfinite(gradient).all()
            assert np.isfinite(curvature).all() and (value >= 0).all()
        value = FunnelLoss().value(-np.ones((1, 1)), np.array([[40.0]]))
        np.testing.assert_allclose(value, 40.0)

    def test_majorant_bounds_the_loss(self):
        rng = np.random.default_rng(0)
        z, step = 2 * rng.normal(size=(2000, 3)), 3 * rng.normal(size=(2000, 3))
        y = 2.0 * np.logical_and.accumulate(rng.uniform(size=z.shape) < 0.6, axis=1) - 1
        loss, weights = FunnelLoss(), np.ones_like(z)
        gradient, curvature = loss.majorant(y, z, weights)
        bound = loss.value(y, z).sum(axis=1) + (gradient * step + curvature * step**2 / 2).sum(
            axis=1
        )
        assert (loss.value(y, z + step).sum(axis=1) <= bound + 1e-9).all()


class TestFit:
    @pytest.mark.parametrize("stages", [2, 3])
    def test_without_penalty_against_scipy(self, stages):
        X, Y = dataset(stages=stages)
        model = EntireSpaceClassifier(penalty="none", **TIGHT).fit(X, Y)
        shape = (stages, 7)

        def loss(flat):
            w = flat.reshape(shape)
            return objective(w[:, 1:], w[:, 0], X, Y)

        start = np.column_stack([model.intercept_, model.coef_])
        best = minimize(loss, np.zeros(7 * stages), method="BFGS", options={"gtol": 1e-7})
        assert loss(start.ravel()) == pytest.approx(model.objective_, rel=1e-10)
        assert model.objective_ <= best.fun + 1e-8
        np.testing.assert_allclose(start, best.x.reshape(shape), atol=5e-3)

    @pytest.mark.parametrize("penalty", ["block", "trace", L1() + Ridge(0.5)])
    def test_is_stationary_and_monotone(self, penalty):
        X, Y = dataset()
        model = EntireSpaceClassifier(0.02, penalty=penalty, **TIGHT).fit(X, Y)
        assert model.stationarity_ <= 1e-10
        assert (np.diff(model.objectives_) <= 0).all()
        assert np.isnan(model.dual_gap_)
        # No point nearby is better.
        from skmtl.penalties import TraceNorm

        norms = {"block": L21(), "trace": TraceNorm()}
        norm = norms[penalty] if isinstance(penalty, str) else penalty
        rng = np.random.default_rng(0)

        def total(coef, intercept):
            return objective(coef, intercept, X, Y) + 0.02 * norm.value(coef.T)

        here = total(model.coef_, model.intercept_)
        assert here == pytest.approx(model.objective_, rel=1e-9)
        for size in (1e-1, 1e-2, 1e-3):
            for _ in range(30):
                moved = model.coef_ + size * rng.normal(size=model.coef_.shape)
                other = model.intercept_ + size * rng.normal(size=2)
                assert total(moved, other) >= here - 1e-9

    def test_starts_are_worse_than_the_result(self):
        X, Y = dataset()
        model = EntireSpaceClassifier(0.005, **TIGHT).fit(X, Y)
        separate = Y.copy()
        separate[Y[:, 0] == 0, 1] = np.nan
        # The same strength in the scale of all rows: a stage has fewer labels than rows.
        labels = (~np.isnan(separate)).sum(axis=0)
        weight = len(X) * 2 / labels.sum()
        alone = BlockSparseClassifier(0.005 * weight, tol=1e-10).fit(X, separate)
        alone.set_params(alpha=0.005 * 2 * len(X) / labels.sum())
        start = objective(alone.coef_, alone.intercept_, X, Y) + 0.005 * L21().value(alone.coef_.T)
        assert model.objectives_[0] == pytest.approx(start, rel=1e-6)
        assert model.objective_ < start - 1e-5

    @pytest.mark.parametrize(
        ("penalty", "family"), [("block", BlockSparseClassifier), ("trace", LowRankClassifier)]
    )
    @pytest.mark.parametrize("weighted", [False, True])
    def test_one_stage_is_the_logistic_fit(self, penalty, family, weighted):
        X, Y = dataset()
        weights = np.random.default_rng(0).uniform(0, 2, size=len(X)) if weighted else None
        params = {"class_weight": "balanced"} if weighted else {}
        alone = family(0.02, tol=1e-12, **params).fit(X, Y[:, :1], sample_weight=weights)
        model = EntireSpaceClassifier(0.02, penalty=penalty, **TIGHT, **params)
        model.fit(X, Y[:, :1], sample_weight=weights)
        np.testing.assert_allclose(model.coef_, alone.coef_, atol=1e-5)
        assert model.objective_ == pytest.approx(alone.objective_, rel=1e-8)
        single = clone(model).fit(X, np.where(Y[:, 0] == 1, "yes", "no"), sample_weight=weights)
        np.testing.assert_allclose(single.coef_, model.coef_, atol=1e-6)
        assert single.predict_proba(X).shape == (len(X), 2)
        np.testing.assert_array_equal(single.predict(X) == "yes", model.predict(X)[:, 0] == 1)

    def test_weights_repeat_and_leave_out_rows(self):
        X, Y = dataset(400)
        model = EntireSpaceClassifier(0.02, **TIGHT)
        weights = np.arange(400) % 3
        rows = np.repeat(np.arange(400), weights)
        repeated = clone(model).fit(X[rows], Y[rows])
        model.fit(X, Y, sample_weight=weights)
        np.testing.assert_allclose(model.coef_, repeated.coef_, atol=1e-5)
        assert model.score(X, Y, weights) == pytest.approx(repeated.score(X[rows], Y[rows]), 1e-5)

    def test_missing_later_stages_are_left_out(self):
        X, Y = dataset()
        Y[:500, 1] = np.nan
        model = EntireSpaceClassifier(penalty="none", **TIGHT).fit(X, Y)
        value = objective(model.coef_, model.intercept_, X, Y)
        assert model.objective_ == pytest.approx(value, rel=1e-10)
        assert model.score(X, Y) == pytest.approx(-value)
        zeros = np.where(np.isnan(Y), 0.0, Y)
        taken = EntireSpaceClassifier(penalty="none", **TIGHT).fit(X, zeros)
        assert model.intercept_[1] > taken.intercept_[1] + 0.1

    def test_sparse_float32_and_warm_start(self):
        X, Y = dataset()
        X = X * (np.abs(X) > 0.8)
        model = EntireSpaceClassifier(0.01, **TIGHT)
        dense = clone(model).fit(X, Y)
        np.testing.assert_allclose(model.fit(sp.csr_matrix(X), Y).coef_, dense.coef_, atol=1e-4)
        single = clone(model).set_params(tol=1e-5).fit(X.astype(np.float32), Y)
        assert single.coef_.dtype == np.float32
        np.testing.assert_allclose(single.coef_, dense.coef_, atol=3e-2)
        again = clone(model).set_params(warm_start=True).fit(X, Y)
        first = again.n_stages_
        assert again.fit(X, Y).n_stages_ <= first
        np.testing.assert_allclose(again.coef_, dense.coef_, atol=1e-4)

    def test_probabilities_are_nested(self):
        X, Y = dataset(stages=3)
        model = EntireSpaceClassifier(0.005).fit(X, Y)
        joint, conditional = model.predict_proba(X), model.predict_conditional_proba(X)
        assert (np.diff(joint, axis=1) <= 0).all()
        assert ((joint > 0) & (joint < 1)).all()
        np.testing.assert_allclose(np.cumprod(conditional, axis=1), joint)
        np.testing.assert_array_equal(model.predict(X), joint > 0.5)
        np.testing.assert_allclose(expit(model.decision_function(X)), joint)

    def test_a_stage_without_events_is_a_constant(self):
        X, Y = dataset(300)
        Y[:, 1] = 0
        with pytest.warns(UserWarning, match=r"In the stages \[1\] all rows that reached"):
            model = EntireSpaceClassifier(0.01).fit(X, Y)
        assert (model.coef_[1] == 0).all() and model.intercept_[1] < -4
        alone = BlockSparseClassifier(0.01).fit(X, Y[:, :1])
        np.testing.assert_allclose(model.coef_[0], alone.coef_[0], atol=1e-2)


class TestPropensity:
    def test_inverse_against_cvxpy(self):
        cp = pytest.importorskip("cvxpy")
        X, Y = dataset()
        model = EntireSpaceClassifier(0.01, propensity="inverse", **TIGHT).fit(X, Y)
        p = model.propensities_[:, 1]
        reached = Y[:, 0] == 1
        weights = np.ones_like(Y)
        weights[:, 1] = np.where(reached, 1 / p, 0)
        weights[:, 1] *= len(X) / weights[:, 1].sum()
        W, b = cp.Variable((X.shape[1], 2)), cp.Variable((1, 2))
        z = X @ W + np.ones((len(X), 1)) @ b
        losses = cp.multiply(weights, cp.logistic(cp.multiply(1 - 2 * Y, z)))
        norms = 0.01 * cp.sum(cp.norm(W, 2, axis=1))
        problem = cp.Problem(cp.Minimize(cp.sum(losses) / len(X) + norms))
        problem.solve(solver="CLARABEL")
        assert model.objective_ == pytest.approx(problem.value, rel=1e-6)
        np.testing.assert_allclose(model.coef_.T, W.value, atol=1e-3)
        assert 0 <= model.dual_gap_ < 1e-8

    @pytest.mark.parametrize("missing", [False, True])
    def test_doubly_robust_against_scipy(self, missing):
        X, Y = dataset()
        if missing:
            Y[::2, 1] = np.nan
        params = {"penalty": "none", "propensity": "doubly_robust"}
        model = EntireSpaceClassifier(**params, **TIGHT).fit(X, Y)
        separate = Y.copy()
        separate[Y[:, 0] == 0, 1] = np.nan
        alone = BlockSparseClassifier(0.0, tol=1e-12).fit(X, separate)
        p, imputed = alone.predict_proba(X).T
        seen = (Y[:, 0] == 1) & ~np.isnan(Y[:, 1])
        ratio = np.where(seen, 1 / np.maximum(p, 0.01), 0)
        ratio *= len(X) / ratio.sum()
        labels = imputed + ratio * (np.nan_to_num(Y[:, 1]) - imputed)

        def loss(w):
            z = X @ w[1:] + w[0]
            return (np.logaddexp(0, z) - labels * z).mean()

        best = minimize(loss, np.zeros(7), method="BFGS", options={"gtol": 1e-8}).x
        np.testing.assert_allclose(model.coef_[1], best[1:], atol=1e-3)
        np.testing.assert_allclose(model.coef_[0], alone.coef_[0], atol=1e-4)

    def test_observed_selection_is_corrected(self):
        # The second stage is not linear: the fit to those who click extrapolates from them.
        rng = np.random.default_rng(0)
        X = rng.normal(size=(40_000, 1))
        click = rng.uniform(size=40_000) < expit(2 * X[:, 0] - 1)
        truth = expit(np.abs(X[:, 0]) - 1)
        Y = np.column_stack([click, click & (rng.uniform(size=40_000) < truth)]).astype(float)
        error = {}
        for how in ("inverse", "doubly_robust"):
            model = EntireSpaceClassifier(penalty="none", propensity=how).fit(X, Y)
            error[how] = abs(model.predict_conditional_proba(X)[:, 1].mean() - truth.mean())
        Y[~click, 1] = np.nan
        clicks = BlockSparseClassifier(0.0).fit(X, Y).predict_proba(X)[:, 1]
        assert max(error.values()) < 0.3 * abs(clicks.mean() - truth.mean())


class TestWithinScikitLearn:
    def test_check_estimator(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = {"check_classifier_multioutput": "labels are not nested"}
            for kind in ("dense", "sparse"):
                # The two fits of a binary classifier get different labels.
                name = f"check_sample_weight_equivalence_on_{kind}_data"
                expected[name] = "fails with scikit-learn 1.6"
            results = check_estimator(
                EntireSpaceClassifier(), on_fail=None, expected_failed_checks=expected
            )
        failed = {r["check_name"]: r["exception"] for r in results if r["status"] == "failed"}
        assert not failed

    def test_grid_search_with_stage_scorers(self):
        pd = pytest.importorskip("pandas")
        X, Y = dataset()
        frame = pd.DataFrame(Y, columns=["click", "purchase"])
        grid = {"alpha": [1e-3, 1e-1], "penalty": ["block", "none"]}
        for scorer in (
            make_stage_scorer("purchase"),
            make_stage_scorer(-1, "neg_log_loss", conditional=True),
        ):
            search = GridSearchCV(EntireSpaceClassifier(), grid, scoring=scorer, cv=3)
            search.fit(X, frame)
            assert np.isfinite(search.cv_results_["mean_test_score"]).all()
        assert search.best_estimator_.tasks_.tolist() == ["click", "purchase"]
        assert np.isfinite(cross_val_score(EntireSpaceClassifier(), X, Y, cv=3)).all()

    def test_stage_scorer_equals_scikit_learn(self):
        from sklearn.metrics import log_loss, roc_auc_score

        X, Y = dataset()
        model = EntireSpaceClassifier(0.01).fit(X, Y)
        joint, conditional = model.predict_proba(X), model.predict_conditional_proba(X)
        assert make_stage_scorer(1)(model, X, Y) == roc_auc_score(Y[:, 1], joint[:, 1])
        reached = Y[:, 0] == 1
        scorer = make_stage_scorer(1, "neg_log_loss", conditional=True)
        expected = -log_loss(Y[reached, 1], conditional[reached, 1])
        assert scorer(model, X, Y) == pytest.approx(expected)
        with pytest.raises(ValueError, match=r"one of \[0, 1\]"):
            make_stage_scorer("buy")(model, X, Y)
        for stage in (1.5, None):
            with pytest.raises(ValueError, match=r"one of \[0, 1\], or a position"):
                make_stage_scorer(stage)(model, X, Y)
        with pytest.raises(ValueError, match="metric must be one of"):
            make_stage_scorer(metric="accuracy")

    @pytest.mark.parametrize("metric", ["neg_log_loss", "neg_brier_score"])
    def test_stage_scorer_of_one_class_and_of_no_row(self, metric):
        X, Y = dataset(300)
        model = EntireSpaceClassifier(0.01).fit(X, Y)
        score = make_stage_scorer(-1, metric, conditional=True)
        for label in (0, 1):
            rows = Y[:, 0] == 1
            rows[rows] = Y[rows, 1] == label
            p = model.predict_conditional_proba(X[rows])[:, 1]
            right = p if label else 1 - p
            loss = -np.log(right) if metric == "neg_log_loss" else (1 - right) ** 2
            assert score(model, X[rows], Y[rows]) == pytest.approx(-loss.mean())
        nobody = Y[:, 0] == 0
        assert np.isnan(score(model, X[nobody], Y[nobody]))
        assert np.isnan(make_stage_scorer(0, metric)(model, X, np.full_like(Y, np.nan)))

    def test_alpha_search(self):
        X, Y = dataset()
        search = AlphaSearchCV(EntireSpaceClassifier(), alphas=[0.3, 0.03, 0.003], cv=3)
        search.fit(X, Y)
        for k, alpha in enumerate(search.alphas_):
            folds = search.scores_path_[k]
            from skmtl.model_selection import StratifiedTaskKFold

            split = StratifiedTaskKFold(3, random_state=0).split(X, Y)
            scores = [
                EntireSpaceClassifier(alpha).fit(X[a], Y[a]).score(X[b], Y[b]) for a, b in split
            ]
            np.testing.assert_allclose(folds, scores, rtol=1e-3)

    def test_clone_and_pickle(self):
        X, Y = dataset(300)
        model = EntireSpaceClassifier(0.01, penalty=L21() + Ridge(0.1)).fit(X, Y)
        restored = pickle.loads(pickle.dumps(model))
        np.testing.assert_array_equal(restored.predict_proba(X), model.predict_proba(X))
        np.testing.assert_array_equal(clone(model).fit(X, Y).coef_, model.coef_)


class TestErrors:
    def test_stages_must_be_nested(self):
        pd = pytest.importorskip("pandas")
        X, Y = dataset(100)
        Y[7] = [0, 1]
        with pytest.raises(ValueError, match="Row 7 has 1 = 1 but 0 = 0"):
            EntireSpaceClassifier().fit(X, Y)
        frame = pd.DataFrame(Y, columns=["click", "purchase"])
        with pytest.raises(ValueError, match="Row 7 has 'purchase' = 1 but 'click' = 0.*to NaN"):
            EntireSpaceClassifier().fit(X, frame)
        Y[7] = [np.nan, 1]
        expected = EntireSpaceClassifier().fit(X, Y).coef_
        # A label of weight zero is missing.
        Y[7], weights = [0, 1], np.ones(Y.shape)
        weights[7, 0] = 0
        coef = EntireSpaceClassifier().fit(X, Y, weights).coef_
        np.testing.assert_allclose(coef, expected, rtol=0, atol=1e-12)
        swapped = pd.DataFrame(weights, columns=["click", "purchase"])[["purchase", "click"]]
        coef = EntireSpaceClassifier().fit(X, frame, swapped).coef_
        np.testing.assert_allclose(coef, expected, rtol=0, atol=1e-12)

    def test_labels_and_parameters(self):
        X, Y = dataset(100)
        with pytest.raises(ValueError, match="-1 and 1"):
            EntireSpaceClassifier().fit(X, 2 * Y - 1)
        with pytest.raises(ValueError, match="Only binary classification"):
            EntireSpaceClassifier().fit(X, Y.sum(axis=1))
        single = EntireSpaceClassifier().fit(X, np.where(Y[:, 0] == 1, "yes", "no"))
        with pytest.raises(ValueError, match=r"classes of fit, \['no', 'yes'\], got .*'maybe'"):
            single.score(X, np.full(100, "maybe"))
        parts = Superposition(L1(), L21())
        for penalty in (parts, parts + Ridge()):
            with pytest.raises(ValueError, match="not be a superposition"):
                EntireSpaceClassifier(penalty=penalty).fit(X, Y)
        EntireSpaceClassifier(0.1, penalty=parts, propensity="inverse").fit(X, Y)
        with pytest.raises(ValueError, match="'penalty' parameter"):
            EntireSpaceClassifier(penalty="lasso").fit(X, Y)
        with pytest.warns(UserWarning, match="max_stages"):
            EntireSpaceClassifier(1e-4, max_stages=1, tol=1e-12).fit(X, Y)
