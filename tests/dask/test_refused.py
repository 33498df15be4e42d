"""Estimators in memory refuse collections of dask instead of loading them."""

import numpy as np
import pytest

import skmtl
from skmtl.design import TaskStatistics
from tests.statistics_cases import make_case

da = pytest.importorskip("dask.array", reason="pip install skmtl[dask]")
dd = pytest.importorskip("dask.dataframe", reason="pip install skmtl[dask]")

MESSAGE = r"A Dask \w+ is not in memory. Fit it by skmtl.dask.Distributed\(estimator\)"


def forbidden(block):
    raise AssertionError("computed")


def lazy(values):
    return da.map_blocks(forbidden, da.from_array(values), dtype=values.dtype, meta=values[:0])


@pytest.mark.parametrize(
    "model",
    [
        skmtl.BlockSparseRegressor(),
        skmtl.BlockSparseRegressorCV(),
        skmtl.BlockSparseClassifier(),
        skmtl.IndependentTaskRegressor(loss="huber"),
        skmtl.StructureSearchRegressorCV(),
    ],
    ids=lambda model: type(model).__name__,
)
@pytest.mark.parametrize("layout", ["shared", "stacked"])
def test_fit(model, layout):
    case = make_case(layout)
    model = model.set_params(**{"task_column": None} | case.params)
    y = (case.y > 0).astype(float)
    for X, labels in ((lazy(case.X), y), (case.X, lazy(y)), (lazy(case.X), lazy(y))):
        with pytest.raises(TypeError, match=MESSAGE):
            model.fit(X, labels)


def test_weights_prediction_and_score():
    case = make_case("shared")
    model = skmtl.BlockSparseRegressor()
    with pytest.raises(TypeError, match=MESSAGE):
        model.fit(case.X, case.y, lazy(np.ones(120)))
    model.fit(case.X, case.y)
    for call in (
        lambda: model.predict(lazy(case.X)),
        lambda: model.score(lazy(case.X), case.y),
        lambda: model.score(case.X, lazy(case.y)),
    ):
        with pytest.raises(TypeError, match=MESSAGE):
            call()


def test_statistics():
    case = make_case("shared")
    for X, y in ((lazy(case.X), case.y), (case.X, lazy(case.y))):
        statistics = TaskStatistics()
        with pytest.raises(TypeError, match=MESSAGE):
            statistics.update(X, y)
        with pytest.raises(TypeError, match=MESSAGE):
            skmtl.BlockSparseRegressor().partial_fit(X, y)
        assert not hasattr(statistics.update(case.X, case.y), "feature_names_in_")


def test_frames_and_delayed_values():
    pd = pytest.importorskip("pandas")
    case = make_case("stacked")
    frame = dd.from_pandas(pd.DataFrame(case.X), npartitions=2)
    delayed = pytest.importorskip("dask").delayed(case.X)
    for X in (frame, delayed):
        with pytest.raises(TypeError, match=MESSAGE):
            skmtl.BlockSparseRegressor(task_column=-1).fit(X, case.y)
