"""Graphs of many tasks: the sparse path against the dense one, and against direct solves."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from problems import SCENARIOS, TIGHT, Problem, assert_is_the_optimum, by_turns
from scipy.sparse.linalg import LinearOperator, spsolve
from sklearn.base import clone

import skmtl
from skmtl import GraphRegularizedClassifier, GraphRegularizedRegressor
from skmtl.model_selection import path
from skmtl.penalties import L1, Ridge, TaskQuadratic

MATRIX = np.array([[0, 2.0, 0], [2, 0, 0.5], [0, 0.5, 0]])
CYCLE = MATRIX + np.array([[0, 0, 1.0], [0, 0, 0], [1, 0, 0]])
LAPLACIAN = np.diag(CYCLE.sum(axis=1)) - CYCLE
FAMILIES = {
    "mean": {},
    "mean-ridge": {"ridge": 0.2},
    "mean-block": {"block": 0.5},
    "chain-block": {"graph": "chain", "block": 0.5},
    "matrix-both": {"graph": sp.csr_array(MATRIX), "ridge": 0.1, "sparse": 0.2, "block": 0.4},
    "cycle": {"graph": sp.csr_array(CYCLE)},
    "cycle-ridge": {"graph": sp.coo_array(CYCLE), "ridge": 0.1},
    "laplacian": {"laplacian": sp.csr_array(LAPLACIAN + np.diag([0, 1.0, 0]))},
    "signed": {"laplacian": sp.csr_array(MATRIX + 3 * np.eye(3))},
}
CHOSEN = [SCENARIOS[k] for k in (0, 2, 3, 8, 9)]


@pytest.fixture
def many(monkeypatch):
    """Treat every number of tasks as a large one."""
    monkeypatch.setattr(skmtl.estimators._laplacians, "LARGEST_DENSE", 0)


@pytest.mark.turns(3)
@pytest.mark.parametrize(("family", "scenario", "classify"), list(by_turns(FAMILIES, CHOSEN)))
def test_against_cvxpy(many, family, scenario, classify):
    cls = GraphRegularizedClassifier if classify else GraphRegularizedRegressor
    problem = Problem(scenario, classify=classify)
    model = cls(0.03 if classify else 0.3, **FAMILIES[family], **problem.params, **TIGHT)
    assert_is_the_optimum(model, problem)


def stacked(n_tasks=6, d=4, rows=15, seed=0):
    rng = np.random.default_rng(seed)
    W = rng.normal(size=(d, 1)) + 0.3 * rng.normal(size=(d, n_tasks))
    ids = np.repeat(np.arange(n_tasks), rows)
    X = rng.normal(size=(len(ids), d)) + rng.normal(size=d)
    y = np.einsum("ij,ij->i", X, W[:, ids].T) + ids % 7 + 0.3 * rng.normal(size=len(ids))
    return np.column_stack([X, ids]), y


def ring(n_tasks):
    """A cycle with chords."""
    edges = [(t, (t + 1) % n_tasks) for t in range(n_tasks)]
    return edges + [(t, t + n_tasks // 2, 0.5) for t in range(0, n_tasks // 3, 2)]


def laplacian_of(edges, n_tasks):
    L = np.zeros((n_tasks, n_tasks))
    for s, t, *weight in edges:
        v = np.zeros(n_tasks)
        v[s], v[t] = 1.0, -1.0
        L += np.outer(v, v) * (weight[0] if weight else 1.0)
    return L


GRAPHS = {
    "complete": lambda n: (("complete", np.eye(n) - 1 / n)),
    "chain": lambda n: ("chain", laplacian_of([(t, t + 1) for t in range(n - 1)], n)),
    "cycle": lambda n: (ring(n), laplacian_of(ring(n), n)),
    # Several components, and tasks alone.
    "pieces": lambda n: ([(0, 3), (3, 5), (4, 1)], laplacian_of([(0, 3), (3, 5), (4, 1)], n)),
}


@pytest.mark.turns(2)
@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("params", [{}, {"ridge": 0.1}, {"sparse": 0.1, "block": 0.2}])
@pytest.mark.parametrize("classify", [False, True])
def test_equals_the_dense_path(monkeypatch, name, params, classify):
    if classify and name == "pieces":
        params = {"ridge": 0.01, **params}  # otherwise some tasks alone may be separable
    X, y = stacked(9, rows=30)
    graph = GRAPHS[name](9)[0]
    cls = GraphRegularizedClassifier if classify else GraphRegularizedRegressor
    model = cls(0.05 if classify else 0.3, graph=graph, task_column=-1, **params, **TIGHT)
    if classify:
        y = y + np.random.default_rng(1).normal(size=len(y)) * 3 > np.median(y)
    dense = clone(model).fit(X, y)
    monkeypatch.setattr(skmtl.estimators._laplacians, "LARGEST_DENSE", 0)
    found = model.fit(X, y)
    np.testing.assert_allclose(found.coef_, dense.coef_, atol=1e-5)
    assert found.objective_ == pytest.approx(dense.objective_, rel=1e-8)
    assert found.dual_gap_ <= 1e-6 * dense.objective_


def normal_equations(X, y, M):
    """The coefficients (n_tasks, d + 1) with intercepts from the sparse normal equations."""
    d, ids, n_tasks = X.shape[1] - 1, X[:, -1].astype(int), M.shape[0]
    rows = np.column_stack([X[:, :-1], np.ones(len(X))])
    columns = ids[:, None] * (d + 1) + np.arange(d + 1)
    places = np.repeat(np.arange(len(X)), d + 1), columns.ravel()
    A = sp.csr_array((rows.ravel(), places), shape=(len(X), n_tasks * (d + 1)))
    held = sp.kron(sp.csr_array(M), sp.diags([1.0] * d + [0.0]))
    scale = n_tasks / len(y)
    solution = spsolve(sp.csc_matrix(scale * A.T @ A + held), scale * A.T @ y)
    return solution.reshape(n_tasks, d + 1)


@pytest.mark.parametrize("name", ["complete", "chain", "cycle"])
@pytest.mark.parametrize("alpha, ridge", [(0.5, 0.0), (0.5, 0.05), (1e3, 0.0), (1e-3, 0.0)])
def test_many_tasks_against_the_normal_equations(many, name, alpha, ridge):
    n_tasks = 60 if name == "complete" else 300  # whose normal equations are dense
    # Fewer rows than features: the tasks alone would not determine their coefficients.
    X, y = stacked(n_tasks, d=8, rows=7)
    graph, L = GRAPHS[name](n_tasks)
    model = GraphRegularizedRegressor(alpha, graph=graph, ridge=ridge, task_column=-1).fit(X, y)
    expected = normal_equations(X, y, alpha * (L + ridge * np.eye(n_tasks)))
    np.testing.assert_allclose(model.coef_, expected[:, :-1], atol=1e-7)
    np.testing.assert_allclose(model.intercept_, expected[:, -1], atol=1e-7)
    assert 0 <= model.dual_gap_ <= 1e-9 * model.objective_


@pytest.mark.parametrize("name", ["complete", "chain", "cycle"])
def test_the_shared_layout(many, name):
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(30, 5)), rng.normal(size=(30, 40))
    graph, L = GRAPHS[name](40)
    for ridge in (0.0, 0.2):
        model = GraphRegularizedRegressor(0.7, graph=graph, ridge=ridge).fit(X, Y)
        Xc, Yc = X - X.mean(axis=0), Y - Y.mean(axis=0)
        M = 0.7 * (L + ridge * np.eye(40))
        whole = np.kron(np.eye(40), Xc.T @ Xc / 30) + np.kron(M, np.eye(5))
        expected = np.linalg.solve(whole, (Xc.T @ Yc / 30).T.ravel()).reshape(40, 5)
        np.testing.assert_allclose(model.coef_, expected, atol=1e-9)
        assert model.dual_gap_ <= 1e-9 * model.objective_


@pytest.mark.parametrize("name", GRAPHS)
def test_the_attribute(many, name):
    X, y = stacked(9)
    graph, L = GRAPHS[name](9)
    model = GraphRegularizedRegressor(graph=graph, task_column=-1).fit(X, y)
    kind = LinearOperator if name == "complete" else sp.csr_array
    assert isinstance(model.laplacian_, kind)
    np.testing.assert_allclose(model.laplacian_.toarray(), L, atol=1e-15)
    np.testing.assert_allclose(model.laplacian_ @ model.coef_, L @ model.coef_, atol=1e-14)
    np.testing.assert_allclose(model.laplacian_.T @ model.coef_, L @ model.coef_, atol=1e-14)
    other = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(other.laplacian_.toarray(), model.laplacian_.toarray())
    np.testing.assert_array_equal(other.predict(X), model.predict(X))


def test_dense_matrices_stay_dense(many):
    problem = Problem(SCENARIOS[0], classify=False)
    for params in ({"graph": MATRIX}, {"laplacian": LAPLACIAN}):
        model = GraphRegularizedRegressor(0.3, **params).fit(problem.X, problem.y)
        assert isinstance(model.laplacian_, np.ndarray)


@pytest.mark.parametrize("name", ["complete", "chain", "cycle"])
@pytest.mark.parametrize("params", [{}, {"ridge": 0.1, "block": 0.1}])
def test_new_tasks_are_those_of_the_dense_path(monkeypatch, name, params):
    X, y = stacked(9)
    rows = np.column_stack([X[:3, :-1], [20, 20, 21]])
    model = GraphRegularizedRegressor(
        0.3, graph=GRAPHS[name](9)[0], task_column=-1, unknown_task="prior", **params, **TIGHT
    )
    dense = clone(model).fit(X, y)
    monkeypatch.setattr(skmtl.estimators._laplacians, "LARGEST_DENSE", 0)
    found = model.fit(X, y)
    unseen, known = rows + [0, 0, 0, 0, 20], X[::7]
    for rows_of in (unseen, known):
        pairs = (each.predict(rows_of, return_std=True) for each in (found, dense))
        for one, other in zip(*pairs, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4)
    new = [each.fit_new_task(rows, y[:3]) for each in (found, dense)]
    np.testing.assert_allclose(new[0].coef_, new[1].coef_, atol=1e-5)
    near = [each.fit_new_task(rows, y[:3], neighbors={0: 2.0, 4: 1.0}) for each in (found, dense)]
    np.testing.assert_allclose(near[0].coef_, near[1].coef_, atol=1e-5)


def test_tasks_that_leave_the_objective_leave_the_graph(monkeypatch):
    X, y = stacked()
    labels = y > np.median(y) + X[:, -1] - 2.5
    labels[X[:, -1] == 2] = True
    for graph in ("complete", "chain", [(0, 2, 5.0), (2, 1, 3.0), (0, 5)]):
        model = GraphRegularizedClassifier(0.05, graph=graph, ridge=0.1, task_column=-1, tol=1e-8)
        fits = []
        for largest in (1000, 0):
            monkeypatch.setattr(skmtl.estimators._laplacians, "LARGEST_DENSE", largest)
            with pytest.warns(UserWarning, match=r"same in the tasks \[2\]"):
                fits.append(clone(model).fit(X, labels))
        np.testing.assert_allclose(fits[0].coef_, fits[1].coef_, atol=1e-6)


def test_paths_and_searches(many):
    X, y = stacked(9)
    for name in GRAPHS:
        graph, L = GRAPHS[name](9)
        model = GraphRegularizedRegressor(graph=graph, task_column=-1)
        dense = GraphRegularizedRegressor(laplacian=L, task_column=-1)
        found, expected = (path(each, X, y, alphas=3, criterion="bic") for each in (model, dense))
        for one, other in zip(found[:2], expected[:2], strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_sums_of_sparse_penalties():
    X, y = stacked(9)
    L = laplacian_of(ring(9), 9)
    for rest in (Ridge(0.1), TaskQuadratic(sp.csr_array(L[::-1, ::-1]), 0.2), L1(0.05)):
        fits = [
            skmtl.MultiTaskRegressor(0.5, penalty=TaskQuadratic(M, 0.4) + rest, task_column=-1)
            .set_params(**TIGHT)
            .fit(X, y)
            for M in (L, sp.csr_array(L))
        ]
        np.testing.assert_allclose(fits[1].coef_, fits[0].coef_, atol=1e-6)
        assert fits[1].dual_gap_ <= 1e-6 * fits[0].objective_
