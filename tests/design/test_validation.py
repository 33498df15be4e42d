"""Input validation: frames, sparse matrices, missing labels, weights, unsorted rows."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import validate_data

from skmtl import BlockSparseClassifier, BlockSparseRegressor, BlockSparseRegressorCV
from skmtl.datasets import make_block_sparse
from skmtl.design import check_columns
from skmtl.metrics import (
    accuracy_score,
    explained_variance_score,
    r2_score,
    root_mean_squared_error,
)
from skmtl.model_selection import StratifiedTaskKFold
from skmtl.preprocessing import TaskTransformer, stack_tasks

TIGHT = {"alpha": 0.1, "tol": 1e-10}
SKIP = {"skip_check_array": True}


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
    np.testing.assert_allclose(model.coef_, plain.coef_, atol=1e-7)
    predicted = plain.predict(made.data)
    np.testing.assert_allclose(model.predict(format(made.data)), predicted, atol=1e-6)


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


def test_a_mask_elsewhere_is_an_error(gaps):
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
    # A mask without masked entries has no effect.
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
    # Dates are accepted as task ids, in any unit.
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


@pytest.mark.parametrize("task_column", [None, -1])
def test_a_matrix_for_each_task(task_column):
    model = BlockSparseRegressor(0.1, task_column=task_column)
    parts = [np.ones((20, 3)), np.ones((10, 3))]
    for X in (np.ones((2, 20, 3)), parts, parts[:1] * 2, np.ones((2, 20, 3)).tolist()):
        with pytest.raises(ValueError, match=r"dim 3.*stack_tasks"):
            model.fit(X, np.ones(30))


@pytest.mark.parametrize("cls", [BlockSparseRegressor, BlockSparseClassifier])
def test_a_matrix_of_labels_with_a_task_column(made, cls):
    Y = np.column_stack([made.target > 0] * 2).astype(float)
    with pytest.raises(ValueError, match=r"got an array of shape \(100, 2\).*task_column out"):
        cls(0.1, task_column=-1).fit(made.data, Y)


def test_an_array_after_a_data_frame(made):
    frame = pytest.importorskip("pandas").DataFrame(made.data[:, :6], columns=list("abcdef"))
    model = BlockSparseRegressor(**TIGHT).fit(frame, made.target)
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        model.predict(frame.to_numpy())
    with pytest.raises(ValueError, match="expecting 6 features"):
        model.fit(frame.to_numpy(), made.target).predict(made.data)
    assert not hasattr(model, "feature_names_in_")


def test_the_order_of_the_entries_in_memory_is_irrelevant():
    shared = make_block_sparse(30, 5, 3, n_informative=2, random_state=0)
    weights = np.random.default_rng(0).uniform(0.5, 2, shared.target.shape)
    first = BlockSparseRegressor(**TIGHT).fit(shared.data, shared.target, weights)
    for order in ("C", "F"):
        X, Y = shared.data.astype(">f8", order=order), np.array(shared.target, order=order)
        model = BlockSparseRegressor(**TIGHT).fit(X, Y, np.asfortranarray(weights))
        np.testing.assert_allclose(model.coef_, first.coef_, atol=1e-12)


def _containers():
    pd = pytest.importorskip("pandas")
    array = np.arange(6.0).reshape(2, 3)
    wide = np.ones((2, 4))
    frame, other = (
        pd.DataFrame(array, columns=list("abc")),
        pd.DataFrame(array, columns=list("bac")),
    )
    return [
        array,
        np.asfortranarray(array),
        wide,
        frame,
        other,
        sp.csr_array(array),
        array.tolist(),
    ]


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("first", range(7))
@pytest.mark.parametrize("second", range(7))
def test_columns_are_checked_as_by_scikit_learn(first, second):
    seen = []
    for check in (check_columns, lambda *given, reset: validate_data(*given, **SKIP, reset=reset)):
        model, outcome = BaseEstimator(), None
        check(model, _containers()[-1], reset=True)
        check(model, _containers()[first], reset=True)
        attributes = {name: np.asarray(value).tolist() for name, value in vars(model).items()}
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                check(model, _containers()[second], reset=False)
            except ValueError as error:
                outcome = str(error)
        seen.append((attributes, outcome, [str(one.message) for one in caught]))
    assert seen[0] == seen[1]


@pytest.mark.parametrize("layout", ["shared", "stacked"])
def test_the_squares_of_unweighted_rows_may_overflow(layout):
    dataset = make_block_sparse(30, 5, 2, n_informative=2, layout=layout, random_state=0)
    X, y = dataset.data.copy(), dataset.target
    weights = np.ones(len(X))
    weights[[3, 7]] = 0.0
    X[[3, 7], 1] = 1e200
    model = BlockSparseRegressor(**TIGHT, task_column=-1 if layout == "stacked" else None)
    coef = model.fit(X, y, sample_weight=weights).coef_
    used = weights > 0
    np.testing.assert_allclose(coef, model.fit(X[used], y[used]).coef_, atol=1e-12)
    with pytest.raises(ValueError, match="X must not be so large"):
        model.fit(X, y)
