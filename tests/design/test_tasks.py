"""Task ids of every type."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.preprocessing import StandardScaler

from skmtl import BlockSparseClassifier, BlockSparseRegressor
from skmtl.datasets import make_block_sparse
from skmtl.design._tasks import encode_tasks
from skmtl.preprocessing import TaskTransformer

TIGHT = {"alpha": 0.1, "tol": 1e-10}


@pytest.fixture(scope="module")
def made():
    return make_block_sparse(25, 6, 4, n_informative=3, layout="stacked", random_state=1)


def _names(ids, kind):
    names = np.array(["ash", "elm", "fir", "oak"])
    return names[ids] if kind == "string" else 10 * ids


def test_categorical_and_object_ids(made):
    pd = pytest.importorskip("pandas")
    ids = _names(made.data[:, -1].astype(int), "string")
    plain = BlockSparseRegressor(**TIGHT, task_column=-1).fit(made.data, made.target)
    frame = pd.DataFrame(made.data[:, :-1], columns=list("abcdef"))
    for column in (pd.Categorical(ids), pd.array(ids, dtype="string"), ids.astype(object)):
        frame["task"] = column
        model = BlockSparseRegressor(**TIGHT, task_column="task").fit(frame, made.target)
        np.testing.assert_allclose(model.coef_, plain.coef_, atol=1e-12)
        np.testing.assert_allclose(model.predict(frame.iloc[:3]), plain.predict(made.data[:3]))
    objects = np.column_stack([made.data[:, :-1].astype(object), ids.astype(object)])
    model = BlockSparseRegressor(**TIGHT, task_column=-1).fit(objects, made.target)
    np.testing.assert_allclose(model.coef_, plain.coef_, atol=1e-12)
    # Training on integers, predicting from a float array that holds the same ids.
    model = BlockSparseRegressor(**TIGHT, task_column=-1).fit(made.data.astype(object), made.target)
    np.testing.assert_allclose(model.predict(made.data), plain.predict(made.data))


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint64])
def test_small_integers_as_ids(made, dtype):
    names = np.array([0, 100, 120, 127] if dtype != np.int8 else [-128, -1, 0, 127], dtype=dtype)
    if dtype == np.uint8:
        names = np.array([0, 1, 200, 255], dtype=dtype)
    if dtype == np.uint64:
        names = np.array([2**63, 2**63 + 1, 2**64 - 2, 2**64 - 1], dtype=dtype)
    pd = pytest.importorskip("pandas")
    ids = np.tile(names[made.data[:, -1].astype(int)], 20)
    tasks, codes = encode_tasks(ids)
    assert tasks.tolist() == names.tolist() and tasks.dtype == dtype
    np.testing.assert_array_equal(tasks[codes], ids)
    frame = pd.DataFrame(made.data[:, :-1], columns=list("abcdef")).assign(task=ids[:100])
    model = BlockSparseRegressor(**TIGHT, task_column="task").fit(frame, made.target)
    plain = BlockSparseRegressor(**TIGHT, task_column=-1).fit(made.data, made.target)
    np.testing.assert_array_equal(model.coef_, plain.coef_)


def test_ids_of_another_type_at_predict(made):
    pd = pytest.importorskip("pandas")
    ids = made.data[:, -1].astype(int)
    frame = pd.DataFrame(made.data[:, :-1], columns=list("abcdef"))
    numbers, words = frame.assign(task=ids), frame.assign(task=ids.astype(str))
    for unknown_task in ("mean", "error"):
        model = BlockSparseRegressor(0.1, task_column="task", unknown_task=unknown_task)
        model.fit(numbers, made.target)
        with pytest.raises(ValueError, match=r"are strings such as '0'.*were numbers such as 0"):
            model.predict(words)
        np.testing.assert_array_equal(
            model.predict(numbers.astype({"task": object})), model.predict(numbers)
        )
        model.fit(words, made.target)
        with pytest.raises(ValueError, match=r"are numbers such as 0.*were strings such as '0'"):
            model.predict(numbers)
    scaler = TaskTransformer(
        StandardScaler(), task_column="task", per_task=True, unknown_task="mean"
    )
    with pytest.raises(ValueError, match="strings such as '0'.*numbers such as 0"):
        scaler.fit(numbers).transform(words)


@pytest.mark.parametrize("unknown_task", ["error", "mean"])
def test_a_task_whose_weights_are_all_zero(made, unknown_task):
    weights = np.where(made.data[:, -1] == 2, 0.0, 1.0)
    kept = weights > 0
    model = BlockSparseRegressor(**TIGHT, task_column=-1, unknown_task=unknown_task)
    without = clone(model).fit(made.data[kept], made.target[kept])
    said = {"error": "unknown to predict", "mean": "predicted by the average task"}[unknown_task]
    with pytest.warns(UserWarning, match=rf"positive weight: \[2\]. They are left out and {said}"):
        model.fit(made.data, made.target, weights)
    # Equivalent to dropping its rows.
    assert model.tasks_.tolist() == [0, 1, 3]
    np.testing.assert_allclose(model.coef_, without.coef_, atol=1e-9)
    with pytest.warns(UserWarning, match=r"positive weight: \[2\]"):
        BlockSparseClassifier(task_column=-1).fit(made.data, made.target > 0, weights)
    # A column of y cannot be dropped: predictions include it.
    shared = make_block_sparse(30, 5, 3, n_informative=2, random_state=0)
    with pytest.raises(ValueError, match=r"no label: \[1\]"):
        BlockSparseRegressor(0.1).fit(shared.data, shared.target, np.tile([1.0, 0.0, 1.0], (30, 1)))
