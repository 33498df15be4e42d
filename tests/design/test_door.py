"""What users pass: frames, sparse matrices, missing labels, weights, unsorted rows."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import accuracy_score as sklearn_accuracy_score
from sklearn.preprocessing import StandardScaler

from skmtl import (
    BlockSparseClassifier,
    BlockSparseRegressor,
    BlockSparseRegressorCV,
    PooledTaskRegressor,
)
from skmtl.datasets import make_block_sparse
from skmtl.design._tasks import encode_tasks
from skmtl.metrics import (
    accuracy_score,
    explained_variance_score,
    r2_score,
    root_mean_squared_error,
    subset_accuracy_score,
)
from skmtl.model_selection import StratifiedTaskKFold
from skmtl.preprocessing import TaskTransformer, stack_tasks

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
    assert model.score(X, Y) == sklearn_accuracy_score(Y, model.predict(X))
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
    expected = sklearn_accuracy_score(Y, model.predict(X), sample_weight=weight)
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


# --- masked arrays, missing labels, dates, Arrow ----------------------------------------------


@pytest.fixture(scope="module")
def gaps():
    """Features, labels, and where a label is missing, as a mask."""
    shared = make_block_sparse(40, 5, 3, n_informative=2, random_state=0)
    missing = np.random.default_rng(0).random(shared.target.shape) < 0.3
    return shared.data, shared.target, missing


def test_a_mask_in_y_means_not_labelled(gaps):
    X, Y, missing = gaps
    masked = np.ma.array(np.where(missing, 999.0, Y), mask=missing)
    nan = np.where(missing, np.nan, Y)
    for model in (BlockSparseRegressor(**TIGHT), BlockSparseRegressorCV(alphas=3, cv=3)):
        expected = model.fit(X, nan).coef_.copy()
        np.testing.assert_array_equal(model.fit(X, masked).coef_, expected)
        np.testing.assert_array_equal(model.fit(X, list(masked)).coef_, expected)
        assert model.score(X, masked) == pytest.approx(model.score(X, nan))
    predicted = model.predict(X)
    for metric in (r2_score, root_mean_squared_error, explained_variance_score):
        assert metric(masked, predicted) == pytest.approx(metric(nan, predicted))
    labels = np.ma.array(np.where(missing, 9, Y > 0), mask=missing)
    classes = np.where(missing, np.nan, Y > 0)
    classifier = BlockSparseClassifier()
    expected = classifier.fit(X, classes).coef_.copy()
    np.testing.assert_array_equal(classifier.fit(X, labels).coef_, expected)
    assert classifier.score(X, labels) == pytest.approx(classifier.score(X, classes))
    assert accuracy_score(labels, classifier.predict(X)) == pytest.approx(
        accuracy_score(classes, classifier.predict(X))
    )
    splitter = StratifiedTaskKFold(3, random_state=0)
    for (_, test), (_, same) in zip(
        splitter.split(X, labels), splitter.split(X, classes), strict=True
    ):
        np.testing.assert_array_equal(test, same)


def test_a_mask_elsewhere_is_refused(gaps):
    X, Y, missing = gaps
    rows = missing[:, 0]
    stacked = np.column_stack([X, np.arange(40) % 2])
    model, by_task = BlockSparseRegressor(0.1), BlockSparseRegressor(0.1, task_column=-1)
    hidden = np.ma.array(X, mask=np.abs(X) > 1)
    hidden_stacked = np.ma.array(stacked, mask=np.abs(stacked) > 1)
    hidden_ids = np.ma.array(stacked, mask=np.zeros_like(stacked, dtype=bool))
    hidden_ids[0, -1] = np.ma.masked
    model.fit(X, Y), by_task.fit(stacked, Y[:, 0])
    scaler = TaskTransformer(StandardScaler(), task_column=-1)
    for call in (
        lambda: model.fit(hidden, Y),
        lambda: model.predict(hidden),
        lambda: by_task.fit(hidden_stacked, Y[:, 0]),
        lambda: by_task.fit(hidden_ids, Y[:, 0]),
        lambda: by_task.predict(hidden_ids),
        lambda: scaler.fit(hidden_stacked),
        lambda: stack_tasks([X, hidden], [Y[:, 0], Y[:, 0]]),
        lambda: list(StratifiedTaskKFold(2, task_column=-1).split(hidden_ids, Y[:, 0])),
    ):
        with pytest.raises(ValueError, match="must not have masked entries.*imputer"):
            call()
    for weights in (
        np.ma.array(np.ones(40), mask=rows),
        np.ma.array(np.ones((40, 3)), mask=missing),
    ):
        with pytest.raises(
            ValueError, match=r"sample_weight must not .*Use 0 to leave a label out"
        ):
            model.fit(X, Y, weights)
        with pytest.raises(ValueError, match="sample_weight must not have masked"):
            r2_score(Y, Y, sample_weight=weights)
        with pytest.raises(ValueError, match="sample_weight must not have masked"):
            model.score(X, Y, weights)
    with pytest.raises(ValueError, match="task column must not have masked"):
        r2_score(Y[:, 0], Y[:, 0], task=np.ma.array(np.ones(40), mask=rows))
    with pytest.raises(ValueError, match="y_pred must not have masked"):
        r2_score(Y, np.ma.array(Y, mask=missing))
    for y in (np.ma.array(Y[:, 0], mask=rows), np.ma.array(np.arange(40), mask=rows)):
        with pytest.raises(ValueError, match="leave such rows out"):
            by_task.fit(stacked, y)
    words = np.ma.array(np.where(Y[:, 0] > 0, "yes", "no"), mask=rows)
    with pytest.raises(ValueError, match=f"{rows.sum()} of 40 without one"):
        BlockSparseClassifier(task_column=-1).fit(stacked, words)
    # A mask that hides nothing is none.
    coef = model.fit(X, Y).coef_.copy()
    np.testing.assert_array_equal(model.fit(np.ma.array(X), np.ma.array(Y)).coef_, coef)


def test_nullable_booleans(gaps):
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    X, Y, missing = gaps
    objects = np.where(missing, None, Y > 0)
    expected = BlockSparseClassifier().fit(X, np.where(missing, np.nan, Y > 0))
    frame = pd.DataFrame(objects, columns=["a", "b", "c"])
    nullable = frame.astype("boolean")
    for labels in (
        nullable,
        nullable.astype(object),
        frame.assign(a=nullable["a"].astype("Int64")).astype({"b": "boolean", "c": "boolean"}),
        pl.DataFrame({name: frame[name].tolist() for name in frame}),
        objects,
    ):
        model = BlockSparseClassifier().fit(X, labels)
        np.testing.assert_array_equal(model.coef_, expected.coef_)
        assert model.score(X, labels) == pytest.approx(
            expected.score(X, np.where(missing, np.nan, Y > 0))
        )
    whole = pd.Series(Y[:, 0] > 0, dtype="boolean")
    assert BlockSparseClassifier().fit(X, whole).predict(X).dtype == bool
    with pytest.raises(ValueError, match="Leave such rows out"):
        BlockSparseClassifier().fit(X, nullable["a"])


@pytest.mark.parametrize("kind", ["datetime64[ns]", "datetime64[D]"])
def test_dates(gaps, kind):
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    X, Y, _ = gaps
    days = np.repeat(np.array(["2024-03-01", "2024-03-02"], dtype=kind), 20)
    frame = pd.DataFrame(X, columns=list("abcde"))
    dated = frame.assign(day=days)
    objects = frame.assign(day=[pd.Timestamp(day).date() for day in days])
    zone = frame.assign(day=pd.Series(days).dt.tz_localize("UTC"))
    other = pl.DataFrame({**{name: frame[name].to_numpy() for name in frame}, "day": days})
    for data in (dated, dated.assign(day=days - days[0]), objects, zone, other):
        with pytest.raises(ValueError, match=r"X must hold numbers, got dates .*\['day'\].*days"):
            BlockSparseRegressor(0.1).fit(data, Y)
    with pytest.raises(ValueError, match="X must hold numbers, got dates"):
        BlockSparseRegressor(0.1).fit(days[:, None], Y)
    with pytest.raises(ValueError, match="X must hold numbers, got dates"):
        BlockSparseRegressor(0.1, task_column=0).fit(dated, Y[:, 0])
    for cls in (BlockSparseRegressor, BlockSparseClassifier):
        with pytest.raises(ValueError, match="y must hold numbers or classes, got dates"):
            cls(0.1).fit(X, pd.Series(days))
    # As task ids they are dates, in whatever unit.
    weight = {pd.Timestamp("2024-03-02"): 2.0, pd.Timestamp("2024-03-01"): 1.0}
    model = BlockSparseRegressor(**TIGHT, task_column="day", task_weight=weight)
    model.fit(dated, Y[:, 0])
    plain = BlockSparseRegressor(**TIGHT, task_column=-1, task_weight=[1.0, 2.0])
    plain.fit(np.column_stack([X, np.repeat([0, 1], 20)]), Y[:, 0])
    np.testing.assert_array_equal(model.coef_, plain.coef_)
    coarse = frame.assign(day=days.astype("datetime64[s]"))
    np.testing.assert_array_equal(model.predict(coarse), model.predict(dated))


def test_arrow_tables(gaps):
    pd, pa = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    X, Y, missing = gaps
    nan = np.where(missing, np.nan, Y)
    frame, labels = pd.DataFrame(X, columns=list("abcde")), pd.DataFrame(nan, columns=list("rst"))
    expected = BlockSparseRegressor(**TIGHT).fit(frame, labels)
    table, y = pa.Table.from_pandas(frame), pa.Table.from_pandas(labels)
    model = BlockSparseRegressor(**TIGHT).fit(table, y)
    np.testing.assert_array_equal(model.coef_, expected.coef_)
    assert model.tasks_.tolist() == ["r", "s", "t"]
    assert model.feature_names_in_.tolist() == list("abcde")
    assert model.score(table, y.select(["t", "r", "s"])) == pytest.approx(
        expected.score(frame, labels)
    )
    stacked = frame.assign(task=np.repeat(["p", "q"], 20))
    expected = BlockSparseRegressor(**TIGHT, task_column="task").fit(stacked, Y[:, 0])
    for table in (pa.Table.from_pandas(stacked), pa.RecordBatch.from_pandas(stacked)):
        model = BlockSparseRegressor(**TIGHT, task_column="task").fit(table, pa.array(Y[:, 0]))
        np.testing.assert_array_equal(model.predict(table), expected.predict(stacked))
        scaler = TaskTransformer(StandardScaler(), task_column="task")
        assert scaler.fit_transform(table).equals(scaler.fit_transform(stacked))


def test_weights_that_are_objects(gaps):
    pd = pytest.importorskip("pandas")
    X, Y, missing = gaps
    weights = np.where(missing[:, 0], 2.0, 1.0)
    expected = BlockSparseRegressor(**TIGHT).fit(X, Y, weights).coef_
    for given in (weights.astype(object), pd.Series(weights, dtype="Float64")):
        np.testing.assert_array_equal(
            BlockSparseRegressor(**TIGHT).fit(X, Y, given).coef_, expected
        )
    for given in (np.array([None, *weights[1:]], dtype=object), pd.Series([None, *weights[1:]])):
        with pytest.raises(ValueError, match="sample_weight contains NaN"):
            BlockSparseRegressor(0.1).fit(X, Y, given)


# --- task ids ---------------------------------------------------------------------------------


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
    # As if its rows were not there.
    assert model.tasks_.tolist() == [0, 1, 3]
    np.testing.assert_allclose(model.coef_, without.coef_, atol=1e-9)
    with pytest.warns(UserWarning, match=r"positive weight: \[2\]"):
        BlockSparseClassifier(task_column=-1).fit(made.data, made.target > 0, weights)
    # A column of y cannot be left out: predictions have it.
    shared = make_block_sparse(30, 5, 3, n_informative=2, random_state=0)
    with pytest.raises(ValueError, match=r"no label: \[1\]"):
        BlockSparseRegressor(0.1).fit(shared.data, shared.target, np.tile([1.0, 0.0, 1.0], (30, 1)))


@pytest.mark.parametrize("task_column", [None, -1])
def test_a_matrix_for_each_task(task_column):
    model = BlockSparseRegressor(0.1, task_column=task_column)
    parts = [np.ones((20, 3)), np.ones((10, 3))]
    for X in (np.ones((2, 20, 3)), parts, parts[:1] * 2, np.ones((2, 20, 3)).tolist()):
        with pytest.raises(ValueError, match=r"dim 3.*stack_tasks"):
            model.fit(X, np.ones(30))
