"""The pretrained lasso: a pooled fit, and the tasks' own fits around it."""

import cvxpy as cp
import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.model_selection import cross_val_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from skmtl import MultiTaskClassifier, MultiTaskRegressor, reference
from skmtl.estimators import Fold
from skmtl.model_selection import AlphaSearchCV, StratifiedTaskKFold
from skmtl.penalties import L1, WeightedRows
from skmtl.pretraining import PretrainedTaskClassifier, PretrainedTaskRegressor
from tests.statistics_cases import make_case

N, D, T = 80, 8, 3


@pytest.fixture(scope="module")
def problem():
    """Tasks that share two coefficients and have one of their own each; labels are missing."""
    rng = np.random.default_rng(0)
    X, W = rng.normal(size=(N, D)), np.zeros((D, T))
    W[:2], W[2:5] = 1.5, np.eye(T)
    Y = X @ W + 3 + rng.normal(size=(N, T))
    Y[:30, 0] = Y[20:35, 2] = np.nan
    return X, Y, rng.uniform(0.5, 2, size=N)


def stack(X, Y, weights):
    """The labels of a matrix in the stacked layout, the task in the last column."""
    rows, tasks = np.nonzero(~np.isnan(Y))
    return np.column_stack([X[rows], tasks]), Y[rows, tasks], weights[rows]


@pytest.mark.turns(3)
@parametrize_with_checks([PretrainedTaskRegressor(), PretrainedTaskClassifier()])
def test_sklearn_checks(estimator, check):
    check(estimator)


def two_stages(X, Y, weights, rho, alpha, pooled_alpha, *, classifier):
    """The coefficients (T, D) of both stages, from cvxpy and the formulas of the paper."""
    seen = ~np.isnan(Y)
    scale = T / (weights[:, None] * seen).sum()

    def loss(W, b):
        total = 0.0
        for t in range(T):
            rows = seen[:, t]
            y, z = Y[rows, t], X[rows] @ W(t) + b[t]
            each = cp.logistic(-cp.multiply(2 * y - 1, z)) if classifier else (y - z) ** 2 / 2
            total = total + weights[rows] @ each
        return scale * total

    w, b = cp.Variable(D), cp.Variable(T)
    problem = cp.Problem(cp.Minimize(loss(lambda t: w, b) + pooled_alpha * cp.norm1(w)))
    problem.solve(solver="CLARABEL")
    pooled = np.where(np.abs(w.value) > 1e-6, w.value, 0)
    factors = np.where(pooled != 0, 1, 1 / rho)
    V, b = cp.Variable((D, T)), cp.Variable(T)
    own = loss(lambda t: (1 - rho) * pooled + V[:, t], b)
    penalty = alpha * cp.sum(cp.multiply(factors[:, None], cp.abs(V)))
    cp.Problem(cp.Minimize(own + penalty)).solve(solver="CLARABEL")
    return pooled, (1 - rho) * pooled + V.value.T, b.value


@pytest.mark.turns(2)
@pytest.mark.parametrize("classifier", [False, True])
@pytest.mark.parametrize("layout", ["shared", "stacked", "sparse"])
def test_fit_equals_the_formula(problem, classifier, layout):
    X, Y, weights = problem
    if classifier:
        Y = np.where(np.isnan(Y), np.nan, Y > 3)
    alpha, rho = (0.03, 0.4) if classifier else (0.2, 0.4)
    pooled, coef, b = two_stages(X, Y, weights, rho, alpha, 0.25, classifier=classifier)
    assert 0 < np.count_nonzero(pooled) < D
    cls = PretrainedTaskClassifier if classifier else PretrainedTaskRegressor
    model = cls(alpha, pooled_alpha=0.25, pretraining=rho, tol=1e-10)
    if layout == "stacked":
        model.set_params(task_column=-1).fit(*stack(X, Y, weights))
    else:
        model.fit(sp.csr_array(X) if layout == "sparse" else X, Y, weights)
    np.testing.assert_allclose(model.pooled_coef_, np.tile(pooled, (T, 1)), atol=2e-5)
    np.testing.assert_allclose(model.coef_, coef, atol=5e-5)
    np.testing.assert_allclose(model.intercept_, b, atol=5e-5)


