"""The figure of benchmarks.funnel."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from benchmarks._funnel_contenders import NAMES, REFERENCE
from benchmarks._funnel_data import SIZES
from benchmarks._plots import BLUE, GREY, VERMILION, panels, save, tidy
from benchmarks._report import Record
from benchmarks.funnel import difference

_TITLES = {
    ("joint", "well specified"): "P(click and purchase), well specified",
    ("joint", "confounded"): "P(click and purchase), confounded",
    ("given a click", "well specified"): "P(purchase | click), well specified",
    ("given a click", "confounded"): "P(purchase | click), confounded",
}


def draw(path: Path, records: Sequence[Record]) -> None:
    """Draw differences of the AUC on simulated funnels from the reference, by click rate."""
    figure, axes = panels(len(_TITLES), 2, (12, 9))
    for ax, ((quantity, world), title) in zip(axes.flat, _TITLES.items(), strict=True):
        kept = [
            r
            for r in records
            if (r["data"], r.get("quantity"), r.get("world")) == ("simulated", quantity, world)
        ]
        _draw_panel(ax, kept)
        ax.set(title=title, xlabel="difference of the AUC")
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    figure.suptitle(f'AUC minus that of "{REFERENCE}": mean and 95% interval over seeds')
    save(figure, path, dpi=130)


def _draw_panel(ax: Axes, records: Sequence[Record]) -> None:
    measured = {r["method"] for r in records if "auc" in r}
    names = [name for name in NAMES if name in measured - {REFERENCE}][::-1]
    for k, (rate, colour) in enumerate(zip(SIZES, (VERMILION, GREY, BLUE), strict=True)):
        rows = [r for r in records if r["rate"] == rate]
        found = [difference(rows, "auc", name, REFERENCE, 0.0) for name in names]
        means, halves = np.array([f or (np.nan, np.nan) for f in found]).T
        y = np.arange(len(names)) + 0.22 * (1 - k)
        ax.errorbar(
            means,
            y,
            xerr=halves,
            fmt="o^s"[k],
            color=colour,
            ms=5,
            capsize=2,
            lw=1.2,
            label=f"{rate:.0%} of impressions are clicked",
        )
    ax.axvline(0, color="#000000", lw=0.8, zorder=0)
    ax.set_yticks(range(len(names)), names)
    ax.locator_params(axis="x", nbins=5)
    tidy(ax)
