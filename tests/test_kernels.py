"""Kernels against plain NumPy."""

import numpy as np
import pytest

from skmtl import _kernels


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_task_products(dtype):
    rng = np.random.default_rng(0)
    counts = np.array([3, 1, 7, 2])
    starts = np.concatenate([[0], np.cumsum(counts)])
    X = rng.normal(size=(13, 5)).astype(dtype)
    weights = rng.normal(size=(4, 5)).astype(dtype)
    u = rng.normal(size=13).astype(dtype)
    task = np.repeat(np.arange(4), counts)

    out = np.empty(13, dtype=dtype)
    _kernels.multiply_tasks(X, starts, weights, out)
    np.testing.assert_allclose(out, (X * weights[task]).sum(axis=1), rtol=1e-5)

    sums = np.empty((4, 5), dtype=dtype)
    _kernels.multiply_tasks_transposed(X, starts, u, sums)
    expected = np.zeros((4, 5))
    np.add.at(expected, task, X.astype(float) * u[:, None])
    np.testing.assert_allclose(sums, expected, rtol=1e-4, atol=1e-5)
