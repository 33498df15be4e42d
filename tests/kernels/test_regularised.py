"""Kernels of graphs and means: closed forms, equivalent linear models, learning the ridge."""

import numpy as np
import pytest
from kernel_problems import (
    LINEAR,
    LOADINGS,
    WEIGHTS,
    T,
    fit_gp,
    kernel_models,
    make_linear,
    make_rows,
    make_waves,
)
from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skmtl.datasets import make_clustered_tasks
from skmtl.kernels import GraphTaskKernel, MeanRegularizedTaskKernel
from skmtl.model_selection import StratifiedTaskKFold
from skmtl.preprocessing import TaskTransformer


@pytest.mark.parametrize("ridge", [1e-4, 0.3, 50.0])
def test_mean_regularisation_has_a_closed_form(ridge):
    plain = MeanRegularizedTaskKernel(RBF(), tasks=T, ridge=ridge, normalize=False)
    expected = (np.eye(T) + np.ones((T, T)) / (ridge * T)) / (1 + ridge)
    np.testing.assert_allclose(plain.task_covariance, expected, rtol=1e-10)
    B = plain.set_params(normalize=True).task_covariance
    np.testing.assert_allclose(B, expected / expected[0, 0], rtol=1e-10)


def test_graph_matrices_are_inverses_of_their_quadratic_forms():
    rng = np.random.default_rng(0)
    W = rng.standard_normal((5, T))
    forms = {
        "chain": sum(np.sum((W[:, t] - W[:, t + 1]) ** 2) for t in range(T - 1)),
        "complete": sum(np.sum((W[:, t] - W.mean(axis=1)) ** 2) for t in range(T)),
        "weights": sum(
            WEIGHTS[s, t] * np.sum((W[:, s] - W[:, t]) ** 2) for s in range(T) for t in range(s)
        ),
    }
    for name, form in forms.items():
        graph = WEIGHTS if name == "weights" else name
        kernel = GraphTaskKernel(RBF(), graph=graph, tasks=T, ridge=0.7, normalize=False)
        norm = np.trace(W @ np.linalg.inv(kernel.task_covariance) @ W.T)
        np.testing.assert_allclose(norm, form + 0.7 * np.sum(W**2), rtol=1e-10)
        normalized = kernel.set_params(normalize=True).task_covariance
        np.testing.assert_allclose(np.trace(normalized), T, rtol=1e-12)


def test_ridge_goes_from_one_task_to_independent_tasks():
    one = MeanRegularizedTaskKernel(RBF(), tasks=T, ridge=1e-9).task_covariance
    np.testing.assert_allclose(one, 1, atol=1e-7)
    independent = MeanRegularizedTaskKernel(RBF(), tasks=T, ridge=1e9).task_covariance
    np.testing.assert_allclose(independent, np.eye(T), atol=1e-7)


def test_complete_graph_is_mean_regularisation():
    X = make_rows()
    mean = MeanRegularizedTaskKernel(RBF(), tasks=T, ridge=0.4)
    complete = GraphTaskKernel(RBF(), graph="complete", tasks=T, ridge=0.4)
    laplacian = GraphTaskKernel(RBF(), laplacian=np.eye(T) - 1 / T, ridge=0.4)
    np.testing.assert_allclose(mean(X), complete(X), rtol=1e-12)
    np.testing.assert_allclose(mean(X), laplacian(X), rtol=1e-12)


def test_edges_by_task_id():
    ids = np.array([3.0, 5.0, 9.0])
    edges = GraphTaskKernel(RBF(), graph=[(3.0, 5.0), (9.0, 5.0, 2.0)], tasks=ids)
    weights = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 2.0], [0.0, 2.0, 0.0]])
    matrix = GraphTaskKernel(RBF(), graph=weights, tasks=ids)
    np.testing.assert_allclose(edges.task_covariance, matrix.task_covariance)


def solve_graph(X, y, alpha, L, ridge):
    """min T/(2n) ||y - XW||^2 + alpha/2 (tr(W L W') + ridge ||W||^2) by one linear system."""
    n, d = len(X), X.shape[1] - 1
    rows = np.zeros((n, T, d))
    rows[np.arange(n), X[:, -1].astype(int)] = X[:, :-1]
    rows = rows.reshape(n, T * d)
    penalty = np.kron(L + ridge * np.eye(T), np.eye(d))
    w = np.linalg.solve(T / n * rows.T @ rows + alpha * penalty, T / n * rows.T @ y)
    return rows @ w


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("graph", ["complete", "chain", "weights", "laplacian"])
def test_linear_base_is_the_graph_regularised_linear_model(graph, normalize):
    X, y = make_linear()
    alpha, ridge, n = 0.3, 0.2, len(y)
    laplacians = {
        "complete": np.eye(T) - 1 / T,
        "chain": np.array([[1, -1, 0, 0], [-1, 2, -1, 0], [0, -1, 2, -1], [0, 0, -1, 1]]),
        "weights": np.diag(WEIGHTS.sum(axis=0)) - WEIGHTS,
        "laplacian": LOADINGS @ LOADINGS.T,
    }
    L = laplacians[graph]
    expected = solve_graph(X, y, alpha, L, ridge)
    given = {"laplacian": L} if graph == "laplacian" else {"graph": graph}
    given = {"graph": WEIGHTS} if graph == "weights" else given
    kernel = GraphTaskKernel(LINEAR, **given, tasks=T, ridge=ridge, normalize=normalize)
    c = T / np.trace(np.linalg.inv(L + ridge * np.eye(T))) if normalize else 1
    lam = c * alpha * n / T
    for model in kernel_models(kernel, lam):
        np.testing.assert_allclose(model.fit(X, y).predict(X), expected, rtol=1e-8, atol=1e-8)
    K = kernel(X)
    precomputed = KernelRidge(alpha=lam, kernel="precomputed").fit(K, y)
    np.testing.assert_allclose(precomputed.predict(K), expected, rtol=1e-8, atol=1e-8)


