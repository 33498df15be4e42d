"""Graph-regularised tasks: against cvxpy and direct solves, and by their properties."""

import numpy as np
import pytest
import scipy.sparse as sp
from problems import SCENARIOS, TIGHT, Problem, assert_is_the_optimum, by_turns
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmtl import (
    BlockSparseRegressor,
    FusedTaskRegressor,
    GraphRegularizedClassifier,
    GraphRegularizedRegressor,
    IndependentTaskRegressor,
    PooledTaskClassifier,
    PooledTaskRegressor,
)

MATRIX = np.array([[0, 2.0, 0], [2, 0, 0.5], [0, 0.5, 0]])
FAMILIES = {
    "mean": {},
    "mean-ridge": {"ridge": 0.2},
    "chain-block": {"graph": "chain", "block": 0.5},
    "matrix-both": {"graph": MATRIX, "ridge": 0.1, "sparse": 0.2, "block": 0.4},
    "laplacian-sparse": {"laplacian": MATRIX + 3 * np.eye(3), "sparse": 0.5},
}
CHOSEN = [SCENARIOS[k] for k in (0, 2, 3, 8, 9)]


@pytest.mark.turns(3)
@pytest.mark.parametrize(("family", "scenario", "classify"), list(by_turns(FAMILIES, CHOSEN)))
def test_against_cvxpy(family, scenario, classify):
    cls = GraphRegularizedClassifier if classify else GraphRegularizedRegressor
    problem = Problem(scenario, classify=classify)
    model = cls(0.03 if classify else 0.3, **FAMILIES[family], **problem.params, **TIGHT)
    assert_is_the_optimum(model, problem)


@pytest.mark.parametrize("loss", ["huber", "poisson"])
def test_losses_against_cvxpy(loss):
    problem = Problem(SCENARIOS[8], classify=False)
    if loss == "poisson":
        problem.y = np.round(np.exp(np.clip(problem.y / 2, -3, 2)))
    model = GraphRegularizedRegressor(0.1, ridge=0.5, loss=loss, **problem.params, **TIGHT)
    assert_is_the_optimum(model, problem, coef=loss != "huber")


def stacked(n_tasks=6, d=4, rows=15, seed=0):
    rng = np.random.default_rng(seed)
    W = rng.normal(size=(d, 1)) + 0.3 * rng.normal(size=(d, n_tasks))
    ids = np.repeat(np.arange(n_tasks), rows)
    X = rng.normal(size=(len(ids), d)) + rng.normal(size=d)
    y = np.einsum("ij,ij->i", X, W[:, ids].T) + ids + 0.3 * rng.normal(size=len(ids))
    return np.column_stack([X, ids]), y


def direct_solve(X, y, M):
    """The normal equations of all tasks and their intercepts as one dense system."""
    d, ids = X.shape[1] - 1, X[:, -1].astype(int)
    n_tasks = len(M)
    A = np.zeros((len(y), n_tasks * (d + 1)))
    for i, t in enumerate(ids):
        A[i, t * (d + 1) : t * (d + 1) + d], A[i, t * (d + 1) + d] = X[i, :-1], 1.0
    held = np.kron(M, np.diag([1.0] * d + [0.0]))
    solution = np.linalg.solve(n_tasks / len(y) * A.T @ A + held, n_tasks / len(y) * A.T @ y)
    return solution.reshape(n_tasks, d + 1)


