"""The figures and their common style. Imports matplotlib: import this module lazily."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from benchmarks._experiments import (
    BLOCK_SPARSE,
    BLOCK_SPARSE_1SE,
    CLUSTERED,
    INDEPENDENT_LASSO,
    INDEPENDENT_RIDGE,
    POOLED_RIDGE,
    RELATION,
    ROWS,
)
from benchmarks._report import Record

Array = NDArray[Any]

# Okabe and Ito's colours, distinguishable by colour-blind readers; markers for greyscale prints.
PALETTE = ("#D55E00", "#000000", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
VERMILION, _, BLUE, GREEN, PURPLE, ORANGE, _ = PALETTE
GREY = "#7F7F7F"
_STYLES: dict[str, dict[str, Any]] = {
    INDEPENDENT_RIDGE: {"color": BLUE, "marker": "s"},
    INDEPENDENT_LASSO: {"color": ORANGE, "marker": "^"},
    POOLED_RIDGE: {"color": GREY, "marker": "D"},
    BLOCK_SPARSE: {"color": VERMILION, "marker": "o"},
    BLOCK_SPARSE_1SE: {"color": VERMILION, "marker": "o", "mfc": "white", "ls": "--"},
    CLUSTERED: {"color": GREEN, "marker": "v"},
    RELATION: {"color": PURPLE, "marker": "P"},
}
_UNUSED = "#C9C9C9"
# Errors above this multiple of the better baseline's are drawn at the edge: they would otherwise
# compress the scale of all others.
_FAR = 1.25


def check_format(path: Path) -> str | None:
    """The error message for a figure's file name, or None if its format is supported."""
    known = sorted(Figure().canvas.get_supported_filetypes())
    if path.suffix.lstrip(".").lower() in known:
        return None
    return f"the name must end in one of {', '.join(known)}, got {path.name!r}"


