"""Fused tasks: against cvxpy, closed forms, and planted change points."""

import numpy as np
import pytest
import scipy.sparse as sp
from problems import SCENARIOS, TIGHT, Problem, assert_is_the_optimum, by_turns
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmtl import (
    BlockSparseRegressor,
    FusedTaskClassifier,
    FusedTaskRegressor,
    MultiTaskClassifier,
    MultiTaskRegressor,
    reference,
)
from skmtl.penalties import L1, L21, GraphTotalVariation, PairwiseFusion

MATRIX = np.array([[0, 2.0, 0.4], [2, 0, 0.5], [0.4, 0.5, 0]])
FAMILIES = {
    "chain": {},
    "chain-all": {"fused": 0.5, "sparse": 0.2, "block": 0.4},
    "graph": {"graph": MATRIX},
    "graph-all": {"graph": MATRIX, "fused": 0.5, "sparse": 0.2, "block": 0.4},
    "complete": {"graph": "complete"},
    "complete-all": {"graph": 0.7 * MATRIX.astype(bool), "sparse": 0.2, "block": 0.4},
}
CHOSEN = [SCENARIOS[k] for k in (0, 2, 3, 8, 9)]


@pytest.mark.turns(3)
@pytest.mark.parametrize(("family", "scenario", "classify"), list(by_turns(FAMILIES, CHOSEN)))
def test_against_cvxpy(family, scenario, classify):
    cls = FusedTaskClassifier if classify else FusedTaskRegressor
    problem = Problem(scenario, classify=classify)
    tight = {"tol": 1e-8, "max_iter": 50_000}
    params = {**FAMILIES[family], **problem.params, **tight}
    assert_is_the_optimum(cls(0.02 if classify else 0.2, **params), problem)


def steps(seed=0, n_tasks=8, rows=30, noise=0.1):
    """Stacked data of tasks in a row: two features change once, one never, one is irrelevant."""
    rng = np.random.default_rng(seed)
    W = np.tile([[1.0], [-2.0], [1.5], [0.0]], (1, n_tasks))
    W[0, 3:] = 2.0
    W[1, 6:] = 0.5
    ids = np.repeat(np.arange(n_tasks), rows)
    X = rng.normal(size=(len(ids), 4))
    y = np.einsum("ij,ij->i", X, W[:, ids].T) + noise * rng.normal(size=len(ids))
    return np.column_stack([X, ids]), y, W


def test_two_tasks_in_closed_form():
    # Orthonormal features: the mean stays, the difference is thresholded.
    rng = np.random.default_rng(0)
    X = np.linalg.qr(rng.normal(size=(50, 5)) - 0)[0] * np.sqrt(50)
    Y = X @ rng.normal(size=(5, 2)) + rng.normal(size=(50, 2))
    free = X.T @ Y / 50
    alpha = 0.4
    model = FusedTaskRegressor(alpha, fit_intercept=False, **TIGHT).fit(X, Y)
    mean, half = free.mean(axis=1), (free[:, 1] - free[:, 0]) / 2
    half = np.sign(half) * np.maximum(np.abs(half) - alpha, 0.0)
    np.testing.assert_allclose(model.coef_, [mean - half, mean + half], atol=1e-6)
    np.testing.assert_array_equal(model.change_points_[0], half != 0)
    np.testing.assert_allclose(model.jumps_[0], 2 * half, atol=1e-6)


@pytest.mark.parametrize("params", [{}, {"sparse": 0.1, "block": 0.2}])
def test_a_chain_as_a_graph(params):
    X, y, _ = steps(noise=1.0)
    chain = FusedTaskRegressor(0.1, task_column=-1, tol=1e-7, **params).fit(X, y)
    graph = FusedTaskRegressor(0.1, graph="chain", task_column=-1, tol=1e-7, **params).fit(X, y)
    assert graph.objective_ == pytest.approx(chain.objective_, rel=1e-6)
    np.testing.assert_allclose(graph.coef_, chain.coef_, atol=2e-3)
    np.testing.assert_array_equal(graph.edges_, chain.edges_)


