"""Sums of penalties on combinations of the tasks: cheap steps first, exact steps if they pay."""

import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from skmtl import FusedTaskClassifier, FusedTaskRegressor, MultiTaskRegressor, reference
from skmtl.model_selection import AlphaSearchCV, path
from skmtl.penalties import L1, L21, GraphTotalVariation
from skmtl.solvers import ConsensusADMM, Splitting, choose_solver
from skmtl.solvers._sum_switch import SumSwitch

RING = np.array([[0, 1.0, 0, 0.5], [1, 0, 2, 0], [0, 2, 0, 1], [0.5, 0, 1, 0]])


def data(layout, n=15, n_features=20, classify=False):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((4 * n, n_features)) * np.geomspace(1, 10, n_features)
    W = rng.standard_normal((4, n_features)) * (rng.random(n_features) < 0.3)
    codes = np.repeat(np.arange(4), n)
    if layout == "stacked":
        y = np.einsum("ij,ij->i", X, W[codes]) + rng.standard_normal(4 * n)
        return np.column_stack([X, codes]), y > 0 if classify else y, {"task_column": -1}
    Y = X[:n] @ W.T + rng.standard_normal((n, 4))
    Y = (Y > 0).astype(float) if classify else Y
    if layout == "missing":
        Y[::4, 0] = np.nan
    return X[:n], Y, {}


@pytest.mark.parametrize("layout", ["shared", "missing", "stacked"])
@pytest.mark.parametrize("sparse", [0.0, 0.5])
@pytest.mark.parametrize("classify", [False, True], ids=["regression", "classification"])
def test_weak_penalties_with_more_features_than_rows(layout, sparse, classify):
    """Splitting alone takes thousands of steps, or stops above the tolerance."""
    X, y, params = data(layout, classify=classify)
    cls = FusedTaskClassifier if classify else FusedTaskRegressor
    patience = {"max_iter": 10_000 if classify else 2000}
    model = cls(0.02 if classify else 0.02, graph=RING, sparse=sparse, **patience, **params)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        model.fit(X, y)
    exact = reference.solve(model, X, y)
    assert model.objective_ - exact.objective <= model.dual_gap_ + 1e-6 * exact.objective
    tol = 1e-6 if classify else 1e-8
    tight = clone(model).set_params(tol=tol, max_iter=50_000).fit(X, y)
    assert tight.objective_ == pytest.approx(exact.objective, rel=1e-5)


@pytest.mark.parametrize("layout", ["shared", "stacked"])
def test_the_solver_by_name(layout):
    X, y, params = data(layout, n=60, n_features=5)
    penalty = GraphTotalVariation(RING) + L1(0.2) + L21(0.3)
    model = MultiTaskRegressor(0.5, penalty=penalty, tol=1e-9, max_iter=50_000, **params)
    best = reference.solve(model, X, y)
    for solver in ("auto", "admm", "splitting"):
        model.set_params(solver=solver).fit(X, y)
        assert model.objective_ == pytest.approx(best.objective, rel=1e-6)
        np.testing.assert_allclose(model.coef_, best.coef_, atol=2e-3)
    model.set_params(intercept="shrunk", solver="admm")
    with pytest.raises(ValueError, match="solver='admm' needs the prox of the penalty"):
        model.fit(X, y)
    best = reference.solve(model, X, y)
    assert model.set_params(solver="auto").fit(X, y).objective_ == pytest.approx(
        best.objective, rel=1e-6
    )


def test_the_choice():
    def chosen(layout, n_features=20, **params):
        X, y, more = data(layout, n_features=n_features)
        model = FusedTaskRegressor(graph=RING, sparse=0.5, **more, **params)
        return choose_solver("auto", model._prepared_objective(model._read(X, y, None), None))

    assert chosen("shared") is ConsensusADMM
    assert chosen("stacked") is chosen("missing") is SumSwitch
    assert chosen("shared", task_weight=[1, 2, 1, 1]) is SumSwitch
    assert chosen("stacked", n_features=600) is Splitting


def test_exact_steps_only_if_many_cheap_ones_are_left():
    for alpha, switches in ((30.0, False), (0.02, True)):
        X, y, params = data("stacked")
        model = FusedTaskRegressor(alpha, graph=RING, sparse=0.5, **params)
        objective = model._prepared_objective(model._read(X, y, None), None)
        solver = SumSwitch(objective, objective.start())
        for _ in range(20):
            value, bound = solver.bounds(solver.current.point)
            for _ in range(solver.iterations_per_certificate):
                solver.step(value - bound, 1e-4 * objective.null_value)
        assert isinstance(solver.current, ConsensusADMM) == switches


@pytest.mark.parametrize("layout", ["shared", "missing", "stacked"])
@pytest.mark.parametrize("sparse", [0.0, 0.5])
@pytest.mark.parametrize("n_features", [1, 10])
def test_features_in_very_different_units(layout, sparse, n_features):
    X, y, params = data(layout, n=40, n_features=n_features)
    units = np.random.default_rng(1).permutation(np.geomspace(1e-3, 1e3, 10))
    X[:, :n_features] *= units[:n_features]
    model = FusedTaskRegressor(0.01, graph=RING, sparse=sparse, max_iter=200, **params)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        auto = clone(model).fit(X, y)
    # In unequal units, cvxpy's optimum has fewer digits.
    exact = reference.solve(model, X, y)
    assert auto.objective_ - exact.objective <= auto.dual_gap_ + 1e-5 * exact.objective
    assert auto.objective_ >= exact.objective * (1 - 1e-5)


@pytest.mark.parametrize("loss", ["squared", "huber", "quantile"])
def test_a_graph_without_edges_is_no_penalty(loss):
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((30, 4)), rng.standard_normal((30, 3))
    model = MultiTaskRegressor(1.0, penalty=GraphTotalVariation(np.zeros((3, 3))), loss=loss)
    model.fit(X, Y)
    exact = reference.solve(model, X, Y)
    assert model.objective_ - exact.objective <= model.dual_gap_ + 1e-7


def test_grids_of_strengths_on_a_graph():
    X, y, _ = data("shared", n=60, n_features=4, classify=True)
    model = FusedTaskClassifier(graph=RING)
    alphas, coefs, _ = path(model, X, y, alphas=4)[:3]
    assert np.isfinite(alphas).all() and (np.diff(alphas) < 0).all()
    np.testing.assert_allclose(np.ptp(coefs[..., 0], axis=0), 0, atol=1e-3)
    AlphaSearchCV(model, alphas=3, cv=2).fit(X, y)
    pairs = np.kron(np.eye(2), [[0, 1], [1, 0]])
    with pytest.raises(ValueError, match="one component of the graph.*pass alphas"):
        path(clone(model).set_params(graph=pairs), X, y, alphas=4)
