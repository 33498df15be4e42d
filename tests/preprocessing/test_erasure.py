"""The eraser: zero covariance, least distortion, categories, tasks and containers."""

import pickle
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import minimize
from sklearn.base import clone
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

from skmtl import BlockSparseRegressor
from skmtl.preprocessing import NuisanceEraser


def dataset(n=200, d=5, k=2, seed=0):
    """Features of unequal scales that depend on the nuisances in the last k columns."""
    rng = np.random.default_rng(seed)
    Z = rng.normal(size=(n, k)) + 3
    X = Z @ rng.normal(size=(k, d)) + rng.normal(size=(n, d)) @ rng.normal(size=(d, d))
    return np.column_stack([X * 10.0 ** np.arange(-2, d - 2), Z])


def correlation(A, B, weights=None):
    """Weighted correlations between the columns of two matrices; 0 for constant ones."""
    weights = np.ones(len(A)) if weights is None else weights
    A, B = (M - np.average(M, axis=0, weights=weights) for M in (A, B))
    covariance = (weights[:, None] * A).T @ B
    sizes = [np.sqrt(weights @ M**2) for M in (A, B)]
    return covariance / np.maximum(np.outer(*sizes), 1e-300)


class TestGuarantee:
    @pytest.mark.parametrize("weighted", [False, True])
    def test_covariance_is_zero(self, weighted):
        X = dataset()
        weights = np.random.default_rng(1).uniform(0, 2, size=200) if weighted else None
        eraser = NuisanceEraser([5, 6]).fit(X, sample_weight=weights)
        assert eraser.loadings_.shape == (2, 5)
        assert np.abs(correlation(eraser.transform(X), X[:, 5:], weights)).max() < 1e-10

    def test_no_linear_model_predicts_the_nuisance(self):
        X = dataset()
        erased = NuisanceEraser([5, 6]).fit_transform(X)
        assert LinearRegression().fit(X[:, :5], X[:, 5]).score(X[:, :5], X[:, 5]) > 0.5
        assert LinearRegression().fit(erased, X[:, 5]).score(erased, X[:, 5]) < 1e-10

    def test_large_offsets(self):
        X = dataset()
        X += 1e6
        erased = NuisanceEraser([5, 6]).fit_transform(X)
        assert np.abs(correlation(erased, X[:, 5:])).max() < 1e-8

    @pytest.mark.parametrize("norm", ["euclidean", "other"])
    def test_distortion_is_least(self, norm):
        # Against a numerical minimum over all matrices that satisfy the constraint.
        X = dataset(n=60, d=3, k=1)[:, [0, 1, 2, 3]]
        X[:, :3] /= X[:, :3].std(axis=0)
        Z, centred = X[:, 3] - X[:, 3].mean(), X[:, :3] - X[:, :3].mean(axis=0)
        M = np.eye(3)
        if norm == "other":
            M = np.cov(np.random.default_rng(2).normal(size=(3, 9)))
        root = np.linalg.cholesky(M)

        def distortion(A):
            return (((centred @ A.reshape(3, 3).T - centred) @ root) ** 2).sum()

        constraint = {"type": "eq", "fun": lambda A: A.reshape(3, 3) @ (centred.T @ Z) / 60}
        options = {"maxiter": 500, "ftol": 1e-14}
        best = minimize(distortion, np.eye(3).ravel(), constraints=constraint, options=options)
        erased = NuisanceEraser([3]).fit_transform(X)
        mine = (((erased - X[:, :3]) @ root) ** 2).sum()
        assert mine == pytest.approx(best.fun, rel=1e-6)

    def test_identity_without_covariance(self):
        X = dataset()[:, :5]
        rng = np.random.default_rng(3)
        nuisance = rng.normal(size=200)
        within = np.column_stack([np.ones(200), X])
        nuisance -= within @ np.linalg.lstsq(within, nuisance, rcond=None)[0]
        eraser = NuisanceEraser([5])
        erased = eraser.fit_transform(np.column_stack([X, nuisance]))
        assert eraser.loadings_.shape == (0, 5)
        np.testing.assert_array_equal(erased, X)

    def test_collinear_nuisances_and_deficient_features(self):
        X = dataset()
        wide = np.column_stack([X[:, :5], X[:, :2] @ [1, 1], np.full(200, 7.0), X[:, 5:]])
        twice = np.column_stack([wide, X[:, 5] - 2 * X[:, 6], np.ones(200)])
        eraser = NuisanceEraser([7, 8, 9, 10])
        erased = eraser.fit_transform(twice)
        assert eraser.loadings_.shape == (2, 7)
        assert np.abs(correlation(erased, X[:, 5:])).max() < 1e-10
        np.testing.assert_array_equal(erased[:, 6], 7)
        np.testing.assert_allclose(erased[:, :5], NuisanceEraser([5, 6]).fit_transform(X))

    def test_fewer_rows_than_features(self):
        X = np.random.default_rng(0).normal(size=(10, 30))
        erased = NuisanceEraser([29]).fit_transform(X)
        assert np.abs(correlation(erased, X[:, 29:])).max() < 1e-10
        assert np.linalg.matrix_rank(erased - erased.mean(axis=0)) == 8

    def test_as_many_nuisances_as_features_leave_the_mean(self):
        X = dataset(d=2, k=3)
        with pytest.warns(UserWarning, match=r"Nothing but the mean .* features: the nuisances"):
            erased = NuisanceEraser([2, 3, 4]).fit_transform(X)
        np.testing.assert_allclose(erased, np.tile(X[:, :2].mean(axis=0), (200, 1)))
        # With three rows of a task, two nuisances leave nothing of four features.
        X = np.column_stack([dataset(100, d=4), np.repeat([7, 8], [97, 3])])
        with pytest.warns(UserWarning, match=r"remains of the features of the tasks \[8\]"):
            NuisanceEraser([4, 5], per_task=True, task_column=-1).fit(X)


