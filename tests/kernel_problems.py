"""Shared by tests of kernels: graphs, loadings, rows of tasks, and models with kernels."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, DotProduct
from sklearn.kernel_ridge import KernelRidge

from skmtl.datasets import make_related_tasks

T = 4
LINEAR = DotProduct(0.0, "fixed")
WEIGHTS = np.array([[0, 2, 0, 0.5], [2, 0, 1, 0], [0, 1, 0, 3], [0.5, 0, 3, 0]])
LOADINGS = np.array([[1.0, -0.3], [0.4, 0.8], [-0.7, 0.2], [0.1, -1.1]])
KAPPA = np.array([0.3, 0.05, 1.2, 0.7])


def make_rows(n=17, seed=0, d=3):
    """Rows whose first column holds ids 0, 1, 2 (for the nested kernel), the last those of T."""
    rng = np.random.default_rng(seed)
    return np.column_stack(
        [np.arange(n) % 3, rng.standard_normal((n, d - 1)), rng.permutation(np.arange(n) % T)]
    )


def make_linear(seed=0):
    """Unequal tasks, no intercepts."""
    dataset = make_related_tasks([12, 25, 8, 17], 5, T, layout="stacked", random_state=seed)
    return dataset.data, dataset.target


def kernel_models(kernel, lam):
    """Two estimators of scikit-learn that minimise squared errors plus lam times the norm."""
    return [
        KernelRidge(alpha=lam, kernel=kernel),
        GaussianProcessRegressor(kernel, alpha=lam, optimizer=None),
    ]


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
        # A hyperparameter at its bound: zero variance, or a length scale far above the range.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return GaussianProcessRegressor(kernel, **params).fit(X, y)
