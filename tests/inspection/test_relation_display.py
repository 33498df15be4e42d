"""The heat map of a learned correlation."""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.cluster.hierarchy import fcluster
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmtl import BlockSparseRegressor, ClusteredTaskRegressor, TaskRelationRegressor
from skmtl.datasets import make_clustered_tasks
from skmtl.inspection import TaskRelationDisplay
from skmtl.inspection._task_order import task_tree


def clustered(layout: str = "shared") -> Any:
    return make_clustered_tasks(30, 4, 7, n_clusters=2, layout=layout, random_state=0)


def planted(sizes: list[int]) -> tuple[Any, Any]:
    """The correlation of shuffled groups of tasks, and the groups."""
    rng = np.random.default_rng(0)
    group = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    W = rng.standard_normal((40, len(sizes)))[:, group] + 0.4 * rng.standard_normal(
        (40, len(group))
    )
    return np.corrcoef(W.T), group


@pytest.mark.parametrize("layout", ["shared", "stacked"])
def test_draws_the_correlation_of_the_estimator(figures: Any, layout: str) -> None:
    data, column = clustered(layout), -1 if layout == "stacked" else None
    model = TaskRelationRegressor(0.1, task_column=column).fit(data.data, data.target)
    display = TaskRelationDisplay.from_estimator(model)
    order = display.order_
    assert_allclose(display.im_.get_array(), model.task_correlation_[np.ix_(order, order)])
    assert sorted(order) == list(range(7)) and display.im_.get_clim() == (-1.0, 1.0)
    for ticks in (display.ax_.get_xticklabels(), display.ax_.get_yticklabels()):
        assert [tick.get_text() for tick in ticks] == [str(model.tasks_[t]) for t in order]
    assert "TaskRelationRegressor, 7 tasks" in display.ax_.get_title()
    assert display.figure_ is display.ax_.figure and display.dendrogram_ax_ is None


def test_groups_of_many_tasks_are_contiguous(figures: Any) -> None:
    correlation, group = planted([70, 40, 20, 9])
    display = TaskRelationDisplay.from_result(correlation, dendrogram=True)
    assert np.count_nonzero(np.diff(group[display.order_])) == 3
    tree = display.dendrogram_ax_
    assert tree.get_xlim() == display.ax_.get_xlim() and len(tree.lines) == 138
    # The tree has the heights of scipy's, and its leaves are where the heat map has the tasks.
    linked = task_tree(correlation)
    assert_allclose(sorted(line.get_ydata().max() for line in tree.lines), np.sort(linked[:, 2]))
    leaves = [x for line in tree.lines for x, y in line.get_xydata() if y == 0]
    assert_allclose(np.unique(leaves), np.arange(139))
    assert len(np.unique(fcluster(linked, 4, "maxclust"))) == 4
    assert len(display.ax_.get_yticklabels()) < 60


def test_given_axes_order_and_options(figures: Any) -> None:
    correlation, _ = planted([4, 3])
    names = list("abcdefg")
    figure, axes = figures.subplots(1, 2)
    display = TaskRelationDisplay.from_result(
        correlation, tasks=names, ax=axes[1], order=None, colorbar=False, cmap="PuOr", vmin=-0.5
    )
    assert display.ax_ is axes[1] and display.figure_ is figure and display.colorbar_ is None
    assert_array_equal(display.order_, range(7))
    assert display.im_.get_cmap().name == "PuOr" and display.im_.get_clim() == (-0.5, 1.0)
    again = TaskRelationDisplay(correlation=correlation, tasks=names)
    assert again.plot(axes[0], dendrogram=True) is again and again.ax_ is axes[0]


def test_tasks_without_a_correlation_come_last(figures: Any) -> None:
    correlation, _ = planted([4, 3])
    correlation[2] = correlation[:, 2] = np.nan
    correlation[2, 2] = 1.0
    display = TaskRelationDisplay.from_result(correlation, dendrogram=True)
    assert display.order_[-1] == 2
    assert np.isnan(np.ma.filled(display.im_.get_array(), np.nan)[-1, :-1]).all()
    one = TaskRelationDisplay.from_result([[1.0]], dendrogram=True)
    assert_array_equal(one.order_, [0])


def test_pipelines_and_errors(figures: Any) -> None:
    data = clustered()
    pipe = make_pipeline(StandardScaler(), ClusteredTaskRegressor(0.1, n_clusters=2))
    with pytest.raises(NotFittedError):
        TaskRelationDisplay.from_estimator(pipe)
    pipe.fit(data.data, data.target)
    display = TaskRelationDisplay.from_estimator(pipe)
    assert_allclose(display.correlation, pipe[-1].task_correlation_)
    for wrong in (BlockSparseRegressor(), StandardScaler(), 3):
        with pytest.raises(TypeError, match="needs an estimator with task_correlation_.*Use Task"):
            TaskRelationDisplay.from_estimator(wrong)
    with pytest.raises(ValueError, match=r"symmetric matrix.*shape \(2, 3\)"):
        TaskRelationDisplay.from_result(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="symmetric matrix.*TaskAffinityDisplay"):
        TaskRelationDisplay.from_result([[1, 0.5], [0, 1]])
    with pytest.raises(ValueError, match="order must be 'clusters' or None.*got order='name'"):
        display.plot(order="name")
    with pytest.raises(ValueError, match="tasks has 2 names; pass one for each of the 1"):
        TaskRelationDisplay.from_result([[1.0]], tasks="ab")
