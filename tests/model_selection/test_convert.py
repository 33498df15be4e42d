"""Converted strengths: other packages' objectives, on their own scale, give our coefficients."""

import numpy as np
import pytest
from sklearn.linear_model import Lasso, LogisticRegression, MultiTaskElasticNet, Ridge

from skmtl import (
    BlockSparseClassifier,
    BlockSparseRegressor,
    IndependentTaskClassifier,
    IndependentTaskRegressor,
    LowRankClassifier,
    LowRankRegressor,
)
from skmtl.model_selection import convert_alpha
from skmtl.preprocessing import stack_tasks

SIZES = np.array([18, 45, 30])
TIGHT = {"tol": 1e-11, "max_iter": 50_000}


def make_tasks(sizes, *, classify=False, seed=0):
    """Lists of X_t and y_t, as the published codes take them; classes are -1 and 1."""
    rng = np.random.default_rng(seed)
    W = rng.normal(size=(5, len(sizes))) * np.array([2.0, 1.0, 1.0, 0.2, 0.0])[:, None]
    Xs = [rng.normal(size=(n, 5)) + 0.3 for n in sizes]
    zs = [X @ w + rng.normal(size=len(X)) for X, w in zip(Xs, W.T, strict=True)]
    return Xs, [np.where(z > 0.3, 1.0, -1.0) for z in zs] if classify else zs


def minimise(Xs, ys, term, penalty, *, intercept):
    """W (n_tasks, d) that minimises the sum of term(y_t, X_t w_t + b_t) plus penalty(W)."""
    import cvxpy as cp

    W, b = cp.Variable((Xs[0].shape[1], len(Xs))), cp.Variable(len(Xs))
    z = [X @ W[:, t] + (b[t] if intercept else 0) for t, X in enumerate(Xs)]
    objective = sum(map(term, ys, z)) + penalty(W)
    problem = cp.Problem(cp.Minimize(objective))
    problem.solve(solver="CLARABEL", tol_gap_abs=1e-11, tol_gap_rel=1e-11, tol_feas=1e-11)
    assert problem.status == "optimal"
    return W.value.T


def half_sum_of_squares(y, z):
    import cvxpy as cp

    return 0.5 * cp.sum_squares(y - z)


def half_mean_of_squares(y, z):
    return half_sum_of_squares(y, z) / len(y)


def mean_logistic(y, z):
    import cvxpy as cp

    return cp.sum(cp.logistic(-cp.multiply(y, z))) / len(y)


def l21(W):
    import cvxpy as cp

    return cp.sum(cp.norm(W, 2, axis=1))


def trace(W):
    import cvxpy as cp

    return cp.normNuc(W)


def frobenius(W):
    import cvxpy as cp

    return cp.sum_squares(W)


NORMS = {
    "l21": (l21, BlockSparseRegressor, BlockSparseClassifier),
    "trace": (trace, LowRankRegressor, LowRankClassifier),
}
# package, loss, the published loss of a task, whether it has an intercept, strength, task_weight
PUBLISHED = [
    ("malsar", "squared", half_sum_of_squares, False, 12.0, None),
    ("malsar", "logistic", mean_logistic, True, 0.15, "balanced"),
    ("rmtl", "squared", half_mean_of_squares, True, 0.6, "balanced"),
    ("rmtl", "logistic", mean_logistic, True, 0.15, "balanced"),
    ("spams", "logistic", mean_logistic, False, 0.15, "balanced"),
]


@pytest.mark.turns(2)
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("published", PUBLISHED, ids=lambda p: f"{p[0]}-{p[1]}")
def test_published_objectives_with_tasks_of_different_sizes(published, norm):
    package, loss, term, intercept, strength, task_weight = published
    Xs, ys = make_tasks(SIZES, classify=loss == "logistic")
    penalty, *classes = NORMS[norm]
    W = minimise(Xs, ys, term, lambda W: strength * penalty(W), intercept=intercept)
    alpha = convert_alpha(
        strength, from_=package, n_samples=SIZES, loss=loss, task_weight=task_weight
    )
    model = classes[loss == "logistic"](
        alpha, task_weight=task_weight, fit_intercept=intercept, task_column=-1, **TIGHT
    )
    model.fit(*stack_tasks(Xs, ys))
    assert np.abs(W).max() > 0.1
    np.testing.assert_allclose(model.coef_, W, atol=1e-4 * np.abs(W).max())
    # With the other weighting the coefficients differ, also at this alpha.
    model.set_params(task_weight=None if task_weight else "balanced").fit(*stack_tasks(Xs, ys))
    assert np.abs(model.coef_ - W).max() > 0.01 * np.abs(W).max()


