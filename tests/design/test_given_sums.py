"""Statistics from given sums: they equal those of the rows, and impossible sums are refused."""

import numpy as np
import pytest

from skmtl import BlockSparseRegressor
from skmtl.design import TaskStatistics, statistics_from_sums


def sums_of(statistics):
    parts = [statistics.scatter(task) for task in statistics.tasks_.tolist()]
    xx, xy, yy = (np.array(part) for part in zip(*parts, strict=True))
    return {
        "counts": statistics.label_counts_,
        "weight_sums": statistics.weight_sums_,
        "x_means": statistics.x_means_,
        "y_means": statistics.y_means_,
        "xx": xx,
        "xy": xy,
        "yy": yy,
        "tasks": statistics.tasks_,
    }


@pytest.fixture
def stacked(n=80, d=3):
    rng = np.random.default_rng(0)
    ids = rng.integers(4, size=n)
    X = np.column_stack([rng.normal(5.0, size=(n, d)), ids])
    return TaskStatistics(task_column=-1).update(X, rng.normal(size=n), rng.random(n))


@pytest.fixture
def shared(n=80, d=3):
    rng = np.random.default_rng(0)
    return TaskStatistics().update(rng.normal(5.0, size=(n, d)), rng.normal(size=(n, 2)))


def fitted(statistics, task_column=None):
    model = BlockSparseRegressor(0.01, task_column=task_column, tol=1e-10)
    return model.fit_statistics(statistics)


def test_rows_in_tasks(stacked):
    own = statistics_from_sums(**sums_of(stacked), task_column=-1)
    assert repr(own) == repr(stacked) and own.n_features_in_ == 4
    np.testing.assert_array_equal(fitted(own, -1).coef_, fitted(stacked, -1).coef_)
    assert own.tasks_.tolist() == [0, 1, 2, 3]
    assert (own + stacked).label_counts_.sum() == 160


def test_tasks_in_columns(shared):
    sums = sums_of(shared)
    apart = statistics_from_sums(**sums)
    assert "2 Gram matrices" in repr(apart)
    one = statistics_from_sums(**sums | {"xx": sums["xx"][0], "x_means": sums["x_means"][0]})
    assert repr(one) == repr(shared) and "1 Gram matrix" in repr(one)
    for own in (apart, one):
        np.testing.assert_allclose(fitted(own).coef_, fitted(shared).coef_, atol=1e-8)


def test_one_target(shared):
    sums = {name: values[:1] for name, values in sums_of(shared).items() if name != "tasks"}
    assert fitted(statistics_from_sums(**sums)).coef_.shape == (3,)


def test_weights_default_to_counts(shared):
    sums = sums_of(shared)
    del sums["weight_sums"]
    np.testing.assert_array_equal(statistics_from_sums(**sums).weight_sums_, [80, 80])


def test_names_of_columns(stacked):
    sums = sums_of(stacked)
    own = statistics_from_sums(**sums, columns=["a", "shop", "b", "c"], task_column="shop")
    assert own.feature_names_in_.tolist() == ["a", "shop", "b", "c"]
    names = ["a", "log_hours", "shop", "b", "c"]
    own = statistics_from_sums(**sums, columns=names, task_column="shop", offset_column="log_hours")
    assert own.n_features_in_ == 5
    for columns, column in ((["a", "b", "c"], -1), (["a", "b", "c", 4], -1)):
        with pytest.raises(ValueError, match="columns must be the names.*4 columns of X"):
            statistics_from_sums(**sums, columns=columns, task_column=column)
    with pytest.raises(ValueError, match="'shop'"):
        statistics_from_sums(**sums, columns=["a", "b", "c", "d"], task_column="shop")
    with pytest.raises(ValueError, match="different columns"):
        statistics_from_sums(**sums, task_column=0, offset_column=0)


def test_degenerate_sums_are_valid_if_they_are_centred():
    # Features that depend on each other or are constant, and labels without noise.
    rng = np.random.default_rng(0)
    X = rng.normal(1e6, size=(50, 6))
    X[:, 3], X[:, 4], X[:, 5] = X[:, 0] + X[:, 1], 1e6 + 0.1, 0.0
    y = X @ [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    x, z = X - X.mean(axis=0), y - y.mean()
    sums = {"xx": [x.T @ x], "xy": [x.T @ z], "yy": [z @ z], "counts": [50]}
    sums |= {"x_means": [X.mean(axis=0)], "y_means": [y.mean()]}
    assert statistics_from_sums(**sums).n_features_in_ == 6
    # Without differences from the means almost all digits are lost.
    xx = X.T @ X - 50 * np.outer(X.mean(axis=0), X.mean(axis=0))
    with pytest.raises(ValueError, match="Compute the means first"):
        statistics_from_sums(**sums | {"xx": [xx]})


WRONG = {
    "shape": ("y_means", lambda v: v[:2], r"y_means must have shape \(4,\).*got \(2,\)"),
    "xy": ("xy", lambda v: v[0], r"xy must have shape \(n_tasks, n_features\)"),
    "one matrix": ("xx", lambda v: v[0], r"xx must have shape \(4, 3, 3\).*a matrix each"),
    "nan": ("xy", lambda v: v * np.nan, "xy contains NaN"),
    "words": ("yy", lambda v: ["a"] * 4, "yy must hold numbers"),
    "no labels": ("counts", lambda v: v * [1, 0, 1, 1], r"counts must be positive.*tasks \[1\]"),
    "negative": ("weight_sums", lambda v: -v, "weight_sums must be positive"),
    "fractions": ("counts", lambda v: v + 0.5, "counts must be whole numbers"),
    "triangle": ("xx", np.triu, "xx must be symmetric"),
    "indefinite": ("xx", lambda v: v * (5 - 4 * np.eye(3)), "negative eigenvalue"),
    "yy": ("yy", lambda v: v * [1, 1, -1, 1], r"tasks \[2\].*yy is negative"),
    "large xy": ("xy", lambda v: v + [[0], [0], [0], [99]], r"tasks \[3\].*xy is larger"),
    "repeated": ("tasks", lambda v: [1, 2, 2, 3], r"once, got \[2\]"),
    "no tasks": ("tasks", lambda v: None, "task ids are needed"),
    "missing": ("tasks", lambda v: [1, 2, 3, np.nan], "missing values"),
}


@pytest.mark.parametrize("case", WRONG)
def test_errors(stacked, case):
    name, change, message = WRONG[case]
    sums = sums_of(stacked)
    sums[name] = change(sums[name])
    with pytest.raises(ValueError, match=message):
        statistics_from_sums(**sums, task_column=-1)


def test_one_matrix_needs_the_same_rows(shared):
    sums = sums_of(shared)
    sums |= {"xx": sums["xx"][0], "x_means": sums["x_means"][0], "counts": [80, 79]}
    with pytest.raises(ValueError, match="Pass a matrix for each task"):
        statistics_from_sums(**sums)


def test_memory_limit(stacked):
    with pytest.raises(ValueError, match="memory_limit"):
        statistics_from_sums(**sums_of(stacked), task_column=-1, memory_limit=100)
