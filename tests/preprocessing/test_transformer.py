"""The stacked layout from lists, and transformers that keep the task column unchanged."""

import pickle
import warnings
from collections.abc import Callable
from typing import Any, Self

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from numpy.testing import assert_array_equal
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    OneHotEncoder,
    StandardScaler,
    TargetEncoder,
)
from stacked_ridge import StackedRidge

from skmtl.design import split_task_column
from skmtl.preprocessing import TaskTransformer

RNG = np.random.default_rng(0)
FEATURES = RNG.standard_normal((12, 3)) * [1.0, 10.0, 0.1] + [0.0, 5.0, -2.0]
CODES = RNG.permutation(np.repeat([0, 1, 2], [3, 4, 5]))
SCHOOLS = np.array(["north", "south", "west"])[CODES]
Y = RNG.standard_normal(12)
SCALED = StandardScaler().fit_transform(FEATURES)
SCALED_BY_TASK = np.empty_like(FEATURES)
for _code in range(3):
    SCALED_BY_TASK[CODES == _code] = StandardScaler().fit_transform(FEATURES[CODES == _code])


def pandas_frame() -> pd.DataFrame:
    """The task column second, string ids, an index with repeats."""
    frame = pd.DataFrame(FEATURES, columns=["a", "b", "c"], index=np.arange(12) % 5)
    frame.insert(1, "school", SCHOOLS)
    return frame


def polars_frame() -> pl.DataFrame:
    return pl.DataFrame(
        {"a": FEATURES[:, 0], "school": SCHOOLS, "b": FEATURES[:, 1], "c": FEATURES[:, 2]}
    )


FRAMES = pytest.mark.parametrize("make_frame", [pandas_frame, polars_frame])


class AddColumns(TransformerMixin, BaseEstimator):
    """A transformer that adds two columns."""

    def fit(self, X: Any, y: Any = None) -> Self:
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: Any) -> Any:
        X = np.asarray(X)
        return np.column_stack([X, X[:, 0], X[:, 1]])


# --- TaskTransformer: containers --------------------------------------------------------------


@pytest.mark.parametrize("per_task", [False, True])
@FRAMES
def test_frames(make_frame: Callable[[], Any], per_task: bool) -> None:
    frame = make_frame()
    transformer = TaskTransformer(StandardScaler(), task_column="school", per_task=per_task)
    out = transformer.fit_transform(frame)
    assert type(out) is type(frame)
    assert list(out.columns) == ["a", "b", "c", "school"]
    assert list(out["school"]) == list(frame["school"])
    expected = SCALED_BY_TASK if per_task else SCALED
    np.testing.assert_allclose(np.asarray(out[["a", "b", "c"]]), expected, atol=1e-12)
    again = transformer.transform(frame)
    assert again.equals(out)
    assert transformer.get_feature_names_out().tolist() == list(out.columns)
    assert transformer.n_features_in_ == 4
    assert transformer.feature_names_in_.tolist() == ["a", "school", "b", "c"]
    assert transformer.tasks_.tolist() == ["north", "south", "west"]
    if make_frame is pandas_frame:
        assert out.index.equals(frame.index)
    assert list(frame.columns) == ["a", "school", "b", "c"]  # the caller's frame is unchanged


@pytest.mark.parametrize("position", [0, 1, 3, -1, -3])
@pytest.mark.parametrize("per_task", [False, True])
def test_arrays(position: int, per_task: bool) -> None:
    place = position % 4
    X = np.insert(FEATURES, place, CODES, axis=1)
    transformer = TaskTransformer(StandardScaler(), task_column=position, per_task=per_task)
    out = transformer.fit_transform(X)
    assert out.dtype == np.float64
    expected = SCALED_BY_TASK if per_task else SCALED
    np.testing.assert_allclose(np.delete(out, place, axis=1), expected, atol=1e-12)
    # The next step finds it at the same position.
    np.testing.assert_array_equal(out[:, position], CODES)
    np.testing.assert_allclose(transformer.transform(X[::-1]), out[::-1])
    assert not hasattr(transformer, "feature_names_in_")


