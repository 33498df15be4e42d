"""The plot of selection frequencies draws what it states."""

import sys

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from skmtl import BlockSparseRegressor
from skmtl.inference import StabilitySelection, StabilitySelectionDisplay


def made(n_features=10, n_tasks=3, seed=0, together=True):
    """A result with two frequent features."""
    rng = np.random.default_rng(seed)
    frequencies = rng.integers(0, 40, size=n_features) / 100
    frequencies[[3, 5]] = [0.9, 0.8]
    tasks = np.tile(frequencies, (n_tasks, 1))
    if not together:
        tasks[1, 3] = 0.5
    return StabilitySelection(
        frequencies=frequencies,
        task_frequencies=tasks,
        support=frequencies >= 0.6,
        threshold=0.6,
        bounds={"none": 4.0, "unimodal": 2.0, "r-concave": 0.9},
        assumption="r-concave",
        n_selected=4.0,
        n_subsamples=50,
        select="path",
        features=np.array([f"gene{j}" for j in range(n_features)], dtype=object),
        tasks=np.arange(n_tasks),
        has_names=True,
        estimator_name="BlockSparseRegressor",
    )


@pytest.fixture(autouse=True)
def figures():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    yield plt
    plt.close("all")


def test_points_lines_and_labels():
    result = made()
    display = result.plot()
    assert isinstance(display, StabilitySelectionDisplay)
    x, heights = np.asarray(display.points_.get_offsets()).T
    assert (x == result.frequencies[display.features_]).all() and (np.diff(x) <= 0).all()
    assert heights.tolist() == list(range(10))
    assert display.threshold_line_.get_xdata()[0] == 0.6
    labels = [tick.get_text() for tick in display.ax_.get_yticklabels()]
    assert labels[:2] == ["gene3", "gene5"]
    assert "2 of 10 features selected" in display.ax_.get_title()
    colours = display.points_.get_facecolors()
    assert (colours[0] == colours[1]).all() and (colours[1] != colours[2]).any()
    assert "single tasks" not in texts(display)


def test_single_tasks():
    display = made(together=False).plot()
    assert "single tasks" in texts(display)
    (marks,) = [line for line in display.ax_.lines if line.get_marker() == "|"]
    assert sorted(marks.get_xdata()) == [0.5, 0.9, 0.9] and set(marks.get_ydata()) == {0}


def test_most_frequent_of_many():
    display = made(200).plot()
    assert len(display.features_) == 40
    assert "40 most frequent shown" in display.ax_.get_title()
    assert len(made(200).plot(max_features=None).features_) == 200
    assert len(made(200).plot(max_features=1).features_) == 2  # all selected ones


def test_given_axes_and_style(figures):
    _, ax = figures.subplots()
    display = StabilitySelectionDisplay.from_result(made(), ax=ax, color="red", s=5)
    assert display.ax_ is ax
    assert to_rgb(display.points_.get_facecolors()[0]) == (1, 0, 0)
    assert display.points_.get_sizes()[0] == 5


def test_dark_style(figures):
    with figures.style.context("dark_background"):
        display = made(together=False).plot()
        display.figure_.canvas.draw()
    for artist in (*display.ax_.findobj(figures.Text), *display.ax_.lines):
        assert max(to_rgb(artist.get_color())) > 0.25


def test_errors(monkeypatch):
    with pytest.raises(TypeError, match="takes the result of stability_selection, got dict"):
        StabilitySelectionDisplay.from_result({})
    with pytest.raises(ValueError, match="max_features must be at least 1"):
        made().plot(max_features=0)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match="from_estimator requires matplotlib"):
        StabilitySelectionDisplay.from_estimator(
            BlockSparseRegressor(), np.empty((0, 0)), np.empty((0, 0))
        )
    with pytest.raises(ImportError, match="plot requires matplotlib"):
        StabilitySelectionDisplay(result=made()).plot()


def texts(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]
