"""Fits on a cluster of two processes."""

import joblib
import numpy as np
import pandas as pd
import pytest
from dask_cases import (
    FEATURES,
    assert_same_statistics,
    die_once,
    fitted_on,
    in_blocks,
    noted,
    small_model,
    stacked_frame,
)
from sklearn.model_selection import GridSearchCV, KFold

import skmtl
from skmtl.dask import Distributed
from tests.statistics_cases import make_case

REASON = "pip install skmtl[dask]"
pytest.importorskip("distributed", reason=REASON)
da = pytest.importorskip("dask.array", reason=REASON)
dd = pytest.importorskip("dask.dataframe", reason=REASON)


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


def test_a_grid_search_runs_on_the_cluster(cluster):
    case = make_case("shared")
    grid = {"alpha": [0.01, 1.0]}
    search = GridSearchCV(skmtl.BlockSparseRegressor(tol=1e-8), grid, cv=KFold(2))
    local = search.fit(case.X, case.y).cv_results_["mean_test_score"]
    search.set_params(n_jobs=2)
    with joblib.parallel_backend("dask"):
        search.fit(case.X, case.y)
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], local, rtol=1e-10)


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