@pytest.mark.parametrize(
    "to_container", [np.asarray, sp.csr_matrix, pd.DataFrame, lambda X: X.astype(object)]
)
@pytest.mark.parametrize("position", [0, 1, -1, -2])
@pytest.mark.parametrize("inner", [PCA(2), AddColumns()], ids=["fewer", "more"])
def test_the_position_stays_where_the_number_of_columns_changes(
    inner: Any, position: int, to_container: Callable[..., Any]
) -> None:
    X = np.insert(FEATURES, position % 4, CODES, axis=1)
    transformer = TaskTransformer(inner, task_column=position)
    data = to_container(X)
    if sp.issparse(data):
        transformer.set_params(transformer=TruncatedSVD(2))
    elif isinstance(data, pd.DataFrame):
        data = data.rename(columns=str)
    features, ids = split_task_column(transformer.fit_transform(data), position)
    assert np.asarray(ids).astype(int).tolist() == CODES.tolist()
    if not sp.issparse(data):
        expected = clone(inner).fit_transform(FEATURES)
        np.testing.assert_allclose(np.asarray(features).astype(float), expected, atol=1e-12)


def test_a_sparse_output_keeps_the_position() -> None:
    X = np.column_stack([CODES, RNG.integers(0, 3, (12, 2))])
    out = TaskTransformer(OneHotEncoder(), task_column=0).fit_transform(X)
    assert sp.issparse(out)
    np.testing.assert_array_equal(out[:, [0]].toarray().ravel(), CODES)
    np.testing.assert_array_equal(
        out[:, list(range(1, out.shape[1]))].toarray(),
        OneHotEncoder().fit_transform(X[:, 1:]).toarray(),
    )


@pytest.mark.parametrize("position", [3, -4])
def test_a_position_that_cannot_stay(position: int) -> None:
    X = np.insert(FEATURES, position % 4, CODES, axis=1)
    with pytest.raises(ValueError, match=rf"task_column={position}: .* 2 columns for 3.*\(0\)"):
        TaskTransformer(PCA(2), task_column=position).fit(X)


def test_a_position_means_the_same_in_the_next_step() -> None:
    # An integer feature after the task column could be mistaken for the tasks.
    ages = RNG.integers(30, 33, 12)
    X = np.column_stack([CODES, ages, FEATURES])
    scaler = TaskTransformer(MaxAbsScaler(), task_column=0)
    model = make_pipeline(scaler, StackedRidge(task_column=0)).fit(X, Y)
    assert model[-1].tasks_.tolist() == [0, 1, 2]
    moved = np.column_stack([X[:, 1:], CODES])
    last = make_pipeline(clone(scaler).set_params(task_column=-1), StackedRidge(task_column=-1))
    np.testing.assert_allclose(model.predict(X), last.fit(moved, Y).predict(moved))


@pytest.mark.parametrize("per_task", [False, True])
def test_object_arrays(per_task: bool) -> None:
    X = np.column_stack([FEATURES.astype(object), SCHOOLS])
    transformer = TaskTransformer(StandardScaler(), task_column=-1, per_task=per_task)
    out = transformer.fit_transform(X)
    assert out.dtype == object
    assert out[:, -1].tolist() == SCHOOLS.tolist()
    expected = SCALED_BY_TASK if per_task else SCALED
    np.testing.assert_allclose(out[:, :-1].astype(float), expected, atol=1e-12)
    # The features of an object array reach the transformer as numbers.
    out = TaskTransformer(FunctionTransformer(np.exp), task_column=-1).fit_transform(X)
    np.testing.assert_allclose(out[:, :-1].astype(float), np.exp(FEATURES))


def test_numeric_ids_of_an_object_array_give_numbers() -> None:
    X = np.column_stack([np.array(["u", "v", "u"], dtype=object), [4, 7, 7]])
    encoder = TaskTransformer(OneHotEncoder(sparse_output=False), task_column=-1)
    np.testing.assert_array_equal(encoder.fit_transform(X), [[1, 0, 4], [0, 1, 7], [1, 0, 7]])


