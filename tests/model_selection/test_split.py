"""StratifiedTaskKFold in all layouts, and inside scikit-learn's tools."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
import sklearn
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)

from skmtl.model_selection import RepeatedStratifiedTaskKFold, StratifiedTaskKFold


def held_out(cv, X, y=None):
    """Return the test sets of ``cv``; check that each training set is the complement."""
    n = X.shape[0]
    tests = []
    for train, test in cv.split(X, y):
        np.testing.assert_array_equal(np.sort(np.r_[train, test]), np.arange(n))
        tests.append(test)
    assert len(tests) == cv.get_n_splits(X, y)
    return tests


def assert_even(tests, groups):
    """Check that the test sets' numbers of rows differ by at most one in each group."""
    for group in np.unique(groups):
        numbers = [np.sum(np.asarray(groups)[test] == group) for test in tests]
        assert np.ptp(numbers) <= 1, (group, numbers)


def assert_same_splits(a, b):
    for test_a, test_b in zip(a, b, strict=True):
        np.testing.assert_array_equal(test_a, test_b)


def schools(n=60, seed=0):
    """Features, ids sorted by task with unequal sizes, integer scores."""
    rng = np.random.RandomState(seed)
    ids = np.sort(rng.choice(4, size=n, p=[0.1, 0.2, 0.3, 0.4]))
    return rng.randn(n, 3), ids, rng.randint(0, 70, size=n)


# Stacked layout


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("kind", ["none", "real", "integer", "classes", "strings"])
def test_stacked_is_even_by_task_and_class(shuffle, kind):
    features, ids, scores = schools()
    classes = np.array(["fail", "pass"])[(scores > 40).astype(int)]
    y = {
        "none": None,
        "real": scores + 0.5,
        "integer": scores,
        "classes": (scores > 40).astype(int),
        "strings": classes,
    }[kind]
    cv = StratifiedTaskKFold(4, task_column=-1, shuffle=shuffle)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # such as scikit-learn's of many classes
        tests = held_out(cv, np.column_stack([features, ids]), y)
    np.testing.assert_array_equal(np.sort(np.concatenate(tests)), np.arange(60))
    assert_even(tests, ids)
    assert_even(tests, np.zeros(60))
    if kind in ("classes", "strings"):
        assert_even(tests, [f"{t}{c}" for t, c in zip(ids, classes, strict=True)])


