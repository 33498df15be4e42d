"""Shared by tests of kernels: graphs, loadings, rows of tasks."""

import numpy as np
from sklearn.gaussian_process.kernels import DotProduct

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
    made = make_related_tasks([12, 25, 8, 17], 5, T, layout="stacked", random_state=seed)
    return made.data, made.target
