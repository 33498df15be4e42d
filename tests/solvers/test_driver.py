"""The main loop of all solvers: limits, warnings, unpenalised fits, hard cases."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from objectives import objective_of
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression

from skmtl import (
    BlockSparseClassifier,
    BlockSparseRegressor,
    IndependentTaskClassifier,
    IndependentTaskRegressor,
    PooledTaskClassifier,
    PooledTaskRegressor,
)
from skmtl.losses import SquaredLoss
from skmtl.model_selection import alpha_max
from skmtl.penalties import L1, Ridge
from skmtl.solvers import FISTA, SOLVERS, Newton, choose_solver


def data(classify=False, n=60, d=8, n_tasks=3, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    Y = X[:, : min(3, d)] @ rng.standard_normal((min(3, d), n_tasks))
    Y += rng.standard_normal((n, n_tasks)) + 1.0
    return X, (Y > np.median(Y, axis=0)).astype(int) if classify else Y


ESTIMATORS = [
    BlockSparseRegressor(0.1),
    BlockSparseRegressor(0.1, l1_ratio=0.5),
    IndependentTaskRegressor(0.1),
    PooledTaskRegressor(0.1),
    PooledTaskRegressor(0.1, task_intercepts=False),
    BlockSparseClassifier(0.02),
    BlockSparseClassifier(0.02, l1_ratio=0.5),
    IndependentTaskClassifier(0.02),
    PooledTaskClassifier(0.02),
    PooledTaskClassifier(0.02, task_intercepts=False),
]


@pytest.fixture(params=ESTIMATORS, ids=lambda e: repr(e).replace(", ", "-"))
def model(request):
    return clone(request.param)


def classifies(model):
    return "Classifier" in type(model).__name__


class TestDriver:
    def test_beyond_max_iter_it_warns_with_gap_tolerance_and_remedy(self, model):
        X, Y = data(classifies(model))
        model.set_params(max_iter=1, tol=1e-12, solver="fista")
        with pytest.warns(ConvergenceWarning) as caught:
            model.fit(X, Y)
        assert len(caught) == 1
        message = str(caught[0].message)
        assert "after 1 iteration" in message and f"{model.dual_gap_:.3g}" in message
        assert "tolerance is" in message and "Increase max_iter" in message
        assert model.n_iter_ == 1 and np.isfinite(model.coef_).all()
        assert 0 < model.dual_gap_ < np.inf
        # The warning points at the caller's line.
        assert caught[0].filename == __file__

    def test_no_warning_within_max_iter(self, model):
        X, Y = data(classifies(model))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for tol in (1e-1, 1e-4, 1e-8, 0.0):
                model.set_params(tol=tol).fit(X, Y)

    def test_verbose_prints_and_is_silent_by_default(self, model, capsys):
        X, Y = data(classifies(model))
        model.fit(X, Y)
        assert capsys.readouterr().out == ""
        model.set_params(verbose=1, solver="fista").fit(X, Y)
        lines = capsys.readouterr().out.strip().splitlines()
        assert len(lines) >= 2
        assert all("objective" in line and "dual gap" in line for line in lines)
        assert lines[0].startswith("iteration 0")

    @pytest.mark.parametrize("cls", [BlockSparseRegressor, BlockSparseClassifier])
    @pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
    def test_newton_does_not_fit_a_norm(self, cls, l1_ratio):
        X, Y = data(True)
        with pytest.raises(ValueError, match="solver='auto' or solver='fista'"):
            cls(0.01, l1_ratio=l1_ratio, solver="newton").fit(X, Y)
        cls(0.01, l1_ratio=0, solver="newton").fit(X, Y)
        cls(0.0, solver="newton").fit(X, Y)

    def test_newton_does_not_fit_thousands_of_features(self):
        X, Y = data(n=10, d=2001)
        with pytest.raises(ValueError, match="2000 features"):
            IndependentTaskRegressor(solver="newton").fit(X, Y)
        assert IndependentTaskRegressor().fit(X, Y).dual_gap_ < 1e-2

    def test_choose_solver(self):
        smooth, rough = objective_of(SquaredLoss(), Ridge()), objective_of(SquaredLoss(), L1())
        assert choose_solver("auto", smooth) is Newton
        assert choose_solver("auto", rough) is not Newton
        for objective in (smooth, rough):
            assert choose_solver("fista", objective) is FISTA
        assert set(SOLVERS) >= {"fista", "newton"}
        X, Y = data()
        with pytest.raises(ValueError, match="'solver' parameter of BlockSparseRegressor"):
            BlockSparseRegressor(solver="sgd").fit(X, Y)


class TestWithoutPenalty:
    @pytest.mark.parametrize("solver", ["newton", "fista"])
    @pytest.mark.parametrize("n", [60, 6])
    def test_least_squares(self, n, solver):
        X, Y = data(n=n)
        with warnings.catch_warnings():
            warnings.simplefilter("error", ConvergenceWarning)
            for cls in (IndependentTaskRegressor, BlockSparseRegressor):
                model = cls(alpha=0, tol=1e-8, solver=solver).fit(X, Y)
                exact = LinearRegression().fit(X, Y)
                error = ((Y - exact.predict(X)) ** 2).sum() / (2 * n)
                assert model.objective_ == pytest.approx(error, rel=1e-6, abs=1e-6)
                np.testing.assert_allclose(model.predict(X), exact.predict(X), atol=1e-2)
            PooledTaskRegressor(alpha=0, tol=1e-8, solver=solver).fit(X, Y)

    @pytest.mark.parametrize("solver", ["newton", "fista"])
    def test_logistic_that_is_not_separable(self, solver):
        X, Y = data(classify=True, n=200, d=3)
        model = IndependentTaskClassifier(alpha=0, tol=1e-9, solver=solver)
        with warnings.catch_warnings():
            warnings.simplefilter("error", ConvergenceWarning)
            model.fit(X, Y)
        # Stationary: residuals are orthogonal to features and sum to zero.
        residual = Y - model.predict_proba(X)
        np.testing.assert_allclose(X.T @ residual / 200, 0, atol=1e-4)
        np.testing.assert_allclose(residual.mean(axis=0), 0, atol=1e-4)

    @pytest.mark.parametrize("solver", ["newton", "fista"])
    @pytest.mark.parametrize("cls", [IndependentTaskClassifier, PooledTaskClassifier])
    def test_separable_warns_and_stays_finite(self, cls, solver):
        X, _ = data(n=30)
        Y = (X[:, :2] > 0).astype(int)
        Y[:, 1] = Y[:, 0]
        model = cls(alpha=0, tol=1e-8, max_iter=200, solver=solver)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model.fit(X, Y)
        # Warnings of separation or of non-convergence are allowed, numerical errors are not.
        assert {w.category for w in caught} <= {ConvergenceWarning, UserWarning}
        # Either a warning is given, or the loss is within the tolerance of its infimum, zero.
        assert caught or model.objective_ <= 1e-8 * 2 * np.log(2)
        assert np.isfinite(model.coef_).all() and np.isfinite(model.intercept_).all()
        assert np.isfinite(model.predict_proba(X)).all()
        assert (model.predict(X) == Y).all()
        assert model.dual_gap_ >= model.objective_ * (1 - 1e-6)

    def test_more_features_than_rows_in_a_classifier(self):
        X, Y = data(classify=True, n=10, d=40)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = IndependentTaskClassifier(alpha=0, max_iter=100).fit(X, Y)
        assert np.isfinite(model.coef_).all() and (model.predict(X) == Y).all()


def assert_sound(model, X, Y):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message="Every task has a single row")
        model.fit(X, Y)
    for value in (model.coef_, model.intercept_, model.objective_, model.dual_gap_):
        assert np.isfinite(value).all()
    prediction = model.predict_proba(X) if classifies(model) else model.predict(X)
    assert np.isfinite(prediction).all()
    return model


class TestHardCases:
    @pytest.mark.turns(2)
    @pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
    @pytest.mark.parametrize("constant", [0.0, 0.1, 12345.678, -1e8])
    def test_constant_features(self, model, container, constant):
        X, Y = data(classifies(model))
        with_constant = np.insert(X, 2, constant, axis=1)
        assert_sound(model, container(with_constant), Y)
        without = clone(model).fit(X, Y)
        np.testing.assert_allclose(np.delete(model.coef_, 2, axis=1), without.coef_, atol=2e-2)
        # The constant feature's coefficient has no effect.
        shown = "decision_function" if classifies(model) else "predict"
        with_it = getattr(model, shown)(with_constant)
        np.testing.assert_allclose(with_it, getattr(without, shown)(X), atol=0.1)

    @pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
    @pytest.mark.parametrize("constant", [0.1, 12345.678])
    @pytest.mark.parametrize(
        "cls", [IndependentTaskRegressor, IndependentTaskClassifier, PooledTaskClassifier]
    )
    def test_constant_features_without_a_penalty(self, cls, container, constant):
        X, Y = data("Classifier" in cls.__name__, n=200, d=3)
        with_constant = np.insert(X, 1, constant, axis=1)
        model = assert_sound(cls(alpha=0, tol=1e-8), container(with_constant), Y)
        without = cls(alpha=0, tol=1e-8).fit(X, Y)
        np.testing.assert_allclose(np.delete(model.coef_, 1, axis=1), without.coef_, atol=1e-3)
        shown = "decision_function" if hasattr(model, "classes_") else "predict"
        with_it = getattr(model, shown)(with_constant)
        np.testing.assert_allclose(with_it, getattr(without, shown)(X), atol=1e-2)

    @pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
    def test_features_constant_within_some_tasks(self, model, container):
        rng = np.random.default_rng(0)
        X, Y = data(classifies(model))
        # 0.1 wherever task 1 has a label; and in the stacked rows of task 1.
        seen = rng.random(60) > 0.5
        X[seen, 0] = 0.1
        Y = Y.astype(float)
        Y[~seen, 1] = np.nan
        shared = assert_sound(clone(model), container(X), Y)
        rows, tasks = np.nonzero(~np.isnan(Y))
        stacked = clone(model).set_params(task_column=-1)
        assert_sound(stacked, container(np.column_stack([X[rows], tasks])), Y[rows, tasks])
        np.testing.assert_allclose(stacked.coef_, shared.coef_, atol=0.05)

    def test_duplicated_rows_and_features(self, model):
        X, Y = data(classifies(model))
        once = clone(model).set_params(tol=1e-9).fit(X, Y)
        rows = clone(model).set_params(tol=1e-9).fit(np.repeat(X, 3, axis=0), np.repeat(Y, 3, 0))
        np.testing.assert_allclose(rows.coef_, once.coef_, atol=1e-3)
        twice = assert_sound(model, np.hstack([X, X, X[:, :1]]), Y)
        assert twice.dual_gap_ <= 1e-3 * twice.objective_ + 1e-3

    def test_all_rows_the_same(self):
        Y = np.arange(12.0).reshape(6, 2)
        for cls in (BlockSparseRegressor, IndependentTaskRegressor, PooledTaskRegressor):
            for alpha in (0.1, 0.0):
                model = assert_sound(cls(alpha=alpha), np.full((6, 3), 0.7), Y)
                np.testing.assert_allclose(model.predict([[0.7] * 3]), [Y.mean(axis=0)])

    def test_constant_labels(self):
        X, Y = data()
        for constant in (0.0, 0.1, -1e6, 1e-6):
            for cls in (BlockSparseRegressor, IndependentTaskRegressor, PooledTaskRegressor):
                model = assert_sound(cls(alpha=0.1), X, np.full_like(Y, constant))
                assert not model.coef_.any()
                np.testing.assert_allclose(model.intercept_, constant, rtol=1e-12)
                assert model.objective_ <= 1e-20 * (1 + constant**2)

    def test_tasks_of_one_row(self, model):
        X, Y = data(classifies(model))
        column = np.minimum(np.arange(60) % 7, 2)[:, None].astype(float)
        column[0], column[59] = 7, 8
        y = Y[:, 0]
        model.set_params(task_column=-1)
        with warnings.catch_warnings():
            # A task of one row has labels of one class.
            warnings.filterwarnings("ignore", message="All labels are the same")
            model.fit(np.hstack([X, column]), y)
        assert model.tasks_.tolist() == [0, 1, 2, 7, 8]
        assert np.isfinite(model.coef_).all() and np.isfinite(model.intercept_).all()
        predicted = model.predict(np.hstack([X, column]))
        assert np.isfinite(predicted).all()
        if classifies(model) and getattr(model, "task_intercepts", True):
            assert (predicted[[0, 59]] == y[[0, 59]]).all()

    @pytest.mark.parametrize(
        "cls", [BlockSparseRegressor, IndependentTaskRegressor, PooledTaskRegressor]
    )
    @pytest.mark.parametrize("alpha", [0.1, 0.0])
    def test_every_task_of_one_row(self, cls, alpha):
        X, Y = data(n=12)
        X = np.hstack([X, np.arange(12.0)[:, None]])
        with pytest.warns(UserWarning, match="Is task_column the column that holds the tasks"):
            model = cls(alpha=alpha, task_column=-1).fit(X, Y[:, 0])
        np.testing.assert_allclose(model.predict(X), Y[:, 0], atol=1e-9)
        assert not model.coef_.any()

    @pytest.mark.turns(2)
    @pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
    @pytest.mark.parametrize("stacked", [False, True])
    def test_many_more_features_than_rows(self, container, stacked):
        X, Y = data(n=20, d=3000)
        X[:, 3:] *= np.random.default_rng(1).random(X[:, 3:].shape) < 0.1
        ids = np.arange(20) % 3
        for classify in (False, True):
            y = (Y > np.median(Y, axis=0)).astype(int) if classify else Y
            block = BlockSparseClassifier if classify else BlockSparseRegressor
            ridge = IndependentTaskClassifier if classify else IndependentTaskRegressor
            models = [block(), ridge(alpha=0.5)]
            Z, target = X, y
            if stacked:
                Z, target = np.column_stack([X, ids]), y[np.arange(20), ids]
                for model in models:
                    model.set_params(task_column=-1)
            Z = container(Z)
            top = alpha_max(models[0], Z, target)
            models[0].set_params(alpha=0.2 * top)
            for model in models:
                assert_sound(model, Z, target)
                assert model.coef_.shape == (3, 3000)
            assert 0 < models[0].support_.sum() < 200

    @pytest.mark.turns(2)
    def test_five_hundred_tasks(self, model):
        if classifies(model):
            rng = np.random.default_rng(0)
            X = rng.standard_normal((60, 6))
            Y = (X[:, :1] + 2 * rng.standard_normal((60, 500)) > 0).astype(int)
        else:
            X, Y = data(n=40, d=6, n_tasks=500)
        assert_sound(model, X, Y)
        assert model.coef_.shape == (500, 6)
        ids = np.repeat(np.arange(500.0), 6)
        rows = np.random.default_rng(1).integers(0, len(X), 3000)
        stacked = clone(model).set_params(task_column=-1)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="All labels are the same")
            stacked.fit(np.column_stack([X[rows], ids]), Y[rows, ids.astype(int)])
        assert stacked.coef_.shape == (500, 6) and np.isfinite(stacked.coef_).all()

    def test_one_feature_one_row(self):
        for cls in (BlockSparseRegressor, IndependentTaskRegressor, PooledTaskRegressor):
            model = assert_sound(cls(), np.array([[2.0]]), np.array([[3.0, 4.0]]))
            assert model.predict([[2.0]]).tolist() == [[3.0, 4.0]]
            single = cls().fit(np.array([[2.0]]), np.array([3.0]))
            assert single.predict([[2.0]]).tolist() == [3.0]

    @pytest.mark.parametrize("scale", [1e-30, 1e-8, 1e8, 1e30])
    def test_units_of_labels_do_not_matter(self, scale):
        X, Y = data()
        plain = BlockSparseRegressor(0.1, tol=1e-8).fit(X, Y)
        scaled = BlockSparseRegressor(0.1 * scale, tol=1e-8).fit(X, scale * Y)
        np.testing.assert_allclose(scaled.coef_ / scale, plain.coef_, rtol=1e-5, atol=1e-7)
        ridge = IndependentTaskRegressor(0.1).fit(X, scale * Y)
        np.testing.assert_allclose(
            ridge.coef_ / scale, IndependentTaskRegressor(0.1).fit(X, Y).coef_, rtol=1e-6
        )

    def test_unequal_weights_of_many_magnitudes(self, model):
        X, Y = data(classifies(model))
        s = 10.0 ** np.random.default_rng(0).uniform(-12, 3, Y.shape)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model.fit(X, Y, sample_weight=s)
        assert np.isfinite(model.coef_).all() and np.isfinite(model.intercept_).all()


class TestSchool:
    def test_fits_with_a_certificate(self, data_file):
        school = np.load(data_file("school.npz"))
        X = np.column_stack([school["X"], school["task"]])
        model = BlockSparseRegressor(task_column=-1, tol=1e-5)
        top = alpha_max(model, X, school["y"])
        with warnings.catch_warnings():
            warnings.simplefilter("error", ConvergenceWarning)
            model.set_params(alpha=0.1 * top).fit(X, school["y"])
        assert model.coef_.shape == (139, 27)
        features, y, tasks = school["X"], school["y"], school["task"]
        losses, nulls = 0.0, 0.0
        for name, w, b in zip(model.tasks_, model.coef_, model.intercept_, strict=True):
            rows = tasks == name
            losses += ((y[rows] - features[rows] @ w - b) ** 2).sum() / 2
            nulls += ((y[rows] - y[rows].mean()) ** 2).sum() / 2
        factor = 139 / len(y)
        value = factor * losses + 0.1 * top * np.linalg.norm(model.coef_, axis=0).sum()
        assert model.objective_ == pytest.approx(value, rel=1e-9)
        assert model.dual_gap_ <= 1e-5 * factor * nulls * (1 + 1e-9)
        assert 0 < model.support_.sum() < 27
        # A tighter fit is within the gap.
        tight = clone(model).set_params(tol=1e-9).fit(X, y)
        assert model.objective_ - tight.objective_ <= model.dual_gap_
        assert model.score(X, y) > 0.2
