"""Task kernels with each form of their arguments: repr, equality, copies, use in scikit-learn."""

import copy
import pickle
import warnings
from itertools import combinations

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from kernel_problems import KAPPA, LOADINGS, WEIGHTS
from sklearn.base import clone
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, CompoundKernel, WhiteKernel
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr

from skmtl.kernels import GraphTaskKernel, MeanRegularizedTaskKernel, TaskKernel

IDS = ["ash", "elm", "fir", "oak"]
LAPLACIAN = np.diag(WEIGHTS.sum(axis=1)) - WEIGHTS
FRAME = pd.DataFrame(WEIGHTS, IDS, IDS)


# Each makes a new kernel, so that equality does not rest on identity.
FORMS = {
    "pairs": lambda: GraphTaskKernel(RBF(), graph=[(0, 1), (1, 2)], tasks=4),
    "pairs, lists": lambda: GraphTaskKernel(RBF(), graph=[[0, 1], [1, 3]], tasks=4),
    "triples": lambda: GraphTaskKernel(RBF(), graph=[(0, 1, 0.5), (2, 3, 1.0)], tasks=4),
    "both": lambda: GraphTaskKernel(RBF(), graph=[(0, 1), (2, 3, 0.5)], tasks=4),
    "both, a tuple": lambda: GraphTaskKernel(RBF(), graph=((0, 1, 0.5), (2, 3)), tasks=4),
    "both, named": lambda: GraphTaskKernel(
        RBF(), graph=[("ash", "elm"), ("fir", "oak", 0.5)], tasks=IDS
    ),
    "both, many": lambda: GraphTaskKernel(
        RBF(), graph=[e if sum(e) % 2 else (*e, 0.5) for e in combinations(range(9), 2)], tasks=9
    ),
    "no edge": lambda: GraphTaskKernel(RBF(), graph=[], tasks=4),
    "chain": lambda: GraphTaskKernel(RBF(), graph="chain", tasks=4),
    "array": lambda: GraphTaskKernel(RBF(), graph=WEIGHTS.copy()),
    "rows": lambda: GraphTaskKernel(RBF(), graph="chain", tasks=range(3)),
    "sparse array": lambda: GraphTaskKernel(RBF(), graph=sp.csr_array(2 * WEIGHTS)),
    "sparse matrix": lambda: GraphTaskKernel(RBF(), graph=sp.csc_matrix(3 * WEIGHTS)),
    "frame": lambda: GraphTaskKernel(RBF(), graph=FRAME.copy()),
    "frame, other names": lambda: GraphTaskKernel(
        RBF(), graph=FRAME.rename(index={"ash": "yew"}, columns={"ash": "yew"})
    ),
    "polars": lambda: GraphTaskKernel(RBF(), graph=pl.DataFrame(4 * WEIGHTS, schema=IDS)),
    "laplacian": lambda: GraphTaskKernel(RBF(), laplacian=LAPLACIAN.copy()),
    "sparse laplacian": lambda: GraphTaskKernel(RBF(), laplacian=sp.coo_array(2 * LAPLACIAN)),
    "laplacian frame": lambda: GraphTaskKernel(RBF(), laplacian=pd.DataFrame(LAPLACIAN, IDS, IDS)),
    "ids": lambda: MeanRegularizedTaskKernel(RBF(), tasks=IDS),
    "ids, series": lambda: MeanRegularizedTaskKernel(RBF(), tasks=pd.Series(["a", "b", "c"])),
    "ids, polars": lambda: MeanRegularizedTaskKernel(RBF(), tasks=pl.Series(["a", "b"])),
    "ids, objects": lambda: MeanRegularizedTaskKernel(RBF(), tasks=np.array(["x", "y"], object)),
    "ids, categories": lambda: MeanRegularizedTaskKernel(RBF(), tasks=pd.Categorical(["p", "q"])),
    "lists": lambda: TaskKernel(
        RBF(), rank=2, loadings=LOADINGS.tolist(), variances=KAPPA.tolist()
    ),
    "arrays": lambda: TaskKernel(RBF(), rank=2, loadings=2 * LOADINGS, variances=KAPPA.copy()),
    "series": lambda: TaskKernel(RBF(), tasks=4, variances=pd.Series(KAPPA)),
    "bounds of each": lambda: TaskKernel(
        RBF(), tasks=4, loadings_bounds=[[-1, 1]] * 4, variances_bounds=np.array([[0.1, 2]] * 4)
    ),
}
form = pytest.mark.parametrize("name", FORMS)


