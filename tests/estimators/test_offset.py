"""Offsets: columns of X that are added to the linear predictor."""

import cvxpy as cp
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import statsmodels.api as sm
from sklearn.base import clone
from sklearn.metrics import mean_squared_error
from sklearn.model_selection import cross_val_predict, cross_val_score

import skmtl
from skmtl import (
    BlockSparseClassifier,
    BlockSparseClassifierCV,
    BlockSparseRegressor,
    BlockSparseRegressorCV,
    GraphRegularizedRegressor,
    IndependentTaskClassifier,
    IndependentTaskRegressor,
    LowRankRegressor,
    MultiTaskClassifier,
    MultiTaskRegressor,
    PooledTaskClassifier,
    PooledTaskRegressor,
    SafeTransferRegressor,
    TaskRelationRegressor,
    reference,
)
from skmtl.auxiliary import AuxiliaryTaskRegressor
from skmtl.inspection import column_importance
from skmtl.inspection._fitted import feature_names
from skmtl.metrics import make_task_scorer
from skmtl.model_selection import AlphaSearchCV, StratifiedTaskKFold, alpha_max, path
from skmtl.penalties import L21

N, D, T = 90, 4, 3
TIGHT = {"tol": 1e-10}


@pytest.fixture(scope="module")
def rates():
    """Counts with an exposure, some of them missing: X, offset, Y, weights."""
    rng = np.random.default_rng(0)
    X, offset = rng.normal(size=(N, D)), rng.uniform(-1, 4, size=N)
    W = 0.4 * rng.normal(size=(D, T))
    Y = rng.poisson(np.exp(X @ W + offset[:, None])).astype(float)
    Y[:15, 0] = Y[20:50, 1] = np.nan
    return X, offset, Y, rng.uniform(0.5, 2, size=N)


def with_column(X, offset):
    """X with the offset as its third column."""
    return np.insert(X, 2, offset, axis=1)


def stacked(X, Y, weights):
    """The labels of a matrix in the stacked layout, the task in the last column."""
    rows, tasks = np.nonzero(~np.isnan(Y))
    return np.column_stack([X[rows], tasks]), Y[rows, tasks], weights[rows]


@pytest.mark.parametrize("layout", ["shared", "stacked"])
def test_rates_equal_statsmodels(rates, layout):
    X, offset, Y, weights = rates
    A = with_column(X, offset)
    model = IndependentTaskRegressor(0, loss="poisson", offset_column=2, tol=1e-12)
    if layout == "shared":
        model.fit(A, Y, weights)
        predicted = model.predict(A)
    else:
        model.set_params(task_column=-1).fit(*stacked(A, Y, weights))
        rows = np.column_stack([np.tile(A, (T, 1)), np.repeat(np.arange(T), N)])
        predicted = model.predict(rows).reshape(T, N).T
    for t in range(T):
        seen = ~np.isnan(Y[:, t])
        glm = sm.GLM(
            Y[seen, t],
            sm.add_constant(X[seen]),
            family=sm.families.Poisson(),
            offset=offset[seen],
            freq_weights=weights[seen],
        ).fit(tol=1e-14, tol_criterion="params")
        np.testing.assert_allclose(model.coef_[t], glm.params[1:], atol=1e-8)
        np.testing.assert_allclose(model.intercept_[t], glm.params[0], atol=1e-8)
        mean = glm.predict(sm.add_constant(X), offset=offset)
        np.testing.assert_allclose(predicted[:, t], mean, rtol=1e-7)


def stated(loss, Y, Z):
    """The losses of a task's labels, 0 and 1 for classes, at predictors, in cvxpy."""
    if loss == "huber":
        return cp.huber(Y - Z, 1.35) / 2
    if loss == "poisson":
        return cp.exp(Z) - cp.multiply(Y, Z)
    signs = 2 * Y - 1
    if loss == "logistic":
        return cp.logistic(-cp.multiply(signs, Z))
    return cp.square(cp.pos(1 - cp.multiply(signs, Z))) / 2


