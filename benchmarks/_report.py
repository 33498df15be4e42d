"""Tables, progress and raw numbers: what all benchmarks print and write."""

import json
import os
import platform
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

import skmtl


class Progress:
    """A line on stderr for each finished unit of work."""

    def __init__(self, n_units: int) -> None:
        self.n_units, self.n_done, self.start = n_units, 0, time.perf_counter()

    def done(self, what: object) -> None:
        """Say that a unit is finished."""
        self.n_done += 1
        width, elapsed = len(str(self.n_units)), time.perf_counter() - self.start
        line = f"[{self.n_done:{width}}/{self.n_units}] {elapsed:6.1f} s  {what}"
        print(line, file=sys.stderr, flush=True)


def run_all(
    run: Callable[[Any], Any],
    units: Sequence[Any],
    *,
    jobs: int,
    warm_up: Callable[[], None],
    label: Callable[[Any], object] = str,
) -> list[Any]:
    """Run all units, ``jobs`` at a time, and return their results in the units' order.

    Processes are spawned, not forked: BLAS threads do not survive a fork everywhere.
    """
    progress = Progress(len(units))
    if jobs == 1:
        warm_up()
        results = []
        for unit in units:
            results.append(run(unit))
            progress.done(label(unit))
        return results
    found: dict[int, Any] = {}
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=warm_up) as pool:
        futures = {pool.submit(run, unit): position for position, unit in enumerate(units)}
        try:
            for future in as_completed(futures):
                position = futures[future]
                found[position] = future.result()
                progress.done(label(units[position]))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [found[position] for position in range(len(units))]


def mean_and_sd(values: Iterable[float | None], digits: int, scale: float = 1.0) -> str:
    """Format "mean ± standard deviation"; a dash where there are no values."""
    known = scale * np.array([value for value in values if value is not None], dtype=float)
    if not len(known):
        return "-"
    if len(known) == 1:
        return f"{known[0]:.{digits}f}"
    return f"{known.mean():.{digits}f} ± {known.std(ddof=1):.{digits}f}"


def bullet(text: str) -> str:
    """An item of a Markdown list, wrapped."""
    return textwrap.fill(
        text, 100, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False
    )


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, n_left: int = 2) -> str:
    """A Markdown table, the first columns flush left, its source aligned too."""
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


def environment(jobs: int) -> dict[str, Any]:
    """Versions and threads, for the raw numbers."""
    packages = ("numpy", "scipy", "scikit-learn", "numba")
    return {
        "versions": {"python": platform.python_version(), "skmtl": skmtl.__version__}
        | {package: version(package) for package in packages},
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "processes": jobs,
        "threads_per_process": 1,
    }


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write raw numbers."""
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
