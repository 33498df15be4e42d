"""Fits with other losses, in several passes over the blocks."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from dask_cases import FEATURES, SIZES, in_blocks, labelled, loss_case, stacked_frame
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import check_estimator

import skmtl
from skmtl.dask import Distributed
from skmtl.dask._passes import BlockPasses
from skmtl.penalties import L21, Superposition
from tests.statistics_cases import make_case

REASON = "pip install skmtl[dask]"
da = pytest.importorskip("dask.array", reason=REASON)
dd = pytest.importorskip("dask.dataframe", reason=REASON)
config = pytest.importorskip("dask.config", reason=REASON)

TIGHT = {"tol": 1e-12}


@pytest.fixture(autouse=True)
def scheduler():
    with config.set(scheduler="synchronous"):
        yield


def assert_same_fit(model, local, atol=1e-6):
    """The coefficients and the certificate are those of a fit to rows in memory."""
    scale = max(np.abs(local.coef_).max(), 1.0)
    np.testing.assert_allclose(model.coef_, local.coef_, atol=atol * scale)
    np.testing.assert_allclose(model.intercept_, local.intercept_, atol=10 * atol * scale)
    np.testing.assert_array_equal(model.tasks_, local.tasks_)
    gaps = local.dual_gap_ + model.dual_gap_
    assert abs(model.objective_ - local.objective_) <= gaps + 1e-12


def compared(model, case, blocks):
    """Fit to blocks and to all rows, and compare."""
    lazy = Distributed(model).fit(*blocks)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        local = clone(model).fit(case.X, case.y, case.weights)
    assert_same_fit(lazy, local)
    return lazy, local


@pytest.mark.turns(3)
@pytest.mark.parametrize("layout", ["shared", "missing", "stacked", "single"])
@pytest.mark.parametrize("loss", ["poisson", "huber", "gamma", "tweedie"])
def test_regression(loss, layout):
    case = loss_case(loss, layout)
    model = skmtl.BlockSparseRegressor(0.02, loss=loss, **case.params, **TIGHT)
    lazy, local = compared(model, case, in_blocks(da, case))
    X = in_blocks(da, case)[0]
    np.testing.assert_allclose(lazy.predict(X), local.predict(case.X), rtol=1e-5)
    assert not hasattr(lazy, "statistics_")


@pytest.mark.turns(3)
@pytest.mark.parametrize("layout", ["shared", "missing", "stacked", "single"])
@pytest.mark.parametrize("loss", ["logistic", "squared_hinge"])
def test_classification(loss, layout):
    case = loss_case(loss, layout)
    model = skmtl.BlockSparseClassifier(0.02, loss=loss, **case.params, **TIGHT)
    blocks = in_blocks(da, case, unknown=layout == "missing")
    lazy, local = compared(model, case, blocks)
    np.testing.assert_array_equal(lazy.classes_, local.classes_)
    predicted = lazy.predict(blocks[0])
    assert isinstance(predicted, da.Array) and predicted.dtype == local.predict(case.X).dtype
    if layout != "missing":
        assert predicted.chunks[0] == SIZES
    np.testing.assert_array_equal(predicted, lazy.to_local().predict(case.X))
    methods = ["decision_function"] + ["predict_proba"] * (loss == "logistic")
    for method in methods:
        found, exact = (getattr(lazy, method)(blocks[0]), getattr(local, method)(case.X))
        assert found.shape[1:] == exact.shape[1:]
        np.testing.assert_allclose(found, exact, atol=1e-5)
    score = lazy.to_local().score(case.X, case.y, case.weights)
    assert lazy.score(*blocks) == pytest.approx(score, rel=1e-12)
    assert hasattr(lazy, "predict_proba") == (loss == "logistic")


@pytest.mark.turns(2)
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("class_weight", [None, "balanced", {"b": 3.0}])
def test_chunks_of_one_class(n_classes, class_weight):
    case = make_case("shared")
    y = np.array(["a", "b", "long name"])[case.y[:, :n_classes].argmax(axis=1)]
    order = np.argsort(y, kind="stable")
    case.X, case.y = case.X[order], y[order]
    model = skmtl.BlockSparseClassifier(0.02, class_weight=class_weight, **TIGHT)
    blocks = in_blocks(da, case)
    lazy, local = compared(model, case, blocks)
    assert lazy.classes_.tolist() == local.classes_.tolist()
    np.testing.assert_array_equal(lazy.predict(blocks[0]), local.predict(case.X))
    for method in ("predict_proba", "decision_function"):
        found, exact = getattr(lazy, method)(blocks[0]), getattr(local, method)(case.X)
        assert found.shape == exact.shape
        np.testing.assert_allclose(found, exact, atol=1e-5)


@pytest.mark.parametrize("names", [np.array([7.0, 2.0, 30.0]), np.array(["x", "longer", "b"])])
def test_tasks_that_are_absent_from_chunks(names):
    case = make_case("shared", n=90)
    ids = np.repeat(names, 30)
    X = case.X.astype(object) if names.dtype.kind == "U" else case.X
    case.X, case.y = np.column_stack([X, ids]), labelled("poisson", case.y[:, 0])
    model = skmtl.ClusteredTaskRegressor(
        0.02, loss="poisson", n_clusters=2, task_column=-1, **TIGHT
    )
    compared(model, case, in_blocks(da, case, (40, 0, 9, 41)))


@pytest.mark.turns(2)
@pytest.mark.parametrize(
    "model",
    [
        skmtl.IndependentTaskClassifier(0.0),
        skmtl.DirtyModelClassifier(0.02),
        skmtl.LowRankClassifier(0.02),
        skmtl.TaskRelationClassifier(0.02),
        skmtl.FusedTaskClassifier(0.01, task_weight="balanced"),
        skmtl.BlockSparseClassifier(0.02, fit_intercept=False),
        skmtl.MultiTaskClassifier(0.02, penalty=Superposition(L21(), L21(2.0))),
        skmtl.MultiTaskRegressor(
            0.02, loss={0: "huber", 1: "squared", 2: "logistic", 3: "huber"}, scale_tasks=True
        ),
        skmtl.TaskRelationRegressor(
            0.05, loss="huber", prior_coef=np.ones((4, 4)), offset_column=2
        ),
    ],
    ids=lambda model: type(model).__name__,
)
def test_families(model):
    case = make_case("missing")
    if "Classifier" in type(model).__name__:
        case.y = labelled("logistic", case.y)
    elif isinstance(model.loss, dict):
        case.y[:, 2] = labelled("logistic", case.y[:, 2])
    lazy = Distributed(clone(model).set_params(tol=1e-10)).fit(*in_blocks(da, case))
    local = clone(model).set_params(tol=1e-10).fit(case.X, case.y, case.weights)
    assert_same_fit(lazy, local, atol=1e-4)
    assert type(lazy.to_local()) is type(model)


@pytest.mark.turns(2)
@pytest.mark.parametrize("ids", ["string", "category"])
def test_frames_with_a_task_column(ids):
    frame, columns = stacked_frame(ids=ids), [*FEATURES, "school"]
    frame["passed"] = np.where(frame["y"] > frame["y"].median(), "yes", "no")
    frame = frame.sort_values("passed")
    frame.index = pd.Index(np.arange(len(frame)) * 10 + 7, name="pupil")
    kind = skmtl.FusedTaskClassifier if ids == "category" else skmtl.BlockSparseClassifier
    model = kind(0.02, task_column="school", tol=1e-10)
    lazy = dd.from_pandas(frame, npartitions=4)
    lazy = dd.concat([lazy, lazy[lazy["x0"] > 1e9]])
    found = Distributed(model).fit(lazy[columns], lazy["passed"], lazy["weight"])
    local = clone(model).fit(frame[columns], frame["passed"], frame["weight"])
    assert_same_fit(found, local)
    assert found.classes_.tolist() == ["no", "yes"]
    assert found.feature_names_in_.tolist() == columns
    predicted = found.predict(lazy[columns])
    assert isinstance(predicted, dd.Series)
    pd.testing.assert_index_equal(predicted.compute().index, frame.index)
    assert predicted.compute().tolist() == local.predict(frame[columns]).tolist()
    shares = found.predict_proba(lazy[columns])
    assert list(shares.columns) == ["no", "yes"]
    np.testing.assert_allclose(shares.compute(), local.predict_proba(frame[columns]), atol=1e-5)
    pd.testing.assert_index_equal(shares.compute().index, frame.index)
    assert found.score(lazy[columns], lazy["passed"]) == pytest.approx(
        local.score(frame[columns], frame["passed"])
    )


def test_sparse_blocks_in_single_precision():
    case = loss_case("logistic", "shared")
    X, y, _ = in_blocks(da, case, (60, 60))
    X = X.astype(np.float32)
    model = skmtl.BlockSparseClassifier(0.02, **TIGHT)
    dense = Distributed(model).fit(X, y)
    thin = Distributed(model).fit(X.map_blocks(sp.csr_matrix), y)
    np.testing.assert_allclose(thin.coef_, dense.coef_, atol=1e-6)
    np.testing.assert_array_equal(thin.predict(X.map_blocks(sp.csr_matrix)), dense.predict(X))


def test_passes_are_those_of_batches():
    case = loss_case("logistic", "shared")
    model = skmtl.BlockSparseClassifier(0.01)
    rows = np.split(np.arange(120), np.cumsum(SIZES)[:-1])
    batches = [case.part(part) for part in rows if len(part)]
    streamed = clone(model).fit_batches(batches)
    lazy = Distributed(model).fit(*in_blocks(da, case))
    assert lazy.n_iter_ == streamed.n_iter_
    np.testing.assert_allclose(lazy.coef_, streamed.coef_, rtol=1e-9, atol=1e-12)
    with pytest.warns(ConvergenceWarning, match="after 3 passes"):
        Distributed(model.set_params(tol=1e-12), passes=3).fit(*in_blocks(da, case))


class TestErrors:
    @pytest.mark.parametrize(
        ("model", "message"),
        [
            (skmtl.BlockSparseRegressor(loss="quantile"), "loss='huber'"),
            (skmtl.BlockSparseClassifier(loss="multinomial"), "couples the classes"),
            (skmtl.BlockSparseClassifierCV(), "cross-validates"),
            (skmtl.CappedBlockSparseRegressor(loss="huber"), "not convex"),
            (skmtl.IndependentTaskClassifier("cv"), "needs a number as alpha"),
        ],
        ids=lambda value: value if isinstance(value, str) else type(value).__name__,
    )
    def test_what_cannot_be_fitted_in_passes(self, model, message):
        case = loss_case("logistic", "shared")
        for data in ((case.X, case.y), in_blocks(da, case)):
            with pytest.raises(ValueError, match=message):
                Distributed(model).fit(*data)

    def test_a_block_is_named(self):
        case = loss_case("poisson", "shared")
        case.y[60, 2] = -1
        model = Distributed(skmtl.BlockSparseRegressor(loss="poisson"))
        with pytest.raises(ValueError, match="^Block 3: loss='poisson' needs labels >= 0"):
            model.fit(*in_blocks(da, case))
        assert not hasattr(model, "coef_")

    def test_blocks_that_do_not_match(self):
        case = loss_case("logistic", "single")
        X, y, _ = in_blocks(da, case, (40, 40, 40))
        y = y.map_blocks(_numbers_or_text, dtype=object)
        with pytest.raises(ValueError, match="^Blocks 0 to 1 and block 2: y holds numbers such"):
            Distributed(skmtl.BlockSparseClassifier()).fit(X, y)
        ids = np.column_stack([case.X, np.arange(120) % 3]).astype(object)
        ids[80:, -1] = "text"
        with pytest.raises(
            ValueError, match="^Blocks 0 to 1 and block 2: The task ids are strings"
        ):
            Distributed(skmtl.BlockSparseClassifier(task_column=-1)).fit(
                da.from_array(ids, chunks=(40, -1)), da.from_array(case.y, chunks=40)
            )
        frames = [pd.DataFrame(case.X[:60], columns=names) for names in (FEATURES, [*"abcde"])]
        parts = [pytest.importorskip("dask").delayed(frame) for frame in frames]
        meta = pd.DataFrame(columns=FEATURES, dtype=float)
        X = dd.from_delayed(parts, meta=meta, verify_meta=False)
        y = dd.from_pandas(pd.Series(case.y), npartitions=2)
        with pytest.raises(ValueError, match="The columns of X differ: feature_names_in_ is"):
            Distributed(skmtl.BlockSparseClassifier()).fit(X, y)

    def test_rows_that_differ_between_passes(self):
        case = loss_case("logistic", "shared")
        passes = BlockPasses(_delayed_blocks(case, 120), None, None)
        passes.total(_Rows())
        passes._blocks = _delayed_blocks(case, 100)
        with pytest.raises(ValueError, match="Pass 2 has 100 rows, the first pass had 120"):
            passes.total(_Rows())

    def test_no_labels(self):
        case = loss_case("logistic", "shared")
        X, y, _ = in_blocks(da, case)
        for rows, weight in ((X[:0], 1.0), (X, 0.0)):
            with pytest.raises(ValueError, match="hold no label"):
                Distributed(skmtl.BlockSparseClassifier()).fit(rows, y[: len(rows)], weight)

    def test_groups_without_folds(self):
        case = loss_case("logistic", "shared")
        with pytest.raises(ValueError, match="BlockSparseClassifier has none. Leave groups out"):
            Distributed(skmtl.BlockSparseClassifier()).fit(
                case.X, case.y, groups=np.arange(120) % 7
            )


def _numbers_or_text(labels, block_info):
    """The labels as text, except in the last block."""
    return labels if block_info[0]["chunk-location"] == (2,) else labels.astype(str)


class _Rows:
    """Counts rows."""

    def start(self):
        return 0

    def add(self, sums, X, y, sample_weight):
        pass


def _delayed_blocks(case, n):
    delayed = pytest.importorskip("dask").delayed
    return [delayed({"X": case.X[:n], "y": case.y[:n]}, traverse=False)]


def test_scikit_learn_accepts_it():
    check_estimator(Distributed(skmtl.BlockSparseClassifier(0.01)))


def test_data_in_memory_and_pickles():
    case = loss_case("logistic", "stacked")
    model = skmtl.BlockSparseClassifier(0.02, **case.params)
    found = Distributed(model).fit(case.X, case.y, case.weights)
    np.testing.assert_array_equal(found.coef_, clone(model).fit(case.X, case.y, case.weights).coef_)
    lazy = Distributed(model).fit(*in_blocks(da, case))
    copied = pickle.loads(pickle.dumps(lazy))
    np.testing.assert_array_equal(copied.predict_proba(case.X), lazy.predict_proba(case.X))
