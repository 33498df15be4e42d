"""scikit-learn's and user-defined metrics, by task."""

import functools
import pickle
import warnings

import numpy as np
import pytest
import sklearn.metrics as skm
from metric_problems import median_error, ridge, schools
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV

from skmtl import IndependentTaskClassifier, metrics

NAN = np.nan


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


def test_area_under_the_curve_of_several_classes_needs_probabilities():
    X, y = schools()
    labels = np.digitize(y, [0.5, 1.5])
    model = LogisticRegression().fit(X, labels)
    expected = skm.roc_auc_score(labels, model.predict_proba(X), multi_class="ovr")
    bound = functools.partial(skm.roc_auc_score, multi_class="ovr")
    assert metrics.make_task_scorer(bound)(model, X, labels) == expected
    scorer = metrics.make_task_scorer(skm.roc_auc_score, multi_class="ovr")
    assert scorer(model, X, labels) == expected


def hospitals(seed=0):
    """Three tasks with two string labels; the last task has a single class."""
    X, y = schools(seed)
    labels = np.where((y > 1) | (X["school"] == 2), "sick", "healthy")
    return X, labels


@pytest.mark.turns(2)
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
    # The response method and the sign of each metric are inferred.
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
        # No task has a positive label: recall and ranking are undefined.
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


def test_user_defined_callable():
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
