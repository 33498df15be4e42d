"""Clustered and related tasks, further losses, scaled tasks: against cvxpy and by their laws."""

import numpy as np
import pytest
from problems import SCENARIO_NAMES, SCENARIOS, TIGHT, Problem, assert_is_the_optimum, planted
from sklearn.metrics import adjusted_rand_score

from skmtl import (
    BlockSparseClassifier,
    BlockSparseRegressor,
    ClusteredTaskClassifier,
    ClusteredTaskRegressor,
    IndependentTaskClassifier,
    IndependentTaskRegressor,
    PooledTaskClassifier,
    PooledTaskRegressor,
    TaskRelationClassifier,
    TaskRelationRegressor,
    reference,
)
from skmtl.model_selection import alpha_max
from skmtl.penalties import L1, TaskGroup, TraceNorm

FAMILIES = {
    "clustered": (ClusteredTaskRegressor, ClusteredTaskClassifier, {"n_clusters": 2}),
    "clustered-free-mean": (
        ClusteredTaskRegressor,
        ClusteredTaskClassifier,
        {"n_clusters": 2, "mean": 0.0},
    ),
    "relation": (TaskRelationRegressor, TaskRelationClassifier, {}),
    "relation-ridge": (TaskRelationRegressor, TaskRelationClassifier, {"ridge": 0.3}),
    "linf": (BlockSparseRegressor, BlockSparseClassifier, {"norm": "linf", "l1_ratio": 0.8}),
}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("scenario", SCENARIOS[:13], ids=SCENARIO_NAMES[:13])
@pytest.mark.parametrize("classify", [False, True], ids=["regression", "classification"])
def test_family_against_cvxpy(family, scenario, classify):
    cls = FAMILIES[family][classify]
    problem = Problem(scenario, classify=classify)
    alpha = 0.03 if classify else 0.3
    model = cls(alpha, **FAMILIES[family][2], **problem.params, **TIGHT)
    assert_is_the_optimum(model, problem)


ESTIMATORS = [
    (BlockSparseRegressor, BlockSparseClassifier, {}),
    (IndependentTaskRegressor, IndependentTaskClassifier, {}),
    (PooledTaskRegressor, PooledTaskClassifier, {"task_intercepts": False}),
    (ClusteredTaskRegressor, ClusteredTaskClassifier, {"n_clusters": 2}),
    (TaskRelationRegressor, TaskRelationClassifier, {}),
]


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: e[0].__name__[:-9])
@pytest.mark.parametrize("loss", ["huber", "poisson", "squared_hinge"])
@pytest.mark.parametrize("scenario", [SCENARIOS[1], SCENARIOS[2], SCENARIOS[8]], ids=str)
def test_losses_against_cvxpy(estimator, loss, scenario):
    classify = loss == "squared_hinge"
    problem = Problem(scenario, classify=classify)
    options = {"huber_delta": 0.8} if loss == "huber" else {}
    if loss == "poisson":
        problem.y = np.round(np.exp(np.clip(problem.y / 2, -3, 2)))
    model = estimator[classify](
        0.1, loss=loss, **estimator[2], **options, **problem.params, **TIGHT
    )
    # A piecewise linear or flat loss may have several best intercepts, and a norm several W.
    assert_is_the_optimum(model, problem, coef=loss != "huber")


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: e[0].__name__[:-9])
def test_scaled_tasks_do_not_see_units(estimator):
    problem = Problem(SCENARIOS[4], classify=False)
    factors = np.array([1e-3, 1.0, 1e4])
    model = estimator[0](0.1, scale_tasks=True, **estimator[2], **TIGHT)
    plain = model.fit(problem.X, problem.y)
    coef, intercept, prediction = plain.coef_, plain.intercept_, plain.predict(problem.X)
    model.fit(problem.X, problem.y * factors)
    np.testing.assert_allclose(model.coef_, coef * factors[:, None], rtol=1e-4, atol=1e-9)
    np.testing.assert_allclose(model.intercept_, intercept * factors, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(model.predict(problem.X), prediction * factors, rtol=1e-3, atol=1e-4)
    # By hand: standardised labels, coefficients back in y's units.
    deviation = problem.y.std(axis=0)
    by_hand = estimator[0](0.1, **estimator[2], **TIGHT).fit(problem.X, problem.y / deviation)
    np.testing.assert_allclose(coef, by_hand.coef_ * deviation[:, None], rtol=1e-5, atol=1e-8)
    assert reference.solve(
        estimator[0](0.1, scale_tasks=True, **estimator[2]), problem.X, problem.y
    ).coef_ == pytest.approx(coef, abs=1e-4 * np.abs(coef).max())


def test_poisson_predicts_the_mean_response():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 3))
    means = np.exp(X @ np.array([[0.5, 0.3], [0.0, -0.4], [0.2, 0.2]]) + [1.0, 2.0])
    counts = rng.poisson(means)
    # With a free intercept the fitted means add up to the counts.
    model = BlockSparseRegressor(1e-3, loss="poisson", tol=1e-8).fit(X, counts)
    np.testing.assert_allclose(model.predict(X).mean(axis=0), counts.mean(axis=0), rtol=1e-3)
    scaled = BlockSparseRegressor(1e-3, loss="poisson", scale_tasks=True, tol=1e-8)
    predicted = scaled.fit(X, 100.0 * counts).predict(X)
    np.testing.assert_allclose(predicted.mean(axis=0), 100 * counts.mean(axis=0), rtol=1e-3)
    with pytest.raises(ValueError, match="loss='poisson' needs labels >= 0; y holds -1"):
        model.fit(X, rng.poisson(means) - 1)
    counts[:, 1] = 0
    with pytest.warns(UserWarning, match=r"same in the tasks \[1\]"):
        model.fit(X, counts)
    assert model.intercept_[1] == pytest.approx(-np.log(801)) and not model.coef_[1].any()


