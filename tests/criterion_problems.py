"""Small tasks of either layout, for degrees of freedom and information criteria."""

import numpy as np


def made(n=10, d=5, n_tasks=3, stacked=False, seed=0):
    rng = np.random.default_rng(seed)
    W = rng.normal(size=(d, n_tasks))
    W[d // 2 :] = 0
    if not stacked:
        X = rng.normal(size=(n, d))
        return X, X @ W + rng.normal(size=(n, n_tasks)) + 3
    tasks = rng.permutation(np.repeat(np.arange(n_tasks), n))
    X = rng.normal(size=(len(tasks), d)) + tasks[:, None]
    y = np.einsum("ij,ji->i", X, W[:, tasks]) + rng.normal(size=len(tasks))
    return np.column_stack([X, tasks]), y