@pytest.mark.parametrize("per_task", [False, True])
@pytest.mark.parametrize("to_sparse", [sp.csr_matrix, sp.csc_array])
def test_sparse(to_sparse: Callable[..., Any], per_task: bool) -> None:
    X = to_sparse(np.column_stack([FEATURES * (FEATURES > 0), CODES]).astype(np.float32))
    transformer = TaskTransformer(MaxAbsScaler(), task_column=-1, per_task=per_task)
    out = transformer.fit_transform(X)
    assert sp.issparse(out)
    assert out.format == "csr"
    assert out.dtype == np.float32
    dense = TaskTransformer(MaxAbsScaler(), task_column=-1, per_task=per_task)
    np.testing.assert_allclose(out.toarray(), dense.fit_transform(X.toarray()), rtol=1e-6)
    np.testing.assert_array_equal(out[:, [3]].toarray().ravel(), CODES)
    svd = TaskTransformer(TruncatedSVD(2, random_state=0), task_column=-1).fit_transform(X)
    assert isinstance(svd, np.ndarray)
    assert svd.shape == (12, 3)


def test_sparse_output_from_dense_input() -> None:
    X = np.column_stack([RNG.integers(0, 3, (12, 2)), CODES])
    out = TaskTransformer(OneHotEncoder(), task_column=-1).fit_transform(X)
    assert sp.issparse(out)
    np.testing.assert_array_equal(out[:, [out.shape[1] - 1]].toarray().ravel(), CODES)
    frame = pd.DataFrame(X[:, :2], columns=["a", "b"]).assign(school=SCHOOLS)
    with pytest.raises(ValueError, match=r"cannot hold task ids such as .*sparse_output=False"):
        TaskTransformer(OneHotEncoder(), task_column="school").fit_transform(frame)


@pytest.mark.parametrize("ids", [CODES, CODES.astype(float) + 10])
def test_float32_stays(ids: Any) -> None:
    X = np.column_stack([FEATURES, ids]).astype(np.float32)
    for per_task in (False, True):
        out = TaskTransformer(StandardScaler(), task_column=-1, per_task=per_task).fit_transform(X)
        assert out.dtype == np.float32
        np.testing.assert_array_equal(out[:, -1], ids)
    frame = pd.DataFrame(X[:, :3]).rename(columns=str).astype(np.float32).assign(task=CODES)
    out = TaskTransformer(StandardScaler(), task_column="task").fit_transform(frame)
    assert out.dtypes.tolist() == [np.float32] * 3 + [np.dtype(np.int64)]
    # scikit-learn's own scaler makes float64 of a polars frame.
    out = TaskTransformer(ByHand(), task_column="task").fit_transform(pl.DataFrame(out))
    assert out.dtypes == [pl.Float32] * 3 + [pl.Int64]


def test_categorical_ids_stay_categorical() -> None:
    frame = pandas_frame().astype({"school": "category"})
    out = TaskTransformer(StandardScaler(), task_column="school", per_task=True).fit_transform(
        frame
    )
    assert out["school"].dtype == frame["school"].dtype
    assert out["school"].tolist() == SCHOOLS.tolist()
    frame = polars_frame().with_columns(pl.col("school").cast(pl.Categorical))
    out = TaskTransformer(StandardScaler(), task_column="school", per_task=True).fit_transform(
        frame
    )
    assert out["school"].dtype == pl.Categorical
    assert out["school"].to_list() == SCHOOLS.tolist()


# --- TaskTransformer: names and set_output ----------------------------------------------------


class AddColumn(TransformerMixin, BaseEstimator):
    """A transformer without feature names that returns arrays with an added column."""

    def fit(self, X: Any, y: Any = None) -> Self:
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: Any) -> Any:
        X = np.asarray(X)
        return np.column_stack([X, X[:, 0]])


