"""The plot of transfer gains; matplotlib is imported only to draw it."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from skmtl._plotting import (
    BLUE,
    FAINT,
    FONT_SIZE,
    GREEN,
    MAX_LABELLED,
    VERMILION,
    background,
    colour_on,
    draw_zero,
    legend_above,
    legible,
    make_axes,
    muted,
    plain_axes,
    require_matplotlib,
    spread,
    styled,
)
from skmtl.inspection._transfer import transfer_gain
from skmtl.inspection._transfer_result import LEVEL, BaselineGain, TransferGain

Array = NDArray[Any]

# Marker, colour (or the share of the background in a grey), and whether the marker is filled.
_STYLES: dict[str, tuple[str, str | float, bool]] = {
    "helped": ("o", BLUE, True),
    "unclear": ("o", 0.35, False),
    "hurt": ("v", VERMILION, True),
    "too few labels": ("x", FAINT, True),
}
_RAW = 0.78
_INCHES_PER_LABEL, _INCHES_PER_POINT = 0.22, 0.045
_LEGEND_COLUMNS = 3


class TransferGainDisplay:
    """Plot of all tasks' gains over one baseline, sorted, with their intervals.

    The gains are those of the hierarchical model, shrunk towards each other, with 95% intervals;
    the gains from each task's own labels are drawn faintly behind. The axis shows the bulk of the
    gains, and arrowheads at its ends mark what lies beyond.

    Use :meth:`from_estimator` or :meth:`from_result` to create one.

    Parameters
    ----------
    result : TransferGain

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    errorbars_ : dict of str to matplotlib ErrorbarContainer
        The gains and intervals of the tasks with each verdict.
    baseline_ : str
        The baseline drawn.

    See Also
    --------
    transfer_gain : Computes the gains.

    Examples
    --------
    >>> from skmtl import BlockSparseRegressor
    >>> from skmtl.datasets import make_block_sparse
    >>> from skmtl.inspection import TransferGainDisplay
    >>> dataset = make_block_sparse(30, 10, 3, n_informative=2, random_state=0)
    >>> display = TransferGainDisplay.from_estimator(
    ...     BlockSparseRegressor(alpha=0.1), dataset.data, dataset.target,
    ...     baselines="pooled", tune=False, n_repeats=1, random_state=0,
    ... )
    >>> display.baseline_
    'pooled'
    """

    def __init__(self, *, result: TransferGain) -> None:
        self.result = result

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        baseline: str | None = None,
        relative: bool = False,
        ax: Any = None,
        **options: Any,
    ) -> Self:
        """Run :func:`transfer_gain` and draw the result.

        Parameters
        ----------
        estimator, X, y : as in :func:`transfer_gain`
        baseline, relative, ax : as in :meth:`plot`
        **options : passed to :func:`transfer_gain`

        Returns
        -------
        TransferGainDisplay
        """
        require_matplotlib(cls, "from_estimator")
        result = transfer_gain(estimator, X, y, **options)
        return cls.from_result(result, baseline=baseline, relative=relative, ax=ax)

    @classmethod
    def from_result(
        cls,
        result: TransferGain,
        *,
        baseline: str | None = None,
        relative: bool = False,
        raw: bool = True,
        ax: Any = None,
        **errorbar_options: Any,
    ) -> Self:
        """Draw a result.

        Parameters
        ----------
        result : TransferGain
        baseline, relative, raw, ax, **errorbar_options : as in :meth:`plot`

        Returns
        -------
        TransferGainDisplay
        """
        if not isinstance(result, TransferGain):
            raise TypeError(
                f"from_result takes the result of transfer_gain, got {type(result).__name__}. Use "
                f"from_estimator(estimator, X, y) to compute and draw gains."
            )
        options: dict[str, Any] = {"baseline": baseline, "relative": relative, "raw": raw}
        return cls(result=result).plot(ax, **options, **errorbar_options)

    def plot(
        self,
        ax: Any = None,
        *,
        baseline: str | None = None,
        relative: bool = False,
        raw: bool = True,
        **errorbar_options: Any,
    ) -> Self:
        """Draw the gains, the largest on top.

        Up to 40 tasks are labelled on the axis. Among more tasks only those that were hurt are
        labelled, the worst first, as many as fit.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None: a new figure, whose height depends on the number of tasks.
        baseline : str, default=None
            The name of the baseline. None: the first.
        relative : bool, default=False
            Whether to draw each task's gain in percent of the baseline's loss, not in its units.
        raw : bool, default=True
            Whether to draw the gains from each task's own labels too.
        **errorbar_options : passed to matplotlib's ``errorbar``

        Returns
        -------
        self

        Raises
        ------
        KeyError
            If the result has no such baseline.
        ImportError
            If matplotlib is not installed.
        """
        self.baseline_ = baseline or next(iter(self.result.baselines))
        part = self.result[self.baseline_]
        n = len(part.gain)
        per_task = _INCHES_PER_LABEL if n <= MAX_LABELLED else _INCHES_PER_POINT
        self.ax_, self.figure_ = make_axes(self, ax, 6.4, 1.5 + max(1.5, per_task * n))

        scale = np.where(part.loss_baseline > 0, part.loss_baseline, np.nan) / 100
        gains = _PlotData(part, scale if relative else np.ones(len(part.gain)))
        rank = gains.ranks()
        if raw:
            self._draw_raw(gains, rank)
        self._draw_tasks(gains, rank, errorbar_options)
        self._draw_overall(part, relative)
        self._draw_axes(gains, rank, relative)
        self._label_tasks(gains, rank)
        return self

    @property
    def _has_common_gain(self) -> bool:
        """Whether the gains of the tasks are not distinguishable from one common gain."""
        return self.result[self.baseline_].model.p_common > LEVEL

    def _draw_tasks(
        self, gains: "_PlotData", rank: Array, errorbar_options: dict[str, Any]
    ) -> None:
        self.errorbars_: dict[str, Any] = {}
        many = len(rank) > MAX_LABELLED
        size, width = (3.5, 0.7) if many else (6.0, 1.3)
        for verdict, (marker, style, filled) in _STYLES.items():
            colour = colour_on(self.ax_, style)
            selected = (gains.verdict == verdict) & ~np.isnan(gains.gain)
            if not selected.any():
                continue
            at, errors = gains.gain[selected], None
            if verdict != "too few labels":
                errors = [at - gains.low[selected], gains.high[selected] - at]
            self._mark_outside(gains.gain[selected], rank[selected], gains.limits(), colour, size)
            defaults = {
                "fmt": marker,
                "color": colour,
                "markerfacecolor": colour if filled else background(self.ax_),
                "markersize": size + (1.5 if verdict == "hurt" else 0.0),
                "elinewidth": width,
                "label": self._legend(verdict, gains.verdict),
                "zorder": 4 if verdict == "hurt" else 3,
            }
            self.errorbars_[verdict] = self.ax_.errorbar(
                at, rank[selected], xerr=errors, **styled("Line2D", defaults, errorbar_options)
            )

    def _legend(self, verdict: str, verdicts: Array) -> str:
        """A verdict and its number of tasks, unless it expresses one gain of all of them."""
        if self._has_common_gain and verdict != "too few labels":
            return verdict
        return f"{verdict} ({np.count_nonzero(verdicts == verdict)})"

    def _draw_raw(self, gains: "_PlotData", rank: Array) -> None:
        """Draw the gains from each task's own labels."""
        shown, size = gains.verdict != "too few labels", 2.0 if len(rank) > MAX_LABELLED else 3.5
        colour = muted(self.ax_, _RAW)
        self._mark_outside(gains.raw[shown], rank[shown], gains.limits(), colour, size)
        self.ax_.plot(
            gains.raw[shown],
            rank[shown],
            "o",
            color=colour,
            markersize=size,
            zorder=1.5,
            label="from the task's own labels",
        )

    def _mark_outside(
        self, gain: Array, rank: Array, limits: tuple[float, float], colour: Any, size: float
    ) -> None:
        """Draw arrowheads at the edges of the plot for gains beyond its limits."""
        left, right = limits
        for marker, edge, beyond in (("<", left, gain < left), (">", right, gain > right)):
            heights = rank[beyond]
            self.ax_.plot(
                np.full(len(heights), edge),
                heights,
                marker,
                color=colour,
                markersize=size,
                clip_on=False,
            )

    def _draw_overall(self, part: BaselineGain, relative: bool) -> None:
        """Draw the mean over these tasks and its interval, which have no unit in percent."""
        draw_zero(self.ax_, "x")
        overall = part.overall
        if relative or not np.isfinite(overall.se):
            return
        green = legible(self.ax_, GREEN)
        self.ax_.axvspan(overall.low, overall.high, color=green, alpha=0.15, lw=0, zorder=0)
        self.ax_.axvline(
            overall.gain, color=green, lw=1.2, ls="--", zorder=1, label="mean over these tasks"
        )

    def _draw_axes(self, gains: "_PlotData", rank: Array, relative: bool) -> None:
        ax, unit = self.ax_, self.result.loss_name
        unit = f"% of the baseline's {unit}" if relative else unit
        ax.set_xlabel(f"gain in {unit}\n← worse than {self.baseline_}  |  sharing helped →")
        left, right = gains.limits()
        ax.set_xlim(left, right)
        ax.set_ylim(-0.8, len(rank) - 0.2)
        plain_axes(ax, "x")
        height = legend_above(ax, _LEGEND_COLUMNS, columnspacing=1.5)
        title = f"{self.result.estimator_name} against {self.baseline_}, {len(rank)} tasks"
        if self._has_common_gain:
            title += "\nnot distinguishable from one common gain"
        ax.set_title(title, fontsize="medium", pad=8.0 + height)

    def _label_tasks(self, gains: "_PlotData", rank: Array) -> None:
        ax, names = self.ax_, [str(task) for task in self.result.tasks]
        if len(rank) <= MAX_LABELLED:
            ax.set_yticks(rank, names, fontsize=FONT_SIZE)
            for tick, verdict in zip(ax.get_yticklabels(), gains.verdict, strict=True):
                if verdict in ("hurt", "too few labels"):
                    tick.set_color(colour_on(ax, _STYLES[verdict][1]))
            return
        ax.set_yticks([])
        self._label_hurt(gains, rank, names)

    def _label_hurt(self, gains: "_PlotData", rank: Array, names: list[str]) -> None:
        """Label the tasks that were hurt, and move labels apart that would overlap."""
        height = 0.85 * self.ax_.get_window_extent().height * 72 / self.figure_.dpi
        gap = 1.25 * FONT_SIZE / height * len(rank)
        hurt = np.flatnonzero(gains.verdict == "hurt")
        hurt = hurt[np.argsort(gains.gain[hurt])][: int(len(rank) / gap)]
        if not len(hurt):
            return
        hurt = hurt[np.argsort(rank[hurt])]
        colour = colour_on(self.ax_, _STYLES["hurt"][1])
        transform = self.ax_.get_yaxis_transform()  # x as a fraction of the width, y in ranks
        for task, place in zip(hurt, spread(rank[hurt], gap, len(rank) - 1.0), strict=True):
            line = [self.ax_.get_xlim()[0], gains.low[task]]
            self.ax_.plot(line, 2 * [rank[task]], color=colour, lw=0.4, alpha=0.4, zorder=1)
            self.ax_.annotate(
                names[task],
                xy=(0.0, rank[task]),
                xycoords=transform,
                xytext=(-0.04, place),
                textcoords=transform,
                ha="right",
                va="center",
                fontsize=FONT_SIZE,
                color=colour,
                annotation_clip=False,
                arrowprops={"arrowstyle": "-", "color": colour, "lw": 0.5, "shrinkA": 1},
            )


