"""The heat map of task affinities."""

from typing import Any

import numpy as np
import pytest
from affinity_problems import planted
from numpy.testing import assert_allclose, assert_array_equal

from skmtl import TaskRelationRegressor
from skmtl.inspection import TaskAffinity, TaskAffinityDisplay
from skmtl.inspection._task_order import order_tasks


def affinity_of(group: Any, kind: str = "learned") -> TaskAffinity:
    rng = np.random.default_rng(0)
    noise = 0.1 * rng.standard_normal((len(group), len(group)))
    matrix = 0.8 * (group[:, None] == group) + (noise + noise.T) / 2
    np.fill_diagonal(matrix, 1.0 if kind == "learned" else np.nan)
    names, counts = np.array([f"t{t}" for t in range(len(group))]), np.full(len(group), 20)
    return TaskAffinity(matrix, names, counts, kind, "E", 1.0, "mean squared error")


@pytest.mark.parametrize("kind", ["learned", "leave_one_out"])
def test_few_tasks_are_named(figures: Any, kind: str) -> None:
    group = np.array([1, 0, 1, 0, 0])
    affinity = affinity_of(group, kind)
    display = affinity.plot(labels=group)
    assert_array_equal(group[display.order_], [0, 0, 0, 1, 1])
    names = [tick.get_text() for tick in display.ax_.get_yticklabels()]
    assert names == [f"t{t}" for t in display.order_]
    drawn = display.ax_.images[0].get_array()
    assert_allclose(np.asarray(drawn), affinity.matrix[np.ix_(display.order_, display.order_)])
    low, high = display.ax_.images[0].get_clim()
    assert low == -high and 0.7 < high < 1.1
    bar = display.figure_.axes[-1].get_ylabel()
    assert bar == ("learned correlation" if kind == "learned" else "gain in mean squared error")


def test_many_tasks_are_labelled_by_group_without_overlap(figures: Any) -> None:
    group = np.repeat(np.arange(5), [70, 40, 20, 7, 2])
    display = affinity_of(group).plot(labels=group)
    display.figure_.canvas.draw()
    ticks = display.ax_.get_yticklabels()
    assert [tick.get_text() for tick in ticks] == [
        "group 0 (70)", "group 1 (40)", "group 2 (20)", "group 3 (7)",
    ]  # fmt: skip
    boxes = sorted((tick.get_window_extent() for tick in ticks), key=lambda box: box.y0)
    for lower, upper in zip(boxes, boxes[1:], strict=False):
        assert lower.y1 <= upper.y0
    assert len(display.ax_.lines) == 8  # a horizontal and a vertical line between groups


def test_many_tasks_without_groups_have_no_labels(figures: Any) -> None:
    display = TaskAffinityDisplay.from_result(affinity_of(np.arange(60) // 20))
    assert not display.ax_.get_yticklabels() and not display.ax_.lines


def test_from_estimator_on_given_axes(figures: Any) -> None:
    X, y, group = planted([4, 3])
    model = TaskRelationRegressor(0.1, task_column=-1)
    figure, axes = figures.subplots(1, 2)
    options: dict[str, Any] = {"tune": False, "random_state": 0}
    display = TaskAffinityDisplay.from_estimator(model, X, y, ax=axes[0], n_groups=2, **options)
    assert display.ax_ is axes[0] and display.figure_ is figure
    assert_array_equal(display.labels, group)
    other = TaskAffinityDisplay.from_estimator(
        model, X, y, kind="leave_one_out", ax=axes[1], **options
    )
    assert other.labels is None and other.ax_.get_ylabel() == "task that gains"


def test_order_puts_unknown_groups_last() -> None:
    assert order_tasks(np.eye(3), np.array([-1, 1, 0])).tolist() == [2, 1, 0]


def test_unsuitable_results(figures: Any) -> None:
    with pytest.raises(TypeError, match="from_result takes the result of task_affinity"):
        TaskAffinityDisplay.from_result(np.eye(2))
    with pytest.raises(ValueError, match="labels has shape"):
        affinity_of(np.arange(3)).plot(labels=[0, 1])