class ByHand(BaseEstimator):
    """A transformer with neither fit_transform nor feature names."""

    def fit(self, X: Any, y: Any = None) -> Self:
        self.mean_ = np.asarray(X).mean(axis=0)
        return self

    def transform(self, X: Any) -> Any:
        return np.asarray(X) - self.mean_


def add_sum(frame: Any) -> Any:
    if isinstance(frame, pl.DataFrame):
        return frame.with_columns(total=pl.sum_horizontal(pl.all()))
    return frame.assign(total=frame.sum(axis=1))


@pytest.mark.turns(2)
@pytest.mark.parametrize(
    ("inner", "names"),
    [
        (PCA(2), ["pca0", "pca1"]),
        (ByHand(), ["a", "b", "c"]),
        (AddColumn(), ["x0", "x1", "x2", "x3"]),
        (make_pipeline(StandardScaler(), AddColumn()), ["x0", "x1", "x2", "x3"]),
        (FunctionTransformer(np.abs), ["a", "b", "c"]),
        (FunctionTransformer(add_sum), ["a", "b", "c", "total"]),
        (ColumnTransformer([("s", StandardScaler(), ["c", "a"])]), ["s__c", "s__a"]),
    ],
)
@pytest.mark.parametrize("per_task", [False, True])
@FRAMES
def test_names(make_frame: Callable[[], Any], inner: Any, names: list[str], per_task: bool) -> None:
    frame = make_frame()
    transformer = TaskTransformer(
        inner, task_column="school", per_task=per_task, unknown_task="mean"
    ).fit(frame, Y)
    out = transformer.transform(frame)
    assert list(out.columns) == [*names, "school"]
    assert list(out["school"]) == SCHOOLS.tolist()
    assert transformer.get_feature_names_out().tolist() == [*names, "school"]
    again = transformer.fit_transform(frame, Y)
    assert list(again.columns) == list(out.columns)
    np.testing.assert_allclose(np.asarray(again[names]), np.asarray(out[names]), atol=1e-12)


