"""Passes over batches until the duality gap is small, and the CPU time beside that of ``fit``.

``python -m benchmarks.batches [--rows 10000] [--problems mnist logistic] [--quick] [--json F]``

For each problem ``fit_batches`` runs until its gap is 1e-6 of the objective with zero coefficients.
The first table shows in which pass the gap was first below 1e-2, 1e-3, 1e-4, and 1e-6 of it
(the first pass only counts the labels), and the objective's relative distance from its minimum
after each pass. CPU seconds are those of ``fit_batches`` and of ``fit`` on all rows with tol=1e-4.
MNIST (one digit against the rest, 784 pixels, the training part or --rows rows of it) is read from
--data-home; if the file is missing, it is skipped with a message.
"""

import contextlib
import io
import re
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from benchmarks._command import Command
from benchmarks._report import markdown_table, say, write_json
from skmtl import (
    BlockSparseClassifier,
    BlockSparseRegressor,
    IndependentTaskClassifier,
    TaskRelationClassifier,
)
from skmtl.datasets import fetch_mnist

LEVELS = (1e-2, 1e-3, 1e-4, 1e-6)
BATCH = 5000
Problem = tuple[Any, Callable[[], tuple[Any, Any]]]


def main(argv: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Run the benchmark, print a table, and return its rows."""
    command = Command("batches", __doc__)
    command.common("data-home", default=None, help="folder with the MNIST files")
    command.add_argument("--rows", type=int, metavar="N", help="rows of MNIST (default: all)")
    command.add_argument("--problems", nargs="+", metavar="NAME", help="run only these")
    command.common("quick", help="small simulated data only")
    command.common("json")
    arguments = command.read(argv)
    problems = simulated(500 if arguments.quick else 20_000)
    if not arguments.quick:
        problems |= mnist(arguments.data_home, arguments.rows)
    unknown = sorted(set(arguments.problems or ()) - set(problems))
    if unknown:
        command.error(f"--problems must be among {', '.join(problems)}, got {', '.join(unknown)}")
    rows = []
    for name in arguments.problems or problems:
        model, load = problems[name]
        try:
            X, y = load()
        except (OSError, ValueError) as error:
            say(f"{name}: skipped: {error}")
            continue
        say(f"{name}: {X.shape[0]} rows, {X.shape[1]} features")
        rows.append({"problem": name, "n": X.shape[0], "d": X.shape[1]} | measure(model, X, y))
    header = ["problem", "rows", "features", *(f"gap {level:g}" for level in LEVELS)]
    header += ["CPU s to 1e-4", "CPU s of fit"]
    print(markdown_table(header, [*map(_cells, rows)], n_left=1))
    for row in rows:
        far = " ".join(f"{value:.0e}" for value in row["suboptimality"])
        print(f"\n{row['problem']}, relative suboptimality from pass 2 on: {far}")
    write_json(arguments.json, rows)
    return rows


def simulated(n: int) -> dict[str, Problem]:
    """Problems with 30 features and 8 tasks, for each loss."""

    def make(loss: str) -> tuple[Any, Any]:
        rng = np.random.default_rng(0)
        X = rng.normal(size=(n, 30)) @ (np.eye(30) + 0.2 * rng.normal(size=(30, 30))) / 2
        Z = X @ (rng.normal(size=(30, 8)) * (rng.random((30, 1)) < 0.4)) / 2
        if loss == "logistic":
            return X, (rng.random(Z.shape) < 1 / (1 + np.exp(-Z))).astype(float)
        if loss == "poisson":
            return X, rng.poisson(np.exp(np.clip(Z, -5, 3))).astype(float)
        return X, Z + rng.standard_t(2, size=Z.shape)

    return {
        "logistic": (BlockSparseClassifier(0.01), lambda: make("logistic")),
        "logistic, task relation": (TaskRelationClassifier(0.01), lambda: make("logistic")),
        "poisson": (BlockSparseRegressor(0.01, loss="poisson"), lambda: make("poisson")),
        "huber": (BlockSparseRegressor(0.01, loss="huber"), lambda: make("huber")),
    }


def mnist(home: Any, n: int | None) -> dict[str, Problem]:
    """One digit of MNIST against the rest, 784 pixels between 0 and 1."""

    def load() -> tuple[Any, Any]:
        bunch = fetch_mnist(home)
        rows = np.flatnonzero(~bunch.is_test)[:n]
        return bunch.data[rows] / 255.0, bunch.target[rows]

    return {
        "mnist": (BlockSparseClassifier(1e-3), load),
        "mnist, ridge": (IndependentTaskClassifier(1e-3), load),
    }


def measure(model: Any, X: Any, y: Any) -> dict[str, Any]:
    """The passes and the CPU time of an estimator's ``fit_batches``, and the time of ``fit``."""

    def read() -> Iterator[tuple[Any, Any]]:
        size = min(BATCH, len(y) // 4)
        for start in range(0, len(y), size):
            yield X[start : start + size], y[start : start + size]

    with contextlib.redirect_stdout(io.StringIO()) as printed:
        # Passes are timed as they print the gap.
        clock = _Clock(printed)
        with contextlib.redirect_stdout(clock):
            model.set_params(tol=1e-6, verbose=1).fit_batches(read)
    lines = re.findall(r"pass (\d+): objective (\S+), dual gap (\S+)", printed.getvalue())
    passes = [(int(number), float(value), float(gap)) for number, value, gap in lines]
    null, low = passes[0][1], passes[-1][1]
    reached = {
        level: next(number for number, _, gap in passes if gap <= level * null) for level in LEVELS
    }
    seconds = clock.seconds[[number for number, *_ in passes].index(reached[1e-4])]
    begin = time.process_time()
    model.set_params(tol=1e-4, verbose=0).fit(X, y)
    return {
        "passes": {f"{level:g}": number for level, number in reached.items()},
        "suboptimality": [(value - low) / low for _, value, _ in passes],
        "cpu": seconds,
        "cpu_of_fit": time.process_time() - begin,
    }


class _Clock(io.TextIOBase):
    """Passes on what is printed, and notes the CPU time of each line."""

    def __init__(self, to: Any) -> None:
        self.to, self.begin = to, time.process_time()
        self.seconds: list[float] = []

    def write(self, text: str) -> int:
        """Write, and note the time of each line about a pass."""
        self.seconds += [time.process_time() - self.begin] * text.count("pass ")
        return int(self.to.write(text))


def _cells(row: dict[str, Any]) -> list[str]:
    passes = [str(number) for number in row["passes"].values()]
    times = [f"{row['cpu']:.1f}", f"{row['cpu_of_fit']:.1f}"]
    return [row["problem"], str(row["n"]), str(row["d"]), *passes, *times]


if __name__ == "__main__":
    main()
