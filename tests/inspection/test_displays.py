"""What all displays have in common."""

import sys
from typing import Any

import numpy as np
import pytest

from skmtl import BlockSparseRegressor, TaskRelationRegressor
from skmtl.inspection import (
    BlockSparsityDisplay,
    CoefficientDisplay,
    ConvergenceDisplay,
    PathDisplay,
    TaskAffinityDisplay,
    TaskRelationDisplay,
    TransferGain,
    TransferGainDisplay,
)

GIVEN: dict[type, dict[str, Any]] = {
    TaskRelationDisplay: {"correlation": np.eye(7)},
    BlockSparsityDisplay: {"coef": np.eye(7)},
    CoefficientDisplay: {"coef": np.eye(7)},
    ConvergenceDisplay: {
        "iterations": [0, 9],
        "objectives": [2.0, 1.0],
        "gaps": [1.0, 0.1],
        "seconds": [0.1, 0.2],
        "tolerance": 0.2,
        "name": "a fit",
    },
    PathDisplay: {"alphas": [1.0, 0.1], "coefs": np.ones((7, 3, 2)), "mse_path": np.eye(2)},
}
OPTIONS: dict[type, dict[str, Any]] = {CoefficientDisplay: {"feature": 0}}
each_display = pytest.mark.parametrize("display", GIVEN, ids=lambda display: display.__name__)


@each_display
def test_constructors_store_what_is_given(display: type) -> None:
    made = display(**GIVEN[display])
    assert all(vars(made)[name] is value for name, value in GIVEN[display].items())
    assert not hasattr(made, "ax_")


@each_display
def test_import_error_where_matplotlib_is_missing(
    display: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=f"{display.__name__}.plot requires matplotlib"):
        display(**GIVEN[display]).plot(**OPTIONS.get(display, {}))


def test_import_error_before_anything_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    X, y = np.empty((0, 0)), np.empty((0, 0))  # which no fit accepts
    with pytest.raises(ImportError, match="TaskAffinityDisplay.from_estimator requires"):
        TaskAffinityDisplay.from_estimator(TaskRelationRegressor(), X, y)
    with pytest.raises(ImportError, match="TransferGainDisplay.from_estimator requires"):
        TransferGainDisplay.from_estimator(BlockSparseRegressor(), X, y)
    with pytest.raises(ImportError, match="PathDisplay.from_estimator requires"):
        PathDisplay.from_estimator(BlockSparseRegressor(), X, y)


@each_display
def test_texts_and_lines_follow_a_dark_style(figures: Any, display: type) -> None:
    from matplotlib.colors import to_rgb

    with figures.style.context("dark_background"):
        drawn = display(**GIVEN[display]).plot(**OPTIONS.get(display, {}))
        drawn.figure_.canvas.draw()
    texts = [text for axes in drawn.figure_.axes for text in axes.findobj(figures.Text)]
    lines = [line for axes in drawn.figure_.axes for line in axes.lines]
    for artist in (*texts, *lines):
        assert max(to_rgb(artist.get_color())) > 0.25


def test_open_markers_have_the_colour_of_the_background(figures: Any, result: TransferGain) -> None:
    with figures.style.context("dark_background"):
        display = TransferGainDisplay.from_result(result)
    for verdict, container in display.errorbars_.items():
        colour = container.lines[0].get_markerfacecolor()
        if verdict == "unclear":
            assert colour == (0.0, 0.0, 0.0)
        else:
            assert max(colour) > 0.25