def test_inner_frames_keep_their_columns_types() -> None:
    frame = pandas_frame().assign(kind=list("uvuvuvuvuvuv"))
    inner = ColumnTransformer(
        [("s", StandardScaler(), ["a"]), ("k", "passthrough", ["kind"])],
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    for per_task in (False, True):
        out = TaskTransformer(inner, task_column="school", per_task=per_task).fit_transform(frame)
        assert list(out.columns) == ["a", "kind", "school"]
        assert out["a"].dtype == np.float64
        assert out["kind"].tolist() == frame["kind"].tolist()
        assert out.index.equals(frame.index)
    inner = clone(inner).set_output(transform="default")  # one array of objects
    out = TaskTransformer(inner, task_column="school").fit_transform(frame)
    assert out["a"].dtype == np.float64


@pytest.mark.parametrize("per_task", [False, True])
def test_set_output(per_task: bool) -> None:
    ids = {"strings": SCHOOLS.astype(object), "numbers": CODES}
    for name, column in ids.items():
        X = np.column_stack([FEATURES, column])
        transformer = TaskTransformer(StandardScaler(), task_column=-1, per_task=per_task)
        transformer.set_output(transform="pandas")
        out = transformer.fit_transform(X)
        assert list(out.columns) == ["x0", "x1", "x2", "task"]
        assert (out.dtypes.iloc[:3] == np.float64).all()
        assert out["task"].tolist() == column.tolist()
        out = transformer.set_output(transform="polars").fit(X).transform(X)
        assert out.columns == ["x0", "x1", "x2", "task"]
        assert out.dtypes == [pl.Float64] * 3 + [pl.String if name == "strings" else pl.Int64]
        out = transformer.set_output(transform="default").transform(X)
        assert isinstance(out, np.ndarray)


@FRAMES
def test_set_output_of_the_other_library(make_frame: Callable[[], Any]) -> None:
    frame = make_frame()
    for library, kind in {"pandas": pd.DataFrame, "polars": pl.DataFrame}.items():
        transformer = TaskTransformer(StandardScaler(), task_column="school")
        out = transformer.set_output(transform=library).fit_transform(frame)
        assert type(out) is kind
        assert list(out["school"]) == SCHOOLS.tolist()
        with config_context(transform_output=library):
            assert clone(transformer).fit_transform(frame).equals(out)
        inner = StandardScaler().set_output(transform=library)
        out = TaskTransformer(inner, task_column="school").fit_transform(frame)
        assert type(out) is type(frame)
        np.testing.assert_allclose(np.asarray(out[["a", "b", "c"]]), SCALED, atol=1e-12)


def test_set_output_rejects_sparse() -> None:
    X = np.column_stack([CODES, CODES])
    transformer = TaskTransformer(OneHotEncoder(), task_column=-1).set_output(transform="pandas")
    with pytest.raises(ValueError, match="sparse"):
        transformer.fit_transform(X)


def test_names_of_arrays() -> None:
    X = np.insert(FEATURES, 1, CODES, axis=1)
    transformer = TaskTransformer(StandardScaler(), task_column=1).fit(X)
    # x0 to x2 are the features' names, so that the task column cannot be x1.
    assert transformer.get_feature_names_out().tolist() == ["x0", "task", "x2", "x3"]
    given = ["a", "school", "b", "c"]
    assert transformer.get_feature_names_out(given).tolist() == given
    with pytest.raises(ValueError, match="input_features"):
        transformer.get_feature_names_out(["a"])
    with pytest.raises(NotFittedError):
        clone(transformer).get_feature_names_out()


def test_pandas_columns_that_are_numbers() -> None:
    frame = pd.DataFrame(np.column_stack([FEATURES, CODES]))
    out = TaskTransformer(StandardScaler(), task_column=-1).fit_transform(frame)
    np.testing.assert_allclose(out.to_numpy()[:, :-1], SCALED, atol=1e-12)
    np.testing.assert_array_equal(out.iloc[:, -1], CODES)


# --- TaskTransformer: tasks -------------------------------------------------------------------


@FRAMES
def test_unknown_task(make_frame: Callable[[], Any]) -> None:
    frame = make_frame()
    schools = np.where(CODES == 0, "east", SCHOOLS)
    if make_frame is pandas_frame:
        other = frame.assign(school=schools)
    else:
        other = frame.with_columns(pl.Series("school", schools))
    transformer = TaskTransformer(StandardScaler(), task_column="school", per_task=True)
    with pytest.raises(ValueError, match=r"\['east'\].*\['north', .*unknown_task='mean'"):
        transformer.fit(frame).transform(other)
    assert transformer.transformer_ is None
    assert list(transformer.transformers_) == ["north", "south", "west"]
    transformer.set_params(unknown_task="mean").fit(frame)
    out = np.asarray(transformer.transform(other)[["a", "b", "c"]])
    np.testing.assert_allclose(out[CODES == 0], SCALED[CODES == 0], atol=1e-12)
    np.testing.assert_allclose(out[CODES != 0], SCALED_BY_TASK[CODES != 0], atol=1e-12)
    transformer.set_params(per_task=False, unknown_task="error").fit(frame)
    assert transformer.transformers_ == {}
    out = np.asarray(transformer.transform(other)[["a", "b", "c"]])
    np.testing.assert_allclose(out, SCALED, atol=1e-12)


def test_many_unknown_tasks_are_shortened() -> None:
    X = np.column_stack([FEATURES, CODES])
    transformer = TaskTransformer(StandardScaler(), task_column=-1, per_task=True).fit(X)
    X[:, -1] = np.arange(100, 112)
    with pytest.raises(ValueError, match=r"\[100, .* 109, \.\.\.\] \(12 in all\)"):
        transformer.transform(X)


def test_y_is_passed_on() -> None:
    X = np.column_stack([FEATURES, CODES])
    y = FEATURES[:, 1] + 0.01 * Y
    select = SelectKBest(f_regression, k=1)
    for target in (y, y.tolist(), pd.Series(y, index=np.arange(12)[::-1]), pl.Series(y)):
        for per_task in (False, True):
            transformer = TaskTransformer(select, task_column=-1, per_task=per_task)
            out = transformer.fit(X, target).transform(X)
            np.testing.assert_array_equal(out, X[:, [1, 3]])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        TaskTransformer(select, task_column=-1, per_task=True).fit(X, y[:-1])


class TestWeights:
    """Weights of rows are those of the inner transformer."""

    counts = np.array([1, 2, 3, 0, 2, 1, 1, 4, 1, 2, 1, 3])

    @pytest.mark.parametrize("per_task", [False, True])
    def test_count_as_repeated_rows(self, per_task: bool) -> None:
        frame = pandas_frame().reset_index(drop=True)
        options = {"task_column": "school", "per_task": per_task, "unknown_task": "mean"}
        repeated = frame.loc[frame.index.repeat(self.counts)]
        expected = TaskTransformer(StandardScaler(), **options).fit(repeated)
        model = TaskTransformer(StandardScaler(), **options).fit(frame, sample_weight=self.counts)
        for rows in (frame, frame.assign(school="east")):
            found, wanted = model.transform(rows), expected.transform(rows)
            pd.testing.assert_frame_equal(found, wanted, rtol=1e-10)
        out = model.fit_transform(frame, sample_weight=self.counts)
        pd.testing.assert_frame_equal(out, expected.transform(frame), rtol=1e-10)

    def test_reach_it_in_a_pipeline(self) -> None:
        step = TaskTransformer(StandardScaler(), task_column=-1)
        X = np.column_stack([FEATURES, CODES])
        pipe = make_pipeline(step, FunctionTransformer())
        pipe.fit(X, tasktransformer__sample_weight=self.counts)
        assert_array_equal(pipe.transform(X), step.fit_transform(X, sample_weight=self.counts))
        with config_context(enable_metadata_routing=True):
            routed = make_pipeline(clone(step).set_fit_request(sample_weight=True), Ridge())
            routed[-1].set_fit_request(sample_weight=False)
            routed.fit(X, Y, sample_weight=self.counts)
        assert_array_equal(routed[0].transform(X), step.transform(X))

    def test_errors(self) -> None:
        X = np.column_stack([FEATURES, CODES])
        model = TaskTransformer(StandardScaler(), task_column=-1, per_task=True)
        with pytest.raises(ValueError, match=r"All rows of task 1 have weight 0"):
            model.fit(X, sample_weight=CODES != 1)
        with pytest.raises(ValueError, match=r"must have shape \(12,\), got \(11,\)"):
            model.fit(X, sample_weight=np.ones(11))
        with pytest.raises(ValueError, match="MaxAbsScaler does not accept sample_weight"):
            model.set_params(transformer=MaxAbsScaler()).fit(X, sample_weight=np.ones(12))


def test_fit_transform_is_the_inner_one() -> None:
    kinds = RNG.integers(0, 3, 60)
    X = np.column_stack([kinds, np.repeat([0, 1], 30)])
    y = kinds + RNG.standard_normal(60)
    inner = TargetEncoder(target_type="continuous", cv=3, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # random_state moves to the splitter
        expected = clone(inner).fit_transform(X[:, [0]], y)
        out = TaskTransformer(inner, task_column=-1).fit_transform(X, y)
    np.testing.assert_allclose(out[:, [0]], expected)


def test_columns_must_agree_over_tasks() -> None:
    kinds = np.where(CODES == 0, "u", SCHOOLS)
    X = np.column_stack([kinds.astype(object), CODES])
    encoder = OneHotEncoder(sparse_output=False, handle_unknown="ignore")
    with pytest.raises(ValueError, match=r"gives the columns \['x0_south'\] for task 1"):
        TaskTransformer(encoder, task_column=-1, per_task=True).fit(X)
    kinds[:2] = "v"
    X[:, 0] = kinds
    with pytest.raises(ValueError, match=r"columns for task .* per_task=False"):
        TaskTransformer(encoder, task_column=-1, per_task=True).fit(X)
    frame = pd.DataFrame({"kind": kinds, "school": SCHOOLS})
    encoder = FunctionTransformer(lambda f: pd.get_dummies(f, columns=["kind"]))
    with pytest.raises(ValueError, match=r"gives \['kind_.* for task .* before it"):
        TaskTransformer(encoder, task_column="school", per_task=True).fit(frame)
    assert TaskTransformer(encoder, task_column="school").fit_transform(frame).shape == (12, 5)


# --- TaskTransformer: errors ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (dict(unknown_task="ignore"), "'unknown_task' parameter of TaskTransformer must be"),
        (dict(per_task="yes"), "'per_task' parameter"),
        (dict(task_column=1.5), "'task_column' parameter"),
        (dict(task_column=4), "task_column=4 is not a column of X, which has 4"),
        (dict(task_column="school"), "task_column='school' names a column, but X is a ndarray"),
        (dict(transformer=Ridge()), "'transformer' parameter"),
        (dict(transformer=FunctionTransformer(lambda X: X[1:])), "one row for each of the 12"),
        (dict(transformer=FunctionTransformer(lambda X: X[:, 0])), "must return a 2-D array"),
    ],
)
def test_errors(parameters: dict[str, Any], message: str) -> None:
    X = np.column_stack([FEATURES, CODES])
    arguments = {"transformer": StandardScaler(), "task_column": -1} | parameters
    with pytest.raises(ValueError, match=message):
        TaskTransformer(**arguments).fit(X)


