"""Kernels against plain NumPy."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import lsq_linear

import skmtl
from skmtl._numerics import kernels


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
    kernels.multiply_tasks(X, starts, weights, out)
    np.testing.assert_allclose(out, (X * weights[task]).sum(axis=1), rtol=1e-5)

    sums = np.empty((4, 5), dtype=dtype)
    kernels.multiply_tasks_transposed(X, starts, u, sums)
    expected = np.zeros((4, 5))
    np.add.at(expected, task, X.astype(float) * u[:, None])
    np.testing.assert_allclose(sums, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_rows_with_an_entry(dtype):
    W = np.zeros((5, 300), dtype=dtype)
    W[1, -1], W[2], W[3, 0], W[4, 7] = 1e-30, -1.0, np.nan, -0.0
    assert kernels.find_rows(W).tolist() == [False, True, True, True, False]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_chains(dtype):
    rng = np.random.default_rng(0)
    W = rng.normal(size=(6, 9)).astype(dtype)
    W[1] = np.round(W[1])
    W[2] = 1.0
    variation, entry = np.array([0.3, 0.5, 1.0, 0.0, 2.0, 0.1]), np.linspace(0, 0.3, 6)
    group = np.linspace(1.0, 0, 6)
    # The dual of the total variation: |y - D'u|^2 with u in a box.
    differences = np.diff(np.eye(9), axis=0)
    expected = np.empty((6, 9))
    for j in range(6):
        row = W[j].astype(float)
        if variation[j] > 0:
            box = (-variation[j], variation[j])
            row = row - differences.T @ lsq_linear(differences.T, row, box, tol=1e-14).x
        row = np.sign(row) * np.maximum(np.abs(row) - entry[j], 0)
        expected[j] = row * max(1 - group[j] / max(np.linalg.norm(row), 1e-300), 0)
    alone = np.empty(6)
    kernels.exceed_chains(W.astype(float), 1.0, 0.5, 0.1, 0.2, alone)
    out = W.copy()
    kernels.shrink_chains(out, variation, entry, group)
    np.testing.assert_allclose(out, expected, atol=1e-6)

    full = W.astype(float)
    kernels.shrink_chains(full, np.full(6, 0.5), np.full(6, 0.1), np.full(6, 0.2))
    np.testing.assert_allclose(np.maximum(alone, 0), np.linalg.norm(full, axis=1), atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_trees(dtype):
    # {0, 1} and {2} in {0, 1, 2}; {4} in {3, 4}.
    groups = [[2], [4], [0, 1], [3, 4], [0, 1, 2]]
    parents, owners = np.array([4, 3, 4, -1, -1]), np.array([2, 2, 0, 3, 1])
    weights = np.array([0.2, 1.0, 0.5, 0.3, 0.4])
    rng = np.random.default_rng(0)
    W = rng.normal(size=(7, 5)).astype(dtype)
    W[0] = 0
    steps = np.linspace(0, 2, 7)

    values, bounds = np.empty(7), np.empty(7)
    kernels.measure_trees(W, parents, owners, weights, values, bounds)
    lengths = np.stack([np.linalg.norm(W[:, group], axis=1) for group in groups], axis=1)
    np.testing.assert_allclose(values, lengths @ weights, rtol=1e-6)
    np.testing.assert_allclose(bounds, (lengths / weights)[:, 3:].max(axis=1), rtol=1e-6)

    expected = W.astype(float)
    for group, weight in zip(groups, weights, strict=True):
        size = np.maximum(np.linalg.norm(expected[:, group], axis=1), 1e-300)
        expected[:, group] *= np.maximum(1 - steps * weight / size, 0)[:, None]
    out = W.copy()
    kernels.shrink_trees(out, steps, parents, owners, weights)
    np.testing.assert_allclose(out, expected, atol=1e-6)

    left = np.empty(7)
    kernels.exceed_trees(W.astype(float), 0.8, parents, owners, weights, left)
    full = W.astype(float)
    kernels.shrink_trees(full, np.full(7, 0.8), parents, owners, weights)
    sizes = [np.linalg.norm(full[:, group], axis=1) for group in groups[3:]]
    np.testing.assert_allclose(np.maximum(left, 0), np.max(sizes, axis=0), atol=1e-12)


@pytest.mark.parametrize(("n_rows", "limit"), [(4, 0.01), (4, 0.2), (30, 0.05), (30, 2.0)])
def test_covariance_rows(n_rows, limit):
    rng = np.random.default_rng(0)
    W = rng.normal(size=(n_rows, 7))
    S = W.T @ W / n_rows + 0.01 * np.eye(7)
    S /= np.sqrt(np.outer(np.diag(S), np.diag(S)))
    limits = limit * rng.uniform(0.5, 1, (7, 7))
    limits = (limits + limits.T) / 2
    np.fill_diagonal(limits, 0)
    expected, C, B = S.copy(), S.copy(), rng.normal(size=(7, 7))
    for _ in range(3):
        assert kernels.sweep_covariance(S, limits, C, B) == 0
        for j in range(7):
            # log det C falls with c' H^-1 c, where c is row j and H are the other rows.
            others = np.arange(7) != j
            inverse = np.linalg.inv(np.linalg.cholesky(expected[np.ix_(others, others)]))
            s, width = S[j, others], limits[j, others]
            row = lsq_linear(inverse, np.zeros(6), (s - width, s + width), tol=1e-14).x
            expected[j, others] = expected[others, j] = row
        np.testing.assert_allclose(C, expected, atol=1e-6)
    # The coefficients are zero where the row is strictly within the limits.
    assert (np.diag(B) == 0).all()
    assert (np.sign(S - C)[-1] == np.sign(B)[-1])[B[-1] != 0].all()
    assert (np.abs(S - C)[-1] >= limits[-1] - 1e-12)[B[-1] != 0].all()


NOWHERE = """
import warnings
from numba.core import caching
found = {value for value in vars(caching).values() if isinstance(value, type)}
for locator in found:
    if issubclass(locator, caching._CacheLocator):
        locator.from_function = classmethod(lambda cls, function, file: None)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import skmtl
