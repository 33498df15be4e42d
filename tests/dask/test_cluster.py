"""Fits on a cluster of two processes."""

import joblib
import numpy as np
import pandas as pd
import pytest
from dask_cases import (
    FEATURES,
    SIZES,
    Dying,
    assert_same_statistics,
    die_once,
    fitted_on,
    in_blocks,
    loss_case,
    noted,
    small_model,
    stacked_frame,
)
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold

import skmtl
from skmtl.dask import Distributed
from skmtl.dask._distributed import _blocks
from skmtl.dask._passes import BlockPasses
from tests.statistics_cases import make_case

REASON = "pip install skmtl[dask]"
pytest.importorskip("distributed", reason=REASON)
da = pytest.importorskip("dask.array", reason=REASON)
dd = pytest.importorskip("dask.dataframe", reason=REASON)


@pytest.mark.turns(2)
@pytest.mark.parametrize("layout", ["weighted", "missing", "stacked"])
def test_distributed_streamed_and_local_fits_agree(cluster, layout):
    case = make_case(layout)
    blocks = in_blocks(da, case)
    local = small_model(**case.params).fit(case.X, case.y, case.weights)
    streamed = case.statistics(7)
    for client in (None, cluster):
        model = Distributed(small_model(**case.params), client=client).fit(*blocks)
        assert_same_statistics(model.statistics_, streamed)
        np.testing.assert_allclose(model.coef_, local.coef_, atol=1e-6)
        np.testing.assert_allclose(model.intercept_, local.intercept_, atol=1e-6)
    np.testing.assert_allclose(model.predict(blocks[0]), local.predict(case.X), atol=1e-5)
    score = local.score(case.X, case.y, case.weights)
    assert model.score(*blocks) == pytest.approx(score, rel=1e-6)


def test_the_client_in_use_is_found(cluster, monkeypatch):
    asked, get = [], cluster.get
    monkeypatch.setattr(cluster, "get", lambda *args, **kw: asked.append(1) or get(*args, **kw))
    X, y, _ = in_blocks(da, make_case("single"))
    Distributed(small_model()).fit(X, y)
    assert len(asked) == 1  # everything at once


def test_frames_and_folds(cluster):
    frame, columns = stacked_frame(), [*FEATURES, "school"]
    lazy = dd.from_pandas(frame, npartitions=5)
    search = skmtl.BlockSparseRegressorCV(alphas=10, cv=3, task_column="school")
    model = fitted_on(Distributed(search), lazy, columns)
    again = fitted_on(Distributed(search), lazy, columns)
    np.testing.assert_array_equal(model.mse_path_, again.mse_path_)
    counts = np.sum([part.label_counts_ for part in model.statistics_], axis=0)
    assert counts.tolist() == frame["school"].value_counts().sort_index().tolist()
    predicted = model.predict(lazy[columns]).compute()
    pd.testing.assert_index_equal(predicted.index, frame.index)


def test_one_pass_for_all_folds_and_strengths(cluster, tmp_path):
    case = make_case("stacked")
    X, y, _ = in_blocks(da, case, (20,) * 6)
    data = da.concatenate([X, y[:, None]], axis=1).rechunk({1: -1})
    data = data.map_blocks(noted, str(tmp_path), dtype=X.dtype, meta=case.X[:0])
    search = skmtl.BlockSparseRegressorCV(task_column=5, alphas=50, cv=5)
    Distributed(search).fit(data[:, :6], data[:, 6])
    assert len(list(tmp_path.iterdir())) == 6


def test_errors_name_the_block(cluster):
    case = make_case("stacked")
    case.X[60, 2] = np.nan
    with pytest.raises(ValueError, match="^Block 3: Input X contains NaN"):
        Distributed(small_model(**case.params)).fit(*in_blocks(da, case))


@pytest.mark.slow
def test_a_grid_search_runs_on_the_cluster(cluster):
    case = make_case("shared")
    grid = {"alpha": [0.01, 1.0]}
    search = GridSearchCV(skmtl.BlockSparseRegressor(tol=1e-8), grid, cv=KFold(2))
    local = search.fit(case.X, case.y).cv_results_["mean_test_score"]
    search.set_params(n_jobs=2)
    with joblib.parallel_backend("dask"):
        search.fit(case.X, case.y)
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], local, rtol=1e-10)