@pytest.mark.parametrize(
    ("package", "loss", "term", "intercept", "norm", "ridge", "task_weight"),
    [
        ("malsar", "squared", half_sum_of_squares, False, 8.0, 3.0, None),
        ("malsar", "logistic", mean_logistic, True, 0.1, 0.05, "balanced"),
        ("rmtl", "squared", half_mean_of_squares, True, 0.3, 0.2, "balanced"),
        ("rmtl", "logistic", mean_logistic, True, 0.1, 0.05, "balanced"),
    ],
)
def test_norm_and_ridge_together(package, loss, term, intercept, norm, ridge, task_weight):
    Xs, ys = make_tasks(SIZES, classify=loss == "logistic")
    W = minimise(Xs, ys, term, lambda W: norm * l21(W) + ridge * frobenius(W), intercept=intercept)
    options = dict(from_=package, n_samples=SIZES, loss=loss, task_weight=task_weight)
    first = convert_alpha(norm, **options)
    second = convert_alpha(ridge, **options, penalty="ridge")
    cls = BlockSparseClassifier if loss == "logistic" else BlockSparseRegressor
    model = cls(
        first + second,
        l1_ratio=first / (first + second),
        task_weight=task_weight,
        fit_intercept=intercept,
        task_column=-1,
        **TIGHT,
    ).fit(*stack_tasks(Xs, ys))
    np.testing.assert_allclose(model.coef_, W, atol=1e-4 * np.abs(W).max())


def test_shared_rows():
    import cvxpy as cp

    rng = np.random.default_rng(1)
    X = rng.normal(size=(40, 5))
    Y = X @ rng.normal(size=(5, 3)) + rng.normal(size=(40, 3))

    def solve(loss, strength, ridge=0.0):
        W, b = cp.Variable((5, 3)), cp.Variable((1, 3))
        squares = cp.sum_squares(Y - X @ W - np.ones((40, 1)) @ b)
        cp.Problem(cp.Minimize(loss(squares) + strength * l21(W) + ridge * frobenius(W))).solve(
            solver="CLARABEL", tol_gap_abs=1e-12, tol_gap_rel=1e-12
        )
        return W.value.T

    def ours(alpha, **options):
        return BlockSparseRegressor(alpha, **options, **TIGHT).fit(X, Y).coef_

    for package in ("scikit-learn", "celer", "skglm", "mutar", "glmnet"):
        alpha = convert_alpha(0.4, from_=package, n_samples=40)
        assert alpha == 0.4
        np.testing.assert_allclose(ours(alpha), solve(lambda s: s / 80, 0.4), atol=1e-5)
    alpha = convert_alpha(16.0, from_="spams", n_samples=40)
    np.testing.assert_allclose(ours(alpha), solve(lambda s: s / 2, 16.0), atol=1e-5)
    # adelie: 1 / K before the mean, and each group of K coefficients counts sqrt(K).
    lam, l1_ratio = 0.1, 0.7
    exact = solve(
        lambda s: s / (2 * 40 * 3),
        lam * np.sqrt(3) * l1_ratio,
        lam * np.sqrt(3) * (1 - l1_ratio) / 2,
    )
    options = dict(from_="adelie", n_samples=40, n_tasks=3)
    alpha = convert_alpha(lam, **options)
    assert alpha == convert_alpha(lam, **options, penalty="ridge")
    np.testing.assert_allclose(ours(alpha, l1_ratio=l1_ratio), exact, atol=1e-5)


