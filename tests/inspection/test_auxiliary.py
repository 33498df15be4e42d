"""select_auxiliary_tasks: planted helpers, the stop, layouts, refits."""

from typing import Any

import numpy as np
import pytest
from affinity_problems import planted, planted_shared
from numpy.testing import assert_allclose

from skmtl import (
    ClusteredTaskRegressor,
    PooledTaskClassifier,
    PooledTaskRegressor,
    TaskRelationRegressor,
)
from skmtl.inspection import AuxiliaryTasks, select_auxiliary_tasks
from skmtl.inspection._auxiliary import choose_size

MEAN = ClusteredTaskRegressor(0.3, n_clusters=1, task_column=-1)


def rows_of(X: Any, sizes: Any) -> Any:
    """The first rows of each task, as many as stated."""
    starts = np.searchsorted(X[:, -1], np.arange(len(sizes)))
    return np.concatenate([np.arange(a, a + n) for a, n in zip(starts, sizes, strict=True)])


@pytest.mark.parametrize("tune", [False, True])
def test_a_planted_helper_is_found(tune: bool) -> None:
    X, y, group = planted([3, 1, 1, 1], n_labels=50, own=0.05, seed=1)
    kept = rows_of(X, [15, 50, 50, 50, 50, 50])
    found = select_auxiliary_tasks(MEAN, X[kept], y[kept], main=0, tune=tune, random_state=0)
    assert len(found.tasks) >= 1 and (group[found.tasks.astype(int)] == 0).all()
    assert found.gain > 0 and found.low < found.gain < found.high
    assert found.losses[len(found.tasks)] < found.losses[0]
    assert "Auxiliary tasks for 0: " in repr(found)


def test_without_a_helper_nothing_is_selected() -> None:
    X, y, _ = planted([1] * 4, n_labels=40, n_features=12, seed=2)
    found = select_auxiliary_tasks(MEAN, X, y, main=3, max_tasks=2, tune=False, random_state=0)
    assert len(found.tasks) == 0 and found.gain == found.relative_gain == 0.0
    frame = found.to_frame()
    assert frame.columns.tolist() == ["task", "loss", "selected"]
    assert frame["selected"].tolist() == [True] + [False] * len(found.path)


def test_shared_layout_with_missing_labels() -> None:
    X, Y, _ = planted_shared([2, 1, 1], n_samples=60, seed=3)
    Y[14:, 0] = np.nan
    model = ClusteredTaskRegressor(0.3, n_clusters=1)
    found = select_auxiliary_tasks(model, X, Y, main=0, tune=False, random_state=0)
    assert found.tasks.tolist()[:1] == [1] and found.gain > 0


def test_any_estimator_is_refitted() -> None:
    X, y, _ = planted([2, 1, 1], n_labels=40, own=0.05, seed=4)
    kept = rows_of(X, [12, 40, 40, 40])
    model = PooledTaskRegressor(0.1, task_column=-1)
    found = select_auxiliary_tasks(
        model, X[kept], y[kept], main=0, max_tasks=1, tune=False, random_state=0
    )
    assert found.tasks.tolist() == found.path.tolist() == [1]
    assert found.losses.shape == (2,)


@pytest.mark.slow
def test_classification_tasks() -> None:
    X, y, _ = planted([2, 1, 1], n_labels=80, own=0.05, seed=4)
    y = y - X[:, -1] > 0
    kept = rows_of(X, [20, 80, 80, 80])
    model = PooledTaskClassifier(0.01, task_column=-1)
    found = select_auxiliary_tasks(
        model, X[kept], y[kept], main=0, max_tasks=1, tune=False, random_state=0
    )
    assert found.path.tolist() == [1]


def test_closed_form_finds_the_same_task_as_refits(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y, _ = planted([2, 1], n_labels=20, seed=5)
    model = TaskRelationRegressor(0.1, task_column=-1)
    options: dict[str, Any] = {"main": 0, "max_tasks": 2, "tune": False, "random_state": 0}
    closed = select_auxiliary_tasks(model, X, y, **options)
    monkeypatch.setattr(
        "skmtl.inspection._task_problem.is_quadratic_given_covariance", lambda model: False
    )
    refitted = select_auxiliary_tasks(model, X, y, **options)
    assert_allclose(closed.losses[0], refitted.losses[0])  # the main task alone
    assert closed.path[0] == refitted.path[0] == 1


def test_the_fewest_tasks_within_one_error_are_selected() -> None:
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(30)
    flat = np.array([noise, noise + 0.01 * rng.standard_normal(30) - 0.0005])
    assert choose_size(flat) == 0
    assert choose_size(np.array([noise, noise - 1.0, noise - 1.0])) == 1


def test_relative_gain_and_interval() -> None:
    X, y, _ = planted([3, 1], n_labels=20)
    found = select_auxiliary_tasks(MEAN, X, y, main=0, tune=False, random_state=0)
    again = select_auxiliary_tasks(MEAN, X, y, main=0, tune=False, random_state=0)
    assert isinstance(found, AuxiliaryTasks)
    assert found.gain == again.gain and found.tasks.tolist() == again.tasks.tolist()
    assert_allclose(found.high - found.gain, found.gain - found.low)
    assert_allclose(found.high - found.gain, 2.776445 * found.se, rtol=1e-5)


def test_unsuitable_main_tasks() -> None:
    X, y, _ = planted([2, 1], n_labels=20)
    with pytest.raises(ValueError, match="main='x' is not one of the tasks"):
        select_auxiliary_tasks(MEAN, X, y, main="x")
    kept = rows_of(X, [9, 20, 20])
    with pytest.raises(ValueError, match="must have 10 or more labels, got 9"):
        select_auxiliary_tasks(MEAN, X[kept], y[kept], main=0)
