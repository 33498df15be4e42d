"""The picture of benchmarks.tour. Imports matplotlib: import this module lazily."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

Record = dict[str, Any]

_BASELINE, _OTHER = "#D55E00", "#0072B2"
# Errors beyond this many times the better baseline's are drawn at the edge, or they would press
# all others together.
_FAR = 1.25


def draw(path: Path, by_data: dict[str, dict[str, list[Record]]], baselines: Sequence[str]) -> None:
    """Draw a panel per data set: methods sorted by error, the least on top.

    Parameters
    ----------
    path : Path
        The file; its name says the format.
    by_data : dict
        The records of each data set and method.
    baselines : sequence of str
        The methods that the others are compared with.
    """
    n_rows = -(-len(by_data) // 2)
    figure, axes = plt.subplots(
        n_rows, 2, figsize=(12, 4.9 * n_rows), layout="constrained", squeeze=False
    )
    for ax, (data, methods) in zip(axes.flat, by_data.items(), strict=False):
        _draw_errors(ax, methods, baselines)
        ax.set_title(data)
        ax.set_xlabel("RMSE over standard deviation, mean of tasks")
    for ax in axes.flat[len(by_data) :]:
        ax.set_axis_off()
    figure.supxlabel(
        "Mean and standard deviation over splits. Squares: baselines, dashed: the better one.",
        fontsize=11,
    )
    figure.savefig(path, dpi=130)
    plt.close(figure)


def _draw_errors(ax: Axes, methods: dict[str, list[Record]], baselines: Sequence[str]) -> None:
    errors = {
        name: np.array([record["error"] for record in records]) for name, records in methods.items()
    }
    order = sorted(errors, key=lambda name: -errors[name].mean())
    better = min(errors[name].mean() for name in baselines)
    limit = _FAR * better
    for k, name in enumerate(order):
        values, colour = errors[name], _BASELINE if name in baselines else _OTHER
        mean, sd = values.mean(), values.std(ddof=1) if len(values) > 1 else 0.0
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
    ax.axvline(better, color=_BASELINE, lw=1.0, ls="--", zorder=0)
    ax.set_yticks(range(len(order)), order)
    for label in ax.get_yticklabels():
        if label.get_text() in baselines:
            label.set(color=_BASELINE, weight="bold")
    if any(values.mean() > limit for values in errors.values()):
        ax.set_xlim(right=limit)
    ax.grid(axis="both", color="#E5E5E5", lw=0.7)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
