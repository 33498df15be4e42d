"""The plot of selection frequencies; matplotlib is imported only to draw it."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from skmtl._plotting import (
    BLUE,
    FONT_SIZE,
    MAX_LABELLED,
    VERMILION,
    label_axis,
    label_sizes,
    legend_above,
    legible,
    make_axes,
    muted,
    plain_axes,
    require_matplotlib,
    styled,
)
from skmtl.inference._stability import stability_selection
from skmtl.inference._stability_result import StabilitySelection
from skmtl.inspection import largest

Array = NDArray[Any]

_INCHES_PER_LABEL, _WIDTH = 0.19, 4.5
# Shares of the background in the greys of other features, of their names, and of single tasks.
_OTHER, _UNUSED, _TASK = 0.45, 0.4, 0.6
_LEGEND_COLUMNS = 2


class StabilitySelectionDisplay:
    """Plot of the selection frequencies of features, the most frequent at the top.

    Lines mark the threshold and the mean frequency of all features, up to which the selection
    probability is low. Where a feature was not selected in all tasks together, short vertical lines
    mark the frequencies of the single tasks. Use :meth:`from_estimator` or :meth:`from_result` to
    create one.

    Parameters
    ----------
    result : StabilitySelection

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    points_ : matplotlib PathCollection
    threshold_line_ : matplotlib Line2D
    features_ : int ndarray
        The positions of the features drawn, from top to bottom.

    See Also
    --------
    stability_selection : Computes the frequencies.

    Examples
    --------
    >>> from skmtl import BlockSparseRegressor
    >>> from skmtl.datasets import make_block_sparse
    >>> from skmtl.inference import StabilitySelectionDisplay
    >>> dataset = make_block_sparse(80, n_features=30, n_tasks=3, n_informative=3, random_state=0)
    >>> display = StabilitySelectionDisplay.from_estimator(
    ...     BlockSparseRegressor(), dataset.data, dataset.target, n_subsamples=20, random_state=0
    ... )
    >>> display.result.threshold > 0.5
    True
    """

    def __init__(self, *, result: StabilitySelection) -> None:
        self.result = result

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        max_features: int | None = 40,
        ax: Any = None,
        **options: Any,
    ) -> Self:
        """Compute and draw the frequencies.

        Parameters
        ----------
        estimator, X, y : as in :func:`stability_selection`
        max_features, ax : as in :meth:`plot`
        **options : passed to :func:`stability_selection`

        Returns
        -------
        StabilitySelectionDisplay
        """
        require_matplotlib(cls, "from_estimator")
        result = stability_selection(estimator, X, y, **options)
        return cls.from_result(result, max_features=max_features, ax=ax)

    @classmethod
    def from_result(
        cls,
        result: StabilitySelection,
        *,
        max_features: int | None = 40,
        ax: Any = None,
        **scatter_options: Any,
    ) -> Self:
        """Draw a result.

        Parameters
        ----------
        result : StabilitySelection
        max_features, ax, **scatter_options : as in :meth:`plot`

        Returns
        -------
        StabilitySelectionDisplay

        Raises
        ------
        TypeError
            If ``result`` is not the result of :func:`stability_selection`.
        """
        if not isinstance(result, StabilitySelection):
            raise TypeError(
                f"from_result takes the result of stability_selection, got "
                f"{type(result).__name__}. Use from_estimator(estimator, X, y) to compute and draw "
                f"it."
            )
        return cls(result=result).plot(ax, max_features=max_features, **scatter_options)

    def plot(
        self, ax: Any = None, *, max_features: int | None = 40, **scatter_options: Any
    ) -> Self:
        """Draw the frequencies.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None: a new figure.
        max_features : int or None, default=40
            The most frequent features are drawn, this many, and all selected ones. None: all.
        **scatter_options : passed to matplotlib's ``scatter``

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If ``max_features`` is not positive.
        ImportError
            If matplotlib is not installed.
        """
        result = self.result
        n_selected = int(result.support.sum())
        order = largest(result.frequencies, max_features)
        if len(order) < n_selected:
            order = largest(result.frequencies, n_selected)
        self.features_ = order
        names = [str(result.features[j]) for j in order]
        rows = max(1.2, _INCHES_PER_LABEL * min(len(order), 2 * MAX_LABELLED))
        size = _WIDTH + label_sizes([], names)[1], rows + 1.5
        self.ax_, self.figure_ = make_axes(self, ax, *size)
        self._draw_lines()
        self._draw_frequencies(scatter_options)
        self._label_features(names)
        return self

    def _draw_lines(self) -> None:
        ax, result = self.ax_, self.result
        self.threshold_line_ = ax.axvline(
            result.threshold,
            color=legible(ax, VERMILION),
            lw=1.2,
            zorder=1,
            label=f"threshold {result.threshold:.3g}",
        )
        ax.axvline(
            result.low_probability,
            color=muted(ax, _OTHER),
            lw=1.0,
            ls="--",
            zorder=1,
            label=f"mean of all {len(result.features)} features",
        )

    def _draw_frequencies(self, scatter_options: dict[str, Any]) -> None:
        ax, result, order = self.ax_, self.result, self.features_
        heights, frequencies = np.arange(len(order)), result.frequencies[order]
        own = result.task_frequencies[:, order]
        apart = (own != frequencies).any(axis=0)
        if apart.any():
            ax.plot(
                own[:, apart].ravel(),
                np.tile(heights[apart], len(own)),
                "|",
                color=muted(ax, _TASK),
                zorder=2,
                label="single tasks",
            )
        support = result.support[order]
        blue, grey = legible(ax, BLUE), muted(ax, _OTHER)
        colours = [blue if selected else grey for selected in support]
        ax.hlines(heights, 0.0, frequencies, colors=colours, lw=0.8, alpha=0.5, zorder=2)
        style = styled("PathCollection", {"color": colours, "s": 22, "zorder": 3}, scatter_options)
        self.points_ = ax.scatter(frequencies, heights, clip_on=False, **style)

    def _label_features(self, names: list[str]) -> None:
        ax, result = self.ax_, self.result
        ax.set_xlim(0.0, 1.02)
        ax.set_ylim(len(names) - 0.4, -0.6)
        plain_axes(ax, "x")
        ax.set_xlabel(f"share of {2 * result.n_subsamples} half-samples that select the feature")
        for place, tick in zip(label_axis(ax, "y", names), ax.get_yticklabels(), strict=True):
            tick.set_fontsize(FONT_SIZE)
            if not result.support[self.features_[place]]:
                tick.set_color(muted(ax, _UNUSED))
        n_selected, n_features = np.count_nonzero(result.support), len(result.features)
        title = f"{n_selected} of {n_features} features selected"
        if len(names) < n_features:
            title += f", {len(names)} most frequent shown"
        title = f"{result.estimator_name}\n{title}"
        height = legend_above(ax, _LEGEND_COLUMNS)
        ax.set_title(title, fontsize="medium", pad=8.0 + height)


StabilitySelection._display = StabilitySelectionDisplay
