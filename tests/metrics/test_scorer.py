"""Scorers of tasks, in scikit-learn's tools."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from metric_problems import median_error, ridge, schools
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import RFE
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmtl import BlockSparseRegressor, StructureSearchRegressorCV, metrics
from skmtl.auxiliary import AuxiliaryTaskRegressor
from skmtl.inference import TaskConformalRegressor
from skmtl.metrics._scorer import _METRICS
from skmtl.model_selection import AlphaSearchCV, AlphaSearchIC

NAN = np.nan


@pytest.mark.parametrize("metric", ["r2", "rmse", "explained_variance"])
def test_scorer_of_predictions(metric):
    X, y = schools()
    model = ridge().fit(X, y)
    function = _METRICS[metric][0]
    sign = -1 if metric == "rmse" else 1
    weight = np.random.RandomState(1).rand(60)
    for given_metric in (metric, function):
        for average in ("macro", "pooled"):
            scorer = metrics.make_task_scorer(given_metric, task_column="school", average=average)
            expected = sign * function(
                y, model.predict(X), task=X["school"], sample_weight=weight, average=average
            )
            assert scorer(model, X, y, sample_weight=weight) == expected


def test_scorer_of_decisions_and_probabilities():
    X, y = schools()
    labels = np.where(y > 1, "pass", "fail")
    scorer = metrics.make_task_scorer("roc_auc", task_column=-1)
    model = LogisticRegression().fit(X, labels)
    expected = metrics.roc_auc_score(labels, model.decision_function(X), task=X["school"])
    assert scorer(model, X, labels) == expected
    forest = RandomForestClassifier(5, random_state=0).fit(X, labels)
    expected = metrics.roc_auc_score(labels, forest.predict_proba(X)[:, 1], task=X["school"])
    assert scorer(forest, X, labels) == expected
    assert metrics.make_task_scorer("accuracy", task_column=2)(model, X, labels) > 0.5


def test_scorer_of_two_tasks_keeps_both_columns():
    X, y = schools()
    Y = np.column_stack([y > 1, X["b"] > 0]).astype(int)
    forest = RandomForestClassifier(5, random_state=0).fit(X, Y)
    scores = np.column_stack([part[:, 1] for part in forest.predict_proba(X)])

    class Matrix:
        def predict_proba(self, X):
            return scores

    Y = Y.astype(float)
    Y[:20, 0] = NAN
    scorer = metrics.make_task_scorer("roc_auc")
    assert scorer(forest, X, Y) == scorer(Matrix(), X, Y) == metrics.roc_auc_score(Y, scores)


def test_scorer_options_override_the_known_ones():
    X, y = schools()
    model = ridge().fit(X, y)
    scorer = metrics.make_task_scorer("rmse", greater_is_better=True)
    assert scorer(model, X, y) > 0


@pytest.mark.parametrize("metric", ["rmse", metrics.r2_score, median_error])
def test_scorer_survives_pickle_and_clone(metric):
    X, y = schools()
    model = ridge().fit(X, y)
    scorer = metrics.make_task_scorer(metric, task_column="school")
    for copy in (pickle.loads(pickle.dumps(scorer)), clone(scorer), clone(scorer, safe=False)):
        assert copy(model, X, y) == scorer(model, X, y)
        assert repr(copy) == repr(scorer)
    assert "task_column='school'" in repr(scorer)


def test_scorer_in_scikit_learns_tools():
    X, y = schools()
    scorer = metrics.make_task_scorer("rmse", task_column="school")
    search = GridSearchCV(ridge(), {"ridge__alpha": [0.1, 1e4]}, scoring=scorer, cv=3, n_jobs=2)
    search = clone(search).fit(X, y)
    assert search.best_params_ == {"ridge__alpha": 0.1}
    assert search.score(X, y) == scorer(search.best_estimator_, X, y)
    both = {"rmse": scorer, "r2": metrics.make_task_scorer("r2", task_column="school")}
    scores = cross_validate(ridge(), X, y, scoring=both, cv=3, n_jobs=2)
    assert (scores["test_rmse"] < 0).all() and scores["test_r2"].shape == (3,)


def test_scorer_takes_routed_weights():
    X, y = schools()
    weight = np.zeros(60)
    weight[::2] = 1.0
    with sklearn.config_context(enable_metadata_routing=True):
        scorer = metrics.make_task_scorer("rmse", task_column="school")
        scorer.set_score_request(sample_weight=True)
        model = LinearRegression().set_fit_request(sample_weight=False)
        arguments = dict(cv=3, return_estimator=True, return_indices=True)
        found = cross_validate(
            model, X, y, scoring=scorer, params={"sample_weight": weight}, **arguments
        )
    for fitted, test, score in zip(
        found["estimator"], found["indices"]["test"], found["test_score"], strict=True
    ):
        assert score == scorer(fitted, X.iloc[test], y[test], sample_weight=weight[test])
        assert score != scorer(fitted, X.iloc[test], y[test])


def shared_tasks():
    """Features, and four tasks in a data frame with weights for each label."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    Y = pd.DataFrame(X * [1, 2, 3, 4] + rng.normal(size=(60, 4)) + [0, 5, 10, 15])
    weights = pd.DataFrame(rng.uniform(size=(60, 4)))
    return X, Y.set_axis([*"abcd"], axis=1), weights.set_axis([*"abcd"], axis=1)


@pytest.mark.filterwarnings("ignore:The .* alpha.* is the smallest of the grid")
@pytest.mark.parametrize(
    "wrap",
    [
        lambda model: make_pipeline(StandardScaler(), model),
        lambda model: GridSearchCV(model, {"alpha": [0.01, 0.1]}, cv=3),
        lambda model: GridSearchCV(make_pipeline(model), {}, cv=3),
        lambda model: AlphaSearchCV(model, alphas=3, cv=3),
        lambda model: StructureSearchRegressorCV([("own", model)], alphas=3, cv=3),
        AlphaSearchIC,
        TaskConformalRegressor,
        lambda model: AuxiliaryTaskRegressor(model, auxiliary=[3]),
    ],
)
def test_data_frames_are_aligned_with_the_model_within(wrap):
    X, Y, weights = shared_tasks()
    model = wrap(BlockSparseRegressor(0.1)).fit(X, Y)
    error = (model.predict(X) - Y.to_numpy()) ** 2
    expected = -np.sqrt((error * weights).sum() / weights.sum()).mean()
    scorer = metrics.make_task_scorer("rmse")
    for names in ("abcd", "dcba", "bdca"):
        order = [*names]
        score = scorer(model, X, Y[order], sample_weight=weights[order[::-1]])
        assert score == pytest.approx(expected)


def test_data_frames_keep_their_order_for_other_estimators():
    X, Y, _ = shared_tasks()
    # An RFE is fitted to an array without names.
    model = RFE(BlockSparseRegressor(0.1), n_features_to_select=2).fit(X, Y)
    expected = metrics.r2_score(Y.to_numpy(), model.predict(X))
    assert metrics.make_task_scorer("r2")(model, X, Y) == expected


def test_scorer_errors():
    with pytest.raises(ValueError, match="one of .*'rmse'.*, got 'mse'"):
        metrics.make_task_scorer("mse")
    X, y = schools()
    model = ridge().fit(X, y)
    with pytest.raises(
        ValueError, match="decision_function or predict_proba, which Pipeline lacks"
    ):
        metrics.make_task_scorer("roc_auc")(model, X, y > 0)
    with pytest.raises(ValueError, match="no task column 'class'"):
        metrics.make_task_scorer("r2", task_column="class")(model, X, y)
