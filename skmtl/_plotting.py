"""Colours, axes and labels of the displays; matplotlib is imported only to draw."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import isotonic_regression
from sklearn.utils._optional_dependencies import check_matplotlib_support

Array = NDArray[Any]
Colour = tuple[float, float, float]

# From Okabe and Ito's colour-blind safe palette.
BLUE, VERMILION, GREEN = "#0072B2", "#D55E00", "#009E73"
PALETTE = (BLUE, VERMILION, GREEN, "#CC79A7", "#E69F00", "#56B4E9")
# Shares of the background in two greys, for :func:`muted`.
GREY, FAINT = 0.45, 0.69
# The share of the colour of the text that makes a colour legible.
_CONTRAST = 0.3
FONT_SIZE = 8.0
# Up to this many tasks or features are labelled by name in a new figure.
MAX_LABELLED = 40
_POINTS_PER_LABEL = 1.25 * FONT_SIZE
_INCHES_PER_LETTER = 0.6 * FONT_SIZE / 72
# Layouts leave about this share of the size of the axes before the first draw.
_AFTER_LAYOUT = 0.85
# Colours cover this quantile of the absolute values.
_QUANTILE = 0.99


def require_matplotlib(display: type, method: str) -> None:
    """Raise an ImportError before anything is computed if matplotlib is not installed."""
    check_matplotlib_support(f"{display.__name__}.{method}")


def make_axes(display: Any, ax: Any, width: float, height: float) -> tuple[Any, Any]:
    """The given axes, or those of a new figure of this size, and their figure.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    require_matplotlib(type(display), "plot")
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(figsize=(width, height), layout="constrained")
    return ax, ax.figure


def split_axes(ax: Any, heights: Sequence[float], keep: int) -> list[Any]:
    """Panels one below the other in the place of some axes, which become one of them.

    Parameters
    ----------
    ax : matplotlib Axes
    heights : sequence of float
        Relative heights of the panels, from the top.
    keep : int
        The panel that ``ax`` becomes; the others share its x axis.
    """
    place, figure, n = ax.get_subplotspec(), ax.figure, len(heights)
    if place is None:
        box = ax.get_position()
        ends = {"left": box.x0, "right": box.x1, "bottom": box.y0, "top": box.y1}
        grid = figure.add_gridspec(n, 1, height_ratios=heights, **ends)
    else:
        grid = place.subgridspec(n, 1, height_ratios=heights)
    ax.set_subplotspec(grid[keep])
    return [ax if k == keep else figure.add_subplot(grid[k], sharex=ax) for k in range(n)]


def foreground(ax: Any) -> Colour:
    """The colour of the text of the axes."""
    return _to_rgb(ax.xaxis.label.get_color())


def background(ax: Any) -> Colour:
    """The colour behind the data, also if the axes are transparent."""
    from matplotlib.colors import to_rgba

    for colour in (ax.get_facecolor(), ax.figure.get_facecolor()):
        if to_rgba(colour)[3] > 0:
            return _to_rgb(colour)
    return (0.0, 0.0, 0.0) if _luminance(foreground(ax)) > 0.5 else (1.0, 1.0, 1.0)


def muted(ax: Any, share: float) -> Colour:
    """A mixture of the colours of text and background, with this share of the background."""
    return _mix(foreground(ax), background(ax), share)


def colour_on(ax: Any, colour: str | float) -> Colour:
    """A legible colour, or the grey with this share of the background."""
    return legible(ax, colour) if isinstance(colour, str) else muted(ax, colour)


def legible(ax: Any, colour: str) -> Colour:
    """A colour, lighter on a dark background, and darker on a light one if it is light."""
    strong, on_dark = _to_rgb(colour), _luminance(background(ax)) < 0.5
    share = _CONTRAST if on_dark or _luminance(strong) > 0.55 else 0.0
    return _mix(strong, foreground(ax), share)


def diverging(ax: Any, least: float = 0.0) -> Any:
    """A colour map from blue over the background at 0 to vermilion.

    Colour-blind safe, and on a light background the ends are darker than on a dark one.

    Parameters
    ----------
    ax : matplotlib Axes
    least : float, default=0.0
        The share of colour in the smallest values, so that they differ from the background.
    """
    from matplotlib.colors import LinearSegmentedColormap

    behind = background(ax)
    is_dark = _luminance(behind) < 0.5
    sides = []
    for colour in (BLUE, VERMILION):
        strong = _to_rgb(colour)
        end = _mix(strong, (1.0, 1.0, 1.0), 0.55) if is_dark else _mix(strong, (0.0,) * 3, 0.45)
        first = _mix(behind, strong, least)
        sides.append([(0.0, first), (0.6, strong), (1.0, end)])
    below = [(0.5 - place / 2, colour) for place, colour in reversed(sides[0])]
    above = [(0.5 + place / 2, colour) for place, colour in sides[1]]
    return LinearSegmentedColormap.from_list("skmtl_diverging", below + above, N=512)


