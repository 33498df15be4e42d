"""Mixes of a shared fit and each task's own: weights, gate, experts, and planted truths."""

import pickle
import warnings
from itertools import product

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import KFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmtl import (
    BlockSparseClassifier,
    BlockSparseRegressor,
    ClusteredTaskRegressor,
    IndependentTaskClassifier,
    IndependentTaskRegressor,
    MultiTaskRegressor,
    SafeTransferClassifier,
    SafeTransferRegressor,
)
from skmtl.losses import HuberLoss, LogisticLoss, PoissonLoss, SquaredLoss
from skmtl.model_selection import AlphaSearchCV, RepeatedStratifiedTaskKFold, StratifiedTaskKFold
from skmtl.model_selection._safe_gate import Gains, _normal_posterior, cross_fitted_gains
from skmtl.model_selection._safe_weights import HeldOutLabels, simplex_weights

UNRELATED = np.arange(8) >= 6
FEW = {"alphas": 6, "cv": 3}


def planted(n_rows=40, noise=3.0, seed=0):
    """Shared rows, and labels of six tasks with equal coefficients and two unrelated tasks."""
    rng = np.random.default_rng(seed)
    W = np.repeat(rng.normal(size=(10, 1)), 8, axis=1)
    W[:, UNRELATED] = rng.normal(size=(10, 2))
    X = rng.normal(size=(n_rows, 10))
    return X, X @ W + 0.5 + noise * rng.normal(size=(n_rows, 8)), W


def stacked(X, Y):
    """The same data with a task column."""
    tasks = np.repeat(np.arange(Y.shape[1]), len(X))
    return np.column_stack([np.tile(X, (Y.shape[1], 1)), tasks]), Y.T.ravel()