class TestCategories:
    @pytest.mark.parametrize("container", ["object", "numbered"])
    def test_equal_indicators(self, container):
        X = dataset()[:, :5]
        site = np.random.default_rng(0).integers(4, size=200)
        X += 5 * np.eye(5)[site]
        indicators = np.column_stack([X, np.eye(4)[site]])
        expected = NuisanceEraser([5, 6, 7, 8]).fit_transform(indicators)
        if container == "object":
            given = np.column_stack([X.astype(object), np.array(list("abcd"), dtype=object)[site]])
            eraser = NuisanceEraser([5])
        else:
            given = np.column_stack([X, site])
            eraser = NuisanceEraser([5], categorical=[-1])
        np.testing.assert_allclose(eraser.fit_transform(given), expected, atol=1e-9)
        means = [expected[site == k].mean(axis=0) for k in range(4)]
        np.testing.assert_allclose(means, np.tile(expected.mean(axis=0), (4, 1)), atol=1e-9)

    def test_numbers_in_arrays_of_objects(self):
        X = dataset(80)
        named = np.column_stack([X[:, :6].astype(object), np.arange(80) % 2])
        named[:, 6] = np.array(["elm", "oak"], dtype=object)[np.arange(80) % 2]
        expected = NuisanceEraser([5]).fit_transform(X[:, :6])
        erased = NuisanceEraser([5], task_column=6).fit_transform(named)
        np.testing.assert_allclose(erased[:, :5].astype(float), expected)
        named[::9, 5] = None  # as in arrays of numbers
        with pytest.raises(ValueError, match="contain NaN"):
            NuisanceEraser([5], task_column=6).fit(named)

    def test_types_of_columns(self):
        pd = pytest.importorskip("pandas")
        X, site = dataset(60, k=0), np.random.default_rng(0).integers(3, size=60)
        frame = pd.DataFrame(X, columns=list("abcde")).assign(site=site)
        expected = NuisanceEraser(["site"], categorical=["site"]).fit_transform(frame)
        frame["site"] = frame["site"].astype("category")
        np.testing.assert_allclose(NuisanceEraser(["site"]).fit_transform(frame), expected)
        frame["site"] = site == 1
        expected = NuisanceEraser(["site"]).fit_transform(frame)
        frame["site"] = frame["site"].astype(object)
        np.testing.assert_allclose(NuisanceEraser(["site"]).fit_transform(frame), expected)

    def test_many_rare_categories_beside_numbers(self):
        pd = pytest.importorskip("pandas")
        rng = np.random.default_rng(0)
        X = rng.normal(size=(300, 60))
        frame = pd.DataFrame(X, columns=[f"f{j}" for j in range(60)])
        frame["site"] = pd.Categorical(rng.integers(40, size=300).astype(str))
        frame["batch"] = rng.normal(size=300) + 1e3
        eraser = NuisanceEraser(["site", "batch"]).fit(frame)
        assert eraser.loadings_.shape == (40, 60)
        erased = eraser.transform(frame.drop(columns=["site", "batch"]))
        indicators = pd.get_dummies(frame["site"]).to_numpy(dtype=float)
        assert np.abs(correlation(erased, indicators)).max() < 1e-10
        assert np.abs(correlation(erased, frame[["batch"]].to_numpy())).max() < 1e-10


