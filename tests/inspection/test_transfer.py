"""transfer_gain: layouts, models, tuning, groups, folds."""

import warnings
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import MultiTaskLasso, Ridge
from sklearn.metrics import log_loss, mean_squared_error, r2_score
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, ShuffleSplit
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from transfer_problems import ALONE, quick, related

from skmtl import (
    BlockSparseClassifier,
    BlockSparseRegressor,
    IndependentTaskClassifier,
    IndependentTaskRegressor,
    LowRankRegressor,
    PooledTaskClassifier,
    PooledTaskRegressor,
    SafeTransferRegressor,
    StructureSearchRegressorCV,
)
from skmtl.auxiliary import AuxiliaryTaskRegressor
from skmtl.datasets import make_block_sparse
from skmtl.inspection import transfer_gain
from skmtl.inspection._transfer_models import (
    InnerSearch,
    alpha_grid,
    find_last,
    find_task_column,
    fit_params,
    fit_tuned,
    read_baselines,
    select_alpha,
)
from skmtl.metrics import make_task_scorer, root_mean_squared_error
from skmtl.model_selection import AlphaSearchCV, StratifiedTaskKFold, alpha_max
from skmtl.preprocessing import TaskTransformer

ALONE_SHARED = [("alone", IndependentTaskRegressor(0.1))]


# --- layouts and models ---


def test_layouts_agree() -> None:
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((30, 4)), rng.standard_normal((30, 3)) + 3
    stacked = np.column_stack([np.tile(X, (3, 1)), np.repeat([5, 7, 9], 30)])
    folds = list(KFold(5).split(X))
    same_folds = [tuple(np.concatenate([part + 30 * t for t in range(3)]) for part in fold)
                  for fold in folds]  # fmt: skip
    shared = quick(BlockSparseRegressor(0.1, tol=1e-8), X, Y, baselines=ALONE_SHARED, cv=folds)
    other = quick(
        BlockSparseRegressor(0.1, tol=1e-8, task_column=-1), stacked, Y.T.ravel(), baselines=ALONE,
        cv=same_folds,
    )  # fmt: skip
    assert other.tasks.tolist() == [5, 7, 9]
    assert_array_equal(shared.n_labels, other.n_labels)
    for field in ("gain", "se", "p_holm", "loss_estimator"):
        assert_allclose(
            getattr(shared["alone"], field), getattr(other["alone"], field), rtol=1e-3, atol=1e-5
        )


def test_losses_are_the_cross_validated_ones() -> None:
    X, y = related([20, 30])
    cv = StratifiedTaskKFold(4, task_column=-1, random_state=3)
    model = PooledTaskRegressor(0.1, task_column=-1)
    result = quick(model, X, y, baselines=ALONE, cv=list(cv.split(X, y)))
    expected = []
    for train, test in cv.split(X, y):
        error = (model.fit(X[train], y[train]).predict(X[test]) - y[test]) ** 2
        expected.append([error[X[test, -1] == t].mean() for t in (0, 1)])
    assert_allclose(result["alone"].loss_estimator, np.mean(expected, axis=0))
    assert result.n_folds == 4 and result.loss_name == "mean squared error"


def test_unrelated_tasks_are_found_hurt() -> None:
    X, y = related([60] * 6, n_unrelated=2)
    result = quick(
        PooledTaskRegressor(0.1, task_column=-1), X, y, baselines=ALONE, n_repeats=5
    )  # fmt: skip
    assert set(np.flatnonzero(result["alone"].verdict == "hurt")) >= {0, 1}
    assert (result["alone"].gain[:2] < 0).all()
    assert result["alone"].share_hurt >= 1 / 3
    assert "hurt: " in repr(result)


def test_sharing_helps_noisy_related_tasks() -> None:
    X, y = related([14] * 8, noise=3.0)
    result = quick(
        PooledTaskRegressor(0.1, task_column=-1), X, y,
        baselines=[("alone", IndependentTaskRegressor(1e-3, task_column=-1))], n_repeats=3,
    )  # fmt: skip
    assert result["alone"].overall.low > 0
    assert result["alone"].overall.p < 0.05


