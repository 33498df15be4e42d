"""Metrics over tasks and their scorers: by hand, against scikit-learn, inside its tools."""

import functools
import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
import sklearn.metrics as skm
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from skmtl import IndependentTaskClassifier, metrics
from skmtl.metrics._scorer import _METRICS

NAN = np.nan
REGRESSION = ["r2_score", "root_mean_squared_error", "explained_variance_score"]
EVERY = [*REGRESSION, "accuracy_score", "roc_auc_score"]


def data(name, shape, seed=0):
    """True values, predictions and weights for a metric; each task has both classes."""
    rng = np.random.RandomState(seed)
    y_true, y_pred, weight = rng.randn(*shape), rng.randn(*shape), rng.rand(shape[0]) + 0.1
    if name in REGRESSION:
        return y_true, y_pred, weight
    y_true = (y_true > 0).astype(float)
    y_true[:2] = np.array([0.0, 1.0]).reshape((2,) + (1,) * (len(shape) - 1))
    return y_true, (y_pred > 0).astype(float) if name == "accuracy_score" else y_pred, weight


# Complete data: scikit-learn's own numbers


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("weighted", [False, True])
def test_one_task_is_scikit_learns_metric(name, weighted):
    y_true, y_pred, weight = data(name, (30,))
    weight = weight if weighted else None
    expected = getattr(skm, name)(y_true, y_pred, sample_weight=weight)
    score = getattr(metrics, name)(y_true, y_pred, sample_weight=weight)
    assert isinstance(score, float)
    assert score == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", REGRESSION)
@pytest.mark.parametrize("weighted", [False, True])
def test_complete_matrix_is_scikit_learns_multioutput(name, weighted):
    y_true, y_pred, weight = data(name, (30, 4))
    weight = weight if weighted else None
    ours, theirs = getattr(metrics, name), getattr(skm, name)
    raw = theirs(y_true, y_pred, sample_weight=weight, multioutput="raw_values")
    np.testing.assert_allclose(
        ours(y_true, y_pred, sample_weight=weight, average=None), raw, rtol=1e-12
    )
    assert ours(y_true, y_pred, sample_weight=weight) == pytest.approx(raw.mean(), rel=1e-12)
    pooled = theirs(y_true.ravel(), y_pred.ravel())
    assert ours(y_true, y_pred, average="pooled") == pytest.approx(pooled, rel=1e-12)


def test_complete_matrix_of_classes():
    y_true, scores, _ = data("roc_auc_score", (30, 4))
    assert metrics.roc_auc_score(y_true, scores) == pytest.approx(
        skm.roc_auc_score(y_true, scores, average="macro"), rel=1e-12
    )
    assert metrics.roc_auc_score(y_true, scores, average="pooled") == pytest.approx(
        skm.roc_auc_score(y_true.ravel(), scores.ravel()), rel=1e-12
    )
    y_pred = scores > 0
    assert metrics.accuracy_score(y_true, y_pred) == pytest.approx(np.mean(y_true == y_pred))


# Missing labels, by hand


Y_TRUE = np.array([[0.0, 1.0, NAN], [2.0, NAN, NAN], [4.0, 3.0, 5.0]])
Y_PRED = np.array([[0.0, 2.0, 9.0], [2.0, 7.0, NAN], [6.0, 4.0, 4.0]])


@pytest.mark.parametrize(
    "name, by_task, macro, pooled",
    [
        # squared errors 4, 1 + 1, 1; sums of squares 8, 2, -; all labels: mean 2.5, 17.5
        ("r2_score", [0.5, 0.0, NAN], 0.25, 1 - 7 / 17.5),
        (
            "root_mean_squared_error",
            [np.sqrt(4 / 3), 1.0, 1.0],
            (np.sqrt(4 / 3) + 2) / 3,
            np.sqrt(7 / 6),
        ),
        # errors 0 0 -2: variance 8/9 of 8/3; constant: 0; all: 0 0 -2 -1 -1 1, mean -1/2, var 11/12
        ("explained_variance_score", [2 / 3, 1.0, NAN], 5 / 6, 1 - (11 / 12) / (17.5 / 6)),
    ],
)
def test_regression_by_hand(name, by_task, macro, pooled):
    metric = getattr(metrics, name)
    np.testing.assert_allclose(metric(Y_TRUE, Y_PRED, average=None), by_task)
    assert metric(Y_TRUE, Y_PRED) == pytest.approx(macro)
    assert metric(Y_TRUE, Y_PRED, average="pooled") == pytest.approx(pooled)