def test_scikit_learn_regressors():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(50, 6))
    Y = X @ rng.normal(size=(6, 3)) + rng.normal(size=(50, 3))
    options = dict(from_="scikit-learn", n_samples=50)
    alpha = convert_alpha(0.3, **options)
    peer = MultiTaskElasticNet(0.3, l1_ratio=0.6, tol=1e-12, max_iter=100_000).fit(X, Y)
    model = BlockSparseRegressor(alpha, l1_ratio=0.6, **TIGHT).fit(X, Y)
    np.testing.assert_allclose(model.coef_, peer.coef_, atol=1e-6)
    peer = Lasso(0.3, tol=1e-12).fit(X, Y[:, 0])
    model = BlockSparseRegressor(alpha, **TIGHT).fit(X, Y[:, 0])
    np.testing.assert_allclose(model.coef_, peer.coef_, atol=1e-6)
    alpha = convert_alpha(7.0, **options, penalty="ridge")
    peer = Ridge(7.0, tol=1e-12).fit(X, Y)
    np.testing.assert_allclose(
        IndependentTaskRegressor(alpha, **TIGHT).fit(X, Y).coef_, peer.coef_, atol=1e-7
    )


def test_one_ridge_strength_for_tasks_of_different_sizes():
    Xs, ys = make_tasks(SIZES)
    data = stack_tasks(Xs, ys)
    peers = [Ridge(7.0, tol=1e-12).fit(X, y).coef_ for X, y in zip(Xs, ys, strict=True)]
    alpha = convert_alpha(7.0, from_="scikit-learn", n_samples=SIZES, penalty="ridge")
    model = IndependentTaskRegressor(alpha, task_column=-1, **TIGHT).fit(*data)
    np.testing.assert_allclose(model.coef_, peers, atol=1e-6)

    Xs, ys = make_tasks(SIZES, classify=True)
    options = dict(from_="scikit-learn", loss="logistic", penalty="ridge", n_samples=SIZES)
    for C in (0.1, 5.0):
        peers = [
            LogisticRegression(C=C, tol=1e-10, max_iter=10_000).fit(X, y).coef_[0]
            for X, y in zip(Xs, ys, strict=True)
        ]
        model = IndependentTaskClassifier(convert_alpha(C, **options), task_column=-1, **TIGHT)
        np.testing.assert_allclose(model.fit(*stack_tasks(Xs, ys)).coef_, peers, atol=1e-5)


def test_missing_and_weighted_labels_count_by_their_weights():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(60, 4))
    Y = X @ rng.normal(size=(4, 3)) + rng.normal(size=(60, 3))
    Y[rng.random(Y.shape) < [0.0, 0.3, 0.6]] = np.nan
    weights = rng.uniform(0.5, 2.0, Y.shape)
    labelled = ~np.isnan(Y)
    peers = [
        Ridge(4.0, tol=1e-12).fit(X[k], y[k], sample_weight=s[k]).coef_
        for y, k, s in zip(Y.T, labelled.T, weights.T, strict=True)
    ]
    alpha = convert_alpha(
        4.0, from_="scikit-learn", penalty="ridge", n_samples=(weights * labelled).sum(axis=0)
    )
    model = IndependentTaskRegressor(alpha, **TIGHT).fit(X, Y, weights)
    np.testing.assert_allclose(model.coef_, peers, atol=1e-6)