def test_squared_hinge_has_no_probabilities():
    X = np.random.default_rng(0).normal(size=(40, 3))
    model = BlockSparseClassifier(loss="squared_hinge").fit(X, X[:, 0] > 0)
    assert not hasattr(model, "predict_proba")
    assert model.score(X, X[:, 0] > 0) > 0.9


@pytest.mark.parametrize("seed", range(3))
def test_planted_clusters_are_found(seed):
    X, y, labels = planted(seed=seed)
    model = ClusteredTaskRegressor(0.1, n_clusters=3, task_column=-1).fit(X, y)
    assert adjusted_rand_score(labels, model.labels_) == 1
    centres = np.stack([model.coef_[model.labels_ == k].mean(axis=0) for k in range(3)])
    np.testing.assert_allclose(model.cluster_centers_, centres)
    X, y, labels = planted(seed=seed, rows=100)
    classes = ClusteredTaskClassifier(0.003, n_clusters=3, task_column=-1).fit(X, y > 0)
    assert adjusted_rand_score(labels, classes.labels_) == 1
    assert (classes.labels_ == classes.labels_).all()


def test_clusters_that_do_not_separate_warn_when_asked_for():
    X, y, _ = planted(n_clusters=9, noise=3.0)
    model = ClusteredTaskRegressor(0.1, n_clusters=2, between=0.9, task_column=-1).fit(X, y)
    model.coef_ = np.eye(9, 6)
    with pytest.warns(UserWarning, match="do not separate into 2 clusters.*another n_clusters"):
        labels = model.labels_
    assert set(labels) <= {0, 1}


def test_number_of_clusters():
    X, y, _ = planted()
    with pytest.raises(ValueError, match="n_clusters=10 is more than the 9 tasks"):
        ClusteredTaskRegressor(n_clusters=10, task_column=-1).fit(X, y)
    assert ClusteredTaskRegressor(0.1, task_column=-1).fit(X, y).cluster_centers_.shape[0] == 2
    assert (
        ClusteredTaskRegressor(n_clusters=9, task_column=-1).fit(X, y).labels_ == range(9)
    ).all()
    one = ClusteredTaskRegressor(n_clusters=1, task_column=-1).fit(X, y)
    assert not one.labels_.any()


def test_one_cluster_is_mean_plus_ridge_and_one_task_a_ridge():
    X, y, _ = planted()
    model = ClusteredTaskRegressor(0.4, n_clusters=1, mean=1.0, task_column=-1, tol=1e-12)
    alone = IndependentTaskRegressor(0.4, task_column=-1).fit(X, y)
    # A gap of 1e-12 leaves the coefficients its root.
    np.testing.assert_allclose(model.fit(X, y).coef_, alone.coef_, atol=1e-5)
    model.set_params(between=1.0, n_clusters=4)
    np.testing.assert_allclose(model.fit(X, y).coef_, alone.coef_, atol=1e-5)
    X, y = X[:20, :-1], y[:20]
    single = ClusteredTaskRegressor(0.5, mean=0.2, tol=1e-11).fit(X, y)
    ridge = IndependentTaskRegressor(0.1).fit(X, y)
    np.testing.assert_allclose(single.coef_, ridge.coef_, atol=1e-7)


