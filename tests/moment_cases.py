"""Data whose squared loss can be computed from moments."""

import numpy as np

N_TASKS, N_FEATURES = 4, 6

# Layout, weighted, offset of features and labels, precision.
CASES = [
    ("shared", False, 0.0, np.float64),
    ("shared", True, 0.0, np.float64),
    ("shared", True, 1e6, np.float64),
    ("masked", False, 0.0, np.float64),
    ("masked", True, 1e6, np.float64),
    ("labels", True, 0.0, np.float64),
    ("stacked", False, 0.0, np.float64),
    ("stacked", True, 0.0, np.float64),
    ("stacked", True, 1e6, np.float64),
    ("shared", True, 0.0, np.float32),
    ("stacked", True, 0.0, np.float32),
]


def make(layout, weighted, offset=0.0, dtype=np.float64, *, seed=0, n_tasks=N_TASKS):
    """X, y, weights and the estimator's task_column."""
    rng = np.random.default_rng(seed)
    n = 90
    X = rng.standard_normal((n, N_FEATURES)) * [1, 3, 0.2, 1, 1, 2]
    W = rng.standard_normal((N_FEATURES, n_tasks)) * (rng.random((N_FEATURES, 1)) < 0.7)
    Y = X @ W + rng.standard_normal((n, n_tasks)) + offset
    X = X + offset
    if layout == "stacked":
        task = rng.integers(0, n_tasks, n)
        y = Y[np.arange(n), task]
        X = np.column_stack([X, task]).astype(dtype)
        return X, y, rng.uniform(0.2, 2, n) if weighted else None, -1
    if layout == "masked":
        Y[rng.random(Y.shape) < 0.3] = np.nan
    weights = rng.uniform(0.2, 2, Y.shape if layout == "labels" else n) if weighted else None
    return X.astype(dtype), Y, weights, None
