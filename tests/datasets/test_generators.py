"""Simulated data with known truth: laws of all simulations, and tasks with common features."""

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skmtl import datasets
from skmtl.datasets import make_block_sparse

SIMULATIONS = [
    getattr(datasets, name)
    for name in datasets.__all__
    if name.startswith("make_") and name != "make_funnel"  # stages, not tasks in two layouts
]
each_simulation = pytest.mark.parametrize("make", SIMULATIONS)

# --- all simulations ------------------------------------------------------------------------------


def assert_same(first: Any, second: Any) -> None:
    if isinstance(first, list | int):
        assert first == second
    else:
        np.testing.assert_array_equal(first, second)


@each_simulation
def test_layouts_agree(make: Any) -> None:
    parameters = dict(
        n_features=14, n_tasks=4, noise=0.0, bias=[1.0, 2.0, 3.0, 4.0], random_state=5
    )
    shared = make(9, **parameters)
    stacked = make([9, 2, 3, 1], layout="stacked", **parameters)
    assert (shared.data.shape, shared.target.shape) == ((9, 14), (9, 4))
    assert (stacked.data.shape, stacked.target.shape) == ((15, 15), (15,))
    for name in set(shared) - {"data", "target"}:
        assert_same(shared[name], stacked[name])
    np.testing.assert_array_equal(shared.tasks, np.arange(4))
    np.testing.assert_array_equal(shared.intercept, parameters["bias"])
    np.testing.assert_allclose(shared.target, shared.data @ shared.coef.T + shared.intercept)
    ids = stacked.data[:, -1].astype(int)
    np.testing.assert_array_equal(ids, np.repeat(np.arange(4), [9, 2, 3, 1]))
    scores = stacked.data[:, :-1] @ shared.coef.T + shared.intercept
    np.testing.assert_allclose(stacked.target, scores[np.arange(15), ids])


@each_simulation
def test_noise_classes_and_missing_labels(make: Any) -> None:
    parameters = dict(n_samples=2000, random_state=0)
    scores = make(**parameters, noise=2.0)
    residual = scores.target - scores.data @ scores.coef.T
    np.testing.assert_allclose(residual.std(axis=0), 2.0, rtol=0.1)
    labels = make(**parameters, noise=2.0, classification=True).target
    assert labels.dtype == np.int64
    np.testing.assert_array_equal(labels, scores.target > 0)
    hidden = make(**parameters, noise=2.0, missing=0.3).target
    assert np.isnan(hidden).mean() == pytest.approx(0.3, abs=1e-4)
    np.testing.assert_array_equal(hidden[~np.isnan(hidden)], scores.target[~np.isnan(hidden)])


@each_simulation
def test_seed_and_documented_truth(make: Any) -> None:
    first, again = (make(random_state=3) for _ in range(2))
    assert set(first) == set(again)
    for name in first:
        assert_same(first[name], again[name])
        assert f"``{name}``" in make.__doc__
    assert not re.search(r"(?m)^ *\{\w+\}$", make.__doc__)  # all placeholders are replaced
    assert (first.coef != make(random_state=4).coef).any()
    generator = np.random.RandomState(3)
    np.testing.assert_array_equal(first.target, make(random_state=generator).target)


# --- common features ------------------------------------------------------------------------------


def test_shared_truth() -> None:
    bunch = make_block_sparse(40, 12, 4, n_informative=3, noise=0.0, bias=2.5, random_state=0)
    assert bunch.data.shape == (40, 12)
    assert bunch.coef.shape == (4, 12)
    assert bunch.support.dtype == bool
    assert bunch.support.sum() == 3
    np.testing.assert_array_equal((bunch.coef != 0).any(axis=0), bunch.support)
    np.testing.assert_array_equal(bunch.intercept, np.full(4, 2.5))
    np.testing.assert_array_equal(bunch.tasks, np.arange(4))
    np.testing.assert_allclose(bunch.target, bunch.data @ bunch.coef.T + bunch.intercept)


def test_stacked_truth() -> None:
    sizes = [3, 7, 5]
    bias = [1.0, -2.0, 0.0]
    bunch = make_block_sparse(
        sizes, 6, 3, n_informative=2, noise=0.0, bias=bias, layout="stacked", random_state=0
    )
    assert bunch.data.shape == (15, 7)
    ids = bunch.data[:, -1].astype(int)
    np.testing.assert_array_equal(ids, np.repeat(np.arange(3), sizes))
    scores = bunch.data[:, :-1] @ bunch.coef.T + bunch.intercept
    np.testing.assert_allclose(bunch.target, scores[np.arange(15), ids])
    assert make_block_sparse(5, 6, 3, layout="stacked").data.shape == (15, 7)


def test_features_are_correlated_as_stated() -> None:
    X = make_block_sparse(20_000, 6, 1, correlation=0.7, random_state=0).data
    apart = np.abs(np.subtract.outer(np.arange(6), np.arange(6)))
    np.testing.assert_allclose(np.cov(X, rowvar=False), 0.7**apart, atol=0.04)


@pytest.mark.parametrize("layout", ["shared", "stacked"])
def test_classification(layout: Any) -> None:
    parameters = dict(n_samples=50, n_features=8, n_tasks=3, layout=layout, random_state=0)
    labels = make_block_sparse(**parameters, classification=True).target
    scores = make_block_sparse(**parameters).target
    assert labels.dtype == np.int64
    np.testing.assert_array_equal(labels, scores > 0)


@given(
    n=st.integers(1, 12),
    n_tasks=st.integers(1, 5),
    missing=st.floats(0.0, 0.99),
    classification=st.booleans(),
)
def test_missing(n: int, n_tasks: int, missing: float, classification: bool) -> None:
    Y = make_block_sparse(
        n, 6, n_tasks, missing=missing, classification=classification, random_state=0
    ).target
    kept = (~np.isnan(Y)).sum(axis=0)
    assert (kept >= min(2, n)).all()
    assert np.isnan(Y).sum() == min(round(missing * Y.size), max(n - 2, 0) * n_tasks)
    if classification:
        assert set(np.unique(Y[~np.isnan(Y)])) <= {0, 1}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (dict(layout="wide"), "'layout' parameter of make_block_sparse must be"),
        (dict(missing=1.0), "'missing' parameter"),
        (dict(correlation=1.0), "'correlation' parameter"),
        (dict(noise=-1.0), "'noise' parameter"),
        (dict(n_tasks=0), "'n_tasks' parameter"),
        (dict(n_features=4, n_informative=5), "n_informative=5 exceeds n_features=4"),
        (dict(missing=0.1, layout="stacked"), "missing needs layout='shared'"),
        (dict(n_samples=[5, 5], n_tasks=2), "n_samples must be one number"),
        (dict(n_samples=[5, 5], n_tasks=3, layout="stacked"), r"n_samples .*\(3,\), got .*\(2,\)"),
        (dict(n_samples=[5, 0], n_tasks=2, layout="stacked"), r"at least 1, got \[5, 0\]"),
        (dict(n_samples=[5, 1.5], n_tasks=2, layout="stacked"), "must hold integers"),
        (dict(bias=[1.0, 2.0]), r"bias .*\(10,\), got .*\(2,\)"),
    ],
)
def test_generator_errors(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_block_sparse(**parameters)
