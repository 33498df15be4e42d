"""Auxiliary targets: the joint objective, both layouts, losses, the selected weight, and errors."""

import pickle
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import NotFittedError
from sklearn.inspection import permutation_importance
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import skmtl
from skmtl import (
    BlockSparseClassifier,
    BlockSparseRegressor,
    ClusteredTaskRegressor,
    FusedTaskRegressor,
    GraphRegularizedRegressor,
    LowRankClassifier,
    LowRankRegressor,
    MultiTaskRegressor,
    TaskRelationRegressor,
    TreeGuidedRegressor,
)
from skmtl.auxiliary import AuxiliaryTaskClassifier, AuxiliaryTaskRegressor
from skmtl.losses import SquaredLoss
from skmtl.model_selection import AlphaSearchCV

TIGHT = {"tol": 1e-11}


def dataset(n=60, d=6, noise=1.0, seed=0):
    """Features, and three targets that share them."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    return X, X @ rng.normal(size=(d, 3)) + noise * rng.normal(size=(n, 3)) + [1, 2, 3]


def with_columns(X, Y):
    """The features beside all targets but the first, some of them missing, and the first."""
    joined = np.column_stack([X, Y[:, 1:]])
    joined[::4, X.shape[1]] = np.nan
    return joined, Y[:, 0]


class TestObjective:
    @pytest.mark.parametrize("weight", [0.3, 2.0])
    def test_squared_losses_against_cvxpy(self, weight):
        cp = pytest.importorskip("cvxpy")
        X, Y = dataset()
        joined, y = with_columns(X, Y)
        model = AuxiliaryTaskRegressor(
            BlockSparseRegressor(0.3, **TIGHT), auxiliary=[6, 7], weight=weight
        ).fit(joined, y)
        W, b = cp.Variable((6, 3)), cp.Variable(3)
        loss = 0
        for k, factor in enumerate([1, weight, weight]):
            labels = y if k == 0 else joined[:, 5 + k]
            seen = ~np.isnan(labels)
            residuals = labels[seen] - X[seen] @ W[:, k] - b[k]
            loss += factor * cp.sum_squares(residuals) / (2 * seen.sum())
        problem = cp.Problem(cp.Minimize(loss + 0.3 * cp.sum(cp.norm(W, axis=1))))
        problem.solve(solver="CLARABEL")
        assert model.objective_ == pytest.approx(problem.value, rel=1e-7)
        np.testing.assert_allclose(model.tasks_coef_, W.value.T, atol=1e-4)
        np.testing.assert_array_equal(model.coef_, model.tasks_coef_[0])
        np.testing.assert_allclose(model.predict(joined), X @ model.coef_ + model.intercept_)

    def test_different_losses_against_cvxpy(self):
        cp = pytest.importorskip("cvxpy")
        X, Y = dataset()
        labels = Y[:, 0] > 1
        joined = np.column_stack([X, Y[:, 1], Y[:, 2] > 3])
        model = AuxiliaryTaskClassifier(LowRankClassifier(0.05, **TIGHT), auxiliary=[6, -1])
        model.fit(joined, labels)
        W, b = cp.Variable((6, 3)), cp.Variable(3)
        signs = np.column_stack([2.0 * labels - 1, 2.0 * joined[:, 7] - 1])
        Z = X @ W + np.ones((60, 1)) @ cp.reshape(b, (1, 3), order="C")
        loss = cp.sum_squares(joined[:, 6] - Z[:, 1]) / 120
        loss += cp.sum(cp.logistic(-cp.multiply(signs, Z[:, [0, 2]]))) / 60
        problem = cp.Problem(cp.Minimize(loss + 0.05 * cp.normNuc(W)))
        problem.solve(solver="CLARABEL")
        assert model.objective_ == pytest.approx(problem.value, rel=1e-6)
        np.testing.assert_allclose(model.tasks_coef_, W.value.T, atol=1e-3)

    def test_poisson_beside_squared(self):
        X, Y = dataset()
        counts = np.random.default_rng(0).poisson(np.exp(0.3 * Y[:, 1]))
        joined = np.column_stack([X, counts])
        model = AuxiliaryTaskRegressor(
            MultiTaskRegressor(1e-8, **TIGHT), auxiliary=[6], losses={6: "poisson"}
        ).fit(joined, Y[:, 0])
        alone = MultiTaskRegressor(1e-8, loss="poisson", **TIGHT).fit(X, counts)
        np.testing.assert_allclose(model.tasks_coef_[1], alone.coef_, atol=1e-4)

    @pytest.mark.parametrize(
        "family",
        [BlockSparseRegressor, LowRankRegressor, ClusteredTaskRegressor, TaskRelationRegressor],
    )
    @pytest.mark.parametrize("layout", ["single", "shared", "stacked"])
    def test_weight_zero_is_the_estimator_alone(self, family, layout):
        X, Y = dataset()
        column = None
        if layout == "stacked":
            X, column = np.column_stack([X, np.arange(60) % 3]), 6
        y = Y[:, :2] if layout == "shared" else Y[:, 0]
        inner = family(0.2, task_column=column, **TIGHT)
        joined = np.column_stack([X, Y[:, 2]])
        weights = np.random.default_rng(0).uniform(0.5, 2, size=60)
        model = AuxiliaryTaskRegressor(inner, auxiliary=[-1], weight=0.0)
        model.fit(joined, y, sample_weight=weights)
        alone = clone(inner).fit(X, y, sample_weight=weights)
        np.testing.assert_allclose(model.coef_, alone.coef_, atol=1e-8)
        np.testing.assert_allclose(model.intercept_, alone.intercept_, atol=1e-8)
        assert model.objective_ == pytest.approx(alone.objective_)

    def test_without_columns_it_is_the_estimator_alone(self):
        X, Y = dataset()
        inner = BlockSparseRegressor(0.2)
        model = AuxiliaryTaskRegressor(inner).fit(X, Y)
        np.testing.assert_array_equal(model.coef_, clone(inner).fit(X, Y).coef_)

    def test_a_small_weight_changes_little(self):
        # alpha has the scale of the main task whatever the number of auxiliary tasks.
        joined, y = with_columns(*dataset())
        inner = BlockSparseRegressor(0.2, **TIGHT)
        fits = [
            AuxiliaryTaskRegressor(inner, auxiliary=[6, 7], weight=weight).fit(joined, y)
            for weight in (0, 1e-9)
        ]
        np.testing.assert_allclose(fits[0].coef_, fits[1].coef_, atol=1e-5)

    def test_two_main_tasks_with_equal_columns(self):
        # With as many labels in every column, weight 1 counts every task the same.
        X, Y = dataset()
        joined = np.column_stack([X, Y[:, 2]])
        model = AuxiliaryTaskRegressor(TaskRelationRegressor(0.2, **TIGHT), auxiliary=[6])
        model.fit(joined, Y[:, :2])
        every = TaskRelationRegressor(0.2, **TIGHT).fit(X, Y)
        np.testing.assert_allclose(model.tasks_coef_, every.coef_, atol=1e-6)
        np.testing.assert_allclose(
            model.estimator_.task_covariance_, every.task_covariance_, atol=1e-5
        )

    def test_graph_names_the_tasks(self):
        X, Y = dataset()
        joined, y = with_columns(X, Y)
        inner = GraphRegularizedRegressor(0.2, graph=[("main", "x6"), ("x6", "x7")], ridge=0.1)
        model = AuxiliaryTaskRegressor(inner, auxiliary=[6, 7]).fit(joined, y)
        assert model.estimator_.tasks_.tolist() == ["main", "x6", "x7"]
        assert model.auxiliary_tasks_.tolist() == ["x6", "x7"]


class TestLayouts:
    @staticmethod
    def stacked(seed=0):
        X, Y = dataset(seed=seed)
        tasks = np.arange(60) % 3
        joined = np.column_stack([X, tasks, Y[:, 1:]])
        joined[::5, 7] = np.nan
        return joined, Y[:, 0], tasks

    @pytest.mark.parametrize("losses", [None, {7: "huber"}, "huber"])
    def test_stacked_equals_shared_with_missing_labels(self, losses):
        joined, y, tasks = self.stacked()
        inner = BlockSparseRegressor(0.2, huber_delta=0.7, **TIGHT)
        model = AuxiliaryTaskRegressor(
            clone(inner).set_params(task_column=6), auxiliary=[7, 8], losses=losses, weight=0.5
        ).fit(joined, y)
        # One column of labels for each task; 3 / S of the column becomes 1 / S_a of each.
        columns = np.full((60, 9), np.nan)
        for k, values in enumerate([y, joined[:, 7], joined[:, 8]]):
            columns[np.arange(60), 3 * k + tasks] = values
        wide = np.column_stack([joined[:, :6], columns[:, 3:]])
        by_name = losses and (
            {j: "huber" for j in range(6, 9)} if isinstance(losses, dict) else losses
        )
        other = AuxiliaryTaskRegressor(
            inner, auxiliary=list(range(6, 12)), losses=by_name, weight=0.5
        ).fit(wide, columns[:, :3])
        np.testing.assert_allclose(model.tasks_coef_, other.tasks_coef_, atol=1e-5)
        assert model.auxiliary_tasks_.tolist()[:2] == [(0, "x7"), (1, "x7")]
        np.testing.assert_allclose(
            model.predict(joined), other.predict(wide)[np.arange(60), tasks], atol=1e-4
        )

    def test_stacked_with_one_more_loss_equals_the_same_loss(self):
        # A Huber loss without outliers is the squared loss, fitted in the other way.
        joined, y, _ = self.stacked()
        inner = TreeGuidedRegressor(0.1, task_column=6, huber_delta=1e6, **TIGHT)
        same, mixed = (
            AuxiliaryTaskRegressor(inner, auxiliary=[7, 8], losses=losses).fit(joined, y)
            for losses in (None, {7: "huber"})
        )
        np.testing.assert_allclose(same.tasks_coef_, mixed.tasks_coef_, atol=1e-4)

    def test_equal_losses_are_one_loss(self):
        # Otherwise stacked tasks become columns of labels, and intercepts are not comparable.
        joined, y, _ = self.stacked()
        inner = BlockSparseRegressor(0.2, task_column=6, intercept="shrunk")
        model = AuxiliaryTaskRegressor(inner, auxiliary=[7, 8]).fit(joined, y)
        assert model.estimator_._layout == "stacked"
        assert isinstance(model.estimator_._get_loss(), SquaredLoss)
        huber = AuxiliaryTaskRegressor(
            clone(inner).set_params(loss="huber", huber_delta=0.7), auxiliary=[7, 8]
        ).fit(joined, y)
        assert huber.estimator_._layout == "stacked"

    @pytest.mark.parametrize("losses", [None, {"x7": "huber"}])
    def test_ordered_ids_are_a_chain_in_every_column(self, losses):
        pd = pytest.importorskip("pandas")
        joined, y, tasks = self.stacked()
        frame = pd.DataFrame(joined, columns=[f"x{j}" for j in range(9)])
        frame["x6"] = pd.Categorical(np.array(list("abc"))[tasks], list("cab"), ordered=True)
        inner = FusedTaskRegressor(0.1, task_column="x6", **TIGHT)
        model = AuxiliaryTaskRegressor(inner, auxiliary=["x7", "x8"], losses=losses)
        model.fit(frame, y)
        # The same with numbers, whose order is that of the categories.
        frame["x6"] = np.array([1, 2, 0])[tasks]
        numbered = clone(model).fit(frame, y)
        np.testing.assert_allclose(model.coef_, numbered.coef_[[1, 2, 0]], atol=1e-5)
        np.testing.assert_allclose(model.objective_, numbered.objective_)

    def test_ordered_classes_are_a_chain(self):
        pd = pytest.importorskip("pandas")
        joined, y = with_columns(*dataset())
        joined = np.column_stack([joined, y])
        names, codes = ["mid", "low", "top"], np.digitize(y, [0, 2])
        ordered = pd.Series(pd.Categorical(np.array(names)[codes], names, ordered=True))
        model = AuxiliaryTaskClassifier(skmtl.FusedTaskClassifier(0.01), auxiliary=[6, 7])
        edges = model.fit(joined, ordered).estimator_.edges_.tolist()
        assert edges == [["mid", "low"], ["low", "top"], ["top", "x6"], ["x6", "x7"]]

    @pytest.mark.parametrize("layout", ["shared", "stacked"])
    def test_score_is_the_estimators(self, layout):
        joined, y, _ = self.stacked()
        inner, auxiliary = BlockSparseRegressor(0.2, task_column=6), [7, 8]
        if layout == "shared":
            joined, y = np.delete(joined, 6, axis=1), dataset(seed=0)[1][:, :2] * [1, 5]
            y[::7, 0] = np.nan
            inner, auxiliary = BlockSparseRegressor(0.2), [6, 7]
        model = AuxiliaryTaskRegressor(inner, auxiliary=auxiliary).fit(joined, y)
        features = np.delete(joined, auxiliary, axis=1)
        assert model.score(joined, y) == pytest.approx(model._main.score(features, y), rel=1e-12)
        alone = clone(model).set_params(weight=0).fit(joined, y)
        plain = clone(inner).fit(features, y).score(features, y)
        assert alone.score(joined, y) == pytest.approx(plain, rel=1e-12)
        grid = GridSearchCV(model, {"weight": [0, 1]}, cv=3).fit(joined, y)
        assert np.isfinite(grid.cv_results_["mean_test_score"]).all()

    def test_task_column_before_and_after_the_targets(self):
        joined, y, _ = self.stacked()
        order = [7, 0, 1, 6, 2, 3, 4, 5, 8]
        inner = BlockSparseRegressor(0.2, **TIGHT)
        one = AuxiliaryTaskRegressor(clone(inner).set_params(task_column=6), auxiliary=[7, 8]).fit(
            joined, y
        )
        other = AuxiliaryTaskRegressor(
            clone(inner).set_params(task_column=3), auxiliary=[0, -1]
        ).fit(joined[:, order], y)
        np.testing.assert_allclose(one.coef_, other.coef_, atol=1e-8)
        np.testing.assert_allclose(one.predict(joined), other.predict(joined[:, order]))

    def test_rows_with_auxiliary_labels_only_count(self):
        X, Y = dataset()
        joined, y = with_columns(X, Y)
        inner = LowRankRegressor(0.3, **TIGHT)
        column = y[:, None].copy()
        column[30:] = np.nan
        model = AuxiliaryTaskRegressor(inner, auxiliary=[6, 7]).fit(joined, column)
        alone = AuxiliaryTaskRegressor(inner, auxiliary=[6, 7]).fit(joined[:30], column[:30])
        assert np.abs(model.tasks_coef_ - alone.tasks_coef_).max() > 0.01
        labels = np.column_stack([column, joined[:, 6:]])
        scale = 1 / (~np.isnan(labels)).sum(axis=0)
        # The same objective by task_weight, up to a factor that alpha takes.
        same = LowRankRegressor(0.3 / 3 * scale.sum(), task_weight=scale, **TIGHT)
        total = (~np.isnan(labels)).sum() / 3
        same.set_params(alpha=0.3, task_weight=scale * total).fit(X, labels)
        np.testing.assert_allclose(model.tasks_coef_, same.coef_, atol=1e-5)

    def test_data_frames(self):
        pd = pytest.importorskip("pandas")
        joined, y = with_columns(*dataset())
        names = [f"f{j}" for j in range(6)] + ["later", "after"]
        frame = pd.DataFrame(joined, columns=names)
        auxiliary = ["later", "after"]
        model = AuxiliaryTaskRegressor(BlockSparseRegressor(0.2), auxiliary=auxiliary)
        model.fit(frame, y)
        by_position = AuxiliaryTaskRegressor(BlockSparseRegressor(0.2), auxiliary=[6, 7])
        by_position.fit(joined, y)
        np.testing.assert_array_equal(model.coef_, by_position.coef_)
        assert model.feature_names_in_.tolist() == names
        expected = by_position.predict(joined)
        for given in (frame, frame.assign(later=np.nan), frame.drop(columns=auxiliary)):
            np.testing.assert_allclose(model.predict(given), expected)
        with pytest.raises(ValueError, match="feature names"):
            model.predict(frame.drop(columns="f3"))
        polars = pytest.importorskip("polars")
        frame = polars.DataFrame(joined, schema=names).with_columns(
            polars.col("later").fill_nan(None)
        )
        model.fit(frame, y)
        np.testing.assert_array_equal(model.coef_, by_position.coef_)
        np.testing.assert_allclose(model.predict(frame.drop(auxiliary)), expected)

    def test_sparse(self):
        joined, y = with_columns(*dataset())
        joined[:, :6] *= np.abs(joined[:, :6]) > 0.7
        model = AuxiliaryTaskRegressor(BlockSparseRegressor(0.2, **TIGHT), auxiliary=[6, 7])
        dense = clone(model).fit(joined, y)
        for kind in (sp.csr_matrix, sp.csc_matrix):
            model.fit(kind(joined), y)
            np.testing.assert_allclose(model.coef_, dense.coef_, atol=1e-6)
            np.testing.assert_allclose(model.predict(kind(joined)), dense.predict(joined))

    def test_positions_need_the_columns_in_predict(self):
        joined, y = with_columns(*dataset())
        model = AuxiliaryTaskRegressor(BlockSparseRegressor(0.2), auxiliary=[6, 7]).fit(joined, y)
        with pytest.raises(ValueError, match=r"may be NaN.*\[6, 7\]"):
            model.predict(joined[:, :6])
        pd = pytest.importorskip("pandas")
        model.fit(pd.DataFrame(joined), y)
        with pytest.raises(ValueError, match="column names are strings"):
            model.predict(pd.DataFrame(joined[:, :6]))
        joined[:, 6:] = np.nan
        assert np.isfinite(model.predict(joined)).all()

    def test_multiclass_is_one_against_the_rest(self):
        X, Y = dataset()
        classes = np.array(["low", "mid", "top"])[np.digitize(Y[:, 0], [0, 2])]
        joined = np.column_stack([X, Y[:, 1]])
        model = AuxiliaryTaskClassifier(BlockSparseClassifier(0.02, **TIGHT), auxiliary=[-1])
        model.fit(joined, classes)
        assert model.coef_.shape == (3, 6) and model.tasks_coef_.shape == (4, 6)
        assert model.classes_.tolist() == ["low", "mid", "top"]
        np.testing.assert_allclose(model.predict_proba(joined).sum(axis=1), 1)
        columns = AuxiliaryTaskClassifier(BlockSparseClassifier(0.02, **TIGHT), auxiliary=[-1])
        columns.fit(joined, (classes[:, None] == model.classes_).astype(int))
        np.testing.assert_allclose(model.tasks_coef_, columns.tasks_coef_, atol=1e-6)


class TestWeights:
    def test_weight_zero_leaves_a_row_out(self):
        joined, y = with_columns(*dataset())
        model = AuxiliaryTaskRegressor(BlockSparseRegressor(0.2, **TIGHT), auxiliary=[6, 7])
        weights = (np.arange(60) % 3 > 0).astype(float)
        left_out = clone(model).fit(joined[weights > 0], y[weights > 0])
        model.fit(joined, y, sample_weight=weights)
        np.testing.assert_allclose(model.tasks_coef_, left_out.tasks_coef_, atol=1e-7)

    def test_weight_two_repeats_a_row(self):
        joined, y = with_columns(*dataset())
        model = AuxiliaryTaskRegressor(BlockSparseRegressor(0.2, **TIGHT), auxiliary=[6, 7])
        twice = np.append(np.arange(60), np.arange(10))
        repeated = clone(model).fit(joined[twice], y[twice])
        model.fit(joined, y, sample_weight=1.0 + (np.arange(60) < 10))
        np.testing.assert_allclose(model.tasks_coef_, repeated.tasks_coef_, atol=1e-7)

    @pytest.mark.parametrize("weight", [0.3, 1.0])
    def test_equal_weights_are_as_none(self, weight):
        X, Y = dataset()
        joined = np.column_stack([X, Y[:, 2]])
        inner = BlockSparseRegressor(0.2, **TIGHT)
        model = AuxiliaryTaskRegressor(inner, auxiliary=[6], weight=weight)
        coef = model.fit(joined, Y[:, :2]).tasks_coef_
        weighted = model.fit(joined, Y[:, :2], sample_weight=np.full(len(X), 2.0))
        np.testing.assert_allclose(coef, weighted.tasks_coef_, atol=1e-9)

    def test_class_weight_concerns_the_main_task(self):
        X, Y = dataset()
        joined, y = np.column_stack([X, Y[:, 1] > 2]), Y[:, 0] > 2
        weighted = BlockSparseClassifier(0.02, class_weight={False: 1, True: 3}, **TIGHT)
        model = AuxiliaryTaskClassifier(weighted, auxiliary=[6], weight=1e-9).fit(joined, y)
        alone = clone(weighted).fit(X, y)
        np.testing.assert_allclose(model.coef_, alone.coef_, atol=1e-5)

    def test_scale_tasks_ignores_units(self):
        joined, y = with_columns(*dataset())
        inner = BlockSparseRegressor(0.2, scale_tasks=True, **TIGHT)
        model = AuxiliaryTaskRegressor(inner, auxiliary=[6, 7]).fit(joined, y)
        joined[:, 6] *= 1000
        other = clone(model).fit(joined, y)
        np.testing.assert_allclose(model.coef_, other.coef_, atol=1e-6)
        np.testing.assert_allclose(1000 * model.tasks_coef_[1], other.tasks_coef_[1], atol=1e-3)

    def test_selected_weight_is_positive_if_the_targets_help(self):
        X, Y = dataset(n=200, d=20, noise=0.3)
        rng = np.random.default_rng(1)
        y = X @ rng.normal(size=20) + 0.3 * rng.normal(size=200)
        joined = np.column_stack([X, y + 0.1 * rng.normal(size=200)])
        column = (y + 3 * rng.normal(size=200))[:, None]
        column[25:] = np.nan
        model = AuxiliaryTaskRegressor(TaskRelationRegressor(0.1), auxiliary=[-1], weight="cv").fit(
            joined, column
        )
        assert model.weight_ > 0
        assert model.weight_scores_.shape == (len(model.weights_), 5)

    def test_scores_equal_those_of_separate_fits(self):
        joined, y = with_columns(*dataset())
        inner = BlockSparseRegressor(0.2, **TIGHT)
        folds = list(KFold(4).split(joined))
        model = AuxiliaryTaskRegressor(inner, auxiliary=[6, 7], weight="cv", cv=folds)
        model.fit(joined, y)
        for i, weight in enumerate(model.weights_[:4]):
            fixed = clone(model).set_params(weight=weight)
            for k, (train, test) in enumerate(folds):
                predicted = fixed.fit(joined[train], y[train]).predict(joined[test])
                error = ((predicted - y[test]) ** 2).mean()
                assert -model.weight_scores_[i, k] == pytest.approx(error, rel=1e-5)

    def test_selected_weight_for_classes_and_stacked_tasks(self):
        joined, y, _ = TestLayouts.stacked()
        joined, y = joined[:, :8], y > 1
        inner = BlockSparseClassifier(0.02, task_column=6, **TIGHT)
        folds = list(KFold(3).split(joined))
        model = AuxiliaryTaskClassifier(inner, auxiliary=[7], weight="cv", cv=folds).fit(joined, y)
        assert model.weight_ in model.weights_
        for i in (0, 4):
            fixed = clone(model).set_params(weight=model.weights_[i])
            for k, (train, test) in enumerate(folds):
                p = fixed.fit(joined[train], y[train]).predict_proba(joined[test])
                loss = log_loss(y[test], p)
                assert -model.weight_scores_[i, k] == pytest.approx(loss, rel=1e-4)

    def test_no_label_leaves_a_column_out(self):
        joined, y = with_columns(*dataset())
        joined[:, 6] = np.nan
        model = AuxiliaryTaskRegressor(BlockSparseRegressor(0.2, **TIGHT), auxiliary=[6, 7])
        with pytest.warns(UserWarning, match=r"\['x6'\] hold no label"):
            model.fit(joined, y)
        without = AuxiliaryTaskRegressor(BlockSparseRegressor(0.2, **TIGHT), auxiliary=[6])
        without.fit(np.delete(joined, 6, axis=1), y)
        np.testing.assert_allclose(model.coef_, without.coef_, atol=1e-8)
        joined[:, 7] = np.nan
        with pytest.warns(UserWarning, match="hold no label"):
            model.fit(joined, y)
        alone = BlockSparseRegressor(0.2, **TIGHT).fit(joined[:, :6], y)
        np.testing.assert_allclose(model.coef_, alone.coef_, atol=1e-8)


class TestWithinScikitLearn:
    @pytest.mark.turns(2)
    @pytest.mark.parametrize(
        "model",
        [
            AuxiliaryTaskRegressor(BlockSparseRegressor(0.01)),
            AuxiliaryTaskRegressor(BlockSparseRegressor(0.01), auxiliary=[0]),
            AuxiliaryTaskClassifier(BlockSparseClassifier()),
            AuxiliaryTaskClassifier(BlockSparseClassifier(), auxiliary=[-1]),
        ],
        ids=lambda model: f"{type(model).__name__}-{len(model.auxiliary)}",
    )
    def test_check_estimator(self, model):
        expected = {
            "check_classifiers_train": "a feature that separates the classes is hidden",
            "check_dtype_object": "the dictionary is in the target column",
            "check_estimators_pickle": "puts NaN into features too",
        }
        expected = expected if model.auxiliary else {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results = check_estimator(model, on_fail=None, expected_failed_checks=expected)
        failed = {r["check_name"]: r["exception"] for r in results if r["status"] == "failed"}
        assert not failed
        assert len(results) > 40

    def test_pipeline_grid_search_and_predictions(self):
        joined, y = with_columns(*dataset())
        model = AuxiliaryTaskRegressor(BlockSparseRegressor(), auxiliary=[6, 7])
        pipeline = make_pipeline(StandardScaler(), model)
        grid = {
            "auxiliarytaskregressor__estimator__alpha": [0.01, 0.1, 1.0],
            "auxiliarytaskregressor__weight": [0, 1],
        }
        search = GridSearchCV(pipeline, grid, cv=3).fit(joined, y)
        assert search.best_score_ > 0.5
        assert cross_val_predict(search.best_estimator_, joined, y, cv=3).shape == (60,)
        importance = permutation_importance(model.fit(joined, y), joined, y, n_repeats=2)
        np.testing.assert_array_equal(importance.importances_mean[6:], 0)
        assert importance.importances_mean[:6].max() > 0.1

    def test_calibration(self):
        X, Y = dataset()
        joined = np.column_stack([X, Y[:, 1]])
        model = AuxiliaryTaskClassifier(BlockSparseClassifier(0.05), auxiliary=[-1])
        calibrated = CalibratedClassifierCV(model, cv=3).fit(joined, Y[:, 0] > 1)
        p = calibrated.predict_proba(joined)[:, 1]
        assert roc_auc_score(Y[:, 0] > 1, p) > 0.9
        assert p.mean() == pytest.approx((Y[:, 0] > 1).mean(), abs=0.05)

    def test_clone_pickle_and_repeated_fits(self):
        joined, y = with_columns(*dataset())
        model = AuxiliaryTaskRegressor(BlockSparseRegressor(0.2), auxiliary=[6, 7], weight=0.5)
        model.fit(joined, y)
        restored = pickle.loads(pickle.dumps(model))
        np.testing.assert_array_equal(restored.predict(joined), model.predict(joined))
        again = clone(model).fit(joined, y)
        np.testing.assert_array_equal(again.coef_, model.coef_)
        assert clone(model.estimator_).task_weight is None
        with pytest.raises(NotFittedError):
            clone(model).predict(joined)

    def test_the_fitted_estimator_can_be_fitted_to_other_tasks(self):
        X, Y = dataset()
        joined = np.column_stack([X, Y[:, 1]])
        inner = BlockSparseRegressor(0.2, **TIGHT)
        model = AuxiliaryTaskRegressor(inner, auxiliary=[6], losses="huber", weight=3.0)
        other = model.fit(joined, Y[:, 0]).estimator_.fit(X, Y[:, 1:])
        np.testing.assert_allclose(other.coef_, clone(inner).fit(X, Y[:, 1:]).coef_, atol=1e-6)

    def test_warnings_of_the_estimator_are_kept(self):
        joined, y = with_columns(*dataset())
        joined[:, 6] *= 1e4
        model = AuxiliaryTaskRegressor(LowRankRegressor(0.2, max_iter=2000), auxiliary=[6, 7])
        with pytest.warns(UserWarning, match="scale_tasks=True"):
            model.fit(joined, y)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model.set_params(estimator__scale_tasks=True).fit(joined, y)


class TestErrors:
    @pytest.mark.parametrize(
        ("auxiliary", "message"),
        [
            (["later"], "no column names"),
            ([8], "has 8 columns"),
            ([6, -2], "each column once"),
            ([1.5], r"by name \(str\) or position"),
            (list(range(8)), "no feature is left"),
        ],
    )
    def test_of_columns(self, auxiliary, message):
        joined, y = with_columns(*dataset())
        with pytest.raises(ValueError, match=message):
            AuxiliaryTaskRegressor(BlockSparseRegressor(), auxiliary=auxiliary).fit(joined, y)

    @pytest.mark.parametrize(
        ("losses", "message"),
        [
            ({6: "absolute"}, "must be one of"),
            ({5: "squared"}, "for columns in auxiliary"),
            ("logistic", "labels 0 and 1"),
            ({7: "poisson"}, "labels >= 0"),
        ],
    )
    def test_of_losses(self, losses, message):
        joined, y = with_columns(*dataset())
        model = AuxiliaryTaskRegressor(BlockSparseRegressor(), auxiliary=[6, 7], losses=losses)
        with pytest.raises(ValueError, match=message):
            model.fit(joined, y)

    @pytest.mark.parametrize(
        ("estimator", "error", "message"),
        [
            (StandardScaler(), TypeError, "not StandardScaler"),
            (BlockSparseClassifier(), TypeError, "Use AuxiliaryTaskClassifier"),
            (AlphaSearchCV(BlockSparseRegressor()), TypeError, "estimator__alpha"),
            (skmtl.BlockSparseRegressorCV(), TypeError, "estimator__alpha"),
            (BlockSparseRegressor(task_weight="balanced"), ValueError, "task_weight must be None"),
            (skmtl.IndependentTaskRegressor("cv"), ValueError, "must be a number"),
            (BlockSparseRegressor(alpha=-1), ValueError, "alpha"),
            (TaskRelationRegressor(unknown_task="prior"), ValueError, "got 'prior'"),
        ],
    )
    def test_of_the_estimator(self, estimator, error, message):
        joined, y = with_columns(*dataset())
        with pytest.raises(error, match=message):
            AuxiliaryTaskRegressor(estimator, auxiliary=[6]).fit(joined, y)

    def test_of_the_estimator_by_a_subclass(self):
        class Own(AuxiliaryTaskRegressor):
            pass

        joined, y = with_columns(*dataset())
        with pytest.raises(TypeError, match=r"Own takes .* as BlockSparseRegressor\(\), not Stand"):
            Own(StandardScaler(), auxiliary=[6]).fit(joined, y)
        with pytest.raises(TypeError, match=r"Own cannot take .* name ends in Regressor\."):
            Own(BlockSparseClassifier(), auxiliary=[6]).fit(joined, y)

    @pytest.mark.parametrize(
        "wrong", [{"weight": -1}, {"auxiliary": 3}, {"losses": 3}, {"cv": "x"}, {"estimator": 3}]
    )
    def test_parameters_that_scikit_learn_refuses(self, wrong):
        (name,) = wrong
        given = {"estimator": BlockSparseRegressor(), **wrong}
        model = AuxiliaryTaskRegressor(**given)
        for _ in range(2):  # the constraints are kept after the first validation
            with pytest.raises(ValueError, match=f"The {name!r} parameter of AuxiliaryTaskRegr"):
                model.fit(np.ones((3, 2)), np.ones(3))

    def test_of_new_tasks(self):
        joined, y = with_columns(*dataset())
        inner = TaskRelationRegressor(0.1)
        model = AuxiliaryTaskRegressor(inner, auxiliary=[6, 7]).fit(joined, y).estimator_
        with pytest.raises(ValueError, match="to the main tasks alone"):
            model.fit_new_task(joined[:5, :6], y[:5], name="new")
        with pytest.raises(ValueError, match="together with auxiliary tasks"):
            model.predict(joined[:, :6], return_std=True)
        assert not hasattr(model, "noise_variance_")

    def test_of_values(self):
        joined, y = with_columns(*dataset())
        model = AuxiliaryTaskRegressor(BlockSparseRegressor(), auxiliary=[6, 7])
        joined[3, 7] = np.inf
        with pytest.raises(ValueError, match=r"\['x7'\] contain infinity"):
            model.fit(joined, y)
        strings = joined.astype(object)
        strings[:, 7] = "yes"
        with pytest.raises(ValueError, match="(?s)column 'x7' must hold numbers.*classes as 0"):
            model.fit(strings, y)
        joined[3, 0], joined[3, 7] = np.nan, 0.0
        with pytest.raises(ValueError, match="NaN"):
            model.fit(joined, y)
        with pytest.raises(ValueError, match="The task column 7"):
            clone(model).set_params(estimator__task_column=7).fit(joined, y)
        multinomial = BlockSparseClassifier(loss="multinomial")
        with pytest.raises(ValueError, match="loss='logistic'"):
            AuxiliaryTaskClassifier(multinomial, auxiliary=[6]).fit(joined, y > 0)
