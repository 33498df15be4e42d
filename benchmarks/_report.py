"""Tables, notes and raw numbers, printed and written by all benchmarks."""

import json
import os
import platform
import sys
import textwrap
import time
from argparse import Namespace
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

import skmtl

Record = dict[str, Any]
Column = str | Callable[[Any], str]

# Confidence level of all intervals.
LEVEL = 0.95


def say(line: str) -> None:
    """Print a line of progress on stderr."""
    print(line, file=sys.stderr, flush=True)


def mean_and_sd(values: Iterable[float | None], digits: int, scale: float = 1.0) -> str:
    """Format "mean ± standard deviation"; a dash if there are no values."""
    known = scale * np.array([value for value in values if value is not None], dtype=float)
    if not len(known):
        return "-"
    if len(known) == 1:
        return f"{known[0]:.{digits}f}"
    return f"{known.mean():.{digits}f} ± {known.std(ddof=1):.{digits}f}"


def half_width(values: NDArray[Any], ratio: float = 0.0) -> Any:
    """Half the width of the t interval of a mean over the first axis; NaN for a single value.

    The values of overlapping splits are not independent. Given the ``ratio`` of test to training
    rows, the variance of their mean is estimated by their variance times 1 / n + ratio (Nadeau and
    Bengio 2003).
    """
    n = len(values)
    if n < 2:
        return np.nan
    error = np.sqrt((1 / n + ratio) * np.var(values, axis=0, ddof=1))
    return stats.t.ppf((1 + LEVEL) / 2, n - 1) * error


def number(value: float | None) -> str:
    """Format a number with three significant digits; a dash if it is None."""
    return "-" if value is None else f"{value:.3g}"


def seconds(call: Callable[..., Any], *arguments: Any, clock: Any = time.perf_counter) -> float:
    """The seconds that a call takes."""
    start = clock()
    call(*arguments)
    return float(clock() - start)


def section(title: str, table: str, notes: str) -> str:
    """A titled table and its notes."""
    return f"### {title}\n\n{table}\n\n{bullets(notes)}"


def bullets(text: str) -> str:
    """Format the paragraphs of a text as the wrapped items of a Markdown list."""
    return "\n".join(
        textwrap.fill(
            " ".join(paragraph.split()),
            100,
            initial_indent="- ",
            subsequent_indent="  ",
            break_on_hyphens=False,
        )
        for paragraph in text.strip().split("\n\n")
    )


def table(records: Iterable[Any], columns: Mapping[str, Column], *, n_left: int = 2) -> str:
    """A Markdown table with a row for each record.

    A column is a format string for its cells, or a function of the record.
    """

    def fill(cell: Column, record: Any) -> str:
        return cell.format_map(record) if isinstance(cell, str) else cell(record)

    rows = [[fill(cell, record) for cell in columns.values()] for record in records]
    return markdown_table(list(columns), rows, n_left=n_left)


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, n_left: int = 2) -> str:
    """A Markdown table with its source aligned; the first ``n_left`` columns are flush left."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    left = [position < n_left for position in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.ljust(width) if flush else cell.rjust(width)
            for cell, width, flush in zip(cells, widths, left, strict=True)
        ]
        return "| " + " | ".join(padded) + " |"

    rule = "|".join(
        ("-" * (width + 2)) if flush else ("-" * (width + 1) + ":")
        for width, flush in zip(widths, left, strict=True)
    )
    return "\n".join([line(header), f"|{rule}|", *map(line, rows)])


def write_json(path: Path | None, content: Any) -> None:
    """Write raw numbers to a JSON file; do nothing without a path."""
    if path is not None:
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def environment() -> Record:
    """The versions and the machine of a run."""
    packages = ("numpy", "scipy", "scikit-learn", "numba")
    versions = {"python": platform.python_version(), "skmtl": skmtl.__version__}
    return {
        "versions": versions | {package: version(package) for package in packages},
        "machine": platform.machine(),
        "cores": os.cpu_count(),
    }


def write_raw(arguments: Namespace, names: Sequence[str], records: dict[str, Any]) -> None:
    """Write raw numbers together with the named arguments, versions and threads."""
    about = {"arguments": {name: getattr(arguments, name) for name in names}}
    processes = {"processes": arguments.jobs, "threads_per_process": 1}
    write_json(arguments.json, about | environment() | processes | records)