def test_complete_graph_is_mean_regularisation():
    X, y = stacked()
    model = GraphRegularizedRegressor(0.7, ridge=0.05, task_column=-1).fit(X, y)
    deviations = model.coef_ - model.coef_.mean(axis=0)
    residual = y - model.predict(X)
    by_hand = 6 / (2 * len(y)) * (residual**2).sum() + 0.35 * (deviations**2).sum()
    by_hand += 0.35 * 0.05 * (model.coef_**2).sum()
    assert model.objective_ == pytest.approx(by_hand, rel=1e-10)
    expected = direct_solve(X, y, 0.7 * (1.05 * np.eye(6) - 1 / 6))
    np.testing.assert_allclose(model.coef_, expected[:, :-1], atol=1e-9)
    np.testing.assert_allclose(model.intercept_, expected[:, -1], atol=1e-9)
    np.testing.assert_allclose(model.laplacian_, np.eye(6) - 1 / 6)
    # In the limit of strong coupling all tasks have one vector, which is not shrunk.
    tied = GraphRegularizedRegressor(1e4, task_column=-1).fit(X, y).coef_
    dummies = np.column_stack([X[:, :-1], X[:, -1:] == np.arange(6)])
    pooled = np.linalg.lstsq(dummies, y, rcond=None)[0][:4]
    np.testing.assert_allclose(tied, np.tile(pooled, (6, 1)), atol=1e-3)


def test_edge_matrix_form():
    # The penalty as (alpha / 2) ||W R||_F^2, a column of R for each edge.
    X, y = stacked()
    edges = [(0, 1, 2.0), (1, 4), (5, 2, 0.3)]
    R = np.zeros((6, 3))
    for k, (s, t, a) in enumerate([(0, 1, 2.0), (1, 4, 1.0), (5, 2, 0.3)]):
        R[s, k], R[t, k] = np.sqrt(a), -np.sqrt(a)
    model = GraphRegularizedRegressor(0.4, graph=edges, task_column=-1).fit(X, y)
    np.testing.assert_allclose(model.laplacian_, R @ R.T, atol=1e-14)
    np.testing.assert_allclose(model.coef_, direct_solve(X, y, 0.4 * R @ R.T)[:, :-1], atol=1e-8)
    assert model.dual_gap_ < 1e-8 * model.objective_


def test_graphs_are_read_alike():
    X, y = stacked()
    names = np.array(["ash", "elm", "fir", "oak", "yew", "zel"], dtype=object)
    frame = np.column_stack([X[:, :-1].astype(object), names[X[:, -1].astype(int)]])
    chain = np.eye(6, k=1) + np.eye(6, k=-1)
    by_name = list(zip(names[1:], names[:-1], strict=True))
    expected = GraphRegularizedRegressor(0.3, graph="chain", task_column=-1).fit(X, y).coef_
    for graph in (chain, sp.csr_matrix(chain), chain + 5 * np.eye(6), by_name):
        model = GraphRegularizedRegressor(0.3, graph=graph, task_column=-1)
        np.testing.assert_allclose(model.fit(frame, y).coef_, expected, atol=1e-8)
    L = np.diag(chain.sum(axis=1)) - chain
    model = GraphRegularizedRegressor(0.3, laplacian=sp.csr_matrix(L), task_column=-1)
    np.testing.assert_allclose(model.fit(X, y).coef_, expected, atol=1e-8)


NAMES = ["ash", "elm", "fir"]


def named_problem():
    pd = pytest.importorskip("pandas")
    problem = Problem(SCENARIOS[0], classify=False)
    weights = pd.DataFrame(MATRIX, index=NAMES, columns=NAMES)
    return pd, problem.X, pd.DataFrame(problem.y, columns=NAMES), weights