def symmetric_limit(values: Array) -> tuple[float, str]:
    """The limit of a colour scale symmetric about 0, and the ends of it that values exceed.

    The limit is a high quantile of the absolute values; NaN is ignored.

    Returns
    -------
    limit : float
        Positive.
    extend : {"neither", "both"}
        As in matplotlib's colour bars.
    """
    sizes = np.abs(values[~np.isnan(values)])
    limit = float(np.quantile(sizes, _QUANTILE)) if len(sizes) else 0.0
    limit = limit or float(sizes.max(initial=0.0)) or 1.0
    return limit, "both" if (sizes > limit).any() else "neither"


def draw_image(
    ax: Any, values: Array, limit: float, options: dict[str, Any], least: float = 0.0
) -> Any:
    """A matrix as an image, by default in :func:`diverging` colours between two limits."""
    defaults = {"cmap": diverging(ax, least), "interpolation": "nearest"}
    if "norm" not in options:
        defaults |= {"vmin": -limit, "vmax": limit}
    return ax.imshow(values, **(defaults | options))


def styled(kind: str, defaults: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """The defaults of a style, replaced by the options, under whichever name these are given.

    Parameters
    ----------
    kind : {"Line2D", "PathCollection"}
        The class of matplotlib that is drawn.
    defaults, options : dict
    """
    from matplotlib import collections, lines
    from matplotlib.cbook import normalize_kwargs

    options = normalize_kwargs(options, {**vars(lines), **vars(collections)}[kind])
    if kind == "PathCollection" and {"c", "color"} & options.keys():
        defaults = {key: value for key, value in defaults.items() if not key.endswith("color")}
    return defaults | options


def add_colorbar(ax: Any, image: Any, label: str, extend: str, shrink: float) -> Any:
    """A colour bar beside the axes, or a list of them."""
    bar = image.figure.colorbar(image, ax=ax, shrink=shrink, extend=extend, label=label)
    bar.ax.tick_params(labelsize=FONT_SIZE)
    return bar


def draw_zero(ax: Any, axis: str) -> Any:
    """A line at 0, vertical for the x axis."""
    draw = ax.axvline if axis == "x" else ax.axhline
    return draw(0.0, color=foreground(ax), linewidth=1.0, zorder=1)


def plain_axes(ax: Any, grid: str) -> None:
    """Remove the upper and right spines, and draw a faint grid behind the data."""
    ax.grid(axis=grid, color=muted(ax, 0.9), linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def legend_above(ax: Any, n_columns: int, **options: Any) -> float:
    """A legend above the axes, where it covers no data; returns its height in points."""
    legend = ax.legend(
        fontsize=FONT_SIZE,
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        ncols=n_columns,
        frameon=False,
        **options,
    )
    return 14.0 * -(-len(legend.get_texts()) // n_columns)


def label_axis(ax: Any, axis: str, names: Sequence[str]) -> list[int]:
    """Label the places 0, 1, ... of an axis, every k-th if not all labels fit.

    Returns
    -------
    list of int
        The labelled places.
    """
    extent = ax.get_window_extent()
    pixels = extent.width if axis == "x" else extent.height
    points = _AFTER_LAYOUT * pixels * 72 / ax.figure.dpi
    step = max(1, int(np.ceil(len(names) * _POINTS_PER_LABEL / points)))
    places = list(range(0, len(names), step))
    shown = [names[place] for place in places]
    if axis == "y":
        ax.set_yticks(places, shown, fontsize=FONT_SIZE)
    else:
        ax.set_xticks(places, shown, fontsize=FONT_SIZE, rotation=rotation(shown))
    return places


def label_sizes(below: Sequence[str], beside: Sequence[str]) -> tuple[float, float]:
    """The height of labels below axes, and the width of labels beside them, in inches, about."""
    longest = [_INCHES_PER_LETTER * max(map(len, names), default=0) for names in (below, beside)]
    return longest[0] if rotation(below) else _INCHES_PER_LETTER, longest[1]


def rotation(names: Sequence[str]) -> int:
    """Long names below an axis are vertical."""
    return 90 if max(map(len, names), default=0) > 2 else 0


def spread(places: Array, gap: float, top: float) -> Array:
    """Move ascending positions in [0, top] at least ``gap`` apart, by least squares."""
    steps = gap * np.arange(len(places))
    highest = max(0.0, top - steps.max(initial=0.0))
    apart = isotonic_regression(places - steps, y_min=0.0, y_max=highest) + steps
    return np.asarray(apart)


def _to_rgb(colour: Any) -> Colour:
    from matplotlib.colors import to_rgb

    red, green, blue = to_rgb(colour)
    return red, green, blue


def _mix(one: Any, other: Any, share: float) -> Colour:
    red, green, blue = (1 - share) * np.asarray(one) + share * np.asarray(other)
    return float(red), float(green), float(blue)


def _luminance(colour: Colour) -> float:
    return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]