def test_integer_scores_are_spread_from_low_to_high():
    X = np.repeat([[0], [1]], 30, axis=0)
    y = np.tile(np.arange(30), 2)
    for test in held_out(StratifiedTaskKFold(3, task_column=0, random_state=0), X, y):
        for task in (0, 1):
            scores = np.sort(y[test][X[test, 0] == task])
            np.testing.assert_array_equal(scores // 3, np.arange(10))


@pytest.mark.parametrize("container", ["pandas", "polars", "object", "sparse", "categorical"])
def test_containers_agree(container):
    features, ids, y = schools()
    names = np.array(["north", "west", "south", "east"])[ids]
    columns = {"id": names} | {f"x{j}": features[:, j] for j in range(3)}
    X, task_column = {
        "pandas": (pd.DataFrame(columns), "id"),
        "polars": (pl.DataFrame(columns), "id"),
        "object": (pd.DataFrame(columns).to_numpy(dtype=object), 0),
        "sparse": (sp.csr_array(np.column_stack([features, ids])), -1),
        "categorical": (pd.DataFrame(columns).astype({"id": "category"}), 0),
    }[container]
    reference = np.column_stack([features, np.unique(names, return_inverse=True)[1]])
    if container == "sparse":
        reference[:, -1] = ids
    expected = StratifiedTaskKFold(3, task_column=-1, random_state=1).split(reference, y)
    found = StratifiedTaskKFold(3, task_column=task_column, random_state=1).split(X, y)
    for (_, test), (_, expected_test) in zip(found, expected, strict=True):
        np.testing.assert_array_equal(test, expected_test)


@pytest.mark.parametrize(
    "make", [list, pd.Series, pl.Series, lambda y: pd.Series(y, dtype="Int64")]
)
def test_containers_of_y_agree(make):
    features, ids, y = schools()
    X = np.column_stack([features, ids])
    cv = StratifiedTaskKFold(3, task_column=-1, random_state=0)
    assert_same_splits(held_out(cv, X, make(y.tolist())), held_out(cv, X, y))


@given(st.lists(st.integers(0, 12), min_size=4, max_size=40), st.integers(2, 4))
def test_stacked_training_sets_hold_every_task(ids, n_splits):
    ids = np.array(ids)
    X = ids[:, None]
    sizes = np.bincount(ids)[ids]
    cv = StratifiedTaskKFold(n_splits, task_column=0, random_state=0)
    if np.sum(sizes > 1) < n_splits:
        with pytest.raises(ValueError, match="can be tested"):
            held_out(cv, X)
        return
    tests = held_out(cv, X)
    np.testing.assert_array_equal(np.sort(np.concatenate(tests)), np.flatnonzero(sizes > 1))
    for train, _ in cv.split(X):
        np.testing.assert_array_equal(np.unique(ids[train]), np.unique(ids))


# Label matrices


@given(
    st.lists(
        st.lists(st.sampled_from([0.0, 1.0, 2.5, np.nan]), min_size=3, max_size=3), min_size=6
    ),
    st.booleans(),
)
def test_matrix_training_sets_hold_every_task(rows, by_class):
    Y = np.array(rows)
    if by_class:
        Y[Y == 2.5] = np.nan
    labelled = ~np.isnan(Y)
    testable = (~labelled[:, labelled.sum(axis=0) == 1].any(axis=1)).sum()
    if testable < 3 or (labelled.all() and not by_class):
        return
    cv = StratifiedTaskKFold(3, random_state=0)
    for train, test in cv.split(np.zeros((len(Y), 1)), Y):
        np.testing.assert_array_equal(labelled[train].any(axis=0), labelled.any(axis=0))
        assert test.size


@pytest.mark.parametrize("dtype", [float, int, bool])
def test_complete_classes_are_even_by_task(dtype):
    y = (np.random.RandomState(0).rand(200, 3) < [0.05, 0.3, 0.6]).astype(dtype)
    tests = held_out(StratifiedTaskKFold(4, random_state=0), y, y)
    np.testing.assert_array_equal(np.sort(np.concatenate(tests)), np.arange(200))
    for t in range(3):
        assert np.ptp([y[test, t].sum() for test in tests]) <= 2


def test_frames_of_labels():
    y = np.random.RandomState(0).rand(40, 2).round()
    y[::3, 0] = np.nan
    cv = StratifiedTaskKFold(4, random_state=0)
    expected = held_out(cv, y, y)
    frame = pd.DataFrame(y, columns=["a", "b"])
    for other in (frame, frame.astype("Int64"), pl.DataFrame(y), y.tolist()):
        assert_same_splits(held_out(cv, y, other), expected)


def test_a_tasks_only_label_always_trains():
    y = np.full((20, 2), 1.5)
    y[1:, 1] = np.nan
    cv = StratifiedTaskKFold(3, random_state=0)
    np.testing.assert_array_equal(np.sort(np.concatenate(held_out(cv, y, y))), np.arange(1, 20))


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("n_tasks", [None, 3])
def test_complete_real_y_is_scikit_learns_kfold(shuffle, n_tasks):
    y = np.random.RandomState(0).randn(*((20,) if n_tasks is None else (20, n_tasks)))
    seed = 7 if shuffle else None
    X = np.zeros((20, 1))
    assert_same_splits(
        held_out(StratifiedTaskKFold(3, shuffle=shuffle, random_state=seed), X, y),
        held_out(KFold(3, shuffle=shuffle, random_state=seed), X, y),
    )


def test_vector_of_classes_is_stratified():
    y = np.repeat(["a", "b", "c"], [30, 7, 2])
    tests = held_out(StratifiedTaskKFold(3, random_state=0), np.zeros((39, 1)), y)
    assert_even(tests, y)


# Parameters and errors


def test_random_state():
    features, ids, y = schools()
    X = np.column_stack([features, ids])
    splits = [
        np.concatenate(held_out(StratifiedTaskKFold(3, task_column=-1, random_state=s), X, y))
        for s in (0, 0, 1)
    ]
    np.testing.assert_array_equal(splits[0], splits[1])
    assert (splits[0] != splits[2]).any()


def test_without_shuffle_the_global_seed_does_not_matter():
    y = np.random.RandomState(0).rand(30, 2).round()
    cv = StratifiedTaskKFold(3, shuffle=False)
    first = held_out(cv, y, y)
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    assert_same_splits(first, held_out(cv, y, y))
    np.testing.assert_array_equal(state, np.random.get_state()[1])  # noqa: NPY002


def test_repr():
    text = " ".join(repr(StratifiedTaskKFold(3, task_column="school")).split())
    assert text == (
        "StratifiedTaskKFold(n_splits=3, random_state=None, shuffle=True, task_column='school')"
    )


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"n_splits": 1}, "n_splits=2 or more, got n_splits=1"),
        ({"n_splits": 2.5}, "Integral"),
        ({"shuffle": False, "random_state": 0}, "random_state has no effect"),
    ],
)
def test_wrong_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        StratifiedTaskKFold(**parameters)