TransferGain._display = TransferGainDisplay


class _PlotData:
    """Gains and intervals in the units of the plot."""

    def __init__(self, part: BaselineGain, scale: Array) -> None:
        model = part.model
        self.verdict, self.raw = part.verdict, part.gain / scale
        # Tasks with too few labels have only the gain from their own labels.
        self.gain = np.where(np.isnan(model.gain), part.gain, model.gain) / scale
        self.low, self.high = model.low / scale, model.high / scale

    def ranks(self) -> Array:
        """The rank of each task by gain; tasks with too few labels are below all others."""
        few = self.verdict == "too few labels"
        order = np.lexsort((np.where(np.isnan(self.gain), -np.inf, self.gain), ~few))
        return np.argsort(order)

    def limits(self) -> tuple[float, float]:
        """Limits of the gain axis: 0, and the bulk of the gains and intervals.

        These are nine tenths of the ends of the intervals and of the gains from own labels, and the
        shrunk gains but for outliers. A single wide interval does not compress all others.
        """
        known = self.verdict != "too few labels"
        ends = [0.0]
        for side, values in ((0.05, self.low), (0.95, self.high)):
            for each in (values[known], self.raw[known]):
                each = each[np.isfinite(each)]
                ends += [float(np.quantile(each, side))] if len(each) else []
        shrunk = self.gain[known & np.isfinite(self.gain)]
        margin = 0.05 * (np.ptp(ends) or 1.0)
        if len(shrunk):
            fence = 1.5 * np.ptp(ends)
            ends += np.clip(shrunk, min(ends) - fence, max(ends) + fence).tolist()
        return min(ends) - margin, max(ends) + margin