@pytest.mark.parametrize("model", [GraphRegularizedRegressor, FusedTaskRegressor])
def test_data_frames_are_matched_by_name(model):
    pd, X, Y, weights = named_problem()
    expected = model(0.3, graph=MATRIX).fit(X, Y).coef_
    order = ["fir", "ash", "elm"]
    moved = weights.loc[order, order].to_numpy()
    frames = {
        "as the tasks": weights,
        "any order": weights.loc[order, ["elm", "fir", "ash"]],
        "rows without names": pd.DataFrame(moved, columns=order),
        "columns without names": pd.DataFrame(moved, index=order),
        "no names": pd.DataFrame(MATRIX),
        "sparse columns": weights.astype(pd.SparseDtype("float", 0.0)),
    }
    for kind, frame in frames.items():
        found = model(0.3, graph=frame).fit(X, Y).coef_
        np.testing.assert_array_equal(found, expected, err_msg=kind)
    for graph in (sp.csr_array(MATRIX), sp.coo_matrix(MATRIX)):
        np.testing.assert_array_equal(model(0.3, graph=graph).fit(X, Y).coef_, expected)
    pl = pytest.importorskip("polars")
    for frame in (pl.DataFrame(dict(zip(order, moved, strict=True))), pl.DataFrame(MATRIX)):
        np.testing.assert_array_equal(model(0.3, graph=frame).fit(X, Y).coef_, expected)


def test_laplacian_by_name_and_numbers_as_names():
    pd, X, Y, weights = named_problem()
    L = np.diag(weights.sum()) - weights
    expected = GraphRegularizedRegressor(0.3, graph=MATRIX).fit(X, Y).laplacian_
    for laplacian in (L.loc[NAMES[::-1]], L.iloc[[1, 2, 0], [2, 0, 1]], L.to_numpy().tolist()):
        model = GraphRegularizedRegressor(0.3, laplacian=laplacian).fit(X, Y)
        np.testing.assert_allclose(model.laplacian_, expected, atol=1e-15)
    # Ids 10, 20, 30: as numbers, and as the strings that polars makes of them.
    S, y = np.column_stack([X, np.resize([10, 20, 30], len(X))]), Y["ash"].to_numpy()
    for names in ([30, 10, 20], ["30", "10", "20"]):
        order = [2, 0, 1]
        frame = pd.DataFrame(MATRIX[np.ix_(order, order)], names, names)
        model = GraphRegularizedRegressor(0.3, graph=frame, task_column=-1).fit(S, y)
        np.testing.assert_allclose(model.laplacian_, expected, atol=1e-15)
    default = pd.DataFrame(MATRIX)
    model = GraphRegularizedRegressor(0.3, graph=default, task_column=-1).fit(S, y)
    np.testing.assert_allclose(model.laplacian_, expected, atol=1e-15)


@pytest.mark.parametrize("model", [GraphRegularizedRegressor, FusedTaskRegressor])
def test_data_frames_of_other_tasks(model):
    pd, X, Y, weights = named_problem()
    wrong = {
        r"columns of 'graph'.*miss \['ash'\] and name unknown \['oak'\].*'elm', 'fir'\]": (
            weights.rename(columns={"ash": "oak"})
        ),
        r"rows of 'graph'.*miss \['ash'\].*in any order": weights.rename(index={"ash": "oak"}),
        r"columns of 'graph', a data frame, miss \['fir'\];": weights.iloc[:2, :2],
        r"rows of 'graph'.*repeat \['ash'\]": weights.loc[["ash", "ash", "elm"]],
        r"rows of a frame of edges as a list": pd.DataFrame({"from": ["ash"], "to": ["elm"]}),
        r"has shape \(2, 2\); it must be a matrix of shape \(3, 3\)": pd.DataFrame(np.eye(2)),
        r"cannot be read as numbers.*Got DataFrame": weights.astype(object).replace(0, "none"),
        r"from task 'ash' to 'fir' is .*, the reverse is .*\(A \+ A.T\) / 2": (
            weights + 5 * np.eye(3)[::-1] * np.arange(3)
        ),
    }
    for message, graph in wrong.items():
        with pytest.raises(ValueError, match=message):
            model(0.3, graph=graph).fit(X, Y)