def complete(n_tasks):
    return (1 - np.eye(n_tasks)) / n_tasks


@pytest.mark.turns(2)
@pytest.mark.parametrize("parts", [(1.0, 0.0, 0.0), (0.5, 0.2, 0.4)], ids=["alone", "all"])
@pytest.mark.parametrize("classify", [False, True], ids=["regression", "classification"])
def test_the_complete_graph_agrees_with_splitting(parts, classify):
    X, y, _ = steps(noise=1.0)
    y, alpha = (y > 0, 0.02) if classify else (y, 0.3)
    fused, sparse, block = parts
    cls = FusedTaskClassifier if classify else FusedTaskRegressor
    other = MultiTaskClassifier if classify else MultiTaskRegressor
    params = {"task_column": -1, "tol": 1e-8, "max_iter": 50_000}
    model = cls(alpha, fused=fused, sparse=sparse, block=block, graph="complete", **params)
    model.fit(X, y)
    penalty = GraphTotalVariation(complete(8), fused)
    if sparse:
        penalty = penalty + L1(sparse) + L21(block)
    stated = other(alpha, penalty=penalty, **params)
    assert model.objective_ == pytest.approx(reference.solve(stated, X, y).objective, rel=1e-6)
    stated.set_params(tol=1e-7).fit(X, y)
    assert model.objective_ == pytest.approx(stated.objective_, rel=1e-6)
    np.testing.assert_allclose(model.coef_, stated.coef_, atol=2e-3)
    # The same weights as a matrix, and the penalty itself, are the same fit.
    matrix = cls(**{**model.get_params(), "graph": sp.csr_matrix(complete(8))}).fit(X, y)
    np.testing.assert_array_equal(matrix.coef_, model.coef_)
    penalty = PairwiseFusion(1.0, fused / 8, sparse, block)
    np.testing.assert_allclose(
        other(alpha, penalty=penalty, **params).fit(X, y).coef_, model.coef_, atol=1e-5
    )
    # With an exact prox shared coefficients are exactly equal.
    np.testing.assert_array_equal(model.change_points_, model.jumps_ != 0)
    assert model.change_points_.any() and not model.change_points_.all()
    assert model.edges_.shape == (28, 2)


def test_two_groups_of_tasks_are_found():
    X, y, W = steps()
    model = FusedTaskRegressor(0.3, graph="complete", block=0.2, task_column=-1, tol=1e-7)
    model.fit(X, y)
    for found, planted in zip(model.coef_.T, W, strict=True):
        assert len(np.unique(found)) == len(np.unique(planted))
        for value in np.unique(planted):
            assert len(np.unique(found[planted == value])) == 1
    # With an unequal weight there is no exact prox: equal up to the tolerance.
    adjacency = complete(8)
    adjacency[0, 1] = adjacency[1, 0] = 0.2
    graph = FusedTaskRegressor(0.3, graph=adjacency, block=0.2, task_column=-1, tol=1e-6)
    np.testing.assert_array_equal(graph.fit(X, y).change_points_, model.change_points_)


def test_a_complete_graph_without_the_tasks_that_leave():
    X, y, _ = steps(noise=1.0)
    labels = y > 0
    labels[X[:, -1] == 2] = True
    kept = X[:, -1] != 2
    params = {"sparse": 0.1, "task_column": -1, "tol": 1e-8, "max_iter": 50_000}
    for graph, weight in (("complete", 1 / 7), (complete(8), 1 / 8)):
        model = FusedTaskClassifier(0.02, graph=graph, **params)
        with pytest.warns(UserWarning, match=r"same in the tasks \[2\]"):
            model.fit(X, labels)
        # The named graph is built for the remaining tasks; a matrix keeps its weights.
        penalty = GraphTotalVariation(7 * weight * complete(7)) + L1(0.1)
        stated = MultiTaskClassifier(0.02, penalty=penalty, task_column=-1)
        exact = reference.solve(stated, X[kept], labels[kept])
        assert model.objective_ == pytest.approx(exact.objective, rel=1e-6)
        np.testing.assert_allclose(np.delete(model.coef_, 2, 0), exact.coef_, atol=1e-3)
        assert not (model.edges_ == 2).any() and len(model.edges_) == 21


