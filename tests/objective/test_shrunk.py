"""Intercepts shrunk towards their mean: against cvxpy, closed forms, limits and likelihoods."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from problems import SCENARIOS, TIGHT, Problem, assert_is_the_optimum, by_turns, mostly_slow
from sklearn.base import clone
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import check_estimator

import skmtl
from skmtl import (
    BlockSparseClassifier,
    BlockSparseRegressor,
    BlockSparseRegressorCV,
    FusedTaskRegressor,
    GraphRegularizedClassifier,
    GraphRegularizedRegressor,
    IndependentTaskClassifier,
    IndependentTaskRegressor,
    MultiTaskRegressor,
    PooledTaskClassifier,
    PooledTaskRegressor,
    reference,
)
from skmtl.losses import LogisticLoss
from skmtl.model_selection import StratifiedTaskKFold, alpha_max, path
from skmtl.objective import GramObjective, Objective
from skmtl.penalties import L21, TraceNorm

FAMILIES = {
    "rows": ("BlockSparse", {}),
    "free-features": ("BlockSparse", {"feature_weight": "first"}),
    "ridge": ("IndependentTask", {}),
    "random-intercept": ("PooledTask", {}),
    "clusters": ("ClusteredTask", {"n_clusters": 2}),
    "relation": ("TaskRelation", {}),
    "low-rank": ("LowRank", {}),
    "complete-graph": ("GraphRegularized", {"graph": "complete"}),
    "ridge-on-a-chain": ("GraphRegularized", {"graph": "chain", "ridge": 0.2}),
    "fused": ("FusedTask", {}),
    "two-parts": ("SparseLowRank", {}),
}
CLASSES = {
    name: (
        getattr(skmtl, f"{family}Regressor"),
        getattr(skmtl, f"{family}Classifier"),
        params,
    )
    for name, (family, params) in FAMILIES.items()
}
WITH_INTERCEPTS = [scenario for scenario in SCENARIOS[:13] if scenario[5]]
# An unpenalised mean task of a graph, or an unpenalised feature.
HELD = pytest.mark.filterwarnings("ignore:With ridge=0 nothing holds")


@pytest.mark.turns(3)
@HELD
@pytest.mark.filterwarnings("ignore:Solution may be inaccurate")
@pytest.mark.parametrize(
    ("family", "scenario", "classify"), list(by_turns(FAMILIES, WITH_INTERCEPTS))
)
def test_families_against_cvxpy(family, scenario, classify):
    problem = Problem(scenario, classify=classify)
    cls, params = CLASSES[family][classify], dict(CLASSES[family][2])
    if "feature_weight" in params:
        n_features = problem.X.shape[1] - ("task_column" in problem.params)
        params["feature_weight"] = np.arange(n_features) > 0
    model = cls(0.05 if classify else 0.2, intercept=2.0, **params, **problem.params, **TIGHT)
    assert_is_the_optimum(model, problem, coef=family != "relation")


@pytest.mark.turns(2)
@pytest.mark.parametrize("loss", ["huber", "poisson", "squared_hinge"])
@pytest.mark.parametrize("scenario", mostly_slow(SCENARIOS[k] for k in (1, 2, 8)), ids=str)
def test_losses_against_cvxpy(loss, scenario):
    classify = loss == "squared_hinge"
    problem = Problem(scenario, classify=classify)
    if loss == "poisson":
        problem.y = np.round(np.exp(np.clip(problem.y / 2, -3, 2)))
    for cls in (CLASSES["rows"][classify], CLASSES["ridge"][classify]):
        model = cls(0.1, loss=loss, intercept="shrunk", **problem.params, **TIGHT)
        assert_is_the_optimum(model, problem)


def tiny_tasks(n_tasks=30, per_task=4, spread=1.0, noise=1.0, seed=0):
    """Stacked data of tasks with common coefficients, few labels and separate intercepts."""
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(n_tasks), per_task)
    X = rng.normal(size=(len(codes), 3)) + rng.normal(size=(n_tasks, 3))[codes]
    b = 5.0 + spread * rng.normal(size=n_tasks)
    y = X @ [1.0, -2.0, 0.5] + b[codes] + noise * rng.normal(size=len(codes))
    return np.column_stack([X, codes]), y, b


def test_means_of_labels_without_features():
    """b_t = (n_t mean_t + m beta) / (n_t + m), beta the mean of b."""
    rng = np.random.default_rng(0)
    counts = np.array([1, 2, 5, 40])
    codes = np.repeat(np.arange(4), counts)
    y = 1e3 + 3.0 * codes + rng.normal(size=len(codes))
    X = np.column_stack([np.zeros(len(codes)), codes])
    means = np.array([y[codes == t].mean() for t in range(4)])
    for m in (0.5, 1.0, 7.0):
        b = BlockSparseRegressor(1.0, intercept=m, task_column=-1, tol=1e-10).fit(X, y).intercept_
        np.testing.assert_allclose(b, (counts * means + m * b.mean()) / (counts + m), rtol=1e-9)


def test_random_intercept_model():
    """One slope for all tasks and shrunk intercepts: the best linear unbiased prediction."""
    X, y, _ = tiny_tasks()
    codes, features = X[:, -1].astype(int), X[:, :-1]
    m, n_tasks = 3.0, codes.max() + 1  # noise variance over that between tasks
    model = PooledTaskRegressor(alpha=0.0, intercept=m, task_column=-1, tol=1e-12).fit(X, y)
    # Generalised least squares: V is the labels' covariance, intercepts integrated out.
    Z = np.eye(n_tasks)[codes]
    V = np.eye(len(y)) + Z @ Z.T / m
    centred = features - features.mean(axis=0)
    A = np.column_stack([np.ones(len(y)), centred])
    fixed = np.linalg.solve(A.T @ np.linalg.solve(V, A), A.T @ np.linalg.solve(V, y))
    random = Z.T @ np.linalg.solve(V, y - A @ fixed) / m
    np.testing.assert_allclose(np.atleast_2d(model.coef_)[0], fixed[1:], rtol=1e-8)
    at_mean = model.predict(
        np.column_stack([np.tile(features.mean(axis=0), (n_tasks, 1)), range(n_tasks)])
    )
    np.testing.assert_allclose(at_mean, fixed[0] + random, rtol=1e-8)


@pytest.mark.parametrize("classify", [False, True], ids=["regression", "classification"])
def test_limits(classify):
    X, y, _ = tiny_tasks(n_tasks=6, per_task=12)
    y = y > np.median(y) if classify else y
    cls = PooledTaskClassifier if classify else PooledTaskRegressor
    options = {"task_column": -1, "tol": 1e-12}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the free fit may leave tasks of one class out
        free = cls(0.1, **options).fit(X, y)
        none = cls(0.1, intercept=0, **options).fit(X, y)
    np.testing.assert_array_equal(none.intercept_, free.intercept_)
    one = cls(0.1, task_intercepts=False, **options).fit(X, y)
    same = cls(0.1, task_intercepts=False, intercept=3.0, **options).fit(X, y)
    np.testing.assert_array_equal(same.intercept_, one.intercept_)
    many = cls(0.1, intercept=1e9, **options).fit(X, y)
    np.testing.assert_allclose(many.intercept_, one.intercept_, atol=1e-5)
    np.testing.assert_allclose(many.coef_, one.coef_, atol=1e-5)


@pytest.mark.parametrize("m", [1e-300, 1e-12, 1e-6, 1e3, 1e6, 1e12, 1e300])
def test_any_number_of_labels(m):
    """Certified in few steps for any strength, although the mean is always unpenalised."""
    X, y, _ = tiny_tasks(n_tasks=6, per_task=8)
    labels = (X[:, 0] > np.median(X[:, 0])) ^ (np.arange(len(y)) % 3 == 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for cls, target in ((BlockSparseRegressor, y), (BlockSparseClassifier, labels)):
            model = cls(0.05, intercept=m, task_column=-1).fit(X, target)
            assert model.n_iter_ <= 500 and model.dual_gap_ < 1e-3 * model.objective_


@pytest.mark.parametrize("name", ["LowRank", "TaskRelation", "BlockSparse", "IndependentTask"])
def test_weights_of_any_size(name):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20, 3))
    Y = X @ np.ones((3, 3)) + rng.standard_normal((20, 3)) + [5, 6, 7]
    model = getattr(skmtl, f"{name}Regressor")(0.1, intercept="shrunk", tol=1e-8)
    # Beside few labels the one that the mean counts for is everything, beside many it is nothing.
    for weight, limit in ((1e-40, 1e12), (1e40, "free")):
        model.fit(X, Y, np.full(20, weight))
        expected = clone(model).set_params(intercept=limit).fit(X, Y)
        assert max(model.dual_gap_, expected.dual_gap_) <= 1e-6
        np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-4)
        np.testing.assert_allclose(model.intercept_, expected.intercept_, atol=1e-4)


def test_a_mean_that_features_replace():
    """Newton steps if the coefficients can replace the intercepts' mean."""
    X, y, _ = tiny_tasks(n_tasks=3, per_task=4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = IndependentTaskRegressor(0.0, intercept=2.0, task_column=-1)
        model.fit(X + 1e6 * (np.arange(4) < 3), y)
    assert model.dual_gap_ <= 1e-6 * np.square(y).sum()


def test_tiny_tasks_benefit():
    X, y, b = tiny_tasks(spread=0.5, per_task=3)
    errors = {}
    for intercept in ("free", "shrunk", 4.0):
        model = PooledTaskRegressor(0.01, intercept=intercept, task_column=-1).fit(X, y)
        errors[intercept] = np.mean((model.intercept_ - b) ** 2)
    assert errors[4.0] < 0.6 * errors["free"] and errors[4.0] < errors["shrunk"] < errors["free"]
    search = GridSearchCV(
        PooledTaskRegressor(0.01, task_column=-1),
        {"intercept": ["free", 1.0, 4.0]},
        cv=StratifiedTaskKFold(3, task_column=-1),
    ).fit(X, y)
    assert search.best_params_["intercept"] == 4.0


def test_tasks_of_one_class_are_kept():
    """Their intercepts are finite, since they are shrunk towards those of the other tasks."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    Y = (X[:, :1] + rng.normal(size=(60, 5)) > 0).astype(float)
    Y[4:, 0], Y[:4, 0] = np.nan, 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = BlockSparseClassifier(0.02, intercept="shrunk", tol=1e-8).fit(X, Y)
    assert np.abs(model.coef_[0]).max() > 0
    exact = reference.solve(model, X, Y)
    np.testing.assert_allclose(model.intercept_, exact.intercept_, atol=1e-4)
    # All labels are of one class: the mean diverges.
    Y[:] = np.where(np.isnan(Y), np.nan, 1.0)
    with pytest.warns(UserWarning, match=r"same in the tasks \[0, 1, 2, 3, 4\]"):
        model.fit(X, Y)
    assert not model.coef_.any()


def test_what_does_not_change_the_model():
    """Shifted features, repeated rows for weights, another order, the other layout, sparse X."""
    X, y, _ = tiny_tasks(n_tasks=5, per_task=8)
    model = BlockSparseRegressor(0.1, intercept="shrunk", task_column=-1, tol=1e-12)
    base = model.fit(X, y)
    coef, prediction = base.coef_, base.predict(X)
    shifted = X + np.array([100.0, -7.0, 3.0, 0.0])
    np.testing.assert_allclose(model.fit(shifted, y).predict(shifted), prediction, atol=1e-5)
    weights = np.arange(len(y)) % 3
    repeated = np.repeat(np.arange(len(y)), weights)
    by_weight = clone(model).fit(X, y, sample_weight=weights)
    by_row = clone(model).fit(X[repeated], y[repeated])
    np.testing.assert_allclose(by_weight.intercept_, by_row.intercept_, atol=1e-6)
    shared = np.full((len(y), 5), np.nan)
    shared[np.arange(len(y)), X[:, -1].astype(int)] = y
    by_column = BlockSparseRegressor(0.1, intercept="shrunk", tol=1e-12).fit(X[:, :-1], shared)
    np.testing.assert_allclose(by_column.coef_, coef, atol=1e-6)
    for task_weight in (None, "balanced"):
        by_column.set_params(task_weight=task_weight).fit(X[:, :-1], shared)
        dense = by_column.coef_, by_column.intercept_
        by_column.fit(sp.csr_matrix(X[:, :-1]), shared)
        np.testing.assert_allclose(by_column.coef_, dense[0], atol=1e-6)
        np.testing.assert_allclose(by_column.intercept_, dense[1], atol=1e-6)
    constant = np.column_stack([np.full(len(y), 3.0), X])
    np.testing.assert_allclose(
        clone(model).fit(constant, y).predict(constant), prediction, atol=1e-6
    )


@HELD
def test_graph_certificate_without_newton_steps(monkeypatch):
    """An unpenalised mean, certified by a step of the mean task."""
    X, y, _ = tiny_tasks(n_tasks=6, per_task=10)
    model = GraphRegularizedRegressor(
        0.5, graph="chain", intercept="shrunk", task_column=-1, tol=1e-9
    ).fit(X, y)
    assert model.dual_gap_ <= 1e-9 * len(y) * np.var(y)
    labels = (y > np.median(y)).astype(int)
    classifier = GraphRegularizedClassifier(
        0.5, graph="complete", intercept="shrunk", task_column=-1, tol=1e-9
    ).fit(X, labels)
    assert classifier.dual_gap_ <= 2e-8
    # Free intercepts take the same step if there are too many features for Newton steps.
    for kind in (GramObjective, Objective):
        monkeypatch.setattr(kind, "has_newton", property(lambda self: False))
    for cls, target, layout in (
        (GraphRegularizedRegressor, y, {"task_column": -1}),
        (GraphRegularizedRegressor, np.column_stack([y, y**2 / 9]), {}),
        (GraphRegularizedClassifier, labels, {"task_column": -1}),
    ):
        model = cls(0.5, graph="complete", tol=1e-8, **layout).fit(X, target)
        exact = reference.solve(model, X, target)
        assert model.objective_ == pytest.approx(exact.objective, rel=1e-6)
        assert model.dual_gap_ <= 1e-7 * exact.objective + 1e-8 * np.square(target).sum()


def test_float32_warm_start_and_path():
    X, y, _ = tiny_tasks(n_tasks=6, per_task=10)
    model = BlockSparseRegressor(0.1, intercept="shrunk", task_column=-1, tol=1e-6)
    wide = model.fit(X, y).coef_
    narrow = clone(model).set_params(tol=1e-4).fit(X.astype(np.float32), y.astype(np.float32))
    assert narrow.coef_.dtype == np.float32
    np.testing.assert_allclose(narrow.coef_, wide, atol=2e-2)
    model.set_params(warm_start=True).fit(X, y)
    assert model.fit(X, y).n_iter_ <= 10
    top = alpha_max(model, X, y)
    assert not clone(model).set_params(alpha=top * 1.0001).fit(X, y).coef_.any()
    assert clone(model).set_params(alpha=top * 0.99, tol=1e-8).fit(X, y).coef_.any()
    alphas, coefs, gaps = path(model, X, y, alphas=5)
    assert alphas[0] == pytest.approx(top) and len(gaps) == 5
    alone = clone(model).set_params(alpha=alphas[-1], warm_start=False).fit(X, y)
    np.testing.assert_allclose(coefs[..., -1], alone.coef_, atol=1e-2)
    # Without an alpha_max the grid starts where the coefficients are close to zero.
    top = path(FusedTaskRegressor(intercept="shrunk", task_column=-1), X, y, alphas=3)[0]
    assert np.isfinite(top).all()


def test_cross_validated_estimators():
    X, y, _ = tiny_tasks(n_tasks=6, per_task=10)
    model = BlockSparseRegressorCV(8, intercept=2.0, task_column=-1, cv=3).fit(X, y)
    plain = BlockSparseRegressor(model.alpha_, intercept=2.0, task_column=-1).fit(X, y)
    np.testing.assert_allclose(model.intercept_, plain.intercept_, atol=1e-2)
    for cls in (IndependentTaskRegressor, PooledTaskRegressor):
        chosen = cls(alpha="cv", intercept=2.0, task_column=-1, tol=1e-10).fit(X, y)
        alpha = chosen.alpha_
        fixed = cls(alpha=alpha, intercept=2.0, task_column=-1, tol=1e-10).fit(X, y)
        np.testing.assert_allclose(chosen.intercept_, fixed.intercept_, atol=1e-6)


@pytest.mark.turns(3)
@pytest.mark.parametrize(
    "name", ["CappedBlockSparse", "SparseTaskRelation", "GroupOverlap"], ids=str
)
@pytest.mark.parametrize("kind", ["Regressor", "Classifier"])
def test_stages_never_increase_the_objective(name, kind):
    X, y, _ = tiny_tasks(n_tasks=6, per_task=12)
    y = y if kind == "Regressor" else (y > np.median(y)).astype(int)
    options = {"task_column": -1, "tol": 1e-4, "max_stages": 500}
    model = getattr(skmtl, name + kind)(0.1, intercept=2.0, **options).fit(X, y)
    assert (np.diff(model.objectives_) <= 1e-10 * model.objectives_[0]).all()
    assert model.stationarity_ <= 1e-4
    free = getattr(skmtl, name + kind)(0.1, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        free.fit(X, y)
    # At the features' mean, where the intercepts are compared.
    mean = X[:, :-1].mean(axis=0)
    pulled = model.coef_ @ mean + model.intercept_
    if kind == "Regressor":
        assert pulled.std() < (free.coef_ @ mean + free.intercept_).std()
    assert np.isfinite(pulled).all()


def test_several_terms_and_scaled_tasks():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 4))
    Y = (X @ rng.normal(size=(4, 3)) + [0.0, 1.0, 2.0] + rng.normal(size=(50, 3))) * [1, 10, 100]
    Y[rng.random(Y.shape) < 0.4] = np.nan
    model = MultiTaskRegressor(
        0.05, penalty=L21() + TraceNorm(), intercept="shrunk", scale_tasks=True, tol=1e-8
    ).fit(X, Y)
    exact = reference.solve(model, X, Y)
    assert model.objective_ == pytest.approx(exact.objective, rel=1e-6)
    np.testing.assert_allclose(model.intercept_, exact.intercept_, rtol=1e-3)


def test_certificate_is_a_bound_everywhere():
    """At random points, for losses with an infinite conjugate outside a box too."""
    rng = np.random.default_rng(0)
    X, y, _ = tiny_tasks(n_tasks=5, per_task=6)
    y = np.where(y > np.median(y), 1, 0)
    model = IndependentTaskClassifier(0.1, intercept=2.0, task_column=-1)
    best = reference.solve(model, X, y).objective
    data = model._read(X, y, None)
    objective = model._objective(data)
    for size in (0.01, 0.3, 3.0):
        point = objective.point(size * rng.normal(size=(3, 5)), size * rng.normal(size=5))
        value, bound = objective.bounds(point)
        assert bound <= best + 1e-7 <= value + 2e-7
    assert log_loss(y, model.fit(X, y).predict_proba(X)) < np.log(2)
    assert isinstance(objective.loss, LogisticLoss)


def test_wrong_inputs():
    X, y, _ = tiny_tasks(n_tasks=3, per_task=5)
    for wrong in ("shrink", -1.0, np.nan, None):
        with pytest.raises(ValueError, match="The 'intercept' parameter of"):
            BlockSparseRegressor(intercept=wrong, task_column=-1).fit(X, y)
    with pytest.raises(ValueError, match="fit_intercept=True"):
        BlockSparseRegressor(intercept=True, task_column=-1).fit(X, y)
    with pytest.raises(ValueError, match="with the multinomial loss.*intercept='free'"):
        BlockSparseClassifier(loss="multinomial", intercept="shrunk").fit(X, y > 5)
    Y = np.column_stack([y, y > 5])
    with pytest.raises(ValueError, match="different losses by task.*intercept='free'"):
        MultiTaskRegressor(loss={0: "squared", 1: "logistic"}, intercept="shrunk").fit(X, Y)
    with pytest.raises(ValueError, match="free intercepts"):
        BlockSparseRegressor(solver="block", intercept="shrunk", task_column=-1).fit(X, y)
    with pytest.raises(ValueError, match="a penalty on the mean"):
        FusedTaskRegressor(solver="admm", intercept="shrunk", task_column=-1).fit(X, y)


def test_shrinkage_does_not_affect_a_single_task():
    X, y, _ = tiny_tasks(n_tasks=1, per_task=20)
    pulled = BlockSparseRegressor(0.1, intercept="shrunk").fit(X[:, :-1], y)
    free = BlockSparseRegressor(0.1).fit(X[:, :-1], y)
    np.testing.assert_allclose(pulled.coef_, free.coef_, atol=1e-3)


@pytest.mark.parametrize("cls", [BlockSparseRegressor, BlockSparseClassifier])
def test_estimator_checks(cls):
    check_estimator(cls(intercept="shrunk"))
