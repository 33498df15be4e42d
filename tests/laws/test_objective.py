"""``objective_`` is the documented formula at the returned coefficients, in every estimator."""

import numpy as np
import pytest
from nonconvex_families import FAMILIES, made
from problems import SCENARIOS, Problem

import skmtl
from skmtl import reference
from skmtl.estimators._nonconvex import NonConvexEstimator

cp = pytest.importorskip("cvxpy")

NAMES = [
    name
    for name in skmtl.__all__
    if name.endswith(("Regressor", "Classifier"))
    and not name.startswith("SafeTransfer")  # a mix of fits, which minimises no objective
    and not issubclass(getattr(skmtl, name), NonConvexEstimator)
]
SHARED, STACKED = SCENARIOS[0], SCENARIOS[7]
IGNORED = pytest.mark.filterwarnings("ignore::UserWarning")


def stated(model, X, y, coef, intercept):
    """cvxpy's value of the objective, minimised over all variables but the coefficients."""
    problem, variables = reference.to_cvxpy(model, X, y)
    W, b = variables["coef"], variables["intercept"]
    # Pooled tasks have one column, and may have one intercept.
    W.value = np.asarray(coef, dtype=float).T[:, : W.shape[1]]
    fixed, known = [W == W.value], {W.id}
    if b is not None:
        b.value = np.asarray(intercept, dtype=float)[: b.size]
        fixed, known = [*fixed, b == b.value], known | {b.id}
    if {v.id for v in problem.variables()} <= known:
        return float(problem.objective.value), 0.0
    problem = cp.Problem(problem.objective, problem.constraints + fixed)
    problem.solve(solver="CLARABEL")
    # cvxpy splits W optimally; the fit may exceed it by its gap.
    return float(problem.value), model.dual_gap_ + 1e-6 * abs(problem.value)


@pytest.mark.turns(2)
@IGNORED
@pytest.mark.parametrize("scenario", [SHARED, STACKED], ids=["shared", "stacked"])
@pytest.mark.parametrize("name", NAMES)
def test_convex(name, scenario):
    classify = name.endswith("Classifier")
    data = Problem(scenario, classify=classify)
    y = data.y if classify else 1e4 * data.y
    model = getattr(skmtl, name)(alpha=0.02 if classify else 3e3, **data.params)
    model.fit(data.X, y)
    value, slack = stated(model, data.X, y, model.coef_, model.intercept_)
    assert abs(model.objective_ - value) <= 1e-9 * value + slack


@IGNORED
@pytest.mark.parametrize("name", [n for n in NAMES if n.endswith("Regressor")])
def test_convex_in_single_precision(name):
    data = Problem(SHARED, classify=False)
    X = data.X.astype(np.float32)
    model = getattr(skmtl, name)(alpha=0.3, tol=1e-3, **data.params).fit(X, data.y)
    assert model.coef_.dtype == np.float32
    value, slack = stated(model, X.astype(float), data.y, model.coef_, model.intercept_)
    assert abs(model.objective_ - value) <= 1e-5 * value + slack


@pytest.mark.turns(3)
@IGNORED
@pytest.mark.parametrize("size", [1.0, 1e4])
@pytest.mark.parametrize("alpha", [0.0, 1e-9, 1e-2])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("scenario", [SHARED, STACKED], ids=["shared", "stacked"])
@pytest.mark.parametrize("family", FAMILIES)
def test_nonconvex(family, scenario, dtype, alpha, size):
    data = Problem(scenario, classify=False)
    X, y = np.asarray(data.X, dtype=dtype), size * data.y
    model = made(family, False, max_stages=20, **data.params)
    model.set_params(alpha=alpha * size).fit(X, y)
    data.by_task = [(rows, size * labels, weights) for rows, labels, weights in data.by_task]
    value = data.data_term(model.coef_, model.intercept_)
    if alpha > 0:
        W = np.asarray(model.coef_, dtype=float).T
        value += FAMILIES[family][3](model, W, None)
    assert model.objective_ == pytest.approx(value, rel=1e-9 if dtype == np.float64 else 1e-5)
