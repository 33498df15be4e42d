"""Conformal prediction sets: validity, layouts, definitions, and equality with MAPIE."""

import warnings

import numpy as np
import pytest
from scipy.special import expit
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.exceptions import DataConversionWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold
from sklearn.utils.estimator_checks import check_estimator

from skmtl import BlockSparseClassifier, IndependentTaskClassifier
from skmtl.inference import TaskConformalClassifier
from skmtl.model_selection import StratifiedTaskKFold


def easy_and_hard(n, seed):
    """Three stacked tasks, the labels of the last of which are nearly random."""
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(3), n)
    X = rng.normal(size=(len(codes), 3))
    slope = np.array([4.0, 4.0, 0.3])[codes]
    y = np.where(rng.uniform(size=len(codes)) < expit(slope * (X @ [1, -1, 0.5])), "yes", "no")
    return np.column_stack([X, codes]), y


def three_classes(n=300, seed=0):
    return make_classification(n, 6, n_classes=3, n_informative=4, random_state=seed)


class TestValidity:
    @pytest.mark.parametrize(
        ("pooling", "method"),
        [
            ("shrunk", "split"),
            ("shared", "split"),
            ("task", "split"),
            ("task", "cv+"),
            pytest.param("shrunk", "cv+", marks=pytest.mark.slow),
            pytest.param("shared", "cv+", marks=pytest.mark.slow),
        ],
    )
    def test_coverage_over_data_sets(self, method, pooling):
        covered = []
        for seed in range(12):
            X, y = easy_and_hard(40, seed)
            new, labels = easy_and_hard(200, 1000 + seed)
            model = TaskConformalClassifier(
                IndependentTaskClassifier(0.01, task_column=-1),
                method=method,
                pooling=pooling,
                confidence_level=0.8,
                random_state=seed,
            ).fit(X, y)
            sets = model.predict_set(new)
            covered.append(sets[np.arange(len(new)), (labels == "yes").astype(int)])
        covered = np.array(covered).reshape(12, 3, 200).mean(axis=(0, 2))
        assert 0.77 < covered.mean() < 0.9
        if pooling == "shared":
            assert covered[2] < 0.74 < 0.8 < covered[0]
        else:
            assert covered.min() > 0.73

    def test_higher_levels_are_larger(self):
        X, y = three_classes()
        model = TaskConformalClassifier(LogisticRegression(), method="cv+", random_state=0)
        model.fit(X, y)
        assert (model.predict_set(X, 0.5) <= model.predict_set(X, 0.95)).all()
        # More than all labels are needed for so high a level.
        assert model.predict_set(X, 0.999).all()

    def test_empty_sets_are_those_of_the_most_uncertain_rows(self):
        # 93% of the labels are the most probable class, more than the level requires.
        rng = np.random.default_rng(0)
        X = rng.normal(size=(600, 1))
        y = rng.uniform(size=600) < expit(6 * X[:, 0])
        model = TaskConformalClassifier(
            LogisticRegression(), confidence_level=0.8, random_state=0
        ).fit(X, y)
        n_classes = model.predict_set(X).sum(axis=1)
        assert 0.1 < np.mean(n_classes == 0) < 0.3
        certainty = model.predict_proba(X).max(axis=1)
        assert certainty[n_classes == 0].max() <= certainty[n_classes == 1].min()


class TestAgainstOthers:
    def test_cv_plus_by_definition(self):
        X, y = three_classes(60)
        new = three_classes(60, 1)[0][:5]
        folds = KFold(4, shuffle=True, random_state=0)
        model = TaskConformalClassifier(
            LogisticRegression(), method="cv+", pooling="shared", cv=folds
        ).fit(X, y)
        fits = [
            (LogisticRegression().fit(X[train], y[train]), rest) for train, rest in folds.split(X)
        ]
        found = model.predict_set(new, 0.8)
        for x, included in zip(new, found, strict=True):
            for k in range(3):
                # Labels that were predicted better than class k would be here.
                better = 0
                for fitted, rest in fits:
                    own = fitted.predict_proba(X[rest])[np.arange(len(rest)), y[rest]]
                    better += (own > fitted.predict_proba(x[None])[0, k]).sum()
                assert included[k] == (better < 0.8 * 61)

    def test_split_equals_mapie(self):
        mapie = pytest.importorskip("mapie.classification")
        X, y = three_classes()
        target = np.full((len(X), 1), 0.5)
        train, rest = next(StratifiedTaskKFold(4, random_state=0).split(X, target))
        model = TaskConformalClassifier(LogisticRegression(), pooling="shared", random_state=0)
        other = mapie.SplitConformalClassifier(
            LogisticRegression().fit(X[train], y[train]),
            confidence_level=0.8,
            prefit=True,
            conformity_score="lac",
        ).conformalize(X[rest], y[rest])
        _, sets = other.predict_set(X)
        found = model.fit(X, y).predict_set(X, 0.8)
        np.testing.assert_array_equal(found, sets[:, :, 0])
        assert 0 < found.mean() < 1

    def test_cv_plus_equals_mapie(self):
        mapie = pytest.importorskip("mapie.classification")
        X, y = three_classes()
        folds = KFold(5, shuffle=True, random_state=0)
        model = TaskConformalClassifier(
            LogisticRegression(), method="cv+", pooling="shared", cv=folds
        ).fit(X, y)
        other = mapie.CrossConformalClassifier(
            LogisticRegression(), confidence_level=0.8, cv=folds, conformity_score="lac"
        ).fit_conformalize(X, y)
        _, sets = other.predict_set(X, agg_scores="crossval")
        assert np.mean(model.predict_set(X, 0.8) == sets[:, :, 0]) > 0.999