def test_mean_regularisation_is_a_common_vector_and_deviations():
    X, y = make_linear()
    common, own, n = 0.7, 2.1, len(y)
    # w_t = w_0 + v_t; the penalty is own / T sum ||v_t||^2 + common ||w_0||^2.
    features = X[:, :-1]
    rows = np.zeros((n, T + 1, features.shape[1]))
    rows[:, 0] = features
    rows[np.arange(n), 1 + X[:, -1].astype(int)] = features
    rows = rows.reshape(n, -1)
    penalty = np.repeat([common] + [own / T] * T, features.shape[1])
    w = np.linalg.solve(rows.T @ rows + np.diag(penalty), rows.T @ y)
    kernel = MeanRegularizedTaskKernel(LINEAR, tasks=T, ridge=common / own, normalize=False)
    # The norm of the kernel with c = 1 is (1 + ridge) times that of I + 11' / (T ridge).
    lam = own / T / (1 + common / own)
    for model in kernel_models(kernel, lam):
        np.testing.assert_allclose(model.fit(X, y).predict(X), rows @ w, rtol=1e-8, atol=1e-8)


def test_linear_svm_on_the_feature_map():
    dataset = make_clustered_tasks(
        20, 5, T, n_clusters=2, layout="stacked", classification=True, random_state=0
    )
    X, y, ridge = dataset.data, dataset.target, 0.2
    codes = X[:, -1].astype(int)
    own = np.zeros((len(X), T, 5))
    own[np.arange(len(X)), codes] = X[:, :-1]
    explicit = np.column_stack([X[:, :-1] / np.sqrt(T * ridge), own.reshape(len(X), -1)])
    linear = SVC(kernel="linear", C=0.5 / (1 + ridge), tol=1e-8).fit(explicit, y)
    kernel = MeanRegularizedTaskKernel(LINEAR, tasks=T, ridge=ridge, normalize=False)
    model = SVC(kernel=kernel, C=0.5, tol=1e-8).fit(X, y)
    np.testing.assert_allclose(
        model.decision_function(X), linear.decision_function(explicit), atol=1e-5
    )


def test_gaussian_process_learns_the_ridge():
    X, y, X_test, f_test, _ = make_waves([10] * 6)
    # After a change of the second group's sign all tasks are alike.
    y, f_test = y * np.where(X[:, 1] < 3, 1, -1), f_test * np.where(X_test[:, 1] < 3, 1, -1)
    gp = fit_gp(MeanRegularizedTaskKernel(RBF(), tasks=6, ridge=10.0) + WhiteKernel(0.1), X, y)
    assert gp.kernel_.k1.ridge < 0.1
    apart = MeanRegularizedTaskKernel(RBF(), tasks=6, ridge=1e5, ridge_bounds="fixed")
    independent = fit_gp(apart + WhiteKernel(0.1), X, y)
    errors = [np.mean((model.predict(X_test) - f_test) ** 2) for model in (gp, independent)]
    assert errors[0] < 0.5 * errors[1]


def test_grid_search_of_an_svm_reaches_the_ridge():
    dataset = make_clustered_tasks(
        12, 8, 10, n_clusters=1, layout="stacked", classification=True, random_state=0
    )
    kernel = MeanRegularizedTaskKernel(RBF(4.0), tasks=10)
    search = GridSearchCV(
        make_pipeline(TaskTransformer(StandardScaler(), task_column=-1), SVC(kernel=kernel)),
        {"svc__kernel__ridge": [1e-2, 1e4], "svc__kernel__base_kernel__length_scale": [4.0]},
        cv=StratifiedTaskKFold(3, task_column=-1, random_state=0),
    ).fit(dataset.data, dataset.target)
    assert search.best_params_["svc__kernel__ridge"] == 1e-2
    assert search.cv_results_["mean_test_score"].min() > 0.5
    assert kernel.ridge == 1.0
