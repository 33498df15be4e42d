"""Coefficients from which the penalised deviations are measured."""

import cvxpy as cp
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import skmtl
from skmtl import (
    BlockSparseClassifier,
    BlockSparseRegressor,
    BlockSparseRegressorCV,
    DirtyModelRegressor,
    IndependentTaskClassifier,
    IndependentTaskRegressor,
    LowRankRegressor,
    MultiTaskRegressor,
    SafeTransferRegressor,
    TaskRelationRegressor,
)
from skmtl.inference import standard_errors
from skmtl.model_selection import path
from skmtl.penalties import L1, Positive

N, D, T = 60, 5, 3


@pytest.fixture(scope="module")
def problem():
    """X, Y with missing labels, weights, and coefficients (T, D) near the true ones."""
    rng = np.random.default_rng(0)
    X, W = rng.normal(size=(N, D)), rng.normal(size=(D, T))
    Y = X @ W + 2 + rng.normal(size=(N, T))
    Y[:12, 0] = Y[30:40, 2] = np.nan
    return X, Y, rng.uniform(0.5, 2, size=N), W.T + 0.3 * rng.normal(size=(T, D))


FAMILIES = sorted(
    name
    for name in skmtl.__all__
    if name.endswith("Regressor") and not name.startswith("SafeTransfer")
)


@pytest.mark.parametrize("name", FAMILIES)
def test_deviations_are_those_of_the_labels_less_the_known_predictor(problem, name):
    X, Y, weights, prior = problem
    cls = getattr(skmtl, name)
    given = {"alpha": 0.2} | ({"n_clusters": 2} if "n_clusters" in cls().get_params() else {})
    model = cls(**given, prior_coef=prior, scale_tasks=True).fit(X, Y, weights)
    plain = cls(**given, scale_tasks=True).fit(X, Y - X @ prior.T, weights)
    # The start of a non-convex fit decides among minimisers, so that rounding matters more.
    atol = 1e-6 if name.startswith("GroupOverlap") else 1e-9
    np.testing.assert_allclose(model.coef_ - prior, plain.coef_, atol=atol)
    np.testing.assert_allclose(model.predict(X) - X @ prior.T, plain.predict(X), atol=atol)
    assert model.objective_ == pytest.approx(plain.objective_)


def stated(loss, y, z):
    """The losses of a task's labels, 0 and 1 for classes, at predictors, in cvxpy."""
    if loss == "huber":
        return cp.huber(y - z, 1.35) / 2
    if loss == "squared":
        return cp.square(y - z) / 2
    if loss == "poisson":
        return cp.exp(z) - cp.multiply(y, z)
    return cp.logistic(-cp.multiply(2 * y - 1, z))


@pytest.mark.filterwarnings("ignore:Solution may be inaccurate")
@pytest.mark.parametrize("loss", ["squared", "huber", "poisson", "logistic"])
def test_fit_minimises_the_penalty_of_the_deviations(problem, loss):
    X, Y, weights, prior = problem
    prior = prior / 2
    labels = {"poisson": np.round(np.abs(Y)), "logistic": np.where(np.isnan(Y), np.nan, Y > 2)}
    Y = labels.get(loss, Y)
    offset = np.linspace(-1, 1, N)
    W, b, total = cp.Variable((D, T)), cp.Variable(T), 0.0
    for t in range(T):
        seen = ~np.isnan(Y[:, t])
        z = X[seen] @ W[:, t] + b[t] + offset[seen]
        total = total + weights[seen] @ stated(loss, Y[seen, t], z)
    scale = T / (weights[:, None] * ~np.isnan(Y)).sum()
    away = 0.3 * cp.sum(cp.norm(W - prior.T, 2, axis=1))
    cp.Problem(cp.Minimize(scale * total + away)).solve(solver="CLARABEL")
    cls = BlockSparseClassifier if loss == "logistic" else BlockSparseRegressor
    model = cls(0.3, loss=loss, prior_coef=prior, offset_column=-1, tol=1e-10)
    model.fit(np.column_stack([X, offset]), Y, weights)
    np.testing.assert_allclose(model.coef_.T, W.value, atol=3e-5)
    np.testing.assert_allclose(model.intercept_, b.value, atol=3e-5)
    # Features without a deviation keep their known coefficients exactly.
    kept = np.abs(W.value - prior.T).max(axis=1) < 1e-6
    np.testing.assert_array_equal(model.coef_[:, kept], prior[:, kept])