@pytest.mark.turns(2)
@pytest.mark.parametrize("loss", ["huber", "poisson", "logistic", "squared_hinge"])
@pytest.mark.parametrize("n_columns", [1, T])
def test_fit_minimises_the_objective_with_offsets(rates, loss, n_columns):
    X, _, Y, weights = rates
    rng = np.random.default_rng(1)
    O = rng.normal(size=(N, n_columns))  # noqa: E741
    classifier = loss in ("logistic", "squared_hinge")
    Y = np.where(np.isnan(Y), np.nan, Y > 3 if classifier else Y / 10)
    W, b, total = cp.Variable((D, T)), cp.Variable(T), 0.0
    for t in range(T):
        seen = ~np.isnan(Y[:, t])
        z = X[seen] @ W[:, t] + b[t] + np.broadcast_to(O, (N, T))[seen, t]
        total = total + weights[seen] @ stated(loss, Y[seen, t], z)
    scale = T / (weights[:, None] * ~np.isnan(Y)).sum()
    penalty = 0.05 * cp.sum(cp.norm(W, 2, axis=1))
    cp.Problem(cp.Minimize(scale * total + penalty)).solve(solver="CLARABEL")
    cls = BlockSparseClassifier if classifier else BlockSparseRegressor
    columns = list(range(D, D + n_columns))
    model = cls(0.05, loss=loss, offset_column=columns, **TIGHT)
    A = np.column_stack([X, O])
    model.fit(A, Y, weights)
    np.testing.assert_allclose(model.coef_.T, W.value, atol=2e-5)
    np.testing.assert_allclose(model.intercept_, b.value, atol=2e-5)
    other = model.set_params(solver="fista").fit(sp.csr_array(A), Y, weights)
    np.testing.assert_allclose(other.coef_.T, W.value, atol=2e-5)


def test_multinomial_fit_minimises_the_objective_with_offsets():
    rng = np.random.default_rng(2)
    X, O = rng.normal(size=(N, D)), rng.normal(size=(N, 3))  # noqa: E741
    y = (X[:, :3] + O + rng.gumbel(size=(N, 3))).argmax(axis=1)
    W, free = cp.Variable((D, 3)), cp.Variable(2)
    Z = X @ W + O + cp.hstack([free, -cp.sum(free)])[None, :]
    total = cp.sum(cp.log_sum_exp(Z, axis=1)) - cp.sum(cp.multiply(np.eye(3)[y], Z))
    problem = cp.Problem(cp.Minimize(total / N + 0.02 * cp.sum(cp.norm(W, 2, axis=1))))
    problem.solve(solver="CLARABEL")
    A = np.column_stack([X, O])
    model = BlockSparseClassifier(0.02, loss="multinomial", offset_column=[4, 5, 6], **TIGHT)
    model.fit(A, y)
    np.testing.assert_allclose(model.coef_.T, W.value, atol=2e-5)
    odds = np.exp(X @ W.value + O + np.append(free.value, -free.value.sum()))
    np.testing.assert_allclose(
        model.predict_proba(A), odds / odds.sum(axis=1, keepdims=True), atol=5e-5
    )
    # One offset for all classes changes nothing.
    same = BlockSparseClassifier(0.02, loss="multinomial", **TIGHT)
    one = BlockSparseClassifier(0.02, loss="multinomial", offset_column=4, **TIGHT)
    np.testing.assert_allclose(one.fit(A[:, :5], y).coef_, same.fit(X, y).coef_, atol=1e-6)