def held_out(loss, n_tasks=4, n_experts=3, seed=0):
    rng = np.random.default_rng(seed)
    m = 60 * n_tasks
    truth = rng.normal(size=m)
    Z = truth[:, None] + rng.normal(size=(m, n_experts)) * [0.5, 0.4, 1.5][:n_experts]
    y = truth + 0.3 * rng.normal(size=m)
    if isinstance(loss, LogisticLoss):
        y = np.sign(y)
    if isinstance(loss, PoissonLoss):
        y = rng.poisson(np.exp(truth)).astype(float)
    folds, tasks = np.tile(np.arange(5), m // 5), np.repeat(np.arange(n_tasks), 60)
    return HeldOutLabels(tasks, folds, y, rng.uniform(0.5, 2, size=m), Z, n_tasks)


class TestWeights:
    @pytest.mark.parametrize(
        "loss", [SquaredLoss(), LogisticLoss(), HuberLoss(0.3), PoissonLoss()], ids=str
    )
    def test_equal_those_of_cvxpy(self, loss):
        cp = pytest.importorskip("cvxpy")
        labels = held_out(loss)
        found = simplex_weights(labels, loss)
        for task, weights in enumerate(found):
            own = labels.take(labels.tasks == task)
            v = cp.Variable(3, nonneg=True)
            losses = cp.multiply(own.weights, loss.to_cvxpy(own.y, own.Z @ v))
            problem = cp.Problem(cp.Minimize(cp.sum(losses)), [cp.sum(v) == 1])
            problem.solve(solver="CLARABEL")
            np.testing.assert_allclose(weights, v.value, atol=2e-4)

    def test_are_on_the_simplex_and_not_improved_by_a_grid(self):
        labels, loss = held_out(SquaredLoss(), seed=1), SquaredLoss()
        found = simplex_weights(labels, loss)
        assert (found >= 0).all()
        np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-12)

        def value(V):
            return labels.per_task(labels.weights * loss.value(labels.y, labels.mixed(V)))

        steps = np.linspace(0, 1, 11)
        for a, b in product(steps, steps):
            if a + b <= 1:
                other = np.tile([a, b, 1 - a - b], (labels.n_tasks, 1))
                assert (value(found) <= value(other) + 1e-9).all()

    def test_prefer_the_own_fit_among_equal_experts(self):
        labels = held_out(SquaredLoss())
        labels.Z[:] = labels.Z[:, :1]
        np.testing.assert_allclose(simplex_weights(labels, SquaredLoss())[:, 0], 1)

    def test_of_tasks_without_labels_are_those_of_the_own_fit(self):
        labels = held_out(LogisticLoss())
        found = simplex_weights(labels.take(labels.tasks != 2), LogisticLoss())
        np.testing.assert_array_equal(found[2], [1, 0, 0])

    def test_a_weight_is_a_repetition(self):
        labels = held_out(HuberLoss())
        labels.weights[:] = np.tile([1.0, 2.0], len(labels.y) // 2)
        once = simplex_weights(labels, HuberLoss())
        twice = labels.take(np.repeat(np.arange(len(labels.y)), labels.weights.astype(int)))
        twice.weights[:] = 1.0
        np.testing.assert_allclose(simplex_weights(twice, HuberLoss()), once, atol=1e-5)


class TestGate:
    def test_gains_are_those_of_weights_without_the_fold(self):
        labels, loss = held_out(SquaredLoss()), SquaredLoss()
        found = cross_fitted_gains(labels, loss)
        task, gains, base = labels.tasks == 1, [], []
        for fold in range(5):
            part = labels.take(task & (labels.folds == fold))
            weights = simplex_weights(labels.take(task & (labels.folds != fold)), loss)[1]
            own = (part.y - part.Z[:, 0]) ** 2
            gains.append(own - (part.y - part.Z @ weights) ** 2)
            base.append(own)
        s = np.concatenate([labels.weights[task & (labels.folds == fold)] for fold in range(5)])
        d, base = np.concatenate(gains), np.average(np.concatenate(base), weights=s)
        mean = np.average(d, weights=s)
        error = np.sqrt((s**2 * (d - mean) ** 2).sum() * len(d) / (len(d) - 1)) / s.sum()
        assert found.gains[1] == pytest.approx(mean / base)
        assert found.errors[1] == pytest.approx(error / base)

    def test_posterior_equals_that_of_a_normal_model_by_quadrature(self):
        rng = np.random.default_rng(0)
        gains, variances = 0.5 + rng.normal(size=5), rng.uniform(0.2, 2, size=5)
        spreads = np.linspace(0, 8, 2001)
        mean, deviation = _normal_posterior(gains, variances, spreads)
        # The same by summing over a grid of the mean, which flat priors leave unbounded.
        centres = np.linspace(-30, 30, 1201)
        total = variances + spreads[:, None, None] ** 2
        density = np.exp(-((gains - centres[:, None]) ** 2) / total / 2) / np.sqrt(total)
        density = density.prod(axis=2) * np.gradient(spreads)[:, None]
        trust = spreads[:, None, None] ** 2 / total
        effect = centres[:, None] + trust * (gains - centres[:, None])
        weight = (density / density.sum())[:, :, None]
        first = (weight * effect).sum(axis=(0, 1))
        second = (weight * (effect**2 + trust * variances)).sum(axis=(0, 1))
        np.testing.assert_allclose(mean, first, rtol=1e-3)
        np.testing.assert_allclose(deviation, np.sqrt(second - first**2), rtol=1e-3)

    def test_small_gains_of_all_tasks_are_accepted_together(self):
        errors, counts = np.full(12, 0.1), np.full(12, 30)
        gains = np.linspace(0.04, 0.09, 12)
        assert not (gains > errors).any()
        assert Gains(gains, errors, counts).passes(1.0).all()
        # A single task with the same gain is not accepted.
        assert not Gains(gains[:1], errors[:1], counts[:1]).passes(1.0).any()
        mixed = gains * np.where(np.arange(12) % 2, 1, -1)
        assert not Gains(mixed, errors, counts).passes(1.0).any()

    def test_a_task_that_loses_is_never_carried_by_the_others(self):
        gains, errors = np.full(12, 0.2), np.full(12, 0.1)
        gains[0] = -0.1
        passed = Gains(gains, errors, np.full(12, 30)).passes(1.0)
        assert not passed[0] and passed[1:].all()

    def test_no_gain_and_no_labels(self):
        assert not Gains(np.zeros(3), np.zeros(3), np.array([0, 1, 9])).passes(0.0).any()


@pytest.fixture(scope="module")
def fitted():
    X, Y, W = planted()
    return SafeTransferRegressor("graph", alphas=10).fit(X, Y), W


class TestPlantedTruth:
    def test_related_tasks_share_and_unrelated_tasks_do_not(self, fitted):
        model, W = fitted
        assert model.weights_.shape == (8, 3)
        assert model.weights_[~UNRELATED, 0].mean() < 0.4
        np.testing.assert_array_equal(model.weights_[UNRELATED, 0], 1)
        error = ((model.coef_ - W.T) ** 2).sum(axis=1)
        own = ((model.expert_coefs_[0] - W.T) ** 2).sum(axis=1)
        assert error[~UNRELATED].mean() < 0.8 * own[~UNRELATED].mean()
        np.testing.assert_array_equal(error[UNRELATED], own[UNRELATED])

    def test_coefficients_are_the_mix_of_the_experts(self, fitted):
        model, _ = fitted
        coef = np.einsum("te,etj->tj", model.weights_, model.expert_coefs_)
        np.testing.assert_allclose(model.coef_, coef, rtol=1e-12)
        intercept = (model.weights_.T * model.expert_intercepts_).sum(axis=0)
        np.testing.assert_allclose(model.intercept_, intercept, rtol=1e-12)

    def test_experts_are_separate_fits(self, fitted):
        model, _ = fitted
        X, Y, _ = planted()
        own = IndependentTaskRegressor(model.alphas_[0]).fit(X, Y)
        np.testing.assert_allclose(model.expert_coefs_[0], own.coef_, rtol=1e-6)
        search = AlphaSearchCV(IndependentTaskRegressor(), alphas=10).fit(X, Y)
        assert search.alpha_ == model.alphas_[0]

    def test_the_trimmed_fit_is_that_of_the_pool_alone(self):
        X, Y, _ = planted()
        model = SafeTransferRegressor(ClusteredTaskRegressor(), **FEW).fit(X, Y)
        pool = model.pool_
        assert 2 <= pool.sum() < 8
        alone = ClusteredTaskRegressor(model.alphas_[2], tol=1e-8).fit(X, Y[:, pool])
        np.testing.assert_allclose(model.expert_coefs_[2, pool], alone.coef_, atol=0.02)
        np.testing.assert_array_equal(model.expert_coefs_[2, ~pool], model.expert_coefs_[0, ~pool])

    @pytest.mark.slow
    def test_classifiers(self):
        X, Y, W = planted(n_rows=120)
        model = SafeTransferClassifier("graph", alphas=10).fit(X, (Y > 0).astype(int))
        assert model.weights_[~UNRELATED, 0].mean() < 0.5 < model.weights_[UNRELATED, 0].mean()

    def test_a_high_gate_leaves_all_tasks_alone(self):
        X, Y, _ = planted()
        model = SafeTransferRegressor("graph", gate=1e6, **FEW).fit(X, Y)
        np.testing.assert_array_equal(model.weights_, np.eye(3)[np.zeros(8, dtype=int)])
        np.testing.assert_array_equal(model.coef_, model.expert_coefs_[0])

    @pytest.mark.slow
    def test_by_default_structures_are_clusters(self):
        X, Y, _ = planted()
        model = SafeTransferRegressor(**FEW).fit(X, Y)
        assert model.weights_[~UNRELATED, 0].mean() < 0.5
        np.testing.assert_array_equal(model.weights_[UNRELATED, 0], 1)


class TestData:
    def test_layouts_agree(self):
        X, Y, _ = planted(30)
        cv = KFold(3)
        shared = SafeTransferRegressor("graph", alphas=5, cv=cv, tol=1e-8).fit(X, Y)
        splits = []
        for train, test in cv.split(X):
            splits.append(
                tuple((part + 30 * np.arange(8)[:, None]).ravel() for part in (train, test))
            )
        column = SafeTransferRegressor("graph", alphas=5, cv=splits, tol=1e-8, task_column=-1)
        column.fit(*stacked(X, Y))
        np.testing.assert_allclose(column.weights_, shared.weights_, atol=1e-5)
        np.testing.assert_allclose(column.coef_, shared.coef_, atol=1e-5)
        assert column.objective_ == pytest.approx(shared.objective_)

    def test_missing_labels_have_no_influence(self):
        X, Y, _ = planted(30)
        hidden = np.random.default_rng(0).random(Y.shape) < 0.3
        missing, weights = np.where(hidden, np.nan, Y), np.where(hidden, 0.0, 1.0)
        by_nan = SafeTransferRegressor("graph", **FEW).fit(X, missing)
        by_weight = SafeTransferRegressor("graph", **FEW).fit(X, np.where(hidden, 99, Y), weights)
        np.testing.assert_allclose(by_nan.coef_, by_weight.coef_, rtol=1e-9)
        np.testing.assert_allclose(by_nan.weights_, by_weight.weights_, rtol=1e-9)

    def test_scaled_tasks(self):
        X, Y, _ = planted(30)
        units = np.array([1, 10, 0.1, 1, 5, 2, 1, 3.0])
        plain = SafeTransferRegressor("graph", scale_tasks=True, tol=1e-8, **FEW).fit(X, Y)
        scaled = clone(plain).fit(X, Y * units)
        np.testing.assert_allclose(scaled.weights_, plain.weights_, atol=1e-6)
        np.testing.assert_allclose(scaled.coef_, plain.coef_ * units[:, None], rtol=1e-5)
        mixed = np.einsum("te,etj->tj", scaled.weights_, scaled.expert_coefs_)
        np.testing.assert_allclose(scaled.coef_, mixed, rtol=1e-9)

    def test_a_single_task_and_classes(self):
        X, Y, _ = planted(30)
        model = SafeTransferRegressor("graph", **FEW).fit(X, Y[:, 0])
        assert model.coef_.shape == (10,) and model.weights_.shape == (1, 3)
        classes = np.array(["a", "b", "c"])[np.digitize(Y[:, 0], [-2, 2])]
        model = SafeTransferClassifier("block_sparse", **FEW).fit(X, classes)
        assert model.weights_.shape == (3, 3)
        assert set(model.predict(X)) <= {"a", "b", "c"}

    def test_unknown_tasks_and_balanced_weights(self):
        X, Y, _ = planted(40)
        rows, y = stacked(X, Y[:, :3] > 0)
        model = SafeTransferClassifier(
            "block_sparse", task_column=-1, unknown_task="mean", class_weight="balanced", **FEW
        ).fit(rows, y)
        new = rows[:1].copy()
        new[0, -1] = 99
        mean = rows[0, :-1] @ model.coef_.mean(axis=0) + model.intercept_.mean()
        np.testing.assert_allclose(model.decision_function(new), [mean])

    def test_groups_are_not_split(self):
        X, Y, _ = planted(24)
        X, Y = np.repeat(X, 2, axis=0), np.repeat(Y[:, :4], 2, axis=0)
        groups = np.repeat(np.arange(24), 2)
        # Copies of a row in training and test set would make a weak ridge look best.
        split = SafeTransferRegressor("graph", alphas=10, cv=KFold(3, shuffle=True, random_state=0))
        together = SafeTransferRegressor("graph", alphas=10, cv=3).fit(X, Y, groups=groups)
        assert together.alphas_[0] > split.fit(X, Y).alphas_[0]

    def test_labels_that_are_held_out_again_count_once(self):
        X, Y, _ = planted(30)
        cv = list(KFold(3).split(X))
        once = SafeTransferRegressor("graph", alphas=5, cv=cv).fit(X, Y)
        again = SafeTransferRegressor("graph", alphas=5, cv=cv + cv).fit(X, Y)
        for name in ("gains_", "gain_errors_", "shared_gain_errors_", "weights_"):
            np.testing.assert_allclose(getattr(again, name), getattr(once, name), atol=1e-9)

    @pytest.mark.parametrize("column", [None, -1], ids=["shared", "stacked"])
    def test_predictors_of_several_repeats_are_averaged(self, column):
        X, Y, _ = planted(20)
        y, tasks = Y[:, :3], np.tile(np.arange(3), (20, 1))
        if column is not None:
            X, y = stacked(X, y)
            tasks = X[:, -1]
        cv = RepeatedStratifiedTaskKFold(3, n_repeats=2, task_column=column, random_state=0)
        options = {"task_column": column, "tol": 1e-8}
        model = SafeTransferRegressor(BlockSparseRegressor(), alphas=4, cv=cv, **options).fit(X, y)
        losses = []
        for kind, alpha in zip(
            (IndependentTaskRegressor, BlockSparseRegressor), model.alphas_[:2], strict=True
        ):
            sums = np.zeros(y.shape)
            for train, test in cv.split(X, y):
                sums[test] += kind(alpha, **options).fit(X[train], y[train]).predict(X[test])
            losses.append((y - sums / 2) ** 2)
        for task in range(3):
            own, shared = (loss[tasks == task] for loss in losses)
            gains = (own - shared) / own.mean()
            assert model.shared_gains_[task] == pytest.approx(gains.mean(), abs=1e-4)
            error = gains.std(ddof=1) / np.sqrt(20)
            assert model.shared_gain_errors_[task] == pytest.approx(error, rel=1e-3)

    @pytest.mark.parametrize("loss", ["huber", "poisson"])
    def test_losses(self, loss):
        X, Y, _ = planted(40)
        Y = np.round(np.exp(Y[:, :4] / 6)) if loss == "poisson" else Y[:, :4]
        model = SafeTransferRegressor("graph", loss=loss, **FEW).fit(X, Y)
        np.testing.assert_allclose(model.weights_.sum(axis=1), 1)
        assert np.isfinite(model.predict(X)).all()

    def test_a_task_of_one_class_keeps_its_constant(self):
        X, Y, _ = planted(40)
        labels = (Y[:, :4] > 0).astype(int)
        labels[:, 2] = 1
        with pytest.warns(UserWarning, match="no finite estimate"):
            model = SafeTransferClassifier("block_sparse", **FEW).fit(X, labels)
        own = IndependentTaskClassifier()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            own.fit(X, labels)
        assert model.intercept_[2] == own.intercept_[2]
        assert not model.coef_[2].any()


class TestTools:
    def test_clone_pickle_and_pipelines(self):
        X, Y, _ = planted(30)
        model = make_pipeline(StandardScaler(), SafeTransferRegressor("graph", **FEW))
        again = pickle.loads(pickle.dumps(clone(model).fit(X, Y)))
        np.testing.assert_array_equal(again.predict(X), model.fit(X, Y).predict(X))

    def test_cross_validate(self):
        X, Y, _ = planted(30)
        rows, y = stacked(X, Y)
        cv = StratifiedTaskKFold(3, task_column=-1, random_state=0)
        model = SafeTransferRegressor("graph", task_column=-1, **FEW)
        found = cross_validate(model, rows, y, cv=cv, error_score="raise")
        assert np.isfinite(found["test_score"]).all()

    def test_threads_give_the_same_result(self):
        X, Y, _ = planted(30)
        model = SafeTransferRegressor("graph", **FEW).fit(X, Y)
        threaded = clone(model).set_params(n_jobs=2).fit(X, Y)
        np.testing.assert_array_equal(threaded.coef_, model.coef_)

    def test_single_precision(self):
        X, Y, _ = planted(30)
        model = SafeTransferRegressor("graph", **FEW).fit(X.astype(np.float32), Y)
        assert model.coef_.dtype == np.float32


class TestErrors:
    def test_parameters_in_common_are_set_once(self):
        X, Y, _ = planted(30)
        model = SafeTransferRegressor(BlockSparseRegressor(loss="huber"))
        with pytest.raises(ValueError, match="Pass loss='huber' to SafeTransferRegressor"):
            model.fit(X, Y)
        model = SafeTransferRegressor(BlockSparseRegressor(task_column=-1), task_column=-1, **FEW)
        assert model.fit(*stacked(X, Y)).weights_.shape == (8, 3)

    def test_any_penalty_with_one_loss(self):
        X, Y, _ = planted(30)
        mine = SafeTransferRegressor(MultiTaskRegressor(), **FEW).fit(X, Y)
        same = SafeTransferRegressor(BlockSparseRegressor(), **FEW).fit(X, Y)
        assert mine.alphas_[1] == pytest.approx(same.alphas_[1], rel=1e-6)
        np.testing.assert_allclose(mine.expert_coefs_[1], same.expert_coefs_[1], atol=1e-2)
        by_task = dict.fromkeys(range(8), "huber") | {0: "squared"}
        for loss in ("logistic", by_task):
            model = SafeTransferRegressor(MultiTaskRegressor(loss=loss))
            with pytest.raises(ValueError, match="use loss='squared' in the estimator"):
                model.fit(X, Y)

    def test_estimators_that_do_not_apply(self):
        X, Y, _ = planted(30)
        with pytest.raises(TypeError, match="takes a regressor, not BlockSparseClassifier"):
            SafeTransferRegressor(BlockSparseClassifier()).fit(X, Y)
        with pytest.raises(TypeError, match="estimator of skmtl with a parameter alpha"):
            SafeTransferRegressor(StandardScaler()).fit(X, Y)
        with pytest.raises(ValueError, match="'estimator' parameter"):
            SafeTransferRegressor("clusters").fit(X, Y)
