"""How skmtl's time grows with rows, features, tasks and support, varied one at a time."""

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._report import Column, Record, number, say, table
from benchmarks.peers.problem import Problem
from benchmarks.peers.problems import shared, wide
from benchmarks.peers.runner import Settings
from benchmarks.peers.session import Session
from benchmarks.peers.solvers import OURS

_TOL = 1e-6
_DIVISOR = 10.0
# The sizes that stay fixed while one grows, and the values of the growing one.
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
    """Time fits, print a table, draw a figure if asked, and return the raw numbers."""
    with Session(OURS, settings.threads, settings.pythons) as session:
        series = [_series(name, settings, session) for name in _SIZES]
        environment = session.hello
    base = f"n={_BASE['n']}, d={_BASE['d']}, T={_BASE['n_tasks']}, alpha_max / {_DIVISOR:g}"
    print(f"### skmtl's seconds as one size grows; the others are {base} (tol {_TOL:g})\n")
    columns: dict[str, Column] = {
        "size": "{label}",
        "values": lambda one: " ".join(f"{value:g}" for value in one["x"]),
        "seconds": lambda one: " ".join(number(value) for value in one["seconds"]),
        "slope": "{slope:.2f}",
    }
    print(table(series, columns, n_left=3))
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
    measured = [_measure(_build(name, value), settings, session) for value in values]
    support = [one["support"] for one in measured]
    x = support if name == "divisor" else [float(v) for v in values]
    seconds = [one["seconds"] for one in measured]
    steepness, intercept = slope(x, seconds)
    say(f"{_LABELS[name]}: slope {steepness:.2f}")
    found = {"name": name, "label": _LABELS[name], "x": x, "seconds": seconds}
    return found | {"support": support, "slope": steepness, "intercept": intercept}


def _build(name: str, value: float) -> Problem:
    sizes = _BASE | ({name: int(value)} if name in _BASE else {})
    return shared("growth", *wide(**sizes), value if name == "divisor" else _DIVISOR)


def _measure(problem: Problem, settings: Settings, session: Session) -> Record:
    with problem.saved() as folder:
        session.load(folder)
        session.run(_TOL, settings.limit, at_least=0)
        runs = [session.run(_TOL, settings.limit) for _ in range(settings.repeats)]
    clock = "cpu" if settings.threads == 1 else "wall"
    seconds = float(np.median([run[clock] for run in runs]))
    return {"seconds": seconds, "support": runs[0]["support"]}
