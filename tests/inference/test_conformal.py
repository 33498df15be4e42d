"""Conformal intervals: validity, poolings, layouts, and equality with MAPIE."""

import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, KFold, RepeatedKFold, ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder, StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from skmtl import BlockSparseRegressor, IndependentTaskRegressor, PooledTaskRegressor
from skmtl.datasets import make_block_sparse
from skmtl.inference import TaskConformalRegressor
from skmtl.inference._spread import shrunk_spreads
from skmtl.preprocessing import TaskTransformer

METHODS = ["split", "cv+", "jackknife+"]
POOLINGS = ["shrunk", "shared", "task"]


def tasks(n=60, seed=0, noise=(0.5, 0.5, 4.0), d=3):
    """Stacked tasks, the last of them noisy."""
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(len(noise)), n)
    X = rng.normal(size=(len(codes), d))
    w = rng.normal(size=d)
    y = X @ w + np.asarray(noise)[codes] * rng.normal(size=len(codes))
    return np.column_stack([X, codes]), y


def planted(n, seed):
    """Training rows, and 600 new rows of the same tasks."""
    rng = np.random.default_rng(seed)
    w = rng.normal(size=3)
    parts = []
    for n_rows in (n, 200):
        codes = np.repeat(np.arange(3), n_rows)
        X = rng.normal(size=(len(codes), 3))
        noise = np.array([0.5, 0.5, 4.0])[codes]
        parts += [np.column_stack([X, codes]), X @ w + noise * rng.normal(size=len(codes))]
    return parts


class Stacked(RegressorMixin, BaseEstimator):
    """A regressor with a task column, which it takes as a feature."""

    def __init__(self, inner, task_column=-1):
        self.inner = inner
        self.task_column = task_column

    def fit(self, X, y):
        self.inner_ = clone(self.inner).fit(X, y)
        return self

    def predict(self, X):
        return self.inner_.predict(X)


class TestSpread:
    def test_equal_tasks_share_one_spread(self):
        rng = np.random.default_rng(0)
        codes = np.repeat(np.arange(40), 10)
        spreads, typical = shrunk_spreads(2 * rng.normal(size=400), codes, 40)
        assert spreads.std() < 0.2 and spreads.mean() == pytest.approx(2, rel=0.1)
        assert typical == pytest.approx(2, rel=0.1)

    def test_different_tasks_keep_theirs(self):
        rng = np.random.default_rng(0)
        truth = np.exp(rng.normal(size=60))
        codes = np.repeat(np.arange(60), 30)
        spreads, _ = shrunk_spreads(truth[codes] * rng.normal(size=1800), codes, 60)
        assert np.corrcoef(np.log(spreads), np.log(truth))[0, 1] > 0.97

    def test_few_errors_are_shrunk_most_and_none_give_the_typical_one(self):
        rng = np.random.default_rng(0)
        truth = np.exp(0.5 * rng.normal(size=80))
        counts = np.where(np.arange(80) < 40, 3, 100)
        codes = np.repeat(np.arange(80), counts)
        errors = truth[codes] * rng.normal(size=len(codes))
        spreads, typical = shrunk_spreads(errors, codes, 81)
        assert spreads[80] == pytest.approx(typical)
        own = np.sqrt(np.bincount(codes, errors**2) / counts)
        few = slice(0, 40)
        wrong = [np.mean(np.log(each[few] / truth[few]) ** 2) for each in (spreads, own)]
        assert wrong[0] < 0.6 * wrong[1]

    def test_no_errors_at_all(self):
        spreads, typical = shrunk_spreads(np.zeros(6), np.repeat([0, 1], 3), 2)
        np.testing.assert_array_equal(spreads, 1)
        assert typical == 1


