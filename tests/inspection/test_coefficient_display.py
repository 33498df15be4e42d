"""The plot of one feature's or one task's coefficients."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skmtl import BlockSparseRegressor, IndependentTaskRegressor
from skmtl.datasets import make_block_sparse
from skmtl.inference import TaskConformalRegressor
from skmtl.inspection import CoefficientDisplay, TaskRelationDisplay


def labels(ax: Any) -> list[str]:
    return [tick.get_text() for tick in ax.get_yticklabels()]


@pytest.mark.parametrize("layout", ["shared", "stacked"])
def test_one_feature_across_tasks(figures: Any, layout: str) -> None:
    data = make_block_sparse(30, 5, 7, n_informative=3, layout=layout, random_state=0)
    model = IndependentTaskRegressor(0.1, task_column=-1 if layout == "stacked" else None)
    model.fit(data.data, data.target)
    half = np.arange(35.0).reshape(7, 5) / 100
    intervals = model.coef_ - half, model.coef_ + half
    display = CoefficientDisplay.from_estimator(model, feature="x1", intervals=intervals)
    coef = model.coef_[:, 1]
    assert_array_equal(display.order_, np.argsort(coef))
    expected = np.column_stack([np.sort(coef), np.arange(7)])
    assert_allclose(display.points_.get_offsets(), expected)
    assert_allclose(display.mean_line_.get_xdata(), coef.mean())
    ends = np.array([segment[:, 0] for segment in display.intervals_.get_segments()])
    assert_allclose(ends, np.column_stack(intervals)[:, [1, 6]][display.order_])
    assert labels(display.ax_) == [str(model.tasks_[t]) for t in display.order_]
    assert display.ax_.get_xlabel() == "coefficient of x1"
    by_position = CoefficientDisplay.from_estimator(model, feature=-4)
    assert_allclose(by_position.points_.get_offsets(), expected)
    assert by_position.intervals_ is None


def test_drawing_again_shows_the_same(figures: Any) -> None:
    data = make_block_sparse(30, 8, 4, n_informative=3, random_state=0)
    model = BlockSparseRegressor(0.5).fit(data.data, data.target)
    display = CoefficientDisplay.from_estimator(model, feature=3)
    drawn = display.points_.get_offsets()
    _, ax = figures.subplots()
    assert_allclose(display.plot(ax).points_.get_offsets(), drawn)
    assert display.ax_ is ax
    with pytest.raises(ValueError, match="either feature"):
        CoefficientDisplay(coef=model.coef_).plot()


def test_one_task_by_feature(figures: Any) -> None:
    data = make_block_sparse(30, 8, 4, n_informative=3, random_state=0)
    model = BlockSparseRegressor(0.5).fit(data.data, data.target)
    display = CoefficientDisplay.from_estimator(model, task=2)
    coef = model.coef_[2]
    assert_allclose(display.points_.get_offsets()[:, 0], np.sort(coef))
    assert display.mean_line_ is None
    n_used = np.count_nonzero(coef)
    assert 0 < n_used < 8 and f"{n_used} of 8 features used" in display.ax_.get_title()
    filled = (display.points_.get_facecolor() != display.points_.get_edgecolor()).any(axis=1)
    assert_array_equal(filled, np.sort(coef) == 0)  # zeros are hollow
    few = CoefficientDisplay.from_estimator(model, task="2", max_features=2)
    largest = coef[np.argsort(-np.abs(coef))[:2]]
    assert_allclose(few.points_.get_offsets()[:, 0], np.sort(largest))
    assert "2 largest shown" in few.ax_.get_title()


def test_features_of_conformal_predictors_have_their_names(figures: Any) -> None:
    data = make_block_sparse(30, 3, 4, n_informative=3, layout="stacked", random_state=0)
    X = pd.DataFrame(data.data, columns=["a", "b", "c", "school"])
    within = BlockSparseRegressor(0.1, task_column="school")
    model = TaskConformalRegressor(within, random_state=0).fit(X, data.target)
    display = CoefficientDisplay.from_estimator(model, task=0)
    assert sorted(labels(display.ax_)) == ["a", "b", "c"]


def test_one_task_is_singular(figures: Any) -> None:
    data = make_block_sparse(30, 3, 1, n_informative=3, random_state=0)
    model = IndependentTaskRegressor(0.1).fit(data.data, data.target)
    display = CoefficientDisplay.from_estimator(model, feature=0)
    assert display.ax_.get_title() == "IndependentTaskRegressor, 1 task"
    relation = TaskRelationDisplay(correlation=np.eye(1), tasks=[0], estimator_name="Fit").plot()
    assert relation.ax_.get_title() == "Fit, 1 task"


def test_given_axes_and_many_tasks(figures: Any) -> None:
    coef = np.random.default_rng(0).standard_normal((139, 2))
    figure, axes = figures.subplots(1, 2)
    display = CoefficientDisplay.from_result(coef, feature=0, ax=axes[1], marker="s")
    assert display.ax_ is axes[1] and display.figure_ is figure
    assert 10 < len(labels(axes[1])) < 60
    assert display.plot(axes[0], feature=1, color="red") is display and display.ax_ is axes[0]
    assert_array_equal(display.points_.get_facecolor(), [[1, 0, 0, 1]])


def test_errors(figures: Any) -> None:
    coef = np.ones((2, 3))
    for wrong in ({}, {"feature": 0, "task": 0}):
        with pytest.raises(ValueError, match="Pass either feature.* or task"):
            CoefficientDisplay.from_result(coef, **wrong)
    with pytest.raises(ValueError, match="no feature 'age'. Pass one of x0, x1, x2"):
        CoefficientDisplay.from_result(coef, feature="age")
    for wrong_position in (3, 0.5, True):
        with pytest.raises(ValueError, match="a position from 0 to 2; got"):
            CoefficientDisplay.from_result(coef, feature=wrong_position)
    with pytest.raises(ValueError, match="no task 'c'. Pass one of a, b"):
        CoefficientDisplay.from_result(coef, tasks="ab", task="c")
    with pytest.raises(ValueError, match=r"a pair \(low, high\) .*\(2, 3\); got 1 of"):
        CoefficientDisplay.from_result(coef, feature=0, intervals=[coef])
    with pytest.raises(TypeError, match="CoefficientDisplay needs a fitted estimator with coef_"):
        CoefficientDisplay.from_estimator("model", feature=0)