def test_errors_of_the_data() -> None:
    X = np.column_stack([FEATURES, CODES])
    transformer = TaskTransformer(StandardScaler(), task_column=-1)
    with pytest.raises(NotFittedError):
        transformer.transform(X)
    with pytest.raises(ValueError, match="0 sample"):
        transformer.fit(X[:0])
    with pytest.raises(ValueError, match="2D array|1-dimensional|Reshape|reshape"):
        transformer.fit(X[0])
    with pytest.raises(ValueError, match="5 features, but TaskTransformer is expecting 4"):
        transformer.fit(X).transform(np.column_stack([X, CODES]))
    X[3, -1] = np.nan
    with pytest.raises(ValueError, match="missing values"):
        transformer.transform(X)
    X[3, -1] = 0.5
    with pytest.warns(UserWarning, match="fractional part"):
        transformer.fit(X)
    frame = pandas_frame()
    with pytest.raises(ValueError, match=r"no task column 'class'; its columns are \['a', 'sch"):
        TaskTransformer(StandardScaler(), task_column="class").fit(frame)
    with pytest.raises(ValueError, match="feature names"):
        transformer = TaskTransformer(StandardScaler(), task_column="school").fit(frame)
        transformer.transform(frame.rename(columns={"a": "z"}))


def test_errors_of_the_output() -> None:
    frame = pandas_frame().rename(columns={"school": "x0"})
    with pytest.raises(ValueError, match="gives a column 'x0', which is the task column's"):
        TaskTransformer(AddColumn(), task_column="x0").fit_transform(frame)
    positive = FunctionTransformer(lambda X: X[:, X.sum(axis=0) > 0])
    X = np.column_stack([np.abs(FEATURES), CODES])
    with pytest.raises(ValueError, match=r"3 columns, as in fit, .* 12 rows, .* \(12, 0\)"):
        TaskTransformer(positive, task_column=-1).fit(X).transform(-X)