class TestValidity:
    @pytest.mark.parametrize(
        ("method", "pooling"),
        [
            ("split", "shrunk"),
            ("split", "shared"),
            ("split", "task"),
            pytest.param("cv+", "shrunk", marks=pytest.mark.slow),
            ("cv+", "task"),
            ("jackknife+", "shared"),
        ],
    )
    def test_coverage_over_data_sets(self, method, pooling):
        few = method == "jackknife+"
        inside, n_sets = [], 10 if few else 30
        for seed in range(n_sets):
            X, y, new, labels = planted(10 if few else 24, seed)
            model = TaskConformalRegressor(
                LinearRegression() if few else PooledTaskRegressor(0.01, task_column=-1),
                method=method,
                pooling=pooling,
                confidence_level=0.8,
                random_state=seed,
            ).fit(X, y)
            interval = model.predict_interval(new)
            inside.append((interval[:, 0] <= labels) & (labels <= interval[:, 1]))
        inside = np.array(inside)
        # The mean over 30 data sets varies by about .01.
        assert 0.77 < inside.mean() < 0.9
        if few:
            return
        by_task = inside.reshape(n_sets, 3, 200).mean(axis=(0, 2))
        if pooling == "shared":
            assert by_task[0] > 0.95 and by_task[2] < 0.65
        else:
            assert by_task.min() > 0.72

    def test_task_intervals_with_few_labels_are_infinite(self):
        X, y = tasks(12)
        model = TaskConformalRegressor(
            PooledTaskRegressor(0.1, task_column=-1), pooling="task", random_state=0
        )
        with pytest.warns(UserWarning, match="3 tasks, such as .*everything"):
            model.fit(X, y)
        assert np.isinf(model.predict_interval(X)).all()
        assert np.isfinite(model.predict_interval(X, 0.5)).all()

    def test_higher_levels_are_wider_and_nested(self):
        X, y = tasks()
        for method in METHODS[:2]:
            model = TaskConformalRegressor(
                PooledTaskRegressor(0.1, task_column=-1), method=method, random_state=0
            ).fit(X, y)
            narrow, wide = model.predict_interval(X, 0.5), model.predict_interval(X, 0.95)
            assert (wide[:, 0] <= narrow[:, 0]).all() and (narrow[:, 1] <= wide[:, 1]).all()

    def test_dependent_labels_of_a_row_count_as_one(self):
        # 11 of 44 rows calibrate; all 10 labels of a row have the same error.
        model = TaskConformalRegressor(
            DummyRegressor(strategy="constant", constant=np.zeros(10)), pooling="shared"
        )
        rng, hits = np.random.default_rng(0), []
        for seed in range(250):
            Y = np.repeat(rng.normal(size=(45, 1)), 10, axis=1)
            model.set_params(random_state=seed).fit(np.zeros((44, 1)), Y[:44])
            low, high = model.predict_interval(np.zeros((1, 1)))[0, 0]
            hits.append(low <= Y[44, 0] <= high)
        # The 100th of 110 scores is that of the 10th of 11 rows, exceeded by 2 of 12 rows.
        assert np.mean(hits) == pytest.approx(10 / 12, abs=0.06)
        assert np.mean(hits) > 0.9 - 1 / 12 - 0.03

    def test_stratified_calibration_may_miss_by_one_label(self):
        # One label of each of 19 tasks calibrates; the first task has much larger errors.
        codes, scale = np.repeat(np.arange(19), 4), np.where(np.arange(19) == 0, 1e3, 1.0)
        dummy = DummyRegressor(strategy="constant", constant=0.0)
        model = TaskConformalRegressor(Stacked(dummy), pooling="shared")
        rng, hits = np.random.default_rng(0), []
        for seed in range(200):
            y = scale[codes] * rng.normal(size=76)
            model.set_params(random_state=seed).fit(codes[:, None], y)
            assert (model.n_calibration_ == 1).all()
            high = model.predict_interval(codes[:1, None])[0, 1]
            hits.append(np.mean(np.abs(scale * rng.normal(size=(100, 19))) <= high))
        assert np.mean(hits) == pytest.approx(1 - 1 / 19 - 18 / 19**2, abs=0.01)
        assert np.mean(hits) > 1 - 0.1 * (1 + 1 / 19) - 0.005


