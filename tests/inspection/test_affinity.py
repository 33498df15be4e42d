"""task_affinity: layouts, weights, closed form, refits, planted groups."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from affinity_problems import planted, planted_shared
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.utils import check_random_state

from skmtl import (
    BlockSparseRegressor,
    ClusteredTaskRegressor,
    PooledTaskRegressor,
    SafeTransferRegressor,
    TaskRelationClassifier,
    TaskRelationRegressor,
    TaskRelationRegressorCV,
)
from skmtl.inspection import task_affinity
from skmtl.inspection._task_problem import TaskProblem


def auc(matrix: Any, group: Any) -> float:
    pairs = ~np.eye(len(group), dtype=bool)
    return float(roc_auc_score((group[:, None] == group)[pairs], matrix[pairs]))


# --- learned ---


@pytest.mark.parametrize(
    "estimator", [TaskRelationRegressor(), ClusteredTaskRegressor(n_clusters=3)]
)
def test_planted_groups_have_high_correlations(estimator: Any) -> None:
    X, y, group = planted([5, 3, 4])
    affinity = task_affinity(estimator.set_params(task_column=-1), X, y, random_state=0)
    assert auc(affinity.matrix, group) > 0.95
    assert_allclose(np.diag(affinity.matrix), 1.0)


def test_planted_groups_of_classification_tasks() -> None:
    X, y, group = planted([4, 3], n_labels=60)
    y = y - X[:, -1] > 0
    model = TaskRelationClassifier(0.01, task_column=-1)
    affinity = task_affinity(model, X, y, tune=False)
    assert auc(affinity.matrix, group) > 0.95


def test_layouts_agree_on_learned_correlations() -> None:
    X, Y, _ = planted_shared([3, 2])
    stacked = np.column_stack([np.tile(X, (5, 1)), np.repeat(np.arange(5), len(X))])
    model = TaskRelationRegressor(alpha=0.1, tol=1e-10)
    shared = task_affinity(model, X, Y, tune=False)
    other = task_affinity(
        TaskRelationRegressor(alpha=0.1, tol=1e-10, task_column=-1), stacked, Y.T.ravel(),
        tune=False,
    )  # fmt: skip
    assert_allclose(shared.matrix, other.matrix, atol=1e-4)
    assert_allclose(shared.matrix, model.fit(X, Y).task_correlation_, atol=1e-4)


def test_permuted_tasks_permute_the_result() -> None:
    X, Y, _ = planted_shared([3, 2], missing=0.1)
    order = np.array([3, 0, 4, 2, 1])
    model = TaskRelationRegressor(alpha=0.1, tol=1e-10)
    one = task_affinity(model, X, Y, tune=False).matrix
    other = task_affinity(model, X, Y[:, order], tune=False).matrix
    assert_allclose(other, one[np.ix_(order, order)], atol=1e-4)


# --- leave one out ---


def folds_of(estimator: Any, X: Any, y: Any, sample_weight: Any = None) -> Any:
    """The folds of task_affinity with tune=False and random_state=0."""
    problem = TaskProblem.read(estimator, X, y, sample_weight, "test")
    return problem.folds(check_random_state(0))


def by_covariance(X: Any, Y: Any, weights: Any, K: Any, kept: Any) -> tuple[Any, Any]:
    """Tasks with a covariance between them, from one dense system of all labels.

    The intercepts have a prior variance so large that they are free.
    """
    n_tasks, d = Y.shape[1], X.shape[1]
    rows, tasks = np.nonzero((weights > 0) & kept)
    Z = np.column_stack([X[rows], np.ones(len(rows))])
    prior = np.kron(K, np.diag([1.0] * d + [0.0])) + np.kron(
        np.eye(n_tasks), np.diag([0.0] * d + [1e7])
    )
    A = np.zeros((len(rows), n_tasks * (d + 1)))
    for i, t in enumerate(tasks):
        A[i, t * (d + 1) : (t + 1) * (d + 1)] = Z[i]
    noise = np.diag(weights.sum() / n_tasks / weights[rows, tasks])
    solution = prior @ A.T @ np.linalg.solve(A @ prior @ A.T + noise, Y[rows, tasks])
    solution = solution.reshape(n_tasks, d + 1)
    return solution[:, :d], solution[:, d]


@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_closed_form_equals_the_dense_system(missing: float) -> None:
    X, Y, _ = planted_shared([2, 2], n_samples=25, missing=missing)
    weights = np.random.default_rng(1).uniform(0.5, 2.0, Y.shape)
    model = TaskRelationRegressor(alpha=0.3, ridge=0.1, tol=1e-9)
    found = task_affinity(
        model, X, Y, kind="leave_one_out", tune=False, sample_weight=weights, random_state=0
    )
    weights = np.where(np.isnan(Y), 0.0, weights)
    everything, Y = Y, np.nan_to_num(Y)
    sums, totals = np.zeros((4, 4)), np.zeros(4)
    for fold in folds_of(model, X, everything, np.where(weights > 0, weights, 1.0)):
        train, test = fold.train, fold.test
        fitted = model.fit(X[train], everything[train], np.maximum(weights[train], 1e-300))
        values, basis = np.linalg.eigh(fitted.task_covariance_)
        values = np.maximum(values, 0.0)
        K = (basis * (values / (1 + 0.1 * values))) @ basis.T / 0.3

        def losses(kept: Any, train: Any = train, test: Any = test, K: Any = K) -> Any:
            coef, intercept = by_covariance(X[train], Y[train], weights[train], K, kept)
            return (weights[test] * (Y[test] - X[test] @ coef.T - intercept) ** 2).sum(axis=0)

        full = losses(np.ones(4, dtype=bool))
        totals += weights[test].sum(axis=0)
        for s in range(4):
            sums[s] += losses(np.arange(4) != s) - full
    expected = (sums / totals).T
    np.fill_diagonal(expected, np.nan)
    assert_allclose(found.matrix, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("estimator", [PooledTaskRegressor(0.1), BlockSparseRegressor(0.1)])
def test_refits_equal_fits_without_the_task(estimator: Any) -> None:
    X, y, _ = planted([2, 1], n_labels=12)
    model = estimator.set_params(task_column=-1, tol=1e-8)
    found = task_affinity(model, X, y, kind="leave_one_out", tune=False, random_state=0)
    sums = np.zeros((3, 3))
    for fold in folds_of(model, X, y):
        for s in range(3):
            train, test = fold.train, fold.test
            full = (model.fit(X[train], y[train]).predict(X[test]) - y[test]) ** 2
            train, rest = train[X[train, -1] != s], X[test, -1] != s
            model.fit(X[train], y[train])
            without = (model.predict(X[test[rest]]) - y[test[rest]]) ** 2
            change = without - full[rest]
            sums[:, s] += np.bincount(X[test[rest], -1].astype(int), change, minlength=3)
    expected = sums / 12
    np.fill_diagonal(expected, np.nan)
    assert_allclose(found.matrix, expected, rtol=1e-4, atol=1e-6)


def test_planted_helpers_have_high_gains() -> None:
    X, y, group = planted([5, 4, 4], n_labels=14)
    model = ClusteredTaskRegressor(n_clusters=3, task_column=-1)
    affinity = task_affinity(model, X, y, kind="leave_one_out", random_state=0)
    assert auc(affinity.matrix, group) > 0.7


def test_missing_labels_are_labels_without_weight() -> None:
    X, Y, _ = planted_shared([2, 2], missing=0.2)
    weights = np.where(np.isnan(Y), 0.0, 1.0)
    for kind in ("learned", "leave_one_out"):
        model = TaskRelationRegressor(alpha=0.1)
        missing = task_affinity(model, X, Y, kind=kind, tune=False, random_state=0)
        zero = task_affinity(
            model, X, np.nan_to_num(Y), kind=kind, sample_weight=weights, tune=False,
            random_state=0,
        )  # fmt: skip
        assert_allclose(missing.matrix, zero.matrix)


def test_scaled_tasks_have_gains_in_their_own_units() -> None:
    X, y, _ = planted([2, 2], n_labels=12)
    units = np.array([1.0, 10.0, 100.0, 0.1])
    model = TaskRelationRegressor(0.1, scale_tasks=True, task_column=-1, tol=1e-8)
    options = {"kind": "leave_one_out", "tune": False, "random_state": 0}
    one = task_affinity(model, X, y, **options).matrix
    other = task_affinity(model, X, y * units[X[:, -1].astype(int)], **options).matrix
    assert_allclose(other, one * units[:, None] ** 2, rtol=1e-3, atol=1e-8 * units.max() ** 2)


def test_a_task_with_one_label_has_no_gain_but_may_help() -> None:
    X, y, _ = planted([3], n_labels=12)
    kept = (X[:, -1] != 1) | (np.arange(len(X)) == 12)
    model = PooledTaskRegressor(task_column=-1)
    matrix = task_affinity(model, X[kept], y[kept], kind="leave_one_out", random_state=0).matrix
    assert np.isnan(matrix[1]).all()
    assert np.isfinite(matrix[[0, 2], 1]).all()


# --- result and errors ---


def test_result_is_labelled_by_task() -> None:
    X, Y, _ = planted_shared([2, 1])
    frame = pd.DataFrame(Y, columns=["a", "b", "c"])
    affinity = task_affinity(TaskRelationRegressor(), X, frame, random_state=0)
    assert affinity.to_frame().index.tolist() == affinity.to_frame().columns.tolist()
    assert affinity.to_frame().loc["a", "c"] == affinity.matrix[0, 2]
    assert_array_equal(affinity.n_labels, 40)
    assert affinity.alpha is not None and affinity.alpha != 1.0
    assert "TaskAffinity of 3 tasks" in repr(affinity)


def test_untuned_keeps_alpha() -> None:
    X, Y, _ = planted_shared([2, 1])
    model = TaskRelationRegressor(alpha=0.7)
    assert task_affinity(model, X, Y, tune=False).alpha == 0.7
    assert not hasattr(model, "coef_")


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (PooledTaskRegressor(), "kind='learned' needs"),
        (TaskRelationRegressorCV(), "Pass TaskRelationRegressor"),
        (make_pipeline(TaskRelationRegressor()), "kind='learned' needs"),
    ],
)
def test_unsuitable_estimators(estimator: Any, message: str) -> None:
    X, Y, _ = planted_shared([2, 1])
    with pytest.raises(TypeError, match=message):
        task_affinity(estimator, X, Y)


@pytest.mark.parametrize(
    ("within", "remedy"),
    [
        ("graph", "not SafeTransferRegressor. Pass one such as TaskRelationRegressor"),
        (TaskRelationRegressor(), "not SafeTransferRegressor. Pass the estimator within it"),
    ],
)
def test_remedies_for_mixtures(within: Any, remedy: str) -> None:
    X, Y, _ = planted_shared([2, 1])
    with pytest.raises(TypeError, match=remedy):
        task_affinity(SafeTransferRegressor(within), X, Y, kind="leave_one_out")


def test_unsuitable_data() -> None:
    X, Y, _ = planted_shared([2, 1])
    with pytest.raises(ValueError, match="needs 2 or more tasks, got 1"):
        task_affinity(TaskRelationRegressor(), X, Y[:, 0])
    with pytest.raises(TypeError, match="pipeline's last step"):
        task_affinity(make_pipeline(PooledTaskRegressor()), X, Y, kind="leave_one_out")