def test_classification_by_hand():
    y_true = np.array([[0, 1, NAN], [1, 1, NAN], [1, NAN, NAN], [0, 1, NAN]])
    y_pred = np.array([[0, 1, 1], [1, 0, 1], [0, 1, 1], [0, 1, 1]])
    np.testing.assert_allclose(
        metrics.accuracy_score(y_true, y_pred, average=None), [3 / 4, 2 / 3, NAN]
    )
    assert metrics.accuracy_score(y_true, y_pred) == pytest.approx(17 / 24)
    assert metrics.accuracy_score(y_true, y_pred, average="pooled") == pytest.approx(5 / 7)
    scores = np.array([[0.1, 5, 0], [0.9, 5, 0], [0.2, 5, 0], [0.3, 5, 0]])
    np.testing.assert_allclose(
        metrics.roc_auc_score(y_true, scores, average=None), [3 / 4, NAN, NAN]
    )
    assert metrics.roc_auc_score(y_true, scores) == 0.75


def test_string_labels_and_ids():
    y_true = np.array(["no", "yes", "yes", "no", "no"], dtype=object)
    y_pred = np.array(["no", "no", "yes", "yes", "no"])
    task = ["b", "b", "a", "a", "a"]
    by_task = metrics.accuracy_score(y_true, y_pred, task=task, average=None)
    np.testing.assert_allclose(by_task, [2 / 3, 1 / 2])  # sorted ids
    scores = [0.1, 0.9, 0.5, 0.6, 0.2]
    by_task = metrics.roc_auc_score(y_true, scores, task=task, average=None)
    np.testing.assert_allclose(by_task, [1 / 2, 1])  # "yes" is the positive one


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, np.ndarray.tolist])
def test_containers(make):
    assert metrics.r2_score(make(Y_TRUE), Y_PRED) == pytest.approx(0.25)
    assert metrics.r2_score(Y_TRUE, make(Y_PRED)) == pytest.approx(0.25)


def test_nullable_and_object_labels():
    frame = pd.DataFrame({"a": [0, 1, None], "b": [1, None, 0]}, dtype="Int64")
    assert metrics.accuracy_score(frame, [[0, 1], [0, 1], [0, 0]], average=None).tolist() == [
        0.5,
        1,
    ]
    for y_true in (frame["a"], np.array([0, 1, NAN], dtype=object)):
        assert metrics.accuracy_score(y_true, [0, 0, 0]) == 0.5
    y_pred = np.array([0, 0, 1], dtype=object)
    assert metrics.accuracy_score([0, 1, 1], y_pred) == pytest.approx(2 / 3)


# The laws


@st.composite
def masked(draw):
    n, n_tasks = draw(st.integers(1, 12)), draw(st.integers(1, 4))
    seed = draw(st.integers(0, 10_000))
    share = draw(st.sampled_from([0.0, 0.3, 0.7]))
    return n, n_tasks, seed, share


@pytest.mark.parametrize("name", EVERY)
@given(masked(), st.sampled_from(["macro", "pooled", None]))
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
def test_zero_weight_nan_and_the_stacked_layout_agree(name, case, average):
    n, n_tasks, seed, share = case
    metric = getattr(metrics, name)
    y_true, y_pred, weight = data(name, (n + 2, n_tasks), seed)
    missing = np.random.RandomState(seed + 1).rand(*y_true.shape) < share
    weight = np.tile(weight[:, None], n_tasks)
    kept = metric(np.where(missing, NAN, y_true), y_pred, sample_weight=weight, average=average)
    zero = metric(y_true, y_pred, sample_weight=np.where(missing, 0, weight), average=average)
    np.testing.assert_allclose(zero, kept, rtol=1e-9)

    rows, task = np.nonzero(np.ones_like(missing))
    stacked = metric(
        np.where(missing, NAN, y_true)[rows, task],
        y_pred[rows, task],
        task=task,
        sample_weight=weight[rows, task],
        average=average,
    )
    np.testing.assert_allclose(stacked, kept, rtol=1e-9)
    if average == "macro":
        by_task = metric(np.where(missing, NAN, y_true), y_pred, sample_weight=weight, average=None)
        defined = by_task[~np.isnan(by_task)]
        np.testing.assert_allclose(kept, defined.mean() if defined.size else NAN)


