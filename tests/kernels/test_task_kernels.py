"""Task kernels: entries, gradients, scikit-learn's contract, linear twins, what they learn."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process.kernels import (
    RBF,
    ConstantKernel,
    DotProduct,
    Matern,
    WhiteKernel,
)
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR

from skmtl import IndependentTaskRegressor, PooledTaskRegressor
from skmtl.datasets import make_clustered_tasks, make_related_tasks
from skmtl.kernels import GraphTaskKernel, MeanRegularizedTaskKernel, TaskKernel
from skmtl.model_selection import StratifiedTaskKFold
from skmtl.preprocessing import TaskTransformer

T = 4
LINEAR = DotProduct(0.0, "fixed")
WEIGHTS = np.array([[0, 2, 0, 0.5], [2, 0, 1, 0], [0, 1, 0, 3], [0.5, 0, 3, 0]])
LOADINGS = np.array([[1.0, -0.3], [0.4, 0.8], [-0.7, 0.2], [0.1, -1.1]])
KAPPA = np.array([0.3, 0.05, 1.2, 0.7])

KERNELS = {
    "rank-1": TaskKernel(RBF(1.3), tasks=T),
    "rank-2": TaskKernel(RBF([1.0, 2.0, 0.5]), tasks=T, rank=2, loadings=LOADINGS, variances=KAPPA),
    "rank-0": TaskKernel(Matern(0.9, nu=1.5), tasks=T, rank=0, variances=KAPPA),
    "fixed loadings": TaskKernel(
        RBF(), rank=2, loadings=LOADINGS, loadings_bounds="fixed", variances=0.4
    ),
    "fixed variances": TaskKernel(RBF(), tasks=T, variances=0.0, variances_bounds="fixed"),
    "fixed base": TaskKernel(RBF(1.0, "fixed"), tasks=T, rank=2),
    "all fixed": TaskKernel(
        LINEAR, tasks=T, loadings_bounds="fixed", variances=KAPPA, variances_bounds="fixed"
    ),
    "noisy base": TaskKernel(RBF() + WhiteKernel(0.3), tasks=T),
    "mean": MeanRegularizedTaskKernel(RBF(0.8), tasks=T, ridge=0.3),
    "mean, plain": MeanRegularizedTaskKernel(RBF(0.8), tasks=T, ridge=2.0, normalize=False),
    "mean, fixed": MeanRegularizedTaskKernel(RBF(), tasks=T, ridge_bounds="fixed"),
    "chain": GraphTaskKernel(DotProduct(0.5), graph="chain", tasks=T, ridge=0.2),
    "graph": GraphTaskKernel(RBF(), graph=WEIGHTS, ridge=0.1, normalize=False),
    "sparse graph": GraphTaskKernel(RBF(), graph=sp.csr_array(WEIGHTS), ridge=0.1),
    "laplacian": GraphTaskKernel(RBF(), laplacian=LOADINGS @ LOADINGS.T, ridge=0.6),
    "nested": TaskKernel(MeanRegularizedTaskKernel(RBF(), 0, tasks=3), tasks=T),
}


@pytest.fixture(params=KERNELS)
def kernel(request):
    return clone(KERNELS[request.param])


def make_rows(n=17, seed=0, d=3):
    """Rows whose first column holds ids 0, 1, 2 (for the nested kernel), the last those of T."""
    rng = np.random.default_rng(seed)
    return np.column_stack(
        [np.arange(n) % 3, rng.standard_normal((n, d - 1)), rng.permutation(np.arange(n) % T)]
    )


def differences(function, theta, step=1e-6):
    """Central finite differences of an array-valued function, on a new last axis."""
    columns = []
    for k in range(len(theta)):
        shift = np.zeros(len(theta))
        shift[k] = step
        columns.append((function(theta + shift) - function(theta - shift)) / (2 * step))
    return np.stack(columns, axis=-1)


# Task matrices


def test_coregionalisation_matrix():
    B = KERNELS["rank-2"].task_covariance
    expected = [
        [
            sum(LOADINGS[s, r] * LOADINGS[t, r] for r in range(2)) + (s == t) * KAPPA[s]
            for t in range(T)
        ]
        for s in range(T)
    ]
    np.testing.assert_allclose(B, expected, rtol=1e-14)
    np.testing.assert_allclose(KERNELS["rank-0"].task_covariance, np.diag(KAPPA), rtol=1e-14)


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


# Entries and gradients


def test_entries_are_products(kernel):
    X, Y = make_rows(), make_rows(9, seed=1)
    B = kernel.task_covariance
    for rows, other, K in ((X, Y, kernel(X, Y)), (X, X, kernel(X, X))):
        expected = np.array(
            [
                [
                    B[int(a[-1]), int(b[-1])]
                    * kernel.base_kernel(a[None, :-1], b[None, :-1]).item()
                    for b in other
                ]
                for a in rows
            ]
        )
        np.testing.assert_allclose(K, expected, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(kernel.diag(X), np.diag(kernel(X)), rtol=1e-12)
    assert np.linalg.eigvalsh(kernel(X)).min() > -1e-10


def test_gradient_equals_finite_differences(kernel):
    X = make_rows()
    K, gradient = kernel(X, eval_gradient=True)
    np.testing.assert_array_equal(K, kernel(X))
    assert gradient.shape == (len(X), len(X), kernel.n_dims)
    if kernel.n_dims:
        found = differences(lambda theta: kernel.clone_with_theta(theta)(X), kernel.theta)
        np.testing.assert_allclose(gradient, found, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize(
    "compose",
    [
        lambda a, b: a + WhiteKernel(0.2),
        lambda a, b: 2.0 * a + b,
        lambda a, b: a * b,
        lambda a, b: (a + b) ** 2,
    ],
)
def test_gradients_of_compositions(compose):
    X = make_rows()
    composed = compose(clone(KERNELS["rank-2"]), clone(KERNELS["mean"]))
    _, gradient = composed(X, eval_gradient=True)
    assert composed.bounds.shape == (composed.n_dims, 2)
    assert sum(h.n_elements for h in composed.hyperparameters if not h.fixed) == composed.n_dims
    found = differences(lambda theta: composed.clone_with_theta(theta)(X), composed.theta)
    np.testing.assert_allclose(gradient, found, rtol=1e-5, atol=1e-7)


def test_gradient_of_the_marginal_likelihood(kernel):
    if not kernel.n_dims:
        return
    X = make_rows(30)
    y = np.random.default_rng(2).standard_normal(30)
    gp = GaussianProcessRegressor(kernel, alpha=0.1, optimizer=None).fit(X, y)
    theta = gp.kernel_.theta
    _, gradient = gp.log_marginal_likelihood(theta, eval_gradient=True)
    found = differences(lambda theta: np.float64(gp.log_marginal_likelihood(theta)), theta)
    np.testing.assert_allclose(gradient, found, rtol=1e-5, atol=1e-6)


def test_zero_loadings_are_a_saddle_and_not_the_start():
    gp = GaussianProcessRegressor(
        TaskKernel(RBF(), tasks=T, loadings=np.zeros((T, 1))), optimizer=None
    ).fit(make_rows(), np.ones(17))
    _, gradient = gp.log_marginal_likelihood(gp.kernel_.theta, eval_gradient=True)
    np.testing.assert_allclose(gradient[1 : 1 + T], 0, atol=1e-12)
    start = TaskKernel(RBF(), tasks=T, rank=2)
    assert np.abs(start.theta[1 : 1 + 2 * T]).min() > 1e-3
    np.testing.assert_array_equal(start.theta, clone(start).theta)
    assert (start.theta != start.set_params(random_state=1).theta).any()


# scikit-learn's contract


def test_clone_equality_pickle_repr(kernel):
    copy = clone(kernel)
    assert copy == kernel and copy is not kernel
    assert pickle.loads(pickle.dumps(kernel)) == kernel
    assert type(kernel).__name__ in repr(kernel) and "\n" not in repr(kernel)
    assert kernel != RBF() and kernel != copy.set_params(task_column=0)
    # scikit-learn's own comparison fails for arrays of unequal shapes.
    assert kernel + WhiteKernel() == clone(kernel) + WhiteKernel()
    assert (KERNELS["rank-2"] == KERNELS["rank-0"]) is False


def test_theta_goes_and_comes(kernel):
    theta, X = kernel.theta, make_rows()
    moved = theta + np.linspace(-0.3, 0.2, len(theta))
    other = kernel.clone_with_theta(moved)
    np.testing.assert_allclose(other.theta, moved, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(kernel.theta, theta)
    np.testing.assert_allclose(other.clone_with_theta(theta)(X), kernel(X), rtol=1e-12, atol=1e-14)
    assert kernel.bounds.shape == ((len(theta), 2) if len(theta) else (0,))
    if len(theta):
        assert (kernel.bounds[:, 0] < theta).all() and (theta < kernel.bounds[:, 1]).all()
    with pytest.raises(ValueError, match="theta must have"):
        kernel.theta = np.zeros(len(theta) + 1)


def test_theta_is_a_copy():
    kernel, theta = clone(KERNELS["rank-1"]), np.full(1 + 2 * T, 0.3)
    kernel.theta = theta
    theta[:] = 7.0
    np.testing.assert_allclose(kernel.theta, 0.3)
    kernel.theta[:] = 5.0
    np.testing.assert_allclose(kernel.theta, 0.3)


def test_hyperparameters_follow_theta():
    kernel = TaskKernel(
        RBF(0.7), tasks=2, loadings=[[-2.0], [3.0]], variances=[0.1, 10.0], loadings_bounds=(-9, 8)
    )
    names = [h.name for h in kernel.hyperparameters]
    assert names == ["base_kernel__length_scale", "loadings", "variances"]
    np.testing.assert_allclose(kernel.theta, [np.log(0.7), -2, 3, np.log(0.1), np.log(10)])
    np.testing.assert_allclose(kernel.bounds[1:3], [[-9, 8], [-9, 8]])
    np.testing.assert_allclose(kernel.bounds[3:], np.log([[1e-5, 1e5], [1e-5, 1e5]]))
    assert [h.fixed for h in KERNELS["all fixed"].hyperparameters] == [True] * 3
    assert KERNELS["all fixed"].n_dims == 0


def test_nested_parameters():
    kernel = 2.0 * clone(KERNELS["mean"]) + WhiteKernel()
    kernel.set_params(k1__k2__base_kernel__length_scale=5.0, k1__k2__ridge=0.01)
    inner = kernel.k1.k2
    assert inner.base_kernel.length_scale == 5.0 and inner.ridge == 0.01
    assert kernel.get_params()["k1__k2__base_kernel__length_scale"] == 5.0
    assert "base_kernel__length_scale" not in inner.get_params(deep=False)


def test_own_bounds_for_each_entry():
    low, high = -np.arange(1.0, T + 1), np.arange(1.0, T + 1)
    kernel = TaskKernel(RBF(), tasks=T, loadings_bounds=np.column_stack([low, high]))
    np.testing.assert_array_equal(kernel.bounds[1 : 1 + T, 1], high)


# Tasks and containers


def test_ids_column_and_order_do_not_matter():
    X = make_rows()
    ids = np.array([5, 2, 9, 30])
    named = np.column_stack([X[:, 0], ids[X[:, -1].astype(int)], X[:, 1:-1]])
    kernel = clone(KERNELS["rank-2"]).set_params(task_column=1, tasks=ids)
    np.testing.assert_allclose(kernel(named), KERNELS["rank-2"](X), rtol=1e-12)
    order = [2, 0, 3, 1]
    permuted = clone(kernel).set_params(
        tasks=ids[order], loadings=LOADINGS[order], variances=KAPPA[order]
    )
    np.testing.assert_allclose(permuted(named), kernel(named), rtol=1e-12)
    B = permuted.task_covariance
    np.testing.assert_allclose(B, kernel.task_covariance[np.ix_(order, order)], rtol=1e-12)


def test_strings_and_data_frames():
    X = make_rows()
    names = np.array(["ash", "elm", "fir", "oak"])
    words = names[X[:, -1].astype(int)]
    frame = pd.DataFrame(X[:, :-1], columns=["a", "b", "c"]).assign(tree=words)
    kernel = clone(KERNELS["chain"]).set_params(task_column="tree", tasks=names)
    np.testing.assert_allclose(kernel(frame), KERNELS["chain"](X), rtol=1e-12)
    objects = np.column_stack([X[:, :-1].astype(object), words])
    kernel.set_params(task_column=-1)
    np.testing.assert_allclose(kernel(objects, frame), KERNELS["chain"](X, X), rtol=1e-12)


@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        (TaskKernel(RBF()), "has to know the tasks"),
        (MeanRegularizedTaskKernel(RBF()), "has to know the tasks"),
        (GraphTaskKernel(RBF(), graph="chain"), "has to know the tasks"),
        (TaskKernel(RBF(), tasks=3), r"tasks \[3\] that TaskKernel does not know.*\[0, 1, 2\]"),
        (TaskKernel(RBF(), tasks=0), "'tasks' parameter of TaskKernel must be >= 1, got 0"),
        (TaskKernel(RBF(), tasks=[0, 1, 1]), "distinct ids"),
        (TaskKernel(RBF(), tasks=T, rank=-1), "'rank' parameter of TaskKernel"),
        (TaskKernel(RBF(), tasks=T, rank=2, loadings=np.ones((T, 1))), r"shape \(4, 1\)"),
        (TaskKernel(RBF(), tasks=5, loadings=np.ones((T, 1))), "has 5 tasks.*describe 4"),
        (TaskKernel(RBF(), tasks=T, variances=0.0), "'variances' parameter of TaskKernel"),
        (TaskKernel(RBF(), tasks=T, variances=-1.0, variances_bounds="fixed"), ">= 0 with"),
        (TaskKernel(RBF(), tasks=T, random_state=None), "'random_state' parameter.*int"),
        (MeanRegularizedTaskKernel(RBF(), tasks=T, ridge=0.0), "'ridge' parameter.*got 0.0"),
        (GraphTaskKernel(RBF(), tasks=T), "needs one of 'graph' and 'laplacian', got neither"),
        (GraphTaskKernel(RBF(), graph="chain", laplacian=np.eye(T), tasks=T), "got both"),
        (GraphTaskKernel(RBF(), graph="ring", tasks=T), "'complete', 'chain' or a matrix"),
        (GraphTaskKernel(RBF(), graph=-WEIGHTS), "must be >= 0"),
        (GraphTaskKernel(RBF(), graph=np.triu(WEIGHTS)), "must be symmetric"),
        (GraphTaskKernel(RBF(), graph=WEIGHTS[:3]), r"shape \(3, 4\)"),
        (GraphTaskKernel(RBF(), laplacian=WEIGHTS), "positive semidefinite"),
        (TaskKernel(RBF(), 9, tasks=T), "task_column=9 is not a column of X"),
        (TaskKernel(RBF(), "tree", tasks=T), "names a column.*Pass a data frame, or the column's"),
        (TaskKernel(RBF(), 1.0, tasks=T), "name .* or the position .* got 1.0. Use -1 for"),
        (TaskKernel(RBF(), None, tasks=T), "name .* or the position .* got None. Use -1 for"),
        (TaskKernel(RBF(), tasks=T, rank=T + 1), r"int from 0 to .* 4, got 5. Pass rank=4 for any"),
        (TaskKernel(RBF(), tasks=T, rank=1.0), "'rank' parameter .* got 1.0. Pass rank=4"),
        (TaskKernel(RBF(), tasks=T, rank="full"), "'rank' parameter .* got 'full'"),
        (TaskKernel(RBF(), tasks=T, rank=True), "'rank' parameter .* got True"),
        (
            TaskKernel(RBF(), tasks=T, loadings=2.0),
            r"'loadings' .* \(4, 1\), got 2.0.*Leave it",
        ),
        (TaskKernel(RBF(), loadings=2.0), "has to know the tasks"),
        (TaskKernel(RBF(), tasks=T, loadings="a"), "'loadings' .* must hold numbers.*got 'a'"),
        (TaskKernel(RBF(), tasks=T, variances="a"), "'variances' .* must hold numbers.*got 'a'"),
        (TaskKernel(RBF(), tasks=T, variances=[1, 2]), "has 4 tasks.*describe 2"),
        (TaskKernel(RBF(), tasks=[0, None, 2, 3]), "'tasks' parameter.*distinct ids, got .*unique"),
        (TaskKernel(RBF(), tasks="four"), "'tasks' parameter.*got 'four'.*np.unique"),
        (MeanRegularizedTaskKernel(RBF(), tasks=2.5), "'tasks' parameter.*got 2.5"),
        (MeanRegularizedTaskKernel(RBF(), tasks=T, ridge="a"), "'ridge' .* > 0.*got 'a'. Use a"),
        (MeanRegularizedTaskKernel(RBF(), tasks=T, normalize=3), "'normalize' .* got 3. Leave it"),
        (GraphTaskKernel(RBF(), graph=np.ones(T), tasks=T), r"has shape \(4,\); it must be"),
        (GraphTaskKernel(RBF(), graph={0: 1}, tasks=T), "cannot be read as numbers.*Got dict"),
        (GraphTaskKernel(RBF(), laplacian="chain", tasks=T), "cannot be read as numbers.*'chain'"),
    ],
)
def test_errors_name_the_rule(kernel, message):
    with pytest.raises(ValueError, match=message):
        kernel(make_rows())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("rbf", r"got 'rbf'. Pass RBF\(\), or PairwiseKernel\(metric='rbf'\)"),
        (Matern, r"got the class Matern. Pass Matern\(\)"),
        (None, r"got None. Pass RBF\(\)"),
        (np.dot, r"got <function dot.*Pass RBF\(\)"),
    ],
)
@pytest.mark.parametrize("cls", [TaskKernel, MeanRegularizedTaskKernel, GraphTaskKernel])
def test_base_kernels_that_are_none(cls, given, message):
    kernel = cls(given, tasks=T, **({"graph": "chain"} if cls is GraphTaskKernel else {}))
    rule = f"'base_kernel' parameter of {cls.__name__} must be a kernel of sklearn"
    X = make_rows()
    uses = [
        lambda: kernel(X),
        lambda: kernel.diag(X),
        lambda: kernel.theta,
        lambda: kernel.bounds,
        lambda: GaussianProcessRegressor(kernel).fit(X, X[:, 0]),
        lambda: SVR(kernel=kernel).fit(X, X[:, 0]),
    ]
    for use in uses:
        with pytest.raises(ValueError, match=f"{rule}.*{message}"):
            use()
    assert cls.__name__ in repr(kernel)
    assert kernel.get_params()["base_kernel"] is given
    assert kernel.set_params(base_kernel=RBF())(X).shape == (len(X), len(X))


@pytest.mark.parametrize("bounds", ["fix", None, 3.0, (2, 1), (-1, 1), (1, 2, 3), [(1, 2)] * 3])
def test_bounds_that_are_none(bounds):
    X = make_rows()
    kernels = {
        "variances": TaskKernel(RBF(), tasks=T, variances_bounds=bounds),
        "ridge": MeanRegularizedTaskKernel(RBF(), tasks=T, ridge_bounds=bounds),
    }
    if bounds != (-1, 1):
        kernels["loadings"] = TaskKernel(RBF(), tasks=T, loadings_bounds=bounds)
    for name, kernel in kernels.items():
        with pytest.raises(ValueError, match=f"'{name}_bounds' parameter of .*got .*'fixed' to"):
            GaussianProcessRegressor(kernel).fit(X, X[:, 0])


def test_rows_that_are_none():
    X, kernel = make_rows(), KERNELS["mean"]
    scaled = X.copy()
    scaled[:, -1] /= 2
    with pytest.raises(ValueError, match=r"tasks \[0.5, 1.5\].*task_column=-1; was it scaled\?"):
        kernel(scaled)
    with pytest.raises(ValueError, match="holds missing values"):
        kernel(np.where(np.arange(4) == 3, np.nan, X))
    for rows in (X[:, 0], None, "abc"):
        with pytest.raises(ValueError, match="Expected 2D array"):
            kernel(rows)
    words = pd.DataFrame(X, columns=list("abct")).assign(a="x")
    with pytest.raises(ValueError, match=r"features in X must be numbers .*'x'.*it is -1"):
        kernel(words)


def test_a_data_frame_names_the_tasks():
    X, names = make_rows(), np.array(["ash", "elm", "fir", "oak"])
    rows = pd.DataFrame(X[:, :-1], columns=list("abc")).assign(tree=names[X[:, -1].astype(int)])
    expected = GraphTaskKernel(RBF(), graph=WEIGHTS)(X)
    graph = pd.DataFrame(WEIGHTS, names, names)
    L = np.diag(graph.sum()) - graph
    order = ["oak", "ash", "fir", "elm"]
    for kernel in (
        GraphTaskKernel(RBF(), "tree", graph=graph),
        GraphTaskKernel(RBF(), "tree", graph=graph.loc[order, names], tasks=names),
        GraphTaskKernel(RBF(), "tree", laplacian=L.loc[order, order]),
    ):
        np.testing.assert_allclose(kernel(rows), expected, rtol=1e-12)
        np.testing.assert_allclose(clone(kernel)(rows), expected, rtol=1e-12)
    plain = pd.DataFrame(WEIGHTS)
    np.testing.assert_allclose(GraphTaskKernel(RBF(), graph=plain)(X), expected, rtol=1e-12)
    with pytest.raises(ValueError, match=r"columns of 'graph'.*name unknown \['ash'"):
        GraphTaskKernel(RBF(), graph=graph, tasks=T)(X)


def test_unknown_tasks_in_predict():
    X = make_rows()
    model = SVR(kernel=KERNELS["mean"]).fit(X, X[:, 1])
    X[0, -1] = 7
    with pytest.raises(ValueError, match=r"X holds tasks \[7\] .*leave those rows out"):
        model.predict(X)
    with pytest.raises(ValueError, match=r"toarray"):
        KERNELS["mean"](sp.csr_array(make_rows()))
    with pytest.raises(ValueError, match="Y=None"):
        KERNELS["mean"](X, X, eval_gradient=True)


# With a linear base kernel


def make_linear(seed=0):
    """Unequal tasks, no intercepts."""
    made = make_related_tasks([12, 25, 8, 17], 5, T, layout="stacked", random_state=seed)
    return made.data, made.target


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


def kernel_models(kernel, lam):
    """Three estimators of scikit-learn that minimise squared errors plus lam times the norm."""
    return [
        KernelRidge(alpha=lam, kernel=kernel),
        GaussianProcessRegressor(kernel, alpha=lam, optimizer=None),
    ]


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


def test_diagonal_matrix_is_independent_tasks():
    X, y = make_linear()
    alpha = 0.4
    linear = IndependentTaskRegressor(alpha, fit_intercept=False, task_column=-1, tol=1e-12)
    expected = linear.fit(X, y).predict(X)
    kernel = TaskKernel(LINEAR, tasks=T, rank=0)
    for model in kernel_models(kernel, alpha * len(y) / T):
        np.testing.assert_allclose(model.fit(X, y).predict(X), expected, rtol=1e-6, atol=1e-6)
    strengths = np.array([0.1, 1.0, 3.0, 0.4])
    linear.set_params(alpha=strengths)
    kernel.set_params(variances=1 / strengths)
    expected = linear.fit(X, y).predict(X)
    for model in kernel_models(kernel, len(y) / T):
        np.testing.assert_allclose(model.fit(X, y).predict(X), expected, rtol=1e-6, atol=1e-6)


def test_matrix_of_ones_is_pooling():
    X, y = make_linear()
    alpha = 0.4
    linear = PooledTaskRegressor(
        alpha, task_intercepts=False, fit_intercept=False, task_column=-1, tol=1e-12
    )
    expected = linear.fit(X, y).predict(X)
    ones = TaskKernel(LINEAR, loadings=np.ones((T, 1)), variances=0, variances_bounds="fixed")
    limit = MeanRegularizedTaskKernel(LINEAR, tasks=T, ridge=1e-9)
    for kernel in (ones, limit):
        for model in kernel_models(kernel, alpha * len(y) / T):
            np.testing.assert_allclose(model.fit(X, y).predict(X), expected, rtol=1e-6, atol=1e-6)


def test_linear_svm_on_the_feature_map():
    made = make_clustered_tasks(
        20, 5, T, n_clusters=2, layout="stacked", classification=True, random_state=0
    )
    X, y, ridge = made.data, made.target, 0.2
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


# Inside scikit-learn's estimators


def make_waves(n_labels, noise=0.1, seed=0):
    """Two opposed groups of smooth tasks, correlation 0.9 within a group: train, test and B."""
    rng = np.random.default_rng(seed)
    signs = np.array([1, 1, 1, -1, -1, -1])
    B = 0.9 * np.outer(signs, signs) + 0.1 * np.eye(6)
    codes = np.concatenate([np.repeat(np.arange(6), n_labels), np.repeat(np.arange(6), 40)])
    x = rng.uniform(0, 8, (len(codes), 1))
    K = RBF(1.0)(x) * B[np.ix_(codes, codes)] + 1e-9 * np.eye(len(codes))
    f = np.linalg.cholesky(K) @ rng.standard_normal(len(codes))
    X, n = np.column_stack([x, codes]), int(np.sum(n_labels))
    return X[:n], f[:n] + noise * rng.standard_normal(n), X[n:], f[n:], B


def fit_gp(kernel, X, y, **params):
    with warnings.catch_warnings():
        # A hyperparameter at its bound: a variance of nought, or a length of many times the range.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return GaussianProcessRegressor(kernel, **params).fit(X, y)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_gaussian_process_learns_the_covariance(seed):
    X, y, X_test, f_test, truth = make_waves([30, 30, 6, 30, 6, 6], seed=seed)
    gp = fit_gp(TaskKernel(RBF(), tasks=6) + WhiteKernel(0.1), X, y)
    B = gp.kernel_.k1.task_covariance
    correlations = B / np.sqrt(np.outer(np.diag(B), np.diag(B)))
    assert (np.sign(B) == np.sign(truth)).all()
    assert np.abs(correlations - truth).mean() < 0.25
    assert 0.6 < gp.kernel_.k1.base_kernel.length_scale < 1.5

    few = [2, 4, 5]
    errors, alone = [], []
    for t in few:
        mine, test = X[:, 1] == t, X_test[:, 1] == t
        errors.append(np.mean((gp.predict(X_test[test]) - f_test[test]) ** 2))
        single = fit_gp(ConstantKernel() * RBF() + WhiteKernel(0.1), X[mine, :1], y[mine])
        alone.append(np.mean((single.predict(X_test[test, :1]) - f_test[test]) ** 2))
    assert np.mean(errors) < 0.5 * np.mean(alone)


def test_learned_optimum_is_stationary_and_beats_the_start():
    X, y, *_ = make_waves([8] * 6)
    kernel = TaskKernel(RBF(), tasks=6, random_state=3) + WhiteKernel(0.1)
    start = GaussianProcessRegressor(kernel, optimizer=None).fit(X, y)
    gp = fit_gp(kernel, X, y)
    restarted = fit_gp(kernel, X, y, n_restarts_optimizer=1, random_state=0)
    assert gp.log_marginal_likelihood_value_ > start.log_marginal_likelihood_value_ + 10
    best = restarted.log_marginal_likelihood_value_
    assert best >= gp.log_marginal_likelihood_value_ - 1e-6
    _, gradient = gp.log_marginal_likelihood(gp.kernel_.theta, eval_gradient=True)
    inside = (gp.kernel_.theta > gp.kernel_.bounds[:, 0]) & (
        gp.kernel_.theta < gp.kernel_.bounds[:, 1]
    )
    assert np.abs(gradient[inside]).max() < 0.05


def test_bounds_hold_and_are_named():
    X, y, *_ = make_waves([6] * 6)
    kernel = TaskKernel(
        RBF(1.0, "fixed"), tasks=6, loadings_bounds=(-0.2, 0.2), variances_bounds="fixed"
    )
    with pytest.warns(ConvergenceWarning, match="parameter loadings is close to the specified"):
        gp = GaussianProcessRegressor(kernel, alpha=0.1).fit(X, y)
    assert 0.19 < np.abs(gp.kernel_.loadings).max() <= 0.2 + 1e-12
    assert kernel.loadings is None and gp.kernel_.variances == 1.0


def test_gaussian_process_learns_the_ridge():
    X, y, X_test, f_test, _ = make_waves([10] * 6)
    # With the second group's sign turned all tasks are alike.
    y, f_test = y * np.where(X[:, 1] < 3, 1, -1), f_test * np.where(X_test[:, 1] < 3, 1, -1)
    gp = fit_gp(MeanRegularizedTaskKernel(RBF(), tasks=6, ridge=10.0) + WhiteKernel(0.1), X, y)
    assert gp.kernel_.k1.ridge < 0.1
    apart = MeanRegularizedTaskKernel(RBF(), tasks=6, ridge=1e5, ridge_bounds="fixed")
    independent = fit_gp(apart + WhiteKernel(0.1), X, y)
    errors = [np.mean((model.predict(X_test) - f_test) ** 2) for model in (gp, independent)]
    assert errors[0] < 0.5 * errors[1]


def test_noise_of_each_task():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.uniform(0, 6, 160), np.repeat([0, 1], 80)])
    y = np.sin(X[:, 0]) + np.where(X[:, 1] == 0, 0.05, 0.5) * rng.standard_normal(160)
    noise = TaskKernel(WhiteKernel(1.0, "fixed"), tasks=2, rank=0, variances=0.1)
    gp = fit_gp(TaskKernel(RBF(), tasks=2) + noise, X, y)
    np.testing.assert_allclose(gp.kernel_.k2.variances, [0.05**2, 0.5**2], rtol=0.5)


def test_gaussian_process_classifier():
    X, y, X_test, f_test, truth = make_waves([15] * 6)
    labels = np.where(y > 0, "up", "down")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        gp = GaussianProcessClassifier(TaskKernel(RBF(), tasks=6)).fit(X, labels)
    assert gp.score(X_test, np.where(f_test > 0, "up", "down")) > 0.85
    B = gp.kernel_.task_covariance
    assert (np.sign(B) == np.sign(truth)).all()


def test_grid_search_of_an_svm_reaches_the_ridge():
    made = make_clustered_tasks(
        12, 8, 10, n_clusters=1, layout="stacked", classification=True, random_state=0
    )
    kernel = MeanRegularizedTaskKernel(RBF(4.0), tasks=10)
    search = GridSearchCV(
        make_pipeline(TaskTransformer(StandardScaler(), task_column=-1), SVC(kernel=kernel)),
        {"svc__kernel__ridge": [1e-2, 1e4], "svc__kernel__base_kernel__length_scale": [4.0]},
        cv=StratifiedTaskKFold(3, task_column=-1, random_state=0),
    ).fit(made.data, made.target)
    assert search.best_params_["svc__kernel__ridge"] == 1e-2
    assert search.cv_results_["mean_test_score"].min() > 0.5
    assert kernel.ridge == 1.0