@pytest.mark.parametrize("classifier", [False, True])
def test_the_second_fit_is_one_with_an_offset(problem, classifier):
    X, Y, _ = problem
    Y = np.where(np.isnan(Y), np.nan, Y > 3) if classifier else Y
    alpha, rho = 0.05, 0.5
    cls = PretrainedTaskClassifier if classifier else PretrainedTaskRegressor
    model = cls(alpha, pretraining=rho, tol=1e-9).fit(X, Y)
    # The same strength per label as if all tasks had equal coefficients.
    assert model.pooled_alpha_ == pytest.approx(alpha * T)
    factors = np.where(model.pooled_coef_[0] != 0, 1, 1 / rho)
    plain = MultiTaskClassifier if classifier else MultiTaskRegressor
    own = plain(1.0, penalty=WeightedRows(L1(alpha), factors), tol=1e-9)
    pooled = X @ model.pooled_coef_.T + model.pooled_intercept_
    offset = (1 - rho) * pooled
    A = np.column_stack([X, offset])
    own.set_params(offset_column=[D, D + 1, D + 2]).fit(A, Y)
    expected = own.decision_function(A) if classifier else own.predict(A)
    given = model.decision_function(X) if classifier else model.predict(X)
    np.testing.assert_allclose(given, expected, atol=1e-5)
    assert model.objective_ == pytest.approx(own.objective_, rel=1e-6)


def test_ends_of_pretraining(problem):
    X, Y, _ = problem
    alone = PretrainedTaskRegressor(0.1, pretraining=1, tol=1e-9).fit(X, Y)
    lasso = MultiTaskRegressor(0.1, penalty=L1(), tol=1e-9).fit(X, Y)
    np.testing.assert_allclose(alone.coef_, lasso.coef_, atol=1e-6)
    kept = PretrainedTaskRegressor(0.1, pretraining=0, pooled_alpha=0.8).fit(X, Y)
    support = kept.pooled_coef_.any(axis=0)
    assert 0 < support.sum() < D and not kept.coef_[:, ~support].any()
    strong = PretrainedTaskRegressor(1e3, pretraining=0, pooled_alpha=0.8).fit(X, Y)
    np.testing.assert_array_equal(strong.coef_, strong.pooled_coef_)


def test_scaled_labels_known_coefficients_and_offsets(problem):
    X, Y, weights = problem
    model = PretrainedTaskRegressor(0.1, tol=1e-10, scale_tasks=True).fit(X, Y, weights)
    larger = PretrainedTaskRegressor(0.1, tol=1e-10, scale_tasks=True)
    larger.fit(X, Y * [1, 10, 100], weights)
    units = np.array([[1], [10], [100]])
    np.testing.assert_allclose(larger.coef_, model.coef_ * units, atol=1e-6)
    np.testing.assert_allclose(larger.pooled_coef_, model.pooled_coef_ * units, atol=1e-6)
    prior, offset = np.linspace(-1, 1, D), np.linspace(0, 3, N)
    around = PretrainedTaskRegressor(0.1, tol=1e-10, prior_coef=prior, offset_column=0)
    around.fit(np.column_stack([offset, X]), Y, weights)
    less = PretrainedTaskRegressor(0.1, tol=1e-10)
    less.fit(X, Y - (X @ prior + offset)[:, None], weights)
    np.testing.assert_allclose(around.coef_, less.coef_ + prior, atol=1e-9)
    np.testing.assert_allclose(around.pooled_coef_, less.pooled_coef_ + prior, atol=1e-9)
    counts = PretrainedTaskRegressor(0.05, tol=1e-8, loss="poisson", offset_column=0)
    counts.fit(np.column_stack([np.full(N, 2.0), X]), np.round(np.abs(Y)))
    same = PretrainedTaskRegressor(0.05, tol=1e-8, loss="poisson").fit(X, np.round(np.abs(Y)))
    np.testing.assert_allclose(counts.coef_, same.coef_, atol=1e-4)
    np.testing.assert_allclose(counts.intercept_, same.intercept_ - 2, atol=1e-4)