@pytest.mark.filterwarnings("ignore:Solution may be inaccurate")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "model",
    [
        BlockSparseRegressor(0.1, loss="poisson", intercept="shrunk"),
        IndependentTaskClassifier(0.1, intercept=3.0),
        PooledTaskClassifier(0.1, task_intercepts=False),
        PooledTaskRegressor(0.1, loss="huber", task_weight="balanced"),
        GraphRegularizedRegressor(0.1, loss="poisson", sparse=0.1),
    ],
    ids=lambda model: type(model).__name__,
)
def test_pooled_and_shrunk_intercepts_equal_the_reference(rates, model):
    X, offset, Y, weights = rates
    A = with_column(X, offset)
    Y = np.where(np.isnan(Y), np.nan, Y > 3) if "Classifier" in type(model).__name__ else Y
    model.set_params(offset_column=2, tol=1e-7).fit(A, Y, weights)
    found = reference.solve(model, A, Y, weights)
    np.testing.assert_allclose(model.coef_, found.coef_, atol=2e-4)
    np.testing.assert_allclose(model.intercept_, found.intercept_, atol=2e-4)
    assert model.objective_ == pytest.approx(found.objective, rel=1e-6)


FAMILIES = sorted(name for name in skmtl.__all__ if name.endswith(("Regressor", "Classifier")))


LABELS = {
    "logistic": lambda z: (z > 0).astype(float),
    "squared_hinge": lambda z: (z > 0).astype(float),
    "poisson": lambda z: np.exp(z).round(),
    "gamma": np.exp,
    "tweedie": lambda z: np.exp(z).round(),
    "huber": lambda z: z,
    "quantile": lambda z: z,
}


@pytest.mark.turns(3)
@pytest.mark.parametrize("size", [36.0, 300.0, 600.0])
@pytest.mark.parametrize("loss", LABELS)
@pytest.mark.parametrize("intercept", ["free", "shrunk"])
def test_far_off_offsets_and_priors_only_move_the_intercepts(loss, size, intercept):
    if loss == "quantile" and intercept == "shrunk":
        pytest.skip("quantiles have free intercepts")
    rng = np.random.default_rng(1)
    X = rng.normal(size=(60, 3))
    Y = LABELS[loss](X @ rng.normal(size=(3, 2)) / 2 + rng.normal(size=(60, 2)))
    options = {"loss": loss, "tol": 1e-7, "intercept": intercept}
    cls = BlockSparseClassifier if loss in ("logistic", "squared_hinge") else BlockSparseRegressor
    model = cls(0.01, **options).fit(X, Y)
    for offset in (-size, size):
        A = np.column_stack([X, np.full(60, offset)])
        moved = cls(0.01, **options, offset_column=3).fit(A, Y)
        np.testing.assert_allclose(moved.coef_, model.coef_, atol=1e-3)
        np.testing.assert_allclose(moved.intercept_ + offset, model.intercept_, atol=1e-2)
        # Features with a mean give a prior the same distance, which an intercept absorbs.
        prior = np.array([[0.5, 0, 0]] * 2)
        near = cls(0.01, **options, prior_coef=prior).fit(X, Y)
        far = cls(0.01, **options, prior_coef=prior).fit(X + [2 * offset, 0, 0], Y)
        np.testing.assert_allclose(far.coef_, near.coef_, atol=1e-3)


@pytest.mark.turns(3)
@pytest.mark.parametrize("name", FAMILIES)
def test_a_constant_offset_only_moves_the_intercepts(rates, name):
    X, _, Y, weights = rates
    cls, classifier = getattr(skmtl, name), name.endswith("Classifier")
    Y = np.where(np.isnan(Y), np.nan, Y > 3) if classifier else Y
    alpha = {} if "alpha" not in cls().get_params() else {"alpha": 0.05}
    more = {"n_clusters": 2} if "n_clusters" in cls().get_params() else {}
    loss = {} if classifier else {"loss": "poisson"}
    more |= {"alphas": 3} if "alphas" in cls().get_params() else {}
    slow = name.startswith(("GroupOverlap", "SafeTransfer"))
    tol = 1e-4 if slow else 1e-9  # exact fits would take long
    model = cls(**alpha, **loss, **more, tol=tol).fit(X, Y, weights)
    A = with_column(X, np.full(N, 0.7))
    moved = cls(**alpha, **loss, **more, tol=tol, offset_column=2).fit(A, Y, weights)
    np.testing.assert_allclose(moved.coef_, model.coef_, atol=2e-4)
    np.testing.assert_allclose(moved.intercept_, model.intercept_ - 0.7, atol=2e-4)
    np.testing.assert_allclose(moved.predict(A), model.predict(X), rtol=1e-3, atol=1e-3)