class TestAgainstOthers:
    def test_split_by_hand(self):
        X, y = tasks(40, noise=(1.0,))
        model = TaskConformalRegressor(Ridge(), pooling="shared", random_state=0).fit(X, y)
        errors = np.sort(model.calibration_scores_)
        m = len(errors)
        assert m == 10
        half = errors[int(np.ceil((m + 1) * 0.8)) - 1]
        centre = model.estimator_.predict(X)
        expected = np.column_stack([centre - half, centre + half])
        np.testing.assert_allclose(model.predict_interval(X, 0.8), expected)

    def test_jackknife_plus_by_definition(self):
        X, y = tasks(12, noise=(1.0,))
        new = np.random.default_rng(5).normal(size=(4, 4))
        model = TaskConformalRegressor(Ridge(), method="jackknife+", pooling="shared").fit(X, y)
        found = model.predict_interval(new, 0.75)
        for x, (low, high) in zip(new, found, strict=True):
            lows, highs = [], []
            for i in range(12):
                fitted = Ridge().fit(np.delete(X, i, 0), np.delete(y, i))
                error = abs(y[i] - fitted.predict(X[[i]])[0])
                centre = fitted.predict(x[None])[0]
                lows.append(centre - error)
                highs.append(centre + error)
            # The ceil(.75 * 13) = 10th smallest upper bound; likewise from above.
            assert high == pytest.approx(np.sort(highs)[9])
            assert low == pytest.approx(np.sort(lows)[::-1][9])

    def test_cv_plus_equals_mapie(self):
        mapie = pytest.importorskip("mapie.regression")
        X, y = tasks(100, noise=(1.0,))
        folds = KFold(5, shuffle=True, random_state=0)
        model = TaskConformalRegressor(
            LinearRegression(), method="cv+", pooling="shared", cv=folds
        ).fit(X, y)
        other = mapie.CrossConformalRegressor(
            LinearRegression(), confidence_level=0.9, cv=folds, method="plus"
        ).fit_conformalize(X, y)
        _, ends = other.predict_interval(X)
        np.testing.assert_allclose(model.predict_interval(X), ends[:, :, 0], atol=1e-10)

    def test_split_equals_mapie(self):
        mapie = pytest.importorskip("mapie.regression")
        X, y = tasks(100, noise=(1.0,))
        model = TaskConformalRegressor(LinearRegression(), pooling="shared", random_state=0).fit(
            X, y
        )
        from skmtl.model_selection import StratifiedTaskKFold

        target = np.full((len(X), 1), 0.5)
        train, rest = next(StratifiedTaskKFold(4, random_state=0).split(X, target))
        other = mapie.SplitConformalRegressor(
            LinearRegression().fit(X[train], y[train]), confidence_level=0.9, prefit=True
        ).conformalize(X[rest], y[rest])
        _, ends = other.predict_interval(X)
        np.testing.assert_allclose(model.predict_interval(X), ends[:, :, 0], atol=1e-10)


