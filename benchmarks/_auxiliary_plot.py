"""The figure of benchmarks.auxiliary. Imports matplotlib: import this module lazily."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes

from benchmarks._auxiliary_fits import CAUTIOUS, CHEATING, CV, GRID, ONE, RIDGE_ALONE
from benchmarks._auxiliary_future import CHAIN, RIDGE_CHAIN
from benchmarks._auxiliary_kinds import KINDS
from benchmarks._auxiliary_simulated import EITHER, SUBSPACE
from benchmarks._auxiliary_sites import ERASED
from benchmarks._plots import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PALETTE,
    PURPLE,
    VERMILION,
    panels,
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
    EITHER: (PURPLE, "h"),
    ERASED: (PALETTE[1], "*"),
    RIDGE_ALONE: (GREY, "x"),
    CHEATING: (GREY, "D"),
}
_LIMIT = 30.0


def draw(path: Path, rows: Sequence[Record]) -> None:
    """Draw a panel per kind: the gain of each method over the main task alone, with its interval.

    Parameters
    ----------
    path : Path
    rows : sequence of dict
        The rows of the tables.
    """
    kinds = [kind for kind in KINDS if any(row["kind"] == kind for row in rows)]
    figure, axes = panels(len(kinds), 2, (13, 4.2 * -(-len(kinds) // 2)))
    for ax, kind in zip(axes.flat, kinds, strict=False):
        _draw_kind(ax, [row for row in rows if row["kind"] == kind])
        ax.set_title(KINDS[kind])
    handles = {}
    for ax in axes.flat[: len(kinds)]:
        handles |= dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    order = [method for method in _STYLES if method in handles]
    figure.legend(
        [handles[m] for m in order], order, loc="outside lower center", ncols=6, frameon=False
    )
    figure.supxlabel(
        "Decrease of the test error of the main task alone, %, with 95% intervals", fontsize=11
    )
    save(figure, path, dpi=110)


def _draw_kind(ax: Axes, rows: Sequence[Record]) -> None:
    present = [method for method in _STYLES if any(method in row["gains"] for row in rows)]
    seen = set()
    for k, row in enumerate(rows):
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
