"""How skmtl's time grows with rows, features, tasks and support, each alone."""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._report import markdown_table
from benchmarks.peers.problem import Problem
from benchmarks.peers.problems import shared, wide
from benchmarks.peers.runner import Settings
from benchmarks.peers.session import Session
from benchmarks.peers.solvers import OURS
from benchmarks.peers.summary import number

Record = dict[str, Any]

_TOL = 1e-6
_DIVISOR = 10.0
# What stays fixed while one size grows, and what that size grows through.
_BASE = {"n": 300, "d": 4000, "n_tasks": 20}
_SIZES: dict[str, tuple[float, ...]] = {
    "n": (150, 300, 600, 1200, 2400),
    "d": (1000, 2000, 4000, 8000, 16000),
    "n_tasks": (5, 10, 20, 40, 80),
    "divisor": (5, 10, 15, 20, 40),
}
_LABELS = {
    "n": "rows n",
    "d": "features d",
    "n_tasks": "tasks T",
    "divisor": "rows of W in the support",
}


def run(settings: Settings, plot: Path | None = None) -> Record:
    """Time fits, print a table, draw, and return the raw numbers."""
    with Session(OURS, settings.threads, settings.pythons) as session:
        series = [_series(name, settings, session) for name in _SIZES]
        environment = session.hello
    base = f"n={_BASE['n']}, d={_BASE['d']}, T={_BASE['n_tasks']}, alpha_max / {_DIVISOR:g}"
    print(f"### skmtl's seconds, one size growing, the others {base} (tol {_TOL:g})\n")
    rows = [
        [
            one["label"],
            " ".join(f"{value:g}" for value in one["x"]),
            " ".join(number(value) for value in one["seconds"]),
            f"{one['slope']:.2f}",
        ]
        for one in series
    ]
    print(markdown_table(["size", "values", "seconds", "slope"], rows, n_left=3))
    if plot:
        from benchmarks.peers.plots import draw_growth

        draw_growth(plot, series)
    return {"growth": series, "peers": {OURS: environment}}


def slope(x: Any, seconds: Any) -> tuple[float, float]:
    """Slope and intercept of log seconds against log x, by least squares."""
    fitted = np.polyfit(np.log(x), np.log(seconds), 1)
    return float(fitted[0]), float(fitted[1])


def _series(name: str, settings: Settings, session: Session) -> Record:
    values = _SIZES[name][:2] if settings.quick else _SIZES[name]
    measured = [_measure(_maker(name, value), settings, session) for value in values]
    x = [one["support"] for one in measured] if name == "divisor" else [float(v) for v in values]
    seconds = [one["seconds"] for one in measured]
    fitted = slope(x, seconds)
    print(f"{_LABELS[name]}: slope {fitted[0]:.2f}", file=sys.stderr, flush=True)
    return {
        "name": name,
        "label": _LABELS[name],
        "x": x,
        "seconds": seconds,
        "support": [one["support"] for one in measured],
        "slope": fitted[0],
        "intercept": fitted[1],
    }


def _maker(name: str, value: float) -> Callable[[], Problem]:
    sizes = _BASE | ({name: int(value)} if name in _BASE else {})
    divisor = value if name == "divisor" else _DIVISOR

    def make() -> Problem:
        return shared("growth", *wide(**sizes), divisor)

    return make


def _measure(make: Callable[[], Problem], settings: Settings, session: Session) -> Record:
    with tempfile.TemporaryDirectory(prefix="peers-") as folder:
        make().save(Path(folder))
        session.load(Path(folder))
        session.run(_TOL, settings.limit, at_least=0)
        runs = [session.run(_TOL, settings.limit) for _ in range(settings.repeats)]
    seconds = float(np.median([run["cpu" if settings.threads == 1 else "wall"] for run in runs]))
    return {"seconds": seconds, "support": runs[0]["support"]}