# Nothing to score; wrong data


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("average", ["macro", "pooled"])
def test_nothing_defined_warns(name, average):
    metric = getattr(metrics, name)
    with pytest.warns(UndefinedMetricWarning, match="undefined for every task"):
        score = metric([[NAN, NAN], [NAN, NAN]], [[1, 0], [0, 1]], average=average)
    assert np.isnan(score)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        by_task = metric([[NAN, NAN]], [[1, 0]], average=None)
    np.testing.assert_array_equal(by_task, [NAN, NAN])


@pytest.mark.parametrize(
    "arguments, options, message",
    [
        (([1, 2], [1, 2, 3]), {}, r"differ in shape: \(2,\) and \(3,\)"),
        (([[1], [2]], [1, 2]), {}, r"\(2, 1\) and \(2,\)"),
        (([1, 2], [1, 2]), {"task": [1]}, r"vectors of one length.*\(2,\) and \(1,\)"),
        (([[1], [2]], [[1], [2]]), {"task": [1, 1]}, r"got shapes \(2, 1\) and \(2,\)"),
        (([1, 2], [1, 2]), {"sample_weight": [1]}, r"must have shape \(2,\) or \(2,\), got \(1,\)"),
        (([1, 2], [1, 2]), {"average": "mean"}, "'macro', 'pooled' or None, got 'mean'"),
        (([1, 2], [1, 2]), {"task": [1.0, NAN]}, "missing values"),
        (([1, 2], [1, NAN]), {}, "NaN"),
        (([[1, NAN], [1, 2]], [[NAN, 1], [1, 2]]), {}, "NaN"),
    ],
)
def test_wrong_data(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        metrics.r2_score(*arguments, **options)


def test_auc_of_three_labels():
    with pytest.raises(ValueError, match="two labels, but one task has .'a' 'b' 'c'"):
        metrics.roc_auc_score(["a", "b", "c"], [1.0, 2.0, 3.0])


# Scorers


def schools(seed=0):
    rng = np.random.RandomState(seed)
    school = rng.randint(0, 3, size=60)
    X = pd.DataFrame(rng.randn(60, 2), columns=["a", "b"]).assign(school=school)
    return X, X["a"].to_numpy() + school + rng.randn(60)


def ridge():
    encode = make_column_transformer((OneHotEncoder(), ["school"]), remainder="passthrough")
    return make_pipeline(encode, Ridge())


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


def median_error(y_true, y_pred, *, task=None, sample_weight=None, average="macro"):
    return float(np.median(np.abs(y_true - y_pred)))


def test_foreign_metric():
    X, y = schools()
    model = ridge().fit(X, y)
    error = median_error(y, model.predict(X))
    assert metrics.make_task_scorer(median_error)(model, X, y) == error
    assert metrics.make_task_scorer(median_error, greater_is_better=False)(model, X, y) == -error
    labels = (y > 1).astype(int)
    model = LogisticRegression().fit(X, labels)
    scorer = metrics.make_task_scorer(median_error, response_method="predict_proba")
    assert scorer(model, X, labels) == median_error(labels, model.predict_proba(X)[:, 1])


# Metrics that know no tasks


def hospitals(seed=0):
    """Rows of three tasks, of which the last has a single class, and labels of two strings."""
    X, y = schools(seed)
    labels = np.where((y > 1) | (X["school"] == 2), "sick", "healthy")
    return X, labels


@pytest.mark.parametrize(
    "metric, method, kwargs",
    [
        (skm.average_precision_score, "decision_function", {"pos_label": "sick"}),
        (skm.log_loss, "predict_proba", {"labels": ["healthy", "sick"]}),
        (skm.brier_score_loss, "predict_proba", {"pos_label": "sick"}),
        (skm.f1_score, "predict", {"pos_label": "sick"}),
        (skm.fbeta_score, "predict", {"pos_label": "sick", "beta": 2}),
        (skm.matthews_corrcoef, "predict", {}),
    ],
)
@pytest.mark.parametrize("weighted", [False, True])
def test_scikit_learns_metrics_of_classes_by_task(metric, method, kwargs, weighted):
    X, labels = hospitals()
    model = LogisticRegression().fit(X, labels)
    response = getattr(model, method)(X)
    response = response[:, 1] if response.ndim == 2 else response
    weight = np.random.RandomState(3).randint(0, 3, 60).astype(float) if weighted else None
    used = np.ones(60, dtype=bool) if weight is None else weight > 0

    def by_task(school):
        rows = used & (X["school"] == school).to_numpy()
        part = None if weight is None else weight[rows]
        return metric(labels[rows], response[rows], sample_weight=part, **kwargs)

    undefined = metric in (skm.average_precision_score, skm.matthews_corrcoef)
    expected = np.array([by_task(0), by_task(1), NAN if undefined else by_task(2)])
    sign = -1 if metric.__name__.endswith("loss") else 1
    beta = {"beta": 2} if "beta" in kwargs else {}
    options = {"task_column": "school", **beta}
    # What each metric judges, and whether greater is better, need not be said.
    for said in ({}, {"response_method": method, "greater_is_better": sign == 1}):
        scorer = metrics.make_task_scorer(metric, average=None, **options, **said)
        np.testing.assert_allclose(scorer(model, X, labels, weight), sign * expected, rtol=1e-12)
    scorer = metrics.make_task_scorer(metric, **options)
    assert scorer(model, X, labels, weight) == pytest.approx(sign * np.nanmean(expected))
    pooled = metrics.make_task_scorer(metric, average="pooled", **options)
    whole = metric(labels[used], response[used], **kwargs,
                   sample_weight=None if weight is None else weight[used])  # fmt: skip
    assert pooled(model, X, labels, weight) == pytest.approx(sign * whole)


@pytest.mark.parametrize(
    "metric, kwargs",
    [
        (skm.mean_absolute_error, {}),
        (skm.mean_pinball_loss, {"alpha": 0.9}),
        (skm.d2_pinball_score, {"alpha": 0.9}),
        (skm.median_absolute_error, {}),
        (skm.r2_score, {}),
    ],
)
def test_scikit_learns_metrics_of_numbers_by_task(metric, kwargs):
    rng = np.random.RandomState(0)
    X, Y = rng.randn(40, 2), rng.randn(40, 3)
    weight = rng.rand(40, 3)
    model = Ridge().fit(X, Y)
    Y[rng.rand(40, 3) < 0.3] = NAN
    Y[1:, 2] = NAN  # a single label
    scores = [
        metric(Y[seen, t], model.predict(X)[seen, t], sample_weight=weight[seen, t], **kwargs)
        for t, seen in enumerate(~np.isnan(Y).T)
        if t < 2 or metric not in (skm.r2_score, skm.d2_pinball_score)
    ]
    scores += [NAN] * (3 - len(scores))
    sign = 1 if metric.__name__.endswith("score") else -1
    bound = functools.partial(metric, **kwargs)
    for known, options in ((metric, kwargs), (bound, {})):
        scorer = metrics.make_task_scorer(known, average=None, **options)
        np.testing.assert_allclose(scorer(model, X, Y, weight), sign * np.array(scores))
    scorer = metrics.make_task_scorer(metric, greater_is_better=True, **kwargs)
    assert scorer(model, X, Y, weight) == pytest.approx(np.nanmean(scores))


def test_the_layouts_agree_on_scikit_learns_metrics():
    rng = np.random.RandomState(0)
    Y = (rng.rand(40, 3) < 0.5).astype(float)
    Y[rng.rand(40, 3) < 0.3] = NAN
    Y[:, 2] = np.where(np.isnan(Y[:, 2]), NAN, 0.0)
    shared = IndependentTaskClassifier()
    rows, task = np.nonzero(~np.isnan(Y))
    X = rng.randn(40, 2)
    stacked = IndependentTaskClassifier(task_column=-1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the task with one class
        shared.fit(X, Y)
        stacked.fit(np.column_stack([X[rows], task]), Y[rows, task])
    for metric in (skm.average_precision_score, skm.log_loss, skm.brier_score_loss, skm.f1_score,
                   skm.recall_score):  # fmt: skip
        ours = metrics.make_task_scorer(metric, average=None)(shared, X, Y)
        theirs = metrics.make_task_scorer(metric, average=None, task_column=-1)(
            stacked, np.column_stack([X[rows], task]), Y[rows, task]
        )
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)
        # No task has a positive label: nothing to find, nothing to rank.
        undefined = metric in (skm.average_precision_score, skm.f1_score, skm.recall_score)
        assert np.isnan(ours[2]) == undefined


@pytest.mark.parametrize(
    "metric",
    [
        skm.roc_auc_score,
        skm.average_precision_score,
        skm.balanced_accuracy_score,
        skm.matthews_corrcoef,
        skm.cohen_kappa_score,
        skm.hinge_loss,
        skm.d2_log_loss_score,
    ],
)
def test_tasks_of_one_class_are_left_out_without_a_warning(metric):
    X, labels = hospitals()
    model = LogisticRegression().fit(X, labels)
    scorer = metrics.make_task_scorer(metric, task_column="school", average=None)
    mean = metrics.make_task_scorer(metric, task_column="school")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        by_task = scorer(model, X, labels)
        assert mean(model, X, labels) == pytest.approx(by_task[:2].mean())
    assert np.isnan(by_task[2]) and np.isfinite(by_task[:2]).all()


def test_several_classes_of_one_task():
    X, y = schools()
    labels = np.array(["a", "b", "c"])[np.digitize(y, [0, 2])]
    model = LogisticRegression().fit(X, labels)
    p, rows = model.predict_proba(X), slice(None)
    assert metrics.make_task_scorer(skm.log_loss)(model, X, labels) == pytest.approx(
        -skm.log_loss(labels, p)
    )
    rows = np.flatnonzero(labels != "b")  # the middle class is absent
    assert metrics.make_task_scorer(skm.log_loss)(
        model, X.iloc[rows], labels[rows]
    ) == pytest.approx(-skm.log_loss(labels[rows], p[rows], labels=model.classes_))
    macro = functools.partial(skm.f1_score, average="macro")
    assert metrics.make_task_scorer(macro)(model, X, labels) == pytest.approx(
        macro(labels, model.predict(X))
    )


def test_weights_of_a_metric_without_weights():
    X, y = schools()
    model = ridge().fit(X, y)
    scorer = metrics.make_task_scorer(skm.max_error, task_column="school")
    weight = np.r_[np.zeros(20), np.ones(40)]
    assert scorer(model, X, y, weight) == pytest.approx(scorer(model, X.iloc[20:], y[20:]))
    with pytest.raises(ValueError, match="max_error has no argument sample_weight"):
        scorer(model, X, y, weight + np.arange(60))


def test_metrics_of_ones_own():
    class Worst(list):  # a callable without a hash
        def __call__(self, y_true, y_pred, **kwargs):
            assert set(kwargs) == {"sample_weight"}
            return np.abs(y_true - y_pred).max()

    X, y = schools()
    model = ridge().fit(X, y)
    scorer = metrics.make_task_scorer(Worst(), task_column="school")
    worst = metrics.make_task_scorer(skm.max_error, task_column="school", greater_is_better=True)
    assert scorer(model, X, y, np.arange(1, 61)) == pytest.approx(worst(model, X, y))


def test_keyword_arguments_reach_metrics_with_tasks():
    def scaled(y_true, y_pred, *, task, sample_weight, average, scale):
        return scale * metrics.r2_score(y_true, y_pred, task=task)

    X, y = schools()
    model = ridge().fit(X, y)
    found = metrics.make_task_scorer(scaled, task_column="school", scale=3)(model, X, y)
    assert found == 3 * metrics.make_task_scorer("r2", task_column="school")(model, X, y)


def test_foreign_scorers_choose_by_searching_and_survive_pickle():
    X, labels = hospitals()
    scorer = metrics.make_task_scorer(skm.fbeta_score, task_column="school", beta=2)
    for copied in (pickle.loads(pickle.dumps(scorer)), clone(scorer)):
        search = GridSearchCV(LogisticRegression(), {"C": [1e-5, 1.0]}, scoring=copied, cv=3)
        assert search.fit(X, labels).best_params_ == {"C": 1.0}
        assert search.score(X, labels) == scorer(search, X, labels)


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


def test_constant_classifier_scores_one_half():
    X, y = schools()
    model = DummyClassifier().fit(X, y > 1)
    assert metrics.make_task_scorer("roc_auc", task_column="school")(model, X, y > 1) == 0.5
