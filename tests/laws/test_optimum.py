"""Further estimators, losses and penalties against cvxpy, and scaled tasks."""

import numpy as np
import pytest
from problems import SCENARIOS, TIGHT, Problem, assert_is_the_optimum, by_turns, mostly_slow

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


@pytest.mark.turns(3)
@pytest.mark.parametrize(
    ("family", "scenario", "classify"), list(by_turns(FAMILIES, SCENARIOS[:13]))
)
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


@pytest.mark.turns(3)
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: e[0].__name__[:-9])
@pytest.mark.parametrize("loss", ["huber", "poisson", "squared_hinge"])
@pytest.mark.parametrize("scenario", mostly_slow(SCENARIOS[k] for k in (1, 2, 8)), ids=str)
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
def test_scaled_tasks_do_not_depend_on_units(estimator):
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


class AnyPenalty(BlockSparseRegressor):
    """A penalty without an estimator of its own."""

    def __init__(self, alpha=1.0, penalty=None, tol=1e-10, task_column=None, solver="auto"):
        super().__init__(alpha, tol=tol, task_column=task_column, solver=solver)
        self.penalty = penalty

    def _get_penalty(self, data):
        return self.penalty


@pytest.mark.turns(2)
@pytest.mark.parametrize("solver", ["admm", "fista"])
@pytest.mark.parametrize("penalty", [L1(0.2), TaskGroup(0.4), TraceNorm(0.4)], ids=str)
@pytest.mark.parametrize("layout", ["shared", "stacked"])
def test_penalties_without_an_estimator_against_cvxpy(penalty, layout, solver):
    problem = Problem(SCENARIOS[0 if layout == "shared" else 7], classify=False)
    column = problem.params.get("task_column")
    model = AnyPenalty(penalty=penalty, task_column=column, solver=solver)
    assert_is_the_optimum(model, problem)