@pytest.mark.turns(2)
@pytest.mark.parametrize(
    "model",
    [
        TaskRelationRegressor(0.1),
        LowRankRegressor(0.1, scale_tasks=True),
        BlockSparseRegressorCV(alphas=5),
        AlphaSearchCV(BlockSparseRegressor(), alphas=5),
        SafeTransferRegressor("graph", alphas=5),
        IndependentTaskRegressor("cv"),
    ],
    ids=lambda model: type(model).__name__,
)
def test_squared_loss_fits_the_labels_less_the_offset(rates, model):
    X, offset, Y, weights = rates
    plain, fitted = clone(model).fit(X, Y - offset[:, None], weights), clone(model)
    inner = fitted.estimator if isinstance(model, AlphaSearchCV) else fitted
    inner.set_params(offset_column=2)
    A = with_column(X, offset)
    fitted.fit(A, Y, weights)
    np.testing.assert_allclose(fitted.coef_, plain.coef_, atol=1e-9)
    expected = plain.predict(X) + offset[:, None]
    np.testing.assert_allclose(fitted.predict(A), expected, atol=1e-8)
    residual = np.nansum(weights[:, None] * (Y - expected) ** 2, axis=0)
    means = np.nansum(weights[:, None] * Y, axis=0) / (weights[:, None] * ~np.isnan(Y)).sum(axis=0)
    total = np.nansum(weights[:, None] * (Y - means) ** 2, axis=0)
    assert fitted.score(A, Y, weights) == pytest.approx((1 - residual / total).mean())


def test_containers_names_and_layouts_agree(rates):
    X, offset, Y, weights = rates
    reference = BlockSparseRegressor(0.1, loss="poisson", offset_column=2, **TIGHT)
    reference.fit(with_column(X, offset), Y, weights)
    frame = pd.DataFrame(X, columns=list("abcd"))
    frame.insert(1, "log_exposure", offset)
    model = BlockSparseRegressor(0.1, loss="poisson", offset_column="log_exposure", **TIGHT)
    model.set_params(feature_weight={"a": 1.0}).fit(frame, Y, weights)
    np.testing.assert_allclose(model.coef_, reference.coef_, atol=1e-7)
    assert feature_names(model, None, D) == list("abcd")
    importance = column_importance(model)
    assert importance.argmax() == 1 and importance.shape == (D + 1,)
    polars = pytest.importorskip("polars")
    predicted = model.predict(polars.DataFrame(frame.to_dict("list")))
    np.testing.assert_allclose(predicted, model.predict(frame))
    rows, y, s = stacked(frame.to_numpy(), Y, weights)
    long = pd.DataFrame(rows[:, :-1], columns=frame.columns)
    long.insert(0, "task", np.array(["u", "v", "w"])[rows[:, -1].astype(int)])
    other = BlockSparseRegressor(
        0.1, loss="poisson", offset_column="log_exposure", task_column="task", **TIGHT
    ).fit(long[::-1], y[::-1], s[::-1])
    np.testing.assert_allclose(other.coef_, reference.coef_, atol=1e-7)
    assert feature_names(other, None, D) == list("abcd")
    assert column_importance(other).shape == (D + 2,)
    by_position = BlockSparseRegressor(
        0.1, loss="poisson", offset_column=2, task_column=0, **TIGHT
    ).fit(sp.csr_array(np.column_stack([rows[:, -1], rows[:, :-1]])), y, s)
    np.testing.assert_allclose(by_position.coef_, reference.coef_, atol=1e-7)
    single = BlockSparseRegressor(0.1, loss="poisson", offset_column=2)
    A, labels = with_column(X, offset).astype(np.float32), Y[:, 2]
    assert single.fit(A, labels).predict(A).shape == (N,)
    assert single.coef_.dtype == np.float32
    in_double = single.fit(A.astype(float), labels).coef_
    np.testing.assert_allclose(single.fit(A, labels).coef_, in_double, atol=1e-3)