@pytest.mark.parametrize(
    "params, message",
    [
        ({"graph": np.eye(2)}, r"shape \(2, 2\); it must be .* \(3, 3\)"),
        ({"graph": np.triu(np.ones((3, 3)))}, "must be symmetric; entries .* differ by up to 1"),
        ({"graph": -MATRIX}, "must be >= 0, got -2"),
        ({"graph": MATRIX * np.nan}, "must be finite"),
        ({"graph": [(0, 7)]}, r"names 7, which is not a task; the tasks are \[0, 1, 2\]"),
        ({"graph": [(0, [1])]}, r"names \[1\], which is not a task"),
        ({"graph": [(0, 1, -2.0)]}, "finite number >= 0"),
        ({"graph": [(1, 1)]}, "joins a task to itself"),
        ({"graph": [(0, 1), (1, 0)]}, "is repeated"),
        ({"graph": [(0, 1, 2, 3)]}, "must be a pair of task names or a triple"),
        ({"graph": "ring"}, "'graph' parameter"),
        ({"graph": None}, "'graph' parameter .* Got None"),
        ({"graph": {(0, 1): 2.0}}, "cannot be read as numbers.*Got dict.*a list of pairs"),
        (
            {"graph": (MATRIX / 4).tolist()},
            "A list must contain edges; pass a matrix of weights",
        ),
        ({"graph": np.ones(3)}, r"has shape \(3,\)"),
        ({"laplacian": "chain"}, "'laplacian' parameter .* Got 'chain'"),
        ({"laplacian": MATRIX}, "positive semidefinite, its smallest eigenvalue is -2.06"),
        ({"laplacian": np.triu(np.ones((3, 3)))}, "'laplacian' must be symmetric"),
        ({"laplacian": np.eye(3), "graph": "chain"}, "Both 'graph' and 'laplacian'"),
        ({"ridge": -1}, "'ridge' parameter"),
    ],
)
def test_wrong_graphs(params, message):
    problem = Problem(SCENARIOS[0], classify=False)
    for alpha in (0.0, 1.0):
        with pytest.raises(ValueError, match=message):
            GraphRegularizedRegressor(alpha, **params).fit(problem.X, problem.y)


def test_special_cases():
    problem = Problem(SCENARIOS[0], classify=False)
    X, y = problem.X, problem.y
    ridge = IndependentTaskRegressor(0.3).fit(X, y).coef_
    model = GraphRegularizedRegressor(0.3, graph=[], ridge=1.0)
    np.testing.assert_allclose(model.fit(X, y).coef_, ridge, atol=1e-8)
    model = GraphRegularizedRegressor(0.3, laplacian=np.eye(3))
    np.testing.assert_allclose(model.fit(X, y).coef_, ridge, atol=1e-8)
    block = BlockSparseRegressor(0.3, **TIGHT).fit(X, y).coef_
    model = GraphRegularizedRegressor(0.3, graph=[], block=1.0, **TIGHT)
    np.testing.assert_allclose(model.fit(X, y).coef_, block, atol=1e-5)
    free = GraphRegularizedRegressor(0.0).fit(X, y).coef_
    centred = X - X.mean(axis=0)
    np.testing.assert_allclose(free.T, np.linalg.lstsq(centred, y, rcond=None)[0], atol=1e-8)
    alone = GraphRegularizedRegressor(0.3, ridge=0.5).fit(X, y[:, 0])
    expected = IndependentTaskRegressor(0.15).fit(X, y[:, 0])
    np.testing.assert_allclose(alone.coef_, expected.coef_, atol=1e-8)
    assert alone.laplacian_.shape == (1, 1)


def test_tasks_that_leave_the_objective_leave_the_graph():
    X, y = stacked()
    labels = y > np.median(y) + X[:, -1] - 2.5
    labels[X[:, -1] == 2] = True
    kept = X[:, -1] != 2
    for graph in ("complete", "chain", [(0, 2, 5.0), (2, 1, 3.0), (0, 5)]):
        model = GraphRegularizedClassifier(0.05, graph=graph, ridge=0.1, task_column=-1)
        with pytest.warns(UserWarning, match=r"same in the tasks \[2\]"):
            model.fit(X, labels)
        assert not model.coef_[2].any() and model.laplacian_.shape == (6, 6)
        # A chain splits into two.
        rest = {"complete": "complete", "chain": [(0, 1), (3, 4), (4, 5)]}
        rest = rest[graph] if isinstance(graph, str) else [(0, 5)]
        other = GraphRegularizedClassifier(0.05, graph=rest, ridge=0.1, task_column=-1)
        other.fit(X[kept], labels[kept])
        np.testing.assert_allclose(np.delete(model.coef_, 2, 0), other.coef_, atol=1e-3)


