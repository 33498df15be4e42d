"""The peak memory of skmtl's fits beside the size of their input."""

import tempfile
from pathlib import Path
from typing import Any

import scipy.sparse as sp

from benchmarks._report import markdown_table
from benchmarks.peers.problem import Problem
from benchmarks.peers.problems import build
from benchmarks.peers.runner import Settings
from benchmarks.peers.session import Session
from benchmarks.peers.solvers import OURS

_PROBLEMS = ("p1a/10", "p1b/10", "p4-large")
_TOL = 1e-6


def run(settings: Settings, plot: Path | None = None) -> dict[str, Any]:
    """Measure each problem in a fresh process, print a table, and return the raw numbers."""
    records = [_measure(build(name, settings.quick), settings) for name in _PROBLEMS]
    print("### Memory of a fit beyond its input, at the peak\n")
    rows = [
        [
            record["problem"],
            f"{record['input_bytes'] / 2**20:.1f}",
            f"{record['peak_bytes'] / 2**20:.1f}",
            f"{record['peak_bytes'] / record['input_bytes']:.2f}",
        ]
        for record in records
    ]
    print(markdown_table(["problem", "input, MiB", "peak, MiB", "ratio"], rows, n_left=1))
    return {"memory": records}


def _measure(problem: Problem, settings: Settings) -> dict[str, Any]:
    X = problem.X
    size = X.data.nbytes + X.indices.nbytes if sp.issparse(X) else X.nbytes
    limit = settings.limit * problem.patience
    with (
        tempfile.TemporaryDirectory(prefix="peers-") as folder,
        Session(OURS, settings.threads, settings.pythons) as session,
    ):
        # Kernels are compiled, or read from the cache, on a problem of the same kind that leaves no
        # memory behind for the measured fit to use again.
        _save(_small(problem), folder, session)
        session.run(_TOL, limit, at_least=0)
        _save(problem, folder, session)
        peak = session.memory(_TOL, limit)
    return {"problem": problem.name, "input_bytes": size + problem.y.nbytes, "peak_bytes": peak}


def _small(problem: Problem) -> Problem:
    return build(problem.name, quick=True)


def _save(problem: Problem, folder: str, session: Session) -> None:
    problem.save(Path(folder))
    session.load(Path(folder))