class TestLayouts:
    def test_matrix_of_labels_with_missing_ones(self):
        rng = np.random.default_rng(0)
        X = rng.normal(size=(150, 4))
        Y = (X[:, :3] + rng.normal(size=(150, 3)) > 0).astype(float)
        Y[rng.uniform(size=Y.shape) < 0.2] = np.nan
        model = TaskConformalClassifier(BlockSparseClassifier(0.01), random_state=0).fit(X, Y)
        sets = model.predict_set(X)
        assert sets.shape == (150, 3, 2) and sets.any(axis=2).all()
        assert model.n_calibration_.sum() == len(model.calibration_scores_)
        covered = np.take_along_axis(sets, np.nan_to_num(Y).astype(int)[..., None], 2)[..., 0]
        assert covered[~np.isnan(Y)].mean() > 0.85
        assert model.predict_proba(X).shape == model.predict(X).shape == (150, 3)

    @pytest.mark.filterwarnings("ignore:All labels are the same")
    def test_new_tasks(self):
        rng = np.random.default_rng(0)
        codes = np.repeat(np.arange(40), 10)
        X = rng.normal(size=(400, 2))
        y = rng.uniform(size=400) < expit(2 * X[:, 0] + rng.normal(size=40)[codes])
        X = np.column_stack([X, codes])
        inner = IndependentTaskClassifier(0.1, task_column=-1, unknown_task="mean")
        model = TaskConformalClassifier(inner, new_tasks="hierarchical", random_state=0)
        sets = model.fit(X, y).predict_set(np.column_stack([X[:, :2], np.full(400, 99)]))
        covered = sets[np.arange(400), y.astype(int)].mean()
        assert 0.85 < covered <= 1 and not sets.all()

    def test_class_that_a_fit_has_not_seen(self):
        X, y = three_classes(60)
        y = np.where(np.arange(60) == 7, 3, y)
        folds = KFold(3)
        model = TaskConformalClassifier(LogisticRegression(), method="cv+", cv=folds).fit(X, y)
        assert model.predict_set(X).shape == (60, 4)
        assert np.isfinite(model.calibration_scores_).all()

    def test_weights_and_threads(self):
        X, y = easy_and_hard(40, 0)
        weights = np.ones(len(y))
        weights[::4] = 0
        inner = IndependentTaskClassifier(0.01, task_column=-1)
        model = TaskConformalClassifier(inner, method="cv+", random_state=0)
        model.fit(X, y, sample_weight=weights)
        assert model.n_calibration_.sum() == (weights > 0).sum()
        both = clone(model).set_params(n_jobs=2).fit(X, y, sample_weight=weights)
        np.testing.assert_array_equal(model.predict_set(X), both.predict_set(X))


class TestErrors:
    def test_what_it_takes(self):
        X, y = three_classes(40)
        for inner in (Ridge(), BlockSparseClassifier(loss="squared_hinge")):
            with pytest.raises(TypeError, match="predict_proba.*TaskConformalRegressor"):
                TaskConformalClassifier(inner).fit(X, y)

    def test_a_matrix_of_other_labels(self):
        X, y = three_classes(40)
        words = np.where(y[:, None] == np.arange(3), "yes", "no")
        with pytest.raises(ValueError, match=r"must hold 0, 1 and NaN"):
            TaskConformalClassifier(BlockSparseClassifier()).fit(X, words)

    def test_a_column_of_classes_is_read_as_a_vector(self):
        X, y = three_classes(40)
        model = TaskConformalClassifier(BlockSparseClassifier(), random_state=0)
        sets = model.fit(X, y).predict_set(X)
        with pytest.warns(DataConversionWarning):
            model.fit(X, y[:, None])
        np.testing.assert_array_equal(model.predict_set(X), sets)

    def test_the_score_leaves_missing_labels_out(self):
        X, y = three_classes(60)
        Y = (y[:, None] == np.arange(3)).astype(float)
        Y[::4, 0] = np.nan
        model = TaskConformalClassifier(BlockSparseClassifier(0.01), random_state=0).fit(X, Y)
        right = (model.predict(X) == Y) | np.isnan(Y)
        assert model.score(X, Y) == pytest.approx(right.all(axis=1).mean())

    @pytest.mark.slow
    def test_check_estimator(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            weighted = "check_sample_weight_equivalence_on_{}_data"
            results = check_estimator(
                # With a fourth of ten rows set aside, some fits would see a single class.
                TaskConformalClassifier(
                    BlockSparseClassifier(0.05, tol=1e-3), calibration_size=0.2, random_state=0
                ),
                on_fail=None,
                expected_failed_checks={
                    weighted.format(kind): "another random part of the rows calibrates"
                    for kind in ("dense", "sparse")
                },
            )
        failed = {r["check_name"]: r["exception"] for r in results if r["status"] == "failed"}
        assert not failed
