"""Metrics over tasks and their scorers: by hand, against scikit-learn, inside its tools."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn.metrics as skm
from hypothesis import given
from hypothesis import strategies as st
from metric_problems import schools
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import UndefinedMetricWarning

from skmtl import metrics

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


# No labels to score; invalid data


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
        (([1, 2], [1, 2]), {"task": [1]}, r"vectors of the same length.*\(2,\) and \(1,\)"),
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


@pytest.mark.parametrize("missing", [None, NAN, pd.NA])
def test_strings_without_some_labels(missing):
    complete, lacking = ["a", "b", "b"], ["a", missing, "b"]
    with pytest.raises(ValueError, match=r"y_true has strings, but no labels .* \[1\]. Leave"):
        metrics.accuracy_score(lacking, complete)
    with pytest.raises(ValueError, match=r"y_pred has strings, but no labels .* \[1\]. Leave"):
        metrics.accuracy_score(complete, pd.Series(lacking))
    with pytest.raises(ValueError, match="y_true has strings, but in row 2 1. Convert all labels"):
        metrics.accuracy_score(np.array(["a", "b", 1], dtype=object), complete)


def test_constant_classifier_scores_one_half():
    X, y = schools()
    model = DummyClassifier().fit(X, y > 1)
    assert metrics.make_task_scorer("roc_auc", task_column="school")(model, X, y > 1) == 0.5
