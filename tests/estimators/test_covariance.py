"""Covariances of tasks, including tasks with labels of one class."""

import numpy as np
import pytest
from problems import planted

from skmtl import (
    ClusteredTaskClassifier,
    ClusteredTaskRegressor,
    TaskRelationClassifier,
    TaskRelationRegressor,
)


def test_covariances():
    X, y, _ = planted()
    model = TaskRelationRegressor(0.2, task_column=-1).fit(X, y)
    omega = model.task_covariance_
    root = np.linalg.svd(model.coef_ @ model.coef_.T)
    expected = (root[0] * np.sqrt(root[1])) @ root[2]
    np.testing.assert_allclose(omega, expected / np.trace(expected), atol=1e-7)
    correlation = model.task_correlation_
    np.testing.assert_allclose(np.diag(correlation), 1)
    assert (np.abs(correlation) <= 1 + 1e-12).all()
    # Tasks of one cluster are related, and their order does not matter.
    assert correlation[0, 3] > 0.9
    zero = TaskRelationRegressor(1e9, task_column=-1).fit(X, y)
    zero.coef_[:] = 0
    np.testing.assert_allclose(zero.task_covariance_, np.eye(9) / 9)
    np.testing.assert_allclose(zero.task_correlation_, np.eye(9))
    clustered = ClusteredTaskRegressor(0.1, n_clusters=3, task_column=-1).fit(X, y)
    values = np.linalg.eigvalsh(clustered.task_covariance_)
    assert values[0] >= 1 - 1e-9 and values[-1] <= 1 / clustered.mean + 1e-9


def test_left_out_tasks_have_no_covariance_and_no_cluster():
    X, y, _ = planted()
    labels = y > 0
    labels[X[:, -1] == 4] = True
    for cls in (ClusteredTaskClassifier, TaskRelationClassifier):
        with pytest.warns(UserWarning, match=r"\[4\]"):
            model = cls(task_column=-1).fit(X, labels)
        covariance = model.task_covariance_
        assert np.isnan(covariance[4]).all() and np.isnan(covariance[:, 4]).all()
        assert np.isfinite(np.delete(np.delete(covariance, 4, 0), 4, 1)).all()
        if cls is ClusteredTaskClassifier:
            assert model.labels_[4] == -1 and (np.delete(model.labels_, 4) >= 0).all()