def test_multinomial_classes():
    import cvxpy as cp

    rng = np.random.default_rng(4)
    X = rng.normal(size=(90, 4))
    y = np.argmax(X[:, :3] + rng.gumbel(size=(90, 3)), axis=1)
    C = 0.2
    peer = LogisticRegression(C=C, tol=1e-10, max_iter=10_000).fit(X, y)
    options = dict(n_samples=90, loss="multinomial")
    alpha = convert_alpha(C, from_="scikit-learn", penalty="ridge", **options)
    model = BlockSparseClassifier(alpha, l1_ratio=0.0, loss="multinomial", **TIGHT).fit(X, y)
    np.testing.assert_allclose(model.coef_, peer.coef_, atol=1e-5)

    def solve(factor, strength):
        W, b = cp.Variable((4, 3)), cp.Variable((1, 3))
        Z = X @ W + np.ones((90, 1)) @ b
        own = (y[:, None] == np.arange(3)).astype(float)
        losses = cp.sum(cp.log_sum_exp(Z, axis=1)) - cp.sum(cp.multiply(own, Z))
        cp.Problem(cp.Minimize(factor * losses + strength * l21(W))).solve(
            solver="CLARABEL", tol_gap_abs=1e-11, tol_gap_rel=1e-11, tol_feas=1e-11
        )
        return W.value.T

    def ours(alpha):
        return BlockSparseClassifier(alpha, loss="multinomial", **TIGHT).fit(X, y).coef_

    for package in ("glmnet", "spams"):
        alpha = convert_alpha(0.05, from_=package, **options)
        np.testing.assert_allclose(ours(alpha), solve(1 / 90, 0.05), atol=1e-4)
    alpha = convert_alpha(0.01, from_="adelie", n_tasks=3, **options)
    exact = solve(1 / (90 * 3), 0.01 * np.sqrt(3))
    np.testing.assert_allclose(ours(alpha), exact, atol=1e-4)
    alpha = convert_alpha(2.0 / 0.5, from_="lightning", **options)
    np.testing.assert_allclose(ours(alpha), solve(0.5, 2.0), atol=1e-4)


@pytest.mark.parametrize("task_weight", [None, "balanced"])
def test_equal_tasks_may_be_weighted_either_way(task_weight):
    for sizes in (20, [20, 20, 20], np.array([20.0, 20.0])):
        options = dict(n_samples=sizes, task_weight=task_weight)
        assert convert_alpha(3.0, from_="malsar", **options) == pytest.approx(3 / 20)
        assert convert_alpha(3.0, from_="rmtl", **options) == 3.0
        assert convert_alpha(3.0, from_="mutar", **options) == 3.0
    assert convert_alpha(0.0, from_="malsar", n_samples=20) == 0.0
    assert type(convert_alpha(1, from_="malsar", n_samples=20)) is float


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(from_="matlab"), "'from_' parameter of convert_alpha"),
        (dict(from_="malsar", alpha=-1.0), "'alpha' parameter of convert_alpha"),
        (dict(from_="malsar", n_samples=0), "'n_samples' parameter of convert_alpha"),
        (dict(from_="malsar", n_samples=[3, 0]), "n_samples must be positive"),
        (dict(from_="malsar", n_samples=[3, np.nan]), "n_samples must be positive"),
        (dict(from_="malsar", n_samples=[]), "n_samples must be positive"),
        (
            dict(from_="malsar", n_samples=[[3]]),
            r"an array \(n_tasks,\) with one per task; got the shape",
        ),
        (dict(from_="malsar", n_samples=[3, 4], n_tasks=3), r"\(n_tasks,\) = \(3,\)"),
        (
            dict(from_="malsar", n_samples=[3, 4], task_weight="balanced"),
            "'malsar' weighs every label the same.*Use task_weight=None",
        ),
        (
            dict(from_="malsar", n_samples=[3, 4], loss="logistic"),
            "'malsar' weighs every task the same.*Use task_weight='balanced'",
        ),
        (dict(from_="rmtl", n_samples=[3, 4]), "weighs every task the same"),
        (dict(from_="mutar", n_samples=[3, 4]), "same number of labels for every task"),
        (dict(from_="glmnet", penalty="ridge"), "'glmnet' is not converted for loss='squared'"),
        (
            dict(from_="celer", loss="logistic"),
            "only for loss='squared' with penalty='norm'",
        ),
        (dict(from_="scikit-learn", loss="multinomial"), "not converted .*penalty='norm'"),
        (
            dict(from_="scikit-learn", loss="logistic", alpha=0.0),
            "C of LogisticRegression here, must be positive, got 0",
        ),
        (dict(from_="adelie"), "n_tasks is needed with from_='adelie'"),
        (dict(from_="glmnet", loss="multinomial", n_samples=[5, 5]), "number of rows"),
    ],
)
def test_errors(options, message):
    with pytest.raises(ValueError, match=message):
        convert_alpha(**{"alpha": 1.0, "n_samples": 10, **options})
