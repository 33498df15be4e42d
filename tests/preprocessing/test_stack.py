"""stack_tasks and its inverse."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from skmtl.design import split_task_column
from skmtl.preprocessing import stack_tasks

RNG = np.random.default_rng(0)
FEATURES = RNG.standard_normal((12, 3)) * [1.0, 10.0, 0.1] + [0.0, 5.0, -2.0]
Y = RNG.standard_normal(12)


def test_stack_arrays() -> None:
    parts = [FEATURES[:4], FEATURES[4:5], FEATURES[5:]]
    X, y = stack_tasks(parts, [Y[:4], Y[4:5], Y[5:]])
    np.testing.assert_array_equal(X, np.column_stack([FEATURES, np.repeat([0, 1, 2], [4, 1, 7])]))
    np.testing.assert_array_equal(y, Y)
    assert X.dtype == np.float64
    X, y = stack_tasks(parts, [Y[:4, None], Y[4:5, None], Y[5:, None]], names=[30, 10, 20])
    np.testing.assert_array_equal(X[:, -1], np.repeat([30, 10, 20], [4, 1, 7]))
    np.testing.assert_array_equal(y, Y)


@given(sizes=st.lists(st.integers(1, 4), min_size=1, max_size=5))
def test_stack_and_split_are_inverse(sizes: list[int]) -> None:
    rng = np.random.default_rng(sum(sizes))
    Xs = [rng.standard_normal((n, 2)) for n in sizes]
    ys = [rng.standard_normal(n) for n in sizes]
    X, y = stack_tasks(Xs, ys)
    features, ids = split_task_column(X, -1)
    for k in range(len(sizes)):
        np.testing.assert_array_equal(features[ids == k], Xs[k])
        np.testing.assert_array_equal(y[ids == k], ys[k])


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [(np.float32, np.float32), (np.float64, np.float64), (np.int64, np.float64), (bool, float)],
)
def test_stack_dtypes(dtype: Any, expected: Any) -> None:
    parts = [np.ones((2, 2), dtype), np.zeros((1, 2), dtype)]
    assert stack_tasks(parts, [[1, 2], [3]])[0].dtype == expected
    X = stack_tasks([sp.csc_array(part) for part in parts], [[1, 2], [3]])[0]
    assert X.dtype == expected
    assert X.format == "csr"


def test_stack_keeps_float32_only_if_it_holds_the_ids() -> None:
    parts = [np.ones((1, 2), np.float32)] * 2
    X, _ = stack_tasks(parts, [[1], [2]], names=[2**24 + 1, 2**24 + 2])
    assert X.dtype == np.float64
    assert X[:, -1].tolist() == [2**24 + 1, 2**24 + 2]


def test_stack_strings() -> None:
    X, y = stack_tasks([FEATURES[:2], FEATURES[2:3]], [["yes", "no"], ["no"]], names=["b", "a"])
    assert X.dtype == object
    assert X[:, -1].tolist() == ["b", "b", "a"]
    np.testing.assert_array_equal(X[:, :-1].astype(float), FEATURES[:3])
    assert y.tolist() == ["yes", "no", "no"]


@pytest.mark.parametrize("to_sparse", [sp.csr_matrix, sp.csc_array])
def test_stack_sparse(to_sparse: Callable[..., Any]) -> None:
    X, _ = stack_tasks([to_sparse(np.eye(2)), to_sparse(np.ones((1, 2)))], [[1, 2], [3]])
    assert X.format == "csr"
    np.testing.assert_array_equal(X.toarray(), [[1, 0, 0], [0, 1, 0], [1, 1, 1]])


def test_stack_pandas() -> None:
    first = pd.DataFrame({"a": [1, 2], "kind": ["u", "v"]}, index=[7, 8])
    second = pd.DataFrame({"kind": ["w"], "a": [0.5]})
    X, y = stack_tasks([first, second], [pd.Series([1, 2]), pd.Series([3])], names=["n", "s"])
    assert list(X.columns) == ["a", "kind", "task"]
    assert X["a"].tolist() == [1, 2, 0.5]
    assert X["kind"].tolist() == ["u", "v", "w"]
    assert X["task"].tolist() == ["n", "n", "s"]
    assert X.index.tolist() == [0, 1, 2]
    assert y.tolist() == [1, 2, 3]
    assert stack_tasks([first, second], [[1, 2], [3]])[0]["task"].tolist() == [0, 0, 1]


def test_stack_polars() -> None:
    first = pl.DataFrame({"a": [1, 2], "b": [3, 4]})
    second = pl.DataFrame({"b": [0.5], "a": [7]})
    X, y = stack_tasks([first, second], [pl.Series([1, 2]), [3]], names=["n", "s"])
    assert isinstance(X, pl.DataFrame)
    assert X.columns == ["a", "b", "task"]
    assert X.rows() == [(1, 3.0, "n"), (2, 4.0, "n"), (7, 0.5, "s")]
    assert y.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("Xs", "ys", "names", "message"),
    [
        ([np.eye(2)] * 2, [[1, 2]], None, "got 2 in Xs, 1 in ys"),
        ([np.eye(2)], [[1, 2]], ["a", "b"], "got 1 in Xs, 1 in ys and 2 in names"),
        ([], [], None, "Xs is empty"),
        ([np.eye(2), np.eye(3)], [[1, 2], [1, 2, 3]], ["a", "b"], r"Xs\[1\] \(task 'b'\) has 3 f"),
        ([np.eye(2)] * 2, [[1, 2], [1]], None, r"Xs\[1\] \(task 1\) has 2 rows, but 1 labels"),
        ([np.eye(2)] * 2, [[1, 2], np.eye(2)], None, r"labels of Xs\[1\] \(task 1\) must be 1-D"),
        ([np.eye(2), np.ones(2)], [[1, 2]] * 2, None, r"Xs\[1\] \(task 1\) must be 2-D"),
        ([np.eye(2), np.ones((0, 2))], [[1, 2], []], None, r"Xs\[1\] \(task 1\) has no rows"),
        ([np.eye(2)] * 3, [[1, 2]] * 3, ["a", "b", "a"], r"\['a'\] repeat"),
        ([np.eye(2)] * 2, [[1, 2]] * 2, [1, 1.0], r"\[1\] repeat"),
        ([np.eye(2)] * 2, [[1, 2]] * 2, ["1", 1], "mixes strings and numbers"),
        (
            [sp.csr_matrix(np.eye(2))] * 2,
            [[1, 2]] * 2,
            ["a", "b"],
            "cannot hold task ids such as 'a'",
        ),
        ([np.eye(2), sp.csr_matrix(np.eye(2))], [[1, 2]] * 2, None, "Xs mixes csr_matrix, ndarray"),
        (
            [pd.DataFrame({"a": [1]}), pd.DataFrame({"b": [1]})],
            [[1], [1]],
            ["n", "s"],
            r"\(task 's'\) has the columns \['b'\], but Xs\[0\] \(task 'n'\) has \['a'\]",
        ),
        ([pd.DataFrame({"task": [1]})], [[1]], None, "already have a column 'task'"),
    ],
)
def test_stack_errors(Xs: Any, ys: Any, names: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        stack_tasks(Xs, ys, names)
