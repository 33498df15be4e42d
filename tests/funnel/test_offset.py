"""Offsets of the stages of a funnel, and of the two parts of a hurdle model."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV

from skmtl import BlockSparseClassifier
from skmtl.datasets import make_funnel
from skmtl.funnel import EntireSpaceClassifier, HurdleRegressor, make_stage_scorer
from skmtl.model_selection import AlphaSearchCV
from skmtl.penalties import Ridge

N, D = 600, 4
TIGHT = {"tol": 1e-10, "max_stages": 500}


@pytest.fixture(scope="module")
def funnel():
    """Features, offsets (n, 2), which matter, and stages; some labels are missing."""
    rng = np.random.default_rng(0)
    X, O = rng.normal(size=(N, D)), rng.normal(size=(N, 2))  # noqa: E741
    z = X[:, :2] + O - 0.5
    Y = np.logical_and.accumulate(rng.uniform(size=z.shape) < expit(z), axis=1).astype(float)
    return X, O, Y


def objective(model, X, O, Y, ridge):  # noqa: E741
    """The objective of the entire space as a function of intercepts and coefficients."""

    def value(flat):
        w = flat.reshape(Y.shape[1], -1)
        q = np.cumprod(expit(X @ w[:, 1:].T + w[:, 0] + O), axis=1)
        terms = np.where(np.isnan(Y), 0.0, np.where(Y == 1, np.log(q), np.log1p(-q)))
        return -terms.sum() / (~np.isnan(Y)).sum(axis=0).max() + ridge / 2 * (w[:, 1:] ** 2).sum()

    return value


@pytest.mark.turns(2)
@pytest.mark.parametrize("n_columns", [1, 2])
@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
def test_entire_space_against_scipy(funnel, n_columns, container):
    X, O, Y = funnel  # noqa: E741
    O, Y = O[:, :n_columns], Y.copy()  # noqa: E741
    # The label of a purchase depends on both offsets, also where that of the click is missing.
    Y[(Y[:, 1] == 0) & (np.arange(N) % 3 == 0), 0] = np.nan
    Y[::7, 1] = np.nan
    A = container(np.column_stack([O, X]))
    columns = 0 if n_columns == 1 else [0, 1]
    model = EntireSpaceClassifier(0.02, penalty=Ridge(), offset_column=columns, **TIGHT).fit(A, Y)
    value = objective(model, X, O, Y, 0.02)
    found = np.column_stack([model.intercept_, model.coef_])
    best = minimize(value, np.zeros(found.size), method="BFGS", options={"gtol": 1e-7})
    assert model.objective_ == pytest.approx(value(found.ravel()), rel=1e-9)
    assert model.objective_ <= best.fun + 1e-9
    np.testing.assert_allclose(found, best.x.reshape(found.shape), atol=1e-3)
    conditional = expit(X @ model.coef_.T + model.intercept_ + O)
    np.testing.assert_allclose(model.predict_conditional_proba(A), conditional, rtol=1e-9)
    np.testing.assert_allclose(model.predict_proba(A), np.cumprod(conditional, axis=1), rtol=1e-9)
    log_likelihood = -value(best.x) + 0.01 * (best.x.reshape(found.shape)[:, 1:] ** 2).sum()
    assert model.score(A, Y) == pytest.approx(log_likelihood, rel=1e-4)


@pytest.mark.parametrize("propensity", [None, "inverse", "doubly_robust"])
def test_a_constant_offset_only_moves_the_intercepts(funnel, propensity):
    X, _, Y = funnel
    given = {"penalty": "block", "propensity": propensity, **TIGHT}
    model = EntireSpaceClassifier(0.02, **given).fit(X, Y)
    A = np.column_stack([X, np.full(N, 0.7), np.full(N, -0.4)])
    moved = EntireSpaceClassifier(0.02, offset_column=[-2, -1], **given).fit(A, Y)
    np.testing.assert_allclose(moved.coef_, model.coef_, atol=1e-4)
    np.testing.assert_allclose(moved.intercept_, model.intercept_ - [0.7, -0.4], atol=1e-4)
    np.testing.assert_allclose(moved.decision_function(A), model.decision_function(X), atol=1e-3)


def test_inverse_propensities_against_cvxpy(funnel):
    cp = pytest.importorskip("cvxpy")
    X, O, Y = funnel  # noqa: E741
    A = np.column_stack([X, O])
    given = {"propensity": "inverse", "offset_column": [D, D + 1]}
    model = EntireSpaceClassifier(0.01, **given, **TIGHT).fit(A, Y)
    separate = np.where(np.column_stack([np.ones(N), Y[:, 0]]) == 1, Y, np.nan)
    # The strength of the separate fits is in the scale of all rows.
    alone = BlockSparseClassifier(
        0.01 * 2 * N / (~np.isnan(separate)).sum(), tol=1e-12, offset_column=[D, D + 1]
    ).fit(A, separate)
    p = expit(X @ alone.coef_[0] + alone.intercept_[0] + O[:, 0])
    np.testing.assert_allclose(model.propensities_[:, 1], np.maximum(p, 0.01), rtol=1e-4)
    weights = np.column_stack([np.ones(N), np.where(Y[:, 0] == 1, 1 / np.maximum(p, 0.01), 0)])
    weights *= N / weights.sum(axis=0)
    W, b = cp.Variable((D, 2)), cp.Variable((1, 2))
    z = X @ W + np.ones((N, 1)) @ b + O
    losses = cp.multiply(weights, cp.logistic(cp.multiply(1 - 2 * Y, z)))
    norms = 0.01 * cp.sum(cp.norm(W, 2, axis=1))
    problem = cp.Problem(cp.Minimize(cp.sum(losses) / N + norms))
    problem.solve(solver="CLARABEL")
    assert model.objective_ == pytest.approx(problem.value, rel=1e-5)
    np.testing.assert_allclose(model.coef_.T, W.value, atol=1e-3)


def test_doubly_robust_labels_against_scipy(funnel):
    X, O, Y = funnel  # noqa: E741
    A = np.column_stack([X, O])
    given = {"penalty": "none", "offset_column": [D, D + 1]}
    model = EntireSpaceClassifier(propensity="doubly_robust", **given, **TIGHT).fit(A, Y)
    separate = np.where(np.column_stack([np.ones(N), Y[:, 0]]) == 1, Y, np.nan)
    alone = BlockSparseClassifier(0.0, tol=1e-12, offset_column=[D, D + 1]).fit(A, separate)
    p, imputed = alone.predict_proba(A).T
    ratio = np.where(Y[:, 0] == 1, 1 / np.maximum(p, 0.01), 0)
    ratio *= N / ratio.sum()
    labels = imputed + ratio * (Y[:, 1] - imputed)

    def loss(w):
        z = X @ w[1:] + w[0] + O[:, 1]
        return (np.logaddexp(0, z) - labels * z).mean()

    best = minimize(loss, np.zeros(D + 1), method="BFGS", options={"gtol": 1e-8}).x
    np.testing.assert_allclose(model.coef_[1], best[1:], atol=1e-3)
    np.testing.assert_allclose(model.intercept_[1], best[0], atol=1e-3)


@pytest.mark.filterwarnings("ignore:The best alpha")
def test_searches_and_names(funnel):
    X, O, Y = funnel  # noqa: E741
    frame = pd.DataFrame(np.column_stack([O, X]), columns=["o", "p", *"abcd"])
    model = EntireSpaceClassifier(offset_column=["o", "p"])
    grid, scoring = {"alpha": [0.001, 0.01, 1.0]}, make_stage_scorer(-1)
    search = GridSearchCV(model, grid, scoring=scoring, cv=3).fit(frame, Y)
    assert search.best_score_ > 0.7 and search.best_estimator_.coef_.shape == (2, D)
    own = AlphaSearchCV(model, alphas=[0.3, 0.003], cv=3).fit(frame, Y)
    plain = AlphaSearchCV(EntireSpaceClassifier(), alphas=[0.3, 0.003], cv=3).fit(X, Y)
    assert own.scores_path_.mean(axis=1).max() > plain.scores_path_.mean(axis=1).max()
    np.testing.assert_allclose(own.predict_proba(frame), search.predict_proba(frame), atol=0.1)
    with pytest.raises(ValueError, match="names 3 columns, and y holds 2 tasks"):
        EntireSpaceClassifier(offset_column=[0, 1, 2]).fit(X, Y)


def test_a_stage_without_events_is_a_constant(funnel):
    X, O, Y = funnel  # noqa: E741
    Y = np.column_stack([Y[:, 0], np.zeros(N)])
    A = np.column_stack([X, O])
    with pytest.warns(UserWarning, match=r"In the stages \[1\]"):
        model = EntireSpaceClassifier(0.01, offset_column=[D, D + 1], **TIGHT).fit(A, Y)
    first = BlockSparseClassifier(0.01, offset_column=D, tol=1e-10).fit(A[:, :-1], Y[:, :1])
    np.testing.assert_allclose(model.coef_[0], first.coef_[0], atol=1e-3)
    clicks = Y[:, 0] == 1
    constant = -np.log(2 * clicks.sum() + 1) - O[clicks, 1].mean()
    assert model.intercept_[1] == pytest.approx(constant)
    dataset = make_funnel(300, random_state=0)
    A = np.column_stack([dataset.data, np.zeros(300)])
    single = EntireSpaceClassifier(offset_column=-1).fit(A, dataset.target[:, 0] == 1)
    assert single.predict_proba(A).shape == (300, 2)


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array, pd.DataFrame])
def test_hurdle_with_an_exposure(container):
    rng = np.random.default_rng(0)
    X, exposure = rng.normal(size=(N, D)), rng.uniform(-1, 3, size=N)
    amounts = np.exp(X[:, 0] + exposure + 0.3 * rng.normal(size=N))
    y = np.where(X[:, 1] + rng.logistic(size=N) > 0, amounts, 0.0)
    A = np.insert(np.column_stack([X, np.zeros(N)]), 1, exposure, axis=1)
    A = container(A)
    if isinstance(A, pd.DataFrame):
        A.columns = ["a", "exposure", *"bcd", "nothing"]
    columns = ["nothing", "exposure"] if isinstance(A, pd.DataFrame) else [-1, 1]
    model = HurdleRegressor(penalty="none", offset_column=columns, tol=1e-12).fit(A, y)
    some = y > 0
    linear = LinearRegression().fit(X[some], np.log(y[some]) - exposure[some])
    np.testing.assert_allclose(model.coef_[1], linear.coef_, atol=1e-4)
    plain = HurdleRegressor(penalty="none", tol=1e-12).fit(X, y)
    np.testing.assert_allclose(model.coef_[0], plain.coef_[0], atol=1e-4)
    logs = linear.predict(X) + exposure
    smearing = np.exp(np.log(y[some]) - logs[some]).mean()
    np.testing.assert_allclose(model.predict_conditional(A), np.exp(logs) * smearing, rtol=1e-3)
    assert model.n_features_in_ == D + 2


def test_hurdle_adds_one_offset_to_both_parts():
    cp = pytest.importorskip("cvxpy")
    rng = np.random.default_rng(1)
    X, o = rng.normal(size=(200, D)), rng.normal(size=200)
    amounts = np.exp(X[:, 0] + o + 0.3 * rng.normal(size=200))
    y = np.where(X[:, 1] + o + rng.logistic(size=200) > 0, amounts, 0.0)
    model = HurdleRegressor(0.1, offset_column=0, tol=1e-10).fit(np.column_stack([o, X]), y)
    some = y > 0
    logs = np.log(y[some]) - o[some]
    W, b = cp.Variable((D, 2)), cp.Variable(2)
    loss = cp.sum(cp.logistic(-cp.multiply(2.0 * some - 1, X @ W[:, 0] + b[0] + o))) / 200
    loss += cp.sum_squares(logs / logs.std() - X[some] @ W[:, 1] - b[1]) / (2 * some.sum())
    problem = cp.Problem(cp.Minimize(loss + 0.1 * cp.sum(cp.norm(W, axis=1))))
    problem.solve(solver="CLARABEL")
    assert model.objective_ == pytest.approx(problem.value, rel=1e-6)
    np.testing.assert_allclose(model.coef_, W.value.T * [[1], [logs.std()]], atol=1e-3)
    with pytest.raises(ValueError, match="names 3 columns"):
        HurdleRegressor(offset_column=[0, 1, 2]).fit(X, y)