@pytest.mark.slow
def test_a_worker_that_dies_changes_nothing(cluster, tmp_path):
    case = make_case("stacked")
    X, y, weights = in_blocks(da, case, (20,) * 6)
    before = Distributed(small_model(**case.params)).fit(X, y, weights)
    marker = tmp_path / "died"
    dangerous = X.map_blocks(die_once, str(marker), dtype=X.dtype, meta=case.X[:0])
    after = Distributed(small_model(**case.params)).fit(dangerous, y, weights)
    assert marker.exists()
    np.testing.assert_array_equal(after.coef_, before.coef_)
    assert_same_statistics(after.statistics_, before.statistics_)


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["missing", "stacked"])
@pytest.mark.parametrize("loss", ["logistic", "poisson", "huber"])
def test_other_losses_have_the_same_optimum(cluster, loss, layout):
    case = loss_case(loss, layout)
    order = np.argsort(np.nan_to_num(case.y.reshape(120, -1)[:, 0]), kind="stable")
    case.X, case.y, case.weights = case.part(order)  # so that chunks lack classes
    params = {**case.params, "tol": 1e-12}
    if loss == "logistic":
        model = skmtl.BlockSparseClassifier(0.02, **params)
    else:
        model = skmtl.BlockSparseRegressor(0.02, loss=loss, **params)
    local = clone(model).fit(case.X, case.y, case.weights)
    rows = np.split(np.arange(120), np.cumsum(SIZES)[:-1])
    streamed = clone(model).fit_batches([case.part(part) for part in rows if len(part)])
    X, y, weights = in_blocks(da, case)
    found = Distributed(model, client=cluster).fit(X, y, weights)
    assert found.n_iter_ == streamed.n_iter_
    assert found.dual_gap_ <= 1e-8 * local.objective_
    for other in (streamed, local):
        np.testing.assert_allclose(found.coef_, other.coef_, atol=1e-6)
        np.testing.assert_allclose(found.intercept_, other.intercept_, atol=1e-5)
    np.testing.assert_allclose(found.predict(X), found.to_local().predict(case.X), rtol=1e-12)


@pytest.mark.slow
def test_classes_in_frames_with_a_task_column(cluster):
    frame, columns = stacked_frame(), [*FEATURES, "school"]
    frame["passed"] = np.where(frame["y"] > frame["y"].median(), "yes", "no")
    frame = frame.sort_values(["passed", "school"]).reset_index(drop=True)
    lazy = dd.from_pandas(frame, npartitions=5)
    lazy = dd.concat([lazy, lazy[lazy["x0"] > 1e9]])
    model = skmtl.BlockSparseClassifier(0.02, task_column="school", tol=1e-10)
    local = clone(model).fit(frame[columns], frame["passed"], frame["weight"])
    found = Distributed(model).fit(lazy[columns], lazy["passed"], lazy["weight"])
    assert found.classes_.tolist() == ["no", "yes"]
    assert found.tasks_.tolist() == ["north", "south", "west"]
    np.testing.assert_allclose(found.coef_, local.coef_, atol=1e-6)
    shares = found.predict_proba(lazy[columns]).compute()
    np.testing.assert_allclose(shares, local.predict_proba(frame[columns]), atol=1e-5)
    assert found.predict(lazy[columns]).compute().tolist() == local.predict(frame[columns]).tolist()


def test_blocks_are_read_once_for_all_passes(cluster, tmp_path):
    case = loss_case("logistic", "stacked")
    X, y, weights = in_blocks(da, case, (20,) * 6)
    X = X.map_blocks(noted, str(tmp_path), dtype=X.dtype, meta=case.X[:0])
    found = Distributed(skmtl.BlockSparseClassifier(0.02, **case.params)).fit(X, y, weights)
    assert found.n_iter_ > 2
    assert len(list(tmp_path.iterdir())) == 6


@pytest.mark.slow
def test_a_worker_that_dies_between_passes_changes_nothing(cluster, tmp_path):
    case = loss_case("logistic", "stacked")
    blocks = in_blocks(da, case, (20,) * 6)
    model, marker = skmtl.BlockSparseClassifier(0.02, **case.params), tmp_path / "died"
    before = Distributed(model).fit(*blocks)
    passes = BlockPasses(*_blocks(*blocks), cluster)
    total = passes.total

    def dangerous(work):
        return total(Dying(work, str(marker)) if passes.n_passes == 2 else work)

    passes.total = dangerous
    after = clone(model).fit_batches(passes)
    assert marker.exists()
    np.testing.assert_array_equal(after.coef_, before.coef_)
