"""Interruptions, old files, threads and processes."""

import multiprocessing
import os
import pickle
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import joblib
import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import skmtl
from skmtl.design import TaskStatistics
from skmtl.estimators.base import _minimisation
from tests.statistics_cases import make_case

STORED = Path(__file__).parent / "stored"


class TestInterruptions:
    @pytest.mark.parametrize("name", ["BlockSparseRegressor", "BlockSparseRegressorCV"])
    def test_the_last_fit_stays(self, name, monkeypatch):
        case, other = make_case("shared"), make_case("shared", n_features=3, n_tasks=2)
        model = getattr(skmtl, name)().fit(case.X, case.y)
        before, predicted = dict(vars(model)), model.predict(case.X)

        def interrupted(*args, **kwargs):
            raise KeyboardInterrupt

        monkeypatch.setattr(_minimisation, "solve", interrupted)
        with pytest.raises(KeyboardInterrupt):
            model.fit(other.X, other.y)
        assert vars(model) == before
        np.testing.assert_array_equal(model.predict(case.X), predicted)

    def test_an_unfitted_estimator_stays_unfitted(self, monkeypatch):
        case, model = make_case("shared"), skmtl.TaskRelationRegressor()
        monkeypatch.setattr(_minimisation, "solve", lambda *args, **kwargs: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            model.fit(case.X, case.y)
        assert not hasattr(model, "n_features_in_")

    def test_refused_data_leave_the_last_fit(self):
        case = make_case("shared")
        model = skmtl.BlockSparseRegressor(0.1).fit(case.X, case.y)
        with pytest.raises(ValueError, match="NaN"):
            model.fit(np.full((3, 2), np.nan), np.zeros((3, 2)))
        assert model.predict(case.X).shape == case.y.shape

    def test_rows_of_an_interrupted_partial_fit_count_once(self, monkeypatch):
        case = make_case("stacked")
        model = skmtl.BlockSparseRegressor(0.1, tol=1e-10, **case.params)
        model.partial_fit(*case.part(slice(0, 60)))
        coef = model.coef_.copy()
        with monkeypatch.context() as patched:
            patched.setattr(_minimisation, "solve", lambda *args, **kwargs: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                model.partial_fit(*case.part(slice(60, None)))
        np.testing.assert_array_equal(model.coef_, coef)
        model.fit_statistics(model.statistics_)
        whole = skmtl.BlockSparseRegressor(0.1, tol=1e-10, **case.params)
        whole.fit(case.X, case.y, case.weights)
        np.testing.assert_allclose(model.coef_, whole.coef_, atol=1e-6)


class TestStoredFiles:
    @pytest.mark.parametrize("path", sorted(STORED.glob("*.pkl")), ids=lambda path: path.name)
    def test_estimators_predict_as_they_did(self, path):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the version of scikit-learn may differ
            kept = pickle.loads(path.read_bytes())
        assert kept
        for one in kept.values():
            predicted = one["model"].predict(one["X"])
            np.testing.assert_allclose(predicted, one["predicted"], rtol=1e-12)
            if "probabilities" in one:
                found = one["model"].predict_proba(one["X"])
                np.testing.assert_allclose(found, one["probabilities"], rtol=1e-12)

    def test_every_estimator_is_stored(self):
        stored = set().union(*map(pickle.loads, map(Path.read_bytes, STORED.glob("families*.pkl"))))
        assert stored >= {name for name in skmtl.__all__ if name[0].isupper()}

    @pytest.mark.parametrize("path", sorted(STORED.glob("*.npz")), ids=lambda path: path.name)
    def test_statistics_are_read_and_fitted(self, path):
        layout = "missing" if path.name.startswith("missing") else "stacked"
        case, loaded = make_case(layout), TaskStatistics.load(path)
        rows = skmtl.BlockSparseRegressor(0.1, tol=1e-10, **case.params)
        rows.fit(case.X, case.y, case.weights)
        sums = skmtl.BlockSparseRegressor(0.1, tol=1e-10, **case.params).fit_statistics(loaded)
        np.testing.assert_allclose(sums.coef_, rows.coef_, atol=1e-6)


def fit_and_predict(case):
    """A fit in whatever process this runs."""
    return skmtl.TaskRelationRegressor(0.1, **case.params).fit(case.X, case.y).predict(case.X)


def blas_threads(case):
    """The BLAS threads within a search that runs in a worker, per call of the solver."""
    seen, original = [], _minimisation.solve

    def watched(*args, **kwargs):
        pools = [one for one in threadpool_info() if one["user_api"] == "blas"]
        seen.append(max((one["num_threads"] for one in pools), default=1))
        return original(*args, **kwargs)

    _minimisation.solve = watched
    try:
        model = skmtl.BlockSparseRegressorCV(alphas=3, n_jobs=2).fit(case.X, case.y)
    finally:
        _minimisation.solve = original
    return max(seen), model.alpha_


class TestProcesses:
    def test_threads_that_predict_at_once(self):
        case = make_case("stacked", n=600)
        model = skmtl.TaskRelationRegressor(0.1, unknown_task="prior", **case.params)
        model.fit(case.X, case.y)
        alone = model.predict(case.X, return_std=True)
        copy = pickle.loads(pickle.dumps(skmtl.TaskRelationRegressor(0.1, **case.params)))
        copy.fit(case.X, case.y)  # nothing is computed on demand yet
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda _: copy.predict(case.X, return_std=True), range(16)))
        for each in found:
            np.testing.assert_allclose(each[0], alone[0], rtol=1e-12)
            np.testing.assert_allclose(each[1], alone[1], rtol=1e-10)

    @pytest.mark.turns(2)
    @pytest.mark.parametrize("method", ["spawn", "fork"])
    def test_children_fit_as_their_parent(self, method):
        if method not in multiprocessing.get_all_start_methods():
            pytest.skip(f"this system does not {method}")
        if method == "fork" and sys.platform == "darwin":
            pytest.skip("the system's BLAS does not survive a fork")
        case = make_case("stacked")
        expected = fit_and_predict(case)  # also starts the parent's threads
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forks with threads
            with multiprocessing.get_context(method).Pool(1) as pool:
                found = pool.apply_async(fit_and_predict, (case,)).get(timeout=120)
        np.testing.assert_allclose(found, expected, rtol=1e-12)

    def test_nested_jobs_do_not_multiply_threads(self):
        case = make_case("shared", n=200)
        with threadpool_limits(1):
            alone = blas_threads(case)[1]
        found = joblib.Parallel(2)(joblib.delayed(blas_threads)(case) for _ in range(2))
        assert all(threads <= max(1, (os.cpu_count() or 1) // 2) for threads, _ in found)
        assert all(alpha == pytest.approx(alone) for _, alpha in found)