# --- TaskTransformer: in scikit-learn ---------------------------------------------------------


def test_conventions() -> None:
    transformer = TaskTransformer(StandardScaler(with_mean=False), task_column=-1)
    parameters = transformer.get_params()
    assert set(parameters) == {
        "transformer",
        "task_column",
        "per_task",
        "unknown_task",
        "transformer__copy",
        "transformer__with_mean",
        "transformer__with_std",
    }
    X = np.column_stack([FEATURES, CODES])
    assert transformer.fit(X) is transformer
    assert not hasattr(transformer.transformer, "scale_")  # the one passed stays unfitted
    copy = clone(transformer)
    assert not hasattr(copy, "transformer_")
    assert copy.transformer.with_mean is False
    assert "TaskTransformer" in repr(copy)
    assert isinstance(transformer._repr_html_(), str)
    with pytest.raises(TypeError):
        TaskTransformer(StandardScaler(), -1)  # type: ignore[call-arg]


@pytest.mark.parametrize("per_task", [False, True])
def test_pickle(per_task: bool) -> None:
    frame = pandas_frame()
    transformer = TaskTransformer(
        StandardScaler(), task_column="school", per_task=per_task, unknown_task="mean"
    ).fit(frame)
    again = pickle.loads(pickle.dumps(transformer))
    pd.testing.assert_frame_equal(again.transform(frame), transformer.transform(frame))


