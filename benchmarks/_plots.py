"""The picture of benchmarks.one_vs_rest. Imports matplotlib: import this module lazily."""

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from benchmarks._methods import (
    BLOCK_SPARSE,
    BLOCK_SPARSE_1SE,
    CLUSTERED,
    INDEPENDENT_LASSO,
    INDEPENDENT_RIDGE,
    METHODS,
    POOLED_RIDGE,
    RELATION,
)

Array = NDArray[Any]
Record = dict[str, Any]

# Okabe and Ito's colours, told apart by colour-blind readers; markers for print in grey.
_STYLES: dict[str, dict[str, Any]] = {
    INDEPENDENT_RIDGE: {"color": "#0072B2", "marker": "s"},
    INDEPENDENT_LASSO: {"color": "#E69F00", "marker": "^"},
    POOLED_RIDGE: {"color": "#7F7F7F", "marker": "D"},
    BLOCK_SPARSE: {"color": "#D55E00", "marker": "o"},
    BLOCK_SPARSE_1SE: {"color": "#D55E00", "marker": "o", "mfc": "white", "ls": "--"},
    CLUSTERED: {"color": "#009E73", "marker": "v"},
    RELATION: {"color": "#CC79A7", "marker": "P"},
}
_UNUSED = "#C9C9C9"


def check_format(path: Path) -> str | None:
    """What is wrong with a picture's file name, or None."""
    known = sorted(Figure().canvas.get_supported_filetypes())
    if path.suffix.lstrip(".").lower() in known:
        return None
    return f"the name must end in one of {', '.join(known)}, got {path.name!r}"


def draw(
    path: Path,
    records: dict[str, list[Record]],
    coefs: dict[str, Array],
    *,
    image_shape: tuple[int, int],
    data: str,
    n_mapped: int,
) -> None:
    """Draw coefficients as maps and errors against the number of labels.

    Parameters
    ----------
    path : Path
        The file; its name says the format.
    records : dict
        The raw numbers of the tables "digits", "made" and "related".
    coefs : dict from method to ndarray of shape (10, n_pixels)
        The maps, from top to bottom.
    image_shape : tuple of int
    data : str
        The name of the digits.
    n_mapped : int
        How many training rows the maps come from.
    """
    figure = plt.figure(figsize=(12, 9), layout="constrained")
    upper, lower = figure.subfigures(2, 1, height_ratios=[1.1 + 1.0 * len(coefs), 4.8], hspace=0.03)
    _draw_maps(upper, coefs, image_shape, data, n_mapped)
    left, middle, right = lower.subplots(1, 3)
    what = "digits" if data == "digits" else "MNIST"
    error_rates = [r | {"error": 100 * (1 - r["accuracy"])} for r in records["digits"]]
    _draw_errors(left, error_rates, skip=POOLED_RIDGE)
    pooled = np.mean([r["error"] for r in error_rates if r["method"] == POOLED_RIDGE])
    left.set(
        title=f"One-vs-rest on {what}",
        xlabel="training rows",
        ylabel="wrong digits in the test part, %",
    )
    note = f"pooled ridge: {pooled:.0f} % throughout, not shown"
    left.text(0.97, 0.95, note, transform=left.transAxes, ha="right", va="top", color="#555555")
    for ax, table, title in (
        (middle, "made", "Made tasks that share their features"),
        (right, "related", "Made tasks that are related"),
    ):
        _draw_errors(ax, records[table])
        ax.set(title=title, xlabel="labels per task")
    middle.set_ylabel("coefficient error (1 is what W = 0 has)")
    handles, labels = right.get_legend_handles_labels()
    lower.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def _draw_maps(
    figure: SubFigure,
    coefs: dict[str, Array],
    image_shape: tuple[int, int],
    data: str,
    n_mapped: int,
) -> None:
    """One map per method and digit, all in one scale; unused pixels grey."""
    sizes = np.abs(np.stack(list(coefs.values())))
    # A few large coefficients would leave the others pale.
    limit = np.quantile(sizes[sizes > 0], 0.98) if sizes.any() else 1.0
    n_tasks = len(next(iter(coefs.values())))
    axes = figure.subplots(len(coefs), n_tasks, squeeze=False)
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
    what = "digits" if data == "digits" else "MNIST"
    figure.suptitle(
        f"Coefficients of each digit against the rest ({what}, {n_mapped} training rows). "
        "Grey: exactly zero",
        fontsize=12,
    )
    bar = figure.colorbar(image, ax=axes, extend="both", shrink=0.8, aspect=25, pad=0.012)
    bar.set_label("coefficient")


def _draw_errors(ax: Axes, records: list[Record], skip: str | None = None) -> None:
    """Mean and standard deviation of "error" against n, a line per method."""
    drawn = [method for method in METHODS if method != skip]
    sizes = sorted({record["n"] for record in records})
    for k, method in enumerate(drawn):
        groups = [
            [r["error"] for r in records if (r["n"], r["method"]) == (n, method)] for n in sizes
        ]
        means = [np.mean(group) for group in groups]
        sds = [np.std(group, ddof=1) if len(group) > 1 else 0.0 for group in groups]
        # A little beside each other, or the bars would hide each other.
        x = np.array(sizes) * 1.025 ** (k - (len(drawn) - 1) / 2)
        style = {"ms": 5.5, "lw": 1.6, "elinewidth": 1.1, "capsize": 2.5} | _STYLES[method]
        ax.errorbar(x, means, yerr=sds, label=method, **style)
    ax.set_xscale("log")
    ax.set_xticks(sizes, [str(n) for n in sizes])
    ax.minorticks_off()
    ax.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    ax.set_xlim(sizes[0] / 1.25, sizes[-1] * 1.25)
    ax.set_ylim(0, 1.1 * ax.get_ylim()[1])
    ax.grid(axis="y", color="#E5E5E5")
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