@pytest.mark.parametrize("graph", [None, "chain"])
@pytest.mark.parametrize("seed", range(2))
def test_change_points_are_found(graph, seed):
    X, y, W = steps(seed)
    params = {"graph": graph, "task_column": -1, "tol": 1e-6}
    model = FusedTaskRegressor(0.15, block=0.2, **params).fit(X, y)
    np.testing.assert_array_equal(model.change_points_, np.diff(W).T != 0)
    np.testing.assert_array_equal(model.edges_, [[k, k + 1] for k in range(7)])
    assert np.abs(model.coef_[:, 3]).max() < 1e-5
    if graph is None:
        assert not model.coef_[:, 3].any()
        # Shared coefficients are exactly equal.
        assert len(np.unique(model.coef_[:, 0])) == 2 and len(np.unique(model.coef_[:, 2])) == 1
    labels = FusedTaskClassifier(0.05, block=0.2, **params).fit(X, y > 0)
    assert not labels.change_points_[:, 2:].any()


def test_the_order_is_that_of_names():
    X, y, _ = steps(noise=1.0)
    names = np.array(["h", "b", "g", "a", "f", "c", "e", "d"], dtype=object)
    frame = np.column_stack([X[:, :-1].astype(object), names[X[:, -1].astype(int)]])
    plain = FusedTaskRegressor(0.1, task_column=-1, **TIGHT).fit(X, y)
    named = FusedTaskRegressor(0.1, order=list(names), task_column=-1, **TIGHT).fit(frame, y)
    places = [named.tasks_.tolist().index(name) for name in names]
    np.testing.assert_allclose(named.coef_[places], plain.coef_, atol=1e-5)
    np.testing.assert_array_equal(named.edges_[:, 0], names[:-1])
    np.testing.assert_allclose(named.jumps_, plain.jumps_, atol=1e-5)
    array = FusedTaskRegressor(0.1, order=np.arange(8)[::-1], task_column=-1, **TIGHT).fit(X, y)
    np.testing.assert_allclose(array.coef_, plain.coef_, atol=1e-5)
    np.testing.assert_allclose(array.jumps_[::-1], -plain.jumps_, atol=1e-5)


@pytest.mark.parametrize(
    "params, message",
    [
        ({"order": [0, 1]}, r"misses \[2\], with 2 names for 3 tasks"),
        ({"order": [0, 1, 2, 2]}, "4 names for 3 tasks"),
        ({"order": ["a", 1, 2]}, r"misses \[0\] and has unknown \['a'\]"),
        ({"order": [0, 1, 2], "graph": MATRIX}, "Both 'order' and 'graph'"),
        ({"graph": np.eye(2)}, r"shape \(2, 2\)"),
        ({"graph": -MATRIX}, "must be >= 0, got -2"),
        ({"graph": "ring"}, "'graph' parameter"),
        ({"fused": -1}, "'fused' parameter"),
        ({"solver": "newton"}, "solver='newton' needs"),
    ],
)
def test_wrong_inputs(params, message):
    problem = Problem(SCENARIOS[0], classify=False)
    with pytest.raises(ValueError, match=message):
        FusedTaskRegressor(0.1, **params).fit(problem.X, problem.y)


def test_special_cases():
    problem = Problem(SCENARIOS[0], classify=False)
    X, y = problem.X, problem.y
    block = BlockSparseRegressor(0.3, **TIGHT).fit(X, y).coef_
    for graph in (None, "chain"):
        model = FusedTaskRegressor(0.3, fused=0.0, block=1.0, graph=graph, **TIGHT).fit(X, y)
        np.testing.assert_allclose(model.coef_, block, atol=1e-5)
    centred = X - X.mean(axis=0)
    free = np.linalg.lstsq(centred, y, rcond=None)[0].T
    for params in ({"alpha": 0.0}, {"fused": 0.0}, {"alpha": 0.0, "graph": MATRIX}):
        np.testing.assert_allclose(FusedTaskRegressor(**params).fit(X, y).coef_, free, atol=1e-8)
    # Strong fusion: one vector for all tasks, without shrinkage.
    tied = FusedTaskRegressor(100.0, **TIGHT).fit(X, y)
    np.testing.assert_allclose(tied.coef_, np.tile(free.mean(axis=0), (3, 1)), atol=1e-5)
    assert not tied.change_points_.any() and not tied.jumps_.any()
    alone = FusedTaskRegressor(0.3).fit(X, y[:, 0])
    np.testing.assert_allclose(alone.coef_, free[0], atol=1e-8)
    assert alone.edges_.shape == (0, 2) and alone.change_points_.shape == (0, 6)