class TestLayouts:
    def test_shared_rows(self):
        made = make_block_sparse(80, 6, 3, n_informative=3, missing=0.2, random_state=0)
        X, Y = made.data, made.target
        for method in METHODS[:2]:
            model = TaskConformalRegressor(
                BlockSparseRegressor(0.1), method=method, random_state=0
            ).fit(X, Y)
            interval = model.predict_interval(X)
            assert interval.shape == (80, 3, 2)
            assert (interval[..., 0] < interval[..., 1]).all()
            assert model.predict(X).shape == (80, 3)
            assert model.n_calibration_.sum() == len(model.calibration_scores_)

    @pytest.mark.turns(2)
    @pytest.mark.parametrize("method", ["split", "cv+"])
    @pytest.mark.parametrize("inner", [Ridge(), LinearRegression(), BlockSparseRegressor(0.1)])
    def test_a_single_column_of_labels(self, inner, method):
        X, y = tasks(noise=(1.0,))  # Ridge predicts a vector, the others a column
        model = TaskConformalRegressor(inner, method=method, random_state=0)
        vector = clone(model).fit(X, y).predict_interval(X)
        column = model.fit(X, y[:, None]).predict_interval(X)
        np.testing.assert_allclose(column, vector[:, None], rtol=0, atol=1e-10)

    def test_the_score_leaves_missing_labels_out(self):
        made = make_block_sparse(80, 6, 3, n_informative=3, missing=0.2, random_state=0)
        model = TaskConformalRegressor(BlockSparseRegressor(0.1), method="cv+", random_state=0)
        model.fit(made.data, made.target)
        predicted = model.predict(made.data)
        seen = ~np.isnan(made.target)
        own = [r2_score(made.target[rows, t], predicted[rows, t]) for t, rows in enumerate(seen.T)]
        assert model.score(made.data, made.target) == pytest.approx(np.mean(own))
        grid = {"estimator__alpha": [0.1, 100.0]}
        search = GridSearchCV(model, grid, cv=3, error_score="raise")
        assert search.fit(made.data, made.target).best_params_ == {"estimator__alpha": 0.1}

    @pytest.mark.parametrize("method", METHODS)
    def test_rows_of_weight_zero_do_not_count(self, method):
        X, y = tasks(20)
        rng = np.random.default_rng(1)
        more = np.column_stack([rng.normal(size=(90, 3)), np.repeat([0, 1, 7], 30)])
        both = np.vstack([X, more]), np.concatenate([y, rng.normal(size=90)])
        weights = np.repeat([1.0, 0.0], [len(y), 90])
        inner = BlockSparseRegressor(0.1, task_column=-1)
        model = TaskConformalRegressor(inner, method=method, random_state=0)
        expected = clone(model).fit(X, y)
        with pytest.warns(UserWarning, match=r"no label with a positive weight: \[7"):
            model.fit(*both, weights)
        assert model.tasks_.tolist() == expected.tasks_.tolist() == [0, 1, 2]
        np.testing.assert_allclose(
            model.predict_interval(X), expected.predict_interval(X), rtol=0, atol=1e-10
        )

    def test_labels_of_weight_zero_are_missing(self):
        rng = np.random.default_rng(0)
        X = rng.normal(size=(60, 3))
        Y = X[:, :2] + rng.normal(size=(60, 2))
        weights = np.ones(Y.shape)
        weights[5:, 1] = 0  # folds by other labels would leave some fit without the second task
        for seed in range(5):
            model = TaskConformalRegressor(
                BlockSparseRegressor(0.1), method="cv+", random_state=seed
            )
            intervals = clone(model).fit(X, Y, weights).predict_interval(X)
            expected = model.fit(X, np.where(weights > 0, Y, np.nan)).predict_interval(X)
            np.testing.assert_allclose(intervals, expected, rtol=0, atol=1e-10)

    def test_columns_of_weights_are_found_by_name(self):
        pd = pytest.importorskip("pandas")
        made = make_block_sparse(80, 6, 3, n_informative=3, random_state=0)
        Y = pd.DataFrame(made.target, columns=list("abc"))
        weights = pd.DataFrame(np.ones((80, 3)), columns=list("abc"))
        weights.loc[:39, "a"] = 0
        model = TaskConformalRegressor(BlockSparseRegressor(0.1), method="cv+", random_state=0)
        for columns in ("abc", "cba"):
            model.fit(made.data, Y, sample_weight=weights[list(columns)])
            assert model.n_calibration_.tolist() == [40, 80, 80]

    def test_stacked_frames_in_a_pipeline(self):
        pd = pytest.importorskip("pandas")
        X, y = tasks()
        frame = pd.DataFrame(X[:, :3], columns=list("abc"))
        frame["school"] = np.array(["ash", "elm", "oak"])[X[:, 3].astype(int)]
        pipeline = make_pipeline(
            TaskTransformer(StandardScaler(), task_column="school"),
            IndependentTaskRegressor(0.1, task_column="school"),
        )
        model = TaskConformalRegressor(pipeline, random_state=0).fit(frame, y)
        interval = model.predict_interval(frame)
        width = (interval[:, 1] - interval[:, 0]).reshape(3, 60)
        np.testing.assert_allclose(width, np.repeat(width[:, :1], 60, axis=1))
        assert width[2, 0] > 3 * width[0, 0]
        assert model.tasks_.tolist() == ["ash", "elm", "oak"]

    def test_pipelines_that_move_the_task_column(self):
        X, y = tasks(20)
        X[:, 2] = np.arange(60) % 2  # could be taken for tasks if it were the last column
        steps = make_column_transformer((StandardScaler(), [1, 2]), remainder="passthrough")
        pipeline = make_pipeline(steps, IndependentTaskRegressor(1.0, task_column=-1))
        moved = X[:, [3, 0, 2]]  # the pipeline puts the first column last
        search = GridSearchCV(
            pipeline, {"independenttaskregressor__alpha": [1.0]}, cv=KFold(2, shuffle=True)
        )
        for inner in (pipeline, search):
            with pytest.raises(ValueError, match="move the task column.*TaskTransformer"):
                TaskConformalRegressor(inner).fit(moved, y)

    def test_pipelines_that_encode_the_task_column(self):
        X, y = tasks(20)
        named = X.astype(object)
        named[:, 3] = np.array(["oak", "elm", "ash"])[X[:, 3].astype(int)]
        steps = make_column_transformer((StandardScaler(), [0, 1, 2]), (OrdinalEncoder(), [3]))
        inner = make_pipeline(steps, IndependentTaskRegressor(1.0, task_column=-1))
        model = TaskConformalRegressor(inner, method="cv+").fit(named, y)
        assert model.tasks_.tolist() == ["ash", "elm", "oak"]
        # A task that one of the fits has not seen is not another task column.
        inner = make_pipeline(
            TaskTransformer(StandardScaler(), task_column=-1),
            IndependentTaskRegressor(1.0, task_column=-1, unknown_task="mean"),
        )
        folds = [(np.arange(40), np.arange(40, 60)), (np.arange(20, 60), np.arange(20))]
        model = TaskConformalRegressor(inner, method="cv+", pooling="shared", cv=folds).fit(X, y)
        assert model.n_calibration_.tolist() == [20, 0, 20]

    def test_new_task_has_the_typical_spread(self):
        X, y = tasks()
        inner = PooledTaskRegressor(0.1, task_column=-1, unknown_task="mean")
        model = TaskConformalRegressor(inner, random_state=0).fit(X, y)
        new = X[:1].copy()
        new[:, 3] = 9
        (low, high), (a, b) = model.predict_interval(new)[0], model.predict_interval(X[:1])[0]
        assert high - low > b - a

    def test_groups_stay_together(self):
        X, y = tasks(40, noise=(1.0,))
        groups = np.arange(40) // 4
        model = TaskConformalRegressor(Ridge(), method="jackknife+", pooling="shared")
        assert len(model.fit(X, y, groups=groups).estimators_) == 10

    def test_weights_and_threads(self):
        X, y = tasks()
        weights = np.ones(len(y))
        weights[::4] = 0
        inner = PooledTaskRegressor(0.1, task_column=-1)
        model = TaskConformalRegressor(inner, method="cv+", random_state=0)
        model.fit(X, y, sample_weight=weights)
        assert model.n_calibration_.sum() == (weights > 0).sum()
        both = clone(model).set_params(n_jobs=2).fit(X, y, sample_weight=weights)
        np.testing.assert_array_equal(model.predict_interval(X), both.predict_interval(X))
        restored = pickle.loads(pickle.dumps(model))
        np.testing.assert_array_equal(model.predict_interval(X), restored.predict_interval(X))