@pytest.mark.parametrize(
    "parameters, X, y, message",
    [
        ({"n_splits": 9}, np.ones((4, 1)), np.ones(4), "n_splits=9 greater than the number of sam"),
        ({}, np.ones((9, 1)), None, "needs y with one column per task, or a task_column"),
        ({"task_column": "id"}, pd.DataFrame({"a": range(9)}), None, "no task column 'id'"),
        ({"task_column": 3}, np.ones((9, 2)), None, "task_column=3 is not a column"),
        ({"task_column": 0}, np.arange(9)[:, None], None, "0 of 9.*only label.*task_column=0"),
        ({"task_column": 0}, np.ones((9, 2)), np.ones((9, 2)), "1d array"),
        (
            {"task_column": 0},
            np.ones((9, 2)),
            np.full(9, np.nan),
            "y contains NaN.*leave such rows out",
        ),
        ({}, np.ones((9, 2)), np.full((9, 2), np.inf), "y contains infinity"),
        ({"task_column": 0}, np.ones((9, 2)), np.ones(8), "inconsistent numbers of samples"),
    ],
)
def test_wrong_data(parameters, X, y, message):
    with pytest.raises(ValueError, match=message):
        list(StratifiedTaskKFold(**parameters).split(X, y))


# Inside scikit-learn


def test_in_scikit_learns_tools():
    features, ids, y = schools()
    X = pd.DataFrame(features, columns=list("abc")).assign(school=ids)
    cv = StratifiedTaskKFold(3, task_column="school", random_state=0)
    assert cross_val_score(Ridge(), X, y, cv=cv).shape == (3,)
    assert len(cross_validate(Ridge(), X, y, cv=cv, n_jobs=2)["test_score"]) == 3
    assert cross_val_predict(Ridge(), X, y, cv=cv).shape == (60,)
    search = GridSearchCV(Ridge(), {"alpha": [1.0, 10.0]}, cv=cv).fit(X, y)
    assert clone(search).cv.task_column == "school"
    search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=cv).fit(X, y > 30)
    assert search.n_splits_ == 3


def test_cross_val_predict_rejects_single_row_tasks():
    X, y = np.column_stack([np.arange(13.0), [0] * 12 + [1]]), np.arange(13.0)
    cv = StratifiedTaskKFold(3, task_column=-1, random_state=0)
    with pytest.raises(ValueError, match="only works for partitions"):
        cross_val_predict(Ridge(), X, y, cv=cv)
    assert len(cross_val_score(Ridge(), X, y, cv=cv)) == 3


# Groups: patients within hospitals