@pytest.mark.filterwarnings("ignore:The best alpha")
def test_selected_strengths(problem):
    X, Y, _ = problem
    model = PretrainedTaskRegressor("cv", pretraining="cv", tol=1e-3).fit(X, Y)
    assert model.pretraining_ in (0, 0.25, 0.5, 0.75, 1)
    given = PretrainedTaskRegressor(
        model.alpha_, pooled_alpha=model.pooled_alpha_, pretraining=model.pretraining_, tol=1e-3
    ).fit(X, Y)
    np.testing.assert_allclose(given.coef_, model.coef_, atol=1e-3)
    labels = np.where(np.isnan(Y), np.nan, Y > 4)
    classifier = PretrainedTaskClassifier(0.02, pretraining="cv", class_weight="balanced")
    classifier.fit(X, labels)
    assert classifier.alpha_ == 0.02 and classifier.pooled_alpha_ == pytest.approx(0.06)
    rows, y, _ = stack(X, Y, np.ones(N))
    tasks = PretrainedTaskRegressor(0.1, task_column=-1)
    cv = StratifiedTaskKFold(3, task_column=-1, random_state=0)
    assert cross_val_score(tasks, rows, y, cv=cv).min() > 0.5
    search = AlphaSearchCV(tasks, alphas=[1.0, 0.1], cv=3).fit(rows, y)
    assert search.alpha_ == 0.1
    np.testing.assert_allclose(search.coef_, tasks.fit(rows, y).coef_, atol=1e-6)
    with pytest.raises(ValueError, match="two or more labels"):
        PretrainedTaskRegressor("cv").fit(X[:1], Y[:1, 1:2].ravel())
    with pytest.raises(ValueError, match="minimises two objectives"):
        reference.solve(tasks, rows, y)


@pytest.mark.filterwarnings("ignore:The best alpha")
def test_strengths_selected_from_statistics(monkeypatch):
    """The folds are the parts: the same selection as from rows in these folds."""
    case, numbers = make_case("shared", n=60), np.arange(60) % 3
    folds = [
        Fold(k, np.flatnonzero(numbers != k), *2 * [np.flatnonzero(numbers == k)]) for k in range(3)
    ]
    for strengths in ({"alpha": "cv"}, {"alpha": 0.1, "pretraining": "cv"}):
        model = PretrainedTaskRegressor(**strengths).fit_statistics(case.parts(numbers))
        rows = PretrainedTaskRegressor(**strengths)
        monkeypatch.setattr(rows, "_folds", lambda data: folds)
        rows.fit(case.X, case.y)
        assert model.alpha_ == pytest.approx(rows.alpha_, rel=1e-6)
        assert model.pooled_alpha_ == pytest.approx(rows.pooled_alpha_, rel=1e-6)
        assert model.pretraining_ == rows.pretraining_
        np.testing.assert_allclose(model.coef_, rows.coef_, atol=1e-3)
        with pytest.raises(ValueError, match="needs the statistics of several folds"):
            PretrainedTaskRegressor(**strengths).fit_statistics(case.statistics())


def test_statistics_of_folds_without_a_task():
    case = make_case("stacked")
    with pytest.raises(ValueError, match="folds that each hold labels of every task"):
        PretrainedTaskRegressor("cv", task_column=-1).fit_statistics(case.parts(case.X[:, -1]))


def simulate(kind, seed, n=40, d=40, n_tasks=5):
    """Tasks that share coefficients and have their own, or only one of both."""
    rng = np.random.default_rng(seed)
    W = np.zeros((d, n_tasks))
    if kind != "apart":
        W[:4] = rng.normal(size=(4, 1))
    if kind != "same":
        for t in range(n_tasks):
            W[4 + 3 * t : 7 + 3 * t, t] = rng.normal(size=3)
    X, task = rng.normal(size=(n * n_tasks, d)), np.repeat(np.arange(n_tasks), n)
    y = (X * W.T[task]).sum(axis=1) + 1.5 * rng.normal(size=len(X))
    return np.column_stack([X, task]), y, W.T


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["both", "same", "apart"])
def test_selected_pretraining_is_no_worse_than_pooled_and_own_fits(kind):
    errors = []
    for seed in range(6):
        X, y, W = simulate(kind, seed)
        settings = {"alpha": "cv", "task_column": -1, "tol": 1e-3}
        model = PretrainedTaskRegressor(**settings, pretraining="cv").fit(X, y)
        own = PretrainedTaskRegressor(**settings, pretraining=1).fit(X, y)
        coefs = [model.coef_, model.pooled_coef_, own.coef_]
        errors.append([((coef - W) ** 2).sum() for coef in coefs])
    errors = np.array(errors)
    best = 1 + errors[:, 1:].mean(axis=0).argmin()
    away = errors[:, 0] - errors[:, best]
    # Equal if the same model is always selected.
    assert away.mean() <= 2 * away.std(ddof=1) / np.sqrt(len(away))
    if kind == "both":
        assert away.mean() < -2 * away.std(ddof=1) / np.sqrt(len(away))
