"""What users pass: frames, sparse matrices, missing labels, weights, unsorted rows."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import accuracy_score

from skmtl import BlockSparseClassifier, BlockSparseRegressor, PooledTaskRegressor
from skmtl.datasets import make_block_sparse
from skmtl.metrics import subset_accuracy_score

TIGHT = {"alpha": 0.1, "tol": 1e-10}


@pytest.fixture(scope="module")
def made():
    return make_block_sparse(25, 6, 4, n_informative=3, layout="stacked", random_state=1)


def _names(ids, kind):
    names = np.array(["ash", "elm", "fir", "oak"])
    return names[ids] if kind == "string" else 10 * ids


@pytest.mark.parametrize("kind", ["string", "integer"])
@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize("place", ["first", "last"])
def test_frames(made, library, kind, place):
    module = pytest.importorskip(library)
    ids = made.data[:, -1].astype(int)
    columns = {f"x{j}": made.data[:, j] for j in range(6)}
    task = {"school": _names(ids, kind)}
    frame = module.DataFrame({**task, **columns} if place == "first" else {**columns, **task})
    plain = BlockSparseRegressor(**TIGHT, task_column=-1).fit(made.data, made.target)
    position = 0 if place == "first" else -1
    for task_column in ("school", position):
        model = BlockSparseRegressor(**TIGHT, task_column=task_column).fit(frame, made.target)
        np.testing.assert_allclose(model.coef_, plain.coef_, atol=1e-12)
        assert model.tasks_.tolist() == sorted(set(task["school"].tolist()))
        assert model.n_features_in_ == 7
        assert list(model.feature_names_in_) == list(frame.columns)
        np.testing.assert_allclose(model.predict(frame), plain.predict(made.data))
    swapped = frame[list(frame.columns)[::-1]]
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(swapped)


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


def test_labels_as_frames_name_the_tasks():
    shared = make_block_sparse(30, 5, 3, n_informative=2, missing=0.3, random_state=0)
    plain = BlockSparseRegressor(**TIGHT).fit(shared.data, shared.target)
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    names = ["price", "clicks", "stars"]
    nullable = pd.DataFrame(shared.target, columns=names).astype("Float64")
    polars = pl.DataFrame(shared.target, schema=names).fill_nan(None)
    for labels in (pd.DataFrame(shared.target, columns=names), nullable, polars):
        model = BlockSparseRegressor(**TIGHT).fit(shared.data, labels)
        assert model.tasks_.tolist() == names
        np.testing.assert_allclose(model.coef_, plain.coef_, atol=1e-12)
        assert model.score(shared.data, labels) == pytest.approx(
            plain.score(shared.data, shared.target)
        )
    weighted = BlockSparseRegressor(
        **TIGHT, task_weight={"price": 2.0, "clicks": 1.0, "stars": 0.5}
    ).fit(shared.data, nullable)
    same = BlockSparseRegressor(**TIGHT, task_weight=[2.0, 1.0, 0.5]).fit(
        shared.data, shared.target
    )
    np.testing.assert_allclose(weighted.coef_, same.coef_)


@pytest.mark.parametrize("kind", [bool, int, float])
def test_indicator_labels_of_any_type(kind):
    shared = make_block_sparse(40, 5, 3, n_informative=2, classification=True, random_state=0)
    model = BlockSparseClassifier(tol=1e-8).fit(shared.data, shared.target.astype(kind))
    same = BlockSparseClassifier(tol=1e-8).fit(shared.data, shared.target)
    np.testing.assert_array_equal(model.coef_, same.coef_)
    assert model.predict(shared.data).shape == (40, 3)
    assert model.predict_proba(shared.data).shape == (40, 3)
    assert model.classes_.tolist() == [0, 1, 2]


def test_rows_in_any_order(made):
    order = np.random.default_rng(0).permutation(len(made.target))
    sorted_fit = BlockSparseRegressor(**TIGHT, task_column=-1).fit(made.data, made.target)
    weights = np.random.default_rng(1).uniform(0.5, 2, len(order))
    mixed = BlockSparseRegressor(**TIGHT, task_column=-1).fit(made.data[order], made.target[order])
    np.testing.assert_allclose(mixed.coef_, sorted_fit.coef_, atol=1e-7)
    np.testing.assert_allclose(
        mixed.predict(made.data[order]), sorted_fit.predict(made.data)[order], atol=1e-6
    )
    a = BlockSparseRegressor(**TIGHT, task_column=-1).fit(made.data, made.target, weights)
    b = BlockSparseRegressor(**TIGHT, task_column=-1).fit(
        made.data[order], made.target[order], weights[order]
    )
    np.testing.assert_allclose(a.coef_, b.coef_, atol=1e-7)


@pytest.mark.parametrize("format", [sp.csr_matrix, sp.csc_matrix, sp.csr_array, sp.coo_array])
def test_sparse_with_a_task_column(made, format):
    plain = BlockSparseRegressor(**TIGHT, task_column=-1).fit(made.data, made.target)
    model = BlockSparseRegressor(**TIGHT, task_column=-1).fit(format(made.data), made.target)
    np.testing.assert_allclose(model.coef_, plain.coef_, atol=1e-8)
    np.testing.assert_allclose(model.predict(format(made.data)), plain.predict(made.data))


def test_one_binary_column_is_a_task_and_other_columns_are_flattened():
    shared = make_block_sparse(40, 5, 1, n_informative=2, classification=True, random_state=0)
    column = BlockSparseClassifier().fit(shared.data, shared.target)
    assert column.predict(shared.data).shape == (40, 1)
    flat = BlockSparseClassifier().fit(shared.data, shared.target[:, 0].astype(int))
    np.testing.assert_allclose(column.coef_, flat.coef_)
    assert flat.predict(shared.data).shape == (40,)
    three = (np.arange(40) % 3)[:, None]
    with pytest.warns(UserWarning, match="A column-vector y was passed"):
        model = BlockSparseClassifier().fit(shared.data, three)
    assert model.coef_.shape == (3, 5)


def test_shapes_of_a_single_target(made):
    X, y = made.data[:, :-1], made.target
    model = BlockSparseRegressor(0.1).fit(X, y)
    assert model.coef_.shape == (6,) and np.ndim(model.intercept_) == 0
    assert model.predict(X).shape == y.shape
    model = BlockSparseRegressor(0.1).fit(X, y[:, None])
    assert model.coef_.shape == (1, 6) and model.predict(X).shape == (len(y), 1)
    model = BlockSparseClassifier().fit(X, y > 0)
    assert model.coef_.shape == (1, 6) and model.decision_function(X).shape == y.shape
    assert model.predict_proba(X).shape == (len(y), 2)


def test_probabilities_that_are_all_zero_are_even():
    X = np.array([[-1e4], [0.0], [1e4], [-1e4], [0.0], [1e4]])
    model = BlockSparseClassifier(0.1).fit(X, [0, 1, 2, 0, 1, 2])
    model.coef_[:], model.intercept_[:] = 0, -1e4
    np.testing.assert_allclose(model.predict_proba(X), 1 / 3)


def test_scores(made):
    shared = make_block_sparse(40, 5, 3, n_informative=2, random_state=0)
    model = BlockSparseRegressor(0.1).fit(shared.data, shared.target)
    Z, Y = model.predict(shared.data), shared.target
    per_task = 1 - ((Y - Z) ** 2).sum(0) / ((Y - Y.mean(0)) ** 2).sum(0)
    assert model.score(shared.data, Y) == pytest.approx(per_task.mean())
    few = Y.copy()
    few[1:, 0] = np.nan
    assert model.score(shared.data, few) == pytest.approx(per_task[1:].mean())
    stacked = PooledTaskRegressor(0.1, task_column=-1).fit(made.data, made.target)
    residual = made.target - stacked.predict(made.data)
    expected = 1 - (residual**2).sum() / ((made.target - made.target.mean()) ** 2).sum()
    assert stacked.score(made.data, made.target) == pytest.approx(expected)


@pytest.fixture(scope="module")
def classified():
    """A fitted classifier of three tasks, its data, and which labels it gets right."""
    made = make_block_sparse(40, 5, 3, n_informative=2, classification=True, random_state=0)
    labels = made.target.astype(float)
    labels[::7, 2] = 1 - labels[::7, 2]  # so that some are wrong
    model = BlockSparseClassifier().fit(made.data, labels)
    return model, made.data, labels, model.predict(made.data) == labels


def test_accuracy_counts_rows_with_all_observed_labels_right(classified):
    model, X, Y, right = classified
    assert 0.1 < right.all(axis=1).mean() < right.mean()
    assert model.score(X, Y) == accuracy_score(Y, model.predict(X))
    # Without its wrong label a row is right; without a right one nothing changes.
    wrong, fine = np.argwhere(~right)[0], np.argwhere(right & (right.sum(1) > 1)[:, None])[0]
    for where, gain in ((fine, 0), (wrong, right[wrong[0]].sum() == 2)):
        fewer = Y.copy()
        fewer[tuple(where)] = np.nan
        assert model.score(X, fewer) == pytest.approx(model.score(X, Y) + gain / 40)
    missing = Y.copy()
    missing[::3, 1] = np.nan
    missing[5] = np.nan  # does not count
    kept = [
        all(r for r, label in zip(row, labels, strict=True) if label == label)
        for row, labels in zip(right, missing, strict=True)
    ]
    assert model.score(X, missing) == pytest.approx(np.mean(kept[:5] + kept[6:]))


def test_accuracy_weighs_rows(classified):
    model, X, Y, right = classified
    weight = np.random.default_rng(0).uniform(0, 2, 40)
    expected = accuracy_score(Y, model.predict(X), sample_weight=weight)
    assert model.score(X, Y, weight) == pytest.approx(expected, rel=1e-12)
    assert model.score(X, Y, np.tile(weight[:, None], 3)) == pytest.approx(expected, rel=1e-12)
    missing = Y.copy()
    missing[:10] = np.nan
    assert model.score(X, missing, weight) == pytest.approx(
        np.average(right.all(axis=1)[10:], weights=weight[10:])
    )
    weight[:20] = 0
    assert model.score(X, Y, weight) == pytest.approx(model.score(X[20:], Y[20:], weight[20:]))


def test_accuracy_leaves_out_labels_of_zero_weight_without_a_jump(classified):
    model, X, Y, right = classified
    weight = np.random.default_rng(0).uniform(0.5, 2, Y.shape)
    hidden = np.random.default_rng(1).random(Y.shape) < 0.4
    left_out = model.score(X, np.where(hidden, np.nan, Y), weight)
    assert model.score(X, Y, np.where(hidden, 0, weight)) == pytest.approx(left_out, rel=1e-12)
    assert model.score(X, Y, np.where(hidden, 1e-9, weight)) == pytest.approx(left_out, abs=1e-8)
    # By hand: the rows weigh 3, 2 and 1; the first loses 2 of its 3, the last all.
    y_pred, y_true = [[1, 1], [1, 0], [0, 1]], [[1, 0], [1, 0], [1, np.nan]]
    weight = [[3, 2], [1, 2], [1, 9]]
    assert subset_accuracy_score(y_true, y_pred, sample_weight=weight) == pytest.approx(3 / 6)
    with pytest.warns(UndefinedMetricWarning, match="no label to score"):
        assert np.isnan(model.score(X, np.full(Y.shape, np.nan)))
    with pytest.raises(ValueError, match=r"shape \(40,\) or \(40, 3\), got \(3,\)"):
        model.score(X, Y, np.ones(3))


@pytest.mark.parametrize("make", [sp.csr_matrix, sp.csc_array])
def test_scores_take_the_sparse_labels_that_fit_takes(make, made, classified):
    model, X, Y, _ = classified
    refitted = BlockSparseClassifier().fit(X, make(Y))
    assert refitted.score(X, make(Y)) == model.score(X, Y)
    regressor = BlockSparseRegressor(0.1).fit(X, make(Y))
    assert regressor.score(X, make(Y)) == pytest.approx(regressor.score(X, Y))
    for cls, y in ((PooledTaskRegressor, made.target), (BlockSparseClassifier, made.target > 0)):
        stacked = cls(0.1, task_column=-1).fit(made.data, y)
        column = make(np.asarray(y, dtype=float)[:, None])
        assert stacked.score(made.data, column) == pytest.approx(stacked.score(made.data, y))


def test_float32_stays_float32(made):
    model = BlockSparseRegressor(0.1, task_column=-1)
    model.fit(made.data.astype(np.float32), made.target.astype(np.float32))
    assert model.coef_.dtype == model.intercept_.dtype == np.float32
    assert model.predict(made.data.astype(np.float32)).dtype == np.float32