def test_layouts_and_precisions_agree():
    X, y = stacked()
    Y = np.full((len(y), 6), np.nan)
    Y[np.arange(len(y)), X[:, -1].astype(int)] = y
    for params in ({"ridge": 0.1}, {"graph": "chain", "block": 0.3}):
        model = GraphRegularizedRegressor(0.3, task_column=-1, **params, **TIGHT).fit(X, y)
        masked = GraphRegularizedRegressor(0.3, **params, **TIGHT).fit(X[:, :-1], Y)
        np.testing.assert_allclose(masked.coef_, model.coef_, atol=1e-5)
        single = GraphRegularizedRegressor(0.3, task_column=-1, **params)
        assert single.fit(X.astype(np.float32), y).coef_.dtype == np.float32
        np.testing.assert_allclose(single.coef_, model.coef_, atol=0.02)


def test_newton_and_fista_agree_and_warm_starts_are_taken():
    X, y = stacked()
    newton = GraphRegularizedRegressor(0.3, ridge=0.1, task_column=-1, **TIGHT).fit(X, y)
    fista = GraphRegularizedRegressor(0.3, ridge=0.1, solver="fista", task_column=-1, **TIGHT)
    np.testing.assert_allclose(fista.fit(X, y).coef_, newton.coef_, atol=1e-5)
    before = fista.n_iter_
    assert fista.set_params(warm_start=True).fit(X, y).n_iter_ < before / 2


def test_more_features_than_rows():
    rng = np.random.default_rng(0)
    X, W = rng.normal(size=(20, 60)), rng.normal(size=(60, 1)) + 0.1 * rng.normal(size=(60, 4))
    Y = X @ W
    model = GraphRegularizedRegressor(0.5, ridge=0.1).fit(X, Y)
    Xc, Yc = X - X.mean(axis=0), Y - Y.mean(axis=0)
    M = 0.5 * (1.1 * np.eye(4) - 1 / 4)
    whole = np.kron(np.eye(4), Xc.T @ Xc / 20) + np.kron(M, np.eye(60))
    expected = np.linalg.solve(whole, (Xc.T @ Yc / 20).T.ravel()).reshape(4, 60)
    np.testing.assert_allclose(model.coef_, expected, atol=1e-8)
    # Interpolation: the minimum is zero, and the fit is certified.
    free = GraphRegularizedRegressor(0.5).fit(X, np.tile(Y[:, :1], (1, 4)))
    assert free.objective_ <= 1e-4 and free.dual_gap_ <= 1e-4 * 100


def test_many_features_need_a_ridge():
    rng = np.random.default_rng(0)
    X = sp.random(60, 2100, 0.01, format="csr", random_state=0)
    Y = X @ rng.normal(size=(2100, 3)) + rng.normal(size=(60, 3))
    GraphRegularizedRegressor(0.3, ridge=0.5).fit(X, Y)  # a warning would be an error
    with pytest.warns(ConvergenceWarning), pytest.warns(UserWarning, match="Set ridge > 0"):
        GraphRegularizedClassifier(0.3, max_iter=20).fit(X, Y > 0)


def test_pipeline_with_grid_search():
    X, y = stacked(rows=30)
    search = GridSearchCV(
        make_pipeline(StandardScaler(), GraphRegularizedRegressor(ridge=0.01)),
        {"graphregularizedregressor__alpha": [1e-3, 0.1, 10.0]},
    )
    Y = y.reshape(6, 30).T
    search.fit(X[:30, :-1], Y)
    assert search.best_estimator_[-1].laplacian_.shape == (6, 6)