class TestNewTasks:
    """Whole tasks held out: weighted as the paper says, and valid over data sets."""

    @staticmethod
    def many(n_tasks, seed, sizes=(3, 40)):
        rng = np.random.default_rng(seed)
        codes = np.repeat(np.arange(n_tasks), rng.choice(sizes, size=n_tasks))
        X = rng.normal(size=(len(codes), 2))
        y = X @ [1.0, -1.0] + rng.normal(size=n_tasks)[codes] + 0.3 * rng.normal(size=len(codes))
        return np.column_stack([X, codes]), y

    def test_refits_forget_the_fits_without_tasks(self):
        X, y = tasks(20, noise=np.ones(10))
        inner = PooledTaskRegressor(0.1, task_column=-1, unknown_task="mean")
        model = TaskConformalRegressor(
            inner, new_tasks="hierarchical", method="cv+", cv=2, confidence_level=0.8
        ).fit(X, y)
        assert len(model.new_task_estimators_) == 2
        model.set_params(new_tasks="approximate").fit(X, y)
        assert not hasattr(model, "new_task_estimators_")

    @pytest.mark.parametrize("method", ["split", pytest.param("cv+", marks=pytest.mark.slow)])
    def test_coverage_of_new_tasks(self, method):
        inner = PooledTaskRegressor(0.01, task_column=-1, unknown_task="mean")
        covered = {"approximate": [], "hierarchical": []}
        for seed in range(12):
            X, y = self.many(80, seed)
            known = X[:, -1] < 40
            new = np.flatnonzero(~known)
            # One row of each new task.
            new = new[np.unique(X[new, -1], return_index=True)[1]]
            for kind, inside in covered.items():
                model = TaskConformalRegressor(
                    inner,
                    method=method,
                    new_tasks=kind,
                    confidence_level=0.8,
                    random_state=seed,
                ).fit(X[known], y[known])
                low, high = model.predict_interval(X[new]).T
                inside.append(np.mean((low <= y[new]) & (y[new] <= high)))
        assert 0.76 < np.mean(covered["hierarchical"]) < 0.92
        assert np.mean(covered["approximate"]) < 0.5

    def test_quantile_by_definition(self):
        X, y = self.many(30, 0)
        inner = PooledTaskRegressor(0.01, task_column=-1, unknown_task="mean")
        model = TaskConformalRegressor(
            inner, new_tasks="hierarchical", calibration_size=0.4, random_state=0
        ).fit(X, y)
        (fitted,) = model.new_task_estimators_
        held_out = ~np.isin(X[:, -1], fitted.tasks_)
        errors = np.abs(y - fitted.predict(X))[held_out]
        codes = X[held_out, -1]
        n_tasks = len(np.unique(codes))
        total, half = 0.0, None
        for error, code in sorted(zip(errors, codes, strict=True)):
            total += 1 / ((n_tasks + 1) * (codes == code).sum())
            if total >= 0.8:
                half = error
                break
        new = np.array([[0.5, 0.5, 99.0]])
        centre = fitted.predict(new)[0]
        np.testing.assert_allclose(
            model.predict_interval(new, 0.8)[0], [centre - half, centre + half]
        )

    def test_too_few_tasks(self):
        X, y = self.many(12, 0)
        inner = PooledTaskRegressor(0.01, task_column=-1, unknown_task="mean")
        model = TaskConformalRegressor(inner, new_tasks="hierarchical", random_state=0)
        with pytest.warns(UserWarning, match=r"^3 held-out tasks are too few .* 9 are needed"):
            model.fit(X, y)
        assert np.isinf(model.predict_interval([[0.0, 0.0, 99.0]])).all()
        assert np.isfinite(model.predict_interval(X)).all()
        with pytest.raises(ValueError, match="stacked layout.*'approximate'"):
            TaskConformalRegressor(Ridge(), new_tasks="hierarchical").fit(X, y)


