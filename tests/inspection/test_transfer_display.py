"""The plot of transfer gains."""

from typing import Any

import numpy as np
import pytest
from transfer_problems import ALONE, related

from skmtl import PooledTaskRegressor
from skmtl.inspection import TransferGain, TransferGainDisplay
from skmtl.inspection._transfer_result import compare


@pytest.mark.parametrize("relative", [False, True])
def test_display_names_few_tasks(figures: Any, result: TransferGain, relative: bool) -> None:
    display = TransferGainDisplay.from_result(result, relative=relative)
    assert display.figure_ is display.ax_.figure and display.baseline_ == "alone"
    unit = "% of the baseline's mean squared error" if relative else "mean squared error"
    assert display.ax_.get_xlabel().startswith(f"gain in {unit}\n")
    ticks = sorted(display.ax_.get_yticklabels(), key=lambda tick: tick.get_position()[1])
    labels = [tick.get_text() for tick in ticks]
    gain = result["alone"].relative_gain if relative else result["alone"].gain
    order = sorted(range(6), key=lambda t: gain[t])
    assert labels == [str(t) for t in [6, *order]]  # the task with too few labels is at the bottom
    texts = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert "too few labels (1)" in texts


def test_display_on_given_axes(figures: Any, result: TransferGain) -> None:
    figure, axes = figures.subplots(1, 2)
    display = result.plot(axes[1], baseline="alone")
    assert display.ax_ is axes[1] and display.figure_ is figure
    with pytest.raises(KeyError, match="No baseline"):
        result.plot(axes[0], baseline="pooled")


def test_display_from_estimator(figures: Any) -> None:
    X, y = related([15, 15])
    display = TransferGainDisplay.from_estimator(
        PooledTaskRegressor(0.1, task_column=-1), X, y, baselines=ALONE, tune=False, n_repeats=1
    )
    assert isinstance(display.result, TransferGain)


def test_display_of_many_tasks_names_the_hurt_without_overlap(figures: Any) -> None:
    rng = np.random.default_rng(0)
    gains = rng.standard_normal((25, 139)) + np.where(np.arange(139) < 30, -4.0, 0.0)
    counts = np.full((25, 139), 4), np.full((25, 139), 16), np.full(139, 20)
    part = compare("b", 5 - gains, np.full((25, 139), 5.0), *counts)
    result = TransferGain("E", "loss", np.arange(139), counts[2], 25, {"b": part})
    display = TransferGainDisplay.from_result(result)
    display.figure_.canvas.draw()
    texts = [text for text in display.ax_.texts if text.get_text().isdigit()]
    assert {int(text.get_text()) for text in texts} <= set(np.flatnonzero(part.verdict == "hurt"))
    assert len(texts) > 20
    extent = type(texts[0]).__mro__[1].get_window_extent  # position of the text without its line
    boxes = sorted((extent(text) for text in texts), key=lambda box: box.y0)
    for lower, upper in zip(boxes, boxes[1:], strict=False):
        assert lower.y1 <= upper.y0 + 1


def _drawn(gains: Any) -> TransferGain:
    n_tasks = gains.shape[1]
    counts = np.full((25, n_tasks), 4), np.full((25, n_tasks), 16), np.full(n_tasks, 20)
    part = compare("b", 50 - gains, np.full(gains.shape, 50.0), *counts)
    return TransferGain("E", "loss", np.arange(n_tasks), counts[2], 25, {"b": part})


def test_the_axis_shows_the_bulk_of_the_gains(figures: Any) -> None:
    rng = np.random.default_rng(0)
    gains = rng.standard_normal((25, 60))
    plain = TransferGainDisplay.from_result(_drawn(gains)).ax_.get_xlim()
    gains[:, 7] *= 1000
    gains[:, 8] += 1000
    left, right = TransferGainDisplay.from_result(_drawn(gains)).ax_.get_xlim()
    assert plain[0] < 0 < plain[1]
    assert -400 < left and right < 400


def test_raw_gains_are_optional_and_a_common_gain_is_named(figures: Any) -> None:
    gains = 1 + np.random.default_rng(0).standard_normal((25, 60))
    for raw in (True, False):
        display = TransferGainDisplay(result=_drawn(gains)).plot(raw=raw)
        texts = [text.get_text() for text in display.ax_.get_legend().get_texts()]
        assert ("from the task's own labels" in texts) == raw
        assert "helped" in texts or "unclear" in texts  # without a count
    assert "not distinguishable from one common gain" in display.ax_.get_title()
