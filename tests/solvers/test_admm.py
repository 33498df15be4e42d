"""The certificate of ADMM: a bound that is true, and tighter than the one at the iterate."""

import numpy as np
import pytest
from sklearn.base import clone

from skmtl import (
    BlockSparseRegressor,
    ClusteredTaskRegressor,
    GroupOverlapRegressor,
    IndependentTaskRegressor,
    LowRankRegressor,
    MultiTaskRegressor,
    PooledTaskRegressor,
    reference,
)
from skmtl.penalties import Ridge
from skmtl.solvers import ADMM, solve

MODELS = {
    "trace norm": LowRankRegressor(alpha=3.0, task_column=-1),
    "clusters": ClusteredTaskRegressor(alpha=0.3, n_clusters=2, task_column=-1),
    "mean free": ClusteredTaskRegressor(alpha=0.3, n_clusters=2, mean=0, task_column=-1),
}


def ill_conditioned():
    """Stacked tasks of very different curvature, by feature and by task."""
    rng = np.random.default_rng(0)
    codes = np.repeat(np.arange(8), 40)
    X = rng.standard_normal((len(codes), 6)) * np.geomspace(1, 0.03, 6)
    X *= np.geomspace(1, 10, 8)[codes, None]
    coef = rng.standard_normal((8, 2)) @ rng.standard_normal((2, 6))
    y = (X * coef[codes]).sum(axis=1) + rng.standard_normal(len(codes))
    return np.column_stack([X, codes]), y


def objective_of(model):
    """The model's objective on these tasks."""
    data = model._read(*ill_conditioned(), None)
    return model._objective(data).with_penalty(model._get_penalty(data))


@pytest.mark.parametrize("name", MODELS)
class TestBounds:
    def test_are_tighter_than_at_the_iterate(self, name):
        objective = objective_of(MODELS[name])
        solver, closer = ADMM(objective, objective.start()), []
        optimum = solve(objective, ADMM, objective.start(), max_iter=5000, tol=1e-12).objective
        for step in range(1, 31):
            point = solver.step(np.inf, 0.0)
            if step % 5 == 0:
                value, bound = solver.bounds(point)
                ours, theirs = optimum - bound, optimum - objective.bounds(point.made)[1]
                assert value == pytest.approx(objective.value(point.made), rel=1e-14)
                assert ours >= -1e-11 * objective.null_value
                closer.append(max(ours, 1e-12) / max(theirs, 1e-12))
        assert np.median(closer) < 0.5

    def test_the_steps_do_not_depend_on_certificates(self, name):
        objective = objective_of(MODELS[name])
        often, never = (ADMM(objective, objective.start()) for _ in range(2))
        for _ in range(8):
            one, other = often.step(np.inf, 0.0), never.step(np.inf, 0.0)
            often.bounds(one)
        np.testing.assert_array_equal(one.W, other.W)

    def test_the_optimum_is_cvxpys(self, name):
        objective = objective_of(MODELS[name])
        found = solve(objective, ADMM, objective.start(), max_iter=5000, tol=1e-9)
        exact = reference.solve(MODELS[name], *ill_conditioned())
        assert found.objective == pytest.approx(exact.objective, rel=1e-7)
        assert found.dual_gap <= 1e-9 * objective.null_value


@pytest.mark.turns(2)
@pytest.mark.parametrize(
    "model",
    [
        IndependentTaskRegressor(0.1),
        PooledTaskRegressor(0.1),
        BlockSparseRegressor(0.1, l1_ratio=0),
        MultiTaskRegressor(penalty=Ridge(1.0)),
        GroupOverlapRegressor(0.1),
    ],
    ids=lambda model: type(model).__name__,
)
def test_without_a_penalty_that_has_a_prox(model):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(24, 4))
    Y = X @ rng.normal(size=(4, 5))
    expected = clone(model).set_params(tol=1e-8).fit(X, Y)
    found = clone(model).set_params(tol=1e-8, solver="admm").fit(X, Y)
    assert found.objective_ == pytest.approx(expected.objective_, rel=1e-6)
    np.testing.assert_allclose(found.coef_, expected.coef_, atol=1e-3)
