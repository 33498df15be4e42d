"""Colours and labels of the displays."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skmtl._plotting import (
    PALETTE,
    background,
    diverging,
    foreground,
    label_axis,
    legible,
    muted,
    split_axes,
    spread,
    symmetric_limit,
)


@pytest.fixture(params=["default", "dark_background"])
def ax(request: pytest.FixtureRequest) -> Iterator[Any]:
    pytest.importorskip("matplotlib").use("Agg")
    from matplotlib import pyplot as plt

    with plt.style.context(request.param):
        yield plt.subplots()[1]
    plt.close("all")


def relative_luminance(colour: Any) -> float:
    """That of WCAG 2, for its contrast ratio."""
    rgb = np.asarray(colour[:3])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one: Any, other: Any) -> float:
    low, high = sorted([relative_luminance(one), relative_luminance(other)])
    return (high + 0.05) / (low + 0.05)


def test_colours_contrast_with_the_background(ax: Any) -> None:
    behind = background(ax)
    assert contrast(foreground(ax), behind) == pytest.approx(21)
    # WCAG asks for a ratio of 3 between graphical objects and their background.
    for colour in PALETTE:
        assert contrast(legible(ax, colour), behind) > 3
    assert contrast(muted(ax, 0.45), behind) > 3


def test_diverging_map_has_the_background_at_zero(ax: Any) -> None:
    colours = diverging(ax)
    assert_allclose(colours(0.5)[:3], background(ax), atol=0.02)
    strength = [contrast(colours(value), background(ax)) for value in (0.5, 0.7, 0.9, 1.0)]
    assert strength == sorted(strength) and strength[-1] > 5
    # With a least share of colour, the smallest values differ from zero.
    tinted = diverging(ax, 0.35)
    for value in (0.497, 0.503):
        assert np.abs(np.subtract(tinted(value)[:3], background(ax))).max() > 0.15


def test_background_of_transparent_axes(ax: Any) -> None:
    behind = background(ax)
    ax.set_facecolor("none")
    assert background(ax) == behind
    ax.figure.set_facecolor("none")
    assert background(ax) == behind  # what contrasts with the text


def test_labels_are_thinned_until_they_fit(ax: Any) -> None:
    assert label_axis(ax, "y", ["a", "b", "c"]) == [0, 1, 2]
    names = [f"task {t}" for t in range(139)]
    for axis in ("x", "y"):
        places = label_axis(ax, axis, names)
        assert 10 < len(places) < 40
    ax.set(xlim=(0, 138), ylim=(0, 138))
    ax.figure.canvas.draw()
    labels = ax.get_yticklabels()
    assert [label.get_text() for label in labels] == names[:: places[1]]
    boxes = [label.get_window_extent() for label in labels]
    assert all(low.y1 <= high.y0 for low, high in zip(boxes, boxes[1:], strict=False))


def test_split_axes_keeps_the_given_ones(ax: Any) -> None:
    box = ax.get_position()
    above, below = split_axes(ax, [1.0, 3.0], 1)
    assert below is ax and above.get_shared_x_axes().joined(above, ax)
    assert below.get_position().y0 == pytest.approx(box.y0)
    assert above.get_position().y1 == pytest.approx(box.y1)
    free = ax.figure.add_axes([0.1, 0.2, 0.3, 0.4])
    first, second = split_axes(free, [1.0, 1.0], 0)
    assert first is free
    assert_allclose(second.get_position().bounds[:3], [0.1, 0.2, 0.3])


def test_symmetric_limit() -> None:
    assert symmetric_limit(np.array([np.nan, -2.0, 2.0])) == (2.0, "neither")
    limit, extend = symmetric_limit(np.append(np.ones(1000), -50.0))
    assert limit == 1.0 and extend == "both"
    assert symmetric_limit(np.append(np.zeros(1000), -3.0)) == (3.0, "neither")
    assert symmetric_limit(np.zeros(3)) == (1.0, "neither")


def test_spread() -> None:
    assert_allclose(spread(np.array([1.0, 5.0]), 2.0, 9.0), [1.0, 5.0])
    assert_allclose(spread(np.array([4.0, 4.0, 4.0]), 1.0, 9.0), [3.0, 4.0, 5.0])
    assert_allclose(spread(np.array([8.0, 9.0]), 2.0, 9.0), [7.0, 9.0])
