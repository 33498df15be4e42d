"""The picture of the coefficients of all features and tasks."""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from skmtl import BlockSparseRegressor
from skmtl.datasets import make_block_sparse
from skmtl.inspection import BlockSparsityDisplay
from skmtl.inspection._fitted import FittedTasks
from skmtl.model_selection import AlphaSearchCV
from skmtl.preprocessing import TaskTransformer


def labels(ax: Any, axis: str) -> list[str]:
    return [tick.get_text() for tick in getattr(ax, f"get_{axis}ticklabels")()]


@pytest.mark.parametrize("layout", ["shared", "stacked"])
def test_draws_the_coefficients_sorted_by_norm(figures: Any, layout: str) -> None:
    data = make_block_sparse(30, 8, 4, n_informative=3, layout=layout, random_state=0)
    model = BlockSparseRegressor(0.3, task_column=-1 if layout == "stacked" else None)
    model.fit(data.data, data.target)
    display = BlockSparsityDisplay.from_estimator(model)
    norms = np.linalg.norm(model.coef_, axis=0)
    assert_array_equal(display.features_, np.argsort(-norms, kind="stable"))
    drawn = display.im_.get_array()
    assert_allclose(drawn.filled(0.0), model.coef_[:, display.features_].T)
    assert_array_equal(drawn.mask, drawn.data == 0)  # zeros are blank
    assert_array_equal(display.support_, model.support_)
    n_used = model.support_.sum()
    assert 0 < n_used < 8 and f"{n_used} of 8 features used" in display.ax_.get_title()
    assert_allclose(display.support_line_.get_ydata(), n_used - 0.5)
    assert labels(display.ax_, "y") == [f"x{j}" for j in display.features_]
    assert labels(display.ax_, "x") == [str(task) for task in model.tasks_]
    colours = [tick.get_color() for tick in display.ax_.get_yticklabels()]
    assert len(set(colours[:n_used])) == 1 and set(colours[n_used:]).isdisjoint(colours[:n_used])
    low, high = display.im_.get_clim()
    assert low == -high


def test_many_features_are_limited_to_those_in_use(figures: Any) -> None:
    coef = np.zeros((139, 200))
    coef[:, 50:110] = np.random.default_rng(0).standard_normal((139, 60)) * np.arange(1, 61)
    display = BlockSparsityDisplay.from_result(coef)
    assert_array_equal(display.features_, np.argsort(-np.linalg.norm(coef, axis=0))[:40])
    assert display.ax_.get_title() == "60 of 200 features used, 40 largest shown"
    assert display.support_line_ is None
    assert len(labels(display.ax_, "x")) < 60
    assert len(display.plot(max_features=100).features_) == 60
    assert len(display.plot(max_features=None).features_) == 200
    assert len(BlockSparsityDisplay.from_result(0 * coef).features_) == 1


def test_given_axes_and_options(figures: Any) -> None:
    figure, axes = figures.subplots(1, 2)
    display = BlockSparsityDisplay.from_result(
        [[1.0, 0.0], [0.0, 0.0]], tasks="ab", features=["u", "v"], ax=axes[0], colorbar=False,
        cmap="PuOr", vmax=3,
    )  # fmt: skip
    assert display.ax_ is axes[0] and display.figure_ is figure and display.colorbar_ is None
    assert display.im_.get_cmap().name == "PuOr" and display.im_.get_clim()[1] == 3
    assert labels(axes[0], "y") == ["u", "v"]


def test_features_have_the_names_after_the_steps(figures: Any) -> None:
    pd = pytest.importorskip("pandas")
    data = make_block_sparse(30, 2, 3, n_informative=2, layout="stacked", random_state=0)
    frame = pd.DataFrame(data.data, columns=["a", "b", "task"])
    steps = [
        TaskTransformer(PolynomialFeatures(2, include_bias=False), task_column="task"),
        BlockSparseRegressor(0.1, task_column=-1),
    ]
    expected = ["a", "b", "a^2", "a b", "b^2"]
    pipe = make_pipeline(*steps).fit(frame, data.target)
    assert BlockSparsityDisplay.from_estimator(pipe).features == expected
    # A search within a pipeline, and a pipeline within a search.
    pipe = make_pipeline(steps[0], AlphaSearchCV(steps[1], alphas=3)).fit(frame, data.target)
    assert FittedTasks.read(pipe, "D").features == expected
    grid = GridSearchCV(make_pipeline(*steps), {"blocksparseregressor__alpha": [0.1]}, cv=2)
    shuffled = np.random.default_rng(0).permutation(len(frame))
    grid.fit(frame.iloc[shuffled], data.target[shuffled])
    fitted = FittedTasks.read(grid, "D")
    assert fitted.features == expected and fitted.name == "BlockSparseRegressor"
    plain = BlockSparseRegressor(0.1, task_column="task").fit(frame, data.target)
    assert FittedTasks.read(plain, "D").features == ["a", "b"]


def test_errors(figures: Any) -> None:
    with pytest.raises(NotFittedError):
        BlockSparsityDisplay.from_estimator(BlockSparseRegressor())
    scaler = StandardScaler().fit([[0.0], [1.0]])
    with pytest.raises(TypeError, match="needs a fitted estimator with coef_.*StandardScaler has"):
        BlockSparsityDisplay.from_estimator(scaler)
    with pytest.raises(TypeError, match="BlockSparsityDisplay needs .*; int has no coef_"):
        BlockSparsityDisplay.from_estimator(3)
    with pytest.raises(ValueError, match="max_features must be at least 1.*got 0"):
        BlockSparsityDisplay.from_result(np.eye(3), max_features=0)
    with pytest.raises(
        ValueError, match=r"shape \(n_tasks, n_features\), got \(3,\).*coef\[None\]"
    ):
        BlockSparsityDisplay.from_result(np.ones(3))
    with pytest.raises(ValueError, match="features has 1 names; pass one for each of the 3"):
        BlockSparsityDisplay.from_result(np.eye(3), features=["a"])