def test_a_tie_is_not_significant() -> None:
    X, y = related([15, 15, 15])
    model = PooledTaskRegressor(0.1, task_column=-1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = quick(model, X, y, baselines={"itself": model})
        text = repr(result)
    part = result["itself"]
    assert_array_equal(part.fold_gains, np.zeros((5, 3)))
    assert_array_equal(part.se, np.zeros(3))
    assert_array_equal(part.p_holm, np.ones(3))
    assert_array_equal(part.model.probability, np.full(3, 0.5))
    assert part.verdict.tolist() == ["unclear"] * 3
    assert (part.overall.gain, part.overall.se, part.overall.p) == (0.0, 0.0, 1.0)
    assert (part.overall.population.se, part.overall.population.p) == (0.0, 1.0)
    assert "nan" not in text


def test_nan_labels_and_names() -> None:
    dataset = make_block_sparse(40, 6, 3, n_informative=2, missing=0.3, random_state=0)
    Y = pd.DataFrame(dataset.target, columns=["a", "b", "c"])
    Y.iloc[8:, 2] = np.nan
    X = pd.DataFrame(dataset.data).rename(columns=str)
    result = quick(BlockSparseRegressor(0.1), X, Y, baselines=ALONE_SHARED)
    assert result.tasks.tolist() == ["a", "b", "c"]
    assert_array_equal(result.n_labels, Y.notna().sum())
    part = result["alone"]
    assert part.verdict[2] == "too few labels" and np.isnan(part.p[2]) and np.isnan(part.low[2])
    assert np.isfinite(part.gain[2]) and np.isfinite(part.p_holm[:2]).all()
    # Holm counts two tasks, not three.
    assert_allclose(np.nanmin(part.p_holm), min(1, 2 * np.nanmin(part.p)))
    assert "1 too few labels" in repr(result)


def test_named_tasks_in_a_pipeline_with_a_search() -> None:
    X, y = related([20, 25, 30])
    frame = pd.DataFrame(X[:, :-1]).rename(columns=str)
    frame.insert(0, "school", np.array(["north", "south", "west"])[X[:, -1].astype(int)])
    pipeline = make_pipeline(
        TaskTransformer(StandardScaler(), task_column="school"),
        BlockSparseRegressor(task_column="school"),
    )
    search = GridSearchCV(
        pipeline,
        {"blocksparseregressor__alpha": [0.01, 0.1]},
        cv=StratifiedTaskKFold(2, task_column="school", random_state=0),
    )
    result = transfer_gain(search, frame, y, cv=2, n_repeats=1, random_state=0)
    assert result.tasks.tolist() == ["north", "south", "west"]
    assert [*result.baselines] == ["independent", "pooled"]
    assert result.estimator_name == "BlockSparseRegressor"
    assert np.isfinite(result["pooled"].gain).all()


def test_classifiers() -> None:
    dataset = make_block_sparse(60, 4, 3, n_informative=2, classification=True, random_state=0)
    alone = {"alone": IndependentTaskClassifier(0.01)}
    result = quick(BlockSparseClassifier(0.02), dataset.data, dataset.target, baselines=alone)
    assert result.loss_name == "log loss"
    assert (result["alone"].loss_estimator < np.log(2)).all()
    result = quick(
        BlockSparseClassifier(0.02),
        dataset.data,
        dataset.target,
        baselines=alone,
        scoring="roc_auc",
    )
    assert result.loss_name == "1 - roc auc"
    assert (result["alone"].loss_baseline < 0.5).all()


def test_stacked_classifier_with_strings() -> None:
    X, y = related([40, 40])
    labels = np.where(y > 0, "yes", "no")
    model = PooledTaskClassifier(0.01, task_column=-1)
    alone = {"alone": IndependentTaskClassifier(0.01, task_column=-1)}
    cv = StratifiedTaskKFold(3, task_column=-1, random_state=0)
    result = quick(model, X, labels, baselines=alone, cv=list(cv.split(X, labels)))
    expected = []
    for train, test in cv.split(X, labels):
        p = model.fit(X[train], labels[train]).predict_proba(X[test])
        loss = -np.log(p[np.arange(len(test)), (labels[test] == "yes").astype(int)])
        expected.append([loss[X[test, -1] == t].mean() for t in (0, 1)])
    assert_allclose(result["alone"].loss_estimator, np.mean(expected, axis=0))


def test_tuning_of_a_classifier_by_log_loss() -> None:
    X, y = related([15, 15])
    labels = np.where(y > 0, "yes", "no")
    model = BlockSparseClassifier(task_column=-1, tol=1e-2)
    result = transfer_gain(model, X, labels, baselines="pooled", cv=2, n_repeats=1, random_state=0)
    assert (result["pooled"].loss_estimator < np.log(2)).all()


def test_estimators_of_scikit_learn() -> None:
    dataset = make_block_sparse(30, 5, 2, n_informative=2, random_state=0)
    result = quick(
        MultiTaskLasso(0.1), dataset.data, dataset.target, baselines=[("ridge", Ridge())]
    )
    assert result.estimator_name == "MultiTaskLasso"
    assert np.isfinite(result["ridge"].gain).all()


def test_scoring() -> None:
    X, y = related([20, 20])
    model = PooledTaskRegressor(0.1, task_column=-1)

    def losses(scoring: Any) -> Any:
        result = quick(model, X, y, baselines=ALONE, scoring=scoring)
        return result["alone"].loss_estimator, result.loss_name

    rmse, name = losses("rmse")
    assert name == "root mean squared error"
    assert_allclose(losses(root_mean_squared_error)[0], rmse)
    assert_allclose(losses(make_task_scorer("rmse", average="pooled"))[0], rmse)
    unexplained, name = losses("r2")
    assert name == "1 - r2" and (unexplained < 1).all()
    with pytest.raises(ValueError, match="metric must be a function or one of"):
        losses("mse")
    # scikit-learn's metrics by task: losses unchanged, scores subtracted from 1.
    squared, name = losses(mean_squared_error)
    assert name == "mean squared error"
    assert_allclose(squared, quick(model, X, y, baselines=ALONE)["alone"].loss_estimator)
    unexplained, name = losses(partial(r2_score))
    assert name == "1 - r2 score"
    assert_allclose(unexplained, losses("r2")[0])


# --- what is compared ---


def test_baselines_take_their_parameters_from_the_estimator() -> None:
    last = BlockSparseClassifier(
        task_column=-1, fit_intercept=False, class_weight="balanced", tol=1e-8, unknown_task="mean"
    )
    pipeline = make_pipeline(StandardScaler(), last)
    search = GridSearchCV(pipeline, {"blocksparseclassifier__alpha": [1.0]})
    assert find_last(search) is last
    for model in read_baselines(("independent", "pooled"), search).values():
        chosen = model[-1]
        assert isinstance(chosen, IndependentTaskClassifier | PooledTaskClassifier)
        assert isinstance(model[0], StandardScaler)
        assert (chosen.alpha, chosen.tol) == ("cv", 1e-4)
        assert (chosen.task_column, chosen.fit_intercept) == (-1, False)
        assert (chosen.class_weight, chosen.unknown_task) == ("balanced", "mean")
    assert pipeline[-1] is last


@pytest.mark.parametrize("shared", ["graph", LowRankRegressor()])
def test_baselines_of_a_mixture_take_its_own_parameters(shared: Any) -> None:
    mixture = SafeTransferRegressor(
        shared, task_column=-1, loss="poisson", offset_column=0, alphas=2, cv=2
    )
    assert find_last(GridSearchCV(mixture, {"gate": [1.0]})) is mixture
    for model in read_baselines(("independent", "pooled"), mixture).values():
        assert isinstance(model, IndependentTaskRegressor | PooledTaskRegressor)
        assert (model.alpha, model.task_column, model.loss) == ("cv", -1, "poisson")
        assert model.offset_column == 0


def test_gain_of_a_mixture() -> None:
    X, y = related([15, 15, 15])
    mixture = SafeTransferRegressor("graph", task_column=-1, alphas=2, cv=2)
    baselines = ["independent", ("same", IndependentTaskRegressor("cv", task_column=-1))]
    result = quick(mixture, X, y, baselines=baselines, cv=2)
    assert result.estimator_name == "SafeTransferRegressor"
    assert_allclose(result["independent"].loss_baseline, result["same"].loss_baseline)


def test_baselines_of_a_structure_search_take_its_parameters() -> None:
    params = {"loss": "poisson", "offset_column": -1}
    search = StructureSearchRegressorCV(["graph"], params=params, task_column=0)
    for model in read_baselines(("independent", "pooled"), search).values():
        assert (model.loss, model.offset_column, model.task_column) == ("poisson", -1, 0)


def test_structure_searches_are_scored_by_their_quantile_loss() -> None:
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((30, 2)), rng.standard_normal((30, 2))
    search = StructureSearchRegressorCV(
        ["pooled"], params={"loss": "quantile", "quantile": 0.8}, alphas=2, cv=2
    )
    result = quick(search, X, Y, baselines=[("constant", Mean())], cv=[*KFold(2).split(X)])
    assert result.loss_name == "quantile loss"
    halves = [Y[15:] - Y[:15].mean(axis=0), Y[:15] - Y[15:].mean(axis=0)]
    expected = np.mean([np.maximum(0.8 * e, -0.2 * e).mean(axis=0) for e in halves], axis=0)
    assert_allclose(result["constant"].loss_baseline, expected)


@pytest.mark.turns(2)
@pytest.mark.parametrize(
    ("task_column", "grouped"), [(None, False), (0, False), (0, True), ("school", False)]
)
def test_baselines_do_not_see_auxiliary_targets(task_column: Any, grouped: bool) -> None:
    rng = np.random.default_rng(0)
    X, y = related([20, 20])
    if task_column is None:
        X, y = X[:, :-1], rng.standard_normal((40, 2))
    else:
        X = np.roll(X, 1, axis=1)
    known = y if y.ndim == 1 else y[:, 0]
    wide = pd.DataFrame(X)
    wide.insert(1, "late", np.where(rng.random(40) < 0.3, np.nan, known))
    wide = wide.rename(columns={0: "school"}).rename(columns=str)
    name = "late" if task_column == "school" else 1
    if name == 1:
        wide = wide.to_numpy()
    narrow = pd.DataFrame(X).rename(columns={0: "school"}).rename(columns=str)
    narrow = narrow if task_column == "school" else X
    options = {"cv": 2, "groups": np.arange(40) // 2 if grouped else None, "tune": grouped}

    model = IndependentTaskRegressor(0.1, task_column=task_column)
    expected = quick(model, narrow, y, baselines="independent", **options)
    wrapped = AuxiliaryTaskRegressor(model, auxiliary=[name])
    for estimator in (wrapped, make_pipeline("passthrough", wrapped)):
        result = quick(estimator, wide, y, baselines="independent", **options)
        found = result["independent"].loss_baseline
        assert_allclose(found, expected["independent"].loss_baseline, rtol=1e-3)


def test_strengths_in_pipelines_are_scored_by_the_moved_task_column() -> None:
    # One task has most of the rows; the mean over tasks prefers the other's strength.
    X, y = related([60, 12], n_unrelated=1)
    first = np.roll(X, 1, axis=1)
    moved = make_pipeline(
        FunctionTransformer(np.roll, kw_args={"shift": -1, "axis": 1}),
        PooledTaskRegressor(task_column=-1),
    )
    scorer = make_task_scorer("rmse", task_column=-1)
    folds = list(StratifiedTaskKFold(3, task_column=-1, random_state=0).split(X, y))
    expected = select_alpha(moved[-1], X, y, scorer, folds)
    assert select_alpha(moved, first, y, replace(scorer, task_column=0), folds) == expected


def test_the_task_column_is_that_of_the_first_step() -> None:
    pipeline = make_pipeline(
        TaskTransformer(StandardScaler(), task_column=0), BlockSparseRegressor(task_column=-1)
    )
    assert find_task_column(GridSearchCV(pipeline, {})) == 0
    assert find_task_column(make_pipeline(StandardScaler(), ALONE[0][1])) == -1
    assert find_task_column(Ridge()) is None


def test_tuning() -> None:
    X, y = related([20, 20])
    scorer = make_task_scorer("rmse", task_column=-1)

    def tuned(model: Any) -> Any:
        return fit_tuned(model, X, y, scorer, -1, 0)

    plain = BlockSparseRegressor(0.5, task_column=-1)
    search = tuned(plain)
    assert isinstance(search, InnerSearch)
    grid = search.alphas
    assert_allclose(grid[[0, -1]], alpha_max(plain, X, y) * np.array([1.0, 1e-3]))
    assert (search.cv.task_column, search.cv.random_state) == (-1, 0)
    assert search.alpha_ < grid[0]
    pipeline = make_pipeline(TaskTransformer(StandardScaler(), task_column=-1), plain)
    assert tuned(pipeline)[-1].alpha < grid[0]
    assert tuned(ALONE[0][1]).alpha == 0.1
    assert tuned(PooledTaskRegressor("cv", task_column=-1)).alpha_ > 0
    assert isinstance(tuned(Ridge()), Ridge)
    assert tuned(search).get_params()["estimator__alpha"] == 0.5
    # No alpha_max: six decades, starting where the coefficients are close to zero.
    ridge = BlockSparseRegressor(l1_ratio=0.0, task_column=-1)
    alphas = alpha_grid(ridge, X, y)
    assert_allclose(alphas[0] / alphas[-1], 1e6)
    strong, weak = (
        np.linalg.norm(ridge.set_params(alpha=alpha).fit(X, y).coef_) for alpha in alphas[[0, -1]]
    )
    assert strong < 0.2 * weak


# --- groups ---


class GroupSpy(IndependentTaskRegressor):
    """Records the rows of each fit; the first feature is the row number."""

    seen: ClassVar[list[Any]] = []

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        self.seen.append(X[:, 0].astype(int))
        return super().fit(X, y, sample_weight)


@pytest.mark.parametrize("tune", [pytest.param(True, marks=pytest.mark.slow), False])
@pytest.mark.parametrize("cv", [None, 3, StratifiedTaskKFold(3, task_column=-1), GroupKFold(3)])
def test_groups_are_never_split(cv: Any, tune: bool) -> None:
    X, y = related([60, 80])
    X[:, 0] = np.arange(140)
    groups = [f"patient {k}" for k in np.arange(140) // 4]
    GroupSpy.seen.clear()
    spy = GroupSpy("cv" if tune else 0.1, task_column=-1)
    quick(spy, X, y, baselines=ALONE, cv=cv, groups=groups, tune=tune)
    # Groups of four rows are never split, in the outer and in the inner folds.
    for rows in GroupSpy.seen:
        assert set(np.bincount(rows // 4)) <= {0, 4}
    n_folds = 5 if cv is None else 3
    assert len(GroupSpy.seen) == n_folds * (1 + 13 * 5 if tune else 1)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        quick(spy, X, y, baselines=ALONE, groups=groups[:-1])


def test_groups_reach_estimators_and_searches_that_take_them() -> None:
    X, y = related([60, 80])
    X[:, 0] = np.arange(140)
    groups = np.arange(140) // 4
    inner = StratifiedTaskKFold(3, task_column=-1)
    grid = GridSearchCV(GroupSpy(task_column=-1), {"alpha": [0.1, 1.0]}, cv=inner)
    GroupSpy.seen.clear()
    quick(grid, X, y, baselines=ALONE, cv=3, groups=groups)
    for rows in GroupSpy.seen:
        assert set(np.bincount(rows // 4)) <= {0, 4}
    assert fit_params(grid, groups)["groups"] is groups
    assert fit_params(AlphaSearchCV(BlockSparseRegressor()), groups)["groups"] is groups
    assert fit_params(BlockSparseRegressor(), groups) == fit_params(grid, None) == {}
    assert fit_params(GridSearchCV(Ridge(), {"alpha": [1.0]}, cv=3), groups) == {}


def test_groups_keep_copies_of_a_row_from_helping() -> None:
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((40, 5)), rng.standard_normal((40, 2))
    X, Y, groups = np.repeat(X, 2, axis=0), np.repeat(Y, 2, axis=0), np.repeat(np.arange(40), 2)
    losses = []
    for given in (None, groups):
        model = KNeighborsRegressor(1)
        result = quick(model, X, Y, baselines=ALONE_SHARED, groups=given)
        losses.append(result["alone"].loss_estimator)
    # The nearest neighbour of most rows is their copy; the others have mean squared error 2.
    assert (losses[0] < 1.0).all() and (losses[1] > 1.2).all()


# --- repeats, determinism, processes ---


@pytest.mark.parametrize("n_jobs", [None, pytest.param(2, marks=pytest.mark.slow)])
def test_deterministic_and_the_same_in_two_processes(n_jobs: int | None) -> None:
    X, y = related([20, 20, 20])
    model = BlockSparseRegressor(0.1, task_column=-1)
    first = quick(model, X, y, baselines=ALONE, random_state=1)
    again = quick(model, X, y, baselines=ALONE, random_state=1, n_jobs=n_jobs)
    # Another process may use other threads, which sum in another order.
    assert_allclose(again["alone"].fold_gains, first["alone"].fold_gains, atol=1e-10)
    other = quick(model, X, y, baselines=ALONE, random_state=2)
    assert (other["alone"].fold_gains != first["alone"].fold_gains).any()


class Mean(RegressorMixin, BaseEstimator):
    """A model that is quick to fit."""

    def fit(self, X: Any, y: Any) -> "Mean":
        self.mean_ = np.mean(y, axis=0)
        return self

    def predict(self, X: Any) -> Any:
        return np.tile(self.mean_, (len(X), 1))


@pytest.mark.turns(2)
@pytest.mark.parametrize(
    ("cv", "n_folds"),
    [
        (None, 15),
        (4, 12),
        (KFold(4), 4),
        (KFold(4, shuffle=True), 12),
        (KFold(4, shuffle=True, random_state=0), 12),
        (ShuffleSplit(6, random_state=0), 6),
    ],
)
def test_outer_folds(cv: Any, n_folds: int) -> None:
    X, Y = np.random.default_rng(0).standard_normal((2, 20, 3))
    result = quick(Mean(), X, Y, baselines={"ridge": Ridge()}, cv=cv, n_repeats=3)
    assert result.n_folds == n_folds == len(result["ridge"].fold_gains)
    assert len(np.unique(result["ridge"].fold_gains[:, 0])) == n_folds


def test_progress(capsys: pytest.CaptureFixture[str]) -> None:
    X, Y = np.random.default_rng(0).standard_normal((2, 20, 3))
    for verbose, reports in ((1, 2), (2, 5), (9, 5)):
        quick(Mean(), X, Y, baselines={"ridge": Ridge()}, verbose=verbose)
        err = capsys.readouterr().err
        assert "5 out of   5" in err
        assert err.count("Done") >= reports
    quick(Mean(), X, Y, baselines={"ridge": Ridge()})
    assert not capsys.readouterr().err


def test_a_task_of_one_row_is_never_tested() -> None:
    X, y = related([20, 20, 1])
    part = quick(PooledTaskRegressor(0.1, task_column=-1), X, y, baselines=ALONE)["alone"]
    assert part.verdict[2] == "too few labels" and np.isnan(part.gain[2])
    assert np.isfinite(part.overall.low)


# --- errors ---


def test_errors() -> None:
    X, y = related([20, 20])
    model = PooledTaskRegressor(0.1, task_column=-1)
    for baselines, message in [
        ("alone", r"Unknown baseline 'alone'. Known are \['independent', 'pooled'\]"),
        ([], "baselines is empty"),
        ([("a", model), ("a", model)], "Two baselines are called 'a'"),
        ([model], "A baseline must be one of"),
        ({"a": "pooled"}, "A baseline must be one of"),
    ]:
        with pytest.raises(ValueError, match=message):
            quick(model, X, y, baselines=baselines)
    with pytest.raises(ValueError, match="2 or more tasks, got 1"):
        quick(model, X[:20], y[:20], baselines=ALONE)
    with pytest.raises(ValueError, match="2 or more tasks, got 1"):
        quick(BlockSparseRegressor(), X, y[:, None], baselines=ALONE_SHARED)
    with pytest.raises(ValueError, match="has no task_column.*one column per task"):
        quick(BlockSparseRegressor(), X, y, baselines=ALONE_SHARED)
    with pytest.raises(ValueError, match=r"pass \(y\[:, None\] == numpy.unique\(y\)\)"):
        quick(BlockSparseClassifier(), X, np.arange(40) % 3, baselines="independent")
    with pytest.raises(ValueError, match="No task has 10 or more labels .the largest has 8"):
        quick(model, X[12:28], y[12:28], baselines=ALONE)
    with pytest.raises(ValueError, match="two or more test sets.*got 1. Pass cv=5"):
        quick(model, X, y, baselines=ALONE, cv=[(np.arange(30), np.arange(30, 40))])
    with pytest.raises(ValueError, match="n_repeats"):
        quick(model, X, y, baselines=ALONE, n_repeats=0)
    with pytest.raises(ValueError, match="needs predict_proba, which PerceptronLike lacks"):
        dataset = make_block_sparse(30, 4, 2, n_informative=2, classification=True, random_state=0)
        quick(PerceptronLike(), dataset.data, dataset.target, baselines={"m": PerceptronLike()})


def test_a_step_that_moves_the_task_column() -> None:
    X, y = related([20, 20])
    # The task column comes first, and a binary feature last.
    X = np.column_stack([X[:, -1], X[:, :-1], np.arange(40) % 2])
    scale = ColumnTransformer([("scaled", StandardScaler(), [1, 2])], remainder="passthrough")
    roll = FunctionTransformer(np.roll, kw_args={"shift": -1, "axis": 1})
    last = PooledTaskRegressor(0.1, task_column=-1)
    for pipeline in (make_pipeline(roll, last), make_pipeline(roll, scale, last)):
        for estimator in (pipeline, GridSearchCV(pipeline, {}, cv=KFold(2, shuffle=True))):
            with pytest.raises(ValueError, match="move the task column.*PooledTaskRegressor reads"):
                quick(estimator, X, y, baselines=[("ridge", Ridge())])
    # A feature that is not binary has too many values.
    with pytest.raises(ValueError, match="check that column -1 of X holds the tasks before any"):
        quick(make_pipeline(roll, last), X[:, :-1], y, baselines=[("ridge", Ridge())])
    # As the error says.
    kept = make_pipeline(
        TaskTransformer(StandardScaler(), task_column=0), PooledTaskRegressor(0.1, task_column=0)
    )
    assert quick(kept, X, y, baselines=[("ridge", Ridge())]).n_labels.tolist() == [20, 20]
    placed = np.column_stack([X[:, 1:], X[:, 0]])
    kept = make_pipeline(FunctionTransformer(renamed), last)
    assert quick(kept, placed, y, baselines=[("ridge", Ridge())]).tasks.tolist() == [0, 1]


def renamed(X: Any) -> Any:
    """The same tasks by other numbers."""
    return np.column_stack([X[:, :-1], 7 - X[:, -1]])


def test_classifiers_without_probabilities() -> None:
    data = make_block_sparse(30, 4, 2, n_informative=2, classification=True, random_state=0)
    model = BlockSparseClassifier(0.1, loss="squared_hinge")
    remedy = "BlockSparseClassifier with loss='squared_hinge' lacks. Pass scoring='accuracy'"
    for estimator in (model, make_pipeline(StandardScaler(), model), AlphaSearchCV(model)):
        with pytest.raises(ValueError, match=remedy):
            transfer_gain(estimator, data.data, data.target)
    alone = {"alone": IndependentTaskClassifier(0.1, loss="squared_hinge")}
    result = quick(model, data.data, data.target, baselines=alone, scoring="accuracy")
    assert result.loss_name == "1 - accuracy"
    # The search that selects alpha is not the user's.
    with pytest.raises(ValueError, match="needs predict_proba, which BlockSparseClassifier lacks"):
        quick(model, data.data, data.target, baselines=alone, scoring=log_loss, tune=True)


class PerceptronLike(Mean):
    """A classifier without probabilities."""

    _estimator_type = "classifier"

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.estimator_type = "classifier"
        return tags
