"""The plot of a search over structures; matplotlib is imported only to draw it."""

import textwrap
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from skmtl._plotting import (
    BLUE,
    FAINT,
    FONT_SIZE,
    VERMILION,
    background,
    colour_on,
    draw_zero,
    legend_above,
    make_axes,
    muted,
    plain_axes,
    styled,
)
from skmtl.model_selection._structure_report import baseline_text
from skmtl.model_selection._structure_results import StructureResults, StructureScore

Array = NDArray[Any]

# Marker, colour (or the share of the background in a grey), and whether the marker is filled.
_STYLES: dict[str, tuple[str, str | float, bool]] = {
    "selected": ("D", VERMILION, True),
    "best": ("o", BLUE, True),
    "not distinguishable from the best": ("o", BLUE, False),
    "worse than the best": ("o", 0.35, False),
    "dropped on a part of the rows": ("x", FAINT, True),
    "baseline, not to be selected": ("s", FAINT, False),
}
_INCHES_PER_ROW, _INCHES_PER_LINE = 0.32, 0.18
# Letters in a line of the names and of the text below the axes, at which both fit into the figure.
_NAME_WIDTH, _TEXT_WIDTH = 20, 62
_NAME_LINES = 3
# Structures further away than this multiple of the spread of the others are drawn at the edge.
_FAR = 2.0


