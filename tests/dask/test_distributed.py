"""Fits to blocks equal fits to all rows, in one pass over the blocks."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from dask_cases import (
    FEATURES,
    SIZES,
    assert_same_statistics,
    fitted_on,
    in_blocks,
    small_model,
    stacked_frame,
)
from sklearn.base import clone
from sklearn.model_selection import GroupKFold, PredefinedSplit
from sklearn.utils.estimator_checks import check_estimator

import skmtl
from skmtl.dask import Distributed
from skmtl.dask._folds import assign_folds
from skmtl.design import TaskStatistics
from skmtl.model_selection import AlphaSearchCV
from tests.statistics_cases import every_layout, make_case

REASON = "pip install skmtl[dask]"
da = pytest.importorskip("dask.array", reason=REASON)
dd = pytest.importorskip("dask.dataframe", reason=REASON)
config = pytest.importorskip("dask.config", reason=REASON)


FAMILIES = [
    name
    for name in skmtl.__all__
    if name.endswith(("Regressor", "RegressorCV")) and not name.startswith("StructureSearch")
]


@pytest.fixture(autouse=True, params=["synchronous"])
def scheduler(request):
    with config.set(scheduler=request.param):
        yield


@pytest.mark.turns(2)
@every_layout
@pytest.mark.parametrize("unknown", [False, True], ids=["sizes known", "sizes unknown"])
def test_arrays(layout, unknown):
    case = make_case(layout)
    model = Distributed(small_model(**case.params))
    model.fit(*in_blocks(da, case, unknown=unknown))
    assert_same_statistics(model.statistics_, case.statistics())
    local = small_model(**case.params).fit(case.X, case.y, case.weights)
    np.testing.assert_allclose(model.coef_, local.coef_, atol=1e-6)
    np.testing.assert_allclose(model.intercept_, local.intercept_, atol=1e-6)
    assert model.dual_gap_ <= 1e-10 * np.var(case.y[~np.isnan(case.y)]) * 8
    assert type(model.to_local()) is skmtl.BlockSparseRegressor


@pytest.mark.parametrize("scheduler", ["threads"], indirect=True)
@pytest.mark.parametrize("sizes", [(1,) * 120, (120,), (7,) * 17 + (1,)], ids=len)
def test_threads_and_sizes(scheduler, sizes):
    case = make_case("stacked")
    model = Distributed(small_model(**case.params)).fit(*in_blocks(da, case, sizes))
    assert_same_statistics(model.statistics_, case.statistics())


def test_blocks_of_columns_and_labels_in_other_blocks():
    case = make_case("shared")
    X = da.from_array(case.X, chunks=(40, 2))
    y = da.from_array(case.y, chunks=(25, 3))
    model = Distributed(small_model()).fit(X, y, 2.0)
    assert_same_statistics(model.statistics_, TaskStatistics.from_batches([(case.X, case.y, 2.0)]))


@pytest.mark.parametrize(
    "kind", [skmtl.BlockSparseRegressor, skmtl.BlockSparseRegressorCV], ids=["fit", "search"]
)
def test_sparse_blocks_in_single_precision(kind):
    case, options = make_case("shared"), {"tol": 1e-10, "fit_intercept": False}
    X = case.X.astype(np.float32)
    y = da.from_array(case.y, chunks=(40, -1))
    lazy = da.from_array(X, chunks=(40, -1))
    dense = Distributed(kind(**options)).fit(lazy, y)
    model = Distributed(kind(**options)).fit(lazy.map_blocks(sp.csr_matrix), y)
    np.testing.assert_allclose(model.coef_, dense.coef_, atol=1e-6)
    predicted = model.predict(lazy.map_blocks(sp.csr_matrix))
    np.testing.assert_allclose(predicted, dense.predict(lazy), atol=1e-5)


def test_offsets():
    frame, columns = stacked_frame(), [*FEATURES, "school"]
    model = small_model(task_column="school", offset_column="x4")
    lazy = fitted_on(Distributed(model), dd.from_pandas(frame, npartitions=4), columns)
    np.testing.assert_allclose(lazy.coef_, fitted_on(model, frame, columns).coef_, atol=1e-6)


@pytest.mark.parametrize("ids", ["string", "category"])
def test_frames(ids):
    frame, columns = stacked_frame(ids=ids), [*FEATURES, "school"]
    lazy = dd.from_pandas(frame, npartitions=4)
    kind = skmtl.FusedTaskRegressor if ids == "category" else skmtl.TaskRelationRegressor
    local = fitted_on(kind(0.1, task_column="school", tol=1e-10), frame, columns)
    model = fitted_on(Distributed(clone(local)), lazy, columns)
    assert model.tasks_.tolist() == ["north", "south", "west"]
    assert model.feature_names_in_.tolist() == columns
    np.testing.assert_allclose(model.coef_, local.coef_, atol=1e-6)


def test_frames_with_a_column_for_each_task_and_an_empty_partition():
    case = make_case("missing")
    frame = pd.DataFrame(np.hstack([case.X, case.y]), columns=[*FEATURES, *"pqrs"])
    lazy = dd.from_pandas(frame, npartitions=3)
    lazy = dd.concat([lazy, lazy[lazy["x0"] > 1e9]])
    X, y = lazy[FEATURES], lazy[[*"pqrs"]]
    model = Distributed(small_model()).fit(X, y)
    local = small_model().fit(frame[FEATURES], frame[[*"pqrs"]])
    assert model.tasks_.tolist() == [*"pqrs"]
    np.testing.assert_allclose(model.coef_, local.coef_, atol=1e-6)
    mixed = Distributed(small_model()).fit(X, y.to_dask_array())
    np.testing.assert_allclose(mixed.coef_, local.coef_, atol=1e-6)


def loaded(number, read, frame):
    read.append(number)
    return frame[number * 30 : (number + 1) * 30]


@pytest.mark.turns(2)
@pytest.mark.parametrize("kind", ["arrays", "frames"])
@pytest.mark.parametrize(
    "estimator",
    [
        skmtl.BlockSparseRegressor(task_column=-1),
        skmtl.BlockSparseRegressorCV(task_column=-1, alphas=50),
        skmtl.IndependentTaskRegressor("cv", task_column=-1),
    ],
    ids=["fit", "5 folds, 50 strengths", "alpha=cv"],
)
def test_one_pass(estimator, kind):
    read, frame = [], stacked_frame()
    if kind == "frames":
        lazy = dd.from_map(loaded, range(5), args=[read, frame], meta=frame[:0])
        X, y, weight = lazy[[*FEATURES, "school"]], lazy["y"], lazy["weight"]
    else:
        values = frame.assign(school=frame["school"].str.len()).to_numpy()
        numbers = da.arange(5, chunks=1)
        lazy = da.map_blocks(
            lambda number: loaded(int(number[0]), read, values),
            numbers,
            chunks=((30,) * 5, (8,)),
            new_axis=1,
            meta=values[:0],
        )
        X, y, weight = lazy[:, :6], lazy[:, 6], lazy[:, 7]
    read.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Distributed(estimator).fit(X, y, weight)
    assert sorted(read) == [0, 1, 2, 3, 4]


class TestCrossValidation:
    @pytest.mark.parametrize("layout", ["shared", "missing", "stacked"])
    def test_equals_that_of_rows_in_the_same_folds(self, layout):
        case = make_case(layout)
        rows = np.split(np.arange(120), np.cumsum(SIZES)[:-1])
        column = case.params.get("task_column")
        parts = (assign_folds(k, *case.part(r), column, 4) for k, r in enumerate(rows) if len(r))
        folds = np.concatenate(list(parts))
        local = skmtl.BlockSparseRegressorCV(alphas=6, cv=PredefinedSplit(folds), **case.params)
        local.fit(case.X, case.y, case.weights)
        model = Distributed(skmtl.BlockSparseRegressorCV(alphas=6, cv=4, **case.params))
        model.fit(*in_blocks(da, case))
        np.testing.assert_allclose(model.mse_path_, local.mse_path_, rtol=1e-6)
        np.testing.assert_allclose(model.coef_, local.coef_, atol=1e-6)
        assert len(model.statistics_) == 4

    def test_strengths_of_each_task(self):
        case = make_case("stacked")
        model = Distributed(skmtl.IndependentTaskRegressor("cv", **case.params))
        model.fit(*in_blocks(da, case))
        assert model.alpha_.shape == (4,)
        assert len(model.statistics_) == 5

    @pytest.mark.parametrize("ids", ["numbers", "text"])
    def test_rows_of_a_group_are_in_one_fold(self, ids):
        case = make_case("stacked")
        groups = np.random.default_rng(0).integers(30, size=120)
        if ids == "text":
            groups = np.array([f"patient {number}" for number in groups])
        folds = assign_folds(0, *case.part(slice(None)), -1, 4, groups)
        assert all(len(set(folds[groups == group])) == 1 for group in groups)
        assert (np.bincount(folds, minlength=4) > 10).all()
        search = skmtl.BlockSparseRegressorCV(alphas=6, cv=PredefinedSplit(folds), task_column=-1)
        search.fit(case.X, case.y, case.weights)
        model = Distributed(skmtl.BlockSparseRegressorCV(alphas=6, cv=4, task_column=-1))
        blocks = in_blocks(da, case)
        if ids == "numbers":  # in one block, integers are floats
            lazy = da.concatenate([da.from_array(groups[:38]), da.from_array(groups[38:] * 1.0)])
        else:
            lazy = da.from_array(groups)
        model.fit(*blocks, groups=lazy)
        np.testing.assert_allclose(model.mse_path_, search.mse_path_, rtol=1e-6)
        model.fit(case.X, case.y, case.weights, groups=groups)
        np.testing.assert_allclose(model.mse_path_, search.mse_path_, rtol=1e-6)

    def test_groups_of_data_frames(self):
        frame, columns = stacked_frame(), [*FEATURES, "school"]
        lazy = dd.from_pandas(frame.assign(form=np.arange(150) // 6), npartitions=4)
        model = Distributed(skmtl.BlockSparseRegressorCV(alphas=3, cv=3, task_column="school"))
        model.fit(lazy[columns], lazy["y"], groups=lazy["form"])
        counts = [part.label_counts_.sum() for part in model.statistics_]
        assert sum(counts) == 150 and all(count % 6 == 0 for count in counts)

    def test_groups_that_do_not_suit(self):
        case = make_case("single")
        model = Distributed(skmtl.BlockSparseRegressorCV(alphas=3, cv=3))
        for groups, message in (
            (np.zeros(120), "have no label, .* Lower cv, or pass more groups"),
            (np.r_[np.nan, np.zeros(119)], "groups holds missing values"),
            (np.zeros((120, 2)), "groups must be 1-D"),
            (np.zeros(119), r"inconsistent numbers of samples: \[120, 120, 119\]"),
        ):
            with pytest.raises(ValueError, match=message):
                model.fit(case.X, case.y, groups=groups)
        grouped = skmtl.BlockSparseRegressorCV(cv=GroupKFold(3))
        with pytest.raises(ValueError, match="To keep rows together, pass groups to fit"):
            Distributed(grouped).fit(case.X, case.y, groups=np.zeros(120))

    @pytest.mark.parametrize("layout", ["missing", "stacked"])
    def test_a_search_of_any_estimator(self, layout):
        case = make_case(layout)
        search = AlphaSearchCV(skmtl.LowRankRegressor(tol=1e-8, **case.params), alphas=5, cv=4)
        model = Distributed(search)
        blocks = in_blocks(da, case)
        model.fit(*blocks)
        local = clone(search).fit_statistics(model.statistics_)
        np.testing.assert_array_equal(model.mse_path_, local.mse_path_)
        assert type(model.to_local()) is AlphaSearchCV
        np.testing.assert_allclose(model.predict(blocks[0]), local.predict(case.X), rtol=1e-12)
        score = local.score(case.X, case.y, case.weights)
        assert model.score(*blocks) == pytest.approx(score, rel=1e-12)

    def test_too_few_rows(self):
        case = make_case("single")
        model = Distributed(skmtl.BlockSparseRegressorCV(cv=5))
        with pytest.raises(ValueError, match="have no label, .* n_samples=3. Lower cv"):
            model.fit(da.from_array(case.X[:3]), da.from_array(case.y[:3]))


class TestErrors:
    def test_no_labels(self):
        case = make_case("single")
        X, y, _ = in_blocks(da, case)
        for rows, weight in ((X[:0], 1.0), (X, 0.0)):
            with pytest.raises(ValueError, match="There is no label to fit"):
                Distributed(small_model()).fit(rows, y[: len(rows)], weight)

    def test_a_block_is_named(self):
        case = make_case("stacked")
        case.X[60, 2] = np.nan
        with pytest.raises(ValueError, match="^Block 3: Input X contains NaN"):
            Distributed(small_model(**case.params)).fit(*in_blocks(da, case))

    def test_a_block_is_named_although_it_has_folds(self):
        case = make_case("stacked")
        case.y[60] = np.inf
        with pytest.raises(ValueError, match="^Block 3: .*in row 22|^Block 3: .*infin"):
            Distributed(skmtl.BlockSparseRegressorCV(**case.params)).fit(*in_blocks(da, case))

    def test_blocks_that_do_not_match(self):
        case = make_case("stacked")
        ids = case.X.astype(object)
        ids[80:, -1] = "text"
        X = da.from_array(ids, chunks=(40, -1))
        with pytest.raises(
            ValueError, match="^Blocks 0 to 1 and block 2: The task ids are strings"
        ):
            Distributed(small_model(**case.params)).fit(X, da.from_array(case.y, chunks=40))

    def test_blocks_of_different_lengths(self):
        case = make_case("single")
        X, y, _ = in_blocks(da, case, (60, 60), unknown=True)
        shorter = da.from_array(case.y[:119], chunks=((60, 59),))
        with pytest.raises(ValueError, match=r"Block 1: X and y have \[60, 59\]"):
            Distributed(small_model()).fit(X, shorter)
        with pytest.raises(ValueError, match="X has 2 blocks of rows and y has 3"):
            Distributed(small_model()).fit(X, da.from_array(case.y, chunks=40))
        with pytest.raises(ValueError, match="X has 120 rows and y has 119"):
            Distributed(small_model()).fit(da.from_array(case.X), shorter)

    def test_partitions_of_different_numbers(self):
        frame = stacked_frame()
        three, four = (dd.from_pandas(frame, npartitions=k) for k in (3, 4))
        with pytest.raises(ValueError, match="X has 3 partitions and y has 4"):
            Distributed(small_model(task_column="school")).fit(three[["x0", "school"]], four["y"])

    def test_data_in_memory_beside_lazy_ones(self):
        case = make_case("single")
        X, y, _ = in_blocks(da, case)
        for pair in ((X, case.y), (case.X, y), (X, y, np.ones(120))):
            with pytest.raises(TypeError, match="both be Dask collections or both be in memory"):
                Distributed(small_model()).fit(*pair)
        delayed = pytest.importorskip("dask").delayed(case.X)
        with pytest.raises(TypeError, match="X must be a Dask array, data frame or Series"):
            Distributed(small_model()).fit(delayed, y)

    @pytest.mark.parametrize(
        "estimator",
        [
            AlphaSearchCV(skmtl.BlockSparseClassifier()),
            AlphaSearchCV(skmtl.BlockSparseRegressor(loss="huber")),
        ],
        ids=str,
    )
    def test_estimators_that_need_rows(self, estimator):
        X, y, _ = in_blocks(da, make_case("single"))
        with pytest.raises(TypeError, match="which AlphaSearchCV.* does not have"):
            Distributed(estimator).fit(X, y)

    @pytest.mark.parametrize(
        ("params", "message"),
        [
            ({"cv": PredefinedSplit([0, 1])}, "cv must be a number of folds or None"),
            ({"scoring": "r2"}, "scoring='r2' needs rows"),
        ],
        ids=["cv", "scoring"],
    )
    def test_searches_that_need_rows(self, params, message):
        X, y, _ = in_blocks(da, make_case("single"))
        with pytest.raises(ValueError, match=message):
            Distributed(skmtl.BlockSparseRegressorCV(**params)).fit(X, y)

    def test_parameters(self):
        X, y, _ = in_blocks(da, make_case("single"))
        with pytest.raises(ValueError, match=r"^Block \d: .* more than memory_limit"):
            Distributed(small_model(), memory_limit=100).fit(X, y)
        with pytest.raises(ValueError, match="'client' parameter of Distributed"):
            Distributed(small_model(), client=3).fit(X, y)
        with pytest.raises(ValueError, match="'alpha' parameter of BlockSparseRegressor"):
            Distributed(skmtl.BlockSparseRegressor(-1)).fit(X, y)


class TestEstimator:
    def test_scikit_learn_accepts_it(self):
        check_estimator(Distributed(skmtl.BlockSparseRegressor(0.01)))

    def test_scikit_learn_accepts_searches(self):
        search = skmtl.BlockSparseRegressorCV(alphas=3, cv=2)
        reason = "folds of repeated rows are others than those of weighted rows"
        weights = "check_sample_weight_equivalence_on"
        expected = {f"{weights}_{kind}_data": reason for kind in ("dense", "sparse")}
        check_estimator(Distributed(search), expected_failed_checks=expected)

    def test_parameters_copies_and_text(self):
        model = Distributed(small_model())
        assert model.get_params()["estimator__alpha"] == 0.05
        assert repr(model) == "Distributed(estimator=BlockSparseRegressor(alpha=0.05, tol=1e-10))"
        case = make_case("shared")
        model.fit(*in_blocks(da, case))
        copied = pickle.loads(pickle.dumps(model))
        np.testing.assert_array_equal(copied.predict(case.X), model.predict(case.X))
        other = clone(model).set_params(estimator__alpha=0.5)
        assert not hasattr(other, "coef_") and model.estimator.alpha == 0.05

    def test_clones_share_the_client_and_pickles_lack_it(self):
        class Client:
            def get(self, *args):
                raise AssertionError

            def __deepcopy__(self, memo):
                raise AssertionError

            __reduce__ = None

        model = Distributed(small_model(), client=Client())
        assert clone(model).client is model.client
        assert pickle.loads(pickle.dumps(model)).client is None
        assert model.client is not None

    def test_statistics_serve_other_fits(self):
        case = make_case("stacked")
        model = Distributed(small_model(**case.params)).fit(*in_blocks(da, case))
        other = skmtl.TaskRelationRegressor(0.1, tol=1e-10, **case.params)
        coef = other.fit_statistics(model.statistics_).coef_
        np.testing.assert_allclose(coef, other.fit(case.X, case.y, case.weights).coef_, atol=1e-6)


class TestPrediction:
    @pytest.mark.turns(3)
    @pytest.mark.parametrize("layout", ["shared", "stacked"])
    @pytest.mark.parametrize("name", FAMILIES)
    def test_every_family(self, name, layout):
        case = make_case(layout)
        X, y, _ = in_blocks(da, case, (60, 60))
        options = {"alphas": 3, "cv": 2} if name.endswith("CV") else {}
        model = Distributed(getattr(skmtl, name)(**options, **case.params))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(X, y)
        local = model.to_local().predict(case.X)
        assert model.predict(X).shape == local.shape
        np.testing.assert_allclose(model.predict(X), local, rtol=1e-9, atol=1e-9)

    @pytest.mark.turns(2)
    @every_layout
    @pytest.mark.parametrize("unknown", [False, True], ids=["sizes known", "sizes unknown"])
    def test_arrays_keep_their_blocks(self, layout, unknown):
        case = make_case(layout)
        blocks = in_blocks(da, case, unknown=unknown)
        model = Distributed(small_model(**case.params)).fit(*blocks)
        lazy, local = model.predict(blocks[0]), model.to_local()
        assert isinstance(lazy, da.Array)
        assert lazy.dtype == np.float64
        if not unknown:
            assert lazy.chunks[0] == SIZES
        np.testing.assert_allclose(lazy.compute(), local.predict(case.X), rtol=1e-12)
        scores = model.score(*blocks), local.score(case.X, case.y, case.weights)
        assert scores[0] == pytest.approx(scores[1], rel=1e-12)

    def test_frames_keep_their_index(self):
        frame, columns = stacked_frame(), [*FEATURES, "school"]
        lazy = dd.from_pandas(frame, npartitions=4)
        model = fitted_on(Distributed(small_model(task_column="school")), lazy, columns)
        predicted = model.predict(lazy[columns])
        assert isinstance(predicted, dd.Series)
        assert predicted.divisions == lazy.divisions
        found = predicted.compute()
        pd.testing.assert_index_equal(found.index, frame.index)
        np.testing.assert_allclose(found, model.to_local().predict(frame[columns]), rtol=1e-12)
        score = model.score(lazy[columns], lazy["y"], lazy["weight"])
        local = model.to_local().score(frame[columns], frame["y"], frame["weight"])
        assert score == pytest.approx(local, rel=1e-12)

    def test_frames_have_a_column_for_each_task(self):
        case = make_case("shared")
        frame = pd.DataFrame(np.hstack([case.X, case.y]), columns=[*FEATURES, *"pqrs"])
        lazy = dd.from_pandas(frame, npartitions=3)
        model = Distributed(small_model()).fit(lazy[FEATURES], lazy[[*"pqrs"]])
        predicted = model.predict(lazy[lazy["x0"] > 3.5][FEATURES])
        assert list(predicted.columns) == [*"pqrs"]
        kept = frame[frame["x0"] > 3.5]
        pd.testing.assert_frame_equal(
            predicted.compute(),
            pd.DataFrame(model.to_local().predict(kept[FEATURES]), kept.index, [*"pqrs"]),
        )
        score = model.score(lazy[FEATURES], lazy[[*"srqp"]])
        local = model.to_local().score(frame[FEATURES], frame[[*"srqp"]])
        assert score == pytest.approx(local, rel=1e-12)

    def test_unknown_tasks_are_an_error_when_it_is_computed(self):
        case = make_case("stacked")
        X, y, _ = in_blocks(da, case)
        model = Distributed(small_model(**case.params)).fit(X, y)
        with pytest.raises(ValueError, match="tasks that were not in the training data"):
            model.predict(X + 1).compute()
