"""Scores of all tasks at once equal scikit-learn's metric of each task."""

import warnings

import numpy as np
import pytest
import sklearn.metrics as skm

from skmtl import metrics
from skmtl.metrics import _sums

PAIRS = {
    "r2_score": skm.r2_score,
    "explained_variance_score": skm.explained_variance_score,
    "root_mean_squared_error": skm.root_mean_squared_error,
    "accuracy_score": skm.accuracy_score,
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", PAIRS)
def test_equal_a_call_for_each_task(name, weighted, monkeypatch):
    rng = np.random.default_rng(0)
    task = rng.integers(0, 40, 400)
    truth = rng.integers(0, 3, 400).astype(float)
    predicted = rng.integers(0, 3, 400).astype(float)
    truth[task == 3] = 1.0  # constant, and predicted with and without errors
    truth[task == 4] = predicted[task == 4] = 2.0
    truth[task == 5] = predicted[task == 5]
    weights = rng.uniform(0, 2, 400) * (rng.random(400) > 0.1) if weighted else None
    found = getattr(metrics, name)(truth, predicted, task=task, sample_weight=weights, average=None)
    for place, one in enumerate(np.unique(task)):
        rows = task == one
        own = None if weights is None else weights[rows]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = PAIRS[name](truth[rows], predicted[rows], sample_weight=own)
        assert found[place] == pytest.approx(expected, abs=1e-12)


def test_one_call_serves_all_tasks(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("called for a single task")

    task, truth = np.repeat(np.arange(50), 4), np.arange(200.0)
    monkeypatch.setitem(_sums._AT_ONCE, refuse, _sums._AT_ONCE[skm.r2_score])
    monkeypatch.setattr(skm, "r2_score", refuse)
    assert metrics.r2_score(truth, truth + 1, task=task) < 1


def test_predictions_that_are_not_finite_are_refused_by_name():
    with pytest.raises(ValueError, match="NaN"):
        metrics.r2_score([1.0, 2.0], [1.0, np.nan], task=[0, 0])


@pytest.mark.parametrize("weighted", [False, True])
def test_constant_labels_whose_mean_is_rounded(weighted):
    """scikit-learn's rule for constant labels: 1 if they are predicted exactly, otherwise 0."""
    rng = np.random.default_rng(0)
    task, truth = np.repeat([0, 1, 2, 3], 10), np.full(40, 0.1)
    predicted = truth + 0.1 * rng.normal(size=40)
    predicted[task == 1] = 0.1
    predicted[task == 2] = 0.3  # all of the variance is explained
    truth[task == 3] = predicted[task == 3]
    weights = rng.uniform(size=40) if weighted else None
    if weighted:
        truth[9], weights[9] = 5.0, 0.0
    given = {"task": task, "sample_weight": weights, "average": None}
    assert metrics.r2_score(truth, predicted, **given).tolist() == [0, 1, 0, 1]
    found = metrics.explained_variance_score(truth, predicted, **given)
    assert found.tolist() == [0, 1, 1, 1]
    assert metrics.r2_score(truth[:9], predicted[:9]) == skm.r2_score(truth[:9], predicted[:9]) == 0