def panels(n: int, n_columns: int, size: tuple[float, float]) -> tuple[Figure, NDArray[Any]]:
    """A figure of that size with ``n`` panels; axes (n_rows, n_columns), unused ones hidden."""
    figure, axes = plt.subplots(
        -(-n // n_columns), n_columns, figsize=size, squeeze=False, layout="constrained"
    )
    for ax in axes.flat[n:]:
        ax.set_visible(False)
    return figure, axes


def tidy(ax: Axes, grid: Literal["both", "x", "y"] = "both") -> None:
    """Draw a pale grid behind the data, and remove the upper and right frame lines."""
    ax.grid(axis=grid, color="#E5E5E5")
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def save(figure: Figure, path: Path, dpi: int = 150, **options: Any) -> None:
    """Write a figure to a file, whose extension sets the format, and close it."""
    figure.savefig(path, dpi=dpi, **options)
    plt.close(figure)


def draw_one_vs_rest(
    path: Path,
    records: dict[str, list[Record]],
    coefs: dict[str, Array],
    image_shape: tuple[int, int],
    what: str,
) -> None:
    """Draw coefficients as maps and errors against the number of labels.

    Parameters
    ----------
    path : Path
    records : dict
        The raw numbers of the tables "digits", "sparse" and "related".
    coefs : dict from method to ndarray of shape (10, n_pixels)
        Coefficients fitted on the largest training part, from top to bottom.
    image_shape : tuple of int
    what : str
        The name of the digits.
    """
    figure = plt.figure(figsize=(12, 9), layout="constrained")
    upper, lower = figure.subfigures(2, 1, height_ratios=[1.1 + 1.0 * len(coefs), 4.8], hspace=0.03)
    n_mapped = max(record["n"] for record in records["digits"])
    upper.suptitle(
        f"Coefficients of each digit against the rest ({what}, {n_mapped} training rows). "
        "Grey: exactly zero",
        fontsize=12,
    )
    _draw_maps(upper, coefs, image_shape)
    left, middle, right = lower.subplots(1, 3)
    error_rates = [r | {"error": 100 * (1 - r["accuracy"])} for r in records["digits"]]
    _draw_growth(left, [r for r in error_rates if r["method"] != POOLED_RIDGE])
    pooled = np.mean([r["error"] for r in error_rates if r["method"] == POOLED_RIDGE])
    left.set(
        title=f"One-vs-rest on {what}",
        xlabel="training rows",
        ylabel="test error rate, %",
    )
    note = f"pooled ridge (not shown): {pooled:.0f} % on average"
    left.text(0.97, 0.95, note, transform=left.transAxes, ha="right", va="top", color="#555555")
    for ax, table, title in (
        (middle, "sparse", "Simulated tasks with common features"),
        (right, "related", "Simulated related tasks"),
    ):
        _draw_growth(ax, records[table])
        ax.set(title=title, xlabel="labels per task")
    middle.set_ylabel("coefficient error (W = 0 has error 1)")
    handles, labels = right.get_legend_handles_labels()
    lower.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    save(figure, path)


def _draw_maps(figure: SubFigure, coefs: dict[str, Array], image_shape: tuple[int, int]) -> None:
    """Draw one map per method and digit on a common scale, with unused pixels in grey."""
    sizes = np.abs(np.stack(list(coefs.values())))
    # Clip the scale: with a few large coefficients on it, all others would look pale.
    limit = np.quantile(sizes[sizes > 0], 0.98) if sizes.any() else 1.0
    axes = figure.subplots(len(coefs), sizes.shape[1], squeeze=False)
    colours = plt.get_cmap("RdBu_r").with_extremes(bad=_UNUSED)
    for row, (method, coef) in zip(axes, coefs.items(), strict=True):
        for digit, (ax, w) in enumerate(zip(row, coef, strict=True)):
            shown = np.ma.masked_equal(w.reshape(image_shape), 0.0)
            image = ax.imshow(shown, cmap=colours, vmin=-limit, vmax=limit)
            ax.set(xticks=[], yticks=[])
            if ax in axes[0]:
                ax.set_title(str(digit), fontsize=12)
        n_used = int(coef.any(axis=0).sum())
        label = f"{method}\n{n_used} of {coef.shape[1]} pixels"
        row[0].set_ylabel(label, rotation=0, ha="right", va="center", fontsize=11, labelpad=8)
    bar = figure.colorbar(image, ax=axes, extend="both", shrink=0.8, aspect=25, pad=0.012)
    bar.set_label("coefficient")


def _draw_growth(ax: Axes, records: list[Record]) -> None:
    """Draw mean and standard deviation of "error" against n, one line per method."""
    drawn = sorted({record["method"] for record in records}, key=ROWS.index)
    sizes = sorted({record["n"] for record in records})
    for k, method in enumerate(drawn):
        groups = [
            [r["error"] for r in records if (r["n"], r["method"]) == (n, method)] for n in sizes
        ]
        means, sds = zip(*map(_mean_and_sd, groups), strict=True)
        # Shift the methods slightly, so that their error bars do not overlap.
        x = np.array(sizes) * 1.025 ** (k - (len(drawn) - 1) / 2)
        style = {"ms": 5.5, "lw": 1.6, "elinewidth": 1.1, "capsize": 2.5} | _STYLES[method]
        ax.errorbar(x, means, yerr=sds, label=method, **style)
    ax.set_xscale("log")
    ax.set_xticks(sizes, [str(n) for n in sizes])
    ax.minorticks_off()
    ax.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    ax.set_xlim(sizes[0] / 1.25, sizes[-1] * 1.25)
    ax.set_ylim(0, 1.1 * ax.get_ylim()[1])
    tidy(ax, "y")


def draw_tour(
    path: Path, by_data: dict[str, dict[str, list[Record]]], baselines: Sequence[str]
) -> None:
    """Draw a panel per data set, with the methods sorted by error, the smallest on top.

    Parameters
    ----------
    path : Path
    by_data : dict
        The records of each data set and method.
    baselines : sequence of str
        The methods that the others are compared with.
    """
    figure, axes = panels(len(by_data), 2, (12, 4.9 * -(-len(by_data) // 2)))
    for ax, (data, methods) in zip(axes.flat, by_data.items(), strict=False):
        _draw_ranking(ax, methods, baselines)
        ax.set(title=data, xlabel="RMSE / standard deviation of y, mean over tasks")
    figure.supxlabel(
        "Mean and standard deviation over splits. Squares: baselines. Dashed: the better baseline.",
        fontsize=11,
    )
    save(figure, path, dpi=130)


def _draw_ranking(ax: Axes, methods: dict[str, list[Record]], baselines: Sequence[str]) -> None:
    errors = {
        name: _mean_and_sd([record["error"] for record in records])
        for name, records in methods.items()
    }
    order = sorted(errors, key=lambda name: -errors[name][0])
    better = min(errors[name][0] for name in baselines)
    limit = _FAR * better
    for k, name in enumerate(order):
        (mean, sd), colour = errors[name], VERMILION if name in baselines else BLUE
        if mean > limit:
            ax.plot(limit, k, ">", color=colour, ms=7, clip_on=False)
            ax.annotate(
                f"{mean:.2f}",
                (limit, k),
                (-8, 0),
                textcoords="offset points",
                ha="right",
                va="center",
                fontsize=9,
                color=colour,
            )
        else:
            marker = "s" if name in baselines else "o"
            ax.errorbar(mean, k, xerr=sd, fmt=marker, color=colour, ms=5.5, capsize=2.5, lw=1.3)
    ax.axvline(better, color=VERMILION, lw=1.0, ls="--", zorder=0)
    ax.set_yticks(range(len(order)), order)
    for label in ax.get_yticklabels():
        if label.get_text() in baselines:
            label.set(color=VERMILION, weight="bold")
    if errors[order[0]][0] > limit:
        ax.set_xlim(right=limit)
    tidy(ax)


def _mean_and_sd(values: list[float]) -> tuple[float, float]:
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def draw_learning_curves(
    records: list[Record], methods: Iterable[str], titles: Mapping[str, str], path: Path
) -> None:
    """Draw the error of each method against the labels of a task, a panel for each data set."""
    figure, axes = panels(len(titles), len(titles), (7.2, 2.9))
    colours = dict(zip(methods, (BLUE, GREY, VERMILION), strict=True))
    for ax, (name, title) in zip(axes.flat, titles.items(), strict=True):
        for (method, colour), marker in zip(colours.items(), "sDo", strict=True):
            found = [r for r in records if (r["data"], r["method"]) == (name, method)]
            sizes = sorted({r["n"] for r in found})
            errors = [np.mean([r["error"] for r in found if r["n"] == n]) for n in sizes]
            ax.plot(sizes, errors, marker=marker, color=colour, label=method)
        ax.set(xscale="log", title=title, xlabel="labels of each task")
        ax.set_xticks(sizes, sizes)
        ax.minorticks_off()
        tidy(ax)
    axes[0, 0].set_ylabel("error on new rows")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3, frameon=False)
    save(figure, path)