class StructureSearchDisplay:
    """Plot of each structure's gain over the better baseline, with its 95% interval.

    Structures are listed from the simplest to the most flexible. Use :meth:`from_estimator` or
    :meth:`from_results` to create one.

    Parameters
    ----------
    results : StructureResults

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    errorbars_ : dict of str to matplotlib ErrorbarContainer
        The gains and intervals of the structures with each entry of the legend.

    See Also
    --------
    skmtl.StructureSearchRegressorCV : The search for regression tasks.
    skmtl.StructureSearchClassifierCV : The search for classification tasks.

    Examples
    --------
    >>> from skmtl import StructureSearchRegressorCV
    >>> from skmtl.datasets import make_block_sparse
    >>> from skmtl.model_selection import StructureSearchDisplay
    >>> dataset = make_block_sparse(40, 12, 6, n_informative=3, random_state=0)
    >>> search = StructureSearchRegressorCV(["independent", "block_sparse"])
    >>> search = search.fit(dataset.data, dataset.target)
    >>> _ = StructureSearchDisplay.from_estimator(search)
    """

    def __init__(self, results: StructureResults) -> None:
        self.results = results

    @classmethod
    def from_estimator(cls, search: Any, *, ax: Any = None, **errorbar_options: Any) -> Self:
        """Draw the results of a fitted search.

        Parameters
        ----------
        search : StructureSearchRegressorCV or StructureSearchClassifierCV
            Or a pipeline that ends in one.
        ax, **errorbar_options : as in :meth:`plot`

        Returns
        -------
        StructureSearchDisplay

        Raises
        ------
        TypeError
            If it is no search over structures.
        NotFittedError
            If it is not fitted.
        """
        search = search[-1] if hasattr(search, "steps") else search
        if not hasattr(search, "results_"):
            if "structures" in getattr(search, "get_params", dict)():
                check_is_fitted(search)
            raise TypeError(
                f"StructureSearchDisplay needs a StructureSearchRegressorCV or "
                f"StructureSearchClassifierCV, got {type(search).__name__}. For the scores of one "
                f"estimator over a grid of alphas use skmtl.inspection.PathDisplay."
            )
        return cls.from_results(search.results_, ax=ax, **errorbar_options)

    @classmethod
    def from_results(
        cls, results: StructureResults, *, ax: Any = None, **errorbar_options: Any
    ) -> Self:
        """Draw results, the attribute ``results_`` of a fitted search.

        Parameters
        ----------
        results : StructureResults
        ax, **errorbar_options : as in :meth:`plot`

        Returns
        -------
        StructureSearchDisplay
        """
        if not isinstance(results, StructureResults):
            raise TypeError(
                f"from_results takes results_ of a fitted search, got {type(results).__name__}. "
                f"For the search itself use from_estimator."
            )
        return cls(results).plot(ax, **errorbar_options)

    def plot(self, ax: Any = None, **errorbar_options: Any) -> Self:
        """Draw the gains.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None: a new figure.
        **errorbar_options : passed to matplotlib's ``errorbar``

        Returns
        -------
        StructureSearchDisplay
        """
        rows = self.results.structures
        names = [_label(row.structure) for row in rows]
        n_lines = 1 + max(name.count("\n") for name in names)
        height = 1.6 + max(_INCHES_PER_ROW, _INCHES_PER_LINE * n_lines) * len(rows)
        self.ax_, self.figure_ = make_axes(self, ax, 7.5, height)
        gains = np.array([self._gain(row.structure) for row in rows])
        left, right = _limits(gains)
        styles = np.array([self._style(row) for row in rows])
        inside = (gains[:, 0] >= left) & (gains[:, 0] <= right)
        self.errorbars_ = {}
        for style in _STYLES:
            chosen = np.flatnonzero(inside & (styles == style))
            if len(chosen):
                drawn = self._draw_gains(
                    gains[chosen].T, chosen, style, (left, right), errorbar_options
                )
                self.errorbars_[style] = drawn
        for place in np.flatnonzero(~inside):
            self._mark_outside(gains[place, 0], int(place), left)
        self._draw_axes(names, left, right)
        return self

    def _gain(self, structure: str) -> tuple[float, float, float]:
        """The gain of a structure and its interval, in percent of the baseline's error."""
        gain = self.results.difference(structure)
        if self._in_percent:
            gain = self.results.relative(structure) / 0.01
        return gain.mean, gain.low, gain.high

    @property
    def _in_percent(self) -> bool:
        return bool(np.isfinite(self.results.relative(self.results.baseline).mean))

    def _style(self, row: StructureScore) -> str:
        if row.structure == self.results.selected:
            return "selected"
        if not row.is_complete:
            return "dropped on a part of the rows"
        if not row.eligible:
            return "baseline, not to be selected"
        if row.structure == self.results.best:
            return "best"
        tied = row.structure in self.results.ties
        return "not distinguishable from the best" if tied else "worse than the best"

    def _draw_gains(
        self,
        gains: Array,
        places: Array,
        style: str,
        limits: tuple[float, float],
        errorbar_options: dict[str, Any],
    ) -> Any:
        """Draw gains (3, n), with their intervals cut at the limits, at their places."""
        marker, shade, filled = _STYLES[style]
        colour = colour_on(self.ax_, shade)
        at, low, high = gains
        errors = np.abs(np.clip([low, high], *limits) - at)
        defaults = {
            "fmt": marker,
            "color": colour,
            "markerfacecolor": colour if filled else background(self.ax_),
            "markersize": 7.0 if style == "selected" else 6.0,
            "elinewidth": 1.4,
            "label": style,
        }
        return self.ax_.errorbar(
            at, places, xerr=np.nan_to_num(errors), **styled("Line2D", defaults, errorbar_options)
        )

    def _mark_outside(self, gain: float, place: int, left: float) -> None:
        """Draw an arrowhead at the left edge, with the gain of a structure beyond it."""
        colour = muted(self.ax_, 0.35)
        self.ax_.plot([left], [place], "<", color=colour, markersize=6.0)
        self.ax_.annotate(
            f"{gain:.0f}%" if self._in_percent else f"{gain:.2g}",
            (left, place),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            fontsize=FONT_SIZE,
            color=colour,
        )

    def _draw_axes(self, names: list[str], left: float, right: float) -> None:
        ax, results = self.ax_, self.results
        draw_zero(ax, "x")
        margin = 0.03 * (right - left)
        ax.set_xlim(left - margin, right + margin)
        ax.set_yticks(range(len(names)), names)
        ax.set_ylim(len(names) - 0.4, -0.6)
        against = baseline_text(results, results.baseline)
        what = f"{results.error} removed, % of that of {against}"
        if not self._in_percent:
            what = f"score minus that of {against}"
        what = textwrap.fill(what, _TEXT_WIDTH)
        ax.set_xlabel(f"{what}\n95% intervals;  ← worse  |  better →")
        plain_axes(ax, "x")
        of = "a single task" if results.single else "the tasks"
        title = f"Structures of {of}, {len(results.structures[0].scores)} folds"
        ax.set_title(title, fontsize="medium", pad=8.0 + legend_above(ax, 2))


def _label(structure: str) -> str:
    """The name of a structure in a few short lines."""
    name = structure.replace("_", " ")
    lines = textwrap.wrap(name, _NAME_WIDTH, max_lines=_NAME_LINES, placeholder=" …")
    return "\n".join(lines)


def _limits(gains: Array) -> tuple[float, float]:
    """Limits of the axis, which leave out structures far worse than most."""
    mean, low, high = gains.T
    ends = np.where(np.isnan(low), mean, low), np.where(np.isnan(high), mean, high)
    upper = max(float(np.nanmax(ends[1])), 0.0)
    middle = float(np.nanmedian(mean))
    spread = max(upper - middle, float(np.nanquantile(upper - mean, 0.5)), 1e-12)
    near = mean >= middle - _FAR * spread
    lower = min(float(np.nanmin(ends[0][near])), 0.0)
    return max(lower, middle - 2 * _FAR * spread), upper