@pytest.mark.parametrize("search", [False, True])
def test_labels_are_matched_by_name(problem, search):
    X, Y, _, prior = problem
    X, Y = pd.DataFrame(X, columns=list("pqrst")), pd.DataFrame(Y, columns=list("abc"))
    known = pd.DataFrame(prior, index=list("abc"), columns=list("pqrst"))
    cls = BlockSparseRegressorCV if search else BlockSparseRegressor
    few = {"alphas": [0.3, 0.1], "cv": 3} if search else {}
    model = cls(prior_coef=prior, **few).fit(X, Y)
    shuffled = known.loc[list("cab"), list("tpsrq")]
    rows = {task: shuffled.loc[task] for task in "bca"}
    for given in (shuffled, rows):
        np.testing.assert_array_equal(cls(prior_coef=given, **few).fit(X, Y).coef_, model.coef_)
    one = cls(prior_coef=prior[0], **few).fit(X, Y)
    named = cls(prior_coef=shuffled.loc["a"], **few).fit(X, Y)
    np.testing.assert_array_equal(named.coef_, one.coef_)
    with pytest.raises(ValueError, match=r"prior_coef must be the features .* misses \['t'\]"):
        cls(prior_coef=known.drop(columns="t"), **few).fit(X, Y)
    with pytest.raises(ValueError, match=r"prior_coef must name every task .* misses \['c'\]"):
        cls(prior_coef=known.drop(index="c"), **few).fit(X, Y)


def test_shapes_and_layouts_agree(problem):
    X, Y, _, prior = problem
    model = IndependentTaskRegressor(0.5, prior_coef=prior, tol=1e-10).fit(X, Y)
    tasks, rows = np.nonzero(~np.isnan(Y.T))
    names = np.array(["c", "a", "b"])
    frame = pd.DataFrame(X[rows], columns=list("pqrst"))
    frame["task"] = names[tasks]
    by_task = dict(zip(names.tolist(), prior, strict=True))
    long = IndependentTaskRegressor(0.5, prior_coef=by_task, task_column="task", tol=1e-10)
    long.fit(frame, Y[rows, tasks])
    np.testing.assert_allclose(long.coef_, model.coef_[[1, 2, 0]], atol=1e-8)
    sparse = IndependentTaskRegressor(0.5, prior_coef=prior, tol=1e-10).fit(sp.csr_array(X), Y)
    np.testing.assert_allclose(sparse.coef_, model.coef_, atol=1e-8)
    one = IndependentTaskRegressor(0.5, prior_coef=prior[1]).fit(X, Y)
    every = IndependentTaskRegressor(0.5, prior_coef=np.tile(prior[1], (T, 1))).fit(X, Y)
    np.testing.assert_array_equal(one.coef_, every.coef_)
    single = IndependentTaskRegressor(0.5, prior_coef=prior[1], tol=1e-10).fit(X, Y[:, 1])
    strong = IndependentTaskRegressor(1e9, prior_coef=prior[1]).fit(X, Y[:, 1])
    np.testing.assert_allclose(strong.coef_, prior[1], atol=1e-6)
    assert single.coef_.shape == (D,)
    narrow = IndependentTaskRegressor(0.5, prior_coef=prior).fit(X.astype(np.float32), Y)
    assert narrow.coef_.dtype == np.float32
    np.testing.assert_allclose(narrow.coef_, model.coef_, atol=1e-3)