def test_tasks_that_leave_the_objective():
    X, y, _ = steps(noise=1.0)
    labels = y > 0
    labels[X[:, -1] == 2] = True
    kept = X[:, -1] != 2
    model = FusedTaskClassifier(0.02, sparse=0.2, task_column=-1, tol=1e-7)
    with pytest.warns(UserWarning, match=r"same in the tasks \[2\]"):
        model.fit(X, labels)
    coef, edges = model.coef_, model.edges_
    assert [1, 3] in edges.tolist() and 2 not in edges
    np.testing.assert_allclose(model.fit(X[kept], labels[kept]).coef_, np.delete(coef, 2, 0))
    graph = FusedTaskClassifier(0.02, sparse=0.2, graph="chain", task_column=-1)
    with pytest.warns(UserWarning, match=r"same in the tasks \[2\]"):
        graph.fit(X, labels)
    assert [1, 3] not in graph.edges_.tolist() and len(graph.edges_) == 5
    with pytest.warns(UserWarning, match="same in the tasks"):
        none = FusedTaskClassifier(task_column=-1).fit(X, X[:, -1] > 3)
    assert none.edges_.shape == none.jumps_.shape[:1] + (2,) == (0, 2)


@pytest.mark.parametrize(
    "graph", [None, sp.csr_matrix(np.eye(8, k=1) + np.eye(8, k=-1)), "complete"]
)
def test_layouts_and_precisions_agree(graph):
    X, y, _ = steps(noise=1.0)
    Y = np.full((len(y), 8), np.nan)
    Y[np.arange(len(y)), X[:, -1].astype(int)] = y
    params = {"sparse": 0.2, "graph": graph, "tol": 1e-8}
    model = FusedTaskRegressor(0.1, task_column=-1, **params).fit(X, y)
    masked = FusedTaskRegressor(0.1, **params).fit(X[:, :-1], Y)
    np.testing.assert_allclose(masked.coef_, model.coef_, atol=1e-3)
    params["tol"] = 1e-4
    single = FusedTaskRegressor(0.1, task_column=-1, **params).fit(X.astype(np.float32), y)
    assert single.coef_.dtype == np.float32
    np.testing.assert_allclose(single.coef_, model.coef_, atol=0.03)


def test_scaled_tasks_share_in_the_units_of_the_fit():
    X, y, _ = steps()
    factors = np.where(X[:, -1] % 2 == 0, 1.0, 100.0)
    model = FusedTaskRegressor(0.5, scale_tasks=True, task_column=-1, tol=1e-6)
    jumps = model.fit(X, y).jumps_
    np.testing.assert_allclose(model.fit(X, factors * y).jumps_, jumps, atol=1e-3)
    assert not model.change_points_.all()


def test_warm_start_and_grid_search():
    X, y, _ = steps(noise=1.0)
    model = FusedTaskRegressor(0.1, block=0.1, task_column=-1, tol=1e-8).fit(X, y)
    before = model.n_iter_
    assert model.set_params(warm_start=True).fit(X, y).n_iter_ < max(before, 2)
    Y = y.reshape(8, 30).T
    grid = {"fusedtaskregressor__sparse": [0.0, 1.0]}
    pipeline = make_pipeline(StandardScaler(), FusedTaskRegressor(0.1))
    search = GridSearchCV(pipeline, grid, cv=2).fit(X[:30, :-1], Y)
    assert search.predict(X[:5, :-1]).shape == (5, 8)
