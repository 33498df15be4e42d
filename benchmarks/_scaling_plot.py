"""The figure of benchmarks.scaling."""

from pathlib import Path

import numpy as np
from matplotlib.ticker import NullFormatter

from benchmarks._plots import PALETTE, panels, save, tidy
from benchmarks._report import Record


def draw_scaling(path: Path, records: list[Record]) -> None:
    """Draw seconds and peak memory against each size, a column of panels for each axis."""
    drawn = [record for record in records if record["size"]]
    axes_names = list(dict.fromkeys(record["axis"] for record in drawn))
    n = len(axes_names)
    figure, axes = panels(2 * n, n, (3.6 * n, 6.4))
    for column, axis in enumerate(axes_names):
        for place, record in enumerate(one for one in drawn if one["axis"] == axis):
            style = {"color": PALETTE[place % len(PALETTE)], "marker": "o", "ms": 3.5, "lw": 1.3}
            style["ls"] = "-" if place < len(PALETTE) else "--"
            for row, key in enumerate(("seconds", "peak_bytes")):
                values = np.array(record[key]) / (1 if row == 0 else 2**20)
                axes[row, column].plot(record["size"], values, label=record["label"], **style)
        for row, label in enumerate(("CPU seconds", "peak beyond the data, MiB")):
            ax = axes[row, column]
            ax.set(xscale="log", yscale="log", xlabel=axis)
            ax.set_ylabel(label if column == 0 else "")
            ax.xaxis.set_minor_formatter(NullFormatter())
            tidy(ax)
        if axis == "tasks":  # too many series to fit between the lines
            axes[0, column].legend(frameon=False, fontsize=7, bbox_to_anchor=(1.02, 1.0))
        else:
            axes[0, column].legend(frameon=False, fontsize=6)
    save(figure, path)