def test_relation_is_half_the_squared_trace_norm():
    X, y, _ = planted()
    model = TaskRelationRegressor(0.2, task_column=-1, tol=1e-11).fit(X, y)
    sigma = np.linalg.svd(model.coef_, compute_uv=False)
    residual = y - model.predict(X)
    by_hand = 9 / (2 * len(y)) * (residual**2).sum() + 0.1 * sigma.sum() ** 2
    assert model.objective_ == pytest.approx(by_hand, rel=1e-9)
    # Stationary: the loss gradient lies in alpha * (trace norm) * its subdifferential.
    centred = np.column_stack([X[:, :-1], residual])
    for t in range(9):
        centred[X[:, -1] == t] -= centred[X[:, -1] == t].mean(axis=0)
    G = np.stack([centred[X[:, -1] == t, :-1].T @ centred[X[:, -1] == t, -1] for t in range(9)])
    G *= 9 / len(y)
    assert np.linalg.norm(G, 2) == pytest.approx(0.2 * sigma.sum(), rel=1e-4)
    assert (G * model.coef_).sum() == pytest.approx(0.2 * sigma.sum() ** 2, rel=1e-4)


def test_covariances():
    X, y, _ = planted()
    model = TaskRelationRegressor(0.2, task_column=-1).fit(X, y)
    omega = model.task_covariance_
    root = np.linalg.svd(model.coef_ @ model.coef_.T)
    expected = (root[0] * np.sqrt(root[1])) @ root[2]
    np.testing.assert_allclose(omega, expected / np.trace(expected), atol=1e-7)
    correlation = model.task_correlation_
    np.testing.assert_allclose(np.diag(correlation), 1)
    assert (np.abs(correlation) <= 1 + 1e-12).all()
    # Tasks of one cluster are related, and their order does not matter.
    assert correlation[0, 3] > 0.9
    zero = TaskRelationRegressor(1e9, task_column=-1).fit(X, y)
    zero.coef_[:] = 0
    np.testing.assert_allclose(zero.task_covariance_, np.eye(9) / 9)
    np.testing.assert_allclose(zero.task_correlation_, np.eye(9))
    clustered = ClusteredTaskRegressor(0.1, n_clusters=3, task_column=-1).fit(X, y)
    values = np.linalg.eigvalsh(clustered.task_covariance_)
    assert values[0] >= 1 - 1e-9 and values[-1] <= 1 / clustered.mean + 1e-9


def test_left_out_tasks_have_no_covariance_and_no_cluster():
    X, y, _ = planted()
    labels = y > 0
    labels[X[:, -1] == 4] = True
    for cls in (ClusteredTaskClassifier, TaskRelationClassifier):
        with pytest.warns(UserWarning, match=r"\[4\]"):
            model = cls(task_column=-1).fit(X, labels)
        covariance = model.task_covariance_
        assert np.isnan(covariance[4]).all() and np.isnan(covariance[:, 4]).all()
        assert np.isfinite(np.delete(np.delete(covariance, 4, 0), 4, 1)).all()
        if cls is ClusteredTaskClassifier:
            assert model.labels_[4] == -1 and (np.delete(model.labels_, 4) >= 0).all()


@pytest.mark.parametrize("cls", [ClusteredTaskRegressor, TaskRelationRegressor])
def test_permuting_tasks_permutes_the_result(cls):
    problem = Problem(SCENARIOS[4], classify=False)
    order = [2, 0, 1]
    a = cls(0.3, **TIGHT).fit(problem.X, problem.y)
    b = cls(0.3, **TIGHT).fit(problem.X, problem.y[:, order])
    np.testing.assert_allclose(b.coef_, a.coef_[order], atol=1e-6)
    np.testing.assert_allclose(
        b.task_covariance_, a.task_covariance_[np.ix_(order, order)], atol=1e-5
    )


@pytest.mark.parametrize("cls", [ClusteredTaskRegressor, TaskRelationRegressor])
def test_solvers_agree_and_layouts_too(cls):
    X, y, _ = planted()
    admm = cls(0.3, solver="admm", task_column=-1, **TIGHT).fit(X, y)
    fista = cls(0.3, solver="fista", task_column=-1, **TIGHT).fit(X, y)
    assert admm.objective_ == pytest.approx(fista.objective_, rel=1e-9)
    np.testing.assert_allclose(admm.coef_, fista.coef_, atol=1e-4)
    Y = np.full((len(y), 9), np.nan)
    Y[np.arange(len(y)), X[:, -1].astype(int)] = y
    masked = cls(0.3, **TIGHT).fit(X[:, :-1], Y)
    np.testing.assert_allclose(masked.coef_, admm.coef_, atol=1e-4)
    single = cls(0.3, task_column=-1).fit(X.astype(np.float32), y)
    assert single.coef_.dtype == np.float32
    np.testing.assert_allclose(single.coef_, admm.coef_, atol=0.02)


class AnyPenalty(BlockSparseRegressor):
    """A penalty that no estimator of its own uses yet."""

    def __init__(self, alpha=1.0, penalty=None, tol=1e-10, task_column=None, solver="auto"):
        super().__init__(alpha, tol=tol, task_column=task_column, solver=solver)
        self.penalty = penalty

    def _get_penalty(self, data):
        return self.penalty


