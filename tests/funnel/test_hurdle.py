"""The hurdle model: its objective, the correction, and errors."""

import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import check_estimator

from skmtl.funnel import HurdleRegressor


def dataset(n=600, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 5))
    amounts = np.exp(1 + X[:, 0] + 0.5 * X[:, 1] + 0.7 * rng.normal(size=n))
    return X, np.where(X[:, 0] + rng.normal(size=n) > 0, amounts, 0.0)


@pytest.mark.parametrize("weighted", [False, True])
def test_without_penalty_the_parts_are_separate(weighted):
    X, y = dataset()
    weights = np.random.default_rng(1).uniform(0.5, 2, size=len(X)) if weighted else None
    model = HurdleRegressor(penalty="none", tol=1e-12).fit(X, y, sample_weight=weights)
    some = y > 0
    part = None if weights is None else weights[some]
    logistic = LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000)
    logistic.fit(X, some, sample_weight=weights)
    linear = LinearRegression().fit(X[some], np.log(y[some]), sample_weight=part)
    np.testing.assert_allclose(model.coef_, [logistic.coef_[0], linear.coef_], atol=1e-3)
    p = logistic.predict_proba(X)[:, 1]
    np.testing.assert_allclose(model.predict_positive_proba(X), p, atol=1e-3)
    residuals = np.log(y[some]) - linear.predict(X[some])
    smearing = np.average(np.exp(residuals), weights=part)
    assert model.correction_ == pytest.approx(smearing, rel=1e-4)
    mean = p * np.exp(linear.predict(X)) * smearing
    np.testing.assert_allclose(model.predict(X), mean, rtol=1e-2)
    np.testing.assert_allclose(
        model.predict(X), model.predict_positive_proba(X) * model.predict_conditional(X)
    )


def test_objective_against_cvxpy():
    cp = pytest.importorskip("cvxpy")
    X, y = dataset(200)
    model = HurdleRegressor(0.1, tol=1e-10).fit(X, y)
    some = y > 0
    logs = np.log(y[some])
    W, b = cp.Variable((5, 2)), cp.Variable(2)
    scaled = logs / logs.std()
    loss = cp.sum(cp.logistic(-cp.multiply(2.0 * some - 1, X @ W[:, 0] + b[0]))) / 200
    loss += cp.sum_squares(scaled - X[some] @ W[:, 1] - b[1]) / (2 * some.sum())
    problem = cp.Problem(cp.Minimize(loss + 0.1 * cp.sum(cp.norm(W, axis=1))))
    problem.solve(solver="CLARABEL")
    assert model.objective_ == pytest.approx(problem.value, rel=1e-6)
    np.testing.assert_allclose(model.coef_, W.value.T * [[1], [logs.std()]], atol=1e-3)


def test_corrections_agree_for_normal_residuals():
    X, y = dataset(20_000)
    smearing, normal = (
        HurdleRegressor(0.001, correction=name).fit(X, y) for name in ("smearing", "lognormal")
    )
    assert smearing.correction_ == pytest.approx(np.exp(0.49 / 2), rel=0.03)
    assert normal.correction_ == pytest.approx(np.exp(0.49 / 2), rel=0.03)
    assert smearing.predict(X).mean() == pytest.approx(y.mean(), rel=0.05)


def test_grid_search_clone_and_pickle():
    X, y = dataset()
    search = GridSearchCV(HurdleRegressor(), {"alpha": [0.001, 0.1, 10.0]}, cv=3).fit(X, y)
    assert search.best_params_["alpha"] < 10
    model = search.best_estimator_
    restored = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(restored.predict(X), model.predict(X))
    np.testing.assert_array_equal(clone(model).fit(X, y).predict(X), model.predict(X))


def test_units_of_the_amount_do_not_matter():
    X, y = dataset()
    one, other = (HurdleRegressor(0.05, tol=1e-10).fit(X, factor * y) for factor in (1, 1000))
    np.testing.assert_allclose(1000 * one.predict(X), other.predict(X), rtol=1e-4)


def test_amounts_that_are_never_zero():
    X, y = dataset()
    model = HurdleRegressor(0.05)
    with pytest.warns(UserWarning, match="No amount in y is 0"):
        model.fit(X[y > 0], y[y > 0])
    np.testing.assert_array_equal(model.predict_positive_proba(X), 1)
    np.testing.assert_array_equal(model.predict(X), model.predict_conditional(X))


def test_predictions_far_from_the_data_are_no_nan():
    X, y = dataset()
    model = HurdleRegressor(0.05).fit(X, y)
    model._model.coef_ = np.array([[-1.0, 0, 0, 0, 0], [1.0, 0, 0, 0, 0]])
    assert model.predict([[1e4, 0, 0, 0, 0]]).tolist() == [0.0]


def test_warnings_of_the_fit_are_kept():
    X, y = dataset()
    with pytest.warns(ConvergenceWarning, match="Increase max_iter"):
        HurdleRegressor(0.05, penalty="trace", max_iter=1, tol=1e-12).fit(X[y > 0], y[y > 0])
    separated = np.where(X[:, 0] > 0, 1 + X[:, 1] ** 2, 0.0)
    with pytest.warns(UserWarning, match="separable: there is no finite minimiser"):
        HurdleRegressor(penalty="none").fit(X, separated)


@pytest.mark.parametrize(("name", "value"), [("max_iter", 0), ("tol", -1), ("fit_intercept", "no")])
def test_errors_of_parameters_name_the_estimator(name, value):
    with pytest.raises(ValueError, match=f"'{name}' parameter of HurdleRegressor"):
        HurdleRegressor(**{name: value}).fit(*dataset())


def test_check_estimator():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(HurdleRegressor(tol=1e-12), on_fail=None)
    failed = {r["check_name"]: r["exception"] for r in results if r["status"] == "failed"}
    assert not failed


@pytest.mark.parametrize(
    ("amounts", "message"), [([0.0, 0.0, 0.0], "all are 0"), ([1.0, -1.0, 0.0], "got -1")]
)
def test_errors(amounts, message):
    with pytest.raises(ValueError, match=message):
        HurdleRegressor().fit(np.eye(3), amounts)
