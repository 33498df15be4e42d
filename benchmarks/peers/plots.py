"""The figures of benchmarks.peers. Imports matplotlib: import this module lazily."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter

from benchmarks._plots import GREY, PALETTE, panels, save, tidy
from benchmarks._report import Record
from benchmarks.peers.problem import TARGET
from benchmarks.peers.solvers import OURS, PEERS
from benchmarks.peers.summary import curve, peers_of

_MARKERS = ("o", "s", "^", "v", "D", "P", "X", "<", ">", "*")
_FLOOR = 1e-11
_COLUMNS = 4


def draw(path: Path, problems: list[Record], clock: str) -> None:
    """Draw suboptimality against time, one panel for each problem.

    Parameters
    ----------
    path : Path
        The file; its extension sets the format.
    problems : list of dict
        Raw numbers from the runner.
    clock : {"cpu", "wall"}
    """
    n_columns = min(_COLUMNS, len(problems))
    n_rows = -(-len(problems) // n_columns)
    size = max(3.4 * n_columns, 6), 2.9 * n_rows + 0.7
    figure, axes = panels(len(problems), n_columns, size)
    handles: dict[str, Any] = {}
    for ax, problem in zip(axes.flat, problems, strict=False):
        for peer in peers_of(problem):
            points = curve(problem, peer, clock)
            if not points:
                continue
            _, seconds, left = np.array(points).T
            order = np.argsort(seconds, kind="stable")
            (handles[peer],) = ax.plot(
                seconds[order], np.maximum(left[order], _FLOOR), **_style(peer)
            )
        ax.axhline(TARGET, color=GREY, lw=0.9, ls=":")
        _finish(ax, problem)
    for ax in axes[:, 0]:
        ax.set_ylabel("suboptimality")
    names = [peer for peer in PEERS if peer in handles]
    figure.legend(
        [handles[name] for name in names],
        names,
        loc="outside lower center",
        ncols=min(len(names), 5 if n_columns > 2 else 3),
        frameon=False,
    )
    figure.suptitle(
        f"Suboptimality relative to the null objective against {clock} seconds. "
        "Lower left is better",
        fontsize=11,
    )
    save(figure, path)


def draw_growth(path: Path, series: list[Record]) -> None:
    """Draw time against each size, with the fitted slope in the legend."""
    figure, axes = panels(len(series), len(series), (3.2 * len(series), 3.2))
    for ax, one in zip(axes[0], series, strict=True):
        x, seconds = np.array(one["x"], dtype=float), np.array(one["seconds"])
        ax.plot(x, seconds, color=PALETTE[0], marker="o", ms=5, lw=1.6)
        fitted = np.exp(one["intercept"]) * x ** one["slope"]
        ax.plot(x, fitted, color=GREY, lw=1, ls="--", label=f"slope {one['slope']:.2f}")
        ax.set(xscale="log", yscale="log", xlabel=one["label"])
        ax.set_xticks(x, [f"{value:g}" for value in x])
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.minorticks_off()
        ax.legend(frameon=False)
        tidy(ax)
    axes[0, 0].set_ylabel("seconds")
    # Common limits, so that slopes can be compared by eye.
    lows, highs = zip(*(ax.get_ylim() for ax in axes[0]), strict=True)
    for ax in axes[0]:
        ax.set_ylim(min(lows), max(highs))
    save(figure, path)


def _style(peer: str) -> dict[str, Any]:
    position = list(PEERS).index(peer)
    ours = peer == OURS
    return {
        "color": PALETTE[position % len(PALETTE)],
        "marker": _MARKERS[position % len(_MARKERS)],
        "ms": 5.5 if ours else 4.5,
        "lw": 2.2 if ours else 1.3,
        "ls": "-" if position < len(PALETTE) else "--",
        "zorder": 3 if ours else 2,
    }


def _finish(ax: Axes, problem: Record) -> None:
    n, d = problem["shape"]
    title = f"{problem['name']}: {n} x {d}, T = {problem['n_tasks']}"
    ax.set_title(title, fontsize=9)
    ax.set(xscale="log", yscale="log", xlabel="seconds")
    left, right = ax.get_xlim()
    middle, half = np.sqrt(left * right), max(np.sqrt(right / left), 4.0)
    ax.set_xlim(middle / half, middle * half)  # a decade or more, for tick labels
    ax.xaxis.set_minor_formatter(NullFormatter())
    low, high = ax.get_ylim()
    ax.set_ylim(max(low, _FLOOR / 2), min(high, 1.0))
    ax.yaxis.set_major_locator(LogLocator(numticks=7))
    tidy(ax)