def patients(n=300, seed=0):
    """Rows of four hospitals, each with patients of its own, and labels of two classes."""
    rng = np.random.RandomState(seed)
    hospital = rng.choice(4, size=n, p=[0.1, 0.2, 0.3, 0.4])
    patient = 1000 * hospital + rng.randint(0, n // 10, size=n) * (hospital + 1) // 4
    y = (rng.rand(n) < 0.3).astype(int)
    return np.column_stack([rng.randn(n, 2), hospital]), y, patient


@pytest.mark.parametrize("kind", ["none", "real", "integer", "classes", "strings"])
@pytest.mark.parametrize("shuffle", [True, False])
def test_groups_are_never_split_and_tasks_are_spread(kind, shuffle):
    X, y, patient = patients()
    labels = {"none": None, "real": y + X[:, 0], "integer": y * 7, "classes": y,
              "strings": np.array(["ill", "well"])[y]}[kind]  # fmt: skip
    groups = [f"patient {p}" for p in patient]
    cv = StratifiedTaskKFold(4, task_column=-1, shuffle=shuffle)
    tests = []
    for train, test in cv.split(X, labels, groups):
        assert not set(patient[train]) & set(patient[test])
        assert set(X[train, -1]) == set(X[test, -1]) == {0, 1, 2, 3}
        tests.append(test)
    np.testing.assert_array_equal(np.sort(np.concatenate(tests)), np.arange(300))
    for hospital in range(4):
        numbers = [np.sum(X[test, -1] == hospital) for test in tests]
        # With whole groups, sizes differ by at most the largest group.
        largest = np.unique(patient[X[:, -1] == hospital], return_counts=True)[1].max()
        assert np.ptp(numbers) <= largest


def test_groups_shared_layout():
    rng = np.random.RandomState(0)
    for Y in (rng.randn(60, 3), (rng.rand(60, 3) < 0.5).astype(float)):
        groups = rng.randint(0, 15, 60)
        for missing in (0.0, 0.6):
            Y = np.where(rng.rand(60, 3) < missing, np.nan, Y)
            cv = StratifiedTaskKFold(5, random_state=0)
            tests = []
            for train, test in cv.split(np.zeros((60, 1)), Y, groups):
                assert not set(groups[train]) & set(groups[test])
                assert (~np.isnan(Y[train])).any(axis=0).all()
                tests.append(test)
            np.testing.assert_array_equal(np.sort(np.concatenate(tests)), np.arange(60))
            assert max(map(len, tests)) <= 18
    y = rng.randint(0, 3, 60)  # classes of one task
    for train, test in StratifiedTaskKFold(3, random_state=0).split(np.zeros((60, 1)), y, groups):
        assert not set(groups[train]) & set(groups[test])
        assert set(y[test]) == {0, 1, 2}


def test_a_group_that_holds_a_whole_task_always_trains():
    X = np.repeat([[0.0], [1.0], [2.0]], 4, axis=0)
    groups = np.r_[0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 4, 4]
    splits = list(StratifiedTaskKFold(2, task_column=0, random_state=0).split(X, groups=groups))
    for train, test in splits:
        assert set(X[train, 0]) == {0, 1, 2} and set(X[test, 0]) == {0, 1}
    # Hospitals as groups cannot be split; groups across tasks may be fewer than folds.
    with pytest.raises(
        ValueError, match=r"number of groups that can be tested: 0 of 3.*fine enough"
    ):
        next(StratifiedTaskKFold(2, task_column=0).split(X, groups=X[:, 0]))
    with pytest.raises(ValueError, match=r"n_splits=3 .* tested: 2 of 2. Lower n_splits"):
        next(StratifiedTaskKFold(3, task_column=0).split(X, groups=np.tile([0, 1], 6)))
    # Without a task column the message does not mention it.
    with pytest.raises(ValueError, match=r"2 of 2. Lower n_splits, or check whether the groups"):
        next(StratifiedTaskKFold(3).split(X, X != 1, groups=np.tile([0, 1], 6)))


def test_wrong_groups():
    X, y, patient = patients()
    cv = StratifiedTaskKFold(3, task_column=-1)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        next(cv.split(X, y, patient[:-1]))
    with pytest.raises(ValueError, match="groups contains NaN"):
        next(cv.split(X, y, np.r_[np.nan, patient[1:]]))
    mixed = np.array([None, *map(str, patient[1:])], dtype=object)
    with pytest.raises(ValueError, match="groups must hold values of one kind, none missing"):
        next(cv.split(X, y, mixed))


def test_groups_in_scikit_learns_tools():
    X, y, patient = patients()
    cv = StratifiedTaskKFold(3, task_column=-1, random_state=0)
    splits = list(cv.split(X, y, patient))
    expected = cross_val_score(LogisticRegression(), X, y, cv=splits)
    found = cross_val_score(LogisticRegression(), X, y, cv=cv, groups=patient)
    np.testing.assert_array_equal(found, expected)
    grid = {"C": [0.01, 1.0]}
    search = GridSearchCV(LogisticRegression(), grid, cv=cv).fit(X, y, groups=patient)
    same = GridSearchCV(LogisticRegression(), grid, cv=splits).fit(X, y)
    for k in range(3):
        name = f"split{k}_test_score"
        np.testing.assert_array_equal(search.cv_results_[name], same.cv_results_[name])
    with sklearn.config_context(enable_metadata_routing=True):
        routed = cross_validate(LogisticRegression(), X, y, cv=cv, params={"groups": patient})
    np.testing.assert_array_equal(routed["test_score"], expected)


# Repetitions


def test_repetitions_differ_and_are_reproducible():
    X, y, patient = patients()
    cv = RepeatedStratifiedTaskKFold(3, n_repeats=4, task_column=-1, random_state=0)
    assert cv.get_n_splits() == 12
    assert "n_repeats=4" in repr(cv) and "task_column=-1" in repr(cv)
    tests = [test for _, test in cv.split(X, y)]
    assert_same_splits(tests, [test for _, test in cv.split(X, y)])
    for k in range(0, 12, 3):
        np.testing.assert_array_equal(np.sort(np.concatenate(tests[k : k + 3])), np.arange(300))
        assert_even(tests[k : k + 3], X[:, -1])
    assert len({test.tobytes() for test in tests}) == 12
    for train, test in cv.split(X, y, patient):
        assert not set(patient[train]) & set(patient[test])
    scores = cross_val_score(LogisticRegression(), X, y, cv=cv, groups=patient)
    assert scores.shape == (12,) and np.isfinite(scores).all()
    with pytest.raises(ValueError, match="greater than 0"):
        RepeatedStratifiedTaskKFold(n_repeats=0)


def test_sparse_labels_are_those_of_the_dense_matrix():
    Y = (np.random.RandomState(0).rand(40, 3) < 0.3).astype(float)
    cv = StratifiedTaskKFold(4, random_state=0)
    assert_same_splits(held_out(cv, Y, sp.csr_array(Y)), held_out(cv, Y, Y))
