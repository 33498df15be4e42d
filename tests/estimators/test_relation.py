"""A learned covariance of tasks: its squared trace norm, orders, solvers."""

import numpy as np
import pytest
from problems import SCENARIOS, TIGHT, Problem, planted

from skmtl import ClusteredTaskRegressor, TaskRelationRegressor


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
