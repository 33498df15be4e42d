"""The figure of benchmarks.auxiliary. Imports matplotlib: import this module lazily."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from benchmarks._auxiliary_fits import CAUTIOUS, CHEATING, CV, GRID, ONE, RIDGE_ALONE
from benchmarks._auxiliary_future import CHAIN, RIDGE_CHAIN
from benchmarks._auxiliary_kinds import KINDS
from benchmarks._auxiliary_simulated import EITHER, SCALED, SUBSPACE
from benchmarks._auxiliary_sites import ERASED
from benchmarks._plots import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PALETTE,
    PURPLE,
    VERMILION,
    save,
    tidy,
)
from benchmarks._report import Record

# Colour and marker; methods that never share a panel share a style.
_STYLES = {
    ONE: (ORANGE, "s"),
    CV: (VERMILION, "o"),
    GRID: (BLUE, "^"),
    CAUTIOUS: (PALETTE[-1], "v"),
    CHAIN: (PURPLE, "X"),
    RIDGE_CHAIN: (GREEN, "P"),
    SUBSPACE: (GREEN, "d"),
    SCALED: (BLUE, "p"),
    EITHER: (PURPLE, "h"),
    ERASED: (PALETTE[1], "*"),
    RIDGE_ALONE: (GREY, "x"),
    CHEATING: (GREY, "D"),
}
_LIMIT = 30.0
# Kinds with at most this many settings share a line of panels.
_NARROW = 6


def draw(path: Path, rows: Sequence[Record]) -> None:
    """Draw a panel per kind: the gain of each method over the main task alone, with its interval.

    Parameters
    ----------
    path : Path
    rows : sequence of dict
        The rows of the tables.
    """
    kinds = {kind: [row for row in rows if row["kind"] == kind] for kind in KINDS}
    axes = _panels({kind: len(found) for kind, found in kinds.items() if found})
    handles = {}
    for kind, ax in axes.items():
        _draw_kind(ax, kinds[kind])
        ax.set_title(KINDS[kind])
        handles |= dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    figure = next(iter(axes.values())).get_figure(root=True)
    assert figure is not None
    order = [method for method in _STYLES if method in handles]
    figure.legend(
        [handles[m] for m in order], order, loc="outside lower center", ncols=6, frameon=False
    )
    figure.suptitle("Decrease of the main task's test error, %, with 95% intervals", fontsize=12)
    save(figure, path, dpi=110)


def _panels(n_rows: dict[str, int]) -> dict[str, Axes]:
    """Axes in two columns for each kind; kinds with many settings use the whole width, below."""
    narrow = [kind for kind, n in n_rows.items() if n <= _NARROW]
    lines = [tuple(narrow[k : k + 2]) for k in range(0, len(narrow), 2)]
    lines += [(kind,) for kind in n_rows if kind not in narrow]
    heights = [1 + max(n_rows[kind] for kind in line) for line in lines]
    figure = plt.figure(figsize=(13, 1.5 + 0.68 * sum(heights)), layout="constrained")
    grid = figure.add_gridspec(len(lines), 2, height_ratios=heights)
    axes = {}
    for k, line in enumerate(lines):
        for column, kind in enumerate(line):
            place = grid[k, :] if n_rows[kind] > _NARROW else grid[k, column]
            axes[kind] = figure.add_subplot(place)
    return axes


def _draw_kind(ax: Axes, rows: Sequence[Record]) -> None:
    present = [method for method in _STYLES if any(method in row["gains"] for row in rows)]
    seen = set()
    for k, row in enumerate(rows):
        if k % 2:
            ax.axhspan(k - 0.5, k + 0.5, color="#F4F4F4", lw=0, zorder=-1)
        for j, method in enumerate(present):
            if method not in row["gains"]:
                continue
            gain, half = row["gains"][method]
            colour, marker = _STYLES[method]
            place = k + 0.75 * ((j + 0.5) / len(present) - 0.5)
            label = None if method in seen else method
            seen.add(method)
            if gain < -_LIMIT:
                ax.plot(-_LIMIT, place, "<", color=colour, ms=6, clip_on=False)
                note = f"{method} {gain:.0f}"
                ax.annotate(
                    note,
                    (-_LIMIT, place),
                    (6, 0),
                    textcoords="offset points",
                    va="center",
                    fontsize=7,
                )
                continue
            style = {"color": colour, "marker": marker, "ms": 5.5, "lw": 1.2, "capsize": 2}
            if method == CHEATING:
                style["mfc"] = "white"
            ax.errorbar(gain, place, xerr=half, ls="", label=label, **style)
    ax.axvline(0, color="black", lw=1.0, zorder=0)
    ax.set_yticks(range(len(rows)), [row["name"] for row in rows])
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_xlim(left=max(ax.get_xlim()[0], -_LIMIT))
    tidy(ax, "x")