print([str(w.message) for w in caught if "skmtl" in str(w.message)])
import numpy as np
taken = np.empty((1, 1, 1))
skmtl._numerics.kernels.take_grams(np.array([[[1.0, 0.0], [2.0, 3.0]]]), np.array([1]), taken)
print(taken.tolist())
"""


PACKAGE = Path(skmtl.__file__).parent


def run_python(code):
    """Run code in a new process with compilation; return the lines it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(PACKAGE.parent), "NUMBA_DISABLE_JIT": "0"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


@pytest.mark.slow
def test_without_a_folder_to_write_to_one_warning_says_what_to_do():
    messages, taken = map(ast.literal_eval, run_python(NOWHERE))
    assert len(messages) == 1
    assert "NUMBA_CACHE_DIR" in messages[0]
    # It is compiled nevertheless.
    assert taken == [[[3.0]]]


def test_rows_at_the_edge_of_their_threshold():
    """A row whose norm exceeds the threshold by rounding is (almost) zero, whatever it was."""
    rng = np.random.default_rng(0)
    for steps in range(6):
        for _ in range(50):
            bends = rng.uniform(0.1, 3.0, size=(1, 3))
            slopes, start = rng.normal(size=3), rng.normal(size=(1, 3))
            group = np.linalg.norm(slopes) * (1 - steps * np.finfo(float).eps)
            grams, scales = bends[:, :, None].copy(), np.ones(3)
            H = (slopes - bends[0] * start[0])[:, None].copy()  # slopes where the row is zero
            strengths = np.zeros(3), np.zeros(1), np.array([group]), False
            kernels.sweep_task_rows(grams, scales, bends, strengths, start, H, 5)
            np.testing.assert_allclose(start, 0.0, atol=1e-6)