@form
def test_text_and_copies(name):
    kernel = FORMS[name]()
    assert repr(kernel) == repr(FORMS[name]()) == str(kernel)
    assert "\n" not in repr(kernel) and len(repr(kernel)) < 300
    assert repr(kernel + WhiteKernel()) == f"{kernel!r} + WhiteKernel(noise_level=1)"
    for copied in (clone(kernel), copy.deepcopy(kernel), pickle.loads(pickle.dumps(kernel))):
        assert copied == kernel and copied is not kernel
        np.testing.assert_array_equal(copied.task_covariance, kernel.task_covariance)


@form
def test_equal_only_to_the_same(name):
    kernel = FORMS[name]()
    assert kernel != RBF() and kernel + WhiteKernel() == FORMS[name]() + WhiteKernel()
    assert CompoundKernel([kernel, kernel]) == CompoundKernel([FORMS[name](), kernel])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [other for other in FORMS if FORMS[other]() == kernel] == [name]


@form
def test_theta_round_trip_with_each_form(name):
    kernel = FORMS[name]()
    moved = kernel.clone_with_theta(kernel.theta + 0.1)
    np.testing.assert_allclose(moved.theta, kernel.theta + 0.1)
    assert moved != kernel and moved.clone_with_theta(kernel.theta).bounds.shape[1] == 2


@pytest.mark.turns(2)
@form
def test_printed_within_scikit_learn(name):
    kernel = FORMS[name]() + WhiteKernel(0.1)
    for model in (GaussianProcessRegressor(kernel), KernelRidge(kernel=kernel)):
        pipeline = make_pipeline(StandardScaler(), model)
        for estimator in (model, pipeline):
            assert type(FORMS[name]()).__name__ in repr(estimator)
            assert "sk-top-container" in estimator_html_repr(estimator)


def test_edges_are_fitted_printed_and_searched():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=(40, 2)), np.tile(np.arange(4), 10)])
    y = X[:, 0] * (X[:, 2] + 1) + 0.1 * rng.normal(size=40)
    edges = [(0, 1), (2, 3, 0.5)]
    as_matrix = np.zeros((4, 4))
    as_matrix[[0, 1], [1, 0]], as_matrix[[2, 3], [3, 2]] = 1.0, 0.5
    models = [
        GaussianProcessRegressor(
            GraphTaskKernel(RBF(), graph=graph, tasks=4) + WhiteKernel(0.1), optimizer=None
        )
        for graph in (edges, as_matrix)
    ]
    by_edges, by_matrix = (model.fit(X, y) for model in models)
    assert "graph=[(0, 1), (2, 3, 0.5)]" in repr(by_edges.kernel_)
    np.testing.assert_allclose(by_edges.predict(X), by_matrix.predict(X))

    kernel = GraphTaskKernel(RBF(), graph=edges, tasks=4)
    grid = {"kernel__graph": [edges, [(0, 1)], "chain"], "kernel__ridge": [0.1, 1.0]}
    search = GridSearchCV(KernelRidge(kernel=kernel), grid, cv=2, error_score="raise").fit(X, y)
    assert "graph=[(0, 1), (2, 3, 0.5)]" in repr(search)
    assert search.best_params_["kernel__graph"] in grid["kernel__graph"]