def test_scorers_need_nothing_but_x(rates):
    X, offset, Y, weights = rates
    rows, y, _ = stacked(with_column(X, offset), Y, weights)
    model = BlockSparseRegressor(0.1, loss="poisson", offset_column=2, task_column=-1)
    cv = StratifiedTaskKFold(3, task_column=-1, random_state=0)
    scores = cross_val_score(model, rows, y, cv=cv, scoring="neg_mean_poisson_deviance")
    predicted = cross_val_predict(model, rows, y, cv=cv)
    without = BlockSparseRegressor(0.1, loss="poisson", task_column=-1)
    worse = cross_val_predict(without, np.delete(rows, 2, axis=1), y, cv=cv)
    assert ((y - predicted) ** 2).sum() < 0.5 * ((y - worse) ** 2).sum()
    assert scores.shape == (3,)


@pytest.mark.filterwarnings("ignore:The selected alpha")
def test_cross_validation_and_paths_see_the_offset(rates):
    X, offset, Y, weights = rates
    A = with_column(X, offset)
    model = BlockSparseRegressor(loss="poisson", offset_column=2, tol=1e-8)
    top = alpha_max(model, A, Y, weights)
    assert not model.set_params(alpha=1.001 * top).fit(A, Y, weights).coef_.any()
    assert model.set_params(alpha=0.98 * top).fit(A, Y, weights).coef_.any()
    alphas, coefs, gaps = path(model, A, Y, alphas=4, sample_weight=weights)
    assert alphas[0] == pytest.approx(top) and (gaps < 1e-3).all()
    alone = model.set_params(alpha=alphas[2]).fit(A, Y, weights)
    np.testing.assert_allclose(coefs[:, :, 2], alone.coef_, atol=1e-4)
    grid = [0.3, 0.03]
    given = {"loss": "poisson", "offset_column": 2, "alphas": grid, "cv": 3, "tol": 1e-8}
    own = BlockSparseRegressorCV(**given).fit(A, Y)
    scorer = make_task_scorer(mean_squared_error, average="pooled")
    scored = BlockSparseRegressorCV(**given, scoring=scorer).fit(A, Y)
    folds = StratifiedTaskKFold(3, random_state=0)
    for k, (train, test) in enumerate(folds.split(A, Y)):
        for j, alpha in enumerate(grid):
            fold = BlockSparseRegressor(alpha, loss="poisson", offset_column=2, tol=1e-8)
            errors = (Y[test] - fold.fit(A[train], Y[train]).predict(A[test])) ** 2
            assert own.mse_path_[j, k] == pytest.approx(np.nanmean(errors), rel=1e-3)
            assert scored.scores_path_[j, k] == pytest.approx(-np.nanmean(errors), rel=1e-3)


def test_classes_of_one_target(rates):
    X = rates[0]
    rng = np.random.default_rng(3)
    O = rng.normal(size=(N, 3))  # noqa: E741
    y = (X[:, :3] + 2 * O).argmax(axis=1)
    A = np.column_stack([X, O])
    model = IndependentTaskClassifier(0.1, offset_column=[-3, -2, -1], tol=1e-8).fit(A, y)
    for k in range(3):
        binary = IndependentTaskClassifier(0.1, offset_column=-1, tol=1e-8)
        binary.fit(np.column_stack([X, O[:, k]]), y == k)
        np.testing.assert_allclose(model.coef_[k], binary.coef_[0], atol=1e-4)
    plain = IndependentTaskClassifier(0.1).fit(X, y)
    assert model.score(A, y) > plain.score(X, y)
    found = BlockSparseClassifierCV(offset_column=[-3, -2, -1], alphas=4).fit(A, y)
    assert found.score(A, y) > plain.score(X, y)


