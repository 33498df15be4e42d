"""The peak memory of skmtl's fits relative to the size of their input."""

import scipy.sparse as sp

from benchmarks._report import Column, Record, table
from benchmarks.peers.problem import Problem
from benchmarks.peers.problems import build
from benchmarks.peers.runner import Settings
from benchmarks.peers.session import Session
from benchmarks.peers.solvers import OURS

_PROBLEMS = ("p1a/10", "p1b/10", "p4-large")
_TOL = 1e-6


def run(settings: Settings) -> Record:
    """Measure each problem in a fresh process, print a table, and return the raw numbers."""
    records = [_measure(build(name, settings.quick), settings) for name in _PROBLEMS]
    print("### Peak memory of a fit in addition to its input\n")
    columns: dict[str, Column] = {
        "problem": "{problem}",
        "input, MiB": lambda one: f"{one['input_bytes'] / 2**20:.1f}",
        "peak, MiB": lambda one: f"{one['peak_bytes'] / 2**20:.1f}",
        "ratio": lambda one: f"{one['peak_bytes'] / one['input_bytes']:.2f}",
    }
    print(table(records, columns, n_left=1))
    return {"memory": records}


def _measure(problem: Problem, settings: Settings) -> Record:
    X = problem.X
    size = X.data.nbytes + X.indices.nbytes if sp.issparse(X) else X.nbytes
    limit = settings.limit * problem.patience
    with Session(OURS, settings.threads, settings.pythons) as session:
        # Compile the kernels, or load them from the cache, on a small problem of the same kind: it
        # frees too little memory for the measured fit to reuse.
        with build(problem.name, quick=True).saved() as folder:
            session.load(folder)
            session.run(_TOL, limit, at_least=0)
        with problem.saved() as folder:
            session.load(folder)
            peak = session.memory(_TOL, limit)
    return {"problem": problem.name, "input_bytes": size + problem.y.nbytes, "peak_bytes": peak}