def test_coupling_helps_similar_tasks():
    X, y = stacked(n_tasks=20, d=8, rows=12)
    rng = np.random.default_rng(0)
    W = rng.normal(size=(8, 1)) + 0.3 * rng.normal(size=(8, 20))
    tied = GraphRegularizedRegressor(0.2, task_column=-1).fit(X, y).coef_
    alone = IndependentTaskRegressor(0.01, task_column=-1).fit(X, y).coef_
    assert np.linalg.norm(tied - W.T) < 0.9 * np.linalg.norm(alone - W.T)


def _stacked(X, Y):
    n_tasks = Y.shape[1]
    ids = np.repeat(np.arange(n_tasks), len(X))
    return np.column_stack([np.tile(X, (n_tasks, 1)), ids]), Y.T.ravel()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("layout", ["shared", "stacked"])
@pytest.mark.parametrize("intercept", ["free", "shrunk"])
@pytest.mark.parametrize("kind", ["Regressor", "Classifier"])
class TestStrongCoupling:
    """Couplings far stronger than the loss: the common part is still fitted to the data."""

    def _fit(self, X, Y, alpha, kind, layout, intercept):
        cls = GraphRegularizedRegressor if kind == "Regressor" else GraphRegularizedClassifier
        model = cls(alpha, intercept=intercept, tol=1e-8)
        if layout == "shared":
            return model.fit(X, Y)
        return model.set_params(task_column=-1).fit(*_stacked(X, Y))

    def _data(self, kind):
        rng = np.random.default_rng(0)
        X = rng.standard_normal((60, 5))
        Y = X @ rng.standard_normal((5, 4)) + 3 * rng.standard_normal((60, 4))
        return X, Y if kind == "Regressor" else (Y > 0).astype(int)

    @pytest.mark.turns(2)
    @pytest.mark.parametrize("alpha", [1e6, 1e9, 1e12])
    def test_is_one_coefficient_vector_for_all_tasks(self, kind, layout, intercept, alpha):
        X, Y = self._data(kind)
        model = self._fit(X, Y, alpha, kind, layout, intercept)
        pooled = (PooledTaskRegressor if kind == "Regressor" else PooledTaskClassifier)(
            0.0, intercept=intercept, tol=1e-10
        ).fit(X, Y)
        np.testing.assert_allclose(model.coef_, pooled.coef_, rtol=1e-3, atol=1e-4)
        assert model.objective_ == pytest.approx(pooled.objective_, rel=1e-4)
        assert model.dual_gap_ <= 1e-7 * pooled.objective_ + 1e-7

    @pytest.mark.turns(2)
    @pytest.mark.parametrize("unit", [1e-3, 1e-5, 1e-8, 1e5])
    def test_does_not_depend_on_the_unit_of_the_features(self, kind, layout, intercept, unit):
        # The coefficients scale with 1 / unit, and alpha with unit^2.
        X, Y = self._data(kind)
        base = self._fit(X, Y, 0.5, kind, layout, intercept)
        other = self._fit(X * unit, Y, 0.5 * unit**2, kind, layout, intercept)
        assert other.objective_ == pytest.approx(base.objective_, rel=1e-6)
        np.testing.assert_allclose(other.coef_ * unit, base.coef_, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("parameter", ["graph", "laplacian"])
def test_a_masked_matrix_is_an_error(parameter):
    matrix = np.ma.array([[1.0, -1.0], [-1.0, 1.0]], mask=[[False, True], [True, False]])
    X = np.random.default_rng(0).normal(size=(20, 2))
    with pytest.raises(ValueError, match=rf"'{parameter}' must not have masked entries"):
        GraphRegularizedRegressor(**{parameter: matrix}).fit(X, X)