def test_losses_of_different_kinds_with_scaled_labels(rates):
    X, offset, Y, _ = rates
    Y = np.column_stack([X[:, 0] + 100 * offset, np.nan_to_num(Y[:, 2]), X[:, 1] + offset > 1])
    loss = {0: "squared", 1: "poisson", 2: "logistic"}
    A = with_column(X, offset)
    settings = {"loss": loss, "offset_column": 2, "scale_tasks": True, "tol": 1e-9}
    model = MultiTaskRegressor(0, **settings).fit(A, Y)
    slope = np.linalg.lstsq(np.column_stack([X, np.ones(N)]), Y[:, 0] - offset, rcond=None)[0]
    np.testing.assert_allclose(model.coef_[0], slope[:-1], atol=1e-4)
    counts = sm.GLM(Y[:, 1], sm.add_constant(X), family=sm.families.Poisson(), offset=offset).fit()
    np.testing.assert_allclose(model.coef_[1], counts.params[1:], atol=1e-4)
    np.testing.assert_allclose(model.intercept_[1], counts.params[0], atol=1e-4)


@pytest.mark.parametrize("known", [{"offset_column": 2}, {"prior_coef": [0.5, 0, 0, -0.2, 0]}])
def test_quantiles_beside_a_loss_that_keeps_its_offset(rates, known):
    """Against the reference: the offset is subtracted for quantiles, and kept for counts."""
    X, offset, Y, weights = rates
    Y = np.column_stack([X[:, 0] + offset, Y[:, 0], X[:, 1] + offset + np.sin(9 * X[:, 2])])
    loss = {0: "squared", 1: "poisson", 2: "quantile"}
    A = with_column(X, offset)
    settings = {"penalty": L21(0.2), "loss": loss, "quantile": 0.8, **known}
    model = MultiTaskRegressor(tol=1e-8, **settings)
    model.fit(A, Y, weights)
    expected = reference.solve(model, A, Y, weights)
    assert model.objective_ == pytest.approx(expected.objective, abs=1e-6)
    np.testing.assert_allclose(model.coef_, expected.coef_, atol=2e-3)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_tasks_without_a_minimiser(rates):
    X, offset, Y, _ = rates
    Y = np.nan_to_num(Y)
    Y[:, 1] = 0
    A = with_column(X, offset)
    with pytest.warns(UserWarning, match="All labels are the same"):
        model = IndependentTaskRegressor(0.1, loss="poisson", offset_column=2).fit(A, Y)
    assert model.intercept_[1] == pytest.approx(-np.log(2 * N + 1) - offset.mean())
    # Labels that X separates have no minimiser, whatever the offset.
    y = np.column_stack([X[:, 0] > 0, X[:, 1] + offset > 1])
    with pytest.warns(UserWarning, match="separable"):
        MultiTaskClassifier(0, offset_column=2).fit(A, y)