@pytest.mark.parametrize("solver", ["admm", "fista"])
@pytest.mark.parametrize("penalty", [L1(0.2), TaskGroup(0.4), TraceNorm(0.4)], ids=str)
@pytest.mark.parametrize("layout", ["shared", "stacked"])
def test_penalties_without_an_estimator_against_cvxpy(penalty, layout, solver):
    problem = Problem(SCENARIOS[0 if layout == "shared" else 7], classify=False)
    column = problem.params.get("task_column")
    model = AnyPenalty(penalty=penalty, task_column=column, solver=solver)
    assert_is_the_optimum(model, problem)


def test_l1inf_vanishes_at_alpha_max():
    problem = Problem(SCENARIOS[0], classify=False)
    top = alpha_max(BlockSparseRegressor(norm="linf"), problem.X, problem.y)
    at = BlockSparseRegressor(top * (1 + 1e-9), norm="linf").fit(problem.X, problem.y)
    below = BlockSparseRegressor(top * 0.99, norm="linf", tol=1e-8).fit(problem.X, problem.y)
    assert not at.coef_.any() and below.coef_.any()
    with pytest.raises(ValueError, match="No finite alpha"):
        alpha_max(TaskRelationRegressor(), problem.X, problem.y)


def test_a_free_mean_is_never_certified_falsely():
    # Few residuals within delta: fewer than features, so that the mean task has no curvature.
    rng = np.random.default_rng(27)
    X = rng.normal(size=(30, 20))
    Y = X @ rng.normal(size=(20, 4)) + 3 * rng.standard_t(1.5, size=(30, 4))
    model = ClusteredTaskRegressor(mean=0.0, loss="huber", huber_delta=0.5).fit(X, Y)
    tight = ClusteredTaskRegressor(
        mean=0.0, loss="huber", huber_delta=0.5, tol=1e-9, max_iter=50_000
    ).fit(X, Y)
    assert model.dual_gap_ >= model.objective_ - tight.objective_ - 1e-9


def test_huber_where_most_labels_lie_beyond_delta():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(100, 5)), 0.01 * rng.normal(size=100)
    y[:10] = 1000.0
    top = alpha_max(BlockSparseRegressor(loss="huber"), X, y)
    at = BlockSparseRegressor(top * (1 + 1e-6), loss="huber", tol=1e-8).fit(X, y)
    below = BlockSparseRegressor(top * 0.9, loss="huber", tol=1e-8).fit(X, y)
    assert not at.coef_.any() and below.coef_.any()
    prices = 2000 * X @ rng.normal(size=(5, 2)) + 3000 * rng.standard_t(2, size=(100, 2))
    for cls in (IndependentTaskRegressor, PooledTaskRegressor):
        model = cls(1.0, loss="huber", tol=1e-6).fit(X, prices)  # a warning would be an error
        assert model.dual_gap_ <= 1e-6 * at.objective_ + 1e-6 * model.objective_ * 10


def test_constant_and_tiny_tasks_do_not_disturb_others():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    y = X @ [1.3, -0.4, 0.9, -0.5] + 0.1 * rng.normal(size=60)
    alone = BlockSparseRegressor(1e-3, scale_tasks=True).fit(X, y[:, None])
    beside = BlockSparseRegressor(1e-3, scale_tasks=True).fit(X, np.c_[y, np.full(60, 0.1)])
    np.testing.assert_allclose(beside.coef_[0], alone.coef_[0], atol=0.01)
    assert not beside.coef_[1].any()
    units = IndependentTaskRegressor(1e-6).fit(X, np.c_[1e9 * y, 1e-7 * y])
    np.testing.assert_allclose(units.coef_[1] * 1e16, units.coef_[0], rtol=1e-6)
    counts = np.c_[rng.poisson(np.exp(0.3 * y)), np.full(60, 3.0)]
    model = BlockSparseRegressor(0.1, loss="poisson").fit(X, counts)
    assert model.n_iter_ < 1000 and np.abs(model.coef_[1]).max() < 1e-12


def test_centres_of_scaled_and_of_left_out_tasks():
    X, y, _ = planted()
    scaled = ClusteredTaskRegressor(0.01, n_clusters=3, scale_tasks=True, task_column=-1)
    factors = np.where(X[:, -1] % 2 == 0, 1.0, 1e3)
    plain = scaled.fit(X, y).cluster_centers_
    np.testing.assert_allclose(scaled.fit(X, y * factors).cluster_centers_, plain, atol=1e-3)
    with pytest.warns(UserWarning, match="same in the tasks"):
        none = ClusteredTaskClassifier(n_clusters=2).fit(X[:, :-1], np.ones((len(y), 3)))
    assert (none.labels_ == -1).all() and np.isnan(none.cluster_centers_).all()
