"""All task kernels: entries, gradients, scikit-learn's contract, errors."""

import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from kernel_problems import KAPPA, LINEAR, LOADINGS, WEIGHTS, T, make_rows
from sklearn.base import clone
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, DotProduct, Matern, WhiteKernel
from sklearn.svm import SVR

from skmtl.kernels import GraphTaskKernel, MeanRegularizedTaskKernel, TaskKernel

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


def test_theta_round_trip(kernel):
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
def test_invalid_base_kernels(cls, given, message):
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
def test_invalid_bounds(bounds):
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


def test_invalid_rows():
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