def test_tags() -> None:
    tags = TaskTransformer(MaxAbsScaler(), task_column=-1).__sklearn_tags__()
    assert tags.input_tags.sparse
    assert tags.input_tags.allow_nan
    assert not tags.target_tags.required
    tags = TaskTransformer(PCA(svd_solver="full"), task_column=-1).__sklearn_tags__()
    assert not tags.input_tags.allow_nan
    assert TaskTransformer(TargetEncoder(), task_column=-1).__sklearn_tags__().target_tags.required
    assert TaskTransformer(None, task_column=-1).__sklearn_tags__().input_tags.string


@pytest.mark.turns(2)
@pytest.mark.parametrize("kind", ["pandas", "polars", "numpy", "object", "sparse"])
def test_pipeline_and_grid_search(kind: str) -> None:
    n = 60
    rng = np.random.default_rng(1)
    features, codes = rng.standard_normal((n, 3)), np.arange(n) % 3
    y = features[:, 0] * (1 + codes) + 0.1 * rng.standard_normal(n)
    features[rng.random((n, 3)) < 0.1] = np.nan
    schools = np.array(["north", "south", "west"])[codes]
    X: Any = {
        "pandas": lambda: pd.DataFrame(features, columns=list("abc")).assign(school=schools),
        "polars": lambda: pl.DataFrame(features, schema=list("abc")).with_columns(
            pl.Series("school", schools)
        ),
        "numpy": lambda: np.column_stack([features, codes]),
        "object": lambda: np.column_stack([features.astype(object), schools]),
        "sparse": lambda: sp.csr_matrix(np.column_stack([features, codes])),
    }[kind]()
    column: str | int = "school" if kind in ("pandas", "polars") else -1
    inner = make_pipeline(SimpleImputer(), StandardScaler(with_mean=False))
    model = make_pipeline(
        TaskTransformer(inner, task_column=column, per_task=True, unknown_task="mean"),
        StackedRidge(column),
    )
    search = GridSearchCV(
        model,
        {
            "tasktransformer__transformer__simpleimputer__strategy": ["mean", "median"],
            "tasktransformer__per_task": [False, True],
        },
        cv=KFold(3, shuffle=True, random_state=0),
        error_score="raise",
    ).fit(X, y)
    assert search.best_score_ > 0.7
    assert len(search.predict(X)) == n
    if kind == "pandas":
        names = search.best_estimator_[:-1].get_feature_names_out()
        assert names.tolist() == ["a", "b", "c", "school"]


def test_two_in_a_row() -> None:
    X = np.insert(FEATURES, 0, CODES, axis=1)
    pipeline = make_pipeline(
        TaskTransformer(StandardScaler(), task_column=0), TaskTransformer(PCA(2), task_column=0)
    ).set_output(transform="pandas")
    out = pipeline.fit_transform(X)
    assert list(out.columns) == ["task", "pca0", "pca1"]
    np.testing.assert_array_equal(out["task"], CODES)