def test_paths_searches_and_warm_starts(problem):
    X, Y, weights, prior = problem
    less = Y - X @ prior.T
    model = BlockSparseRegressor(prior_coef=prior)
    alphas, coefs, _ = path(model, X, Y, alphas=4, sample_weight=weights)
    plain = path(BlockSparseRegressor(), X, less, alphas=4, sample_weight=weights)
    np.testing.assert_allclose(alphas, plain[0])
    np.testing.assert_allclose(coefs, plain[1] + prior[:, :, None], atol=1e-9)
    np.testing.assert_array_equal(coefs[:, :, 0], prior)
    found = BlockSparseRegressorCV(alphas=5, prior_coef=prior).fit(X, Y, weights)
    other = BlockSparseRegressorCV(alphas=5).fit(X, less, weights)
    np.testing.assert_allclose(found.mse_path_, other.mse_path_)
    np.testing.assert_allclose(found.coef_, other.coef_ + prior, atol=1e-9)
    safe = SafeTransferRegressor("graph", alphas=5, prior_coef=prior).fit(X, Y, weights)
    mixed = np.einsum("te,etj->tj", safe.weights_, safe.expert_coefs_)
    np.testing.assert_allclose(safe.coef_, mixed, atol=1e-9)
    again = BlockSparseRegressor(0.1, prior_coef=prior, warm_start=True, tol=1e-8).fit(X, Y)
    n_iter, coef = again.n_iter_, again.coef_
    again.fit(X, Y)
    assert again.n_iter_ <= n_iter
    np.testing.assert_allclose(again.coef_, coef, atol=1e-6)


def test_what_is_learned_describes_the_deviations(problem):
    X, Y, weights, prior = problem
    less = Y - X @ prior.T
    for cls, names in [
        (LowRankRegressor, ["rank_", "singular_values_", "components_"]),
        (TaskRelationRegressor, ["task_covariance_"]),
        (DirtyModelRegressor, ["shared_coef_", "task_coef_"]),
    ]:
        model = cls(0.2, prior_coef=prior).fit(X, Y, weights)
        plain = cls(0.2).fit(X, less, weights)
        for name in names:
            np.testing.assert_allclose(getattr(model, name), getattr(plain, name), atol=1e-7)
    model = DirtyModelRegressor(0, prior_coef=prior).fit(X, Y, weights)
    np.testing.assert_allclose(model.shared_coef_ + model.task_coef_, model.coef_ - prior)
    with pytest.raises(ValueError, match="prior_coef=None"):
        standard_errors(TaskRelationRegressor(0.2, prior_coef=prior), X, Y)


def test_tasks_without_a_minimiser_keep_the_known_coefficients(problem):
    X, Y, _, prior = problem
    labels = np.where(np.isnan(Y), np.nan, Y > 2)
    labels[:, 1] = 1
    with pytest.warns(UserWarning, match="All labels are the same"):
        model = IndependentTaskClassifier(0.1, prior_coef=prior).fit(X, labels)
    np.testing.assert_array_equal(model.coef_[1], prior[1])
    mean = (X @ prior[1]).mean()
    assert model.intercept_[1] == pytest.approx(np.log(2 * N + 1) - mean)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (BlockSparseRegressor(prior_coef=np.zeros((T, D)), positive=True), "signs"),
        (BlockSparseRegressor(prior_coef=np.zeros(D), positive=np.eye(D)[0]), "signs"),
        (BlockSparseRegressor(prior_coef=np.zeros(D), positive=pd.Series(np.eye(D)[1])), "signs"),
        (MultiTaskRegressor(penalty=Positive(L1()), prior_coef=np.zeros(D)), "signs"),
        (BlockSparseRegressor(prior_coef=np.zeros((D, T))), "shape of coef_"),
        (BlockSparseRegressor(prior_coef=[1, 2, np.nan, 0, 0]), "finite"),
        (BlockSparseRegressor(prior_coef={0: np.zeros(D)}), "misses"),
    ],
)
def test_wrong_prior_coefficients_are_refused(problem, model, message):
    X, Y, _, _ = problem
    with pytest.raises(ValueError, match=message):
        model.fit(X, Y)


def test_new_tasks_are_refused(problem):
    X, Y, _, prior = problem
    model = LowRankRegressor(0.2, prior_coef=prior).fit(X, Y)
    assert model.predict(X, return_std=True)[1].shape == (N, T)
    with pytest.raises(ValueError, match="New tasks are not available"):
        model.fit_new_task(X[:5], Y[:5, 1])