class TestTasks:
    @staticmethod
    def stacked():
        X = dataset()
        tasks = np.arange(200) % 3
        return np.column_stack([X[:, :3] + tasks[:, None], tasks, X[:, 3:]])

    def test_within_each_task(self):
        X = self.stacked()
        pooled = NuisanceEraser([6, 7], task_column=3).fit_transform(X)
        each = NuisanceEraser([6, 7], task_column=3, per_task=True).fit_transform(X)
        np.testing.assert_array_equal(each[:, 3], X[:, 3])
        features = [0, 1, 2, 4, 5]
        for task in range(3):
            rows = X[:, 3] == task
            assert np.abs(correlation(pooled[rows][:, features], X[rows, 6:])).max() > 1e-4
            assert np.abs(correlation(each[rows][:, features], X[rows, 6:])).max() < 1e-10
            np.testing.assert_allclose(each[rows].mean(axis=0), X[rows, :6].mean(axis=0))

    def test_unknown_task(self):
        X = self.stacked()
        eraser = NuisanceEraser([6, 7], task_column=3, per_task=True).fit(X[X[:, 3] < 2])
        with pytest.raises(ValueError, match="unknown_task='mean'"):
            eraser.transform(X)
        eraser = clone(eraser).set_params(unknown_task="mean").fit(X[X[:, 3] < 2])
        pooled = NuisanceEraser([6, 7], task_column=3).fit(X[X[:, 3] < 2])
        new = X[X[:, 3] == 2]
        np.testing.assert_allclose(eraser.transform(new), pooled.transform(new))

    def test_frames_keep_the_task_column(self):
        pd = pytest.importorskip("pandas")
        names = ["a", "b", "c", "school", "d", "e", "z1", "z2"]
        frame = pd.DataFrame(self.stacked(), columns=names)
        frame["school"] = np.array(["ash", "elm", "oak"])[frame["school"].astype(int)]
        eraser = NuisanceEraser(["z1", "z2"], task_column="school", per_task=True)
        erased = eraser.fit(frame).transform(frame.drop(columns=["z2"]))
        assert list(erased.columns) == ["a", "b", "c", "school", "d", "e"]
        assert erased["school"].tolist() == frame["school"].tolist()
        frame["school"] = frame["school"].astype("category")
        rows = frame[::-1]
        erased = eraser.transform(rows)
        pd.testing.assert_index_equal(erased.index, rows.index)
        pd.testing.assert_series_equal(erased["school"], rows["school"])
        y = frame["a"] + frame["z1"]
        pipeline = make_pipeline(eraser, BlockSparseRegressor(0.1, task_column="school"))
        search = GridSearchCV(pipeline, {"nuisanceeraser__per_task": [True, False]}, cv=3)
        assert np.isfinite(search.fit(frame, y).best_score_)


