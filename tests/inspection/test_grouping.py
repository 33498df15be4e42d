"""group_tasks: planted groups, their number, and the models that select it."""

from typing import Any

import numpy as np
import pytest
from affinity_problems import planted, planted_shared
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import Ridge
from sklearn.metrics import adjusted_rand_score

from skmtl import (
    ClusteredTaskClassifier,
    ClusteredTaskRegressor,
    TaskRelationClassifier,
    TaskRelationRegressor,
)
from skmtl.inspection import group_tasks
from skmtl.inspection._grouping import _GramGroups, _pooled, _select, cluster_tasks
from skmtl.inspection._task_problem import TaskProblem


def test_planted_groups_and_their_number_are_found() -> None:
    X, y, group = planted([6, 4, 3])
    found = group_tasks(TaskRelationRegressor(task_column=-1), X, y, random_state=0)
    assert found.n_groups == 3
    assert adjusted_rand_score(group, found.labels) == 1.0
    assert_array_equal(found.labels, group)  # the largest group is the first
    assert found.groups == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9], [10, 11, 12]]
    assert found.losses.argmin() in (2, 3)
    assert repr(found).startswith("3 groups of 13 tasks\n  0 (6 tasks): 0, 1, ")
    frame = found.to_frame()
    assert frame.columns.tolist() == ["task", "n_labels", "group"] and len(frame) == 13
    known = ClusteredTaskRegressor(clusters=found.labels, task_column=-1).fit(X, y)
    assert_array_equal(known.labels_, group)


def test_missing_labels_in_the_shared_layout() -> None:
    X, Y, group = planted_shared([4, 3], missing=0.3)
    found = group_tasks(TaskRelationRegressor(), X, Y, random_state=0)
    assert found.n_groups == 2 and adjusted_rand_score(group, found.labels) == 1.0


def test_like_tasks_are_one_group() -> None:
    X, y, _ = planted([8], own=0.05)
    found = group_tasks(TaskRelationRegressor(task_column=-1), X, y, random_state=0)
    assert found.n_groups == 1 and not found.labels.any()


def test_given_number_needs_no_folds() -> None:
    X, y, group = planted([4, 3])
    model = TaskRelationRegressor(0.1, task_column=-1)
    found = group_tasks(model, X, y, n_groups=2, tune=False, random_state=0)
    assert np.isnan(found.losses).all()
    assert_array_equal(found.labels, group)
    every = group_tasks(model, X, y, n_groups=7, tune=False)
    assert every.n_groups == 7 and sorted(every.labels) == list(range(7))


@pytest.mark.slow
def test_classification_tasks() -> None:
    X, y, group = planted([4, 3], n_labels=60)
    y = y - X[:, -1] > 0
    model = TaskRelationClassifier(0.01, task_column=-1)
    found = group_tasks(model, X, y, tune=False, n_groups=[1, 2, 3], random_state=0)
    assert found.n_groups == 2 and adjusted_rand_score(group, found.labels) == 1.0


@pytest.mark.parametrize("loss", ["huber", "poisson"])
def test_other_losses(loss: str) -> None:
    X, y, group = planted([3, 2], n_labels=40)
    y = np.exp(np.clip(y - X[:, -1], -3, 2)).round() if loss == "poisson" else y
    model = TaskRelationRegressor(0.1, loss=loss, task_column=-1)
    found = group_tasks(model, X, y, tune=False, n_groups=[1, 2], random_state=0)
    assert found.n_groups == 2 and adjusted_rand_score(group, found.labels) == 1.0


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_groups_of_gram_matrices_are_ridge_regressions(fit_intercept: bool) -> None:
    X, y, _ = planted([3, 2], n_labels=12)
    weights = np.random.default_rng(0).uniform(0.5, 2.0, len(y))
    estimator = TaskRelationRegressor(fit_intercept=fit_intercept, task_column=-1)
    problem = TaskProblem.read(_pooled(estimator), X, y, weights, "test")
    model, labels = _GramGroups(problem), np.array([0, 1, 0, 1, 1])
    coef, intercept = model.fit(labels)
    for group in (0, 1):
        members = np.flatnonzero(labels == group)
        rows = np.isin(X[:, -1], members)
        # Nearly free intercepts: dummy variables with large values.
        dummies = 1e4 * (X[rows, -1:] == members) * fit_intercept
        Z = np.column_stack([X[rows, :-1], dummies])
        for k, strength in enumerate(model.strengths):
            ridge = Ridge(strength, fit_intercept=False, solver="cholesky")
            ridge.fit(Z, y[rows], weights[rows])
            for place, t in enumerate(members):
                assert_allclose(coef[k, t], ridge.coef_[:6], rtol=1e-4, atol=1e-6)
                expected = 1e4 * ridge.coef_[6 + place] * fit_intercept
                assert_allclose(intercept[k, t], expected, rtol=1e-3, atol=1e-5)


def test_clustering_leaves_out_tasks_without_correlation() -> None:
    correlation = np.kron(np.eye(2), np.ones((3, 3)))
    correlation[5] = correlation[:, 5] = np.nan
    assert_array_equal(cluster_tasks(correlation, 2, 0), [0, 0, 0, 1, 1, -1])
    assert_array_equal(cluster_tasks(correlation, 1, 0), [0, 0, 0, 0, 0, -1])


@pytest.mark.parametrize("kind", [TaskRelationClassifier, ClusteredTaskClassifier])
def test_tasks_of_one_class_have_no_group(kind: Any) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 5))
    Y = (X[:, :1] * [1, 1, 0, -1] + 0.3 * rng.normal(size=(80, 4)) > 0).astype(float)
    Y[:, 2] = 1.0
    model = kind(0.01, n_clusters=2) if kind is ClusteredTaskClassifier else kind(0.01)
    found = group_tasks(model, X, Y, n_groups=[1, 2], tune=False, random_state=0)
    assert_array_equal(found.labels, [0, 0, -1, 1])
    assert repr(found) == "2 groups of 4 tasks\n  0 (2 tasks): 0, 1\n  1 (1 task): 3"
    assert np.isnan(found.affinity.matrix[2]).all()
    found.plot()


def test_no_task_has_two_classes() -> None:
    X = np.random.default_rng(0).normal(size=(20, 2))
    with pytest.raises(ValueError, match="in each task all labels are the same"):
        group_tasks(TaskRelationClassifier(), X, np.ones((20, 2)), tune=False)


def test_opposite_tasks_do_not_belong_together() -> None:
    sign = np.array([1.0, -1.0, 1.0, -1.0, 1.0])
    assert_array_equal(cluster_tasks(np.outer(sign, sign), 2, 0), [0, 1, 0, 1, 0])


def test_the_fewest_groups_within_one_error_are_selected() -> None:
    sums = np.array([[9.0, 5.0, 5.0, 8.0], [9.0, 6.0, 4.8, 8.0]])[:, :, None]
    losses, errors, chosen = _select(np.concatenate([sums + 1, sums], axis=2), 10.0)
    assert_allclose(losses, [1.8, 1.1, 0.98, 1.6])
    assert_allclose(errors[1], np.std([0.0, 1.2], ddof=1) * np.sqrt(2) / 10)
    assert chosen == 1


@pytest.mark.parametrize("n_groups", [[0, 2], 6, [], [1.5]])
def test_invalid_numbers_of_groups(n_groups: Any) -> None:
    X, y, _ = planted([3, 2], n_labels=12)
    with pytest.raises(ValueError, match="n_groups must be between 1 and"):
        group_tasks(TaskRelationRegressor(task_column=-1), X, y, n_groups=n_groups)