def test_new_tasks_have_offsets(rates):
    X, offset, Y, _ = rates
    A, rows = with_column(X, offset), np.arange(20)
    model = LowRankRegressor(0.1, offset_column=2).fit(A, np.nan_to_num(Y))
    plain = LowRankRegressor(0.1).fit(X, np.nan_to_num(Y) - offset[:, None])
    y = Y[rows + 60, 0]
    new = model.fit_new_task(A[rows], y)
    other = plain.fit_new_task(X[rows], y - offset[rows])
    np.testing.assert_allclose(new.coef_, other.coef_, atol=1e-8)
    one, two = new.predict(A[rows], return_std=True), other.predict(X[rows], return_std=True)
    np.testing.assert_allclose(one[1], two[1], rtol=1e-6)
    np.testing.assert_allclose(one[0], two[0] + offset[rows, None], atol=1e-7)
    # A constant offset of counts moves their intercepts, also that of a new task.
    constant = with_column(X, np.full(N, 0.5))
    counts = LowRankRegressor(0.1, loss="poisson", offset_column=2, tol=1e-8)
    moved = counts.fit(constant, Y).fit_new_task(constant[rows], y)
    same = LowRankRegressor(0.1, loss="poisson", tol=1e-8).fit(X, Y).fit_new_task(X[rows], y)
    np.testing.assert_allclose(moved.coef_, same.coef_, atol=1e-4)
    np.testing.assert_allclose(moved.intercept_, same.intercept_ - 0.5, atol=1e-4)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"offset_column": "exposure"}, "no column names"),
        ({"offset_column": 9}, "Positions go from"),
        ({"offset_column": [0, 1]}, "names 2 columns, and y holds 3 tasks"),
        ({"offset_column": [0, 0, 1]}, "each column once"),
        ({"offset_column": 4, "task_column": -1}, "cannot be one of"),
        ({"offset_column": [0, 1], "task_column": -1}, "one column in the stacked layout"),
    ],
)
def test_wrong_columns_are_named(rates, given, message):
    X, offset, Y, weights = rates
    A = with_column(X, offset)
    if "task_column" in given:
        A, y, _ = stacked(X, Y, weights)
    else:
        y = Y
    with pytest.raises(ValueError, match=message):
        BlockSparseRegressor(**given).fit(A, y)


def test_missing_and_infinite_offsets_are_refused(rates):
    X, offset, Y, _ = rates
    model = BlockSparseRegressor(0.1, offset_column=2).fit(with_column(X, offset), Y)
    for wrong in (np.nan, -np.inf):
        with pytest.raises(ValueError, match="exposure > 0"):
            model.predict(with_column(X, np.where(offset > 3, wrong, offset)))
    with pytest.raises(ValueError, match="no feature is left|at least one feature"):
        BlockSparseRegressor(offset_column=0).fit(X[:, :1], Y)
    with pytest.raises(ValueError, match="not available with auxiliary tasks"):
        AuxiliaryTaskRegressor(model, auxiliary=[0]).fit(with_column(X, offset), Y)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(
    "name", ["BlockSparse", "PooledTask", "LowRank", "TaskRelation", "FusedTask"]
)
def test_an_exposure_in_place_of_its_logarithm_is_refused(name, fit_intercept):
    rng = np.random.default_rng(0)
    X, exposure = rng.standard_normal((60, 3)), rng.integers(1, 2000, 60)
    Y = rng.poisson(exposure[:, None] * np.exp(0.3 * X[:, :2] - 1))
    cls = getattr(skmtl, f"{name}Regressor")
    model = cls(0.1, loss="poisson", offset_column=3, fit_intercept=fit_intercept)
    with pytest.raises(ValueError, match="PoissonLoss overflows at the offsets.*logarithm of an"):
        model.fit(np.column_stack([X, exposure]), Y)
    model.fit(np.column_stack([X, np.log(exposure)]), Y)
    with pytest.raises(ValueError, match="overflows.*check prior_coef, or scale X"):
        cls(0.1, loss="poisson", prior_coef=np.full(3, 1e3), fit_intercept=fit_intercept).fit(X, Y)


def test_offsets_far_from_the_labels_do_not_loosen_the_tolerance():
    rng = np.random.default_rng(0)
    X, exposure = rng.standard_normal((60, 3)), rng.integers(1, 10, 60)
    Y = rng.poisson(exposure[:, None] * np.exp(0.3 * X[:, :2] - 1))
    data = np.column_stack([X, 5 + exposure]), Y
    model = IndependentTaskRegressor(0.1, loss="poisson", offset_column=3, fit_intercept=False)
    null = IndependentTaskRegressor(1e6, loss="poisson", fit_intercept=False).fit(X, Y)
    model.fit(*data)
    assert model.dual_gap_ <= model.tol * null.objective_
    optimum = reference.solve(model, *data).objective
    assert model.objective_ == pytest.approx(optimum, abs=1.01 * model.dual_gap_ + 1e-6 * optimum)