class TestContainers:
    def test_sparse_equals_dense(self):
        X = dataset()
        X[:, :5] *= np.abs(X[:, :5]) > np.abs(X[:, :5]).mean(axis=0)
        eraser = NuisanceEraser([5, 6])
        dense = eraser.fit_transform(X)
        for kind in (sp.csr_matrix, sp.csc_array):
            np.testing.assert_allclose(eraser.fit(kind(X)).transform(kind(X)), dense, atol=1e-9)

    def test_names_and_set_output(self):
        pd = pytest.importorskip("pandas")
        frame = pd.DataFrame(dataset(), columns=list("abcdeyz"))
        eraser = NuisanceEraser(["y", "z"]).set_output(transform="pandas").fit(frame)
        erased = eraser.transform(frame)
        assert erased.columns.tolist() == list("abcde")
        assert eraser.get_feature_names_out().tolist() == list("abcde")
        np.testing.assert_allclose(erased, eraser.transform(frame[list("abcde")]))
        with pytest.raises(ValueError, match="should match"):
            eraser.transform(frame[list("bacde")])
        polars = pytest.importorskip("polars")
        given = polars.DataFrame(frame.to_numpy(), schema=list("abcdeyz"))
        np.testing.assert_allclose(NuisanceEraser(["y", "z"]).fit_transform(given), erased)

    def test_hidden_nuisances_other_rows_and_pickle(self):
        X = dataset()
        eraser = NuisanceEraser([5, -1]).fit(X[:150])
        hidden = X[150:].copy()
        hidden[:, 5:] = np.nan
        erased = pickle.loads(pickle.dumps(eraser)).transform(hidden)
        np.testing.assert_allclose(erased, eraser.transform(X[150:]))
        by_formula = ((X[150:, :5] - eraser.mean_) @ eraser.weights_) @ eraser.loadings_
        np.testing.assert_allclose(erased, X[150:, :5] - by_formula)
        with pytest.raises(ValueError, match="may be NaN"):
            eraser.transform(X[:, :5])

    def test_float32(self):
        X = dataset().astype(np.float32)
        erased = NuisanceEraser([5, 6]).fit_transform(X)
        assert erased.dtype == np.float32
        assert np.abs(correlation(erased.astype(float), X[:, 5:].astype(float))).max() < 1e-5

    @pytest.mark.parametrize("nuisance", [[], [0]])
    def test_check_estimator(self, nuisance):
        expected = {"check_estimators_nan_inf": "NaN in the nuisance is not read in transform"}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results = check_estimator(
                NuisanceEraser(nuisance), on_fail=None, expected_failed_checks=expected
            )
        failed = {r["check_name"]: r["exception"] for r in results if r["status"] == "failed"}
        assert not failed

    def test_erasing_a_site_helps_at_a_new_one(self):
        # Two sites shift the features and have different rates of the label; a third one shifts
        # the features further, and its rate is one half.
        rng = np.random.default_rng(0)
        site, signal = rng.choice([-1.0, 1.0, 4.0], size=600), rng.normal(size=600)
        y = signal + np.where(site == 4, 0.0, site) > 0
        shifted = np.column_stack([signal, 0.3 * rng.normal(size=600)]) + 3 * site[:, None]
        X, new = np.column_stack([shifted, site]), site == 4
        plain = LogisticRegression().fit(X[~new, :2], y[~new])
        pipeline = make_pipeline(NuisanceEraser([2]), LogisticRegression()).fit(X[~new], y[~new])
        predictor = pipeline.decision_function(X[~new])
        assert abs(np.corrcoef(predictor, site[~new])[0, 1]) < 1e-8
        assert plain.score(X[new, :2], y[new]) < 0.8 < pipeline.score(X[new], y[new])


class TestErrors:
    @pytest.mark.parametrize(
        ("params", "message"),
        [
            ({"nuisance": ["z"]}, "no column names"),
            ({"nuisance": [9]}, "has 7 columns"),
            ({"nuisance": [5], "categorical": [6]}, "must name columns of 'nuisance'"),
            ({"nuisance": [5], "per_task": True}, "needs the tasks"),
            ({"nuisance": [5], "task_column": 5}, "cannot be one of 'nuisance'"),
        ],
    )
    def test_of_parameters(self, params, message):
        with pytest.raises(ValueError, match=message):
            NuisanceEraser(**params).fit(dataset())

    def test_of_values(self):
        X = dataset()
        X[3, 6] = np.nan
        with pytest.raises(ValueError, match=r"\['x6'\] contain NaN"):
            NuisanceEraser([5, 6]).fit(X)
        with pytest.raises(ValueError, match="no row is left"):
            NuisanceEraser([5]).fit(dataset(), sample_weight=np.zeros(200))