class TestErrors:
    def test_too_many_refits(self):
        X, y = tasks()
        model = TaskConformalRegressor(Ridge(), method="jackknife+", max_refits=100)
        with pytest.raises(ValueError, match=r"needs 720 fits for 180 rows.*cv\+"):
            model.fit(X, y)

    def test_classifiers_and_levels(self):
        from skmtl import BlockSparseClassifier

        X, y = tasks()
        with pytest.raises(TypeError, match="takes a regressor"):
            TaskConformalRegressor(BlockSparseClassifier()).fit(X, y > 0)
        model = TaskConformalRegressor(Ridge(), random_state=0).fit(X, y)
        with pytest.raises(ValueError, match=r"in \(0, 1\)"):
            model.predict_interval(X, 1.0)
        with pytest.raises(ValueError, match=r"in \(0, 1\)"):
            model.predict_interval(X, "high")

    def test_groups_weights_and_rows_that_do_not_fit(self):
        X, y = tasks()
        for method in METHODS:
            model = TaskConformalRegressor(Ridge(), method=method)
            with pytest.raises(ValueError, match="inconsistent numbers of samples"):
                model.fit(X, y, groups=np.arange(50))
        with pytest.raises(ValueError, match=r"must have shape \(180,\), got \(3,\)"):
            TaskConformalRegressor(Ridge()).fit(X, y, sample_weight=np.ones(3))
        with pytest.raises(ValueError, match=r"calibration_size=0.25 needs 4 folds of the rows"):
            TaskConformalRegressor(Ridge()).fit(X[:3], y[:3])
        with pytest.raises(ValueError, match=r"cv=5 needs 5 folds of the groups"):
            model = TaskConformalRegressor(Ridge(), method="cv+")
            model.fit(X, y, groups=np.arange(180) % 4)
        with pytest.raises(ValueError, match="pooling='shrunk' needs 3 folds of the groups"):
            TaskConformalRegressor(Ridge(), calibration_size=0.5).fit(X, y, groups=X[:, 3])

    def test_folds_that_hold_rows_out_repeatedly(self):
        X, y = tasks(5)
        inner = IndependentTaskRegressor(1.0, task_column=-1)
        model = TaskConformalRegressor(inner, method="cv+", pooling="shared")
        for cv in (RepeatedKFold(n_repeats=4, random_state=0), ShuffleSplit(20, random_state=0)):
            with pytest.raises(ValueError, match="each label may calibrate only once"):
                clone(model).set_params(cv=cv).fit(X, y)
        rows = np.arange(15)
        with pytest.raises(ValueError, match="has row 3 in both the training and the test set"):
            clone(model).set_params(cv=[(rows, rows == 3)]).fit(X, y)
        # Masks are accepted, and so are rows that are never held out.
        model.set_params(cv=[(rows % 5 != k, rows % 5 == k) for k in range(3)]).fit(X, y)
        assert model.n_calibration_.tolist() == [3, 3, 3]

    def test_check_estimator(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            weighted = "check_sample_weight_equivalence_on_{}_data"
            other_rows = "another random part of the rows calibrates"
            results = check_estimator(
                TaskConformalRegressor(BlockSparseRegressor(0.01), random_state=0),
                on_fail=None,
                expected_failed_checks={
                    weighted.format(kind): other_rows for kind in ("dense", "sparse")
                },
            )
        failed = {r["check_name"]: r["exception"] for r in results if r["status"] == "failed"}
        assert not failed
